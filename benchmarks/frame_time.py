"""What the music costs the platformer: time of every frame of the scripted run, with music and without.

    python benchmarks/frame_time.py [--model NAME] [--rounds 2] [--steps N]

The scripted player plays the whole game at 60 frames a second, in turn without and with music. A frame's time
is what events, one step, the soundtrack's calls, drawing and flip take together; the wait for the next frame
does not count. The music plays through SDL's dummy driver unless SDL_AUDIODRIVER says otherwise. Prints one
table; the last line is what the project promises: p99 with music minus p99 without, at most 0.5 ms.
"""

# ruff: noqa: E402  the environment and the path of the game come before pygame and the game

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Final

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
PLATFORMER: Final = Path(__file__).parents[1] / "examples" / "platformer"
sys.path.insert(0, str(Path(__file__).parents[1]))  # the package beside this file, not an installed one
sys.path.insert(0, str(PLATFORMER))

import numpy as np
import numpy.typing as npt
import pygame

import demo
from game import Game
from level import load_folder
from music import Soundtrack
from scenery import HEIGHT, WIDTH
from view import Heard, View
from world import STEPS_PER_SECOND

Times = npt.NDArray[np.float64]
PROMISE_MS: Final = 0.5


def main(argv: list[str] | None = None) -> int:
    """Measure and print; status 1 if the scripted player does not win or the music could not play."""
    options = parse(argv)
    pygame.init()
    canvas = pygame.display.set_mode((WIDTH, HEIGHT))
    found: dict[bool, list[Times]] = {False: [], True: []}
    calls: list[Times] = []
    for number in range(options.rounds):
        for music in (False, True):
            print(f"round {number + 1}, {'with' if music else 'without'} music", file=sys.stderr)
            soundtrack = None
            if music:
                soundtrack = Soundtrack(options.seed, model=options.model, playlist=options.playlist)
            if soundtrack is not None and soundtrack.music is None:
                return 1
            times, asked, won = measure(canvas, soundtrack, options.steps)
            if soundtrack is not None:
                stats = soundtrack.music.stats if soundtrack.music is not None else None
                print(f"  {stats}", file=sys.stderr)
                soundtrack.close()
                calls.append(asked)
            if not won and options.steps is None:
                print("the scripted player did not reach victory", file=sys.stderr)
                return 1
            found[music].append(times)
    report(np.concatenate(found[False]), np.concatenate(found[True]), np.concatenate(calls))
    pygame.quit()
    return 0


def measure(
    canvas: pygame.Surface, soundtrack: Soundtrack | None, steps: int | None
) -> tuple[Times, Times, bool]:
    """Milliseconds of every frame, of the soundtrack's calls in it, and whether the game was won."""
    game, view, clock = Game(load_folder(PLATFORMER / "levels")), View(), pygame.time.Clock()
    frames, calls = [], []
    gc.collect()
    for buttons in islice(demo.read(), steps):
        begun = time.perf_counter()
        for event in pygame.event.get():
            if soundtrack is not None and event.type == soundtrack.event_type:
                soundtrack.hear(event)
        happened = game.step(buttons)
        asked = time.perf_counter()
        # the same picture without music: the beat is made up
        heard = Heard(max(0.0, 1.0 - len(frames) % 30 / 15), "seed 0  ·  C major  ·  bar 0")
        if soundtrack is not None:
            soundtrack.follow(game, happened)
            heard = soundtrack.heard()
        answered = time.perf_counter()
        view.follow(game, happened)
        view.draw(canvas, game, heard)
        pygame.display.flip()
        frames.append(time.perf_counter() - begun)
        calls.append(answered - asked)
        clock.tick(STEPS_PER_SECOND)
    return np.array(frames) * 1000.0, np.array(calls) * 1000.0, game.screen == "victory"


def report(without: Times, with_music: Times, calls: Times) -> None:
    """The table."""
    print(f"{'ms a frame':24}{'median':>9}{'p90':>9}{'p99':>9}{'worst':>9}{'frames':>9}")
    rows = {"without music": without, "with music": with_music, "calls to the music": calls}
    for name, times in rows.items():
        figures = [*np.percentile(times, (50, 90, 99)), times.max()]
        print(f"{name:24}" + "".join(f"{value:9.3f}" for value in figures) + f"{len(times):9}")
    late = [float((times > 1000.0 / STEPS_PER_SECOND).mean()) for times in (without, with_music)]
    print(f"frames over 16.7 ms: {late[0]:.2%} without, {late[1]:.2%} with music")
    more = float(np.percentile(with_music, 99) - np.percentile(without, 99))
    print(f"p99 with music minus p99 without: {more:+.3f} ms (promised: at most {PROMISE_MS} ms)")


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="What the music costs the platformer's frames.")
    parser.add_argument("--model", default="open", help="name or file of the model that composes")
    parser.add_argument("--playlist", type=Path, metavar="DIR", help="pieces to play instead of composing")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--rounds", type=int, default=2, help="times each way, in turn")
    parser.add_argument("--steps", type=int, help="stop after so many steps of the run")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
