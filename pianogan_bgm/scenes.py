"""What a game declares once: moods, scenes and the rules of going from one to another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pianogan_bgm.errors import InvalidSetting
from pianogan_bgm.json_rules import short

if TYPE_CHECKING:  # so that the command line can name the moods without loading anything
    from pianogan_bgm.commands import When
    from pianogan_bgm.stingers import Degree, Figure


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


class Feel(NamedTuple):
    """What a scene changes: its own settings, else its mood's, None for those left as they are."""

    tempo: float | None
    intensity: float | None
    transpose: int | None
    instruments: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Scene:
    """One state of a game's music.

    ``mood``: one of :data:`MOODS`. ``piece``: a seed, a latent, a ``Piece`` or a MIDI file to loop; without
    it music of the mood goes on endlessly. The other settings, where given, go before the mood's;
    of an ``instrument`` by layers, those that are left out are the piano's. ``hold``: when the game comes
    back, go on where the scene was left. Wrong values raise at once:
    :class:`~pianogan_bgm.errors.InvalidSetting` or the source's own error.
    """

    mood: str | None = None
    piece: Any = None
    tempo: float | None = None
    intensity: float | None = None
    transpose: int | None = None
    instrument: str | Mapping[str, str] | None = None
    loops: int = -1
    hold: bool = False
    feel: Feel = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        from pianogan_bgm.checks import TEMPO_FACTORS, instrument_names, semitones, truth, whole, within
        from pianogan_bgm.composer import check_mood, check_source

        # checked here, once, so that going over to a scene costs the game's thread next to nothing
        mood = None if self.mood is None else MOODS[check_mood(self.mood) or ""]
        tempo = self.tempo if self.tempo is not None or mood is None else mood.tempo
        intensity = self.intensity if self.intensity is not None or mood is None else mood.intensity
        transpose = self.transpose if self.transpose is not None or mood is None else mood.transpose
        feel = Feel(
            None if tempo is None else within("tempo", tempo, *TEMPO_FACTORS),
            None if intensity is None else within("intensity", intensity, 0.0, 1.0),
            None if transpose is None else semitones(transpose),
            None if self.instrument is None else instrument_names(self.instrument),
        )
        whole("loops", self.loops, -1)
        truth("hold", self.hold)
        if self.piece is not None:
            object.__setattr__(self, "piece", check_source(self.piece))
        object.__setattr__(self, "feel", feel)


@dataclass(frozen=True, slots=True)
class Rule:
    """How to go from one scene to another: when, how many beats to crossfade (0–64), and what leads over.

    ``filler``: a figure, a list of scale degrees, or the name of a stinger. Wrong values raise at once, names
    of stingers excepted, which are looked up when they are needed.
    """

    at: When = "bar"
    fade_beats: float = 1.0
    filler: str | Figure | Iterable[Degree] | None = None

    def __post_init__(self) -> None:
        from pianogan_bgm.checks import MOMENTS, one_of, within
        from pianogan_bgm.stingers import figure

        one_of("at", self.at, MOMENTS)
        within("fade_beats", self.fade_beats, 0.0, 64.0)
        if self.filler is not None and not isinstance(self.filler, str):
            object.__setattr__(self, "filler", figure(self.filler))


def check_scenes(scenes: Mapping[str, Scene]) -> dict[str, Scene]:
    """``scenes``, if they are scenes by name. Raises :class:`~pianogan_bgm.errors.InvalidSetting`."""
    if not isinstance(scenes, Mapping):
        raise InvalidSetting(f"scenes must be a dict of Scene objects by name; got {short(scenes)}")
    for name, scene in scenes.items():
        if not isinstance(name, str):
            raise InvalidSetting(f"the name of a scene must be a str; got {short(name)}")
        if not isinstance(scene, Scene):
            raise InvalidSetting(f"scenes must be Scene objects by name; got {short(scene)} for {name!r}")
    return dict(scenes)


def check_rules(rules: Mapping[tuple[str, str], Rule]) -> dict[tuple[str, str], Rule]:
    """``rules``, if they are rules by pairs of names. Raises :class:`~pianogan_bgm.errors.InvalidSetting`."""
    if not isinstance(rules, Mapping):
        raise InvalidSetting(f"rules must be a dict of Rule objects by pairs of names; got {short(rules)}")
    for pair, rule in rules.items():
        names = isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(name, str) for name in pair)
        if not (names and isinstance(rule, Rule)):
            raise InvalidSetting(
                f"rules must be Rule objects by pairs of names; got {short(rule)} for {short(pair)}"
            )
    return dict(rules)


ANY: Final = "*"
PLAIN: Final = Rule()


def rule_for(rules: Mapping[tuple[str, str], Rule], origin: str | None, target: str) -> Rule:
    """The rule of ``(origin, target)``, else of ``(origin, "*")``, ``("*", target)``, ``("*", "*")``."""
    for pair in ((origin or ANY, target), (origin or ANY, ANY), (ANY, target), (ANY, ANY)):
        if pair in rules:
            rule = rules[pair]
            if not isinstance(rule, Rule):  # put there by the game since
                check_rules(rules)
            return rule
    return PLAIN
