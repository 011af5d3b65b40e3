"""A corpus of made-up songs with windows in its test split, for what compares rolls."""

import hashlib
import json

import numpy as np

from training.corpus import ARRAYS, ARRAYS_FILE, FORMAT_VERSION, MANIFEST_FILE


def song(seed, bars=60):
    """A melody that repeats its first four bars, over a held bass; int32 (n, 4)."""
    rng = np.random.default_rng(seed)
    starts = np.arange(0, 16 * bars, 2)
    scale = np.array([60, 62, 64, 65, 67, 69, 71, 72, 74, 76]) + rng.integers(-5, 6)
    tune = np.tile(scale[rng.integers(0, 10, 32)], bars // 4)
    melody = np.stack([starts, tune, np.full_like(starts, 2), np.full_like(starts, 81)], 1)
    bass = melody[::8] * [1, 0, 4, 1] + [0, 36 + rng.integers(0, 7), 0, 0]
    notes = np.concatenate([melody, bass])
    return notes[np.lexsort((notes[:, 1], notes[:, 0]))].astype(np.int32)


def save_corpus(folder, split):
    """Songs of 60 bars, each of the given split: three windows a song."""
    songs = [song(seed) for seed in range(len(split))]
    bars = np.arange(0, 960, 16)
    arrays = {
        "notes": np.concatenate(songs),
        "note_offsets": np.cumsum([0, *map(len, songs)]),
        "downbeats": np.tile(bars, len(split)),
        "beats_per_bar": np.full(len(split) * len(bars), 4),
        "downbeat_offsets": np.arange(len(split) + 1) * len(bars),
        "steps": np.full(len(split), 960),
        "split": np.array(split),
    }
    folder.mkdir()
    np.savez(folder / ARRAYS_FILE, **{name: array.astype(ARRAYS[name]) for name, array in arrays.items()})
    sha = hashlib.sha256((folder / ARRAYS_FILE).read_bytes()).hexdigest()
    manifest = {"format": FORMAT_VERSION, "name": "songs", "has_velocity": False, "sha256": sha}
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")
    return folder
