"""Jobs to a finished corpus: convert, keep work done so far, split by work, write, report."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from pianogan_bgm.files import write_atomically
from pianogan_bgm.notes import DEFAULT_VELOCITY
from pianogan_bgm.roll import ROLL
from training import licences
from training.corpus import ARRAYS, ARRAYS_FILE, FORMAT_VERSION, MANIFEST_FILE, SPLITS, DataError, sha256_of
from training.grid import MAX_ERROR, GridPiece
from training.similar import same_music
from training.sources import UNPACKED
from training.works import split_by_work

CHANGES: Final = (
    "Notes were rounded to sixteenths, reduced to one voice a key and to the pitches 21 to 126; tempo, "
    "pedal, instruments and text were left out."
)
"""What was done to the sources; CC BY asks for it."""
SHARD: Final = 64
"""Files converted between two saves of the work so far."""
MIN_VELOCITIES: Final = 8
"""Different velocities a piece needs to count as played with dynamics."""


@dataclass(frozen=True)
class Job:
    """One piece to make: its record in the manifest so far, and how to make it.

    ``convert`` raises :class:`DataError` if the piece cannot be used. ``split``: fixed side, or None to
    split by ``keys``. ``fingerprint``: changes whenever the result may. ``max_error``: mean distance to the
    grid, in steps, above which the piece is left out.
    """

    record: dict[str, Any]
    convert: Callable[[], GridPiece]
    keys: frozenset[str]
    split: int | None = None
    fingerprint: str = ""
    max_error: float = MAX_ERROR


def build(jobs: Sequence[Job], output: Path, name: str, skipped: list[dict[str, str]]) -> dict[str, Any]:
    """Convert ``jobs``, split, and write the corpus ``name`` into ``output``; returns the manifest.

    Work done is kept in shards and found again by a later run of the same jobs; a finished corpus of the
    same jobs is left as it is. ``skipped``: what was left out before, for the manifest.
    """
    identity = json.dumps([FORMAT_VERSION, name, [[job.record, job.fingerprint] for job in jobs], skipped])
    fingerprint = hashlib.sha256(identity.encode()).hexdigest()
    if (done := _finished(output, fingerprint)) is not None:
        print(f"{output}: already prepared from the same input")
        _tidy(output)
        return done
    work = output / f".work-{fingerprint[:16]}"
    work.mkdir(parents=True, exist_ok=True)
    pieces: list[tuple[Job, GridPiece]] = []
    with tqdm(total=len(jobs), unit="file", desc=name) as bar:
        for start in range(0, len(jobs), SHARD):
            chunk = jobs[start : start + SHARD]
            place = work / f"{start:06}-{start + len(chunk):06}.npz"  # another size, other names: made anew
            for job, result in zip(chunk, _shard(chunk, place), strict=True):
                if isinstance(result, GridPiece):
                    pieces.append((job, result))
                else:
                    skipped.append({"file": job.record["file"], "reason": result})
            bar.update(len(chunk))
    if not pieces:
        raise DataError("no piece is left: " + "; ".join(s["reason"] for s in skipped[:5]))
    manifest = write(pieces, output, name, skipped, fingerprint)
    _tidy(output)
    return manifest


def _tidy(output: Path) -> None:
    """Remove the work that was kept, and what a run that was killed had half written."""
    for left in (*output.glob(".work-*"), *output.glob(f"{UNPACKED}*")):
        shutil.rmtree(left, ignore_errors=True)
    for half in output.glob(".*.tmp"):
        half.unlink()


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
        piece.check(job.max_error)
    except DataError as error:
        return str(error)
    return piece


def _shard(jobs: Sequence[Job], path: Path) -> list[GridPiece | str]:
    """The results of ``jobs``, read from ``path`` or made and written there."""
    if path.exists():
        return _kept(path, len(jobs))
    results = [_convert(job) for job in jobs]
    arrays: dict[str, Any] = {}
    facts: list[Any] = []
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


def _kept(path: Path, count: int) -> list[GridPiece | str]:
    """What an earlier run made of ``count`` jobs. Raises :class:`DataError` for a file it did not write."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            facts = json.loads(str(stored["facts"]))
            results: list[GridPiece | str] = [
                fact
                if isinstance(fact, str)
                else GridPiece(*(stored[f"{part}{index}"] for part in ("n", "d", "b")), **fact)
                for index, fact in enumerate(facts)
            ]
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: work kept by an earlier run cannot be read ({error}); delete it") from error
    if len(results) != count:
        raise DataError(f"{path}: should hold {count} pieces kept by an earlier run, not {len(results)}")
    return results


def _save(path: Path, arrays: dict[str, Any]) -> None:
    """Write an .npz in one piece: all of it or nothing."""
    data = io.BytesIO()
    np.savez_compressed(data, allow_pickle=False, **arrays)
    write_atomically(path, data.getvalue())


def write(
    pieces: Sequence[tuple[Job, GridPiece]],
    output: Path,
    name: str,
    skipped: list[dict[str, str]],
    fingerprint: str,
) -> dict[str, Any]:
    """Write arrays, then manifest, each in one piece; returns the manifest."""
    sides = _sides(pieces)
    has_velocity = _has_velocity([piece for _, piece in pieces])
    arrays = _arrays([piece for _, piece in pieces], [side for side, _ in sides])
    if not has_velocity:
        arrays["notes"][:, 3] = DEFAULT_VELOCITY
    _save(output / ARRAYS_FILE, arrays)
    records = [_record(*piece, *side) for piece, side in zip(pieces, sides, strict=True)]
    manifest = {
        "format": FORMAT_VERSION,
        "name": name,
        "has_velocity": has_velocity,
        "licence": dict(sorted(Counter(record["licence"] for record in records).items())),
        "attribution": _attribution(records),
        "changes": CHANGES,
        "sha256": sha256_of(output / ARRAYS_FILE),
        "fingerprint": fingerprint,
        "totals": _totals(records, skipped),
        "pieces": records,
        "skipped": skipped,
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=1) + "\n"
    write_atomically(output / MANIFEST_FILE, text.encode())
    _report(manifest)
    return manifest


def _record(job: Job, piece: GridPiece, side: int, work: str) -> dict[str, Any]:
    return {
        **job.record,
        "work": work,
        "split": SPLITS[side],
        "notes": len(piece.notes),
        "steps": piece.steps,
        "dropped": {reason: count for reason, count in piece.dropped.items() if count},
        "quantisation_error": round(piece.error, 5),
    }


def _has_velocity(pieces: Sequence[GridPiece]) -> bool:
    """Whether most notes belong to pieces with dynamics."""
    dynamic = [piece for piece in pieces if len(np.unique(piece.notes[:, 3])) >= MIN_VELOCITIES]
    return 2 * sum(len(piece.notes) for piece in dynamic) > sum(len(piece.notes) for piece in pieces)


def _sides(pieces: Sequence[tuple[Job, GridPiece]]) -> list[tuple[int, str]]:
    """Side and work of each piece; where the source fixes sides, its own works are left as they are."""
    free = all(job.split is None for job, _ in pieces)
    same = same_music([piece.notes for _, piece in pieces]) if free else []
    by_work = split_by_work([job.keys for job, _ in pieces], same)
    return [
        (side if job.split is None else job.split, work)
        for (job, _), (side, work) in zip(pieces, by_work, strict=True)
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
        "quantisation_error": round(
            sum(record["quantisation_error"] * record["notes"] for record in records) / notes, 5
        ),
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


def _report(manifest: dict[str, Any]) -> None:
    totals, steps = manifest["totals"], manifest["totals"]["steps"]
    print(
        f"{manifest['name']}: {totals['pieces']} pieces of {totals['works']} works, {totals['notes']} notes"
    )
    print(f"  {steps / ROLL.steps:.0f} windows, mean rounding error {totals['quantisation_error']:.3f} steps")
    for name, split in totals["splits"].items():
        share = split["steps"] / steps
        print(f"  {name}: {split['pieces']} pieces, {split['steps'] / ROLL.steps:.0f} windows ({share:.1%})")
    for what in ("dropped notes", "skipped files"):
        for reason, count in totals[what].items():
            print(f"  {what}: {count} {reason}")
