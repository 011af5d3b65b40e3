"""Wheel and sdist: built once, then opened. What a stranger installs is just what it should be."""

from __future__ import annotations

import email
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("build", "hatchling", "twine")
MISSING = [tool for tool in TOOLS if find_spec(tool) is None]
pytestmark = [
    pytest.mark.package,
    pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="needs the checkout"),
    pytest.mark.skipif(bool(MISSING), reason=f"the dev extra brings {', '.join(MISSING)}"),
]
MOST_BYTES = 20_000_000
CODE = re.compile(r"pianogan_bgm/([a-z_]+/)?(hook-)?[a-z_0-9]+\.py")
DATA = re.compile(
    r"pianogan_bgm/(py\.typed|playlist\.schema\.json|samples/(piano-\d{3}-\d{2}\.ogg|piano\.json|LICENSE\.txt)"
    r"|models/open\.(onnx|json|atlas\.json)|playlist/[a-z]+\.(html|json|css|js))"
)
LICENCES = {"LICENSE", "pianogan_bgm/samples/LICENSE.txt"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Wheel and sdist; the wheel is built from the unpacked sdist, so that one is complete too."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


def names_in_wheel(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def names_in_sdist(sdist: Path) -> set[str]:
    with tarfile.open(sdist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_the_wheel_holds_the_package_and_nothing_else(built: tuple[Path, Path]) -> None:
    names = names_in_wheel(built[0])
    strange = [n for n in names if not (CODE.fullmatch(n) or DATA.fullmatch(n) or ".dist-info/" in n)]
    assert strange == []
    assert {Path(name).name for name in names} >= {"py.typed", "open.onnx", "open.json", "piano.json"}
    assert sum(name.endswith(".ogg") for name in names) == 90


def test_the_sdist_holds_what_the_wheel_is_built_from_and_nothing_else(built: tuple[Path, Path]) -> None:
    packaged = {name for name in names_in_wheel(built[0]) if ".dist-info/" not in name}
    about = {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO", ".gitignore"}
    assert names_in_sdist(built[1]) == packaged | about


def test_every_source_file_of_the_package_travels(built: tuple[Path, Path]) -> None:
    names = names_in_wheel(built[0])
    listed = subprocess.run(
        ["git", "ls-files", "pianogan_bgm"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("no git here")
    assert set(listed.stdout.split()) - names == set()


def test_the_licences_travel_and_are_named(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as archive:
        (place,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        head = email.message_from_bytes(archive.read(place))
        for licence in LICENCES:
            found = archive.read(place.replace("METADATA", f"licenses/{licence}"))
            assert found == (ROOT / licence).read_bytes()
    assert head["License-Expression"] == "MIT AND CC-BY-3.0"
    assert set(head.get_all("License-File") or ()) == LICENCES


def test_both_are_small_enough_to_be_uploaded_anywhere(built: tuple[Path, Path]) -> None:
    assert [path.name for path in built if path.stat().st_size >= MOST_BYTES] == []


def test_the_page_of_an_index_can_show_the_readme(built: tuple[Path, Path]) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
