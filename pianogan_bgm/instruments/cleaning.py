"""What is done to the piano's recordings before they are played: rumble taken out, the picture made steady.

Both give each frame by itself, and sums that run on are of whole numbers, so that the beginning of a
recording comes out the same however much of it is decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

Pcm16 = npt.NDArray[np.int16]
Float = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]

CROSS: Final = 0.25
"""Share of each side that is heard on the other: the microphones stood further apart than ears do."""
HEADROOM: Final = 0.75
"""Level at which recordings are kept, so that a side that was made louder is not cut off."""
CELL: Final = 16
"""Frames taken together where only what is slow matters."""
RISE: Final = 16 * CELL
"""Frames over which the filter sets in, so that nothing jumps at the beginning."""
_LOWEST: Final = 55.0
_HIGHEST: Final = 165.0
PART: Final = 1024 * CELL
"""Frames that are worked on at a time."""
_RISING: Final = np.arange(1, RISE + 1, dtype=np.float32) / np.float32(RISE)
_PLACES: Final = ((np.arange(CELL) + 0.5) / CELL).astype(np.complex64)


def rumble_cells(key: int, rate: int) -> int:
    """Cells of the means that :func:`without_rumble` takes away from a recording of ``key``; odd.

    What is slower than about a period of them goes: for the lowest keys less than their fundamental, for
    middle and high ones a third of it, at most 165 Hz, so that the knock of the hammer stays.
    """
    pitch = float(440.0 * 2.0 ** ((key - 69) / 12))
    edge = max(min(_LOWEST, pitch), min(pitch / 3.0, _HIGHEST))
    return 2 * round(rate / edge / CELL / 2) + 1


def reach(cells: int) -> int:
    """Frames that :func:`without_rumble` looks ahead, and back; more than :data:`RISE`."""
    return (cells + 1) * CELL


def without_rumble(pcm: Pcm16, cells: int, frames: int, skip: int = 0) -> Iterator[Float]:
    """The first ``frames`` frames of ``pcm``, int16 (n, 2), less the mean around each; float32, in parts.

    Without the first ``skip`` of them, a multiple of :data:`CELL`: where ``pcm`` is a part from the middle of
    a recording, at least :func:`reach` frames that come before what is wanted.

    The mean is that of means, over ``cells`` cells each (a triangle), with straight lines between cells: a
    high-pass of 12 dB an octave that moves nothing in time. ``pcm`` should go on for :func:`reach` frames;
    silence is taken beyond its end. Parts are of :data:`PART` frames, which take little memory at a time.
    """
    frames = min(frames, len(pcm))
    edges = _edges(pcm, cells, -(-frames // CELL))
    for begin in range(skip, frames, PART):
        sound = pcm[begin : min(begin + PART, frames)].astype(np.float32)
        ends = edges[begin // CELL : -(-(begin + len(sound)) // CELL) + 1]
        lines = np.diff(ends, axis=0) * _PLACES
        lines += ends[:-1]
        slow = lines.view(np.float32).reshape(-1, 2)[: len(sound)]
        if begin < RISE:
            slow[: RISE - begin] *= _RISING[begin : begin + len(sound), None]
        sound -= slow
        yield sound


def _edges(pcm: Pcm16, cells: int, count: int) -> npt.NDArray[np.complex64]:
    """The mean at both ends of each of ``count`` cells, both sides as one complex number, (count + 1, 1)."""
    sums = np.zeros((count + 2 * cells, 2))
    known = pcm[: (count + cells) * CELL]
    for begin in range(0, len(known), PART):
        part = known[begin : begin + PART]
        sound = np.zeros((-(-len(part) // CELL) * CELL, 2), dtype=np.float32)
        sound[: len(part)] = part
        # sums of whole numbers below 2**24 are exact in any order
        cell_sums = sound.view(np.complex64).reshape(-1, CELL).sum(axis=1)
        first = cells + begin // CELL
        sums[first : first + len(cell_sums)] = cell_sums.view(np.float32).reshape(-1, 2)
    # from the cell before the first to the one after the last
    mean = _sums(_sums(sums, cells), cells) / (cells * cells * CELL)
    return (0.5 * (mean[:-1] + mean[1:])).astype(np.float32).view(np.complex64)


def _sums(values: Wide, width: int) -> Wide:
    """Sums of every ``width`` neighbours; of whole numbers below 2**53 in all, and so exact."""
    running = np.zeros((len(values) + 1, 2))
    np.cumsum(values, axis=0, out=running[1:])
    return running[width:] - running[:-width]


def placed(sound: Float, left: float, right: float) -> Pcm16:
    """``sound``, float32 (n, 2), with its sides at these gains and then partly exchanged: int16 (n, 2).

    Exchanged by :data:`CROSS`, and all at the level :data:`HEADROOM`. A gain below 0 turns a side round where
    the two were of opposite phase, which in mono would cancel.
    """
    own = [sound[:, side] * np.float32(HEADROOM * gain) for side, gain in enumerate((left, right))]
    out = np.empty(sound.shape, dtype=np.int16)
    for side in (0, 1):
        mixed = own[1 - side] * np.float32(CROSS)
        mixed += own[side]
        out[:, side] = np.clip(np.rint(mixed, out=mixed), -32768, 32767, out=mixed)
    return out
