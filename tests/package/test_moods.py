"""Moods differ plainly in the shipped atlases, by the figures of benchmarks/moods.py."""

from __future__ import annotations

import runpy
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pianogan_bgm.atlas import FEATURES, Atlas, load_atlas
from pianogan_bgm.scenes import MOODS

CHECKOUT = Path(__file__).parents[2]
PROGRAM = CHECKOUT / "benchmarks" / "moods.py"
MODELS = ["open", str(CHECKOUT / "models" / "maestro" / "pianogan_bgm_maestro" / "maestro.onnx")]
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="needs the checkout")


@pytest.fixture(scope="module")
def moods() -> Any:
    return runpy.run_path(str(PROGRAM))


def test_effect_sizes_of_sets_that_are_known(moods: Any) -> None:
    low, high = np.array([0.0, 1.0, 2.0]), np.array([2.0, 3.0, 4.0])
    assert moods["cohens_d"](high, low) == pytest.approx(2.0)
    assert moods["cohens_d"](low, high) == pytest.approx(-2.0)
    assert moods["cohens_d"](low * 0, low * 0) == 0.0
    assert moods["auc"](high, low) == pytest.approx(8.5 / 9)
    assert moods["auc"](low, high) == pytest.approx(0.5 / 9)
    assert moods["auc"](low, low) == 0.5


def test_what_a_mood_plays_is_the_better_half_of_what_suits_it(moods: Any) -> None:
    atlas = Atlas.of(((n, (float(n),) * len(FEATURES)) for n in range(100)), range(100))
    mine, rest = moods["parts"](atlas, "calm")
    assert (len(mine), len(rest)) == (6, 94)
    assert set(mine[:, 0]) == set(map(float, atlas.better("calm")))


@pytest.mark.parametrize("model", MODELS, ids=["open", "maestro"])
def test_each_mood_has_a_large_effect_on_each_of_its_first_wishes(moods: Any, model: str) -> None:
    atlas = load_atlas(model)
    assert len(atlas.quality) >= 4096
    for name, mood in MOODS.items():
        mine, rest = moods["parts"](atlas, name)
        feature, goal, _ = max(mood.wants, key=lambda want: want[2])
        column = FEATURES.index(feature)
        assert moods["cohens_d"](mine[:, column], rest[:, column]) * np.sign(goal) > 0.8, name


@pytest.mark.parametrize("model", MODELS, ids=["open", "maestro"])
def test_any_two_moods_are_told_apart_by_some_feature(moods: Any, model: str) -> None:
    atlas = load_atlas(model)
    found = {
        name: moods["heard"](moods["parts"](atlas, name)[0], mood, 120.0) for name, mood in MOODS.items()
    }
    for one, two in combinations(MOODS, 2):
        aucs = [moods["auc"](found[one][feature], found[two][feature]) for feature in moods["HEARD"]]
        assert max(max(auc, 1 - auc) for auc in aucs) > 0.75, (one, two)


def test_the_tables_name_every_mood(moods: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert moods["main"]([]) == 0
    said = capsys.readouterr().out
    for name in MOODS:
        assert sum(line.startswith(f"{name} ") for line in said.splitlines()) == 2
