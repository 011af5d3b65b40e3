"""Twenty-seven features of a piano roll, each one number a roll: what the measures compare.

Rolls come as 8-bit cells ``(n, 106, steps)`` in the codec's values (:mod:`pianogan_bgm.roll`) and are read by
the codec's rules: a struck cell starts a note, and so does a held one after silence. A *bar* is 16 steps
counted from the first column, whatever the metre, because a roll does not say it; real and generated rolls
are measured alike. A feature that a roll is too empty to have (the leap of a line of one note) is 0.

Sources named below: MusPy (Dong et al. 2020, `muspy.metrics`), MuseGAN (Dong et al. 2018), Jazz Transformer
(Wu & Yang 2020), Yang & Lerch (2020, "On the evaluation of generative models in music"). Times are in steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pianogan_bgm.errors import InvalidRoll
from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.roll import ROLL, SOUNDING_BYTE, STRUCK_BYTE, Cells

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]

STEPS_PER_BAR: Final = 4 * STEPS_PER_BEAT
LOW_BELOW: Final = 48
HIGH_FROM: Final = 72
STRUCTURE_LAGS: Final = range(8, 49)
"""Beats between a passage and its return: two to twelve bars of four."""

DISSONANT: Final = (1, 2, 6)
"""Semitones between two pitch classes that are dissonant: semitone, whole tone and tritone."""

_CHUNK: Final = 64
_SCALE: Final = (0, 2, 4, 5, 7, 9, 11)


@dataclass(frozen=True, slots=True)
class NoteTable:
    """The notes of many rolls as columns, sorted by roll, start and pitch.

    ``roll``, ``start``, ``pitch`` (MIDI), ``length``: int64, one entry a note. ``rolls``: how many rolls
    there are. ``steps``: columns of each.
    """

    roll: Ints
    start: Ints
    pitch: Ints
    length: Ints
    rolls: int
    steps: int


def checked(cells: npt.NDArray[Any]) -> Cells:
    """Cells as they came, or :class:`InvalidRoll` unless uint8 of shape ``(n, 106, steps)``."""
    if cells.ndim != 3 or cells.shape[1] != ROLL.pitches or cells.dtype != np.uint8:
        wanted = f"uint8 of shape (n, {ROLL.pitches}, steps)"
        raise InvalidRoll(f"cells must be {wanted}; got {cells.dtype} of shape {cells.shape}")
    return cells


def note_table(cells: Cells) -> NoteTable:
    """The notes of ``cells`` ``(n, 106, steps)``, those that :func:`pianogan_bgm.roll.decode` finds."""
    count, rows, steps = checked(cells).shape
    sounding = np.zeros((count, rows, steps + 2), dtype=bool)
    sounding[:, :, 1:-1] = cells >= SOUNDING_BYTE
    edges = sounding[:, :, 1:] != sounding[:, :, :-1]
    edges[:, :, :-1] |= cells >= STRUCK_BYTE
    # every sounding edge starts a note, and the next edge of its row, start or silence, ends it
    flat = np.flatnonzero(edges)
    begins = sounding[:, :, 1:].reshape(-1)[flat]
    first = flat[begins]
    length = flat[np.flatnonzero(begins) + 1] - first
    roll, rest = np.divmod(first, rows * (steps + 1))
    row, start = np.divmod(rest, steps + 1)
    order = np.lexsort((row, start, roll))
    return NoteTable(roll[order], start[order], row[order] + ROLL.lowest, length[order], count, steps)


class Batch:
    """A few rolls and what several features need of them, each computed once."""

    def __init__(self, cells: Cells) -> None:
        self.notes = note_table(cells)
        self.sounding: npt.NDArray[np.bool_] = cells >= SOUNDING_BYTE

    def total(self, roll: Ints, values: npt.NDArray[Any] | None = None) -> Floats:
        """Sum of ``values`` (or the count) for each roll, ``(n,)``."""
        return np.bincount(roll, weights=values, minlength=self.notes.rolls).astype(np.float64)

    def mean(self, roll: Ints, values: npt.NDArray[Any]) -> Floats:
        """Mean of ``values`` for each roll, 0 where there are none."""
        return _ratio(self.total(roll, values), self.total(roll))

    def spread(self, roll: Ints, values: npt.NDArray[Any]) -> Floats:
        """Standard deviation of ``values`` for each roll, 0 where there are none."""
        away = values - self.mean(roll, values)[roll]
        return np.sqrt(self.mean(roll, away**2))

    @cached_property
    def onsets(self) -> Ints:
        """Notes struck in each step, ``(n, steps)``."""
        return self._histogram(self.notes.start, self.notes.steps)

    @cached_property
    def pitches(self) -> Ints:
        """Notes of each MIDI pitch, ``(n, 128)``."""
        return self._histogram(self.notes.pitch, 128)

    @cached_property
    def pitch_classes(self) -> Ints:
        """Notes of each pitch class, ``(n, 12)``."""
        return self._histogram(self.notes.pitch % 12, 12)

    @cached_property
    def polyphony(self) -> Ints:
        """Keys sounding in each step, ``(n, steps)``."""
        return np.asarray(np.sum(self.sounding, axis=1, dtype=np.int64))

    @cached_property
    def chroma(self) -> npt.NDArray[np.bool_]:
        """Pitch classes sounding in each step, ``(n, steps, 12)``."""
        rows = (np.arange(12) - ROLL.lowest) % 12
        return np.stack([self.sounding[:, row::12].any(axis=1) for row in rows], axis=-1)

    @cached_property
    def gaps(self) -> tuple[Ints, Ints]:
        """Roll and length of every gap between neighbouring steps in which something is struck."""
        roll, step = np.nonzero(self.onsets)
        same = roll[1:] == roll[:-1]
        return roll[1:][same], np.diff(step)[same]

    @cached_property
    def bars(self) -> npt.NDArray[np.float32]:
        """Struck cells of each whole bar, ``(n, bars, 128 * 16)``."""
        notes, bars = self.notes, self.notes.steps // STEPS_PER_BAR
        grid = np.zeros((notes.rolls, bars, 128, STEPS_PER_BAR), dtype=np.float32)
        bar, step = np.divmod(notes.start, STEPS_PER_BAR)
        whole = bar < bars
        grid[notes.roll[whole], bar[whole], notes.pitch[whole], step[whole]] = 1.0
        return grid.reshape(notes.rolls, bars, -1)

    def leaps(self, top: bool) -> Floats:
        """Mean leap in semitones along the highest (or lowest) notes struck."""
        roll, start, pitch = self.notes.roll, self.notes.start, self.notes.pitch
        change = (roll[1:] != roll[:-1]) | (start[1:] != start[:-1])
        # sorted by pitch within a step: a step's first note is its lowest, its last the highest
        edge = np.ones(len(roll), dtype=bool)
        edge[: max(len(roll) - 1, 0)] = change
        line = edge if top else np.concatenate([edge[-1:], edge[:-1]])
        roll, pitch = roll[line], pitch[line]
        same = roll[1:] == roll[:-1]
        return self.mean(roll[1:][same], np.abs(np.diff(pitch))[same])

    def share(self, chosen: npt.NDArray[np.bool_]) -> Floats:
        """Share of the notes for which ``chosen`` is true."""
        return self.mean(self.notes.roll, chosen)

    def _histogram(self, values: Ints, size: int) -> Ints:
        flat = np.bincount(self.notes.roll * size + values, minlength=self.notes.rolls * size)
        return flat.reshape(self.notes.rolls, size)


def _ratio(above: npt.NDArray[Any], below: npt.NDArray[Any]) -> Floats:
    return np.asarray(above / np.maximum(below, 1e-12), dtype=np.float64)


def pitch_class_entropy(batch: Batch) -> Floats:
    """Entropy of the pitch-class histogram in bits, 0 to 3.58 (MusPy `pitch_class_entropy`; Wu & Yang H1)."""
    share = _ratio(batch.pitch_classes, batch.pitch_classes.sum(axis=1, keepdims=True))
    return np.asarray(-(share * np.log2(np.maximum(share, 1e-12))).sum(axis=1))


def scale_consistency(batch: Batch) -> Floats:
    """Largest share of notes within one major or natural minor scale (MusPy `scale_consistency`)."""
    member = np.zeros((12, 12))
    for root in range(12):
        member[[(root + degree) % 12 for degree in _SCALE], root] = 1.0
    return _ratio((batch.pitch_classes @ member).max(axis=1), batch.pitch_classes.sum(axis=1))


def pitch_range(batch: Batch) -> Floats:
    """Semitones from the lowest to the highest note (MusPy `pitch_range`; Yang & Lerch PR)."""
    used = batch.pitches > 0
    span = 127 - used[:, ::-1].argmax(axis=1) - used.argmax(axis=1)
    return np.where(used.any(axis=1), span, 0).astype(np.float64)


def polyphony(batch: Batch) -> Floats:
    """Mean number of keys sounding, over the steps in which any does (MusPy `polyphony`)."""
    return _ratio(batch.polyphony.sum(axis=1), (batch.polyphony > 0).sum(axis=1))


def polyphony_rate(batch: Batch) -> Floats:
    """Share of steps in which two keys or more sound (MusPy `polyphony_rate`; MuseGAN polyphonicity)."""
    return np.asarray((batch.polyphony >= 2).mean(axis=1))


def empty_beat_rate(batch: Batch) -> Floats:
    """Share of beats in which nothing sounds (MusPy `empty_beat_rate`; MuseGAN EB, there by bars)."""
    beats = batch.polyphony[:, : batch.notes.steps // STEPS_PER_BEAT * STEPS_PER_BEAT]
    silent = beats.reshape(len(beats), -1, STEPS_PER_BEAT).sum(axis=2) == 0
    return np.asarray(silent.mean(axis=1))


def dissonance(batch: Batch) -> Floats:
    """Share of sounding pairs of pitch classes a semitone, whole tone or tritone apart.

    The dissonant interval classes 1, 2 and 6 of the interval vector (Forte 1973), over the steps.
    """
    chroma = batch.chroma
    pairs = [(chroma & np.roll(chroma, apart, axis=2)).sum(axis=(1, 2)) for apart in range(1, 7)]
    pairs[5] = pairs[5] / 2
    return _ratio(np.sum([pairs[apart - 1] for apart in DISSONANT], axis=0), np.sum(pairs, axis=0))


def notes_per_bar_spread(batch: Batch) -> Floats:
    """Standard deviation over the whole bars of notes struck (Yang & Lerch NC/bar)."""
    return np.asarray(batch.bars.sum(axis=2).std(axis=1), dtype=np.float64)


def groove_consistency(batch: Batch) -> Floats:
    """1 − mean share of steps in which neighbouring bars differ in striking (MusPy; Wu & Yang GS)."""
    whole = batch.notes.steps // STEPS_PER_BAR
    struck = (batch.onsets[:, : whole * STEPS_PER_BAR] > 0).reshape(-1, whole, STEPS_PER_BAR)
    return np.asarray(1.0 - (struck[:, 1:] != struck[:, :-1]).mean(axis=(1, 2)))


@cache
def _blas() -> Any:
    """The linear algebra that NumPy has loaded."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def bar_recurrence(batch: Batch) -> Floats:
    """How much of a bar has been heard before: mean over bars of the best match with an earlier bar.

    A match is the intersection over the union of struck cells (pitch and step); bars with no strike do not
    count. After the idea of MuseGAN's and Wu & Yang's intra-piece repetition.
    """
    size = batch.bars.sum(axis=2)
    with _blas().limit(limits=1, user_api="blas"):  # threads meeting for each small product take far longer
        both = batch.bars @ batch.bars.transpose(0, 2, 1)
    match = both / np.maximum(size[:, :, None] + size[:, None, :] - both, 1.0)
    best = np.tril(match, -1).max(axis=2)[:, 1:]
    return _ratio(best.sum(axis=1), (size[:, 1:] > 0).sum(axis=1))


def structure(batch: Batch) -> Floats:
    """How far the best lag of harmony's self-similarity stands above the mean lag, 0 to 1.

    Self-similarity is the cosine of beats' pitch-class profiles; a lag's value is its mean over the piece,
    lags of 8 to 48 beats. In the spirit of Wu & Yang's structureness indicator, which looks for repeated
    stretches in a scape plot; a repeat of a long stretch shows here as one strong lag, in any metre.
    """
    beats = batch.notes.steps // STEPS_PER_BEAT
    profile = batch.chroma[:, : beats * STEPS_PER_BEAT].reshape(-1, beats, STEPS_PER_BEAT, 12).sum(axis=2)
    profile = _ratio(profile, np.linalg.norm(profile, axis=2, keepdims=True))
    alike = profile @ profile.transpose(0, 2, 1)
    lags = [lag for lag in STRUCTURE_LAGS if lag < beats]
    if not lags:
        return np.zeros(len(alike))
    strength = np.stack([np.diagonal(alike, lag, 1, 2).mean(axis=1) for lag in lags])
    return np.asarray(strength.max(axis=0) - strength.mean(axis=0))


FEATURES: Final[dict[str, Callable[[Batch], Floats]]] = {
    # notes struck (Yang & Lerch NC), and how their number varies from bar to bar
    "notes": lambda b: b.total(b.notes.roll),
    "notes per bar, sd": notes_per_bar_spread,
    # pitches and pitch classes used (MusPy `n_pitches_used`, `n_pitch_classes_used`; MuseGAN UPC)
    "pitches used": lambda b: (b.pitches > 0).sum(axis=1, dtype=np.float64),
    "pitch classes used": lambda b: (b.pitch_classes > 0).sum(axis=1, dtype=np.float64),
    "pitch-class entropy": pitch_class_entropy,
    "scale consistency": scale_consistency,
    "pitch range": pitch_range,
    # registers: the pitch-count histogram of Yang & Lerch in three numbers
    "mean pitch": lambda b: b.mean(b.notes.roll, b.notes.pitch),
    "low share": lambda b: b.share(b.notes.pitch < LOW_BELOW),
    "high share": lambda b: b.share(b.notes.pitch >= HIGH_FROM),
    "polyphony": polyphony,
    "polyphony rate": polyphony_rate,
    "empty-beat rate": empty_beat_rate,
    "dissonance": dissonance,
    # note lengths: moments of Yang & Lerch's NLH; one-step notes as MuseGAN's unqualified notes
    "duration, mean": lambda b: b.mean(b.notes.roll, b.notes.length),
    "duration, sd": lambda b: b.spread(b.notes.roll, b.notes.length),
    "one-step share": lambda b: b.share(b.notes.length == 1),
    # steps between onsets (Yang & Lerch IOI)
    "onset gap, mean": lambda b: b.mean(*b.gaps),
    "onset gap, sd": lambda b: b.spread(*b.gaps),
    "groove consistency": groove_consistency,
    "bar recurrence": bar_recurrence,
    "structure": structure,
    # where in the beat notes are struck: on it, half-way, on the other sixteenths
    "on-beat share": lambda b: b.share(b.notes.start % STEPS_PER_BEAT == 0),
    "off-beat share": lambda b: b.share(b.notes.start % STEPS_PER_BEAT == 2),
    "sixteenth share": lambda b: b.share(b.notes.start % 2 == 1),
    # mean leap of the outer voices (Yang & Lerch PI, there over all notes in order)
    "top-line leap": lambda b: b.leaps(top=True),
    "bass leap": lambda b: b.leaps(top=False),
}


def features(cells: Cells) -> Floats:
    """One row of ``len(FEATURES)`` numbers for each roll, float64 ``(n, 27)``, all finite.

    ``cells``: uint8 ``(n, 106, steps)``. Raises :class:`InvalidRoll` for anything else.
    """
    checked(cells)
    table = np.empty((len(cells), len(FEATURES)))
    for first in range(0, len(cells), _CHUNK):
        batch = Batch(cells[first : first + _CHUNK])
        for column, feature in enumerate(FEATURES.values()):
            table[first : first + _CHUNK, column] = feature(batch)
    return table
