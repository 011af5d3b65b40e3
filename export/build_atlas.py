"""Measure the pieces of many seeds of a model and write its atlas, which moods choose from.

``python -m export.build_atlas open`` writes ``open.atlas.json`` beside the model's weights, of the seeds from
0 that :mod:`training.judge` judges. With ``--quality FILE.npy`` each seed also gets what the model's judge
thinks of its piece: an array of one number for each seed from 0 on, higher is better, which whoever trained
the judge makes. Without it, quality is unknown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pianogan_bgm.atlas import Atlas, measure, to_json
from pianogan_bgm.composer import Composes
from pianogan_bgm.errors import PianoganError, one_line
from pianogan_bgm.files import write_atomically
from pianogan_bgm.generator import Generator
from pianogan_bgm.models import find_model
from training.judge import SEEDS

FEWEST_NOTES = 60
"""Pieces with fewer are left out: no mood is well served by near silence."""


def build(generator: Composes, seeds: range, quality: Sequence[float] | None = None) -> Atlas:
    """Features of the pieces of ``seeds``; sparse pieces are left out.

    ``quality``: one number for each of ``seeds``, None where it is unknown.
    """
    rows, judged = [], []
    for index, seed in enumerate(tqdm(seeds, desc="measuring", unit="piece")):
        piece = generator.compose(seed)
        if len(piece.notes) >= FEWEST_NOTES:
            rows.append((seed, tuple(round(value, 4) for value in measure(piece))))
            judged += [] if quality is None else [float(quality[index])]
    return Atlas.of(rows, judged)


def read_quality(path: Path, count: int) -> list[float]:
    """``count`` numbers from a ``.npy`` file, ``(count,)`` of any real type.

    Raises ``ValueError`` for anything else and ``OSError`` for what cannot be read.
    """
    values = np.load(path, allow_pickle=False)
    if values.shape != (count,) or values.dtype.kind not in "fiu" or not np.isfinite(values).all():
        raise ValueError(
            f"{path}: expected a finite number for each of {count} seeds, shape ({count},); "
            f"got {values.dtype} of shape {values.shape}"
        )
    return [float(value) for value in values]


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; returns the exit status, 1 where model or file cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", help="name of an installed model, or the path of its .onnx file")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"how many, from seed 0 on ({SEEDS})")
    parser.add_argument("--quality", type=Path, metavar="FILE.npy", help="a number for each seed")
    options = parser.parse_args(argv)
    if options.seeds < 1:
        parser.error(f"--seeds must be at least 1; got {options.seeds}")
    quality = None
    if options.quality is not None:
        try:
            quality = read_quality(options.quality, options.seeds)
        except (ValueError, OSError) as error:
            parser.error(str(error))
    try:
        target = Path(find_model(options.model).where).with_suffix(".atlas.json")
        generator = Generator(options.model)
        atlas = build(generator, range(options.seeds), quality)
        write_atomically(target, to_json(atlas, generator.card.name).encode("utf-8"))
    except (PianoganError, OSError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 1
    print(f"{target}: {len(atlas)} of {options.seeds} seeds, {target.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
