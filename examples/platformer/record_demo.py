"""Find a way through the game and write it to ``demo.txt``. Run this after a change of physics or levels.

A beam search: the physics is pure, so the game can be copied and tried. Every tenth step each of the best
games so far is continued in eight ways, and the best of what comes out are kept.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import demo
from game import Game
from hero import Buttons
from level import TILE, load_folder

MACRO: Final = 10
WIDTH: Final = 40
STRETCH: Final = 2 * TILE
PER_STRETCH: Final = 6
PATIENCE: Final = 700
"""Decisions after which a level counts as impassable."""
LOWEST_FLOOR: Final = 10 * TILE
"""No level has ground further down: who is below will not come back."""
WAYS: Final = tuple(
    Buttons(right=right, left=left, jump=jump, run=run)
    for left, right, run in ((False, True, True), (False, True, False), (False,) * 3, (True, False, False))
    for jump in (False, True)
)


@dataclass(frozen=True, slots=True)
class Node:
    """A game reached, what it is worth, and how it was reached."""

    game: Game
    worth: float
    way: Buttons
    parent: Node | None
    effort: float = 0.0


def record() -> list[Buttons]:
    """The buttons of a whole game, with a moment on the title and at the end."""
    game = Game(load_folder(Path(__file__).parent / "levels"))
    steps = [Buttons()] * 240 + [Buttons(start=True)]
    for buttons in steps:
        game.step(buttons)
    while game.screen != "victory":
        if game.screen == "play":
            found, game = search(game)
            steps += found
        else:
            steps.append(Buttons())
            game.step(Buttons())
        print(f"\r{len(steps)} steps, {game.world.level.name}, score {game.score}", end="", file=sys.stderr)
    print(file=sys.stderr)
    return steps + [Buttons()] * 240


def search(game: Game) -> tuple[list[Buttons], Game]:
    """The buttons from here to the way out of the level, and the game after them."""
    beam = [Node(game.copied(), 0.0, Buttons(), None)]
    for _ in range(PATIENCE):
        found = [child for node in beam for way in WAYS if (child := follow(node, way, game)) is not None]
        if done := [node for node in found if _left(node.game, game)]:
            best = max(done, key=lambda node: node.worth)
            return trace(best), best.game
        if not found:
            break
        beam = _best(found)
        print(f"\r{game.world.level.name}: {beam[0].game.world.hero.x / TILE:6.1f}", end="", file=sys.stderr)
    raise SystemExit(f"\nno way through {game.world.level.name}")


def follow(node: Node, way: Buttons, origin: Game) -> Node | None:
    """Ten steps that way; None if they cost a life."""
    game = node.game.copied()
    for _ in range(MACRO):
        game.step(way)
    falling = game.world.hero.bottom > LOWEST_FLOOR + 6
    if game.lives < origin.lives or falling:
        return None
    effort = node.effort + (0.0 if way == node.way else 3.0) + (2.0 if way.left else 0.0)
    return Node(game, _worth(game) - effort, way, node, effort)


def _left(game: Game, origin: Game) -> bool:
    return game.screen != "play" or game.world.level is not origin.world.level


def _worth(game: Game) -> float:
    """Way gained, points and sunflowers; in the boss's hall its health and nearness."""
    world, hero = game.world, game.world.hero
    worth = 0.6 * game.score + (500 if hero.powered else 0)
    near = [item for item in world.items if abs(item.cx - hero.cx) < 15 * TILE]
    worth += 0 if hero.powered else sum(max(0.0, 700 - 1.6 * abs(item.cx - hero.cx)) for item in near)
    if world.boss is not None and world.arena:
        away = abs(hero.cx - world.boss.cx)
        return worth + world.arena[0] + 3000 * (3 - world.boss.health) - 0.1 * away
    return worth + hero.x


def _best(found: list[Node]) -> list[Node]:
    """The best of every place, a few of every stretch of the way, so that waiting stays a choice."""
    places: dict[tuple[int, ...], Node] = {}
    for node in sorted(found, key=lambda node: node.worth):
        places[_place(node.game)] = node
    room: dict[int, int] = {}
    beam = []
    for node in sorted(places.values(), key=lambda node: -node.worth):
        stretch = int(node.game.world.hero.x // STRETCH)
        room[stretch] = room.get(stretch, PER_STRETCH) - 1
        if room[stretch] >= 0:
            beam.append(node)
    return beam[:WIDTH]


def _place(game: Game) -> tuple[int, ...]:
    hero, king = game.world.hero, game.world.boss
    health = king.health if king else 0
    return int(hero.x // 16), int(hero.y // 24), int(hero.vy > 0), health, int(hero.held), game.coins // 3


def trace(node: Node) -> list[Buttons]:
    """The buttons that led to ``node``."""
    steps: list[Buttons] = []
    at: Node | None = node
    while at is not None and at.parent is not None:
        steps = [at.way] * MACRO + steps
        at = at.parent
    return steps


if __name__ == "__main__":
    demo.write(record())
