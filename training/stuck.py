"""Whether pieces get stuck or fall silent: ``python -m training.stuck MODEL [MODEL ...] DATA``.

Two beats are alike where the notes struck in both are at least 60 % of those struck in either. A piece is
stuck where beat after beat is like the one before (or the one 2 or 4 beats before) for longer than 20 beats.
Measures of a whole piece hardly see it, for a stuck piece is in key, in metre and full of repetition; a
listener does. A piece falls silent where nothing sounds for four beats or more: scores do so where another
voice goes on alone, but a game would seem to have lost its music.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm.errors import PianoganError
from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.roll import ROLL, Cells
from training.corpus import LONGEST_REST, Corpus
from training.entrants import Source, entrant
from training.evaluate import split_windows
from training.features import Ints, checked, note_table

ALIKE: Final = 0.6
LAGS: Final = (1, 2, 4)
LONG: Final = 20
SILENT: Final = LONGEST_REST
"""Steps without a sound from which a piece has fallen silent."""


def longest_alike(cells: Cells) -> Ints:
    """Beats in the longest run in which each is like an earlier one, int64 ``(n,)``.

    ``cells``: uint8 ``(n, 106, steps)``; steps after the last whole beat do not count. Beats without a note
    are like nothing. Notes are those of :func:`training.features.note_table`: a held cell after silence
    starts one, too. Raises :class:`~pianogan_bgm.errors.InvalidRoll` for anything else.
    """
    notes = note_table(cells)
    count, keys, steps = cells.shape
    starts = np.zeros((count, keys, steps), dtype=np.bool_)
    starts[notes.roll, notes.pitch - ROLL.lowest, notes.start] = True
    whole = steps - steps % STEPS_PER_BEAT
    struck = starts[:, :, :whole].reshape(count, keys, -1, STEPS_PER_BEAT)
    longest = np.zeros(count, dtype=np.int64)
    for lag in LAGS:
        now, then = struck[:, :, lag:], struck[:, :, :-lag]
        both, either = (which.sum(axis=(1, 3)) for which in (now & then, now | then))
        run = np.zeros(count, dtype=np.int64)
        for alike in ((both >= ALIKE * either) & (either > 0)).T:
            run = np.where(alike, run + 1, 0)
            longest = np.maximum(longest, run)
    return longest


def longest_silence(cells: Cells) -> Ints:
    """Steps in the longest stretch in which nothing sounds, int64 ``(n,)``; ``cells`` as above."""
    sounding = np.asarray(checked(cells).any(axis=1))
    longest = run = np.zeros(len(cells), dtype=np.int64)
    for step in sounding.T:
        run = np.where(step, 0, run + 1)
        longest = np.maximum(longest, run)
    return longest


def gets_stuck(cells: Cells) -> npt.NDArray[np.bool_]:
    """Whether each piece is like itself for longer than ``LONG`` beats, bool ``(n,)``; ``cells`` as above."""
    return np.asarray(longest_alike(cells) > LONG)


def falls_silent(cells: Cells) -> npt.NDArray[np.bool_]:
    """Whether each piece is silent for ``SILENT`` steps or more, bool ``(n,)``; ``cells`` as above."""
    return np.asarray(longest_silence(cells) >= SILENT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each model and for held-out music; exit status 2 where one cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m training.stuck", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("model", nargs="+", help="an installed model's name, MODEL.onnx, or rolls as .npy")
    parser.add_argument("data", type=Path, help="folder of the prepared corpus")
    parser.add_argument("-n", "--pieces", type=int, default=1000, help="of each (1000)")
    given = parser.parse_args(arguments)
    if given.pieces < 1:
        parser.error(f"--pieces must be at least 1; got {given.pieces}")
    try:
        corpus = Corpus.load(given.data)
        sources: dict[str, Source] = {
            "real music": lambda count, seed: split_windows(corpus, "test", count, seed)
        }
        for model in given.model:
            who = entrant(model)
            sources[f"{who.name} {who.identity.get('version', '')}".strip()] = who.source
        for name, source in sources.items():
            cells = source(given.pieces, 0)
            longest = longest_alike(cells)
            print(
                f"{name}: longest run of beats alike, median {np.median(longest):.0f}, "
                f"90th percentile {np.percentile(longest, 90):.0f}; "
                f"stuck (over {LONG} beats): {(longest > LONG).mean():.1%} of {len(longest)}; "
                f"silent (for {SILENT} steps or more): {falls_silent(cells).mean():.1%}"
            )
    except (PianoganError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
