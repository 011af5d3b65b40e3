"""Long work on the music's thread lets the game's thread have its turn.

Python runs one thread at a time. A thread that computes gives up its turn only when another has waited for
five milliseconds; a game that lets go of it for a moment, in ``flip`` say, then loses those five in the
middle of a frame. numpy does let go during its longer operations, but for so short a time that the other
thread has hardly woken up when the turn is gone again. So work that takes longer sleeps for a moment every
third of a millisecond. Only on a thread that asked for it: elsewhere :func:`breathe` does nothing.

Where the game computes in Python all the time, though, those five milliseconds are lost the other way round:
at each pause and at each of numpy's longer operations, well over a thousand for a second of sound. So work
that must be done by a certain time may hurry (:func:`hurried`): from the moment it is behind it pauses less
often, and Python's switch interval (``sys.setswitchinterval``) is a tenth of a millisecond, until the work is
done. The game loses no more than the work takes, in pieces too short to notice.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import inf
from time import perf_counter, sleep
from typing import Final, TypeVar

HELD_SECONDS: Final = 0.0003
"""Longest stretch of work without a pause."""
HURRIED_SECONDS: Final = 0.0015
"""The same for work that is behind: a frame of the game may come this much later for it."""
SWITCH_SECONDS: Final = 0.0001
"""Python's switch interval while any work is behind."""
PAUSE_SECONDS: Final = 0.0001
"""Long enough for a waiting thread to wake up and take its turn."""

_T = TypeVar("_T")


class _Own(threading.local):
    """When this thread last let others have a turn, None where it need not; from when on it hurries.

    ``awaited``: whether something waits for its work. ``behind``: whether it hurries. ``pressed``: whether
    nothing is to be done that is not wanted now.
    """

    since: float | None = None
    late: float = inf
    awaited: Callable[[], object] = bool  # without an argument: no
    behind: bool = False
    pressed: bool = False


_own: Final = _Own()


class _Interval:
    """Python's switch interval, short while any thread is behind; there is one for all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._behind = 0
        self._found = self._ours = 0.0

    def shorten(self) -> None:
        """One more is behind."""
        with self._lock:
            self._behind += 1
            if self._behind > 1:
                return
            self._found = sys.getswitchinterval()
            if self._found > SWITCH_SECONDS:
                sys.setswitchinterval(SWITCH_SECONDS)
                self._ours = sys.getswitchinterval()

    def restore(self) -> None:
        """One is done. With the last, the interval is what it was, unless someone else has set it."""
        with self._lock:
            self._behind -= 1
            if not self._behind and sys.getswitchinterval() == self._ours < self._found:
                sys.setswitchinterval(self._found + 5e-7)  # Python cuts it off to microseconds

    def forked(self) -> None:
        """In the child of a fork, where no thread is behind any more."""
        self._lock = threading.Lock()
        if self._behind:
            self._behind = 1
            self.restore()


_interval: Final = _Interval()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_interval.forked)


def be_polite() -> None:
    """Let :func:`breathe` pause on the present thread."""
    _own.since = perf_counter()


def breathe() -> None:
    """Pause for a moment if the present thread is a polite one and has worked long enough."""
    since = _own.since
    if since is None:
        return
    now = perf_counter()
    if now - since > (HURRIED_SECONDS if _own.behind else HELD_SECONDS):
        if not _own.behind and (now >= _own.late or _own.awaited()):
            _own.behind = True
            _interval.shorten()
        sleep(PAUSE_SECONDS)
        _own.since = perf_counter()


@contextmanager
def hurried(after: float, awaited: Callable[[], object] = bool, *, pressed: bool = False) -> Iterator[None]:
    """Work that should not take longer than ``after`` seconds: what is left of it then, hurries.

    So does what is left of it once ``awaited`` is true: something else waits for it to be done.
    ``pressed``: of all of it only what is wanted now should be done (:func:`is_pressed`).
    """
    before = _own.late, _own.awaited, _own.pressed
    _own.late, _own.awaited, _own.pressed = perf_counter() + after, awaited, pressed
    try:
        yield
    finally:
        _own.late, _own.awaited, _own.pressed = before
        if _own.behind:
            _own.behind = False
            _interval.restore()


def is_pressed() -> bool:
    """Whether the present work is wanted so soon that what may be wanted later should wait."""
    return _own.pressed


def in_turns(items: Iterable[_T]) -> Iterator[_T]:
    """The same items, with :func:`breathe` before each."""
    for item in items:
        breathe()
        yield item
