"""Notes on the sixteenth grid: frozen data and pure helpers, nothing else.

Time is counted in *steps* (sixteenth notes, a quarter of a beat) as whole numbers; seconds, beats and
MIDI ticks appear at the edges only (:mod:`pianogan_bgm.midi`, the player).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from pianogan_bgm.errors import InvalidNote

STEPS_PER_BEAT: Final = 4
MAX_STEPS: Final = 2**18
"""Longest music a file may hold: nine hours at 120 BPM. What claims more is damaged, and is refused."""
MAX_NOTES: Final = 2**18
"""Most notes of a roll: eight times one of 300 steps in which every cell is struck, and about what fits into
the largest MIDI file that is read."""
VELOCITY_LEVELS: Final = 64
DEFAULT_VELOCITY: Final = 81
"""What a note gets where its source says nothing of loudness (level 40 of 64)."""


@dataclass(frozen=True, order=True, slots=True)
class Note:
    """One key pressed and let go.

    ``start``: step at which it is struck, 0 or more. ``pitch``: MIDI number 0–127 (60 = middle C).
    ``length``: steps it is held, 1 or more. ``velocity``: MIDI 1–127. Notes order by start, then pitch.
    Raises :class:`InvalidNote` outside these ranges.
    """

    start: int
    pitch: int
    length: int
    velocity: int = DEFAULT_VELOCITY

    def __post_init__(self) -> None:
        start, pitch, length, velocity = self.start, self.pitch, self.length, self.velocity
        if type(start) is type(pitch) is type(length) is type(velocity) is int and (
            start >= 0 <= pitch <= 127 and length >= 1 <= velocity <= 127
        ):
            return  # a piece has hundreds of notes
        for name, value, low, high in (
            ("start", start, 0, None),
            ("pitch", pitch, 0, 127),
            ("length", length, 1, None),
            ("velocity", velocity, 1, 127),
        ):
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or value < low or (high is not None and value > high):
                limits = f"{low} or more" if high is None else f"{low} to {high}"
                raise InvalidNote(f"{name} must be a whole number, {limits}; got {value!r}")

    @property
    def end(self) -> int:
        """First step at which the note no longer sounds."""
        return self.start + self.length


def velocity_to_level(velocity: int) -> int:
    """MIDI velocity 1–127 to one of the roll's 64 levels, 0–63."""
    return velocity // 2


def level_to_velocity(level: int) -> int:
    """Level 0–63 to the odd MIDI velocity in its middle, 1–127."""
    return 2 * level + 1


def untangle(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Sort ``notes`` and let one key sound once at a time, as on a piano.

    Of two notes that start together on one key the longer and the louder value remain; a note still held
    when its key is struck again ends there. Velocities stay as they are.
    """
    merged: dict[tuple[int, int], Note] = {}
    for note in notes:
        key = (note.start, note.pitch)
        twin = merged.get(key, note)
        merged[key] = replace(
            note, length=max(note.length, twin.length), velocity=max(note.velocity, twin.velocity)
        )
    following: dict[int, int] = {}
    result = []
    for note in sorted(merged.values(), reverse=True):
        length = min(note.length, following.get(note.pitch, note.end) - note.start)
        following[note.pitch] = note.start
        result.append(replace(note, length=length))
    return tuple(reversed(result))


def on_grid(notes: Iterable[Note]) -> tuple[Note, ...]:
    """:func:`untangle` ``notes`` and set velocities to the middle of their level: what a roll can hold."""
    return tuple(
        replace(note, velocity=level_to_velocity(velocity_to_level(note.velocity)))
        for note in untangle(notes)
    )
