"""What each distribution holds: the licence of one model must not reach the games that bundle the other."""

from __future__ import annotations

import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
MAESTRO = ROOT / "models" / "maestro"
pytestmark = pytest.mark.skipif(not MAESTRO.exists(), reason="needs the checkout: models/ is not installed")


def project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_main_distribution_takes_nothing_from_the_models_folder() -> None:
    targets = project(ROOT)["tool"]["hatch"]["build"]["targets"]
    assert targets["wheel"] == {"packages": ["pianogan_bgm"]}
    assert not [path for path in targets["sdist"]["include"] if path.startswith("models")]


def test_no_weights_but_the_open_ones_lie_in_the_main_package() -> None:
    weights = {path.name for path in (ROOT / "pianogan_bgm").rglob("*.onnx")}
    assert weights <= {"open.onnx"}
    assert not list((ROOT / "pianogan_bgm").rglob("*maestro*"))


def test_the_main_distribution_never_asks_for_the_non_commercial_one() -> None:
    main = project(ROOT)["project"]
    wanted = {"always": main["dependencies"], **main["optional-dependencies"]}
    assert "maestro" not in str(wanted)


def test_the_requirements_with_pygame_ce_are_the_packages_own_but_for_pygame() -> None:
    lines = (ROOT / "requirements-ce.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    own = project(ROOT)["project"]["dependencies"]
    assert [line for line in wanted if not line.startswith("pygame")] == [
        line for line in own if not line.startswith("pygame")
    ]
    (ce,) = [line for line in wanted if line.startswith("pygame")]
    assert [line for line in own if line.startswith(f"{ce};")]


def test_maestro_is_a_distribution_of_its_own_under_its_own_licence() -> None:
    main, maestro = project(ROOT)["project"], project(MAESTRO)["project"]
    assert (main["license"], maestro["license"]) == ("MIT AND CC-BY-3.0", "CC-BY-NC-SA-4.0")
    assert "NonCommercial" in (MAESTRO / "LICENSE").read_text(encoding="utf-8")
    assert maestro["entry-points"]["pianogan_bgm.models"] == {"maestro": "pianogan_bgm_maestro"}
    assert main["entry-points"]["pianogan_bgm.models"] == {"open": "pianogan_bgm.models"}


def test_maestros_package_can_be_found_where_its_entry_point_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(MAESTRO)
    module = import_module("pianogan_bgm_maestro")
    assert Path(str(module.__file__)).parent == MAESTRO / "pianogan_bgm_maestro"
