"""How a pianist would play the notes: how loud each is, and how late. One rule a function, one switch a rule.

The rules are old ones, put in numbers by hand; none was fitted to recordings, whose licence would then reach
the music. Most stand, with other amounts, in the rule system of KTH (Friberg, Bresin and Sundberg, "Overview
of the KTH rule system for musical performance", Advances in Cognitive Psychology 2, 2006); where another
source is meant it is named. ``python benchmarks/expression.py`` holds them against performances.

Everything here is plain arithmetic on whole numbers and IEEE doubles (square roots, but no sine, no power),
so that the velocities written to a MIDI file do not depend on the processor.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from math import sqrt
from types import MappingProxyType
from typing import Final

from pianogan_bgm.notes import STEPS_PER_BEAT, Note, level_to_velocity, velocity_to_level
from pianogan_bgm.piece import Piece
from pianogan_bgm.turns import in_turns
from pianogan_bgm.voices import RunningMean, Voice, extremes, split_voices


@dataclass(frozen=True, slots=True)
class Expression:
    """Which rules are in force.

    Dynamics, for pieces that have none of their own: ``voices``, ``contour``, ``swell``, ``phrases``,
    ``metre``, ``repeats`` (:data:`RULES`). ``pedal``: the sustain pedal follows the harmony. ``lead``: the
    softer notes of a chord come a few milliseconds late (:func:`lateness`); never in loops, which must sync.
    ``ritardando``: the last bars slow down (:class:`Ritardando`); for music that ends, rendered offline.
    """

    voices: bool = True
    contour: bool = True
    swell: bool = True
    phrases: bool = True
    metre: bool = True
    repeats: bool = True
    pedal: bool = True
    lead: bool = True
    ritardando: bool = False


EXPRESSIVE: Final = Expression()
"""What is played where nothing else is asked for."""
ONE_SHOT: Final = Expression(ritardando=True)
"""For music that comes to an end."""


class Reading:
    """A piece as the rules look at it: its notes with their voices, and what surrounds them."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self.notes = piece.notes
        self.bar = piece.beats_per_bar * STEPS_PER_BEAT
        self.voices: tuple[Voice, ...] = split_voices(piece.notes)

    @cached_property
    def tops(self) -> RunningMean:
        """Highest sounding pitches."""
        return RunningMean((step, high) for step, (_, high) in self._outer.items())

    @cached_property
    def bottoms(self) -> RunningMean:
        """Lowest sounding pitches."""
        return RunningMean((step, low) for step, (low, _) in self._outer.items())

    @cached_property
    def struck_before(self) -> tuple[int, ...]:
        """How many notes are struck before each step, and in all."""
        counts = [0] * (self.piece.steps + 1)
        for note in self.notes:
            counts[note.start + 1] += 1
        return tuple(accumulate(counts))

    @cached_property
    def melody(self) -> tuple[Note, ...]:
        """The notes of the melody; of those struck together the highest."""
        line: dict[int, Note] = {}
        for note, voice in zip(self.notes, self.voices, strict=True):
            if voice == "melody":
                line[note.start] = note
        return tuple(line.values())

    @cached_property
    def _outer(self) -> dict[int, tuple[int, int]]:
        return extremes(self.notes)


# --------------------------------------------------------------------------------------------- dynamics

MIDDLE: Final = 66.0
"""Velocity that the rules add to and take from: about the median of a concert pianist's."""
SOFTEST, LOUDEST = 30, 112
VOICE_LEVEL: Final[Mapping[Voice, float]] = MappingProxyType({"melody": 9.0, "inner": -2.0, "bass": -6.0})


def dynamics(piece: Piece, expression: Expression = EXPRESSIVE) -> Piece:
    """The piece with velocities a pianist might choose; what it had before is ignored.

    Each rule in force adds its velocities; the sum is held to a playable range and put on the roll's levels.
    """
    reading = Reading(piece)
    total = [MIDDLE] * len(piece.notes)
    for name, rule in RULES.items():
        if getattr(expression, name):
            total = [a + b for a, b in zip(total, in_turns(rule(reading)), strict=True)]
    notes = (
        replace(note, velocity=canonical_velocity(velocity))
        for note, velocity in zip(piece.notes, total, strict=True)
    )
    return replace(piece, notes=tuple(in_turns(notes)), has_dynamics=True)


def canonical_velocity(velocity: float) -> int:
    """Held to a playable range and put in the middle of one of the roll's 64 levels."""
    held = min(max(velocity, SOFTEST), LOUDEST)
    return level_to_velocity(velocity_to_level(int(held)))


def voice_level(reading: Reading) -> list[float]:
    """Melody above inner voices above bass."""
    return [VOICE_LEVEL[voice] for voice in reading.voices]


def contour(reading: Reading) -> list[float]:
    """The higher the louder ("high loud"), 4 an octave; the bass, which carries anyway, is left out."""
    centre = _mean(note.pitch for note in reading.notes)
    return [
        0.0 if voice == "bass" else _within(10.0, (note.pitch - centre) / 3.0)
        for note, voice in zip(reading.notes, reading.voices, strict=True)
    ]


def swell(reading: Reading) -> list[float]:
    """Louder where more is struck, and where the music lies wide and high, over some two beats either way.

    Texture foretells loudness better than any other thing in a score without dynamics (Grachten and Widmer,
    "Linear basis models for prediction and analysis of musical expression", JNMR 41, 2012).
    """
    around = [_crowd(reading, note.start) for note in in_turns(reading.notes)]
    tops = [reading.tops.around(note.start, note.pitch) for note in in_turns(reading.notes)]
    bottoms = [reading.bottoms.around(note.start, note.pitch) for note in in_turns(reading.notes)]
    usual, high, low = _mean(around), _mean(tops), _mean(bottoms)
    return [
        _within(8.0, 8.0 * (crowd / usual - 1.0)) + _within(6.0, (top - high) / 2.0 - (bottom - low) / 5.0)
        for crowd, top, bottom in zip(around, tops, bottoms, strict=True)
    ]


def _crowd(reading: Reading, step: int) -> int:
    """Notes struck within two beats of ``step``."""
    before, reach = reading.struck_before, 2 * STEPS_PER_BEAT
    return before[min(step + reach + 1, reading.piece.steps)] - before[max(step - reach, 0)]


def phrase_arc(reading: Reading) -> list[float]:
    """Each phrase of the melody rises and falls, as a parabola (Todd, "The dynamics of dynamics", 1992)."""
    bounds = phrases(reading)
    arcs = []
    for note in reading.notes:
        index = bisect_right(bounds, note.start) - 1
        first, last = bounds[index], bounds[index + 1]
        place = (note.start - first) / (last - first)
        arcs.append(4.0 * (4.0 * place * (1.0 - place) - 2.0 / 3.0))
    return arcs


LONGEST_PHRASE: Final = 4
"""Bars; a longer stretch without a breath is divided evenly."""


def phrases(reading: Reading) -> list[int]:
    """Steps at which phrases begin, with the end of the piece; the first is 0.

    A phrase ends where the melody waits at least twice as long as it usually does for its next note, longest
    waits first, no phrase under two bars (the rests and long notes of Cambouropoulos, "The local boundary
    detection model", 2001).
    """
    waits = [
        (after.start - note.start + max(0, after.start - note.end), after.start)
        for note, after in pairwise(reading.melody)
    ]
    usual = sorted(wait for wait, _ in waits)[len(waits) // 2] if waits else 0
    found = [0, reading.piece.steps]
    for wait, start in sorted(waits, key=lambda pair: (-pair[0], pair[1])):
        if wait >= 2 * usual and all(abs(start - other) >= 2 * reading.bar for other in found):
            found.append(start)
    return _divided(sorted(found), LONGEST_PHRASE * reading.bar)


def _divided(bounds: Sequence[int], longest: int) -> list[int]:
    """``bounds`` with others between, evenly, so that none are further apart than about ``longest``."""
    result = []
    for first, last in pairwise(bounds):
        parts = max(1, round((last - first) / longest))
        result += [first + (last - first) * part // parts for part in range(parts)]
    return [*result, bounds[-1]]


def metre(reading: Reading) -> list[float]:
    """Weight on the bar, its middle and the beat."""
    return [_accent(note.start % reading.bar, reading.bar) for note in reading.notes]


def _accent(step_in_bar: int, bar: int) -> float:
    if step_in_bar == 0:
        return 4.0
    if bar % (2 * STEPS_PER_BEAT) == 0 and step_in_bar == bar // 2:
        return 2.0
    if step_in_bar % STEPS_PER_BEAT == 0:
        return 1.0
    return -1.0 if step_in_bar % 2 == 0 else -2.0


def repeats(reading: Reading) -> list[float]:
    """A key struck again within a beat is softer."""
    last: dict[int, int] = {}
    softer = []
    for note in reading.notes:
        again = note.start - last.get(note.pitch, -reading.bar) <= STEPS_PER_BEAT
        softer.append(-4.0 if again else 0.0)
        last[note.pitch] = note.start
    return softer


RULES: Final[Mapping[str, Callable[[Reading], list[float]]]] = MappingProxyType(
    {
        "voices": voice_level,
        "contour": contour,
        "swell": swell,
        "phrases": phrase_arc,
        "metre": metre,
        "repeats": repeats,
    }
)
"""Switch to rule; a rule gives for each note what it adds to its velocity."""


# ----------------------------------------------------------------------------------------------- timing

LATE_PER_VELOCITY: Final = 0.0006
"""Seconds by which a note is later for each step of velocity that it is softer."""
LATEST: Final = 0.02


def lateness(notes: Sequence[Note]) -> list[float]:
    """Seconds, 0 to 0.02, by which each of ``notes`` (sorted by start) comes after its step.

    Of keys pressed together the softer ones sound later, for their hammers fly more slowly; so the melody
    leads (Goebl, "Melody lead in piano performance: expressive device or artifact?", JASA 110, 2001). The
    loudest note of a chord, and so the beat, stays where it is.
    """
    loudest: dict[int, int] = {}
    for note in notes:
        loudest[note.start] = max(note.velocity, loudest.get(note.start, 0))
    return [min(LATEST, LATE_PER_VELOCITY * (loudest[note.start] - note.velocity)) for note in notes]


@dataclass(frozen=True, slots=True)
class Ritardando:
    """The last steps slow down from the tempo to ``slowest`` times it.

    ``begin``: step at which it begins. ``end``: step from which the tempo stays. Both may be equal: no
    ritardando. The speed falls as that of a runner who stops with even force: with the square root of the way
    left (Kronman and Sundberg, "Is the musical ritard an allusion to physical motion?", 1987).
    """

    begin: int
    end: int
    slowest: float = 0.55

    def played(self, step: float) -> float:
        """When ``step`` comes, in steps of the tempo before the ritardando: the integral of 1 / speed."""
        if step <= self.begin or self.end <= self.begin:
            return float(step)
        way, drop = self.end - self.begin, 1.0 - self.slowest * self.slowest
        place = min(1.0, (step - self.begin) / way)
        slowed = self.begin + way * 2.0 * (1.0 - sqrt(1.0 - drop * place)) / drop
        return slowed + max(0.0, step - self.end) / self.slowest


RITARDANDO_BEATS: Final = 6


def ritardando(piece: Piece) -> Ritardando:
    """The ritardando of a piece that ends: the last six beats before its last note is struck."""
    last = piece.notes[-1].start if piece.notes else 0
    return Ritardando(max(0, last - RITARDANDO_BEATS * STEPS_PER_BEAT), last)


def _within(limit: float, value: float) -> float:
    return min(limit, max(-limit, value))


def _mean(values: Iterable[float]) -> float:
    """The mean, 0 of nothing."""
    found = list(values)
    return sum(found) / len(found) if found else 0.0
