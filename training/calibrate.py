"""What is measured of a trained model and set, so that its pieces are spread as its data are.

*Thresholds* of the decision layer, so that a model strikes and holds as much as its data.

A soft decoder hedges between places a note might stand. Two biases, found by bisection in turns, make the
number of notes and the number of sounding cells the data's: one on strikes, one on holding what was struck.
A third threshold makes the number of steps in which something is struck the data's: where it is plain that,
but not what, the likeliest is. A bias for each key, matched to the rates of each register, was tried first
and is worse: it forces notes into cells that the network knows to be silent (docs/experiments.md).

*Requests*: of a latent's scores, what the composer is told, so that its pieces have scores like real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm.roll import ROLL, SOUNDING_BYTE, STRUCK_BYTE, Cells
from training.studio import KEYS, NEVER, Thresholds, struck_cells

LIMIT: Final = 3.0
HALVINGS: Final = 10
ROUNDS: Final = 5
PACE: Final = 0.6
"""How far a turn goes towards what would be right if the composer did just as it is told."""
FOLLOWED: Final = 0.5
"""A request that pieces correlate with less than this is made louder, however they are spread."""
EMPHASES: Final = (0.6, 5.0)
"""Range of what requests are multiplied with: far out, nothing real has taught them."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Notes, sounding cells and steps in which something is struck, of a piece, on average."""

    notes: float
    sounding: float
    onsets: float

    @classmethod
    def of(cls, cells: Cells) -> Amounts:
        """Of real music, codec bytes ``(n, 106, 300)``; a held first column is a note of its own."""
        keys = cells[:, :KEYS]
        cut = (keys[:, :, 0] >= SOUNDING_BYTE) & (keys[:, :, 0] < STRUCK_BYTE)
        struck = keys >= STRUCK_BYTE
        counts = (struck.sum() + cut.sum(), (keys >= SOUNDING_BYTE).sum(), struck.any(axis=1).sum())
        return cls(*(float(count / len(cells)) for count in counts))

    def table(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


def calibrated(odds: npt.NDArray[Any], wanted: Amounts) -> Thresholds:
    """Thresholds (biases within ±3) at which log-odds ``(n, 75, 2, 352)`` decode to ``wanted`` amounts."""
    held = np.ascontiguousarray(odds[:, :, 0], np.float32).reshape(-1, ROLL.steps, KEYS)
    struck = np.ascontiguousarray(odds[:, :, 1], np.float32).reshape(-1, ROLL.steps, KEYS)
    strike = hold = 0.0
    least = NEVER
    for turn in range(2 * ROUNDS + 1):
        if turn % 2:
            hold = _bisect(partial(_sounding, held, struck, strike, least), wanted.sounding * len(held))
        else:
            least = _least(_margins(held, struck, strike, hold), round(wanted.onsets * len(held)))
            strike = _bisect(partial(_notes, held, struck, hold, least), wanted.notes * len(held))
    return Thresholds(strike, hold, least)


@dataclass(frozen=True, slots=True)
class Requests:
    """What the scores of a latent are multiplied with, and what is added, before a composer is told them."""

    emphasis: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]


def met(requests: Requests, asked: npt.NDArray[Any], got: npt.NDArray[Any], furthest: float) -> Requests:
    """Requests that are met better: one turn of a measurement that takes a few.

    ``asked``: scores of latents, ``(n, 14)``. ``got``: the scores of the pieces that were made of them with
    ``requests``. Where the two have little to do with each other, what comes is spread by other causes: then
    asking is made louder, whatever the spread, and nothing is moved further than they correlate, nor
    altogether further than ``furthest``.
    """
    centred = [scores - scores.mean(axis=0) for scores in (asked, got)]
    spreads = [np.maximum(scores.std(axis=0), 1e-3) for scores in (asked, got)]
    related = (centred[0] * centred[1]).mean(axis=0) / (spreads[0] * spreads[1])
    pace = PACE * np.clip(related, 0.0, 1.0)
    louder = (FOLLOWED / np.maximum(related, FOLLOWED / 3.0)) ** PACE
    wider = (spreads[0] / spreads[1]) ** pace
    emphasis = requests.emphasis * np.where(related < FOLLOWED, np.maximum(wider, louder), wider)
    shift = requests.shift - pace * (got.mean(axis=0) - asked.mean(axis=0))
    return Requests(np.clip(emphasis, *EMPHASES), np.clip(shift, -furthest, furthest))


def _bisect(count: Callable[[float], int], wanted: float) -> float:
    low, high = -LIMIT, LIMIT
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if count(middle) > wanted else (middle, high)
    return (low + high) / 2


def _least(margins: npt.NDArray[Any], onsets: int) -> float:
    """The threshold at which something is struck in ``onsets`` steps of all."""
    plain = (margins > 0.0).any(axis=-1)
    sums = np.sort(np.exp(margins[~plain]).sum(axis=-1))
    more = onsets - int(plain.sum())
    return NEVER if more <= 0 or more >= len(sums) else float(sums[-more - 1])


def _margins(held: Any, struck: Any, strike: float, hold: float) -> npt.NDArray[Any]:
    return np.asarray(struck + strike - np.maximum(held + hold, 0.0))


def _notes(held: Any, struck: Any, hold: float, least: float, strike: float) -> int:
    return int(_strikes(held, struck, strike, hold, least).sum())


def _strikes(held: Any, struck: Any, strike: float, hold: float, least: float) -> npt.NDArray[np.bool_]:
    return np.asarray(struck_cells(_margins(held, struck, strike, hold), least, np))


def _sounding(held: Any, struck: Any, strike: float, least: float, hold: float) -> int:
    """Sounding cells as :class:`training.studio.Decision` makes them."""
    strikes, holds = _strikes(held, struck, strike, hold, least), held + hold > 0.0
    now = np.zeros_like(strikes[:, 0])
    total = 0
    for step in range(ROLL.steps):
        now = strikes[:, step] | (now & holds[:, step])
        total += int(now.sum())
    return total
