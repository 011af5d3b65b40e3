"""Preparing data, killed with SIGKILL before each of its writes: nothing lost, nothing half believed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from test_prepare import CC0, manifest_of, midi_bytes, prepared, tune

from training import build
from training.corpus import MANIFEST_FILE

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX kills so")

# The audit hook sees every file that is opened for writing, renamed or removed, before it happens.
KILLED = """
import os, signal, sys
from training import build, prepare
source, output, left = sys.argv[1], sys.argv[2], int(sys.argv[3])
build.SHARD = 4
WRITING = os.O_WRONLY | os.O_RDWR
def watch(event, args):
    global left
    writes = event in ("os.rename", "os.remove", "os.mkdir") or (event == "open" and args[2] & WRITING)
    if writes and str(args[0]).startswith(output):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
sys.exit(prepare.main(["beats", source, "-o", output, "--name", "mine"]))
"""


def killed_before(write: int, source: Path, output: Path) -> int:
    command = [sys.executable, "-c", KILLED, str(source), str(output), str(write)]
    root = Path(__file__).parents[2]
    return subprocess.run(command, cwd=root, capture_output=True, check=False).returncode


def test_preparing_killed_before_any_write_goes_on_and_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "SHARD", 4)
    source = tmp_path / "tunes"
    source.mkdir()
    (source / "LICENSE.txt").write_text(CC0)
    for seed in range(8):
        (source / f"tune {seed}.mid").write_bytes(midi_bytes(tune(seed)))
    whole = prepared(source, tmp_path / "whole", "--name", "mine")
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    killed = 0
    for write in range(1, 60):
        output = tmp_path / f"out {write}"
        status = killed_before(write, source, output)
        if status == 0:  # it has no more writes than that
            break
        assert status == -signal.SIGKILL
        killed += 1
        if (output / MANIFEST_FILE).exists():  # written last: what it promises must be there
            assert manifest_of(output) == whole.manifest
        assert prepared(source, output, "--name", "mine").manifest == whole.manifest
        assert sorted(path.name for path in output.iterdir()) == names
    assert status == 0
    assert killed >= 4
