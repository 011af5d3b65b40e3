"""Drawing in code: shapes at four times the size, outlined in ink, then scaled down smoothly."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin
from typing import Final

import pygame

Color = tuple[int, int, int]
Point = tuple[float, float]

INK: Final[Color] = (40, 28, 54)
FINE: Final = 4
"""Pixels of the drawing for one of the picture."""


class Pen:
    """A picture of ``w`` times ``h`` pixels being drawn; places may be fractions."""

    def __init__(self, w: int, h: int) -> None:
        self.size = (w, h)
        self.sheet = pygame.Surface((w * FINE, h * FINE), pygame.SRCALPHA)

    def oval(self, color: Color, x: float, y: float, w: float, h: float) -> None:
        """An ellipse about ``x``, ``y``."""
        box = pygame.Rect(0, 0, round(w * FINE), round(h * FINE))
        box.center = (round(x * FINE), round(y * FINE))
        pygame.draw.ellipse(self.sheet, color, box)

    def disc(self, color: Color, x: float, y: float, r: float) -> None:
        """A circle about ``x``, ``y``."""
        pygame.draw.circle(self.sheet, color, (x * FINE, y * FINE), r * FINE)

    def shape(self, color: Color, *points: Point) -> None:
        """A filled polygon."""
        pygame.draw.polygon(self.sheet, color, [(x * FINE, y * FINE) for x, y in points])

    def box(self, color: Color, x: float, y: float, w: float, h: float, round_by: float = 0) -> None:
        """A rectangle with round corners."""
        rect = pygame.Rect(round(x * FINE), round(y * FINE), round(w * FINE), round(h * FINE))
        pygame.draw.rect(self.sheet, color, rect, border_radius=round(round_by * FINE))

    def line(self, color: Color, points: Sequence[Point], width: float = 1.5) -> None:
        """A line with round ends."""
        scaled = [(x * FINE, y * FINE) for x, y in points]
        pygame.draw.lines(self.sheet, color, False, scaled, round(width * FINE))
        for point in scaled:
            pygame.draw.circle(self.sheet, color, point, width * FINE / 2)

    def eye(self, x: float, y: float, size: float = 1.0, look: float = 0.8) -> None:
        """A white oval with a pupil."""
        self.oval((255, 255, 255), x, y, 6.4 * size, 8 * size)
        self.oval(INK, x + look * size, y + 0.4, 3.4 * size, 5 * size)
        self.disc((255, 255, 255), x + (look + 0.5) * size, y - 0.8 * size, 0.8 * size)

    def star(self, color: Color, x: float, y: float, outer: float, inner: float, points: int = 5) -> None:
        """A star about ``x``, ``y``, one point up."""
        corners = [
            (x + r * sin(i * pi / points), y - r * cos(i * pi / points))
            for i in range(2 * points)
            for r in [inner if i % 2 else outer]
        ]
        self.shape(color, *corners)

    def done(self, outline: float = 1.6) -> pygame.Surface:
        """The picture, with an outline so many pixels wide."""
        sheet = self.sheet
        if outline:
            ink = pygame.mask.from_surface(sheet, 100).to_surface(setcolor=(*INK, 255), unsetcolor=(*INK, 0))
            sheet = pygame.Surface(sheet.get_size(), pygame.SRCALPHA)
            sheet.fill((*INK, 0))
            for turn in range(16):
                way = turn * pi / 8
                sheet.blit(ink, (round(outline * FINE * cos(way)), round(outline * FINE * sin(way))))
            sheet.blit(self.sheet, (0, 0))
        return pygame.transform.smoothscale(sheet, self.size).convert_alpha()


def mirrored(picture: pygame.Surface) -> pygame.Surface:
    """Left and right exchanged."""
    return pygame.transform.flip(picture, True, False)


def mix(a: Color, b: Color, t: float) -> Color:
    """A colour between ``a`` (t = 0) and ``b`` (t = 1)."""
    return (
        round(a[0] + (b[0] - a[0]) * t),
        round(a[1] + (b[1] - a[1]) * t),
        round(a[2] + (b[2] - a[2]) * t),
    )


def glow(radius: int, color: Color) -> pygame.Surface:
    """Light to be added to a picture (``BLEND_RGB_ADD``), brightest in its middle."""
    light = pygame.Surface((2 * radius, 2 * radius))
    for r in range(radius, 0, -2):
        pygame.draw.circle(light, mix((0, 0, 0), color, (1 - r / radius) ** 2), (radius, radius), r)
    return light.convert()
