"""Training of the ``studio`` networks: autoencoder first, then the generator against the critic.

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
from training.calibrate import mean_notes, strike_bias
from training.config import Config
from training.corpus import Corpus
from training.gradients import GradientStep, Move, input_gradient
from training.metrics import validation_score
from training.moments import Moments, covariances, mismatch
from training.runs import load_variables, named
from training.studio import (
    BEATS,
    CELLS,
    HELD,
    LATENT,
    STRUCK,
    Composer,
    Critic,
    Decision,
    Decoder,
    Encoder,
    Listener,
    encoder_input,
    log_total,
    pack,
    view,
)
from training.summary import summarise

SHEET: Final = 12
CHUNK: Final = 64


def evaluation_cells(corpus: Corpus, split: str, most: int, seed: int) -> npt.NDArray[np.uint8]:
    """At most ``most`` non-overlapping windows of a split, chosen by ``seed``; codec bytes (n, 106, 300)."""
    windows = corpus.windows(split)
    chosen = np.random.default_rng(seed).permutation(len(windows))[:most]
    return np.stack([corpus.cells(int(piece), int(start)) for piece, start in windows[np.sort(chosen)]])


class VaeStage:
    """The autoencoder: reconstruction of states (and velocities) plus the weighted rate of its codes."""

    name = "vae"

    def __init__(self, config: Config, corpus: Corpus) -> None:
        self.config, self.settings = config, config.vae
        self.steps = self.settings.steps
        self.encoder, self.decoder = build_autoencoder(config, velocity=corpus.has_velocity)
        self._sampler = corpus.sampler("train", self.settings.batch, config.seed)
        schedule = keras.optimizers.schedules.CosineDecay(
            self.settings.learning_rate * 0.04,
            max(1, self.steps - self.steps // 10),
            alpha=0.25,
            warmup_target=self.settings.learning_rate,
            warmup_steps=max(1, self.steps // 10),
        )
        self._optimizer = keras.optimizers.AdamW(
            schedule, weight_decay=0.01, beta_2=0.99, global_clipnorm=5.0
        )
        trainable = [*self.encoder.trainable_variables, *self.decoder.trainable_variables]
        self._step = GradientStep(Move(self._loss, trainable, self._optimizer))
        self._held_out = evaluation_cells(corpus, "validation", config.validation_windows, 0)

    def variables(self) -> dict[str, Any]:
        """Both networks and the optimiser."""
        return {
            **named("encoder", self.encoder.variables),
            **named("decoder", self.decoder.variables),
            **named("optimizer", self._optimizer.variables),
        }

    def state(self) -> dict[str, Any]:
        """Where the sampler stands."""
        return {"sampler": self._sampler.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Put the sampler back."""
        self._sampler.restore(state["sampler"])

    def train(self, step: int) -> Mapping[str, Any]:
        """One step on a fresh batch."""
        states, velocities = pack(next(self._sampler))
        rng = np.random.default_rng([self.config.seed, 1, step])
        noise = rng.standard_normal((len(states), BEATS, self.settings.codes), np.float32)
        warmth = np.float32(self.settings.kl_weight * min(1.0, (step + 1) / max(1, self.steps // 8)))
        return self._step(*map(ops.convert_to_tensor, (states, velocities, noise, warmth)))

    def validate(self) -> dict[str, float]:
        """Loss on held-out windows without noise, and F1 of strikes and of sounding cells."""
        sums: dict[str, float] = {}
        chunks = [self._held_out[i : i + CHUNK] for i in range(0, len(self._held_out), CHUNK)]
        hits = np.zeros((2, 3))
        for chunk in chunks:
            states, velocities = pack(chunk)
            noise = np.zeros((len(chunk), BEATS, self.settings.codes), np.float32)
            arrays = map(
                ops.convert_to_tensor, (states, velocities, noise, np.float32(self.settings.kl_weight))
            )
            _, logs = self._loss(*arrays)
            for key, value in logs.items():
                sums[key] = sums.get(key, 0.0) + float(value) * len(chunk)
            held, struck = np.moveaxis(np.asarray(ops.cast(self.reconstruct(chunk)[0], "float32")), 2, 0)
            strikes = struck > np.maximum(held, 0.0)
            for row, real, made in ((0, states == STRUCK, strikes), (1, states > 0, strikes | (held > 0))):
                hits[row] += (real & made).sum(), real.sum(), made.sum()
        metrics = {key: value / len(self._held_out) for key, value in sums.items()}
        f1 = 2 * hits[:, 0] / np.maximum(hits[:, 1] + hits[:, 2], 1)
        return {**metrics, "strike_f1": f1[0], "sounding_f1": f1[1], "score": -metrics["loss"]}

    def sheet(self) -> npt.NDArray[np.uint8]:
        """Held-out windows, each followed by its reconstruction."""
        real = self._held_out[: SHEET // 2]
        decision = Decision(dtype="float32")
        made = rolls_to_cells(decision(*self.reconstruct(real)))
        return np.stack([real, made], axis=1).reshape(-1, *real.shape[1:])

    def finished(self) -> bool:
        """Run to the last step."""
        return False

    def reconstruct(self, cells: npt.NDArray[np.uint8]) -> tuple[Any, Any]:
        """Log-odds and velocities of the mean codes of ``cells``."""
        mean, _ = self.encoder(encoder_input(*map(ops.convert_to_tensor, pack(cells))))
        return self.decoder(mean)[1:]  # type: ignore[no-any-return]

    def _loss(self, states: Any, velocities: Any, noise: Any, kl_weight: Any) -> tuple[Any, dict[str, Any]]:
        mean, spread = self.encoder(encoder_input(states, velocities))
        _, odds, loudness = self.decoder(mean + noise * ops.exp(0.5 * spread))
        odds = ops.cast(odds, "float32")
        is_held, is_struck = (ops.cast(states == state, "float32") for state in (HELD, STRUCK))
        held, struck = odds[:, :, 0], odds[:, :, 1]
        surprise = log_total(held, struck) - held * is_held - struck * is_struck
        surprise = ops.mean(ops.sum(surprise, axis=-1))
        rate = 0.5 * ops.mean(ops.sum(mean**2 + ops.exp(spread) - 1.0 - spread, axis=-1))
        loss = surprise + kl_weight * rate
        logs = {"reconstruction": surprise, "rate": rate}
        if loudness is not None:
            error = ops.sum(is_struck * (ops.cast(loudness, "float32") - velocities) ** 2)
            # a Gaussian of deviation 0.1 around the predicted loudness, in nats a beat like the rest
            loss = loss + self.settings.velocity_weight * 50.0 * error / (states.shape[0] * BEATS)
            logs["velocity_error"] = ops.sqrt(error / (ops.sum(is_struck) + 1.0))
        return loss, {"loss": loss, **logs}


class GanStage:
    """The composer against the critic, in the features of the frozen decoder."""

    name = "gan"

    def __init__(self, config: Config, corpus: Corpus, run: Path) -> None:
        self.config, self.settings = config, config.gan
        self.steps = self.settings.steps
        encoder, self.decoder = build_autoencoder(config, velocity=corpus.has_velocity)
        load_autoencoder(run / "checkpoints" / "vae-best.npz", encoder, self.decoder)
        self.composer, self.average = build_composer(config), build_composer(config)
        copy_variables(self.composer, self.average)
        self.critic = Critic(self.settings.critic_width, name="critic")
        self._bank, codes = self._encode(corpus, encoder)
        self.moments = Moments.of(codes)
        self._used = (self.moments.deviation > 0).astype(np.float32)
        self._real_covariances = np.asarray(covariances(self.moments.standardise(codes)))
        self.listener = Listener(self.settings.critic_width, name="listener")
        self._features = feature_moments(self._bank)
        self.critic(self._view(np.zeros((4, BEATS, config.vae.width), np.float32)))
        self._typical = self._typical_summary()
        self._optimizers, self._steps = self._build_steps()
        self._real = evaluation_cells(corpus, "validation", config.validation_windows, 0)
        self.notes = mean_notes(evaluation_cells(corpus, "train", 4000, 0))

    def variables(self) -> dict[str, Any]:
        """Every network but the frozen ones, the optimisers and the moments of the codes."""
        return {
            **named("composer", self.composer.variables),
            **named("average", self.average.variables),
            **named("critic", self.critic.variables),
            **named("listener", self.listener.variables),
            **named("composer_optimizer", self._optimizers[0].variables),
            **named("critic_optimizer", self._optimizers[1].variables),
        }

    def state(self) -> dict[str, Any]:
        """What composing needs beside the weights; every batch follows from the step."""
        return {
            "moments": [self.moments.mean.tolist(), self.moments.deviation.tolist()],
            "notes": self.notes,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing to put back: the same seed and data give the same moments and count."""

    def train(self, step: int) -> Mapping[str, Any]:
        """One step of composer and critic, with the penalty when it is due."""
        s = self.settings
        rng = np.random.default_rng([self.config.seed, 2, step])
        real = self._bank[rng.integers(len(self._bank), size=s.batch)].astype(np.float32)
        latents = rng.standard_normal((s.batch, LATENT), np.float32)
        take = self._steps["penalised" if step % s.r1_every == 0 else "plain"]
        logs = take(*map(ops.convert_to_tensor, (latents, real)))
        keep = min(s.ema, (1 + step) / (10 + step))
        for slow, fast in zip(self.average.variables, self.composer.variables, strict=True):
            slow.assign(fast + keep * (slow - fast))
        return logs

    def validate(self) -> dict[str, float]:
        """Overlapped area, coverage and density of calibrated samples against held-out windows."""
        metrics = validation_score(self._samples(len(self._real)), self._real)
        return {**metrics, "score": metrics["overlapped_area"] + 0.5 * metrics["coverage"]}

    def sheet(self) -> npt.NDArray[np.uint8]:
        """The averaged composer on fixed latents."""
        return self._samples(max(SHEET, min(256, self.config.validation_windows)))[:SHEET]

    def finished(self) -> bool:
        """Run to the last step."""
        return False

    def _samples(self, count: int) -> npt.NDArray[np.uint8]:
        latents = np.random.default_rng([self.config.seed, 3]).standard_normal((count, LATENT), np.float32)
        return compose_cells(self.average, self.decoder, self.moments, latents, self.notes)

    def _encode(self, corpus: Corpus, encoder: Any) -> tuple[Any, Any]:
        """What the frozen decoder keeps of ``bank`` random training windows, and their codes.

        The features are float16 ``(bank, 75, width)``: decoding every real sample anew would take a fifth
        of each step. Codes: float32 ``(bank, 75, codes)``.
        """
        sampler = corpus.sampler("train", CHUNK, self.config.seed + 1)
        codes, features = [], []
        for _ in range(max(1, self.settings.bank // CHUNK)):
            mean, _ = encoder(encoder_input(*map(ops.convert_to_tensor, pack(next(sampler)))))
            codes.append(np.asarray(mean))
            features.append(np.asarray(self.decoder(mean)[0]).astype(np.float16))
        return np.concatenate(features), np.concatenate(codes)

    def _view(self, features: Any) -> Any:
        odds, velocities = self.decoder.answer(features)
        return view(features, odds, velocities, self._features)

    def _decode_standardised(self, codes: Any) -> Any:
        return self.decoder(codes * self.moments.deviation + self.moments.mean)

    def _build_steps(self) -> tuple[tuple[Any, Any], dict[str, GradientStep]]:
        s = self.settings
        optimizers = (
            keras.optimizers.Adam(s.learning_rate, beta_1=0.0, beta_2=0.99),
            keras.optimizers.Adam(s.learning_rate * s.critic_ratio, beta_1=0.0, beta_2=0.99),
        )
        composer = self.composer.trainable_variables
        critic = [*self.critic.trainable_variables, *self.listener.trainable_variables]
        networks = (self.composer, self.critic, self.listener, self.decoder)
        everything = [variable for network in networks for variable in network.variables]
        return optimizers, {
            name: GradientStep(
                Move(self._composer_loss, composer, optimizers[0]),
                Move(loss, critic, optimizers[1]),
                others=everything,
            )
            for name, loss in (("plain", self._critic_loss), ("penalised", self._penalised_loss))
        }

    def _typical_summary(self) -> tuple[Any, Any]:
        """Mean and deviation of the summaries of real pieces, and the listener built for them."""
        rows = [np.asarray(self._summary(self._view(chunk.astype(np.float32)))) for chunk in self._chunks()]
        table = np.concatenate(rows)
        typical = table.mean(axis=0), table.std(axis=0) + 1e-3
        self.listener(((table[:4] - typical[0]) / typical[1]).astype(np.float32))
        return typical

    def _chunks(self) -> list[Any]:
        return [self._bank[i : i + CHUNK] for i in range(0, min(len(self._bank), 16 * CHUNK), CHUNK)]

    def _summary(self, seen: Any) -> Any:
        return summarise(seen[..., :CELLS], seen[..., CELLS : 2 * CELLS])

    def _standard_summary(self, seen: Any) -> Any:
        mean, deviation = self._typical
        return ops.clip((self._summary(seen) - mean) / deviation, -8.0, 8.0)

    def _margins(self, seen: Any, made: Any) -> tuple[list[Any], Any]:
        """By how much the critic takes each real sample for more real than the made one paired with it.

        The critic's margins at each of its scales, and the listener's (None without one).
        """
        margins = [real - other for real, other in zip(self.critic(seen), self.critic(made), strict=True)]
        if not self.settings.listener:
            return margins, None
        heard = [self.listener(self._standard_summary(x)) for x in (seen, made)]
        return margins, heard[0] - heard[1]

    def _loss(self, margins: list[Any], heard: Any, sign: float) -> Any:
        loss = hardness(margins, sign)
        return loss if heard is None else loss + self.settings.listener * hardness([heard], sign)

    def _composer_loss(self, latent: Any, real: Any) -> tuple[Any, dict[str, Any], tuple[Any, Any]]:
        codes = ops.cast(self.composer(latent), "float32")
        features, odds, velocities = self._decode_standardised(codes)
        made = view(features, odds, velocities, self._features)
        seen = ops.stop_gradient(self._view(real))
        judged = self._loss(*self._margins(seen, made), -1.0)
        apart = mismatch(codes, self._real_covariances, self._used)
        logs = {"composer": judged, "mismatch": apart}
        return judged + self.settings.moments * apart, logs, (seen, ops.stop_gradient(made))

    def _critic_loss(self, seen: Any, made: Any) -> tuple[Any, dict[str, Any]]:
        """Of real and made samples in pairs (relativistic GAN, Jolicoeur-Martineau 2019)."""
        margins, heard = self._margins(seen, made)
        loss = self._loss(margins, heard, 1.0)
        near, far = (ops.mean(ops.cast(margin > 0.0, "float32")) for margin in (margins[1], margins[-1]))
        return loss, {"critic": loss, "near": near, "far": far}

    def _penalised_loss(self, seen: Any, made: Any) -> tuple[Any, dict[str, Any]]:
        """The critic's loss with its slope at real and at made samples, scaled up for being taken rarely.

        Both penalties (R1 and R2 of Mescheder et al. 2018) are what keeps the pairwise loss stable (Huang et
        al. 2024).
        """
        loss, logs = self._critic_loss(seen, made)
        penalty = ops.zeros(())
        for x in (seen, made):
            penalty = penalty + steepness(lambda x: sum(ops.mean(a, axis=1) for a in self.critic(x)) / 5.0, x)
            if self.settings.listener:
                summary = self._standard_summary(x)
                penalty = penalty + 0.1 * steepness(lambda x: self.listener(x)[:, 0], summary)
        return loss + 0.5 * self.settings.r1 * self.settings.r1_every * penalty, logs


def feature_moments(bank: npt.NDArray[np.float16]) -> tuple[Any, Any]:
    """Mean and deviation of each of the decoder's features, float32 ``(width,)`` each."""
    some = bank[:2048].astype(np.float32)
    return some.mean(axis=(0, 1)), some.std(axis=(0, 1)) + 1e-3


def hardness(margins: list[Any], sign: float) -> Any:
    """Pairwise logistic loss, averaged over the critic's scales: ``softplus(-sign * margin)``."""
    return sum(ops.mean(ops.softplus(-sign * ops.cast(m, "float32"))) for m in margins) / len(margins)


def steepness(judge: Callable[[Any], Any], x: Any) -> Any:
    """Mean squared slope of ``judge`` (one number a sample) with respect to ``x``."""
    slope = input_gradient(lambda inputs: ops.sum(ops.cast(judge(inputs), "float32")), x)
    return ops.mean(ops.sum(ops.reshape(slope**2, (slope.shape[0], -1)), axis=-1))


def build_autoencoder(config: Config, *, velocity: bool) -> tuple[Encoder, Decoder]:
    """Both halves, built, with weights seeded by the run's seed."""
    v = config.vae
    keras.utils.set_random_seed(config.seed)
    encoder = Encoder(v.width, v.codes, name="encoder")
    decoder = Decoder(v.width, v.blocks, velocity=velocity, name="decoder")
    zeros = np.zeros((1, BEATS, CELLS), np.uint8)
    decoder(encoder(encoder_input(zeros, zeros.astype(np.float32)))[0])
    return encoder, decoder


def build_composer(config: Config) -> Composer:
    """The generator proper, built, with weights seeded by the run's seed."""
    keras.utils.set_random_seed(config.seed + 7)
    composer = Composer(config.gan.width, config.vae.codes, name="composer")
    composer(np.zeros((1, LATENT), np.float32))
    return composer


def load_autoencoder(path: Path, encoder: Any, decoder: Any) -> None:
    """Weights of a finished first stage."""
    load_variables(path, {**named("encoder", encoder.variables), **named("decoder", decoder.variables)})


def copy_variables(source: Any, target: Any) -> None:
    """Make two networks of the same build equal."""
    for a, b in zip(source.variables, target.variables, strict=True):
        b.assign(a)


def generate_odds(composer: Any, decoder: Any, moments: Moments, latents: Any) -> tuple[Any, Any]:
    """Log-odds float32 ``(n, 75, 2, 352)`` and velocities of latents, in chunks."""
    odds: list[npt.NDArray[Any]] = []
    loudness: list[Any] = []
    for i in range(0, len(latents), CHUNK):
        codes = ops.cast(composer(latents[i : i + CHUNK]), "float32") * moments.deviation + moments.mean
        _, chunk, velocities = decoder(codes)
        odds.append(np.asarray(ops.cast(chunk, "float32")))
        loudness.append(None if velocities is None else np.asarray(ops.cast(velocities, "float32")))
    return np.concatenate(odds), None if loudness[0] is None else np.concatenate(loudness)


def compose_cells(
    composer: Any, decoder: Any, moments: Moments, latents: Any, notes: float
) -> npt.NDArray[np.uint8]:
    """Codec bytes ``(n, 106, 300)`` of latents, with the threshold calibrated on themselves."""
    odds, velocities = generate_odds(composer, decoder, moments, latents)
    decision = Decision(strike_bias(odds, notes), dtype="float32")
    pieces = []
    for i in range(0, len(odds), CHUNK):
        loud = None if velocities is None else velocities[i : i + CHUNK]
        pieces.append(rolls_to_cells(decision(odds[i : i + CHUNK], loud)))
    return np.concatenate(pieces)


def rolls_to_cells(rolls: Any) -> npt.NDArray[np.uint8]:
    """Rolls ``(n, 106, 300, 1)`` to codec bytes ``(n, 106, 300)``."""
    return np.stack([to_cells(roll) for roll in np.asarray(rolls)])
