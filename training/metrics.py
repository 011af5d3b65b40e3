"""Measures of how close generated rolls come to real ones. Higher is closer, except for the AUC.

The protocol's constants stand here and are fixed before any model is measured:

- *Overlapped area* (Yang & Lerch 2020): the area under both densities of one feature, averaged over the
  features. Densities are histograms of 15 common bins over the pooled 0.5 to 99.5 % range, the outer bins
  open; a feature of at most 15 whole values gets one bin a value.
- *Density and coverage* (Naeem et al. 2020), 5 neighbours, on features standardised by the real set. Coverage
  grows with the number of generated rolls: compare equal numbers only.
- *Two-sample AUC*: how well a random forest tells the sets apart by the same features, five-fold
  cross-validated with classes of equal size. 0.5 is "not at all", 1.0 "always".
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pianogan_bgm.roll import Cells
from training.features import FEATURES, Floats, features

BINS: Final = 15
POOLED_RANGE: Final = (0.005, 0.995)
NEIGHBOURS: Final = 5
TREES: Final = 200
FOLDS: Final = 5


def overlapped_area(real: Floats, generated: Floats) -> float:
    """Area under both densities of one feature, 0 (apart) to 1 (alike). Both ``(n,)``, at least one value."""
    pooled = np.concatenate([real, generated])
    values = np.unique(pooled)
    if len(values) <= BINS and np.array_equal(values, np.round(values)):
        inner = values[:-1] + 0.5
    else:
        low, high = np.quantile(pooled, POOLED_RANGE)
        inner = np.linspace(low, high, BINS + 1)[1:-1]
    shares = [
        np.bincount(np.searchsorted(inner, side, "right"), minlength=len(inner) + 1) / len(side)
        for side in (real, generated)
    ]
    return float(np.minimum(*shares).sum())


def overlapped_areas(real: Floats, generated: Floats) -> dict[str, float]:
    """:func:`overlapped_area` of each feature, by name. Both ``(n, 27)`` as :func:`features` gives them."""
    return {
        name: overlapped_area(real[:, column], generated[:, column]) for column, name in enumerate(FEATURES)
    }


def density_coverage(real: Floats, generated: Floats, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """Density (0 up, about 1 is ideal) and coverage (0 to 1) of ``(n, 27)`` tables, Naeem et al. 2020.

    A real roll's ball reaches to its ``neighbours``-th nearest real one. Density: how many balls a generated
    roll lies in, over ``neighbours``. Coverage: share of balls that hold a generated roll.
    """
    from scipy.spatial.distance import cdist

    scale = real.std(axis=0)
    # a feature that never varies in the real set still has to count when the generated set varies it
    scale[scale < 1e-9] = 1.0
    real, generated = ((side - real.mean(axis=0)) / scale for side in (real, generated))
    neighbours = min(neighbours, len(real) - 1)
    # column 0 after sorting is the roll itself
    radius = np.partition(cdist(real, real), neighbours, axis=1)[:, neighbours]
    inside = cdist(real, generated) <= radius[:, None]
    return float(inside.sum() / (neighbours * len(generated))), float(inside.any(axis=1).mean())


def classifier_auc(real: Floats, generated: Floats, seed: int = 0, trees: int = TREES) -> float:
    """Area under the ROC curve of a forest that tells real from generated ``(n, 27)`` tables.

    The larger set is thinned at random to the smaller one's size. Every roll is judged by a forest that did
    not see it. Below 0.5 means chance, too.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    rng = np.random.default_rng(seed)
    size = min(len(real), len(generated))
    sides = [side[rng.choice(len(side), size, replace=False)] for side in (real, generated)]
    label = np.repeat([0, 1], size)
    forest = RandomForestClassifier(trees, random_state=seed, n_jobs=1)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    guess = cross_val_predict(forest, np.concatenate(sides), label, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(label, guess))


def validation_score(generated: Cells, real: Cells) -> dict[str, float]:
    """The cheap measures, to choose checkpoints by on the validation split: about a second for 400 and 400.

    Both uint8 ``(n, 106, steps)``. Keys: ``overlapped_area``, ``density``, ``coverage`` and ``notes_ratio``
    (median note count over the real one: what thresholds are calibrated by).
    """
    table, truth = features(generated), features(real)
    density, coverage = density_coverage(truth, table)
    notes = list(FEATURES).index("notes")
    return {
        "overlapped_area": float(np.mean(list(overlapped_areas(truth, table).values()))),
        "density": density,
        "coverage": coverage,
        "notes_ratio": float(np.median(table[:, notes]) / max(np.median(truth[:, notes]), 1.0)),
    }
