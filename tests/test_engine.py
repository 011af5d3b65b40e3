"""The player's work with a mixer and a clock turned by hand: every sample, without waiting."""

import contextlib
import math
import random
from functools import partial
from itertools import islice
from time import perf_counter

import numpy as np
import pytest
from fake_mixer import FakeMixer, find_sink
from music_fakes import Clock, FakeGenerator, make_piece

from pianogan_bgm import commands as c
from pianogan_bgm import turns
from pianogan_bgm.bus import to_format
from pianogan_bgm.composer import Composer
from pianogan_bgm.conductor import Conductor
from pianogan_bgm.engine import (
    AHEAD_SECONDS,
    HURRY_SECONDS,
    LEAST_SECONDS,
    LOW_SECONDS,
    REACTION_SECONDS,
    READY_SECONDS,
    Band,
    Control,
    Engine,
    latest,
    reactions,
)
from pianogan_bgm.mixdown import GRID
from pianogan_bgm.pages import Cursor
from pianogan_bgm.stingers import STINGERS
from pianogan_bgm.tune import prepare

TUNES = [prepare(make_piece(1)), prepare(make_piece(2, tempo=90.0))]
ALL = ("chip_triangle",) * 4


class Rig:
    """An engine on a fake mixer, driven second by second."""

    def __init__(self, mixer=None, generator=None, settings=()):
        self.mixer = FakeMixer() if mixer is None else mixer
        self.clock = Clock()
        self.events = []
        composer = Composer(generator or FakeGenerator(), 7)
        self.engine = Engine(
            composer, partial(find_sink, self.mixer), self.clock, self.events.append, settings=settings
        )
        self.engine.journal = []
        self.band = self.engine._band if hasattr(self.engine, "_band") else None
        self.send(c.SetInstruments(ALL))

    def send(self, *requests):
        self.engine.requests.extend(requests)

    def run(self, seconds):
        """The thread works and the device reads, by turns."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            wait = self.engine.tick()
            wait = min(0.05 if wait is None or self.engine.requests else wait, until - self.clock.now)
            self.stall(max(wait, 0.001))

    def stall(self, seconds):
        """The device reads on while the thread gets no turn."""
        if self.mixer.open:
            self.mixer.run(seconds)
        self.clock.now += seconds

    def heard(self):
        """All that sounded, on whatever channel, in order of channels."""
        parts = [part for channel in self.mixer.channels for part in channel.sounded]
        return np.concatenate(parts) if parts else np.zeros((0, 2), np.int16)

    def offline(self, frames):
        rate = self.engine.conductor.rate
        conductor = Conductor(rate, Band(rate))
        for frame, command in self.engine.journal:
            conductor.send(command, frame)
        return conductor.render(0, frames)


def assert_equal_to_offline(rig, size=-16, channels=2):
    heard = rig.heard()
    assert len(heard)
    np.testing.assert_array_equal(heard, to_format(rig.offline(len(heard)), size, channels))


def test_what_is_heard_is_what_is_rendered_offline():
    rig = Rig()
    rig.send(c.Play(TUNES[0], -1))
    rig.run(13.0)
    assert rig.engine.stats.pages >= 5
    assert rig.engine.stats.underruns == 0
    assert_equal_to_offline(rig)


@pytest.mark.parametrize("seed", range(4))
def test_commands_and_stalls_cost_no_sample(seed):
    rig, chance = Rig(), random.Random(seed)
    rig.send(c.Play(TUNES[0], -1))
    rig.run(1.0)
    for _ in range(40):
        command = chance.choice(
            [
                c.SetIntensity(chance.random()),
                c.SetTempo(chance.uniform(0.7, 1.5)),
                c.SetLevel("duck", chance.random()),
                c.PlayFigure(STINGERS["coin"]),
                c.SetTranspose(chance.randrange(-3, 4)),
                c.Transition(chance.choice(TUNES), chance.choice(["now", "beat", "bar"]), 1.0, -1),
                c.Seek(chance.uniform(0, 60)),
            ]
        )
        rig.send(command)
        rig.run(chance.uniform(0.0, 0.6))
        rig.stall(chance.choice([0.0, 0.0, 0.5]))
    rig.run(1.0)
    assert rig.engine.stats.underruns == rig.engine.stats.late == 0
    assert rig.engine.stats.commands == 42
    assert_equal_to_offline(rig)


@pytest.mark.parametrize(
    "form", [(8000, -16, 1), (8000, 8, 1), (8000, -32, 2), (8000, -16, 6), (8000, 16, 2), (8000, -8, 2)]
)
def test_every_mixer_format_sounds_right(form):
    rig = Rig(FakeMixer(*form))
    rig.send(c.Play(TUNES[0], -1))
    rig.run(5.0)
    size = 32 if abs(form[1]) == 32 else form[1]
    assert_equal_to_offline(rig, size, form[2])


def test_a_command_is_heard_within_150_ms():
    rig = Rig()
    rig.send(c.Play(TUNES[0], -1))
    rig.run(3.0)
    asked = len(rig.heard())
    rig.send(c.SetIntensity(0.0))
    rig.run(2.0)
    frame = next(frame for frame, command in rig.engine.journal if command == c.SetIntensity(0.0))
    assert frame - asked <= 0.15 * 8000


def slow_rig(seconds):
    """A rig at 44.1 kHz whose every rendering takes ``seconds``; the sound ahead is complete."""
    rig = Rig(FakeMixer(44100))
    rig.send(c.Play(TUNES[0], -1))
    rig.run(2.5)
    render = rig.engine.conductor.render

    def slowly(at, frames):
        rig.stall(seconds)
        return render(at, frames)

    rig.engine.conductor.render = slowly
    return rig


def frame_of(rig, command):
    return next(frame for frame, sent in rig.engine.journal if sent == command)


def test_a_command_that_takes_long_to_render_comes_in_time_with_less_sound_ahead():
    rig = slow_rig(0.02)
    asked = len(rig.heard())
    rig.send(c.SetIntensity(0.0))
    rig.engine.tick()
    at = frame_of(rig, c.SetIntensity(0.0))
    assert at - asked <= 0.15 * 44100
    assert rig.engine.stats.retries == 0
    ahead = rig.engine._frontier - at
    assert LEAST_SECONDS * 44100 <= ahead < 0.8 * 44100
    rig.run(3.0)
    assert rig.engine._frontier - len(rig.heard()) > 2.0 * 44100
    assert_equal_to_offline(rig)


def test_a_stall_right_after_a_hasty_command_is_silence_and_never_the_old_sound():
    rig = slow_rig(0.02)
    rig.send(c.SetIntensity(0.0))
    rig.engine.tick()
    end = rig.engine._frontier
    rig.stall(1.0)
    heard = rig.heard()
    np.testing.assert_array_equal(heard[:end], to_format(rig.offline(end), -16, 2))
    assert len(heard) > end
    assert not heard[end:].any()


def test_a_command_that_missed_its_frame_gets_a_second_chance_as_quick():
    rig = slow_rig(0.0)
    asked, render, stalls = len(rig.heard()), rig.engine.conductor.render, [0.2]

    def stalled(at, frames):
        rig.stall(stalls.pop() if stalls else 0.0)
        return render(at, frames)

    rig.engine.conductor.render = stalled
    rig.send(c.SetIntensity(0.0))
    rig.engine.tick()
    assert rig.engine.stats.retries == 1
    assert frame_of(rig, c.SetIntensity(0.0)) - asked <= (0.2 + 0.15) * 44100
    rig.run(3.0)
    assert_equal_to_offline(rig)


def test_a_machine_too_slow_for_any_command_gets_ever_more_time():
    assert np.allclose(list(islice(reactions(), 4)), REACTION_SECONDS * np.array([1.0, 1.0, 1.7, 2.89]))
    assert max(islice(reactions(), 20)) == 2.5


def test_a_request_that_waits_goes_before_composing():
    rig = Rig(generator=FakeGenerator(steps=32))
    rig.send(lambda desk: [c.Play(desk.composer.following(), endless=True)])
    rig.engine.tick()
    asked = []
    rig.engine._composer.following = asked.append
    slice_of = rig.engine._slice

    def and_then_the_game_calls():
        slice_of()
        rig.send(c.SetIntensity(0.1))

    rig.engine._slice = and_then_the_game_calls
    rig.engine.tick()
    assert rig.engine.requests
    assert asked == []


def test_starvation_is_silence_then_the_right_place_again():
    rig = Rig()
    rig.send(c.Play(TUNES[0], -1))
    rig.run(4.3)
    rig.stall(3.3)
    rig.run(3.0)
    stats = rig.engine.stats
    heard = rig.heard()
    exact = to_format(rig.offline(len(heard)), -16, 2)
    wrong = np.nonzero((heard != exact).any(axis=1))[0]
    assert stats.underruns == 1
    assert not heard[wrong].any(), "what is missing must be silence, never stale sound"
    assert 0 < len(wrong) <= stats.silent_frames <= 1.2 * 8000
    assert wrong[-1] - wrong[0] < stats.silent_frames


@pytest.mark.parametrize("ce", [False, True])
def test_after_a_minute_without_a_turn_the_music_goes_on(ce):
    rig = Rig(FakeMixer(ce=ce))
    rig.send(c.Play(TUNES[0], -1))
    rig.run(3.0)
    rig.stall(60.0)
    before = len(rig.heard())
    rig.run(5.0)
    assert rig.engine.stats.recoveries == 1
    heard = rig.heard()[before:]
    assert len(heard) > 4 * 8000
    place = rig.engine.sink._origin
    np.testing.assert_array_equal(heard, to_format(rig.offline(place + len(heard)), -16, 2)[place:])


@pytest.mark.parametrize("ce", [False, True])
def test_mixer_stop_does_not_stop_the_music(ce):
    rig = Rig(FakeMixer(ce=ce))
    rig.send(c.Play(TUNES[0], -1))
    rig.run(5.1)
    for channel in rig.mixer.channels:
        channel.stop()
    rig.run(4.0)
    assert rig.engine.stats.recoveries == 1
    assert rig.engine.sink.playing
    tail = rig.heard()[-8000:]
    last = rig.engine.sink.cursor(rig.clock())
    exact = to_format(rig.offline(last + 8000), -16, 2)
    assert any(np.array_equal(tail, exact[n : n + 8000]) for n in range(last - 8000 - 600, last - 8000 + 600))


def test_a_stolen_channel_is_left_to_the_thief():
    rig = Rig()
    rig.send(c.Play(TUNES[0], -1))
    rig.run(2.0)
    ours = len(rig.mixer.channels) - 1
    thief = rig.mixer.Sound(bytes(8000 * 4 * 9))
    rig.mixer.channels[ours].play(thief)
    rig.run(3.0)
    assert rig.mixer.channels[ours].sound is thief
    assert len(rig.mixer.channels) == ours + 2
    assert rig.mixer.channels[-1].sound is not None
    assert rig.engine.stats.recoveries == 1


def test_taking_away_our_channel_is_survived():
    rig = Rig()
    rig.send(c.Play(TUNES[0], -1))
    rig.run(2.0)
    rig.mixer.set_num_channels(4)
    rig.run(2.0)
    assert rig.engine.stats.recoveries == 1
    assert len(rig.mixer.channels) == 5
    assert rig.mixer.channels[4].sound is not None


def test_without_mixer_time_goes_on_and_with_another_the_music_is_there():
    rig = Rig()
    rig.send(c.Play(TUNES[0], -1))
    rig.run(2.0)
    rig.mixer.quit()
    rig.run(2.0)
    assert not rig.engine.sink.audible
    beats = [event.frame for event in rig.events if event.kind == "beat"]
    assert beats[-1] >= 3.4 * 8000
    rig.mixer.init(11025, 8, 1)
    rig.run(3.0)
    assert rig.engine.sink.audible
    assert rig.engine.conductor.rate == 11025
    step = rig.engine.pulse.place.step
    assert step == pytest.approx(7.0 * 8, abs=2.0)
    assert (rig.heard() != 128).any()


def test_events_are_told_when_they_are_heard():
    rig = Rig()
    rig.send(c.Play(TUNES[0], -1))
    told = []
    rig.engine._tell = lambda event: told.append((event, rig.engine.sink.heard(rig.clock())))
    rig.run(5.0)
    beats = [(event.frame, cursor) for event, cursor in told if event.kind == "beat"]
    assert len(beats) == 10
    assert all(0 <= cursor - frame <= 0.02 * 8000 for frame, cursor in beats)


def test_pausing_stops_the_clock_and_loses_nothing():
    rig = Rig()
    rig.send(c.Play(TUNES[0], -1))
    rig.run(2.0)
    rig.send(Control.PAUSE)
    rig.run(30.0)
    paused = len(rig.heard())
    assert rig.engine.pulse.paused
    rig.send(c.SetIntensity(0.9))
    rig.run(1.0)
    rig.send(Control.UNPAUSE)
    rig.run(6.0)
    assert len(rig.heard()) > paused + 5 * 8000
    assert rig.engine.stats.underruns == rig.engine.stats.recoveries == 0
    assert_equal_to_offline(rig)


def test_the_channel_is_given_back_when_the_music_has_ended_and_taken_again():
    rig = Rig()
    rig.send(c.Play(TUNES[0]))
    rig.run(14.0)
    assert not rig.engine.sink.playing
    assert rig.engine.pulse is None
    assert all(channel.sound is None for channel in rig.mixer.channels)
    rig.send(c.Play(TUNES[1]))
    rig.run(1.0)
    assert rig.engine.sink.playing
    assert [event.kind for event in rig.events].count("piece") == 2


def test_endless_music_composes_ahead_and_survives_a_generator_that_fails():
    class Failing(FakeGenerator):
        def compose(self, seed=None, *, latent=None):
            if len(self.asked) >= 2:
                raise RuntimeError("out of ideas")
            return super().compose(seed, latent=latent)

    rig = Rig(generator=Failing(steps=32))
    rig.send(lambda desk: [c.Play(desk.composer.following(), endless=True)])
    rig.run(20.0)
    assert [event.kind for event in rig.events].count("piece") == 2
    assert [event.kind for event in rig.events].count("loop") >= 2
    assert "out of ideas" in rig.engine.stats.errors[-1]
    assert_equal_to_offline(rig)


def test_a_request_that_fails_leaves_the_music_alone():
    rig = Rig()
    rig.send(c.Play(TUNES[0], -1))
    rig.run(1.0)
    rig.send(lambda desk: [c.Queue(desk.composer.tune("missing.mid"))])
    rig.run(3.0)
    assert "missing.mid" in rig.engine.stats.errors[0]
    assert_equal_to_offline(rig)


def test_a_cursor_believes_a_sharp_look_and_distrusts_a_late_one():
    cursor = Cursor(1000, now=0.0, frame=0, page=4000)
    assert cursor.at(1.5) == 1500
    assert cursor.at(99.0) == 4000
    cursor.look(3.9)
    cursor.turned(4.4)  # half a second nobody looked: the prediction stands
    assert cursor.at(4.4) == 4400
    cursor.look(8.09)
    cursor.turned(8.1)  # seen within 10 ms: it was late indeed
    assert 8000 <= cursor.at(8.1) <= 8010


def test_a_cursor_learns_the_speed_of_the_device():
    cursor, now = Cursor(1000, now=0.0, frame=0, page=4000), 0.0
    for _ in range(8):
        now += 4.04
        cursor.look(now - 0.005)
        cursor.turned(now)
    assert cursor.heard(now + 3.0) - cursor.heard(now) == pytest.approx(3000 / 1.01, abs=5)
    assert cursor.at(now + 3.0) - cursor.at(now) == 3000, "it may be on time again at any moment"


def test_a_page_that_turned_unseen_does_not_fool_a_command():
    rig = Rig()
    rig.send(c.Play(TUNES[0], -1))
    rig.run(1.8)
    composing = c.SetIntensity(0.1)

    def slow(desk):  # the page turns while something is composed
        rig.stall(0.6)
        return [composing]

    rig.send(slow)
    rig.run(3.0)
    assert rig.engine.stats.underruns == 0
    assert_equal_to_offline(rig)


def test_a_late_look_leaves_doubt_about_what_was_read():
    cursor = Cursor(1000, now=0.0, frame=0, page=4000)
    cursor.look(3.9)
    cursor.turned(4.4)
    assert cursor.at(4.5) == 4500
    assert 4090 <= cursor.surely(4.5) <= 4100


def test_getting_ready_for_what_cannot_be_played_harms_nothing():
    rig = Rig()
    rig.engine._first = ("missing.mid", None)
    rig.send(Control.WARM)
    rig.run(0.2)
    rig.send(c.Play(TUNES[0], -1))
    rig.run(1.0)
    assert rig.engine.stats.errors == []
    assert_equal_to_offline(rig)


def test_composing_hurries_before_the_sound_runs_out():
    """Of the next piece, and of one that the game goes over to; not of the first, when nothing sounds yet."""
    rig, due = Rig(), []
    composer = rig.engine._composer
    following = composer.following

    def composing(mood=None):
        due.append(turns._own.late - perf_counter())
        return following(mood)

    composer.following = composing
    rig.send(lambda desk: [c.Play(desk.composer.following(None), endless=True)])
    rig.run(4.0)
    rig.send(lambda desk: [c.Transition(desk.composer.following(None), "bar")])
    rig.run(0.5)
    first, following_piece, gone_over_to = due[:3]
    assert first == math.inf
    for seconds in (following_piece, gone_over_to):
        assert -LOW_SECONDS < seconds < AHEAD_SECONDS - LOW_SECONDS
    assert turns._own.late == math.inf


def test_rendering_ahead_hurries_once_it_keeps_a_request_waiting():
    rig, waits = Rig(), []
    rig.send(c.Play(TUNES[0], -1))
    rig.run(1.0)
    rig.stall(1.5)
    render = rig.engine._slice

    def slow():
        awaited = turns._own.awaited
        waits.append(bool(awaited()))
        rig.send(c.SetIntensity(0.7))
        waits.append(bool(awaited()))
        rig.clock.now += HURRY_SECONDS + 0.001
        waits.append(bool(awaited()))
        rig.engine.requests.clear()
        waits.append(bool(awaited()))
        render()

    rig.engine._slice = slow
    rig.engine.tick()
    assert waits == [False, False, True, False]


@pytest.fixture
def renders(monkeypatch):
    """Blocks rendered, each as the frame it begins at."""
    seen, render = [], Conductor.render

    def rendered(self, at, frames):
        seen.append(at)
        return render(self, at, frames)

    monkeypatch.setattr(Conductor, "render", rendered)
    return seen


def test_a_second_of_what_will_be_played_is_got_ready(renders):
    rig = Rig(FakeMixer(rate=44100))
    rig.engine.requests.clear()
    rig.engine._first = (make_piece(1), None)
    rig.send(Control.WARM)
    rig.engine.tick()
    assert renders[0] == 0
    ready = READY_SECONDS * rig.engine.sink.rate
    assert ready - GRID <= renders[-1] < ready


def test_getting_ready_does_not_keep_a_request_waiting(renders, monkeypatch):
    rig = Rig(FakeMixer(rate=44100))
    rig.engine.requests.clear()
    rig.engine._first = (make_piece(1), None)
    rig.send(Control.WARM)
    counted = Conductor.render

    def asked_meanwhile(self, at, frames):
        rig.engine.requests.append(c.ClearQueue())
        return counted(self, at, frames)

    monkeypatch.setattr(Conductor, "render", asked_meanwhile)
    rig.engine.tick()
    assert renders == [0]


def test_a_mixer_that_closes_never_looks_like_music_that_has_stopped():
    """The music's thread may look at any moment, and would sleep for good."""
    rig = Rig()
    rig.send(c.Play(TUNES[0], -1))
    rig.run(0.5)
    pages, seen = rig.engine.sink, []
    channel = rig.mixer.channels[pages._index]
    stop = channel.stop
    channel.stop = lambda: (seen.append(pages.playing), stop())
    pages.leave()
    assert seen
    assert all(seen)
    assert pages.playing
    assert not pages.poll(rig.clock()), "and the next look tells"


def test_settings_hold_before_anything_was_told_to_play():
    rig = Rig(settings=[c.SetLevel("volume", 0.0, 0.0)])
    rig.send(c.PlayFigure(STINGERS["coin"]))
    rig.run(1.0)
    assert any(event.kind == "stinger" for event in rig.events)
    assert not rig.heard().any()


def test_requests_that_keep_coming_do_not_keep_the_first_from_being_heard():
    rig = Rig()

    def again(desk):
        rig.send(again)  # as a game that says every frame where it is, and one frame is over
        return [c.Transition(TUNES[0], "now", 0.0, -1)]

    rig.send(again)
    rig.engine.tick()
    assert rig.engine.pulse is not None
    assert len(rig.engine.requests) == 1


def test_a_request_is_seen_to_be_carried_out_all_the_time():
    rig, seen = Rig(), []

    def look(desk):
        seen.append((bool(rig.engine.requests), rig.engine.serving, rig.engine.pulse))
        return [c.Play(TUNES[0])]

    rig.run(0.1)
    assert not rig.engine.serving
    rig.send(look)
    rig.run(0.1)
    assert seen == [(False, True, None)]
    assert rig.engine.pulse is not None
    assert not rig.engine.serving


def test_settings_where_nothing_plays_cost_the_same_however_many_there_are():
    rig = Rig()
    for number in range(200):
        rig.send(c.SetIntensity(number / 200), (c.SetLevel, "duck", number / 200))
        rig.run(0.02)
    assert len(rig.engine.conductor._moments) + len(rig.engine.conductor._waiting) < 20
    rig.send(c.Play(TUNES[0], -1))
    rig.run(1.0)
    state = rig.engine.pulse.place.state
    assert (state.intensity, state.mix.duck.high) == (199 / 200, 199 / 200)
    assert_equal_to_offline(rig)


def test_music_that_is_over_ends_however_often_something_is_set():
    rig = Rig()
    rig.send(c.Play(TUNES[0]))
    rig.run(8.5)
    ended = rig.clock.now
    while rig.engine.pulse is not None and rig.clock.now < ended + 5.0:
        rig.send(c.SetIntensity(rig.clock.now % 1.0))
        rig.run(0.016)
    assert rig.clock.now < ended + 2.0


def test_a_mixer_of_another_rate_leaves_fades_and_stingers_as_they_were():
    rig = Rig()
    rig.send(c.Play(TUNES[0], -1, fade=20.0))
    rig.run(1.0)
    rig.mixer.quit()
    rig.mixer.init(11025, -16, 2)
    rig.run(1.0)
    (fader,) = [one for one in rig.engine.pulse.place.state.mix.faders if one.expires is None]
    assert fader.ramp.value(rig.engine.pulse.frame) == pytest.approx(0.1, abs=0.06)
    rig.send(c.Stop(), c.PlayFigure(STINGERS["game over"]))
    rig.run(1.0)
    rig.mixer.quit()
    rig.mixer.init(8000, -16, 2)
    rig.run(0.5)
    assert rig.engine.pulse.place.state.cues


def hold(rig):
    """Music that has played for a second and is held."""
    rig.send(c.Play(TUNES[0], -1))
    rig.run(1.0)
    rig.send(Control.PAUSE)
    rig.run(0.5)


def test_music_that_is_held_is_heard_when_it_is_told_to_play():
    rig = Rig()
    hold(rig)
    rig.send(c.Play(TUNES[1], -1))
    rig.run(1.0)
    assert not rig.engine.paused
    assert rig.engine.pulse.place.state.deck.tune is TUNES[1]
    assert rig.engine.pulse.place.step > 3.0


def test_what_is_set_while_music_is_held_costs_nothing_until_it_goes_on():
    rig = Rig()
    rig.engine.journal = []
    hold(rig)
    kept = len(rig.engine.conductor._moments)
    for turn in range(300):
        rig.send(c.SetIntensity(turn / 300), c.SetLevel("volume", turn / 300), c.SetTempo(1.0 + turn / 300))
        rig.run(0.02)
    assert len(rig.engine._put_off) == 3
    assert len(rig.engine.conductor._moments) == kept
    rig.send(c.SetLevel("duck", 0.5), Control.UNPAUSE)
    rig.run(0.5)
    state = rig.engine.pulse.place.state
    assert (state.intensity, state.tempo_goal) == (299 / 300, 1.0 + 299 / 300)
    assert (state.mix.volume.high, state.mix.duck.high) == (299 / 300, 0.5)
    assert [type(command) for _, command in rig.engine.journal[2:]] == [
        c.SetIntensity,
        c.SetLevel,
        c.SetTempo,
        c.SetLevel,
    ]


def test_only_gradual_settings_give_way_to_later_ones():
    figure, at_once = c.PlayFigure(STINGERS["coin"]), c.SetTempo(2.0, 0.0)
    commands = [c.SetIntensity(0.1), figure, at_once, c.SetTempo(1.5), c.SetLevel("duck", 0.5), figure]
    commands += [c.SetLevel("volume", 0.5), c.SetTempo(1.2), c.SetIntensity(0.1)]
    kept = latest(commands)
    assert kept == [figure, at_once, commands[4], figure, *commands[6:]]


@pytest.mark.parametrize("seconds", [0.03, 20.0])
@pytest.mark.parametrize("silent", [False, True])
def test_music_that_is_held_ends_at_once_when_it_is_stopped(seconds, silent):
    rig = Rig()
    if silent:
        rig.mixer.quit()
    hold(rig)
    before = len(rig.events)
    rig.send(c.Stop(seconds))
    rig.run(0.5)
    assert rig.engine.pulse is None
    assert [event.kind for event in rig.events[before:]] == ["end"]
    rig.send(c.Play(TUNES[1], -1))
    rig.run(1.0)
    assert rig.engine.pulse.place.step > 3.0
    assert not any(event.kind == "end" for event in rig.events[before + 1 :])


@pytest.mark.parametrize("silent", [False, True])
def test_endless_music_composes_each_piece_once(silent):
    generator = FakeGenerator()
    rig = Rig(generator=generator)
    if silent:
        rig.mixer.quit()
    rig.send(lambda desk: [c.Play(desk.composer.following(), endless=True)])
    rig.run(30.0)
    played = sum(event.kind == "piece" for event in rig.events)
    assert played >= 4
    assert len(generator.asked) <= played + 2  # the next, and what is rendered ahead may be in it already


def test_a_mixer_of_another_rate_ends_a_fade_and_a_ramp_as_they_were_begun():
    rig = Rig()
    rig.send(c.Play(TUNES[0], -1), c.SetLevel("duck", 0.2, 1.0))
    rig.run(0.5)
    rig.send(c.Stop(1.0))
    rig.run(0.4)
    rig.mixer.quit()
    rig.mixer.init(16000, -16, 2)
    rig.run(0.4)
    state = rig.engine.pulse.place.state
    assert state.rate == 16000
    assert state.mix.duck.high == 0.2
    assert state.ends_at is not None
    rig.run(1.0)
    assert rig.engine.pulse is None
    assert rig.events[-1].kind == "end"


def test_an_event_is_told_once_although_telling_it_fails():
    rig = Rig()
    told = []

    def fails(event):
        told.append(event)
        raise TypeError("no such type")

    rig.engine._tell = fails
    rig.send(c.Play(TUNES[0], -1))
    for _ in range(200):
        with contextlib.suppress(TypeError):
            rig.run(0.01)
    assert len(told) == len(set(told))


def test_an_instrument_that_cannot_be_loaded_repeats_no_event():
    rig = Rig()
    rig.send(c.Play(TUNES[0], -1))
    rig.run(0.5)
    rig.send(c.SetInstruments(("chip_triangle", "nothing", "nothing", "nothing")))
    for _ in range(50):
        with contextlib.suppress(Exception):
            rig.run(0.05)
    events = rig.engine.conductor.events(0, 1 << 60)
    assert len(events) == len(set(events)) > 0


def test_a_transition_after_a_stop_while_held_is_heard_when_held_no_more():
    rig = Rig()
    hold(rig)
    rig.send(c.Stop(), c.Transition(TUNES[1], "beat", 0.0, -1, scene="title"), Control.UNPAUSE)
    rig.run(3.0)
    assert rig.engine.pulse.place.state.scene == "title"
    assert rig.engine.pulse.place.state.deck.tune is TUNES[1]


def test_a_transition_after_a_stop_while_held_begins_from_silence():
    rig = Rig()
    hold(rig)
    before = len(rig.events)
    rig.send(c.Stop(), c.Transition(TUNES[1], "bar", 0.0, -1, scene="title"))
    rig.run(1.0)
    assert not rig.engine.paused
    assert rig.engine.pulse.place.state.scene == "title"
    assert rig.events[before].kind == "end"


@pytest.mark.parametrize("then", [(), (Control.UNPAUSE,)])
def test_a_stinger_after_a_stop_while_held_is_heard_at_once_and_to_its_end(then):
    rig = Rig()
    hold(rig)
    before = len(rig.events)
    rig.send(c.Stop(), c.PlayFigure(STINGERS["game over"]), *then)
    rig.run(6.0)
    assert [event.kind for event in rig.events[before:]] == ["end", "stinger"]
    assert rig.engine.pulse is None
    rig.send(c.Play(TUNES[0], -1))
    rig.run(1.0)
    assert rig.engine.pulse.place.state.cues == ()


@pytest.mark.parametrize("first", [c.Play(TUNES[1], -1), c.Transition(TUNES[1], "now", 0.0, -1)])
@pytest.mark.parametrize(("unit", "steps"), [("seconds", 12.0), ("beats", 8.0), ("bars", 32.0)])
def test_a_place_is_sought_in_the_piece_that_was_asked_for_just_before(first, unit, steps):
    rig = Rig()
    rig.send(c.Play(TUNES[0], -1))
    rig.run(1.0)
    rig.send(first, c.Seek(2.0, unit))
    rig.run(0.3)
    place = rig.engine.pulse.place
    assert place.state.deck.tune is TUNES[1]
    assert steps <= place.step < steps + 3.0


def test_endless_music_composes_on_while_commands_come_in_a_row():
    rig = Rig(FakeMixer(44100, -16, 2))
    rig.send(lambda desk: [c.Play(desk.composer.following(), endless=True)])
    for turn in range(200):
        rig.send(c.SetIntensity(turn / 200))
        rig.run(0.1)
    assert sum(event.kind == "piece" for event in rig.events) >= 3
    assert not any(event.kind == "loop" for event in rig.events)


@pytest.mark.parametrize("tempo", [0.25, 1.0])
def test_a_stinger_that_waits_for_its_bar_is_told_when_it_is_heard(tempo):
    rig = Rig()
    rig.send(c.SetTempo(tempo, 0.0), c.Play(TUNES[0], -1))
    rig.run(0.5)
    rig.send(c.PlayFigure(STINGERS["coin"], "bar"))
    rig.run(12.0)
    bars = [event.frame for event in rig.events if event.kind == "bar"]
    (told,) = [event.frame for event in rig.events if event.kind == "stinger"]
    assert told == bars[1]
    frames = [event.frame for event in rig.events]
    assert frames == sorted(frames)
