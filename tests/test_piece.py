from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pianogan_bgm.errors import InvalidNote
from pianogan_bgm.notes import Note
from pianogan_bgm.piece import Piece
from pianogan_bgm.roll import decode


def test_300_sixteenths_at_120_last_37_and_a_half_seconds() -> None:
    assert Piece(()).seconds == 37.5
    assert Piece((), tempo=60.0).seconds == 75.0


def test_the_roll_of_a_piece_holds_its_notes() -> None:
    piece = Piece((Note(0, 60, 4, 81), Note(4, 60, 4, 41)), steps=8)
    assert piece.roll.shape == (106, 8, 1)
    assert decode(np.pad(piece.roll, ((0, 0), (0, 292), (0, 0)))) == piece.notes


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"notes": (Note(4, 60, 1), Note(0, 60, 1))}, "sorted"),
        ({"notes": (Note(0, 60, 301),)}, "ends after the piece's 300 steps"),
        ({"steps": 0}, "at least one step"),
        ({"beats_per_bar": 0}, "1 to 64 beats a bar"),
        ({"beats_per_bar": 65}, "1 to 64 beats a bar"),
        ({"tempo": 19.0}, "tempo must be 20 to 400"),
        ({"tempo": 401.0}, "tempo must be 20 to 400"),
        ({"tempo": float("nan")}, "tempo must be 20 to 400"),
        ({"tempo": True}, "tempo must be 20 to 400"),
        ({"tempo": "120"}, "tempo must be 20 to 400"),
        ({"steps": float("nan")}, "steps must be a whole number; got nan"),
        ({"steps": 16.5}, "steps must be a whole number; got 16.5"),
        ({"steps": True}, "steps must be a whole number; got True"),
        ({"beats_per_bar": 2.5}, "beats_per_bar must be a whole number; got 2.5"),
        ({"notes": [Note(0, 60, 1)]}, "a tuple of Note; got .Note"),
        ({"notes": ((0, 60, 1),)}, "a tuple of Note; got"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidNote, match=says):
        Piece(**({"notes": ()} | wrong))


def test_pieces_are_equal_by_what_they_hold() -> None:
    assert Piece((Note(0, 60, 1),), seed=7) == Piece((Note(0, 60, 1),), seed=7)
    assert len({Piece((Note(0, 60, 1),)), Piece((Note(0, 60, 1),))}) == 1
