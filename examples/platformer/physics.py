"""Boxes that move through tiles: pure functions of numbers, no picture and no sound.

Lengths are pixels, times are steps of a sixtieth of a second, speeds pixels a step. Only sums and products
of floats are used, so every machine computes the same game.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from level import ROWS, TILE

SOLID: Final = frozenset("#B?!U")
GRAVITY: Final = 0.62
MAX_FALL: Final = 9.5
TOUCH: Final = 0.001
"""Boxes that only touch do not overlap."""

Grid = list[list[str]]


@dataclass(slots=True)
class Box:
    """A rectangle with a speed; ``x``, ``y`` is its upper left corner, y grows downwards."""

    x: float
    y: float
    w: float
    h: float
    vx: float = 0.0
    vy: float = 0.0

    @property
    def cx(self) -> float:
        """Middle, across."""
        return self.x + self.w / 2

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.y + self.h

    def overlaps(self, other: Box) -> bool:
        """Whether the two share more than an edge."""
        return (
            self.x < other.x + other.w - TOUCH
            and other.x < self.x + self.w - TOUCH
            and self.y < other.y + other.h - TOUCH
            and other.y < self.y + self.h - TOUCH
        )


def cell(grid: Grid, column: int, row: int) -> str:
    """The tile there; walls stand left and right of the level, air above and below."""
    if column < 0 or column >= len(grid[0]):
        return "#"
    return grid[row][column] if 0 <= row < ROWS else "."


def is_solid(grid: Grid, column: int, row: int) -> bool:
    """Whether nothing passes through that tile."""
    return cell(grid, column, row) in SOLID


def span(low: float, high: float) -> range:
    """Indices of the tiles between two places on one axis."""
    return range(int(low // TILE), int((high - TOUCH) // TILE) + 1)


def move_x(grid: Grid, box: Box, dx: float) -> bool:
    """Move sideways, at most to the next wall; whether there was one."""
    box.x += dx
    rows = span(box.y, box.bottom)
    if dx > 0:
        column = int((box.x + box.w - TOUCH) // TILE)
        if any(is_solid(grid, column, row) for row in rows):
            box.x = column * TILE - box.w
            return True
    elif dx < 0:
        column = int(box.x // TILE)
        if any(is_solid(grid, column, row) for row in rows):
            box.x = (column + 1) * TILE
            return True
    return False


def fall(grid: Grid, box: Box, dy: float) -> bool:
    """Move down, at most to the next ground or ledge; whether there was one."""
    before = box.bottom
    box.y += dy
    row = int((box.bottom - TOUCH) // TILE)
    top = row * TILE
    stops = SOLID | {"="} if before <= top + TOUCH else SOLID
    if any(cell(grid, column, row) in stops for column in span(box.x, box.x + box.w)):
        box.y = top - box.h
        return True
    return False


def rise(grid: Grid, box: Box, dy: float) -> tuple[int, int] | None:
    """Move up (``dy`` below 0), at most to the next ceiling; the tile bumped by the head, if any."""
    box.y += dy
    row = int(box.y // TILE)
    hit = [column for column in span(box.x, box.x + box.w) if is_solid(grid, column, row)]
    if not hit:
        return None
    box.y = (row + 1) * TILE
    return min(hit, key=lambda column: abs((column + 0.5) * TILE - box.cx)), row


def stands(grid: Grid, box: Box) -> bool:
    """Whether something solid is right below."""
    row = int(box.bottom // TILE)
    if box.bottom - row * TILE > 0.5:
        return False
    return any(cell(grid, column, row) in SOLID | {"="} for column in span(box.x, box.x + box.w))


def pull(speed: float, gravity: float = GRAVITY) -> float:
    """Speed downwards after one step of gravity."""
    return min(MAX_FALL, speed + gravity)


def approach(value: float, goal: float, by: float) -> float:
    """``value``, at most ``by`` nearer to ``goal``."""
    return min(goal, value + by) if value < goal else max(goal, value - by)


def swing(tick: int, period: int) -> float:
    """0 to 1 and back in ``period`` steps, gently at both ends."""
    phase = (tick % period) * 2 / period
    t = phase if phase <= 1 else 2 - phase
    return t * t * (3 - 2 * t)
