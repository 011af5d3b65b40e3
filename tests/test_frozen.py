"""What PyInstaller is told of this package. PyInstaller itself is not needed: it is played here."""

from __future__ import annotations

import runpy
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import pytest

import pianogan_bgm


def data_files(package: str) -> list[tuple[str, str]]:
    """As PyInstaller does it: all that is no code, each with the folder it goes to."""
    root = Path(pianogan_bgm.__file__).parent
    assert package == root.name
    files = [path for path in root.rglob("*") if path.is_file() and path.suffix not in {".py", ".pyc"}]
    return [(str(path), str(path.parent.relative_to(root.parent))) for path in files]


def test_a_frozen_game_takes_model_and_piano_along(monkeypatch: pytest.MonkeyPatch) -> None:
    (point,) = [one for one in entry_points(group="pyinstaller40") if one.value.startswith("pianogan_bgm")]
    (folder,) = point.load()()
    hooks = ModuleType("PyInstaller.utils.hooks")
    hooks.__dict__["collect_data_files"] = data_files
    for name in ("PyInstaller", "PyInstaller.utils"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "PyInstaller.utils.hooks", hooks)
    (hook,) = Path(folder).glob("hook-pianogan_bgm.py")
    taken = runpy.run_path(str(hook))["datas"]
    names = {f"{target}/{Path(source).name}" for source, target in taken}
    assert names >= {
        "pianogan_bgm/models/open.onnx",
        "pianogan_bgm/models/open.json",
        "pianogan_bgm/models/open.atlas.json",
        "pianogan_bgm/samples/piano.json",
    }
    assert sum(name.endswith(".ogg") for name in names) == 90
