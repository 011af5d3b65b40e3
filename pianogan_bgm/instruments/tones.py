"""What every instrument is given and gives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Block: TypeAlias = npt.NDArray[np.float32]
"""PCM of shape (frames, 2), float32; full scale is 1.0, not limited before the master bus."""


@dataclass(frozen=True, order=True, slots=True)
class Tone:
    """One note as sound.

    ``start``: frame on the stream's own clock. ``pitch``: MIDI number. ``frames``: until the release begins
    (key and pedal together), 1 or more. ``velocity``: MIDI 1–127. ``gain``: linear, 1.0 as played.
    """

    start: int
    pitch: int
    frames: int
    velocity: int
    gain: float = 1.0


class Instrument(Protocol):
    """A source of sound at one sample rate."""

    @property
    def rate(self) -> int:
        """Sample rate in Hz."""

    def ring(self, tone: Tone) -> int:
        """Frames from the tone's start until it is silent, release included."""

    def add(self, tone: Tone, block: Block, at: int) -> None:
        """Add what sounds of ``tone`` to ``block``, whose first frame is frame ``at`` of the stream."""


def mix(instrument: Instrument, tones: Iterable[Tone], at: int, frames: int) -> Block:
    """Frames ``at`` to ``at + frames`` of ``tones``, float32 ``(frames, 2)``; tones outside cost nothing."""
    block = np.zeros((frames, 2), dtype=np.float32)
    for tone in sorted(tones):
        if tone.start < at + frames and tone.start + instrument.ring(tone) > at:
            instrument.add(tone, block, at)
    return block
