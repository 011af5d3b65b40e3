import numpy as np
import pytest
from PIL import Image

from pianogan_bgm.errors import InvalidRoll
from pianogan_bgm.notes import Note
from pianogan_bgm.roll import encode_cells
from training.pictures import CELL_HEIGHT, CELL_WIDTH, MARGIN, roll_pixels, sample_sheet


def test_a_sheet_holds_every_roll_in_the_given_columns(tmp_path):
    cells = np.zeros((5, 106, 300), np.uint8)
    sample_sheet(cells, tmp_path / "new" / "sheet.png", columns=2)
    with Image.open(tmp_path / "new" / "sheet.png") as image:
        wide, high = 300 * CELL_WIDTH + 2 * MARGIN, 106 * CELL_HEIGHT + 2 * MARGIN
        assert image.size == (2 * wide, 3 * high)
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["sheet.png"]


def test_high_notes_are_on_top_and_strikes_darker_than_held_cells():
    pixels = roll_pixels(encode_cells([Note(2, 126, 2)])).astype(int).sum(axis=2)
    empty = roll_pixels(np.zeros((106, 300), np.uint8)).astype(int).sum(axis=2)
    rows, columns = np.nonzero(pixels != empty)
    assert set(rows) == set(range(CELL_HEIGHT))
    assert set(columns) == set(range(2 * CELL_WIDTH, 4 * CELL_WIDTH))
    assert pixels[0, 2 * CELL_WIDTH] < pixels[0, 3 * CELL_WIDTH] < empty[0, 3 * CELL_WIDTH]


def test_louder_strikes_are_darker():
    soft, loud = (encode_cells([Note(2, 60, 1, velocity)]) for velocity in (1, 127))
    assert roll_pixels(loud).sum() < roll_pixels(soft).sum()


@pytest.mark.parametrize(
    "cells", [np.zeros((0, 106, 300), np.uint8), np.zeros((1, 106, 300)), np.zeros((106, 300), np.uint8)]
)
def test_what_is_no_set_of_rolls_is_refused_and_leaves_no_file(cells, tmp_path):
    with pytest.raises(InvalidRoll, match="uint8"):
        sample_sheet(cells, tmp_path / "sheet.png")
    assert not list(tmp_path.iterdir())
