"""How threatening a moment is: what the music's intensity follows. Pure."""

from __future__ import annotations

from level import ROWS, TILE
from world import World


def danger(world: World) -> float:
    """How threatening the moment is, 0 (peace) to 1: enemies near, an abyss below, a fight on."""
    hero = world.hero
    worst = 0.35 * (1 - world.boss.health / 4) + 0.65 if world.boss and world.boss.awake else 0.0
    for foe in world.enemies:
        if not foe.flat:
            away = abs(foe.cx - hero.cx) + 0.6 * abs(foe.y - hero.y)
            worst = max(worst, 0.9 - away / (9 * TILE))
    if not hero.grounded and _over_abyss(world):
        worst = max(worst, 0.7)
    return max(0.0, min(1.0, worst))


def _over_abyss(world: World) -> bool:
    column = min(max(0, int(world.hero.cx // TILE)), world.level.columns - 1)
    first = max(0, int(world.hero.y // TILE))
    below = [world.grid[row][column] for row in range(first, ROWS)]
    return all(tile in ".o~^" for tile in below)
