"""The composer of ``studio``: a latent becomes the codes of 75 beats, one beat after the other.

::

    latent (14) ─┬─ scores ─ map ─▶ style ─────────────┬──────────────┐
                 └─ chances (75, codes)                ▼              ▼
    codes of the beat before ─ entry ─▶ memory (GRU) ─▶ recall ─▶ ideas ─▶ one of them + chance ─▶ codes
                                                              └─▶ an earlier beat, repeated ────┘

The memory is a gated recurrent unit (Cho et al. 2014). Recall is attention over the beats so far: its keys
are what the memory was before each beat, its values that beat's codes, so that what followed once can follow
again. Of each beat the network has several ideas, each with odds, a mean and a deviation of the codes, given
those before it: a mixture of normal distributions (Bishop 1994), which is the prior of a sequential
autoencoder (Chung et al. 2015). Music either goes on or comes back, and what lies between is neither. So the
first idea is a copy, to be varied: its mean begins at the codes of an earlier beat, which a head of attention
points to (as Vinyals et al. 2015 point to inputs).

A sixth or so of all beats are just what an earlier beat was, note for note. Blurred codes hide that, so it is
a choice of its own beside the ideas: to repeat the beat that another head points to. In training it is known
which beats are repeated (:func:`training.relations.repeats`); to composing a repeated beat nothing is added,
and it is decoded as what it repeats (:meth:`training.studio.Decoder.composed`).

The encoder blurs codes: what it says of a beat is a mean and a deviation, and the composer learns from codes
drawn with them, so part of what its ideas deviate by is not music but blur. Composing takes that part away
from what is played, and adds it to what the composer hears of what it has played, for it has learnt to listen
to nothing else. So copies are clean, however many copies of copies there are.

A request is not always met: a composer that follows its own beats drifts to what is usual. So requests are
exaggerated and moved, score by score, until the pieces' own scores are spread as those of real music are
(:func:`training.calibrate.met`); this is measured, not trained.

Nothing is drawn: chances, standard normal, and lots, from a Gumbel distribution, come from the latent through
fixed random waves. Over seeds they are as good as independent; between near latents they change little.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from training.attributes import Wanted
from training.config import Config
from training.layers import leaky
from training.studio import BEATS, LATENT
from training.whole import WholeProduct

HEADS: Final = 4
HEAD_SIZE: Final = 24
RECALL: Final = HEADS * HEAD_SIZE
POINTERS: Final = 2
"""Heads that point to an earlier beat: one to vary, which the first idea does, and one to repeat."""
IDEAS: Final = 5
CHOICES: Final = IDEAS + 1
"""Of each beat: one of the ideas, or, the last, to repeat."""
STYLE: Final = 96
WAVES: Final = 0.25
"""Deviation of the projections, in cycles for each unit of the latent."""
DEVIATIONS: Final = (-4.0, 1.0)
"""Range of the logarithm of a code's deviation."""
SPREAD_OFFSET: Final = float(np.log(-DEVIATIONS[0] / DEVIATIONS[1]))
"""What makes an answer of 0 a deviation of 1."""
CLEAR: Final = 1e-6
"""The least variance that is left of an idea."""
_FAR: Final = -1e4


class Plan(NamedTuple):
    """Known before the first beat: ``(75, n, ...)`` each, and ``taste``, ``(n, hidden)``."""

    settings: Any
    chances: Any
    blurs: Any
    lots: Any
    taste: Any


class Carried(NamedTuple):
    """What goes from beat to beat; ``made`` are the codes of all beats so far."""

    heard: Any
    memory: Any
    back: Any
    keys: Any
    made: Any


class Composer(keras.Model):  # type: ignore[misc]  # keras is untyped
    """Codes from latents, and the mean and deviation of codes that are given.

    ``width``: of the memory. ``codes``: numbers a beat. ``wanted``: from latents to the scores that they ask
    for; else those are the latents themselves. ``daring``: what chances are multiplied with when composing.
    ``blur``: what the blur of that which the composer hears of itself is multiplied with. ``copies``: how
    often the codes' blur is taken from the deviation of a copy, in which it is at least twice: it has that of
    the beat it copies, too. ``furthest``: how far requests may be moved.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        codes: int,
        wanted: Wanted | None = None,
        *,
        daring: float = 1.0,
        blur: float = 1.0,
        copies: float = 2.0,
        furthest: float = 1.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width, self.hidden, self.codes = width, hidden, codes
        self.wanted = wanted or Wanted.plain()
        self.daring, self.hears, self.furthest = daring, blur, furthest
        self.blurred = np.repeat([copies, 1.0], (1, IDEAS - 1))
        """How often the codes' blur is taken from each idea's deviation."""
        self.whole: dict[str, WholeProduct] = {}
        self.map1 = keras.layers.Dense(STYLE, name="map1", dtype=self.dtype_policy)
        self.map2 = keras.layers.Dense(STYLE, name="map2", dtype=self.dtype_policy)

    @classmethod
    def of(cls, config: Config, wanted: Wanted, **kwargs: Any) -> Composer:
        """Built as a run's configuration says."""
        v, g = config.vae, config.gan
        how = {name: getattr(g, name) for name in ("daring", "blur", "copies", "furthest")}
        composer = cls(v.composer, v.hidden, v.codes, wanted, **{"name": "composer", **how, **kwargs})
        composer.build()
        return composer

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
        self.copy_asks = self._weight("copy_asks", (w, POINTERS * HEAD_SIZE))
        self.copy_keys = self._weight("copy_keys", (w, POINTERS * HEAD_SIZE))
        self.copy_lags = self._weight("copy_lags", (POINTERS, BEATS), "zeros")
        self.say1 = self._weight("say1", (w + RECALL, h))
        self.say_style = self._weight("say_style", (STYLE, h))
        self.say2 = self._weight("say2", (h, h))
        self.say3 = self._weight("say3", (h, 2 * c), "zeros")
        self.say_bias = self._weight("say_bias", (2 * c,), "zeros")
        # ideas as they differ from what say3 says
        self.differ = self._weight("differ", (h, IDEAS * 2 * c), keras.initializers.RandomNormal(0.02))
        self.differ_bias = self._weight("differ_bias", (IDEAS * 2 * c,), "zeros")
        self.weigh = self._weight("weigh", (h, CHOICES), "zeros")
        self.weigh_bias = self._weight("weigh_bias", (CHOICES,), "zeros")
        # measured, not trained: the mean variance that the encoder gives each code
        self.blur = self._weight("blur", (c,), "zeros", trainable=False)
        # what scores are multiplied with, and what is added to them, to have them met
        self.emphasis = self._weight("emphasis", (LATENT,), "ones", trainable=False)
        self.shift = self._weight("shift", (LATENT,), "zeros", trainable=False)
        self.built = True

    def _weight(
        self, name: str, shape: tuple[int, ...], initializer: Any = "glorot_uniform", **options: Any
    ) -> Any:
        return self.add_weight(name=name, shape=shape, initializer=initializer, **options)

    def style(self, scores: Any) -> Any:
        """Scores ``(n, 14)`` to the style that every beat is composed in, ``(n, 96)``."""
        return leaky(self.map2(leaky(self.map1(scores))))

    def expect(self, codes: Any, scores: Any) -> tuple[Any, Any, Any, Any]:
        """Log-odds ``(n, 75, choices)`` of each beat's choices, and what they are.

        ``codes``: ``(n, 75, codes)``; only those before a beat count. ``scores``: ``(n, 14)``. Then: means
        and log-deviations of the ideas, ``(n, 75, ideas, codes)``, and the log-probability that each beat is
        the one to repeat, ``(n, 75, 75)``.
        """
        style = self.style(scores)
        before = ops.pad(codes[:, :-1], ((0, 0), (1, 0), (0, 0)))
        x = leaky(ops.matmul(before, self.entry) + self._setting(style))
        products, bias = self._products(), self.ideas_bias()
        memory = self._remember(products["gates"](x) + self.gates_bias)
        _, asks, keys, said = ops.split(products["memory"](memory), self.parts(), axis=-1)
        recalled, copied, where = self._recall_all(asks, keys, codes)
        said = said + ops.matmul(recalled, self.recall_weights()) + self._taste(style)[:, None]
        return *self._say(said, copied, products, bias), where

    def surprise(self, codes: Any, scores: Any, repeated: Any, clear: Any, blur: Any) -> Any:
        """``-log p(codes)`` of each beat given those before it, in nats, without ``log(2 pi) / 2`` a code.

        ``codes``: ``(n, 75, codes)``, drawn with log-deviations ``blur`` about ``clear``. ``scores``:
        ``(n, 14)``. ``repeated``, bool ``(n, 75, 75)``: which earlier beats each beat repeats; of one that
        repeats any, that it does and which one is all that surprises. Result: ``(n, 75)``.
        """
        odds, means, spreads, where = self.expect(codes, scores)
        far = (codes[:, :, None] - means) * ops.exp(-spreads)
        new = ops.logsumexp(odds[..., :-1] - ops.sum(spreads + 0.5 * far**2, axis=-1), axis=-1)
        drawn = -ops.sum(blur + 0.5 * ((codes - clear) * ops.exp(-blur)) ** 2, axis=-1)
        again = odds[..., -1] + ops.logsumexp(ops.where(repeated, where, _FAR), axis=-1) + drawn
        return ops.logsumexp(odds, axis=-1) - ops.where(ops.any(repeated, axis=-1), again, new)

    def call(self, latent: Any) -> Any:
        """Latents ``(n, 14)`` to codes ``(n, 75, codes)``."""
        settings, chances, blurs, lots, taste = self.plan(latent)
        lags, spots = self.lag_rows(), ops.convert_to_tensor(np.eye(BEATS, dtype=self.compute_dtype))
        products, bias, blur = self.whole or self._products(), self.ideas_bias(), self._cast(self.blur)
        recall_weights, to_hear = self.recall_weights(), ops.transpose(blurs, (1, 0, 2))

        def beat(now: Any, carry: Any) -> Any:
            heard, memory, back, keys, made = carry
            x = leaky(ops.matmul(heard, self._cast(self.entry)) + settings[now])
            memory = self._gate(products["gates"](x) + self._cast(self.gates_bias), back, memory)
            back, asks, key, said = ops.split(products["memory"](memory), self.parts(), axis=-1)
            recalled, copied, repeated = self._recall(asks, keys, made + to_hear, made, lags[now])
            said = said + ops.matmul(recalled, recall_weights) + taste
            odds, means, spreads = self._say(said, copied, products, bias)
            choice = ops.one_hot(ops.argmax(odds + lots[now], axis=-1), CHOICES, dtype=means.dtype)
            chosen, repeats = choice[:, :-1, None], choice[:, -1:]
            mean, spread = ops.sum(chosen * means, axis=1), ops.sum(chosen * spreads, axis=1)
            blurred = ops.sum(chosen * self._cast(self.blurred)[:, None], axis=1)
            deviation = (1.0 - repeats) * self.daring * unblurred(spread, blurred * blur)
            codes = mean + repeats * repeated + deviation * chances[now]
            spot = spots[now]
            keys = keys + ops.reshape(key, (-1, HEADS + POINTERS, HEAD_SIZE, 1)) * spot
            return codes + blurs[now], memory, back, keys, made + spot[None, :, None] * codes[:, None]

        begin = [self.blank(latent, *shape) for shape in self.carried()]
        *_, made = ops.fori_loop(0, BEATS, beat, tuple(begin))
        return made

    def plan(self, latent: Any) -> Plan:
        """What is known before the first beat."""
        latent = ops.cast(latent, self.compute_dtype)
        scores = ops.matmul(latent, self._cast(self.wanted.root)) + self._cast(self.wanted.centre)
        style = self.style(self._cast(self.emphasis) * scores + self._cast(self.shift))
        settings = ops.transpose(self._setting(style), (1, 0, 2))
        chances, lots = (ops.transpose(x, (1, 0, 2)) for x in self._chances(latent))
        # the chances of another code and beat, which are unrelated to those of this one
        blurs = ops.roll(ops.roll(chances, self.codes // 2, axis=2), BEATS // 2, axis=0)
        blurs = self.hears * ops.sqrt(self._cast(self.blur)) * blurs
        return Plan(settings, chances, blurs, lots, self._taste(style))

    def carried(self) -> Carried:
        """Shapes, without the batch, of what beats hand on."""
        keys = (HEADS + POINTERS, HEAD_SIZE, BEATS)
        return Carried((self.codes,), (self.width,), (3 * self.width,), keys, (BEATS, self.codes))

    def parts(self) -> list[int]:
        """Where the products of the memory are parted: back to the gates, asks, keys, what is said."""
        back, asks = 3 * self.width, RECALL + POINTERS * HEAD_SIZE
        return [back, back + asks, back + 2 * asks]

    def blank(self, latent: Any, *shape: int) -> Any:
        """Zeros of the batch's size."""
        rows = 0.0 * ops.reshape(ops.cast(latent, self.compute_dtype)[:, 0], (-1, *(1 for _ in shape)))
        return rows + ops.zeros((1, *shape), dtype=self.compute_dtype)

    def from_memory_weights(self) -> Any:
        """All that the memory is multiplied with, side by side, ``(width, …)``; see :meth:`parts`."""
        asks = [HEAD_SIZE**-0.5 * weights for weights in (self.asks, self.copy_asks)]
        said = self.say1[: self.width]
        return ops.concatenate([self.again, *asks, self.keys, self.copy_keys, said], axis=-1)

    def recall_weights(self) -> Any:
        """What recalled codes, head by head, are multiplied with to be said, ``(heads codes, hidden)``."""
        values = ops.reshape(self.values, (self.codes, HEADS, HEAD_SIZE))
        said = ops.reshape(self.say1[self.width :], (HEADS, HEAD_SIZE, self.hidden))
        both = ops.einsum("chd,hdo->hco", values, said)
        return self._cast(ops.reshape(both, (HEADS * self.codes, self.hidden)))

    def ideas_weights(self) -> Any:
        """Weights ``(hidden, choices + 2 ideas codes)`` of what is said: odds, then means and spreads.

        The copy's mean is only what it differs from the beat that is copied.
        """
        return self._of_ideas(self.weigh, self.say3, self.differ)

    def ideas_bias(self) -> Any:
        """The bias that belongs to :meth:`ideas_weights`, ``(choices + 2 ideas codes,)``."""
        return self._cast(self._of_ideas(self.weigh_bias, self.say_bias, self.differ_bias))

    def _of_ideas(self, weigh: Any, base: Any, differ: Any) -> Any:
        own = np.repeat([[0.0, 1.0]] + [[1.0, 1.0]] * (IDEAS - 1), self.codes)
        return ops.concatenate([weigh, own * ops.concatenate([base] * IDEAS, axis=-1) + differ], axis=-1)

    def ask_plainly(self) -> None:
        """Tell requests as they are, until it is measured how they are met."""
        self.emphasis.assign(np.ones(LATENT))
        self.shift.assign(np.zeros(LATENT))

    def make_whole(self, reach: float) -> None:
        """From now on compose with the large products in whole numbers (:class:`WholeProduct`).

        ``reach``: the greatest magnitude at a beat's entry that is told from greater ones.
        """
        reaches = {"memory": 1.0}
        self.whole = {
            name: WholeProduct(np.asarray(weights), reaches.get(name, reach))
            for name, weights in self._large_weights().items()
        }

    def _products(self) -> dict[str, Callable[[Any], Any]]:
        """The large products in floating point, by the names that :attr:`whole` has them by."""
        return {name: _times(self._cast(weights)) for name, weights in self._large_weights().items()}

    def _large_weights(self) -> dict[str, Any]:
        return {
            "gates": self.gates,
            "memory": self.from_memory_weights(),
            "say2": self.say2,
            "ideas": self.ideas_weights(),
        }

    def _cast(self, weight: Any) -> Any:
        return ops.cast(weight, self.compute_dtype)

    def _setting(self, style: Any) -> Any:
        """What each beat's entry knows beside the beat before: place and style, ``(n, 75, hidden)``."""
        return self._cast(self.place)[None] + ops.matmul(style, self._cast(self.entry_style))[:, None]

    def _taste(self, style: Any) -> Any:
        return ops.matmul(style, self._cast(self.say_style))

    def _gate(self, x: Any, back: Any, memory: Any) -> Any:
        """One step of the memory.

        ``x`` and ``back``, ``(n, 3 width)``: what the beat and what the memory bring to the gates.
        """
        w = self.width
        gates = ops.sigmoid(x[:, : 2 * w] + back[:, : 2 * w])
        keep, reset = gates[:, :w], gates[:, w:]
        fresh = ops.tanh(x[:, 2 * w :] + reset * back[:, 2 * w :])
        return fresh + keep * (memory - fresh)

    def _remember(self, x: Any) -> Any:
        """The memory at every beat, of gates' inputs ``(n, 75, 3 width)``."""

        def beat(memory: Any, x: Any) -> Any:
            memory = self._gate(x, ops.matmul(memory, self.again), memory)
            return memory, memory

        start = ops.zeros((x.shape[0], self.width), dtype=self.compute_dtype)
        _, memories = ops.scan(beat, start, ops.transpose(x, (1, 0, 2)), length=BEATS)
        return ops.transpose(memories, (1, 0, 2))

    def lag_rows(self) -> Any:
        """For each beat the bias of every beat by how long ago it was, ``(75, heads + pointers, 75)``."""
        ago = np.arange(BEATS)[:, None] - np.arange(BEATS)[None]
        rows = ops.take(ops.concatenate([self.lags, self.copy_lags]), np.maximum(ago, 0), axis=1)
        return self._cast(ops.transpose(ops.where(ago > 0, rows, ops.cast(_FAR, rows.dtype)), (1, 0, 2)))

    def _recall_all(self, asks: Any, keys: Any, codes: Any) -> tuple[Any, Any, Any]:
        """What attention brings back at every beat: of all heads, ``(n, 75, heads codes)``, and a copy.

        And the log-probability that each beat is the one to repeat.
        """
        asks, keys = (ops.reshape(x, (-1, BEATS, HEADS + POINTERS, HEAD_SIZE)) for x in (asks, keys))
        odds = ops.einsum("nthd,nshd->nths", asks, keys) + self.lag_rows()[None]
        brought = ops.einsum("nths,nsc->nthc", attention(odds[:, :, :-1]), codes)
        recalled = ops.reshape(brought[:, :, :HEADS], (-1, BEATS, HEADS * self.codes))
        return recalled, brought[:, :, HEADS], ops.log_softmax(odds[:, :, -1])

    def _recall(self, asks: Any, keys: Any, heard: Any, made: Any, lag: Any) -> tuple[Any, Any, Any]:
        """At one beat: what attention brings back, ``(n, heads codes)``, a copy, what would be repeated.

        ``heard`` and ``made``, ``(n, 75, codes)``; from this beat on they do not count.
        """
        asks = ops.reshape(asks, (-1, HEADS + POINTERS, 1, HEAD_SIZE))
        odds = (ops.matmul(asks, keys) + lag[None, :, None])[:, :, 0]
        weights = attention(odds[:, :-1])
        recalled = ops.reshape(ops.matmul(weights[:, :HEADS], heard), (-1, HEADS * self.codes))
        copied = ops.matmul(weights[:, HEADS:], made)[:, 0]
        spot = ops.one_hot(ops.argmax(odds[:, -1:], axis=-1), BEATS, dtype=made.dtype)
        return recalled, copied, ops.matmul(spot, made)[:, 0]

    def _say(self, said: Any, copied: Any, products: Mapping[str, Any], bias: Any) -> tuple[Any, Any, Any]:
        """Log-odds of the choices, means and log-deviations of the ideas.

        ``said``, ``(…, hidden)``: from the memory, what is recalled and the style. ``copied``: codes.
        """
        out = products["ideas"](leaky(products["say2"](leaky(said)))) + bias
        about = ops.reshape(out[..., CHOICES:], (-1, *out.shape[1:-1], IDEAS, 2 * self.codes))
        new = ops.zeros_like(about[..., 1:, : self.codes])
        means = about[..., : self.codes] + ops.concatenate([copied[..., None, :], new], axis=-2)
        low, high = DEVIATIONS
        # a smooth limit, so that gradients never stop
        spreads = low + (high - low) * ops.sigmoid(about[..., self.codes :] + SPREAD_OFFSET)
        return out[..., :CHOICES], means, spreads

    def _chances(self, latent: Any) -> tuple[Any, Any]:
        """Chances ``(n, 75, codes)``, standard normal, and lots ``(n, 75, choices)``, Gumbel, from latents.

        By the transforms of Box & Muller 1958 and of Gumbel's own quantiles, on waves.
        """
        waves, phases = (ops.cast(table, latent.dtype) for table in wave_table(self.codes))
        turns = ops.matmul(latent, waves) + phases
        half, end = BEATS * self.codes // 2, BEATS * self.codes
        radius = ops.sqrt(-2.0 * ops.log(_share(turns[:, :half])))
        angle = (2.0 * np.pi) * turns[:, half:end]
        # the cosine as a sine: onnxruntime 1.20 has no cosine in double precision
        quarter = np.pi / 2.0
        chances = ops.concatenate([radius * ops.sin(angle + quarter), radius * ops.sin(angle)], axis=-1)
        lots = -ops.log(-ops.log(_share(turns[:, end:])))
        return ops.reshape(chances, (-1, BEATS, self.codes)), ops.reshape(lots, (-1, BEATS, CHOICES))


def _times(weights: Any) -> Callable[[Any], Any]:
    return lambda x: ops.matmul(x, weights)


def _share(turns: Any) -> Any:
    """How far along its wave each turn is, above 0 and below 1, evenly spread, without a jump."""
    share = ops.abs(2.0 * (turns - ops.floor(turns)) - 1.0)
    # not as a product with what is nearly 1, nor a sum with what is nearly 0: onnxruntime leaves those out
    return share + 1e-9 * (1.0 - 2.0 * share)


def attention(odds: Any) -> Any:
    """Weights over the last axis, ``exp`` of log-odds against attending to nothing."""
    top = ops.stop_gradient(ops.maximum(ops.max(odds, axis=-1, keepdims=True), 0.0))
    weights = ops.exp(odds - top)
    return weights / (ops.sum(weights, axis=-1, keepdims=True) + ops.exp(-top))


def unblurred(spread: Any, blur: Any) -> Any:
    """Deviation of an idea without the variance ``blur`` of its log-deviation ``spread``."""
    return ops.sqrt(ops.maximum(ops.exp(2.0 * spread) - blur, CLEAR))


def wave_table(codes: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Projections ``(14, 75 (codes + choices))`` and phases of the waves; float16 holds them.

    Those of chances, then those of lots, the same for every model of as many codes, from NumPy's Philox
    stream of integers, which never changes.
    """
    tables = [_waves(key, BEATS * count) for key, count in ((2026, codes), (2027, CHOICES))]
    waves, phases = (np.concatenate(parts, axis=-1) for parts in zip(*tables, strict=True))
    return waves, phases


def _waves(key: int, count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    raw = np.random.Philox(key=key).random_raw(2 * (LATENT + 1) * count)
    uniform = ((raw >> np.uint64(12)).astype(np.float64) + 0.5) / 2.0**52
    normal = np.sqrt(-2.0 * np.log(uniform[::2])) * np.cos(2.0 * np.pi * uniform[1::2])
    waves = (WAVES * normal[: LATENT * count]).astype(np.float16).astype(np.float32)
    phases = uniform[::2][LATENT * count :].astype(np.float16).astype(np.float32)
    return waves.reshape(LATENT, count), phases
