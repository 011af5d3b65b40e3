"""Keep what a run has learnt in a few megabytes: ``python -m training.keep RUN -o DIR``.

The folder can be named by a later run's ``init_from``: it holds the weights of the first stage as float16.
The second stage takes a few hundred steps from there.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np

from pianogan_bgm.errors import one_line
from pianogan_bgm.files import write_together
from training.config import published
from training.runs import UnfitRun, checkpoint, read_facts, read_meta

KEPT = ("encoder", "decoder", "composer")
"""Groups of variables in the run's checkpoint."""


def keep(run: Path, folder: Path) -> None:
    """Write ``folder/checkpoints/vae-best.npz`` and ``folder/origin.json`` from the run's best weights.

    The latter holds what the run's ``run.json`` says (with the "origin" of a run that began with another's
    weights), the step of the weights, and the sha256 of the file they are in. Raises ``FileNotFoundError``
    where the first stage has no best checkpoint yet, :class:`UnfitRun` where that or ``run.json`` cannot be
    read; then nothing is written.
    """
    path = run / "checkpoints" / "vae-best.npz"
    with checkpoint(path) as arrays:
        step = read_meta(arrays)["step"]
        names = [name for name in arrays.files if name.partition("/")[0] in KEPT]
        weights = {name: arrays[name].astype(np.float16) for name in names}
    if not (told := read_facts(run)):
        raise UnfitRun(f"{run}: run.json is missing or empty")
    facts = published(told)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **weights)
    kept = buffer.getvalue()
    origin = {"run": facts, "step": step, "sha256": sha256(kept).hexdigest()}
    text = json.dumps(origin, indent=2) + "\n"
    write_together({folder / "checkpoints" / path.name: kept, folder / "origin.json": text.encode()})


def main(argv: list[str] | None = None) -> int:
    """Command line; exit status 2 where the run is not far enough, or something cannot be read or written."""
    parser = argparse.ArgumentParser(prog="python -m training.keep", description=__doc__)
    parser.add_argument("run", type=Path, help="run folder of training.train")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write")
    args = parser.parse_args(argv)
    try:
        keep(args.run, args.output)
    except FileNotFoundError as error:
        print(
            f"{args.run}: no best weights of the first stage yet: {error.filename} is missing",
            file=sys.stderr,
        )
        return 2
    except (UnfitRun, OSError) as error:
        print(one_line(error), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
