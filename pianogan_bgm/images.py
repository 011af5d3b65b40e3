"""Rolls to 8-bit grayscale PNG and back.

A picture's pixels are the roll's cells in array order, as midi2img has them: the top row is the lowest
pitch, a pixel above 127 sounds. What the pixels cannot say (convention, lowest pitch, beats a column, where
a slab stands in its piece, and where the music comes from) stands beside them as one text chunk of JSON, key
``pianogan-bgm``. A picture without it is foreign: black and white (``edges``), rows from A0, a quarter of a
beat a column; colours count by their brightest channel, transparency as silence.
"""

from __future__ import annotations

import io
import json
import os
import re
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from pianogan_bgm.errors import InvalidRoll
from pianogan_bgm.files import write_atomically
from pianogan_bgm.notes import MAX_STEPS, STEPS_PER_BEAT, Note
from pianogan_bgm.piece import RESOLUTION_RANGE, Piece
from pianogan_bgm.roll import ROLL, Cells, Roll, RollSpec, decode_cells, encode_cells, from_cells

FORMAT: Final = 1
"""Version of the text beside the pixels; a higher one is refused."""
KEY: Final = "pianogan-bgm"
MAX_BYTES: Final = 32 * 2**20
Facts: TypeAlias = dict[str, str | int | float | None]
"""Where the music comes from: tempo, beats a bar, seed, model, licence and what else is to travel along."""


@dataclass(frozen=True, slots=True, eq=False)
class Slab:
    """A stretch of piano roll with what its picture says of it.

    ``cells``: uint8 ``(spec.pitches, spec.steps)``, not to be changed. ``resolution``: beats a column.
    ``start``: the column of the whole piece at which the slab begins, or None where it does not say.
    Raises :class:`InvalidRoll` when cells and ``spec`` do not fit together.
    """

    cells: Cells
    spec: RollSpec = ROLL
    resolution: Fraction = Fraction(1, STEPS_PER_BEAT)
    start: int | None = None
    facts: Facts = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.cells.shape != self.spec.shape[:2] or self.cells.dtype != np.uint8:
            got = f"{self.cells.dtype} {self.cells.shape}"
            raise InvalidRoll(f"a slab's cells must be uint8 {self.spec.shape[:2]}; got {got}")
        if self.spec.steps > MAX_STEPS:
            raise InvalidRoll(f"a picture may have {MAX_STEPS} columns; got {self.spec.steps}")

    @property
    def roll(self) -> Roll:
        """The cells as float32 ``spec.shape`` in [0, 1]."""
        return from_cells(self.cells)

    @property
    def notes(self) -> tuple[Note, ...]:
        """The notes, their times from the slab's own beginning."""
        return decode_cells(self.cells, self.spec)


def piece_slab(piece: Piece) -> Slab:
    """``piece`` as one slab of this project's rows; tempo, metre, seed, model and licence are its facts."""
    spec = RollSpec(steps=piece.steps)
    names = ("tempo", "beats_per_bar", "seed", "model", "licence")
    facts = {name: getattr(piece, name) for name in names}
    known: Facts = {name: value for name, value in facts.items() if value is not None}
    return Slab(encode_cells(piece.notes, spec), spec, start=0, facts=known)


def write_png(slab: Slab, path: str | os.PathLike[str]) -> None:
    """Write :func:`slab_to_png` to ``path``, whole or not at all."""
    write_atomically(path, slab_to_png(slab))


def slab_to_png(slab: Slab) -> bytes:
    """``slab`` as a PNG, 8-bit grayscale; the same slab gives the same bytes."""
    text = PngImagePlugin.PngInfo()
    text.add_text(KEY, json.dumps(_description(slab), sort_keys=True))
    buffer = io.BytesIO()
    Image.fromarray(slab.cells).save(buffer, format="PNG", pnginfo=text, compress_level=9)
    return buffer.getvalue()


def _description(slab: Slab) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "convention": slab.spec.convention,
        "lowest": slab.spec.lowest,
        "pitches": slab.spec.pitches,
        "resolution": str(slab.resolution),
        "start": slab.start,
        "facts": slab.facts,
    }


def read_png(path: str | os.PathLike[str]) -> Slab:
    """The picture at ``path``; see :func:`png_to_slab`."""
    with Path(path).open("rb") as file:
        return png_to_slab(file.read(MAX_BYTES + 1), name=str(path))


def png_to_slab(data: bytes, *, name: str = "picture") -> Slab:
    """The roll in a PNG: ours with what it says of itself, a foreign one as the module tells.

    Any width up to ``MAX_STEPS`` columns. Raises :class:`InvalidRoll`, beginning with ``name``, for what is
    no PNG, is damaged, too large (before unpacking it), of another height, or of a newer format.
    """
    if len(data) > MAX_BYTES:
        raise InvalidRoll(f"{name}: larger than {MAX_BYTES // 2**20} MiB")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            return _slab(image)
    except InvalidRoll as error:
        raise InvalidRoll(f"{name}: {error}") from None
    except UnidentifiedImageError as error:  # whose words name the buffer, by its address
        raise InvalidRoll(f"{name}: not a PNG picture, or a damaged one") from error
    except Exception as error:  # Pillow trips over damaged bytes in a dozen ways that all mean this
        raise InvalidRoll(f"{name}: not a PNG picture, or a damaged one ({error})") from error


def _slab(image: Image.Image) -> Slab:
    """Text chunks may stand after the pixels, so the size is checked first and the text read last."""
    width, height = image.size
    if width > MAX_STEPS or height > 128:
        expected = f"{ROLL.pitches} rows and 1 to {MAX_STEPS} columns"
        raise InvalidRoll(f"expected {expected}; the picture has {height} rows and {width} columns")
    cells = _brightness(image)
    text = getattr(image, "text", {}).get(KEY)
    said = None if text is None else _understood(text)
    expected_height = ROLL.pitches if said is None else said["pitches"]
    if height != expected_height:
        raise InvalidRoll(f"expected {expected_height} rows (one a pitch); the picture has {height}")
    if said is None:
        return Slab(cells, RollSpec(steps=width, convention="edges"))
    spec = RollSpec(said["lowest"], height, width, said["convention"])
    return Slab(cells, spec, Fraction(said["resolution"]), said["start"], said["facts"])


def _understood(text: str) -> dict[str, Any]:
    """What our text chunk says, checked; ``convention`` and ``lowest`` are left for the spec to judge."""
    try:
        said: dict[str, Any] = json.loads(text)
        version, start = said["format"], said["start"]
        sound = (
            isinstance(version, int)
            and isinstance(said["convention"], str)
            and all(isinstance(said[key], int) for key in ("lowest", "pitches"))
            and (start is None or (isinstance(start, int) and 0 <= start <= MAX_STEPS))
            and re.fullmatch(r"[1-9]\d{0,5}(/[1-9]\d{0,5})?", said["resolution"]) is not None
            and RESOLUTION_RANGE[0] <= Fraction(said["resolution"]) <= RESOLUTION_RANGE[1]
            and isinstance(said["facts"], dict)
            and not any(
                isinstance(said["facts"].get(key), bool) for key in ("tempo", "beats_per_bar", "seed")
            )
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidRoll(f"its {KEY} text cannot be read ({error!r})") from error
    if not sound:
        raise InvalidRoll(f"its {KEY} text makes no sense: {text[:200]}")
    if version > FORMAT:
        raise InvalidRoll(f"written in format {version}; this version reads up to {FORMAT}")
    return said


def _brightness(image: Image.Image) -> Cells:
    """8-bit ``(height, width)`` of any kind of picture: brightest channel, times opacity."""
    if image.mode == "L" and "transparency" not in image.info:
        return np.array(image, dtype=np.uint8)
    if image.mode in ("1", "LA", "L", "P", "PA", "RGB", "RGBA"):
        pixels = np.array(image.convert("RGBA"), dtype=np.uint16)
        bright: Cells = (pixels[:, :, :3].max(axis=2) * pixels[:, :, 3] // 255).astype(np.uint8)
        return bright
    deep: npt.NDArray[np.int64] = np.array(image, dtype=np.int64)
    if image.mode[0] != "I" or deep.ndim != 2:
        raise InvalidRoll(f"a picture of kind {image.mode}; grayscale, palette or RGB can be read")
    return (deep.clip(0, 0xFFFF) >> 8).astype(np.uint8)
