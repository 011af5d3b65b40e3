"""Major or minor as asked: the last layer of a generator may turn a piece into its parallel mode.

A composer hardly follows the number of a latent that is the mode: which notes are major depends on a tonic,
and half a minute of this music has no one key that could be told (docs/experiments.md). But once the notes
are decided, the mode can be, too. C major and C minor differ in three degrees: E, A and B are E flat, A flat
and B flat there. To exchange the two forms of the third, the sixth and the seventh degree above a tonic, in
all of a piece, makes its parallel mode of it, with every rhythm and contour that it had.

A piece is exchanged about one of the tonics that fit it nearly best, where that brings its mode nearer to
what the latent asks for, and left as it was where it would get more dissonant than that is worth. All of it
is a function of how many notes of each pitch class there are, and of which sound together.
"""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from pianogan_bgm.roll import ROLL, SOUNDING_BYTE, STRUCK_BYTE
from training.attributes import ATTRIBUTES, PROFILES, Wanted
from training.features import DISSONANT
from training.studio import KEYS

DEGREES: Final = ((3, 4), (8, 9), (10, 11))
"""Semitones above the tonic of the minor and the major third, sixth and seventh."""
DISSONANCE: Final = 0.07
"""So much more dissonance weighs as much as a deviation of the mode; it is the deviation in real music."""
NEARLY: Final = 0.2
"""A tonic may be this much worse than the best one, by the correlation of its key with a piece's notes."""
_FAR: Final = 1e3
_FIRST: Final = 1e-9
"""Of ways that are as good as each other the first is taken."""

_Table = npt.NDArray[np.float64]


class AskedMode(keras.layers.Layer):  # type: ignore[misc]  # keras is untyped
    """Rolls ``(n, 106, 300, 1)`` as they are or in their parallel mode, by what their latents ask for.

    ``wanted``: from latents to scores. ``mean``, ``deviation``: of the modes of real music, which are what
    :data:`training.attributes.ATTRIBUTES` calls so; scores are in deviations from the mean.
    """

    def __init__(self, wanted: Wanted, mean: float, deviation: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        which = ATTRIBUTES.index("mode")
        self.root, self.centre = wanted.root[:, which : which + 1], wanted.centre[which]
        self.mean, self.deviation = mean, deviation

    def call(self, rolls: Any, latents: Any) -> Any:
        """``latents``: ``(n, 14)``. The rolls are codec values, float32."""
        dtype = self.compute_dtype
        values, members = ops.cast(rolls[..., 0], dtype), ops.cast(_members(), dtype)
        struck = ops.cast(values >= STRUCK_BYTE / 256.0, dtype)
        counts = ops.sum(ops.matmul(members, struck), axis=-1)
        sounding = ops.cast(values >= SOUNDING_BYTE / 256.0, dtype)
        chroma = ops.cast(ops.matmul(members, sounding) > 0.5, dtype)
        together = ops.matmul(chroma, ops.transpose(chroma, (0, 2, 1)))
        asked = ops.matmul(ops.cast(latents, dtype), ops.cast(self.root, dtype)) + float(self.centre)
        cost = self._costs(counts, together, asked)
        way = ops.cast(cost <= ops.min(cost, axis=1, keepdims=True), dtype)
        up, down = (ops.matmul(way, ops.cast(table, dtype))[..., None] for table in _moves())
        zero = ops.zeros_like(values[:, :1])
        raised = ops.concatenate([zero, (up * values)[:, :-1]], axis=1)
        lowered = ops.concatenate([(down * values)[:, 1:], zero], axis=1)
        made = (1.0 - up - down) * values + raised + lowered
        return ops.cast(made[..., None], "float32")

    def _costs(self, counts: Any, together: Any, asked: Any) -> Any:
        """What speaks against each way, ``(n, 13)``: as it is, then about each of the twelve tonics."""
        dtype = self.compute_dtype
        centred = counts - ops.mean(counts, axis=1, keepdims=True)
        size = ops.sqrt(ops.sum(centred * centred, axis=1, keepdims=True))
        # by rows of two axes: of a third one a converter makes a pooling, which has no double kernel
        moved = ops.matmul(centred / ops.maximum(size, 1e-9), ops.cast(_exchanges(), dtype))
        fits = ops.matmul(ops.reshape(moved, (-1, 12)), ops.cast(_keys(), dtype))
        best = ops.reshape(ops.max(ops.reshape(fits, (-1, 12)), axis=-1), (-1, len(_WAYS), 2))
        modes = best[:, :, 0] - best[:, :, 1]
        away = ops.abs((modes - self.mean) / self.deviation - asked)
        clash = ops.matmul(ops.reshape(together, (-1, 144)), ops.cast(_clashes(), dtype))
        pairs = ops.maximum(clash[:, len(_WAYS) :], 1.0)
        worse = ops.maximum(clash[:, : len(_WAYS)] - clash[:, :1], 0.0) / pairs
        plain = ops.reshape(fits, (-1, len(_WAYS), 24))[:, 0]
        plain = ops.maximum(plain[:, :12], plain[:, 12:])
        doubtful = plain < ops.max(plain, axis=1, keepdims=True) - NEARLY
        doubtful = ops.pad(ops.cast(doubtful, dtype), ((0, 0), (1, 0)))
        return away + worse / DISSONANCE + _FAR * doubtful + _FIRST * np.arange(len(_WAYS))


def exchanged(tonic: int) -> npt.NDArray[np.int64]:
    """Where each pitch class goes in the parallel mode about ``tonic``, ``(12,)``; its own inverse."""
    goes = np.arange(12)
    for minor, major in DEGREES:
        low, high = (minor + tonic) % 12, (major + tonic) % 12
        goes[low], goes[high] = high, low
    return goes


_WAYS: Final = np.stack([np.arange(12), *map(exchanged, range(12))])
"""Where pitch classes go in each way, ``(13, 12)``: as they are, then about each tonic."""


def _members() -> _Table:
    """Pitch classes by the rows of a roll that are of them, ``(12, 106)``."""
    return np.eye(12)[(ROLL.lowest + np.arange(ROLL.pitches)) % 12].T


def _exchanges() -> _Table:
    """Counts of pitch classes to those of each way, ``(12, 13 * 12)``."""
    return np.eye(12)[_WAYS].transpose(1, 0, 2).reshape(12, -1)


def _keys() -> _Table:
    """How pitch classes fit the 24 keys, major ones first: ``(12, 24)``, centred, of length 1."""
    centred = np.array(PROFILES) - np.mean(PROFILES, axis=1, keepdims=True)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    return np.stack([np.roll(profile, tonic) for profile in centred for tonic in range(12)], axis=1)


def _clashes() -> _Table:
    """Pairs of pitch classes that are dissonant in each way, and all pairs, ``(144, 14)``."""
    apart = (np.arange(12)[:, None] - np.arange(12)) % 12
    harsh = np.isin(np.minimum(apart, 12 - apart), DISSONANT)
    tables = [*(harsh[np.ix_(goes, goes)] for goes in _WAYS), apart > 0]
    return np.stack([table.ravel() for table in tables], axis=1).astype(np.float64)


def _moves() -> tuple[_Table, _Table]:
    """Rows of a roll that go a semitone up in each way, and those that go down: ``(13, 106)`` of 0 and 1."""
    rows = np.arange(ROLL.pitches)
    classes = (ROLL.lowest + rows) % 12
    step = (_WAYS[:, classes] - classes + 6) % 12 - 6
    on_the_piano = (rows < KEYS) & (rows + step >= 0) & (rows + step < KEYS)
    step = np.where(on_the_piano, step, 0)
    return (step > 0).astype(np.float64), (step < 0).astype(np.float64)
