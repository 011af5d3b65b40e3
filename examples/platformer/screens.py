"""Title, cards, pause, game over and victory."""

from __future__ import annotations

from math import sin
from typing import Final

import pygame

import tilework
from game import Game
from hud import GOLD, WHITE, Type, panel
from pen import Color, mix
from scenery import HEIGHT, WIDTH, Scenery

Poses = dict[str, dict[int, list[pygame.Surface]]]

NAME: Final = "PIP'S OVERTURE"
NUMERALS: Final = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X")
RAINBOW: Final[tuple[Color, ...]] = (
    (255, 96, 96),
    (255, 168, 66),
    (255, 220, 84),
    (120, 216, 120),
    (96, 176, 255),
)


class Screens:
    """Draws what is not the level itself."""

    def __init__(self, letters: Type, pips: Poses, bosses: Poses) -> None:
        self._letters = letters
        self._pips, self._bosses = pips, bosses
        self._tiles = tilework.Tiles("meadow")
        self._block = tilework.block(0.3)
        self._board = panel(360, 150)
        self._shade = pygame.Surface((WIDTH, HEIGHT), pygame.SRCALPHA)
        self._shade.fill((20, 12, 38, 150))
        big = pygame.transform.smoothscale_by(pips["stand"][1][0], 2)
        self._big_pip = [big, pygame.transform.smoothscale_by(pips["stand"][1][1], 2)]

    def title(self, target: pygame.Surface, behind: Scenery, tick: int, pulse: float) -> None:
        """The name of the game over a running meadow."""
        camera = tick * 1.5
        behind.draw(target, camera, tick, pulse)
        for column in range(int(camera // 30), int(camera // 30) + 23):
            x = column * 30 - camera
            target.blit(self._tiles.ground(True, False, False, False, column * 7 % 4), (x, 300))
            target.blit(self._tiles.ground(False, False, False, False, column * 5 % 4), (x, 330))
        hop = abs(sin(tick * 0.09)) * 12
        picture = self._pips["run"][1][tick // 5 % 4]
        target.blit(picture, picture.get_rect(midbottom=(150, 303 - hop * (tick // 70 % 2))))
        self._name(target, 112, tick, pulse)
        self._letters.put(
            target, "a little run in three movements", 26, (320, 148), (255, 250, 226), "center"
        )
        if tick // 32 % 2 == 0 or pulse > 0.6:
            self._letters.put(target, "press ENTER or START", 30, (320, 205), GOLD, "center")
        keys = "arrows: run   X or shift: faster   space: jump   P: pause   F: full screen"
        self._letters.put(target, keys, 18, (320, 326), WHITE, "center")

    def _name(self, target: pygame.Surface, y: float, tick: int, pulse: float) -> None:
        """Letters that hop along with the beat."""
        lines = [self._letters.line(letter, 76, RAINBOW[i % 5]) for i, letter in enumerate(NAME)]
        gap = -2
        x = 320 - (sum(line.get_width() + gap for line in lines)) / 2
        for i, line in enumerate(lines):
            wave = 4 * sin(tick * 0.06 + i * 0.55) - (9 * pulse if i % 2 == 0 else 5 * pulse)
            target.blit(line, line.get_rect(midleft=(round(x), round(y - 20 + wave))))
            x += line.get_width() + gap

    def over(self, target: pygame.Surface, game: Game, tick: int, pulse: float) -> None:
        """What lies over the level on this screen."""
        put = self._letters.put
        match game.screen:
            case "card":
                self._card(target, game)
            case "paused":
                target.blit(self._shade, (0, 0))
                put(target, "PAUSE", 64, (320, 178), WHITE, "center")
                put(target, "P or START: go on", 22, (320, 226), GOLD, "center")
                keys = "N: another piece    K: keep this one    Tab: piano roll    M: sound    Esc: leave"
                put(target, keys, 19, (320, 268), WHITE, "center")
            case "clear":
                put(target, "AREA CLEAR!", 58, (320, 158 - 4 * pulse), GOLD, "center")
                bonus = f"{game.world.seconds_left} seconds left: + {10 * game.world.seconds_left}"
                put(target, bonus, 24, (320, 204), WHITE, "center")
            case "game over":
                target.blit(self._shade, (0, 0))
                put(target, "GAME OVER", 68, (320, 140), (255, 110, 110), "center")
                put(target, f"score {game.score}", 26, (320, 194), WHITE, "center")
                put(target, "ENTER: back to the title", 20, (320, 232), GOLD, "center")
            case "victory":
                self._victory(target, game, tick, pulse)

    def _card(self, target: pygame.Surface, game: Game) -> None:
        """The name of an area, sliding in."""
        slide = max(0, 18 - game.age) * 26
        target.blit(self._board, self._board.get_rect(center=(320 - slide, 170)))
        number = sorted(game.levels).index(game.world.level.name)
        numeral = NUMERALS[number] if number < len(NUMERALS) else number + 1
        self._letters.put(target, f"Movement {numeral}", 24, (320 - slide, 132), GOLD, "center")
        self._letters.put(target, game.world.level.title, 42, (320 - slide, 168), WHITE, "center")
        face = self._pips["stand"][1][0]
        target.blit(face, face.get_rect(center=(300 - slide, 208)))
        self._letters.put(target, f"x {game.lives}", 26, (342 - slide, 212), WHITE, "center")

    def _victory(self, target: pygame.Surface, game: Game, tick: int, pulse: float) -> None:
        target.blit(self._shade, (0, 0))
        picture = self._big_pip[tick // 20 % 2]
        target.blit(picture, picture.get_rect(midbottom=(320, 300 - 14 * pulse)))
        color = mix(GOLD, WHITE, pulse)
        self._letters.put(target, "BRAVO!", 84, (320, 92 - 6 * pulse), color, "center")
        self._letters.put(target, f"final score {game.score}", 30, (320, 146), WHITE, "center")
        thanks = "Basso hums softly now, and the morning may begin."
        self._letters.put(target, thanks, 20, (320, 180), (226, 234, 255), "center")
        self._letters.put(target, "ENTER: back to the title", 20, (320, 322), GOLD, "center")

    def boss_bar(self, target: pygame.Surface, health: int) -> None:
        """The boss's name and what is left of it."""
        self._letters.put(target, "BASSO", 22, (286, 43), (255, 170, 170), "midright")
        for i in range(3):
            color: Color = (232, 70, 84) if i < health else (70, 54, 92)
            pygame.draw.rect(target, (40, 28, 54), (294 + i * 34, 36, 32, 14), border_radius=4)
            pygame.draw.rect(target, color, (296 + i * 34, 38, 28, 10), border_radius=3)
