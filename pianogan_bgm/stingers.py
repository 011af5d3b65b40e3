"""Stingers: short figures of scale degrees, played in whatever key the music is in, on its grid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from types import MappingProxyType
from typing import Final, TypeAlias

from pianogan_bgm.errors import InvalidNote
from pianogan_bgm.harmony import Key
from pianogan_bgm.json_rules import short

FURTHEST: Final = 70
"""Scale degrees from the tonic, ten octaves: further is a mistake."""
Degree: TypeAlias = int | tuple[int, ...] | None
"""An entry of a figure: a scale degree, a chord of them, or a rest."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of scale degrees.

    ``degrees``: one entry a note; 0 is the tonic, 7 the tonic above, −1 the leading note below; a tuple is a
    chord, None a rest. ``spacing``: steps between the entries. ``length``: steps each note is held.
    ``octave``: of degree 0, as in C4 = middle C. ``accent``: MIDI velocity.
    """

    degrees: tuple[Degree, ...]
    spacing: float = 1.0
    length: float = 2.0
    octave: int = 5
    accent: int = 96

    def __post_init__(self) -> None:
        if not isinstance(self.degrees, tuple | list):
            raise InvalidNote(f"the degrees of a stinger are a tuple; got {short(self.degrees)}")
        object.__setattr__(self, "degrees", tuple(self.degrees))
        if not self.degrees:
            raise InvalidNote("a stinger needs at least one scale degree; got none")
        for entry in self.degrees:
            chord = entry if isinstance(entry, tuple) else (entry,)
            if entry is not None and not all(type(one) is int and abs(one) <= FURTHEST for one in chord):
                raise InvalidNote(
                    f"an entry of a stinger is a scale degree (a whole number, -{FURTHEST} to {FURTHEST}), "
                    f"a tuple of them or None; got {short(entry)}"
                )
        numbers = isinstance(self.spacing, Real) and isinstance(self.length, Real)
        if not (numbers and 0 < self.spacing <= 64 and 0 < self.length <= 256):
            raise InvalidNote(
                f"spacing and length must be positive steps; got {self.spacing!r}, {self.length!r}"
            )
        whole = type(self.octave) is int and type(self.accent) is int
        if not (whole and 0 <= self.octave <= 8 and 1 <= self.accent <= 127):
            raise InvalidNote(
                f"octave must be a whole number, 0 to 8, accent one of 1 to 127; got {self.octave!r}, "
                f"{self.accent!r}"
            )

    @property
    def steps(self) -> float:
        """Steps from the first entry to where the entry after the last would stand."""
        return self.spacing * len(self.degrees)

    def notes(self, key: Key) -> list[tuple[float, int]]:
        """(step from the start, MIDI pitch) of every note in ``key``, pitches kept within the piano's."""
        found = []
        for index, entry in enumerate(self.degrees):
            chord = () if entry is None else entry if isinstance(entry, tuple) else (entry,)
            found += [(index * self.spacing, self._pitch(degree, key)) for degree in chord]
        return found

    def _pitch(self, degree: int, key: Key) -> int:
        pitch = 12 * (self.octave + 1) + key.tonic + 12 * (degree // 7) + key.scale[degree % 7]
        while pitch > 108:
            pitch -= 12
        while pitch < 21:
            pitch += 12
        return pitch


STINGERS: Final[Mapping[str, Figure]] = MappingProxyType(
    {
        "coin": Figure((4, 9), spacing=1, length=2, octave=6, accent=90),
        "jump": Figure((0, 2, 4), spacing=0.5, length=1, octave=5, accent=78),
        "power-up": Figure((0, 2, 4, 7, 9, 11, 14), spacing=1, length=2, octave=4, accent=96),
        "hurt": Figure(((6, 7), (0, 1)), spacing=1, length=1, octave=3, accent=104),
        "level clear": Figure(
            (0, 2, 4, 7, None, 4, (0, 4, 7, 9), None), spacing=1, length=3, octave=5, accent=104
        ),
        "game over": Figure((7, 6, 5, 4, 3, 2, 1, (-7, 0)), spacing=2, length=3, octave=4, accent=84),
        "rise": Figure((4, 5, 6, 4), spacing=1, length=1, octave=4, accent=84),
        "fall": Figure((7, 6, 5, 4), spacing=1, length=1, octave=4, accent=80),
    }
)


def figure(
    stinger: str | Figure | Iterable[Degree], known: Mapping[str, Figure | Iterable[Degree]] = STINGERS
) -> Figure:
    """A stinger by name, as a figure, or as a plain list of scale degrees, as ``known`` may hold it, too.

    Raises :class:`InvalidNote` for a name that ``known`` lacks and for what is none of these.
    """
    if isinstance(stinger, str):
        if stinger not in known:
            raise InvalidNote(f"no stinger is called {stinger!r}; there are {', '.join(sorted(known))}")
        stinger = known[stinger]
    if isinstance(stinger, Figure):
        return stinger
    try:
        return Figure(tuple(stinger))
    except TypeError:
        raise InvalidNote(
            f"a stinger is a name, a Figure or a list of scale degrees; got {short(stinger)}"
        ) from None
