"""A finished ``studio`` run as one network: latent in, roll out, thresholds inside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from tqdm import tqdm

from training.attributes import Attributes, Wanted
from training.calibrate import Amounts, calibrated
from training.composer import Composer
from training.config import Config, load
from training.modes import AskedMode
from training.runs import checkpoint, load_variables, named
from training.studio import LATENT, Decision, Decoder
from training.studio_vae import ask_otherwise, cells_in_chunks, compiled, composed_odds, state_of

CALIBRATION_LATENTS: Final = 512
CALIBRATION_SEED: Final = 20260
TURNS: Final = 16
"""Of measuring which requests are met, from the start, with the finished network; more change nothing."""
REACH: Final = 4.0
"""Of the numbers at a beat's entry, one in 100,000 is greater."""


class StudioGenerator(keras.Model):  # type: ignore[misc]  # keras is untyped
    """Composer, decoder, decision and mode in one pass: ``(n, 14)`` to a roll ``(n, 106, 300, 1)`` float32.

    ``mode``: mean and deviation of the attribute in real music.
    """

    def __init__(
        self, config: Config, wanted: Wanted, mode: tuple[float, float], *, velocity: bool, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        dtype, v = self.dtype_policy, config.vae
        self.composer = Composer.of(config, wanted, dtype=dtype)
        self.decoder = Decoder(v.width, v.blocks, velocity=velocity, name="decoder", dtype=dtype)
        self.decision = Decision(dtype=dtype)
        self.mode = AskedMode(wanted, *mode, dtype=dtype)
        # not through self: weights keep the names they have in a run
        self.decoder(self.composer(np.zeros((1, LATENT), np.float32)))

    def call(self, latent: Any) -> Any:
        """``(n, 14)`` float32, standard normal, to codec values."""
        return self.after(self.composer(latent), latent)

    def before(self, latent: Any) -> Any:
        """What the loop over the beats begins with: its plan, then its states (:mod:`export.beats`)."""
        states = [self.composer.blank(latent, *shape) for shape in self.composer.carried()]
        return (*self.composer.plan(latent), *states)

    def after(self, codes: Any, latent: Any) -> Any:
        """Codes as the loop makes them, ``(n, 75, codes)``, and what they are of, to codec values."""
        odds, velocities = self.decoder.composed(codes)
        return self.decided(odds, velocities, latent)

    def decided(self, odds: Any, velocities: Any, latent: Any) -> Any:
        """Log-odds and velocities (or None) of what latents composed to codec values."""
        return self.mode(self.decision(odds, velocities), latent)


def load_generator(
    run: Path, dtype: str = "float64", *, share: float | None = None, blur: float | None = None
) -> StudioGenerator:
    """The run's best averaged generator in its share with the first stage's, rounded to float16, calibrated.

    ``dtype``: what it computes in. ``share`` and ``blur``: in place of those of the run's configuration.
    Requests and thresholds come from fixed latents and from the training set's attributes and amounts, which
    the checkpoint carries, so two loads of one run are the same network.
    """
    config = load(run / "config.toml")
    if share is not None:
        config = replace(config, gan=replace(config.gan, share=share))
    if blur is not None:
        config = replace(config, gan=replace(config.gan, blur=blur))
    best = run / "checkpoints" / "gan-best.npz"
    state = state_of(best)
    with checkpoint(best) as arrays:
        velocity = any(name.startswith("decoder/") and "velocities" in name for name in arrays)
    wanted = Wanted.from_table(state["wanted"])
    attributes = Attributes.from_summary(state["attributes"])
    mode = attributes.spread("mode")
    model = StudioGenerator(config, wanted, mode, velocity=velocity, name="generator", dtype=dtype)
    first = best.with_name("vae-best.npz")
    for part in ("composer", "decoder"):
        variables = getattr(model, part).variables
        load_variables(first, named(part, variables))
        before = [np.asarray(variable) for variable in variables]
        load_variables(best, named(f"average_{part}", variables))
        for variable, old in zip(variables, before, strict=True):
            mean = old + config.gan.share * (np.asarray(variable) - old)
            variable.assign(mean.astype(np.float16))
    model.composer.make_whole(REACH)
    model.decoder.make_whole()
    latents = np.random.default_rng(CALIBRATION_SEED).standard_normal(
        (CALIBRATION_LATENTS, LATENT), np.float32
    )
    compose, amounts = compiled(model.composer), Amounts(**state["amounts"])
    model.composer.ask_plainly()
    for _ in tqdm(range(TURNS), desc="measuring", unit="turn", leave=False, disable=None):
        odds, velocities = composed_odds(compose, model.decoder, latents)
        model.decision.thresholds = calibrated(odds, amounts)
        pieces = cells_in_chunks(model.decided, odds, velocities, latents)
        ask_otherwise(model.composer, latents, attributes.scores(pieces))
        for measured in (model.composer.emphasis, model.composer.shift):
            measured.assign(np.asarray(measured).astype(np.float16))
    model.decision.thresholds = calibrated(composed_odds(compose, model.decoder, latents)[0], amounts)
    return model
