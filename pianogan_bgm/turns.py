"""Long work on the music's thread lets the game's thread have its turn.

Python runs one thread at a time. A thread that computes gives up its turn only when another has waited for
five milliseconds; a game that lets go of it for a moment, in ``flip`` say, then loses those five in the
middle of a frame. numpy does let go during its longer operations, but for so short a time that the other
thread has hardly woken up when the turn is gone again. So work that takes longer sleeps for a moment every
third of a millisecond. Only on a thread that asked for it: elsewhere :func:`breathe` does nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from time import perf_counter, sleep
from typing import Final, TypeVar

HELD_SECONDS: Final = 0.0003
"""Longest stretch of work without a pause."""
PAUSE_SECONDS: Final = 0.0001
"""Long enough for a waiting thread to wake up and take its turn."""

_T = TypeVar("_T")


class _Own(threading.local):
    """When this thread last let others have a turn; None where it need not."""

    since: float | None = None


_own: Final = _Own()


def be_polite() -> None:
    """Let :func:`breathe` pause on the present thread."""
    _own.since = perf_counter()


def breathe() -> None:
    """Pause for a moment if the present thread is a polite one and has worked long enough."""
    since = _own.since
    if since is not None and perf_counter() - since > HELD_SECONDS:
        sleep(PAUSE_SECONDS)
        _own.since = perf_counter()


def in_turns(items: Iterable[_T]) -> Iterator[_T]:
    """The same items, with :func:`breathe` before each."""
    for item in items:
        breathe()
        yield item
