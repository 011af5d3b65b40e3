"""Sources of music to a prepared corpus (:mod:`training.corpus`).

::

    python -m training.prepare beats SRC -o DIR [--name open]
    python -m training.prepare maestro SRC -o DIR [--asap SRC] [--grid fixed|asap]
    python -m training.prepare download -o DIR
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from pianogan_bgm.notes import DEFAULT_VELOCITY
from training import licences, smf, sources
from training.corpus import ARRAYS, ARRAYS_FILE, FORMAT_VERSION, MANIFEST_FILE, SPLITS, DataError, sha256_of
from training.grid import GridPiece, beat_aligned
from training.works import split_by_work

SHARD: Final = 64
"""Files converted between two saves of the work so far."""
MIN_VELOCITIES: Final = 8
"""Different velocities a piece needs to count as played with dynamics."""


@dataclass(frozen=True)
class Job:
    """One piece to make: its record in the manifest so far, and how to make it.

    ``convert`` raises :class:`DataError` if the piece cannot be used. ``split``: fixed side, or None to
    split by ``keys``. ``fingerprint``: changes whenever the result may.
    """

    record: dict[str, Any]
    convert: Callable[[], GridPiece]
    keys: frozenset[str]
    split: int | None = None
    fingerprint: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.prepare", description="prepare training data")
    commands = parser.add_subparsers(required=True)
    beats = commands.add_parser("beats", help="a folder or archive of beat-aligned MIDI files")
    beats.add_argument("source", type=Path)
    beats.add_argument("-o", "--output", type=Path, required=True)
    beats.add_argument("--name", default="open")
    beats.add_argument("--allow-licence", action="append", default=[], metavar="NAME")
    beats.set_defaults(run=_run_beats)
    maestro = commands.add_parser("maestro", help="the MAESTRO dataset, a folder or archive")
    maestro.add_argument("source", type=Path)
    maestro.add_argument("-o", "--output", type=Path, required=True)
    maestro.add_argument("--asap", type=Path, metavar="SRC", help="the ASAP dataset: its beats become bars")
    maestro.add_argument("--grid", choices=("fixed", "asap"), help="default: asap if --asap is given")
    maestro.add_argument("--name", default="maestro")
    maestro.set_defaults(run=_run_maestro)
    return parser


def _run_beats(options: argparse.Namespace) -> None:
    with sources.opened(options.source, options.output) as root:
        files = sources.midi_files(root)
        allowed = [f for f in files if licences.is_allowed(f.licence, options.allow_licence)]
        refused = Counter((f.source, f.licence) for f in files if f not in set(allowed))
        for (source, licence), count in sorted(refused.items()):
            print(f"refused {count} files of {source}: licence {licence}", file=sys.stderr)
        if not allowed:
            raise DataError("no file has a licence that may be used; --allow-licence NAME widens the choice")
        skipped = [
            {"file": f.name, "reason": f"licence not allowed: {f.licence}"}
            for f in files
            if not licences.is_allowed(f.licence, options.allow_licence)
        ]
        build([_beat_job(file) for file in allowed], options.output, options.name, skipped)


def _run_maestro(options: argparse.Namespace) -> None:
    from training.maestro import asap_jobs, fixed_jobs

    grid = options.grid or ("asap" if options.asap else "fixed")
    if (grid == "asap") != bool(options.asap):
        raise DataError(f"--grid {grid} {'needs' if grid == 'asap' else 'has no use for'} --asap SRC")
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(sources.opened(options.source, options.output))
        skipped: list[dict[str, str]] = []
        if grid == "asap":
            asap = stack.enter_context(sources.opened(options.asap, options.output))
            jobs, skipped = asap_jobs(root, asap)
        else:
            jobs = fixed_jobs(root)
        build(jobs, options.output, options.name, skipped)


def _beat_job(file: sources.SourceFile) -> Job:
    data = file.path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    record = {
        "source": file.source,
        "file": file.name,
        "sha256": digest,
        "title": file.title,
        "composer": file.composer,
        "licence": file.licence,
        "attribution": file.attribution,
    }
    return Job(record, lambda: beat_aligned(smf.read(file.path.read_bytes())), file.keys, fingerprint=digest)


def build(jobs: Sequence[Job], output: Path, name: str, skipped: list[dict[str, str]]) -> dict[str, Any]:
    """Convert ``jobs``, split, and write the corpus ``name`` into ``output``; returns the manifest.

    Work done is kept in shards and found again by a later run of the same jobs; a finished corpus of the
    same jobs is left as it is. ``skipped``: what was left out before, for the manifest.
    """
    identity = json.dumps([FORMAT_VERSION, name, [[job.record, job.fingerprint] for job in jobs], skipped])
    fingerprint = hashlib.sha256(identity.encode()).hexdigest()
    if (done := _finished(output, fingerprint)) is not None:
        print(f"{output}: already prepared from the same input")
        return done
    work = output / f".work-{fingerprint[:16]}"
    work.mkdir(parents=True, exist_ok=True)
    pieces: list[tuple[Job, GridPiece]] = []
    with tqdm(total=len(jobs), unit="file", desc=name) as bar:
        for start in range(0, len(jobs), SHARD):
            chunk = jobs[start : start + SHARD]
            for job, result in zip(chunk, _shard(chunk, work / f"{start // SHARD:05}.npz"), strict=True):
                if isinstance(result, GridPiece):
                    pieces.append((job, result))
                else:
                    skipped.append({"file": job.record["file"], "reason": result})
            bar.update(len(chunk))
    if not pieces:
        raise DataError("no piece is left: " + "; ".join(s["reason"] for s in skipped[:5]))
    manifest = write(pieces, output, name, skipped, fingerprint)
    shutil.rmtree(work)
    return manifest


def _finished(output: Path, fingerprint: str) -> dict[str, Any] | None:
    try:
        manifest = json.loads((output / MANIFEST_FILE).read_text("utf-8"))
        same = manifest["fingerprint"] == fingerprint
        return dict(manifest) if same and sha256_of(output / ARRAYS_FILE) == manifest["sha256"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _convert(job: Job) -> GridPiece | str:
    try:
        piece = job.convert()
        piece.check()
    except DataError as error:
        return str(error)
    return piece


def _shard(jobs: Sequence[Job], path: Path) -> list[GridPiece | str]:
    """The results of ``jobs``, read from ``path`` or made and written there."""
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            facts = json.loads(str(stored["facts"]))
            return [
                fact
                if isinstance(fact, str)
                else GridPiece(*(stored[f"{part}{index}"] for part in ("n", "d", "b")), **fact)
                for index, fact in enumerate(facts)
            ]
    results = [_convert(job) for job in jobs]
    arrays: dict[str, Any] = {}
    facts = []
    for index, result in enumerate(results):
        if isinstance(result, GridPiece):
            arrays |= {
                f"n{index}": result.notes,
                f"d{index}": result.downbeats,
                f"b{index}": result.beats_per_bar,
            }
            facts.append({"steps": result.steps, "error": result.error, "dropped": result.dropped})
        else:
            facts.append(result)
    _save(path, {**arrays, "facts": np.array(json.dumps(facts))})
    return results


def _save(path: Path, arrays: dict[str, Any]) -> None:
    """Write an .npz in one piece: all of it or nothing."""
    temporary = path.with_name(path.name + ".part")
    with temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    os.replace(temporary, path)


def write(
    pieces: Sequence[tuple[Job, GridPiece]],
    output: Path,
    name: str,
    skipped: list[dict[str, str]],
    fingerprint: str,
) -> dict[str, Any]:
    """Write arrays, then manifest, each in one piece; returns the manifest."""
    sides = _sides([job for job, _ in pieces])
    dynamic = sum(
        len(piece.notes) for _, piece in pieces if len(np.unique(piece.notes[:, 3])) >= MIN_VELOCITIES
    )
    has_velocity = dynamic * 2 > sum(len(piece.notes) for _, piece in pieces)
    arrays = _arrays([piece for _, piece in pieces], [side for side, _ in sides])
    if not has_velocity:
        arrays["notes"][:, 3] = DEFAULT_VELOCITY
    _save(output / ARRAYS_FILE, arrays)
    records = [
        {
            **job.record,
            "work": work,
            "split": SPLITS[side],
            "notes": len(piece.notes),
            "steps": piece.steps,
            "dropped": {reason: count for reason, count in piece.dropped.items() if count},
            "error": round(piece.error, 5),
        }
        for (job, piece), (side, work) in zip(pieces, sides, strict=True)
    ]
    manifest = {
        "format": FORMAT_VERSION,
        "name": name,
        "has_velocity": has_velocity,
        "licence": dict(sorted(Counter(record["licence"] for record in records).items())),
        "attribution": _attribution(records),
        "sha256": sha256_of(output / ARRAYS_FILE),
        "fingerprint": fingerprint,
        "totals": _totals(records, skipped),
        "pieces": records,
        "skipped": skipped,
    }
    _write_text(output / MANIFEST_FILE, json.dumps(manifest, ensure_ascii=False, indent=1) + "\n")
    _report(manifest)
    return manifest


def _sides(jobs: Sequence[Job]) -> list[tuple[int, str]]:
    by_work = split_by_work([job.keys for job in jobs])
    return [
        (side if job.split is None else job.split, work)
        for job, (side, work) in zip(jobs, by_work, strict=True)
    ]


def _arrays(pieces: Sequence[GridPiece], sides: Sequence[int]) -> dict[str, Any]:
    def offsets(parts: list[Any]) -> Any:
        return np.cumsum([0, *(len(part) for part in parts)])

    notes, downbeats = [piece.notes for piece in pieces], [piece.downbeats for piece in pieces]
    arrays = {
        "notes": np.concatenate(notes),
        "note_offsets": offsets(notes),
        "downbeats": np.concatenate(downbeats),
        "beats_per_bar": np.concatenate([piece.beats_per_bar for piece in pieces]),
        "downbeat_offsets": offsets(downbeats),
        "steps": np.array([piece.steps for piece in pieces]),
        "split": np.array(sides),
    }
    return {key: arrays[key].astype(dtype) for key, dtype in ARRAYS.items()}


def _attribution(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for each different credit, ready for a credits page."""
    counted = Counter((record["attribution"], record["licence"]) for record in records)
    return [
        {"text": text, "licence": licence, "url": licences.url(licence), "pieces": count}
        for (text, licence), count in sorted(counted.items())
    ]


def _totals(records: Sequence[dict[str, Any]], skipped: Sequence[dict[str, str]]) -> dict[str, Any]:
    notes = sum(record["notes"] for record in records)
    dropped: Counter[str] = Counter()
    for record in records:
        dropped.update(record["dropped"])
    return {
        "pieces": len(records),
        "notes": notes,
        "steps": sum(record["steps"] for record in records),
        "works": len({record["work"] for record in records}),
        "error": round(sum(record["error"] * record["notes"] for record in records) / notes, 5),
        "splits": {
            name: {
                "pieces": sum(record["split"] == name for record in records),
                "steps": sum(record["steps"] for record in records if record["split"] == name),
            }
            for name in SPLITS
        },
        "dropped notes": dict(dropped),
        "skipped files": dict(Counter(entry["reason"].split(":")[0] for entry in skipped)),
    }


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text, "utf-8")
    os.replace(temporary, path)


def _report(manifest: dict[str, Any]) -> None:
    totals = manifest["totals"]
    print(
        f"{manifest['name']}: {totals['pieces']} pieces of {totals['works']} works, {totals['notes']} notes, "
    )
    print(
        f"  {totals['steps'] / 300:.0f} windows of 300 steps, mean quantisation error {totals['error']:.3f} steps"
    )
    for name, split in totals["splits"].items():
        share = split["steps"] / totals["steps"]
        print(f"  {name}: {split['pieces']} pieces, {split['steps'] / 300:.0f} windows ({share:.1%})")
    for what in ("dropped notes", "skipped files"):
        for reason, count in totals[what].items():
            print(f"  {what}: {count} {reason}")


if __name__ == "__main__":
    sys.exit(main())
