"""The roll codec: notes to piano-roll arrays and back. Training and runtime share this one.

A roll is float32 ``(106, 300, 1)`` in [0, 1]: row 0 is MIDI pitch 21 (A0), row 105 is pitch 126; a column
is a sixteenth. A cell above one half sounds, as in midi2img's pictures. The ``struck`` convention says
more in the same picture:

=============  ==========  ====================================================
value          8-bit       meaning
=============  ==========  ====================================================
below 0.5      0 to 127    silent
0.5 to 0.75    128 to 191  held: goes on from the column before
0.75 and more  192 to 255  struck: a note starts; the height above 0.75 is one
                           of 64 velocity levels
=============  ==========  ====================================================

The ``edges`` convention is plain black and white: every silent-to-sounding edge starts a note and touching
repeats melt into one. Encoded values stand in the middle of their 8-bit step, ``(byte + 0.5) / 256`` (silence
is exactly 0), so they survive an 8-bit picture unchanged and rounding errors far above float32's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from pianogan_bgm.errors import InvalidNote, InvalidRoll
from pianogan_bgm.notes import (
    DEFAULT_VELOCITY,
    MAX_NOTES,
    VELOCITY_LEVELS,
    Note,
    level_to_velocity,
    on_grid,
    velocity_to_level,
)

Convention = Literal["struck", "edges"]
Roll: TypeAlias = npt.NDArray[np.float32]
Cells: TypeAlias = npt.NDArray[np.uint8]
"""A roll in 8-bit steps, ``(pitches, steps)``: exactly the pixels of its picture."""

SOUNDING_BYTE: Final = 128
HELD_BYTE: Final = 160
STRUCK_BYTE: Final = 256 - VELOCITY_LEVELS


@dataclass(frozen=True, slots=True)
class RollSpec:
    """What an image means: its rows, columns and shading.

    ``lowest``: MIDI pitch of row 0. ``pitches``: rows. ``steps``: columns. ``convention``: ``"struck"`` or
    ``"edges"`` (see the module). Raises :class:`InvalidRoll` for an impossible one.
    """

    lowest: int = 21
    pitches: int = 106
    steps: int = 300
    convention: Convention = "struck"

    def __post_init__(self) -> None:
        if self.convention not in get_args(Convention):
            raise InvalidRoll(f"convention must be one of {get_args(Convention)}; got {self.convention!r}")
        if self.pitches < 1 or self.steps < 1 or self.lowest < 0 or self.lowest + self.pitches > 128:
            raise InvalidRoll(
                f"a roll needs at least one row and column and pitches within 0 to 127; got {self}"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the array: (pitches, steps, 1)."""
        return (self.pitches, self.steps, 1)

    @property
    def highest(self) -> int:
        """MIDI pitch of the last row."""
        return self.lowest + self.pitches - 1


ROLL: Final = RollSpec()
"""The roll of this project: 106 pitches from A0, 300 sixteenths, struck."""


def encode(notes: Iterable[Note], spec: RollSpec = ROLL) -> Roll:
    """Notes to a roll, float32 of shape ``spec.shape``.

    Notes are first made what a roll can hold (:func:`pianogan_bgm.notes.on_grid`). A note outside the
    rows or the columns raises :class:`InvalidNote`; nothing is dropped silently.
    """
    return from_cells(encode_cells(notes, spec))


def encode_cells(notes: Iterable[Note], spec: RollSpec = ROLL) -> Cells:
    """Like :func:`encode`, but to 8-bit cells ``(pitches, steps)``."""
    cells = np.zeros((spec.pitches, spec.steps), dtype=np.uint8)
    for note in on_grid(notes):
        if not spec.lowest <= note.pitch <= spec.highest or note.end > spec.steps:
            room = f"pitches {spec.lowest} to {spec.highest} and {spec.steps} steps"
            raise InvalidNote(f"{note} does not fit a roll of {room}")
        row = note.pitch - spec.lowest
        if spec.convention == "edges":
            cells[row, note.start : note.end] = 255
        else:
            cells[row, note.start : note.end] = HELD_BYTE
            cells[row, note.start] = STRUCK_BYTE + velocity_to_level(note.velocity)
    return cells


def decode(roll: npt.NDArray[Any], spec: RollSpec = ROLL) -> tuple[Note, ...]:
    """A roll to its notes, sorted by start and pitch.

    ``roll``: float array of ``spec.shape`` (the last axis may be missing), values in [0, 1]. A held cell
    after silence starts a note too, at the default velocity: that is how a note looks that began in the
    slab before. Raises :class:`InvalidRoll` for another shape, NaN, values outside [0, 1] and more than
    ``MAX_NOTES`` notes.
    """
    return decode_cells(to_cells(roll, spec), spec)


def decode_cells(cells: Cells, spec: RollSpec = ROLL) -> tuple[Note, ...]:
    """Like :func:`decode`, but from 8-bit cells ``(pitches, steps)``."""
    if cells.shape != spec.shape[:2] or cells.dtype != np.uint8:
        raise InvalidRoll(f"cells must be uint8 {spec.shape[:2]}; got {cells.dtype} {cells.shape}")
    sounding = cells >= SOUNDING_BYTE
    before = np.zeros_like(sounding)
    before[:, 1:] = sounding[:, :-1]
    starts = sounding & ~before
    if spec.convention == "struck":
        starts |= cells >= STRUCK_BYTE
    count = int(np.count_nonzero(starts))
    if count > MAX_NOTES:  # a picture of some kilobytes can hold millions
        raise InvalidRoll(f"a roll may hold {MAX_NOTES} notes; got {count}")
    # a note lasts to the next start or the next silence of its row; the edge of the roll stops it too
    stops = np.ones((spec.pitches, spec.steps + 1), dtype=np.bool_)
    stops[:, :-1] = starts | ~sounding
    ends = np.flatnonzero(stops)
    columns, rows = np.nonzero(starts.T)  # in the order of notes: by start, then by pitch
    places = rows * stops.shape[1] + columns
    lengths = ends[np.searchsorted(ends, places, side="right")] - places
    velocities = _velocities(spec)[cells[rows, columns]]
    fields = (columns, rows + spec.lowest, lengths, velocities)
    return tuple(map(Note, *(field.tolist() for field in fields)))


def _velocities(spec: RollSpec) -> npt.NDArray[np.int64]:
    """Velocity by the byte a note starts with, ``(256,)``."""
    table = np.full(256, DEFAULT_VELOCITY)
    if spec.convention == "struck":
        table[STRUCK_BYTE:] = [level_to_velocity(level) for level in range(VELOCITY_LEVELS)]
    return table


def to_cells(roll: npt.NDArray[Any], spec: RollSpec = ROLL) -> Cells:
    """A checked roll as 8-bit cells: ``floor(256 * value)``, 1.0 becoming 255."""
    values = np.asarray(roll)
    if values.shape not in (spec.shape, spec.shape[:2]):
        raise InvalidRoll(f"a roll must have shape {spec.shape}; got {values.shape}")
    if not np.issubdtype(values.dtype, np.floating):
        raise InvalidRoll(f"a roll must hold floats in [0, 1]; got {values.dtype}")
    low, high = values.min(), values.max()
    if np.isnan(low):
        raise InvalidRoll("a roll must hold values in [0, 1]; got NaN")
    if low < 0.0 or high > 1.0:
        raise InvalidRoll(f"a roll must hold values in [0, 1]; got {low:.4g} to {high:.4g}")
    # a power of two: exact in any precision
    cells: Cells = np.minimum(values.reshape(spec.shape[:2]) * 256, 255).astype(np.uint8)
    return cells


def from_cells(cells: Cells) -> Roll:
    """8-bit cells ``(pitches, steps)`` to a roll ``(pitches, steps, 1)``: ``(byte + 0.5) / 256``.

    A byte of 0 stays exactly 0.
    """
    values = np.where(cells == 0, 0.0, (cells + np.float64(0.5)) / 256.0)
    return values.astype(np.float32)[:, :, None]
