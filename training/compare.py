"""Compare runs by what they compose: ``python -m training.compare RUN [RUN ...] DATA``.

Choosing between runs, or how a run is to compose, is done here, on all windows of the validation split; the
test split is for what has been chosen (:mod:`training.evaluate`). Every run is taken as exporting takes it,
its thresholds and requests measured anew, with each ``--share`` of its second stage and each ``--blur`` that
is given in place of its own. Its pieces are those of the same latents for all.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from tqdm import tqdm

from pianogan_bgm.errors import PianoganError
from pianogan_bgm.roll import Cells
from training.config import InvalidConfig
from training.corpus import Corpus
from training.evaluate import measure, split_windows
from training.features import FEATURES, Floats, features
from training.report import FORM, aligned
from training.stuck import falls_silent, gets_stuck

if TYPE_CHECKING:
    from training.studio_export import StudioGenerator

SETS: Final = 3
TREES: Final = 100
_MEASURES: Final = {
    "overlapped area": "overlapped_area",
    "coverage": "coverage",
    "density": "density",
    "AUC": "auc",
}
_FORM: Final = [list(FEATURES).index(name) for name in FORM]


def measured(real: Floats, sets: Sequence[Cells], trees: int = TREES) -> dict[str, float]:
    """Measures of sets of pieces against the features of real windows: means over the sets.

    Those of :func:`training.evaluate.measure`; "stuck" and "silent", shares (:mod:`training.stuck`); and of
    :data:`FORM` the medians, as ratios to the real ones.
    """
    medians = np.median(real, axis=0)[_FORM]
    rows: list[dict[str, float]] = []
    for seed, cells in enumerate(sets):
        found = measure(real, cells, seed, trees)
        ratios = found.medians[_FORM] / medians
        rows.append(
            {
                **{name: found.measures[key] for name, key in _MEASURES.items()},
                "stuck": float(gets_stuck(cells).mean()),
                "silent": float(falls_silent(cells).mean()),
                **dict(zip(FORM, ratios.tolist(), strict=True)),
            }
        )
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def composed(model: StudioGenerator, count: int, sets: int) -> Iterator[Cells]:
    """Pieces of fixed latents, uint8 ``(count, 106, 300)`` a set."""
    from training.studio import LATENT
    from training.studio_vae import cells_in_chunks, compiled

    compose = compiled(model)
    for which in range(sets):
        latents = np.random.default_rng([2027, which]).standard_normal((count, LATENT), np.float32)
        yield cells_in_chunks(compose, latents)


def table(rows: dict[str, dict[str, float]]) -> str:
    """Rows of :func:`measured` side by side."""
    columns = list(next(iter(rows.values())))
    styles = {"stuck": "{:.1%}", "silent": "{:.1%}", **dict.fromkeys(FORM, "{:.2f}")}
    lines = [
        [name, *(styles.get(column, "{:.3f}").format(row[column]) for column in columns)]
        for name, row in rows.items()
    ]
    return aligned([["", *columns], *lines])


def compare(
    runs: Sequence[Path],
    corpus: Corpus,
    shares: Sequence[float | None] = (None,),
    blurs: Sequence[float | None] = (None,),
    sets: int = SETS,
) -> dict[str, dict[str, float]]:
    """Rows of all runs with every share and blur (None: the run's own), and of training windows.

    The latter are the ceiling. A run is called by its folder's name, or by its path where
    another is called so.
    """
    from training.studio_export import load_generator

    real = features(split_windows(corpus, "validation", None, 0))
    # drawn at once, so that no two sets have a window in common
    training = split_windows(corpus, "train", sets * len(real), 0)
    rows = {"training windows": measured(real, np.array_split(training, sets))}
    names = [run.name for run in runs]
    ways = list(product(runs, shares, blurs))
    for run, share, blur in tqdm(ways, desc="comparing", unit="way"):
        model = load_generator(run, share=share, blur=blur)
        said = (
            f"{what} {value:g}" for what, value in (("share", share), ("blur", blur)) if value is not None
        )
        name = run.name if names.count(run.name) == 1 else str(run)
        rows[", ".join([name, *said])] = measured(real, list(composed(model, len(real), sets)))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; exit status 2 where runs or data cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m training.compare", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("run", nargs="+", type=Path, help="run folder of training.train")
    parser.add_argument("data", type=Path, help="folder of the prepared corpus")
    parser.add_argument(
        "--share",
        type=float,
        nargs="+",
        default=[None],
        help="of the second stage, 0 to 1, for the run's own",
    )
    parser.add_argument(
        "--blur", type=float, nargs="+", default=[None], help="that is heard, for the run's own"
    )
    parser.add_argument("--sets", type=int, default=SETS, help=f"of latents ({SETS})")
    given = parser.parse_args(arguments)
    if given.sets < 1:
        parser.error(f"--sets must be at least 1; got {given.sets}")
    try:
        corpus = Corpus.load(given.data)
        print(table(compare(given.run, corpus, given.share, given.blur, given.sets)))
    except (InvalidConfig, PianoganError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
