"""What the generator is judged by: relations between beats, two moves in one step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
keras = pytest.importorskip("keras", reason="needs the train extra")

from keras import ops  # noqa: E402  # after the checks that they are there

from training.gradients import GradientStep, Move  # noqa: E402
from training.relations import CHANNELS, LAGS, SURROUNDINGS, relations, repeats  # noqa: E402


def struck(pattern: list[list[int]]) -> Any:
    """Beats of keys struck on the beat, repeated to 75 beats: float32 (1, 75, 352)."""
    plane = np.zeros((1, 75, 4, 88), np.float32)
    for beat in range(75):
        plane[0, beat, 0, pattern[beat % len(pattern)]] = 1.0
    return plane.reshape(1, 75, 352)


def channel(kind: int, lag: int) -> int:
    return kind * len(LAGS) + LAGS.index(lag)


def test_a_bar_that_comes_back_is_seen_at_its_length_only() -> None:
    bar = struck([[40, 44, 47], [50], [38, 42], [52, 57]])
    seen = np.asarray(relations(bar, bar))
    assert seen.shape == (1, 75, CHANNELS)
    assert seen[0, 4:, channel(0, 4)].min() > 0.85
    assert seen[0, 6:, channel(0, 6)].max() < 0.1
    assert not seen[0, :4, channel(0, 4)].any()
    assert seen.min() >= 0.0
    assert seen.max() <= 1.0


def test_rhythm_and_harmony_come_back_at_other_pitches() -> None:
    octaves = struck([[40], [52]])
    seen = np.asarray(relations(octaves, octaves))[0, 8:]
    assert seen[:, channel(0, 1)].max() < 0.1
    assert seen[:, channel(1, 1)].min() > 0.85
    assert seen[:, channel(2, 1)].min() > 0.85


def test_few_pitch_classes_are_heard_as_few() -> None:
    narrow, wide = struck([[40], [52]]), struck([[40 + i] for i in range(12)])
    few, many = (np.asarray(relations(x, x))[0, 20:50, -len(SURROUNDINGS) :].mean() for x in (narrow, wide))
    assert few > 2 * many


def test_a_beat_repeats_those_that_are_the_same_in_every_cell() -> None:
    held, strikes = np.zeros((1, 75, 352), np.float32), np.zeros((1, 75, 352), np.float32)
    strikes[0, [3, 7, 11, 12], 40] = 1.0
    held[0, [3, 7, 12], 128] = held[0, [3, 7, 11, 12], 216] = 1.0
    held[0, [20, 21], 40] = 1.0  # nothing is struck
    found = np.asarray(repeats(ops.convert_to_tensor(strikes), ops.convert_to_tensor(held)))
    assert found.shape == (1, 75, 75)
    assert [tuple(pair) for pair in np.argwhere(found[0])] == [(7, 3), (12, 3), (12, 7)]


def test_where_only_strikes_count_a_beat_repeats_those_that_strike_the_same() -> None:
    strikes = np.zeros((1, 75, 352), np.float32)
    strikes[0, [3, 7, 12], 40] = strikes[0, 12, 41] = 1.0
    found = np.asarray(repeats(ops.convert_to_tensor(strikes)))
    assert [tuple(pair) for pair in np.argwhere(found[0])] == [(7, 3)]


def test_all_gradients_are_taken_before_anything_moves() -> None:
    first, second = (keras.Variable(np.float32(v)) for v in (2.0, 3.0))

    def give(x: Any) -> tuple[Any, dict[str, Any], tuple[Any]]:
        return first * second * ops.sum(x), {"first": first}, (10.0 * x,)

    def take(x: Any) -> tuple[Any, dict[str, Any]]:
        return first * second * ops.sum(x), {"second": second}

    moves = [Move(loss, [v], keras.optimizers.SGD(0.1)) for loss, v in ((give, first), (take, second))]
    logs = GradientStep(*moves, others=[first, second])(ops.convert_to_tensor(np.float32([1.0])))
    assert set(logs) == {"first", "second"}
    assert float(first) == pytest.approx(2.0 - 0.1 * 3.0)
    assert float(second) == pytest.approx(3.0 - 0.1 * 2.0 * 10.0)
