"""The same steps on TensorFlow, on JAX, on two devices and on two workers: one set of weights."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
keras = pytest.importorskip("keras", reason="needs the train extra")

from one_step import begin, go_on  # noqa: E402  # after the checks that they are there
from small import STUDIO, save_corpus, weights  # noqa: E402

from training.config import InvalidConfig, load  # noqa: E402
from training.corpus import Corpus  # noqa: E402
from training.runs import Run  # noqa: E402
from training.studio_stages import VaeStage  # noqa: E402

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("one_step.py")
SECONDS = 240
"""A process that takes longer hangs."""


class Bench:
    """A run two steps old in ``start``, and the same run two steps further in ``here``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = save_corpus(folder / "data", velocity=True)
        self.config = folder / "config.toml"
        self.config.write_text(STUDIO.replace("r1_every = 2", "r1_every = 1"), encoding="utf-8")
        begin(self.config, self.data, folder / "start", folder / "here")

    def begin(self, way: str, **environment: str) -> subprocess.Popen[str]:
        """Start two further steps in another process."""
        run = self.folder / way
        if not run.exists():
            shutil.copytree(self.folder / "start", run)
        command = [sys.executable, str(SCRIPT), way, str(self.config), str(self.data), str(run)]
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def check(self, way: str, stages: tuple[str, ...] = ("vae", "gan")) -> None:
        """Assert that two further steps ended where they ended here, and that they moved the weights."""
        for stage in stages:
            start, here, there = (
                weights(self.folder / run / "checkpoints" / f"{stage}.npz") for run in ("start", "here", way)
            )
            assert list(here) == list(there)
            for name, expected in here.items():
                if not name.split("/")[0].endswith("optimizer"):
                    gap = np.abs(there[name] - expected)
                    moved = np.abs(expected - start[name]).max()
                    # Adam divides by the gradient's size: where that is near rounding, so is the step
                    assert np.quantile(gap, 0.9) < 1e-5, name
                    assert gap.max() < 0.2 * moved, name


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


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def jax_bench(bench: Bench) -> Bench:
    if find_spec("jax") is None:
        pytest.skip("JAX is not installed; it comes with the dev extra")
    finish(bench.begin("jax", KERAS_BACKEND="jax"))
    return bench


def test_jax_without_tensorflow_takes_the_same_steps(jax_bench: Bench) -> None:
    jax_bench.check("jax")


def test_a_checkpoint_written_by_jax_loads_bit_for_bit(jax_bench: Bench) -> None:
    keras.backend.clear_session()
    config = load(jax_bench.config)
    stage = VaeStage(config, Corpus.load(jax_bench.data))
    assert Run(jax_bench.folder / "jax", config).restore(stage) == (4, None)
    written = weights(jax_bench.folder / "jax" / "checkpoints" / "vae.npz")
    assert list(written) == list(stage.variables())
    for name, variable in stage.variables().items():
        np.testing.assert_array_equal(np.asarray(variable), written[name], err_msg=name)


def test_two_devices_take_the_same_steps_as_one(bench: Bench) -> None:
    finish(bench.begin("mirrored"))
    bench.check("mirrored")


def test_two_workers_take_the_same_steps_as_one(bench: Bench) -> None:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    workers = []
    for index in range(2):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        workers.append(bench.begin("multiworker", TF_CONFIG=json.dumps(task)))
    finish(*workers)
    bench.check("multiworker", ("vae",))


def test_jax_refuses_to_distribute(monkeypatch: pytest.MonkeyPatch, bench: Bench, tmp_path: Path) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InvalidConfig, match="needs the tensorflow backend"):
        go_on(bench.config, bench.data, tmp_path / "run", way="mirrored")
    assert not (tmp_path / "run").exists()
