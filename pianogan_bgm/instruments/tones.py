"""What every instrument is given and gives."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from pianogan_bgm.turns import in_turns

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
    """Frames ``at`` to ``at + frames`` of ``tones``, float32 ``(frames, 2)``; tones outside cost little."""
    block = np.zeros((frames, 2), dtype=np.float32)
    end = at + frames
    sounding = [t for t in tones if t.start < end and t.start + instrument.ring(t) > at]
    for tone in in_turns(sorted(sounding)):
        instrument.add(tone, block, at)
    return block


def velocity_gain(velocity: int) -> float:
    """Linear loudness of a MIDI velocity, 1.0 at 127 and 40 dB less at 1.

    The square law that most synthesisers follow (Dannenberg, "The Interpretation of MIDI Velocity",
    ICMC 2006).
    """
    softest = 0.1
    return (softest + (1.0 - softest) * (velocity - 1) / 126) ** 2


@lru_cache(maxsize=32)
def release_curve(rate: int, seconds: float) -> npt.NDArray[np.float32]:
    """Gains of a tone let go: from 1, falling 40 dB in ``seconds``, exactly 0 after half as long again.

    float32 of shape (frames, 1), read-only.
    """
    frames = max(1, round(1.5 * seconds * rate))
    time = (np.arange(frames) + 1.0) / rate
    curve = 10.0 ** (-2.0 * time / seconds) * np.minimum(1.0, (frames - np.arange(frames) - 1.0) * 4 / frames)
    values = curve.astype(np.float32)[:, None]
    values.flags.writeable = False
    return values
