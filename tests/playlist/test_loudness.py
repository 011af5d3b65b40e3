"""Against the recommendation's own table and the test signals of EBU Tech 3341, which anyone can make."""

from __future__ import annotations

import numpy as np
import pytest

from pianogan_bgm.playlist.loudness import block_powers, filters, loudness

# ITU-R BS.1770-5, annex 1, tables 1 and 2
SHELF_48000 = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (1.0, -1.69065929318241, 0.73248077421585),
)
HIGH_PASS_48000 = (1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)


def sine(*parts: tuple[float, float], rate: int = 44100, hertz: float = 1000.0) -> np.ndarray:
    """Both channels at (decibels below full scale, seconds) one after another."""
    levels = np.concatenate([np.full(round(s * rate), 10 ** (db / 20)) for db, s in parts])
    wave = levels * np.sin(2 * np.pi * hertz * np.arange(len(levels)) / rate)
    return np.stack([wave, wave], axis=1).astype(np.float32)


def test_the_filters_are_those_of_the_recommendation() -> None:
    assert np.allclose(filters(48000), (SHELF_48000, HIGH_PASS_48000), atol=2e-8, rtol=0)


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
def test_a_full_sine_in_one_channel_has_minus_3_01(rate: int) -> None:
    one = sine((0.0, 5.0), rate=rate, hertz=997.0)
    one[:, 1] = 0
    assert loudness(one, rate) == pytest.approx(-3.01, abs=0.05)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-23, 20)], -23.0),
        ([(-33, 20)], -33.0),
        ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
    ],
)
def test_the_signals_of_ebu_tech_3341_measure_as_they_should(
    parts: list[tuple[float, float]], expected: float
) -> None:
    assert loudness(sine(*parts), 44100) == pytest.approx(expected, abs=0.1)


def test_filtering_in_chunks_changes_nothing() -> None:
    noise = np.random.default_rng(0).standard_normal((44100 * 20, 2)).astype(np.float32) * 0.1
    whole = block_powers(noise, 44100)
    late = block_powers(noise[44100 * 5 :], 44100)
    assert np.allclose(whole[60:], late[10:], rtol=1e-9)
    assert len(whole) == 200 - 4 + 1


@pytest.mark.parametrize("sound", [np.zeros((44100, 2)), np.ones((1000, 2)), np.zeros((0, 2))])
def test_silence_and_what_is_too_short_have_none(sound: np.ndarray) -> None:
    assert loudness(sound.astype(np.float32), 44100) is None
