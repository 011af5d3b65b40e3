"""Two steps of every stage from the checkpoints of a run, on the backend KERAS_BACKEND names.

``python one_step.py CONFIG DATA RUN``; with the JAX backend TensorFlow cannot even be imported.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

if os.environ.get("KERAS_BACKEND") == "jax":
    sys.modules["tensorflow"] = None  # type: ignore[assignment]

from training.config import load
from training.corpus import Corpus
from training.runs import Run
from training.train import stages


def run_steps(config_path: Path, data: Path, folder: Path, *, steps: int = 2) -> None:
    """Continue every stage of the run and write its newest checkpoint."""
    config, corpus = load(config_path), Corpus.load(data)
    run = Run(folder, config)
    for make in stages(config, corpus, folder):
        stage: Any = make()
        first = begun[0] if (begun := run.restore(stage)) else 0
        for step in range(first, first + steps):
            stage.train(step)
        run.save(stage, first + steps, None)
        if not first:
            run.save(stage, first + steps, None, suffix="-best")


if __name__ == "__main__":
    run_steps(*map(Path, sys.argv[1:4]))
