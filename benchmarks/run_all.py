"""Every benchmark, one after another: all figures into one JSON file and one Markdown page.

    python benchmarks/run_all.py [-o DIR] [--repeat 3] [--only NAME ...] [--peers PYTHON] [--quick]

Each benchmark runs as a program of its own, so that none warms another's caches; what it printed is kept
as it is, and the numbers of each line are compared over the repeats (least, median, most). Machine and
versions head both files. A benchmark that fails, or has not ended after three hours, is told and the others
go on. A quick run takes minutes and is for seeing whether all of it works; figures for the pages want a quiet
machine and more than half an hour for each repeat. ``--peers``: an interpreter that has what we are compared
with.

What DIR holds of benchmarks that are not run this time is kept, if it is of the same machine and versions
and as quick: so ``--only`` fills it in one by one, or goes on where a run was interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from pianogan_bgm.doctor import installed_versions
from pianogan_bgm.files import write_atomically

ROOT: Final = Path(__file__).parents[1]
QUICK: Final[dict[str, tuple[str, ...]]] = {
    "generation": ("--pieces", "20", "--runs", "0"),
    "gate": ("--rounds", "1"),
    "streaming": ("--seconds", "2", "--exact-seconds", "6"),
    "frame_time": ("--rounds", "1", "--steps", "120"),
    "peers": ("--rounds", "1"),
    "playlist": ("--small",),
    "clicks": ("--pieces", "2"),
}
"""What makes a benchmark quick; one that is not named here is always run in full."""
TIMED_OUT: Final = 124
LONGEST_SECONDS: Final = 3 * 3600.0
NUMBER: Final = re.compile(r"(?<![\w.])[+\-\u2212]?\d[\d,]*(?:\.\d+)?(?![\w.]*\w)")


@dataclass(frozen=True)
class Run:
    """One run of a benchmark. ``seconds`` include its start; ``lines`` are what it printed."""

    status: int
    seconds: float
    lines: tuple[str, ...]
    errors: str


@dataclass(frozen=True)
class Row:
    """A line of a benchmark, numbers replaced by ``#``; ``spread`` has least, median and most of each."""

    line: str
    spread: tuple[tuple[float, float, float], ...]


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    results = kept(options.output, options.quick)
    names = options.only or benchmarks()
    for name in names:
        runs: list[Run] = []
        for turn in range(options.repeat):
            print(f"{name}, {turn + 1} of {options.repeat}", file=sys.stderr, flush=True)
            runs.append(run(name, arguments(name, options)))
            results[name] = runs
            save(options.output, results, options.quick)  # a run that is interrupted loses nothing before it
    failed = [name for name in names if any(one.status for one in results[name])]
    print(f"{options.output / 'benchmarks.md'}" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def arguments(name: str, options: argparse.Namespace) -> tuple[str, ...]:
    """The words after a benchmark's name."""
    words = QUICK.get(name, ()) if options.quick else ()
    return (*words, "--peers", options.peers) if name == "peers" and options.peers else words


def benchmarks() -> list[str]:
    """Names of the programs beside this one."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "run_all")


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Every benchmark into one JSON file and one Markdown page.")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/benchmarks"), metavar="DIR")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each (3)")
    parser.add_argument("--only", nargs="+", choices=benchmarks(), help="these alone")
    parser.add_argument("--peers", metavar="PYTHON", help="interpreter that has pyxel and tono-py")
    parser.add_argument("--quick", action="store_true", help="short runs, to see whether all of it works")
    return parser.parse_args(argv)


def run(name: str, words: Sequence[str], limit: float = LONGEST_SECONDS) -> Run:
    """Run a benchmark without sound or screen and keep what it prints; end it after ``limit`` seconds."""
    environment = {"SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy", **os.environ}
    environment["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *words]
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
        # files, not pipes: what a benchmark has said is kept if it is ended for taking too long
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, stdout=out, stderr=errors, timeout=limit, check=False
            )
            status, why = done.returncode, ""
        except subprocess.TimeoutExpired:
            status, why = TIMED_OUT, f"\nnot ended after {limit:g} s"
        said = [(file.seek(0), file.read())[1] for file in (out, errors)]
    seconds = round(time.perf_counter() - began, 1)
    return Run(status, seconds, tuple(said[0].splitlines()), (said[1] + why)[-4000:])


def kept(folder: Path, quick: bool) -> dict[str, list[Run]]:
    """Results that ``folder`` has already; none if they are of another machine or other versions."""
    try:
        table = json.loads((folder / "benchmarks.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    head = {**machine(), "quick": quick}
    if {**table["machine"], "load before": head["load before"]} != head:
        return {}
    return {
        name: [Run(one["status"], one["seconds"], tuple(one["lines"]), one["errors"]) for one in runs]
        for name, runs in table["results"].items()
    }


def save(folder: Path, results: dict[str, list[Run]], quick: bool) -> None:
    """Write ``benchmarks.json`` and ``benchmarks.md``, by name."""
    head, results = {**machine(), "quick": quick}, dict(sorted(results.items()))
    table = {
        "machine": head,
        "results": {name: [asdict(one) for one in runs] for name, runs in results.items()},
    }
    write_atomically(folder / "benchmarks.json", (json.dumps(table, indent=1) + "\n").encode())
    write_atomically(folder / "benchmarks.md", page(head, results).encode())


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "load before": [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        **installed_versions(),
    }


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown"
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor() or "unknown"


def page(head: dict[str, Any], results: dict[str, list[Run]]) -> str:
    """All results as Markdown, a table for each benchmark."""
    parts = ["# Benchmarks\n", "| | |\n|---|---|", *(f"| {name} | {value} |" for name, value in head.items())]
    for name, runs in results.items():
        seconds = statistics.median(one.seconds for one in runs)
        parts += [f"\n## `python benchmarks/{name}.py`\n", f"{len(runs)} runs of about {seconds:.0f} s.\n"]
        parts += [f"**Failed**: {one.errors.splitlines()[-1:]}\n" for one in runs if one.status]
        parts += ["| what | least / median / most |", "|---|---|"]
        parts += [f"| {cell(row.line)} | {'; '.join(map(written, row.spread))} |" for row in rows(runs)]
    return "\n".join(parts) + "\n"


def rows(runs: Sequence[Run]) -> list[Row]:
    """Lines that every run printed alike but for their numbers, in the order of the first run."""
    tables = [numbers_by_line(one.lines) for one in runs if one.status == 0]
    if not tables:
        return []
    found = []
    for line, values in tables[0].items():
        columns = [table[line] for table in tables if len(table.get(line, ())) == len(values)]
        if values and len(columns) == len(tables):
            spread = ((min(c), statistics.median(c), max(c)) for c in zip(*columns, strict=True))
            found.append(Row(line, tuple(spread)))
    return found


def numbers_by_line(lines: Sequence[str]) -> dict[str, tuple[float, ...]]:
    """Each line with ``#`` for its numbers, and those; of lines alike each has its count."""
    table: dict[str, tuple[float, ...]] = {}
    seen: Counter[str] = Counter()
    for line in lines:
        numbers = [float(text.replace(",", "").replace("\u2212", "-")) for text in NUMBER.findall(line)]
        key = " ".join(NUMBER.sub("#", line).split())
        seen[key] += 1
        table[key if seen[key] == 1 else f"{key} ({seen[key]})"] = tuple(numbers)
    return table


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def written(spread: tuple[float, float, float]) -> str:
    least, middle, most = (f"{value:g}" for value in spread)
    return middle if least == most else f"{least} / {middle} / {most}"


if __name__ == "__main__":
    sys.exit(main())
