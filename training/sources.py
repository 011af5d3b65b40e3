"""Where music comes from: folders and archives, unpacked safely, and what is known about each file.

Licences come from per-file fields in a ``*manifest*.json`` or from a licence file, of the file's folder or
the nearest one above it; a file with neither has the licence "unknown".
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from training import licences
from training.corpus import DataError
from training.works import work_keys

MIDI_ENDINGS: Final = {".mid", ".midi"}
MAX_UNPACKED: Final = 20 * 2**30
"""Bytes an archive may unpack to."""
UNPACKED: Final = ".unpacked-"
"""How the folders begin that archives are unpacked to."""


@dataclass(frozen=True)
class SourceFile:
    """One MIDI file and what is known of it. ``path`` on disk, ``name`` within the source."""

    path: Path
    name: str
    source: str
    title: str
    composer: str
    licence: str
    attribution: str
    keys: frozenset[str]


@contextlib.contextmanager
def opened(source: Path, scratch: Path) -> Iterator[Path]:
    """``source`` as a folder: itself, or a tar or zip archive unpacked below ``scratch`` while in use.

    An archive's only folder stands for the archive, so that both give the same names.
    Raises :class:`DataError` for anything else, or for an archive with an entry that points outside.
    """
    if source.is_dir():
        yield source
        return
    if not source.is_file():
        raise DataError(f"{source} does not exist: expected a folder or a tar or zip archive")
    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=UNPACKED, dir=scratch))
    try:
        _unpack(source, folder)
        inside = list(folder.iterdir())
        yield inside[0] if len(inside) == 1 and inside[0].is_dir() else folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(archive: Path, folder: Path) -> None:
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                _check_zip(packed)
                packed.extractall(folder)
        else:
            with tarfile.open(archive) as packed_tar:
                size = 0
                for member in packed_tar:
                    size += member.size
                    if size > MAX_UNPACKED:
                        raise DataError(f"{archive} unpacks to more than {MAX_UNPACKED} bytes")
                    packed_tar.extract(member, folder, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise DataError(f"{archive} cannot be unpacked safely: {error}") from error


def _check_zip(packed: zipfile.ZipFile) -> None:
    for info in packed.infolist():
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise DataError(f"the archive's entry {info.filename!r} points outside of it")
    if sum(info.file_size for info in packed.infolist()) > MAX_UNPACKED:
        raise DataError(f"the archive unpacks to more than {MAX_UNPACKED} bytes")


def midi_files(root: Path, label: str = "") -> list[SourceFile]:
    """Every MIDI file below ``root`` with what is known of it, sorted by name.

    ``label`` names the source of files that stand in ``root`` itself. Linked folders are not followed.
    """
    catalogue = _Catalogue(root, label or root.name)
    paths = []
    for folder, _, names in os.walk(root):
        paths += [Path(folder) / name for name in names if Path(name).suffix.lower() in MIDI_ENDINGS]
    if not paths:
        raise DataError(f"{root} holds no MIDI file (*.mid, *.midi)")
    return [catalogue.describe(path) for path in sorted(paths)]


class _Catalogue:
    """What the manifests and licence files below a folder say."""

    def __init__(self, root: Path, label: str) -> None:
        self.root, self.label = root, label
        self._rows: dict[Path, dict[str, dict[str, Any]]] = {}
        self._folders: dict[Path, tuple[str, str]] = {}
        self._sources = _described(root)
        for path in sorted(root.rglob("*manifest*.json")):
            self._rows.setdefault(path.parent, {}).update(_rows(path))

    def describe(self, path: Path) -> SourceFile:
        name = path.relative_to(self.root).as_posix()
        row = self._row(path)
        composer, title, entry, places = _facts(path, row)
        licence, notice = self._licence(path.parent)
        if stated := row.get("license") or row.get("licence"):
            licence, notice = licences.identify(str(stated)), _credit(row, title, composer)
        source = path.parent.name if path.parent != self.root else self.label
        return SourceFile(
            path=path,
            name=name,
            source=source,
            title=title,
            composer=composer,
            licence=licence,
            attribution="; ".join(text for text in (notice, self._sources.get(source, "")) if text) or source,
            keys=work_keys(composer, title, *places, entry=entry),
        )

    def _row(self, path: Path) -> dict[str, Any]:
        """What the nearest manifest that names a file says of it: by its place, or by its name alone."""
        for folder in path.parents[: len(path.relative_to(self.root).parts)]:
            rows = self._rows.get(folder, {})
            place = path.relative_to(folder).with_suffix("").as_posix()
            if (row := rows.get(place, rows.get(path.stem))) is not None:
                return row
        return {}

    def _licence(self, folder: Path) -> tuple[str, str]:
        """Licence and notice of a folder, from its own licence file or the nearest one above."""
        if folder not in self._folders:
            named = (p for p in folder.iterdir() if re.match(r"(?i)licen[cs]e|copying", p.name))
            found = sorted(path for path in named if path.is_file())
            if found:
                text = found[0].read_text("utf-8", errors="replace")
                self._folders[folder] = (licences.identify(text), _notice(text))
            elif folder == self.root:
                self._folders[folder] = (licences.UNKNOWN, "")
            else:
                self._folders[folder] = self._licence(folder.parent)
        return self._folders[folder]


def _rows(path: Path) -> dict[str, dict[str, Any]]:
    """A manifest's rows by the file's place from its folder, without ending.

    A list of objects with "file", or an object of objects by file; raises :class:`DataError` for others.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict | list):
        raise DataError(f"{path} must be a list or an object; got {content!r:.40}")
    if isinstance(content, dict):
        rows = [{"file": name, **row} for name, row in content.items() if isinstance(row, dict)]
    else:
        rows = [row for row in content if isinstance(row, dict) and "file" in row]
    places = [PurePosixPath(str(row["file"])) for row in rows]
    return {(place.parent / place.stem).as_posix(): row for place, row in zip(places, rows, strict=True)}


def _facts(path: Path, row: dict[str, Any]) -> tuple[str, str, str, list[str]]:
    """Composer, title, entry of the collection, and further texts with catalogue numbers."""
    words = path.stem.replace("_", " ")
    parts = [part.replace("_", " ").strip() for part in path.stem.split("__")]
    composer = str(row.get("composer") or row.get("COM") or "")
    title = str(row.get("title") or row.get("OTL") or "")
    places = [str(row[name]) for name in ("ops", "ptl", "PTL") if row.get(name)]
    places.append(re.sub(r"/O(?=\d)", "/Op. ", str(row.get("piece", ""))))  # Mutopia's folders: ChopinFF/O10
    entry = ""
    if len(parts) == 4 and re.fullmatch(r"lc\d+", parts[3]):  # composer, cycle, title, number
        composer, entry, title = parts[:3]
    elif shelf := re.fullmatch(
        r".*__([a-z-]+--.+?)(?:--(?:\d+[\d-]*)(?:-pc\d+)?|--pc\d+)?_(\D.*)", path.stem
    ):
        entry, places = shelf[1], [*places, shelf[2]]  # library and shelf mark
    elif opus := re.match(r"(\d{3})(?:_\d+)?(?:-\d+)?[a-z]*-", path.stem):  # opus and publisher
        composer, places = composer or "Chopin, Fryderyk", [*places, f"Op. {int(opus[1])}"]
    elif "chopin" in path.parent.name:
        composer = composer or "Chopin, Fryderyk"
    return composer, title or words, entry, places


def _described(root: Path) -> dict[str, str]:
    """What a ``SOURCES.txt`` says of each folder, in lines "folder/ : text"."""
    described = {}
    for path in sorted(root.rglob("SOURCES.txt")):
        for line in path.read_text("utf-8", errors="replace").splitlines():
            if found := re.fullmatch(r"([\w.-]+)/?\s+:\s+(.+)", line.strip()):
                described[found[1]] = f"{found[1]}: {found[2]}"
    return described


def _credit(row: dict[str, Any], title: str, composer: str) -> str:
    name = re.sub(r"(?<=[a-z])[A-Z]\w{0,4}$", "", composer)  # without Mutopia's initials: ChopinFF
    by = f", typeset by {row['maintainer']}" if row.get("maintainer") else ""
    return f"{title} ({name}){by} ({row.get('footer') or row['file']})"


def _notice(text: str) -> str:
    """The lines of a licence file up to and including its copyright line, as one; or nothing."""
    lines = [line.strip() for line in text.splitlines()[:6] if line.strip()]
    for index, line in enumerate(lines):
        if re.match(r"(?i)copyright|\(c\)|©", line):
            return ". ".join(lines[: index + 1])
    return ""
