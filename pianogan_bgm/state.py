"""The conductor's state, as data: everything that decides what is heard from a frame on.

All of it is frozen, so any moment can be kept and gone back to. Musical time runs in steps (sixteenths): step
``count`` after the frame ``anchor`` begins at frame ``anchor + round(count × frames a step)``; the anchor is
moved to a whole frame where a piece, a lap or another tempo begins. So nothing drifts, and every lap of a
loop is the same to the sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from pianogan_bgm import commands as c
from pianogan_bgm.harmony import Key
from pianogan_bgm.instruments.tones import Tone
from pianogan_bgm.mixdown import Bus, Mix
from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.tune import Tune, raised

MIX: Final = Mix()
EVENT_KINDS: Final = ("beat", "bar", "loop", "piece", "transition", "stinger", "end")


@dataclass(frozen=True, slots=True)
class Event:
    """Something to be heard at ``frame``.

    ``kind``: beat, bar, loop (another lap begins), piece (one begins), transition, stinger or end (of the
    music). ``bar`` of the piece and ``beat`` of the bar, from 1; 0 where the kind is neither. ``step`` of the
    piece that begins here. ``piece``: its name. ``scene``: the scene or mood that plays.
    """

    kind: str
    frame: int
    bar: int = 0
    beat: int = 0
    step: int = 0
    piece: str = ""
    scene: str | None = None


@dataclass(frozen=True, slots=True)
class Deck:
    """A piece being played: the step to come, the repeats left (−1 for ever) and its transposition."""

    number: int
    tune: Tune
    pos: int = 0
    loops: int = 0
    shift: int = 0
    lap: int = 0

    @property
    def key(self) -> Key:
        """The key that sounds, before the game's own transposition."""
        return raised(self.tune.key, self.shift)


class Cue(NamedTuple):
    """A note of a stinger: the tick it is struck in, the part of a step after it, and how.

    ``filler``: whether it leads over to a transition, and is nothing without it.
    """

    tick: int
    late: float
    pitch: int
    held: float
    velocity: int
    filler: bool = False


class Leaving(NamedTuple):
    """A deck being faded out, the frame at which it falls silent, and the settings it was left with."""

    deck: Deck
    until: int
    transpose: int
    instruments: tuple[str, ...]


class Held(NamedTuple):
    """Where a piece was left, to come back to, and what endless music had drawn to follow it."""

    scene: str | None
    deck: Deck
    queue: tuple[c.Queue, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """Everything that decides what is heard from now on."""

    rate: int
    anchor: int = 0
    count: int = 0
    pace: float = 1.0
    """Frames a step."""
    tick: int = 0
    deck: Deck | None = None
    leaving: tuple[Leaving, ...] = ()
    cues: tuple[Cue, ...] = ()
    stingers: tuple[int, ...] = ()
    """Ticks at which one begins."""
    queue: tuple[c.Queue, ...] = ()
    pending: c.Transition | None = None
    held: tuple[Held, ...] = ()
    decks: int = 0
    scene: str | None = None
    endless: bool = False
    mood: str | None = None
    mix: Mix = MIX
    intensity: float = 0.5
    tempo: float = 1.0
    tempo_goal: float = 1.0
    tempo_steps: int = 0
    transpose: int = 0
    instruments: tuple[str, ...] = ("piano", "piano", "piano", "piano")
    ends_at: int | None = None
    came: int = 0
    """Number of the play or transition that came last."""

    @property
    def queued(self) -> tuple[c.Queue, ...]:
        """What the game queued; it comes before what endless music has drawn."""
        return tuple(one for one in self.queue if not one.drawn)

    @property
    def drawn(self) -> tuple[c.Queue, ...]:
        """What endless music has drawn to follow."""
        return tuple(one for one in self.queue if one.drawn)

    @property
    def running(self) -> bool:
        """Whether steps go on."""
        return self.deck is not None or bool(self.cues) or bool(self.leaving)

    @property
    def plays(self) -> bool:
        """Whether something goes on or fades out, but for what rings."""
        return self.running or self.ends_at is not None

    @property
    def step_at(self) -> int:
        """Frame at which the next step begins."""
        return self.anchor + round(self.count * self.pace)

    @property
    def key(self) -> Key:
        """The key of what sounds now."""
        base = self.deck.key if self.deck else Key(0, "major")
        return raised(base, self.transpose)

    def frames(self, seconds: float) -> int:
        """Seconds to whole frames."""
        return round(seconds * self.rate)

    def step_frames(self, tune: Tune) -> float:
        """Frames a step of ``tune`` at the present tempo factor."""
        return self.rate * 60.0 / (tune.piece.tempo * self.tempo * STEPS_PER_BEAT)


def left_with(state: State, scene: str | None) -> Held | None:
    """Where the piece of ``scene`` was left, if it is to be come back to."""
    return next((held for held in state.held if scene and held.scene == scene), None)


Voices = tuple[tuple[Bus, Tone], ...]


class Out(NamedTuple):
    """What came of it: the state after, tones decided, events."""

    state: State
    voices: Voices = ()
    events: tuple[Event, ...] = ()
