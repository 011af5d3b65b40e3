"""The sampled grand piano: 30 keys in three layers, decoded when first needed.

Between a recording and a block there is one cache of 16-bit PCM, already at the player's rate and the
tone's pitch, as far as it was needed so far, and bounded in bytes: the recordings that were not heard for
longest go first and are decoded again when they come back. What is decoded is as much as the tone rings, or
only what is wanted now where that is pressing; it goes on from where it stopped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from pianogan_bgm.errors import SoundError
from pianogan_bgm.files import path_in_c
from pianogan_bgm.instruments.cache import CACHE_BYTES, PcmCache
from pianogan_bgm.instruments.cleaning import CELL, HEADROOM, placed, reach, rumble_cells, without_rumble
from pianogan_bgm.instruments.resample import Pcm16, resample, source_begin, source_frames
from pianogan_bgm.instruments.tones import Block, Tone, release_curve, velocity_gain
from pianogan_bgm.turns import breathe, in_turns, is_pressed

SAMPLES: Final = Path(__file__).resolve().parent.parent / "samples"
LAYER_TOPS: Final = {6: 62, 10: 92, 14: 127}
"""Layer to the highest velocity it plays: halfway between the velocities the layers were recorded at."""
HIGHEST_DAMPED: Final = 88
DAMPED_RELEASE: Final = 0.25
UNDAMPED_RELEASE: Final = 1.5


@dataclass(frozen=True, slots=True)
class Recording:
    """One row of the table.

    ``file``: its name. ``key``: MIDI pitch recorded. ``layer``: one of :data:`LAYER_TOPS`. ``frames``: its
    length. ``gain``: linear, to play it at. ``cents``: to lower it by. ``left``, ``right``: gains that put it
    in its place (:func:`~pianogan_bgm.instruments.cleaning.placed`).
    """

    file: str
    key: int
    layer: int
    frames: int
    gain: float
    cents: float
    left: float
    right: float


@lru_cache(maxsize=1)
def recordings(folder: Path = SAMPLES) -> tuple[int, dict[tuple[int, int], Recording]]:
    """Rate of the files, and the recordings by (key, layer). Raises :class:`SoundError`."""
    try:
        table = json.loads((folder / "piano.json").read_text(encoding="utf-8"))
        rows = [Recording(**row) for row in table["samples"]]
        return int(table["rate"]), {(row.key, row.layer): row for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SoundError(f"the piano's table {folder / 'piano.json'} cannot be read: {error}") from error


class Piano:
    """The grand piano at one sample rate; see :class:`~pianogan_bgm.instruments.tones.Instrument`.

    ``cache_bytes`` bounds the decoded PCM kept. Safe to share between threads.
    """

    def __init__(self, rate: int, cache_bytes: int = CACHE_BYTES) -> None:
        self.rate = rate
        self._file_rate, self._recordings = recordings()
        self._keys = sorted({key for key, _ in self._recordings})
        self._cache = PcmCache(cache_bytes)
        self._choices: dict[tuple[int, int], tuple[Recording, float, int]] = {}

    def ring(self, tone: Tone) -> int:
        """Frames until the tone is silent: its release has ended or its recording has."""
        _, _, frames = self._choose(tone.pitch, tone.velocity)
        return min(tone.frames + len(self._release(tone.pitch)), frames)

    def add(self, tone: Tone, block: Block, at: int) -> None:
        """Add the part of ``tone`` that falls into ``block``."""
        ring = self.ring(tone)
        first, last = max(0, at - tone.start), min(ring, at + len(block) - tone.start)
        if first >= last:
            return
        recording, _, _ = self._choose(tone.pitch, tone.velocity)
        pcm = self._pcm(tone.pitch, tone.velocity, last, ring)
        level = tone.gain * velocity_gain(tone.velocity) * recording.gain
        gain = np.float32(level / (HEADROOM * 32768.0))
        sound = np.multiply(pcm[first:last], gain, dtype=np.float32)
        if last > tone.frames:
            begin = max(first, tone.frames)
            sound[begin - first :] *= self._release(tone.pitch)[begin - tone.frames : last - tone.frames]
        offset = tone.start + first - at
        block[offset : offset + last - first] += sound

    @property
    def cached_bytes(self) -> int:
        """Size of the decoded PCM kept at the moment."""
        return self._cache.size

    def _release(self, pitch: int) -> Block:
        return release_curve(self.rate, DAMPED_RELEASE if pitch <= HIGHEST_DAMPED else UNDAMPED_RELEASE)

    def _choose(self, pitch: int, velocity: int) -> tuple[Recording, float, int]:
        """The recording for a tone, the source frames per output frame, and its length in output frames."""
        layer = next(layer for layer, top in LAYER_TOPS.items() if velocity <= top)
        choice = self._choices.get((pitch, layer))
        if choice is None:
            key = min(self._keys, key=lambda key: abs(key - pitch))
            recording = self._recordings[key, layer]
            step = self._file_rate / self.rate * 2.0 ** ((pitch - key - recording.cents / 100) / 12)
            choice = recording, step, int(recording.frames / step)
            self._choices[pitch, layer] = choice
        return choice

    def _pcm(self, pitch: int, velocity: int, frames: int, ring: int) -> Pcm16:
        """At least ``frames`` frames of the recording at this pitch and rate, of ``ring`` that it rings."""
        recording, step, longest = self._choose(pitch, velocity)

        def more(begin: int) -> Pcm16:
            half_second = self.rate // 2
            wanted = frames if is_pressed() else ring
            end = min(longest, -(-wanted // half_second) * half_second)
            first = source_begin(begin, step) // CELL * CELL
            source = _clean(recording, first, source_frames(end, step))
            return resample(source, step, end, begin, first)

        return self._cache.get((pitch, recording.layer), frames, more)


def _clean(recording: Recording, begin: int, end: int) -> Pcm16:
    """Frames ``begin``, a multiple of :data:`CELL`, to ``end`` of a recording as they are to be heard.

    int16 (n, 2); fewer where the recording ends.
    """
    cells = rumble_cells(recording.key, recordings()[0])
    first = max(0, begin - reach(cells))
    pcm = _decode(recording, first, end + reach(cells))
    breathe()
    end = min(end, first + len(pcm))
    out = np.empty((max(0, end - begin), 2), dtype=np.int16)
    done = 0
    for part in in_turns(without_rumble(pcm, cells, end - first, begin - first)):
        out[done : done + len(part)] = placed(part, recording.left, recording.right)
        done += len(part)
    return out


def _decode(recording: Recording, begin: int, end: int) -> Pcm16:
    """Frames ``begin`` to ``end`` of a recording, int16 (n, 2); fewer where it ends."""
    path = SAMPLES / recording.file
    frames = max(0, min(end, recording.frames) - begin)
    try:
        import soundfile  # OSError where it cannot load libsndfile

        with soundfile.SoundFile(path_in_c(path)) as file:
            if begin:
                file.seek(begin)
            pcm: Pcm16 = file.read(frames, dtype="int16", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise SoundError(f"the piano recording {path} cannot be decoded: {error}") from error
    if len(pcm) < frames:
        raise SoundError(
            f"{path} should hold {recording.frames} frames; asked for {frames} from frame {begin}, "
            f"got {len(pcm)}"
        )
    return pcm
