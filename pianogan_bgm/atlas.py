"""The atlas of a model: features of many seeds, measured once, so that a mood finds its pieces.

Where the model's judge was asked too, each seed has a *quality*: a number of the judge's own scale, higher is
better. It decides what is drawn where nobody asked for a seed: of the atlas, or of the seeds that suit a
mood, the better half. It never decides what suits a mood.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pianogan_bgm.arrange import split_voices
from pianogan_bgm.errors import ModelDamaged
from pianogan_bgm.harmony import estimate_key
from pianogan_bgm.latents import SEED_LIMIT, fresh_seed
from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.piece import Piece
from pianogan_bgm.scenes import MOODS

Places: TypeAlias = npt.NDArray[np.intp]

FEATURES: Final = ("major", "density", "register", "polyphony", "dissonance", "short", "leaps")
SHARE: Final = 0.12
"""Share of the atlas that suits a mood."""
ATLAS_VERSION: Final = 2
"""Version 1 had no quality; it is still read."""
MAX_BYTES: Final = 1 << 24
"""Of a file; 4,000 seeds have 0.3 MB."""


@dataclass(frozen=True, eq=False)
class Atlas:
    """``seeds``: uint64 ``(n,)``. ``features``: float64 ``(n, 7)``, in the order of :data:`FEATURES`.

    ``quality``: float64 ``(n,)``, higher is better; ``(0,)`` where it is unknown. Raises ``ValueError`` for
    another count. Arrays, because what a mood finds is looked up while a game runs.
    """

    seeds: npt.NDArray[np.uint64]
    features: npt.NDArray[np.float64]
    quality: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        if len(self.quality) not in (0, len(self.seeds)):
            raise ValueError(
                f"quality must be one number for each of {len(self.seeds)} rows, or none; "
                f"got {len(self.quality)}"
            )

    @classmethod
    def of(cls, rows: Iterable[tuple[int, Sequence[float]]] = (), quality: Sequence[float] = ()) -> Atlas:
        """Of rows of a seed and its features each."""
        known = list(rows)
        return cls(
            np.array([seed for seed, _ in known], np.uint64),
            np.array([features for _, features in known], np.float64).reshape(-1, len(FEATURES)),
            np.array(quality, np.float64),
        )

    def __len__(self) -> int:
        return len(self.seeds)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atlas) and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("seeds", "features", "quality")
        )

    __hash__ = None  # type: ignore[assignment]  # arrays may be written to

    @property
    def judged(self) -> bool:
        """Whether quality is known."""
        return len(self.quality) > 0

    def suiting(self, mood: str) -> list[int]:
        """Seeds that suit ``mood``; none from an empty atlas.

        They are the :data:`SHARE` of all that miss least of what the mood wants. Where quality is known the
        better ones come first, else those that miss least.
        """
        return self._better_first(self._fitting(mood))

    def ranked(self) -> list[int]:
        """All seeds, better ones first; as the rows come where quality is unknown."""
        return self._better_first(np.arange(len(self)))

    def better(self, mood: str | None = None) -> list[int]:
        """The better half of all seeds, or of those that suit ``mood``; none where quality is unknown."""
        if not self.judged:
            return []
        seeds = self.ranked() if mood is None else self.suiting(mood)
        return seeds[: (len(seeds) + 1) // 2]

    def _better_first(self, rows: Places) -> list[int]:
        """Seeds of ``rows`` by quality; of equals, and where it is unknown, in their order."""
        if self.judged:
            rows = rows[np.argsort(-self.quality[rows], kind="stable")]
        return self.seeds[rows].tolist()  # type: ignore[no-any-return]  # of uint64, so ints

    def _fitting(self, mood: str) -> Places:
        """Rows that suit ``mood``, those that miss least first, of equals the lower seed."""
        if not len(self):
            return np.arange(0)
        order = np.lexsort((self.seeds, _misfit(self._scaled, MOODS[mood].wants)))
        return order[: max(1, round(SHARE * len(order)))]

    def moods(self, features: Sequence[float]) -> tuple[str, ...]:
        """The moods that a piece of these features suits as well as the atlas's own do; none if empty."""
        if not len(self):
            return ()
        here = self._scale(np.asarray(features, np.float64))
        fitting = (name for name in MOODS if _misfit(here, MOODS[name].wants) <= self._worst[name])
        return tuple(sorted(fitting))

    @cached_property
    def _worst(self) -> dict[str, float]:
        """By mood, the misfit of the last seed that suits it."""
        last = {name: self._scaled[self._fitting(name)[-1]] for name in MOODS}
        return {name: float(_misfit(last[name], mood.wants)) for name, mood in MOODS.items()}

    @cached_property
    def _scaled(self) -> npt.NDArray[np.float64]:
        return self._scale(self.features)

    def _scale(self, features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Features, ``(…, 7)``, in standard deviations from the mean of all rows."""
        mean, spread = self._spreads
        return (features - mean) / spread

    @cached_property
    def _spreads(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Mean and standard deviation of each feature (1 where it never varies), ``(7,)`` each."""
        spread = self.features.std(axis=0)
        return self.features.mean(axis=0), np.where(spread > 0.0, spread, 1.0)


def _misfit(scaled: npt.NDArray[np.float64], wants: Iterable[tuple[str, float, float]]) -> Any:
    """Weighted squares of what is missing; more than what is asked for is as good as what is asked for.

    ``scaled``: ``(…, 7)``; the result has the shape of all but the last axis.
    """
    total = np.zeros(scaled.shape[:-1])
    for name, goal, weight in wants:
        value = scaled[..., FEATURES.index(name)]
        missing = goal - value if goal > 0 else value - goal
        total = total + weight * np.maximum(missing, 0.0) ** 2
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
    judged = [float(f"{value:.6g}") for value in atlas.quality] if atlas.judged else [None] * len(atlas)
    rows = [
        [seed, *(round(value, 4) for value in features), quality]
        for seed, features, quality in zip(atlas.seeds.tolist(), atlas.features.tolist(), judged, strict=True)
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
    atlas = Atlas.of([(row[0], row[1:end]) for row in table], judged)
    if not (np.isfinite(atlas.features).all() and np.isfinite(atlas.quality).all()):
        raise ValueError("every number must be finite")
    return atlas


def load_atlas(model: str | os.PathLike[str]) -> Atlas:
    """The atlas shipped with a model, ``NAME.atlas.json`` beside its weights; else an empty one."""
    from pianogan_bgm.errors import ModelNotFound
    from pianogan_bgm.models import find_model

    try:
        place = Path(str(find_model(model).where))
    except ModelNotFound:
        return Atlas.of()
    path = place.with_suffix(".atlas.json")
    if not path.is_file():
        return Atlas.of()
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
