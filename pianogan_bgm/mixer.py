"""pygame's mixer, or one that never opens where pygame could not load its own.

pygame's wheels lean on libraries of the system for sound; where one is missing (a bare Linux without glib),
``import pygame`` succeeds and every touch of ``pygame.mixer`` raises ``NotImplementedError``.
"""

from __future__ import annotations

import warnings
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
    mixer = pygame.mixer
    try:
        with warnings.catch_warnings():  # pygame warns, too; the reason is told once, by who asks for sound
            warnings.simplefilter("ignore")
            mixer.get_init  # noqa: B018  # a missing module raises here
    except NotImplementedError as error:
        return NoMixer(" ".join(str(error).split()), pygame.error)
    return mixer
