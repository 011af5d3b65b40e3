"""A beginning on the first bar and an ending on a cadence, for music that does not loop. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pianogan_bgm.expression import Reading
from pianogan_bgm.harmony import Key, Mode, estimate_key
from pianogan_bgm.notes import DEFAULT_VELOCITY, STEPS_PER_BEAT, Note, on_grid
from pianogan_bgm.piece import Piece

USUAL: Final = {"melody": 72.0, "bass": 43.0}
"""Where a voice lies that the piece does not have."""
LOWEST_BASS, HIGHEST_BASS = 28, 55


@dataclass(frozen=True, slots=True)
class Chord:
    """Semitones above the tonic: ``bass``, and all ``tones``; ``leads`` are those the melody may take."""

    bass: int
    tones: tuple[int, ...]
    leads: tuple[int, ...]


_DOMINANT: Final = Chord(7, (7, 11, 2, 5), (11, 2))
CADENCES: Final[dict[Mode, tuple[Chord, Chord, Chord]]] = {
    # the second degree with its third in the bass, or the fourth; the dominant seventh; the tonic
    "major": (Chord(5, (2, 5, 9), (2, 5, 9)), _DOMINANT, Chord(0, (0, 4, 7), (0,))),
    "minor": (Chord(5, (5, 8, 0), (5, 8, 0)), _DOMINANT, Chord(0, (0, 3, 7), (0,))),
}


def from_first_bar(piece: Piece) -> Piece:
    """The piece without the silent bars before its first note."""
    bar = piece.beats_per_bar * STEPS_PER_BEAT
    silent = piece.notes[0].start // bar * bar if piece.notes else 0
    notes = tuple(replace(note, start=note.start - silent) for note in piece.notes)
    return replace(piece, notes=notes, steps=piece.steps - silent) if silent else piece


def with_ending(piece: Piece) -> Piece:
    """The piece as music that begins and ends: up to its last bar line, then two bars of cadence in its key.

    The first bar has the subdominant and the dominant, the second the tonic, held. Bass and melody go on from
    where they were, as near as the chords allow, about as loud as before. The result is no longer the piece
    of its seed, and so has none.
    """
    begun = from_first_bar(piece)
    bar = begun.beats_per_bar * STEPS_PER_BEAT
    cut = begun.steps // bar * bar or bar
    kept = [
        replace(note, length=min(note.length, cut - note.start)) for note in begun.notes if note.start < cut
    ]
    ending = _cadence(begun, cut, estimate_key(kept))
    return replace(begun, notes=on_grid([*kept, *ending]), steps=cut + 2 * bar, seed=None, latent=None)


def _cadence(piece: Piece, cut: int, key: Key) -> list[Note]:
    """The notes of the cadence's two bars, from step ``cut`` on."""
    bar = piece.beats_per_bar * STEPS_PER_BEAT
    half = piece.beats_per_bar // 2 * STEPS_PER_BEAT
    spans = ((cut, half), (cut + half, bar - half), (cut + bar, bar))
    melody, bass, loud = _before(_until(piece, cut), cut - 2 * bar)
    notes: list[Note] = []
    for chord, (start, length) in zip(CADENCES[key.mode], spans, strict=True):
        low = _nearest(_pitches(key, (chord.bass,), LOWEST_BASS, HIGHEST_BASS), bass)
        high = _nearest(_pitches(key, chord.leads, low + 12, 96), melody)
        melody = float(high)
        outer = {low % 12, high % 12}
        inner = [
            pitch for pitch in _pitches(key, chord.tones, high - 11, high - 1) if pitch % 12 not in outer
        ]
        notes += [Note(start, pitch, length, loud) for pitch in (low, *inner, high) if length]
    return notes


def _before(piece: Piece, lately: int) -> tuple[float, float, int]:
    """Pitch of the last melody note, mean pitch of the bass, velocity since the step ``lately``."""
    reading = Reading(piece)
    melody = float(reading.melody[-1].pitch) if reading.melody else USUAL["melody"]
    low = [note.pitch for note, voice in zip(piece.notes, reading.voices, strict=True) if voice == "bass"]
    loud = [note.velocity for note in piece.notes if note.start >= lately]
    return melody, _mean(low, USUAL["bass"]), round(_mean(loud, DEFAULT_VELOCITY))


def _until(piece: Piece, cut: int) -> Piece:
    """The piece's notes that begin before ``cut``."""
    return replace(piece, notes=tuple(note for note in piece.notes if note.start < cut))


def _pitches(key: Key, degrees: Iterable[int], lowest: int, highest: int) -> list[int]:
    """Pitches of these semitones above the key's tonic within a range, ascending."""
    classes = {(key.tonic + degree) % 12 for degree in degrees}
    return [pitch for pitch in range(lowest, highest + 1) if pitch % 12 in classes]


def _nearest(pitches: Sequence[int], wish: float) -> int:
    return min(pitches, key=lambda pitch: (abs(pitch - wish), pitch))


def _mean(values: Sequence[int], default: float) -> float:
    return sum(values) / len(values) if values else default
