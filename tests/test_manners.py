"""Manners of a library: no network, no noise, nothing of the process changed that is not its own."""

from __future__ import annotations

import ast
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pianogan_bgm

PACKAGE = Path(pianogan_bgm.__file__).parent
TALKATIVE = {
    "cli.py",
    "convert.py",
    "doctor.py",
    "generate.py",
    "play.py",
    "playlist/command.py",
}
"""Modules behind the command line; only these may print."""

OFFLINE = """
import sys
def refuse(event, args):
    if event.startswith("socket."):
        raise RuntimeError("the network was asked for: " + event)
sys.addaudithook(refuse)
"""
WORK = """
import tempfile, time, pathlib
from pianogan_bgm import BackgroundMusic, Stream
from pianogan_bgm.generator import Generator
from pianogan_bgm.images import piece_slab, read_png, write_png
from pianogan_bgm.midi import read_midi, write_midi
from pianogan_bgm.render import render, write_audio
piece = Generator().compose(7)
with tempfile.TemporaryDirectory() as folder:
    place = pathlib.Path(folder)
    write_midi(piece, place / "a.mid")
    write_png(piece_slab(piece), place / "a.png")
    read_midi(place / "a.mid"), read_png(place / "a.png")
    write_audio(place / "a.ogg", render(piece, 8000)[:8000], 8000)
stream = Stream(seed=1, rate=8000)
stream.play()
stream.fill(8000)
with BackgroundMusic(mood="calm", seed=1) as music:
    music.play()
    until = time.monotonic() + 30
    while music.position == 0 and not music.stats.errors and time.monotonic() < until:
        time.sleep(0.02)
    assert music.position > 0 and not music.stats.errors, music.stats
"""


def run(code: str, *options: str, driver: str = "dummy") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SDL_AUDIODRIVER": driver, "SDL_VIDEODRIVER": "dummy"}
    environment["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
    return subprocess.run(
        [sys.executable, *options, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("driver", ["dummy", "no such driver"])
def test_composing_writing_and_playing_never_ask_for_the_network(driver: str) -> None:
    pytest.importorskip("pygame")
    done = run(OFFLINE + WORK, driver=driver)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_the_watch_of_the_test_above_refuses_a_socket() -> None:
    done = run(OFFLINE + "import socket; socket.socket()")
    assert done.returncode == 1
    assert "the network was asked for" in done.stderr


def test_the_import_warns_of_nothing_and_says_nothing() -> None:
    done = run("import pianogan_bgm, pianogan_bgm.cli, pianogan_bgm.stream", "-W", "error")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_public_names_are_seen_before_they_are_used() -> None:
    done = run("import pianogan_bgm as p; assert set(p.__all__) <= set(dir(p)), dir(p)")
    assert done.returncode == 0, done.stderr


def test_the_log_is_left_to_the_game() -> None:
    code = """
import logging, sys, warnings, threading, signal
before = (list(logging.root.handlers), logging.root.level, list(warnings.filters), sys.excepthook,
          signal.getsignal(signal.SIGINT), threading.active_count())
import pianogan_bgm
from pianogan_bgm import Stream
Stream(seed=1, rate=8000).fill(10)
own = logging.getLogger("pianogan_bgm")
after = (list(logging.root.handlers), logging.root.level, list(warnings.filters), sys.excepthook,
         signal.getsignal(signal.SIGINT), threading.active_count())
assert own.propagate and own.level == logging.NOTSET and not own.handlers
changed = [i for i, (a, b) in enumerate(zip(before, after)) if a != b]
assert changed in ([], [2]), changed  # libraries may add filters of their own
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert logging.getLogger("pianogan_bgm").handlers == []


def test_only_the_command_line_prints() -> None:
    talking = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                talking.add(path.relative_to(PACKAGE).as_posix())
    assert talking <= TALKATIVE
    assert "cli.py" in talking
