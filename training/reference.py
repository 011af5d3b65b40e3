"""The ``reference`` network: the original piano-roll GAN layer by layer, and how it was trained.

::

    latent (14) ─ Dense, LeakyReLU ─▶ 14×40×128 ─ Conv 5×5 ─▶ 256 ─ three ConvTranspose 4×4, stride 2 ─▶
    112×320×256 ─ two Conv 5×5 ─▶ 512 ─ Conv 7×21 valid, tanh ─▶ roll (106, 300, 1)

The discriminator answers 1 for generated and 0 for real, with labels blurred upwards by noise; 0.5 means that
it cannot tell. The original drew black and white, so a roll follows the ``edges`` convention; its tanh is
clipped to [0, 1] on the way out (the original let it wrap through uint8, where −0.3 became a sounding 180).

A step of batch 16 took 5 to 7 s at width 0.0625 (125,921 and 17,633 weights) and over a minute at 0.125 on
two cores that other work shared: 1,000 steps at 0.0625 are an hour and a half.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from pianogan_bgm.notes import DEFAULT_VELOCITY, velocity_to_level
from pianogan_bgm.roll import HELD_BYTE, ROLL, SOUNDING_BYTE, STRUCK_BYTE
from training.config import Config, ReferenceConfig, load
from training.corpus import Corpus
from training.gradients import GradientStep, Move
from training.metrics import validation_score
from training.runs import load_variables, named
from training.studio_vae import evaluation_cells

LATENT: Final = 14
COARSE: Final = (14, 40)
DROPOUT: Final = 0.4
SHEET: Final = 12
CHUNK: Final = 8


def build_generator(width: float = 1.0, dtype: str | None = None) -> keras.Sequential:
    """Latent ``(n, 14)`` to tanh images ``(n, 106, 300, 1)``; 14,947,841 parameters at width 1.0.

    ``width`` multiplies every number of channels; ``dtype``: policy of the layers, None for the global one.
    """
    low, middle, high = (channels(count, width) for count in (128, 256, 512))
    rows, columns = COARSE
    stack: list[Any] = [
        keras.Input((LATENT,)),
        layers.Dense(rows * columns * low, name="dense", dtype=dtype),
        layers.LeakyReLU(dtype=dtype),
        layers.Reshape((rows, columns, low), dtype=dtype),
        layers.Conv2D(middle, 5, padding="same", name="coarse", dtype=dtype),
        layers.LeakyReLU(dtype=dtype),
    ]
    for i in range(3):
        grow = layers.Conv2DTranspose(middle, 4, strides=2, padding="same", name=f"grow{i}", dtype=dtype)
        stack += [grow, layers.LeakyReLU(dtype=dtype)]
    for i in range(2):
        fine = layers.Conv2D(high, 5, padding="same", name=f"fine{i}", dtype=dtype)
        stack += [fine, layers.LeakyReLU(dtype=dtype)]
    stack.append(layers.Conv2D(1, (7, 21), name="exit", dtype=dtype))
    stack.append(layers.Activation("tanh", dtype=dtype or "float32"))
    return keras.Sequential(stack, name="generator")


def build_discriminator(width: float = 1.0, seed: int = 0) -> keras.Sequential:
    """Images ``(n, 106, 300, 1)`` to the probability ``(n, 1)`` that they are generated.

    4,214,273 parameters at width 1.0. ``seed`` starts the dropout.
    """
    wide = channels(256, width)
    stack: list[Any] = [keras.Input(ROLL.shape), layers.Conv2D(wide, 3, name="entry"), layers.LeakyReLU()]
    for i in range(4):
        stack += [layers.Conv2D(wide, 4, strides=2, name=f"conv{i}"), layers.LeakyReLU()]
    stack += [layers.Flatten(), layers.Dropout(DROPOUT, seed=seed, name="dropout")]
    stack += [layers.Dense(1, name="answer"), layers.Activation("sigmoid", dtype="float32")]
    return keras.Sequential(stack, name="discriminator")


def channels(count: int, width: float) -> int:
    """``count`` channels times the width multiplier, at least one."""
    return max(1, round(count * width))


class Balance:
    """The discriminator's latest answers, and whether they say that it can no longer tell."""

    def __init__(self, settings: ReferenceConfig) -> None:
        self.settings = settings
        self.steps = 0
        self.answers: list[tuple[float, float]] = []

    def add(self, real: float, made: float) -> None:
        """Mean answers of one step, on real and on generated images."""
        self.steps += 1
        self.answers = [*self.answers, (real, made)][-max(1, self.settings.stop_window) :]

    def reached(self) -> bool:
        """Whether both means over the window are near one half, once training is old enough to trust them.

        Both: a discriminator that tells everything apart has a mean of one half too. It also says one half
        while it knows nothing yet, hence ``min_steps``.
        """
        s = self.settings
        if self.steps < max(s.min_steps, s.stop_window):
            return False
        return bool((np.abs(np.mean(self.answers, axis=0) - s.stop_near) <= s.stop_margin).all())


class ReferenceStage:
    """The original training: discriminator on half real, half generated images; then the generator."""

    name = "reference"

    def __init__(self, config: Config, corpus: Corpus) -> None:
        self.config, self.settings = config, config.reference
        self.steps = self.settings.steps
        keras.utils.set_random_seed(config.seed)
        self.generator = build_generator(self.settings.width)
        self.discriminator = build_discriminator(self.settings.width, config.seed)
        self._balance = Balance(self.settings)
        self._sampler = corpus.sampler("train", self.settings.batch, config.seed)
        self._real = evaluation_cells(corpus, "validation", config.validation_windows, 0)
        self._optimizers = [self._optimizer(), self._optimizer()]
        both = [*self.generator.variables, *self.discriminator.variables]
        self._discriminate = GradientStep(
            Move(self._discriminator_loss, self.discriminator.trainable_variables, self._optimizers[0]),
            others=both,
        )
        self._generate = GradientStep(
            Move(self._generator_loss, self.generator.trainable_variables, self._optimizers[1]), others=both
        )

    def _optimizer(self) -> keras.optimizers.Optimizer:
        return keras.optimizers.RMSprop(self.settings.learning_rate, clipvalue=self.settings.clip)

    def variables(self) -> dict[str, Any]:
        """Both networks, where the dropout stands, and both optimisers."""
        return {
            **named("generator", self.generator.variables),
            **named("discriminator", self.discriminator.variables),
            **named("discriminator_optimizer", self._optimizers[0].variables),
            **named("generator_optimizer", self._optimizers[1].variables),
        }

    def inherited(self) -> dict[str, Any]:
        """All of them."""
        return self.variables()

    def state(self) -> dict[str, Any]:
        """Where the sampler stands, and the window of answers that decides when to stop."""
        balance = {"steps": self._balance.steps, "answers": self._balance.answers}
        return {"sampler": self._sampler.state(), "balance": balance}

    def restore(self, state: dict[str, Any]) -> None:
        """Take both back."""
        self._sampler.restore(state["sampler"])
        self._balance.steps = state["balance"]["steps"]
        self._balance.answers = [(real, made) for real, made in state["balance"]["answers"]]

    def train(self, step: int) -> Mapping[str, Any]:
        """One discriminator step on fresh real and generated images, one generator step through it."""
        s = self.settings
        rng = np.random.default_rng([self.config.seed, 4, step])
        latents = rng.standard_normal((2, s.batch, LATENT), np.float32)
        noise = s.label_noise * rng.random((2 * s.batch, 1), np.float32)
        real = images(next(self._sampler))
        logs = {**self._discriminate(*map(ops.convert_to_tensor, (real, latents[0], noise)))}
        logs |= self._generate(ops.convert_to_tensor(latents[1]))
        self._balance.add(float(logs["real"]), float(logs["made"]))
        return logs

    def validate(self) -> dict[str, float]:
        """Overlapped area, coverage and density of thresholded samples against held-out windows."""
        metrics = validation_score(self._samples(len(self._real)), self._real)
        return {**metrics, "score": metrics["overlapped_area"] + 0.5 * metrics["coverage"]}

    def sheet(self) -> npt.NDArray[np.uint8]:
        """The generator on fixed latents."""
        return self._samples(SHEET)

    def finished(self) -> bool:
        """Whether the discriminator has settled at one half."""
        return self._balance.reached()

    def _samples(self, count: int) -> npt.NDArray[np.uint8]:
        latents = np.random.default_rng([self.config.seed, 5]).standard_normal((count, LATENT), np.float32)
        parts = [latents[i : i + CHUNK] for i in range(0, count, CHUNK)]
        return np.concatenate([cells(np.asarray(self.generator(part))) for part in parts])

    def _discriminator_loss(self, real: Any, latent: Any, noise: Any) -> tuple[Any, dict[str, Any]]:
        made = ops.stop_gradient(self.generator(latent))
        answers = self.discriminator(ops.concatenate([made, real]), training=True)
        half = latent.shape[0]
        labels = ops.concatenate([ops.ones((half, 1)), ops.zeros((real.shape[0], 1))]) + noise
        loss = ops.mean(ops.binary_crossentropy(labels, answers))
        shares = {"made": ops.mean(answers[:half]), "real": ops.mean(answers[half:])}
        return loss, {"discriminator": loss, **shares}

    def _generator_loss(self, latent: Any) -> tuple[Any, dict[str, Any]]:
        answers = self.discriminator(self.generator(latent), training=True)
        loss = ops.mean(ops.binary_crossentropy(ops.zeros_like(answers), answers))
        return loss, {"generator": loss}


def images(cells: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Codec bytes ``(n, 106, 300)`` as black and white, ``(n, 106, 300, 1)`` of 0.0 and 1.0 (sounding)."""
    return (cells >= SOUNDING_BYTE).astype(np.float32)[..., None]


def cells(images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Images ``(n, 106, 300, 1)`` as codec bytes ``(n, 106, 300)``: above one half sounds, an edge strikes.

    The same notes as :func:`pianogan_bgm.roll.decode` finds by the ``edges`` convention, for many at once.
    """
    sounding = images[..., 0] > 0.5
    struck = sounding.copy()
    struck[:, :, 1:] &= ~sounding[:, :, :-1]
    level = STRUCK_BYTE + velocity_to_level(DEFAULT_VELOCITY)
    return np.where(struck, level, np.where(sounding, HELD_BYTE, 0)).astype(np.uint8)


def load_generator(run: Path, dtype: str = "float32") -> keras.Model:
    """The best generator of a run: latent ``(n, 14)`` to roll float32 ``(n, 106, 300, 1)`` in [0, 1].

    The roll's convention is ``edges``. Ask for float32 to export: onnxruntime has no double convolution.
    """
    generator = build_generator(load(run / "config.toml").reference.width, dtype)
    load_variables(run / "checkpoints" / "reference-best.npz", named("generator", generator.variables))
    return keras.Sequential([keras.Input((LATENT,)), generator, Clip(dtype=dtype)], name="reference")


class Clip(layers.Layer):  # type: ignore[misc]  # keras is untyped
    """Values below 0 to 0 and above 1 to 1, as float32."""

    def call(self, x: Any) -> Any:
        """Same shape."""
        return ops.cast(ops.clip(x, 0.0, 1.0), "float32")
