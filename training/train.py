"""Train a network: ``python -m training.train CONFIG.toml [--data DIR] [--run DIR] [--resume]``."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from training.config import Config, InvalidConfig, load
from training.corpus import Corpus, DataError
from training.distribution import distributed, is_chief
from training.runs import Run, Stage, revision


def stages(config: Config, corpus: Corpus, run: Path) -> list[Callable[[], Stage]]:
    """The stages of a network, made one after another: a later one reads what the one before wrote."""
    if config.network == "reference":
        from training.reference import ReferenceStage

        return [lambda: ReferenceStage(config, corpus)]
    from training.studio_gan import GanStage
    from training.studio_vae import VaeStage

    return [lambda: VaeStage(config, corpus), lambda: GanStage(config, corpus, run)]


def describe(config: Config, corpus: Corpus) -> dict[str, object]:
    """What a later reader must know of a run: revision, data, versions."""
    return {
        "name": config.name,
        "revision": revision(),
        "data": {"name": corpus.manifest["name"], "sha256": corpus.manifest["sha256"]},
        "versions": {"keras": keras.__version__, "backend": keras.backend.backend(), "numpy": np.__version__},
    }


def train(config: Config, corpus: Corpus, folder: Path) -> Run:
    """Run every stage, going on where the folder's checkpoints end."""
    run = Run(folder, config)
    for key, value in describe(config, corpus).items():
        run.record(key, value)
    keras.mixed_precision.set_global_policy(config.precision)
    for make in stages(config, corpus, folder):
        run.train(make())
        keras.backend.clear_session(free_memory=True)
    return run


def main(argv: list[str] | None = None) -> int:
    """Command line; exit status 2 for a bad configuration or corpus."""
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, help="prepared corpus, instead of the one the config names")
    parser.add_argument("--run", type=Path, help="run folder (default runs/NAME)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    args = parser.parse_args(argv)
    try:
        config = load(args.config)
        folder: Path = args.run or Path("runs") / config.name
        _check(config, folder, resume=args.resume)
        corpus = Corpus.load(args.data or Path(config.data))
        with distributed(config.distribute):  # returns once every worker has come this far
            folder.mkdir(parents=True, exist_ok=True)
            if is_chief():
                shutil.copyfile(args.config, folder / "config.toml")
            train(config, corpus, folder)
    except (InvalidConfig, DataError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _check(config: Config, folder: Path, *, resume: bool) -> None:
    if (folder / "checkpoints").exists() and not resume:
        raise InvalidConfig(f"{folder} holds a run already: add --resume to go on with it")
    if config.init_from and not list(Path(config.init_from).glob("checkpoints/*-best.npz")):
        raise InvalidConfig(f"init_from: {config.init_from} holds no checkpoints/*-best.npz to start from")


if __name__ == "__main__":
    sys.exit(main())
