"""What a game is told and what it hears agree, whatever it says and when: random scripts, no waiting."""

import contextlib
import random
from dataclasses import replace
from functools import partial

import pytest
from fake_mixer import FakeMixer, find_sink
from music_fakes import Clock, FakeGenerator, make_piece

from pianogan_bgm import BackgroundMusic, Rule, Scene, Stream, player
from pianogan_bgm.composer import Composer
from pianogan_bgm.engine import Engine
from pianogan_bgm.music import Music
from pianogan_bgm.rules import apply

RATE = 8000
MOMENTS = ("now", "beat", "bar", "end")


def piece(number, **shape):
    return replace(make_piece(number, **shape), title=f"p{number}")


PIECES = [piece(1), piece(2, steps=60), piece(3, steps=48, tempo=150.0, beats_per_bar=3), piece(4, steps=16)]
SCENES = {
    "a": Scene(piece=PIECES[0], hold=True, tempo=1.3),
    "b": Scene(piece=PIECES[2], transpose=-5, hold=True),
    "c": Scene(piece=PIECES[1], instrument="chip_square", intensity=0.9),
    "d": Scene(mood="calm", hold=True),
    "e": Scene(piece=PIECES[1], loops=0),
    "missing": Scene(piece="no/such/file.mid", tempo=3.0),
}
RULES = {
    ("a", "*"): Rule(at="beat", fade_beats=4),
    ("*", "b"): Rule(at="end", fade_beats=2, filler="rise"),
    ("c", "a"): Rule(at="now", fade_beats=8),
}


class _Hands:
    """In the place of the thread: requests lie until the engine's tick is called."""

    def __init__(self, engine):
        self.engine = engine

    def send(self, *requests):
        self.engine.requests.extend(requests)

    def close(self):
        pass


class Player(BackgroundMusic):
    """A player whose thread, mixer and clock are turned by hand."""

    def __init__(self, clock, seed=7, scenes=SCENES, rules=RULES):
        self.clock, self.mixer = clock, FakeMixer()
        model = Composer(FakeGenerator(), seed)
        settings = {"model": model, "instrument": "chip_triangle", "scenes": scenes, "rules": rules}
        Music.__init__(self, PIECES[0], **settings)
        find = partial(find_sink, self.mixer)
        engine = Engine(self._composer, find, clock, lambda event: None, settings=self._settings())
        self._worker = _Hands(engine)
        self._engine, self._send = engine, self._worker.send

    def run(self, seconds):
        until = self.clock.now + seconds
        while self.clock.now < until - 1e-9:
            wait = self._engine.tick()
            wait = max(min(0.05 if wait is None else wait, until - self.clock.now), 0.001)
            if self.mixer.open:
                self.mixer.run(wait)
            self.clock.now += wait

    def run_to(self, seconds):
        """Go on to so many seconds before the next bar line that is heard."""
        place, rate = self._here(), self._engine.sink.rate
        bar = place.state.deck.tune.bar
        left = (-place.step % bar) * place.pace / rate - seconds
        self.run(left if left > 0.0 else left + bar * place.pace / rate)

    def plays(self):
        """The state that holds, with what is put off until something sounds."""
        engine = self._engine
        if engine.sink.playing:
            return engine.conductor.state_at(engine.sink.cursor(self.clock()))
        state = engine.conductor.latest
        for command in engine._put_off:
            state = apply(state, command, engine._frontier).state
        return state


def words(random):
    """Something a game might say."""
    name, moment = random.choice([*SCENES, "sad"]), random.choice(MOMENTS)
    hold, number = random.choice([None, True, False]), random.random()
    return random.choice(
        [
            lambda music: music.transition(name),
            lambda music: music.transition(name),
            lambda music: music.transition(name, at=moment, hold=hold),
            lambda music: music.transition(random.choice(PIECES), at=moment),
            lambda music: music.cancel_transition(),
            lambda music: music.stop(),
            lambda music: music.fadeout(random.choice([0, 100, 1500])),
            lambda music: music.play(loops=random.choice([0, -1])),
            lambda music: music.load(random.choice(PIECES)),
            lambda music: music.unload(),
            lambda music: music.queue(random.choice(PIECES)),
            lambda music: music.seek(random.choice([0, 1, 3, 100])),
            lambda music: music.stinger("coin"),
            lambda music: setattr(music, "intensity", number),
            lambda music: setattr(music, "tempo", random.choice([0.5, 1.0, 1.7])),
            lambda music: setattr(music, "transpose", random.choice([-5, 0, 3])),
            lambda music: setattr(music, "instrument", {"bass": random.choice(["chip_square", "music_box"])}),
            lambda music: getattr(music, random.choice(["pause", "unpause"]), lambda: None)(),
        ]
    )


def assert_agreed(music, state):
    """Nothing being under way, what is said to be is what is."""
    assert music.tempo == state.tempo_goal
    assert music.intensity == state.intensity
    assert music.transpose == state.transpose
    assert tuple(music.instrument.values()) == state.instruments
    if state.deck is not None and not music._asked.loaded:
        assert music.scene == state.scene


@pytest.mark.parametrize("seed", range(60))
def test_a_player_says_what_is_heard(seed, monkeypatch):
    chance, clock = random.Random(seed), Clock()
    monkeypatch.setattr(player, "perf_counter", clock)
    music = Player(clock, seed)
    music.play(loops=-1)
    for _ in range(12):
        for _ in range(chance.choice([1, 1, 2, 4])):
            words(chance)(music)
        music.run(chance.choice([0.0, 0.01, 0.05, 0.13, 0.5, 1.1, 2.3, 4.0]))
    music.unpause()
    music.run(1.0)
    for _ in range(40):
        state = music.plays()
        if state.pending is None and state.ends_at is None:
            break
        music.run(1.0)
    music.run(1.0)
    assert music._on_its_way() is None
    assert_agreed(music, music.plays())
    assert all("no/such/file" in error for error in music.stats.errors)
    assert music.stats.underruns == 0


@pytest.mark.parametrize("seed", range(60))
def test_a_stream_says_what_will_be_heard_after_every_word(seed):
    chance = random.Random(seed)
    model = Composer(FakeGenerator(), seed)
    settings = {"model": model, "instrument": "chip_triangle", "scenes": SCENES, "rules": RULES}
    stream = Stream(PIECES[0], rate=RATE, **settings)
    stream.play(loops=-1)
    for _ in range(30):
        with contextlib.suppress(FileNotFoundError):
            words(chance)(stream)
        state = stream._conductor.settled_at(stream.frame)
        assert (state.pending is None) == (stream._on_its_way() is None)
        if state.pending is None:
            assert_agreed(stream, state)
        stream.fill(chance.choice([0, 1, 800, 4000, 16000]))


TOWN = {
    "a": Scene(piece=PIECES[0], hold=True),
    "b": Scene(piece=PIECES[1], tempo=1.5, transpose=5),
    "c": Scene(piece=PIECES[2]),
}


@pytest.fixture
def town(monkeypatch):
    """Scene a plays, b waits for the next bar, which is 50 ms away: too near for another command."""
    clock = Clock()
    monkeypatch.setattr(player, "perf_counter", clock)
    music = Player(clock, scenes=TOWN, rules={})
    music.transition("a")
    music.run(3.0)
    music.run_to(0.5)
    music.transition("b")
    music.run(0.45)
    return music


def test_going_back_to_a_scene_goes_over_to_it_again_where_the_other_comes_first(town):
    town.transition("a")
    assert (town.scene, town.tempo) == ("a", 1.0)
    town.run(5.0)
    assert town.now_playing.scene == "a"
    assert_agreed(town, town.plays())


def test_what_replaces_one_that_comes_first_brings_its_own_settings(town):
    town.transition("c")
    town.run(5.0)
    assert (town.now_playing.scene, town.plays().tempo, town.plays().transpose) == ("c", 1.0, 0)
    assert [held.scene for held in town.plays().held] == ["a"]
    assert_agreed(town, town.plays())


def test_what_follows_one_that_was_cancelled_too_late_brings_its_own_settings(town):
    town.cancel_transition()
    town.transition("c")
    town.run(5.0)
    assert (town.now_playing.scene, town.plays().tempo, town.plays().transpose) == ("c", 1.0, 0)
    assert_agreed(town, town.plays())


def test_the_last_scene_said_in_a_fade_out_plays(town):
    town.run(5.0)
    town.fadeout(1500)
    for name in ("c", "b"):
        town.transition(name)
        town.run(0.2)
    town.run(5.0)
    assert town.get_busy()
    assert town.now_playing.scene == town.scene == "b"


def test_what_was_said_just_before_the_mixer_was_opened_at_another_rate_is_done(town):
    town.run(5.0)
    town.transpose = -3
    town.run(0.01)
    town.mixer.quit()
    town.mixer.init(11025, -16, 2)
    town.run(1.0)
    assert town._engine.conductor.rate == 11025
    assert_agreed(town, town.plays())
    town.stop()
    town.run(0.01)
    town.mixer.quit()
    town.mixer.init(8000, -16, 2)
    town.run(1.0)
    assert not town.get_busy()


def test_a_slider_for_the_place_is_worked_off_at_once_when_held_music_goes_on(town):
    town.run(5.0)
    town.pause()
    for number in range(100):
        town.seek(number / 50)
        town.run(0.016)
    assert len(town._engine._put_off) == 1
    town.unpause()
    town.run(0.5)
    assert town.position == pytest.approx(2.0 + 0.3 * town.tempo, abs=0.5)


def test_two_scenes_said_in_silence_leave_what_is_said_and_heard_the_same(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(player, "perf_counter", clock)
    music = Player(clock, scenes=TOWN, rules={})
    music.transition("b")
    music.transition("c")
    music.run(5.0)
    assert music.now_playing.scene == "c"
    assert_agreed(music, music.plays())


def test_a_play_that_fails_while_a_scene_waits_changes_nothing(town):
    town.run(5.0)
    town.transition("a", at="end")
    town.load("no/such/file.mid")
    town.play()
    town.run(0.5)
    assert (town.now_playing.scene, town.plays().tempo) == ("b", 1.5)
    town.run(20.0)
    assert town.now_playing.scene == town.scene == "a"
    assert_agreed(town, town.plays())
