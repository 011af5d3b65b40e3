import json
from dataclasses import replace
from enum import IntEnum

import numpy as np
import pytest
from music_fakes import FakeGenerator, make_piece

from pianogan_bgm import Scene, Stream
from pianogan_bgm.composer import Composer, morph
from pianogan_bgm.errors import (
    InvalidLatent,
    InvalidMidi,
    InvalidNote,
    InvalidSetting,
    ModelNotFound,
    PianoganError,
)
from pianogan_bgm.latents import latent_of
from pianogan_bgm.midi import write_midi
from pianogan_bgm.notes import Note
from pianogan_bgm.room import reverb
from pianogan_bgm.scenes import Rule
from pianogan_bgm.stingers import Figure

RATE = 8000


def endless(**settings):
    settings.setdefault("seed", 7)
    seed = settings.pop("seed")
    return Stream(model=Composer(FakeGenerator(), seed), rate=RATE, instrument="chip_triangle", **settings)


def once(piece=None, **settings):
    return Stream(piece or make_piece(1), rate=RATE, instrument="chip_triangle", **settings)


def fill(stream, seconds, block=800):
    blocks = [stream.fill(block) for _ in range(round(seconds * RATE / block))]
    return np.concatenate(blocks)


def test_a_stream_gives_float32_stereo_of_the_length_asked_for():
    stream = once()
    stream.play()
    block = stream.fill(1234)
    assert block.shape == (1234, 2)
    assert block.dtype == np.float32
    assert block.any()
    assert stream.fill(0).shape == (0, 2)


def test_a_stream_is_silent_until_played_and_after_its_end():
    stream = once()
    assert not stream.fill(RATE).any()
    assert not stream.get_busy()
    stream.play()
    assert stream.get_busy()
    fill(stream, 12)
    assert not stream.fill(RATE).any()
    assert not stream.get_busy()


def test_the_same_verbs_at_the_same_frames_give_the_same_samples_in_any_blocks():
    def run(block):
        stream = endless()
        stream.play()
        parts = [fill(stream, 2, block)]
        stream.transition("battle", at="bar", fade_beats=2)
        stream.stinger("coin")
        parts.append(fill(stream, 4, block))
        stream.intensity = 0.2
        stream.tempo = 1.5
        parts.append(fill(stream, 12, block))
        return np.concatenate(parts)

    np.testing.assert_array_equal(run(800), run(160))


def test_endless_music_composes_one_piece_after_another_without_repeats():
    generator = FakeGenerator(steps=16)
    stream = Stream(model=Composer(generator, 5), rate=RATE, instrument="chip_triangle")
    stream.play()
    fill(stream, 25)
    assert generator.asked[0] == 5
    assert len(generator.asked) > 10
    assert len(set(generator.asked)) == len(generator.asked)
    pieces = [event for event in stream.events() if event.kind == "piece"]
    assert [event.frame for event in pieces] == [n * 2 * RATE for n in range(len(pieces))]


def test_a_seed_makes_the_endless_order_repeatable():
    first, again, other = endless(seed=3), endless(seed=3), endless(seed=4)
    for stream in (first, again, other):
        stream.play()
    a, b, o = (fill(stream, 12) for stream in (first, again, other))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, o)


def test_events_come_with_the_frames_they_are_heard_at():
    stream = once()
    stream.play(loops=-1)
    fill(stream, 3)
    events = stream.events()
    beats = [event for event in events if event.kind == "beat"]
    assert [event.frame for event in beats] == [n * RATE // 2 for n in range(6)]
    assert [(event.bar, event.beat) for event in beats] == [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1), (2, 2)]
    assert stream.events() == []


def test_position_bar_beat_and_phase_follow_the_music():
    stream = once()
    assert (stream.position, stream.bar, stream.beat, stream.beat_phase) == (0.0, 0, 0, 0.0)
    stream.play()
    stream.fill(RATE * 2 + RATE // 8)
    assert stream.position == pytest.approx(2.125)
    assert (stream.bar, stream.beat) == (2, 1)
    assert stream.beat_phase == pytest.approx(0.25)


@pytest.mark.parametrize("where", [{"seconds": 3.0}, {"beats": 6.0}, {"bars": 1.5}])
def test_seek_takes_seconds_beats_or_bars(where):
    stream = once()
    stream.play(loops=-1)
    stream.fill(100)
    stream.seek(**where)
    assert stream.position == pytest.approx(3.0)
    assert (stream.bar, stream.beat) == (2, 3)


def test_play_starts_where_it_is_told():
    stream = once()
    stream.play(start=2.5)
    stream.fill(8)
    assert stream.position == pytest.approx(2.501)


def test_scenes_and_rules_are_declared_once():
    scenes = {
        "field": Scene(piece=make_piece(1), tempo=0.9, hold=True),
        "battle": Scene(piece=make_piece(2), tempo=1.4, intensity=0.9, instrument="chip_square"),
    }
    rules = {("field", "battle"): Rule(at="beat", fade_beats=0.0), ("battle", "*"): Rule(at="bar")}
    stream = Stream(rate=RATE, instrument="chip_triangle", scenes=scenes, rules=rules, piece=make_piece(3))
    stream.transition("field")
    stream.fill(RATE * 2)
    stream.transition("battle")
    stream.fill(RATE * 2)
    assert stream.scene == "battle"
    assert stream.now_playing.scene == "battle"
    assert (stream.tempo, stream.intensity) == (1.4, 0.9)
    assert stream.instrument["melody"] == "chip_square"
    switches = [event for event in stream.events() if event.kind == "transition"]
    # the first beat of the field, at 0.9 of the tempo, that begins at or after the request
    beat = RATE * 60 / (120 * 0.9)
    assert switches[1].frame == next(round(n * beat) for n in range(9) if round(n * beat) >= RATE * 2)


def test_a_scene_come_back_to_draws_no_other_piece_and_fades_by_its_own_tempo():
    class Slower(FakeGenerator):
        """Each piece slower than the one before."""

        def compose(self, seed=None, *, latent=None):
            piece = super().compose(seed, latent=latent)
            return replace(piece, tempo=160.0 / len(self.asked))

    scenes = {"field": Scene(hold=True), "battle": Scene(piece=make_piece(2))}
    generator = Slower()
    stream = Stream(model=Composer(generator, 7), rate=RATE, instrument="chip_triangle", scenes=scenes)
    stream.transition("field", at="now", fade_beats=0)
    stream.fill(RATE)
    stream.transition("battle", at="now", fade_beats=0)
    stream.fill(RATE)
    known = len(generator.asked)
    stream.transition("field", at="now", fade_beats=4)
    stream.fill(1)
    fade = stream._state().mix.faders[-1].ramp
    assert stream.now_playing.tempo == 160.0
    assert fade.end - fade.start == 4 * RATE * 60 / 160
    assert len(generator.asked) == known


def test_now_playing_names_the_piece_for_the_credits():
    stream = endless(seed=7)
    assert stream.now_playing is None
    stream.play()
    stream.fill(100)
    now = stream.now_playing
    assert (now.name, now.seed, now.model, now.licence) == ("fake-7", 7, "fake", "CC0")
    assert now.tempo == 120.0


def test_a_stinger_at_a_bar_keeps_to_the_bars_of_the_piece_that_comes_before_it():
    stream = Stream(make_piece(1), rate=8000, instrument="chip_triangle")
    stream.play(loops=-1)
    stream.fill(2400)
    stream.transition(make_piece(2), at="beat", fade_beats=0)
    stream.stinger("coin", at="bar")
    stream.fill(32000)
    came = {event.kind: event.frame for event in reversed(stream.events())}
    assert came["stinger"] == came["transition"] == 4000


def test_a_stinger_is_a_name_a_figure_or_a_list_of_degrees():
    for stinger in ("jump", [0, 2, 4]):
        plain, with_it = once(), once()
        for stream in (plain, with_it):
            stream.play(loops=-1)
        with_it.stinger(stinger)
        assert not np.array_equal(fill(with_it, 1), fill(plain, 1))


@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        ("intensity", 1.1),
        ("intensity", float("nan")),
        ("tempo", 0.0),
        ("tempo", "fast"),
        ("transpose", 1.5),
        ("volume", -0.1),
        ("instrument", "kazoo"),
        ("instrument", {"treble": "piano"}),
    ],
)
def test_a_wrong_setting_is_refused_and_changes_nothing(what, wrong):
    stream = once()
    before = getattr(stream, what)
    with pytest.raises(InvalidSetting):
        setattr(stream, what, wrong)
    assert getattr(stream, what) == before


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.transition("no such scene"),
        lambda s: s.transition("calm", at="soon"),
        lambda s: s.transition("calm", fade_beats=-1),
        lambda s: s.duck(0.4, ms=-1),
        lambda s: s.stinger("no such stinger"),
        lambda s: s.play(loops=-2),
        lambda s: s.seek(),
        lambda s: s.seek(1.0, bars=2),
        lambda s: s.queue(-1),
        lambda s: s.load(None),
        lambda s: s.fill(-1),
    ],
)
def test_a_wrong_call_raises_where_it_was_made_and_changes_nothing(call):
    stream, plain = once(), once()
    for one in (stream, plain):
        one.play(loops=-1)
    with pytest.raises(PianoganError):
        call(stream)
    np.testing.assert_array_equal(fill(stream, 1), fill(plain, 1))


@pytest.mark.parametrize(
    "wrong", [{"tempo": 9.0}, {"mood": "hungry"}, {"instrument": "kazoo"}, {"loops": -2}, {"piece": -1}]
)
def test_a_scene_is_checked_where_it_is_declared(wrong):
    with pytest.raises(PianoganError):
        Scene(**wrong)


def test_a_rule_is_checked_where_it_is_declared():
    with pytest.raises(InvalidSetting, match="at must be one of"):
        Rule(at="soon")
    with pytest.raises(InvalidSetting, match="fade_beats must be 0 to 64"):
        Rule(fade_beats=65)


def test_a_missing_model_is_named_before_anything_plays():
    with pytest.raises(ModelNotFound, match="no-such-model"):
        Stream(model="no-such-model")
    with pytest.raises(ModelNotFound):
        Stream(5, model="no-such-model")
    assert Stream(make_piece(1), model="no-such-model").fill(10).shape == (10, 2)


def test_a_saved_state_goes_on_at_the_very_frame():
    stream = endless()
    stream.play()
    fill(stream, 3)
    stream.transition(make_piece(9), at="now", fade_beats=0)
    stream.tempo = 1.25
    fill(stream, 5)
    stream.fill(123)
    saved = json.loads(json.dumps(stream.state()))
    restored = Stream.restore(saved, model=Composer(FakeGenerator(), 7), rate=RATE)
    restored.play()
    assert restored.position == pytest.approx(stream.position)
    assert restored.tempo == 1.25
    # echoes of what came before apart, and what rings from before the pre-roll, the very same samples
    begun = reverb(RATE).tail
    np.testing.assert_allclose(fill(restored, 2)[begun:], fill(stream, 2)[begun:], atol=2e-3)


def test_a_transition_to_a_file_that_cannot_be_read_changes_nothing(tmp_path):
    (tmp_path / "boss.mid").write_bytes(b"no music")
    boss = Scene(piece=tmp_path / "boss.mid", tempo=2.0, intensity=1.0, transpose=3)
    stream = endless(scenes={"field": Scene(mood="calm", tempo=0.8), "boss": boss})
    stream.transition("field")
    fill(stream, 1)
    with pytest.raises(InvalidMidi):
        stream.transition("boss")
    assert (stream.scene, stream.tempo, stream.transpose) == ("field", 0.8, 0)
    stream.intensity = 1.0  # is what the scene would have set, and news all the same
    fill(stream, 1)
    assert stream._state().intensity == 1.0
    stream.transition("boss")  # a game may say so every frame, and the file is as it was
    stream.transition("calm", at="end")
    with pytest.raises(InvalidMidi):
        stream.transition(boss)
    stream.cancel_transition()
    assert stream.scene == "field"


def test_a_transition_that_waits_is_not_saved():
    scenes = {"boss": Scene(piece=make_piece(9), tempo=2.0, intensity=1.0)}
    stream = endless(mood="calm", scenes=scenes)
    stream.play()
    fill(stream, 1)
    tempo = stream.tempo
    stream.transition("boss", at="end")
    fill(stream, 1)
    restored = Stream.restore(stream.state(), model=Composer(FakeGenerator(), 7), rate=RATE, scenes=scenes)
    restored.play()
    fill(restored, 1)
    assert (restored.scene, restored.tempo) == ("calm", tempo)
    assert restored.now_playing.tempo == pytest.approx(stream.now_playing.tempo)


@pytest.mark.parametrize("rules", [{("*", "b"): "bar"}, {"b": Rule()}, {("a", "b", "c"): Rule()}])
def test_rules_are_checked_where_they_are_declared(rules):
    with pytest.raises(InvalidSetting, match="rules must be Rule objects by pairs of names"):
        once(rules=rules)


@pytest.mark.parametrize("filler", [5, [0, "x"], []])
def test_a_rule_leads_over_with_a_figure_or_not_at_all(filler):
    with pytest.raises(InvalidNote):
        Rule(filler=filler)
    assert Rule(filler=[0, 2, 4]).filler == Figure((0, 2, 4))


def test_a_stinger_of_ones_own_may_be_a_list_of_degrees():
    stream = once(rules={("*", "calm"): Rule(filler="secret")})
    stream.stingers["secret"] = [0, 2, 4]
    stream.stinger("secret")
    fill(stream, 1)
    assert [event.kind for event in stream.events()] == ["stinger"]
    stream.stingers["secret"] = 5
    with pytest.raises(InvalidNote, match="list of scale degrees"):
        stream.stinger("secret")


def test_no_gain_jumps():
    stream = once()
    stream.play(loops=-1)
    fill(stream, 1)
    before = stream._state().mix.duck
    stream.duck(0.2, ms=0)
    fill(stream, 1)
    ramp = stream._state().mix.duck
    assert before.high == 1.0
    assert ramp.end - ramp.start == RATE // 100
    stream.fadeout(0)
    stream.fill(1)
    ramp = stream._conductor.state_at(stream.frame).mix.fade
    assert ramp.end - ramp.start == RATE // 100


def test_a_saved_endless_state_names_its_pieces_by_seed_alone():
    stream = endless(seed=7, mood="calm")
    stream.play()
    fill(stream, 2)
    saved = stream.state()
    assert saved["piece"] == {"seed": 7, "model": "fake"}
    assert len(json.dumps(saved)) < 1500
    restored = Stream.restore(saved, model=Composer(FakeGenerator(), 1), rate=RATE)
    restored.play()
    restored.fill(10)
    assert restored.now_playing.seed == 7
    assert restored.scene == "calm"


def test_a_morph_walks_from_one_latent_to_another():
    a, b = latent_of(1), latent_of(2)
    np.testing.assert_array_equal(np.float32(morph(a, b, 0.0)), a)
    np.testing.assert_array_equal(np.float32(morph(a, b, 1.0)), b)
    middle = np.linalg.norm(morph(a, b, 0.5))
    assert min(np.linalg.norm(a), np.linalg.norm(b)) * 0.9 < middle
    with pytest.raises(InvalidLatent):
        morph([0.0], b, 0.5)
    assert json.loads(json.dumps(morph(a, b, 0.5))) == list(morph(a, b, 0.5))


@pytest.mark.parametrize("t", [-0.1, 1.5, float("nan"), float("inf"), "x", None])
def test_a_morph_goes_no_further_than_its_ends(t):
    with pytest.raises(InvalidSetting, match="t must be 0 to 1"):
        morph(latent_of(1), latent_of(2), t)


def test_saying_every_frame_which_scene_it_is_changes_nothing():
    plain, noisy = endless(mood="calm"), endless(mood="calm")
    for stream in (plain, noisy):
        stream.play()
    blocks = []
    for _ in range(30):
        noisy.transition("calm")
        blocks.append(noisy.fill(800))
    np.testing.assert_array_equal(np.concatenate(blocks), fill(plain, 3))


def test_a_setting_made_while_a_transition_waits_goes_before_it():
    stream = once()
    stream.play(loops=-1)
    stream.fill(100)
    stream.scenes["fight"] = Scene(piece=make_piece(2), intensity=0.9, tempo=1.5)
    stream.transition("fight", at="bar")
    stream.intensity = 0.2
    fill(stream, 3)
    assert stream._here().state.intensity == 0.2
    assert stream._here().state.tempo == 1.5


def test_settings_hold_before_play():
    stream = once(volume=0.0)
    stream.stinger("coin")
    assert not fill(stream, 1).any()
    stream = Stream(rate=RATE, model=Composer(FakeGenerator(), 7), instrument="chip_square", transpose=3)
    stream.transition("calm")
    stream.fill(10)
    state = stream._here().state
    assert state.instruments == ("chip_square",) * 4


def test_a_scene_can_be_gone_to_again_after_the_music_was_stopped():
    stream = endless()
    for end in (stream.stop, lambda: stream.fadeout(1000)):
        stream.transition("calm")
        fill(stream, 1)
        end()
        fill(stream, 0.5)
        stream.transition("calm")
        fill(stream, 2)
        assert stream.get_busy()
        assert stream.now_playing.scene == "calm"


def test_a_transition_that_was_cancelled_takes_its_settings_back_and_can_be_asked_for_again():
    stream = endless(mood="calm")
    stream.play()
    fill(stream, 1)
    calm = stream.tempo, stream.intensity, stream.transpose
    stream.transition("battle", at="end")
    stream.transition("sad", at="end")
    stream.intensity = 0.11
    stream.cancel_transition()
    assert (stream.tempo, stream.intensity, stream.transpose) == (calm[0], 0.11, calm[2])
    assert stream.scene == "calm"
    fill(stream, 1)
    assert stream._here().state.tempo == pytest.approx(calm[0])
    stream.transition("battle", at="end")
    assert stream._conductor.state_at(stream.frame).pending is not None


def test_cancelling_what_has_come_already_changes_nothing():
    stream = endless(mood="calm")
    stream.play()
    fill(stream, 1)
    stream.transition("battle", at="now")
    fill(stream, 1)
    battle = stream.tempo, stream.intensity
    stream.cancel_transition()
    assert (stream.tempo, stream.intensity, stream.scene) == (*battle, "battle")
    stream.transition("battle")
    assert stream._conductor.state_at(stream.frame).pending is None


def test_play_plays_the_piece_of_the_scene_gone_to():
    stream = endless(scenes={"title": Scene(mood="grand", piece=7)})
    stream.transition("title")
    stream.play()
    stream.fill(10)
    assert stream.now_playing.seed == 7


def test_a_state_saved_before_a_restored_one_was_played_holds_the_place_still():
    stream = endless()
    stream.play()
    fill(stream, 3)
    saved = json.loads(json.dumps(stream.state()))
    again = Stream.restore(saved, model=Composer(FakeGenerator(), 7), rate=RATE)
    again.volume = 0.5
    twice = again.state()
    assert twice["piece"] == saved["piece"]
    assert twice["step"] == saved["step"]
    assert twice["settings"]["volume"] == 0.5


def test_a_pending_transition_that_no_save_holds_can_be_asked_for_again():
    stream = endless(mood="calm")
    stream.play()
    fill(stream, 1)
    stream.transition("battle", at="end")
    again = Stream.restore(stream.state(), model=Composer(FakeGenerator(), 7), rate=RATE)
    again.play()
    again.fill(10)
    again.transition("battle", at="now")
    again.fill(10)
    assert again.now_playing.scene == "battle"


def test_a_piece_that_was_changed_is_saved_by_its_notes():
    changed = replace(FakeGenerator().compose(7), tempo=60.0)
    stream = Stream(changed, rate=RATE, model=Composer(FakeGenerator(), 7), instrument="chip_triangle")
    stream.play(loops=-1)
    fill(stream, 1)
    again = Stream.restore(stream.state(), model=Composer(FakeGenerator(), 7), rate=RATE)
    again.play()
    again.fill(10)
    assert again.now_playing.piece == changed


def test_a_saved_file_keeps_its_name(tmp_path):
    write_midi(make_piece(1), tmp_path / "harbour.mid")
    stream = once(tmp_path / "harbour.mid")
    stream.play(loops=-1)
    fill(stream, 1)
    assert stream.now_playing.name == "harbour"
    saved = json.loads(json.dumps(stream.state()))
    (tmp_path / "harbour.mid").unlink()
    again = Stream.restore(saved, rate=RATE)
    again.play()
    again.fill(10)
    assert again.now_playing.name == "harbour"
    assert again.now_playing.piece == stream.now_playing.piece


def test_a_save_opens_no_soundfont(tmp_path):
    stream = once()
    saved = stream.state()
    saved["settings"]["instrument"]["melody"] = str(tmp_path / "evil.sf2")
    with pytest.raises(InvalidSetting, match="a save opens no file"):
        Stream.restore(saved, rate=RATE)
    assert Stream.restore(saved, rate=RATE, instrument="piano").instrument["melody"] == "piano"


@pytest.mark.parametrize("seed", [2**64, -1, True, 1.5, "x", np.float32(7)])
def test_a_seed_that_is_none_is_refused_at_once(seed):
    with pytest.raises(InvalidLatent, match="a seed must be"):
        Stream(seed=seed, rate=RATE)


def test_a_seed_may_be_numpys():
    first, same = (Stream(seed=seed, rate=RATE, model=FakeGenerator()) for seed in (7, np.int64(7)))
    for stream in (first, same):
        stream.play()
        stream.fill(10)
    assert first.now_playing.seed == same.now_playing.seed == 7


def test_a_figure_of_a_list_is_that_of_its_tuple_and_stays_what_it_was():
    degrees = [0, 2, 4]
    figure = Figure(degrees)
    degrees.append("x")
    assert figure == Figure((0, 2, 4))
    assert Rule(filler=figure) in {Rule(filler=[0, 2, 4])}


@pytest.mark.parametrize("stinger", [[0.5], ["a"], [[0, 4, 7], 7], [True], [(0, 1e9)], [10**9], 5])
def test_a_stinger_of_other_things_than_degrees_is_refused_at_once(stinger):
    with pytest.raises(InvalidNote, match="scale degree"):
        once().stinger(stinger)


def test_scenes_that_are_none_and_moods_nobody_knows_are_refused_at_once():
    with pytest.raises(InvalidSetting, match="scenes must be Scene objects by name; got 'calm' for 'a'"):
        once(scenes={"a": "calm"})
    for mood in ("nope", ["calm"]):
        with pytest.raises(InvalidSetting, match="no mood is called"):
            once(mood=mood)
    stream = once()
    stream.scenes["b"] = "calm"
    with pytest.raises(InvalidSetting, match="scenes must be Scene objects by name; got 'calm' for 'b'"):
        stream.transition("b")


def test_a_rule_that_is_none_is_refused_where_it_would_be_followed():
    stream = once()
    stream.rules["*", "*"] = "bar"
    with pytest.raises(InvalidSetting, match="rules must be Rule objects by pairs of names; got 'bar'"):
        stream.transition("calm")


class Place(IntEnum):
    TOWN = 7


def test_scenes_are_called_by_names_and_not_by_numbers_which_would_be_seeds():
    with pytest.raises(InvalidSetting, match=r"name of a scene must be a str; got <Place\.TOWN: 7>"):
        once(scenes={Place.TOWN: Scene(mood="calm")})
    for pair in ((Place.TOWN, "battle"), ("*", 7), ("town", None)):
        with pytest.raises(InvalidSetting, match="rules must be Rule objects by pairs of names"):
            once(rules={pair: Rule()})


def test_what_plays_is_told_anew_when_anything_of_it_changes_and_only_then():
    stream = once(tempo=1.0)
    stream.play(loops=-1)
    fill(stream, 0.5)
    first = stream.now_playing
    fill(stream, 0.5)
    assert stream.now_playing is first
    stream.transpose = 2
    fill(stream, 0.5)
    raised = stream.now_playing
    assert raised.key != first.key
    assert raised.tempo == first.tempo
    stream.tempo = 2.0
    fill(stream, 1.5)
    assert stream.now_playing.tempo == 2.0 * first.tempo
    assert stream.now_playing.key == raised.key


def test_a_mood_given_as_the_piece_is_told_from_a_file_that_is_missing():
    with pytest.raises(InvalidSetting, match="'calm' is a mood and no file; say mood='calm'"):
        Stream("calm")
    with pytest.raises(InvalidSetting, match="is a mood"):
        Scene(piece="battle")


@pytest.mark.parametrize("wrong", [None, 7.0, Scene(mood="calm"), Note(0, 60, 1), object()])
def test_what_is_no_piece_is_told_what_one_is(wrong):
    with pytest.raises(InvalidNote, match=r"a piece, a seed \(a whole number\), a latent or .*; got"):
        once().load(wrong)


def test_an_event_of_a_stinger_is_there_when_its_bar_comes_and_not_where_it_was_asked_for():
    stream = once(tempo=0.5)
    stream.play(loops=-1)
    fill(stream, 0.5)
    stream.stinger("coin", at="bar")
    fill(stream, 8)
    events = stream.events()
    (told,) = [event.frame for event in events if event.kind == "stinger"]
    assert told == [event.frame for event in events if event.kind == "bar"][1]
    assert [event.frame for event in events] == sorted(event.frame for event in events)


def test_a_stream_that_was_made_and_not_played_is_not_busy():
    assert not once().get_busy()


def test_cancelling_nothing_leaves_the_scene_as_it_is():
    stream = endless(mood="calm")
    stream.play()
    fill(stream, 1)
    stream.cancel_transition()
    stream.transition("calm")
    assert stream._conductor.state_at(stream.frame).pending is None


def test_an_unnamed_transition_that_is_cancelled_takes_its_settings_back():
    stream = endless()
    stream.play()
    fill(stream, 1)
    stream.transition(Scene(tempo=1.5, piece=9), at="end")
    stream.cancel_transition()
    assert stream.tempo == 1.0
    stream.stop()
    fill(stream, 1)
    stream.play()
    stream.fill(10)
    assert stream.now_playing.seed != 9


def test_what_is_set_while_a_transition_waits_is_set_even_where_it_would_bring_the_same():
    stream = endless(mood="calm")
    stream.play()
    fill(stream, 1)
    stream.transition("battle", at="end")
    stream.intensity = 0.85
    stream.cancel_transition()
    assert stream.intensity == 0.85
    stream.fill(10)
    assert stream._here().state.intensity == 0.85
