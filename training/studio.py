"""The ``studio`` networks: an autoencoder of beats, a composer of their codes, a critic of the pieces.

::

    cells (106, 300) ─ pack ─▶ beats (75, 1056) ─ Encoder ─▶ codes (75, c) ─ Decoder ─▶ odds
    latent (14) ─ Composer ─▶ codes (75, c) ─ Decoder ─▶ odds ─ Decision ─▶ roll (106, 300, 1)
                                                   └▶ states ─ Critic ─▶ real or made, beat by beat

Each cell is silent, held or struck (log-odds of the latter two against silence), with a velocity where it
is struck. The generator, composer and decoder, is judged by a critic that looks through the encoder's
features (Projected GANs, Sauer et al. 2021), with an answer for every beat at four scales and one for the
whole piece (patch-wise as in Isola et al. 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from pianogan_bgm.notes import DEFAULT_VELOCITY, STEPS_PER_BEAT, VELOCITY_LEVELS, velocity_to_level
from pianogan_bgm.roll import HELD_BYTE, ROLL, STRUCK_BYTE
from training.layers import Residual, TimeConv, leaky
from training.relations import relations

LATENT: Final = 14
KEYS: Final = 88
BEATS: Final = ROLL.steps // STEPS_PER_BEAT
SILENT: Final = 0
HELD: Final = 1
STRUCK: Final = 2
CELLS: Final = STEPS_PER_BEAT * KEYS


def pack(cells: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Codec bytes ``(n, 106, 300)`` to states and velocities of the 88 piano keys.

    States: uint8 ``(n, 75, 352)`` of 0 silent, 1 held, 2 struck, a beat's cells being 4 steps of 88 keys.
    Velocities: float32 of the same shape, 0–1 where struck, else 0. The 18 rows above the
    piano are left out: no piano plays them.
    """
    keys = cells[:, :KEYS].transpose(0, 2, 1).reshape(len(cells), BEATS, CELLS)
    struck = keys >= STRUCK_BYTE
    states = np.where(struck, STRUCK, np.where(keys >= 128, HELD, SILENT)).astype(np.uint8)
    levels = np.where(struck, keys.astype(np.float32) - STRUCK_BYTE, 0.0) / (VELOCITY_LEVELS - 1)
    return states, levels.astype(np.float32)


class Encoder(keras.Model):  # type: ignore[misc]  # keras is untyped
    """States and velocities of a piece to mean and log-deviation of its codes, ``(n, 75, codes)`` each."""

    def __init__(self, width: int, codes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entry = TimeConv(width, 1, name="entry")
        self.blocks = [Residual(width, name=f"block{i}") for i in range(2)]
        self.exit = TimeConv(2 * codes, 1, name="exit")

    def call(self, beats: Any) -> Any:
        """``(n, 75, 1056)`` to mean and logarithm of the deviation, float32."""
        mean, spread = ops.split(ops.cast(self.exit(self.features(beats)), "float32"), 2, axis=-1)
        return mean, 0.5 * ops.clip(spread, -8.0, 2.0)

    def features(self, beats: Any) -> Any:
        """The last hidden layer, ``(n, 75, width)``: what the network has learnt to see in music."""
        x = self.entry(beats)
        for block in self.blocks:
            x = block(x)
        return leaky(x)


def encoder_input(states: Any, velocities: Any) -> Any:
    """Held, struck and velocity planes of each beat side by side, float32 ``(n, 75, 1056)``."""
    planes = [states == HELD, states == STRUCK, velocities]
    return ops.concatenate([ops.cast(plane, "float32") for plane in planes], axis=-1)


def one_hot(states: Any) -> Any:
    """States ``(n, 75, 352)`` as held and struck planes of 0 and 1, float32 ``(n, 75, 2, 352)``."""
    return ops.stack([ops.cast(states == state, "float32") for state in (HELD, STRUCK)], axis=2)


SAME: Final = 1e-9
"""Sums of a beat's codes that differ by less are of the same codes."""
NEVER: Final = float("inf")
"""As ``least``: no step is struck but where a cell is likelier struck than not."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is added to the log-odds of striking and of holding, and ``least`` (see :func:`decide`)."""

    strike: float = 0.0
    hold: float = 0.0
    least: float = NEVER


def decide(held: Any, struck: Any, least: float = NEVER) -> tuple[Any, Any]:
    """Log-odds over time ``(n, 300, keys)`` to which cells are struck and which sound, booleans.

    Struck: :func:`struck_cells`. A struck cell sounds on for as long as holding is likelier than silence:
    nothing is held that was not struck.
    """
    strikes = struck_cells(struck - ops.maximum(held, ops.zeros_like(held)), least)
    sounding, holds = strikes, held > ops.zeros_like(held)
    apart = 1
    while apart < held.shape[1]:  # doubling the reach each time (Hillis & Steele 1986)
        nothing = ops.zeros_like(sounding[:, :apart])
        sounding = ops.logical_or(
            sounding,
            ops.logical_and(holds, ops.concatenate([nothing, sounding[:, :-apart]], axis=1)),
        )
        holds = ops.logical_and(holds, ops.concatenate([nothing, holds[:, :-apart]], axis=1))
        apart *= 2
    return strikes, sounding


def struck_cells(margins: Any, least: float = NEVER, library: Any = ops) -> Any:
    """By how much striking beats what else is likeliest, ``(n, 300, keys)``, to which cells are struck.

    A cell is struck where that is likelier than what else is likeliest, holding or silence. Where the odds of
    all cells of a step for that sum to more than ``least``, its likeliest is struck in any case: that
    something is struck can be plain where what is struck is not, and a rhythm must not suffer from it.
    ``library``: whose arrays these are, ``keras.ops`` or ``numpy``.
    """
    strikes = margins > 0.0
    if least == NEVER:
        return strikes
    # by rows: of a last axis behind two others a converter makes a pooling, which has no double kernel
    highest = library.max(library.reshape(margins, (-1, margins.shape[-1])), axis=-1)
    best = margins >= library.reshape(highest, (-1, margins.shape[1], 1))
    plain = library.sum(library.exp(margins), axis=-1, keepdims=True) > least
    return library.logical_or(strikes, library.logical_and(best, plain))


def over_time(odds: Any) -> tuple[Any, Any]:
    """Log-odds ``(n, 75, 2, 352)`` of held and of struck cells by step and key, ``(n, 300, 88)`` each."""
    held, struck = (ops.reshape(odds[:, :, i], (-1, ROLL.steps, KEYS)) for i in range(2))
    return held, struck


def biased(odds: Any, thresholds: Thresholds) -> Any:
    """Log-odds ``(n, 75, 2, 352)`` of held and of struck cells with the thresholds' biases added."""
    biases = np.array([[thresholds.hold], [thresholds.strike]])
    return odds + ops.cast(biases, odds.dtype)


def firm(odds: Any, thresholds: Thresholds = Thresholds()) -> Any:
    """Log-odds ``(n, 75, 2, 352)`` to planes of 0 and 1; gradients are those of the probabilities."""
    odds = biased(odds, thresholds)
    soft = ops.exp(odds - log_total(odds[:, :, 0], odds[:, :, 1])[:, :, None])
    strikes, sounding = decide(*over_time(odds), thresholds.least)
    holds = ops.logical_and(sounding, ops.logical_not(strikes))
    planes = [ops.reshape(ops.cast(plane, "float32"), (-1, BEATS, CELLS)) for plane in (holds, strikes)]
    return soft + ops.stop_gradient(ops.stack(planes, axis=2) - soft)


class Decoder(keras.Model):  # type: ignore[misc]  # keras is untyped
    """Codes ``(n, 75, codes)`` to the last hidden features, cell logits and velocities."""

    def __init__(self, width: int, blocks: int, *, velocity: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        self.entry = TimeConv(width, 3, name="entry", dtype=dtype)
        self.blocks = [
            Residual(width, 3, 2 if i % 2 else 1, name=f"block{i}", dtype=dtype) for i in range(blocks)
        ]
        self.odds = TimeConv(2 * CELLS, 1, name="odds", dtype=dtype)
        self.velocities = TimeConv(CELLS, 1, name="velocities", dtype=dtype) if velocity else None

    def call(self, codes: Any) -> Any:
        """Return features, log-odds and velocities.

        Shapes ``(n, 75, width)``, ``(n, 75, 2, 352)`` (held and struck against silent; a beat's 352 cells are
        4 steps of 88 keys) and ``(n, 75, 352)`` in 0–1 (None without loudness).
        """
        x = self.entry(codes)
        for block in self.blocks:
            x = block(x)
        features = leaky(x)
        return features, *self.answer(features)

    def composed(self, codes: Any) -> tuple[Any, Any]:
        """Log-odds and velocities of composed codes: a repeated beat is what it repeats, in every cell.

        Else what its neighbours are would change it, for the network sees them. Beats of the same codes, as
        the sum of each tells them, are the first of them again.
        """
        _, odds, velocities = self(codes)
        sums = ops.sum(codes, axis=-1)
        same = ops.abs(sums[:, :, None] - sums[:, None]) < ops.cast(SAME, sums.dtype)
        first = ops.argmax(ops.cast(same, "int32"), axis=-1)
        rows = ops.cast(ops.arange(ops.shape(codes)[0])[:, None] * BEATS, first.dtype) + first

        def again(cells: Any) -> Any:
            return ops.take(ops.reshape(cells, (-1, *cells.shape[2:])), rows, axis=0)

        return again(odds), None if velocities is None else again(velocities)

    def make_whole(self) -> None:
        """From now on decode with its products in whole numbers (:class:`training.whole.WholeProduct`)."""
        inner = [conv for block in self.blocks for conv in (block.inner, block.outer)]
        for conv in (self.entry, *inner, self.odds, self.velocities):
            if conv is not None:
                conv.make_whole()

    def answer(self, features: Any) -> Any:
        """Log-odds and velocities of the last hidden features, which are all the network keeps of a piece."""
        odds = ops.reshape(self.odds(features), (-1, BEATS, 2, CELLS))
        return odds, None if self.velocities is None else ops.sigmoid(self.velocities(features))


def log_total(held: Any, struck: Any) -> Any:
    """``log(1 + exp(held) + exp(struck))``: what turns log-odds against silence into log-probabilities."""
    return ops.softplus(held + ops.softplus(struck - held))


def view(states: Any, velocities: Any, features: Any) -> Any:
    """What the critic sees: held and struck planes (with loudness), relations, the encoder's features.

    ``states``: held and struck as 0 or 1, float ``(n, 75, 2, 352)``. ``velocities``: ``(n, 75, 352)`` in 0–1,
    or None. ``features``: standardised, ``(n, 75, width)``.
    """
    held, struck = states[:, :, 0], states[:, :, 1]
    planes = [held, struck] if velocities is None else [held, struck, struck * velocities]
    return ops.concatenate([*planes, 2.0 * relations(struck, held + struck), 0.5 * features], axis=-1)


class Critic(keras.Model):  # type: ignore[misc]  # keras is untyped
    """The discriminator: logits for every beat at four scales, one for the whole piece; positive is real."""

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        sizes = (1, 3, 5, 5, 5)
        self.convs = [TimeConv(width, size, name=f"conv{i}") for i, size in enumerate(sizes)]
        # no bias: only the difference of a real and a made sample's answers counts
        self.heads = [
            keras.layers.Dense(1, use_bias=False, dtype="float32", name=f"head{i}")
            for i in range(1, len(sizes))
        ]
        self.whole = keras.layers.Dense(1, use_bias=False, dtype="float32", name="whole")

    def call(self, x: Any) -> Any:
        """``(n, 75, channels)`` to five arrays of logits, ``(n, beats of the scale)`` and ``(n, 1)``."""
        answers = []
        for i, conv in enumerate(self.convs):
            if i == len(self.convs) - 1:
                x = ops.concatenate([x, ops.cast(spread(x), x.dtype)], axis=-1)
            x = leaky(conv(x))
            if i >= 2:
                x = x[:, ::2]
            if i >= 1:
                answers.append(self.heads[i - 1](x)[..., 0])
        return [*answers, self.whole(ops.reshape(x, (x.shape[0] or -1, x.shape[1] * x.shape[2])))]


def spread(x: Any, group: int = 4) -> Any:
    """Minibatch standard deviation (Karras et al. 2018) as a channel: ``(n, t, c)`` to ``(n, t, 1)``.

    The batch must be a multiple of ``group``.
    """
    _, time, channels = x.shape
    grouped = ops.reshape(ops.cast(x, "float32"), (group, -1, time, channels))
    centred = grouped - ops.mean(grouped, axis=0, keepdims=True)
    deviation = ops.sqrt(ops.mean(centred * centred, axis=0) + 1e-6)
    value = ops.tile(ops.mean(deviation, axis=(1, 2)), [group])
    return ops.repeat(value[:, None, None], time, axis=1)


class Decision(keras.layers.Layer):  # type: ignore[misc]  # keras is untyped
    """Log-odds and velocities to codec values, ``(n, 106, 300, 1)``, as :func:`decide` decides.

    ``thresholds`` are set after training (:mod:`training.calibrate`). Values are the codec's own, far from
    its thresholds.
    """

    def __init__(self, thresholds: Thresholds = Thresholds(), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.thresholds = thresholds

    def call(self, odds: Any, velocities: Any = None) -> Any:
        """``odds`` (n, 75, 2, 352), ``velocities`` (n, 75, 352) in 0–1 or None."""
        strikes, sounding = decide(*over_time(biased(odds, self.thresholds)), self.thresholds.least)
        if velocities is None:
            level = float(velocity_to_level(DEFAULT_VELOCITY))
        else:
            level = ops.floor(ops.reshape(velocities, (-1, ROLL.steps, KEYS)) * (VELOCITY_LEVELS - 1) + 0.5)
            level = ops.cast(level, "float32")
        # what is struck sounds; these are few binary digits, exact in single precision
        above = (level + (STRUCK_BYTE - HELD_BYTE)) / 256.0
        strikes, sounding = (ops.cast(cells, "float32") for cells in (strikes, sounding))
        values = sounding * ((HELD_BYTE + 0.5) / 256.0) + strikes * above
        rows = ops.pad(ops.transpose(values, (0, 2, 1)), ((0, 0), (0, ROLL.pitches - KEYS), (0, 0)))
        return rows[..., None]
