import numpy as np
import pytest

from pianogan_bgm.roll import HELD_BYTE, STRUCK_BYTE, to_cells
from training.calibrate import LIMIT, mean_notes, strike_bias
from training.studio import Decision


def odds_of(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (2.0 * rng.standard_normal((8, 75, 2, 352)) - 4.0).astype(np.float32)


def decoded(odds: np.ndarray, bias: float) -> np.ndarray:
    rolls = np.asarray(Decision(bias, dtype="float32")(odds))
    return np.stack([to_cells(roll) for roll in rolls])


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3])
def test_calibrated_odds_decode_to_the_wanted_number_of_notes(factor: float) -> None:
    odds = odds_of(1)
    wanted = factor * mean_notes(decoded(odds, 0.0))
    assert mean_notes(decoded(odds, strike_bias(odds, wanted))) == pytest.approx(wanted, rel=0.02)


def test_an_impossible_number_of_notes_ends_at_the_limit() -> None:
    assert strike_bias(odds_of(2), 1e9) == pytest.approx(LIMIT, abs=0.01)
    assert strike_bias(odds_of(2), 0.0) == pytest.approx(-LIMIT, abs=0.01)


def test_a_note_cut_by_the_window_counts_once() -> None:
    cells = np.zeros((1, 106, 300), np.uint8)
    cells[0, 40, :4] = HELD_BYTE
    cells[0, 50, 10] = STRUCK_BYTE + 5
    cells[0, 50, 11] = HELD_BYTE
    assert mean_notes(cells) == 2
