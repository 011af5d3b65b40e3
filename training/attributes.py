"""What the fourteen numbers of a latent mean: musical attributes of a piece, made standard normal.

Each attribute of the training windows is replaced by its normal score (the normal quantile of its rank), so
that every one is standard normal whatever its own distribution is. Attributes go together (dense pieces have
short notes), and training transposes, which spreads registers further than composers did. So what a latent
asks for is spread as the scores of windows that nobody transposed (:class:`Wanted`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pianogan_bgm.notes import STEPS_PER_BEAT, VELOCITY_LEVELS
from pianogan_bgm.roll import STRUCK_BYTE, Cells
from training.features import FEATURES, Batch, Floats

Scores: TypeAlias = npt.NDArray[np.float32]

ATTRIBUTES: Final = (
    "density",
    "register",
    "range",
    "mode",
    "motion",
    "syncopation",
    "polyphony",
    "legato",
    "consonance",
    "regularity",
    "repetition",
    "leaps",
    "contrast",
    "metre",
)
"""In the order of the latent's numbers; more of each with a greater number."""

QUANTILES: Final = 257
"""Values that stand for an attribute's distribution in a checkpoint."""
OUTERMOST: Final = 1e-4
"""Rank of a value beyond all quantiles."""

_FROM_FEATURES: Final = {
    "density": "notes",
    "register": "mean pitch",
    "range": "pitch range",
    "motion": "sixteenth share",
    "syncopation": "off-beat share",
    "polyphony": "polyphony",
    "legato": "duration, mean",
    "consonance": "scale consistency",
    "regularity": "groove consistency",
    "repetition": "bar recurrence",
    "leaps": "top-line leap",
}
PROFILES: Final = (
    (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
)
"""How well each pitch class, from the tonic up, fits its major and its minor key: probe-tone ratings of
Krumhansl & Kessler 1982."""


def attributes(cells: Cells, *, loudness: bool) -> Floats:
    """The attributes of each roll, float64 ``(n, 14)``, in their own units.

    ``cells``: uint8 ``(n, 106, 300)``. "mode" is the best correlation of the pitch classes with a major key
    less that with a minor one, "contrast" the spread of notes a bar or, with ``loudness``, the mean loudness,
    "metre" how much more alike onsets are three beats apart than four. The others are features of
    :mod:`training.features`.
    """
    rows = [_attributes(cells[first : first + 64], loudness) for first in range(0, len(cells), 64)]
    return np.concatenate(rows)


def _attributes(cells: Cells, loudness: bool) -> Floats:
    batch = Batch(cells)
    found = {name: FEATURES[feature](batch) for name, feature in _FROM_FEATURES.items()}
    found["mode"] = _mode(batch)
    found["metre"] = _alike(batch, 3) - _alike(batch, 4)
    found["contrast"] = _loudness(cells) if loudness else FEATURES["notes per bar, sd"](batch)
    return np.stack([found[name] for name in ATTRIBUTES], axis=1)


def _mode(batch: Batch) -> Floats:
    """Best correlation with a major key less the best with a minor one."""
    counts = batch.pitch_classes - batch.pitch_classes.mean(axis=1, keepdims=True)
    counts = counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-12)
    major, minor = ((counts @ keys / length).max(axis=1) for keys, length in key_profiles())
    return np.asarray(major - minor)


def key_profiles() -> Iterator[tuple[Floats, float]]:
    """How pitch classes fit the twelve major keys, then the twelve minor ones, and the length of each column.

    Float64 ``(12, 12)``, by pitch class and tonic; each column has the mean 0.
    """
    for profile in PROFILES:
        centred = np.array(profile) - np.mean(profile)
        yield (
            np.stack([np.roll(centred, tonic) for tonic in range(12)], axis=1),
            float(np.linalg.norm(centred)),
        )


def _alike(batch: Batch, beats: int) -> Floats:
    """Correlation of the notes struck in each step with those some beats later."""
    lag = beats * STEPS_PER_BEAT
    early, late = batch.onsets[:, :-lag].astype(np.float64), batch.onsets[:, lag:].astype(np.float64)
    early, late = (side - side.mean(axis=1, keepdims=True) for side in (early, late))
    size = np.linalg.norm(early, axis=1) * np.linalg.norm(late, axis=1)
    return np.asarray((early * late).sum(axis=1) / np.maximum(size, 1e-12))


def _loudness(cells: Cells) -> Floats:
    struck = cells >= STRUCK_BYTE
    levels = np.where(struck, cells.astype(np.float64) - STRUCK_BYTE, 0.0).sum(axis=(1, 2))
    return np.asarray(levels / np.maximum(struck.sum(axis=(1, 2)), 1) / (VELOCITY_LEVELS - 1))


class Attributes:
    """How the attributes of known pieces are distributed, so that others get scores."""

    def __init__(self, table: Floats, *, loudness: bool, quantiles: bool = False) -> None:
        """``table``: of known pieces, ``(n, 14)``, or only quantiles of theirs, at even distances."""
        self._sorted = np.sort(table, axis=0)
        self._loudness = loudness
        self._quantiles = quantiles

    @classmethod
    def of(cls, batches: Iterable[Cells], *, loudness: bool) -> Attributes:
        """Of the rolls in ``batches``, each uint8 ``(n, 106, 300)``."""
        tables = [attributes(cells, loudness=loudness) for cells in batches]
        return cls(np.concatenate(tables), loudness=loudness)

    def scores(self, cells: Cells) -> Scores:
        """Normal scores of rolls by where their values stand among the known ones', float32 ``(n, 14)``.

        A value that several known pieces have stands anywhere among them; where is fixed by the rolls given.
        """
        rng = np.random.default_rng(int(cells.sum(dtype=np.int64)))
        return self._of(attributes(cells, loudness=self._loudness), rng)

    def spread(self, name: str) -> tuple[float, float]:
        """Mean and standard deviation of the attribute ``name``, in its own unit."""
        column = self._sorted[:, ATTRIBUTES.index(name)]
        return float(column.mean()), float(column.std())

    def summary(self) -> dict[str, Any]:
        """For JSON: what :meth:`from_summary` needs to give (nearly) the same scores."""
        count = min(QUANTILES, len(self._sorted))
        places = np.linspace(0, len(self._sorted) - 1, count).round().astype(int)
        return {"quantiles": self._sorted[places].tolist(), "loudness": self._loudness}

    @classmethod
    def from_summary(cls, summary: Mapping[str, Any]) -> Attributes:
        """Attributes that know a distribution by its quantiles."""
        table = np.asarray(summary["quantiles"], np.float64)
        return cls(table, loudness=bool(summary["loudness"]), quantiles=True)

    def _of(self, table: Floats, rng: np.random.Generator) -> Scores:
        from scipy.special import ndtri

        low, high = (
            np.stack(
                [
                    np.searchsorted(column, values, side)
                    for column, values in zip(self._sorted.T, table.T, strict=True)
                ],
                axis=1,
            )
            for side in ("left", "right")
        )
        count, among = len(self._sorted), rng.random(table.shape)
        ranks = (low + (high - low) * among + 0.5) / (count + 1)
        if self._quantiles:  # what lies between two of them may stand anywhere there
            between = np.clip((low - 1 + among) / (count - 1), OUTERMOST, 1.0 - OUTERMOST)
            ranks = np.where(high > low, ranks, between)
        return np.asarray(ndtri(ranks), dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """How scores are to be spread: ``latent @ root + centre``.

    ``root``: float32 ``(14, 14)``. ``centre``: float32 ``(14,)``.
    """

    root: Scores
    centre: Scores

    @classmethod
    def of(cls, scores: Scores) -> Wanted:
        """As ``scores``, ``(n, 14)``, are: their means, deviations ``s`` and correlations ``R``.

        The root is ``R^(1/2) s``: of all that would do, with it each number stays nearest to its attribute
        (Kessy et al. 2018, "ZCA-cor").
        """
        known = scores.astype(np.float64)
        values, vectors = np.linalg.eigh(np.corrcoef(known, rowvar=False))
        root = (vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T) * known.std(axis=0)
        return cls(root.astype(np.float32), known.mean(axis=0).astype(np.float32))

    @classmethod
    def plain(cls) -> Wanted:
        """Independent standard normal scores: each is a number of the latent."""
        return cls(np.eye(len(ATTRIBUTES), dtype=np.float32), np.zeros(len(ATTRIBUTES), np.float32))

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Wanted:
        """What :meth:`table` gave, in float16, which a model file holds exactly."""
        root, centre = (np.asarray(table[part], np.float16).astype(np.float32) for part in ("root", "centre"))
        return cls(root, centre)

    def table(self) -> dict[str, Any]:
        """For JSON."""
        return {"root": self.root.tolist(), "centre": self.centre.tolist()}

    def scores(self, latents: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What latents ``(n, 14)`` ask for, ``(n, 14)``."""
        return latents @ self.root + self.centre
