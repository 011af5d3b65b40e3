"""Runs of both stages with a tiny network: killed, resumed, refused, started from another run."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
keras = pytest.importorskip("keras", reason="needs the train extra")

from bench import Bench, logged  # noqa: E402  # after the checks that they are there
from small import MEASURED, STUDIO, save_corpus, weights  # noqa: E402

from pianogan_bgm.interrupts import terminable  # noqa: E402
from training import runs, train  # noqa: E402
from training.calibrate import EMPHASES  # noqa: E402
from training.config import parse  # noqa: E402
from training.corpus import Corpus, DataError, sha256_of  # noqa: E402
from training.keep import main as keep  # noqa: E402
from training.runs import Diverged, Run, load_matching, load_variables, read_log  # noqa: E402


def test_a_run_killed_in_each_stage_and_resumed_ends_with_the_same_weights(bench: Bench) -> None:
    assert not (bench.in_vae / "checkpoints" / "vae-best.npz").exists()
    assert not (bench.in_gan / "checkpoints" / "gan-best.npz").exists()
    run = bench.copy(bench.in_gan, "resumed")
    assert bench.train(run, "--resume") == 0
    for stage in ("vae", "vae-best", "gan", "gan-best"):
        expected = weights(bench.whole / "checkpoints" / f"{stage}.npz")
        got = weights(run / "checkpoints" / f"{stage}.npz")
        assert list(got) == list(expected)
        for name, array in expected.items():
            np.testing.assert_array_equal(got[name], array, err_msg=f"{stage}: {name}")
    assert logged(run) == logged(bench.whole)


def test_a_run_folder_tells_how_it_came_about(bench: Bench) -> None:
    told = json.loads((bench.whole / "run.json").read_text("utf-8"))
    manifest = json.loads((bench.data / "manifest.json").read_text("utf-8"))
    assert told["data"] == {"name": "small", "sha256": manifest["sha256"]}
    assert told["versions"]["keras"] == keras.__version__
    assert told["revision"]
    assert (bench.whole / "config.toml").read_text("utf-8") == STUDIO
    assert {path.name for path in (bench.whole / "samples").iterdir()} == {"vae-000008.png", "gan-000005.png"}
    assert list((bench.whole / "tensorboard").iterdir())


def test_a_run_says_how_much_it_learns_from(bench: Bench) -> None:
    corpus = Corpus.load(bench.data)
    said = train.summary(corpus)
    for split in ("train", "validation"):
        windows, pieces = len(corpus.windows(split)), len(corpus.pieces(split))
        assert f"{windows} windows of {pieces} pieces" in said
        assert windows >= pieces > 0


def test_training_moves_the_weights_and_lowers_the_loss(bench: Bench) -> None:
    losses = [row["loss"] for row in logged(bench.whole) if "loss" in row]
    assert len(losses) == 8
    assert losses[-1] < losses[0]


def test_a_folder_with_a_run_is_safe_without_resume(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in bench.whole.rglob("*") if path.is_file()}
    assert bench.train(bench.whole) == 2
    assert "--resume" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in bench.whole.rglob("*") if path.is_file()} == before


def test_a_finished_run_resumed_changes_no_weight(bench: Bench) -> None:
    before = weights(bench.whole / "checkpoints" / "gan.npz")
    assert bench.train(bench.whole, "--resume") == 0
    after = weights(bench.whole / "checkpoints" / "gan.npz")
    assert all(np.array_equal(after[name], array) for name, array in before.items())


def test_a_finished_run_resumed_makes_no_stage_and_keeps_its_facts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training import studio_gan, studio_vae

    def none_needed(*_: Any) -> None:
        raise AssertionError("every stage has ended")

    for module in (studio_vae, studio_gan):
        monkeypatch.setattr(module, "known_attributes", none_needed)
    monkeypatch.setattr(train, "revision", lambda: "another")
    before = (bench.whole / "run.json").read_bytes()
    assert bench.train(bench.whole, "--resume") == 0
    assert (bench.whole / "run.json").read_bytes() == before


def test_a_run_gone_on_with_by_another_revision_names_both(tmp_path: Path) -> None:
    run = still_run(tmp_path)
    for revision in ("never got anywhere", "first"):
        run.tell({"revision": revision, "data": {"sha256": "ab"}})
    (run.checkpoints / "vae.npz").touch()
    for revision in ("first", "second", "second", "first"):
        run.tell({"revision": revision, "data": {"sha256": "ab"}})
    told = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert told == {"revision": "first", "data": {"sha256": "ab"}, "resumed": ["second", "first"]}


def test_the_revision_is_that_of_the_code_wherever_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = runs.revision()
    monkeypatch.chdir(tmp_path)
    assert runs.revision() == here


def test_a_run_is_not_gone_on_with_on_other_data(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    run = bench.copy(bench.in_vae, "other data")
    other = save_corpus(bench.folder / "quiet", velocity=False)
    manifest = json.loads((other / "manifest.json").read_text("utf-8"))
    arrays = {**np.load(other / "corpus.npz")}
    np.savez(other / "corpus.npz", **{**arrays, "split": arrays["split"][::-1]})
    manifest["sha256"] = sha256_of(other / "corpus.npz")
    (other / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert train.main([str(bench.config), "--data", str(other), "--run", str(run), "--resume"]) == 2
    said = capsys.readouterr().err
    assert manifest["sha256"] in said
    assert json.loads((run / "run.json").read_text("utf-8"))["data"]["sha256"] in said
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def resumed_with(bench: Bench, run: Path, text: str) -> int:
    """Go on with ``run`` by another configuration; the exit status."""
    config = bench.folder / f"{run.name}.toml"
    config.write_text(text, encoding="utf-8")
    return bench.train(run, "--resume", config=config)


def test_a_run_is_not_gone_on_with_as_another_network(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    run = bench.copy(bench.in_vae, "other network")
    told = [(run / name).read_bytes() for name in ("config.toml", "run.json")]
    assert resumed_with(bench, run, STUDIO.replace("hidden = 5", "hidden = 6")) == 2
    assert "must have shape" in capsys.readouterr().err
    assert [(run / name).read_bytes() for name in ("config.toml", "run.json")] == told


def test_a_run_is_gone_on_with_by_its_own_configuration_after_a_half_written_log(bench: Bench) -> None:
    run = bench.copy(bench.in_gan, "own")
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"stage": "gan", "st')
    assert bench.train(run, "--resume", config=run / "config.toml") == 0
    assert (run / "config.toml").read_text("utf-8") == STUDIO
    assert logged(run) == logged(bench.whole)


def test_only_the_last_line_of_a_log_may_be_half_written(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert read_log(path) == []
    path.write_text('{"step": 1}\n{"step": 2}\n{"st', encoding="utf-8")
    assert read_log(path) == [{"step": 1}, {"step": 2}]
    path.write_text('{"step": 1}\n{"st\n{"step": 3}\n', encoding="utf-8")
    with pytest.raises(ValueError, match="line 2 must be JSON"):
        read_log(path)


@pytest.mark.parametrize(
    ("line", "said"),
    [('colour = "red"', "unknown key 'colour'"), ('init_from = "nowhere"', "nowhere holds no")],
)
def test_a_bad_configuration_ends_with_its_fault_and_no_folder(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, said: str
) -> None:
    config = tmp_path / "bad.toml"
    config.write_text(f"{line}\n{STUDIO}", encoding="utf-8")
    assert bench.train(tmp_path / "run", config=config) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_starts_from_another_ones_weights(bench: Bench, tmp_path: Path) -> None:
    config = tmp_path / "second.toml"
    still = STUDIO.replace("steps = 8", "steps = 0").replace("steps = 5", "steps = 0")
    config.write_text(f'init_from = "{bench.whole.as_posix()}"\n{still}', encoding="utf-8")
    assert bench.train(tmp_path / "second", config=config) == 0
    for stage in ("vae", "gan"):
        first = weights(bench.whole / "checkpoints" / f"{stage}-best.npz")
        second = weights(tmp_path / "second" / "checkpoints" / f"{stage}-best.npz")
        for name, array in second.items():
            if name.endswith("emphasis"):
                # measured anew of a network that has learnt next to nothing: anything in its range
                assert array.shape == first[name].shape
                assert (array >= EMPHASES[0]).all()
                assert (array <= EMPHASES[1]).all()
            elif name.endswith(MEASURED):
                assert np.abs(array - first[name]).max() < 2.0
            elif not name.split("/")[0].endswith("optimizer"):
                np.testing.assert_array_equal(array, first[name], err_msg=name)
            elif name.endswith("iteration"):
                assert array == 0
    told = json.loads((tmp_path / "second" / "run.json").read_text("utf-8"))
    assert told["vae_init"]["from"].endswith("vae-best.npz")
    assert told["vae_init"]["new"] == []


def test_a_run_with_a_first_stage_of_its_own_takes_the_critic_alone_for_the_second(
    bench: Bench, tmp_path: Path
) -> None:
    config = tmp_path / "third.toml"
    short = STUDIO.replace("steps = 8", "steps = 1").replace("steps = 5", "steps = 0")
    config.write_text(f'init_from = "{bench.whole.as_posix()}"\n{short}', encoding="utf-8")
    assert bench.train(tmp_path / "third", config=config) == 0
    before = weights(bench.whole / "checkpoints" / "gan-best.npz")
    own = weights(tmp_path / "third" / "checkpoints" / "vae-best.npz")
    found = weights(tmp_path / "third" / "checkpoints" / "gan-best.npz")
    critic = [name for name in found if name.startswith("critic/")]
    generator = [name for name in found if name.startswith("decoder/")]
    assert critic
    assert generator
    for name in critic:
        np.testing.assert_array_equal(found[name], before[name], err_msg=name)
    for name in generator:
        np.testing.assert_array_equal(found[name], own[name], err_msg=name)


def test_what_is_kept_of_a_run_is_enough_to_start_another(bench: Bench, tmp_path: Path) -> None:
    assert keep([str(bench.whole), "-o", str(tmp_path / "kept")]) == 0
    config = tmp_path / "next.toml"
    still = STUDIO.replace("steps = 8", "steps = 0").replace("steps = 5", "steps = 0")
    config.write_text(f'init_from = "{(tmp_path / "kept").as_posix()}"\n{still}', encoding="utf-8")
    assert bench.train(tmp_path / "next", config=config) == 0
    assert keep([str(tmp_path / "next"), "-o", str(tmp_path / "again")]) == 0
    origin = json.loads((tmp_path / "again" / "origin.json").read_text(encoding="utf-8"))
    assert origin["run"]["vae_init"]["from"] == "kept/checkpoints/vae-best.npz"
    assert origin["sha256"] == sha256_of(tmp_path / "again" / "checkpoints" / "vae-best.npz")
    earlier = origin["run"]["origin"]
    assert earlier == json.loads((tmp_path / "kept" / "origin.json").read_text(encoding="utf-8"))
    assert earlier["sha256"] == origin["run"]["vae_init"]["sha256"]
    first, second = (
        weights(run / "checkpoints" / "vae-best.npz") for run in (bench.whole, tmp_path / "next")
    )
    for name, array in second.items():
        half = first[name].astype(np.float16).astype(np.float32)
        if not name.startswith("optimizer") and not name.endswith(MEASURED):
            np.testing.assert_array_equal(array, half, err_msg=name)


def test_nothing_is_kept_of_a_run_that_is_not_far_enough(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = bench.copy(bench.in_vae, "begun")
    (run / "checkpoints" / "vae-best.npz").unlink(missing_ok=True)
    assert keep([str(run), "-o", str(tmp_path / "kept")]) == 2
    assert "vae-best.npz is missing" in capsys.readouterr().err
    assert not (tmp_path / "kept").exists()


def test_a_split_without_windows_is_named(bench: Bench) -> None:
    from training.studio_vae import evaluation_cells

    with pytest.raises(DataError, match="split 'test' needs at least one window"):
        evaluation_cells(Corpus.load(bench.data), "test", 4, 0)


@pytest.mark.parametrize("content", [b"", b"no archive", b"cut off", b"no meta"])
def test_a_damaged_checkpoint_is_named_in_one_line(
    bench: Bench, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    run = bench.copy(bench.whole, f"damaged, {content.decode()}")
    path = run / "checkpoints" / "gan.npz"
    if content == b"cut off":
        content = path.read_bytes()[:-100]
    elif content == b"no meta":
        np.savez(path, nothing=np.zeros(1))
        content = path.read_bytes()
    path.write_bytes(content)
    assert bench.train(run, "--resume") == 2
    assert f"{path} is damaged, or no checkpoint: " in capsys.readouterr().err


@pytest.mark.parametrize("told", ["{", "[]"])
def test_facts_that_cannot_be_read_are_named_in_one_line(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str], told: str
) -> None:
    run = bench.copy(bench.whole, f"facts {told}")
    (run / "run.json").write_text(told, "utf-8")
    assert bench.train(run, "--resume") == 2
    assert keep([str(run), "-o", str(tmp_path / "kept")]) == 2
    assert capsys.readouterr().err.count("run.json must be ") == 2
    assert not (tmp_path / "kept").exists()


def test_another_network_takes_no_folder_with_a_run(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    run = bench.copy(bench.whole, "reference")
    assert resumed_with(bench, run, 'name = "small"\nnetwork = "reference"\ndata = "unused"\n') == 2
    assert "['reference'], of this network; got ['gan', 'vae']" in capsys.readouterr().err
    assert (run / "config.toml").read_text("utf-8") == STUDIO


def test_what_the_second_stage_began_with_is_not_trained_on(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    run = bench.copy(bench.whole, "longer")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert resumed_with(bench, run, STUDIO.replace("steps = 8", "steps = 12")) == 2
    assert "gan began with what vae had learnt" in capsys.readouterr().err
    assert all(path.read_bytes() == content for path, content in before.items())


def test_a_folder_that_cannot_be_written_is_named_in_one_line(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert bench.train(tmp_path / "file" / "run") == 1
    assert "file" in capsys.readouterr().err.splitlines()[-1]


class Still:
    """A stage of one variable."""

    name, steps = "still", 1

    def __init__(self, *shape: int) -> None:
        self.variable = keras.Variable(np.ones(shape, np.float32))

    def variables(self) -> dict[str, Any]:
        return {"net/000/kernel": self.variable}

    def state(self) -> dict[str, Any]:
        return {"seen": 3}


def still_run(folder: Path) -> Run:
    return Run(folder, parse({"name": "still", "network": "studio", "data": "none"}))


def test_a_checkpoint_that_cannot_be_finished_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, stage = still_run(tmp_path), Still(2)
    run.save(stage, 1, 0.5)  # type: ignore[arg-type]
    path = tmp_path / "checkpoints" / "still.npz"
    before = path.read_bytes()

    def full(file: Any, **arrays: Any) -> None:
        file.write(b"PK")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        run.save(stage, 2, 0.7)  # type: ignore[arg-type]
    assert path.read_bytes() == before
    assert [path.name for path in run.checkpoints.iterdir()] == ["still.npz"]


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_network_that_diverged_takes_no_checkpoint_s_place(tmp_path: Path, number: float) -> None:
    run, stage = still_run(tmp_path), Still(2)
    run.save(stage, 1, 0.5)  # type: ignore[arg-type]
    path = tmp_path / "checkpoints" / "still.npz"
    before = path.read_bytes()
    stage.variable.assign([1.0, number])
    with pytest.raises(Diverged, match="still has diverged by step 2: net/000/kernel is not finite"):
        run.save(stage, 2, 0.7)  # type: ignore[arg-type]
    assert path.read_bytes() == before


class Interrupted(Still):
    """A stage of nine steps that counts them, in the third of which a signal comes."""

    steps = 9

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(2)
        self.number = number

    def train(self, step: int) -> dict[str, float]:
        if step == 2:
            signal.raise_signal(self.number)
        self.variable.assign(np.full(2, step + 1.0))
        return {}

    def finished(self) -> bool:
        return False


@pytest.mark.usefixtures("in_a_terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_every_step_it_took(tmp_path: Path, number: signal.Signals) -> None:
    stage: Any = Interrupted(number)
    with terminable(), pytest.raises(KeyboardInterrupt):
        still_run(tmp_path).train(stage)
    path = tmp_path / "checkpoints" / "still.npz"
    assert load_variables(path, {}) == {"step": 3, "best": None, "state": {"seen": 3}}
    assert weights(path)["net/000/kernel"].tolist() == [3.0, 3.0]


@pytest.mark.usefixtures("in_a_terminal")
def test_after_an_interrupt_the_command_says_how_to_go_on(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        monkeypatch.setattr(train, "train", lambda *_, number=number: signal.raise_signal(number))
        assert bench.train(tmp_path / "run") == status
        assert capsys.readouterr().err == "interrupted; --resume goes on from here\n"


def test_a_checkpoint_of_another_network_is_refused_and_nothing_assigned(tmp_path: Path) -> None:
    still_run(tmp_path).save(Still(2), 1, 0.5)  # type: ignore[arg-type]
    path = tmp_path / "checkpoints" / "still.npz"
    assert load_variables(path, {}) == {"step": 1, "best": 0.5, "state": {"seen": 3}}
    other = Still(3)
    with pytest.raises(ValueError, match=r"net/000/kernel must have shape \(3,\); got \(2,\)"):
        load_variables(path, other.variables())
    with pytest.raises(ValueError, match="not one array fits"):
        load_matching(path, other.variables())
    assert np.asarray(other.variable).tolist() == [1.0, 1.0, 1.0]


def test_blur_and_requests_are_measured_and_kept_with_the_weights(bench: Bench) -> None:
    for stage, prefix in (("vae", "composer"), ("gan", "average_composer")):
        found = weights(bench.whole / "checkpoints" / f"{stage}-best.npz")
        parts = {name.rpartition("/")[2]: x for name, x in found.items() if name.startswith(prefix)}
        assert parts["blur"].min() > 0.0
        assert np.abs(parts["emphasis"] - 1.0).max() > 0.0
        assert np.ptp(parts["shift"]) > 0.0


def test_a_network_that_gained_a_weight_still_finds_the_others(tmp_path: Path) -> None:
    before = {"net/000/entry": np.ones(2), "net/001/exit": np.full(2, 2.0)}
    twice = {"net/002/block/kernel": np.full(2, 3.0), "net/003/block/kernel": np.full(2, 4.0)}
    meta = np.frombuffer(b'{"step": 1, "best": 0.5, "state": {}}', np.uint8)
    np.savez(tmp_path / "old.npz", __meta__=meta, **before, **twice)
    names = ["net/000/entry", "net/001/middle", "net/002/exit", "net/003/block/kernel"]
    variables = {name: keras.Variable(np.zeros(2)) for name in names}
    assert load_matching(tmp_path / "old.npz", variables) == ["net/001/middle"]
    found = [float(np.asarray(variables[name])[0]) for name in names]
    # of two that are called alike, the number says which
    assert found == [1.0, 0.0, 2.0, 4.0]
