"""Writing files so that a reader sees the old one or the new one, never half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import sleep
from typing import Final
from uuid import uuid4

ATTEMPTS: Final = 10 if os.name == "nt" else 1
"""To put a file in its place: on Windows a virus scanner may just be reading the old or the new one."""
PAUSE: Final = 0.1
"""Seconds between two of them."""


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Put ``data`` at ``path`` in one step; its folder is made where missing.

    Raises :class:`OSError` (folder not writable, disk full, not a regular file) and then leaves what was
    there untouched and nothing beside it.
    """
    write_together({path: data})


@contextmanager
def appearing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path beside ``path`` to write to; where the block ends without an error it takes the place of that.

    The folder is made where missing. What goes wrong, as for :func:`write_atomically`, leaves nothing of it.
    """
    target = Path(path)
    if target.exists() and not target.is_file():
        raise FileExistsError(f"{target} exists and is not a regular file")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid4().hex}.tmp")
    try:
        yield temporary
        _take_place(temporary, target)
    except OSError as error:
        if error.filename is not None and str(error.filename) == str(temporary):
            error.filename = str(target)  # the name that its caller knows
        raise
    finally:
        with suppress(OSError):  # where nothing can be written nothing can be removed; why is said already
            temporary.unlink(missing_ok=True)


def _take_place(temporary: Path, target: Path) -> None:
    with _named(temporary), temporary.open("rb+") as file:
        os.fsync(file.fileno())  # or a power cut may leave the new name on nothing
    for attempt in range(1, ATTEMPTS + 1):
        try:
            os.replace(temporary, target)
        except PermissionError:
            if attempt == ATTEMPTS:
                raise
            sleep(PAUSE)
        else:
            return


def write_together(contents: Mapping[str | os.PathLike[str], bytes]) -> None:
    """Put files that belong together at their paths, in the order given; folders are made where missing.

    All of them are written beside their places first, then renamed one right after the other: what can go
    wrong in writing (:class:`OSError`, as for :func:`write_atomically`) leaves every old file untouched. No
    system renames two files at once, so between two renames a reader, or a process that was killed just
    there, may find files of both times: one of them has to tell, as a model's card does by its SHA-256.
    """
    with ExitStack() as stack:
        # left in the opposite order
        places = {path: stack.enter_context(appearing(path)) for path in reversed([*contents])}
        for path, data in contents.items():
            with _named(places[path]):
                places[path].write_bytes(data)


@contextmanager
def _named(place: Path) -> Iterator[None]:
    """Errors in the block name ``place`` where they name no file: ``open`` names its own, ``write`` none."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(place)
        raise


def path_in_c(path: str | os.PathLike[str]) -> str | bytes:
    """``path`` for a library in C such as soundfile, which by itself fails where the locale cannot say it."""
    return os.fspath(path) if os.name == "nt" else os.fsencode(path)
