from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianogan_bgm.errors import InvalidNote, InvalidRoll
from pianogan_bgm.notes import DEFAULT_VELOCITY, MAX_STEPS, Note, level_to_velocity, on_grid
from pianogan_bgm.roll import ROLL, RollSpec, decode, decode_cells, encode, encode_cells, from_cells, to_cells

SMALL = RollSpec(lowest=60, pitches=4, steps=24)
EDGES = replace(SMALL, convention="edges")


@st.composite
def grid_notes(draw: st.DrawFn, spec: RollSpec = SMALL) -> tuple[Note, ...]:
    """Any notes the roll can hold: crowded, so that repeats and held notes touch often."""
    notes = []
    for _ in range(draw(st.integers(0, 25))):
        start = draw(st.integers(0, spec.steps - 1))
        length = draw(st.integers(1, spec.steps - start))
        velocity = level_to_velocity(draw(st.integers(0, 63)))
        notes.append(Note(start, draw(st.integers(spec.lowest, spec.highest)), length, velocity))
    return on_grid(notes)


@given(grid_notes())
def test_notes_come_back_from_their_roll_unchanged(notes: tuple[Note, ...]) -> None:
    assert decode(encode(notes, SMALL), SMALL) == notes


@given(grid_notes(RollSpec()))
def test_notes_come_back_from_the_full_roll_unchanged(notes: tuple[Note, ...]) -> None:
    assert decode(encode(notes)) == notes


def test_repeated_strikes_of_a_held_key_stay_separate() -> None:
    notes = (Note(0, 60, 4), Note(4, 60, 4), Note(8, 60, 1), Note(9, 60, 1))
    assert decode(encode(notes)) == notes


def test_every_velocity_level_survives() -> None:
    notes = tuple(Note(4 * level, 60, 3, level_to_velocity(level)) for level in range(64))
    assert decode(encode(notes)) == notes


def test_a_note_may_ring_to_the_last_column() -> None:
    notes = (Note(0, 21, 300), Note(299, 126, 1))
    assert decode(encode(notes)) == notes


@given(grid_notes(), st.integers(0, 2**32 - 1))
def test_rounding_errors_of_another_machine_change_no_note(notes: tuple[Note, ...], seed: int) -> None:
    roll = encode(notes, SMALL)
    noise = np.random.default_rng(seed).choice([-1e-5, 1e-5], roll.shape)
    assert decode(np.clip(roll + noise, 0, 1), SMALL) == notes


@pytest.mark.parametrize("shift", [-1e-5, 1e-5])
def test_no_8_bit_value_changes_under_rounding_errors(shift: float) -> None:
    cells = np.arange(256, dtype=np.uint8).reshape(1, 256)
    spec = RollSpec(lowest=0, pitches=1, steps=256)
    assert (to_cells(np.clip(from_cells(cells) + shift, 0, 1), spec) == cells).all()


def test_a_roll_has_the_lowest_pitch_in_row_0_and_the_first_sixteenth_in_column_0() -> None:
    roll = encode([Note(0, 21, 1, 127), Note(299, 126, 1, 127)])
    assert roll.shape == (106, 300, 1)
    assert roll.dtype == np.float32
    assert [tuple(cell) for cell in np.argwhere(roll > 0.5)] == [(0, 0, 0), (105, 299, 0)]
    assert 0.0 <= roll.min() <= roll.max() <= 1.0


def test_cells_are_shaded_silent_held_and_struck_by_velocity() -> None:
    cells = encode_cells([Note(1, 60, 3, 1), Note(5, 60, 1, 127)], RollSpec(60, 1, 7))
    assert cells.tolist() == [[0, 192, 160, 160, 0, 255, 0]]


def test_what_sounds_is_above_half_in_both_conventions() -> None:
    notes = [Note(2, 61, 5, 1), Note(7, 61, 2, 127), Note(0, 63, 1)]
    sounding = np.zeros(SMALL.shape[:2], dtype=bool)
    sounding[1, 2:9] = sounding[3, 0] = True
    for spec in (SMALL, EDGES):
        assert (encode_cells(notes, spec) > 127).tolist() == sounding.tolist()
        assert (encode(notes, spec)[:, :, 0] > 0.5).tolist() == sounding.tolist()


def test_edges_melt_touching_repeats_and_forget_loudness() -> None:
    notes = [Note(0, 60, 2, 31), Note(2, 60, 2, 99), Note(5, 60, 1, 127)]
    assert decode(encode(notes, EDGES), EDGES) == (
        Note(0, 60, 4, DEFAULT_VELOCITY),
        Note(5, 60, 1, DEFAULT_VELOCITY),
    )


@given(grid_notes())
def test_edges_keep_exactly_the_sounding_cells(notes: tuple[Note, ...]) -> None:
    cells = encode_cells(notes, EDGES)
    assert set(np.unique(cells)) <= {0, 255}
    again = encode_cells(decode_cells(cells, EDGES), EDGES)
    assert (again == cells).all()


def test_a_held_cell_after_silence_starts_a_note_at_the_default_velocity() -> None:
    cells = np.array([[160, 160, 0, 160, 200]], dtype=np.uint8)
    assert decode_cells(cells, RollSpec(60, 1, 5)) == (
        Note(0, 60, 2, DEFAULT_VELOCITY),
        Note(3, 60, 1, DEFAULT_VELOCITY),
        Note(4, 60, 1, level_to_velocity(8)),
    )


# The original decoder's faults, one test each.


def test_column_0_is_music_not_a_list_of_pitches() -> None:
    first_column = [Note(0, pitch, 1) for pitch in (21, 60, 126)]
    assert decode(encode(first_column)) == tuple(first_column)


def test_music_after_a_long_silence_is_not_dropped() -> None:
    notes = (Note(0, 60, 1), Note(298, 64, 2))
    assert decode(encode(notes)) == notes


def test_values_outside_0_to_1_are_refused_instead_of_wrapped() -> None:
    roll = encode([])
    roll[40, 7, 0] = -0.3  # through uint8 this became a sounding 180
    with pytest.raises(InvalidRoll, match=r"values in \[0, 1\]; got -0.3 to 0"):
        decode(roll)


def test_the_column_of_a_note_is_its_step() -> None:
    for step in (0, 1, 150, 299):
        roll = encode([Note(step, 60, 1)])
        assert np.flatnonzero(roll[39, :, 0] > 0.5).tolist() == [step]
        assert [note.start for note in decode(roll)] == [step]


# Refusals.


@pytest.mark.parametrize("note", [Note(0, 20, 1), Note(0, 127, 1), Note(299, 60, 2), Note(300, 60, 1)])
def test_a_note_that_does_not_fit_is_refused_not_dropped(note: Note) -> None:
    with pytest.raises(InvalidNote, match="does not fit a roll of pitches 21 to 126 and 300 steps"):
        encode([Note(0, 60, 1), note])


@pytest.mark.parametrize(
    ("roll", "says"),
    [
        (np.zeros((300, 106, 1), np.float32), r"shape \(106, 300, 1\); got \(300, 106, 1\)"),
        (np.zeros((1, 106, 300, 1), np.float32), "must have shape"),
        (np.zeros((106, 300), np.uint8), "floats in .0, 1.; got uint8"),
        (np.full((106, 300), np.nan, np.float32), "got NaN"),
        (np.full((106, 300), np.inf, np.float32), "got inf"),
        (np.full((106, 300), 1.5, np.float32), "got 1.5 to 1.5"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_roll_of_another_kind_is_refused_by_name(roll: np.ndarray[Any, Any], says: str) -> None:
    with pytest.raises(InvalidRoll, match=says):
        decode(roll)


def test_cells_of_another_kind_are_refused_by_name() -> None:
    with pytest.raises(InvalidRoll, match="cells must be uint8"):
        decode_cells(np.zeros((106, 299), np.uint8))


def test_a_flat_roll_without_the_channel_axis_reads_the_same() -> None:
    roll = encode([Note(3, 60, 2)])
    assert decode(roll[:, :, 0]) == decode(roll) == decode(roll.astype(np.float64))


@pytest.mark.parametrize(
    "wrong", [{"lowest": 23}, {"lowest": -1}, {"pitches": 0}, {"steps": 0}, {"convention": "dots"}]
)
def test_an_impossible_spec_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRoll):
        RollSpec(**wrong)


def test_the_spec_of_this_project_is_106_pitches_from_a0_by_300_sixteenths() -> None:
    assert (ROLL.shape, ROLL.lowest, ROLL.highest, ROLL.convention) == ((106, 300, 1), 21, 126, "struck")


def test_more_notes_than_any_music_has_are_refused_before_they_are_made() -> None:
    struck = np.full((106, 300), 255, np.uint8)
    assert len(decode_cells(struck)) == 106 * 300
    long = np.zeros((106, MAX_STEPS), np.uint8)
    long[40] = 255
    assert len(decode_cells(long, RollSpec(steps=MAX_STEPS))) == MAX_STEPS
    long[41, 7] = 255
    with pytest.raises(InvalidRoll, match="a roll may hold 262144 notes; got 262145"):
        decode_cells(long, RollSpec(steps=MAX_STEPS))
