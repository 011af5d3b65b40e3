"""Notes to a performance: dynamics, pedal, transposition, tones. Pure and the same on every machine.

What a pianist would do to the notes is in :mod:`pianogan_bgm.expression`, a rule at a time.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Final

from pianogan_bgm.expression import EXPRESSIVE, Expression, dynamics, lateness, ritardando
from pianogan_bgm.harmony import Key, estimate_key, pedal
from pianogan_bgm.instruments.tones import Tone, velocity_gain
from pianogan_bgm.notes import STEPS_PER_BEAT, on_grid
from pianogan_bgm.piece import Piece
from pianogan_bgm.roll import ROLL
from pianogan_bgm.turns import in_turns
from pianogan_bgm.voices import Voice, split_voices

__all__ = [
    "Key",
    "Voice",
    "clock",
    "estimate_key",
    "loudness_gain",
    "pedal",
    "perform",
    "split_voices",
    "step_to_frame",
    "sustained_ends",
    "tempos",
    "tones",
    "transpose",
]


def perform(piece: Piece, expression: Expression = EXPRESSIVE) -> Piece:
    """The piece as it is to be played: dynamics shaped where it has none of its own."""
    return piece if piece.has_dynamics else dynamics(piece, expression)


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


def clock(
    piece: Piece, rate: int, *, tempo: float | None = None, expression: Expression = EXPRESSIVE
) -> Callable[[int], int]:
    """What gives the frame at which a step of the piece begins, the first step at frame 0.

    ``tempo``: beats a minute, the piece's own by default, at which it goes until a ritardando.
    """
    speed = float(piece.tempo if tempo is None else tempo)
    slowing = ritardando(piece) if expression.ritardando else None

    def frame(step: int) -> int:
        if slowing is None or step <= slowing.begin:
            return step_to_frame(step, rate, speed)
        return math.floor(slowing.played(step) * 60.0 * rate / (STEPS_PER_BEAT * speed) + 0.5)

    return frame


def tempos(piece: Piece, expression: Expression = EXPRESSIVE) -> list[tuple[int, float]]:
    """Where the tempo changes from the piece's own: ``(step, beats a minute)``, a step at a time."""
    if not expression.ritardando:
        return []
    slowing = ritardando(piece)
    times = [slowing.played(step) for step in range(slowing.begin, slowing.end + 2)]
    return [(slowing.begin + at, piece.tempo / (b - a)) for at, (a, b) in enumerate(pairwise(times))]


def tones(
    piece: Piece, rate: int, *, tempo: float | None = None, expression: Expression = EXPRESSIVE
) -> list[Tone]:
    """The piece's notes as tones at ``rate`` Hz, sorted, the first step at frame 0.

    ``tempo``: beats a minute, the piece's own by default. ``expression``: whether notes ring on as long as
    the pedal (:func:`pedal`) is down, come late or slow down. Velocities are taken as they are:
    :func:`perform` first.
    """
    frame_of = clock(piece, rate, tempo=tempo, expression=expression)
    ends = sustained_ends(piece) if expression.pedal else [note.end for note in piece.notes]
    late = lateness(piece.notes) if expression.lead else [0.0] * len(piece.notes)
    result = []
    for note, end, seconds in in_turns(zip(piece.notes, ends, late, strict=True)):
        start = frame_of(note.start) + round(seconds * rate)
        stop = max(start + 1, frame_of(end))
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
