"""The ``studio`` networks: a beat-wise autoencoder, a generator in its latent space, a patch-wise critic.

::

    cells (106, 300) ─ pack ─▶ beats (75, 1056) ─ Encoder ─▶ codes (75, c) ─ Decoder ─▶ odds
    latent (14) ─ Composer ─▶ codes (75, c) ─ Decoder ─▶ odds ─ Decision ─▶ roll (106, 300, 1)
                                                 └▶ features ─ Critic ─▶ real or made, beat by beat

Each cell is silent, held or struck (log-odds of the latter two against silence), with a velocity where it
is struck. The critic
judges through the decoder's own features (Projected GANs, Sauer et al. 2021), with an answer for every
beat at four scales and one for the whole piece (patch-wise as in Isola et al. 2017).
"""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from pianogan_bgm.notes import DEFAULT_VELOCITY, STEPS_PER_BEAT, VELOCITY_LEVELS, velocity_to_level
from pianogan_bgm.roll import HELD_BYTE, ROLL, STRUCK_BYTE
from training.layers import Norm, Residual, TimeConv, leaky, standardise
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
    """States and velocities of a piece to the mean and log-variance of its codes, ``(n, 75, codes)`` each."""

    def __init__(self, width: int, codes: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entry = TimeConv(width, 1, name="entry")
        self.blocks = [Residual(width, name=f"block{i}") for i in range(2)]
        self.exit = TimeConv(2 * codes, 1, name="exit")

    def call(self, beats: Any) -> Any:
        """``(n, 75, 1056)`` to mean and log-variance, float32."""
        x = self.entry(beats)
        for block in self.blocks:
            x = block(x)
        mean, spread = ops.split(ops.cast(self.exit(leaky(x)), "float32"), 2, axis=-1)
        return mean, ops.clip(spread, -8.0, 4.0)


def encoder_input(states: Any, velocities: Any) -> Any:
    """Held, struck and velocity planes of each beat side by side, float32 ``(n, 75, 1056)``."""
    planes = [states == HELD, states == STRUCK, velocities]
    return ops.concatenate([ops.cast(plane, "float32") for plane in planes], axis=-1)


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

    def answer(self, features: Any) -> Any:
        """Log-odds and velocities of the last hidden features, which are all the network keeps of a piece."""
        odds = ops.reshape(self.odds(features), (-1, BEATS, 2, CELLS))
        return odds, None if self.velocities is None else ops.sigmoid(self.velocities(features))


def log_total(held: Any, struck: Any) -> Any:
    """``log(1 + exp(held) + exp(struck))``: what turns log-odds against silence into log-probabilities."""
    return ops.softplus(held + ops.softplus(struck - held))


class Composer(keras.Model):  # type: ignore[misc]  # keras is untyped
    """The generator proper: a latent ``(n, 14)`` to standardised codes ``(n, 75, codes)``.

    Ten coarse moments grow to 80 beats through three doublings; at each the mapped latent scales and shifts
    the normalised features (modulation as in StyleGAN, Karras et al. 2019). Cropped to 75.
    """

    def __init__(self, width: int, codes: int, mapped: int = 128, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        self.width = width
        self.map1 = keras.layers.Dense(mapped, name="map1", dtype=dtype)
        self.map2 = keras.layers.Dense(mapped, name="map2", dtype=dtype)
        self.base = keras.layers.Dense(10 * width, name="base", dtype=dtype)
        self.wide = [TimeConv(width, 5, name=f"wide{i}", dtype=dtype) for i in range(3)]
        self.near = [TimeConv(width, 3, name=f"near{i}", dtype=dtype) for i in range(3)]
        self.styles = [keras.layers.Dense(2 * width, name=f"style{i}", dtype=dtype) for i in range(3)]
        self.norm = Norm(name="norm", dtype=dtype)
        self.exit = TimeConv(codes, 1, name="exit", dtype=dtype)

    def call(self, latent: Any) -> Any:
        """``(n, 14)`` to ``(n, 75, codes)``."""
        mapped = leaky(self.map2(leaky(self.map1(latent))))
        x = ops.reshape(self.base(mapped), (-1, 10, self.width))
        for wide, near, style in zip(self.wide, self.near, self.styles, strict=True):
            x = ops.repeat(x, 2, axis=1)
            scale, shift = ops.split(style(mapped)[:, None], 2, axis=-1)
            inner = standardise(leaky(wide(x))) * (1.0 + scale) + shift
            x = x + near(leaky(inner))
        return self.exit(self.norm(x))[:, 2 : 2 + BEATS]


def view(features: Any, odds: Any, velocities: Any, typical: tuple[Any, Any]) -> Any:
    """What the critic sees: soft held and struck planes (with loudness), relations, the decoder's features.

    ``typical``: mean and deviation of each feature over real music, ``(width,)`` each. As they are, features
    are far from zero, and a critic would spend its first thousand steps on that.
    """
    weight = ops.exp(1.5 * ops.clip(ops.cast(odds, "float32"), -12.0, 12.0))
    held, struck = weight[:, :, 0], weight[:, :, 1]
    share = 1.0 / (1.0 + held + struck)
    planes = [held * share, struck * share]
    if velocities is not None:
        planes.append(planes[1] * ops.cast(velocities, "float32"))
    related = 2.0 * relations(planes[1], planes[0] + planes[1])
    centred = 0.5 * (ops.cast(features, "float32") - typical[0]) / typical[1]
    return ops.concatenate([*planes, related, centred], axis=-1)


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


class Listener(keras.Model):  # type: ignore[misc]  # keras is untyped
    """A second discriminator, of standardised summaries (:mod:`training.summary`): one logit a piece."""

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first = keras.layers.Dense(width, name="first")
        self.second = keras.layers.Dense(width, name="second")
        self.answer = keras.layers.Dense(1, use_bias=False, dtype="float32", name="answer")

    def call(self, x: Any) -> Any:
        """``(n, summaries)`` to ``(n, 1)``."""
        x = leaky(self.first(x))
        strangeness = spread(x[:, None])[:, 0]
        x = leaky(self.second(ops.concatenate([x, ops.cast(strangeness, x.dtype)], axis=-1)))
        return self.answer(x)


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
    """Log-odds and velocities to codec values, ``(n, 106, 300, 1)``.

    A cell is struck where ``struck - max(0, held)`` exceeds minus ``bias``, else held where ``held`` is
    positive; a held cell after a silent one is struck, for every note has a beginning. Values are the codec's
    own, far from its thresholds. ``bias`` is set after training (:mod:`training.calibrate`).
    """

    def __init__(self, bias: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bias = bias

    def call(self, odds: Any, velocities: Any = None) -> Any:
        """``odds`` (n, 75, 2, 352), ``velocities`` (n, 75, 352) in 0–1 or None."""
        dtype = self.compute_dtype
        held, struck = (ops.reshape(odds[:, :, i], (-1, ROLL.steps, KEYS)) for i in range(2))
        strikes = struck - ops.maximum(held, ops.cast(0.0, dtype)) + ops.cast(self.bias, dtype) > 0.0
        sounding = ops.logical_or(strikes, held > 0.0)
        before = ops.pad(sounding[:, :-1], ((0, 0), (1, 0), (0, 0)))
        strikes = ops.logical_or(strikes, ops.logical_and(sounding, ops.logical_not(before)))
        if velocities is None:
            level = float(velocity_to_level(DEFAULT_VELOCITY))
            high = ops.cast((STRUCK_BYTE + level + 0.5) / 256.0, dtype)
        else:
            level = ops.floor(ops.reshape(velocities, (-1, ROLL.steps, KEYS)) * (VELOCITY_LEVELS - 1) + 0.5)
            high = (level + (STRUCK_BYTE + 0.5)) / 256.0
        low, zero = ops.cast((HELD_BYTE + 0.5) / 256.0, dtype), ops.cast(0.0, dtype)
        values = ops.where(strikes, high, ops.where(sounding, low, zero))
        rows = ops.pad(ops.transpose(values, (0, 2, 1)), ((0, 0), (0, ROLL.pitches - KEYS), (0, 0)))
        return ops.cast(rows[..., None], "float32")
