"""The example that streams without pygame."""

import http.client
import importlib.util
import io
import itertools
import socket
import threading
import wave
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from music_fakes import FakeGenerator, make_piece

from pianogan_bgm import Stream

PATH = Path(__file__).parent.parent / "examples" / "stream" / "radio.py"


@pytest.fixture
def radio():
    spec = importlib.util.spec_from_file_location("radio", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_radio_sends_a_wav_file_with_the_streams_samples(radio):
    streams = [Stream(make_piece(1), rate=8000, instrument="chip_triangle") for _ in range(2)]
    for stream in streams:
        stream.play()
    sent = b"".join(itertools.islice(radio.sound(streams[0]), 4))
    with wave.open(io.BytesIO(sent)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 2, 2)
    samples = np.frombuffer(sent[44:], "<i2").reshape(-1, 2)
    expected = streams[1].fill(3 * radio.BLOCK)
    assert samples.any()
    np.testing.assert_array_equal(samples, np.rint(expected * 32767.0).astype(np.int16))


@pytest.fixture
def connection(radio, monkeypatch):
    """To a radio on this machine whose music costs nothing."""
    monkeypatch.setattr(radio, "Stream", partial(Stream, model=FakeGenerator()))
    with ThreadingHTTPServer(("localhost", 0), radio.Listener) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        link = http.client.HTTPConnection("localhost", server.server_port, timeout=20)
        yield link
        link.close()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/", "/calm", "/calm/", "/calm?x=1"])
def test_a_listener_gets_a_wav_file(connection, path):
    connection.request("GET", path)
    with connection.getresponse() as answer:
        assert (answer.status, answer.getheader("Content-Type")) == (200, "audio/wav")
        assert answer.getheader("Content-Length") is None
        assert answer.read(12) == b"RIFF\xff\xff\xff\xffWAVE"


def test_a_mood_that_there_is_not_is_not_found(connection):
    connection.request("GET", "/nope?x=1")
    with connection.getresponse() as answer:
        assert answer.status == 404
        assert b"calm" in answer.read()


def test_a_port_that_is_taken_is_named_in_one_line(radio):
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=f"cannot listen at port {port} .*; give another"):
            radio.main(port)
