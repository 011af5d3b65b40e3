"""Pitch and rate of recordings, by windowed-sinc interpolation.

Output frame n depends on the source around ``n * step`` and on nothing else, whatever is asked for at once:
a longer result begins with exactly the samples of a shorter one.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm.turns import in_turns

Pcm16 = npt.NDArray[np.int16]

HALF_WIDTH: Final = 7
"""Zero crossings of the kernel to either side."""
PHASES: Final = 2048
CUTOFF: Final = 0.92
KAISER_BETA: Final = 7.0
CHUNK: Final = 8192
MAX_STEP: Final = 32.0
"""Largest step to ask for, five octaves up: the kernel, and what is read of the source, grow with it."""


def source_frames(frames: int, step: float) -> int:
    """How many source frames ``frames`` frames of output look at."""
    return frames if step == 1.0 else math.ceil(frames * step) + _half(step) + 1


def source_begin(begin: int, step: float) -> int:
    """The first source frame that output from frame ``begin`` on looks at."""
    return begin if step == 1.0 else max(0, int(begin * step) + 1 - _half(step))


def resample(source: Pcm16, step: float, frames: int, begin: int = 0, origin: int = 0) -> Pcm16:
    """Frames ``begin`` to ``frames`` of ``source``, read ``step`` source frames at a time.

    ``source``: int16 (n, 2), without its first ``origin`` frames, at most :func:`source_begin` of them.
    ``step`` above 1 raises the pitch or lowers the rate. Silence is read before and after ``source``; the
    result, (frames − begin, 2), is shorter only where ``step`` is 1 and the source ends.
    """
    if step == 1.0:
        return np.ascontiguousarray(source[begin - origin : frames - origin])
    half = _half(step)
    kernel = _kernel(step)
    result = np.empty((frames - begin, 2), dtype=np.int16)
    for at in range(begin, frames, CHUNK):
        position = np.arange(at, min(at + CHUNK, frames)) * step
        whole = position.astype(np.intp)
        phase = ((position - whole) * PHASES).astype(np.intp)
        first = int(whole[0]) + 1 - half
        around = _stretch(source, first - origin, int(whole[-1]) + half + 1 - origin)
        whole -= first + half
        total, part = np.zeros((2, len(position)), dtype=np.complex64)
        weight = np.empty(len(position), dtype=np.float32)
        for weights in in_turns(kernel):
            whole += 1
            around.take(whole, out=part, mode="clip")  # never out of range; this mode needs no copy
            weights.take(phase, out=weight, mode="clip")
            part *= weight
            total += part
        values = np.rint(total.view(np.float32).reshape(-1, 2))
        result[at - begin : at - begin + len(position)] = np.clip(values, -32768, 32767)
    return result


def _stretch(source: Pcm16, begin: int, end: int) -> npt.NDArray[np.complex64]:
    """Frames ``begin`` to ``end`` of ``source``, silence beyond its ends; left and right as one number.

    So each tap costs one gather and one product for both.
    """
    stretch = np.zeros(end - begin, dtype=np.complex64)
    there = source[max(begin, 0) : max(end, 0)]
    skipped = max(-begin, 0)
    stretch.view(np.float32).reshape(-1, 2)[skipped : skipped + len(there)] = there
    return stretch


def _half(step: float) -> int:
    return math.ceil(HALF_WIDTH * max(1.0, step))


@lru_cache(maxsize=64)
def _kernel(step: float) -> npt.NDArray[np.float32]:
    """Weights (2 * half, PHASES): tap k at phase p sits ``k + 1 - half - (p + 0.5) / PHASES`` frames away."""
    half = _half(step)
    cutoff = CUTOFF * min(1.0, 1.0 / step)
    distance = np.arange(1 - half, half + 1)[:, None] - (np.arange(PHASES) + 0.5) / PHASES
    window = np.i0(KAISER_BETA * np.sqrt(np.maximum(0.0, 1.0 - (distance / half) ** 2))) / np.i0(KAISER_BETA)
    weights = cutoff * np.sinc(cutoff * distance) * window
    return np.asarray(weights / weights.sum(axis=0), dtype=np.float32)
