"""The prepared corpus: its file format, windows of it as codec cells, and a sampler that resumes exactly.

A corpus is a folder with ``manifest.json`` and ``corpus.npz`` (plain arrays, no pickle), written by
:mod:`training.prepare`:

===================  =========================  ==================================================
array                dtype, shape               meaning
===================  =========================  ==================================================
``notes``            int32 (N, 4)               start step, pitch, length in steps, MIDI velocity;
                                                sorted by start and pitch within each piece, notes of
                                                one key never overlap
``note_offsets``     int64 (P + 1)              notes of piece p: ``notes[offsets[p]:offsets[p + 1]]``
``downbeats``        int32 (D)                  steps at which bars begin, ascending within a piece
``beats_per_bar``    float32 (D)                length of each of those bars in quarter notes
``downbeat_offsets`` int64 (P + 1)              as ``note_offsets``
``steps``            int32 (P)                  length of the piece
``split``            uint8 (P)                  0 train, 1 validation, 2 test
===================  =========================  ==================================================

A step is a sixteenth note; steps count from the start of the piece.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pianogan_bgm.errors import PianoganError
from pianogan_bgm.notes import velocity_to_level
from pianogan_bgm.roll import HELD_BYTE, ROLL, STRUCK_BYTE

FORMAT_VERSION: Final = 1
MANIFEST_FILE: Final = "manifest.json"
ARRAYS_FILE: Final = "corpus.npz"
SPLITS: Final = ("train", "validation", "test")
ARRAYS: Final[dict[str, type[np.generic]]] = {
    "notes": np.int32,
    "note_offsets": np.int64,
    "downbeats": np.int32,
    "beats_per_bar": np.float32,
    "downbeat_offsets": np.int64,
    "steps": np.int32,
    "split": np.uint8,
}

MIN_WINDOW_NOTES: Final = 40
"""A window with fewer struck notes is nearly silent and left out."""
LONGEST_REST: Final = 16
"""Steps without a sound from which a window is nothing to learn from: another voice goes on alone there, or
the piece has ended."""
LONGEST_WEIGHT: Final = 3000
"""Steps beyond which a longer piece is drawn no more often."""
TRANSPOSITIONS: Final = (-5, 6)
"""Smallest and greatest transposition of the augmentation, in semitones."""

Cells: TypeAlias = npt.NDArray[np.uint8]
Ints: TypeAlias = npt.NDArray[np.int64]


class DataError(PianoganError, RuntimeError):
    """Training data that cannot be read, is damaged, or may not be used."""


class Corpus:
    """A prepared corpus in memory. Make one with :meth:`load`.

    ``manifest``: the parsed manifest. ``arrays``: the arrays listed in the module's table.
    """

    def __init__(self, manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> None:
        self.manifest = manifest
        self.arrays = arrays
        self._rasters: dict[int, Cells] = {}

    @classmethod
    def load(cls, folder: str | Path, *, verify: bool = True) -> Corpus:
        """Read the corpus in ``folder``; ``verify`` compares the arrays' sha256 with the manifest's.

        Raises :class:`DataError` if files are missing, of another version, or do not belong together.
        """
        folder = Path(folder)
        manifest = _read_manifest(folder)
        path = folder / ARRAYS_FILE
        try:
            if verify and (got := sha256_of(path)) != manifest["sha256"]:
                raise DataError(f"{path} is damaged: sha256 {got}, the manifest says {manifest['sha256']}")
            with np.load(path, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in ARRAYS}
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{path} is not a prepared corpus: {error}") from error
        _check(arrays, path)
        return cls(manifest, arrays)

    @property
    def has_velocity(self) -> bool:
        """Whether the notes' velocities mean something; if not, all are the default velocity."""
        return bool(self.manifest["has_velocity"])

    def __len__(self) -> int:
        """Number of pieces."""
        return len(self.arrays["steps"])

    def pieces(self, split: str) -> Ints:
        """Indices of the pieces of ``split`` ("train", "validation" or "test"), int64 ascending."""
        if split not in SPLITS:
            raise DataError(f"split must be one of {SPLITS}; got {split!r}")
        return np.flatnonzero(self.arrays["split"] == SPLITS.index(split)).astype(np.int64)

    def notes(self, piece: int) -> npt.NDArray[np.int32]:
        """Notes of one piece, int32 (n, 4): start, pitch, length, velocity."""
        return _slice(self.arrays["notes"], self.arrays["note_offsets"], piece)

    def downbeats(self, piece: int) -> npt.NDArray[np.int32]:
        """Steps at which the bars of one piece begin, int32 ascending."""
        return _slice(self.arrays["downbeats"], self.arrays["downbeat_offsets"], piece)

    def cells(self, piece: int, start: int, steps: int = ROLL.steps, transpose: int = 0) -> Cells:
        """A window as the codec's bytes, uint8 (106, ``steps``).

        0 is silent, ``HELD_BYTE`` held, ``STRUCK_BYTE`` + level struck. ``start``: step of column 0, 0 or
        more; a note held over it shows as held; past the end of the piece is silence. ``transpose``:
        semitones; notes moved out of the rows are dropped. Raises :class:`DataError` for a negative start.
        """
        if start < 0 or steps < 1:
            raise DataError(f"a window needs a start of 0 or more and a length; got {start}, {steps}")
        out = np.zeros((ROLL.pitches, steps), dtype=np.uint8)
        self._copy(piece, start, transpose, out)
        return out

    def stack(self, windows: Ints) -> Cells:
        """Windows as :meth:`windows` gives them, ``(n, 2)``, as the codec's bytes, uint8 (n, 106, 300)."""
        return np.stack([self.cells(piece, start) for piece, start in windows.tolist()])

    def _copy(self, piece: int, start: int, transpose: int, out: Cells) -> None:
        window = self._raster(piece)[:, start : start + out.shape[1]]
        rows = len(out) - abs(transpose)
        if rows > 0:
            low, high = max(0, transpose), max(0, -transpose)
            out[low : low + rows, : window.shape[1]] = window[high : high + rows]

    def _raster(self, piece: int) -> Cells:
        """The whole piece as cells (106, length); made when first asked for, then kept."""
        if piece not in self._rasters:
            self._rasters[piece] = raster(self.notes(piece), int(self.arrays["steps"][piece]))
        return self._rasters[piece]

    def starts(self, piece: int, steps: int = ROLL.steps, *, sounding: bool = False) -> Ints:
        """Downbeats of ``piece`` at which a window may start, int64 ascending; may be empty.

        Those that leave room for a whole window, or the first one where the piece is shorter than that,
        each only if at least ``MIN_WINDOW_NOTES`` notes are struck within the window. ``sounding``: and only
        if nowhere in it ``LONGEST_REST`` steps or more are without a sound.
        """
        downbeats = self.downbeats(piece).astype(np.int64)
        fitting = downbeats[downbeats <= self.arrays["steps"][piece] - steps]
        if not len(fitting):
            fitting = downbeats[:1]
        struck = self.notes(piece)[:, 0]
        counts = np.searchsorted(struck, fitting + steps) - np.searchsorted(struck, fitting)
        fitting = fitting[counts >= MIN_WINDOW_NOTES]
        if sounding:
            fitting = fitting[longest_rests(self.notes(piece), fitting, steps) < LONGEST_REST]
        return np.asarray(fitting)

    def windows(
        self,
        split: str,
        hop: int | None = ROLL.steps,
        steps: int = ROLL.steps,
        *,
        sounding: bool = False,
    ) -> Ints:
        """Windows of ``split`` as int64 (W, 2): piece, start step. All begin on downbeats.

        ``hop``: least distance of two starts in one piece, so that the default gives windows that do not
        overlap; None gives every downbeat of :meth:`starts`. ``sounding``: as there.
        """
        found: list[tuple[int, int]] = []
        for piece in self.pieces(split).tolist():
            after = 0
            for start in self.starts(piece, steps, sounding=sounding).tolist():
                if hop is None or start >= after:
                    found.append((piece, start))
                    after = start + (hop or 0)
        return np.array(found, dtype=np.int64).reshape(-1, 2)

    def sampler(self, split: str, batch: int, seed: int, transpose: bool = True) -> Sampler:
        """An endless iterator of uint8 (``batch``, 106, 300); see :class:`Sampler`."""
        return Sampler(self, split, batch, seed, transpose)


class Sampler(Iterator[Cells]):
    """Random windows of one split, the same ones for the same seed; :meth:`state` resumes it exactly.

    A piece is drawn in proportion to its length, capped at ``LONGEST_WEIGHT`` steps, the start uniformly
    from its :meth:`Corpus.starts` that sound throughout, the transposition uniformly from ``TRANSPOSITIONS``.
    """

    def __init__(self, corpus: Corpus, split: str, batch: int, seed: int, transpose: bool = True) -> None:
        if batch < 1:
            raise DataError(f"a batch needs at least one window; got {batch}")
        self._corpus, self._batch, self._transpose = corpus, batch, transpose
        pieces = corpus.pieces(split).tolist()
        every = {piece: corpus.starts(piece, sounding=True) for piece in pieces}
        self._starts = {piece: starts for piece, starts in every.items() if len(starts)}
        if not self._starts:
            raise DataError(f"the corpus has no window to draw in its split {split!r}")
        self._pieces = np.array(list(self._starts))
        weights = np.minimum(corpus.arrays["steps"][self._pieces], LONGEST_WEIGHT).astype(np.float64)
        self._cumulated = np.cumsum(weights) / weights.sum()
        self._identity = {
            "split": split,
            "batch": batch,
            "transpose": transpose,
            "longest_rest": LONGEST_REST,
            "data": _sha(corpus),
        }
        self._rng = np.random.default_rng(seed)

    def __next__(self) -> Cells:
        """The next batch, uint8 (batch, 106, 300)."""
        out = np.zeros((self._batch, ROLL.pitches, ROLL.steps), dtype=np.uint8)
        for window in out:
            drawn = np.searchsorted(self._cumulated, self._rng.random(), side="right")
            piece = int(self._pieces[min(int(drawn), len(self._pieces) - 1)])
            starts = self._starts[piece]
            start = int(starts[self._rng.integers(len(starts))])
            low, high = TRANSPOSITIONS if self._transpose else (0, 0)
            self._corpus._copy(piece, start, int(self._rng.integers(low, high + 1)), window)
        return out

    def state(self) -> dict[str, Any]:
        """Everything needed to go on from here; holds only what JSON can."""
        return {**self._identity, "generator": self._rng.bit_generator.state}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was taken.

        Raises :class:`DataError` if it belongs to a sampler of other data or arguments; nothing changes then.
        """
        for name, value in self._identity.items():
            if state.get(name) != value:
                raise DataError(
                    f"the sampler's {name} is {value!r}; the saved state says {state.get(name)!r}"
                )
        try:
            self._rng.bit_generator.state = state["generator"]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"the saved state holds no usable generator state: {error!r}") from error


def longest_rests(notes: npt.NDArray[np.int32], starts: Ints, steps: int) -> Ints:
    """Longest stretch without a sound in windows of ``steps`` that begin at ``starts``, int64, in steps.

    ``notes``: int32 (n, 4) of a whole piece, by start; after the last one is silence.
    """
    ends = np.maximum.accumulate(np.concatenate([[0], notes[:, 0] + notes[:, 2]]))
    begin = np.concatenate([notes[:, 0], [starts.max(initial=0) + steps]])
    inside = np.minimum(begin, starts[:, None] + steps) - np.maximum(ends, starts[:, None])
    return np.asarray(inside.max(axis=1, initial=0), dtype=np.int64)


def raster(notes: npt.NDArray[np.int32], steps: int) -> Cells:
    """Notes int32 (n, 4), no two of a key overlapping, as cells uint8 (106, ``steps``)."""
    rows = notes[:, 1] - ROLL.lowest
    inside = (rows >= 0) & (rows < ROLL.pitches)
    rows, (start, _, length, velocity) = rows[inside], notes[inside].T
    edges = np.zeros((ROLL.pitches, steps + 1), dtype=np.int8)
    np.add.at(edges, (rows, start), 1)
    np.subtract.at(edges, (rows, np.minimum(start + length, steps)), 1)
    cells = np.cumsum(edges[:, :-1], axis=1, dtype=np.int8).astype(np.uint8) * np.uint8(HELD_BYTE)
    levels = np.array([velocity_to_level(value) for value in range(128)])
    cells[rows, start] = STRUCK_BYTE + levels[velocity]
    return cells


def sha256_of(path: Path) -> str:
    """sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _slice(values: npt.NDArray[Any], offsets: npt.NDArray[np.int64], piece: int) -> npt.NDArray[np.int32]:
    return values[offsets[piece] : offsets[piece + 1]]


def _sha(corpus: Corpus) -> str:
    return str(corpus.manifest.get("sha256", ""))


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST_FILE
    try:
        manifest = json.loads(path.read_text("utf-8"))
        version = manifest["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is not the manifest of a prepared corpus: {error!r}") from error
    if version != FORMAT_VERSION:
        raise DataError(f"{path} has format {version!r}; this version reads {FORMAT_VERSION}: prepare again")
    return dict(manifest)


def _check(arrays: dict[str, npt.NDArray[Any]], path: Path) -> None:
    for name, dtype in ARRAYS.items():
        if arrays[name].dtype != dtype:
            raise DataError(f"{path}: {name} must be {np.dtype(dtype)}; got {arrays[name].dtype}")
    pieces = len(arrays["steps"])
    for name, values in (("note_offsets", "notes"), ("downbeat_offsets", "downbeats")):
        offsets = arrays[name]
        if len(offsets) != pieces + 1 or offsets[-1] != len(arrays[values]) or (np.diff(offsets) < 0).any():
            raise DataError(f"{path}: {name} does not cut {values} into {pieces} pieces")
