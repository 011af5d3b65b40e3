"""Pictures for the documentation, taken while the scripted player plays: ``docs/images/platformer-*.png``."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Final

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")

import pygame
from PIL import Image

import demo
from game import Game
from level import load_folder
from main import LEVELS
from music import Soundtrack
from scenery import HEIGHT, WIDTH
from view import View

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
COLORS: Final = 255
MOMENTS: Final = {
    204: "title",
    1014: "meadow",
    1925: "cave",
    2390: "pianoroll",
    3575: "castle",
    4172: "boss",
    4700: "victory",
}
"""Step of the recording and name of the picture."""


def main() -> int:
    """Play the recording and save a picture at each moment."""
    parser = argparse.ArgumentParser(description="Pictures of the platformer for the documentation.")
    parser.add_argument("--model", default="open", help="name or file of the model that composes")
    parser.add_argument("--playlist", type=Path, help="pieces to play instead")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder for the pictures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    pygame.init()
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.wav"  # recorded, so that music and picture keep together
        soundtrack = Soundtrack(options.seed, model=options.model, playlist=options.playlist, record=sound)
        play(soundtrack, options.out)
        soundtrack.close()
    pygame.quit()
    return 0


def play(soundtrack: Soundtrack, out: Path) -> None:
    """The whole recording, drawn step by step."""
    canvas = pygame.display.set_mode((WIDTH, HEIGHT))
    game, view = Game(load_folder(LEVELS)), View()
    for number, buttons in enumerate(demo.read()):
        happened = game.step(buttons)
        soundtrack.follow(game, happened)
        for event in pygame.event.get(soundtrack.event_type) if soundtrack.event_type > 0 else ():
            soundtrack.hear(event)
        view.follow(game, happened)
        soundtrack.show_roll = any(
            0 <= at - number < 40 for at, name in MOMENTS.items() if name == "pianoroll"
        )
        view.draw(canvas, game, soundtrack.heard())
        if number in MOMENTS:
            save(canvas, out / f"platformer-{MOMENTS[number]}.png")


def save(canvas: pygame.Surface, path: Path) -> None:
    """A small PNG with a palette."""
    picture = Image.frombytes("RGB", canvas.get_size(), pygame.image.tobytes(canvas, "RGB"))
    small = picture.quantize(COLORS, method=Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    draft = path.with_suffix(".part")
    small.save(draft, format="PNG", optimize=True)
    draft.replace(path)
    print(f"{path.name}: {path.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    raise SystemExit(main())
