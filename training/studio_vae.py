"""First stage of ``studio``: the autoencoder of beats, and the composer as the prior of its codes.

Every random number comes from a NumPy generator seeded with (run seed, stage, step), so a resumed run takes
the same steps as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from pianogan_bgm.roll import to_cells
from training.attributes import Attributes, Wanted
from training.calibrate import Amounts, Requests, calibrated, met
from training.composer import Composer
from training.config import Config
from training.corpus import Cells, Corpus, DataError
from training.gradients import GradientStep, Move
from training.metrics import validation_score
from training.relations import repeats
from training.runs import checkpoint, load_variables, named, read_meta
from training.studio import (
    BEATS,
    CELLS,
    HELD,
    LATENT,
    STRUCK,
    Decision,
    Decoder,
    Encoder,
    encoder_input,
    log_total,
    one_hot,
    pack,
)

SHEET: Final = 12
CHUNK: Final = 64
TURNS: Final = 4
"""Of measuring which requests are met, at each validation."""
BLUR_WINDOWS: Final = 256
MEASURED: Final = 4096
"""Windows, transposed as they are in training, whose attributes stand for all."""
TYPICAL: Final = 4000
"""Windows as they were written, which pieces are to be like: in amounts and in scores."""


class VaeStage:
    """Reconstruction of states (and velocities), and the rate of the codes beyond what is expected."""

    name = "vae"

    def __init__(self, config: Config, corpus: Corpus) -> None:
        self.config, self.settings = config, config.vae
        self.steps = self.settings.steps
        self.attributes = known_attributes(corpus, config.seed)
        typical = typical_cells(corpus)
        self.amounts, self._typical = Amounts.of(typical), typical[:: len(typical) // BLUR_WINDOWS + 1]
        self.wanted = Wanted.of(self.attributes.scores(typical))
        self.networks = Networks(config, self.wanted, velocity=corpus.has_velocity)
        self._sampler = corpus.sampler("train", self.settings.batch, config.seed)
        self._optimizer = keras.optimizers.AdamW(
            warm_cosine(self.settings.learning_rate, self.steps),
            weight_decay=0.01,
            beta_2=0.99,
            global_clipnorm=5.0,
        )
        self._step = GradientStep(Move(self._loss, self.networks.variables(), self._optimizer))
        self._held_out = evaluation_cells(corpus, "validation", config.validation_windows, 0)

    def variables(self) -> dict[str, Any]:
        """The networks and the optimiser."""
        return {**self.networks.named(), **named("optimizer", self._optimizer.variables)}

    def inherited(self) -> dict[str, Any]:
        """All of them."""
        return self.variables()

    def state(self) -> dict[str, Any]:
        """Where the sampler stands, and what composing needs beside the weights."""
        return {
            "sampler": self._sampler.state(),
            **composing_state(self.wanted, self.amounts, self.attributes),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put the sampler back."""
        self._sampler.restore(state["sampler"])

    def train(self, step: int) -> Mapping[str, Any]:
        """One step on a fresh batch."""
        rng = np.random.default_rng([self.config.seed, 1, step])
        batch = real_batch(next(self._sampler), self.attributes, rng, self.settings.codes)
        return self._step(*batch, ops.convert_to_tensor(np.float32(self._kl_weight(step))))

    def validate(self) -> dict[str, float]:
        """The bound on the surprise at held-out windows, F1 of their reconstructions, and composed pieces."""
        self.networks.measure_blur(self._typical)
        for _ in range(TURNS):
            self.networks.ask_otherwise(self.attributes, self.amounts, self.config)
        sums: dict[str, float] = {}
        hits = np.zeros((2, 3))
        for first in range(0, len(self._held_out), CHUNK):
            chunk = self._held_out[first : first + CHUNK]
            rng = np.random.default_rng([self.config.seed, first])
            batch = real_batch(chunk, self.attributes, rng, self.settings.codes)
            _, logs = self._loss(*batch, self.settings.kl_weight)
            for key, value in logs.items():
                sums[key] = sums.get(key, 0.0) + float(value) * len(chunk)
            states = np.asarray(batch[0])
            held, struck = np.moveaxis(np.asarray(ops.cast(self.reconstruct(chunk)[0], "float32")), 2, 0)
            strikes = struck > np.maximum(held, 0.0)
            for row, real, made in ((0, states == STRUCK, strikes), (1, states > 0, strikes | (held > 0))):
                hits[row] += (real & made).sum(), real.sum(), made.sum()
        metrics = {key: value / len(self._held_out) for key, value in sums.items()}
        f1 = 2 * hits[:, 0] / np.maximum(hits[:, 1] + hits[:, 2], 1)
        made = self.networks.pieces(fixed_latents(self.config, len(self._held_out)), self.amounts)
        composed = validation_score(made, self._held_out)
        return {**metrics, "strike_f1": f1[0], "sounding_f1": f1[1], **composed, "score": -metrics["loss"]}

    def sheet(self) -> npt.NDArray[np.uint8]:
        """Composed pieces of fixed latents, then a few held-out windows with their reconstructions."""
        real = self._held_out[: SHEET // 4]
        made = rolls_to_cells(Decision(dtype="float32")(*self.reconstruct(real)))
        pairs = np.stack([real, made], axis=1).reshape(-1, *real.shape[1:])
        composed = self.networks.pieces(fixed_latents(self.config, 4 * SHEET), self.amounts)[:SHEET]
        return np.concatenate([composed, pairs])

    def finished(self) -> bool:
        """Run to the last step."""
        return False

    def reconstruct(self, cells: Cells) -> tuple[Any, Any]:
        """Log-odds and velocities of the mean codes of ``cells``."""
        mean, _ = self.networks.encoder(encoder_input(*map(ops.convert_to_tensor, pack(cells))))
        return self.networks.decoder(mean)[1:]  # type: ignore[no-any-return]

    def _kl_weight(self, step: int) -> float:
        """Rises over the first eighth of the steps, unless codes that mean something are there already."""
        risen = 1.0 if self.config.init_from else min(1.0, (step + 1) / max(1, self.steps // 8))
        return self.settings.kl_weight * risen

    def _loss(self, *arrays: Any) -> tuple[Any, dict[str, Any]]:
        return self.networks.surprise(*arrays)


class Networks:
    """Encoder, decoder and composer of a run, built, with weights seeded by the run's seed."""

    def __init__(self, config: Config, wanted: Wanted, *, velocity: bool) -> None:
        v = config.vae
        self._velocity_weight, self._strikes_repeat = v.velocity_weight, v.repeats == "strikes"
        keras.utils.set_random_seed(config.seed)
        self.encoder = Encoder(v.width, v.codes, name="encoder")
        self.decoder = Decoder(v.width, v.blocks, velocity=velocity, name="decoder")
        zeros = np.zeros((1, BEATS, CELLS), np.uint8)
        self.decoder(self.encoder(encoder_input(zeros, zeros.astype(np.float32)))[0])
        self.composer = Composer.of(config, wanted)
        self._compose = compiled(self.composer)

    def named(self) -> dict[str, Any]:
        """Variables by unique name."""
        return {
            **named("encoder", self.encoder.variables),
            **named("decoder", self.decoder.variables),
            **named("composer", self.composer.variables),
        }

    def variables(self) -> list[Any]:
        """Everything trainable."""
        networks = (self.encoder, self.decoder, self.composer)
        return [variable for network in networks for variable in network.trainable_variables]

    def measure_blur(self, cells: Cells) -> None:
        """Tell the composer by how much the encoder blurs codes: its mean variance over ``cells``."""
        variances = []
        for first in range(0, len(cells), CHUNK):
            states, velocities = pack(cells[first : first + CHUNK])
            _, spread = self.encoder(encoder_input(states, velocities))
            variances.append(np.exp(2.0 * np.asarray(spread)))
        self.composer.blur.assign(np.concatenate(variances).mean(axis=(0, 1)))

    def ask_otherwise(self, attributes: Attributes, amounts: Amounts, config: Config) -> None:
        """Measure which requests are met, on fixed latents, and let the composer be told others for them."""
        latents = fixed_latents(config, config.validation_windows, 4)
        ask_otherwise(self.composer, latents, attributes.scores(self.pieces(latents, amounts)))

    def load(self, path: Path) -> dict[str, Any]:
        """Take the weights of a checkpoint of the first stage; its meta data."""
        return load_variables(path, self.named())

    def surprise(
        self, states: Any, velocities: Any, scores: Any, noise: Any, kl_weight: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Bound on the surprise at real windows in nats a beat (Chung et al. 2015), and its parts to log."""
        mean, spread = self.encoder(encoder_input(states, velocities))
        codes = mean + noise * ops.exp(spread)
        known = -ops.sum(spread + 0.5, axis=-1)
        held, struck = ops.unstack(one_hot(states), axis=2)
        repeated = repeats(struck) if self._strikes_repeat else repeats(struck, held)
        rate = ops.mean(known + self.composer.surprise(codes, scores, repeated, mean, spread))
        _, odds, loudness = self.decoder(codes)
        loss, logs = reconstruction(odds, loudness, states, velocities, velocity_weight=self._velocity_weight)
        loss = loss + kl_weight * rate
        return loss, {"loss": loss, "rate": rate, **logs}

    def pieces(self, latents: Any, amounts: Amounts) -> Cells:
        """Codec bytes ``(n, 106, 300)`` of latents, with the thresholds calibrated on themselves."""
        return decided(*self.odds(latents), amounts)

    def odds(self, latents: Any) -> tuple[Any, Any]:
        """Log-odds float32 ``(n, 75, 2, 352)`` and velocities (or None) of latents."""
        return composed_odds(self._compose, self.decoder, latents)


def reconstruction(
    odds: Any, loudness: Any, states: Any, velocities: Any, *, velocity_weight: float
) -> tuple[Any, dict[str, Any]]:
    """Surprise at real states (and velocities) in nats a beat: the loss, and its parts to log."""
    odds = ops.cast(odds, "float32")
    is_held, is_struck = (ops.cast(states == state, "float32") for state in (HELD, STRUCK))
    held, struck = odds[:, :, 0], odds[:, :, 1]
    surprise = log_total(held, struck) - held * is_held - struck * is_struck
    surprise = ops.mean(ops.sum(surprise, axis=-1))
    logs = {"reconstruction": surprise}
    if loudness is None:
        return surprise, logs
    error = ops.sum(is_struck * (ops.cast(loudness, "float32") - velocities) ** 2)
    logs["velocity_error"] = ops.sqrt(error / (ops.sum(is_struck) + 1.0))
    # a Gaussian of deviation 0.1 around the predicted loudness, in nats a beat like the rest
    return surprise + velocity_weight * 50.0 * error / (states.shape[0] * BEATS), logs


def real_batch(cells: Cells, attributes: Attributes, rng: np.random.Generator, codes: int) -> list[Any]:
    """What :meth:`Networks.surprise` takes of windows: states, velocities, scores, noise."""
    states, velocities = pack(cells)
    noise = rng.standard_normal((len(cells), BEATS, codes), np.float32)
    return [ops.convert_to_tensor(x) for x in (states, velocities, attributes.scores(cells), noise)]


def known_attributes(corpus: Corpus, seed: int) -> Attributes:
    """How the attributes of the training windows are distributed."""
    sampler = corpus.sampler("train", CHUNK, seed + 1)
    return Attributes.of((next(sampler) for _ in range(MEASURED // CHUNK)), loudness=corpus.has_velocity)


def warm_cosine(rate: float, steps: int) -> Any:
    """A learning rate that rises to ``rate`` over a tenth of ``steps`` and falls to a fiftieth of it."""
    return keras.optimizers.schedules.CosineDecay(
        rate * 0.04,
        max(1, steps - steps // 10),
        alpha=0.02,
        warmup_target=rate,
        warmup_steps=max(1, steps // 10),
    )


def fixed_latents(config: Config, count: int, which: int = 3) -> npt.NDArray[np.float32]:
    """The latents a run looks at again and again, ``(count, 14)``; ``which``: others for another purpose."""
    return np.random.default_rng([config.seed, which]).standard_normal((count, LATENT), np.float32)


def compiled(network: Any) -> Any:
    """``network`` as one call of the backend's compiler: a loop of 75 beats is slow without."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(network, reduce_retracing=True, autograph=False)
    return network


def ask_otherwise(composer: Composer, latents: npt.NDArray[Any], got: npt.NDArray[Any]) -> None:
    """Let a composer be told other requests, for what came of ``latents`` has the scores ``got``."""
    now = Requests(*(np.asarray(part, np.float64) for part in (composer.emphasis, composer.shift)))
    better = met(now, composer.wanted.scores(latents), got, composer.furthest)
    composer.emphasis.assign(better.emphasis)
    composer.shift.assign(better.shift)


def decided(odds: npt.NDArray[Any], velocities: Any, amounts: Amounts) -> Cells:
    """Codec bytes ``(n, 106, 300)`` of log-odds, with the thresholds calibrated on themselves."""
    return cells_in_chunks(Decision(calibrated(odds, amounts), dtype="float32"), odds, velocities)


def cells_in_chunks(make: Callable[..., Any], *arrays: Any) -> Cells:
    """Codec bytes ``(n, 106, 300)`` of the rolls that ``make`` gives of arrays of n rows each (or None)."""
    chunks = (slice(first, first + CHUNK) for first in range(0, len(arrays[0]), CHUNK))
    rolls = (make(*(None if array is None else array[some] for array in arrays)) for some in chunks)
    return np.concatenate([rolls_to_cells(some) for some in rolls])


def composed_odds(compose: Callable[[Any], Any], decoder: Any, latents: Any) -> tuple[Any, Any]:
    """Log-odds float32 ``(n, 75, 2, 352)`` and velocities (or None) of latents, in chunks.

    ``compose``: a composer, better compiled.
    """
    odds: list[npt.NDArray[Any]] = []
    loudness: list[Any] = []
    for i in range(0, len(latents), CHUNK):
        chunk, velocities = decoder.composed(compose(latents[i : i + CHUNK]))
        odds.append(np.asarray(ops.cast(chunk, "float32")))
        loudness.append(None if velocities is None else np.asarray(ops.cast(velocities, "float32")))
    return np.concatenate(odds), None if loudness[0] is None else np.concatenate(loudness)


def evaluation_cells(
    corpus: Corpus, split: str, most: int, seed: int, *, sounding: bool = False
) -> npt.NDArray[np.uint8]:
    """At most ``most`` non-overlapping windows of a split, chosen by ``seed``; codec bytes (n, 106, 300).

    ``sounding``: only those of :meth:`Corpus.windows` that sound throughout, which training learns from.
    Raises :class:`DataError` for a split without any.
    """
    windows = corpus.windows(split, sounding=sounding)
    if not len(windows):
        raise DataError(f"split {split!r} needs at least one window; it has none")
    chosen = np.random.default_rng(seed).permutation(len(windows))[:most]
    return corpus.stack(windows[np.sort(chosen)])


def typical_cells(corpus: Corpus) -> Cells:
    """Windows of training as they were written, which pieces are to be like."""
    return evaluation_cells(corpus, "train", TYPICAL, 0, sounding=True)


def rolls_to_cells(rolls: Any) -> npt.NDArray[np.uint8]:
    """Rolls ``(n, 106, 300, 1)`` to codec bytes ``(n, 106, 300)``."""
    return np.stack([to_cells(roll) for roll in np.asarray(rolls)])


def composing_state(wanted: Wanted, amounts: Amounts, attributes: Attributes) -> dict[str, Any]:
    """What composing and exporting need of a checkpoint beside the weights; JSON."""
    return {"wanted": wanted.table(), "amounts": amounts.table(), "attributes": attributes.summary()}


def state_of(path: Path) -> dict[str, Any]:
    """The state a stage wrote into a checkpoint."""
    with checkpoint(path) as arrays:
        return dict(read_meta(arrays)["state"])
