"""Notes onto the grid of sixteenths: rounding, what a roll cannot hold, and the bars."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.roll import ROLL
from training.corpus import DataError
from training.smf import Score

MIN_NOTES: Final = 50
MIN_STEPS: Final = 150
MAX_STEPS: Final = 60_000
MAX_ERROR: Final = 0.2
"""Mean distance to the grid, in steps, above which a file is not on it (0.25 would be chance)."""

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bars:
    """``downbeats``: float64 steps, ascending. ``beats``: float64, length of each bar in quarter notes."""

    downbeats: Floats
    beats: Floats


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
    dropped: dict[str, int] = field(default_factory=dict)

    def check(self) -> None:
        """Raise :class:`DataError` if the piece is too short, too long, too empty, or not on the grid."""
        if len(self.notes) < MIN_NOTES:
            raise DataError(f"fewer than {MIN_NOTES} notes: {len(self.notes)}")
        if self.steps < MIN_STEPS:
            raise DataError(f"shorter than {MIN_STEPS} steps: {self.steps}")
        if self.steps > MAX_STEPS:
            raise DataError(f"longer than {MAX_STEPS} steps: {self.steps}")
        if self.error > MAX_ERROR:
            raise DataError(f"not on the grid: mean error over {MAX_ERROR} steps: {self.error:.3f}")


def to_grid(starts: Floats, ends: Floats, pitches: Floats, velocities: Floats, bars: Bars) -> GridPiece:
    """Round notes to steps and make them what a roll can hold.

    ``starts``, ``ends``: float64 steps from the start of the piece; the other two are whole MIDI numbers.
    Every note lasts at least one step. Of notes that meet on one key and step the longest length and the
    greatest velocity stay; a note still held when its key is struck again ends there.
    """
    inside = (pitches >= ROLL.lowest) & (pitches <= ROLL.highest) & (starts > -0.5)
    step = np.floor(starts[inside] + 0.5).astype(np.int64)
    length = np.maximum(1, np.floor(ends[inside] + 0.5).astype(np.int64) - step)
    error = float(np.abs(starts[inside] - step).mean()) if len(step) else 0.0
    notes = np.stack(
        [step, pitches[inside].astype(np.int64), length, velocities[inside].astype(np.int64)], axis=1
    )
    merged = _without_overlaps(notes)
    steps = int((merged[:, 0] + merged[:, 2]).max(initial=0))
    kept = np.floor(bars.downbeats + 0.5).astype(np.int32)
    within = (kept >= 0) & (kept < steps)
    dropped = {"out of range": int((~inside).sum()), "same key and step": len(notes) - len(merged)}
    return GridPiece(
        merged.astype(np.int32), kept[within], bars.beats[within].astype(np.float32), steps, error, dropped
    )


def _without_overlaps(notes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """:func:`pianogan_bgm.notes.on_grid` for arrays (n, 4), velocities left as they are."""
    if not len(notes):
        return notes
    notes = notes[np.lexsort((notes[:, 0], notes[:, 1]))]
    start, pitch = notes[:, 0], notes[:, 1]
    first = np.ones(len(notes), dtype=bool)
    first[1:] = (start[1:] != start[:-1]) | (pitch[1:] != pitch[:-1])
    where = np.flatnonzero(first)
    merged = notes[where].copy()
    merged[:, 2] = np.maximum.reduceat(notes[:, 2], where)
    merged[:, 3] = np.maximum.reduceat(notes[:, 3], where)
    same_key = merged[1:, 1] == merged[:-1, 1]
    room = merged[1:, 0] - merged[:-1, 0]
    merged[:-1, 2] = np.where(same_key, np.minimum(merged[:-1, 2], room), merged[:-1, 2])
    return merged[np.lexsort((merged[:, 1], merged[:, 0]))]


def beat_aligned(score: Score) -> GridPiece:
    """A file whose ticks follow the written beat, on the grid; bars from its time signatures."""
    ticks = score.ticks_per_beat / STEPS_PER_BEAT
    starts, ends, pitches, velocities = score.notes.T.astype(np.float64)
    bars = signature_bars(score, float(ends.max(initial=0)) / ticks)
    piece = to_grid(starts / ticks, ends / ticks, pitches, velocities, bars)
    piece.dropped["drums"] = score.drums
    return piece


def signature_bars(score: Score, end: float) -> Bars:
    """Bars of a score up to the step ``end``; a change of time signature always begins a bar."""
    ticks = score.ticks_per_beat / STEPS_PER_BEAT
    changes = [(tick / ticks, n * 4.0 / d) for tick, n, d in score.signatures if n > 0]
    if not changes or changes[0][0] > 0:
        changes.insert(0, (0.0, 4.0))
    downbeats: list[float] = []
    beats: list[float] = []
    for (at, bar), until in zip(changes, [at for at, _ in changes[1:]] + [end], strict=True):
        count = max(0, int(np.ceil((min(until, end) - at) / (bar * STEPS_PER_BEAT) - 1e-6)))
        downbeats += [at + index * bar * STEPS_PER_BEAT for index in range(count)]
        beats += [bar] * count
    return Bars(np.array(downbeats), np.array(beats))
