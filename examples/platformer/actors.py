"""Everything that moves by itself: enemies, platforms, shots, the sunflower and the boss. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from level import TILE, Thing
from physics import Box, Grid, approach, cell, fall, is_solid, move_x, pull, stands, swing

WALKERS: Final = frozenset("gs")
STOMPABLE: Final = frozenset("gb")
SIZES: Final = {"g": (24.0, 24.0), "s": (26.0, 22.0), "b": (26.0, 20.0), "e": (22.0, 22.0)}
SPEEDS: Final = {"g": 0.8, "s": 0.55, "b": 1.1}
MOTH_PERIOD: Final = 150
EMBER_PERIOD: Final = 150
EMBER_JUMP: Final = 11.0
PLATFORM_PERIODS: Final = {"h": 260, "v": 220}
PLATFORM_REACH: Final = {"h": (4 * TILE, 0), "v": (0, -3 * TILE)}
FLAT_STEPS: Final = 24
"""How long a stomped enemy can be seen."""


@dataclass(slots=True)
class Enemy(Box):
    """``kind``: its letter. ``flat``: steps it is still to be seen after a stomp; 0 while it lives."""

    kind: str = "g"
    home_y: float = 0.0
    age: int = 0
    flat: int = 0
    gone: bool = False


@dataclass(slots=True)
class Platform(Box):
    """A board that swings between its place and the end of its reach."""

    kind: str = "h"
    home_x: float = 0.0
    home_y: float = 0.0

    def at(self, tick: int) -> tuple[float, float]:
        """Where its corner is at a step."""
        reach_x, reach_y = PLATFORM_REACH[self.kind]
        part = swing(tick, PLATFORM_PERIODS[self.kind])
        return self.home_x + part * reach_x, self.home_y + part * reach_y


@dataclass(slots=True)
class Item(Box):
    """A sunflower that rises out of its block, wanders off it and takes root below."""

    rising: int = 24


@dataclass(slots=True)
class Shot(Box):
    """One of the boss's notes."""

    age: int = 0


def enemy(thing: Thing) -> Enemy:
    """The enemy of a letter, standing on the floor of its tile."""
    w, h = SIZES[thing.kind]
    x = thing.column * TILE + (TILE - w) / 2
    y = (thing.row + 1) * TILE - h
    return Enemy(x, y, w, h, vx=-SPEEDS.get(thing.kind, 0.0), kind=thing.kind, home_y=y)


def platform(thing: Thing) -> Platform:
    """The platform of a letter, three tiles wide, its left end there."""
    x, y = float(thing.column * TILE), float(thing.row * TILE)
    return Platform(x, y, 3.0 * TILE, 12.0, kind=thing.kind, home_x=x, home_y=y)


def move_enemy(foe: Enemy, grid: Grid) -> None:
    """One step of an enemy's life."""
    foe.age += 1
    if foe.flat:
        foe.flat -= 1
        foe.gone = foe.flat == 0
    elif foe.kind in WALKERS:
        _walk(foe, grid)
    elif foe.kind == "b":
        _flutter(foe, grid)
    else:
        _leap(foe)


def _walk(foe: Enemy, grid: Grid) -> None:
    """To and fro, back from walls and edges."""
    if move_x(grid, foe, foe.vx):
        foe.vx = -foe.vx
    foe.vy = pull(foe.vy)
    if not fall(grid, foe, foe.vy):
        return
    foe.vy = 0.0
    ahead = foe.x + foe.w if foe.vx > 0 else foe.x
    column, row = int(ahead // TILE), int(foe.bottom // TILE)
    if not (is_solid(grid, column, row) or cell(grid, column, row) == "="):
        foe.vx = -foe.vx


def _flutter(foe: Enemy, grid: Grid) -> None:
    """Sideways, up and down; about three tiles each way or to a wall."""
    foe.y = foe.home_y + 34 * (swing(foe.age, 90) - 0.5)
    if move_x(grid, foe, foe.vx) or foe.age % MOTH_PERIOD == 0:
        foe.vx = -foe.vx


def _leap(foe: Enemy) -> None:
    """Out of the lava and back, then a rest."""
    if foe.age % EMBER_PERIOD == 1:
        foe.vy = -EMBER_JUMP
    foe.vy += 0.34
    foe.y = min(foe.home_y, foe.y + foe.vy)


@dataclass(slots=True)
class Boss(Box):
    """Basso: walks, leaps and throws notes; three stomps are enough.

    ``mood``: asleep, walk, leap, dazed or beaten, since ``age`` steps.
    """

    health: int = 3
    mood: str = "asleep"
    age: int = 0
    left: float = 0.0
    right: float = 0.0

    @property
    def awake(self) -> bool:
        """Whether the fight is on."""
        return self.mood not in ("asleep", "beaten")

    def become(self, mood: str) -> None:
        """Change the mood."""
        self.mood, self.age = mood, 0


def boss(thing: Thing, columns: int) -> Boss:
    """Asleep where the letter stands, in an arena 19 tiles wide at the end of the level."""
    w, h = 62.0, 58.0
    y = (thing.row + 1) * TILE - h
    left = max(0, columns - 20) * TILE
    return Boss(thing.column * TILE - 16.0, y, w, h, left=left, right=float((columns - 1) * TILE))


def move_boss(foe: Boss, grid: Grid, target: Box) -> Shot | None:
    """One step of the boss; a note if it throws one."""
    foe.age += 1
    haste = 3 - foe.health
    towards = 1.0 if target.cx > foe.cx else -1.0
    shot = None
    if foe.mood == "walk":
        foe.vx = approach(foe.vx, towards * (0.9 + 0.35 * haste), 0.05)
        if foe.age % (105 - 15 * haste) == 60:
            shot = _throw(foe, towards)
        if foe.age >= 170 - 30 * haste:
            foe.become("leap")
            foe.vx, foe.vy = towards * (1.8 + 0.4 * haste), -9.6
    elif foe.mood == "dazed":
        foe.vx = approach(foe.vx, 0.0, 0.2)
        if foe.age >= 80:
            foe.become("walk")
    elif foe.mood == "beaten":
        foe.vx = 0.0
    if foe.mood != "asleep":
        _carry(foe, grid)
    return shot


def _carry(foe: Boss, grid: Grid) -> None:
    """Walls and gravity."""
    if move_x(grid, foe, foe.vx):
        foe.vx = -foe.vx
    foe.vy = pull(foe.vy, 0.42)
    if foe.vy < 0:
        foe.y += foe.vy
    elif fall(grid, foe, foe.vy):
        foe.vy = 0.0
        if foe.mood == "leap" and foe.age > 4:
            foe.become("walk")


def _throw(foe: Boss, towards: float) -> Shot:
    x = foe.x + foe.w if towards > 0 else foe.x - 20
    return Shot(x, foe.bottom - 26, 20.0, 20.0, vx=3.0 * towards)


def move_shot(shot: Shot, grid: Grid) -> bool:
    """One step of a note that rolls along the ground; whether it is still there."""
    shot.age += 1
    blocked = move_x(grid, shot, shot.vx)
    shot.vy = pull(shot.vy, 0.3)
    if fall(grid, shot, shot.vy):
        shot.vy = -2.6 if shot.age % 2 == 0 else 0.0
    return not blocked and shot.age < 300


def move_item(item: Item, grid: Grid) -> None:
    """Out of the block, along to its edge and down; there it waits."""
    if item.rising:
        item.rising -= 1
        item.y -= 26 / 24
        item.vx = 0.0 if item.rising else 0.9
        return
    if item.vx and move_x(grid, item, item.vx):
        item.vx = -item.vx
    if not stands(grid, item):
        item.vy = pull(item.vy)
        if fall(grid, item, item.vy):
            item.vx = 0.0 if item.vy > 3 else item.vx
            item.vy = 0.0
