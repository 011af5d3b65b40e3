"""The command `pianogan-bgm play`, each time in a process of its own."""

import os
import signal
import subprocess
import sys
import time

import pytest
from music_fakes import make_piece

from pianogan_bgm.midi import write_midi

PLAY = [sys.executable, "-m", "pianogan_bgm.cli", "play"]

# A shell starts background jobs deaf to Ctrl-C, and the tests may be one.
HEARING_CTRL_C = """
import signal, sys
from pianogan_bgm.cli import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
"""


def environment(driver):
    return {**os.environ, "SDL_AUDIODRIVER": driver, "SDL_VIDEODRIVER": "dummy"}


@pytest.fixture
def song(tmp_path):
    path = tmp_path / "song.mid"
    write_midi(make_piece(1), path)
    return str(path)


def play(*arguments, driver="dummy"):
    return subprocess.run(
        [*PLAY, *arguments],
        env=environment(driver),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_play_names_what_is_heard_and_stops_in_time(song):
    done = play(song, "--seconds", "0.5")
    assert done.returncode == 0, done.stderr
    assert "major" in done.stdout or "minor" in done.stdout
    assert "120 bpm" in done.stdout
    assert done.stdout.startswith("song ")
    assert done.stderr == ""


def test_play_says_that_there_is_no_device_and_keeps_time(song):
    done = play(song, "--seconds", "0.5", driver="no_such_driver")
    assert done.returncode == 0, done.stderr
    assert "No sound device: keeping time silently." in done.stderr
    assert "120 bpm" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent differently there")
def test_control_c_fades_out_and_ends_well(song):
    with subprocess.Popen(
        [sys.executable, "-c", HEARING_CTRL_C, "play", song],
        env=environment("dummy"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert "bpm" in process.stdout.readline()
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert time.monotonic() - began > 1.0, "it should have faded"


@pytest.mark.parametrize("arguments", [["--model", "no-such-model"], ["missing.mid"]])
def test_what_cannot_be_played_is_one_line_and_status_1(arguments):
    done = play(*arguments)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert arguments[-1] in done.stderr
