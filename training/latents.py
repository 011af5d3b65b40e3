"""What the fourteen numbers of a latent do: ``python -m training.latents MODEL``.

Three questions, each answered by many pieces of the model:

- *Is it smooth?* Pieces of latents at a small distance beside pieces of independent ones. Distances are
  Euclidean; the neighbour lies in a random direction at the same distance from 0, as :func:`morph
  <pianogan_bgm.composer.morph>` moves. *Equal strikes*: share of the struck (key, step) of two pieces that
  both have (Jaccard 1901). *Feature correlation*: Pearson's, between the features of both pieces, each in
  standard deviations from the mean of all pieces.
- *What does each number do?* Spearman's rank correlation over seeds, between it and the attribute it asks for
  (:data:`training.attributes.ATTRIBUTES`), and between it and features.
- *Is all of it usable?* Near silence and near doubles among many seeds. Distance between pieces is the
  playlists' (:mod:`pianogan_bgm.playlist.choice`): the same strikes but for the key are no distance. With
  ``--data`` the same is asked of real music.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pianogan_bgm.cards import LATENT_SIZE
from pianogan_bgm.errors import PianoganError
from pianogan_bgm.files import write_atomically
from pianogan_bgm.generator import Generator
from pianogan_bgm.harmony import estimate_key
from pianogan_bgm.latents import Latents, latent_of
from pianogan_bgm.notes import Note
from pianogan_bgm.piece import Piece
from pianogan_bgm.playlist.choice import LEAST_DISTANCE, Print, print_of
from pianogan_bgm.roll import ROLL, Cells, decode_cells
from training.attributes import ATTRIBUTES, attributes
from training.corpus import Corpus
from training.entrants import cells_of
from training.evaluate import split_windows
from training.features import FEATURES, Floats, features, note_table
from training.report import aligned

DISTANCES: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
SHOWN: Final = (
    "notes",
    "mean pitch",
    "polyphony",
    "scale consistency",
    "dissonance",
    "one-step share",
    "onset gap, mean",
    "groove consistency",
    "bar recurrence",
    "top-line leap",
)
"""Features that the directions are held to, beside the mode."""
FEWEST_NOTES: Final = 40
"""Pieces with fewer are near silence: a note every two beats."""
NEAR_DOUBLE: Final = 0.2
PAIRS: Final = 300
SEEDS: Final = 1000
MANY: Final = 10_000
_BATCH: Final = 64


def smoothness(generator: Generator, pairs: int = PAIRS, seed: int = 0) -> list[dict[str, Any]]:
    """For each distance, and for independent latents (distance None), how related two pieces are.

    ``pairs``: of each distance, all from the same latents, those of seeds 0 to ``pairs`` − 1.
    """
    rng = np.random.default_rng(seed)
    here = _latents(range(pairs))
    cells, table = _described(generator, here, "at home")
    mean, spread = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-9)
    found = []
    for distance in (*DISTANCES, None):
        there = _latents(range(pairs, 2 * pairs)) if distance is None else _neighbours(here, distance, rng)
        others, rows = _described(generator, there, f"distance {distance or 'any'}")
        alike = _correlations((table - mean) / spread, (rows - mean) / spread)
        found.append(
            {
                "distance": distance,
                "equal_strikes": float(np.mean(_equal_strikes(cells, others))),
                "feature_correlation": float(np.mean(alike)),
            }
        )
    return found


def directions(generator: Generator, seeds: int = SEEDS) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Spearman's correlations of the 14 numbers: each with what it asks for, and all with features.

    The former by attribute; the latter by feature, the mode and each of :data:`SHOWN`. The mode is 1 in major
    and −1 in minor there. 0 where something never varies.
    """
    from scipy.stats import rankdata

    latents = _latents(range(seeds))
    cells, table = _described(generator, latents, "directions")
    asked = rankdata(latents, axis=0).T
    got = rankdata(attributes(cells, loudness=generator.card.has_velocity), axis=0).T
    followed = dict(zip(ATTRIBUTES, _correlations(asked, got).tolist(), strict=True))
    mode = [1.0 if estimate_key(decode_cells(roll)).mode == "major" else -1.0 for roll in cells]
    columns = {"mode": np.array(mode), **{name: table[:, _COLUMN[name]] for name in SHOWN}}
    return followed, {
        name: _correlations(asked, rankdata(one)[None]).tolist() for name, one in columns.items()
    }


def regions(generator: Generator, seeds: int = MANY) -> dict[str, Any]:
    """How many of ``seeds`` pieces are near silence, how many have a near double, how many are distinct.

    Raises ``ValueError`` if all of them are near silence.
    """
    parts = _parts(_latents(range(seeds)), "regions")
    return _counted(decode_cells(roll) for latents in parts for roll in cells_of(generator, latents))


def real_regions(corpus: Corpus, windows: int) -> dict[str, Any]:
    """The same of ``windows`` windows of real music (the training split's), to compare with."""
    return _counted(map(decode_cells, split_windows(corpus, "train", windows, 0)))


def _counted(pieces: Iterable[Sequence[Note]]) -> dict[str, Any]:
    counts, prints = [], []
    for notes in pieces:
        counts.append(len(notes))
        prints.append(print_of(Piece(tuple(notes), steps=ROLL.steps)))
    if not any(one is not None for one in prints):
        raise ValueError(f"none of {len(counts)} pieces has enough notes to be compared")
    nearest, alike = _neighbourhood([one for one in prints if one is not None])
    return {
        "pieces": len(counts),
        "silent": sum(count < FEWEST_NOTES for count in counts),
        "fewest_notes": min(counts),
        "median_notes": float(np.median(counts)),
        "doubles": int((nearest < NEAR_DOUBLE).sum()),
        "alike": int((nearest < LEAST_DISTANCE).sum()),
        "distinct": _distinct(alike),
        "median_nearest": float(np.median(nearest)),
    }


_COLUMN: Final = {name: column for column, name in enumerate(FEATURES)}


def _latents(seeds: range) -> Latents:
    return np.stack([latent_of(seed) for seed in seeds])


def _neighbours(latents: Latents, distance: float, rng: np.random.Generator) -> Latents:
    """Latents ``distance`` away from each, in a random direction, as far from 0 as it."""
    radius = np.linalg.norm(latents, axis=1, keepdims=True)
    away = rng.standard_normal(latents.shape)
    away -= latents * (away * latents).sum(axis=1, keepdims=True) / radius**2
    away *= radius / np.linalg.norm(away, axis=1, keepdims=True)
    # on a circle of that radius, the chord of an angle is 2 r sin(angle / 2)
    angle = 2.0 * np.arcsin(np.minimum(distance / (2.0 * radius), 1.0))
    return np.asarray(np.cos(angle) * latents + np.sin(angle) * away, dtype=np.float32)


def _described(generator: Generator, latents: Latents, what: str) -> tuple[Cells, Floats]:
    """Rolls of ``latents`` and their features."""
    cells = np.concatenate([cells_of(generator, some) for some in _parts(latents, what)])
    return cells, features(cells)


def _parts(latents: Latents, what: str) -> Iterator[Latents]:
    """The latents, some at a time, under a progress bar."""
    with tqdm(total=len(latents), desc=what, unit="piece", leave=False, disable=None) as bar:
        for first in range(0, len(latents), _BATCH):
            some = latents[first : first + _BATCH]
            yield some
            bar.update(len(some))


def _equal_strikes(one: Cells, two: Cells) -> Floats:
    """Share of the strikes of two rolls that both have, ``(n,)``; 1 for two empty ones."""
    first, second = _strikes(one), _strikes(two)
    common = np.count_nonzero(first & second, axis=1)
    either = np.count_nonzero(first | second, axis=1)
    return np.asarray(np.where(either > 0, common / np.maximum(either, 1), 1.0))


def _strikes(cells: Cells) -> npt.NDArray[np.bool_]:
    table = note_table(cells)
    struck = np.zeros((table.rolls, 128 * table.steps), dtype=np.bool_)
    struck[table.roll, table.pitch * table.steps + table.start] = True
    return struck


def _correlations(one: Floats, two: Floats) -> Floats:
    """Pearson's, of each row with the row beside it; 0 for one that does not vary."""
    one, two = (side - side.mean(axis=1, keepdims=True) for side in (one, two))
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    return np.asarray(np.where(norms > 0, (one * two).sum(axis=1) / np.where(norms > 0, norms, 1.0), 0.0))


def _neighbourhood(prints: Sequence[Print]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Distance of each print to the nearest other one, ``(n,)``, and who is alike, ``(n, n)``.

    Alike are two at less than the playlists' :data:`LEAST_DISTANCE`, a print and itself among them.
    """
    table = np.stack(prints).astype(np.float32)
    size = table.sum(axis=1)
    nearest, alike = np.empty(len(table)), np.empty((len(table), len(table)), dtype=np.bool_)
    for first in range(0, len(table), 512):
        rows = np.arange(first, min(first + 512, len(table)))
        common = table[rows] @ table.T
        away = 1.0 - common / np.maximum(size[rows, None] + size - common, 1.0)
        alike[rows] = away < LEAST_DISTANCE
        away[rows - first, rows] = 1.0
        nearest[rows] = away.min(axis=1)
    return nearest, alike


def _distinct(alike: npt.NDArray[np.bool_]) -> int:
    """How many are taken if each is that is like none taken before, as a playlist chooses."""
    taken = np.zeros(len(alike), dtype=np.bool_)
    for number, row in enumerate(alike):
        taken[number] = not (row & taken).any()
    return int(taken.sum())


def text(report: Mapping[str, Any]) -> str:
    """The report of :func:`main` as tables."""
    chance = 2.58 / np.sqrt(report["seeds"])
    note = (
        f"Spearman's correlations over {report['seeds']} seeds; by chance within ±{chance:.2f} 99 times of"
        " 100"
    )
    tables = [_near(report["smoothness"]), _asked(report["followed"]), _effects(report["directions"]), note]
    tables.append(_usable(report["regions"], "seeds"))
    if report["real"]:
        tables.append(_usable(report["real"], "windows of real music"))
    return "\n\n".join(tables)


def _near(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = [["distance", "equal strikes", "feature correlation"]]
    for row in rows:
        name = "independent" if row["distance"] is None else f"{row['distance']:g}"
        lines.append([name, f"{row['equal_strikes']:.3f}", f"{row['feature_correlation']:+.3f}"])
    return aligned(lines)


def _asked(followed: Mapping[str, float]) -> str:
    lines = [["number", "asks for", "correlation"]]
    lines += [[str(number), name, f"{value:+.2f}"] for number, (name, value) in enumerate(followed.items())]
    return aligned(lines)


def _effects(effects: Mapping[str, Sequence[float]]) -> str:
    lines = [["direction", *effects]]
    for number in range(LATENT_SIZE):
        lines.append([str(number), *(f"{values[number]:+.2f}" for values in effects.values())])
    strongest = (max(range(LATENT_SIZE), key=lambda n: abs(values[n])) for values in effects.values())
    return aligned([*lines, ["strongest", *map(str, strongest)]])


def _usable(found: Mapping[str, Any], what: str) -> str:
    return "\n".join(
        [
            f"of {found['pieces']:,} {what}",
            f"{found['silent']:>7,} have fewer than {FEWEST_NOTES} notes (fewest {found['fewest_notes']},"
            f" median {found['median_notes']:.0f})",
            f"{found['doubles']:>7,} are nearer than {NEAR_DOUBLE} to another,"
            f" {found['alike']:,} nearer than {LEAST_DISTANCE} (median distance to the nearest"
            f" {found['median_nearest']:.2f})",
            f"{found['distinct']:>7,} can be taken one after another at least {LEAST_DISTANCE} apart",
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.latents", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("model", help="name of an installed model, or the path of its .onnx file")
    parser.add_argument("--pairs", type=_several, default=PAIRS, help=f"of each distance ({PAIRS})")
    parser.add_argument("--seeds", type=_several, default=SEEDS, help=f"for the directions ({SEEDS})")
    parser.add_argument("--many", type=_several, default=MANY, help=f"to look for silence ({MANY})")
    parser.add_argument("--data", type=Path, help="a prepared corpus: the same of as many of its windows")
    parser.add_argument("-o", "--output", type=Path, help="write the report here, as JSON")
    return parser


def _several(text: str) -> int:
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"expected a number from 2 on; got {text!r}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when the report was made, 1 when the model cannot be used."""
    given = _parser().parse_args(arguments)
    try:
        generator = Generator(given.model)
        followed, effects = directions(generator, given.seeds)
        report = {
            "model": {"name": generator.card.name, "sha256": generator.card.weights_sha256},
            "pairs": given.pairs,
            "seeds": given.seeds,
            "smoothness": smoothness(generator, given.pairs),
            "followed": followed,
            "directions": effects,
            "regions": regions(generator, given.many),
            "real": real_regions(Corpus.load(given.data), given.many) if given.data else None,
        }
        if given.output is not None:
            write_atomically(given.output, (json.dumps(report, indent=2) + "\n").encode())
    except (PianoganError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(text(report))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
