"""The soundtrack into a file instead of the loudspeaker, in the game's time: each step a sixtieth second."""

from __future__ import annotations

import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pygame

from pianogan_bgm import Stream
from world import STEPS_PER_SECOND


class Recorder(Stream):
    """The engine without a device: the same verbs, and PCM whenever it is asked for.

    Writes 16-bit stereo WAV beside ``path`` and moves it there when closed.
    """

    def __init__(self, path: Path, piece: Any = None, **settings: Any) -> None:
        if not path.name or path.is_dir():
            raise IsADirectoryError(f"a recording needs the name of a file; got {str(path)!r}, a folder")
        super().__init__(piece, **settings)
        self.event_type = pygame.event.custom_type()
        self._path, self._draft = path, path.with_name(path.name + ".part")
        self._raw = self._draft.open("wb")
        self._file = wave.open(self._raw, "wb")  # noqa: SIM115  closed in close()
        self._file.setnchannels(2)
        self._file.setsampwidth(2)
        self._file.setframerate(self.rate)

    def step(self) -> None:
        """Render a sixtieth of a second and post its events, as the player does."""
        block = self.fill(self.rate // STEPS_PER_SECOND)
        self._file.writeframes((block * 32767.0).astype("<i2").tobytes())
        for event in self.events():
            fields = {"kind": event.kind, "bar": event.bar, "beat": event.beat}
            pygame.event.post(pygame.event.Event(self.event_type, fields))

    def close(self) -> None:
        """Finish the file; where it cannot be moved to its place, say where it is."""
        self._file.close()
        self._raw.close()
        try:
            self._draft.replace(self._path)
        except OSError as error:  # on Windows a file that somebody listens to cannot be replaced
            print(f"the recording is in {self._draft}: {error}", file=sys.stderr)


def loudest(path: Path) -> float:
    """Peak of a recording, 0–1."""
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return float(np.abs(samples.astype(np.float32)).max(initial=0.0)) / 32768.0
