"""A run folder: config, revision, data hash, checkpoints, metrics and pictures; nothing is ever lost.

::

    RUN/config.toml      as given            RUN/run.json          revision, data hash, versions
    RUN/metrics.jsonl    one line a log      RUN/checkpoints/      STAGE.npz newest, STAGE-best.npz
    RUN/samples/         sheets of fixed latents                   RUN/tensorboard/
"""

from __future__ import annotations

import json
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np
from tqdm import tqdm

from pianogan_bgm.files import appearing, write_atomically
from pianogan_bgm.interrupts import held_back
from training.config import Config
from training.corpus import sha256_of
from training.distribution import is_chief, wait_for_all
from training.pictures import sample_sheet


class Stage(Protocol):
    """One phase of a training run; every array it needs later is in ``variables`` or ``state``."""

    name: str
    steps: int

    def variables(self) -> dict[str, Any]:
        """Keras variables by unique name: weights, averages, optimiser slots."""

    def inherited(self) -> dict[str, Any]:
        """Those of them that a fresh run takes from the run it starts from (``init_from``)."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds beside variables; JSON."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what :meth:`state` gave."""

    def train(self, step: int) -> Mapping[str, Any]:
        """Take training step ``step`` (from 0) and return its scalars."""

    def validate(self) -> dict[str, float]:
        """Validation metrics; ``score`` chooses the best checkpoint, higher is better."""

    def sheet(self) -> Any:
        """Cells uint8 ``(n, 106, 300)`` of fixed latents to look at."""

    def finished(self) -> bool:
        """Whether the stage wants to stop before its last step."""


class UnfitRun(ValueError):
    """What a run folder holds cannot be read, or is not of this network."""


class Diverged(ArithmeticError):
    """A network whose numbers are no numbers any more, which no further step mends."""


class Run:
    """One run folder and its logs."""

    def __init__(self, folder: Path, config: Config) -> None:
        self.folder, self.config = folder, config
        self.checkpoints = folder / "checkpoints"
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        (folder / "samples").mkdir(exist_ok=True)
        self._writes = is_chief()
        self._board = _tensorboard(folder / "tensorboard") if self._writes else None

    def log(self, stage: str, step: int, values: Mapping[str, Any]) -> None:
        """Append scalars to ``metrics.jsonl`` and TensorBoard."""
        if not self._writes:
            return
        row = {key: float(value) for key, value in values.items()}
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"stage": stage, "step": step, **row}) + "\n")
        if self._board is not None:
            self._board(stage, step, row)

    def save(self, stage: Stage, step: int, best: float | None, *, suffix: str = "") -> None:
        """Write a checkpoint atomically.

        Raises :class:`Diverged` where a variable is not finite, and ``OSError``; either leaves the old one.
        """
        if not self._writes:
            return
        arrays: dict[str, Any] = {name: np.asarray(variable) for name, variable in stage.variables().items()}
        if lost := [name for name, array in arrays.items() if not np.isfinite(array).all()]:
            raise Diverged(
                f"{stage.name} has diverged by step {step}: {lost[0]} is not finite; the last checkpoint is "
                "kept, and --resume goes on from it, best with a lower learning rate"
            )
        meta = {"step": step, "best": best, "state": stage.state()}
        path = self.checkpoints / f"{stage.name}{suffix}.npz"
        with appearing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, __meta__=np.frombuffer(json.dumps(meta).encode(), np.uint8), **arrays)

    def ended(self, name: str, steps: int) -> bool:
        """Whether a stage has taken its last step, and has a best checkpoint."""
        best = self.checkpoints / f"{name}-best.npz"
        newest = self.checkpoints / f"{name}.npz" if steps else best
        if not (newest.exists() and best.exists()):
            return False
        with checkpoint(newest) as arrays:
            return bool(read_meta(arrays)["step"] >= steps)

    def restore(self, stage: Stage) -> tuple[int, float | None] | None:
        """Load the newest checkpoint of a stage; None where there is none."""
        path = self.checkpoints / f"{stage.name}.npz"
        if not path.exists():
            return None
        meta = load_variables(path, stage.variables())
        stage.restore(meta["state"])
        return meta["step"], meta["best"]

    def train(self, stage: Stage) -> None:
        """Run ``stage`` to its end, going on from its newest checkpoint.

        An interrupt waits until the step is taken and a checkpoint written.
        """
        begun = self.restore(stage)
        if begun is None:
            self._start_from_another(stage)
        first, best = begun if begun is not None else (0, None)
        self._forget_after(stage.name, first)
        with held_back() as let_through:
            self._take_steps(stage, first, best, let_through)
        if not (self.checkpoints / f"{stage.name}-best.npz").exists():
            self.save(stage, stage.steps, self._validate(stage, stage.steps, None))
        wait_for_all()

    def _take_steps(
        self, stage: Stage, first: int, best: float | None, let_through: Callable[[], None]
    ) -> None:
        saved = time.monotonic()
        bar = tqdm(
            range(first, stage.steps), initial=first, total=stage.steps, desc=stage.name, mininterval=2
        )
        for step in bar:
            if stage.finished():  # it had already stopped early, before this resumption
                break
            logs = stage.train(step)
            done = step + 1
            last = done == stage.steps or stage.finished()
            if done % self.config.log_every == 0:
                self.log(stage.name, done, logs)
                bar.set_postfix({key: f"{float(value):.3f}" for key, value in logs.items()}, refresh=False)
            if done % self.config.validate_every == 0 or last:
                best = self._validate(stage, done, best)
            if time.monotonic() - saved > 60 * self.config.checkpoint_minutes or last:
                self.save(stage, done, best)
                saved = time.monotonic()
            try:
                let_through()
            except KeyboardInterrupt:
                self.save(stage, done, best)
                raise

    def record(self, key: str, value: Any) -> None:
        """Set one entry of ``run.json``, atomically."""
        if not self._writes:
            return
        entries = {**read_facts(self.folder), key: value}
        write_atomically(self.folder / "run.json", json.dumps(entries, indent=2).encode())

    def tell(self, facts: Mapping[str, Any]) -> None:
        """Record how the run came about; of a run that has begun already, only that another revision goes on.

        Such revisions stand in "resumed", in their order.
        """
        told = read_facts(self.folder) if begun(self.folder) else {}
        for key, value in facts.items():
            if key not in told:
                self.record(key, value)
        resumed = told.get("resumed", [])
        if "revision" in told and [told["revision"], *resumed][-1] != facts["revision"]:
            self.record("resumed", [*resumed, facts["revision"]])

    def _start_from_another(self, stage: Stage) -> None:
        """Begin a fresh stage with the best weights of the run ``init_from``, as far as they fit."""
        if self.config.init_from is None:
            return
        source = Path(self.config.init_from)
        told = next((name for name in ("origin.json", "run.json") if (source / name).exists()), None)
        if told is not None:
            self.record("origin", json.loads((source / told).read_text(encoding="utf-8")))
        path = source / "checkpoints" / f"{stage.name}-best.npz"
        if not path.exists():
            self.record(f"{stage.name}_init", "nothing: no weights of this stage there")
            return
        new = load_matching(path, stage.inherited())
        self.record(f"{stage.name}_init", {"from": str(path), "sha256": sha256_of(path), "new": new})
        tqdm.write(f"{stage.name}: starts from {path}; new are {', '.join(new) or 'none'}")

    def _validate(self, stage: Stage, step: int, best: float | None) -> float | None:
        metrics = stage.validate()
        self.log(stage.name, step, {f"validation_{key}": value for key, value in metrics.items()})
        tqdm.write(f"{stage.name} {step}: " + " ".join(f"{k} {v:.3f}" for k, v in metrics.items()))
        if self._writes:
            sample_sheet(stage.sheet(), self.folder / "samples" / f"{stage.name}-{step:06d}.png")
        if best is None or metrics["score"] > best:
            best = metrics["score"]
            self.save(stage, step, best, suffix="-best")
        return best

    def _forget_after(self, stage: str, step: int) -> None:
        """Drop log lines of steps that a resumed run takes again."""
        path = self.folder / "metrics.jsonl"
        if not path.exists() or not self._writes:
            return
        kept = [row for row in read_log(path) if row["stage"] != stage or row["step"] <= step]
        write_atomically(path, "".join(json.dumps(row) + "\n" for row in kept).encode())


def begun(folder: Path) -> bool:
    """Whether a run has anything to go on with; one that was refused or killed before that begins anew."""
    return any((folder / "checkpoints").glob("*.npz"))


def read_facts(folder: Path) -> dict[str, Any]:
    """What ``run.json`` of a run folder says; empty without one. Raises :class:`UnfitRun` for no object."""
    path = folder / "run.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError as error:
        raise UnfitRun(f"{path} must be JSON: {error}") from error
    if not isinstance(facts, dict):
        raise UnfitRun(f"{path} must be an object; got {facts!r:.40}")
    return facts


def read_log(path: Path) -> list[dict[str, Any]]:
    """The rows of a ``metrics.jsonl``; none without one.

    A last line that was only half written, as a killed run may leave it, is no row. Any other that is not
    JSON raises :class:`UnfitRun`.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise UnfitRun(f"{path}: line {number} must be JSON; got {line[:40]!r}") from error
    return rows


@contextmanager
def checkpoint(path: Path) -> Iterator[Any]:
    """A checkpoint, open to be read: arrays by name.

    Raises ``OSError`` where it cannot be opened, and :class:`UnfitRun`, in the block too, for what is damaged
    or no checkpoint.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            yield arrays
    except UnfitRun:
        raise
    except (ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
        raise UnfitRun(f"{path} is damaged, or no checkpoint: {error}") from error


def load_variables(path: Path, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Assign a checkpoint's arrays to variables of the same names and return its meta data.

    A variable the file lacks, or another shape, raises ``ValueError`` naming it; further arrays are ignored.
    """
    with checkpoint(path) as arrays:
        for name, variable in variables.items():
            if name not in arrays or arrays[name].shape != tuple(variable.shape):
                got = arrays[name].shape if name in arrays else "nothing"
                raise UnfitRun(f"{path}: {name} must have shape {tuple(variable.shape)}; got {got}")
        for name, variable in variables.items():
            variable.assign(arrays[name])
        return read_meta(arrays)


def read_meta(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The meta data of an open checkpoint: step, best score, state of the stage."""
    meta: dict[str, Any] = json.loads(bytes(arrays["__meta__"]).decode())
    return meta


def load_matching(path: Path, variables: Mapping[str, Any]) -> list[str]:
    """Assign the arrays whose name and shape fit; return the names of the variables left as they were.

    A name's number does not count where the rest of it is enough: a network may gain a weight in its middle.
    Optimisers start afresh: their slots belong to other data and another schedule.
    """
    weights = {name: v for name, v in variables.items() if not name.split("/", 1)[0].endswith("optimizer")}
    new = []
    with checkpoint(path) as arrays:
        unnumbered: dict[str, list[str]] = {}
        for name in arrays.files:
            unnumbered.setdefault(_unnumbered(name), []).append(name)
        for name, variable in weights.items():
            alike = unnumbered.get(_unnumbered(name), [])
            source = alike[0] if len(alike) == 1 else name
            if source in arrays and arrays[source].shape == tuple(variable.shape):
                variable.assign(arrays[source])
            else:
                new.append(name)
    if len(new) == len(weights):
        raise UnfitRun(f"{path}: not one array fits this network; was it trained with another config?")
    return new


def named(prefix: str, variables: Any) -> dict[str, Any]:
    """Variables by ``prefix/index/path``: unique, and the same for the same network on every backend."""
    return {
        f"{prefix}/{i:03d}/{variable.path.split('/', 1)[-1]}": variable
        for i, variable in enumerate(variables)
    }


def _unnumbered(name: str) -> str:
    prefix, _, rest = name.partition("/")
    return f"{prefix}/{rest.partition('/')[2]}"


def revision() -> str:
    """The git revision of this code's tree, with ``+`` where it has changes; "unknown" outside a checkout."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        dirty = subprocess.run(
            [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "")


def _tensorboard(folder: Path) -> Any:
    """A function that writes scalars, or None where TensorFlow is absent (a GPU machine with JAX alone)."""
    try:
        import tensorflow as tf
    except ImportError:
        return None
    writer = tf.summary.create_file_writer(str(folder))

    def write(stage: str, step: int, row: Mapping[str, float]) -> None:
        with writer.as_default():
            for key, value in row.items():
                tf.summary.scalar(f"{stage}/{key}", value, step=step)

    return write
