"""pygame's mixer, or one that never opens where pygame could not load its own.

pygame's wheels lean on libraries of the system for sound; where one is missing (a bare Linux without glib),
``import pygame`` succeeds and every touch of ``pygame.mixer`` raises ``NotImplementedError``.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any


class NoMixer:
    """Stands for a mixer that is missing: closed, and cannot be opened."""

    def __init__(self, why: str, error: type[Exception]) -> None:
        self._why, self._error = why, error

    def get_init(self) -> None:
        """Return None: it is not open."""

    def init(self) -> None:
        """Raise ``pygame.error`` with the reason."""
        raise self._error(f"pygame cannot load its mixer ({self._why})")

    def quit(self) -> None:
        """Do nothing: it is not open."""


def usable_mixer(pygame: Any) -> Any:
    """The module ``pygame.mixer``, or a :class:`NoMixer` where it is missing."""
    return _judged(pygame.mixer, pygame.error)


@lru_cache(maxsize=1)
def _judged(mixer: Any, error: type[Exception]) -> Any:
    """Looked at once: the music's thread asks again and again, and warning filters belong to the process."""
    try:
        with warnings.catch_warnings():  # pygame warns, too; the reason is told once, by who asks for sound
            warnings.simplefilter("ignore")
            mixer.get_init  # noqa: B018  # a missing module raises here
    except NotImplementedError as missing:
        return NoMixer(" ".join(str(missing).split()), error)
    return mixer
