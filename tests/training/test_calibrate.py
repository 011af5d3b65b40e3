from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("keras", reason="needs the train extra")

from pianogan_bgm.roll import HELD_BYTE, STRUCK_BYTE
from training.calibrate import LIMIT, Rates, calibrate, rates
from training.studio import Decision

KEYS = 88


def timid_odds(count: int) -> np.ndarray:
    """Log-odds of music-like texture, biased towards silence as a soft decoder's are; float32."""
    rng = np.random.default_rng(3)
    held = np.repeat(rng.normal(-3.5, 1.5, (count, 75, 1, 88)), 4, axis=2)
    struck = held + rng.normal(-0.5, 1.5, (count, 75, 4, 88))
    odds = np.stack([held, struck], axis=2)
    return odds.reshape(count, 75, 2, 352).astype(np.float32)


def test_rates_count_strikes_and_sounding_cells_over_neighbouring_keys() -> None:
    cells = np.zeros((1, 106, 300), np.uint8)
    cells[0, 40, 10:20] = HELD_BYTE
    cells[0, 40, 10] = STRUCK_BYTE
    cells[0, 60, :3] = HELD_BYTE  # held over the edge: its first column counts as a strike
    found = rates(cells)
    assert found.struck[40] == pytest.approx(1 / 300 / 13)
    assert found.sounding[40] == pytest.approx(10 / 300 / 13)
    assert found.struck[60] == pytest.approx(1 / 300 / 13)
    assert found.struck[20] == found.sounding[20] == 0.0


def test_calibrated_thresholds_strike_and_hold_as_often_as_the_data() -> None:
    odds = timid_odds(40)
    shape = np.interp(np.arange(KEYS), [0, 44, 87], [0.01, 0.05, 0.01])
    target = Rates(struck=shape, sounding=3 * shape)
    strike, hold = calibrate(odds, target)
    rolls = np.asarray(Decision(strike, hold, dtype="float32")(odds))[:, :KEYS, :, 0]
    # a held cell without a strike becomes one, so strikes are met in rounds and less closely
    assert (rolls >= 0.75).mean() == pytest.approx(shape.mean(), rel=0.15)
    assert (rolls > 0.5).mean() == pytest.approx(3 * shape.mean(), rel=0.02)
    plain = np.asarray(Decision(0 * strike, 0 * hold, dtype="float32")(odds))[:, :KEYS, :, 0]
    assert (plain > 0.5).mean() < 0.5 * (rolls > 0.5).mean()


def test_a_key_that_never_sounds_gets_the_greatest_threshold() -> None:
    silent = Rates(struck=np.zeros(KEYS), sounding=np.zeros(KEYS))
    strike, hold = calibrate(timid_odds(4), silent)
    assert (strike == -LIMIT).all()
    assert (hold == -LIMIT).all()
