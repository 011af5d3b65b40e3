"""A finished ``studio`` run as one network: latent in, roll out, thresholds inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from keras import ops

from training.calibrate import strike_bias
from training.config import Config, load
from training.moments import Moments
from training.runs import load_variables, named, read_meta
from training.studio import BEATS, LATENT, Composer, Decision, Decoder
from training.studio_stages import copy_variables, generate_odds

CALIBRATION_LATENTS: Final = 1024
CALIBRATION_SEED: Final = 20260


class StudioGenerator(keras.Model):  # type: ignore[misc]  # keras is untyped
    """Composer, decoder and decision in one pass: ``(n, 14)`` to a roll ``(n, 106, 300, 1)`` float32."""

    def __init__(self, config: Config, moments: Moments, *, velocity: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        dtype = self.dtype_policy
        self.moments = moments
        self.composer = Composer(config.gan.width, config.vae.codes, name="composer", dtype=dtype)
        self.decoder = Decoder(
            config.vae.width, config.vae.blocks, velocity=velocity, name="decoder", dtype=dtype
        )
        self.decision = Decision(dtype=dtype)
        self.decoder(self.composer(np.zeros((1, LATENT), np.float32)))

    def call(self, latent: Any) -> Any:
        """``(n, 14)`` float32, standard normal, to codec values."""
        dtype = self.compute_dtype
        codes = self.composer(ops.cast(latent, dtype))
        scaled = codes * ops.cast(self.moments.deviation, dtype) + ops.cast(self.moments.mean, dtype)
        _, odds, velocities = self.decoder(scaled)
        return self.decision(odds, velocities)


def load_generator(run: Path, dtype: str = "float64") -> StudioGenerator:
    """The run's best averaged composer and its decoder, weights rounded to float16, threshold calibrated.

    ``dtype``: what it computes in. The threshold comes from fixed latents and the training set's note count,
    which the checkpoint carries, so two loads of one run are the same network.
    """
    config = load(run / "config.toml")
    best = run / "checkpoints" / "gan-best.npz"
    with np.load(best, allow_pickle=False) as arrays:
        state = read_meta(arrays)["state"]
    with np.load(run / "checkpoints" / "vae-best.npz", allow_pickle=False) as arrays:
        velocity = any(name.startswith("decoder/") and "velocities" in name for name in arrays)
    moments = Moments(*(np.asarray(row, np.float32) for row in state["moments"]))
    model = StudioGenerator(config, moments, velocity=velocity, name="generator", dtype=dtype)
    trained = StudioGenerator(config, moments, velocity=velocity, name="generator", dtype="float32")
    load_variables(best, named("average", trained.composer.variables))
    load_variables(run / "checkpoints" / "vae-best.npz", named("decoder", trained.decoder.variables))
    for variable in trained.variables:
        variable.assign(np.asarray(variable).astype(np.float16).astype(np.float32))
    latents = np.random.default_rng(CALIBRATION_SEED).standard_normal(
        (CALIBRATION_LATENTS, LATENT), np.float32
    )
    odds, _ = generate_odds(trained.composer, trained.decoder, moments, latents)
    assert odds.shape[1:] == (BEATS, 2, 352)
    copy_variables(trained, model)
    model.decision.bias = strike_bias(odds, state["notes"])
    return model
