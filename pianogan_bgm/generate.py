"""The command ``pianogan-bgm generate``: pieces composed by seed, written as MIDI, pictures and sound."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tqdm import tqdm

from pianogan_bgm import images, midi
from pianogan_bgm.arrange import perform, tempos
from pianogan_bgm.atlas import fresh_seeds, load_atlas
from pianogan_bgm.endings import with_ending
from pianogan_bgm.expression import EXPRESSIVE, ONE_SHOT, Expression
from pianogan_bgm.generator import Generator
from pianogan_bgm.instruments import credited
from pianogan_bgm.latents import check_seed
from pianogan_bgm.piece import Piece, check_tempo
from pianogan_bgm.render import DEFAULT_RATE, render_blocks, write_audio

INSTRUMENT: Final = "piano"


def generate(
    folder: Path,
    seed: int | None = None,
    count: int = 1,
    *,
    model: str | os.PathLike[str] = "open",
    formats: Sequence[str] = ("mid", "png", "wav"),
    tempo: float | None = None,
    ending: bool = False,
) -> int:
    """Write ``count`` pieces, of ``seed`` and those after it, to ``folder`` as ``MODEL-SEED.FORMAT``.

    Without a seed fresh ones are drawn, from the better half of the model's atlas where it has one, and said.
    ``formats``: keys of :data:`WRITERS`; sound has the credits due, for model and piano, as its comment.
    ``tempo``: beats a minute (the model's own). ``ending``: slow down and close on a cadence instead of
    breaking off. Every file appears whole or not at all, in place of one of that name. The same call with a
    seed gives the same bytes of MIDI and PNG. Returns the exit status; raises the errors of the package.
    """
    first = None if seed is None else check_seed(seed)
    if first is not None:
        check_seed(first + count - 1)
    if tempo is not None:
        check_tempo(tempo)
    generator = Generator(model)
    due = "; ".join(credited(generator.card.attribution, INSTRUMENT))
    seeds = fresh_seeds(load_atlas(model), count) if first is None else range(first, first + count)
    if first is None:
        print("seed" if count == 1 else "seeds", ", ".join(map(str, seeds)))
    for number in tqdm(seeds, unit="piece", disable=True if count < 2 else None):
        composed = generator.compose(number)
        piece = perform(with_ending(composed) if ending else composed)
        piece = piece if tempo is None else replace(piece, tempo=tempo)
        stem = folder / f"{piece.model}-{number}"
        for kind in formats:
            path = stem.with_name(f"{stem.name}.{kind}")
            WRITERS[kind](piece, path, ONE_SHOT if ending else EXPRESSIVE, due)
            tqdm.write(str(path))
    print(f"{generator.card.name}: {generator.card.output_licence}")
    return 0


def _write_sound(piece: Piece, path: Path, expression: Expression, due: str) -> None:
    write_audio(
        path,
        render_blocks(piece, DEFAULT_RATE, INSTRUMENT, expression=expression),
        DEFAULT_RATE,
        title=path.stem,
        licence=piece.licence,
        comment=due,
    )


def _write_picture(piece: Piece, path: Path, expression: Expression, due: str) -> None:
    images.write_png(images.piece_slab(piece), path)


def _write_midi(piece: Piece, path: Path, expression: Expression, due: str) -> None:
    midi.write_midi(piece, path, tempos=tempos(piece, expression))


WRITERS: Final[Mapping[str, Callable[[Piece, Path, Expression, str], None]]] = {
    "mid": _write_midi,
    "png": _write_picture,
    "wav": _write_sound,
    "ogg": _write_sound,
    "flac": _write_sound,
}
"""How each format is written."""
