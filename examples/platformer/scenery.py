"""What lies behind a level: sky, hills, clouds; crystals; castle walls. Layers move in parallax."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from math import pi, sin
from random import Random
from typing import Final

import pygame

from pen import INK, Color, Pen, glow, mix

WIDTH, HEIGHT = 640, 360
PERIOD: Final = 1280
"""Layers repeat after so many pixels."""


@dataclass(slots=True)
class Layer:
    """A strip that moves ``speed`` times as fast as the ground, ``top`` pixels from the top."""

    picture: pygame.Surface
    speed: float
    top: int = 0


@dataclass(slots=True)
class Light:
    """Something that shines: where in its layer, how large, how it dances with the beat."""

    x: float
    y: float
    picture: pygame.Surface
    speed: float
    steady: bool = False


@dataclass(slots=True)
class Scenery:
    """All behind a level, from back to front."""

    sky: pygame.Surface
    layers: list[Layer] = field(default_factory=list)
    clouds: list[tuple[float, float, float, list[pygame.Surface]]] = field(default_factory=list)
    lights: list[Light] = field(default_factory=list)

    def draw(self, target: pygame.Surface, camera: float, tick: float, pulse: float) -> None:
        """Everything as seen from ``camera``; ``pulse`` is 1 on the beat and falls to 0."""
        target.blit(self.sky, (0, 0))
        for x, y, speed, sizes in self.clouds:
            picture = sizes[min(len(sizes) - 1, int(pulse * len(sizes)))]
            place = (x - camera * speed - tick * 0.12 * speed * 4) % (WIDTH + 220) - 160
            target.blit(picture, picture.get_rect(center=(place + 60, y - 3 * pulse)))
        for layer in self.layers:
            place = -(camera * layer.speed) % PERIOD
            target.blit(layer.picture, (place - PERIOD, layer.top))
            if place < WIDTH:
                target.blit(layer.picture, (place, layer.top))
        for light in self.lights:
            if light.steady or pulse > 0.08:
                self._shine(target, light, camera)

    def _shine(self, target: pygame.Surface, light: Light, camera: float) -> None:
        x = (light.x - camera * light.speed) % PERIOD
        for place in (x - PERIOD, x):
            if -80 < place < WIDTH + 80:
                rect = light.picture.get_rect(center=(place, light.y))
                target.blit(light.picture, rect, special_flags=pygame.BLEND_RGB_ADD)


def scenery(theme: str) -> Scenery:
    """The scenery of a theme."""
    return {"meadow": _meadow, "cave": _cave, "castle": _castle}[theme]()


def bands(*stops: tuple[float, Color], count: int = 30) -> pygame.Surface:
    """A sky in ``count`` bands of colour; ``stops``: part of the height and colour there."""
    sky = pygame.Surface((WIDTH, HEIGHT))
    for band in range(count):
        part = (band + 0.5) / count
        for (a, first), (b, last) in pairwise(stops):
            if a <= part <= b:
                color = mix(first, last, (part - a) / (b - a))
        sky.fill(color, (0, band * HEIGHT // count, WIDTH, HEIGHT // count + 1))
    return sky.convert()


def _strip(height: int) -> Pen:
    return Pen(PERIOD, height)


def _ridge(pen: Pen, color: Color, base: float, waves: tuple[tuple[int, float, float], ...]) -> None:
    """Hills: a sum of waves that fit the period; each (times, height, phase)."""
    top = [
        (x, base + sum(h * sin(2 * pi * n * x / PERIOD + p) for n, h, p in waves))
        for x in range(0, PERIOD + 8, 8)
    ]
    pen.shape(color, *top, (PERIOD, pen.size[1]), (0, pen.size[1]))


def _height(x: float, base: float, waves: tuple[tuple[int, float, float], ...]) -> float:
    return base + sum(h * sin(2 * pi * n * x / PERIOD + p) for n, h, p in waves)


# --- meadow ---------------------------------------------------------------------------------------------


def _meadow() -> Scenery:
    sky = bands(
        (0.0, (88, 176, 236)), (0.55, (168, 222, 246)), (0.85, (255, 240, 206)), (1.0, (255, 226, 190))
    )
    pygame.draw.circle(sky, (255, 246, 206), (520, 74), 46)
    pygame.draw.circle(sky, (255, 252, 232), (520, 74), 36)
    far = _strip(190)
    waves = ((3, 22.0, 0.4), (7, 12.0, 1.0), (13, 5.0, 2.0))
    _ridge(far, (150, 190, 226), 62, waves)
    mid = _strip(170)
    hills = ((2, 20.0, 0.0), (5, 14.0, 1.3))
    _ridge(mid, (122, 200, 150), 62, hills)
    _ridge(mid, (104, 186, 136), 84, hills)
    near = _strip(160)
    bushes = ((4, 12.0, 0.7), (9, 6.0, 0.2))
    _ridge(near, (84, 168, 104), 82, bushes)
    dice = Random(3)
    for _ in range(13):
        x = dice.uniform(0, PERIOD - 60) + 30
        _tree(near, x, _height(x, 84, bushes), dice.uniform(0.8, 1.25))
    clouds = []
    for x, y, s in ((60, 60, 1.0), (300, 104, 0.7), (470, 44, 0.85), (700, 84, 1.15), (840, 40, 0.6)):
        clouds.append((float(x), float(y), 0.08 + 0.1 * s, [_cloud(s * (1 + 0.02 * i)) for i in range(5)]))
    layers = [Layer(far.done(0), 0.12, 170), Layer(mid.done(0), 0.25, 190), Layer(near.done(0), 0.45, 200)]
    return Scenery(sky, layers, clouds)


def _tree(pen: Pen, x: float, y: float, s: float) -> None:
    pen.box((120, 92, 84), x - 2.5 * s, y - 22 * s, 5 * s, 26 * s)
    for dx, dy, r, color in (
        (0, -36, 17, (64, 146, 96)),
        (-9, -28, 12, (64, 146, 96)),
        (10, -28, 12, (64, 146, 96)),
        (-4, -40, 10, (98, 178, 112)),
    ):
        pen.disc(color, x + dx * s, y + dy * s, r * s)


def _cloud(s: float) -> pygame.Surface:
    pen = Pen(round(136 * s) + 8, round(64 * s) + 8)
    puffs = ((34, 38, 20), (58, 28, 25), (86, 30, 22), (106, 40, 16))
    for dy, color in ((3, (206, 228, 246)), (0, (255, 255, 255))):
        for x, y, r in puffs:
            pen.disc(color, x * s + 4, (y + dy) * s + 4, r * s)
        pen.box(color, 20 * s + 4, (38 + dy) * s + 4, 98 * s, 19 * s, 9 * s)
    return pen.done(0)


# --- cave -----------------------------------------------------------------------------------------------


def _cave() -> Scenery:
    sky = bands((0.0, (26, 22, 58)), (0.5, (46, 44, 98)), (1.0, (36, 66, 108)))
    far, near = _strip(HEIGHT), _strip(HEIGHT)
    dice = Random(5)
    for pen, color, count, size in ((far, (42, 40, 88), 26, 0.8), (near, (34, 30, 72), 18, 1.2)):
        for _ in range(count):
            x, w = dice.uniform(20, PERIOD - 20), dice.uniform(22, 60) * size
            h = dice.uniform(40, 130) * size
            pen.shape(color, (x - w / 2, 0), (x + w / 2, 0), (x + w * 0.08, h), (x - w * 0.08, h))
            x, h = dice.uniform(20, PERIOD - 20), dice.uniform(40, 110) * size
            pen.shape(
                color, (x - w / 2, 360), (x + w / 2, 360), (x + w * 0.1, 330 - h), (x - w * 0.1, 330 - h)
            )
    lights = []
    for i in range(11):
        x, y = 60 + i * PERIOD / 11 + dice.uniform(-30, 30), dice.uniform(210, 285)
        hue: Color = ((96, 226, 226), (190, 130, 246), (246, 140, 200))[i % 3]
        _crystals(near, x, y, hue, dice.uniform(0.8, 1.3))
        dim = mix((0, 0, 0), hue, 0.32)
        lights.append(Light(x, y - 10, glow(46, dim), 0.4, steady=True))
        lights.append(Light(x, y - 10, glow(60, dim), 0.4))
    return Scenery(sky, [Layer(far.done(0), 0.2), Layer(near.done(0), 0.4)], [], lights)


def _crystals(pen: Pen, x: float, y: float, color: Color, s: float) -> None:
    for lean, tall in ((-0.45, 26), (0.4, 28), (0.0, 42)):
        tip = (x + lean * tall * s, y - tall * s)
        foot = x + lean * 14 * s
        wide = 6 * s
        pen.shape(
            mix(color, INK, 0.35),
            (foot - wide, y + 6),
            (foot + wide, y + 6),
            (tip[0] + wide, tip[1] + 8 * s),
            tip,
        )
        pen.shape(color, (foot - wide, y + 6), (foot, y + 6), tip, (tip[0] - wide, tip[1] + 9 * s))


# --- castle ---------------------------------------------------------------------------------------------


def _castle() -> Scenery:
    sky = bands((0.0, (52, 30, 78)), (0.5, (140, 60, 98)), (0.8, (236, 130, 92)), (1.0, (255, 190, 110)))
    pygame.draw.circle(sky, (255, 226, 170), (330, 236), 60)
    far = _strip(HEIGHT)
    for i in range(8):
        _tower(far, 80 + i * 160, 150 + 50 * (i % 3), (98, 48, 92))
    wall = _strip(HEIGHT)
    wall.box((52, 40, 72), 0, 0, PERIOD, HEIGHT)
    for row in range(24):
        for column in range(33):
            x = column * 40 - (20 if row % 2 else 0)
            wall.box((66, 52, 90), x + 1.5, row * 15 + 1.5, 37, 12, 2)
    lights = []
    for i in range(4):
        x = 140 + i * 320  # so that no torch stands on the seam
        _window(wall, x)
        torch = x + 160
        wall.box((120, 80, 60), torch - 3, 168, 6, 26, 2)
        wall.oval((255, 150, 50), torch, 158, 13, 24)
        wall.oval((255, 226, 120), torch, 162, 7, 14)
        _banner(wall, x - 92)
        lights.append(Light(torch, 158, glow(64, (120, 66, 20)), 0.5, steady=True))
        lights.append(Light(torch, 158, glow(90, (110, 56, 16)), 0.5))
    picture = wall.done(0)
    return Scenery(sky, [Layer(far.done(0), 0.15), Layer(picture, 0.5)], [], lights)


def _tower(pen: Pen, x: float, y: float, color: Color) -> None:
    pen.box(color, x - 26, y, 52, HEIGHT)
    for i in range(3):
        pen.box(color, x - 32 + i * 24, y - 14, 16, 24)
    pen.box((255, 206, 110), x - 5, y + 26, 10, 18, 5)


def _window(pen: Pen, x: float) -> None:
    """An arch through which one sees the evening."""
    pen.box((46, 36, 64), x - 52, 110, 104, 150, 4)
    pen.disc((46, 36, 64), x, 112, 52)
    hole = pygame.Color(0, 0, 0, 0)
    fine = pen.sheet.get_width() // PERIOD
    pygame.draw.circle(pen.sheet, hole, (x * fine, 114 * fine), 43 * fine)
    pygame.draw.rect(pen.sheet, hole, ((x - 43) * fine, 114 * fine, 86 * fine, 138 * fine))
    pen.box((46, 36, 64), x - 3, 68, 6, 190)
    pen.box((46, 36, 64), x - 46, 160, 92, 6)


def _banner(pen: Pen, x: float) -> None:
    pen.shape((150, 46, 66), (x - 20, 70), (x + 20, 70), (x + 20, 176), (x, 158), (x - 20, 176))
    pen.box((214, 160, 70), x - 24, 66, 48, 6, 3)
    pen.line((214, 160, 70), [(x - 6, 116), (x + 2, 106), (x + 7, 114), (x + 2, 126), (x - 6, 134)], 3)
    pen.disc((214, 160, 70), x - 5, 115, 3.4)
    pen.disc((214, 160, 70), x + 11, 111, 1.8)
    pen.disc((214, 160, 70), x + 11, 119, 1.8)
