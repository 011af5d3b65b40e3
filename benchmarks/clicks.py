"""Clicks, loudness and peaks of many pieces, as a game hears them.

    python benchmarks/clicks.py [--model open] [--pieces 100] [--first 0]

Each piece of the seeds from --first on is played twice. Once to its end: how loud it is (LUFS by ITU-R
BS.1770), its peak, how much of it the limiter bends, whether it begins and ends in silence. Once as a game
would: looped over its seam, sought, thinned, made faster, stung, transposed, gone over from, stopped short.
Both are searched for clicks: samples that break off from what is around them (see ``clicks``). Every click
found is a line; the last lines sum up. Status 1 if there is any.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1]))

from pianogan_bgm import commands as c
from pianogan_bgm.bus import KNEE
from pianogan_bgm.conductor import Conductor
from pianogan_bgm.generator import Generator
from pianogan_bgm.instruments import Block, load
from pianogan_bgm.playlist.loudness import loudness
from pianogan_bgm.render import render
from pianogan_bgm.stingers import STINGERS
from pianogan_bgm.tune import Tune, prepare

RATE: Final = 44100
AROUND_SECONDS: Final = 0.003
"""What counts as around a sample, to either side."""
NEAR: Final = 6
"""Samples to either side that belong to the click itself."""
RATIO: Final = 14.0
"""How many times rougher than what is around it a click is; noise alone reaches 5 or 6."""
FAINTEST: Final = 0.003
"""Third difference below which nothing is heard: that of a jump by a thousandth of full scale."""
SILENT: Final = 1e-3


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Clicks, loudness and peaks of many pieces.")
    parser.add_argument("--model", default="open")
    parser.add_argument("--pieces", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    options = parser.parse_args(argv)
    generator = Generator(options.model)
    seeds = range(options.first, options.first + options.pieces)
    rows: list[tuple[float, float, float, float]] = []
    found = 0
    before = prepare(generator.compose(seeds[-1]))
    for seed in seeds:
        piece = generator.compose(seed)
        tune = prepare(piece)
        whole = render(piece, RATE)
        for name, sound in (("whole", whole), ("in a game", in_a_game(tune, before))):
            for frame in clicks(sound, RATE):
                print(f"seed {seed}, {name}: click at {frame / RATE:.3f} s")
                found += 1
        rows.append(facts(whole))
        before = tune
    report(np.array(rows), found)
    return 1 if found else 0


def clicks(sound: Block, rate: int) -> list[int]:
    """Frames at which ``sound``, float (frames, channels), clicks; one for each click.

    A click is a step, a kink or a stray sample, and so a large third difference; music, whose energy lies
    low, has small ones. It counts as a click where it is :data:`RATIO` times the root mean square of those
    around it (both before and after, so that the stroke of a hammer, which is rough for longer, is none).
    """
    width = round(AROUND_SECONDS * rate)
    rough = np.zeros(len(sound) + 2 * width)
    third = np.abs(np.diff(sound.astype(np.float64), n=3, axis=0)).max(axis=1) if len(sound) > 3 else []
    rough[width : width + len(third)] = third
    sums = np.concatenate([[0.0], np.cumsum(rough * rough)])
    place = np.arange(len(sound)) + width
    wide = sums[place + width] - sums[place - width]
    near = sums[place + NEAR + 1] - sums[place - NEAR]
    level = np.sqrt(np.maximum(wide - near, 0.0) / (2 * (width - NEAR)))
    here = rough[place]
    frames = np.flatnonzero((here > FAINTEST) & (here > RATIO * level))
    apart = np.diff(frames, prepend=-width) > width // 2
    return [int(frame) for frame in frames[apart]]


def in_a_game(tune: Tune, before: Tune) -> Block:
    """The end of another piece, then this one with everything that a game may do to it."""
    music = Conductor(RATE, partial(load, rate=RATE))
    frames = 0
    for seconds, command in story(tune, before):
        frames += round(seconds * RATE)
        music.send(command, frames)
    return music.render(0, frames + 2 * RATE)


def story(tune: Tune, before: Tune) -> Iterator[tuple[float, c.Command]]:
    """Commands, each with the seconds since the one before."""
    seam = tune.loop[1]
    yield 0.0, c.Play(before, step=100.0)
    yield 2.3, c.Transition(tune, "beat", 1.0, loops=-1)
    yield 2.9, c.Seek(seam - 12.0)
    yield 3.1, c.SetIntensity(0.1)
    yield 1.3, c.SetIntensity(1.0)
    yield 1.7, c.SetLevel("duck", 0.3)
    yield 0.4, c.SetTempo(1.3)
    yield 0.3, c.PlayFigure(STINGERS["coin"], "now")
    yield 1.1, c.SetLevel("duck", 1.0)
    yield 0.7, c.SetTranspose(3)
    yield 0.9, c.Seek(17.4)
    yield 1.2, c.Transition(before, "now", 0.0)
    yield 1.6, c.Play(tune, step=40.5)
    yield 1.3, c.Stop(0.05)


def facts(sound: Block) -> tuple[float, float, float, float]:
    """Loudness in LUFS, peak, share of samples that the limiter bends, level at the two ends."""
    heard = loudness(sound, RATE)
    size = np.abs(sound)
    ends = max(float(size[:1].max(initial=0.0)), float(size[-1:].max(initial=0.0)))
    return (
        -99.0 if heard is None else heard,
        float(size.max(initial=0.0)),
        float((size > KNEE).mean()),
        ends,
    )


def report(rows: npt.NDArray[np.float64], found: int) -> None:
    heard, peak, bent, ends = rows.T
    low, first, middle, third, high = np.percentile(heard, [0, 25, 50, 75, 100])
    print(f"pieces {len(rows)}, clicks {found}")
    print(f"loudness LUFS: median {middle:.1f}, quartiles {first:.1f} {third:.1f}", end=", ")
    print(f"extremes {low:.1f} {high:.1f}, standard deviation {heard.std():.2f} LU")
    print(f"peak: median {np.median(peak):.2f}, highest {peak.max():.2f}")
    print(f"bent by the limiter: {100 * bent.mean():.4f} % of samples", end=", ")
    print(f"at most {100 * bent.max():.3f} % of a piece")
    print(f"pieces that do not begin and end in silence: {int((ends > SILENT).sum())}")


if __name__ == "__main__":
    sys.exit(main())
