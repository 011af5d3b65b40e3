"""Tiles and things: ground that knows its neighbours, blocks, coins, flag, door."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, sin
from random import Random
from typing import Final

import pygame

from level import TILE
from pen import INK, Color, Pen, mix

GOLD: Final[Color] = (255, 208, 64)


@dataclass(frozen=True, slots=True)
class Ground:
    """Colours of a theme's ground: turf on top, earth below."""

    turf: Color
    turf_light: Color
    earth: Color
    pebble: Color


GROUNDS: Final[dict[str, Ground]] = {
    "meadow": Ground((92, 190, 84), (150, 222, 104), (196, 136, 84), (172, 114, 70)),
    "cave": Ground((82, 148, 156), (126, 196, 190), (74, 72, 116), (60, 58, 98)),
    "castle": Ground((172, 164, 190), (214, 206, 226), (132, 120, 156), (116, 104, 140)),
}


class Tiles:
    """Pictures of one theme's tiles, each made when first asked for."""

    def __init__(self, theme: str) -> None:
        self.theme = theme
        self.colors = GROUNDS[theme]
        self._made: dict[tuple[object, ...], pygame.Surface] = {}

    def ground(self, above: bool, left: bool, right: bool, below: bool, kind: int) -> pygame.Surface:
        """Ground with air above, left, right or below; ``kind`` 0–3 varies the pebbles."""
        key = (above, left, right, below, kind)
        if key not in self._made:
            self._made[key] = self._ground(above, left, right, below, kind)
        return self._made[key]

    def _ground(self, above: bool, left: bool, right: bool, below: bool, kind: int) -> pygame.Surface:
        pen, c = Pen(TILE, TILE), self.colors
        pen.box(c.earth, 0, 0, TILE, TILE)
        if self.theme == "castle":
            _masonry(pen, c, kind)
        else:
            dice = Random(kind)
            for _ in range(3):
                pen.oval(
                    c.pebble,
                    dice.uniform(6, 24),
                    dice.uniform(12, 26),
                    dice.uniform(4, 9),
                    dice.uniform(3, 6),
                )
        if left:
            pen.box(mix(c.earth, INK, 0.25), 0, 0, 4, TILE)
            pen.box(INK, 0, 0, 1.6, TILE)
        if right:
            pen.box(mix(c.earth, INK, 0.25), TILE - 4, 0, 4, TILE)
            pen.box(INK, TILE - 1.6, 0, 1.6, TILE)
        if below:
            pen.box(mix(c.earth, INK, 0.35), 0, TILE - 5, TILE, 5)
            pen.box(INK, 0, TILE - 1.6, TILE, 1.6)
        if above:
            self._turf(pen)
        return pen.done(0).convert()

    def _turf(self, pen: Pen) -> None:
        c = self.colors
        pen.box(mix(c.turf, INK, 0.3), 0, 0, TILE, 11)
        pen.box(c.turf, 0, 0, TILE, 9)
        if self.theme != "castle":
            for x in (0, 7.5, 15, 22.5, 30):
                pen.oval(mix(c.turf, INK, 0.3), x, 10.5, 8, 8)
                pen.oval(c.turf, x, 9, 8, 8)
        pen.box(c.turf_light, 0, 1.6, TILE, 3.4)
        pen.box(INK, 0, 0, TILE, 1.8)

    def ledge(self) -> pygame.Surface:
        """A ledge one jumps up through: planks, or stone in the castle."""
        if ("ledge",) not in self._made:
            pen = Pen(TILE, TILE)
            wood: Color = (214, 158, 94) if self.theme == "meadow" else (150, 140, 172)
            pen.box(INK, 0, 0, TILE, 13)
            pen.box(wood, 0, 1.6, TILE, 9.6)
            pen.box(mix(wood, (255, 255, 255), 0.35), 0, 1.6, TILE, 3)
            pen.box(INK, 0, 1.6, 1, 9.6)
            self._made["ledge",] = pen.done(0)
        return self._made["ledge",]


def _masonry(pen: Pen, c: Ground, kind: int) -> None:
    for row in range(3):
        shift = 15 if (row + kind) % 2 else 0
        for x in (-15 + shift, 15 + shift):
            pen.box(c.pebble, x + 1, row * 10 + 1, 28, 8.6, 1.5)
            pen.box(mix(c.pebble, (255, 255, 255), 0.12), x + 1, row * 10 + 1, 28, 3, 1.5)


def brick(theme: str) -> pygame.Surface:
    """A brick."""
    base: Color = {"meadow": (222, 116, 74), "cave": (96, 124, 182), "castle": (178, 84, 96)}[theme]
    pen = Pen(TILE, TILE)
    pen.box(INK, 0, 0, TILE, TILE, 3)
    for row, xs in enumerate(((2, 16), (-5, 9, 23), (2, 16))):
        for x in xs:
            left, right = max(x, 1.8), min(x + 12, TILE - 1.8)
            y = 2 + row * 9
            pen.box(base, left, y, right - left, 7.6, 1.4)
            pen.box(mix(base, (255, 255, 255), 0.35), left, y, right - left, 2.4, 1.4)
    return pen.done(0)


def block(light: float) -> pygame.Surface:
    """A block with a question mark, ``light`` 0–1."""
    pen = Pen(TILE, TILE)
    base = mix((244, 172, 44), (255, 226, 110), light)
    pen.box(INK, 0, 0, TILE, TILE, 5)
    pen.box(mix(base, INK, 0.3), 1.8, 1.8, 26.4, 26.4, 3.6)
    pen.box(base, 1.8, 1.8, 26.4, 23.4, 3.6)
    pen.box(mix(base, (255, 255, 255), 0.5), 3.6, 2.8, 22.8, 3, 1.5)
    for x, y in ((5.4, 7.6), (24.6, 7.6), (5.4, 22), (24.6, 22)):
        pen.disc(mix(base, INK, 0.45), x, y, 1.3)
    mark = [(10.6, 11), (12, 8.2), (15, 7.4), (18, 8.4), (19.2, 11), (17.6, 13.6), (15, 15.2), (15, 17.6)]
    pen.line(INK, [(x + 0.8, y + 0.8) for x, y in mark], 3.4)
    pen.disc(INK, 15.8, 22.6, 2.1)
    pen.line((255, 255, 255), mark, 3.2)
    pen.disc((255, 255, 255), 15, 21.8, 2.0)
    return pen.done(0)


def empty_block() -> pygame.Surface:
    """A block that gave what it had."""
    pen = Pen(TILE, TILE)
    pen.box(INK, 0, 0, TILE, TILE, 5)
    pen.box((150, 112, 92), 1.8, 1.8, 26.4, 26.4, 3.6)
    pen.box((176, 138, 112), 1.8, 1.8, 26.4, 23, 3.6)
    for x, y in ((6, 6), (24, 6), (6, 23), (24, 23)):
        pen.disc((112, 80, 70), x, y, 1.6)
    return pen.done(0)


def coins() -> list[pygame.Surface]:
    """Six turns of a coin that bears a note."""
    return [_coin(abs(cos(turn * pi / 6))) for turn in range(6)]


def _coin(width: float) -> pygame.Surface:
    pen = Pen(TILE, TILE)
    w = max(4.0, 18 * width)
    pen.oval((224, 148, 32), 15, 15, w, 20)
    pen.oval(GOLD, 15 - 0.6 * width, 14.6, max(2.4, w - 2.4), 17.6)
    if width > 0.6:
        ink = (206, 132, 24)
        pen.oval(ink, 13.4, 18.6, 5.4 * width, 4)
        pen.line(ink, [(15.4, 18), (15.4, 9.6), (19, 11.6)], 1.6)
    return pen.done()


def spikes() -> pygame.Surface:
    """Three spikes on the floor."""
    pen = Pen(TILE, TILE)
    for x in (5, 15, 25):
        pen.shape((190, 200, 220), (x - 4.6, 30), (x, 11), (x + 4.6, 30))
        pen.shape((240, 246, 255), (x - 3, 30), (x, 12), (x - 0.6, 30))
    return pen.done()


def platform() -> pygame.Surface:
    """A board that moves, three tiles long."""
    pen = Pen(3 * TILE + 4, 24)
    pen.box((240, 238, 250), 2, 3, 3 * TILE, 12, 5)
    pen.box((196, 192, 220), 2, 10, 3 * TILE, 5, 2)
    for x in range(10, 86, 12):
        pen.box(INK, x, 3, 5, 7, 1)
    return pen.done()


def sunflower() -> pygame.Surface:
    """The power-up."""
    pen = Pen(36, 36)
    pen.line((88, 170, 74), [(18, 22), (18, 33)], 3)
    pen.oval((88, 170, 74), 24, 30, 11, 5)
    pen.oval((88, 170, 74), 12, 30, 11, 5)
    for turn in range(10):
        way = turn * pi / 5
        pen.oval((255, 205, 54), 18 + 8.5 * cos(way), 14 + 8.5 * sin(way), 7.5, 7.5)
    pen.disc((150, 92, 48), 18, 14, 6.5)
    for x in (16, 20):
        pen.oval(INK, x, 13.4, 1.8, 3)
    pen.line(INK, [(15.6, 16.8), (18, 18), (20.4, 16.8)], 1.1)
    return pen.done()


def shots() -> list[pygame.Surface]:
    """Four turns of a rolling note."""
    pen = Pen(34, 34)
    pen.oval((228, 62, 72), 13, 22, 14, 11)
    pen.line((228, 62, 72), [(18.6, 22), (18.6, 6), (27, 12)], 3)
    drawn = pen.done()
    return [pygame.transform.rotate(drawn, -90 * turn) for turn in range(4)]


def depth() -> pygame.Surface:
    """Darkness at the bottom of a pit, two tiles high."""
    shade = pygame.Surface((TILE, 2 * TILE), pygame.SRCALPHA)
    for y in range(2 * TILE):
        shade.fill((*INK, round(200 * (y / (2 * TILE)) ** 0.7)), (0, y, TILE, 1))
    return shade


def flag(tall: int, wave: float) -> pygame.Surface:
    """The flag at the end, ``tall`` tiles high, its cloth at one moment of waving."""
    h = tall * TILE
    pen = Pen(76, h)
    pen.box((240, 240, 248), 17, 14, 4.4, h - 16, 2)
    pen.disc(GOLD, 19, 10, 5.5)
    lower, upper = [], []
    for i in range(7):
        x = 21 + i * 7
        shift = 2.6 * sin(wave + i * 0.9) * i / 6
        upper.append((x, 19 + shift))
        lower.append((x, 47 + shift))
    pen.shape((228, 62, 72), *upper, *reversed(lower))
    mid_y = 33 + 1.6 * sin(wave + 3)
    pen.star((255, 241, 214), 41, mid_y, 8, 3.4)
    pen.box((150, 112, 92), 8, h - 10, 22, 10, 2)
    return pen.done()


def checkpoint(lit: bool) -> pygame.Surface:
    """A tuning fork that rings once it was passed."""
    pen = Pen(36, 54)
    metal = GOLD if lit else (168, 172, 190)
    pen.line(metal, [(18, 50), (18, 30)], 4.4)
    pen.line(metal, [(10, 6), (10, 22), (13, 28), (18, 30), (23, 28), (26, 22), (26, 6)], 4.4)
    if lit:
        pen.star((255, 255, 255), 18, 13, 5.5, 2.2, 4)
    return pen.done()


def door(theme: str, outwards: bool) -> pygame.Surface:
    """The mouth of the cave, seen from outside, or daylight seen from within."""
    c = GROUNDS[theme]
    pen = Pen(84, 84)
    rim = mix(c.earth, INK, 0.25)
    pen.disc(rim, 42, 42, 36)
    pen.box(rim, 6, 42, 72, 42)
    inner: Color = (255, 240, 190) if outwards else (34, 26, 58)
    pen.disc(inner, 42, 46, 27)
    pen.box(inner, 15, 46, 54, 38)
    if outwards:
        pen.disc((255, 252, 232), 42, 50, 18)
        pen.box((255, 252, 232), 24, 50, 36, 34)
    else:
        pen.disc((52, 42, 86), 42, 52, 17)
        pen.box((52, 42, 86), 25, 52, 34, 32)
    for way in range(7):
        turn = pi + way * pi / 6
        pen.disc(mix(rim, (255, 255, 255), 0.18), 42 + 31 * cos(turn), 44 + 31 * sin(turn), 3.6)
    return pen.done()
