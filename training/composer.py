"""The composer of ``studio``: a latent becomes the codes of 75 beats, one beat after the other.

::

    latent (14) ─┬─ scores ─ map ─▶ style ─────────────┬──────────────┐
                 └─ chances (75, codes)                ▼              ▼
    codes of the beat before ─ entry ─▶ memory (GRU) ─▶ recall ─▶ mean, deviation ─▶ + chance ─▶ codes

The memory is a gated recurrent unit (Cho et al. 2014). Recall is attention over the beats so far: its keys
are what the memory was before each beat, its values that beat's codes, so that what followed once can follow
again. Of each beat's codes the network says a mean and a deviation, given those before it: it is the prior of
a sequential autoencoder (Chung et al. 2015).

Nothing is drawn: a chance, standard normal, comes from the latent through fixed random waves. Over seeds the
chances are as good as independent; between near latents they change little.
"""

from __future__ import annotations

from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from training.attributes import Scores
from training.layers import leaky
from training.studio import BEATS, LATENT

HEADS: Final = 4
HEAD_SIZE: Final = 24
RECALL: Final = HEADS * HEAD_SIZE
STYLE: Final = 96
WAVES: Final = 0.25
"""Deviation of the projections, in cycles for each unit of the latent."""
DEVIATIONS: Final = (-4.0, 1.0)
"""Range of the logarithm of a code's deviation."""
_FAR: Final = -1e4


class Composer(keras.Model):  # type: ignore[misc]  # keras is untyped
    """Codes from latents, and the mean and deviation of codes that are given.

    ``width``: of the memory. ``codes``: numbers a beat. ``root``: float32 ``(14, 14)``, from latents to
    scores (:mod:`training.attributes`).
    """

    def __init__(
        self, width: int, hidden: int, codes: int, root: Scores | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.hidden, self.codes = width, hidden, codes
        self.root = np.eye(LATENT, dtype=np.float32) if root is None else root
        self.map1 = keras.layers.Dense(STYLE, name="map1", dtype=self.dtype_policy)
        self.map2 = keras.layers.Dense(STYLE, name="map2", dtype=self.dtype_policy)

    def build(self, shape: Any = None) -> None:
        """Make every weight."""
        w, h, c = self.width, self.hidden, self.codes
        self.map1.build((None, LATENT))
        self.map2.build((None, STYLE))
        self.place = self._weight("place", (BEATS, h), keras.initializers.RandomNormal(0.1))
        self.entry = self._weight("entry", (c, h))
        self.entry_style = self._weight("entry_style", (STYLE, h))
        self.gates = self._weight("gates", (h, 3 * w))
        self.gates_bias = self._weight("gates_bias", (3 * w,), "zeros")
        self.again = self._weight("again", (w, 3 * w), "orthogonal")
        self.asks = self._weight("asks", (w, RECALL))
        self.keys = self._weight("keys", (w, RECALL))
        self.values = self._weight("values", (c, RECALL))
        self.lags = self._weight("lags", (HEADS, BEATS), "zeros")
        self.say1 = self._weight("say1", (w + RECALL, h))
        self.say_style = self._weight("say_style", (STYLE, h))
        self.say2 = self._weight("say2", (h, h))
        self.say3 = self._weight("say3", (h, 2 * c), "zeros")
        self.say_bias = self._weight("say_bias", (2 * c,), "zeros")
        self.built = True

    def _weight(self, name: str, shape: tuple[int, ...], initializer: Any = "glorot_uniform") -> Any:
        return self.add_weight(name=name, shape=shape, initializer=initializer)

    def style(self, scores: Any) -> Any:
        """Scores ``(n, 14)`` to the style that every beat is composed in, ``(n, 96)``."""
        return leaky(self.map2(leaky(self.map1(scores))))

    def expect(self, codes: Any, scores: Any) -> tuple[Any, Any]:
        """Mean and logarithm of the deviation of each beat's codes given those before it.

        ``codes`` and both results: ``(n, 75, codes)``. ``scores``: ``(n, 14)``.
        """
        style = self.style(scores)
        before = ops.pad(codes[:, :-1], ((0, 0), (1, 0), (0, 0)))
        x = leaky(ops.matmul(before, self.entry) + self._setting(style))
        memory = self._remember(ops.matmul(x, self.gates) + self.gates_bias)
        recalled = self._recall_all(memory, ops.matmul(codes, self.values))
        return self._say(memory, recalled, self._taste(style)[:, None])

    def call(self, latent: Any) -> Any:
        """Latents ``(n, 14)`` to codes ``(n, 75, codes)``."""
        dtype = self.compute_dtype
        latent = ops.cast(latent, dtype)
        style = self.style(ops.matmul(latent, ops.cast(self.root, dtype)))
        taste = self._taste(style)
        spots = ops.convert_to_tensor(np.eye(BEATS, dtype=dtype))
        lags = self._lag_rows()
        settings = ops.transpose(self._setting(style), (1, 0, 2))
        chances = ops.transpose(self._chances(latent), (1, 0, 2))

        def beat(now: Any, carry: Any) -> Any:
            codes, memory, keys, values, made = carry
            x = leaky(ops.matmul(codes, self._cast(self.entry)) + settings[now])
            memory = self._gate(ops.matmul(x, self._cast(self.gates)) + self._cast(self.gates_bias), memory)
            mean, spread = self._say(memory, self._recall(memory, keys, values, lags[now]), taste)
            codes = mean + ops.exp(spread) * chances[now]
            spot = spots[now][None, :, None]
            keys = keys + spot * ops.matmul(memory, self._cast(self.keys))[:, None]
            values = values + spot * ops.matmul(codes, self._cast(self.values))[:, None]
            return codes, memory, keys, values, made + spot * codes[:, None]

        def blank(*shape: int) -> Any:
            rows = 0.0 * ops.reshape(latent[:, 0], (-1, *(1 for _ in shape)))  # carries the batch's size
            return rows + ops.zeros((1, *shape), dtype=dtype)

        begin = (
            blank(self.codes),
            blank(self.width),
            blank(BEATS, RECALL),
            blank(BEATS, RECALL),
            blank(BEATS, self.codes),
        )
        *_, made = ops.fori_loop(0, BEATS, beat, begin)
        return made

    def _cast(self, weight: Any) -> Any:
        return ops.cast(weight, self.compute_dtype)

    def _setting(self, style: Any) -> Any:
        """What each beat's entry knows beside the beat before: place and style, ``(n, 75, hidden)``."""
        return self._cast(self.place)[None] + ops.matmul(style, self._cast(self.entry_style))[:, None]

    def _taste(self, style: Any) -> Any:
        return ops.matmul(style, self._cast(self.say_style))

    def _gate(self, x: Any, memory: Any) -> Any:
        """One step of the memory; ``x`` ``(n, 3 width)`` is what the beat brings to the gates."""
        w = self.width
        back = ops.matmul(memory, self._cast(self.again))
        gates = ops.sigmoid(x[:, : 2 * w] + back[:, : 2 * w])
        keep, reset = gates[:, :w], gates[:, w:]
        fresh = ops.tanh(x[:, 2 * w :] + reset * back[:, 2 * w :])
        return fresh + keep * (memory - fresh)

    def _remember(self, x: Any) -> Any:
        """The memory at every beat, of gates' inputs ``(n, 75, 3 width)``."""

        def beat(memory: Any, x: Any) -> Any:
            memory = self._gate(x, memory)
            return memory, memory

        start = ops.zeros((x.shape[0], self.width), dtype=self.compute_dtype)
        _, memories = ops.scan(beat, start, ops.transpose(x, (1, 0, 2)), length=BEATS)
        return ops.transpose(memories, (1, 0, 2))

    def _lag_rows(self) -> Any:
        """For each beat the bias of every beat by how long ago it was, ``(75, heads, 75)``."""
        ago = np.arange(BEATS)[:, None] - np.arange(BEATS)[None]
        rows = ops.take(self.lags, np.maximum(ago, 0), axis=1)
        return self._cast(ops.transpose(ops.where(ago > 0, rows, ops.cast(_FAR, rows.dtype)), (1, 0, 2)))

    def _recall_all(self, memory: Any, values: Any) -> Any:
        asks, keys, values = (
            ops.reshape(x, (-1, BEATS, HEADS, HEAD_SIZE))
            for x in (ops.matmul(memory, self.asks), ops.matmul(memory, self.keys), values)
        )
        odds = HEAD_SIZE**-0.5 * ops.einsum("nthd,nshd->nths", asks, keys) + self._lag_rows()[None]
        return ops.reshape(ops.einsum("nths,nshd->nthd", attention(odds), values), (-1, BEATS, RECALL))

    def _recall(self, memory: Any, keys: Any, values: Any, lag: Any) -> Any:
        """What attention brings back at one beat."""
        asks = HEAD_SIZE**-0.5 * ops.matmul(memory, self._cast(self.asks))
        asks = ops.reshape(asks, (-1, HEADS, 1, HEAD_SIZE))
        keys = ops.transpose(ops.reshape(keys, (-1, BEATS, HEADS, HEAD_SIZE)), (0, 2, 3, 1))
        values = ops.transpose(ops.reshape(values, (-1, BEATS, HEADS, HEAD_SIZE)), (0, 2, 1, 3))
        odds = ops.matmul(asks, keys) + lag[None, :, None]
        return ops.reshape(ops.matmul(attention(odds), values), (-1, RECALL))

    def _say(self, memory: Any, recalled: Any, taste: Any) -> tuple[Any, Any]:
        known = ops.concatenate([memory, recalled], axis=-1)
        u = leaky(ops.matmul(known, self._cast(self.say1)) + taste)
        u = leaky(ops.matmul(u, self._cast(self.say2)))
        said = ops.matmul(u, self._cast(self.say3)) + self._cast(self.say_bias)
        low, high = DEVIATIONS
        # a smooth limit, so that gradients never stop
        spread = low + (high - low) * ops.sigmoid(said[..., self.codes :] + np.log(-low / high))
        return said[..., : self.codes], spread

    def _chances(self, latent: Any) -> Any:
        """Standard normal numbers ``(n, 75, codes)`` from latents ``(n, 14)``: Box & Muller 1958 on waves."""
        waves, phases = (ops.cast(table, latent.dtype) for table in wave_table(self.codes))
        turns = ops.matmul(latent, waves) + phases
        half = BEATS * self.codes // 2
        share = ops.abs(2.0 * (turns[:, :half] - ops.floor(turns[:, :half])) - 1.0)
        radius = ops.sqrt(-2.0 * ops.log(share + 1e-12))
        angle = (2.0 * np.pi) * turns[:, half:]
        chances = ops.concatenate([radius * ops.cos(angle), radius * ops.sin(angle)], axis=-1)
        return ops.reshape(chances, (-1, BEATS, self.codes))


def attention(odds: Any) -> Any:
    """Weights over the last axis, ``exp`` of log-odds against attending to nothing."""
    top = ops.stop_gradient(ops.maximum(ops.max(odds, axis=-1, keepdims=True), 0.0))
    weights = ops.exp(odds - top)
    return weights / (ops.sum(weights, axis=-1, keepdims=True) + ops.exp(-top))


def wave_table(codes: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Projections ``(14, 75 codes)`` and phases of the waves, the same for every model; float16 holds them.

    From NumPy's Philox stream of integers, which never changes.
    """
    count = BEATS * codes
    raw = np.random.Philox(key=2026).random_raw(2 * (LATENT + 1) * count)
    uniform = ((raw >> np.uint64(12)).astype(np.float64) + 0.5) / 2.0**52
    normal = np.sqrt(-2.0 * np.log(uniform[::2])) * np.cos(2.0 * np.pi * uniform[1::2])
    waves = (WAVES * normal[: LATENT * count]).astype(np.float16).astype(np.float32)
    phases = uniform[::2][LATENT * count :].astype(np.float16).astype(np.float32)
    return waves.reshape(LATENT, count), phases
