"""What is done to the piano's recordings before they are played: rumble taken out, the picture made steady.

Both work frame by frame on 16-bit PCM, with whole numbers where sums run on, so that the beginning of a
recording comes out the same however much of it is decoded.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Pcm16 = npt.NDArray[np.int16]

CROSS: Final = 0.25
"""Share of each side that is heard on the other: the microphones stood further apart than ears do."""
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


def without_rumble(pcm: Pcm16, width: int, frames: int) -> Pcm16:
    """The first ``frames`` frames of ``pcm``, int16 (n, 2), less its mean around each of them.

    The mean is that of means, over ``width`` frames each (a triangle): a high-pass of 12 dB an octave that
    moves nothing in time. ``pcm`` should reach ``width`` frames further; silence is taken beyond its end.
    """
    frames = min(frames, len(pcm))
    padded = np.zeros((frames + 2 * width, 2), dtype=np.int64)
    inside = pcm[: frames + width]
    padded[width : width + len(inside)] = inside
    sums = _sums(_sums(padded, width), width)[:frames]
    rise = np.minimum(np.arange(1, frames + 1), RISE)[:, None]
    scale = width * width * RISE
    mean = (2 * sums * rise + scale) // (2 * scale)
    return np.asarray(np.clip(pcm[:frames] - mean, -32768, 32767), dtype=np.int16)


def _sums(values: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.int64]:
    """Sums of every ``width`` neighbours."""
    running = np.zeros((len(values) + 1, 2), dtype=np.int64)
    np.cumsum(values, axis=0, out=running[1:])
    return running[width:] - running[:-width]


def placed(pcm: Pcm16, left: float, right: float) -> Pcm16:
    """``pcm``, int16 (n, 2), with its sides at these gains, and then partly exchanged (:data:`CROSS`).

    A gain below 0 turns a side round where the two were of opposite phase, which in mono would cancel.
    """
    own = pcm.astype(np.float32) * np.array([left, right], dtype=np.float32)
    mixed = own + own[:, ::-1] * np.float32(CROSS)
    return np.asarray(np.clip(np.rint(mixed), -32768, 32767), dtype=np.int16)
