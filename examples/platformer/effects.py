"""Sparks, dust, feathers and points that float up: what events look like. They change nothing in the game."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import cos, pi, sin
from random import Random
from typing import Final

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

    def _show(self, event: Event) -> None:  # one short line for each kind
        x, y = event.x, event.y
        if event.value:
            self.points.append(Points(str(event.value), x, y - 12))
        match event.kind:
            case "coin":
                self._ring("star", x, y, 6, 2.0, 22)
            case "land":
                self._puff("dust", x, y, 4, 1.1)
            case "stomp":
                self._puff("dust", x, y + 14, 8, 1.8)
            case "brick":
                self._puff("shard", x, y, 9, 3.0, lift=3.0, life=60)
            case "sprout" | "checkpoint":
                self._ring("star", x, y, 8, 2.2, 30)
            case "power-up":
                self._ring("petal", x, y, 14, 3.0, 46)
            case "die" | "hurt":
                self._puff("feather", x, y, 12, 2.4, lift=2.0, life=70, weight=0.05)
                self.shake = 6.0
            case "boss hit" | "boss beaten":
                self._ring("star", x, y + 20, 18, 4.4, 50)
                self.shake = 10.0
            case "boss" | "level":
                self.shake = 8.0 if event.kind == "boss" else 0.0
            case "flag":
                self._ring("petal", x, y, 18, 3.6, 60)
            case "life":
                self.points.append(Points("1 UP", x, y - 26, 70))

    def _ring(self, kind: str, x: float, y: float, count: int, speed: float, life: int) -> None:
        for i in range(count):
            way = 2 * pi * i / count
            self.sparks.append(Spark(kind, x, y, speed * cos(way), speed * sin(way), life, life, 0.03))

    def _puff(
        self,
        kind: str,
        x: float,
        y: float,
        count: int,
        speed: float,
        *,
        lift: float = 0.6,
        life: int = 26,
        weight: float = 0.12,
    ) -> None:
        dice = self._dice
        for _ in range(count):
            vx, vy = dice.uniform(-speed, speed), -dice.uniform(0, speed) - lift
            heavy = weight if kind != "dust" else 0.0
            self.sparks.append(Spark(kind, x + dice.uniform(-8, 8), y, vx, vy, life, life, heavy))

    def petals(self, x: float, y: float) -> None:
        """One petal that drifts down, for the happy end."""
        self.sparks.append(Spark("petal", x, y, self._dice.uniform(-0.6, 0.6), 1.0, 220, 220, 0.0))

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
