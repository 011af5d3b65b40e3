"""Small stand-ins for the tests of the engine: an instrument, a generator, pieces, a clock."""

from __future__ import annotations

import warnings

import numpy as np

from pianogan_bgm.instruments.tones import Block, Tone
from pianogan_bgm.notes import Note, on_grid
from pianogan_bgm.piece import Piece

RATE = 8000


class Pluck:
    """A falling ramp that tells pitch, velocity and place apart in every sample, and rings on for 200 ms."""

    def __init__(self, rate: int = RATE) -> None:
        self.rate = rate

    def ring(self, tone: Tone) -> int:
        return tone.frames + self.rate // 5

    def add(self, tone: Tone, block: Block, at: int) -> None:
        ring = self.ring(tone)
        first, last = max(0, at - tone.start), min(ring, at + len(block) - tone.start)
        if first >= last:
            return
        place = np.arange(first, last, dtype=np.float32)
        level = np.float32(tone.gain * tone.velocity / 127.0 / 4.0)
        saw = (place * np.float32(tone.pitch / 97.0)) % np.float32(2.0) - np.float32(1.0)
        fall = np.float32(1.0) - place / np.float32(ring)
        sound = (saw * fall * level)[:, None]
        block[tone.start + first - at : tone.start + last - at] += sound


def pluck_band(_name: str) -> Pluck:
    return Pluck()


def make_piece(seed: int = 1, steps: int = 64, tempo: float = 120.0, beats_per_bar: int = 4) -> Piece:
    """A piece of seeded notes in C major with something struck on every beat."""
    rng = np.random.default_rng(seed)
    scale = [p for p in range(40, 84) if p % 12 in (0, 2, 4, 5, 7, 9, 11)]
    notes = []
    for step in range(steps):
        count = max(int(step % 4 == 0), int(rng.poisson(0.7)))
        for pitch in rng.choice(scale, count, replace=False):
            length = min(int(rng.integers(1, 7)), steps - step)
            notes.append(Note(step, int(pitch), length, int(rng.integers(30, 110))))
    return Piece(on_grid(notes), steps=steps, tempo=tempo, beats_per_bar=beats_per_bar)


class FakeGenerator:
    """Composes at once; remembers what it was asked for."""

    def __init__(self, steps: int = 64) -> None:
        self.steps = steps
        self.asked: list[object] = []

    def compose(self, seed: int | None = None, *, latent: object = None) -> Piece:
        self.asked.append(latent if seed is None else seed)
        piece = make_piece((seed or 0) % 1000, self.steps)
        return Piece(piece.notes, steps=piece.steps, seed=seed, model="fake", licence="CC0")


class Clock:
    """Time turned by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class MissingModule:
    """What pygame puts in the place of a module of its own that cannot be loaded."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        warnings.warn("use mixer: libgthread-2.0.so.0", RuntimeWarning, stacklevel=2)
        raise NotImplementedError("mixer module not available\n(ImportError: libgthread-2.0.so.0)")
