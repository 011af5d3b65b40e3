"""Notes onto the grid of sixteenths: rounding, and what a roll cannot hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.roll import ROLL
from training.bars import STEPS_PER_WHOLE, Bars, Signature, bars_of
from training.corpus import DataError
from training.smf import Score

MIN_NOTES: Final = 50
MIN_STEPS: Final = 150
MAX_STEPS: Final = 60_000
MAX_ERROR: Final = 0.2
"""Mean distance to the grid, in steps, above which a file is not on it (0.25 would be chance)."""

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class GridPiece:
    """One piece on the grid; see :mod:`training.corpus` for the arrays.

    ``error``: mean distance of the notes' starts to their steps, in steps. ``dropped``: notes left out,
    counted by reason.
    """

    notes: npt.NDArray[np.int32]
    downbeats: npt.NDArray[np.int32]
    beats_per_bar: npt.NDArray[np.float32]
    steps: int
    error: float
    dropped: dict[str, int]

    def check(self, max_error: float = MAX_ERROR) -> None:
        """Raise :class:`DataError` if the piece is too short, too long, too empty, or not on the grid."""
        if len(self.notes) < MIN_NOTES:
            raise DataError(f"fewer than {MIN_NOTES} notes: {len(self.notes)}")
        if self.steps < MIN_STEPS:
            raise DataError(f"shorter than {MIN_STEPS} steps: {self.steps}")
        if self.steps > MAX_STEPS:
            raise DataError(f"longer than {MAX_STEPS} steps: {self.steps}")
        if self.error > max_error:
            raise DataError(f"not on the grid: mean error over {max_error} steps: {self.error:.3f}")


@dataclass(frozen=True)
class Rounded:
    """Notes on the grid, int64 (n, 4) of start, pitch, length, velocity, sorted by start and pitch.

    ``steps``: where the last one ends; ``error`` and ``dropped`` as in :class:`GridPiece`.
    """

    notes: Ints
    steps: int
    error: float
    dropped: dict[str, int] = field(default_factory=dict)

    def with_bars(self, bars: Bars) -> GridPiece:
        """The finished piece; bars that begin outside of it are left out."""
        downbeats = np.floor(bars.downbeats + 0.5).astype(np.int32)
        within = (downbeats >= 0) & (downbeats < self.steps)
        beats = bars.beats[within].astype(np.float32)
        return GridPiece(
            self.notes.astype(np.int32), downbeats[within], beats, self.steps, self.error, self.dropped
        )


def to_grid(starts: Floats, ends: Floats, pitches: Ints, velocities: Ints) -> Rounded:
    """Round notes to steps and make them what a roll can hold.

    ``starts``, ``ends``: float64 steps from the start of the piece. Every note lasts at least one step. Of
    notes that meet on one key and step the longest length and the greatest velocity stay; a note still
    held when its key is struck again ends there.
    """
    inside = (pitches >= ROLL.lowest) & (pitches <= ROLL.highest) & (starts >= -0.5)
    exact = starts[inside]
    step = np.floor(exact + 0.5).astype(np.int64)
    length = np.maximum(1, np.floor(ends[inside] + 0.5).astype(np.int64) - step)
    notes = _without_overlaps(np.stack([step, pitches[inside], length, velocities[inside]], axis=1))
    return Rounded(
        notes,
        steps=int((notes[:, 0] + notes[:, 2]).max(initial=0)),
        error=float(np.abs(exact - step).mean()) if len(step) else 0.0,
        dropped={"out of range": int((~inside).sum()), "same key and step": len(step) - len(notes)},
    )


def _without_overlaps(notes: Ints) -> Ints:
    """:func:`pianogan_bgm.notes.on_grid` for arrays (n, 4), velocities left as they are."""
    if not len(notes):
        return notes
    notes = notes[np.lexsort((notes[:, 0], notes[:, 1]))]
    where = np.flatnonzero(np.append(True, (np.diff(notes[:, :2], axis=0) != 0).any(axis=1)))
    merged = notes[where].copy()
    merged[:, 2:] = np.maximum.reduceat(notes[:, 2:], where, axis=0)
    same_key = merged[1:, 1] == merged[:-1, 1]
    room = merged[1:, 0] - merged[:-1, 0]
    merged[:-1, 2] = np.where(same_key, np.minimum(merged[:-1, 2], room), merged[:-1, 2])
    return merged[np.lexsort((merged[:, 1], merged[:, 0]))]


def beat_aligned(score: Score) -> GridPiece:
    """A file whose ticks follow the written beat, on the grid; bars from its time signatures."""
    ticks = score.ticks_per_beat / STEPS_PER_BEAT
    start, end, pitch, velocity = score.notes.T
    rounded = to_grid(start / ticks, end / ticks, pitch, velocity)
    rounded.dropped["drums"] = score.drums
    signatures = [
        Signature(tick / ticks, upper * STEPS_PER_WHOLE / lower)
        for tick, upper, lower in score.signatures
        if upper
    ]
    if not signatures or signatures[0].at > 0:
        signatures.insert(0, Signature(0.0, float(STEPS_PER_WHOLE)))
    return rounded.with_bars(bars_of(rounded.notes, signatures, rounded.steps))
