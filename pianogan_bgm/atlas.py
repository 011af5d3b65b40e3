"""The atlas of a model: features of many seeds, measured once, so that a mood finds its pieces.

Where the model's judge was asked too, each seed has a *quality*: a number of the judge's own scale, higher is
better. It decides what is drawn where nobody asked for a seed: of the atlas, or of the seeds that suit a
mood, the better half. It never decides what suits a mood.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any, Final

from pianogan_bgm.arrange import split_voices
from pianogan_bgm.errors import ModelDamaged
from pianogan_bgm.harmony import estimate_key
from pianogan_bgm.latents import SEED_LIMIT, fresh_seed
from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.piece import Piece
from pianogan_bgm.scenes import MOODS

FEATURES: Final = ("major", "density", "register", "polyphony", "dissonance", "short", "leaps")
SHARE: Final = 0.12
"""Share of the atlas that suits a mood."""
ATLAS_VERSION: Final = 2
"""Version 1 had no quality; it is still read."""
MAX_BYTES: Final = 1 << 24
"""Of a file; 4,000 seeds have 0.3 MB."""


@dataclass(frozen=True)
class Atlas:
    """``rows``: (seed, features in the order of :data:`FEATURES`).

    ``quality``: a number for each row, higher is better; empty where it is unknown. Raises ``ValueError``
    for another count.
    """

    rows: tuple[tuple[int, tuple[float, ...]], ...]
    quality: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.quality) not in (0, len(self.rows)):
            raise ValueError(
                f"quality must be one number for each of {len(self.rows)} rows, or none; "
                f"got {len(self.quality)}"
            )

    def suiting(self, mood: str) -> list[int]:
        """Seeds that suit ``mood``; none from an empty atlas.

        They are the :data:`SHARE` of all that miss least of what the mood wants. Where quality is known the
        better ones come first, else those that miss least.
        """
        return self._better_first(self._fitting(mood))

    def ranked(self) -> list[int]:
        """All seeds, better ones first; as the rows come where quality is unknown."""
        return self._better_first([seed for seed, _ in self.rows])

    def better(self, mood: str | None = None) -> list[int]:
        """The better half of all seeds, or of those that suit ``mood``; none where quality is unknown."""
        if not self.quality:
            return []
        seeds = self.ranked() if mood is None else self.suiting(mood)
        return seeds[: (len(seeds) + 1) // 2]

    def _better_first(self, seeds: list[int]) -> list[int]:
        """``seeds`` by quality; of equals, and where it is unknown, in their order."""
        return sorted(seeds, key=lambda seed: -self._quality_of[seed]) if self.quality else seeds

    @cached_property
    def _quality_of(self) -> dict[int, float]:
        return {seed: value for (seed, _), value in zip(self.rows, self.quality, strict=True)}

    def _fitting(self, mood: str) -> list[int]:
        """Seeds that suit ``mood``, those that miss least first."""
        if not self.rows:
            return []
        wants = MOODS[mood].wants
        order = sorted(self._scaled, key=lambda row: (_misfit(row[1], wants), row[0]))
        return [seed for seed, _ in order[: max(1, round(SHARE * len(order)))]]

    def moods(self, features: Sequence[float]) -> tuple[str, ...]:
        """The moods that a piece of these features suits as well as the atlas's own do; none if empty."""
        if not self.rows:
            return ()
        here = self._scale(features)
        fitting = (name for name in MOODS if _misfit(here, MOODS[name].wants) <= self._worst[name])
        return tuple(sorted(fitting))

    @cached_property
    def _worst(self) -> dict[str, float]:
        """By mood, the misfit of the last seed that suits it."""
        scaled = dict(self._scaled)
        return {name: _misfit(scaled[self._fitting(name)[-1]], mood.wants) for name, mood in MOODS.items()}

    @cached_property
    def _scaled(self) -> list[tuple[int, dict[str, float]]]:
        """Features in standard deviations from the mean of all rows."""
        return [(seed, self._scale(features)) for seed, features in self.rows]

    def _scale(self, features: Sequence[float]) -> dict[str, float]:
        return {
            name: (value - mean) / spread
            for name, value, (mean, spread) in zip(FEATURES, features, self._spreads, strict=True)
        }

    @cached_property
    def _spreads(self) -> list[tuple[float, float]]:
        """Mean and standard deviation of each feature (1 where it never varies)."""
        found = []
        for column in zip(*(features for _, features in self.rows), strict=True):
            mean = sum(column) / len(column)
            found.append((mean, (sum((value - mean) ** 2 for value in column) / len(column)) ** 0.5 or 1.0))
        return found


def _misfit(features: Mapping[str, float], wants: Iterable[tuple[str, float, float]]) -> float:
    """Weighted squares of what is missing; more than what is asked for is as good as what is asked for."""
    total = 0.0
    for name, goal, weight in wants:
        missing = goal - features[name] if goal > 0 else features[name] - goal
        total += weight * max(0.0, missing) ** 2
    return total


def measure(piece: Piece) -> tuple[float, ...]:
    """Features of a piece, in the order of :data:`FEATURES`.

    ``major``: 1 or −1 by the key. ``density``: notes a beat. ``register``: mean pitch. ``polyphony``: notes
    sounding at a time where any does. ``dissonance``: share of simultaneous pairs a semitone, tone or
    tritone apart (mod 12). ``short``: share of notes of one step. ``leaps``: mean melodic interval.
    """
    notes = piece.notes
    if not notes:
        return (0.0,) * len(FEATURES)
    sounding: list[list[int]] = [[] for _ in range(piece.steps)]
    for note in notes:
        for step in range(note.start, note.end):
            sounding[step].append(note.pitch)
    chords = [pitches for pitches in sounding if pitches]
    return (
        1.0 if estimate_key(notes).mode == "major" else -1.0,
        len(notes) / (piece.steps / STEPS_PER_BEAT),
        sum(note.pitch for note in notes) / len(notes),
        sum(map(len, chords)) / len(chords),
        _dissonance(chords),
        sum(note.length == 1 for note in notes) / len(notes),
        _leaps(piece),
    )


def _dissonance(chords: Iterable[list[int]]) -> float:
    rough = pairs = 0
    for chord in chords:
        for index, low in enumerate(chord):
            for high in chord[index + 1 :]:
                pairs += 1
                rough += abs(high - low) % 12 in (1, 2, 6, 10, 11)
    return rough / pairs if pairs else 0.0


def _leaps(piece: Piece) -> float:
    voices = split_voices(piece.notes)
    line = [n.pitch for n, voice in zip(piece.notes, voices, strict=True) if voice == "melody"]
    steps = [abs(b - a) for a, b in pairwise(line)]
    return sum(steps) / len(steps) if steps else 0.0


def to_json(atlas: Atlas, model: str) -> str:
    """The file of an atlas: a head, then a row of seed, features and quality (null: unknown) each."""
    judged = [float(f"{value:.6g}") for value in atlas.quality] if atlas.quality else [None] * len(atlas.rows)
    rows = [
        [seed, *(round(value, 4) for value in features), quality]
        for (seed, features), quality in zip(atlas.rows, judged, strict=True)
    ]
    head = {"version": ATLAS_VERSION, "model": model, "features": list(FEATURES)}
    lines = ",\n".join(json.dumps(row) for row in rows)
    return json.dumps(head)[:-1] + ', "rows": [\n' + lines + "\n]}\n"


def from_json(text: str, where: str = "atlas") -> Atlas:
    """What :func:`to_json` wrote, now or in version 1. Raises :class:`ModelDamaged` for anything else."""
    try:
        table: Any = json.loads(text)
        version = table["version"]
        if (
            type(version) is not int
            or version not in (1, ATLAS_VERSION)
            or tuple(table["features"]) != FEATURES
        ):
            raise ValueError(f"version {version} with features {table['features']}")
        numbers = len(FEATURES) + (1 if version == 1 else 2)
        if any(len(row) != numbers for row in table["rows"]):
            raise ValueError(f"a row of version {version} must be {numbers} numbers")
        return _atlas(table["rows"])
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError) as error:
        raise ModelDamaged(f"{where}: not an atlas of version 1 or {ATLAS_VERSION}: {error}") from error


def _atlas(table: Sequence[Sequence[Any]]) -> Atlas:
    """The atlas of rows as the file has them."""
    end = 1 + len(FEATURES)
    seeds = [row[0] for row in table]
    if not all(type(seed) is int and 0 <= seed < SEED_LIMIT for seed in seeds):
        raise ValueError("every seed must be a whole number from 0 to 2**64 - 1")
    if len(set(seeds)) != len(seeds):
        raise ValueError("a seed stands twice")
    judged = [value for row in table for value in row[end:] if value is not None]
    if not all(type(value) in (int, float) for value in (*judged, *(v for row in table for v in row[1:end]))):
        raise ValueError("features and quality must be numbers")
    rows = tuple((row[0], tuple(map(float, row[1:end]))) for row in table)
    quality = tuple(map(float, judged))
    if not all(map(isfinite, (*quality, *(value for _, features in rows for value in features)))):
        raise ValueError("every number must be finite")
    return Atlas(rows, quality)


def load_atlas(model: str | os.PathLike[str]) -> Atlas:
    """The atlas shipped with a model, ``NAME.atlas.json`` beside its weights; else an empty one."""
    from pianogan_bgm.errors import ModelNotFound
    from pianogan_bgm.models import find_model

    try:
        place = Path(str(find_model(model).where))
    except ModelNotFound:
        return Atlas(())
    path = place.with_suffix(".atlas.json")
    if not path.is_file():
        return Atlas(())
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ModelDamaged(f"{path}: an atlas has at most {MAX_BYTES} bytes; got more")
    return from_json(data.decode("utf-8", "replace"), str(path))


def fresh_seeds(atlas: Atlas, count: int) -> list[int]:
    """``count`` different seeds nobody chose, from the better half of ``atlas`` where that has so many.

    Else they follow one another from any seed (:func:`~pianogan_bgm.latents.fresh_seed`).
    """
    better = atlas.better()
    if count <= len(better):
        return secrets.SystemRandom().sample(better, count)
    first = fresh_seed()
    return list(range(first, first + count))
