"""How much of a roll stands in the training music already, whatever its key.

A roll's notes, sorted by start and pitch, are read as a chain of (interval to the note before in
semitones, steps since it started); lengths and loudness do not count. Twelve notes in a row make one n-gram
of eleven such pairs, the same in every transposition and at any place in a bar. The share of n-grams that
occur anywhere in the training pieces says little alone, since scales and broken chords belong to everybody:
it is read beside the same share for held-out music.

The second measure looks at whole rolls: the cosine between a roll's struck cells and those of the nearest
training window, in the nearest of twelve transpositions. Same notes at the same steps give 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pianogan_bgm.roll import Cells
from training.features import Ints, NoteTable, note_table

NGRAM: Final = 12
SHIFTS: Final = range(-6, 6)
"""Semitones that take back every transposition of the training (-5 to +6)."""

Hashes: TypeAlias = npt.NDArray[np.uint64]

_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Copied:
    """``share``: of all n-grams, 0 to 1. ``longest``: notes of the longest copied run of each roll, int64."""

    share: float
    longest: Ints


class CopyIndex:
    """Every n-gram of the training pieces."""

    def __init__(self, pieces: Iterable[npt.NDArray[np.int32]]) -> None:
        """``pieces``: int32 ``(n, 4)`` notes sorted by start and pitch, as ``Corpus.notes`` gives them."""
        found = [_hashes(notes[:, 0], notes[:, 1]) for notes in pieces]
        self._known: Hashes = np.unique(np.concatenate([np.empty(0, np.uint64), *found]))

    def copied(self, cells: Cells) -> Copied:
        """What of ``cells`` uint8 ``(n, 106, steps)`` is known."""
        table = note_table(cells)
        known, roll = self._look_up(table)
        longest = np.zeros(table.rolls, dtype=np.int64)
        # a run of r known n-grams is NGRAM - 1 + r notes; it ends with its roll
        fresh = np.ones(len(known), dtype=bool)
        fresh[1:] = (known[1:] != known[:-1]) | (roll[1:] != roll[:-1])
        first = np.flatnonzero(fresh)
        run = np.diff(np.append(first, len(known)))
        copies = known[first]
        np.maximum.at(longest, roll[first][copies], run[copies] + NGRAM - 1)
        return Copied(float(known.mean()) if len(known) else 0.0, longest)

    def _look_up(self, table: NoteTable) -> tuple[npt.NDArray[np.bool_], Ints]:
        hashes = _hashes(table.start, table.pitch)
        # an n-gram that runs on into the next roll is none
        within = table.roll[: len(hashes)] == table.roll[len(table.roll) - len(hashes) :]
        if not len(self._known):
            return np.zeros(int(within.sum()), dtype=bool), table.roll[: len(hashes)][within]
        wanted = hashes[within]
        place = np.minimum(np.searchsorted(self._known, wanted), len(self._known) - 1)
        return self._known[place] == wanted, table.roll[: len(hashes)][within]


class NearestWindow:
    """Training windows, to find the one nearest to a roll."""

    def __init__(self, windows: Cells) -> None:
        """``windows``: uint8 ``(n, 106, steps)``, at least one."""
        self._windows = _directions(windows, 0).T.tocsr()

    def likeness(self, cells: Cells) -> npt.NDArray[np.float64]:
        """Cosine of each roll with its nearest window in any key, 0 to 1, ``(n,)``; 0 for an empty roll.

        ``cells``: uint8 ``(n, 106, steps)``, as many steps as the windows.
        """
        best = np.zeros(len(cells))
        for shift in SHIFTS if len(cells) else ():
            alike = _directions(cells, shift) @ self._windows
            np.maximum(best, alike.max(axis=1).toarray().ravel(), out=best)
        return best


def _directions(cells: Cells, shift: int) -> Any:
    """Struck cells as sparse rows of length one, ``(n, 128 * steps)``, ``shift`` semitones higher."""
    from scipy import sparse

    table = note_table(cells)
    pitch = table.pitch + shift
    kept = (pitch >= 0) & (pitch < 128)
    size = np.bincount(table.roll, minlength=table.rolls)
    values = (1.0 / np.sqrt(size[table.roll]))[kept].astype(np.float32)
    place = (table.roll[kept], (pitch * table.steps + table.start)[kept])
    return sparse.csr_matrix((values, place), shape=(table.rolls, 128 * table.steps))


def _hashes(start: npt.NDArray[np.signedinteger], pitch: npt.NDArray[np.signedinteger]) -> Hashes:
    """One 64-bit number for each n-gram that begins at a note, ``(max(0, notes - NGRAM + 1),)``."""
    steps, intervals = np.diff(start.astype(np.int64)), np.diff(pitch.astype(np.int64))
    pairs = _mixed((steps * 256 + intervals + 128).astype(np.uint64))
    count = max(0, len(start) - NGRAM + 1)
    total = np.zeros(count, dtype=np.uint64)
    for offset in range(NGRAM - 1):
        total = total * _FACTOR + pairs[offset : offset + count]
    return total


def _mixed(values: Hashes) -> Hashes:
    """Scatter 64-bit numbers (the finaliser of splitmix64, Steele et al. 2014); wraps on purpose."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
