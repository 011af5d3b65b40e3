"""One level being played: buttons in, events out, 60 steps a second. Pure; pygame is not needed.

Order of a step: platforms (carrying the hero), hero, tiles it touches, sunflowers, enemies, boss, and the
time limit. Enemies farther away than a screen sleep.
"""

from __future__ import annotations

from copy import copy
from typing import Final, NamedTuple

from actors import (
    FLAT_STEPS,
    STOMPABLE,
    Boss,
    Enemy,
    Item,
    Platform,
    Shot,
    boss,
    enemy,
    move_boss,
    move_enemy,
    move_item,
    move_shot,
    platform,
)
from hero import SAFE_STEPS, Buttons, Hero, bounce, hero_at, steer, travel
from level import ROWS, TILE, Level
from physics import Grid, move_x, span

STEPS_PER_SECOND: Final = 60
AWAKE: Final = 24 * TILE
ABYSS: Final = ROWS * TILE + 40
BEATEN_STEPS: Final = 150
COIN, STOMP, BRICK, SUNFLOWER, BOSS_HIT = 100, 200, 10, 1000, 2000


class Event(NamedTuple):
    """Something that happened at a place; ``value``: points, or the height of the flag."""

    kind: str
    x: float
    y: float
    value: int = 0


class World:
    """A level in play. ``outcome``: playing, dead, door, flag or won."""

    def __init__(self, level: Level) -> None:
        self.level = level
        self.grid: Grid = [list(row) for row in level.rows]
        self.tick = 0
        self.steps_left = level.seconds * STEPS_PER_SECOND
        self.outcome = "playing"
        self.bumps: dict[tuple[int, int], int] = {}
        start = level.first("P")
        assert start is not None  # parse() saw to it
        self.checkpoint = start
        self._populate()

    def _populate(self) -> None:
        """Hero at the checkpoint, enemies where they stood at first."""
        things, width = self.level.things, self.level.columns
        self.hero: Hero = hero_at((self.checkpoint.column + 0.5) * TILE, (self.checkpoint.row + 1) * TILE)
        self.enemies: list[Enemy] = [enemy(thing) for thing in things if thing.kind in "gsbe"]
        self.platforms: list[Platform] = [platform(thing) for thing in things if thing.kind in "hv"]
        self.items: list[Item] = []
        self.shots: list[Shot] = []
        king = self.level.first("K")
        self.boss: Boss | None = boss(king, width) if king else None

    def again(self) -> None:
        """After a death: back to the checkpoint with a full clock; coins and blocks stay as they are."""
        self.steps_left = self.level.seconds * STEPS_PER_SECOND
        self.outcome = "playing"
        self._populate()

    def come_back(self) -> None:
        """Out of the door again, at the level's R."""
        place = self.level.first("R") or self.checkpoint
        self.checkpoint = place
        self.outcome = "playing"
        powered = self.hero.powered
        self.hero = hero_at((place.column + 0.5) * TILE, (place.row + 1) * TILE)
        self.hero.powered = powered

    def copied(self) -> World:
        """An independent copy, for looking ahead."""
        twin = copy(self)
        twin.grid = [row.copy() for row in self.grid]
        twin.bumps = dict(self.bumps)
        twin.hero, twin.boss = copy(self.hero), copy(self.boss)
        twin.enemies, twin.platforms = list(map(copy, self.enemies)), list(map(copy, self.platforms))
        twin.items, twin.shots = list(map(copy, self.items)), list(map(copy, self.shots))
        return twin

    @property
    def seconds_left(self) -> int:
        """Whole seconds on the clock, rounded up."""
        return -(-self.steps_left // STEPS_PER_SECOND)

    @property
    def arena(self) -> tuple[float, float] | None:
        """Left and right end of the boss's hall while it fights."""
        return (self.boss.left, self.boss.right) if self.boss and self.boss.mood != "asleep" else None

    def step(self, buttons: Buttons) -> list[Event]:
        """One sixtieth of a second; nothing happens once the outcome is known."""
        if self.outcome != "playing":
            return []
        events: list[Event] = []
        self.tick += 1
        self.bumps = {place: left - 1 for place, left in self.bumps.items() if left > 1}
        self._move_platforms()
        self._move_hero(buttons, events)
        self._touch_tiles(events)
        self._touch_things(events)
        self._move_items(events)
        self._move_enemies(events)
        if self.boss is not None:
            self._fight(self.boss, events)
        if self.boss is None or self.boss.mood != "beaten":
            self.steps_left -= 1
        if self.steps_left <= 0 and self.outcome == "playing":
            self._die(events)
        return events

    # --- the hero -------------------------------------------------------------------------------------

    def _move_platforms(self) -> None:
        for board in self.platforms:
            x, y = board.at(self.tick)
            if _rides(self.hero, board):
                self.hero.y = y - self.hero.h
                move_x(self.grid, self.hero, x - board.x)
            board.x, board.y = x, y

    def _move_hero(self, buttons: Buttons, events: list[Event]) -> None:
        hero = self.hero
        was_grounded, speed = hero.grounded, hero.vy
        if steer(hero, buttons):
            events.append(Event("jump", hero.cx, hero.bottom))
        before = hero.bottom
        bumped = travel(hero, self.grid)
        if bumped:
            self._bump(*bumped, events)
        for board in self.platforms:
            over = hero.x < board.x + board.w and board.x < hero.x + hero.w
            lowest = max(board.y, board.at(self.tick - 1)[1])  # it may have risen past the feet in this step
            if hero.vy >= 0 and over and before <= lowest + 0.01 and hero.bottom >= board.y:
                hero.y, hero.vy, hero.grounded, hero.chain = board.y - hero.h, 0.0, True, 0
        if hero.grounded and not was_grounded and speed > 3:
            events.append(Event("land", hero.cx, hero.bottom))
        if hero.y > ABYSS:
            self._die(events)

    def _bump(self, column: int, row: int, events: list[Event]) -> None:
        """A block hit from below."""
        tile = self.grid[row][column]
        x, y = (column + 0.5) * TILE, row * TILE
        self.bumps[column, row] = 14
        for foe in self.enemies:
            if abs(foe.cx - x) < TILE and abs(foe.bottom - y) < 4 and not foe.flat and foe.kind in "gs":
                foe.flat = FLAT_STEPS
                events.append(Event("stomp", foe.cx, foe.y, STOMP))
        if tile == "?":
            self.grid[row][column] = "U"
            events.append(Event("coin", x, y - 16, COIN))
        elif tile == "!":
            self.grid[row][column] = "U"
            self.items.append(Item(x - 12, float(y), 24.0, 26.0))
            events.append(Event("sprout", x, y))
        elif tile == "B" and self.hero.powered:
            self.grid[row][column] = "."
            events.append(Event("brick", x, y + TILE / 2, BRICK))
        else:
            events.append(Event("bump", x, y + TILE))

    def _touch_tiles(self, events: list[Event]) -> None:
        hero = self.hero
        for row in span(hero.y, hero.bottom):
            if not 0 <= row < ROWS:
                continue
            for column in span(max(0.0, hero.x), hero.x + hero.w):
                tile = self.grid[row][column]
                if tile == "o":
                    self.grid[row][column] = "."
                    events.append(Event("coin", (column + 0.5) * TILE, (row + 0.5) * TILE, COIN))
                elif tile == "~" and hero.bottom > row * TILE + 10:
                    self._die(events)
                elif tile == "^" and hero.bottom > row * TILE + 14:
                    self._hurt(events)

    def _touch_things(self, events: list[Event]) -> None:
        hero = self.hero
        for thing in self.level.things:
            if thing.kind not in "CDF" or abs((thing.column + 0.5) * TILE - hero.cx) > 14:
                continue
            x, y = (thing.column + 0.5) * TILE, float(thing.row * TILE)
            if thing.kind == "C" and thing.column > self.checkpoint.column:
                self.checkpoint = thing
                events.append(Event("checkpoint", x, y))
            elif thing.kind == "F" and self.outcome == "playing":
                height = max(0, min(10, int((thing.row + 1) - hero.bottom // TILE)))
                self.outcome = "flag"
                events.append(Event("flag", x, y, 100 + 500 * height))
            elif thing.kind == "D" and hero.grounded and abs(hero.bottom - y - TILE) < 4:
                self.outcome = "door"
                events.append(Event("door", x, y))

    def _hurt(self, events: list[Event]) -> None:
        hero = self.hero
        if hero.safe:
            return
        if not hero.powered:
            self._die(events)
            return
        hero.powered, hero.safe = False, SAFE_STEPS
        events.append(Event("hurt", hero.cx, hero.y))

    def _die(self, events: list[Event]) -> None:
        if self.outcome == "playing":
            self.outcome = "dead"
            self.hero.powered = False
            events.append(Event("die", self.hero.cx, self.hero.y))

    # --- everything else ------------------------------------------------------------------------------

    def _move_items(self, events: list[Event]) -> None:
        for item in self.items.copy():
            move_item(item, self.grid)
            if not item.rising and item.overlaps(self.hero):
                self.items.remove(item)
                self.hero.powered = True
                events.append(Event("power-up", item.cx, item.y, SUNFLOWER))

    def _move_enemies(self, events: list[Event]) -> None:
        hero = self.hero
        falling = hero.vy > 0  # as it came down: it may land on two of them at once
        for foe in self.enemies:
            if abs(foe.cx - hero.cx) > AWAKE:
                continue
            move_enemy(foe, self.grid)
            if foe.flat or foe.gone or not foe.overlaps(hero):
                continue
            if foe.kind in STOMPABLE and falling and hero.bottom < foe.y + 16:
                hero.chain += 1
                foe.flat = FLAT_STEPS
                bounce(hero, 7.0)
                events.append(Event("stomp", foe.cx, foe.y, STOMP * min(hero.chain, 5)))
            else:
                self._hurt(events)
        self.enemies = [foe for foe in self.enemies if not foe.gone and foe.y < ABYSS]

    def _fight(self, king: Boss, events: list[Event]) -> None:
        hero = self.hero
        if king.mood == "asleep":
            if hero.x < king.left + 2 * TILE:
                return
            king.become("walk")
            events.append(Event("boss", king.cx, king.y))
        hero.x = min(max(hero.x, king.left), king.right - hero.w)
        if shot := move_boss(king, self.grid, hero):
            self.shots.append(shot)
            events.append(Event("throw", shot.x, shot.y))
        self.shots = [shot for shot in self.shots if move_shot(shot, self.grid)]
        if king.mood == "beaten":
            self.shots.clear()
            if king.age >= BEATEN_STEPS:
                self.outcome = "won"
            return
        if any(shot.overlaps(hero) for shot in self.shots):
            self._hurt(events)
        if king.mood != "dazed" and king.overlaps(hero):
            self._clash(king, events)

    def _clash(self, king: Boss, events: list[Event]) -> None:
        hero = self.hero
        if hero.vy <= king.vy or hero.bottom > king.y + 22:
            self._hurt(events)
            return
        king.health -= 1
        king.become("dazed" if king.health else "beaten")
        bounce(hero, 8.5)
        events.append(Event("boss beaten" if not king.health else "boss hit", king.cx, king.y, BOSS_HIT))


def _rides(hero: Hero, board: Platform) -> bool:
    over = hero.x < board.x + board.w and board.x < hero.x + hero.w
    return hero.grounded and over and abs(hero.bottom - board.y) < 0.01
