"""The threshold of the decision layer, so that a model strikes as many notes as its data.

A soft decoder hedges between places a note might stand. One bias on all strikes, found by bisection, makes
the mean number of notes a piece equal to the data's. A bias for each key and for holding, matched to the
rates of each register, was tried first and is worse: it forces notes into cells that the network knows to be
silent (docs/experiments.md).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm.roll import ROLL, SOUNDING_BYTE, STRUCK_BYTE, Cells
from training.studio import KEYS

LIMIT: Final = 2.0
HALVINGS: Final = 12


def mean_notes(cells: Cells) -> float:
    """Notes a piece of real music, codec bytes ``(n, 106, 300)``; a held first column is one."""
    keys = cells[:, :KEYS]
    cut = (keys[:, :, 0] >= SOUNDING_BYTE) & (keys[:, :, 0] < STRUCK_BYTE)
    return float(((keys >= STRUCK_BYTE).sum() + cut.sum()) / len(cells))


def strike_bias(odds: npt.NDArray[Any], notes: float) -> float:
    """The bias, within ±2, at which log-odds ``(n, 75, 2, 352)`` decode to ``notes`` notes a piece."""
    held = np.asarray(odds[:, :, 0], np.float32).reshape(-1, ROLL.steps, KEYS)
    struck = np.asarray(odds[:, :, 1], np.float32).reshape(-1, ROLL.steps, KEYS)
    margin = struck - np.maximum(held, 0.0)
    low, high = -LIMIT, LIMIT
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _count(margin + middle > 0.0, held > 0.0) > notes * len(held):
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _count(strikes: npt.NDArray[np.bool_], holds: npt.NDArray[np.bool_]) -> int:
    """Notes as :class:`training.studio.Decision` makes them: strikes, and holds after silence."""
    sounding = strikes | holds
    orphans = sounding & ~strikes
    orphans[:, 1:] &= ~sounding[:, :-1]
    return int(strikes.sum() + orphans.sum())
