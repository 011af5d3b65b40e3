"""One tiny run that nothing interrupted, and one that was killed twice: what tests of training compare."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from small import STUDIO, save_corpus

ROOT = Path(__file__).parents[2]
SECONDS = 240
"""A process that takes longer hangs."""
CHANCES = 4
"""Times a run is begun to be killed in the right place."""


class Bench:
    """Folders of runs of one configuration on one corpus.

    ``whole``: not interrupted. ``in_vae``, ``in_gan``: as the kills in the first and second stage left it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = save_corpus(folder / "data", velocity=True)
        self.config = folder / "config.toml"
        self.config.write_text(STUDIO, encoding="utf-8")
        self.whole, self.in_vae, self.in_gan = (folder / name for name in ("whole", "in_vae", "in_gan"))
        assert self.train(self.whole) == 0
        self._kill_during("vae", self.in_vae, None)
        self._kill_during("gan", self.in_gan, self.in_vae, "--resume")

    def train(self, run: Path, *extra: str, config: Path | None = None) -> int:
        """Train in this process; the exit status."""
        from training.train import main

        return main(self.arguments(run, *extra, config=config))

    def arguments(self, run: Path, *extra: str, config: Path | None = None) -> list[str]:
        """Command line of a training run."""
        return [str(config or self.config), "--data", str(self.data), "--run", str(run), *extra]

    def copy(self, run: Path, name: str) -> Path:
        """A copy of a run to go on with."""
        return Path(shutil.copytree(run, self.folder / name))

    def _kill_during(self, stage: str, run: Path, begun: Path | None, *extra: str) -> None:
        """Train in another process, from where ``begun`` is, and kill it two steps into a stage.

        On a busy machine it may be done before it is looked at; then it is begun again.
        """
        for _ in range(CHANCES):
            shutil.rmtree(run, ignore_errors=True)
            if begun is not None:
                shutil.copytree(begun, run)
            if self._killed(stage, run, *extra):
                return
        raise AssertionError(f"the run was never caught in its stage {stage}")

    def _killed(self, stage: str, run: Path, *extra: str) -> bool:
        """Whether the stage was still at work when the process was killed, with no chance to tidy up."""
        process = start("-m", "training.train", *self.arguments(run, *extra))
        deadline = time.monotonic() + SECONDS
        try:
            while not any(row["stage"] == stage and row["step"] >= 2 for row in logged(run)):
                if process.poll() is not None:
                    break
                assert time.monotonic() < deadline, "the run never came to the step"
                time.sleep(0.01)
        finally:
            process.kill()
            output = process.communicate()[0]
        killed = -signal.SIGKILL if os.name == "posix" else 1
        assert process.returncode in (0, killed), output[-3000:]
        ended = (run / "checkpoints" / f"{stage}-best.npz").exists()
        return process.returncode == killed and not ended


def logged(run: Path) -> list[dict[str, Any]]:
    """The scalars a run has logged so far."""
    path = run / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def start(*arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
    """Start Python on ``arguments`` in the repository's root."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(*processes: subprocess.Popen[str]) -> None:
    """Wait for processes to end well; none is left behind."""
    try:
        for process in processes:
            output, _ = process.communicate(timeout=SECONDS)
            assert process.returncode == 0, output[-3000:]
    finally:
        for process in processes:
            process.kill()
            process.wait()
