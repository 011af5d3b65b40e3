"""Long work on the music's thread lets the game's thread have its turn.

Python runs one thread at a time. A thread that computes gives up its turn only when another has waited for
five milliseconds; a game that lets go of it for a moment, in ``flip`` say, then loses those five in the
middle of a frame. numpy does let go during its longer operations, but for so short a time that the other
thread has hardly woken up when the turn is gone again. So work that takes longer sleeps for a moment every
third of a millisecond. Only on a thread that asked for it: elsewhere :func:`breathe` does nothing.

Where the game computes in Python all the time, though, each pause costs those five milliseconds the other way
round, and work of three would take fifty. So work that must be done by a certain time may hurry: from the
moment it is behind, it holds on for longer between two pauses (:func:`hurried`), and for as long as it had to
wait for its own turn the last time, which is the share that Python gives to any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import inf
from time import perf_counter, sleep
from typing import Final, TypeVar

HELD_SECONDS: Final = 0.0003
"""Longest stretch of work without a pause."""
HURRIED_SECONDS: Final = 0.0015
"""The same for work that is behind: a frame of the game may come this much later for it."""
FAIR_SECONDS: Final = 0.005
"""Longest that it is held because the turn before had to be waited for."""
PAUSE_SECONDS: Final = 0.0001
"""Long enough for a waiting thread to wake up and take its turn."""

_T = TypeVar("_T")


class _Own(threading.local):
    """When this thread last let others have a turn, None where it need not; from when on it hurries.

    ``waited``: seconds that its last pause took longer than asked for.
    """

    since: float | None = None
    late: float = inf
    waited: float = 0.0


_own: Final = _Own()


def be_polite() -> None:
    """Let :func:`breathe` pause on the present thread."""
    _own.since = perf_counter()


def breathe() -> None:
    """Pause for a moment if the present thread is a polite one and has worked long enough."""
    since = _own.since
    if since is None:
        return
    now = perf_counter()
    hold = HELD_SECONDS if now < _own.late else max(HURRIED_SECONDS, min(_own.waited, FAIR_SECONDS))
    if now - since > hold:
        sleep(PAUSE_SECONDS)
        _own.since = perf_counter()
        _own.waited = _own.since - now - PAUSE_SECONDS


@contextmanager
def hurried(after: float) -> Iterator[None]:
    """Work that should not take longer than ``after`` seconds: what is left of it then, hurries."""
    before = _own.late
    _own.late = perf_counter() + after
    try:
        yield
    finally:
        _own.late = before


def in_turns(items: Iterable[_T]) -> Iterator[_T]:
    """The same items, with :func:`breathe` before each."""
    for item in items:
        breathe()
        yield item
