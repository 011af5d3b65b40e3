"""The one-way flow: who may import whom, read from the sources and from a fresh interpreter."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

import pianogan_bgm

PACKAGE: Final = Path(pianogan_bgm.__file__).parent
ROOT: Final = PACKAGE.parent

ALLOWED: Final = {
    "tensorflow": ("training/", "export/", "tests/training/"),
    "keras": ("training/", "export/", "tests/training/"),
    "tf2onnx": ("export/",),
    "jax": ("training/", "tests/training/"),
    "pygame": ("pianogan_bgm/player.py", "pianogan_bgm/doctor.py", "examples/", "benchmarks/", "tests/"),
    "onnxruntime": ("pianogan_bgm/generator.py", "training/", "export/", "benchmarks/", "tests/"),
    "mido": ("pianogan_bgm/midi.py", "pianogan_bgm/midi_reading.py", "training/", "tests/"),
    "training": ("training/", "export/", "benchmarks/", "tests/"),
    "export": ("export/", "benchmarks/", "tests/"),
}
"""Modules with a home, and the files or folders that may import them."""

HEAVY: Final = (
    *("tensorflow", "keras", "pygame", "onnxruntime", "soundfile", "PIL", "mido", "tqdm", "joblib"),
    "numpy",  # the command line has to say where it is missing, and to hear Ctrl-C while it is loaded
)


@cache
def imports_by_file() -> dict[str, frozenset[str]]:
    folders = ("pianogan_bgm", "training", "export", "examples", "benchmarks", "tests", "models")
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {
        path.relative_to(ROOT).as_posix(): frozenset(imported(path.read_text(encoding="utf-8")))
        for path in paths
    }


def imported(source: str) -> Iterator[str]:
    """Top-level names of every import, those inside functions included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("import_module", "__import__"):
                yield str(node.args[0].value).split(".")[0]


def test_imports_are_found_wherever_they_hide() -> None:
    source = (
        "import keras.ops as k\n"
        "def f():\n    from tensorflow.data import Dataset\n    importlib.import_module('pygame.mixer')\n"
        "from . import mido\nfrom pianogan_bgm import x\n"
    )
    assert sorted(imported(source)) == ["keras", "pianogan_bgm", "pygame", "tensorflow"]


@pytest.mark.parametrize("module", ALLOWED)
def test_a_module_is_imported_in_its_home_alone(module: str) -> None:
    assert "pianogan_bgm/roll.py" in imports_by_file()
    users = [name for name, modules in imports_by_file().items() if module in modules]
    assert [name for name in users if not name.startswith(ALLOWED[module])] == []


FRESH: Final = """
import sys
touched = []
def watch(event, args):
    if event.startswith(("socket.", "subprocess.")) or event == "os.system":
        touched.append(event)
    if event == "open" and str(args[0]).startswith("/dev/") and str(args[0]) != "/dev/null":
        touched.append(str(args[0]))
sys.addaudithook(watch)
{statement}
print(*sorted(name for name in {heavy} if name in sys.modules), *touched)
"""


@pytest.mark.parametrize(
    "statement", ["import pianogan_bgm", "import pianogan_bgm.cli; pianogan_bgm.cli.build_parser()"]
)
def test_importing_the_package_loads_nothing_heavy_and_opens_no_device(statement: str) -> None:
    code = FRESH.format(statement=statement, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="wants a device file that anyone may read")
def test_the_watch_of_the_test_above_sees_a_heavy_import_and_an_opened_device() -> None:
    code = FRESH.format(statement="import mido; open('/dev/zero')", heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["mido", "/dev/zero"]
