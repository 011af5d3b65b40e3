"""Two steps of every stage of a run in a process of its own: ``python one_step.py WAY CONFIG DATA RUN``.

WAY: "jax" (TensorFlow cannot even be imported then), "mirrored" (two logical devices) or "multiworker" (this
process is the worker that TF_CONFIG says).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def begin(config_path: Path, data: Path, start: Path, here: Path) -> None:
    """Two steps of every stage written to ``start``, and two more written to ``here``."""
    from training.config import load
    from training.corpus import Corpus
    from training.runs import Run
    from training.train import stages

    config, corpus = load(config_path), Corpus.load(data)
    first, second = Run(start, config), Run(here, config)
    for make in stages(config, corpus, start):
        stage: Any = make()
        for step in range(4):
            stage.train(step)
            if step == 1:
                first.save(stage, 2, None)
                first.save(stage, 2, None, suffix="-best")
        second.save(stage, 4, None)


def go_on(config_path: Path, data: Path, folder: Path, way: str = "none") -> None:
    """Two more steps of every stage from the checkpoints in ``folder``, and new checkpoints.

    Two workers go through the first stage alone: what they add to two devices is the network between them.
    """
    from training.config import load
    from training.corpus import Corpus
    from training.distribution import distributed, wait_for_all
    from training.runs import Run
    from training.train import stages

    config, corpus = load(config_path), Corpus.load(data)
    with distributed(way):
        run = Run(folder, config)
        for make in stages(config, corpus, folder)[: 1 if way == "multiworker" else None]:
            stage: Any = make()
            assert run.restore(stage) == (2, None)
            wait_for_all()
            for step in (2, 3):
                stage.train(step)
            run.save(stage, 4, None)


def main(way: str, *paths: str) -> None:
    if way == "jax":
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
    if way == "mirrored":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    go_on(*map(Path, paths), way="none" if way == "jax" else way)


if __name__ == "__main__":
    main(*sys.argv[1:])
