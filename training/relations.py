"""How each beat of a piece relates to those before it: what convolutions over a piano roll do not see.

That a bar comes back, or that a key is kept, is a product of distant beats; a small convolutional network
sees sums. So the critic is told: similarities to the beats some lags ago, as cosines, of the struck cells
(a pattern comes back at its pitch), of the rhythm (it comes back elsewhere) and of the pitch classes (the
harmony does), and how few pitch classes the surroundings keep to.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from keras import ops

from pianogan_bgm.notes import STEPS_PER_BEAT

LAGS: Final = (1, 2, 3, 4, 6, 8, 12, 16)
"""Distances in beats: metres of two, three and four beats, and bars up to four of them apart."""
SURROUNDINGS: Final = (4, 16)
"""Beats over which pitch classes are counted together."""
CHANNELS: Final = 3 * len(LAGS) + len(SURROUNDINGS)


def relations(struck: Any, sounding: Any) -> Any:
    """Channels of soft planes ``(n, 75, 352)`` in 0–1: ``(n, 75, CHANNELS)``, each in 0–1.

    A similarity to a beat before the first is 0.
    """
    beats, steps, keys = struck.shape[1], STEPS_PER_BEAT, struck.shape[2] // STEPS_PER_BEAT
    rhythm = ops.sum(ops.reshape(struck, (-1, beats, steps, keys)), axis=-1)
    keys_sounding = ops.sum(ops.reshape(sounding, (-1, beats, steps, keys)), axis=2)
    octaves = -(-keys // 12)
    padded = ops.pad(keys_sounding, ((0, 0), (0, 0), (0, 12 * octaves - keys)))
    classes = ops.sum(ops.reshape(padded, (-1, beats, octaves, 12)), axis=2)
    channels = [_likeness(plane) for plane in (struck, rhythm, classes)]
    for width in SURROUNDINGS:
        near = ops.average_pool(classes, width, strides=1, padding="same")
        share = near / (ops.sum(near, axis=-1, keepdims=True) + 0.1)
        channels.append(ops.sum(share**2, axis=-1, keepdims=True))
    return ops.concatenate(channels, axis=-1)


def cosines(plane: Any, floor: float) -> Any:
    """Cosine of every beat with every other: ``(n, 75, c)`` to ``(n, 75, 75)``.

    ``floor``: added to each beat's squared length, so that near silence is like nothing.
    """
    unit = plane / ops.sqrt(ops.sum(plane**2, axis=-1, keepdims=True) + floor)
    return ops.matmul(unit, ops.transpose(unit, (0, 2, 1)))


def _likeness(plane: Any) -> Any:
    """Cosine of each beat with those :data:`LAGS` beats before: ``(n, 75, c)`` to ``(n, 75, lags)``.

    A product of all beats with all, of which most is thrown away: far quicker than lag by lag.
    """
    beats = plane.shape[1]
    before = np.stack([np.eye(beats, k=-lag, dtype=np.float32) for lag in LAGS], axis=-1)
    return ops.einsum("nts,tsl->ntl", cosines(plane, 0.1), ops.convert_to_tensor(before))


def repeats(struck: Any, *others: Any) -> Any:
    """Which earlier beats each beat repeats, in every cell of every plane: bool ``(n, 75, 75)``, row by row.

    ``struck`` and others, such as what is held: planes ``(n, 75, 352)`` of 0 and 1. A beat in which nothing
    is struck repeats nothing.
    """
    same = ops.any(struck > 0.5, axis=-1)[:, :, None]
    same = ops.logical_and(same, np.tril(np.ones((struck.shape[1], struck.shape[1]), bool), -1))
    for plane in (struck, *others):
        both = ops.matmul(plane, ops.transpose(plane, (0, 2, 1)))
        count = ops.sum(plane, axis=-1)
        for side in (count[:, :, None], count[:, None]):
            same = ops.logical_and(same, ops.abs(both - side) < 0.5)
    return same
