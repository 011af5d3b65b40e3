"""Where bars begin in a beat-aligned file, pickups included.

A MIDI file says which time signature holds from where, but not that its first bar is a pickup, and about a
third of the files of the permissive set begin with one: counted from step 0, all their bars would be
shifted. So the phase of the first section's bars is estimated from the music. The features are the usual
ones of downbeat tracking (long notes, low bass notes and changes of harmony fall on downbeats; Temperley,
"Music and Probability", 2007). Their weights are a softmax regression on ASAP's annotated downbeats and on
those permissive files whose first change of time signature shows the pickup. Cross-validated by work it
finds the phase of 88 % of the pieces; "no pickup", always, is right for 70 %, and it keeps 96 % of those.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Notes: TypeAlias = npt.NDArray[np.int64]

STEPS_PER_WHOLE: Final = 16
LEAST_BARS: Final = 4
"""Bars a section needs before its music says anything of a pickup."""
WEIGHTS: Final = {
    "long notes": 0.9,
    "low bass": 0.6,
    "long bass": 0.2,
    "new harmony": 0.85,
    "no pickup": 1.4,
    "first bass note": 0.75,
    "whole bars up to the next signature": 2.0,
}


@dataclass(frozen=True)
class Signature:
    """A time signature that holds from the step ``at``, its ``bar`` length in steps."""

    at: float
    bar: float


@dataclass(frozen=True)
class Bars:
    """``downbeats``: float64 steps, ascending. ``beats``: float64, length of each bar in quarter notes."""

    downbeats: Floats
    beats: Floats


def bars_of(notes: Notes, signatures: list[Signature], end: int) -> Bars:
    """Bars up to the step ``end``; a change of time signature always begins one.

    ``notes``: int64 (n, 4) on the grid, sorted by start. ``signatures``: ascending, the first at 0.
    """
    ends = [later.at for later in signatures[1:]] + [float(end)]
    downbeats: list[float] = []
    beats: list[float] = []
    for index, (signature, next_change) in enumerate(zip(signatures, ends, strict=True)):
        until = min(next_change, float(end))
        shift = 0.0
        if index == 0:
            shift = pickup(notes, signature.bar, until, followed=len(signatures) > 1)
        found = np.arange(signature.at + shift, until - 1e-6, signature.bar)
        downbeats += found.tolist()
        beats += [signature.bar / 4] * len(found)
    return Bars(np.array(downbeats), np.array(beats))


def pickup(notes: Notes, bar: float, until: float, followed: bool) -> int:
    """Length in steps of the pickup at the start of a section of bars, 0 if it has none.

    ``until``: step at which the section ends; ``followed``: whether that is a change of time signature,
    before which bars are usually whole.
    """
    steps = int(bar)
    if steps != bar or steps < 4 or until < LEAST_BARS * bar:
        return 0
    section = notes[notes[:, 0] < int(until)]
    if not len(section):
        return 0
    scores = sum(WEIGHTS[name] * _by_phase(value, steps) for name, value in _evidence(section, steps).items())
    at_start = np.zeros((3, steps))
    at_start[0, 0] = 1.0
    first_bass = section[section[:, 1] < np.median(section[:, 1]) - 3][:1, 0]
    at_start[1, first_bass[first_bass < steps]] = 1.0
    at_start[2, int(until) % steps] = float(followed)
    names = ("no pickup", "first bass note", "whole bars up to the next signature")
    return int(
        np.argmax(scores + sum(WEIGHTS[name] * row for name, row in zip(names, at_start, strict=True)))
    )


def _by_phase(values: Floats, bar: int) -> Floats:
    """Mean of ``values`` at each phase of the bar, standardised, float64 (bar,)."""
    whole = len(values) // bar * bar
    mean = values[:whole].reshape(-1, bar).mean(axis=0)
    return np.asarray((mean - mean.mean()) / (mean.std() + 1e-6))


def _evidence(notes: Notes, bar: int) -> dict[str, Floats]:
    """What speaks for a downbeat at each step, float64 (steps,), whole bars only."""
    steps = max(bar, int(notes[-1, 0]) // bar * bar)
    notes = notes[notes[:, 0] < steps]
    start, pitch, length = notes[:, 0], notes[:, 1], np.minimum(notes[:, 2], bar)
    longest, long_bass, low = np.zeros(steps), np.zeros(steps), np.full(steps, 128.0)
    np.maximum.at(longest, start, length)
    np.minimum.at(low, start, pitch)
    bass = pitch == low[start]
    np.maximum.at(long_bass, start[bass], length[bass])
    return {
        "long notes": np.log2(1 + longest),
        "low bass": _drop(low),
        "long bass": np.log2(1 + long_bass),
        "new harmony": _harmonic_change(start, pitch, length, steps),
    }


def _drop(low: Floats) -> Floats:
    """How far the lowest note struck at a step lies below those around it, in semitones; else 0."""
    drop = np.zeros(len(low))
    struck = np.flatnonzero(low < 128)
    around = np.convolve(np.pad(low[struck], 3, mode="edge"), np.full(7, 1 / 7), "valid")
    drop[struck] = around - low[struck]
    return drop


def _harmonic_change(start: Notes, pitch: Notes, length: Notes, steps: int, reach: int = 4) -> Floats:
    """1 - cosine of the pitch classes sounding in the beat before and the beat after each step."""
    changes = np.zeros((steps + 1, 12))
    np.add.at(changes, (start, pitch % 12), 1)
    np.subtract.at(changes, (np.minimum(start + length, steps), pitch % 12), 1)
    total = np.zeros((steps + 1, 12))
    total[1:] = np.cumsum(np.cumsum(changes[:steps], axis=0), axis=0)
    here = np.arange(steps)
    before = total[here] - total[np.maximum(here - reach, 0)]
    after = total[np.minimum(here + reach, steps)] - total[here]
    norm = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return np.where(norm > 0, 1 - (before * after).sum(axis=1) / np.maximum(norm, 1e-9), 0.0)
