"""Decoded PCM kept for the next time: bounded in bytes, what was not heard for longest goes first."""

from __future__ import annotations

import mmap
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import numpy as np

from pianogan_bgm.instruments.resample import Pcm16

CACHE_BYTES: Final = 14_000_000
_NOTHING: Final[Pcm16] = np.empty((0, 2), dtype=np.int16)


class PcmCache:
    """16-bit PCM by key and layer (or zone), at most ``limit`` bytes of it, the newest entry excepted.

    Safe to share between threads; one of them decodes at a time.
    """

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._kept: OrderedDict[tuple[int, int], Pcm16] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes kept at the moment."""
        with self._lock:
            return self._size()

    def get(self, place: tuple[int, int], frames: int, more: Callable[[int], Pcm16]) -> Pcm16:
        """At least ``frames`` frames of what belongs at ``place``.

        Where fewer are kept, ``more`` gives those from the frame on that it is called with.
        """
        with self._lock:
            pcm = self._kept.get(place, _NOTHING)
            if len(pcm) < frames:
                pcm = self._kept[place] = _paged(pcm, more(len(pcm)))
                self._kept.move_to_end(place)
                self._forget()
            else:
                self._kept.move_to_end(place)
        return pcm

    def _forget(self) -> None:
        size = self._size()
        while size > self._limit and len(self._kept) > 1:
            size -= self._kept.popitem(last=False)[1].nbytes

    def _size(self) -> int:
        return sum(pcm.nbytes for pcm in self._kept.values())


def _paged(begin: Pcm16, rest: Pcm16) -> Pcm16:
    """Both, one after the other, in memory pages of their own.

    Arrays of many sizes that come and go for hours leave holes in the heap, half as much again as the cache;
    pages of their own go back to the system as a whole.
    """
    size = begin.size + rest.size
    whole = np.frombuffer(mmap.mmap(-1, max(1, 2 * size)), dtype=np.int16, count=size)
    whole[: begin.size] = begin.reshape(-1)
    whole[begin.size :] = rest.reshape(-1)
    return whole.reshape(-1, 2)
