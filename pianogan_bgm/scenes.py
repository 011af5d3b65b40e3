"""What a game declares once: moods, scenes and the rules of going from one to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # so that the command line can name the moods without loading anything
    from pianogan_bgm.commands import When
    from pianogan_bgm.stingers import Figure


@dataclass(frozen=True, slots=True)
class Mood:
    """How a mood is played, and which pieces suit it.

    ``tempo``, ``intensity``, ``transpose``: settings that make any piece lean that way. ``wants``: features
    of the atlas, each with the value looked for (in standard deviations from the mean of all pieces) and its
    weight; see :mod:`pianogan_bgm.atlas`.
    """

    tempo: float = 1.0
    intensity: float = 0.5
    transpose: int = 0
    wants: tuple[tuple[str, float, float], ...] = ()


MOODS: Final[Mapping[str, Mood]] = MappingProxyType(
    {
        "calm": Mood(0.8, 0.4, 0, (("density", -1.0, 2.0), ("dissonance", -0.8, 1.0), ("leaps", -0.5, 0.5))),
        "bright": Mood(
            1.05, 0.55, 2, (("major", 1.0, 3.0), ("register", 0.8, 1.0), ("dissonance", -0.7, 1.0))
        ),
        "sad": Mood(0.75, 0.4, -2, (("major", -1.0, 3.0), ("density", -0.7, 1.0), ("register", -0.3, 0.5))),
        "playful": Mood(1.15, 0.5, 3, (("short", 1.0, 2.0), ("major", 0.8, 1.5), ("polyphony", -0.5, 1.0))),
        "tense": Mood(
            1.0, 0.6, -3, (("dissonance", 1.2, 2.0), ("major", -1.0, 1.5), ("register", -0.6, 1.0))
        ),
        "battle": Mood(1.3, 0.85, -2, (("density", 1.3, 2.0), ("major", -0.8, 1.0), ("polyphony", 0.5, 1.0))),
        "grand": Mood(0.9, 0.9, -1, (("polyphony", 1.2, 2.0), ("density", 0.6, 1.0), ("major", 0.5, 0.5))),
        "mystery": Mood(0.7, 0.35, -1, (("dissonance", 0.8, 1.5), ("density", -1.0, 1.5))),
    }
)


@dataclass(frozen=True, slots=True)
class Scene:
    """One state of a game's music.

    ``mood``: one of :data:`MOODS`. ``piece``: a seed, a latent, a ``Piece`` or a MIDI file to loop; without
    it music of the mood goes on endlessly. The other settings, where given, go before the mood's.
    ``hold``: when the game comes back, go on where the scene was left.
    """

    mood: str | None = None
    piece: Any = None
    tempo: float | None = None
    intensity: float | None = None
    transpose: int | None = None
    instrument: str | Mapping[str, str] | None = None
    loops: int = -1
    hold: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """How to go from one scene to another: when, how many beats to crossfade, and what leads over."""

    at: When = "bar"
    fade_beats: float = 1.0
    filler: str | Figure | None = None


ANY: Final = "*"


def rule_for(rules: Mapping[tuple[str, str], Rule], origin: str | None, target: str) -> Rule:
    """The rule of ``(origin, target)``, else of ``(origin, "*")``, ``("*", target)``, ``("*", "*")``."""
    for pair in ((origin or ANY, target), (origin or ANY, ANY), (ANY, target), (ANY, ANY)):
        if pair in rules:
            return rules[pair]
    return Rule()
