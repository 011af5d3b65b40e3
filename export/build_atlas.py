"""Measure the pieces of many seeds of a model and write its atlas, which moods choose from.

``python -m export.build_atlas open --seeds 2000`` writes ``open.atlas.json`` beside the model's weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from pianogan_bgm.atlas import Atlas, measure, to_json
from pianogan_bgm.composer import Composes
from pianogan_bgm.files import write_atomically
from pianogan_bgm.generator import Generator
from pianogan_bgm.models import find_model

FEWEST_NOTES = 60
"""Pieces with fewer are left out: no mood is well served by near silence."""


def build(generator: Composes, seeds: range) -> Atlas:
    """Features of the pieces of ``seeds``; sparse pieces are left out."""
    rows = []
    for seed in tqdm(seeds, desc="measuring", unit="piece"):
        piece = generator.compose(seed)
        if len(piece.notes) >= FEWEST_NOTES:
            rows.append((seed, tuple(round(value, 4) for value in measure(piece))))
    return Atlas(tuple(rows))


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", help="name of an installed model, or the path of its .onnx file")
    parser.add_argument("--seeds", type=int, default=2000, help="how many, from seed 0 on (2000)")
    options = parser.parse_args(argv)
    target = Path(find_model(options.model).where).with_suffix(".atlas.json")
    atlas = build(Generator(options.model), range(options.seeds))
    write_atomically(target, to_json(atlas, Path(options.model).stem).encode("utf-8"))
    print(f"{target}: {len(atlas.rows)} of {options.seeds} seeds, {target.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
