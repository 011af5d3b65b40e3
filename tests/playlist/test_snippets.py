"""The snippets of docs/playlist.md on real files: run where they can be, else held to what they name."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from tiny_model import write_tiny

from pianogan_bgm import cli

DOCS = Path(__file__).parents[2] / "docs" / "playlist.md"
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="needs the checkout: docs/ is not installed")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A game's folder with a playlist in ``music``, stems among its files."""
    place = tmp_path_factory.mktemp("project")
    model = write_tiny(tmp_path_factory.mktemp("model"))
    options = (
        "--instrument",
        "chip_square",
        "--rate",
        "22050",
        "--seeds",
        "2,9",
        "--tempo",
        "300",
        "--stems",
    )
    assert cli.main(["playlist", "--model", str(model), "-o", str(place / "music"), *options]) == 0
    return place


def snippet(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    return str(found[-1])


@pytest.mark.skipif(shutil.which("love") is None, reason="LÖVE is not installed")
def test_the_snippet_for_love_plays_a_loop(project: Path) -> None:
    # without window and graphics it runs anywhere; it may play three seconds, then tells what it did
    conf = "function love.conf(t) t.window = nil; t.modules.window = false; t.modules.graphics = false end\n"
    (project / "conf.lua").write_text(conf, encoding="utf-8")
    ending = """
local began
function love.update()
  began = began or love.timer.getTime()
  if music:tell() > 0.5 or love.timer.getTime() > began + 20 then
    print(string.format("RESULT %d %s %s %d", #tracks, tostring(music:isLooping()),
                        tostring(music:isPlaying()), music:getDuration("samples")))
    love.event.quit()
  end
end
"""
    (project / "main.lua").write_text(snippet("lua") + ending, encoding="utf-8")
    silent = {**os.environ, "ALSOFT_DRIVERS": "null", "SDL_VIDEODRIVER": "dummy"}
    done = subprocess.run(
        ["love", str(project)], capture_output=True, text=True, env=silent, check=False, timeout=120
    )
    found = re.search(r"RESULT (\d+) (\w+) (\w+) (\d+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert found.groups()[:3] == ("2", "true", "true")
    frames = [track["sound"]["frames"] for track in tracks(project)]
    assert int(found[4]) in frames


def tracks(project: Path) -> list[dict[str, object]]:
    table = json.loads((project / "music" / "playlist.json").read_text(encoding="utf-8"))
    found: list[dict[str, object]] = table["tracks"]
    return found


def test_the_snippet_for_pygbag_plays_with_desktop_pygame(project: Path) -> None:
    ending = """
    print("BUSY", pygame.mixer.music.get_busy())
"""
    code = snippet("python").replace(
        "    while not any", "    pygame.event.post(pygame.event.Event(pygame.QUIT))\n    while not any"
    )
    code = code.replace("\n\nasyncio.run", f"{ending}\n\nasyncio.run")
    (project / "main.py").write_text(code, encoding="utf-8")
    silent = {**os.environ, "SDL_AUDIODRIVER": "dummy", "SDL_VIDEODRIVER": "dummy"}
    done = subprocess.run(
        [sys.executable, "main.py"], capture_output=True, text=True, env=silent, cwd=project, check=False
    )
    assert "BUSY True" in done.stdout, done.stderr


@pytest.mark.skipif(
    shutil.which("gdparse") is None, reason="gdtoolkit is not installed: pip install gdtoolkit"
)
def test_the_snippet_for_godot_is_gdscript(tmp_path: Path) -> None:
    (tmp_path / "music.gd").write_text(snippet("gdscript"), encoding="utf-8")
    done = subprocess.run(
        ["gdparse", str(tmp_path / "music.gd")], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "music.gd").write_text(snippet("gdscript").replace("():", "()"), encoding="utf-8")
    broken = subprocess.run(["gdparse", str(tmp_path / "music.gd")], capture_output=True, check=False)
    assert broken.returncode != 0


class RenPy:
    """As much of Ren'Py as the snippet uses; a game's files lie in ``game``."""

    def __init__(self, game: Path) -> None:
        self.game = game
        self.music = self.random = self
        self.played: list[tuple[str, float]] = []

    def open_file(self, name: str, encoding: str | None = None) -> IO[Any]:
        return (self.game / name).open("r" if encoding else "rb", encoding=encoding)

    def choice(self, sequence: list[Any]) -> Any:
        return sequence[-1]

    def play(self, name: str, fadein: float = 0.0) -> None:
        assert (self.game / name).is_file()
        self.played.append((name, fadein))


def renpy_python(script: str) -> Iterator[str]:
    """The Python of a Ren'Py script: what stands below ``init python:``, and lines that begin with $."""
    for block in re.split(r"^(?=\S)", script, flags=re.MULTILINE):
        head, _, rest = block.partition("\n")
        if head == "init python:":
            yield textwrap.dedent(rest)
        elif head:
            assert re.fullmatch(r"label \w+:", head), head
            lines = [line.strip() for line in rest.splitlines() if line.strip()]
            assert all(line.startswith("$ ") for line in lines), lines
            yield "\n".join(line.removeprefix("$ ") for line in lines)


def test_the_python_of_the_snippet_for_renpy_plays_a_track(project: Path) -> None:
    renpy = RenPy(project)
    names: dict[str, Any] = {"renpy": renpy}
    for code in renpy_python(snippet("renpy")):
        exec(compile(code, "snippet.rpy", "exec"), names)
    assert renpy.played == [(f"music/{tracks(project)[-1]['name']}.ogg", 1.0)]


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_the_snippet_for_rpg_maker_plays_one_of_its_names(tmp_path: Path) -> None:
    # the two things it uses are of both MV's and MZ's core script
    engine = """
Math.randomInt = (max) => Math.floor(max * Math.random());
const AudioManager = { playBgm: (bgm) => console.log(JSON.stringify(bgm)) };
"""
    (tmp_path / "snippet.js").write_text(engine + snippet("js"), encoding="utf-8")
    for check in (["--check"], []):
        done = subprocess.run(
            ["node", *check, str(tmp_path / "snippet.js")],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
    bgm = json.loads(done.stdout)
    assert set(bgm) == {"name", "volume", "pitch", "pan"}
    assert bgm["name"] in re.findall(r'"(open-\d+)"', snippet("js"))


@pytest.mark.parametrize("language", ["gdscript", "renpy"])
def test_the_other_snippets_name_keys_and_files_that_exist(project: Path, language: str) -> None:
    code = snippet(language)
    used = set(re.findall(r'track\["(\w+)"\]', code))
    assert "name" in used
    for track in tracks(project):
        assert used <= set(track)
        assert (project / "music" / f"{track['name']}.ogg").is_file()
    assert 'music/playlist.json"' in code
    assert 'music/%s.ogg" % track["name"]' in code
