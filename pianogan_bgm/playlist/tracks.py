"""The music of a track: a piece, or a medley of several, in the key and tempo asked for. Pure.

A medley is again a piece: its parts follow each other at their last bar lines, each in the key nearest to the
one before, as endless music does. So everything made from a piece can be made from a medley too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from typing import Final

from pianogan_bgm.arrange import perform, transpose
from pianogan_bgm.errors import PlaylistError
from pianogan_bgm.harmony import Key, estimate_key
from pianogan_bgm.manifest import Loop
from pianogan_bgm.notes import STEPS_PER_BEAT, on_grid
from pianogan_bgm.piece import Piece
from pianogan_bgm.tune import Tune, prepare, raised, related_shift

_LETTERS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclass(frozen=True, slots=True)
class Music:
    """``piece``: performed, in its key and tempo. ``tune``: the same, for playing. ``key``: it begins in.

    ``transposed``: semitones by which each of the composed pieces was moved.
    """

    piece: Piece
    tune: Tune
    key: Key
    transposed: tuple[int, ...]

    @property
    def loop(self) -> Loop:
        """The best loop, in beats."""
        start, end = self.tune.loop
        return Loop(start / STEPS_PER_BEAT, end / STEPS_PER_BEAT)


def make_music(pieces: Sequence[Piece], *, tempo: float | None = None, key: str | None = None) -> Music:
    """One piece or, joined, several; in ``key`` (see :func:`shift_to`) at ``tempo`` beats a minute.

    By default in the first piece's own. Raises :class:`PlaylistError` for no piece or no such key.
    """
    if not pieces:
        raise PlaylistError("a track needs at least one piece; got none")
    played = [replace(perform(piece), tempo=tempo or pieces[0].tempo) for piece in pieces]
    keys = [estimate_key(piece.notes) for piece in played]
    shifts = [0 if key is None else shift_to(keys[0], key)]
    for before, after in pairwise(keys):
        shifts.append(related_shift(raised(before, shifts[-1]), after))
    moved = [transpose(piece, shift) for piece, shift in zip(played, shifts, strict=True)]
    whole = moved[0] if len(moved) == 1 else _joined(moved)
    return Music(whole, prepare(whole), raised(keys[0], shifts[0]), tuple(shifts))


def _joined(pieces: Sequence[Piece]) -> Piece:
    """The pieces one after another, each up to its last bar line, the last one to its end."""
    notes, at = [], 0
    for piece in pieces:
        join = last_bar_line(piece) if piece is not pieces[-1] else piece.steps
        notes += [replace(note, start=at + note.start) for note in piece.notes if note.start < join]
        at += join
    kept = on_grid(replace(note, length=min(note.length, at - note.start)) for note in notes)
    return replace(pieces[0], notes=kept, steps=at, seed=None, latent=None)


def last_bar_line(piece: Piece) -> int:
    """The step of the last bar line, where another piece may follow; the end where there is none."""
    bar = piece.beats_per_bar * STEPS_PER_BEAT
    return piece.steps // bar * bar or piece.steps


def pieces_for(minutes: float, piece: Piece, tempo: float | None = None) -> int:
    """How many pieces like ``piece`` a medley of at least ``minutes`` takes."""
    beats = last_bar_line(piece) / STEPS_PER_BEAT
    return max(1, ceil(minutes * (tempo or piece.tempo) / beats))


def shift_to(key: Key, wish: str) -> int:
    """Semitones, −6 to 5, that bring ``key`` to ``wish``.

    ``wish``: a note such as ``"Eb"`` becomes the tonic, the mode stays. A key such as ``"Eb major"`` becomes
    the key signature: minor music goes to its relative minor. Raises :class:`PlaylistError` for neither.
    """
    found = re.fullmatch(r"([A-G])([b#]?)(?: (major|minor))?", wish)
    if found is None:
        raise PlaylistError(f"expected a key such as Eb, 'F# minor' or 'C major'; got {wish!r}")
    letter, accidental, mode = found.groups()
    tonic = _LETTERS[letter] + {"b": -1, "#": 1, "": 0}[accidental]
    if mode and mode != key.mode:
        tonic += 9 if key.mode == "minor" else 3  # the relative minor lies nine semitones above, major three
    return (tonic - key.tonic + 6) % 12 - 6
