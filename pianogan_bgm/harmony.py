"""What harmony a piece stands on: its key, and where a pianist would change the pedal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from pianogan_bgm.notes import STEPS_PER_BEAT, Note
from pianogan_bgm.piece import Piece
from pianogan_bgm.turns import in_turns

Mode = Literal["major", "minor"]

_NAMES: Final[dict[Mode, tuple[str, ...]]] = {
    "major": ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"),
    "minor": ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"),
}
_SCALES: Final[dict[Mode, tuple[int, ...]]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
}
# share of each degree, tonic first, in pieces known to be in a major or minor key:
# Albrecht and Shanahan, "The Use of Large Corpora to Train a New Type of Key-Finding Algorithm",
# Music Perception 31 (2013), table 1; compared, as they do, by Euclidean distance
_PROFILES: Final[dict[Mode, tuple[float, ...]]] = {
    "major": (0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081),
    "minor": (0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052),
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key: ``tonic`` 0 (C) to 11 (B) and ``mode``."""

    tonic: int
    mode: Mode

    @property
    def name(self) -> str:
        """Such as ``"Eb major"``."""
        return f"{_NAMES[self.mode][self.tonic]} {self.mode}"

    @property
    def scale(self) -> tuple[int, ...]:
        """Semitones of the seven degrees above the tonic (natural minor)."""
        return _SCALES[self.mode]

    def distance(self, other: Key) -> int:
        """Steps apart on the circle of fifths, 0 to 6; relative major and minor are 0 apart."""
        fifths = 7 * (self._major_tonic() - other._major_tonic()) % 12
        return min(fifths, 12 - fifths)

    def _major_tonic(self) -> int:
        return self.tonic if self.mode == "major" else (self.tonic + 3) % 12


def estimate_key(notes: Iterable[Note]) -> Key:
    """The key whose degrees sound for the shares of time most like those of ``notes``; C major for none."""
    shares = [0.0] * 12
    for note in notes:
        # a long final chord says less about the key than its length
        shares[note.pitch % 12] += min(note.length, 2 * STEPS_PER_BEAT)
    total = sum(shares)
    if not total:
        return Key(0, "major")
    candidates: list[tuple[float, int, Mode]] = []
    for mode, profile in _PROFILES.items():
        for tonic in in_turns(range(12)):
            differences = (shares[(tonic + i) % 12] / total - profile[i] for i in range(12))
            candidates.append((sum(d * d for d in differences), tonic, mode))
    _, tonic, mode = min(candidates)
    return Key(tonic, mode)


CLASHES_ALLOWED: Final = 3.0
"""How much dissonance one pedal may hold, in clashing pairs of the middle register."""
BASS_TOP: Final = 57
"""Highest pitch (A3) whose change the ear takes for a change of the bass."""


def pedal(piece: Piece) -> list[tuple[int, int]]:
    """Where the sustain pedal is down, ``[(first step, step of release), …]``, sorted, not overlapping.

    Beat by beat the pedal stays down as long as the harmony does: it is renewed when the bass moves to
    another pitch class, when what has sounded under it begins to clash, and at every bar line; it is up
    while no key is held for a beat.
    """
    bar = piece.beats_per_bar * STEPS_PER_BEAT
    presses: list[tuple[int, int]] = []
    start: int | None = None
    held: list[Note] = []
    for beat, notes, silent in _beats(piece):
        if start is not None and (silent or beat % bar == 0 or _renews(held, notes)):
            presses.append((start, beat))
            start = None
        if silent:
            held = []
        elif start is None:
            start, held = beat, list(notes)
        else:
            held += notes
    if start is not None:
        presses.append((start, piece.steps))
    return presses


def _beats(piece: Piece) -> Iterable[tuple[int, list[Note], bool]]:
    """For every beat its first step, the notes struck in it, and whether no key is held in it at all."""
    index, sounding_until = 0, 0
    for beat in in_turns(range(0, piece.steps, STEPS_PER_BEAT)):
        struck = []
        while index < len(piece.notes) and piece.notes[index].start < beat + STEPS_PER_BEAT:
            struck.append(piece.notes[index])
            index += 1
        silent = not struck and sounding_until <= beat
        sounding_until = max([sounding_until, *(note.end for note in struck)])
        yield beat, struck, silent


def _renews(held: Sequence[Note], notes: Sequence[Note]) -> bool:
    """Whether ``notes`` do not belong under the pedal that holds ``held``."""
    if not notes or not held:
        return False
    bass, lowest = min(n.pitch for n in held), min(n.pitch for n in notes)
    if lowest <= BASS_TOP and bass % 12 != lowest % 12 and lowest - bass <= 7:
        return True
    return _dissonance([*held, *notes]) > CLASHES_ALLOWED


def _dissonance(notes: Iterable[Note]) -> float:
    """Pairs of neighbouring pitches among ``notes``: semitones count double, low ones more than high ones."""
    pitches = sorted({note.pitch for note in notes})
    total = 0.0
    for low, high in pairwise(pitches):
        if high - low <= 2:
            register = 2.0 if high < 60 else 1.0 if high < 76 else 0.5
            total += register * (3 - (high - low))
    return total
