from __future__ import annotations

import numpy as np
import pytest

from pianogan_bgm.roll import HELD_BYTE, STRUCK_BYTE, to_cells

pytest.importorskip("tensorflow", reason="needs the train extra")

from training import calibrate
from training.calibrate import EMPHASES, FOLLOWED, LIMIT, PACE, Amounts, Requests, calibrated, met
from training.studio import NEVER, Decision, Thresholds

FURTHEST = 1.5


def odds_of(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (2.0 * rng.standard_normal((8, 75, 2, 352)) - 4.0).astype(np.float32)


def decoded(odds: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    rolls = np.asarray(Decision(thresholds, dtype="float32")(odds))
    return np.stack([to_cells(roll) for roll in rolls])


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3])
def test_calibrated_odds_decode_to_the_wanted_amounts(factor: float) -> None:
    odds = odds_of(1)
    now = Amounts.of(decoded(odds, Thresholds()))
    wanted = Amounts(factor * now.notes, 1.02 * factor * now.sounding, 0.0)
    got = Amounts.of(decoded(odds, calibrated(odds, wanted)))
    assert got.notes == pytest.approx(wanted.notes, rel=0.02)
    assert got.sounding == pytest.approx(wanted.sounding, rel=0.1)


def test_calibrated_odds_strike_in_as_many_steps_as_wanted_with_as_many_notes() -> None:
    odds = odds_of(1)
    now = Amounts.of(decoded(odds, Thresholds()))
    assert now.onsets < 290
    wanted = Amounts(now.notes, now.sounding, now.onsets + 6.0)
    thresholds = calibrated(odds, wanted)
    got = Amounts.of(decoded(odds, thresholds))
    assert thresholds.least < NEVER
    assert got.onsets == pytest.approx(wanted.onsets, abs=2.0)
    assert got.notes == pytest.approx(wanted.notes, rel=0.02)


@pytest.mark.parametrize("least", [NEVER, 0.2])
def test_what_is_counted_is_what_is_decided(least: float) -> None:
    odds = odds_of(3)
    thresholds = Thresholds(strike=-0.5, hold=0.25, least=least)
    planes = [np.reshape(odds[:, :, i], (-1, 300, 88)) for i in range(2)]
    found = calibrate._strikes(*planes, thresholds.strike, thresholds.hold, thresholds.least)
    struck = decoded(odds, thresholds)[:, :88] >= STRUCK_BYTE
    np.testing.assert_array_equal(found.transpose(0, 2, 1), struck)


def test_where_enough_steps_are_struck_anyway_none_is_added() -> None:
    odds = odds_of(1)
    now = Amounts.of(decoded(odds, Thresholds()))
    assert calibrated(odds, Amounts(now.notes, now.sounding, 10.0)).least == NEVER


def test_an_impossible_number_of_notes_ends_at_the_limit() -> None:
    assert calibrated(odds_of(2), Amounts(1e9, 1e9, 0.0)).strike == pytest.approx(LIMIT, abs=0.01)
    assert calibrated(odds_of(2), Amounts(0.0, 0.0, 0.0)).strike == pytest.approx(-LIMIT, abs=0.01)


def test_a_note_cut_by_the_window_counts_once() -> None:
    cells = np.zeros((1, 106, 300), np.uint8)
    cells[0, 40, :4] = HELD_BYTE
    cells[0, 50, 10] = STRUCK_BYTE + 5
    cells[0, 50, 11] = HELD_BYTE
    assert Amounts.of(cells) == Amounts(2.0, 6.0, 1.0)


def answers(told: np.ndarray, slope: float, offset: float) -> np.ndarray:
    """A composer that does what it is told by half and drifts, and has a mind of its own."""
    return slope * told + offset + 0.3 * np.random.default_rng(3).standard_normal(told.shape)


def settled(slope: float, offset: float, turns: int) -> tuple[Requests, np.ndarray]:
    asked = np.random.default_rng(2).standard_normal((2000, 14))
    requests = Requests(np.ones(14), np.zeros(14))
    for _ in range(turns):
        got = answers(requests.emphasis * asked + requests.shift, slope, offset)
        requests = met(requests, asked, got, FURTHEST)
    return requests, answers(requests.emphasis * asked + requests.shift, slope, offset)


def test_requests_are_exaggerated_and_moved_until_pieces_are_spread_as_asked() -> None:
    before = settled(0.7, -0.4, 0)[1]
    assert np.abs(before.mean(axis=0) + 0.4).max() < 0.1
    assert before.std(axis=0).max() < 0.82
    after = settled(0.7, -0.4, 12)[1]
    np.testing.assert_allclose(after.mean(axis=0), 0.0, atol=0.06)
    np.testing.assert_allclose(after.std(axis=0), 1.0, atol=0.06)


def test_where_nothing_is_met_it_is_asked_for_loudly_and_not_moved() -> None:
    requests = settled(0.0, -2.0, 5)[0]
    np.testing.assert_array_equal(requests.emphasis, EMPHASES[1])
    np.testing.assert_allclose(requests.shift, 0.0, atol=0.5)


def test_what_is_hardly_followed_is_asked_for_until_it_is() -> None:
    asked, own = (np.random.default_rng(seed).standard_normal((2000, 14)) for seed in (2, 3))
    requests = Requests(np.ones(14), np.zeros(14))
    for _ in range(12):
        got = 0.3 * requests.emphasis * asked + own
        requests = met(requests, asked, got, FURTHEST)
    assert requests.emphasis.max() < EMPHASES[1]
    followed = [np.corrcoef(asked[:, i], got[:, i])[0, 1] for i in range(14)]
    np.testing.assert_allclose(followed, FOLLOWED, atol=0.06)


def test_requests_stay_within_what_real_pieces_have_taught() -> None:
    requests = settled(0.1, -3.0, 60)[0]
    np.testing.assert_array_equal(requests.shift, FURTHEST)
    np.testing.assert_array_equal(requests.emphasis, EMPHASES[1])


def test_scores_that_are_all_the_same_are_no_division_by_nothing() -> None:
    asked = np.random.default_rng(2).standard_normal((50, 14))
    requests = met(Requests(np.ones(14), np.zeros(14)), asked, np.full((50, 14), 0.5), FURTHEST)
    np.testing.assert_allclose(requests.emphasis, 3.0**PACE)
    np.testing.assert_array_equal(requests.shift, 0.0)
