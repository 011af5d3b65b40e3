"""The figures: Pip the bluebird, who meets grumbles, spikies, moths, embers and Basso."""

from __future__ import annotations

from math import cos, pi, sin
from typing import Final

import pygame

from pen import Color, Pen, mirrored

BLUE: Final[Color] = (74, 144, 226)
DEEP: Final[Color] = (50, 106, 190)
CREAM: Final[Color] = (255, 241, 214)
ORANGE: Final[Color] = (255, 158, 52)
RED: Final[Color] = (228, 62, 72)
PETAL: Final[Color] = (255, 205, 54)

Frames = dict[str, list[pygame.Surface]]


def pip(powered: bool) -> Frames:
    """Poses of the hero, looking right: stand, run, jump, fall, oops."""
    return {
        "stand": [_pip(powered, bob=b) for b in (0.0, 0.7)],
        "run": [
            _pip(powered, step=s, bob=abs(sin(s)) * 1.5, flap=0.3) for s in (0.0, pi / 2, pi, 3 * pi / 2)
        ],
        "jump": [_pip(powered, flap=1.0, tuck=3.0)],
        "fall": [_pip(powered, flap=0.6, tuck=1.0, scarf=-5.0)],
        "oops": [_pip(False, flap=1.0, shut=True)],
    }


def _pip(
    powered: bool,
    *,
    step: float | None = None,
    bob: float = 0.0,
    flap: float = 0.0,
    tuck: float = 0.0,
    scarf: float = 0.0,
    shut: bool = False,
) -> pygame.Surface:
    pen = Pen(50, 50)
    x, y = 25.0, 24.0 + bob
    if powered:
        for turn in range(12):
            way = turn * pi / 6 + 0.2
            pen.oval(PETAL, x + 13 * cos(way), y - 4 + 13 * sin(way), 8, 8)
    swing = 0.0 if step is None else 5.5 * sin(step)
    lift = 0.0 if step is None else 2.5 * cos(step)
    pen.shape(DEEP, (x - 9, y + 6), (x - 19, y + 2), (x - 17, y + 7), (x - 20, y + 9), (x - 8, y + 12))
    for side in (-1, 1):
        pen.oval(ORANGE, x + side * (4 + swing * 0.9), 46.5 - tuck - max(0.0, side * lift), 9, 5)
    pen.oval(BLUE, x, y + 12, 23, 21)
    pen.oval(CREAM, x + 3, y + 14, 15, 15)
    pen.disc(BLUE, x, y - 2, 11.5)
    pen.oval(CREAM, x + 5, y + 1, 12, 9)
    pen.line(BLUE, [(x - 1, y - 12), (x - 4, y - 17)], 3)
    pen.line(BLUE, [(x + 1, y - 12), (x + 1, y - 19)], 3)
    _pip_face(pen, x, y, shut)
    pen.shape(RED, (x - 10, y + 5), (x - 22, y + 5 + scarf), (x - 20, y + 11 + scarf), (x - 8, y + 10))
    pen.box(RED, x - 10.5, y + 5, 21, 5, 2.5)
    wing = y + 12 - 9 * flap
    pen.shape(DEEP, (x - 2, y + 9), (x - 13 - 3 * flap, wing), (x - 12, wing + 5), (x - 4, y + 17))
    return pen.done()


def _pip_face(pen: Pen, x: float, y: float, shut: bool) -> None:
    if shut:
        for cx in (x + 2, x + 9):
            pen.line((40, 28, 54), [(cx - 2, y - 5), (cx + 2, y - 1)], 1.4)
            pen.line((40, 28, 54), [(cx + 2, y - 5), (cx - 2, y - 1)], 1.4)
    else:
        pen.eye(x + 1.5, y - 3.5, 1.0)
        pen.eye(x + 8.5, y - 3.5, 0.9)
    pen.shape(ORANGE, (x + 8, y + 0.5), (x + 16.5, y + 3), (x + 8, y + 5.5))
    pen.oval((255, 170, 170), x + 1, y + 2.5, 4, 2.6)


def grumbles() -> list[pygame.Surface]:
    """Two steps of a walk, looking left, and flattened."""
    return [_grumble(-1), _grumble(1), _flat_grumble()]


def _grumble(step: int) -> pygame.Surface:
    pen = Pen(38, 38)
    body, dark = (158, 92, 200), (122, 64, 166)
    for side in (-1, 1):
        pen.oval((92, 60, 60), 19 + side * 6 + step * 1.5, 33.5 - (step == side) * 1.5, 10, 6)
    pen.shape(dark, (7, 14), (6, 4), (14, 9))
    pen.shape(dark, (31, 14), (32, 4), (24, 9))
    pen.oval(body, 19, 20, 29, 25)
    pen.oval((190, 132, 224), 15, 14, 12, 7)
    pen.oval((232, 208, 242), 17, 27, 15, 9)
    pen.eye(12.5, 19, 0.95, -0.8)
    pen.eye(21.5, 19, 0.95, -0.8)
    pen.line((40, 28, 54), [(8, 13), (14.5, 16)], 2.4)
    pen.line((40, 28, 54), [(26, 13), (19.5, 16)], 2.4)
    pen.line((40, 28, 54), [(13, 28), (17, 26.4), (21, 28)], 1.6)
    return pen.done()


def _flat_grumble() -> pygame.Surface:
    pen = Pen(38, 38)
    pen.oval((158, 92, 200), 19, 32, 32, 8)
    for x in (13, 23):
        pen.line((40, 28, 54), [(x - 2, 30), (x + 2, 33)], 1.4)
        pen.line((40, 28, 54), [(x + 2, 30), (x - 2, 33)], 1.4)
    return pen.done()


def spikies() -> list[pygame.Surface]:
    """Two steps of a walk, looking left."""
    return [_spiky(-1), _spiky(1)]


def _spiky(step: int) -> pygame.Surface:
    pen = Pen(42, 38)
    for turn in range(7):
        way = pi + (turn + 0.5) * pi / 7
        tip = (23 + 18.5 * cos(way), 28 + 21 * sin(way))
        a, b = way - 0.2, way + 0.2
        pen.shape(
            (250, 244, 226), (23 + 11 * cos(a), 28 + 12 * sin(a)), tip, (23 + 11 * cos(b), 28 + 12 * sin(b))
        )
    for side in (-1, 1):
        pen.oval((240, 176, 96), 23 + side * 7 + step, 33.5 - (step == side) * 1.5, 9, 6)
    pen.oval((204, 52, 66), 23, 25, 28, 22)
    pen.oval((232, 96, 96), 20, 19, 12, 6)
    pen.box((204, 52, 66), 9, 25, 28, 8, 4)
    pen.oval((246, 196, 122), 11, 27, 15, 13)
    pen.eye(8.5, 25, 0.75, -0.7)
    pen.eye(14, 25, 0.7, -0.7)
    pen.line((40, 28, 54), [(8, 31), (13, 31)], 1.3)
    return pen.done()


def moths() -> list[pygame.Surface]:
    """Three positions of the wings, looking left."""
    return [_moth(lift) for lift in (-8.0, 0.0, 7.0)]


def _moth(lift: float) -> pygame.Surface:
    pen = Pen(48, 44)
    for side, shade in ((1, (130, 196, 214)), (-1, (168, 226, 234))):
        x = 25 + side * 3
        pen.shape(shade, (x, 22), (x + side * 17, 16 + lift), (x + side * 19, 25 + lift), (x + side * 5, 29))
        pen.disc((255, 214, 120), x + side * 12, 21 + lift * 0.8, 3)
    pen.oval((118, 84, 140), 26, 25, 13, 19)
    pen.oval((150, 112, 172), 22, 19, 17, 15)
    pen.line((40, 28, 54), [(20, 12), (15, 6)], 1.4)
    pen.line((40, 28, 54), [(25, 12), (25, 5)], 1.4)
    pen.eye(18.5, 19, 0.85, -0.7)
    pen.eye(25, 19, 0.85, -0.7)
    return pen.done()


def embers() -> list[pygame.Surface]:
    """Two flickers of a flame with a face."""
    return [_ember(lean) for lean in (-2.0, 2.0)]


def _ember(lean: float) -> pygame.Surface:
    pen = Pen(38, 44)
    pen.shape(
        (244, 84, 40), (8, 24), (12 + lean, 12), (16, 17), (20 + lean, 4), (24, 16), (28 + lean, 11), (30, 24)
    )
    pen.disc((244, 84, 40), 19, 27, 12)
    pen.disc((255, 166, 48), 19, 29, 9)
    pen.disc((255, 226, 120), 19, 32, 5.5)
    pen.eye(15, 26, 0.8, 0)
    pen.eye(23, 26, 0.8, 0)
    return pen.done()


def bosses() -> Frames:
    """Basso, looking left: walk, leap, dazed, beaten."""
    return {
        "walk": [_basso(1.0), _basso(-1.0)],
        "leap": [_basso(0.0, arms=-12.0, mouth=8.0)],
        "dazed": [_basso(0.0, dazed=True), _basso(1.0, dazed=True)],
        "beaten": [_basso(0.0, dazed=True, arms=8.0)],
        "asleep": [_basso(0.0, dazed=True)],
    }


def _basso(step: float, *, arms: float = 0.0, mouth: float = 4.0, dazed: bool = False) -> pygame.Surface:
    pen = Pen(104, 96)
    skin, dark, horn = (92, 78, 150), (66, 54, 118), (246, 226, 190)
    for side in (-1, 1):
        pen.oval(dark, 52 + side * 17 + step * 2, 88 - max(0.0, side * step) * 3, 24, 11)
        pen.shape(horn, (52 + side * 22, 34), (52 + side * 42, 8), (52 + side * 34, 42))
        pen.oval(dark, 52 + side * 38, 60 + arms, 18, 24)
    pen.oval(skin, 52, 58, 72, 62)
    pen.oval((124, 110, 182), 44, 38, 38, 16)
    pen.oval((214, 196, 232), 52, 72, 44, 30)
    _bass_clef(pen, 53, 74)
    for x in (36.0, 58.0):
        if dazed:
            pen.line((40, 28, 54), [(x - 5, 42), (x + 5, 52)], 2.6)
            pen.line((40, 28, 54), [(x + 5, 42), (x - 5, 52)], 2.6)
        else:
            pen.eye(x, 47, 1.7, -1.0)
    if not dazed:
        pen.line((40, 28, 54), [(26, 35), (42, 42)], 4)
        pen.line((40, 28, 54), [(70, 35), (54, 42)], 4)
    pen.oval((60, 24, 44), 47, 60, 20, mouth)
    pen.shape((255, 206, 64), (32, 31), (28, 12), (40, 20), (52, 6), (64, 20), (76, 12), (72, 31))
    for x in (28, 52, 76):
        pen.disc((228, 62, 72), x, 12 if x != 52 else 7, 3)
    return pen.done(2.0)


def _bass_clef(pen: Pen, x: float, y: float) -> None:
    ink = (104, 84, 150)
    pen.disc(ink, x - 6, y - 4, 3)
    pen.line(
        ink,
        [(x - 7, y - 6), (x - 3, y - 9), (x + 3, y - 8), (x + 5, y - 3), (x + 2, y + 4), (x - 5, y + 9)],
        2.6,
    )
    pen.disc(ink, x + 10, y - 6, 1.8)
    pen.disc(ink, x + 10, y + 1, 1.8)


def both_ways(frames: list[pygame.Surface], drawn: int = -1) -> dict[int, list[pygame.Surface]]:
    """Pictures by the way they look, −1 left and 1 right; ``drawn``: the way they look as drawn."""
    return {drawn: frames, -drawn: [mirrored(frame) for frame in frames]}
