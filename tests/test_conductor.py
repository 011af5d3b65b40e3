from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from music_fakes import RATE, make_piece, pluck_band

from pianogan_bgm import commands as c
from pianogan_bgm.conductor import Conductor
from pianogan_bgm.instruments import load
from pianogan_bgm.notes import Note, on_grid
from pianogan_bgm.piece import Piece
from pianogan_bgm.room import reverb
from pianogan_bgm.state import Deck, State
from pianogan_bgm.stingers import STINGERS, Figure
from pianogan_bgm.tune import prepare
from pianogan_bgm.voicing import strike

TUNES = [prepare(make_piece(1)), prepare(make_piece(2, tempo=90.0)), prepare(make_piece(3, beats_per_bar=3))]
LONG = RATE * 20


def conductor(*commands):
    """One that is told (frame, command) pairs."""
    made = Conductor(RATE, pluck_band)
    for frame, command in commands:
        made.send(command, frame)
    return made


def heard(conducted, kind, last=LONG):
    conducted.advance(last)
    return [event for event in conducted.events(0, last) if event.kind == kind]


@st.composite
def scripts(draw):
    """Any commands at any frames of the first seconds."""
    tune = st.sampled_from(TUNES)
    unit = st.floats(0, 1)
    command = st.one_of(
        st.builds(c.Play, tune, st.integers(-1, 2), st.floats(0, 40), st.sampled_from([0.0, 0.3])),
        st.builds(
            c.Transition,
            tune,
            st.sampled_from(["now", "beat", "bar", "end"]),
            st.sampled_from([0.0, 1.0, 2.5]),
            st.integers(-1, 1),
            filler=st.sampled_from([None, STINGERS["rise"]]),
            hold=st.booleans(),
            scene=st.sampled_from([None, "a", "b"]),
        ),
        st.builds(c.Queue, tune, related=st.booleans()),
        st.builds(c.SetIntensity, unit),
        st.builds(c.SetTempo, st.floats(0.5, 2)),
        st.builds(c.SetLevel, st.sampled_from(["volume", "duck"]), unit),
        st.builds(c.SetTranspose, st.integers(-5, 5)),
        st.builds(c.PlayFigure, st.sampled_from(list(STINGERS.values())), st.sampled_from(["now", "bar"])),
        st.builds(c.Seek, st.floats(0, 70)),
        st.builds(c.Stop, st.floats(0, 1)),
        st.just(c.CancelTransition()),
    )
    rest = draw(st.lists(st.tuples(st.integers(0, RATE * 4), command), max_size=8))
    return [(0, c.Play(TUNES[0], -1)), *sorted(rest, key=lambda pair: pair[0])]


@settings(max_examples=20, deadline=None)
@given(scripts(), st.lists(st.integers(1, 9000), min_size=1, max_size=5))
def test_blocks_of_any_size_give_the_samples_of_one_whole_render(script, sizes):
    whole = conductor(*script).render(0, RATE * 5)
    pulled, at, blocks = conductor(*script), 0, []
    while at < RATE * 5:
        size = min(sizes[len(blocks) % len(sizes)], RATE * 5 - at)
        blocks.append(pulled.render(at, size))
        at += size
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


@settings(max_examples=20, deadline=None)
@given(scripts())
def test_commands_that_arrive_after_their_frame_was_rendered_give_what_known_ones_give(script):
    whole = conductor(*script).render(0, RATE * 5)
    late, out = Conductor(RATE, pluck_band), np.zeros((RATE * 5, 2), np.float32)
    out[:] = late.render(0, RATE * 5)
    for frame, command in script:
        late.send(command, frame)
        out[frame:] = late.render(frame, RATE * 5 - frame)
        late.forget(max(0, frame - 1))
    np.testing.assert_array_equal(out, whole)


@settings(max_examples=10, deadline=None)
@given(scripts(), st.integers(0, RATE * 4))
def test_a_retracted_command_leaves_no_trace(script, frame):
    plain = conductor(*script)
    changed = conductor(*script)
    turn = changed.send(c.Transition(TUNES[1], "now", 1.0), frame)
    changed.render(0, RATE * 5)
    changed.retract(turn)
    np.testing.assert_array_equal(changed.render(0, RATE * 5), plain.render(0, RATE * 5))
    assert heard(changed, "beat") == heard(plain, "beat")


@settings(max_examples=10, deadline=None)
@given(scripts())
def test_nothing_clips_and_nothing_is_not_a_number(script):
    block = conductor(*script).render(0, RATE * 5)
    assert np.isfinite(block).all()
    assert np.abs(block).max() <= 1.0


def test_softer_notes_of_a_chord_come_late_but_never_in_a_loop():
    tune = prepare(Piece((Note(0, 48, 4, 61), Note(0, 72, 4, 81)), steps=16))
    for deck, late in ((Deck(0, tune), 0.012), (Deck(0, tune, loops=-1), 0.0), (Deck(0, tune, lap=1), 0.0)):
        low, high = (tone for _, tone in strike(State(RATE, pace=1000.0), deck, 500))
        assert (low.start, high.start) == (500 + round(late * RATE), 500)
        assert low.start + low.frames == high.start + high.frames


def test_a_pitch_beyond_the_roll_sounds_as_it_is_and_is_folded_only_where_it_is_moved():
    tune = prepare(Piece((Note(0, 20, 4), Note(0, 127, 4)), steps=16))
    for shift, pitches in ((0, [20, 127]), (1, [21, 116]), (-1, [31, 126])):
        state = State(RATE, pace=1000.0, transpose=shift)
        assert sorted(tone.pitch for _, tone in strike(state, Deck(0, tune), 0)) == pitches


def test_what_is_folded_onto_a_struck_key_of_its_layer_strikes_it_once_the_longer_and_the_louder():
    tune = prepare(Piece((Note(0, 33, 8, 61), Note(0, 45, 2, 81), Note(0, 72, 4)), steps=16))
    tune = replace(tune, by_step=(tuple(replace(n, layer=0) for n in tune.by_step[0]), *tune.by_step[1:]))
    low, high, top = (tone for _, tone in strike(State(RATE, pace=1000.0), Deck(0, tune, loops=-1), 0))
    once, above = (t for _, t in strike(State(RATE, pace=1000.0, transpose=-24), Deck(0, tune, loops=-1), 0))
    assert (once.pitch, above.pitch) == (21, top.pitch - 24)
    assert (once.frames, once.velocity) == (low.frames, high.velocity)


def test_music_begun_in_its_middle_rises_from_silence_and_from_its_beginning_it_is_not_softened():
    tune = prepare(make_piece(1))
    whole, middle = (conductor((0, c.Play(tune, step=step))).render(0, RATE) for step in (0.0, 20.0))
    assert np.abs(middle[0]).max() < 0.02 * np.abs(middle).max()
    faded = conductor((0, c.Play(tune, fade=0.01))).render(0, RATE)
    assert not np.array_equal(faded, whole)


def test_every_lap_of_a_loop_is_the_same_to_the_sample():
    looped = conductor((0, c.Play(prepare(make_piece(1, tempo=117.3)), -1)))
    laps = [event.frame for event in heard(looped, "loop", RATE * 60)]
    length = laps[1] - laps[0]
    assert len(laps) > 4
    assert set(np.diff(laps).tolist()) == {length}
    first, third = looped.render(laps[0], length), looped.render(laps[2], length)
    np.testing.assert_array_equal(first, third)


def test_the_ringing_tail_is_carried_over_the_join():
    tune = prepare(make_piece(1))
    looped = conductor((0, c.Play(tune, -1)))
    join = heard(looped, "loop")[0].frame
    fresh = conductor((0, c.Play(tune, -1, step=float(tune.loop[0]))))
    after = looped.render(join, RATE // 10) - fresh.render(0, RATE // 10)
    assert np.abs(after).max() > 0.001


def test_a_loop_goes_from_bar_line_to_bar_line():
    for tune in TUNES:
        first, last = tune.loop
        assert first % tune.bar == last % tune.bar == 0
        assert 0 <= first < last <= tune.steps


def test_loops_count_the_repeats():
    played = conductor((0, c.Play(TUNES[0], 2)))
    assert len(heard(played, "loop", RATE * 60)) == 2
    assert len(heard(played, "end", RATE * 60)) == 1


def test_beats_never_drift_from_the_tempo():
    steady = conductor((0, c.Play(prepare(make_piece(1, steps=1600, tempo=133.7)))))
    beats = heard(steady, "beat", RATE * 170)
    exact = [round(n * RATE * 60 / 133.7) for n in range(len(beats))]
    assert len(beats) == 379
    assert [event.frame for event in beats] == exact


@pytest.mark.parametrize(("at", "unit"), [("beat", 4), ("bar", 16)])
def test_a_transition_lands_on_its_line_to_the_sample(at, unit):
    asked = RATE + 123
    music = conductor((0, c.Play(TUNES[0], -1)), (asked, c.Transition(TUNES[1], at, 0.0, -1)))
    step = RATE * 60 / 120 / 4
    line = next(round(n * unit * step) for n in range(99) if n * unit * step >= asked)
    assert [event.frame for event in heard(music, "transition")] == [line]
    alone = conductor((line, c.Play(TUNES[1], -1)))
    # 0.35 s later the old piece has rung out
    place = line + RATE
    np.testing.assert_array_equal(music.render(place, RATE), alone.render(place, RATE))


def test_a_transition_now_happens_at_its_frame():
    music = conductor((0, c.Play(TUNES[0], -1)), (777, c.Transition(TUNES[1], "now", 1.0)))
    assert [event.frame for event in heard(music, "transition")] == [777]


def test_a_crossfade_is_as_long_as_its_beats():
    line = RATE * 2
    music = conductor((0, c.Play(TUNES[0], -1)), (RATE, c.Transition(TUNES[1], "bar", 3.0, -1)))
    alone = conductor((line, c.Play(TUNES[1], -1)))
    fade = round(3 * RATE * 60 / 90)
    before = slice(0, fade - 50)
    both, new = music.render(line, fade + RATE), alone.render(line, fade + RATE)
    assert not np.array_equal(both[before], new[before])
    gone = fade + reverb(RATE).tail  # the old piece echoes a little longer
    np.testing.assert_array_equal(both[gone:], new[gone:])


def test_the_powers_of_both_sides_of_a_crossfade_add_up_to_that_of_one():
    music = conductor((0, c.Play(TUNES[0], -1)), (2 * RATE, c.Transition(TUNES[1], "now", 4.0)))
    mix = music.state_at(2 * RATE).mix
    old, new = (fader.ramp.curve(2 * RATE, RATE) for fader in mix.faders[-2:])
    assert old[0] == 1.0
    assert new[0] == 0.0
    assert np.all(np.diff(old) < 0)
    assert np.allclose(old**2 + new**2, 1.0)
    assert mix.faders[-1].ramp.value(2 * RATE + 1000) == pytest.approx(new[1000])


def test_a_pending_transition_can_be_cancelled_and_replaced():
    plain = conductor((0, c.Play(TUNES[0], -1)))
    cancelled = conductor(
        (0, c.Play(TUNES[0], -1)), (9000, c.Transition(TUNES[1], "bar")), (9100, c.CancelTransition())
    )
    np.testing.assert_array_equal(cancelled.render(0, LONG), plain.render(0, LONG))
    replaced = conductor(
        (0, c.Play(TUNES[0], -1)),
        (9000, c.Transition(TUNES[1], "bar", scene="b")),
        (9100, c.Transition(TUNES[2], "bar", scene="c")),
    )
    assert [event.scene for event in heard(replaced, "transition")] == ["c"]


def test_a_held_scene_goes_on_where_it_was_left():
    music = conductor(
        (0, c.Play(TUNES[0], -1, scene="field")),
        (RATE * 3, c.Transition(TUNES[1], "bar", 0.0, -1, "battle", hold=True, leaving="field")),
        (RATE * 8, c.Transition(TUNES[0], "bar", 0.0, -1, "field")),
    )
    away, back = heard(music, "transition")
    left = next(e for e in reversed(heard(music, "beat", away.frame)))
    assert back.scene == "field"
    assert back.step == (left.step // 16 + 1) * 16


def test_a_filler_ends_where_the_new_piece_begins():
    music = conductor(
        (0, c.Play(TUNES[0], -1)),
        (RATE, c.Transition(TUNES[1], "bar", 0.0, filler=Figure((0, 0, 0, 0), length=1))),
    )
    plain = conductor((0, c.Play(TUNES[0], -1)), (RATE, c.Transition(TUNES[1], "bar", 0.0)))
    step = RATE // 8
    line = RATE * 2
    begins = line - 4 * step
    np.testing.assert_array_equal(music.render(0, begins), plain.render(0, begins))
    for n in range(4):
        assert not np.array_equal(music.render(begins + n * step, 40), plain.render(begins + n * step, 40))


def test_the_next_piece_joins_on_the_last_bar_line():
    tune = prepare(make_piece(5, steps=70))
    music = conductor((0, c.Play(tune)), (100, c.Queue(TUNES[1])))
    assert [event.frame for event in heard(music, "piece")] == [0, 64 * RATE // 8]


def test_endless_music_without_a_next_piece_repeats_rather_than_stops():
    music = conductor((0, c.Play(TUNES[0], endless=True)))
    assert music.wants_at(0, 100) is not None
    assert len(heard(music, "loop", RATE * 60)) >= 6


def test_tempo_changes_the_beats_and_not_the_pitch():
    music = conductor((0, c.Play(TUNES[0], -1)), (RATE * 2, c.SetTempo(2.0)))
    beats = [event.frame for event in heard(music, "beat")]
    gaps = np.diff(beats)
    assert gaps[0] == RATE // 2
    assert gaps[-1] == RATE // 4
    assert (np.diff(gaps[3:6]) <= 0).all()


def test_intensity_is_heard_within_a_twentieth_of_a_second():
    music = conductor((0, c.Play(TUNES[0], -1)), (RATE, c.SetIntensity(0.0)))
    plain = conductor((0, c.Play(TUNES[0], -1)))
    assert not np.array_equal(music.render(RATE, RATE // 20), plain.render(RATE, RATE // 20))


def test_less_intensity_means_fewer_notes_and_less_sound():
    def loudness(value):
        music = conductor((0, c.SetIntensity(value, 0.0)), (0, c.Play(TUNES[0], -1)))
        return float(np.square(music.render(0, RATE * 5)).mean())

    levels = [loudness(value) for value in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert levels == sorted(levels)
    assert levels[0] < levels[2] / 2


def test_ducking_leaves_stingers_alone():
    def band(ducked):
        commands = [(0, c.SetLevel("duck", ducked, 0.0)), (0, c.PlayFigure(STINGERS["coin"]))]
        return conductor(*commands).render(0, RATE)

    np.testing.assert_array_equal(band(0.0), band(1.0))
    silent = conductor((0, c.SetLevel("duck", 0.0, 0.0)), (0, c.Play(TUNES[0])))
    assert not silent.render(0, RATE).any()


def test_a_stinger_starts_on_the_grid_in_the_key_of_the_piece():
    asked = RATE + 17
    music = conductor((0, c.Play(TUNES[0], -1)), (asked, c.PlayFigure(STINGERS["coin"])))
    plain = conductor((0, c.Play(TUNES[0], -1)))
    step = RATE // 8
    line = -(-asked // step) * step
    changed = np.nonzero((music.render(0, RATE * 3) != plain.render(0, RATE * 3)).any(axis=1))[0]
    assert line <= changed[0] <= line + 1
    pitches = {pitch % 12 for _, pitch in STINGERS["level clear"].notes(TUNES[0].key)}
    assert pitches <= {(TUNES[0].key.tonic + degree) % 12 for degree in TUNES[0].key.scale}


def test_stop_ends_in_its_echoes_and_then_in_silence():
    music = conductor((0, c.Play(TUNES[0], -1)), (RATE, c.Stop(0.5)))
    end, echo = RATE + RATE // 2, reverb(RATE).tail
    playing = np.abs(music.render(RATE - echo, echo)).max()
    assert music.render(RATE, RATE // 4).any()
    assert 0.0 < np.abs(music.render(end, echo)).max() < playing / 4
    assert not music.render(end + echo, RATE * 2).any()
    assert music.silent_from() == end + echo


def heard_of(music, first, last):
    """Loudness, root of the mean square, of some frames."""
    return float(np.sqrt(np.mean(music.render(first, last - first) ** 2)))


def test_a_stinger_asked_for_with_a_stop_is_played_to_its_end():
    over = STINGERS["game over"]
    music = conductor((0, c.Play(TUNES[0], -1)), (RATE + 100, c.Stop()), (RATE + 100, c.PlayFigure(over)))
    assert len(heard(music, "stinger")) == len(heard(music, "end")) == 1
    notes = [tone for bus, tones in music._mixdown._buses.items() if bus[0] < 0 for tone in tones]
    assert len(notes) == len(over.notes(TUNES[0].key))
    assert heard_of(music, RATE * 2, RATE * 3) > 0.001
    assert music.silent_from() is not None


def test_a_stop_forgets_what_led_over_to_a_transition_and_so_does_taking_it_back():
    for command in (c.Stop(), c.CancelTransition(), c.Transition(TUNES[2], "end", 1.0, -1)):
        lead = c.Transition(TUNES[1], "bar", 1.0, -1, filler=Figure((0,) * 8))
        music = conductor((0, c.Play(TUNES[0], -1)), (RATE, lead), (RATE * 3 // 2 + 50, command))
        assert conductor((0, c.Play(TUNES[0], -1)), (RATE, lead)).state_at(RATE * 3 // 2 + 50).cues
        assert not music.state_at(RATE * 3 // 2 + 50).cues


def test_what_was_fading_out_does_not_come_back_with_a_transition():
    silent = prepare(Piece((), steps=64))
    almost = RATE * 2 + RATE * 19 // 10
    for at in ("now", "bar"):
        script = [
            (0, c.Play(TUNES[0], -1)),
            (RATE * 2, c.Stop(2.0)),
            (almost, c.Transition(silent, at, 4.0, -1)),
        ]
        music = conductor(*script)
        before = heard_of(music, almost - RATE // 4, almost)
        assert all(
            heard_of(music, almost + part, almost + part + 1000) < before for part in range(0, RATE * 2, 1000)
        )
        assert not heard(music, "end")


def test_a_transition_right_after_a_stop_begins_when_the_old_piece_is_silent():
    stop, to = c.Stop(), c.Transition(TUNES[1], "bar", 1.0, -1)
    music = conductor((0, c.Play(TUNES[0], -1)), (RATE + 100, stop), (RATE + 100, to))
    (event,) = heard(music, "transition")
    assert event.frame == RATE + 100 + round(stop.seconds * RATE)
    assert not heard(music, "end")


def test_a_fade_out_longer_than_the_piece_ends_with_it():
    piece = prepare(Piece(on_grid([Note(step, 60, 2, 90) for step in range(0, 16, 2)]), steps=16))
    music = conductor((0, c.Play(piece)), (RATE, c.Stop(10.0)))
    assert [event.frame for event in heard(music, "end")] == [RATE * 2]
    assert music.silent_from() is not None


def test_a_stop_silences_what_still_rings_of_a_piece_that_has_ended():
    piece, over = prepare(Piece(on_grid([Note(0, 40, 4, 127)]), steps=4)), RATE // 2
    end = over + 20 + round(c.Stop().seconds * RATE) + reverb(RATE).tail
    script = [(0, c.Play(piece)), (over + 20, c.Stop())]
    assert heard_of(conductor(*script[:1]), end, end + 100) > 0.0
    music = conductor(*script)
    assert heard_of(music, end, end + 100) == 0.0
    assert len(heard(music, "end")) == 1


def test_a_fade_in_goes_on_over_the_next_piece_and_a_seek():
    short = prepare(Piece(on_grid([Note(step, 60, 2, 90) for step in range(0, 64, 2)]), steps=64))
    full = heard_of(conductor((0, c.Play(short, -1))), RATE, RATE * 2)
    queued = conductor((0, c.Play(short, 0, 56.0, 8.0)), (1, c.Queue(short)))
    assert heard_of(queued, RATE * 3 // 2, RATE * 2) < full / 2
    sought = conductor((0, c.Play(short, -1, 0.0, 8.0)), (RATE, c.Seek(32.0)))
    assert heard_of(sought, RATE + RATE // 2, RATE * 2) < full / 3
    assert heard_of(sought, RATE * 9, RATE * 10) == pytest.approx(full, rel=0.05)


def test_what_rings_on_for_very_long_is_faded_and_not_cut():
    slow = prepare(Piece(on_grid([Note(0, 60, 40, 127)]), steps=40, tempo=20.0))
    follower = prepare(Piece(on_grid([Note(64, 60, 1, 1)]), steps=128))
    music = Conductor(RATE, lambda name: load("chip_square", RATE))
    for frame, command in [(0, c.SetTempo(0.25, 0.0)), (0, c.Play(slow)), (1, c.Queue(follower))]:
        music.send(command, frame)
    joined = heard(music, "piece", RATE * 130)[1].frame
    gone = joined + RATE * 12
    held = [fader for fader in music.state_at(gone - 10).mix.faders if fader.expires is not None]
    assert [(fader.ramp.end, fader.ramp.high, fader.expires) for fader in held] == [(gone, 0.0, gone)]
    assert held[0].ramp.value(gone - RATE) == 1.0


def test_both_sides_of_a_crossfade_take_as_long_where_the_tempo_changes():
    to = c.Transition(TUNES[1], "now", 8.0, -1, tempo=4.0)
    music = conductor((0, c.Play(TUNES[0], -1)), (RATE, to))
    old, new = (fader.ramp for fader in music.state_at(RATE).mix.faders)
    assert (old.start, old.end) == (new.start, new.end)


def test_nothing_is_silent_from_the_beginning():
    music = conductor((0, c.SetIntensity(0.3)))
    music.advance(1)
    assert music.silent_from() == 0


def test_no_volume_is_silence_at_once():
    music = conductor((0, c.Play(TUNES[0], -1)), (RATE, c.SetLevel("volume", 0.0, 0.1)))
    assert music.render(RATE, RATE // 20).any()
    assert not music.render(RATE + RATE // 10, RATE).any()


def test_a_gain_is_heard_as_long_as_echoes_are_also_when_what_was_before_is_forgotten():
    def music():
        return conductor((0, c.Play(TUNES[0], -1)), (RATE * 3 - 5, c.SetLevel("duck", 0.1, 0.0)))

    late = music()
    late.render(0, RATE * 3)
    late.forget(RATE * 3)
    np.testing.assert_array_equal(late.render(RATE * 3, RATE), music().render(RATE * 3, RATE))


def test_seeking_brings_what_still_rings_there():
    direct = conductor((0, c.Play(TUNES[0], -1)))
    sought = conductor((0, c.Play(TUNES[1], -1)), (RATE * 3, c.Play(TUNES[0], -1, step=20.5)))
    there = round(20.5 * RATE / 8)
    later = RATE // 2
    np.testing.assert_array_equal(sought.render(RATE * 3 + later, RATE), direct.render(there + later, RATE))


@pytest.mark.parametrize("step", [50.0, 60.5, 100.0])
def test_seeking_brings_notes_that_were_struck_long_before_and_are_held_there(step):
    held = prepare(Piece((Note(0, 60, 90, 90), Note(4, 64, 2, 90), Note(8, 67, 120, 90)), steps=128))

    def played(at):
        sustained = Conductor(RATE, lambda name: load("chip_square", RATE))
        sustained.send(c.Play(held, step=at), 0)
        return sustained

    later, there = RATE // 2, round(step * RATE / 8)
    sought = played(step).render(later, RATE)
    np.testing.assert_array_equal(sought, played(0.0).render(there + later, RATE))
    assert np.abs(sought).max() > 0.05


def test_a_forgotten_frame_cannot_be_changed():
    music = conductor((0, c.Play(TUNES[0], -1)))
    music.render(0, RATE * 4)
    music.forget(RATE * 3)
    with pytest.raises(ValueError, match="forgotten"):
        music.send(c.SetIntensity(1.0), RATE)
    assert music.render(RATE * 3, RATE).any()


def test_memory_does_not_grow_while_forgetting():
    music, kept = conductor((0, c.Play(TUNES[0], -1))), []
    for second in range(90):
        music.render(second * RATE, RATE)
        music.forget(second * RATE)
        kept.append(
            (music._mixdown.tones, len(music._moments), len(music._mixdown._dry), len(music._mixdown._mixed))
        )
    assert (np.max(kept[60:], axis=0) <= np.max(kept[20:60], axis=0)).all()


def test_a_play_in_a_fade_out_does_not_bring_the_old_piece_back():
    script = [(0, c.Play(TUNES[0], -1)), (RATE, c.Stop(1.0))]
    at = RATE * 19 // 10
    faded = np.abs(conductor(*script).render(at - 400, 400)).max()
    after = conductor(*script, (at, c.Play(TUNES[1], -1, fade=5.0))).render(at, 400)
    assert 0.0 < np.abs(after).max() <= faded


def test_what_was_queued_before_anything_played_comes_after_what_plays_first():
    played = heard(conductor((0, c.Queue(TUNES[1])), (10, c.Play(TUNES[0]))), "piece")
    assert [event.piece for event in played] == [TUNES[0].name, TUNES[1].name]
    played = heard(conductor((0, c.Play(TUNES[2])), (10, c.Queue(TUNES[1])), (20, c.Play(TUNES[0]))), "piece")
    assert len(played) == 2  # but what was queued behind another piece is forgotten with it


@pytest.mark.parametrize("at", ["beat", "bar"])
def test_the_event_of_a_stinger_comes_when_it_is_heard(at):
    made = conductor((0, c.Play(TUNES[0], -1)), (1000, c.PlayFigure(STINGERS["coin"], at)))
    told = heard(made, "stinger")[0].frame
    beats = [event.frame for event in heard(made, at)]
    assert told in beats
    assert told > 1000


def test_a_filler_is_in_the_key_that_the_new_piece_will_sound_in():
    for shift in range(12):
        piece = make_piece(1)
        notes = tuple(Note(n.start, n.pitch + shift, n.length, n.velocity) for n in piece.notes)
        tune = prepare(Piece(notes, steps=piece.steps))
        to = c.Transition(tune, "bar", 0.0, -1, filler=STINGERS["rise"], related=True)
        made = conductor((0, c.Play(TUNES[0], -1)), (RATE, to))
        went = heard(made, "transition")[0].frame
        key = made.state_at(went).key
        steps = (made.state_at(frame) for frame in range(RATE, went, 100))
        cues = {cue.pitch for state in steps for cue in state.cues}
        assert cues
        assert {(pitch - key.tonic) % 12 for pitch in cues} <= set(key.scale)


@pytest.mark.parametrize("tempo", [1.0, 1.03, 1.07, 1.11])
def test_a_place_is_never_before_the_step_that_begins_there(tempo):
    made = conductor((0, c.SetTempo(tempo, 0.0)), (0, c.Play(TUNES[0], -1)))
    for event in heard(made, "beat"):
        step = made.place(event.frame).step
        assert step >= 0.0
        assert int(step // 4) == event.step // 4 or step >= TUNES[0].loop[1]
