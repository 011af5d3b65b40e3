import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from music_fakes import pluck_band

from pianogan_bgm.instruments.tones import Tone, mix
from pianogan_bgm.mixdown import GRID, Fader, Mix, Mixdown, Ramp
from pianogan_bgm.room import SMALL_ROOM, Reverb, Room, reverb

RATE = 44100
DRY = Room(level=-200.0)


def response(rate=RATE, side=0):
    """What an impulse in one side becomes, the impulse itself taken away."""
    walls = reverb(rate)
    sound = np.zeros((2 * walls.tail + 1, 2), np.float32)
    sound[walls.tail, side] = 1.0
    heard = walls.wet(sound)
    assert heard[0, side] == 1.0
    heard[0, side] = 0.0
    return heard.astype(np.float64)


def db(energy):
    return 10 * np.log10(energy)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 7999), max_size=6, unique=True), st.sampled_from([8000, 22050, 44100]))
def test_however_the_sound_is_cut_the_samples_are_the_same(cuts, rate):
    walls = reverb(rate)
    sound = np.random.default_rng(5).standard_normal((walls.tail + 8000, 2)).astype(np.float32)
    whole = walls.wet(sound)
    parts = [walls.wet(sound[a : walls.tail + b]) for a, b in itertools.pairwise([0, *sorted(cuts), 8000])]
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000])
def test_echoes_have_their_level_begin_late_and_end(rate):
    walls = reverb(rate)
    both = [np.square(response(rate, side)).sum() for side in (0, 1)]
    assert db(np.mean(both)) == pytest.approx(SMALL_ROOM.level, abs=0.1)
    assert abs(db(both[0] / both[1])) < 1.5
    assert walls.tail == pytest.approx(0.27 * rate, rel=0.05)
    assert not response(rate)[: round(SMALL_ROOM.first * rate)].any()


def test_echoes_fall_away_evenly():
    energy = np.square(response()).sum(axis=1)
    left = db(np.cumsum(energy[::-1])[::-1] / energy.sum() + 1e-12)
    at = [left[round(seconds * RATE)] for seconds in (0.0, 0.05, 0.1, 0.15, 0.2)]
    falls = -np.diff(at)
    assert all(3.0 < fall < 9.0 for fall in falls)
    assert left[-200] < -45.0


def test_the_room_neither_booms_nor_hisses():
    power = np.square(np.abs(np.fft.rfft(response(), 1 << 16, axis=0))).mean(axis=1)
    pitch = np.fft.rfftfreq(1 << 16, 1 / RATE)
    bands = [
        db(power[(pitch >= low) & (pitch < 2 * low)].mean()) for low in (50, 100, 200, 400, 800, 1600, 3200)
    ]
    assert max(bands) - np.median(bands) < 5.0
    assert db(power[pitch > 10000].mean()) < np.median(bands) - 10.0


def test_echoes_are_wide_but_not_lost_in_mono():
    middle = np.random.default_rng(2).standard_normal((100_000, 1)).astype(np.float32).repeat(2, axis=1)
    walls = reverb(RATE)
    echoes = walls.wet(middle) - middle[walls.tail :]
    assert abs(np.corrcoef(echoes.T)[0, 1]) < 0.1
    assert db(np.square(echoes.mean(axis=1)).mean() / np.square(echoes).mean()) > -4.0


def test_a_room_of_no_level_leaves_the_sound_as_it_is():
    sound = np.random.default_rng(3).standard_normal((20_000, 2)).astype(np.float32)
    walls = reverb(RATE, DRY)
    np.testing.assert_allclose(walls.wet(sound), sound[walls.tail :], atol=1e-7)


def test_a_mixdown_lets_echoes_ring_on_and_forgets_only_what_is_silent():
    bus, tone = (0, 0, "pluck"), Tone(0, 60, 2000, 100)
    gains = Mix(faders=(Fader(0, Ramp.steady(1.0), 1.0),))
    end = pluck_band("pluck").ring(tone)
    walls = reverb(8000)

    def mixes(first, last):
        return [(first, gains)]

    def mixdown():
        made = Mixdown(pluck_band, walls)
        made.add(0, [(bus, tone)])
        return made

    whole = mixdown().render(0, 4 * GRID, mixes)
    assert whole[end : end + walls.tail // 2].any()
    assert not whole[end + walls.tail :].any()
    assert mixdown().last_end({0}) == end
    for before in (end - 5, end + 5, end + walls.tail - 5, end + walls.tail, end + mixdown().reach):
        late = mixdown()
        late.forget(before)
        assert np.array_equal(late.render(before, GRID, mixes), whole[before : before + GRID])
    assert late.tones == 0


def test_what_is_kept_is_not_made_again(monkeypatch):
    """A stream that is asked for little at a time, and lets go of what is over, costs no more."""
    gains = [(0, Mix(faders=(Fader(0, Ramp.steady(1.0), 1.0),)))]
    made = Mixdown(pluck_band, reverb(8000))
    made.add(0, [((0, 0, "pluck"), Tone(start, 60, 2000, 100)) for start in range(0, 8 * GRID, 3000)])
    work = []
    monkeypatch.setattr("pianogan_bgm.mixdown.mix", lambda *given: work.append("dry") or mix(*given))
    monkeypatch.setattr(Reverb, "wet", lambda room, sound: work.append("wet") or sound[room.tail :])
    for at in range(4 * GRID, 6 * GRID, 512):
        made.render(at, 512, lambda first, last: gains)
        made.forget(at)
    assert work.count("wet") == 2
    assert work.count("dry") == 2 + made.reach // GRID - 1
