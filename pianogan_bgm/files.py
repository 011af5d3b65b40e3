"""Writing files so that a reader sees the old one or the new one, never half of one."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Put ``data`` at ``path`` in one step; its folder is made where missing.

    Raises :class:`OSError` (folder not writable, disk full, not a regular file) and then leaves what was
    there untouched and nothing beside it.
    """
    target = Path(path)
    if target.exists() and not target.is_file():
        raise FileExistsError(f"{target} exists and is not a regular file")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid4().hex}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
