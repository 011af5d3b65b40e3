"""The picture of a moment: level, figures, lines of text. Reads the game, changes nothing in it.

What moves by itself (camera, effects, flags) moves with the game's steps, however many pictures are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import pygame

import figures
import tilework
from actors import Boss, Enemy
from effects import Effects
from game import Game
from hero import Hero
from hud import ROLL_BOX, PianoRoll, RollNote, ScoreLine, Type, music_line
from level import ROWS, THEMES, TILE
from physics import cell
from scenery import HEIGHT, WIDTH, scenery
from screens import Screens
from world import Event, World

LOOK_AHEAD: Final = 0.4
ROLL_TOPS: Final = {"title": 224, "card": 246, "game over": 246, "victory": 206}
"""Upper edge of the piano roll on the screens that need its usual place."""
ROLL_BELOW_BOSS: Final = 56


@dataclass(slots=True)
class Heard:
    """What the picture takes from the music. ``pulse``: 1 on the beat, falling to 0; ``line``: what plays."""

    pulse: float = 0.0
    line: str = ""
    notes: Sequence[RollNote] = ()
    step: float = 0.0
    beats_per_bar: int = 4
    show_roll: bool = False


class View:
    """Draws games of 640 times 360 pixels; needs a display mode to be set."""

    def __init__(self) -> None:
        self.letters = Type()
        self.effects = Effects()
        self._tiles = {theme: tilework.Tiles(theme) for theme in THEMES}
        self._sceneries = {theme: scenery(theme) for theme in THEMES}
        self._bricks = {theme: tilework.brick(theme) for theme in THEMES}
        self._blocks = [tilework.block(i / 4) for i in range(5)]
        self._used, self._spikes = tilework.empty_block(), tilework.spikes()
        self._depth = tilework.depth()
        self._coins, self._shots = tilework.coins(), tilework.shots()
        self._board, self._sunflower = tilework.platform(), tilework.sunflower()
        self._flags = [tilework.flag(7, wave) for wave in (0.0, 1.2, 2.4, 3.6, 4.8)]
        self._doors = {theme: tilework.door(theme, outwards=theme == "cave") for theme in THEMES}
        self._forks = {lit: tilework.checkpoint(lit) for lit in (False, True)}
        self._pips = {
            powered: {
                pose: figures.both_ways(frames, drawn=1) for pose, frames in figures.pip(powered).items()
            }
            for powered in (False, True)
        }
        self._foes = {
            "g": figures.both_ways(figures.grumbles()),
            "s": figures.both_ways(figures.spikies()),
            "b": figures.both_ways(figures.moths()),
            "e": figures.both_ways(figures.embers()),
        }
        self._bosses = {pose: figures.both_ways(frames) for pose, frames in figures.bosses().items()}
        self._score = ScoreLine(self.letters, self._pips[False]["stand"][1][0], self._coins[0])
        self._roll = PianoRoll(self.letters)
        self._screens = Screens(self.letters, self._pips[False], self._bosses)
        self._camera = 0.0
        self._tick = 0
        self._world: World | None = None

    def follow(self, game: Game, events: Iterable[Event]) -> None:
        """What a step of the game changes in the picture: effects of its events, and the camera."""
        self._tick += 1
        self.effects.show(events)
        self.effects.step()
        self._look_at(game.world)

    def draw(self, target: pygame.Surface, game: Game, heard: Heard) -> None:
        """The whole picture of one frame."""
        if game.world is not self._world:
            self._look_at(game.world)
        if game.screen == "title":
            self._screens.title(target, self._sceneries["meadow"], self._tick, heard.pulse)
        else:
            self._draw_level(target, game, heard)
            self._screens.over(target, game, self._tick, heard.pulse)
        if heard.show_roll:
            self._roll.draw(target, roll_top(game), heard.notes, heard.step, heard.beats_per_bar)
        if heard.line:
            music_line(target, self.letters, heard.line, heard.pulse)

    def _draw_level(self, target: pygame.Surface, game: Game, heard: Heard) -> None:
        world = game.world
        dx, dy = self.effects.offset(self._tick)
        camera = self._camera + dx
        theme = world.level.theme
        self._sceneries[theme].draw(target, camera, self._tick, heard.pulse)
        self._draw_things(target, world, camera)
        self._draw_items(target, world, camera)
        self._draw_tiles(target, world, camera, heard.pulse)
        for foe in world.enemies:
            self._draw_foe(target, foe, camera)
        if world.boss is not None and game.screen != "victory":
            self._draw_boss(target, world.boss, world, camera)
        if game.screen != "victory":
            self._draw_hero(target, game, camera)
        self.effects.draw(target, camera, self.letters)
        if dy:
            target.scroll(0, dy)
        self._score.draw(target, world.level.title, game.lives, game.coins, game.score, world.seconds_left)
        if world.boss is not None and world.boss.awake:
            self._screens.boss_bar(target, world.boss.health)

    def _look_at(self, world: World) -> None:
        """Move the camera after the hero, gently; at once into another level."""
        width = world.level.columns * TILE
        arena = world.arena
        goal = world.hero.cx - WIDTH * LOOK_AHEAD
        if arena:
            goal = max(goal, arena[0] - TILE)
        goal = min(max(0.0, goal), width - WIDTH)
        far = world is not self._world or abs(goal - self._camera) > WIDTH
        self._camera = goal if far else self._camera + (goal - self._camera) * 0.14
        self._world = world

    def _draw_tiles(self, target: pygame.Surface, world: World, camera: float, pulse: float) -> None:
        first = int(camera // TILE)
        for column in range(max(0, first), min(world.level.columns, first + WIDTH // TILE + 3)):
            if world.grid[-1][column] == "." == world.grid[-2][column]:
                target.blit(self._depth, (column * TILE - camera, HEIGHT - 2 * TILE))
            for row in range(ROWS):
                letter = world.grid[row][column]
                if letter != ".":
                    lift = world.bumps.get((column, row), 0)
                    up = (14 - lift if lift > 7 else lift) if lift else 0
                    place = (column * TILE - camera, row * TILE - up)
                    self._draw_tile(target, world, letter, (column, row), place, pulse)

    def _draw_tile(
        self,
        target: pygame.Surface,
        world: World,
        letter: str,
        where: tuple[int, int],
        place: tuple[float, float],
        pulse: float,
    ) -> None:
        theme, (column, row) = world.level.theme, where
        if letter == "#":
            target.blit(self._ground(world, column, row), place)
        elif letter == "B":
            target.blit(self._bricks[theme], place)
        elif letter in "?!":
            picture = self._blocks[min(4, int(pulse * 5))]
            target.blit(picture, (place[0], place[1] - round(2 * pulse)))
        elif letter == "U":
            target.blit(self._used, place)
        elif letter == "o":
            target.blit(self._coins[(self._tick // 6 + column) % 6], (place[0], place[1] - round(3 * pulse)))
        elif letter == "=":
            target.blit(self._tiles[theme].ledge(), place)
        elif letter == "^":
            target.blit(self._spikes, place)
        elif letter == "~":
            self._draw_lava(target, place, column)

    def _ground(self, world: World, column: int, row: int) -> pygame.Surface:
        def open_to(dc: int, dr: int) -> bool:
            inside = 0 <= column + dc < world.level.columns and 0 <= row + dr < ROWS
            return inside and cell(world.grid, column + dc, row + dr) != "#"

        sides = open_to(0, -1), open_to(-1, 0), open_to(1, 0), open_to(0, 1)
        return self._tiles[world.level.theme].ground(*sides, (column * 7 + row * 5) % 4)

    def _draw_lava(self, target: pygame.Surface, place: tuple[float, float], column: int) -> None:
        wave = (self._tick // 8 + column * 2) % 8
        top = place[1] + 6 + abs(wave - 4)
        x = round(place[0])
        target.fill((228, 66, 40), (x, top, TILE, HEIGHT - top))
        target.fill((255, 170, 60), (x, top, TILE, 4))
        target.fill((255, 232, 140), (x, top, TILE, 2))

    def _draw_things(self, target: pygame.Surface, world: World, camera: float) -> None:
        for thing in world.level.things:
            x, floor = (thing.column + 0.5) * TILE - camera, (thing.row + 1) * TILE
            if not -90 < x < WIDTH + 90:
                continue
            if thing.kind in "DR":
                picture = self._doors[world.level.theme]
                target.blit(picture, picture.get_rect(midbottom=(x, floor)))
            elif thing.kind == "F":
                picture = self._flags[self._tick // 7 % len(self._flags)]
                target.blit(picture, (x - 19, floor - picture.get_height()))
            elif thing.kind == "C":
                picture = self._forks[thing.column <= world.checkpoint.column]
                target.blit(picture, picture.get_rect(midbottom=(x, floor + 3)))

    def _draw_items(self, target: pygame.Surface, world: World, camera: float) -> None:
        for item in world.items:
            target.blit(
                self._sunflower, self._sunflower.get_rect(midbottom=(item.cx - camera, item.bottom + 2))
            )
        for board in world.platforms:
            target.blit(self._board, (board.x - camera - 2, board.y - 2))
        for shot in world.shots:
            picture = self._shots[shot.age // 6 % 4]
            target.blit(picture, picture.get_rect(center=(shot.cx - camera, shot.y + 10)))

    def _draw_foe(self, target: pygame.Surface, foe: Enemy, camera: float) -> None:
        x = foe.cx - camera
        if not -40 < x < WIDTH + 40:
            return
        frames = self._foes[foe.kind][1 if foe.vx > 0 else -1]
        if foe.kind == "g":
            picture = frames[2] if foe.flat else frames[foe.age // 10 % 2]
        elif foe.kind == "b":
            picture = frames[(0, 1, 2, 1)[foe.age // 5 % 4]]
        else:
            picture = frames[foe.age // 8 % 2]
        below = 10 if foe.kind == "b" else 3 if foe.kind != "e" else 6
        drop = (24 - foe.flat) * 4 if foe.flat and foe.kind != "g" else 0
        if foe.kind == "e" and foe.vy > 0:
            picture = pygame.transform.flip(picture, False, True)
        target.blit(picture, picture.get_rect(midbottom=(x, foe.bottom + below + drop)))

    def _draw_boss(self, target: pygame.Surface, king: Boss, world: World, camera: float) -> None:
        side = 1 if world.hero.cx > king.cx else -1
        frames = self._bosses[king.mood][side]
        if king.mood == "dazed" and king.age // 4 % 2 and king.age < 40:
            return
        picture = frames[king.age // 14 % len(frames)]
        sink = king.age // 2 if king.mood == "beaten" else 0
        target.blit(picture, picture.get_rect(midbottom=(king.cx - camera, king.bottom + 4 + sink)))

    def _draw_hero(self, target: pygame.Surface, game: Game, camera: float) -> None:
        hero = game.world.hero
        x, foot = hero.cx - camera, hero.bottom + 1
        if game.screen == "dying":
            age = game.age
            foot += 0.09 * age * age - 5.2 * age if age > 20 else 0
            picture = self._pips[False]["oops"][hero.facing][0]
        else:
            if hero.safe // 4 % 2:
                return
            picture = self._pose(hero)
        if game.screen == "clear":  # down the pole, then on to the right
            ground = (game.world.level.first("F") or game.world.checkpoint).row * TILE + TILE + 1
            foot = min(float(ground), foot + 4.0 * game.age)
            x += max(0, game.age - 60) * 2.0
            if game.age > 60:
                picture = self._pips[hero.powered]["run"][1][game.age // 5 % 4]
        target.blit(picture, picture.get_rect(midbottom=(round(x), round(foot))))

    def _pose(self, hero: Hero) -> pygame.Surface:
        poses = self._pips[hero.powered]
        if not hero.grounded:
            return poses["jump" if hero.vy < 0 else "fall"][hero.facing][0]
        if abs(hero.vx) < 0.3:
            return poses["stand"][hero.facing][self._tick // 24 % 2]
        return poses["run"][hero.facing][int(abs(hero.strain) // 13) % 4]


def roll_top(game: Game) -> int:
    """Upper edge of the piano roll where it hides nothing that is written."""
    king = game.world.boss
    if game.screen in ROLL_TOPS:
        return ROLL_TOPS[game.screen]
    return ROLL_BELOW_BOSS if king is not None and king.awake else ROLL_BOX.top
