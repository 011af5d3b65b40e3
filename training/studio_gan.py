"""Second stage of ``studio``: the generator, composer and decoder, against the critic.

The first stage goes on beside it as an anchor, so that what the generator knows of real music is not lost to
what the critic happens to look at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from pianogan_bgm.notes import DEFAULT_VELOCITY, VELOCITY_LEVELS, velocity_to_level
from training.attributes import Wanted
from training.calibrate import Amounts, calibrated
from training.config import Config
from training.corpus import Corpus
from training.gradients import GradientStep, Move, input_gradient
from training.metrics import validation_score
from training.runs import named
from training.studio import LATENT, Critic, encoder_input, firm, one_hot, view
from training.studio_vae import (
    CHUNK,
    SHEET,
    Networks,
    composing_state,
    evaluation_cells,
    fixed_latents,
    known_attributes,
    real_batch,
    state_of,
    warm_cosine,
)

UNKNOWN: Final = velocity_to_level(DEFAULT_VELOCITY) / (VELOCITY_LEVELS - 1)
"""The loudness, 0 to 1, of every note of data that has none."""


class GanStage:
    """The generator against the critic, in the features of the frozen encoder."""

    name = "gan"

    def __init__(self, config: Config, corpus: Corpus, run: Path) -> None:
        self.config, self.settings = config, config.gan
        self.steps = self.settings.steps
        first = run / "checkpoints" / "vae-best.npz"
        state = state_of(first)
        self.amounts, self.wanted = Amounts(**state["amounts"]), Wanted.from_table(state["wanted"])
        self.networks, self.average = (
            Networks(config, self.wanted, velocity=corpus.has_velocity) for _ in range(2)
        )
        self.networks.load(first)
        self.average.load(first)
        self.attributes = known_attributes(corpus, config.seed)
        self._sampler = corpus.sampler("train", self.settings.batch, config.seed + 2)
        self._held_out = evaluation_cells(corpus, "validation", config.validation_windows, 0)
        self._typical = self._feature_moments(corpus)
        self._thresholds = calibrated(self.average.odds(fixed_latents(config, 4 * CHUNK))[0], self.amounts)
        self.critic = Critic(self.settings.critic_width, name="critic")
        states, velocities, *_ = self._batch(self._held_out[:4], np.random.default_rng(0))
        self.critic(self._see_real(states, velocities))
        self._optimizers, self._steps = self._build_steps()

    def variables(self) -> dict[str, Any]:
        """The generator, its average, the critic and the optimisers."""
        parts = {"": self.networks, "average_": self.average}
        return {
            **{
                name: variable
                for prefix, networks in parts.items()
                for part, network in (("composer", networks.composer), ("decoder", networks.decoder))
                for name, variable in named(f"{prefix}{part}", network.variables).items()
            },
            **named("critic", self.critic.variables),
            **named("generator_optimizer", self._optimizers[0].variables),
            **named("critic_optimizer", self._optimizers[1].variables),
        }

    def inherited(self) -> dict[str, Any]:
        """The critic alone where this run has trained a first stage of its own, else all of them."""
        return named("critic", self.critic.variables) if self.config.vae.steps else self.variables()

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
        """One step of generator and critic, with the penalty when it is due."""
        s = self.settings
        rng = np.random.default_rng([self.config.seed, 2, step])
        latents = ops.convert_to_tensor(rng.standard_normal((s.batch, LATENT), np.float32))
        take = self._steps["penalised" if step % s.r1_every == 0 else "plain"]
        logs = take(latents, *self._batch(next(self._sampler), rng))
        keep = min(s.ema, (1 + step) / (10 + step))
        for slow, fast in zip(self._slow, self._fast, strict=True):
            slow.assign(fast + keep * (slow - fast))
        return logs

    def validate(self) -> dict[str, float]:
        """Overlapped area, coverage and density of calibrated samples against held-out windows."""
        self.average.ask_otherwise(self.attributes, self.amounts, self.config)
        asked, learning = self.average.composer, self.networks.composer
        learning.emphasis.assign(asked.emphasis)
        learning.shift.assign(asked.shift)
        metrics = validation_score(self._samples(len(self._held_out)), self._held_out)
        return {**metrics, "score": metrics["overlapped_area"] + 0.5 * metrics["coverage"]}

    def sheet(self) -> npt.NDArray[np.uint8]:
        """Pieces of fixed latents."""
        return self._samples(4 * SHEET)[:SHEET]

    def finished(self) -> bool:
        """Run to the last step."""
        return False

    def _samples(self, count: int) -> npt.NDArray[np.uint8]:
        return self.average.pieces(fixed_latents(self.config, count), self.amounts)

    def _batch(self, cells: Any, rng: np.random.Generator) -> list[Any]:
        return real_batch(cells, self.attributes, rng, self.config.vae.codes)

    def _features(self, planes: Any, velocities: Any) -> Any:
        struck = planes[:, :, 1]
        loud = struck * (UNKNOWN if velocities is None else velocities)
        x = ops.concatenate([planes[:, :, 0], struck, loud], axis=-1)
        return ops.cast(self.networks.encoder.features(x), "float32")

    def _feature_moments(self, corpus: Corpus) -> tuple[Any, Any]:
        """Mean and deviation of each of the encoder's features, float32 ``(width,)`` each."""
        found = []
        sampler = corpus.sampler("train", CHUNK, self.config.seed + 3)
        for _ in range(16):
            states, velocities, *_ = self._batch(next(sampler), np.random.default_rng(0))
            features = self.networks.encoder.features(encoder_input(states, velocities))
            found.append(np.asarray(ops.cast(features, "float32")))
        rows = np.concatenate(found)
        return rows.mean(axis=(0, 1)), rows.std(axis=(0, 1)) + 1e-3

    def _see(self, planes: Any, velocities: Any) -> Any:
        mean, deviation = self._typical
        return view(planes, velocities, (self._features(planes, velocities) - mean) / deviation)

    def _see_real(self, states: Any, velocities: Any) -> Any:
        return self._see(one_hot(states), None if self.networks.decoder.velocities is None else velocities)

    def _build_steps(self) -> tuple[tuple[Any, Any], dict[str, GradientStep]]:
        s = self.settings
        optimizers = (
            keras.optimizers.Adam(
                Later(warm_cosine(s.learning_rate, self.steps), s.head_start),
                beta_1=0.0,
                beta_2=0.99,
                global_clipnorm=5.0,
            ),
            keras.optimizers.Adam(s.learning_rate * s.critic_ratio, beta_1=0.0, beta_2=0.99),
        )
        generator = [
            v for part in (self.networks.composer, self.networks.decoder) for v in part.trainable_variables
        ]
        self._fast, self._slow = (
            [v for part in (networks.composer, networks.decoder) for v in part.variables]
            for networks in (self.networks, self.average)
        )
        everything = [*self.networks.encoder.variables, *self._fast, *self.critic.variables]
        return optimizers, {
            name: GradientStep(
                Move(self._generator_loss, generator, optimizers[0]),
                Move(loss, self.critic.trainable_variables, optimizers[1]),
                others=everything,
            )
            for name, loss in (("plain", self._critic_loss), ("penalised", self._penalised_loss))
        }

    def _generator_loss(self, latents: Any, *real: Any) -> tuple[Any, ...]:
        states, velocities, *_ = real
        odds, loudness = self.networks.decoder.composed(self.networks.composer(latents))
        made = self._see(firm(ops.cast(odds, "float32"), self._thresholds), loudness)
        seen = ops.stop_gradient(self._see_real(states, velocities))
        judged = hardness(self._margins(seen, made), -1.0)
        anchored: list[Any] = [*real, self.config.vae.kl_weight]
        kept, _ = self.networks.surprise(*anchored)
        logs = {"generator": judged, "surprise": kept}
        return judged + self.settings.anchor * kept, logs, (seen, ops.stop_gradient(made))

    def _margins(self, seen: Any, made: Any) -> list[Any]:
        """By how much the critic takes each real sample for more real than the made one paired with it."""
        return [real - other for real, other in zip(self.critic(seen), self.critic(made), strict=True)]

    def _critic_loss(self, seen: Any, made: Any) -> tuple[Any, dict[str, Any]]:
        """Of real and made samples in pairs (relativistic GAN, Jolicoeur-Martineau 2019)."""
        margins = self._margins(seen, made)
        loss = hardness(margins, 1.0)
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
        return loss + 0.5 * self.settings.r1 * self.settings.r1_every * penalty, logs


class Later(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # keras is untyped
    """A learning rate that is 0 for ``wait`` steps before ``schedule`` begins."""

    def __init__(self, schedule: Any, wait: int) -> None:
        self.schedule, self.wait = schedule, wait

    def __call__(self, step: Any) -> Any:
        """The rate at ``step``."""
        step = ops.cast(step, "float32")
        rate = self.schedule(ops.maximum(step - float(self.wait), 0.0))
        return ops.where(step < float(self.wait), ops.zeros_like(rate), rate)

    def get_config(self) -> dict[str, Any]:
        """For Keras to show."""
        return {"schedule": self.schedule.get_config(), "wait": self.wait}


def hardness(margins: list[Any], sign: float) -> Any:
    """Pairwise logistic loss, averaged over the critic's scales: ``softplus(-sign * margin)``."""
    return sum(ops.mean(ops.softplus(-sign * ops.cast(m, "float32"))) for m in margins) / len(margins)


def steepness(judge: Callable[[Any], Any], x: Any) -> Any:
    """Mean squared slope of ``judge`` (one number a sample) with respect to ``x``."""
    slope = input_gradient(lambda inputs: ops.sum(ops.cast(judge(inputs), "float32")), x)
    return ops.mean(ops.sum(ops.reshape(slope**2, (slope.shape[0], -1)), axis=-1))
