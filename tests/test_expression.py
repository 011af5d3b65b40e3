import itertools
from dataclasses import fields, replace

import pytest
from arranging import alberti, piece_of, pieces, quick
from hypothesis import given
from hypothesis import strategies as st

from pianogan_bgm.arrange import clock, perform, step_to_frame, tones
from pianogan_bgm.expression import (
    LATEST,
    ONE_SHOT,
    RITARDANDO_BEATS,
    RULES,
    Expression,
    Reading,
    Ritardando,
    dynamics,
    lateness,
    phrases,
    ritardando,
)
from pianogan_bgm.notes import Note
from pianogan_bgm.piece import Piece
from pianogan_bgm.voices import split_voices

RATE = 44100
SILENT = Expression(**dict.fromkeys(RULES, False))


def only(rule):
    """Velocities that ``rule`` alone gives a piece."""
    return lambda piece: [note.velocity for note in dynamics(piece, replace(SILENT, **{rule: True})).notes]


# dynamics


def test_without_any_rule_all_notes_are_equally_loud():
    assert {note.velocity for note in dynamics(alberti(), SILENT).notes} == {67}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_has_its_switch_and_does_something(rule):
    music = piece_of(*alberti().notes, *(Note(64 + i, 60 + i % 5, 1) for i in range(64)), has_dynamics=False)
    assert rule in {field.name for field in fields(Expression)}
    without = dynamics(music, replace(Expression(), **{rule: False}))
    assert without != dynamics(music)
    assert len(set(only(rule)(music))) > 1


def test_the_melody_stands_above_the_accompaniment():
    shaped = dynamics(alberti())
    groups = {"melody": [], "bass": [], "inner": []}
    for note, voice in zip(shaped.notes, split_voices(shaped.notes), strict=True):
        groups[voice].append(note.velocity)
    means = {voice: sum(found) / len(found) for voice, found in groups.items()}
    assert means["melody"] - max(means["inner"], means["bass"]) > 10
    assert sorted(set(only("voices")(alberti()))) == [61, 65, 75]


def test_the_bar_has_weight():
    steady = piece_of(*(Note(i, 72, 1) for i in range(0, 64, 2)), has_dynamics=False)
    loud = only("metre")(steady)
    assert loud[0] > loud[4] >= loud[2] > loud[1]
    assert loud[:8] == loud[8:16]


def test_the_higher_of_two_melody_notes_is_louder():
    low, high = only("contour")(piece_of(Note(0, 60, 4), Note(16, 72, 4), has_dynamics=False))
    assert high - low == 4


def test_music_swells_where_it_is_thick_and_wide():
    thin = [Note(s, 60, 4) for s in range(0, 64, 4)]
    thick = [Note(s, p, 2) for s in range(64, 128, 2) for p in (36, 48, 64, 76)]
    loud = only("swell")(piece_of(*thin, *thick, has_dynamics=False))
    assert max(loud[:12]) < min(loud[-40:])


def test_a_phrase_ends_where_the_melody_waits_and_rises_and_falls_within():
    line = [Note(s, 72 + s % 7, 2) for s in range(0, 126, 2) if not 40 <= s < 48]
    piece = piece_of(*line, steps=128, has_dynamics=False)
    assert phrases(Reading(piece)) == [0, 48, 128]
    loud = dict(zip((n.start for n in piece.notes), only("phrases")(piece), strict=True))
    assert loud[24] > loud[2]
    assert loud[24] > loud[38]
    assert loud[88] > loud[48]
    assert loud[88] > loud[124]


def test_phrases_without_a_breath_are_four_bars_long():
    assert phrases(Reading(alberti(bars=8))) == [0, 64, 128]
    assert phrases(Reading(Piece((), steps=16))) == [0, 16]


def test_a_repeated_key_is_softer():
    first, other, again = only("repeats")(
        piece_of(Note(0, 60, 2), Note(2, 62, 2), Note(4, 60, 2), has_dynamics=False)
    )
    assert first == other > again


@quick
@given(piece=pieces)
def test_shaping_changes_velocities_alone_stays_canonical_and_ignores_what_was_there(piece):
    shaped = dynamics(piece)
    assert shaped.has_dynamics
    assert [replace(n, velocity=1) for n in shaped.notes] == [replace(n, velocity=1) for n in piece.notes]
    assert all(note.velocity % 2 == 1 and 30 <= note.velocity <= 113 for note in shaped.notes)
    flat = replace(piece, notes=tuple(replace(note, velocity=81) for note in piece.notes))
    assert dynamics(flat) == shaped
    assert perform(piece) == shaped


def test_a_piece_with_dynamics_is_performed_as_written():
    written = piece_of(Note(0, 60, 4, 17), Note(4, 62, 4, 121))
    assert perform(written) is written


# timing


def test_of_a_chord_the_loudest_note_is_on_time_and_softer_ones_follow():
    chord = [Note(0, 48, 4, 61), Note(0, 64, 4, 51), Note(0, 72, 4, 81), Note(4, 60, 4, 31)]
    assert lateness(chord) == pytest.approx([0.012, 0.018, 0.0, 0.0])


@quick
@given(piece=pieces)
def test_no_note_is_late_by_more_than_anyone_minds_and_each_beat_is_kept(piece):
    late = lateness(piece.notes)
    assert all(0.0 <= seconds <= LATEST for seconds in late)
    starts = {note.start for note, seconds in zip(piece.notes, late, strict=True) if seconds == 0.0}
    assert starts == {note.start for note in piece.notes}


def test_late_notes_are_let_go_when_the_others_are():
    piece = perform(alberti())
    strict = tones(piece, RATE, expression=Expression(lead=False))
    loose = tones(piece, RATE)
    assert {tone.start + tone.frames for tone in loose} == {tone.start + tone.frames for tone in strict}
    moved = sum(tone.start for tone in loose) - sum(tone.start for tone in strict)
    assert 0 < moved < LATEST * RATE * len(loose)


def test_a_ritardando_leaves_what_is_before_it_alone_and_ends_at_its_slowest():
    slowing = Ritardando(16, 40)
    assert [slowing.played(step) for step in (0, 7, 16)] == [0.0, 7.0, 16.0]
    gaps = [b - a for a, b in itertools.pairwise(slowing.played(step) for step in range(16, 45))]
    assert gaps[0] == pytest.approx(1.0, abs=0.02)
    assert gaps[-4:] == pytest.approx([1 / 0.55] * 4)
    assert all(b >= a - 1e-9 for a, b in itertools.pairwise(gaps))


@given(begin=st.integers(0, 100), way=st.integers(0, 64), slowest=st.floats(0.2, 0.95))
def test_time_never_runs_back_in_a_ritardando(begin, way, slowest):
    slowing = Ritardando(begin, begin + way, slowest)
    times = [slowing.played(step) for step in range(begin + way + 20)]
    assert all(b > a for a, b in itertools.pairwise(times))


def test_a_one_shot_slows_down_before_its_last_note_alone():
    piece = perform(alberti())
    slowing = ritardando(piece)
    assert slowing.end == piece.notes[-1].start
    assert slowing.begin == slowing.end - 4 * RITARDANDO_BEATS
    steady, slow = clock(piece, RATE), clock(piece, RATE, expression=ONE_SHOT)
    assert [slow(step) for step in range(slowing.begin + 1)] == [
        step_to_frame(step, RATE, 120.0) for step in range(slowing.begin + 1)
    ]
    assert slow(piece.steps) > steady(piece.steps)
    assert ritardando(Piece((), steps=8)).played(8) == 8.0
