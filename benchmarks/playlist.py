"""How fast a playlist is baked: tracks a minute for each core, and how that grows with the number of tracks.

    python benchmarks/playlist.py --small                      # minutes: to see whether it works
    python benchmarks/playlist.py --seconds 7200               # up to 1,000 tracks of each kind
    python benchmarks/playlist.py [--model NAME|FILE.onnx] [--counts 10,100,1000] [--jobs 1,2]

Bakes seeds 0, 1, 2, ... (no choice) as mid+png and as mid+png+ogg into a temporary folder, manifest and page
included. A count that would take longer than --seconds at the speed measured so far is left out and said so.
Growth is the time a track takes in the largest run over that in the smallest, 1 where nothing but the number
grows. What 100,000 tracks would cost is the time that each further track took between the two largest runs,
times their number, and bytes likewise. Then the choice alone is timed, of pieces at least 0.5 apart: it
composes candidates and compares each with all pieces taken, so it grows with the square of the count.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from pianogan_bgm.errors import PlaylistError
from pianogan_bgm.manifest import MANIFEST, Manifest, Settings
from pianogan_bgm.models import find_model
from pianogan_bgm.playlist.bake import prints
from pianogan_bgm.playlist.choice import choose
from pianogan_bgm.playlist.folder import Wish, make

KINDS: Final = (("mid", "png"), ("mid", "png", "ogg"))
MANY: Final = 100_000


@dataclass(frozen=True)
class Run:
    """One run: tracks, seconds, bytes of their files."""

    count: int
    seconds: float
    size: int


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "")
    bake_some(options.model, KINDS[-1], 1)  # what is loaded once, the model and the piano, counts for nothing
    print("formats          jobs  tracks   seconds  tracks/min  per core  MB     manifest+page MB")
    baked: set[int] = set()
    for kind in KINDS:
        for jobs in options.jobs:
            runs = series(options, kind, jobs)
            baked |= {run.count for run in runs}
            print(f"{'+'.join(kind)}, {jobs} jobs: {growth(runs)}")
            print(f"{'+'.join(kind)}, {jobs} jobs: {cost(runs, jobs)}")
    for count in sorted(baked):
        if not choosing(options.model, count):
            break
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Tracks a minute of a playlist.")
    parser.add_argument("--model", default="open")
    parser.add_argument("--counts", type=numbers, help="tracks of a run (10,100,1000; small 3,12)")
    parser.add_argument("--jobs", type=numbers, default=(1,), help="processes to try, such as 1,2 (1)")
    parser.add_argument("--seconds", type=float, default=600.0, help="longest run (600)")
    parser.add_argument("--small", action="store_true", help="few tracks")
    options = parser.parse_args(argv)
    options.counts = sorted(options.counts or ((3, 12) if options.small else (10, 100, 1000)))
    return options


def series(options: argparse.Namespace, kind: tuple[str, ...], jobs: int) -> list[Run]:
    """A run of each count, as far as they fit into the seconds allowed; at least the smallest."""
    runs: list[Run] = []
    for count in options.counts:
        expected = count * runs[-1].seconds / runs[-1].count if runs else 0.0
        if expected > options.seconds:
            print(f"{'+'.join(kind):<16} {jobs:>4} {count:>7}   left out: {expected:,.0f} s")
        else:
            runs.append(measure(options.model, kind, count, jobs))
    return runs


def growth(runs: Sequence[Run]) -> str:
    """How the time of a track grows from the smallest run to the largest."""
    first, last = runs[0], runs[-1]
    one, other = first.seconds / first.count, last.seconds / last.count
    times = f"{other / one:.2f} times that in {first.count}"
    return f"a track takes {other:.3f} s in {last.count} tracks, {times}"


def cost(runs: Sequence[Run], jobs: int) -> str:
    """What :data:`MANY` tracks would cost, by what each further track cost between the two largest runs."""
    fewer, more = (runs[-2], runs[-1]) if len(runs) > 1 else (Run(0, 0.0, 0), runs[-1])
    each = (more.seconds - fewer.seconds) / (more.count - fewer.count)
    size = (more.size - fewer.size) / (more.count - fewer.count)
    hours, gigabytes = MANY * each * jobs / 3600.0, MANY * size / 1e9
    return f"{MANY:,} tracks would cost {hours:,.1f} core-hours and {gigabytes:,.1f} GB"


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def measure(model: str, kind: tuple[str, ...], count: int, jobs: int) -> Run:
    seconds, size, extra = bake_some(model, kind, count, jobs)
    rate = 60.0 * count / seconds
    print(
        f"{'+'.join(kind):<16} {jobs:>4} {count:>7} {seconds:>9.1f} {rate:>11.1f} {rate / jobs:>9.1f} "
        f"{size / 1e6:>6.1f} {extra / 1e6:>7.2f}"
    )
    return Run(count, seconds, size)


def bake_some(model: str, kind: tuple[str, ...], count: int, jobs: int = 1) -> tuple[float, int, int]:
    """Seconds that ``count`` tracks take, bytes of their files, and of manifest and page."""
    wish = Wish(model=model, seeds=tuple(range(count)), settings=Settings(formats=kind))
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        manifest = make(Path(name), wish, jobs=jobs)
        seconds = time.perf_counter() - began
        extra = sum((Path(name) / one).stat().st_size for one in (MANIFEST, "index.html"))
    return seconds, total(manifest), extra


def choosing(model: str, count: int) -> bool:
    """Time the choice of ``count`` pieces that are not alike; whether there were so many."""
    weights = find_model(model).card.weights_sha256
    began = time.perf_counter()
    try:
        choose(count, lambda seeds: prints(model, weights, tuple(seeds)), first=0)
    except PlaylistError as error:
        print(f"choosing: {error}; after {time.perf_counter() - began:.1f} s")
        return False
    print(f"choosing {count} pieces: {time.perf_counter() - began:.1f} s")
    return True


def total(manifest: Manifest) -> int:
    return sum(file.bytes for track in manifest.tracks for file in track.files)


if __name__ == "__main__":
    sys.exit(main())
