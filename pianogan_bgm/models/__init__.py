"""Which models are installed, and where. The folder also holds ``open.onnx`` and ``open.json``.

A distribution adds models through entry points of the group ``pianogan_bgm.models``: the entry point's name
is the model's, its value a package whose folder holds ``NAME.onnx`` and ``NAME.json``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from pianogan_bgm.cards import MAX_CARD_BYTES, MAX_WEIGHTS_BYTES, ModelCard
from pianogan_bgm.errors import ModelDamaged, ModelError, ModelNotFound
from pianogan_bgm.json_rules import short

GROUP: Final = "pianogan_bgm.models"
BUILT_IN: Final = {"open": __name__}
"""Found without entry points too, so that a frozen game, which has no package metadata, finds them."""
ELSEWHERE: Final = {
    "maestro": "It learnt from data for non-commercial use only, so it never travels inside this package, "
    "which games bundle and sell. From a checkout: pip install ./models/maestro",
}


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model's card and its ONNX file, which was there when it was found."""

    card: ModelCard
    file: Traversable

    @property
    def where(self) -> str:
        """The file's path, for messages and for what lies beside it."""
        return str(self.file)

    def weights(self) -> bytes:
        """The file's bytes, at most 64 MiB. Raises :class:`ModelDamaged` unless the card describes them."""
        weights = _bounded(self.file, MAX_WEIGHTS_BYTES)
        self.card.check_weights(weights, self.where)
        return weights


def available_models() -> tuple[str, ...]:
    """Names of the models that are installed with both their files, sorted."""
    return tuple(name for name in sorted(_modules()) if all(file.is_file() for file in _pair(name)))


def find_model(model: str | os.PathLike[str]) -> ModelFiles:
    """Find a model by name, or by the path of its ``.onnx`` file (its card lies beside it).

    Raises :class:`ModelNotFound` where there is none, saying how to get it, and :class:`ModelDamaged` where
    the card is not what it should be; the weights are read by :meth:`ModelFiles.weights`.
    """
    if not isinstance(model, str | os.PathLike):
        raise ModelNotFound(f"a model is a name, or the path of an .onnx file; got {short(model)}")
    if isinstance(model, os.PathLike) or model.endswith(".onnx"):
        path = Path(model)
        return _read(path.with_suffix(".json"), path)
    if model not in _modules():
        raise ModelNotFound(_advice(model))
    card, weights = _pair(model)
    found = _read(card, weights)
    if found.card.name != model:
        raise ModelDamaged(f"{found.where}: name must be {model!r}; the card says {found.card.name!r}")
    return found


def _modules() -> dict[str, str]:
    """Model name to the package that holds it."""
    modules = dict(BUILT_IN)
    for point in entry_points(group=GROUP):
        if modules.setdefault(point.name, point.module) != point.module:
            packages = f"{modules[point.name]} and {point.module}"
            raise ModelError(f"two packages offer a model named {point.name!r}: {packages}; uninstall one")
    return modules


def _pair(name: str) -> tuple[Traversable, Traversable]:
    """The card and the weights of an installed model."""
    module = _modules()[name]
    try:
        folder = files(module)
    except (ImportError, TypeError) as error:
        raise ModelDamaged(f"model {name!r}: the package {module} cannot be opened: {error}") from error
    return folder / f"{name}.json", folder / f"{name}.onnx"


def _read(card_file: Traversable, weights_file: Traversable) -> ModelFiles:
    for file in (weights_file, card_file):
        if not file.is_file():
            raise ModelNotFound(
                f"{file} is missing: a model is a pair of files, {weights_file.name} and {card_file.name}"
            )
    return ModelFiles(ModelCard.from_json(_bounded(card_file, MAX_CARD_BYTES), str(card_file)), weights_file)


def _bounded(file: Traversable, most: int) -> bytes:
    """At most one byte more than ``most``, so that a wrong file cannot fill the memory.

    Raises :class:`ModelDamaged` where it cannot be read.
    """
    try:
        with file.open("rb") as stream:
            return stream.read(most + 1)
    except OSError as error:
        raise ModelDamaged(f"{file}: cannot be read: {error.strerror}") from error


def _advice(name: str) -> str:
    known = ", ".join(available_models()) or "none"
    hint = ELSEWHERE.get(name, "A model file of your own is named by its path, ending in .onnx.")
    return f"no model named {name!r} is installed (installed: {known}). {hint}"
