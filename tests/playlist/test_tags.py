from __future__ import annotations

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from PIL import Image

from pianogan_bgm.errors import SoundError
from pianogan_bgm.playlist.tags import Tags, ogg_crc, tagged_flac, tagged_ogg, tagged_png, wav

RATE = 44100
TAGS = Tags("Zoë’s song", "An album", "any use", "Nobody\nand friends", "a test", (441, 44100))  # noqa: RUF001
NOISE = (np.random.default_rng(0).standard_normal((RATE * 2, 2)) * 3000).astype(np.int16)


def encoded(kind: str, subtype: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, NOISE, RATE, subtype, format=kind)
    return buffer.getvalue()


def chunks(data: bytes) -> dict[bytes, bytes]:
    found, at = {}, 12
    while at < len(data):
        name, size = struct.unpack_from("<4sL", data, at)
        found[name] = data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2
    assert at == len(data)
    return found


def test_a_wav_file_holds_its_samples_texts_and_loop() -> None:
    data = wav(NOISE, RATE, TAGS)
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert (file.samplerate, file.subtype, file.title, file.license) == (RATE, "PCM_16", TAGS.title, "")
        assert (file.album, file.copyright, file.comment) == (TAGS.album, TAGS.licence, TAGS.credits)
        assert np.array_equal(file.read(dtype="int16"), NOISE)
    smpl = struct.unpack("<15L", chunks(data)[b"smpl"])
    assert smpl[2:4] == (22676, 60)  # nanoseconds a sample, middle C
    assert smpl[7] == 1
    assert smpl[11:] == (441, 441 + 44100 - 1, 0, 0)
    assert b"smpl" not in chunks(wav(NOISE, RATE, replace(TAGS, loop=None)))


@pytest.mark.parametrize("kind", ["OGG", "FLAC"])
def test_comments_are_put_in_and_the_sound_stays(kind: str) -> None:
    data = encoded(kind, "VORBIS" if kind == "OGG" else "PCM_16")
    tagged = tagged_ogg(data, TAGS, 7) if kind == "OGG" else tagged_flac(data, TAGS)
    with soundfile.SoundFile(io.BytesIO(tagged)) as file:
        assert (file.title, file.album, file.license) == (TAGS.title, TAGS.album, TAGS.licence)
        assert np.array_equal(file.read(dtype="int16"), soundfile.read(io.BytesIO(data), dtype="int16")[0])
    assert b"\x0d\x00\x00\x00LOOPSTART=441\x10\x00\x00\x00LOOPLENGTH=44100" in tagged


def test_an_ogg_stream_has_the_number_it_is_given_and_nothing_random() -> None:
    first, second = (tagged_ogg(encoded("OGG", "VORBIS"), TAGS, 7) for _ in range(2))
    assert first == second
    assert first[14:18] == b"\x07\0\0\0"
    assert tagged_ogg(first, TAGS, 7) == first


def test_the_loop_stands_where_rpg_maker_mv_looks_for_it() -> None:
    tagged = tagged_ogg(encoded("OGG", "VORBIS"), replace(TAGS, loop=(0, 79_380_000)), 7)
    packet = tagged.index(b"\x03vorbis")  # of which that program reads the first segment alone
    assert tagged.index(b"LOOPLENGTH=79380000") + len("LOOPLENGTH=79380000") < packet + 255


def test_long_comments_spread_over_pages() -> None:
    long = replace(TAGS, credits="a line of credits, " * 10_000)
    tagged = tagged_ogg(encoded("OGG", "VORBIS"), long, 7)
    again = tagged_ogg(tagged, long, 7)
    assert again == tagged
    read = soundfile.read(io.BytesIO(tagged), dtype="int16")[0]
    assert np.array_equal(read, soundfile.read(io.BytesIO(encoded("OGG", "VORBIS")), dtype="int16")[0])


def test_the_checksum_is_that_which_libogg_wrote() -> None:
    data = encoded("OGG", "VORBIS")
    page = data[:58]  # the first page of every Vorbis stream: 28 bytes of head, 30 of packet
    (written,) = struct.unpack_from("<L", page, 22)
    assert ogg_crc(page[:22] + bytes(4) + page[26:]) == written


def test_a_picture_carries_texts_and_keeps_its_pixels() -> None:
    buffer = io.BytesIO()
    picture = Image.fromarray(NOISE[:20, :].astype(np.uint8))
    picture.save(buffer, format="PNG")
    with Image.open(io.BytesIO(tagged_png(buffer.getvalue(), TAGS))) as read:
        read.load()
        assert read.text == {  # type: ignore[attr-defined]
            "Title": TAGS.title,
            "Copyright": TAGS.licence,
            "Description": TAGS.credits,
            "Software": TAGS.software,
        }
        assert read.tobytes() == picture.tobytes()


def test_what_is_no_such_file_is_refused() -> None:
    with pytest.raises(SoundError, match="not an OGG page at byte 0"):
        tagged_ogg(b"nothing", TAGS, 7)
    with pytest.raises(SoundError, match="ends before"):
        tagged_ogg(encoded("OGG", "VORBIS")[:58], TAGS, 7)
    with pytest.raises(SoundError, match="not a FLAC file"):
        tagged_flac(b"nothing", TAGS)
    with pytest.raises(SoundError, match="not a PNG"):
        tagged_png(b"nothing", TAGS)
