"""From one piece to the next: transitions, held scenes, the queue, stops and what is left of them."""

from dataclasses import replace
from enum import Enum, StrEnum

import numpy as np
import pytest
from music_fakes import FakeGenerator, make_piece

from pianogan_bgm import Figure, Rule, Scene, Stream
from pianogan_bgm.composer import Composer
from pianogan_bgm.errors import InvalidNote, InvalidSetting, PlaylistError
from pianogan_bgm.harmony import estimate_key
from pianogan_bgm.midi import write_midi

RATE = 8000
STEP = 1000
BEAT = 4 * STEP
BAR = 4 * BEAT


def piece(number, **shape):
    return replace(make_piece(number, **shape), title=f"p{number}")


def made(source=None, generator=None, **settings):
    model = Composer(generator or FakeGenerator(), 7)
    return Stream(source, model=model, rate=RATE, instrument="chip_triangle", **settings)


def go(stream, frames):
    stream.fill(frames)
    return stream.events()


def told(events, *kinds):
    return [(event.kind, event.frame, event.piece) for event in events if event.kind in kinds]


def test_a_transition_in_an_unfinished_last_bar_comes_where_the_piece_ends():
    stream = made(piece(1, steps=60))
    stream.play()
    go(stream, 3 * BAR + BEAT)
    stream.transition(piece(2), filler="rise")
    events = go(stream, 2 * BAR)
    assert told(events, "transition", "end") == [("transition", 60 * STEP, "p2")]
    assert stream.now_playing.name == "p2"


@pytest.mark.parametrize("held", [Scene(piece=piece(1), hold=True), Scene(hold=True)])
def test_a_held_scene_that_was_over_begins_anew_on_its_first_bar(held):
    stream = made(scenes={"village": held, "battle": Scene(piece=piece(2))})
    stream.transition("village")
    go(stream, BAR)
    stream.transition("battle", at="end")
    go(stream, 5 * BAR)
    assert stream.scene == "battle"
    stream.transition("village", at="bar", fade_beats=0)
    events = go(stream, 6 * BAR)
    ((_, at, _),) = told(events, "transition")
    bars = [(event.frame - at, event.bar) for event in events if event.kind == "bar" and event.frame >= at]
    assert bars[:5] == [(0, 1), (BAR, 2), (2 * BAR, 3), (3 * BAR, 4), (4 * BAR, 1)]


def test_a_transition_that_replaces_another_leaves_the_scene_that_played():
    scenes = {
        "village": Scene(piece=piece(1), hold=True),
        "battle": Scene(piece=piece(2), tempo=1.3, transpose=5),
        "boss": Scene(piece=piece(3)),
    }
    rules = {("village", "boss"): Rule(at="beat", fade_beats=0), ("battle", "*"): Rule(at="end")}
    stream = made(scenes=scenes, rules=rules)
    stream.transition("village")
    go(stream, 2 * BAR + STEP)
    stream.transition("battle")
    stream.transition("boss")
    events = go(stream, BAR)
    assert told(events, "transition") == [("transition", 2 * BAR + BEAT, "p3")]
    assert (stream.tempo, stream.transpose) == (1.0, 0)
    stream.transition("village", at="now")
    stream.fill(1)
    assert stream.bar == 3


def test_a_transition_at_once_inherits_nothing_of_one_that_waited():
    stream = made(piece(1), scenes={"battle": Scene(mood="battle")})
    stream.play(loops=-1)
    go(stream, BEAT)
    stream.transition("battle")
    stream.transition(piece(2), at="now")
    stream.fill(1)
    assert (stream.tempo, stream.intensity) == (1.0, 0.5)
    assert stream.now_playing.tempo == 120.0


def test_what_a_stop_takes_back_is_not_asked_for_any_more():
    stream = made(piece(1), scenes={"battle": Scene(mood="battle")})
    stream.play(loops=-1)
    go(stream, BEAT)
    stream.transition("battle")
    stream.stop()
    assert (stream.scene, stream.tempo) == (None, 1.0)
    go(stream, BAR)
    stream.play()
    stream.fill(1)
    assert stream.now_playing.name == "p1"


def test_a_scene_whose_piece_is_over_begins_again_when_its_name_is_said():
    stream = made(scenes={"title": Scene(piece=piece(1), loops=0)})
    stream.transition("title")
    begun = 0
    for _ in range(300):
        for event in go(stream, STEP):
            begun += event.kind == "piece"
            if event.kind == "end":
                stream.transition("title")
    assert begun == 5  # of 64 steps each


def test_going_back_to_the_scene_that_plays_takes_back_the_one_that_waits():
    generator = FakeGenerator()
    stream = made(generator=generator)
    stream.transition("calm")
    go(stream, BEAT)
    drawn = len(generator.asked)
    stream.transition("battle")
    stream.transition("calm")
    assert (stream.scene, stream.tempo) == ("calm", 0.8)
    assert told(go(stream, 2 * BAR), "transition") == []
    assert len(generator.asked) == drawn + 1  # of the battle


def test_a_cancelled_transition_leaves_the_scene_playing_when_its_name_is_said():
    stream = made()
    stream.transition("calm")
    go(stream, BEAT)
    stream.transition("battle")
    stream.cancel_transition()
    stream.transition("calm")
    assert told(go(stream, 2 * BAR), "transition") == []


def test_a_transition_cancelled_at_its_very_frame_does_not_come():
    stream = made(piece(1))
    stream.play(loops=-1)
    stream.fill(BEAT)
    stream.transition(Scene(piece=piece(2), tempo=2.0))
    go(stream, BAR - BEAT)
    stream.cancel_transition()
    assert stream.tempo == 1.0
    assert told(go(stream, BAR), "transition") == []


def test_nothing_is_taken_back_once_a_transition_has_come_and_the_music_has_stopped():
    stream = made()
    stream.transition("calm")
    go(stream, BEAT)
    stream.transition("battle")
    go(stream, 2 * BAR)
    stream.stop()
    go(stream, BAR)
    assert stream.state()["scene_asked"] == "battle"
    stream.cancel_transition()
    assert (stream.scene, stream.tempo) == ("battle", 1.3)


class Names(StrEnum):
    CALM = "calm"


class OldNames(str, Enum):  # noqa: UP042  as many a game has it
    CALM = "calm"


@pytest.mark.parametrize("name", [Names.CALM, OldNames.CALM])
def test_a_name_out_of_an_enumeration_is_as_good_as_its_text(name):
    generator = FakeGenerator()
    stream = made(generator=generator)
    for _ in range(20):
        stream.transition(name)
        stream.fill(STEP)
    assert len(generator.asked) == 2  # what plays, and what will
    assert stream.scene == "calm"
    assert type(stream.scene) is str


def test_what_is_loaded_and_played_belongs_to_no_scene():
    stream = made(scenes={"village": Scene(piece=piece(1))})
    stream.transition("village")
    go(stream, BEAT)
    stream.load(piece(2))
    assert stream.scene == "village"
    stream.play(loops=-1)
    go(stream, BEAT)
    assert stream.scene is None
    assert stream.now_playing.scene is None
    stream.transition("village")
    go(stream, 2 * BAR)
    assert stream.now_playing.name == "p1"


def test_what_is_queued_comes_before_what_endless_music_has_drawn():
    stream = made()
    stream.play()
    go(stream, BEAT)
    stream.queue(piece(2))
    stream.queue(piece(3))
    assert [name for _, _, name in told(go(stream, 10 * BAR), "piece")][:2] == ["p2", "p3"]


def test_what_is_queued_after_a_stop_comes_after_what_plays_next():
    stream = made(piece(1))
    stream.play()
    go(stream, BEAT)
    stream.queue(piece(4))
    stream.stop()
    stream.load(piece(2))
    stream.queue(piece(3))
    stream.play()
    assert [name for _, _, name in told(go(stream, 9 * BAR), "piece")] == ["p2", "p3"]


def test_playing_anew_cuts_no_gain_that_is_on_its_way():
    stream = made(piece(1))
    stream.play(loops=-1)
    go(stream, BAR)
    stream.duck(0.0, ms=4000)
    go(stream, STEP)
    before = stream._conductor.state_at(stream.frame).mix.duck.value(stream.frame)
    stream.play()
    stream.fill(1)
    assert stream._conductor.state_at(stream.frame).mix.duck.value(stream.frame) == pytest.approx(
        before, abs=1e-3
    )


def test_what_is_set_before_anything_sounds_holds_from_the_first_frame():
    plain, soft = made(piece(1), volume=0.25), made(piece(1))
    soft.volume, soft.intensity = 0.25, 0.5
    for stream in (plain, soft):
        stream.transition(piece(2), at="now")
    assert np.array_equal(plain.fill(BEAT), soft.fill(BEAT))


def test_one_layers_instrument_set_while_a_scene_waits_brings_none_of_that_scenes():
    stream = made(piece(1), scenes={"battle": Scene(piece=piece(2), instrument="chip_square")})
    stream.play(loops=-1)
    go(stream, BEAT)
    stream.transition("battle")
    stream.instrument = {"stinger": "music_box"}
    stream.fill(1)
    assert stream._here().state.instruments == (*["chip_triangle"] * 3, "music_box")
    go(stream, 2 * BAR)
    assert stream._here().state.instruments == (*["chip_square"] * 3, "music_box")
    assert stream.instrument["bass"] == "chip_square"


def test_a_piece_that_is_left_plays_on_as_it_did_and_loops_on():
    stream = made(piece(1))
    stream.play(loops=-1)
    go(stream, 3 * BAR)
    there = Scene(piece=piece(2), instrument="music_box", transpose=5)
    stream.transition(there, at="now", fade_beats=16)
    go(stream, 4 * BAR)
    tones = stream._conductor._mixdown._buses
    old = {bus: [one.tone for one in found] for bus, found in tones.items() if bus[0] == 0}
    assert {instrument for _, _, instrument in old} == {"chip_triangle"}
    pitches = {note.pitch for note in make_piece(1).notes}
    assert {tone.pitch for found in old.values() for tone in found} <= pitches
    assert max(tone.start for found in old.values() for tone in found) > 6.5 * BAR


def test_a_stinger_at_the_bar_of_a_transition_is_in_the_key_of_what_begins_there():
    stream = made(piece(1))
    stream.play(loops=-1)
    go(stream, BEAT)
    other = replace(make_piece(2), notes=tuple(replace(n, pitch=n.pitch + 1) for n in make_piece(2).notes))
    stream.transition(other, fade_beats=0)
    stream.stinger(Figure((0,)), at="bar")
    go(stream, BAR)
    (bus,) = [found for bus, found in stream._conductor._mixdown._buses.items() if bus[0] == -1]
    assert [one.tone.pitch % 12 for one in bus] == [estimate_key(other.notes).tonic]
    assert estimate_key(other.notes).tonic != estimate_key(make_piece(1).notes).tonic


def test_a_held_scene_of_a_playlist_keeps_the_track_that_was_to_follow(tmp_path):
    for number in range(6):
        write_midi(make_piece(number + 1), tmp_path / f"t{number}.mid")
    scenes = {"village": Scene(hold=True), "battle": Scene(piece=piece(9))}
    stream = Stream(playlist=tmp_path, seed=3, rate=RATE, instrument="chip_triangle", scenes=scenes)
    stream.transition("village")
    events = go(stream, BEAT)
    for _ in range(4):
        for name in ("battle", "village"):
            stream.transition(name, at="now", fade_beats=0)
            events += go(stream, BEAT)
    events += go(stream, 21 * BAR)
    names = [name for _, _, name in told(events, "piece") if name != "p9"]
    assert len(set(names)) == 6


def test_other_sizes_of_blocks_draw_no_other_pieces():
    def played(size):
        stream, sound = made(), []
        for until, say in (
            (0, stream.play),
            (2 * BAR + BEAT, lambda: stream.transition(Scene(), at="bar", fade_beats=0)),
            (3 * BAR - STEP, stream.cancel_transition),
            (20 * BAR, stream.stop),
        ):
            while stream.frame < until:
                sound.append(stream.fill(min(size, until - stream.frame)))
            say()
        return np.concatenate(sound)

    assert np.array_equal(played(500), played(20 * BAR))


def test_a_stream_whose_model_fails_repeats_what_plays(monkeypatch):
    said = []
    monkeypatch.setattr("pianogan_bgm.stream.log.warning", lambda *given: said.append(given))

    class Failing(FakeGenerator):
        def compose(self, seed=None, *, latent=None):
            if self.asked:
                raise RuntimeError("no more")
            return super().compose(seed, latent=latent)

    stream = made(generator=Failing())
    stream.play()
    events = go(stream, 9 * BAR)
    assert [kind for kind, _, _ in told(events, "piece", "loop", "end")] == ["piece", "loop", "loop"]
    assert "no more" in str(said)


def test_settings_after_the_end_do_not_make_a_stream_busy_again():
    stream = made(piece(1))
    stream.play()
    go(stream, 6 * BAR)
    assert not stream.get_busy()
    stream.intensity = 0.7
    stream.unduck()
    assert not stream.get_busy()
    assert stream._conductor.silent_from() < stream.frame


def test_events_that_nobody_asks_for_are_kept_in_bounds(monkeypatch):
    monkeypatch.setattr("pianogan_bgm.stream.KEPT_EVENTS", 10)
    stream = made(piece(1))
    stream.play(loops=-1)
    stream.fill(8 * BAR)
    events = stream.events()
    assert len(events) == 10
    assert events[-1].frame > 7 * BAR


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda: Figure((0,), spacing="x"), InvalidNote),
        (lambda: Figure((0,), length=None), InvalidNote),
        (lambda: Figure(5), InvalidNote),
        (lambda: made().fill(True), InvalidSetting),
        (lambda: made().fill(1.5), InvalidSetting),
        (lambda: made(scenes=[1]), InvalidSetting),
        (lambda: made(rules=[1]), InvalidSetting),
        (lambda: Stream(model=None), InvalidSetting),
        (lambda: Stream(model=5), InvalidSetting),
        (lambda: Stream(playlist=5), PlaylistError),
        (lambda: Stream(rate=True), InvalidSetting),
        (lambda: made().duck(True), InvalidSetting),  # would be 1.0: not ducked at all
        (lambda: made(volume=False), InvalidSetting),
        (lambda: setattr(made(), "intensity", True), InvalidSetting),
        (lambda: Scene(hold="no"), InvalidSetting),
        (lambda: made().transition("calm", hold="no"), InvalidSetting),
        (lambda: made().transition("calm", loops="x"), InvalidSetting),
        (lambda: made().transition("calm", loops=-2), InvalidSetting),
    ],
)
def test_what_is_of_the_wrong_kind_is_named(wrong, error):
    with pytest.raises(error, match=r"got|expected"):
        wrong()


def test_what_would_come_at_the_very_frame_of_another_call_has_not_come():
    stream = made(piece(1))
    stream.play(loops=-1)
    go(stream, BEAT)
    stream.transition("sad")
    stream.seek(0)  # a bar line
    stream.transition(piece(2))
    assert stream.tempo == 1.0
    go(stream, 2 * BAR)
    assert stream.now_playing.tempo == 120.0


def test_a_scene_that_cannot_be_gone_over_to_leaves_one_that_waits(tmp_path):
    missing = Scene(piece=tmp_path / "no.mid", tempo=2.0)
    stream = made(piece(1), scenes={"b": Scene(piece=piece(2), tempo=1.5), "boss": missing})
    stream.play(loops=-1)
    go(stream, BEAT)
    stream.transition("b")
    with pytest.raises(FileNotFoundError):
        stream.transition("boss")
    go(stream, 2 * BAR)
    assert (stream.scene, stream.tempo, stream.now_playing.scene) == ("b", 1.5, "b")
    assert stream.state()["scene_asked"] == "b"


def test_a_piece_that_cannot_be_played_leaves_the_scene_that_plays(tmp_path):
    scenes = {"village": Scene(piece=piece(1), hold=True), "battle": Scene(piece=piece(2))}
    stream = made(scenes=scenes)
    stream.transition("village")
    go(stream, 2 * BAR)
    stream.load(tmp_path / "no.mid")
    with pytest.raises(FileNotFoundError):
        stream.play()
    assert stream.scene == "village"
    stream.transition("battle", at="now")
    go(stream, BEAT)
    stream.transition("village", at="now")
    stream.fill(1)
    assert stream.bar == 3


def test_a_file_that_is_missing_is_looked_for_once_however_often_it_is_said(tmp_path):
    stream = made(scenes={"boss": Scene(piece=tmp_path / "no.mid")})
    with pytest.raises(FileNotFoundError):
        stream.transition("boss")
    stream.transition("boss")  # nothing else was said meanwhile
    write_midi(piece(3), tmp_path / "no.mid")
    stream.stop()
    stream.transition("boss")
    stream.fill(1)
    assert stream.now_playing.scene == "boss"


def test_a_stop_long_after_the_end_forgets_held_scenes_too():
    scenes = {"village": Scene(piece=piece(1), hold=True), "once": Scene(piece=piece(2), loops=0)}
    stream = made(scenes=scenes)
    stream.transition("village")
    go(stream, 2 * BAR)
    stream.transition("once", at="now")
    go(stream, 20 * BAR)
    assert not stream.get_busy()
    stream.stop()
    stream.transition("village")
    stream.fill(1)
    assert stream.bar == 1
