from __future__ import annotations

import json

import numpy as np
import pytest

from pianogan_bgm.notes import Note
from pianogan_bgm.roll import encode_cells

pytest.importorskip("scipy", reason="needs the train extra")

from training.attributes import (  # after the check that it is there
    ATTRIBUTES,
    Attributes,
    Wanted,
    attributes,
)

MAJOR, MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 11)


def of(notes: list[Note], name: str, *, loudness: bool = False) -> float:
    table = attributes(encode_cells(notes)[None], loudness=loudness)
    assert table.shape == (1, len(ATTRIBUTES)) == (1, 14)
    return float(table[0, ATTRIBUTES.index(name)])


def scale(degrees: tuple[int, ...], every: int = 4, velocity: int = 80) -> list[Note]:
    starts = range(0, 288, every)
    return [Note(s, 60 + degrees[i % len(degrees)], every, velocity) for i, s in enumerate(starts)]


def accents(beats: int) -> list[Note]:
    """A chord on every first beat of a bar, single notes on the others."""
    notes = []
    for beat in range(75):
        chord = (60, 64, 67) if beat % beats == 0 else (72,)
        notes += [Note(4 * beat, pitch, 4, 80) for pitch in chord]
    return notes


def test_a_major_scale_is_more_major_than_a_minor_one() -> None:
    assert of(scale(MAJOR), "mode") > 0.0 > of(scale(MINOR), "mode")


def test_metre_tells_three_beats_from_four() -> None:
    assert of(accents(3), "metre") > 0.4
    assert of(accents(4), "metre") < -0.4


def test_contrast_is_the_loudness_where_there_is_one() -> None:
    assert of(scale(MAJOR, velocity=127), "contrast", loudness=True) == 1.0
    assert of(scale(MAJOR, velocity=20), "contrast", loudness=True) < 0.3
    assert of(scale(MAJOR, velocity=127), "contrast") == of(scale(MAJOR, velocity=20), "contrast")


@pytest.mark.parametrize(("name", "more", "less"), [("density", 2, 8), ("legato", 8, 2)])
def test_more_is_more(name: str, more: int, less: int) -> None:
    assert of(scale(MAJOR, more), name) > of(scale(MAJOR, less), name)


def windows(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pieces = []
    for _ in range(count):
        every, key = int(rng.integers(1, 9)), int(rng.integers(-12, 12))
        degrees = (MAJOR, MINOR)[rng.integers(2)]
        notes = [Note(n.start, n.pitch + key, n.length, n.velocity) for n in scale(degrees, every)]
        pieces.append(encode_cells([n for n in notes if rng.random() < 0.8]))
    return np.stack(pieces)


def test_scores_are_standard_normal_whatever_the_values_are() -> None:
    known = windows(600, 0)
    scores = Attributes.of([known[:300], known[300:]], loudness=False).scores(windows(600, 1))
    assert scores.shape == (600, 14)
    assert np.isfinite(scores).all()
    assert np.abs(scores.mean(axis=0)).max() < 0.2
    assert np.abs(scores.std(axis=0) - 1.0).max() < 0.1


def test_scores_keep_the_order_of_values_and_repeat_themselves() -> None:
    known, others = windows(300, 0), windows(40, 2)
    table = Attributes.of([known], loudness=False)
    scores = table.scores(others)
    density = attributes(others, loudness=False)[:, 0]
    low, high = density < np.median(density), density > np.median(density)
    assert scores[low, 0].max() < scores[high, 0].min()
    np.testing.assert_array_equal(scores, table.scores(others))


def test_latents_ask_for_scores_that_are_spread_and_go_together_as_known_ones() -> None:
    rng = np.random.default_rng(0)
    mixed = rng.standard_normal((20000, 3)) @ np.array([[1.0, 0.6, 0.0], [0.0, 0.8, 0.2], [0.0, 0.0, 0.5]])
    wanted = Wanted.of((mixed + np.array([0.5, 0.0, -1.0])).astype(np.float32))
    latents = rng.standard_normal((20000, 3))
    asked = wanted.scores(latents)
    np.testing.assert_allclose(asked.mean(axis=0), [0.5, 0.0, -1.0], atol=0.03)
    np.testing.assert_allclose(np.cov(asked, rowvar=False), np.cov(mixed, rowvar=False), atol=0.04)
    # each number stays with its attribute
    assert min(np.corrcoef(latents[:, i], asked[:, i])[0, 1] for i in range(3)) > 0.85


def test_what_is_wanted_survives_a_checkpoint() -> None:
    wanted = Wanted.of(np.random.default_rng(1).standard_normal((200, 14)).astype(np.float32))
    again = Wanted.from_table(json.loads(json.dumps(wanted.table())))
    np.testing.assert_allclose(again.root, wanted.root, atol=1e-3)
    np.testing.assert_allclose(again.centre, wanted.centre, atol=1e-3)
    np.testing.assert_array_equal(Wanted.from_table(again.table()).root, again.root)


def test_registers_wanted_are_those_written_not_those_that_transposing_makes() -> None:
    written = windows(300, 0)
    moved = np.stack([np.roll(roll, 12 if i % 2 else -12, axis=0) for i, roll in enumerate(written)])
    known = Attributes.of([moved], loudness=False)
    latents = np.random.default_rng(1).standard_normal((2000, 14))
    asked = [Wanted.of(known.scores(some)).scores(latents)[:, 1] for some in (written, moved)]
    assert np.std(asked[1]) == pytest.approx(1.0, abs=0.1)
    assert np.std(asked[0]) < 0.7


def test_a_summary_in_a_checkpoint_gives_nearly_the_same_scores() -> None:
    rng = np.random.default_rng(4)
    rolls = np.where(rng.random((200, 106, 300)) < rng.uniform(0.001, 0.02, (200, 1, 1)), 230, 0)
    known = Attributes.of([rolls.astype(np.uint8)], loudness=False)
    again = Attributes.from_summary(json.loads(json.dumps(known.summary())))
    some = rolls[:50].astype(np.uint8)
    np.testing.assert_allclose(again.scores(some), known.scores(some), atol=0.1)


def test_scores_by_a_summary_are_spread_as_those_by_all_that_is_known() -> None:
    rng = np.random.default_rng(5)
    table = rng.standard_normal((4000, 14))
    known = Attributes(table, loudness=False)
    again = Attributes.from_summary(known.summary())
    draws = (one._of(rng.standard_normal((4000, 14)), np.random.default_rng(6)) for one in (known, again))
    for spread in (np.std(scores, axis=0) for scores in draws):
        np.testing.assert_allclose(spread, 1.0, atol=0.03)
