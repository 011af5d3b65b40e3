"""The player's figure: how it runs and jumps. Pure.

The jump forgives: *coyote time* still takes a jump shortly after the edge, the *jump buffer* takes one
pressed shortly before landing, and letting go of the button early makes it lower.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from physics import Box, Grid, approach, fall, move_x, pull, rise

WALK: Final = 2.7
RUN: Final = 4.3
GROUND_GRIP: Final = 0.2
AIR_GRIP: Final = 0.15
JUMP: Final = 8.8
RISE_GRAVITY: Final = 0.3
"""While the button is held on the way up."""
COYOTE: Final = 6
BUFFER: Final = 7
SAFE_STEPS: Final = 100
"""How long one cannot be hurt again."""


class Buttons(NamedTuple):
    """What is held down during one step."""

    left: bool = False
    right: bool = False
    jump: bool = False
    run: bool = False
    start: bool = False


@dataclass(slots=True)
class Hero(Box):
    """``powered``: has a sunflower. ``safe``: steps without harm left. ``chain``: stomps since the ground."""

    facing: int = 1
    grounded: bool = False
    coyote: int = 0
    buffer: int = 0
    held: bool = False
    rising: bool = False
    powered: bool = False
    safe: int = 0
    chain: int = 0
    strain: float = 0.0
    """Distance run, for the drawing's legs."""


def hero_at(x: float, bottom: float) -> Hero:
    """A hero whose box is centred on ``x`` and stands on ``bottom``."""
    return Hero(x - 10, bottom - 28, 20.0, 28.0)


def steer(hero: Hero, buttons: Buttons) -> bool:
    """Speeds from buttons; whether a jump began."""
    way = buttons.right - buttons.left
    top = RUN if buttons.run else WALK
    grip = GROUND_GRIP if hero.grounded else AIR_GRIP
    hero.vx = approach(hero.vx, way * top, grip)
    hero.facing = way or hero.facing
    hero.buffer = BUFFER if buttons.jump and not hero.held else max(0, hero.buffer - 1)
    hero.coyote = COYOTE if hero.grounded else max(0, hero.coyote - 1)
    hero.held = buttons.jump
    hero.safe = max(0, hero.safe - 1)
    jumps = hero.buffer > 0 and hero.coyote > 0
    if jumps:
        bounce(hero, JUMP)
    hero.rising = hero.rising and buttons.jump and hero.vy < 0
    hero.vy = pull(hero.vy, RISE_GRAVITY) if hero.rising else pull(hero.vy)
    return jumps


def bounce(hero: Hero, speed: float) -> None:
    """Leave the ground upwards."""
    hero.vy = -speed
    hero.rising, hero.grounded = True, False
    hero.coyote = hero.buffer = 0


def travel(hero: Hero, grid: Grid) -> tuple[int, int] | None:
    """Move by the speeds; the tile bumped by the head, if any."""
    if move_x(grid, hero, hero.vx):
        hero.vx = 0.0
    hero.strain += hero.vx
    if hero.vy < 0:
        hero.grounded = False
        bumped = rise(grid, hero, hero.vy)
        if bumped:
            hero.vy = 0.0
        return bumped
    hero.grounded = fall(grid, hero, hero.vy)
    if hero.grounded:
        hero.vy = 0.0
        hero.chain = 0
    return None
