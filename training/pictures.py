"""Sheets of piano rolls to look at while a network trains, and for the documentation."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from pianogan_bgm.errors import InvalidRoll
from pianogan_bgm.files import write_atomically
from pianogan_bgm.notes import STEPS_PER_BEAT, VELOCITY_LEVELS
from pianogan_bgm.roll import ROLL, SOUNDING_BYTE, STRUCK_BYTE, Cells

Pixels: TypeAlias = npt.NDArray[np.uint8]

CELL_WIDTH: Final = 3
CELL_HEIGHT: Final = 2
MARGIN: Final = 8

_PAPER: Final = (252, 252, 250)
_BEAT: Final = (238, 238, 236)
_BAR: Final = (208, 208, 206)
_OCTAVE: Final = (226, 230, 238)
_HELD: Final = (132, 164, 208)
_SOFT, _LOUD = (70, 104, 160), (12, 26, 62)


def sample_sheet(cells: Cells, path: str | Path, columns: int = 2) -> None:
    """Write ``cells`` uint8 ``(n, 106, steps)`` as one PNG, ``columns`` rolls in a row.

    High notes are on top; a strike is dark (the louder the darker), a held cell light; thin lines stand
    before each beat, darker ones before every fourth; each C has a tinted row. The file appears whole or not
    at all. Raises :class:`InvalidRoll` for no roll or another shape or type.
    """
    if cells.ndim != 3 or cells.shape[1] != ROLL.pitches or cells.dtype != np.uint8 or not cells.size:
        wanted = f"uint8 of shape (n, {ROLL.pitches}, steps), n at least 1"
        raise InvalidRoll(f"cells must be {wanted}; got {cells.dtype} of shape {cells.shape}")
    columns = max(1, min(columns, len(cells)))
    pictures = [_framed(roll_pixels(roll)) for roll in cells]
    blank = np.full_like(pictures[0], 255)
    pictures += [blank] * (-len(pictures) % columns)
    rows = [np.hstack(pictures[first : first + columns]) for first in range(0, len(pictures), columns)]
    png = BytesIO()
    Image.fromarray(np.vstack(rows)).save(png, format="PNG", optimize=True)
    write_atomically(path, png.getvalue())


def roll_pixels(roll: npt.NDArray[Any]) -> Pixels:
    """One roll's cells ``(106, steps)`` as RGB, ``(height, width, 3)``, high notes on top."""
    steps = roll.shape[1]
    picture = np.empty((ROLL.pitches, steps, CELL_WIDTH, 3), dtype=np.uint8)
    picture[:] = _PAPER
    picture[(np.arange(ROLL.pitches) + ROLL.lowest) % 12 == 0] = _OCTAVE
    picture[:, ::STEPS_PER_BEAT, 0] = _BEAT
    picture[:, :: 4 * STEPS_PER_BEAT, 0] = _BAR
    sounding = roll >= SOUNDING_BYTE
    picture[sounding] = _palette()[roll[sounding]][:, None]
    high_on_top = picture[::-1].reshape(ROLL.pitches, steps * CELL_WIDTH, 3)
    return np.repeat(high_on_top, CELL_HEIGHT, axis=0)


def _palette() -> Pixels:
    shades = np.empty((256, 3), dtype=np.uint8)
    shades[:STRUCK_BYTE] = _HELD
    loudness = np.linspace(0.0, 1.0, VELOCITY_LEVELS)[:, None]
    shades[STRUCK_BYTE:] = np.round((1 - loudness) * np.array(_SOFT) + loudness * np.array(_LOUD))
    return shades


def _framed(picture: Pixels) -> Pixels:
    return np.pad(picture, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), constant_values=255)
