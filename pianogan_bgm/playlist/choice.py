"""Which seeds to bake: no two pieces alike, and of a mood where one is asked for.

*Distance*: each piece is a set of strikes, (eighth note, degree above its tonic); two pieces are as far apart
as the share of their strikes that only one of them has (Jaccard 1901), 0 to 1. Transposing a piece leaves it
where it is. Candidates come best first where the model's atlas knows of quality, else in the order of their
seeds; those of a mood as :meth:`pianogan_bgm.atlas.Atlas.suiting` orders them. Each is taken unless it is
nearer than the least distance to one taken before. So the same call gives the same seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pianogan_bgm.atlas import Atlas
from pianogan_bgm.errors import PlaylistError
from pianogan_bgm.harmony import estimate_key
from pianogan_bgm.latents import SEED_LIMIT, check_seed
from pianogan_bgm.piece import Piece

LEAST_DISTANCE: Final = 0.5
FEWEST_NOTES: Final = 60
"""Pieces with fewer are near silence and never chosen."""
EIGHTHS: Final = 150
"""As many as a composed piece has; what comes later does not count."""
MOST_SEEDS: Final = 200_000
"""Seeds of a playlist; the prints of so many take 360 MB."""
PATIENCE: Final = 50
"""Candidates looked at for each piece wanted, before giving up."""
_ROUND: Final = 32
"""Candidates composed at a time for each process."""

Print: TypeAlias = npt.NDArray[np.bool_]
Prints: TypeAlias = Callable[[Sequence[int]], Iterable[Print | None]]


def print_of(piece: Piece) -> Print | None:
    """The strikes of ``piece``, bool ``(150 × 12,)``; None for near silence."""
    if len(piece.notes) < FEWEST_NOTES:
        return None
    tonic = estimate_key(piece.notes).tonic
    strikes = np.zeros((EIGHTHS, 12), dtype=np.bool_)
    for note in piece.notes:
        if note.start // 2 < EIGHTHS:
            strikes[note.start // 2, (note.pitch - tonic) % 12] = True
    return strikes.reshape(-1)


def distances(one: Print, others: Print) -> npt.NDArray[np.float64]:
    """Distances of a print from each row of ``others``, bool ``(n, 1800)``."""
    common = np.count_nonzero(others & one, axis=1)
    either = np.count_nonzero(others, axis=1) + np.count_nonzero(one) - common
    return np.asarray(1.0 - common / np.maximum(either, 1))


def choose(
    count: int,
    prints: Prints,
    *,
    first: int | None = None,
    mood: str | None = None,
    atlas: Atlas | None = None,
    least: float = LEAST_DISTANCE,
    width: int = 1,
) -> list[int]:
    """``count`` seeds at least ``least`` apart: from ``first`` on, or the best of ``atlas`` or its ``mood``.

    ``prints``: gives the prints of some seeds, in their order. ``width``: how many it makes side by side,
    which changes nothing in the result. Raises :class:`PlaylistError` where there are not enough, and for
    more than :data:`MOST_SEEDS`.
    """
    if count > MOST_SEEDS:
        raise PlaylistError(f"at most {MOST_SEEDS} pieces can be chosen; got {count}")
    of, candidates = _candidates(first, mood, atlas)
    limit = PATIENCE * count + 1000
    taken: list[int] = []
    kept = np.zeros((count, EIGHTHS * 12), dtype=np.bool_)
    seen = 0
    with tqdm(total=count, desc="choosing", unit="piece", leave=False, disable=None) as bar:
        while len(taken) < count and seen < limit:
            seeds = list(islice(candidates, min(_ROUND * width, limit - seen)))
            if not seeds:
                break
            seen += len(seeds)
            for seed, strikes in zip(seeds, prints(seeds), strict=True):
                if strikes is None or len(taken) == count:
                    continue
                if not taken or distances(strikes, kept[: len(taken)]).min() >= least:
                    kept[len(taken)] = strikes
                    taken.append(seed)
                    bar.update()
    if len(taken) < count:
        raise PlaylistError(
            f"{count} pieces at least {least:g} apart were asked for; among {seen} candidates ({of}) there "
            f"are {len(taken)}: ask for fewer, or for less distance"
        )
    return taken


def _candidates(first: int | None, mood: str | None, atlas: Atlas | None) -> tuple[str, Iterator[int]]:
    """What they are, in words, and their seeds."""
    if mood is None:
        return _anything(first, atlas)
    if atlas is None or not len(atlas):
        raise PlaylistError(
            f"mood {mood!r} needs the model's atlas, which was not shipped with it; "
            "python -m export.build_atlas MODEL measures one"
        )
    return f"mood {mood!r}", iter(atlas.suiting(mood))


def _anything(first: int | None, atlas: Atlas | None) -> tuple[str, Iterator[int]]:
    """Seeds in their order from ``first`` on; for None those of the atlas that are judged, best first."""
    if first is not None or atlas is None or not atlas.judged:
        return f"seeds from {first or 0} on", iter(range(check_seed(first or 0), SEED_LIMIT))
    best = atlas.ranked()
    known = frozenset(best)
    return "the best seeds first", chain(best, (seed for seed in range(SEED_LIMIT) if seed not in known))
