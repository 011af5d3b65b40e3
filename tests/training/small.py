"""A corpus and a configuration so small that a training run of both stages takes seconds."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from pianogan_bgm.roll import ROLL
from training.corpus import ARRAYS, ARRAYS_FILE, FORMAT_VERSION, MANIFEST_FILE, raster

BAR = 16
PIECES = 6
STEPS = 640


def piece(seed: int) -> Any:
    """A melody over a broken chord: int32 (n, 4) of start, pitch, length, velocity."""
    rng = np.random.default_rng(seed)
    starts = np.arange(0, STEPS, 4)
    tune = np.stack([starts, rng.integers(60, 84, len(starts)), np.full_like(starts, 3), starts % 90 + 30], 1)
    bass = np.stack([starts, rng.integers(36, 50, len(starts)), np.full_like(starts, 4), starts % 60 + 30], 1)
    notes = np.concatenate([tune, bass])
    return notes[np.lexsort((notes[:, 1], notes[:, 0]))].astype(np.int32)


def songs(first: int, count: int) -> Any:
    """The beginnings of pieces of seeds from ``first`` on, as codec bytes (count, 106, 300)."""
    return np.stack([raster(piece(seed), STEPS)[:, : ROLL.steps] for seed in range(first, first + count)])


def noise(seed: int, count: int) -> Any:
    """Rolls in which one cell of fifty is struck, as codec bytes (count, 106, 300)."""
    struck = np.random.default_rng(seed).random((count, ROLL.pitches, ROLL.steps)) < 0.02
    return np.where(struck, 230, 0).astype(np.uint8)


def save_corpus(folder: Path, *, velocity: bool = False) -> Path:
    """Write a prepared corpus of six pieces (four to train on) into ``folder``."""
    notes = [piece(seed) for seed in range(PIECES)]
    downbeats = np.arange(0, STEPS, BAR)
    arrays: dict[str, Any] = {
        "notes": np.concatenate(notes),
        "note_offsets": np.cumsum([0, *map(len, notes)]),
        "downbeats": np.tile(downbeats, PIECES),
        "beats_per_bar": np.full(PIECES * len(downbeats), 4.0),
        "downbeat_offsets": np.arange(PIECES + 1) * len(downbeats),
        "steps": np.full(PIECES, STEPS),
        "split": np.array([0, 0, 0, 0, 1, 1]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ARRAYS_FILE
    np.savez(path, **{name: array.astype(ARRAYS[name]) for name, array in arrays.items()})
    manifest = {
        "format": FORMAT_VERSION,
        "name": "small",
        "has_velocity": velocity,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


MEASURED = ("/blur", "/emphasis", "/shift")
"""Ends of the names of weights that are not trained but measured, at every validation."""

STUDIO = """
name = "small"
network = "studio"
data = "unused"
checkpoint_minutes = 0.0
validate_every = 1000
validation_windows = 4
log_every = 1

[vae]
width = 8
codes = 4
blocks = 1
composer = 6
hidden = 5
steps = 8
batch = 8

[gan]
critic_width = 4
steps = 5
batch = 8
r1_every = 100
head_start = 1
"""
"""Stages of eight and five steps, a checkpoint after every step (as soon as 0 minutes have passed)."""


def weights(path: Path) -> dict[str, Any]:
    """Every array of a checkpoint but its meta data."""
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files if name != "__meta__"}
