from __future__ import annotations

import numpy as np
import pytest

from pianogan_bgm.roll import HELD_BYTE, STRUCK_BYTE, to_cells
from training.calibrate import LIMIT, Amounts, Biases, calibrated
from training.studio import Decision


def odds_of(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (2.0 * rng.standard_normal((8, 75, 2, 352)) - 4.0).astype(np.float32)


def decoded(odds: np.ndarray, biases: Biases) -> np.ndarray:
    rolls = np.asarray(Decision(biases.strike, biases.hold, dtype="float32")(odds))
    return np.stack([to_cells(roll) for roll in rolls])


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3])
def test_calibrated_odds_decode_to_the_wanted_amounts(factor: float) -> None:
    odds = odds_of(1)
    now = Amounts.of(decoded(odds, Biases()))
    wanted = Amounts(factor * now.notes, 1.02 * factor * now.sounding)
    got = Amounts.of(decoded(odds, calibrated(odds, wanted)))
    assert got.notes == pytest.approx(wanted.notes, rel=0.02)
    assert got.sounding == pytest.approx(wanted.sounding, rel=0.1)


def test_an_impossible_number_of_notes_ends_at_the_limit() -> None:
    assert calibrated(odds_of(2), Amounts(1e9, 1e9)).strike == pytest.approx(LIMIT, abs=0.01)
    assert calibrated(odds_of(2), Amounts(0.0, 0.0)).strike == pytest.approx(-LIMIT, abs=0.01)


def test_a_note_cut_by_the_window_counts_once() -> None:
    cells = np.zeros((1, 106, 300), np.uint8)
    cells[0, 40, :4] = HELD_BYTE
    cells[0, 50, 10] = STRUCK_BYTE + 5
    cells[0, 50, 11] = HELD_BYTE
    assert Amounts.of(cells) == Amounts(2.0, 6.0)
