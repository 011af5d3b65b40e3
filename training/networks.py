"""The trained generator of a run folder, whichever network it is: what export and benchmarks start from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import keras

from pianogan_bgm.roll import Convention
from training.config import load

CONVENTIONS: Final[dict[str, Convention]] = {"studio": "struck", "reference": "edges"}
"""What the rolls of each network mean, for the model card."""
EXPORT_DTYPES: Final = {"studio": "float64", "reference": "float32"}
"""The precision each network is exported in: the original's 2-D convolutions have no double kernels."""


def load_generator(run: Path, dtype: str | None = None) -> keras.Model:
    """Latent ``(n, 14)`` to roll float32 ``(n, 106, 300, 1)`` in [0, 1], from a run's best checkpoint.

    ``dtype``: precision of the arithmetic, "float32" or "float64"; None for the one to export in. Raises
    :class:`training.config.InvalidConfig` or ``OSError`` where the folder holds no run, ``ValueError`` where
    checkpoint and config disagree.
    """
    network = load(run / "config.toml").network
    dtype = dtype or EXPORT_DTYPES[network]
    if network == "reference":
        from training import reference

        return reference.load_generator(run, dtype)
    from training.studio_export import load_generator as load_studio

    return load_studio(run, dtype)
