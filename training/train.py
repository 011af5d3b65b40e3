"""Train a network: ``python -m training.train CONFIG.toml [--data DIR] [--run DIR] [--resume]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from tqdm import tqdm

from pianogan_bgm.errors import one_line
from pianogan_bgm.files import write_atomically
from pianogan_bgm.interrupts import INTERRUPTED, TERMINATED, terminable
from training.config import Config, InvalidConfig, load
from training.corpus import Corpus, DataError
from training.distribution import distributed, is_chief
from training.runs import Diverged, Run, Stage, UnfitRun, begun, read_facts, revision


class Planned(NamedTuple):
    """A stage that is yet to be made, of so many steps."""

    name: str
    steps: int
    make: Callable[[], Stage]


def stages(config: Config, corpus: Corpus, run: Path) -> list[Planned]:
    """The stages of a network, made one after another: a later one reads what the one before wrote."""
    if config.network == "reference":
        from training.reference import ReferenceStage

        return [Planned(ReferenceStage.name, config.reference.steps, lambda: ReferenceStage(config, corpus))]
    from training.studio_gan import GanStage
    from training.studio_vae import VaeStage

    return [
        Planned(VaeStage.name, config.vae.steps, lambda: VaeStage(config, corpus)),
        Planned(GanStage.name, config.gan.steps, lambda: GanStage(config, corpus, run)),
    ]


def describe(config: Config, corpus: Corpus) -> dict[str, object]:
    """What a later reader must know of a run: revision, data, versions."""
    return {
        "name": config.name,
        "revision": revision(),
        "data": {"name": corpus.manifest["name"], "sha256": corpus.manifest["sha256"]},
        "versions": {"keras": keras.__version__, "backend": keras.backend.backend(), "numpy": np.__version__},
    }


def summary(corpus: Corpus) -> str:
    """How much there is to learn from and to validate with, in words."""
    learnt, held_out = (
        f"{len(corpus.windows(split))} windows of {len(corpus.pieces(split))} pieces"
        for split in ("train", "validation")
    )
    return f"learns from {learnt}, is validated on {held_out}"


def train(config: Config, corpus: Corpus, folder: Path, text: bytes) -> Run:
    """Run every stage that has not ended, going on where the folder's checkpoints end.

    ``text``: the configuration as given, for the folder. It and the facts are written once the first of these
    stages has taken its checkpoint: what is refused changes nothing that the folder says of the run.
    """
    run = Run(folder, config)
    keras.mixed_precision.set_global_policy(config.precision)
    every = stages(config, corpus, folder)
    left = [stage for stage in every if not run.ended(stage.name, stage.steps)]
    _check_stages(every, left, folder)
    for planned in left:
        stage = planned.make()
        if planned is left[0]:
            run.restore(stage)
            if is_chief():
                write_atomically(folder / "config.toml", text)
                tqdm.write(f"{config.name}: {summary(corpus)}")
            run.tell(describe(config, corpus))
        run.train(stage)
        keras.backend.clear_session(free_memory=True)
    return run


def main(argv: list[str] | None = None) -> int:
    """Command line; exit status 2 for what it cannot begin or go on with.

    That is a bad configuration or corpus, a damaged checkpoint or another network's; 1 where the network
    diverges or a file cannot be written; after Ctrl-C or SIGTERM, once a checkpoint is written, 130 or 143.
    """
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, help="prepared corpus, instead of the one the config names")
    parser.add_argument("--run", type=Path, help="run folder (default runs/NAME)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    args = parser.parse_args(argv)
    with terminable() as terminated:
        status = _run(args)
        return TERMINATED if terminated else status


def _run(args: argparse.Namespace) -> int:
    try:
        config = load(args.config)
        folder: Path = args.run or Path("runs") / config.name
        _check(config, folder, resume=args.resume)
        text = args.config.read_bytes()
        corpus = Corpus.load(args.data or Path(config.data))
        _check_data(corpus, folder)
        with distributed(config.distribute):  # returns once every worker has come this far
            train(config, corpus, folder, text)
    except (InvalidConfig, DataError, UnfitRun) as error:
        print(error, file=sys.stderr)
        return 2
    except (Diverged, OSError) as error:
        print(one_line(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; --resume goes on from here", file=sys.stderr)
        return INTERRUPTED
    return 0


def _check(config: Config, folder: Path, *, resume: bool) -> None:
    if begun(folder) and not resume:
        raise InvalidConfig(f"{folder} holds a run already: add --resume to go on with it")
    if config.init_from and not list(Path(config.init_from).glob("checkpoints/*-best.npz")):
        raise InvalidConfig(f"init_from: {config.init_from} holds no checkpoints/*-best.npz to start from")


def _check_stages(every: Sequence[Planned], left: Sequence[Planned], folder: Path) -> None:
    """Refuse checkpoints of another network alone, and to go on with what a later stage has begun from."""
    begun_names = {path.stem.removesuffix("-best") for path in (folder / "checkpoints").glob("*.npz")}
    names = [stage.name for stage in every]
    if begun_names and begun_names.isdisjoint(names):
        raise UnfitRun(f"{folder} must hold stages of {names}, of this network; got {sorted(begun_names)}")
    for stage, later in pairwise(every):
        if stage in left and later.name in begun_names:
            raise UnfitRun(
                f"{folder}: {later.name} began with what {stage.name} had learnt, which must not go on to "
                f"{stage.steps} steps now; begin another run with init_from"
            )


def _check_data(corpus: Corpus, folder: Path) -> None:
    got = corpus.manifest["sha256"]
    first = read_facts(folder).get("data", {}).get("sha256", got) if begun(folder) else got
    if first != got:
        raise DataError(f"{folder} must go on with the data it began with, sha256 {first}; got sha256 {got}")


if __name__ == "__main__":
    sys.exit(main())
