"""Signals that end a command: SIGTERM as Ctrl-C does, and none of them within a call that would lose it.

Python delivers signals to the main thread alone, between two of its instructions; in other threads nothing
here does anything. A program that set a handler of its own keeps it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Final

ENDING: Final = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED: Final = 130
TERMINATED: Final = 143
"""Exit statuses of commands that they ended, as shells count them."""


@contextmanager
def terminable() -> Iterator[list[int]]:
    """In this block SIGTERM raises ``KeyboardInterrupt``, so that what is half done is cleared away.

    What is yielded has an entry as soon as it came. Windows has the signal, but hardly ever sends it.
    """
    came: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt

    if not _in_main_thread() or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield came
        return
    try:
        signal.signal(signal.SIGTERM, interrupt)
        yield came
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def held_back() -> Iterator[Callable[[], None]]:
    """In this block interrupts wait: until what is yielded is called, or else for its end.

    For libraries in C that call back into Python, where an interrupt would get lost.
    """
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in ENDING} if _in_main_thread() else {}
    usual = {number: handler for number, handler in handlers.items() if callable(handler)}

    def let_through() -> None:
        while came:
            number = came.pop()
            usual[signal.Signals(number)](number, None)

    try:
        for number in usual:
            signal.signal(number, lambda number, _: came.append(number))
        yield let_through
    finally:
        with ExitStack() as stack:  # each of them, though one may raise as soon as another is back
            for number, handler in usual.items():
                stack.callback(signal.signal, number, handler)
        let_through()


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
