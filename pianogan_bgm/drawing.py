"""Piano rolls for people to look at: high notes on top, strikes dark, bars and octaves marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pianogan_bgm.errors import InvalidRoll
from pianogan_bgm.images import Slab
from pianogan_bgm.notes import VELOCITY_LEVELS
from pianogan_bgm.roll import SOUNDING_BYTE, STRUCK_BYTE

Colour: TypeAlias = tuple[int, int, int]

WHITE_KEY: Final[Colour] = (252, 252, 250)
BLACK_KEY: Final[Colour] = (243, 244, 246)
BEAT: Final[Colour] = (230, 232, 235)
BAR: Final[Colour] = (188, 193, 200)
INK: Final[Colour] = (84, 92, 104)
HELD: Final[Colour] = (143, 180, 221)
SOFT: Final[Colour] = (92, 142, 205)
LOUD: Final[Colour] = (16, 40, 92)
GAP: Final = 10
"""Pixels between rolls and around them."""
_BLACK_KEYS: Final = (1, 3, 6, 8, 10)


def picture(
    slabs: Slab | Sequence[Slab],
    titles: Sequence[str] = (),
    *,
    beats_per_bar: int = 4,
    columns: int = 1,
    scale: int = 4,
    crop: bool = True,
) -> Image.Image:
    """RGB picture of one roll or several, ``columns`` side by side.

    ``titles``: one above each roll, as far as they go. ``scale``: pixels a cell, 1 or more. ``crop``: show
    only the octaves in which something sounds, the same for all. A strike is the darker the louder, a held
    cell light; lines stand before beats and bars; each C and every fourth bar is named. Raises
    :class:`InvalidRoll` for no roll, or a ``scale``, ``columns`` or ``beats_per_bar`` below 1.
    """
    shown = [slabs] if isinstance(slabs, Slab) else list(slabs)
    if not shown or min(scale, columns, beats_per_bar) < 1:
        got = f"{len(shown)} rolls, {columns} columns, scale {scale}, {beats_per_bar} beats a bar"
        raise InvalidRoll(f"a picture needs 1 or more of everything; got {got}")
    keys = _octaves(shown) if crop else _all_keys(shown)
    captions = [*titles, *[""] * len(shown)]
    tiles = [
        _tile(slab, keys, caption, beats_per_bar, scale)
        for slab, caption in zip(shown, captions, strict=False)
    ]
    width = max(tile.width for tile in tiles) + GAP
    height = max(tile.height for tile in tiles) + GAP
    across = min(columns, len(tiles))
    sheet = Image.new("RGB", (across * width + GAP, -(-len(tiles) // across) * height + GAP), "white")
    for place, tile in enumerate(tiles):
        down, right = divmod(place, across)
        sheet.paste(tile, (GAP + right * width, GAP + down * height))
    return sheet


def _all_keys(slabs: Sequence[Slab]) -> range:
    return range(min(slab.spec.lowest for slab in slabs), max(slab.spec.highest for slab in slabs) + 1)


def _octaves(slabs: Sequence[Slab]) -> range:
    """Pitches from the C below the lowest sounding one to the B above the highest."""
    sounding = [
        slab.spec.lowest + row
        for slab in slabs
        for row in np.flatnonzero((slab.cells >= SOUNDING_BYTE).any(axis=1)).tolist()
    ]
    if not sounding:
        return _all_keys(slabs)
    return range(min(sounding) // 12 * 12, max(sounding) // 12 * 12 + 12)


def _tile(slab: Slab, keys: range, caption: str, beats_per_bar: int, scale: int) -> Image.Image:
    """One roll with its margin: octaves at the left, bars below, the caption above."""
    font = ImageFont.load_default(max(9, 3 * scale))
    line = round(1.5 * max(9, 3 * scale))
    left = round(font.getlength("C-1")) + 4
    roll = _roll(slab, keys, beats_per_bar, scale)
    tile = Image.new("RGB", (left + roll.width, 2 * line + roll.height), "white")
    tile.paste(roll, (left, line))
    draw = ImageDraw.Draw(tile)
    draw.text((left, line / 2), caption, fill=INK, font=font, anchor="lm")
    for pitch in (pitch for pitch in keys if pitch % 12 == 0):
        y = line + (keys[-1] - pitch + 0.5) * scale
        draw.text((left - 3, y), f"C{pitch // 12 - 1}", fill=INK, font=font, anchor="rm")
    bar = _per_beat(slab) * beats_per_bar
    for number in range(0, -(-slab.spec.steps // bar), 4):
        x = left + number * bar * scale
        draw.text((x, line + roll.height + line / 2), str(number + 1), fill=INK, font=font, anchor="lm")
    return tile


def _roll(slab: Slab, keys: range, beats_per_bar: int, scale: int) -> Image.Image:
    """The keyboard's stripes, then lines for beats and bars, then the notes; the highest key on top."""
    size = (slab.spec.steps * scale, len(keys) * scale)
    stripes = np.full((len(keys), 1, 3), WHITE_KEY, dtype=np.uint8)
    stripes[np.isin(np.array(keys) % 12, _BLACK_KEYS)] = BLACK_KEY
    image = Image.fromarray(stripes[::-1].copy()).resize(size, Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(image)
    beat = _per_beat(slab)
    for step in range(0, slab.spec.steps, beat):
        colour = BEAT if step % (beat * beats_per_bar) else BAR
        draw.line((step * scale, 0, step * scale, size[1]), fill=colour)
    palette = _palette(slab.spec.convention == "struck")
    gap = 1 if scale >= 3 else 0
    for row, step in zip(*(axis.tolist() for axis in np.nonzero(slab.cells >= SOUNDING_BYTE)), strict=True):
        byte = int(slab.cells[row, step])
        x, y = step * scale, (keys[-1] - slab.spec.lowest - row) * scale
        # a strike begins a pixel late, so that repeats on one key can be told apart
        x0 = x + gap if byte >= STRUCK_BYTE else x
        draw.rectangle((x0, y, x + scale - 1, y + scale - 1), fill=palette[byte])
    return image


def _per_beat(slab: Slab) -> int:
    """Columns of a beat, as near as whole columns come."""
    return max(1, round(1 / slab.resolution))


def _palette(struck: bool) -> list[Colour]:
    """The colour of each sounding byte, by the byte."""
    if not struck:
        return [SOFT] * 256
    loudness = np.linspace(0.0, 1.0, VELOCITY_LEVELS)[:, None]
    strikes = np.round((1 - loudness) * np.array(SOFT) + loudness * np.array(LOUD)).astype(int)
    return [HELD] * STRUCK_BYTE + [(red, green, blue) for red, green, blue in strikes.tolist()]
