"""A SoundFont's preset as an instrument; the file is read in :mod:`pianogan_bgm.instruments.sf2`."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm.instruments.cache import CACHE_BYTES, PcmCache
from pianogan_bgm.instruments.resample import MAX_STEP, Pcm16, resample, source_begin, source_frames
from pianogan_bgm.instruments.sf2 import Bank, Zone
from pianogan_bgm.instruments.tones import Block, Tone, release_curve, velocity_gain

LEVEL: Final = 0.35
"""Brings a sample at full scale to about the loudness of the piano."""
LONGEST_SECONDS: Final = 10.0
"""A looped sample fades within this."""


class SoundFont:
    """A preset at one sample rate; see :class:`~pianogan_bgm.instruments.tones.Instrument`.

    ``cache_bytes`` bounds the decoded PCM kept. Safe to share between threads.
    """

    def __init__(self, bank: Bank, rate: int, cache_bytes: int = CACHE_BYTES) -> None:
        self.rate = rate
        self._bank = bank
        self._cache = PcmCache(cache_bytes)
        self._found: dict[tuple[int, int], list[tuple[int, Zone]]] = {}

    def ring(self, tone: Tone) -> int:
        """Frames until the tone is silent."""
        parts = [(zone, self._delayed(zone, tone)) for _, zone in self._matching(tone)]
        return max((late.start - tone.start + self._length(zone, late) for zone, late in parts), default=0)

    def add(self, tone: Tone, block: Block, at: int) -> None:
        """Add the part of ``tone`` that falls into ``block``."""
        for number, zone in self._matching(tone):
            self._add_zone(number, zone, self._delayed(zone, tone), block, at)

    def _add_zone(self, number: int, zone: Zone, tone: Tone, block: Block, at: int) -> None:
        length = self._length(zone, tone)
        first, last = max(0, at - tone.start), min(length, at + len(block) - tone.start)
        if first >= last:
            return
        gain = LEVEL * tone.gain * velocity_gain(tone.velocity) * zone.gain / 32768.0
        sound = self._pcm(number, zone, tone.pitch, length)[first:last] * np.float32(gain)
        sound *= self._envelope(zone, tone.pitch, first, last)[:, None]
        if last > tone.frames:
            begin = max(first, tone.frames)
            sound[begin - first :] *= self._release(zone)[begin - tone.frames : last - tone.frames]
        sound *= np.array(zone.sides, dtype=np.float32)
        offset = tone.start + first - at
        block[offset : offset + len(sound)] += sound

    def _delayed(self, zone: Zone, tone: Tone) -> Tone:
        """The tone as ``zone`` begins it; let go before that, it has no frames."""
        wait = round(zone.delay * self.rate)
        return replace(tone, start=tone.start + wait, frames=max(0, tone.frames - wait)) if wait else tone

    def _matching(self, tone: Tone) -> list[tuple[int, Zone]]:
        key, velocity = place = tone.pitch, tone.velocity
        found = self._found.get(place)
        if found is None:
            zones = enumerate(self._bank.zones)
            answering = [one for one in zones if one[1].keys[0] <= key <= one[1].keys[1]]
            found = [one for one in answering if one[1].velocities[0] <= velocity <= one[1].velocities[1]]
            self._found[place] = found
        return found

    def _step(self, zone: Zone, pitch: int) -> float:
        cents = min(max(zone.scale * pitch + zone.cents, -7200.0), 7200.0)
        return min(float(zone.rate / self.rate * 2.0 ** (cents / 1200.0)), MAX_STEP)

    def _length(self, zone: Zone, tone: Tone) -> int:
        if not tone.frames:
            return 0
        longest = round(LONGEST_SECONDS * self.rate)
        if zone.loop is None:
            longest = min(longest, int((zone.end - zone.start) / self._step(zone, tone.pitch)))
        return min(tone.frames + len(self._release(zone)), longest)

    def _release(self, zone: Zone) -> Block:
        return release_curve(self.rate, min(zone.release, 4.0))

    def _envelope(self, zone: Zone, pitch: int, first: int, last: int) -> npt.NDArray[np.float32]:
        """Attack, hold and decay; looped samples fade out in the last second of the longest tone."""
        time = np.arange(first, last, dtype=np.float64) / self.rate
        hold = zone.hold * 2.0 ** (zone.hold_by_key * (60 - pitch) / 1200.0)
        decay = zone.decay * 2.0 ** (zone.decay_by_key * (60 - pitch) / 1200.0)
        decayed = np.clip((time - zone.attack - hold) / decay, 0.0, 1.0)
        # the decay time is for 100 dB; it ends where the sustain level is reached
        level = np.maximum(10.0 ** (-5.0 * decayed), zone.sustain)
        level *= np.clip(time / zone.attack, 0.0, 1.0) * np.clip(LONGEST_SECONDS - time, 0.0, 1.0)
        return np.asarray(level, dtype=np.float32)

    def _pcm(self, number: int, zone: Zone, pitch: int, frames: int) -> Pcm16:
        """At least ``frames`` frames of a zone's sample at this pitch, int16 (n, 2), both sides alike."""

        def more(begin: int) -> Pcm16:
            step, half_second = self._step(zone, pitch), self.rate // 2
            end = -(-frames // half_second) * half_second
            first = source_begin(begin, step)
            source = self._source(zone, source_frames(end, step))[first:]
            pcm = resample(np.repeat(source[:, None], 2, axis=1), step, end, begin, first)
            return np.pad(pcm, ((0, max(0, frames - begin - len(pcm))), (0, 0)))

        return self._cache.get((number, pitch), frames, more)

    def _source(self, zone: Zone, frames: int) -> npt.NDArray[np.int16]:
        """The zone's sample, its loop repeated as often as ``frames`` frames need."""
        if zone.loop is None:
            return self._bank.samples[zone.start : min(zone.end, zone.start + frames)]
        begin, end = zone.loop
        index = np.arange(zone.start, zone.start + frames)
        index = np.where(index < end, index, begin + (index - begin) % (end - begin))
        return self._bank.samples[index]
