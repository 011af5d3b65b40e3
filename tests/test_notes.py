from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianogan_bgm.errors import InvalidNote, PianoganError
from pianogan_bgm.notes import (
    DEFAULT_VELOCITY,
    VELOCITY_LEVELS,
    Note,
    level_to_velocity,
    on_grid,
    untangle,
    velocity_to_level,
)

any_note = st.builds(
    Note,
    start=st.integers(0, 40),
    pitch=st.integers(58, 62),
    length=st.integers(1, 20),
    velocity=st.integers(1, 127),
)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"start": -1}, "start must be a whole number, 0 or more; got -1"),
        ({"pitch": 128}, "pitch must be a whole number, 0 to 127; got 128"),
        ({"length": 0}, "length must be a whole number, 1 or more; got 0"),
        ({"velocity": 0}, "velocity must be a whole number, 1 to 127; got 0"),
        ({"start": 1.5}, "start must be a whole number, 0 or more; got 1.5"),
        ({"velocity": 128}, "velocity must be a whole number, 1 to 127; got 128"),
        ({"length": True}, "length must be a whole number, 1 or more; got True"),
    ],
)
def test_a_note_outside_its_ranges_is_refused_by_name(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidNote, match=says) as caught:
        Note(**({"start": 0, "pitch": 60, "length": 1} | wrong))
    assert isinstance(caught.value, PianoganError)
    assert isinstance(caught.value, ValueError)


def test_a_note_ends_at_the_first_step_where_it_is_silent() -> None:
    assert Note(4, 60, 3).end == 7


def test_notes_order_by_start_then_pitch() -> None:
    assert sorted([Note(4, 60, 1), Note(0, 72, 9), Note(0, 48, 1)]) == [
        Note(0, 48, 1),
        Note(0, 72, 9),
        Note(4, 60, 1),
    ]


def test_each_of_the_64_levels_comes_back_from_its_velocity() -> None:
    velocities = [level_to_velocity(level) for level in range(VELOCITY_LEVELS)]
    assert [velocity_to_level(velocity) for velocity in velocities] == list(range(64))
    assert (velocities[0], velocities[-1]) == (1, 127)
    assert DEFAULT_VELOCITY in velocities


def test_a_level_stands_for_velocities_no_further_than_one_away() -> None:
    for velocity in range(1, 128):
        assert abs(level_to_velocity(velocity_to_level(velocity)) - velocity) <= 1


def test_a_note_still_held_when_its_key_is_struck_again_ends_there() -> None:
    assert untangle([Note(0, 60, 8, 90), Note(4, 60, 2, 50)]) == (Note(0, 60, 4, 90), Note(4, 60, 2, 50))


def test_twins_on_one_key_become_one_note_with_the_longer_length_and_louder_velocity() -> None:
    assert untangle([Note(0, 60, 2, 90), Note(0, 60, 5, 30)]) == (Note(0, 60, 5, 90),)


def test_other_keys_do_not_cut_a_note() -> None:
    notes = (Note(0, 60, 8), Note(2, 61, 1), Note(4, 62, 8))
    assert untangle(reversed(notes)) == notes


@given(st.lists(any_note, max_size=30))
def test_untangled_notes_are_sorted_and_one_at_a_time_on_each_key(notes: list[Note]) -> None:
    result = untangle(notes)
    assert list(result) == sorted(result)
    assert {(note.start, note.pitch) for note in result} == {(note.start, note.pitch) for note in notes}
    for pitch in {note.pitch for note in result}:
        line = [note for note in result if note.pitch == pitch]
        assert all(one.end <= after.start for one, after in pairwise(line))


@given(st.lists(any_note, max_size=30))
def test_the_grid_changes_nothing_the_second_time(notes: list[Note]) -> None:
    assert on_grid(on_grid(notes)) == on_grid(notes)


@given(st.lists(any_note, max_size=30))
def test_the_sounding_keys_stay_the_same_on_the_grid(notes: list[Note]) -> None:
    def sounding(some: list[Note] | tuple[Note, ...]) -> set[tuple[int, int]]:
        return {(note.pitch, step) for note in some for step in range(note.start, note.end)}

    kept, before = sounding(on_grid(notes)), sounding(notes)
    assert kept <= before
    restruck = {(note.pitch, step) for note in notes for step in range(note.start, note.end)} - kept
    # what is lost was held under a shorter repeat of its own key
    for pitch, step in restruck:
        assert any(n.pitch == pitch and n.end <= step for n in notes)
