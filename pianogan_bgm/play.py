"""The command ``pianogan-bgm play``: endless music, with a line that tells what is heard."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pianogan_bgm.midi import read_piece

if TYPE_CHECKING:
    from pianogan_bgm.player import BackgroundMusic

FADE_MS: Final = 1500.0
TICK: Final = 0.05


def play(
    source: Path | None = None,
    seed: int | None = None,
    seconds: float | None = None,
    mood: str | None = None,
    model: str = "open",
) -> int:
    """Play until Ctrl-C or for ``seconds``; a MIDI file ``source`` is looped. Returns the exit status."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    from pianogan_bgm.player import BackgroundMusic

    piece = None if source is None else replace(read_piece(source), title=source.stem)
    with BackgroundMusic(piece, seed=seed, mood=mood, model=model) as music:
        music.play(loops=-1, fade_ms=200)
        if music.silent:
            print("No sound device: keeping time silently.", file=sys.stderr)
        with contextlib.suppress(KeyboardInterrupt):
            _follow(music, seconds)
        _fade_out(music)
        errors = music.stats.errors
    for message in errors[:1]:
        print(message, file=sys.stderr)
    return 1 if errors else 0


def _follow(music: BackgroundMusic, seconds: float | None) -> None:
    """Show the line until time is up or the music ends by itself."""
    live = sys.stdout.isatty()
    began, shown = time.monotonic(), ""
    while seconds is None or time.monotonic() - began < seconds:
        now = music.now_playing
        if now is None and not music.get_busy() and time.monotonic() - began > 1.0:
            break
        if now is not None:
            line = f"{now.name}   {now.key}   {now.tempo:.0f} bpm"
            place = f"   bar {music.bar}, beat {music.beat}"
            if live:
                print(f"\r{line + place:<78}", end="", flush=True)  # not every terminal knows escapes
            elif line != shown:
                print(line, flush=True)
            shown = line
        time.sleep(TICK)
    if live:
        print()


def _fade_out(music: BackgroundMusic) -> None:
    """Fade, and wait for it; a second Ctrl-C ends at once."""
    music.fadeout(FADE_MS)
    until = time.monotonic() + FADE_MS / 1000.0 + 0.5
    with contextlib.suppress(KeyboardInterrupt):
        while music.get_busy() and time.monotonic() < until:
            time.sleep(TICK)
