"""Pieces that hold the same music, whatever their files say.

Titles and catalogue numbers miss editions under other names, transposed arrangements and wrongly labelled
files. Here two pieces are the same work if they share many phrases of their top line: runs of ``PHRASE``
steps of (interval, time to the next note), which transposition leaves alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

PHRASE: Final = 10
LEAST_INTERVALS: Final = 4
"""Different intervals a phrase needs: scales and repeated notes are everybody's."""
LEAST_SHARE: Final = 0.1
"""Share of the phrases of the piece that has fewer, from which two pieces are one work."""
LEAST_COMMON: Final = 8
COMMONPLACE: Final = 12
"""A phrase in more pieces than this tells nothing."""


def same_music(pieces: Sequence[npt.NDArray[np.int32]]) -> list[tuple[int, int]]:
    """Pairs (a < b) of pieces that share much of their top line.

    ``pieces``: the notes of each, int32 (n, 4) of start, pitch, length, velocity sorted by start.
    """
    phrases = [_phrases(notes) for notes in pieces]
    owners = np.repeat(np.arange(len(phrases)), [len(found) for found in phrases])
    hashes = np.concatenate([np.zeros(0, np.uint64), *phrases])
    order = np.argsort(hashes, kind="stable")
    hashes, owners = hashes[order], owners[order]
    edges = np.flatnonzero(np.diff(hashes, prepend=hashes[:1] + np.uint64(1)))
    common: Counter[tuple[int, int]] = Counter()
    for owner in np.split(owners, edges[1:]) if len(edges) else []:
        if 2 <= len(owner) <= COMMONPLACE:
            common.update(combinations(owner.tolist(), 2))
    return sorted(
        pair
        for pair, count in common.items()
        if count >= max(LEAST_COMMON, LEAST_SHARE * min(len(phrases[pair[0]]), len(phrases[pair[1]])))
    )


def _phrases(notes: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
    """Hashes of a piece's different phrases, uint64, ascending."""
    by_height = notes[np.lexsort((-notes[:, 1], notes[:, 0]))]
    top = by_height[np.diff(by_height[:, 0], prepend=-1) != 0]
    intervals = np.clip(np.diff(top[:, 1]), -24, 24) + 24
    waits = np.minimum(np.diff(top[:, 0]), 15)
    if len(intervals) < PHRASE:
        return np.zeros(0, np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view
    hashes = np.zeros(len(intervals) - PHRASE + 1, np.uint64)
    for code in windows(intervals * 16 + waits, len(hashes)):
        hashes = hashes * np.uint64(1_000_003) + code.astype(np.uint64)
    ordered = np.sort(windows(intervals, PHRASE), axis=1)
    varied = (np.diff(ordered, axis=1) != 0).sum(axis=1) + 1 >= LEAST_INTERVALS
    return np.unique(hashes[varied])
