"""A piece of music on the grid, with everything a game or a credits screen may ask of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from pianogan_bgm.errors import InvalidNote
from pianogan_bgm.json_rules import short
from pianogan_bgm.notes import STEPS_PER_BEAT, Note
from pianogan_bgm.roll import ROLL, Roll, RollSpec, encode

DEFAULT_TEMPO: Final = 120.0
TEMPO_RANGE: Final = (20.0, 400.0)
MAX_BEATS_PER_BAR: Final = 64
RESOLUTION_RANGE: Final = (Fraction(1, 64), Fraction(64))
"""Beats a step of a file may have; a piece in memory has sixteenths."""


def check_tempo(tempo: Any) -> None:
    """Raise :class:`InvalidNote` for what is no tempo of a piece: beats a minute, 20–400."""
    low, high = TEMPO_RANGE
    number = isinstance(tempo, int | float) and not isinstance(tempo, bool)
    if not number or not low <= tempo <= high:
        raise InvalidNote(f"tempo must be {low:g} to {high:g} beats a minute; got {tempo!r}")


@dataclass(frozen=True, slots=True)
class Piece:
    """Notes with a length and a tempo, and where they come from.

    ``notes``: sorted, on the grid. ``steps``: length in sixteenths (a note may not ring past it).
    ``tempo``: beats (quarter notes) a minute, 20–400. ``beats_per_bar``: as far as known.
    ``has_dynamics``: whether the velocities mean something (a model trained without loudness leaves them
    flat, and the arranger shapes them). ``seed``, ``latent`` (14 numbers), ``model``, ``licence``: filled
    in by the generator. ``title``: what to call it, where it has a name; a player gives a MIDI file's.
    Raises :class:`InvalidNote` when the parts do not fit together.
    """

    notes: tuple[Note, ...]
    steps: int = ROLL.steps
    tempo: float = DEFAULT_TEMPO
    beats_per_bar: int = 4
    has_dynamics: bool = True
    seed: int | None = None
    latent: tuple[float, ...] | None = field(default=None, repr=False)
    model: str | None = None
    licence: str | None = None
    title: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.notes, tuple) or not all(isinstance(note, Note) for note in self.notes):
            raise InvalidNote(f"the notes of a piece must be a tuple of Note; got {short(self.notes)}")
        for name, value in (("steps", self.steps), ("beats_per_bar", self.beats_per_bar)):
            if not isinstance(value, int) or isinstance(value, bool):
                raise InvalidNote(f"{name} must be a whole number; got {value!r}")
        if list(self.notes) != sorted(self.notes):
            raise InvalidNote("the notes of a piece must be sorted by start and pitch")
        if self.steps < 1 or not 1 <= self.beats_per_bar <= MAX_BEATS_PER_BAR:
            got = f"{self.steps} and {self.beats_per_bar}"
            raise InvalidNote(
                f"a piece needs at least one step and 1 to {MAX_BEATS_PER_BAR} beats a bar; got {got}"
            )
        if late := [note for note in self.notes if note.end > self.steps]:
            raise InvalidNote(f"{late[0]} ends after the piece's {self.steps} steps")
        check_tempo(self.tempo)

    @property
    def seconds(self) -> float:
        """Length in seconds at the piece's own tempo."""
        return self.steps / STEPS_PER_BEAT * 60.0 / self.tempo

    @property
    def roll(self) -> Roll:
        """The piece as a roll of this project's 106 rows and ``steps`` columns, ``(106, steps, 1)``."""
        return encode(self.notes, RollSpec(steps=self.steps))
