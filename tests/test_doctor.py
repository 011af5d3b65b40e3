"""The doctor: whatever is missing is named, and hides nothing else."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from music_fakes import MissingModule

import pianogan_bgm.models
from pianogan_bgm import cli, doctor
from pianogan_bgm.atlas import Atlas
from pianogan_bgm.errors import ModelDamaged
from pianogan_bgm.instruments import piano

pygame = pytest.importorskip("pygame")


@pytest.fixture(autouse=True)
def no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    pygame.mixer.quit()


def failed(found: doctor.Findings) -> dict[str, str]:
    return {check.name: check.detail for check in found.checks if not check.passed}


def test_where_all_is_well_every_check_passes_and_the_status_is_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "all is well"
    assert {line.split()[1] for line in lines if line.startswith("PASS")} >= {"compose", "render", "play"}


def test_every_distribution_that_the_package_needs_is_looked_for() -> None:
    project = Path(doctor.__file__).parents[1] / "pyproject.toml"
    if not project.exists():
        pytest.skip("needs the checkout")
    needed = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    names = {re.match(r"[\w-]+", line)[0] for line in needed}  # type: ignore[index]
    assert names == {name for distributions in doctor.NEEDED.values() for name in distributions}


def test_json_says_the_same_to_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["format", "healthy", "versions", "audio", "checks"]
    assert found["healthy"]
    assert set(found["versions"]) >= {"pianogan-bgm", "python", "system", "numpy", "onnxruntime", "SDL"}
    assert found["audio"]["audio driver"] == "dummy"
    (model,) = [check["detail"] for check in found["checks"] if check["name"] == "model open"]
    assert "sha256" in model


def test_without_a_device_the_music_keeps_time_and_that_is_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SDL_AUDIODRIVER", "no such driver")
    found = doctor.examine()
    assert failed(found) == {}
    assert found.audio["audio devices"] == "none"
    assert found.checks[-1].detail == "no device: keeps time silently"


def test_a_mixer_that_pygame_cannot_load_is_named_and_the_music_keeps_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pygame, "mixer", MissingModule())
    found = doctor.examine()
    assert failed(found) == {}
    assert "libgthread" in found.audio["mixer"]
    assert found.checks[-1].detail == "no device: keeps time silently"


def test_a_missing_package_is_named_and_the_other_checks_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def without_mido(name: str, package: str | None = None) -> object:
        if name == "mido":
            raise ModuleNotFoundError("No module named 'mido'", name="mido")
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", without_mido)
    assert failed(doctor.examine()) == {"import mido": "the package mido is not installed"}


def test_both_pygames_at_once_are_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_installed", lambda name: "2.5" if name.startswith("pygame") else "1.0")
    assert "both installed" in failed(doctor.examine())["import pygame"]


def test_a_damaged_model_is_told_by_the_checks_that_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(_model: object) -> object:
        raise ModelDamaged("open.onnx: the card says 10 bytes of weights; got 9")

    monkeypatch.setattr("pianogan_bgm.models.find_model", damaged)
    monkeypatch.setattr("pianogan_bgm.generator.find_model", damaged)
    found = failed(doctor.examine())
    assert found == dict.fromkeys(
        ["model open", "atlas open", "compose"], "open.onnx: the card says 10 bytes of weights; got 9"
    )


def test_no_model_at_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pianogan_bgm.models.available_models", tuple)
    assert "no model is installed" in failed(doctor.examine())["models"]


def test_a_damaged_or_missing_atlas_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("open.onnx", "open.json"):
        shutil.copy(Path(pianogan_bgm.models.__file__).with_name(name), tmp_path)
    monkeypatch.setattr("pianogan_bgm.models.files", lambda _: tmp_path)
    assert failed(doctor.examine()) == {"atlas open": "open.atlas.json is missing: no mood finds its pieces"}
    (tmp_path / "open.atlas.json").write_text('{"version": 2, "ro')
    assert list(failed(doctor.examine())) == ["atlas open"]


def test_a_model_of_someone_elses_may_come_without_an_atlas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pianogan_bgm.atlas.load_atlas", lambda _: Atlas.of())
    assert doctor._atlas("maestro") == "none came with it: no moods"


def test_without_numpy_every_check_says_so_and_the_rest_is_told() -> None:
    code = "import sys; sys.modules['numpy'] = None; from pianogan_bgm.cli import main; sys.exit(main())"
    line = [sys.executable, "-c", code, "doctor", "--json"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    details = {check["name"]: check["detail"] for check in json.loads(done.stdout)["checks"]}
    for name in ("import numpy", "models", "samples", "compose", "render", "play"):
        assert details[name] == "the package numpy is not installed"
    assert details["import mido"].startswith("mido ")


def test_missing_recordings_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(piano, "SAMPLES", tmp_path)
    assert failed(doctor.examine())["samples"].startswith("90 of 90 recordings are missing: piano-")


def test_a_failure_gives_status_1_and_is_counted_in_the_last_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = (doctor.Check("this", True, "fine"), doctor.Check("that", False, "is gone"))
    monkeypatch.setattr(doctor, "examine", lambda: doctor.Findings({"numpy": None}, {}, checks))
    assert doctor.run() == 1
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["numpy", "missing"],
        ["PASS", "this", "fine"],
        ["FAIL", "that", "is", "gone"],
        ["failed:", "1", "of", "2"],
    ]


def test_nothing_of_a_users_folders_is_told() -> None:
    command = [sys.executable, "-m", "pianogan_bgm.cli", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert str(Path(doctor.__file__).parent) not in done.stdout
    assert str(Path.home()) not in done.stdout or Path.home() == Path("/")
