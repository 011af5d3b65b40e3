"""Small synthesised voices: a music box, a soft electric piano and two chip voices; no samples.

A voice is a few parts that share a pitch. Each part reads one cycle of a waveform by a 32-bit phase counted
in whole numbers from the tone's start, so any frame can be computed without the frames before it, and its
loudness falls exponentially towards a sustained level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm.instruments.tones import Block, Tone, release_curve, velocity_gain

PHASE_BITS: Final = 32
TABLE_BITS: Final = 12
HIGHEST_PARTIAL_HZ: Final = 16000.0
LONGEST_DECAY: Final = 6.0
"""Seconds after which a decaying part counts as silent."""


@dataclass(frozen=True, slots=True)
class Part:
    """One layer of a voice.

    ``partials``: amplitudes of harmonics 1, 2, 3 … of its waveform. ``ratio``: its frequency over the
    tone's. ``level``: loudness. ``decay``: seconds to fall by 20 dB. ``sustain``: share that stays.
    ``brightness``: how much of it a soft touch loses, 0 (nothing) to 2. ``top``: highest MIDI pitch it
    sounds at.
    """

    partials: tuple[float, ...]
    level: float
    decay: float
    ratio: float = 1.0
    sustain: float = 0.0
    brightness: float = 0.0
    top: int = 127


@dataclass(frozen=True, slots=True)
class Voice:
    """Parts, with seconds of ``attack`` and ``release`` and the ``width`` of the stereo picture, 0 to 1."""

    parts: tuple[Part, ...]
    attack: float
    release: float
    width: float


def _square(count: int) -> tuple[float, ...]:
    return tuple(1.0 / n if n % 2 else 0.0 for n in range(1, count + 1))


def _triangle(count: int) -> tuple[float, ...]:
    return tuple((-1.0) ** (n // 2) / n**2 if n % 2 else 0.0 for n in range(1, count + 1))


# levels: on the same music all voices reach the piano's loudness (LUFS) within about a decibel
VOICES: Final[Mapping[str, Voice]] = MappingProxyType(
    {
        # a clamped steel tine: its overtones at 6.27 and 17.5 times the fundamental die almost at once
        "music_box": Voice(
            (
                Part((1.0, 0.05), 0.46, 0.85),
                Part((1.0,), 0.13, 0.35, ratio=4.0, brightness=0.6, top=96),
                Part((1.0,), 0.1, 0.09, ratio=6.27, brightness=1.0, top=96),
                Part((1.0,), 0.045, 0.04, ratio=17.5, brightness=1.0, top=80),
            ),
            attack=0.001,
            release=0.9,
            width=0.5,
        ),
        # a tine beside a tone bar: a round body, a bark that grows with the touch, a short bell
        "electric_piano": Voice(
            (
                Part((1.0, 0.12, 0.03), 0.33, 2.2),
                Part((0.0, 1.0, 0.45, 0.3, 0.12), 0.1, 0.7, brightness=1.3),
                Part((1.0,), 0.05, 0.25, ratio=14.0, brightness=1.6, top=84),
            ),
            attack=0.003,
            release=0.25,
            width=0.35,
        ),
        "chip_square": Voice(
            (Part(_square(64), 0.31, 0.5, sustain=0.55),), attack=0.002, release=0.08, width=0.15
        ),
        "chip_triangle": Voice(
            (Part(_triangle(32), 0.29, 0.9, sustain=0.6),), attack=0.002, release=0.1, width=0.0
        ),
    }
)


class Synth:
    """A voice at one sample rate; see :class:`~pianogan_bgm.instruments.tones.Instrument`."""

    def __init__(self, voice: Voice, rate: int) -> None:
        self.rate = rate
        self._voice = voice
        self._release = release_curve(rate, voice.release)
        self._attack = _attack(rate, voice.attack)
        sustained = any(part.sustain for part in voice.parts)
        self._longest = None if sustained else round(LONGEST_DECAY * rate)

    def ring(self, tone: Tone) -> int:
        """Frames until the tone is silent."""
        frames = tone.frames + len(self._release)
        return frames if self._longest is None else min(frames, self._longest)

    def add(self, tone: Tone, block: Block, at: int) -> None:
        """Add the part of ``tone`` that falls into ``block``."""
        first, last = max(0, at - tone.start), min(self.ring(tone), at + len(block) - tone.start)
        if first >= last:
            return
        sound = np.zeros(last - first, dtype=np.float32)
        for part in self._voice.parts:
            if tone.pitch <= part.top:
                self._add_part(part, tone, sound, first)
        if first < len(self._attack):
            head = self._attack[first:last]
            sound[: len(head)] *= head
        if last > tone.frames:
            begin = max(first, tone.frames)
            sound[begin - first :] *= self._release[begin - tone.frames : last - tone.frames, 0]
        offset = tone.start + first - at
        block[offset : offset + len(sound)] += sound[:, None] * self._sides(tone.pitch)

    def _add_part(self, part: Part, tone: Tone, sound: npt.NDArray[np.float32], first: int) -> None:
        envelope = _decay(self.rate, part.decay, part.sustain)[first : first + len(sound)]
        if not part.sustain:
            sound = sound[: len(envelope)]
        frequency = 440.0 * 2.0 ** ((tone.pitch - 69) / 12) * part.ratio
        audible = max(1, int(min(HIGHEST_PARTIAL_HZ, 0.45 * self.rate) / frequency))
        if frequency > 0.45 * self.rate or not len(sound):
            return
        wave = _cycle(part.partials[:audible])
        step = round(frequency / self.rate * 2**PHASE_BITS)
        phase = np.arange(len(sound), dtype=np.uint32)
        phase *= np.uint32(step)
        phase += np.uint32(first * step % 2**PHASE_BITS)
        phase >>= np.uint32(PHASE_BITS - TABLE_BITS)
        touch = velocity_gain(tone.velocity)
        gain = np.float32(tone.gain * part.level * touch * touch ** (part.brightness / 2))
        values = wave.take(phase)
        values *= gain
        values[: len(envelope)] *= envelope
        values[len(envelope) :] *= np.float32(part.sustain)
        sound += values

    def _sides(self, pitch: int) -> npt.NDArray[np.float32]:
        """Gains of left and right: low notes left, high notes right, as at a keyboard."""
        lean = self._voice.width * min(1.0, max(-1.0, (pitch - 64) / 44))
        return np.array([1.0 - max(0.0, lean) * 0.6, 1.0 + min(0.0, lean) * 0.6], dtype=np.float32)


@lru_cache(maxsize=256)
def _cycle(partials: tuple[float, ...]) -> npt.NDArray[np.float32]:
    """One cycle of a waveform, float32 (4096,), scaled as if all its partials were there."""
    angle = 2.0 * np.pi * (np.arange(2**TABLE_BITS) + 0.5) / 2**TABLE_BITS
    waves = [a * np.sin(n * angle) for n, a in enumerate(partials, start=1)]
    return np.asarray(np.sum(waves, axis=0), dtype=np.float32)


@lru_cache(maxsize=64)
def _decay(rate: int, seconds: float, sustain: float) -> npt.NDArray[np.float32]:
    """From 1 towards ``sustain``, 20 dB every ``seconds``; at most six seconds, at its end ``sustain``."""
    frames = round(min(LONGEST_DECAY, 5.0 * seconds) * rate)
    time = np.arange(frames) / rate
    fade = np.minimum(1.0, (frames - np.arange(frames)) * 8 / frames)
    return (sustain + (1.0 - sustain) * 10.0 ** (-time / seconds) * fade).astype(np.float32)


@lru_cache(maxsize=32)
def _attack(rate: int, seconds: float) -> npt.NDArray[np.float32]:
    frames = max(1, round(seconds * rate))
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(frames) + 0.5) / frames)).astype(np.float32)
