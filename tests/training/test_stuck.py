"""Pieces that hammer on are found, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pianogan_bgm.errors import InvalidRoll
from pianogan_bgm.roll import HELD_BYTE, ROLL, STRUCK_BYTE
from training.stuck import longest_alike, longest_silence, main


def blank(count: int = 1) -> np.ndarray:
    return np.zeros((count, ROLL.pitches, ROLL.steps), np.uint8)


def test_a_chord_on_every_beat_is_alike_from_the_second_on() -> None:
    cells = blank()
    cells[0, [30, 34, 37], ::4] = STRUCK_BYTE
    assert longest_alike(cells) == [74]


def test_notes_that_no_cell_says_are_struck_count_from_where_they_sound() -> None:
    cells = blank(2)
    cells[:, [30, 34, 37], ::4] = HELD_BYTE
    cells[1, [30, 34, 37], 148:] = HELD_BYTE  # from beat 37 on held to the end: a note each
    assert longest_alike(cells).tolist() == [74, 37]


@pytest.mark.parametrize(("lag", "run"), [(2, 73), (3, 0), (4, 71)])
def test_patterns_of_two_and_four_beats_count_and_others_do_not(lag: int, run: int) -> None:
    cells = blank()
    for beat in range(75):
        cells[0, 20 + beat % lag, 4 * beat] = STRUCK_BYTE
    assert longest_alike(cells) == [run]


@pytest.mark.parametrize(("steady", "run"), [(2, 74), (1, 1)])
def test_two_notes_of_three_are_alike_and_one_of_three_is_not(steady: int, run: int) -> None:
    cells = blank()
    cells[0, 10 : 10 + steady, ::4] = STRUCK_BYTE
    for beat in range(0, 75, 2):
        # notes of their own in every other beat; beats without any are alike two apart, but not in a row
        cells[0, 12 + beat, 4 * beat : 4 * beat + 3 - steady] = STRUCK_BYTE
    assert longest_alike(cells) == [run]


def test_silence_is_like_nothing_and_a_run_ends_where_it_changes() -> None:
    cells = blank(2)
    cells[1, 30, 0:40:4] = STRUCK_BYTE
    cells[1, 35, 40::4] = STRUCK_BYTE
    assert list(longest_alike(cells)) == [0, 64]


def test_anything_else_than_rolls_is_refused() -> None:
    with pytest.raises(InvalidRoll):
        longest_alike(np.zeros((1, 3, 300), np.uint8))


def test_a_folder_without_a_corpus_is_an_error_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["open", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_the_longest_silence_is_one_in_which_nothing_sounds_held_or_struck() -> None:
    cells = np.zeros((3, 106, 300), np.uint8)
    cells[0, 40, 0:100] = 255
    cells[0, 50, 120:300] = 255
    cells[1, 40, ::5] = 255
    assert longest_silence(cells).tolist() == [20, 4, 300]
    with pytest.raises(InvalidRoll):
        longest_silence(np.zeros((1, 3, 300), np.uint8))
