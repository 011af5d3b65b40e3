"""How fast a playlist is baked: tracks a minute for each core, and how that grows with the number of tracks.

    python benchmarks/playlist.py [--model NAME|FILE.onnx] [--counts 10,100,1000] [--jobs 1,2] [--seconds 600]

Bakes seeds 0, 1, 2, ... (no choice) as mid+png and as mid+png+ogg into a temporary folder, then chooses and
bakes the largest count of mid+png, the manifest and the page included. A count that would take longer than
--seconds at the speed measured so far is left out and said so. The last lines say what 100,000 tracks would
cost: core-hours and bytes, extrapolated from the largest run of each kind.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from pianogan_bgm.errors import PlaylistError
from pianogan_bgm.manifest import MANIFEST, Manifest, Settings
from pianogan_bgm.playlist.folder import Wish, make

KINDS: Final = (("mid", "png"), ("mid", "png", "ogg"))
MANY: Final = 100_000


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "")
    print("formats          jobs  tracks   seconds  tracks/min  per core  MB     manifest+page MB")
    for kind in KINDS:
        last: tuple[float, float] | None = None
        for jobs in options.jobs:
            speed = 0.0
            for count in options.counts:
                if speed and count / speed > options.seconds:
                    print(f"{'+'.join(kind):<16} {jobs:>4} {count:>7}   left out: {count / speed:,.0f} s")
                    continue
                speed, size = measure(options.model, kind, count, jobs)
                last = (speed / jobs, size / count)
        if last:
            hours, gigabytes = MANY / last[0] / 3600.0, MANY * last[1] / 1e9
            print(f"{MANY:,} tracks of {'+'.join(kind)}: {hours:,.1f} core-hours, {gigabytes:,.1f} GB")
    chosen(options)
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Tracks a minute of a playlist.")
    parser.add_argument("--model", default="open")
    parser.add_argument(
        "--counts", type=numbers, default=(10, 100, 1000), help="tracks of a run (10,100,1000)"
    )
    parser.add_argument("--jobs", type=numbers, default=(1,), help="processes to try, such as 1,2 (1)")
    parser.add_argument("--seconds", type=float, default=600.0, help="longest run (600)")
    return parser.parse_args(argv)


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def measure(model: str, kind: tuple[str, ...], count: int, jobs: int) -> tuple[float, float]:
    """Tracks a second and bytes of ``count`` tracks."""
    wish = Wish(model=model, seeds=tuple(range(count)), settings=Settings(formats=kind))
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        manifest = make(Path(name), wish, jobs=jobs)
        seconds = time.perf_counter() - began
        extra = sum((Path(name) / one).stat().st_size for one in (MANIFEST, "index.html"))
    size = total(manifest)
    rate = 60.0 * count / seconds
    print(
        f"{'+'.join(kind):<16} {jobs:>4} {count:>7} {seconds:>9.1f} {rate:>11.1f} {rate / jobs:>9.1f} "
        f"{size / 1e6:>6.1f} {extra / 1e6:>7.2f}"
    )
    return count / seconds, float(size)


def chosen(options: argparse.Namespace) -> None:
    """The same with a choice of pieces that are not alike."""
    count, jobs = min(100, max(options.counts)), max(options.jobs)
    wish = Wish(model=options.model, count=count, settings=Settings(formats=KINDS[0], distance=0.5))
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        try:
            make(Path(name), wish, jobs=jobs)
        except PlaylistError as error:
            print(f"choosing: {error}")
            return
        seconds = time.perf_counter() - began
    print(f"choosing {count} and baking mid+png with {jobs} jobs: {60 * count / seconds:.1f} tracks/min")


def total(manifest: Manifest) -> int:
    return sum(file.bytes for track in manifest.tracks for file in track.files)


if __name__ == "__main__":
    sys.exit(main())
