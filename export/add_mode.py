"""Give an exported model the mode its latents ask for: ``python -m export.add_mode MODEL.onnx DATA``.

For a model that was exported before there was :mod:`training.modes`, or whose run is gone: the network stays
what it was, with one more layer after it. What the layer has to know of real music it learns from the corpus
that the model was trained on. Card, words and report are those of :mod:`export.export_onnx`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import onnx

from export.export_onnx import ExportError, Trained, add_options, exported
from export.graph import Followed
from pianogan_bgm.models import find_model
from training.attributes import Wanted
from training.config import DEFAULT_SEED
from training.corpus import Corpus
from training.modes import AskedMode
from training.runs import revision
from training.studio_vae import known_attributes, typical_cells

ADDED: Final = ", with its mode by "


def with_mode(path: Path, corpus: Corpus) -> Trained:
    """The model at ``path`` with the layer.

    Raises :class:`ExportError` for data it was not trained on, and for a model that has the layer.
    """
    found = find_model(path)
    card = found.card
    if ADDED in card.revision:
        raise ExportError(f"{path} has its mode already: revision {card.revision}")
    if card.data_sha256 != (sha := corpus.manifest["sha256"]):
        raise ExportError(f"{path} was trained on the data of sha256 {card.data_sha256}; this is {sha}")
    attributes = known_attributes(corpus, int(card.config.get("seed", DEFAULT_SEED)))
    wanted = Wanted.of(attributes.scores(typical_cells(corpus)))
    layer = AskedMode(wanted, *attributes.spread("mode"), dtype="float64")
    network = Followed(onnx.load_from_string(found.weights()), layer)
    said = f"{card.revision}{ADDED}{revision()}"
    return Trained(network, card.convention, card.config, said, card.data_sha256, card.protocol, card.metrics)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 1 where the model cannot be exported."""
    parser = argparse.ArgumentParser(
        prog="python -m export.add_mode", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="its card beside it")
    parser.add_argument("data", type=Path, help="folder of the corpus that it learnt from")
    add_options(parser)
    given = parser.parse_args(arguments)
    return exported(given, lambda: with_mode(given.model, Corpus.load(given.data)))


if __name__ == "__main__":
    sys.exit(main())
