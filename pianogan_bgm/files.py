"""Writing files so that a reader sees the old one or the new one, never half of one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Put ``data`` at ``path`` in one step; its folder is made where missing.

    Raises :class:`OSError` (folder not writable, disk full, not a regular file) and then leaves what was
    there untouched and nothing beside it.
    """
    write_together({path: data})


def write_together(contents: Mapping[str | os.PathLike[str], bytes]) -> None:
    """Put files that belong together at their paths, in the order given; folders are made where missing.

    All of them are written beside their places first, then renamed one right after the other: what can go
    wrong in writing (:class:`OSError`, as for :func:`write_atomically`) leaves every old file untouched. No
    system renames two files at once, so between two renames a reader, or a process that was killed just
    there, may find files of both times: one of them has to tell, as a model's card does by its SHA-256.
    """
    targets = {Path(path): data for path, data in contents.items()}
    temporaries = {target: target.with_name(f".{uuid4().hex}.tmp") for target in targets}
    for target in targets:
        if target.exists() and not target.is_file():
            raise FileExistsError(f"{target} exists and is not a regular file")
    try:
        for target, data in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            temporaries[target].write_bytes(data)
        for target, temporary in temporaries.items():
            os.replace(temporary, target)
    finally:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)
