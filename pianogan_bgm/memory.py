"""Freed memory, back to the system."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache


def give_back() -> None:
    """Have the C library return what was freed, where it would keep it: glibc keeps up to 64 MB.

    Takes a millisecond or so, in which no other thread can allocate; the interpreter is not held.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    """``malloc_trim`` of glibc; None elsewhere."""
    if sys.platform != "linux":
        return None
    import ctypes

    return getattr(ctypes.CDLL(None), "malloc_trim", None)
