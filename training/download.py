"""The MAESTRO dataset from its own site: resumable, checked, with a progress bar."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from training.corpus import DataError, sha256_of

BLOCK: Final = 1 << 16
TIMEOUT: Final = 60.0


@dataclass(frozen=True)
class Archive:
    """A file on the net and its sha256, in hexadecimal."""

    url: str
    sha256: str

    @property
    def name(self) -> str:
        """File name, the last part of the address."""
        return self.url.rsplit("/", maxsplit=1)[-1]


MAESTRO: Final = Archive(
    url="https://storage.googleapis.com/magentadata/datasets/maestro/v3.0.0/maestro-v3.0.0-midi.zip",
    sha256="70470ee253295c8d2c71e6d9d4a815189e35c89624b76d22fce5a019d5dde12c",
)
"""MIDI only, 56 MiB, CC BY-NC-SA 4.0."""


def download(folder: Path, archive: Archive = MAESTRO) -> Path:
    """Get ``archive`` into ``folder`` and return its path; a complete file there is used as it is.

    An interrupted download goes on from its ``.part`` file. Raises :class:`DataError` if the server fails
    or the finished file has another sha256; such a file is removed, so that the next try starts anew.
    """
    path = folder / archive.name
    if path.exists() and sha256_of(path) == archive.sha256:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        _fetch(archive.url, part)
    except (OSError, http.client.HTTPException) as error:
        raise DataError(f"{archive.url} broke off: {error}; run again to go on") from error
    if (got := sha256_of(part)) != archive.sha256:
        part.unlink()
        raise DataError(f"{archive.url} has sha256 {got}; expected {archive.sha256}; removed it")
    os.replace(part, path)
    return path


def _fetch(url: str, part: Path) -> None:
    """Append to ``part`` what it lacks of ``url``; start anew if the server cannot continue."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if have and error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is missing; the sha256 decides
        raise
    with answer:
        goes_on = answer.status == http.client.PARTIAL_CONTENT
        have = have if goes_on else 0
        missing = int(answer.headers.get("Content-Length") or 0)
        with (
            part.open("ab" if goes_on else "wb") as file,
            tqdm(
                total=have + missing or None, initial=have, unit="B", unit_scale=True, desc=part.stem
            ) as bar,
        ):
            _copy(answer, file, bar)
        if missing and part.stat().st_size < have + missing:
            raise OSError(f"got {part.stat().st_size} of {have + missing} bytes")


def _copy(answer: Any, file: Any, bar: Any) -> None:
    while block := answer.read(BLOCK):
        file.write(block)
        bar.update(len(block))
