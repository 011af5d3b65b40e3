"""What is done to the piano's recordings before they are played: rumble taken out, the picture made steady.

Both give each frame by itself, and sums that run on are of whole numbers, so that the beginning of a
recording comes out the same however much of it is decoded.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Pcm16 = npt.NDArray[np.int16]
Sides = npt.NDArray[np.float32]
Wide = npt.NDArray[np.float64]

CROSS: Final = 0.25
"""Share of each side that is heard on the other: the microphones stood further apart than ears do."""
HEADROOM: Final = 0.75
"""Level at which recordings are kept, so that a side that was made louder is not cut off."""
RISE: Final = 256
"""Frames over which the filter sets in, so that nothing jumps at the beginning."""
_LOWEST: Final = 55.0
_HIGHEST: Final = 165.0


def rumble_width(key: int, rate: int) -> int:
    """Frames of the means that :func:`without_rumble` takes away from a recording of ``key``; odd.

    What is slower than about a period of them goes: for the lowest keys less than their fundamental, for
    middle and high ones a third of it, at most 165 Hz, so that the knock of the hammer stays.
    """
    pitch = float(440.0 * 2.0 ** ((key - 69) / 12))
    edge = max(min(_LOWEST, pitch), min(pitch / 3.0, _HIGHEST))
    return 2 * round(rate / edge / 2) + 1


def without_rumble(pcm: Pcm16, width: int, frames: int) -> Sides:
    """The first ``frames`` frames of ``pcm``, int16 (n, 2), less the mean around each; (2, frames) float32.

    The mean is that of means, over ``width`` frames each (a triangle): a high-pass of 12 dB an octave that
    moves nothing in time. ``pcm`` should reach ``width`` frames further; silence is taken beyond its end.
    """
    frames = min(frames, len(pcm))
    padded = np.zeros((2, frames + 2 * width))
    inside = pcm[: frames + width]
    padded[:, width : width + len(inside)] = inside.T
    mean = _sums(_sums(padded, width), width)[:, :frames]
    mean *= 1.0 / (width * width)
    mean[:, :RISE] *= (np.arange(1, RISE + 1) / RISE)[:frames]
    return np.asarray(padded[:, width : width + frames] - mean, dtype=np.float32)


def _sums(values: Wide, width: int) -> Wide:
    """Sums of every ``width`` neighbours; of whole numbers below 2**53 in all, and so exact."""
    running = np.zeros((2, values.shape[1] + 1))
    np.cumsum(values, axis=1, out=running[:, 1:])
    return running[:, width:] - running[:, :-width]


def placed(sides: Sides, left: float, right: float) -> Pcm16:
    """``sides``, float32 (2, n), at these gains and then partly exchanged (:data:`CROSS`): int16 (n, 2).

    All at the level :data:`HEADROOM`.
    A gain below 0 turns a side round where the two were of opposite phase, which in mono would cancel.
    """
    own = sides * np.array([[HEADROOM * left], [HEADROOM * right]], dtype=np.float32)
    mixed = own + own[::-1] * np.float32(CROSS)
    return np.ascontiguousarray(np.clip(np.rint(mixed), -32768, 32767).astype(np.int16).T)
