"""How fast a piece is composed, and how much faster than the original network composes one.

    python benchmarks/generation.py [--model NAME|FILE.onnx] [--pieces 200] [--runs 3] [--width 1.0]

Latent to notes, one piece after another on one core: median and 99th percentile, how often real time, size of
the weights. Then the original generator (`training.reference`, untrained: its speed does not depend on its
weights) in the same onnxruntime on the same core, between two halves of the first measurement, and the ratio
of the medians. Needs the train extra for the latter; `--runs 0` leaves it out. The last lines are what the
project promises: 10 ms a piece, 100 times faster than the original, 5 MB.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from pianogan_bgm.generator import Generator, open_session, run_session
from pianogan_bgm.latents import latent_of
from pianogan_bgm.roll import RollSpec, decode

PROMISE_MS: Final = 10.0
PROMISE_RATIO: Final = 100.0
PROMISE_BYTES: Final = 5_000_000


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    reference = original(options.width) if options.runs else None  # all cores may help to build it
    one_core()
    generator = Generator(options.model)
    piece = generator.compose(0)
    first = timed(generator.compose, options.pieces // 2)
    slow = timed(reference, options.runs) if reference is not None else np.zeros(0)
    quick = np.concatenate([first, timed(generator.compose, options.pieces - len(first))])
    median = float(np.median(quick))
    report(generator, quick, piece.seconds)
    print()
    verdict(f"a piece in at most {PROMISE_MS:g} ms", median <= PROMISE_MS, f"{median:.2f} ms")
    size = generator.card.weights_bytes
    verdict(f"weights of at most {PROMISE_BYTES:,} bytes", size <= PROMISE_BYTES, f"{size:,}")
    if reference is not None:
        ratio = float(np.median(slow)) / median
        print(f"original generator at width {options.width:g}: {np.median(slow):,.0f} ms, {len(slow)} runs")
        verdict(f"at least {PROMISE_RATIO:g} times faster", ratio >= PROMISE_RATIO, f"{ratio:,.0f} times")
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speed of composing, latent to notes, on one core.")
    parser.add_argument("--model", default="open")
    parser.add_argument("--pieces", type=int, default=200, help="pieces composed (200)")
    parser.add_argument("--runs", type=int, default=3, help="pieces of the original network (3); 0 for none")
    parser.add_argument("--width", type=float, default=1.0, help="width of the original network (1.0)")
    return parser.parse_args(argv)


def one_core() -> None:
    """Keep this process to one core where the system can; onnxruntime is asked for one thread anyway."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def original(width: float) -> Callable[[int], object]:
    """The original generator in onnxruntime: seed to notes."""
    from export.graph import to_onnx
    from training.reference import Clip, build_generator

    network, clip = build_generator(width, "float32"), Clip()
    weights = to_onnx(lambda latent: clip(network(latent))).SerializeToString()
    session = open_session(weights, "the original network")
    spec = RollSpec(convention="edges")
    return lambda seed: decode(run_session(session, latent_of(seed)[None])[0], spec)


def timed(compose: Callable[[int], object], count: int) -> np.ndarray:
    """Milliseconds of ``count`` pieces, after one that is not counted."""
    times = []
    for seed in range(count + 1):
        begun = time.perf_counter()
        compose(seed)
        times.append(1000.0 * (time.perf_counter() - begun))
    return np.array(times[1:])


def report(generator: Generator, times: np.ndarray, seconds: float) -> None:
    median, worst = np.median(times), np.percentile(times, 99)
    print(f"model {generator.card.name} {generator.card.version}: {len(times)} pieces of {seconds:.1f} s")
    print(f"latent to notes: median {median:.2f} ms, p99 {worst:.2f} ms, on one core")
    print(f"real time: {1000.0 * seconds / median:,.0f} times")


def verdict(promise: str, kept: bool, got: str) -> None:
    print(f"{'kept' if kept else 'NOT KEPT'}: {promise}: {got}")


if __name__ == "__main__":
    sys.exit(main())
