"""A finished ``studio`` run as one network: latent in, roll out, thresholds inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from training.calibrate import Amounts, calibrated
from training.composer import Composer
from training.config import Config, load
from training.runs import load_variables, named
from training.studio import LATENT, Decision, Decoder
from training.studio_vae import composed_odds, state_of

CALIBRATION_LATENTS: Final = 1024
CALIBRATION_SEED: Final = 20260


class StudioGenerator(keras.Model):  # type: ignore[misc]  # keras is untyped
    """Composer, decoder and decision in one pass: ``(n, 14)`` to a roll ``(n, 106, 300, 1)`` float32."""

    def __init__(self, config: Config, root: Any, *, velocity: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        dtype, v = self.dtype_policy, config.vae
        self.composer = Composer(v.composer, v.hidden, v.codes, root, name="composer", dtype=dtype)
        self.composer.build()
        self.decoder = Decoder(v.width, v.blocks, velocity=velocity, name="decoder", dtype=dtype)
        self.decision = Decision(dtype=dtype)
        # not through self: weights keep the names they have in a run
        self.decoder(self.composer(np.zeros((1, LATENT), np.float32)))

    def call(self, latent: Any) -> Any:
        """``(n, 14)`` float32, standard normal, to codec values."""
        _, odds, velocities = self.decoder(self.composer(latent))
        return self.decision(odds, velocities)


def load_generator(run: Path, dtype: str = "float64") -> StudioGenerator:
    """The run's best averaged generator, weights rounded to float16, thresholds calibrated.

    ``dtype``: what it computes in. The thresholds come from fixed latents and the training set's amounts,
    which the checkpoint carries, so two loads of one run are the same network.
    """
    config = load(run / "config.toml")
    best = run / "checkpoints" / "gan-best.npz"
    state = state_of(best)
    with np.load(best, allow_pickle=False) as arrays:
        velocity = any(name.startswith("decoder/") and "velocities" in name for name in arrays)
    root = np.asarray(state["root"], np.float16).astype(np.float32)
    model, trained = (
        StudioGenerator(config, root, velocity=velocity, name="generator", dtype=kind)
        for kind in (dtype, "float32")
    )
    for part in ("composer", "decoder"):
        load_variables(best, named(f"average_{part}", getattr(trained, part).variables))
    for variable, twin in zip(trained.variables, model.variables, strict=True):
        variable.assign(np.asarray(variable).astype(np.float16).astype(np.float32))
        twin.assign(variable)
    latents = np.random.default_rng(CALIBRATION_SEED).standard_normal(
        (CALIBRATION_LATENTS, LATENT), np.float32
    )
    odds, _ = composed_odds(trained.composer, trained.decoder, latents)
    biases = calibrated(odds, Amounts(**state["amounts"]))
    model.decision.strike, model.decision.hold = biases.strike, biases.hold
    return model
