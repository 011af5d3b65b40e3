"""Titles, licences and loop points inside sound files and pictures.

soundfile writes the sound but knows neither loop tags nor ``smpl`` chunks, and numbers each OGG stream at
random, so that no file could be made twice. The few bytes that matter are written here:

* WAV: RIFF chunks ``fmt``, ``LIST``/``INFO`` (texts), ``smpl`` (loop), ``data`` (Microsoft and IBM,
  "Multimedia Programming Interface and Data Specifications 1.0", 1991; ``smpl``: "New Multimedia Data Types
  and Data Techniques", 1994).
* OGG: pages (RFC 3533) that carry Vorbis packets, the second of which holds the comments (Vorbis I
  specification, section 5). LOOPSTART and LOOPLENGTH, in samples, are the custom of RPG Maker and others.
* FLAC: the metadata block of type 4 holds the same comments (RFC 9639).
* PNG: ``iTXt`` chunks with the keywords of the PNG specification.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm.errors import SoundError
from pianogan_bgm.render import MAX_WAV_BYTES


@dataclass(frozen=True, slots=True)
class Tags:
    """What a file says of itself. ``loop``: first frame and length in frames, where there is one."""

    title: str
    album: str
    licence: str
    credits: str
    software: str
    loop: tuple[int, int] | None = None


# -------------------------------------------------------------------------------------------------- WAV

_MIDDLE_C: Final = 60
"""The key at which a sampler would play the file unchanged."""


def wav(samples: npt.NDArray[np.int16], rate: int, tags: Tags) -> bytes:
    """A 16-bit WAV file of ``samples``, int16 ``(frames, channels)``, at ``rate`` Hz.

    Raises :class:`SoundError` past 4 GiB, which is all that the format can say.
    """
    channels = samples.shape[1]
    data = np.ascontiguousarray(samples, dtype="<i2").tobytes()
    if len(data) > MAX_WAV_BYTES:
        raise SoundError(f"a WAV file holds less than 4 GiB; got {len(data)} bytes of sound")
    chunks = [
        _chunk(b"fmt ", struct.pack("<2H2L2H", 1, channels, rate, 2 * channels * rate, 2 * channels, 16))
    ]
    texts = {b"INAM": tags.title, b"IPRD": tags.album, b"ICOP": tags.licence, b"ICMT": tags.credits}
    texts[b"ISFT"] = tags.software
    info = b"".join(_chunk(name, text.encode("utf-8") + b"\0") for name, text in texts.items())
    chunks.append(_chunk(b"LIST", b"INFO" + info))
    if tags.loop is not None:
        start, frames = tags.loop
        head = struct.pack("<9L", 0, 0, round(1e9 / rate), _MIDDLE_C, 0, 0, 0, 1, 0)
        # kind 0: forwards; the last frame of the loop is played; 0 repeats mean for ever
        chunks.append(_chunk(b"smpl", head + struct.pack("<6L", 0, 0, start, start + frames - 1, 0, 0)))
    chunks.append(_chunk(b"data", data))
    return _chunk(b"RIFF", b"WAVE" + b"".join(chunks))


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<L", len(data)) + data + b"\0" * (len(data) % 2)


# --------------------------------------------------------------------------------------- Vorbis comments


def _comments(vendor: bytes, tags: Tags) -> bytes:
    """The comment header's body: vendor, then NAME=text each with its length."""
    # the loop first: RPG Maker MV looks no further than the packet's first 255 bytes
    start, frames = tags.loop or (0, 0)
    pairs = [("LOOPSTART", str(start)), ("LOOPLENGTH", str(frames))] if tags.loop is not None else []
    pairs += [("TITLE", tags.title), ("ALBUM", tags.album), ("LICENSE", tags.licence)]
    pairs += [("COPYRIGHT", tags.licence), ("DESCRIPTION", tags.credits), ("ENCODED-BY", tags.software)]
    rows = [f"{name}={text}".encode() for name, text in pairs]
    return _counted(vendor) + struct.pack("<L", len(rows)) + b"".join(map(_counted, rows))


def _counted(data: bytes) -> bytes:
    return struct.pack("<L", len(data)) + data


def _vendor(comments: bytes) -> bytes:
    (length,) = struct.unpack_from("<L", comments)
    return comments[4 : 4 + length]


# ------------------------------------------------------------------------------------------------- FLAC

_FLAC_COMMENTS: Final = 4
_FLAC_PADDING: Final = 1


def tagged_flac(data: bytes, tags: Tags) -> bytes:
    """The FLAC file ``data`` with comments of ``tags`` in place of its own, and no padding."""
    if data[:4] != b"fLaC":
        raise SoundError("not a FLAC file (one begins with fLaC)")
    kept, vendor, at, last = [], b"", 4, False
    while not last:
        kind, last = data[at] & 0x7F, bool(data[at] & 0x80)
        end = at + 4 + int.from_bytes(data[at + 1 : at + 4], "big")
        block = data[at + 4 : end]
        if kind == _FLAC_COMMENTS:
            vendor = _vendor(block)
        elif kind != _FLAC_PADDING:
            kept.append((kind, block))
        at = end
    kept.append((_FLAC_COMMENTS, _comments(vendor, tags)))
    blocks = [
        bytes([kind | (0x80 if number == len(kept) else 0)]) + len(block).to_bytes(3, "big") + block
        for number, (kind, block) in enumerate(kept, 1)
    ]
    return b"fLaC" + b"".join(blocks) + data[at:]


# -------------------------------------------------------------------------------------------------- OGG

_PAGE: Final = struct.Struct("<4sBBqLLLB")
_CONTINUED: Final = 1
_SEGMENTS: Final = 255
_MIRRORED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True, slots=True)
class _Page:
    """One page: flags, position in samples (−1 where no packet ends), lengths of segments, their bytes."""

    flags: int
    position: int
    segments: bytes
    body: bytes

    def to_bytes(self, serial: int, number: int) -> bytes:
        head = _PAGE.pack(b"OggS", 0, self.flags, self.position, serial, number, 0, len(self.segments))
        page = head + self.segments + self.body
        return page[:22] + struct.pack("<L", ogg_crc(page)) + page[26:]


def tagged_ogg(data: bytes, tags: Tags, serial: int) -> bytes:
    """The Vorbis file ``data`` with comments of ``tags`` in place of its own and ``serial`` as its number.

    ``serial``: 32 bits. Raises :class:`SoundError` for what is not one Vorbis stream.
    """
    pages = list(_pages(data))
    headers, used = _header_packets(pages)
    if not (headers[0].startswith(b"\x01vorbis") and headers[1].startswith(b"\x03vorbis")):
        raise SoundError("not a Vorbis stream")
    comments = b"\x03vorbis" + _comments(_vendor(headers[1][7:]), tags) + b"\x01"
    written = [pages[0], *_paged((comments, headers[2])), *pages[used:]]
    return b"".join(page.to_bytes(serial, number) for number, page in enumerate(written))


def _pages(data: bytes) -> Iterator[_Page]:
    at = 0
    while at < len(data):
        if len(data) - at < _PAGE.size or data[at : at + 4] != b"OggS":
            raise SoundError(f"not an OGG page at byte {at}")
        _, _, flags, position, _, _, _, count = _PAGE.unpack_from(data, at)
        segments = data[at + _PAGE.size : at + _PAGE.size + count]
        body_at = at + _PAGE.size + count
        at = body_at + sum(segments)
        yield _Page(flags, position, segments, data[body_at:at])


def _header_packets(pages: Sequence[_Page]) -> tuple[list[bytes], int]:
    """The three packets that begin a Vorbis stream, and how many pages they fill (they end with one)."""
    packets: list[bytes] = []
    packet = b""
    for used, page in enumerate(pages, 1):
        at = 0
        for length in page.segments:
            packet += page.body[at : at + length]
            at += length
            if length < _SEGMENTS:
                packets.append(packet)
                packet = b""
        if len(packets) >= 3:
            return packets, used
    raise SoundError("a Vorbis stream begins with three headers; the file ends before")


def _paged(packets: Sequence[bytes]) -> Iterator[_Page]:
    """Header packets on as few pages as hold them."""
    segments = b"".join(bytes([_SEGMENTS] * (len(p) // _SEGMENTS) + [len(p) % _SEGMENTS]) for p in packets)
    body = b"".join(packets)
    at, going_on = 0, False
    for first in range(0, len(segments), _SEGMENTS):
        part = segments[first : first + _SEGMENTS]
        ends = any(length < _SEGMENTS for length in part)
        yield _Page(_CONTINUED * going_on, 0 if ends else -1, part, body[at : at + sum(part)])
        at += sum(part)
        going_on = part[-1] == _SEGMENTS


def ogg_crc(page: bytes) -> int:
    """The checksum of a page whose own checksum field is 0.

    It has zlib's polynomial, but takes bits from the other end and begins and ends with no inversion.
    """
    register = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{register:032b}"[::-1], 2)


# -------------------------------------------------------------------------------------------------- PNG

_PNG_HEAD: Final = 8 + 25
"""Signature and IHDR."""


def tagged_png(data: bytes, tags: Tags) -> bytes:
    """The PNG ``data`` with texts of ``tags`` after its header."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR":
        raise SoundError("not a PNG picture")
    texts = (("Title", tags.title), ("Copyright", tags.licence), ("Description", tags.credits))
    chunks = b"".join(_text_chunk(key, text) for key, text in (*texts, ("Software", tags.software)))
    return data[:_PNG_HEAD] + chunks + data[_PNG_HEAD:]


def _text_chunk(key: str, text: str) -> bytes:
    # keyword, not compressed, no language, no translated keyword, UTF-8
    body = b"iTXt" + key.encode("ascii") + b"\0\0\0\0\0" + text.encode("utf-8")
    return struct.pack(">L", len(body) - 4) + body + struct.pack(">L", zlib.crc32(body))
