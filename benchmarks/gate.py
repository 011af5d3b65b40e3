"""Has anything become slower? Ratios in one run, so that a slow or busy machine says the same as a quick one.

    python benchmarks/gate.py [--rounds 5] [--reference]

Each figure is processor time of this thread, divided by that of a loop of Python and numpy measured just
before and after it (the unit: some tens of milliseconds); of the rounds the smallest counts, which other
programs disturb least. ``--reference`` also composes with the original network at a quarter of its width
and demands a ratio; it needs the train extra. Ends with 1 where a limit is passed. The limits are twice
(half) what was measured when they were set: they find what has become much slower by mistake, not what
another processor does a little differently.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from streaming import RATE, dense_piece

REFERENCE_WIDTH: Final = 0.25


@dataclass(frozen=True)
class Limit:
    """The most (or, with ``least``, the least) that a ratio may be; ``what`` says of what."""

    value: float
    what: str
    least: bool = False


LIMITS: Final[Mapping[str, Limit]] = {
    "stream": Limit(11.0, "20 seconds of dense music pulled, samples decoded"),
    "decode": Limit(7.6, "twenty tones of the piano, decoded and tuned"),
    "command": Limit(4.1, "eight intensity commands, each with the second of sound after it"),
    "calls": Limit(0.025, "a thousand setters and stingers called by a game's thread"),
    "compose": Limit(7.0, "five pieces composed and prepared"),
    "reference": Limit(14.0, "the original network at a quarter of its width against ours", least=True),
}


def unit() -> None:
    """The yardstick: what the engine does most, in numpy on blocks of 8192 frames, and Python between."""
    block, total = np.linspace(-1, 1, 16384, dtype=np.float32).reshape(-1, 2), np.zeros((8192, 2), np.float32)
    found: dict[int, tuple[int, float]] = {}
    for turn in range(5000):
        total += np.multiply(block, np.float32(turn), dtype=np.float32)
        for key in range(30):
            found[key] = (turn, found.get(key, (0, 0.5))[1] * 0.5)


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    works = {"stream": stream, "decode": decode, "command": command(), "calls": calls(), "compose": compose()}
    ratios = {name: ratio(work, options.rounds) for name, work in works.items()}
    if options.reference:
        ratios["reference"] = against_reference(works["compose"], options.rounds)
    print(f"processor time in units of a loop of {spent(unit) * 1e3:.0f} ms")
    for name, value in ratios.items():
        limit, way = LIMITS[name], "at least" if LIMITS[name].least else "at most"
        print(f"  {name:9}  {value:7.3f}, {way} {limit.value:g}: {limit.what}")
    failed = beyond(ratios)
    print("failed: " + ", ".join(failed) if failed else "all within their limits")
    return 1 if failed else 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each (5)")
    parser.add_argument("--reference", action="store_true", help="the original network, too")
    return parser.parse_args(argv)


def beyond(ratios: Mapping[str, float]) -> list[str]:
    """Names of the ratios beyond their limits."""
    limits = {name: LIMITS[name] for name in ratios}
    return [
        name
        for name, limit in limits.items()
        if (ratios[name] < limit.value if limit.least else ratios[name] > limit.value)
    ]


def ratio(work: Callable[[], Any], rounds: int) -> float:
    """Least processor time of ``work`` in least units, taken by turns."""
    work()
    times = [(spent(unit), spent(work), spent(unit)) for _ in range(rounds)]
    return min(middle for _, middle, _ in times) / min(min(before, after) for before, _, after in times)


def spent(work: Callable[[], Any]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


# --- what is measured ---------------------------------------------------------------------------------


def stream() -> None:
    from pianogan_bgm import Stream

    music = Stream(dense_piece(), rate=RATE)
    music.play(loops=-1)
    for _ in range(200):
        music.fill(RATE // 10)


def decode() -> None:
    from pianogan_bgm.instruments.piano import Piano
    from pianogan_bgm.instruments.tones import Tone, mix

    mix(Piano(RATE), [Tone(0, pitch, RATE, 80) for pitch in range(40, 60)], 0, RATE)


def command() -> Callable[[], None]:
    from pianogan_bgm import commands as c
    from pianogan_bgm.conductor import Conductor
    from pianogan_bgm.engine import Band
    from pianogan_bgm.tune import prepare

    conductor = Conductor(RATE, Band(RATE))
    conductor.send(c.Play(prepare(dense_piece()), -1), 0)
    conductor.render(0, 8 * RATE)

    def work() -> None:
        for turn in range(8):
            sent = conductor.send(c.SetIntensity((turn % 5) / 4), RATE)
            conductor.render(RATE, RATE)
            conductor.retract(sent)  # otherwise the next one would carry this one out again

    return work


def calls() -> Callable[[], None]:
    import pygame

    from pianogan_bgm import BackgroundMusic

    pygame.mixer.init(RATE, -16, 2, 1024)
    music = BackgroundMusic(dense_piece())
    music.close()  # requests are dropped: what is measured is the game's side alone

    def work() -> None:
        for turn in range(500):
            music.intensity = (turn % 7) / 7
            music.stinger("coin")

    return work


def compose() -> Callable[[], None]:
    from pianogan_bgm.generator import Generator
    from pianogan_bgm.tune import prepare

    generator = Generator()

    def work() -> None:
        for seed in range(5):
            prepare(generator.compose(seed))

    return work


def against_reference(work: Callable[[], None], rounds: int) -> float:
    """How many times longer the original network takes for a piece, without preparing it."""
    from generation import original

    from pianogan_bgm.generator import Generator

    slow, ours = original(REFERENCE_WIDTH), Generator()
    ours.compose(0)
    pairs = [(spent(lambda: slow(1)), spent(lambda: ours.compose(1))) for _ in range(rounds)]
    return min(theirs for theirs, _ in pairs) / min(mine for _, mine in pairs)


if __name__ == "__main__":
    sys.exit(main())
