"""MAESTRO's performances on a grid: the beats that ASAP annotated, or the fixed 1/8 s of the original work.

MAESTRO: Hawthorne et al., "Enabling Factorized Piano Music Modeling and Generation with the MAESTRO
Dataset", 2019. ASAP: Foscarin et al., "ASAP: a dataset of aligned scores and performances", 2020. Both are
CC BY-NC-SA 4.0: what is trained on them is for non-commercial use.

Beats become steps by the written time signature: a bar of n/d has 16 n / d steps however many beats ASAP
annotates in it. Compound metres (n a multiple of 3 above 3) are annotated with n / 3 beats, so a beat of
6/8 is 6 steps and its bar 12; every other metre with n beats. Bars with missing or extra beats (pickups,
cadenzas) last as many beats as they have.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from training.bars import Bars
from training.build import Job
from training.corpus import SPLITS, DataError
from training.grid import MAX_ERROR, Floats, GridPiece, to_grid
from training.smf import Score, read
from training.works import work_keys

LICENCE: Final = "CC BY-NC-SA 4.0"
MAESTRO_CREDIT: Final = "The MAESTRO Dataset v3.0.0, Curtis Hawthorne et al., Google LLC (https://magenta.tensorflow.org/datasets/maestro)"
ASAP_CREDIT: Final = (
    "Beats from ASAP: a dataset of aligned scores and performances, Francesco Foscarin et al. "
    "(https://github.com/fosfrancesco/asap-dataset)"
)
FIXED_STEPS_PER_SECOND: Final = 8
FIXED_BAR: Final = 16
LEAD_IN: Final = 0.5
"""Seconds at which ASAP puts the first note of the excerpts that it moved."""
NEAR: Final = 0.05
"""Seconds within which a note meets a beat."""
LEAST_MET: Final = 0.7
"""Share of the beats that notes must meet; less means that annotation and performance are not the same."""
SURELY_MET: Final = 0.8
SEARCHED: Final = 3.0
"""Seconds either way in which an untold shift is looked for."""
LONGEST_TAIL: Final = 32
"""Steps that a note may last beyond the last beat."""


@dataclass(frozen=True)
class Performance:
    """A row of MAESTRO's table."""

    path: Path
    name: str
    composer: str
    title: str
    split: int


def performances(root: Path) -> dict[str, Performance]:
    """MAESTRO's table below ``root``, by file name; raises :class:`DataError` without one."""
    tables = sorted(root.rglob("maestro-v*.csv"), key=lambda path: len(path.parts))
    if not tables:
        raise DataError(f"{root} holds no maestro-v*.csv: expected the MAESTRO dataset")
    found = {}
    columns = ("midi_filename", "canonical_composer", "canonical_title", "split")
    for row in _rows(tables[0], *columns):
        name = row["midi_filename"]
        if row["split"] not in SPLITS:
            raise DataError(f"{tables[0]}: split must be one of {SPLITS}; {name} has {row['split']!r}")
        found[name] = Performance(
            path=tables[0].parent / name,
            name=name,
            composer=row["canonical_composer"],
            title=row["canonical_title"],
            split=SPLITS.index(row["split"]),
        )
    return found


def _rows(table: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a table, each of which has all of ``columns``; raises :class:`DataError` for others."""
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table} is not a table of text: {error}") from error
    for number, row in enumerate(rows, 1):
        if missing := [column for column in columns if row.get(column) is None]:
            raise DataError(f"{table}: row {number} has no {missing[0]}; is the file whole?")
    return rows


def fixed_jobs(root: Path) -> list[Job]:
    """Every performance on the fixed grid: 8 steps a second, a bar every 16 steps."""
    return [
        _job(found, fixed, composer=found.composer, title=found.title, name=found.name)
        for found in performances(root).values()
    ]


@dataclass(frozen=True)
class Excerpt:
    """A row of ASAP's table: seconds ``start`` to ``end`` of a performance; ``text`` annotates its beats."""

    performance: Performance
    name: str
    composer: str
    title: str
    text: str
    start: float
    end: float

    def timed(self) -> Timed:
        """The excerpt in the time of its beats; raises :class:`DataError` where they do not fit."""
        return timed(_score(self.performance.path), self.text, self.start, self.end)


def excerpts(root: Path, asap: Path) -> Iterator[Excerpt]:
    """The excerpts of MAESTRO's performances (below ``root``) whose beats ASAP annotated."""
    known = performances(root)
    tables = sorted(asap.rglob("metadata.csv"), key=lambda path: len(path.parts))
    if not tables:
        raise DataError(f"{asap} holds no metadata.csv: expected the ASAP dataset")
    columns = ("composer", "title", "midi_performance", "performance_annotations", "start", "end")
    for row in _rows(tables[0], *columns, "maestro_midi_performance"):
        performance = known.get(row["maestro_midi_performance"].removeprefix("{maestro}/"))
        if performance is not None:
            yield Excerpt(
                performance,
                name=row["midi_performance"],
                composer=row["composer"],
                title=row["title"],
                text=(tables[0].parent / row["performance_annotations"]).read_text("utf-8"),
                start=_seconds(row["start"] or "0", tables[0]),
                end=_seconds(row["end"] or "inf", tables[0]),
            )


def _seconds(text: str, table: Path) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise DataError(f"{table}: start and end must be seconds; got {text!r}") from error


def asap_jobs(root: Path, asap: Path) -> tuple[list[Job], list[dict[str, str]]]:
    """The excerpts whose beats ASAP annotated, and the performances it leaves out with the reason."""
    found = list(excerpts(root, asap))
    used = {excerpt.performance.name for excerpt in found}
    jobs = [
        _job(
            one.performance,
            functools.partial(annotated, text=one.text, start=one.start, end=one.end),
            composer=one.composer,
            title=one.title,
            name=one.name,
            annotation=one.text,
        )
        for one in found
    ]
    # excerpts of one performance stand together, so that its file is read once
    jobs.sort(key=lambda job: (job.record["performance"], job.record["file"]))
    known = performances(root)
    skipped = [{"file": name, "reason": "no beat annotation"} for name in known if name not in used]
    return jobs, skipped


def _job(
    performance: Performance,
    convert: Callable[[Score], GridPiece],
    *,
    composer: str,
    title: str,
    name: str,
    annotation: str = "",
) -> Job:
    digest = _digest(performance.path)
    record = {
        "source": "MAESTRO v3" + (" + ASAP" if annotation else ""),
        "file": name,
        "performance": performance.name,
        "sha256": digest,
        "title": title,
        "composer": composer,
        "licence": LICENCE,
        "attribution": f"{MAESTRO_CREDIT}; {ASAP_CREDIT}" if annotation else MAESTRO_CREDIT,
    }
    return Job(
        record,
        lambda: convert(_score(performance.path)),
        work_keys(composer, title),
        performance.split,
        fingerprint=digest + hashlib.sha256(annotation.encode()).hexdigest(),
        max_error=MAX_ERROR if annotation else math.inf,  # nothing played by beats is on the fixed grid
    )


@functools.lru_cache(maxsize=4096)
def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"MAESTRO's table names {path}, which cannot be read: {error}") from error


@functools.lru_cache(maxsize=1)
def _score(path: Path) -> Score:
    return read(path.read_bytes())


def fixed(score: Score) -> GridPiece:
    """A performance on the fixed grid of the original work."""
    starts = score.seconds(score.notes[:, 0]) * FIXED_STEPS_PER_SECOND
    ends = score.seconds(score.notes[:, 1]) * FIXED_STEPS_PER_SECOND
    downbeats = np.arange(0.0, ends.max(initial=0.0), FIXED_BAR)
    bars = Bars(downbeats, np.full(len(downbeats), FIXED_BAR / 4))
    return to_grid(starts, ends, score.notes[:, 2], score.notes[:, 3]).with_bars(bars)


@dataclass(frozen=True)
class Beats:
    """Annotated beats: ``times`` in seconds, ``steps`` from the first of them; ``down`` marks downbeats."""

    times: Floats
    steps: Floats
    down: npt.NDArray[np.bool_]


def read_beats(text: str) -> Beats:
    """ASAP's annotation table of one performance; raises :class:`DataError` if it is not one."""
    times, down, signatures = [], [], []
    try:
        for line in text.splitlines():
            time, _, label = line.rstrip().split("\t")
            kind, signature, *_ = [*label.split(","), "", ""]
            if kind not in ("b", "db", "bR"):
                continue
            times.append(float(time))
            down.append(kind == "db")
            signatures.append(_beat_steps(signature) if "/" in signature else 0.0)
    except (ValueError, ZeroDivisionError) as error:
        raise DataError(f"not an ASAP annotation: {error}") from error
    if len(times) < 2 or (np.diff(times) < 0).any():
        raise DataError("beats out of order or fewer than two: expected ascending beat times")
    lengths = _filled(signatures)
    kept = np.concatenate([[True], np.diff(times) > 0])
    steps = np.concatenate([[0.0], np.cumsum(lengths[kept][:-1])])
    return Beats(np.array(times)[kept], steps, np.array(down)[kept])


def _beat_steps(signature: str) -> float:
    """Steps of one annotated beat under a time signature "n/d"."""
    upper, lower = (int(part) for part in signature.split("/"))
    beats = upper // 3 if upper > 3 and upper % 3 == 0 else upper
    return 16.0 * upper / lower / beats


def _filled(values: Iterable[float]) -> Floats:
    """Zeros take the last value before them; zeros at the start the first one after; 4 if there is none."""
    filled = np.array(list(values))
    known = np.flatnonzero(filled)
    if not len(known):
        return np.full(len(filled), 4.0)
    last = np.maximum.accumulate(np.where(filled > 0, np.arange(len(filled)), known[0]))
    return np.asarray(filled[last])


@dataclass(frozen=True)
class Timed:
    """An excerpt in the time of its beats.

    ``onsets``: seconds. ``starts``, ``ends``: steps from the first step of the excerpt's grid. ``notes``:
    int (n, 4) as the file has them. ``beats``, whose step 0 is step ``lead`` of the grid. ``outside``: notes
    left out.
    """

    onsets: Floats
    starts: Floats
    ends: Floats
    notes: npt.NDArray[np.int64]
    beats: Beats
    lead: float
    outside: int


def timed(score: Score, text: str, start: float, end: float) -> Timed:
    """The excerpt ``start`` to ``end`` (seconds) of a performance, by the beats of ASAP's ``text``."""
    beats = read_beats(text)
    onsets, releases = score.seconds(score.notes[:, 0]), score.seconds(score.notes[:, 1])
    excerpt = (onsets >= start - NEAR) & (onsets < end)
    if not excerpt.any():
        raise DataError("no notes within the excerpt")
    onsets, releases, notes = onsets[excerpt], releases[excerpt], score.notes[excerpt]
    shift = _alignment(onsets, beats, start)
    starts, ends = (_to_steps(times - shift, beats) for times in (onsets, releases))
    bar = float(np.diff(beats.steps[beats.down]).max(initial=16.0))
    near = (starts > -bar) & (starts < beats.steps[-1] + bar)
    lead = float(np.ceil(max(0.0, -float(starts[near].min(initial=0.0)))))
    ends = np.minimum(ends, beats.steps[-1] + LONGEST_TAIL)
    outside = int((~near).sum())
    return Timed(onsets[near], starts[near] + lead, ends[near] + lead, notes[near], beats, lead, outside)


def annotated(score: Score, text: str, start: float, end: float) -> GridPiece:
    """The excerpt ``start`` to ``end`` (seconds) of a performance, on the beats of ASAP's ``text``."""
    found = timed(score, text, start, end)
    downbeats = found.beats.steps[found.beats.down] + found.lead
    lengths = np.diff(downbeats, append=found.beats.steps[-1] + found.lead + 4.0) / 4
    rounded = to_grid(found.starts, found.ends, found.notes[:, 2], found.notes[:, 3])
    rounded.dropped["outside the annotation"] = found.outside
    return rounded.with_bars(Bars(downbeats, lengths))


def _alignment(onsets: Floats, beats: Beats, start: float) -> float:
    """MAESTRO time of the annotation's time 0.

    Usually ``start``; some excerpts were moved to begin at ``LEAD_IN``, and a few by an untold second or
    two, which is searched for. Whichever puts most beats onto notes is right; raises :class:`DataError` if
    none puts ``LEAST_MET`` of them there.
    """
    stated = [start, float(onsets[0]) - LEAD_IN]
    searched = np.arange(start - SEARCHED, start + SEARCHED, NEAR / 2).tolist()
    share, shift = max((_met(onsets, beats.times + shift), shift) for shift in stated)
    if share < SURELY_MET:
        found, at = max((_met(onsets, beats.times + shift), shift) for shift in searched)
        if found > share + 1 - SURELY_MET:  # clearly better than what is stated
            away = _to_nearest(onsets, beats.times + at)
            share, shift = found, at + float(np.median(away[abs(away) < NEAR]))
    if share < LEAST_MET:
        raise DataError(f"annotation does not fit the performance: notes meet {share:.0%} of the beats")
    return shift


def _met(onsets: Floats, times: Floats) -> float:
    return float((abs(_to_nearest(onsets, times)) < NEAR).mean())


def _to_nearest(onsets: Floats, times: Floats) -> Floats:
    """Seconds from each of ``times`` to the onset nearest to it, negative if that is earlier."""
    following = np.minimum(np.searchsorted(onsets, times), len(onsets) - 1)
    after, before = onsets[following] - times, onsets[np.maximum(following - 1, 0)] - times
    return np.where(abs(after) < abs(before), after, before)


def _to_steps(times: Floats, beats: Beats) -> Floats:
    """Annotation times to steps: straight lines between beats, the outermost ones prolonged."""
    part = np.clip(np.searchsorted(beats.times, times, side="right") - 1, 0, len(beats.times) - 2)
    left, right = beats.times[part], beats.times[part + 1]
    rise = beats.steps[part + 1] - beats.steps[part]
    return np.asarray(beats.steps[part] + rise * (times - left) / (right - left))
