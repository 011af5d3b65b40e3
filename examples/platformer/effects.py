"""Sparks, dust, feathers and points that float up: what events look like. They change nothing in the game."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import cos, pi, sin
from random import Random
from typing import Final, NamedTuple

import pygame

from hud import Type
from pen import Color, Pen
from world import Event

GOLD: Final[Color] = (255, 214, 84)
WHITE: Final[Color] = (255, 255, 255)
DUST: Final[Color] = (240, 228, 204)


@dataclass(slots=True)
class Spark:
    """A bit that flies; ``kind`` names its picture. ``life``: steps left of ``span``."""

    kind: str
    x: float
    y: float
    vx: float
    vy: float
    life: int
    span: int
    weight: float = 0.12


@dataclass(slots=True)
class Points:
    """A number that floats up."""

    text: str
    x: float
    y: float
    life: int = 48


class Burst(NamedTuple):
    """Several sparks at once."""

    kind: str
    many: int
    speed: float
    life: int
    weight: float = 0.03
    lift: float = 0.0


RINGS: Final = {
    "coin": Burst("star", 6, 2.0, 22),
    "sprout": Burst("star", 8, 2.2, 30),
    "checkpoint": Burst("star", 8, 2.2, 30),
    "power-up": Burst("petal", 14, 3.0, 46),
    "boss hit": Burst("star", 18, 4.4, 50),
    "boss beaten": Burst("star", 24, 5.2, 60),
    "flag": Burst("petal", 18, 3.6, 60),
}
PUFFS: Final = {
    "land": Burst("dust", 4, 1.1, 26, weight=0.0, lift=0.3),
    "stomp": Burst("dust", 8, 1.8, 26, weight=0.0),
    "brick": Burst("shard", 9, 3.0, 60, weight=0.22, lift=3.0),
    "die": Burst("feather", 12, 2.4, 70, weight=0.05, lift=2.0),
    "hurt": Burst("feather", 12, 2.4, 70, weight=0.05, lift=2.0),
}
SHAKES: Final = {"die": 6.0, "hurt": 6.0, "boss": 8.0, "boss hit": 10.0, "boss beaten": 12.0}


class Effects:
    """All that flies at the moment. ``shake``: pixels by which the picture trembles."""

    def __init__(self) -> None:
        self.sparks: list[Spark] = []
        self.points: list[Points] = []
        self.shake = 0.0
        self._dice = Random(1)
        self._pictures = _pictures()

    def clear(self) -> None:
        """Forget everything."""
        self.sparks.clear()
        self.points.clear()
        self.shake = 0.0

    def show(self, events: Iterable[Event]) -> None:
        """Begin what belongs to events."""
        for event in events:
            self._show(event)

    def _show(self, event: Event) -> None:
        x, y = event.x, event.y
        if event.value:
            self.points.append(Points(str(event.value), x, y - 12))
        if event.kind == "life":
            self.points.append(Points("1 UP", x, y - 26, 70))
        if event.kind in ("level", "again"):
            self.clear()
        if event.kind in RINGS:
            self._ring(RINGS[event.kind], x, y)
        if event.kind in PUFFS:
            self._puff(PUFFS[event.kind], x, y)
        self.shake = max(self.shake, SHAKES.get(event.kind, 0.0))

    def _ring(self, ring: Burst, x: float, y: float) -> None:
        for i in range(ring.many):
            way = 2 * pi * i / ring.many
            vx, vy = ring.speed * cos(way), ring.speed * sin(way)
            self.sparks.append(Spark(ring.kind, x, y, vx, vy, ring.life, ring.life, ring.weight))

    def _puff(self, puff: Burst, x: float, y: float) -> None:
        for _ in range(puff.many):
            vx = self._dice.uniform(-puff.speed, puff.speed)
            vy = -self._dice.uniform(0, puff.speed) - puff.lift
            at = x + self._dice.uniform(-8, 8)
            self.sparks.append(Spark(puff.kind, at, y, vx, vy, puff.life, puff.life, puff.weight))

    def step(self) -> None:
        """One sixtieth of a second."""
        self.shake = max(0.0, self.shake - 0.35)
        for spark in self.sparks:
            spark.x += spark.vx
            spark.y += spark.vy
            spark.vx *= 0.95
            spark.vy = spark.vy * 0.95 + spark.weight if spark.weight < 0.1 else spark.vy + spark.weight
            spark.life -= 1
        for points in self.points:
            points.y -= 0.7
            points.life -= 1
        self.sparks = [spark for spark in self.sparks if spark.life > 0]
        self.points = [points for points in self.points if points.life > 0]

    def offset(self, tick: int) -> tuple[int, int]:
        """Where the trembling picture is at a step."""
        return round(self.shake * sin(tick * 1.9)), round(0.6 * self.shake * sin(tick * 2.7))

    def draw(self, target: pygame.Surface, camera: float, letters: Type) -> None:
        """Everything as seen from ``camera``."""
        for spark in self.sparks:
            sizes = self._pictures[spark.kind]
            picture = sizes[min(len(sizes) - 1, spark.life * len(sizes) // spark.span)]
            target.blit(picture, picture.get_rect(center=(spark.x - camera, spark.y)))
        for points in self.points:
            letters.put(target, points.text, 15, (points.x - camera, points.y), WHITE, "center")


def _pictures() -> dict[str, list[pygame.Surface]]:
    """Pictures of sparks, small (soon gone) to large."""
    kinds: dict[str, list[pygame.Surface]] = {"star": [], "dust": [], "shard": [], "petal": [], "feather": []}
    for size in (0.4, 0.7, 1.0):
        for kind, pictures in kinds.items():
            pen = Pen(18, 18)
            if kind == "star":
                pen.star(GOLD, 9, 9, 6.5 * size, 2.6 * size, 4)
            elif kind == "dust":
                pen.disc(DUST, 9, 9, 5 * size)
            elif kind == "shard":
                pen.shape((222, 116, 74), (4, 6), (13, 4), (14, 12), (6, 14))
            elif kind == "petal":
                pen.oval((255, 205, 54), 9, 9, 10 * size, 6 * size)
            else:
                pen.oval((98, 164, 240), 9, 9, 11 * size, 5 * size)
            pictures.append(pen.done(1.0 if kind != "dust" else 0))
    return kinds
