"""SIGTERM ends a command as Ctrl-C does; an interrupt that has to wait is not lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_model import write_tiny

from pianogan_bgm.interrupts import held_back, terminable
from pianogan_bgm.midi import write_midi
from pianogan_bgm.notes import Note
from pianogan_bgm.piece import Piece

posix = pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM is seldom sent there")
COMMAND = [sys.executable, "-m", "pianogan_bgm.cli"]


@pytest.fixture(autouse=True)
def usual_handlers() -> Iterator[None]:
    """A shell starts background jobs deaf to Ctrl-C, and the tests may be one."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_sigterm_interrupts_in_the_block_and_is_as_before_after_it() -> None:
    with terminable() as came, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert came == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("own", [signal.SIG_IGN, lambda *_: None])
def test_who_handles_sigterm_keeps_the_handler(own: signal.Handlers) -> None:
    signal.signal(signal.SIGTERM, own)
    with terminable() as came:
        signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is own
    assert came == []


def test_in_another_thread_signals_are_left_alone() -> None:
    seen = []

    def work() -> None:
        with terminable(), held_back() as let_through:
            let_through()
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


def test_an_interrupt_waits_for_the_end_of_the_block_or_until_it_is_let_through() -> None:
    done = []

    def asking() -> None:
        with held_back() as let_through:
            let_through()
            signal.raise_signal(signal.SIGINT)
            done.append("the call")
            let_through()
            done.append("more")

    def not_asking() -> None:
        with terminable(), held_back():
            signal.raise_signal(signal.SIGTERM)
            done.append("the rest")

    for work in (asking, not_asking):
        with pytest.raises(KeyboardInterrupt):
            work()
    assert done == ["the call", "the rest"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@posix
def test_sigterm_leaves_nothing_half_written_and_gives_143(tmp_path: Path) -> None:
    notes = tuple(Note(step, 40 + step % 40, 2) for step in range(0, 80_000, 2))
    write_midi(Piece(notes, steps=80_000), tmp_path / "hours.mid")
    options = ["--instrument", "chip_square", "-o", str(tmp_path / "hours.wav")]
    process = subprocess.Popen(
        [*COMMAND, "render", str(tmp_path / "hours.mid"), *options], stderr=subprocess.PIPE, text=True
    )
    while not list(tmp_path.glob(".*.tmp")):
        assert process.poll() is None
        time.sleep(0.02)
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (143, "pianogan-bgm: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["hours.mid"]


@posix
def test_sigterm_ends_the_workers_too(tmp_path: Path) -> None:
    options = ["--model", str(write_tiny(tmp_path)), "--instrument", "chip_square", "--rate", "8000"]
    options += ["--seeds", "0-199", "--formats", "mid,png", "--jobs", "2", "-o", str(tmp_path / "out")]
    process = subprocess.Popen([*COMMAND, "playlist", *options], stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "out" / "tiny-3.png").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.terminate()  # the workers are not told, as they would be by a terminal
    _, said = process.communicate(timeout=120)  # ends when all of them have closed stderr
    assert process.returncode == 143
    assert "of 200 tracks are whole; the same command goes on from there" in said
    assert "Traceback" not in said
