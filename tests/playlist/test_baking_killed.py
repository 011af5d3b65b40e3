"""Baking a playlist, killed with SIGKILL before each of its writes: nothing lost, nothing half believed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_model import write_tiny

from pianogan_bgm import cli
from pianogan_bgm.manifest import MANIFEST, read_manifest

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX kills so")
OPTIONS = ("--instrument", "chip_square", "--rate", "8000", "--seeds", "1,2", "--formats", "mid,png")

# The audit hook sees every file that is opened for writing, renamed or removed, before it happens.
KILLED = """
import os, signal, sys
from pianogan_bgm import cli
output, left, options = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
WRITING = os.O_WRONLY | os.O_RDWR
def watch(event, args):
    global left
    writes = event in ("os.rename", "os.remove", "os.mkdir") or (event == "open" and args[2] & WRITING)
    if writes and str(args[0]).startswith(output):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
sys.exit(cli.main(["playlist", "-o", output, *options]))
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def killed_before(write: int, output: Path, options: list[str]) -> int:
    command = [sys.executable, "-c", KILLED, str(output), str(write), *options]
    return subprocess.run(command, capture_output=True, check=False).returncode


def test_baking_killed_before_any_write_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    options = ["--model", str(write_tiny(tmp_path)), *OPTIONS]
    assert cli.main(["playlist", "-o", str(tmp_path / "whole"), *options]) == 0
    whole, killed = contents(tmp_path / "whole"), 0
    for write in range(1, 80):
        output = tmp_path / f"out {write}"
        status = killed_before(write, output, options)
        if status == 0:  # it has no more writes than that
            break
        assert status == -signal.SIGKILL
        killed += 1
        if (output / MANIFEST).exists():  # what it promises is there
            files = [file for track in read_manifest(output).tracks for file in track.files]
            assert all((output / file.name).read_bytes() == whole[file.name] for file in files)
        for path in output.glob(".*.tmp"):  # as if it were an hour later: it could be another command's
            os.utime(path, (0, 0))
        assert cli.main(["playlist", "-o", str(output), *options]) == 0
        assert contents(output) == whole
    assert status == 0
    assert killed >= 14  # seven files, each opened and renamed
