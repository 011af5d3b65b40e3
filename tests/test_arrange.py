import itertools
from dataclasses import replace
from fractions import Fraction

import pytest
from arranging import alberti, piece_of, pieces, quick
from hypothesis import given
from hypothesis import strategies as st

from pianogan_bgm.arrange import (
    Key,
    estimate_key,
    fold,
    loudness_gain,
    pedal,
    perform,
    step_to_frame,
    sustained_ends,
    tones,
    transpose,
)
from pianogan_bgm.expression import Expression
from pianogan_bgm.notes import Note

RATE = 44100
MAJOR = (0, 2, 4, 5, 7, 9, 11)


# key


@pytest.mark.parametrize("tonic", range(12))
def test_scales_with_their_tonic_chord_are_recognised_in_all_keys(tonic):
    scale = [Note(i, 60 + tonic + MAJOR[i], 1) for i in range(7)]
    major = [*scale, *(Note(8, 60 + tonic + i, 8) for i in (0, 4, 7))]
    assert estimate_key(major) == Key(tonic, "major")
    minor = [Note(i, 60 + tonic + s, 1) for i, s in enumerate((0, 2, 3, 5, 7, 8, 11))]
    assert estimate_key([*minor, *(Note(8, 60 + tonic + i, 8) for i in (0, 3, 7))]) == Key(tonic, "minor")


def test_keys_are_named_as_musicians_do():
    assert Key(3, "major").name == "Eb major"
    assert Key(8, "minor").name == "G# minor"
    assert estimate_key([]).name == "C major"


def test_distance_counts_steps_on_the_circle_of_fifths():
    c = Key(0, "major")
    assert [c.distance(Key(t, "major")) for t in (0, 7, 5, 2, 6)] == [0, 1, 1, 2, 6]
    assert c.distance(Key(9, "minor")) == 0
    assert Key(9, "minor").scale == (0, 2, 3, 5, 7, 8, 10)


# pedal


def test_the_pedal_is_renewed_where_the_harmony_changes():
    assert pedal(alberti()) == [(0, 16), (16, 32), (32, 48), (48, 64)]


def test_a_bass_that_moves_within_the_bar_renews_the_pedal():
    chords = [Note(0, 48, 8), Note(0, 64, 8), Note(8, 43, 8), Note(8, 62, 8)]
    assert pedal(piece_of(*chords)) == [(0, 8), (8, 16)]


def test_chords_over_their_own_bass_keep_the_pedal():
    waltz = [Note(0, 36, 4), *(Note(s, p, 4) for s in (4, 8) for p in (52, 55, 60))]
    assert pedal(piece_of(*waltz, steps=12, beats_per_bar=3)) == [(0, 12)]


def test_a_low_scale_is_not_blurred():
    scale = piece_of(*(Note(4 * i, 48 + MAJOR[i], 4) for i in range(4)))
    assert all(off - on <= 4 for on, off in pedal(scale))


def test_a_scale_over_a_held_bass_is_not_blurred():
    scale = [Note(0, 36, 16), *(Note(4 * i, 60 + MAJOR[i], 4) for i in range(4))]
    chord = [Note(0, 36, 16), *(Note(4 * i, 60 + p, 4) for i, p in enumerate((0, 4, 7, 12)))]
    assert pedal(piece_of(*scale)) == [(0, 12), (12, 16)]
    assert pedal(piece_of(*chord)) == [(0, 16)]


def test_the_pedal_is_up_through_a_rest():
    rested = piece_of(Note(0, 60, 4), Note(12, 64, 4))
    assert pedal(rested) == [(0, 4), (12, 16)]
    assert sustained_ends(rested) == [4, 16]


@quick
@given(piece=pieces)
def test_pedals_are_sorted_apart_within_the_piece_and_at_most_a_bar_long(piece):
    presses = pedal(piece)
    assert all(0 <= on < off <= piece.steps and off - on <= 16 for on, off in presses)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(presses))


@quick
@given(piece=pieces)
def test_the_pedal_never_shortens_a_note_nor_holds_a_key_into_its_next_stroke(piece):
    ends = sustained_ends(piece)
    starts = {}
    for note, end in zip(piece.notes, ends, strict=True):
        assert note.end <= end <= piece.steps
        starts.setdefault(note.pitch, []).append((note.start, end))
    for strokes in starts.values():
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(strokes))


# transposition


@quick
@given(piece=pieces, semitones=st.integers(-60, 60))
def test_transposition_keeps_rhythm_and_pitch_classes_and_stays_on_the_roll(piece, semitones):
    moved = transpose(piece, semitones)
    assert all(21 <= note.pitch <= 126 for note in moved.notes)
    assert {(n.start, (n.pitch - semitones) % 12) for n in moved.notes} == {
        (n.start, n.pitch % 12) for n in piece.notes
    }
    assert moved.steps == piece.steps


def test_transposition_folds_only_what_would_leave_the_roll():
    moved = transpose(piece_of(Note(0, 60, 4), Note(0, 124, 4)), 5)
    assert [note.pitch for note in moved.notes] == [65, 117]
    assert [fold(pitch) for pitch in (20, 21, 126, 127, 8, 140)] == [32, 21, 126, 115, 32, 116]
    same = alberti()
    assert transpose(same, 0) is same


# tones


@given(
    step=st.integers(0, 10**7),
    rate=st.integers(8000, 192000),
    tempo=st.floats(20, 400, allow_nan=False),
)
def test_a_step_begins_at_the_nearest_frame_however_far_into_the_stream(step, rate, tempo):
    exact = Fraction(step) * 60 * rate / (4 * Fraction(tempo))
    assert abs(step_to_frame(step, rate, tempo) - exact) <= Fraction(1, 2)


def test_sixteenths_at_120_are_an_eighth_of_a_second():
    assert [step_to_frame(s, 48000, 120.0) for s in (0, 1, 2, 300)] == [0, 6000, 12000, 1_800_000]
    assert step_to_frame(1, 44100, 120.0) == 5513
    assert step_to_frame(2, 44100, 120.0) == 11025


def test_tones_start_on_their_steps_and_the_pedal_makes_them_ring_on():
    piece = alberti(bars=1)
    dry, wet = (tones(piece, RATE, expression=Expression(pedal=pedal, lead=False)) for pedal in (False, True))
    assert [(t.start, t.pitch, t.velocity) for t in dry] == [(t.start, t.pitch, t.velocity) for t in wet]
    assert dry == sorted(dry)
    assert [t.start for t in dry] == [step_to_frame(n.start, RATE, 120.0) for n in piece.notes]
    tune = next(tone for tone in wet if tone.pitch == 79)
    assert tune.frames == step_to_frame(16, RATE, 120.0)
    assert all(w.frames >= d.frames for d, w in zip(dry, wet, strict=True))


def test_twice_the_tempo_takes_half_the_time():
    piece = alberti()
    slow, fast = tones(piece, 48000, tempo=60.0), tones(piece, 48000, tempo=120.0)
    assert [tone.start for tone in slow] == [2 * tone.start for tone in fast]


def test_loudness_gain_lifts_the_soft_and_tames_the_dense():
    piece = alberti()
    soft = tones(replace(piece, notes=tuple(replace(n, velocity=31) for n in piece.notes)), RATE)
    loud = tones(replace(piece, notes=tuple(replace(n, velocity=121) for n in piece.notes)), RATE)
    assert loudness_gain(soft, RATE) > loudness_gain(tones(perform(piece), RATE), RATE)
    assert loudness_gain(loud, RATE) < loudness_gain(tones(perform(piece), RATE), RATE)
    assert loudness_gain([], RATE) == 1.0
    assert 0.5 <= loudness_gain(loud, RATE) < loudness_gain(soft, RATE) <= 2.0


def test_loudness_gain_does_not_depend_on_the_rate():
    piece = perform(alberti())
    assert loudness_gain(tones(piece, 22050), 22050) == pytest.approx(
        loudness_gain(tones(piece, 96000), 96000), rel=1e-3
    )
