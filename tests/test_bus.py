from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pianogan_bgm.bus import KNEE, MASTER_GAIN, finish, to_format
from pianogan_bgm.errors import SoundError

FORMATS = {-16: np.int16, 16: np.uint16, -8: np.int8, 8: np.uint8, 32: np.float32}

blocks = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 50), st.just(2)),
    elements=st.floats(-20, 20, width=32, allow_nan=False),
)


def ramp(frames=4001, top=8.0):
    side = np.linspace(-top, top, frames, dtype=np.float32)
    return np.stack([side, -side], axis=1)


@settings(max_examples=60, deadline=None)
@given(block=blocks, gain=st.floats(0, 4))
def test_the_limiter_never_passes_full_scale_and_keeps_the_sign(block, gain):
    out = finish(block, gain)
    assert out.dtype == np.float32
    assert out.shape == block.shape
    assert np.abs(out).max() <= 1.0
    assert np.all(out * block >= 0)


def test_below_the_knee_the_bus_only_scales():
    block = ramp(top=KNEE / MASTER_GAIN * 0.99)
    assert np.array_equal(finish(block), block * np.float32(MASTER_GAIN))


def test_the_limiter_bends_smoothly_and_never_turns_back():
    out = finish(ramp())[:, 0].astype(np.float64)
    slopes = np.diff(out)
    assert slopes.min() >= 0
    # no corner: the slope changes little from one sample to the next
    assert np.abs(np.diff(slopes)).max() < 0.05 * slopes.max()


@settings(max_examples=40, deadline=None)
@given(block=blocks, cut=st.integers(0, 50))
def test_the_bus_remembers_nothing_between_blocks(block, cut):
    parts = [finish(part) for part in (block[:cut], block[cut:])]
    assert np.array_equal(np.concatenate(parts), finish(block))


@pytest.mark.parametrize("size", FORMATS)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_formats_have_the_type_and_shape_that_pygame_gives(size, channels):
    out = to_format(ramp(11, 1.0), size, channels)
    assert out.dtype == FORMATS[size]
    assert out.shape == ((11,) if channels == 1 else (11, channels))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (-16, [-32767, 0, 1, 32767]),
        (16, [1, 32768, 32769, 65535]),
        (-8, [-127, 0, 0, 127]),
        (8, [1, 128, 128, 255]),
        (32, [-1.0, 0.0, 3e-5, 1.0]),
    ],
)
def test_full_scale_and_silence_land_where_the_format_has_them(size, expected):
    side = np.array([-1.0, 0.0, 3e-5, 1.0], dtype=np.float32)
    out = to_format(np.stack([side, side], axis=1), size, 2)
    assert out[:, 0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("size", [-16, 16, -8, 8])
def test_too_loud_samples_are_cut_off_and_never_wrap(size):
    out = to_format(ramp(101, 3.0), size, 2).astype(int)[:, 0]
    assert all(a <= b for a, b in pairwise(out))


def test_one_channel_is_the_mean_and_six_carry_music_in_front():
    block = np.array([[0.5, 0.25], [-1.0, 1.0]], dtype=np.float32)
    assert to_format(block, 32, 1).tolist() == [0.375, 0.0]
    surround = to_format(block, 8, 6)
    assert np.array_equal(surround[:, :2], to_format(block, 8, 2))
    assert (surround[:, 2:] == 128).all()


def test_the_format_is_a_copy_that_may_be_written_to():
    block = ramp(5, 0.5)
    before = block.copy()
    to_format(block, 32, 2)[:] = 9
    assert np.array_equal(block, before)


@pytest.mark.parametrize(("size", "channels"), [(24, 2), (0, 2), (-16, 0), (-16, 9)])
def test_formats_no_mixer_has_are_refused(size, channels):
    with pytest.raises(SoundError, match=f"got {size if channels == 2 else channels}"):
        to_format(ramp(5), size, channels)
