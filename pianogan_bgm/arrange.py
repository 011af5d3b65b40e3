"""Notes to a performance: voices, dynamics, pedal, transposition, tones. Pure and the same on every machine.

Everything here is plain arithmetic on whole numbers and IEEE doubles (no sine, no power), so that the
velocities written to a MIDI file do not depend on the processor.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, Literal

from pianogan_bgm.harmony import Key, estimate_key, pedal
from pianogan_bgm.instruments.tones import Tone, velocity_gain
from pianogan_bgm.notes import STEPS_PER_BEAT, Note, level_to_velocity, on_grid, velocity_to_level
from pianogan_bgm.piece import Piece
from pianogan_bgm.roll import ROLL
from pianogan_bgm.turns import in_turns

Voice = Literal["melody", "bass", "inner"]

__all__ = [
    "Key",
    "Voice",
    "estimate_key",
    "loudness_gain",
    "pedal",
    "perform",
    "shape_dynamics",
    "split_voices",
    "step_to_frame",
    "tones",
    "transpose",
]


def perform(piece: Piece) -> Piece:
    """The piece as it is to be played: dynamics shaped where it has none of its own."""
    return piece if piece.has_dynamics else shape_dynamics(piece)


# ---------------------------------------------------------------------------------------------- voices

NEIGHBOURHOOD: Final = 16
"""Steps to either side over which the registers of melody and bass are judged."""
NARROW: Final = 7
"""Semitones between top and bottom below which a passage is one line: all melody."""


def split_voices(notes: Sequence[Note]) -> tuple[Voice, ...]:
    """The voice of each of ``notes`` (sorted by start), in their order.

    Melody: struck as the highest sounding note, in the upper part of what sounds around it (a skyline that
    does not drop into the accompaniment while the tune rests). Bass: the same from below. Inner: the rest.
    """
    extremes, together = _extremes(notes), _struck_together(notes)
    tops = _RunningMean((step, high) for step, (_, high) in extremes.items())
    bottoms = _RunningMean((step, low) for step, (low, _) in extremes.items())
    middles = _RunningMean(
        (n.start, n.pitch) for n in notes if extremes[n.start][0] < n.pitch < extremes[n.start][1]
    )
    voices: list[Voice] = []
    for note in in_turns(notes):
        low, high = extremes[note.start]
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


def _extremes(notes: Sequence[Note]) -> dict[int, tuple[int, int]]:
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


def _struck_together(notes: Iterable[Note]) -> dict[int, int]:
    """How many notes start at each step at which one does."""
    counts: dict[int, int] = {}
    for note in notes:
        counts[note.start] = counts.get(note.start, 0) + 1
    return counts


class _RunningMean:
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


# -------------------------------------------------------------------------------------------- dynamics

VOICE_VELOCITY: Final[dict[Voice, float]] = {"melody": 80.0, "bass": 66.0, "inner": 56.0}
PHRASE_BARS: Final = 4
SOFTEST, LOUDEST = 30, 112


def shape_dynamics(piece: Piece) -> Piece:
    """The piece with velocities a pianist might choose; what it had before is ignored.

    Melody above bass above inner voices; phrases of four bars, and pairs of them, that rise and fall;
    weight on the bar and the beat; higher is a little louder; full chords and repeated keys are softer.
    """
    bar = piece.beats_per_bar * STEPS_PER_BEAT
    voices = split_voices(piece.notes)
    crowd = _struck_together(piece.notes)
    melody = [n.pitch for n, voice in zip(piece.notes, voices, strict=True) if voice == "melody"]
    centre = sum(melody) / len(melody) if melody else 60.0
    last: dict[int, int] = {}
    notes = []
    for note, voice in in_turns(zip(piece.notes, voices, strict=True)):
        velocity = VOICE_VELOCITY[voice] + _accent(note.start % bar, bar)
        velocity += _arc(note.start, PHRASE_BARS * bar, 9.0) + _arc(note.start, 2 * PHRASE_BARS * bar, 6.0)
        velocity += _contour(note.pitch, centre, voice)
        velocity -= 1.5 * max(0, crowd[note.start] - 3) if voice != "melody" else 0.0
        velocity -= 5.0 if note.start - last.get(note.pitch, -bar) <= STEPS_PER_BEAT else 0.0
        last[note.pitch] = note.start
        notes.append(replace(note, velocity=canonical_velocity(velocity)))
    return replace(piece, notes=tuple(notes), has_dynamics=True)


def canonical_velocity(velocity: float) -> int:
    """Held to a playable range and put in the middle of one of the roll's 64 levels."""
    held = min(max(velocity, SOFTEST), LOUDEST)
    return level_to_velocity(velocity_to_level(int(held)))


def _arc(step: int, length: int, height: float) -> float:
    """A phrase's rise and fall: 0 in the mean, highest after three fifths of ``length`` steps."""
    place = (step % length) / length
    slope = place / 0.6 if place < 0.6 else (1.0 - place) / 0.4
    return height * (slope - 0.5)


def _accent(step_in_bar: int, bar: int) -> float:
    if step_in_bar == 0:
        return 6.0
    if bar % (2 * STEPS_PER_BEAT) == 0 and step_in_bar == bar // 2:
        return 3.0
    if step_in_bar % STEPS_PER_BEAT == 0:
        return 1.0
    return -2.0 if step_in_bar % 2 == 0 else -4.0


def _contour(pitch: int, centre: float, voice: Voice) -> float:
    return min(8.0, max(-8.0, 0.5 * (pitch - centre))) if voice == "melody" else 0.0


# --------------------------------------------------------------------------------------- transposition


def transpose(piece: Piece, semitones: int) -> Piece:
    """The piece moved by ``semitones``; what would leave the roll's pitches is folded back by octaves."""
    moved = (replace(note, pitch=fold(note.pitch + semitones)) for note in piece.notes)
    return replace(piece, notes=on_grid(moved)) if semitones else piece


def fold(pitch: int) -> int:
    """``pitch`` moved by octaves into the pitches of the roll, 21 to 126."""
    if pitch < ROLL.lowest:
        return pitch + 12 * -((pitch - ROLL.lowest) // 12)
    if pitch > ROLL.highest:
        return pitch - 12 * -((ROLL.highest - pitch) // 12)
    return pitch


# ----------------------------------------------------------------------------------------------- tones


def step_to_frame(step: int, rate: int, tempo: float) -> int:
    """The frame, counted from step 0, at which ``step`` begins; exact, so that nothing drifts.

    ``rate`` in Hz, ``tempo`` in beats a minute; halves round up.
    """
    beats, minutes = tempo.as_integer_ratio()
    frames = step * 60 * rate * minutes
    return (2 * frames + STEPS_PER_BEAT * beats) // (2 * STEPS_PER_BEAT * beats)


def tones(piece: Piece, rate: int, *, tempo: float | None = None, pedalled: bool = True) -> list[Tone]:
    """The piece's notes as tones at ``rate`` Hz, sorted, the first step at frame 0.

    ``tempo``: beats a minute, the piece's own by default. ``pedalled``: notes ring on as long as the pedal
    (:func:`pedal`) is down. Velocities are taken as they are: :func:`perform` first.
    """
    speed = float(piece.tempo if tempo is None else tempo)
    ends = sustained_ends(piece) if pedalled else [note.end for note in piece.notes]
    result = []
    for note, end in in_turns(zip(piece.notes, ends, strict=True)):
        start = step_to_frame(note.start, rate, speed)
        stop = max(start + 1, step_to_frame(end, rate, speed))
        result.append(Tone(start, note.pitch, stop - start, note.velocity))
    return sorted(result)


def sustained_ends(piece: Piece) -> list[int]:
    """The step at which each note of the piece is damped: its own end, or the pedal's if that is down then.

    A key struck again takes its string over: the earlier note ends there.
    """
    presses = pedal(piece)
    downs = [down for down, _ in presses]
    ends = []
    following: dict[int, int] = {}
    for note in in_turns(reversed(piece.notes)):
        index = bisect_left(downs, note.end) - 1
        end = max(note.end, presses[index][1]) if index >= 0 else note.end
        ends.append(min(end, following.get(note.pitch, end)))
        following[note.pitch] = note.start
    return ends[::-1]


TYPICAL_ENERGY: Final = 0.35
"""Energy a second of sounding music, about what the shaped dynamics of a piano texture give."""


def loudness_gain(tones: Iterable[Tone], rate: int) -> float:
    """The linear gain that brings ``tones`` to the common loudness, 0.5 to 2; 1.0 for none.

    An energy model: a tone gives the square of its velocity's gain for as long as it rings, at most about a
    second; the sum is taken over the time in which anything sounds.
    """
    energy, sounding, until = 0.0, 0.0, 0.0
    for tone in in_turns(sorted(tones)):
        start, seconds = tone.start / rate, tone.frames / rate
        level = tone.gain * velocity_gain(tone.velocity)
        energy += level * level * min(seconds + 0.1, 0.8)
        sounding += max(0.0, start + seconds - max(until, start))
        until = max(until, start + seconds)
    if not sounding or not energy:
        return 1.0
    return min(2.0, max(0.5, math.sqrt(TYPICAL_ENERGY * sounding / energy)))
