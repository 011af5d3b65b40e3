"""A piece made ready for the conductor: its notes by step, in layers, with key, loudness and loop seam.

Preparing costs a few milliseconds once a piece; afterwards a step of music is one tuple to look up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm import arrange
from pianogan_bgm.expression import EXPRESSIVE, Expression, lateness
from pianogan_bgm.harmony import Key, estimate_key
from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.piece import Piece
from pianogan_bgm.turns import breathe, in_turns

MELODY: Final = 0
INNER: Final = 1
BASS: Final = 2
STINGER: Final = 3
LAYERS: Final = ("melody", "inner", "bass", "stinger")

_LAYER: Final[dict[arrange.Voice, int]] = {"melody": MELODY, "inner": INNER, "bass": BASS}
_ANY_RATE: Final = 44100
"""Loudness is judged at this rate: it must not depend on the device's."""
PREROLL: Final = 48
"""Steps before a sought place whose notes may still ring there; of those further back only what is held."""
_BAR_LEFT_OUT: Final = 0.06
"""What a bar left out of a loop counts against it."""
_HELD_OVER: Final = 0.3
"""What a note held over one of its ends does."""
_MOST_LEFT_OUT: Final = int(_HELD_OVER / _BAR_LEFT_OUT) + 1
"""Bars at either end: a loop of all bars has one end to be held over, and so beats one that lacks more."""


@dataclass(frozen=True, slots=True)
class TuneNote:
    """One note as it will be played.

    ``held``: steps until it is damped, by the key or by the pedal. ``rank``: 0 (carries the music) to 1
    (first to go when the music thins). ``late``: seconds after its step at which it is struck.
    """

    pitch: int
    held: int
    velocity: int
    layer: int
    rank: float
    late: float = 0.0


@dataclass(frozen=True, eq=False)
class Tune:
    """What the conductor plays from. Made by :func:`prepare`; compared by identity.

    ``by_step``: for each step the notes struck in it. ``bar``: steps a bar. ``join``: the last bar line,
    where another piece may follow. ``loop``: first and last step of the best loop, both bar lines.
    ``gain``: linear factor that makes pieces equally loud. ``lasting``: where something is struck that is
    held for longer than :data:`PREROLL`, the step and that at which the last of it is damped.
    """

    piece: Piece
    by_step: tuple[tuple[TuneNote, ...], ...] = field(repr=False)
    bar: int
    join: int
    loop: tuple[int, int]
    key: Key
    gain: float = 1.0
    lasting: tuple[tuple[int, int], ...] = ()

    @property
    def steps(self) -> int:
        """Length in steps."""
        return len(self.by_step)

    @property
    def name(self) -> str:
        """What to call the piece: its title, else its model and seed, where it has them."""
        if self.piece.title:
            return self.piece.title
        if self.piece.seed is None:
            return "piece"
        return f"{self.piece.model or 'seed'}-{self.piece.seed}"


def prepare(piece: Piece, expression: Expression = EXPRESSIVE) -> Tune:
    """A piece to a tune: performed, layers, ranks, key and seam found; the same piece gives the same tune.

    Of ``expression`` everything counts but a ritardando: the tempo is the conductor's.
    """
    played = arrange.perform(piece, expression)
    bar = piece.beats_per_bar * STEPS_PER_BEAT
    steps = _rounded(piece.steps, bar)
    by_step: list[list[TuneNote]] = [[] for _ in range(steps)]
    voices = arrange.split_voices(played.notes)
    ends = arrange.sustained_ends(played) if expression.pedal else [note.end for note in played.notes]
    late = lateness(played.notes) if expression.lead else [0.0] * len(played.notes)
    for note, voice, end, seconds in in_turns(zip(played.notes, voices, ends, late, strict=True)):
        rank, held, layer = _rank(note.start, note.pitch, bar), end - note.start, _LAYER[voice]
        by_step[note.start].append(TuneNote(note.pitch, held, note.velocity, layer, rank, seconds))
    steady = replace(expression, ritardando=False)
    join = steps // bar * bar or steps
    return Tune(
        piece=piece,
        by_step=tuple(map(tuple, by_step)),
        bar=bar,
        join=join,
        loop=_seam(piece, bar, join),
        key=estimate_key(played.notes),
        gain=arrange.loudness_gain(arrange.tones(played, _ANY_RATE, expression=steady), _ANY_RATE),
        lasting=tuple(_lasting(by_step)),
    )


def _rounded(steps: int, bar: int) -> int:
    """Length in steps, with a last bar that lacks less than a beat made whole: many files end with a note."""
    lacking = -steps % bar
    return steps + lacking if lacking < STEPS_PER_BEAT else steps


def _lasting(by_step: Iterable[Iterable[TuneNote]]) -> Iterator[tuple[int, int]]:
    """Steps at which what is struck is held for long, and those at which the last of it is damped."""
    for step, notes in enumerate(by_step):
        longest = max((note.held for note in notes), default=0)
        if longest > PREROLL:
            yield step, step + longest


def raised(key: Key, semitones: int) -> Key:
    """The same mode, transposed."""
    return replace(key, tonic=(key.tonic + semitones) % 12)


def related_shift(key: Key, following: Key) -> int:
    """Semitones, −3 to 3, that bring ``following`` nearest to ``key`` on the circle of fifths."""
    return min(range(-3, 4), key=lambda shift: (key.distance(raised(following, shift)), abs(shift), shift))


def _rank(start: int, pitch: int, bar: int) -> float:
    """Weight of the place in the bar, and a little chance that is always the same."""
    place = start % bar
    weight = 0.0 if place == 0 else 0.25 if place % 4 == 0 else 0.5 if place % 2 == 0 else 0.75
    return weight + 0.25 * ((pitch * 40503 + start * 30011) % 65536) / 65536


def _seam(piece: Piece, bar: int, join: int) -> tuple[int, int]:
    """The pair of bar lines (a, b) between which the piece loops best.

    After the jump the bar before b is followed by bar a: so bar a should resemble what really follows b, and
    the bar before a what really precedes b. Notes held over a bar line are lost there, which counts against
    it, and so does every bar left out.
    """
    bars = join // bar
    if bars < 4:
        return 0, join
    prints = _bar_prints(piece, bar)
    held = {note.start // bar + 1 for note in piece.notes if note.end > (note.start // bar + 1) * bar}

    def cost(a: int, b: int) -> float:
        unlike = 0.0
        breathe()
        if b < len(prints) - 1:
            unlike += 1.0 - float(prints[a] @ prints[b])
        if a > 0:
            unlike += 1.0 - float(prints[a - 1] @ prints[b - 1])
        lost = _HELD_OVER * (a in held)
        return unlike + lost + _HELD_OVER * (b in held) + _BAR_LEFT_OUT * (bars - (b - a))

    most = min(bars // 4, _MOST_LEFT_OUT)  # a file of hours has millions of pairs
    pairs = [(a, b) for a in range(most + 1) for b in range(bars - most, bars + 1)]
    a, b = min(pairs, key=lambda pair: cost(*pair))
    return a * bar, b * bar


def _bar_prints(piece: Piece, bar: int) -> npt.NDArray[np.float64]:
    """Unit vectors, one a bar: chroma beside the rhythm of onsets."""
    bars = -(-piece.steps // bar)
    prints = np.zeros((bars, 12 + bar))
    for note in in_turns(piece.notes):
        prints[note.start // bar, note.pitch % 12] += note.length
        prints[note.start // bar, 12 + note.start % bar] += 1.0
    lengths = [np.linalg.norm(part, axis=1, keepdims=True) for part in (prints[:, :12], prints[:, 12:])]
    scale = np.repeat(np.concatenate(lengths, axis=1), (12, bar), axis=1)
    return np.asarray(prints / np.maximum(scale * np.sqrt(2.0), 1e-9))
