"""Endless piano over HTTP, to show `Stream`: PCM on request, no pygame, no thread of its own.

``python examples/stream/radio.py`` and open http://localhost:8000 in a browser or a media player; every
listener gets music of their own, ``/calm``, ``/battle`` and the other moods included. Another port than 8000
may be given.
"""

from __future__ import annotations

import argparse
import struct
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import numpy as np

from pianogan_bgm import PianoganError, Stream

RATE = 44100
BLOCK = 4410
AHEAD_SECONDS = 5.0


def wav_header(rate: int = RATE) -> bytes:
    """Head of a 16-bit stereo WAV file without a known end."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, rate, rate * 4, 4, 16)
    return b"RIFF\xff\xff\xff\xffWAVE" + form + b"data\xff\xff\xff\xff"


def sound(stream: Stream) -> Iterator[bytes]:
    """A WAV file that never ends."""
    yield wav_header(stream.rate)
    while True:
        yield np.rint(stream.fill(BLOCK) * 32767.0).astype("<i2").tobytes()


class Listener(BaseHTTPRequestHandler):
    """One browser."""

    def do_GET(self) -> None:
        """Send music, a few seconds ahead of real time, until the listener leaves."""
        try:
            stream = Stream(mood=urlsplit(self.path).path.strip("/") or None, rate=RATE)
        except PianoganError as error:
            self.send_error(404, explain=str(error))
            return
        stream.play(fade_ms=500)
        self.send_response(200)
        self.send_header("Content-Type", "audio/wav")
        self.end_headers()
        began = time.monotonic()
        try:
            for block in sound(stream):
                self.wfile.write(block)
                ahead = stream.frame / RATE - (time.monotonic() - began)
                time.sleep(max(0.0, ahead - AHEAD_SECONDS))
        except ConnectionError:
            pass


def main(port: int) -> None:
    try:
        server = ThreadingHTTPServer(("localhost", port), Listener)
    except (OSError, OverflowError) as error:
        sys.exit(f"cannot listen at port {port} ({error}); give another after the program's name")
    print(f"Listen at http://localhost:{server.server_port} (or /calm, /battle, …); Ctrl-C ends.")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Endless piano over HTTP.")
    parser.add_argument("port", type=int, nargs="?", default=8000, help="to listen at (%(default)s)")
    main(parser.parse_args().port)
