"""The example that streams without pygame."""

import importlib.util
import io
import itertools
import wave
from pathlib import Path

import numpy as np
import pytest
from music_fakes import make_piece

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
