"""Measure a model against music it never saw: ``python -m training.evaluate MODEL.onnx DATA_DIR``.

The protocol, fixed before any model was measured: for each of three seeds, 500 windows of the test split
(they do not overlap, begin on downbeats and are not transposed) against 1,000 generated rolls; every figure
is the mean over the seeds. The measures are those of :mod:`training.metrics`, :mod:`training.copying` and
:mod:`training.roll_classifier`. Every report holds, beside the model:

- *real music*, the ceiling: 1,000 windows of the training split in the model's place. Its copying is that
  of the test windows, since training windows are copies of themselves.
- *Markov chain*: :class:`training.baselines.MarkovChain`, learnt from the training split.
- *random notes*, the floor: :func:`training.baselines.random_notes` with the training windows' statistics.

``--also NAME=FILE`` adds rows: the network ``reference`` trained on the same data, or rolls of any other
model in a ``.npy`` file (:mod:`training.performance_rnn` makes one of a public neural model).

A model is asked for the pieces of its seeds 0, 1, 2, …, the same ones that a game gets.

A model that began with the weights of another learnt from that one's data, too: ``--also-learnt-from DATA``
leaves out the test pieces that the training split there has (:mod:`training.similar`), and looks for what is
copied there as well.

Version 2 of the protocol has the second classifier, ``roll_auc``; all other figures are those of version 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from pianogan_bgm.errors import PianoganError, one_line
from pianogan_bgm.files import write_atomically
from pianogan_bgm.roll import Cells
from training import metrics
from training.baselines import MarkovChain, random_notes
from training.copying import NGRAM, CopyIndex, NearestWindow
from training.corpus import Corpus, DataError, Ints
from training.entrants import Entrant, Source, entrant
from training.features import FEATURES, Floats, features
from training.report import CEILING, FLOOR, MARKOV, text
from training.roll_classifier import EPOCHS, roll_auc
from training.roll_classifier import FOLDS as ROLL_FOLDS
from training.similar import same_music

PROTOCOL_VERSION: Final = 2
"""Goes up with every change that moves a figure; reports of different versions do not compare."""
NEAREST_ROLLS: Final = 64
"""Rolls of each seed for which the nearest training window is looked for."""
FEWEST_WINDOWS: Final = 2 * metrics.FOLDS


@dataclass(frozen=True, slots=True)
class Protocol:
    """How much is measured.

    ``generated`` rolls against ``windows`` real ones, for seeds 0 to ``seeds`` − 1, by forests of ``trees``
    trees and networks that learn for ``epochs`` passes. Raises ``ValueError`` for less than can be
    cross-validated.
    """

    generated: int = 1000
    windows: int = 500
    seeds: int = 3
    trees: int = metrics.TREES
    epochs: int = EPOCHS

    def __post_init__(self) -> None:
        if min(self.generated, self.windows) < FEWEST_WINDOWS or min(self.seeds, self.epochs) < 1:
            raise ValueError(
                f"at least {FEWEST_WINDOWS} rolls and windows, one seed and one epoch are needed; got {self}"
            )


STANDARD: Final = Protocol()


def evaluate(
    corpus: Corpus, entrants: Sequence[Entrant], protocol: Protocol, others: Sequence[Corpus] = ()
) -> dict[str, Any]:
    """The report on ``entrants``, with ceiling, Markov chain and floor: plain JSON data.

    ``others``: what the entrants learnt from as well.
    ``rows``: for each name each measure's mean, standard deviation and value by seed. ``features``: for each
    feature the median of the real windows, and for each name its own median and the overlapped area.
    Raises :class:`DataError` if the test or training split has fewer than ``FEWEST_WINDOWS`` windows, and
    ``ValueError`` if two rows would have the same name.
    """
    names = [CEILING, MARKOV, FLOOR, *(one.name for one in entrants)]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"every row needs a name of its own; got {twice[0]!r} twice")
    train = corpus.pieces("train").tolist()
    learnt = [(other, piece) for other in (corpus, *others) for piece in other.pieces("train").tolist()]
    index = CopyIndex(other.notes(piece) for other, piece in learnt)
    known = [split_windows(other, "train", None, 0) for other in (corpus, *others)]
    nearest = NearestWindow(np.concatenate(known))
    familiar = met_elsewhere(corpus, others)
    chain = MarkovChain(_from_first_bar(corpus, train))
    everyone: dict[str, Source] = {
        CEILING: lambda count, seed: split_windows(corpus, "train", count, seed),
        **{one.name: one.source for one in entrants},
        MARKOV: chain.compose,
        FLOOR: lambda count, seed: random_notes(split_windows(corpus, "train", count, seed), count, seed),
    }
    results: dict[str, list[Result]] = {name: [] for name in everyone}
    medians = []
    with tqdm(total=protocol.seeds * len(everyone), desc="measuring", leave=False) as bar:
        for seed in range(protocol.seeds):
            windows = split_windows(corpus, "test", protocol.windows, seed, familiar)
            real = features(windows)
            medians.append(np.median(real, axis=0))
            for name, source in everyone.items():
                bar.set_postfix_str(name)
                cells = source(protocol.generated, seed)
                result = measure(real, cells, seed, protocol.trees)
                result.measures.update(_copying(windows if name == CEILING else cells, index, nearest))
                result.measures["roll_auc"] = roll_auc(windows, cells, seed, protocol.epochs)
                results[name].append(result)
                bar.update()
    return {
        "protocol": {
            **_described(protocol),
            "also_learnt_from": [other.manifest.get("name") for other in others],
            "test_pieces_left_out": len(familiar),
        },
        "corpus": {name: corpus.manifest.get(name) for name in ("name", "sha256")},
        "models": {one.name: dict(one.identity) for one in entrants},
        "rows": {name: _summary([one.measures for one in found]) for name, found in results.items()},
        "features": _by_feature(np.mean(medians, axis=0), results),
    }


@dataclass(frozen=True, slots=True)
class Result:
    """What :func:`measure` finds: measures by name, then every feature's median and overlapped area."""

    measures: dict[str, float]
    medians: Floats
    areas: dict[str, float]


def measure(real: Floats, cells: Cells, seed: int, trees: int) -> Result:
    """Rolls ``(n, 106, 300)`` against the features of real windows, by :mod:`training.metrics`."""
    table = features(cells)
    areas = metrics.overlapped_areas(real, table)
    density, coverage = metrics.density_coverage(real, table)
    measures = {
        "overlapped_area": float(np.mean(list(areas.values()))),
        "auc": metrics.classifier_auc(real, table, seed, trees),
        "density": density,
        "coverage": coverage,
        "rolls": float(len(cells)),
    }
    return Result(measures, np.median(table, axis=0), areas)


def _copying(cells: Cells, index: CopyIndex, nearest: NearestWindow) -> dict[str, float]:
    copied = index.copied(cells)
    likeness = nearest.likeness(cells[:NEAREST_ROLLS])
    return {
        "copied": copied.share,
        "longest_copy_median": float(np.median(copied.longest)),
        "longest_copy": float(copied.longest.max()),
        "nearest_median": float(np.median(likeness)),
        "nearest": float(likeness.max()),
    }


def _summary(by_seed: Sequence[Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "mean": float(np.mean([one[name] for one in by_seed])),
            "sd": float(np.std([one[name] for one in by_seed])),
            "seeds": [one[name] for one in by_seed],
        }
        for name in by_seed[0]
    }


def _by_feature(real: Floats, results: Mapping[str, Sequence[Result]]) -> dict[str, dict[str, Any]]:
    return {
        feature: {
            "real_median": float(real[column]),
            "rows": {
                name: {
                    "median": float(np.mean([one.medians[column] for one in found])),
                    "overlapped_area": float(np.mean([one.areas[feature] for one in found])),
                }
                for name, found in results.items()
            },
        }
        for column, feature in enumerate(FEATURES)
    }


def _described(protocol: Protocol) -> dict[str, Any]:
    return {
        "version": PROTOCOL_VERSION,
        "split": "test",
        **asdict(protocol),
        "features": len(FEATURES),
        "histogram_bins": metrics.BINS,
        "neighbours": metrics.NEIGHBOURS,
        "classifier": f"random forest of trees, {metrics.FOLDS}-fold",
        "roll_classifier": f"convolutional network on rolls, {ROLL_FOLDS}-fold",
        "ngram_notes": NGRAM,
        "nearest_rolls": NEAREST_ROLLS,
    }


def met_elsewhere(corpus: Corpus, others: Sequence[Corpus]) -> frozenset[int]:
    """Test pieces of ``corpus`` whose music stands in the training split of one of ``others``."""
    test = corpus.pieces("test").tolist()
    found: set[int] = set()
    for other in others:
        theirs = other.pieces("train").tolist()
        pairs = same_music([*map(corpus.notes, test), *map(other.notes, theirs)])
        found |= {test[one] for one, same in pairs if one < len(test) <= same}
    return frozenset(found)


def split_windows(
    corpus: Corpus, split: str, count: int | None, seed: int, without: Collection[int] = ()
) -> Cells:
    """``count`` windows of ``split`` that do not overlap, drawn by ``seed``, uint8 ``(n, 106, 300)``.

    All of them for None, or if there are fewer; none of the pieces ``without``. Raises :class:`DataError`
    below ``FEWEST_WINDOWS``.
    """
    every: Ints = corpus.windows(split)
    every = every[~np.isin(every[:, 0], list(without))]
    if len(every) < FEWEST_WINDOWS:
        raise DataError(f"split {split!r} needs {FEWEST_WINDOWS} windows to be measured; it has {len(every)}")
    chosen = np.random.default_rng(seed).permutation(len(every))[:count]
    return corpus.stack(every[chosen])


def _from_first_bar(corpus: Corpus, pieces: Sequence[int]) -> Iterator[Any]:
    """Notes of each piece, counted from its first bar line, so that beats fall on multiples of four."""
    for piece in pieces:
        downbeats = corpus.downbeats(piece)
        first = int(downbeats[0]) if len(downbeats) else 0
        yield corpus.notes(piece) - np.array([first, 0, 0, 0], dtype=np.int32)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 when model or data cannot be used, or the report cannot be written."""
    given = _parser().parse_args(arguments)
    begun = time.monotonic()
    try:
        protocol = Protocol(given.generated, given.windows, given.seeds, given.trees, given.epochs)
        corpus = Corpus.load(given.data)
        entrants = [entrant(given.model), *(entrant(file, name) for name, file in given.also)]
        report = evaluate(corpus, entrants, protocol, [Corpus.load(folder) for folder in given.learnt])
        report["seconds"] = round(time.monotonic() - begun, 1)
        print(text(report, entrants[0].name))
        if given.output is not None:
            write_atomically(given.output, (json.dumps(report, indent=2) + "\n").encode())
    except (PianoganError, ValueError, OSError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "model", help="MODEL.onnx with its card beside it, an installed model's name, or rolls as .npy"
    )
    parser.add_argument("data", type=Path, help="folder of the prepared corpus")
    parser.add_argument(
        "--also", type=_named, action="append", default=[], metavar="NAME=FILE", help="another row"
    )
    parser.add_argument(
        "--also-learnt-from",
        type=Path,
        action="append",
        default=[],
        metavar="DATA",
        dest="learnt",
        help="folder of another corpus that the model learnt from",
    )
    parser.add_argument("--generated", type=int, default=STANDARD.generated)
    parser.add_argument("--windows", type=int, default=STANDARD.windows)
    parser.add_argument("--seeds", type=int, default=STANDARD.seeds)
    parser.add_argument("--trees", type=int, default=STANDARD.trees, help="of each forest of the classifier")
    parser.add_argument("--epochs", type=int, default=STANDARD.epochs, help="of the networks on rolls")
    parser.add_argument("-o", "--output", type=Path, help="write the whole report here, as JSON")
    return parser


def _named(value: str) -> tuple[str, str]:
    name, separator, path = value.partition("=")
    if not (name and separator and path):
        raise argparse.ArgumentTypeError(f"expected NAME=FILE; got {value!r}")
    return name, path


if __name__ == "__main__":
    raise SystemExit(main())
