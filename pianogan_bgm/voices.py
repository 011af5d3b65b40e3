"""Which note belongs to which voice: melody, bass or what lies between. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from pianogan_bgm.notes import Note
from pianogan_bgm.turns import in_turns

Voice = Literal["melody", "bass", "inner"]

NEIGHBOURHOOD: Final = 16
"""Steps to either side over which the registers of melody and bass are judged."""
NARROW: Final = 7
"""Semitones between top and bottom below which a passage is one line: all melody."""


def split_voices(notes: Sequence[Note]) -> tuple[Voice, ...]:
    """The voice of each of ``notes`` (sorted by start), in their order.

    Melody: struck as the highest sounding note, in the upper part of what sounds around it (a skyline that
    does not drop into the accompaniment while the tune rests). Bass: the same from below. Inner: the rest.
    """
    outer, together = extremes(notes), struck_together(notes)
    tops = RunningMean((step, high) for step, (_, high) in outer.items())
    bottoms = RunningMean((step, low) for step, (low, _) in outer.items())
    middles = RunningMean(
        (n.start, n.pitch) for n in notes if outer[n.start][0] < n.pitch < outer[n.start][1]
    )
    voices: list[Voice] = []
    for note in in_turns(notes):
        low, high = outer[note.start]
        top, bottom = tops.around(note.start, high), bottoms.around(note.start, low)
        # a note struck alone may belong to a broken chord: it has to stand out from the middle, too
        lower = bottom if together[note.start] > 1 else middles.around(note.start, bottom)
        narrow = top - bottom <= NARROW
        if note.pitch == high and (narrow or 2 * note.pitch > top + lower):
            voices.append("melody")
        elif note.pitch == low and 2 * note.pitch <= top + bottom:
            voices.append("bass")
        else:
            voices.append("inner")
    return tuple(voices)


def extremes(notes: Sequence[Note]) -> dict[int, tuple[int, int]]:
    """Lowest and highest sounding pitch at every step where a note starts."""
    found: dict[int, tuple[int, int]] = {}
    sounding: list[Note] = []
    for index, note in enumerate(in_turns(notes)):
        sounding.append(note)
        if index + 1 == len(notes) or notes[index + 1].start != note.start:
            sounding = [held for held in sounding if held.end > note.start]
            pitches = [held.pitch for held in sounding]
            found[note.start] = (min(pitches), max(pitches))
    return found


def struck_together(notes: Iterable[Note]) -> dict[int, int]:
    """How many notes start at each step at which one does."""
    counts: dict[int, int] = {}
    for note in notes:
        counts[note.start] = counts.get(note.start, 0) + 1
    return counts


class RunningMean:
    """Means of pitches over a neighbourhood of steps, by prefix sums. ``marks``: (step, pitch), sorted."""

    def __init__(self, marks: Iterable[tuple[int, int]]) -> None:
        self._steps: list[int] = []
        self._sums = [0]
        for step, pitch in marks:
            self._steps.append(step)
            self._sums.append(self._sums[-1] + pitch)

    def around(self, step: int, default: float) -> float:
        """The mean within :data:`NEIGHBOURHOOD` of ``step``; ``default`` where there is nothing."""
        begin = bisect_left(self._steps, step - NEIGHBOURHOOD)
        end = bisect_right(self._steps, step + NEIGHBOURHOOD)
        return (self._sums[end] - self._sums[begin]) / (end - begin) if end > begin else default
