"""Who makes rolls to be measured: models, and rolls kept in files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pianogan_bgm.generator import Generator
from pianogan_bgm.latents import Latents
from pianogan_bgm.roll import HELD_BYTE, SOUNDING_BYTE, Cells, to_cells
from training.corpus import sha256_of
from training.features import checked

Source: TypeAlias = Callable[[int, int], Cells]
"""Rolls uint8 ``(count, 106, 300)`` from a count and a seed; fewer only if there are no more."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """Somebody who makes rolls: ``name`` of the row, ``source``, and ``identity`` for the report."""

    name: str
    source: Source
    identity: Mapping[str, str]


def entrant(given: str, name: str | None = None) -> Entrant:
    """An installed model by name, a model by its ``.onnx`` file, or rolls kept in a ``.npy`` file.

    ``.npy``: uint8 ``(n, 106, 300)`` in the codec's values, drawn from differently for each seed. ``name``:
    of the row, by default the model's or the file's own. Raises what loading raises.
    """
    path = Path(given)
    if path.suffix == ".npy":
        kept = checked(_array(path))
        return Entrant(
            name or path.stem,
            lambda count, seed: kept[np.random.default_rng(seed).permutation(len(kept))[:count]],
            {"file": path.name, "sha256": sha256_of(path)},
        )
    generator = Generator(given)
    card = generator.card
    identity = {"name": card.name, "version": card.version, "sha256": card.weights_sha256}
    return Entrant(name or card.name, _composing(generator), identity)


def _array(path: Path) -> npt.NDArray[Any]:
    """What a ``.npy`` file holds; raises ``ValueError`` for any other file that is called so."""
    try:
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except ValueError as error:
        raise ValueError(f"{path}: not an array in a .npy file: {error}") from error


def _composing(generator: Generator) -> Source:
    def compose(count: int, seed: int) -> Cells:
        seeds = range(seed * count, (seed + 1) * count)
        return cells_of(generator, np.stack([generator.latent(one) for one in seeds]))

    return compose


def cells_of(generator: Generator, latents: Latents) -> Cells:
    """Rolls of latents ``(n, 14)`` as cells uint8 ``(n, 106, 300)`` in the codec's values."""
    cells = np.stack([to_cells(roll) for roll in generator.rolls(latents)])
    if generator.card.convention != "edges":
        return cells
    # black and white says where keys sound; held after silence is how such a note starts
    return np.where(cells >= SOUNDING_BYTE, np.uint8(HELD_BYTE), np.uint8(0))
