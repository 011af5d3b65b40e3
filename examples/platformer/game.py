"""The whole game: screens, lives, score and the way from level to level. Pure, one call a step."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Final, Literal

from hero import Buttons
from level import FIRST_LEVEL, Level
from world import Event, World

Screen = Literal["title", "card", "play", "paused", "dying", "clear", "game over", "victory"]

LIVES: Final = 3
COINS_FOR_A_LIFE: Final = 50
SECOND_BONUS: Final = 10
CARD_STEPS: Final = 110
DYING_STEPS: Final = 110
CLEAR_STEPS: Final = 200
HURRY_SECONDS: Final = 30


class Game:
    """The game from title to victory. ``age``: steps since the screen changed."""

    def __init__(self, levels: Mapping[str, Level]) -> None:
        self.levels = levels
        self.screen: Screen = "title"
        self.age = 0
        self.pressed = Buttons()
        self._new_game()

    def _new_game(self) -> None:
        self.worlds: dict[str, World] = {}
        self.score = self.coins = 0
        self.lives = LIVES
        self._enter(FIRST_LEVEL)

    def _enter(self, name: str) -> None:
        """Make the level of that name the present one; one entered before goes on as it was left."""
        if name in self.worlds:
            # another copy of this game may hold the same world
            self.worlds[name] = self.worlds[name].copied()
            self.worlds[name].come_back()
        else:
            self.worlds[name] = World(self.levels[name])
        self.world = self.worlds[name]

    def copied(self) -> Game:
        """An independent copy as far as the present level goes, for looking ahead."""
        twin = copy(self)
        twin.world = self.world.copied()
        twin.worlds = {**self.worlds, self.world.level.name: twin.world}
        return twin

    @property
    def hurried(self) -> bool:
        """Whether the last seconds are running."""
        return self.screen in ("play", "paused") and self.world.seconds_left <= HURRY_SECONDS

    def step(self, buttons: Buttons) -> list[Event]:
        """One sixtieth of a second; what happened in it."""
        start = buttons.start and not self.pressed.start
        self.pressed = buttons
        self.age += 1
        match self.screen:
            case "title" | "game over" | "victory":
                return self._wait(start)
            case "card":
                return self._show("play") if self.age >= CARD_STEPS or (start and self.age > 20) else []
            case "paused":
                return [*self._show("play"), Event("unpause", 0, 0)] if start else []
            case "play":
                return [*self._show("paused"), Event("pause", 0, 0)] if start else self._play(buttons)
            case "dying":
                return self._after_death() if self.age >= DYING_STEPS else []
            case "clear":
                return self._after_flag() if self.age >= CLEAR_STEPS else []

    def _show(self, screen: Screen) -> list[Event]:
        self.screen, self.age = screen, 0
        return []

    def _wait(self, start: bool) -> list[Event]:
        if not start or self.age < 30:
            return []
        if self.screen == "title":
            self._new_game()
            self._show("card")
            return [Event("level", 0, 0)]
        self._show("title")
        return [Event("title", 0, 0)]

    def _play(self, buttons: Buttons) -> list[Event]:
        events = self.world.step(buttons)
        hero = self.world.hero
        for event in events.copy():
            self.score += event.value
            if event.kind == "coin":
                self.coins += 1
                if self.coins % COINS_FOR_A_LIFE == 0:
                    self.lives += 1
                    events.append(Event("life", hero.cx, hero.y))
        match self.world.outcome:
            case "dead":
                self.lives -= 1
                self._show("dying")
            case "flag":
                self._show("clear")
            case "door":
                self._through_door()
                events.append(Event("level", 0, 0))
            case "won":
                self._bonus()
                self._show("victory")
                events.append(Event("victory", 0, 0))
        return events

    def _through_door(self) -> None:
        target = self.world.level.door
        assert target is not None  # parse() saw to it
        hero = self.world.hero
        self._enter(target)
        self.world.hero.powered = hero.powered
        self._show("card" if self.world.tick == 0 else "play")

    def _after_death(self) -> list[Event]:
        if self.lives == 0:
            self._show("game over")
            return [Event("game over", 0, 0)]
        self.world.again()
        self._show("play")
        return [Event("again", 0, 0)]

    def _after_flag(self) -> list[Event]:
        self._bonus()
        powered = self.world.hero.powered
        target = self.world.level.next
        assert target is not None  # parse() saw to it
        self._enter(target)
        self.world.hero.powered = powered
        self._show("card")
        return [Event("level", 0, 0)]

    def _bonus(self) -> None:
        self.score += SECOND_BONUS * self.world.seconds_left
