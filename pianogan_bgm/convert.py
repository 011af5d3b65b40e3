"""Files and folders of MIDI to piano-roll pictures and back, as midi2img and img2midi do.

``NAME.mid`` becomes ``NAME_PART_N.png``: one picture for every instrument and every ``length`` columns, N
counting from 0 whether or not the silent ones are written. ``NAME_PART_0.png``, ``NAME_PART_1.png`` ...
join again to ``NAME_PART.mid``, each in its place of the piece; a picture on its own begins at once. What
cannot be read is named on stderr and left out; what cannot be written ends the run.
"""

from __future__ import annotations

import errno
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain, count
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from tqdm import tqdm

from pianogan_bgm.errors import InvalidRoll, PianoganError, one_line
from pianogan_bgm.files import write_atomically
from pianogan_bgm.images import Facts, Slab, read_png, slab_to_png
from pianogan_bgm.json_rules import is_text
from pianogan_bgm.midi import piece_to_midi, read_midi
from pianogan_bgm.notes import MAX_STEPS
from pianogan_bgm.piece import DEFAULT_TEMPO, MAX_BEATS_PER_BAR, TEMPO_RANGE, Piece, check_tempo
from pianogan_bgm.roll import SOUNDING_BYTE, Convention, RollSpec, encode_cells
from pianogan_bgm.score import Part, Score

MIDI_ENDINGS: Final = (".mid", ".midi")
PICTURE_ENDINGS: Final = (".png",)
_LONGEST_SLUG: Final = 40
_NUMBERED: Final = re.compile(r"(?P<name>.+)_(?P<number>\d{1,6})")
Counts: TypeAlias = Counter[str]
"""How many of what a conversion saw, in the words of its summary."""


@dataclass(frozen=True, slots=True)
class Job:
    """``sources`` that become files in ``folder`` whose names begin with ``stem``.

    ``alone``: the one source is no part of anything longer.
    """

    sources: tuple[Path, ...]
    folder: Path
    stem: str
    alone: bool


@dataclass(frozen=True, slots=True)
class Result:
    """Name and bytes of each file to write, made as they are asked for, and what was counted on the way."""

    files: Iterable[tuple[str, bytes]]
    counts: Counts = field(default_factory=Counter)


def midi2img(
    sources: Sequence[Path],
    output: Path | None = None,
    *,
    resolution: Fraction = Fraction(1, 4),
    length: int = 300,
    convention: Convention = "struck",
    skip_silent: bool = True,
) -> int:
    """MIDI files, and those in folders, to pictures in ``output`` (beside each source where None).

    Prints a summary; returns 0, or 1 when a file could not be read. Raises :class:`OSError` when a picture
    cannot be written, :class:`InvalidRoll` for an impossible ``length``.
    """
    if not 1 <= length <= MAX_STEPS:
        raise InvalidRoll(f"length must be 1 to {MAX_STEPS} columns; got {length}")
    spec = RollSpec(steps=length, convention=convention)

    def work(job: Job) -> Result:
        score = read_midi(job.sources[0], resolution)
        pitches = [note.pitch for part in score.parts for note in part.notes]
        outside = sum(not spec.lowest <= pitch <= spec.highest for pitch in pitches)
        counts: Counts = Counter({f"notes outside pitches {spec.lowest} to {spec.highest} left out": outside})
        counts["notes never released"] = score.report.hanging
        counts["without a note to draw"] = not pitches
        pictures = _pictures(score, job.stem, spec, skip_silent, counts)
        return Result(_old_ones_named(job.folder, pictures), counts)

    found = _find(sources, MIDI_ENDINGS, output)
    return _run(_alone(found), work, "pictures")


def _pictures(
    score: Score, stem: str, spec: RollSpec, skip_silent: bool, counts: Counts
) -> Iterator[tuple[str, bytes]]:
    facts: Facts = {"tempo": round(score.tempo, 2), "beats_per_bar": score.beats_per_bar}
    licence = " ".join((score.licence or "").split())
    if is_text(licence):
        facts["licence"] = licence
    for name, part in _named(score.parts):
        for slab in slabs(part, score, spec):
            if skip_silent and not (slab.cells >= SOUNDING_BYTE).any():
                counts["silent pictures left out"] += 1
                continue
            number = (slab.start or 0) // spec.steps
            yield f"{stem}_{name}_{number}.png", slab_to_png(replace(slab, facts=facts))


def _old_ones_named(folder: Path, pictures: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """``pictures``; then says on stderr which others of their names :func:`img2midi` would join with them."""
    written = set()
    for name, data in pictures:
        written.add(name)
        yield name, data
    parts = {name.rpartition("_")[0] for name in written}
    matches = ((path, _NUMBERED.fullmatch(path.stem)) for path in folder.glob("*.png"))
    old = [path for path, match in matches if match and match["name"] in parts and path.name not in written]
    if old:
        names = ", ".join(sorted(path.name for path in old))
        tqdm.write(
            f"{folder}: from before, not of this music: {names}; img2midi would join them to it",
            file=sys.stderr,
        )


def slabs(part: Part, score: Score, spec: RollSpec) -> Iterator[Slab]:
    """``part`` cut into slabs of ``spec.steps`` columns up to the end of ``score``, the last one padded.

    A note that crosses a border goes on as held in the next slab. Notes outside the rows are left out.
    """
    count = -(-score.steps // spec.steps)
    inside = [note for note in part.notes if spec.lowest <= note.pitch <= spec.highest]
    whole = encode_cells(inside, replace(spec, steps=count * spec.steps))
    for start in range(0, count * spec.steps, spec.steps):
        cells = np.ascontiguousarray(whole[:, start : start + spec.steps])
        yield Slab(cells, spec, score.resolution, start)


def img2midi(
    sources: Sequence[Path],
    output: Path | None = None,
    *,
    tempo: float | None = None,
    separate: bool = False,
) -> int:
    """Pictures, and those in folders, to MIDI files in ``output`` (beside each source where None).

    ``output`` may name the MIDI file where only one comes out. ``tempo``: beats a minute, else the
    picture's own (held to what a piece allows, which is said), else 120. ``separate``: every picture is on
    its own, numbered ones too; so is one that is named alone. Beside a picture no MIDI file with markers is
    replaced, for pictures have none: such a file is of another maker, and would lose where it loops. Prints a
    summary; returns 0, or 1 when a picture could not be read or its MIDI file not be replaced. Raises
    :class:`OSError` when a file cannot be written.
    """
    names_file = output is not None and output.suffix.lower() in MIDI_ENDINGS and not output.is_dir()
    folder = output.parent if names_file and output is not None else output
    if tempo is not None:
        check_tempo(tempo)
    low, high = TEMPO_RANGE
    found = _find(sources, PICTURE_ENDINGS, folder)
    one_file = len(found) == 1 and not sources[0].is_dir()
    jobs = _alone(found) if separate or one_file else _joined(found)
    if names_file and output is not None:
        if len(jobs) != 1:
            raise InvalidRoll(f"-o {output} is one file, but {len(jobs)} would be written; give a folder")
        jobs = [replace(jobs[0], stem=output.stem)]
    ending = output.suffix if names_file and output is not None else ".mid"

    def work(job: Job) -> Result:
        if output is None and _has_markers(job.folder / (job.stem + ending)):
            raise FileExistsError(
                errno.EEXIST,
                "a MIDI file with markers, which a picture has not; say where to write with -o",
                str(job.folder / (job.stem + ending)),
            )
        slab = join(_placed(job))
        own = slab.facts.get("tempo") if tempo is None else tempo
        wanted = own if isinstance(own, int | float) else DEFAULT_TEMPO
        held = float(min(max(wanted, low), high))
        counts: Counts = Counter({f"tempos held to {low:g} to {high:g} beats a minute": int(held != wanted)})
        return Result([(job.stem + ending, _midi(slab, job.stem, held))], counts)

    return _run(jobs, work, "MIDI files")


def _has_markers(path: Path) -> bool:
    return path.is_file() and b"\xff\x06" in path.read_bytes()


def _midi(slab: Slab, title: str, tempo: float) -> bytes:
    seed, model, licence = (slab.facts.get(key) for key in ("seed", "model", "licence"))
    beats = slab.facts.get("beats_per_bar")  # pictures of earlier versions do not say
    piece = Piece(
        slab.notes,
        steps=slab.spec.steps,
        tempo=tempo,
        beats_per_bar=beats if isinstance(beats, int) and 1 <= beats <= MAX_BEATS_PER_BAR else 4,
        seed=seed if isinstance(seed, int) else None,
        model=str(model) if model is not None else None,
        licence=str(licence) if licence is not None else None,
    )
    return piece_to_midi(piece, title=title, resolution=slab.resolution)


def _placed(job: Job) -> list[Slab]:
    """The slabs of ``job``; one that does not say where it begins stands where its number puts it."""
    slabs_read = [read_png(path) for path in job.sources]
    if job.alone:
        return [replace(slabs_read[0], start=0)]
    numbers = [_number(path) for path in job.sources]
    return [
        slab if slab.start is not None else replace(slab, start=(number - numbers[0]) * slab.spec.steps)
        for slab, number in zip(slabs_read, numbers, strict=True)
    ]


def join(parts: Sequence[Slab]) -> Slab:
    """Slabs of one roll as one, each at its ``start`` (None: after the one before), silence in the gaps.

    Raises :class:`InvalidRoll` when they differ in rows, shading or resolution, overlap, or reach too far.
    """
    first, end = parts[0], 0
    placed: list[tuple[int, Slab]] = []
    for slab in parts:
        if (replace(slab.spec, steps=1), slab.resolution) != (replace(first.spec, steps=1), first.resolution):
            raise InvalidRoll("pictures to join differ in rows, convention or resolution")
        start = end if slab.start is None else slab.start
        if start < end:
            raise InvalidRoll(
                f"pictures to join overlap: one ends at column {end}, the next begins at {start}; are they "
                "pieces of their own? --separate makes a file of each"
            )
        end = start + slab.spec.steps
        if end > MAX_STEPS:
            raise InvalidRoll(f"pictures to join reach to column {end}; {MAX_STEPS} is the most")
        placed.append((start, slab))
    spec = replace(first.spec, steps=end)
    cells = np.zeros(spec.shape[:2], dtype=np.uint8)
    for start, slab in placed:
        cells[:, start : start + slab.spec.steps] = slab.cells
    return Slab(cells, spec, first.resolution, 0, first.facts)


def _find(sources: Sequence[Path], endings: tuple[str, ...], output: Path | None) -> list[tuple[Path, Path]]:
    """Each file to read with the folder to write to; a folder is searched, its inner folders kept apart."""
    found: dict[Path, Path] = {}
    for source in sources:
        if not source.is_dir():
            found.setdefault(source, output or source.parent)
            continue
        inside = sorted(
            path for path in source.rglob("*") if path.suffix.lower() in endings and path.is_file()
        )
        if not inside:
            raise FileNotFoundError(
                errno.ENOENT, f"no {' or '.join(endings)} file in this folder", str(source)
            )
        for path in inside:
            found.setdefault(path, output / path.parent.relative_to(source) if output else path.parent)
    return list(found.items())


def _alone(found: Iterable[tuple[Path, Path]]) -> list[Job]:
    """A job for each file, named after it; where that name is taken, after all of its file name."""
    taken: set[tuple[Path, str]] = set()
    return [Job((path,), folder, _free(path, path.stem, folder, taken), alone=True) for path, folder in found]


def _joined(found: Iterable[tuple[Path, Path]]) -> list[Job]:
    """A job for each instrument: files of one folder that differ in their last number, in its order."""
    groups: dict[tuple[Path, Path, str, bool], list[Path]] = {}
    for path, folder in found:
        match = _NUMBERED.fullmatch(path.stem)
        name = match["name"] if match else path.stem
        groups.setdefault((folder, path.parent, name, match is None), []).append(path)
    taken: set[tuple[Path, str]] = set()
    return [
        Job(tuple(sorted(paths, key=_number)), folder, _free(paths[0], name, folder, taken), alone=False)
        for (folder, _, name, _), paths in groups.items()
    ]


def _number(path: Path) -> int:
    match = _NUMBERED.fullmatch(path.stem)
    return int(match["number"]) if match else -1


def _free(path: Path, stem: str, folder: Path, taken: set[tuple[Path, str]]) -> str:
    """``stem``, or the next best name that no other file of this run has (upper and lower case alike)."""
    wishes = chain((stem, path.name), (f"{stem}-{n}" for n in count(2)))
    name = next(wish for wish in wishes if (folder, wish.lower()) not in taken)
    taken.add((folder, name.lower()))
    return name


def _named(parts: Iterable[Part]) -> Iterator[tuple[str, Part]]:
    """Each part with a name of its own, fit for file names: letters, digits and hyphens."""
    taken: set[str] = set()
    for part in parts:
        plain = unicodedata.normalize("NFKD", part.name).encode("ascii", "ignore").decode().lower()
        slug = re.sub("[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_SLUG] or "part"
        name = next(name for name in chain([slug], (f"{slug}-{n}" for n in count(2))) if name not in taken)
        taken.add(name)
        yield name, part


def _run(jobs: Sequence[Job], work: Callable[[Job], Result], product: str) -> int:
    """Do every job, say on stderr which could not be read, print a summary; 1 if any could not, else 0."""
    counts: Counts = Counter()
    failed = 0
    for job in tqdm(jobs, unit="file", disable=True if len(jobs) < 2 else None):
        try:
            result = work(job)
        except (PianoganError, OSError) as error:
            failed += 1
            why, source = one_line(error), str(job.sources[0])
            tqdm.write(why if source in why else f"{source}: {why}", file=sys.stderr)
            continue
        for name, data in result.files:
            write_atomically(job.folder / name, data)
            counts[f"{product} written"] += 1
        counts += result.counts
    counts["could not be read"] = failed
    said = [f"files: {sum(len(job.sources) for job in jobs)}"]
    print("; ".join(said + [f"{what}: {number}" for what, number in counts.items() if number]))
    return 1 if failed else 0
