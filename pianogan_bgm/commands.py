"""What can be asked of the conductor, as frozen data. Each is applied at a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from pianogan_bgm.stingers import Figure
from pianogan_bgm.tune import Tune

INTENSITY_SECONDS: Final = 0.08
"""Of a change of intensity."""

When = Literal["now", "beat", "bar", "end"]
Level = Literal["volume", "duck"]


@dataclass(frozen=True, slots=True)
class Play:
    """Start ``tune`` at once at ``step`` (whole part and fraction); ``loops`` repeats, −1 for ever.

    ``fade``: seconds to fade in. ``scene``: what the game calls this state of its music. ``shift``: semitones
    of transposition. ``endless``: other pieces will be queued; repeat if they come late. ``lap``: how often
    the piece was repeated before. ``serial``: its number, by which the state says that it has come.
    """

    tune: Tune
    loops: int = 0
    step: float = 0.0
    fade: float = 0.0
    scene: str | None = None
    shift: int = 0
    endless: bool = False
    mood: str | None = None
    lap: int = 0
    serial: int = 0


@dataclass(frozen=True, slots=True)
class Queue:
    """Append ``tune`` to what follows.

    ``related`` transposes it into a key near the one before. ``after``: only if the deck of that number still
    plays (endless music was told to go elsewhere meanwhile, otherwise). ``drawn``: by endless music, not by
    the game.
    """

    tune: Tune
    loops: int = 0
    related: bool = False
    after: int | None = None
    drawn: bool = False


@dataclass(frozen=True, slots=True)
class ClearQueue:
    """Forget everything queued."""


@dataclass(frozen=True, slots=True)
class Transition:
    """Go over to ``tune`` at the next ``at``, crossfading for ``fade_beats``; replaces a pending one.

    ``filler``: a figure that leads into the first beat of the new piece. ``hold``: come back later to where
    the piece of ``leaving``, the scene that is left, was. The settings that are not None take effect with
    the switch. ``serial``: its number, by which the state says that it has come.
    """

    tune: Tune
    at: When = "bar"
    fade_beats: float = 1.0
    loops: int = 0
    scene: str | None = None
    filler: Figure | None = None
    hold: bool = False
    tempo: float | None = None
    intensity: float | None = None
    transpose: int | None = None
    instruments: tuple[str, ...] | None = None
    related: bool = False
    endless: bool = False
    mood: str | None = None
    serial: int = 0
    leaving: str | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep ``tune`` at ``step`` (a bar line) for when the game comes back to ``scene``.

    ``queue``: what endless music has drawn to follow it there.
    """

    tune: Tune
    scene: str | None
    step: int = 0
    loops: int = -1
    shift: int = 0
    lap: int = 0
    queue: tuple[Queue, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelTransition:
    """Forget a pending transition: that of number ``of``, or any.

    ``then``: settings that hold again, unless that one has come meanwhile. ``serial``: number of a play or
    transition that has come with it.
    """

    of: int = 0
    then: tuple[Command, ...] = ()
    serial: int = 0


@dataclass(frozen=True, slots=True)
class SetLevel:
    """Ramp a gain to ``value`` (linear, 0 or more) in ``seconds``."""

    level: Level
    value: float
    seconds: float = 0.05


@dataclass(frozen=True, slots=True)
class SetIntensity:
    """Ramp the intensity (0 to 1) in ``seconds``."""

    value: float
    seconds: float = INTENSITY_SECONDS


@dataclass(frozen=True, slots=True)
class SetTempo:
    """Ramp the tempo factor (1 = as written) over ``beats``."""

    value: float
    beats: float = 1.0


@dataclass(frozen=True, slots=True)
class SetTranspose:
    """Play what follows ``semitones`` higher."""

    semitones: int


@dataclass(frozen=True, slots=True)
class SetInstruments:
    """Play what follows on these instruments: melody, inner voices, bass, stingers; None: as it is."""

    names: tuple[str | None, ...]

    def over(self, present: tuple[str, ...]) -> tuple[str, ...]:
        """The instruments with these in place of ``present`` ones."""
        return tuple(old if new is None else new for new, old in zip(self.names, present, strict=True))


@dataclass(frozen=True, slots=True)
class PlayFigure:
    """A stinger in the current key from the next ``at`` (``"now"`` is the next sixteenth)."""

    figure: Figure
    at: When = "now"


@dataclass(frozen=True, slots=True)
class Seek:
    """Go on at once from a place of the current piece: so many ``unit`` from its beginning, or a fraction.

    Seconds are as written. Which piece is current is known when the command takes effect.
    """

    place: float
    unit: Literal["steps", "seconds", "beats", "bars"] = "steps"


@dataclass(frozen=True, slots=True)
class Stop:
    """Fade out in ``seconds``; the piece, the queue, pending transitions and held scenes are forgotten.

    ``serial``: number of the last play or transition before it: what of them has not come never will.
    """

    seconds: float = 0.03
    serial: int = 0


Command: TypeAlias = (
    Play
    | Queue
    | ClearQueue
    | Transition
    | Hold
    | CancelTransition
    | SetLevel
    | SetIntensity
    | SetTempo
    | SetTranspose
    | SetInstruments
    | PlayFigure
    | Seek
    | Stop
)
