"""Soft musical summaries of a piece, differentiable, for a critic that listens to the whole.

Each is a plain statistic that a musician would name (density, polyphony, register, how much of a bar comes
back, how far the top voice leaps), computed on probabilities instead of notes. They are not the measures of
:mod:`training.features`, which are taken on decoded notes of finished models.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from keras import ops

from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.roll import ROLL
from training.relations import LAGS, cosines
from training.studio import BEATS, KEYS

BANDS: Final = 11
SEGMENTS: Final = 5
GROOVE_LAGS: Final = (1, 2, 3, 4, 8)
STRETCH: Final = 4
"""Beats that come back together."""
SUMMARIES: Final = 4 + SEGMENTS + len(GROOVE_LAGS) + 4 + BANDS + 2 + 2 + 12 + 2 * (len(LAGS) + 2) + 3 + 8
_SMALL: Final = 1e-4
_LOWEST_CLASS: Final = ROLL.lowest % 12


def _folding() -> Any:
    """Float32 ``(88, 12)``: a one where a key has a pitch class."""
    fold = np.zeros((KEYS, 12), np.float32)
    fold[np.arange(KEYS), (np.arange(KEYS) + _LOWEST_CLASS) % 12] = 1.0
    return fold


def _scales() -> Any:
    """Float32 ``(12, 24)``: the pitch classes of the major and harmonic minor scale on each tonic."""
    shapes = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 11))
    scales = np.zeros((12, 24), np.float32)
    for kind, steps in enumerate(shapes):
        for tonic in range(12):
            scales[[(tonic + step) % 12 for step in steps], 12 * kind + tonic] = 1.0
    return scales


def summarise(held: Any, struck: Any) -> Any:
    """Probabilities ``(n, 75, 352)`` of held and struck cells to summaries, float32 ``(n, SUMMARIES)``."""
    shape = (-1, ROLL.steps, KEYS)
    held, struck = ops.reshape(held, shape), ops.reshape(struck, shape)
    sounding = ops.minimum(held + struck, 1.0)
    strikes = ops.sum(struck, axis=-1)
    parts = [
        _rhythm(strikes),
        _groove(strikes),
        _polyphony(sounding),
        _register(struck),
        _harmony(sounding),
        _recurrence(struck, sounding),
        _lengths(held, struck),
        _voice(sounding[:, ::STEPS_PER_BEAT], -1),
        _voice(sounding[:, ::STEPS_PER_BEAT], 1),
    ]
    return ops.concatenate(parts, axis=-1)


def _rhythm(strikes: Any) -> Any:
    """Strikes by position in the beat and by fifth of the piece, logarithmic. ``(n, 9)``."""
    position = ops.mean(ops.reshape(strikes, (-1, BEATS, STEPS_PER_BEAT)), axis=1)
    segment = ops.mean(ops.reshape(strikes, (-1, SEGMENTS, ROLL.steps // SEGMENTS)), axis=2)
    return ops.log(ops.concatenate([position, segment], axis=-1) + 0.02)


def _groove(strikes: Any) -> Any:
    """Share of steps where striking differs from some beats before, one a lag. ``(n, 5)``."""
    strikes = 1.0 - ops.exp(-2.0 * strikes)
    steps = [STEPS_PER_BEAT * lag for lag in GROOVE_LAGS]
    apart = [ops.sqrt((strikes[:, lag:] - strikes[:, :-lag]) ** 2 + 1e-4) for lag in steps]
    return ops.stack([ops.mean(difference, axis=1) for difference in apart], axis=-1)


def _polyphony(sounding: Any) -> Any:
    """Mean and deviation of keys down, share of silent and of one-voiced steps. ``(n, 4)``."""
    count = ops.sum(sounding, axis=-1)
    mean = ops.mean(count, axis=1)
    deviation = ops.sqrt(ops.mean((count - mean[:, None]) ** 2, axis=1) + _SMALL)
    empty = ops.exp(-2.0 * count)
    alone = ops.exp(-2.0 * (count - 1.0) ** 2)
    return ops.stack([mean, deviation, ops.mean(empty, axis=1), ops.mean(alone, axis=1)], axis=-1)


def _register(struck: Any) -> Any:
    """Share of strikes in eleven bands of eight keys, mean key and its spread. ``(n, 13)``."""
    keys = ops.sum(struck, axis=1)
    share = keys / (ops.sum(keys, axis=-1, keepdims=True) + _SMALL)
    bands = ops.sum(ops.reshape(share, (-1, BANDS, KEYS // BANDS)), axis=-1)
    place = ops.convert_to_tensor(np.linspace(-1.0, 1.0, KEYS, dtype=np.float32))
    mean = ops.sum(share * place, axis=-1, keepdims=True)
    spread = ops.sqrt(ops.sum(share * (place - mean) ** 2, axis=-1, keepdims=True) + _SMALL)
    return ops.concatenate([bands, mean, spread], axis=-1)


def _harmony(sounding: Any) -> Any:
    """Pitch-class entropy, best share within one scale, and the sorted pitch-class histogram. ``(n, 14)``."""
    chroma = ops.matmul(ops.sum(sounding, axis=1), ops.convert_to_tensor(_folding()))
    share = chroma / (ops.sum(chroma, axis=-1, keepdims=True) + _SMALL)
    entropy = -ops.sum(share * ops.log(share + _SMALL), axis=-1, keepdims=True)
    scale = ops.max(ops.matmul(share, ops.convert_to_tensor(_scales())), axis=-1, keepdims=True)
    return ops.concatenate([entropy, scale, ops.sort(share, axis=-1)], axis=-1)


def _recurrence(struck: Any, sounding: Any) -> Any:
    """Likeness of beats some lags apart, and of the likest earlier beat and stretch. ``(n, 20)``.

    By strikes, then by pitch classes.
    """
    beats = ops.reshape(struck, (-1, BEATS, STEPS_PER_BEAT * KEYS))
    pooled = ops.sum(ops.reshape(sounding, (-1, BEATS, STEPS_PER_BEAT, KEYS)), axis=2)
    chroma = ops.matmul(pooled, ops.convert_to_tensor(_folding()))
    apart = ops.convert_to_tensor(_apart())
    rows = []
    for vectors in (beats, chroma):
        likeness = cosines(vectors, 0.05)
        rows.append(ops.matmul(ops.reshape(likeness, (-1, BEATS * BEATS)), apart))
        last = BEATS - STRETCH + 1
        stretches = sum(likeness[:, i : last + i, i : last + i] for i in range(STRETCH)) / STRETCH
        rows += [_likest(likeness, 1), _likest(stretches, STRETCH)]
    return ops.concatenate(rows, axis=-1)


def _likest(likeness: Any, apart: int) -> Any:
    """Mean over rows of a smooth maximum over the columns at least ``apart`` before. ``(n, 1)``."""
    size = likeness.shape[-1]
    earlier = np.tril(np.ones((size, size), np.float32), -apart)
    shut_out = ops.convert_to_tensor(np.where(earlier > 0, 0.0, -1e4).astype(np.float32)[apart:])
    best = ops.logsumexp(10.0 * likeness[:, apart:] + shut_out, axis=-1) / 10.0
    return ops.mean(best, axis=-1, keepdims=True)


def _apart() -> Any:
    """Float32 ``(75 * 75, lags)``: averages a table of beat against beat over the pairs that far apart."""
    columns = [np.eye(BEATS, k=lag, dtype=np.float32).ravel() / (BEATS - lag) for lag in LAGS]
    return np.stack(columns, axis=-1)


def _lengths(held: Any, struck: Any) -> Any:
    """Shares of notes of one step and of a beat and more; mean steps a strike. ``(n, 3)``."""
    total = ops.sum(struck, axis=(1, 2)) + _SMALL
    one = ops.sum(struck[:, :-1] * (1.0 - held[:, 1:]), axis=(1, 2)) / total
    long = ops.sum(struck[:, :-4] * held[:, 1:-3] * held[:, 4:], axis=(1, 2)) / total
    mean = ops.log(1.0 + ops.sum(held, axis=(1, 2)) / total)
    return ops.stack([one, long, mean], axis=-1)


def _voice(sounding: Any, side: int) -> Any:
    """Mean place, deviation, motion over a beat and over four of the top (-1) or bottom (1) line. ``(n, 4)``.

    ``sounding``: ``(n, 75, 88)``, what sounds on each beat.
    """
    if side < 0:
        sounding = ops.flip(sounding, axis=-1)
    miss = ops.log(1.0 - 0.999 * sounding)
    # a sum of what lies above each key, as a matrix product: several times quicker than a scan on JAX
    before = ops.matmul(miss, ops.convert_to_tensor(np.triu(np.ones((KEYS, KEYS), np.float32), 1)))
    weight = sounding * ops.exp(before)
    place = np.linspace(0.0, 1.0, KEYS, dtype=np.float32)
    present = ops.sum(weight, axis=-1)
    line = ops.sum(weight * ops.convert_to_tensor(place), axis=-1) / (present + _SMALL)
    sure = present + _SMALL
    mean = ops.sum(line * sure, axis=1) / ops.sum(sure, axis=1)
    deviation = ops.sqrt(ops.sum(sure * (line - mean[:, None]) ** 2, axis=1) / ops.sum(sure, axis=1) + _SMALL)
    motions = []
    for lag in (1, 4):
        both = sure[:, lag:] * sure[:, :-lag]
        moved = ops.sqrt((line[:, lag:] - line[:, :-lag]) ** 2 + 1e-6)
        motions.append(ops.sum(both * moved, axis=1) / ops.sum(both, axis=1))
    return ops.stack([mean, deviation, *motions], axis=-1)
