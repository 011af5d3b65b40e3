"""Pip's Overture: a little platformer whose music plays along.

    python examples/platformer/main.py

Arrows run, X or Shift faster, Space jumps, Enter starts, P pauses, F full screen, Esc leaves; a gamepad works
too. N asks for another piece, K keeps the one that plays, Tab shows its piano roll, M mutes.

This file is the loop. The rules of the game are in game.py and world.py, the picture in view.py, and all that
concerns music in music.py.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import pygame

import demo
from controls import Controls
from game import Game
from hero import Buttons
from level import LevelError, load_folder
from music import Soundtrack
from pianogan_bgm import PianoganError
from scenery import HEIGHT, WIDTH
from view import View
from world import STEPS_PER_SECOND

LEVELS = Path(__file__).with_name("levels")
FAVOURITES = Path.home() / ".pips-overture.json"
STEP = 1.0 / STEPS_PER_SECOND
MOST_STEPS = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Play until the window is closed; the exit status."""
    options = parse(argv)
    try:
        game = Game(load_folder(options.levels))
        script = demo.read() if options.demo else None
    except (LevelError, ValueError, OSError) as error:
        print(f"{Path(__file__).name}: {error}", file=sys.stderr)
        return 1
    pygame.init()
    try:
        canvas = open_window()
        soundtrack = Soundtrack(
            options.seed,
            mute=options.mute,
            playlist=options.playlist,
            record=options.record,
            model=options.model,
            favourites=None if options.demo else options.favourites,
        )
    except (PianoganError, OSError, pygame.error) as error:
        print(f"{Path(__file__).name}: {error}", file=sys.stderr)
        return 1
    try:
        return play(game, canvas, soundtrack, script, options)
    finally:
        soundtrack.close()
        pygame.quit()


def play(
    game: Game,
    canvas: pygame.Surface,
    soundtrack: Soundtrack,
    script: Iterator[Buttons] | None,
    options: argparse.Namespace,
) -> int:
    """The loop: events, as many steps as time has passed, one picture."""
    view, controls, clock = (
        View(),
        Controls(),
        Clock(options.fast or (options.demo and options.record is not None)),
    )
    frames, away = 0, False
    while True:
        for event in pygame.event.get():
            controls.notice(event)
            if event.type == soundtrack.event_type:
                soundtrack.hear(event)
            elif event.type == pygame.QUIT:
                return 1 if options.demo else 0
            elif event.type in {pygame.WINDOWFOCUSLOST, pygame.WINDOWFOCUSGAINED}:
                away = event.type == pygame.WINDOWFOCUSLOST
            elif event.type == pygame.KEYDOWN:
                away = False  # keys come to none but the window that is looked at
                press(event.key, soundtrack)

        for _ in range(clock.steps_due()):
            if away and game.screen == "play":  # also when a level begins: nobody is to lose a life unseen
                controls.strike_start()
            buttons = controls.buttons() if script is None else next(script, None)
            if buttons is None:  # the script is over
                return 0 if game.screen == "victory" else 1
            happened = game.step(buttons)
            soundtrack.follow(game, happened)
            view.follow(game, happened)

        view.draw(canvas, game, soundtrack.heard())
        pygame.display.flip()
        frames += 1
        if frames == options.frames:
            return 0


class Clock:
    """Fixed steps out of uneven frames: how many sixtieths of a second have passed since the last frame."""

    def __init__(self, fast: bool) -> None:
        self._fast = fast
        self._clock = pygame.time.Clock()
        self._debt = 0.0

    def steps_due(self) -> int:
        """Waits for the next frame. ``fast``: does not wait, and makes one step a frame."""
        if self._fast:
            return 1
        passed = self._clock.tick(STEPS_PER_SECOND) / 1000.0
        # a screen of about 60 Hz gets exactly one step a frame, which looks smoother than 0, 2, 1, …
        self._debt += STEP if abs(passed - STEP) < 0.002 else passed
        steps = min(MOST_STEPS, int(self._debt / STEP + 1e-9))
        self._debt = 0.0 if steps == MOST_STEPS else self._debt - steps * STEP
        return steps


def press(key: int, soundtrack: Soundtrack) -> None:
    """Keys that are no buttons of the game."""
    if key == pygame.K_ESCAPE:
        pygame.event.post(pygame.event.Event(pygame.QUIT))
    elif key in (pygame.K_f, pygame.K_F11):
        with suppress(pygame.error):  # not every screen has another size
            pygame.display.toggle_fullscreen()
    elif key == pygame.K_n:
        soundtrack.another()
    elif key == pygame.K_k:
        soundtrack.keep()
    elif key == pygame.K_TAB:
        soundtrack.show_roll = not soundtrack.show_roll
    elif key == pygame.K_m:
        soundtrack.toggle_sound()


def open_window() -> pygame.Surface:
    """A window that scales the picture to any size, with black bars where the shape differs."""
    pygame.display.set_caption("Pip's Overture")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pygame's about a slow renderer, which is fast enough for this
        try:
            return pygame.display.set_mode((WIDTH, HEIGHT), pygame.SCALED | pygame.RESIZABLE)
        except pygame.error:  # no renderer, as without a screen
            return pygame.display.set_mode((WIDTH, HEIGHT))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="A little platformer whose music plays along.")
    add = parser.add_argument
    add("--seed", type=int, help="make the order of pieces repeatable")
    add("--mute", action="store_true", help="begin muted")
    add("--playlist", type=Path, metavar="DIR", help="play these pieces instead of composing")
    add("--record", type=Path, metavar="WAV", help="write the soundtrack to a file, unheard")
    add("--model", default="open", help="name or file of the model that composes")
    add("--demo", action="store_true", help="watch the game being played; status 0 at victory")
    add("--frames", type=int, default=0, metavar="N", help="stop after so many frames")
    add("--fast", action="store_true", help="do not wait between frames")
    add("--levels", type=Path, default=LEVELS, metavar="DIR", help="play other levels")
    add("--favourites", type=Path, default=FAVOURITES, metavar="FILE", help="where kept seeds are stored")
    return parser.parse_args(argv)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # Ctrl-C
        raise SystemExit(main())
