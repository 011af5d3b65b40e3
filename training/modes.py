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
from training.attributes import ATTRIBUTES, Wanted, key_profiles
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
        super().__init__(autocast=False, **kwargs)  # rolls stay in single precision: half the work
        which = ATTRIBUTES.index("mode")
        self.root, self.centre = wanted.root[:, which : which + 1], float(wanted.centre[which])
        self.mean, self.deviation = mean, deviation

    def call(self, rolls: Any, latents: Any) -> Any:
        """``latents``: ``(n, 14)``. Rolls are codec values, float32."""
        dtype = self.compute_dtype
        values = ops.cast(rolls[..., 0], "float32")
        struck = ops.cast(values >= STRUCK_BYTE / 256.0, "float32")
        counts = ops.matmul(ops.cast(ops.sum(struck, axis=-1), dtype), ops.cast(_members(), dtype))
        # octave by octave, from A; of a last axis behind others a converter would make a pooling
        octaves = ops.reshape(ops.pad(values, ((0, 0), (0, 2), (0, 0))), (-1, 9, 12 * ROLL.steps))
        chroma = ops.reshape(ops.max(octaves, axis=1), (-1, 12, ROLL.steps))
        chroma = ops.cast(chroma >= SOUNDING_BYTE / 256.0, dtype)
        together = ops.matmul(chroma, ops.transpose(chroma, (0, 2, 1)))
        asked = ops.matmul(ops.cast(latents, dtype), ops.cast(self.root, dtype)) + self.centre
        cost = self._costs(counts, together, asked)
        way = ops.cast(cost <= ops.min(cost, axis=1, keepdims=True), dtype)
        below, above = (ops.matmul(way, ops.cast(table, dtype))[..., None] > 0.5 for table in _sources())
        silent = ops.zeros_like(values[:, :1])
        from_below = ops.concatenate([silent, values[:, :-1]], axis=1)
        from_above = ops.concatenate([values[:, 1:], silent], axis=1)
        return ops.where(below, from_below, ops.where(above, from_above, values))[..., None]

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
_CLASSES: Final = (ROLL.lowest + np.arange(ROLL.pitches)) % 12
"""Of which pitch class each row of a roll is."""


def _members() -> _Table:
    """Rows of a roll by the pitch classes that they are of, ``(106, 12)``."""
    return np.eye(12)[_CLASSES]


def _exchanges() -> _Table:
    """Counts of pitch classes to those of each way, ``(12, 13 * 12)``."""
    return np.eye(12)[_WAYS].transpose(1, 0, 2).reshape(12, -1)


def _keys() -> _Table:
    """How pitch classes fit the 24 keys, major ones first: ``(12, 24)``, centred, of length 1."""
    return np.concatenate([keys / length for keys, length in key_profiles()], axis=1)


def _clashes() -> _Table:
    """Pairs of pitch classes, from A up, that are dissonant in each way, and all pairs, ``(144, 14)``."""
    apart = (np.arange(12)[:, None] - np.arange(12)) % 12
    harsh = np.isin(np.minimum(apart, 12 - apart), DISSONANT)
    from_a = _WAYS[:, _CLASSES[:12]]
    tables = [*(harsh[np.ix_(goes, goes)] for goes in from_a), apart > 0]
    return np.stack([table.ravel() for table in tables], axis=1).astype(np.float64)


def _sources() -> tuple[_Table, _Table]:
    """Rows that get what is a semitone below them in each way, or above: ``(13, 106)`` of 0 and 1, twice."""
    rows = np.arange(ROLL.pitches)
    other = rows + (_WAYS[:, _CLASSES] - _CLASSES + 6) % 12 - 6  # with which a row is exchanged
    other = np.where((rows < KEYS) & (other >= 0) & (other < KEYS), other, rows)
    return (other < rows).astype(np.float64), (other > rows).astype(np.float64)
