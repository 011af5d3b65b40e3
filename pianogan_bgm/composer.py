"""Where tunes come from: seeds, latents, pieces, MIDI files, and for endless music one seed after another."""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

import numpy as np

from pianogan_bgm.atlas import Atlas, load_atlas
from pianogan_bgm.checks import within
from pianogan_bgm.errors import InvalidNote, InvalidSetting
from pianogan_bgm.json_rules import short
from pianogan_bgm.latents import check_latent, check_seed, fresh_seed
from pianogan_bgm.notes import Note
from pianogan_bgm.piece import Piece
from pianogan_bgm.scenes import MOODS
from pianogan_bgm.tune import Tune, prepare

Source: TypeAlias = Piece | int | Sequence[float] | str | os.PathLike[str]
"""A piece, a seed, a latent of 14 numbers, or the path of a MIDI file."""

NO_REPEAT: Final = 12
"""Endless music plays none of this many last pieces again."""
KEPT_TUNES: Final = 24
"""Prepared tunes kept for coming back to, some 100 kB each."""


class Composes(Protocol):
    """What :class:`pianogan_bgm.generator.Generator` is for the composer."""

    def compose(self, seed: int | None = None, *, latent: Any = None) -> Piece:
        """One piece of a seed or a latent."""


class _Idea(NamedTuple):
    """The piece to come next, if ``mood`` is what is asked for, and what was so before it was chosen."""

    mood: str | None
    number: int
    chance: Any
    recent: tuple[int, ...]
    first: int | None


class Composer:
    """Makes and remembers tunes. Not for two threads at once.

    ``model``: as for :class:`~pianogan_bgm.generator.Generator`, or an object with its ``compose``; loaded
    when first needed. ``seed``: makes the endless order of pieces repeatable. Raises :class:`InvalidLatent`.
    """

    def __init__(self, model: str | os.PathLike[str] | Composes = "open", seed: int | None = None) -> None:
        seed = None if seed is None else check_seed(seed)
        if not isinstance(model, str | os.PathLike) and not callable(getattr(model, "compose", None)):
            raise InvalidSetting(
                f"model must be a name, a path or an object that composes; got {short(model)}"
            )
        self._model = model
        self._generator: Composes | None = None if isinstance(model, str | os.PathLike) else model
        self._atlas: Atlas | None = None
        self._random = np.random.Generator(np.random.Philox(key=fresh_seed() if seed is None else seed))
        self._first = seed
        self._tunes: OrderedDict[Any, Tune] = OrderedDict()
        self._idea: _Idea | None = None
        self.recent: deque[int] = deque(maxlen=NO_REPEAT)

    @property
    def generator(self) -> Composes:
        """The network, open only while it composes: one piece in half a minute is not worth 20 MB.

        Raises :class:`ModelNotFound` and its kin.
        """
        if self._generator is None:
            from pianogan_bgm.generator import Generator

            assert isinstance(self._model, str | os.PathLike)
            self._generator = Generator(self._model, keep=False)
        return self._generator

    @property
    def atlas(self) -> Atlas:
        """The table of measured seeds that belongs to the model; empty where none was shipped."""
        if self._atlas is None:
            model = self._model
            self._atlas = load_atlas(model) if isinstance(model, str | os.PathLike) else Atlas.of()
        return self._atlas

    def tune(self, source: Source) -> Tune:
        """A tune of ``source``; a seed or file asked for again comes from memory."""
        if isinstance(source, str | os.PathLike):
            path = Path(source)
            return self._kept(path, lambda: prepare(replace(self._piece(path), title=path.stem)))
        # a piece goes by its identity, which nothing else can have while its tune is kept
        place = id(source) if isinstance(source, Piece) else source
        return self._kept((type(source), place), lambda: prepare(self._piece(source)))

    def _kept(self, place: Any, make: Callable[[], Tune]) -> Tune:
        """What was made for ``place`` before, or is made now."""
        if place not in self._tunes:
            self._tunes[place] = make()
            while len(self._tunes) > KEPT_TUNES:
                self._tunes.popitem(last=False)
        self._tunes.move_to_end(place)
        return self._tunes[place]

    def gave(self, piece: Piece) -> bool:
        """Whether ``piece`` is what its seed gives here, not one of the game's own that bears its seed."""
        kept = self._tunes.get(self._place(piece.seed))
        return kept is not None and kept.piece is piece

    def _place(self, seed: int | None) -> Any:
        """Where the tune of ``seed`` is kept."""
        return int, seed

    def check(self, source: Source | None) -> None:
        """Raise at once what composing ``source``, or endless music for None, would raise for its model."""
        if source is None or isinstance(source, int | tuple):
            _ = self.generator

    def _piece(self, source: Source) -> Piece:
        if isinstance(source, Piece):
            return source
        if isinstance(source, str | os.PathLike):
            from pianogan_bgm.midi import read_piece

            return read_piece(source)
        if isinstance(source, int):
            return self.generator.compose(source)
        return self.generator.compose(latent=source)

    def following(self, mood: str | None = None) -> Tune:
        """The next tune of endless music: of ``mood``, none of the last twelve.

        Drawn from the better half of the model's atlas (of what suits the mood there), where it knows of
        quality; else from all that suits, and without a mood from all seeds.
        """
        number, self._idea = self._next(mood).number, None
        return self._chosen(number)

    def think(self, mood: str | None = None) -> Tune:
        """Have what :meth:`following` will give next, if it is asked for this mood, ready in memory."""
        return self._chosen(self._next(mood).number)

    def remember(self, played: Iterable[int]) -> None:
        """What was played last, elsewhere, so that it does not come again at once."""
        self._think_no_more()
        self.recent.extend(played)

    def give_back(self, tunes: Iterable[Tune]) -> None:
        """These came of :meth:`following`, and will not be heard now. Seeds are many: nothing changes."""

    def take_up(self, tunes: Iterable[Tune]) -> None:
        """These come now, though they were given some time ago: what follows is another."""
        self.remember(seed for tune in tunes if (seed := tune.piece.seed) is not None)

    def _next(self, mood: str | None) -> _Idea:
        if self._idea is None or self._idea.mood != mood:
            self._think_no_more()
            before = self._random.bit_generator.state, tuple(self.recent), self._first
            self._idea = _Idea(mood, self._choose(mood), *before)
        return self._idea

    def _think_no_more(self) -> None:
        """Take the idea back as if it had never been had: the order of pieces does not depend on it."""
        if self._idea is not None:
            self._random.bit_generator.state = self._idea.chance
            self.recent = deque(self._idea.recent, self.recent.maxlen)
            self._first, self._idea = self._idea.first, None

    def _choose(self, mood: str | None) -> int:
        """Number of the next piece: its seed."""
        seed = self._some_seed(mood)
        self.recent.append(seed)
        return seed

    def _chosen(self, number: int) -> Tune:
        """The tune of that number."""
        return self.tune(number)

    def _some_seed(self, mood: str | None) -> int:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        for seeds in self._pools(mood):
            fresh = [seed for seed in seeds if seed not in self.recent]
            if fresh:
                return fresh[int(self._random.integers(len(fresh)))]
        while (seed := int(self._random.integers(1 << 32))) in self.recent:
            pass
        return seed

    def _pools(self, mood: str | None) -> Iterator[list[int]]:
        """Seeds to draw from; the next ones only where all of these were played just now."""
        yield self.atlas.better(mood)
        if mood is not None:
            yield self.atlas.suiting(mood)


def check_source(source: Any) -> Source:
    """``source``, if it can be one; the check a game's thread can afford. Raises by kind."""
    if isinstance(source, str) and source in MOODS:
        raise InvalidSetting(f"{source!r} is a mood and no file; say mood={source!r}")
    if isinstance(source, Piece):
        return source
    if isinstance(source, str | os.PathLike):
        return Path(source).absolute()  # a game may change its folder before the file is read
    if isinstance(source, int | np.integer):
        return check_seed(source)
    if not hasattr(source, "__len__"):  # no row of numbers either
        expected = "a piece, a seed (a whole number), a latent or the path of a MIDI file"
        raise InvalidNote(f"expected {expected}; got {short(source)}")
    return tuple(check_latent(source).tolist())


def check_mood(mood: str | None) -> str | None:
    """``mood``, if it is one of :data:`MOODS` or None. Raises :class:`InvalidSetting`."""
    if mood is not None and not (isinstance(mood, str) and mood in MOODS):
        raise InvalidSetting(f"no mood is called {mood!r}; there are {', '.join(sorted(MOODS))}")
    return mood


def piece_to_json(piece: Piece, by_seed: bool) -> dict[str, Any]:
    """A piece for a save game: its seed and model, if ``by_seed`` and it has them, else its notes."""
    if by_seed and piece.seed is not None and piece.model is not None:
        return {"seed": piece.seed, "model": piece.model}
    table: dict[str, Any] = {
        name: getattr(piece, name)
        for name in ("steps", "tempo", "beats_per_bar", "has_dynamics", "seed", "model", "licence", "title")
    }
    table["latent"] = list(piece.latent) if piece.latent else None
    table["notes"] = [[note.start, note.pitch, note.length, note.velocity] for note in piece.notes]
    return table


def source_from_json(table: dict[str, Any]) -> Source:
    """What :func:`piece_to_json` wrote, as a source."""
    if "notes" not in table:
        return check_seed(table["seed"])
    fields = dict(table)
    notes = tuple(Note(*row) for row in fields.pop("notes"))
    latent = fields.pop("latent")
    return Piece(notes, latent=tuple(latent) if latent else None, **fields)


def morph(a: Sequence[float], b: Sequence[float], t: float) -> tuple[float, ...]:
    """A latent between ``a`` (t = 0) and ``b`` (t = 1), on the arc of the sphere between them.

    Latents are 14 normal numbers, so nearly all lie at about one distance from 0; the straight line would
    leave it and give duller pieces (spherical interpolation: Shoemake 1985). Raises :class:`InvalidLatent`
    for what is no latent, :class:`InvalidSetting` for a ``t`` outside 0 to 1.
    """
    t = within("t", t, 0.0, 1.0)
    first, last = check_latent(a).astype(np.float64), check_latent(b).astype(np.float64)
    norms = float(np.linalg.norm(first)), float(np.linalg.norm(last))
    cosine = float(first @ last) / max(norms[0] * norms[1], 1e-12)
    angle = float(np.arccos(np.clip(cosine, -1.0, 1.0)))
    if angle < 1e-4 or np.pi - angle < 1e-4:
        mixed = (1.0 - t) * first + t * last
    else:
        mixed = (np.sin((1.0 - t) * angle) * first + np.sin(t * angle) * last) / np.sin(angle)
    return tuple((np.round(mixed * 65536.0) / 65536.0).astype(np.float32).tolist())
