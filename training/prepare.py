"""Sources of music to a prepared corpus (:mod:`training.corpus`).

::

    python -m training.prepare beats SRC -o DIR [--name open] [--allow-licence NAME]
    python -m training.prepare maestro SRC -o DIR [--asap SRC] [--grid fixed|asap]
    python -m training.prepare download -o DIR

A source is a folder or an archive (tar in any packing, zip). Interrupted work goes on where it stopped, and
a corpus that is already there from the same input is left as it is.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pianogan_bgm.errors import one_line
from pianogan_bgm.interrupts import INTERRUPTED
from training import licences, smf, sources
from training.build import Job, build
from training.corpus import DataError
from training.download import download
from training.grid import beat_aligned
from training.maestro import asap_jobs, fixed_jobs


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status: 1 for what cannot be read or written, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (DataError, OSError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return INTERRUPTED
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
    fetch = commands.add_parser("download", help="get the MAESTRO dataset (MIDI, 56 MiB) from its site")
    fetch.add_argument("-o", "--output", type=Path, required=True)
    fetch.set_defaults(run=_run_download)
    return parser


def _run_download(options: argparse.Namespace) -> None:
    print(download(options.output))


def _run_beats(options: argparse.Namespace) -> None:
    with sources.opened(options.source, options.output) as root:
        files = sources.midi_files(root, _label(options.source))
        allowed = [file for file in files if licences.is_allowed(file.licence, options.allow_licence)]
        refused = [file for file in files if not licences.is_allowed(file.licence, options.allow_licence)]
        for (source, licence), count in sorted(Counter((f.source, f.licence) for f in refused).items()):
            print(f"refused {count} files of {source}: licence {licence}", file=sys.stderr)
        if not allowed:
            raise DataError("no file has a licence that may be used; --allow-licence NAME widens the choice")
        skipped = [{"file": f.name, "reason": f"licence not allowed: {f.licence}"} for f in refused]
        build([_beat_job(file) for file in allowed], options.output, options.name, skipped)


def _label(source: Path) -> str:
    """What a source is called: the name of a folder, though it be given as ".", or of an archive."""
    name = os.path.basename(os.path.abspath(source))
    return name if source.is_dir() else name.split(".", maxsplit=1)[0]


def _run_maestro(options: argparse.Namespace) -> None:
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


if __name__ == "__main__":
    sys.exit(main())
