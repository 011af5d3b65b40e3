"""How plainly moods differ: the pieces that a mood plays against the rest of the atlas, and moods in pairs.

    python benchmarks/moods.py [--model NAME|FILE.onnx]

What a mood plays are the seeds that endless music of it draws from (:meth:`pianogan_bgm.atlas.Atlas.better`,
else ``suiting``); the rest is the rest of the atlas. Two figures for each feature:

- *d*, Cohen's (1988): difference of the means over the pooled standard deviation; 0.2 small, 0.8 large.
- *AUC*: the chance that a piece of the mood has more of it than one of the rest, ties counting half. 0.5 is
  no difference, 0 and 1 are none in common.

The features are those the seeds were chosen by, so the table shows whether the atlas is wide enough for its
moods, not that anyone hears them. Register and pulse are as heard, with the mood's own transposition and
tempo; pulse is notes a second. The last table has for each two moods the feature that tells them apart best,
as an AUC of at least 0.5.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1]))

from pianogan_bgm.atlas import FEATURES, Atlas, load_atlas
from pianogan_bgm.models import find_model
from pianogan_bgm.scenes import MOODS, Mood

Floats: TypeAlias = npt.NDArray[np.float64]
OTHERS: Final = tuple(name for name in FEATURES if name not in ("major", "density", "register"))
HEARD: Final = ("mode", "density", "register", "pulse", *OTHERS)
"""``mode`` is the atlas's ``major``: 1 in major, -1 in minor."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="How plainly moods differ.")
    parser.add_argument("--model", default="open")
    options = parser.parse_args(argv)
    atlas = load_atlas(options.model)
    if not len(atlas):
        print(f"{options.model} has no atlas; python -m export.build_atlas makes one", file=sys.stderr)
        return 1
    tempo = find_model(options.model).card.tempo
    known = "known" if len(atlas.quality) else "unknown"
    print(f"{options.model}: {len(atlas)} seeds, quality {known}, {tempo:g} beats a minute")
    print(*against_the_rest(atlas, tempo), sep="\n")
    print(*in_pairs(atlas, tempo), sep="\n")
    return 0


def against_the_rest(atlas: Atlas, tempo: float) -> list[str]:
    """A line for each mood: how many seeds it plays, then d and AUC of each feature."""
    lines = ["", "d / AUC   seeds" + "".join(f"{name:>14}" for name in HEARD)]
    for name, mood in MOODS.items():
        mine, rest = parts(atlas, name)
        one, two = heard(mine, mood, tempo), heard(rest, Mood(), tempo)
        pairs = [(one[feature], two[feature]) for feature in HEARD]
        cells = [f"{cohens_d(*pair):+.2f} / {auc(*pair):.2f}".rjust(14) for pair in pairs]
        lines.append(f"{name:<9}{len(mine):>6}" + "".join(cells))
    return lines


def in_pairs(atlas: Atlas, tempo: float) -> list[str]:
    """A line for each mood: the plainest AUC between it and each other one, and of what."""
    found = {name: heard(parts(atlas, name)[0], mood, tempo) for name, mood in MOODS.items()}
    plainest: dict[frozenset[str], tuple[float, str]] = {}
    for one, two in combinations(MOODS, 2):
        aucs = {feature: auc(found[one][feature], found[two][feature]) for feature in HEARD}
        plainest[frozenset((one, two))] = max((max(value, 1 - value), name) for name, value in aucs.items())
    lines = ["", "plainest AUC" + "".join(f"{name:>17}" for name in MOODS)]
    for one in MOODS:
        cells = [plainest.get(frozenset((one, two))) for two in MOODS]
        row = "".join((f"{cell[1]} {cell[0]:.2f}" if cell else "-").rjust(17) for cell in cells)
        lines.append(f"{one:<12}{row}")
    least, feature = min(plainest.values())
    return [*lines, "", f"least of all pairs: {least:.2f} ({feature})"]


def parts(atlas: Atlas, mood: str) -> tuple[Floats, Floats]:
    """Features of what ``mood`` plays and of the rest, each ``(n, 7)``."""
    mine = frozenset(atlas.better(mood) or atlas.suiting(mood))
    table = atlas.features
    inside = np.array([seed in mine for seed in atlas.seeds.tolist()])
    return table[inside], table[~inside]


def heard(table: Floats, mood: Mood, tempo: float) -> dict[str, Floats]:
    """What :data:`HEARD` names of pieces played in ``mood``, ``(n,)`` each, in its order."""
    column = {name: table[:, index] for index, name in enumerate(FEATURES)}
    return {
        "mode": column["major"],
        "density": column["density"],
        "register": column["register"] + mood.transpose,
        "pulse": column["density"] * tempo * mood.tempo / 60.0,
        **{name: column[name] for name in OTHERS},
    }


def cohens_d(one: Floats, two: Floats) -> float:
    """Difference of the means over the pooled standard deviation; 0 where nothing varies."""
    freedom = len(one) + len(two) - 2
    squares = ((one - one.mean()) ** 2).sum() + ((two - two.mean()) ** 2).sum()
    spread = np.sqrt(squares / max(freedom, 1))
    return float((one.mean() - two.mean()) / spread) if spread > 0 else 0.0


def auc(one: Sequence[float] | Floats, two: Sequence[float] | Floats) -> float:
    """The chance that a value of ``one`` is larger than one of ``two`` (Mann and Whitney 1947)."""
    ordered = np.sort(np.asarray(two, dtype=np.float64))
    below, upto = np.searchsorted(ordered, one, "left"), np.searchsorted(ordered, one, "right")
    return float((below + upto).mean() / 2 / len(ordered))


if __name__ == "__main__":
    sys.exit(main())
