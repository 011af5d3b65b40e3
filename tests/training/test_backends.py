"""A run gone on with on JAX, on two devices or by two workers ends with the weights of one that was not."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
keras = pytest.importorskip("keras", reason="needs the train extra")

from bench import Bench, finish, start  # noqa: E402  # after the checks that they are there
from elsewhere import go_on, penalised_step  # noqa: E402
from small import MEASURED, STUDIO, weights  # noqa: E402

from training.config import InvalidConfig, load  # noqa: E402
from training.corpus import Corpus  # noqa: E402
from training.runs import Run  # noqa: E402
from training.studio_vae import VaeStage  # noqa: E402

SCRIPT = Path(__file__).with_name("elsewhere.py")


def halfway(bench: Bench, name: str) -> Path:
    """A run folder in which both stages stand where they were killed."""
    run = bench.copy(bench.in_gan, name)
    shutil.copyfile(bench.in_vae / "checkpoints" / "vae.npz", run / "checkpoints" / "vae.npz")
    return run


def check(bench: Bench, run: Path, *stages: str) -> None:
    """Assert that stages begun halfway ended where the uninterrupted run did."""
    begun = {"vae": bench.in_vae, "gan": bench.in_gan}
    for stage in stages:
        before, here, there = (
            weights(folder / "checkpoints" / f"{stage}.npz") for folder in (begun[stage], bench.whole, run)
        )
        assert list(here) == list(there)
        for name, expected in here.items():
            if not name.split("/")[0].endswith("optimizer") and not name.endswith(MEASURED):
                gap = np.abs(there[name] - expected)
                # Adam divides by the gradient's size: where that is near rounding, so is the step
                assert np.quantile(gap, 0.9) < 1e-5, name
                assert gap.max() < 0.2 * np.abs(expected - before[name]).max(), name


@pytest.fixture(scope="module")
def elsewhere(bench: Bench) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """The processes on JAX and on two devices, both begun at once: compiling is what takes the time."""
    begun = {}
    for way in ("jax", "mirrored"):
        if way == "mirrored" or find_spec("jax") is not None:
            paths = (bench.config, bench.data, halfway(bench, way))
            backend = "jax" if way == "jax" else "tensorflow"
            begun[way] = start(SCRIPT, way, *paths, KERAS_BACKEND=backend)
    yield begun
    for process in begun.values():
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def on_jax(bench: Bench, elsewhere: dict[str, subprocess.Popen[str]]) -> Path:
    if "jax" not in elsewhere:
        pytest.skip("JAX is not installed; it comes with the dev extra")
    finish(elsewhere["jax"])
    return bench.folder / "jax"


def test_jax_without_tensorflow_takes_the_same_steps(bench: Bench, on_jax: Path) -> None:
    check(bench, on_jax, "vae", "gan")


def test_a_checkpoint_written_by_jax_loads_bit_for_bit(bench: Bench, on_jax: Path) -> None:
    keras.backend.clear_session()
    config = load(bench.config)
    stage = VaeStage(config, Corpus.load(bench.data))
    assert Run(on_jax, config).restore(stage) == (config.vae.steps, None)
    written = weights(on_jax / "checkpoints" / "vae.npz")
    assert list(written) == list(stage.variables())
    for name, variable in stage.variables().items():
        np.testing.assert_array_equal(np.asarray(variable), written[name], err_msg=name)


def test_a_step_goes_through_the_gradient_of_a_gradient() -> None:
    got, expected = penalised_step()
    assert got == pytest.approx(expected, abs=1e-6)


def test_two_devices_take_the_same_steps_as_one(
    bench: Bench, elsewhere: dict[str, subprocess.Popen[str]]
) -> None:
    finish(elsewhere["mirrored"])
    check(bench, bench.folder / "mirrored", "vae", "gan")


def test_two_workers_train_one_run(bench: Bench) -> None:
    run, config = bench.copy(bench.in_vae, "workers"), bench.folder / "workers.toml"
    vae, gan = STUDIO.split("[gan]")
    text = f'distribute = "multiworker"\n{vae}[gan]{gan.replace("steps = 5", "steps = 0")}'
    config.write_text(text, encoding="utf-8")
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    command = ["-m", "training.train", *bench.arguments(run, "--resume", config=config)]
    tasks = [
        {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}} for index in range(2)
    ]
    finish(*[start(*command, TF_CONFIG=json.dumps(task)) for task in tasks])
    check(bench, run, "vae")


def test_jax_refuses_to_distribute(monkeypatch: pytest.MonkeyPatch, bench: Bench, tmp_path: Path) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InvalidConfig, match="needs the tensorflow backend"):
        go_on(bench.config, bench.data, tmp_path / "run", way="mirrored")
    assert not (tmp_path / "run").exists()
