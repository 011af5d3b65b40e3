"""Which pieces pass best for music: ``python -m training.judge MODEL DATA -o FILE.npy``.

For the atlas (``python -m export.build_atlas NAME --quality FILE.npy``): one number for each seed from 0, the
log-odds that a piece with such features (:mod:`training.features`) is real. Boosted trees (Friedman 2001)
learn them from the windows of the training split and as many other pieces of the model. Drawn by such odds,
what is composed comes nearer to what is real (Azadi et al. 2019). Pieces that get stuck or fall silent
(:mod:`training.stuck`) come after all others. Prints how the better half and the rest measure up to the
validation split, of which the trees know nothing.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pianogan_bgm.errors import PianoganError, one_line
from pianogan_bgm.files import write_atomically
from pianogan_bgm.roll import Cells
from training.compare import SETS, measured, table
from training.corpus import Corpus, DataError
from training.entrants import Source, entrant
from training.evaluate import split_windows
from training.features import Floats, features
from training.roll_classifier import roll_auc
from training.stuck import falls_silent, gets_stuck

SEEDS: Final = 4352
"""As many as the atlas measures."""
CHUNK: Final = 256
ROUNDS: Final = 200
"""Trees at most, each of which mends a twentieth of what those before it got wrong. With more than 10,000
pieces and windows scikit-learn keeps a tenth of them aside and stops when more trees tell those no better."""


def judged(pieces: Cells, real: Floats, composed: Floats) -> Floats:
    """Log-odds that each of ``pieces``, uint8 ``(n, 106, 300)``, is real, float64 ``(n,)``.

    ``real`` and ``composed``: features of windows and of other pieces of the same model, of similar number.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    trees = HistGradientBoostingClassifier(max_iter=ROUNDS, learning_rate=0.05, random_state=0)
    label = np.repeat([0, 1], (len(composed), len(real)))
    trees.fit(np.concatenate([composed, real]), label)
    odds = np.asarray(trees.decision_function(features(pieces)), dtype=np.float64)
    return put_last(odds, gets_stuck(pieces) | falls_silent(pieces))


def put_last(answers: Floats, last: npt.NDArray[np.bool_]) -> Floats:
    """Answers with some of them moved below all others, in their own order."""
    if not last.any() or last.all():
        return answers
    return np.where(last, answers - (answers[last].max() - answers[~last].min()) - 1.0, answers)


def composed_by(source: Source, first: int, count: int) -> Cells:
    """``count`` pieces, in whole chunks of seeds from ``first`` on, uint8 ``(count, 106, 300)``."""
    chunks = range(first // CHUNK, (first + count + CHUNK - 1) // CHUNK)
    found = [source(CHUNK, chunk) for chunk in tqdm(chunks, desc="composing", unit="chunk")]
    return np.concatenate(found)[:count]


def real_windows(corpus: Corpus) -> Cells:
    """All that training learns from, cut without overlap. Raises :class:`DataError` for none."""
    windows = corpus.windows("train", sounding=True)
    if not len(windows):
        raise DataError("split 'train' needs at least one window that sounds throughout; it has none")
    return corpus.stack(windows)


def halves(pieces: Cells, answers: Floats, real: Cells) -> dict[str, dict[str, float]]:
    """Measures of the better half of ``pieces``, of the rest, and of all, against windows that are ``real``.

    Those of :func:`training.compare.measured`, and "roll AUC", how well a network tells them that sees no
    features but the rolls (:mod:`training.roll_classifier`). Each in sets of as many, for the measures depend
    on that.
    """
    known = features(real)
    order = np.argsort(-answers, kind="stable")
    rng = np.random.default_rng(0)
    rows = {}
    parts = {"better half": order[: len(order) // 2], "the rest": order[len(order) // 2 :], "all": order}
    for name, part in parts.items():
        size = min(len(real), len(order) // 2)
        sets = [pieces[rng.choice(part, size, replace=False)] for _ in range(SETS)]
        aucs = [roll_auc(real, cells, seed) for seed, cells in enumerate(sets)]
        rows[name] = {**measured(known, sets), "roll AUC": float(np.mean(aucs))}
    return rows


def main(argv: list[str] | None = None) -> int:
    """Command line; exit status 2 where model or data cannot be used, or the file cannot be written."""
    parser = argparse.ArgumentParser(
        prog="python -m training.judge", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("model", help="an installed model's name, or MODEL.onnx with its card beside it")
    parser.add_argument("data", type=Path, help="folder of the prepared corpus")
    parser.add_argument("-n", "--seeds", type=int, default=SEEDS, help=f"a multiple of {CHUNK}")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.npy")
    args = parser.parse_args(argv)
    if args.seeds < 1 or args.seeds % CHUNK:
        parser.error(f"--seeds must be a multiple of {CHUNK}; got {args.seeds}")
    try:
        corpus, source = Corpus.load(args.data), entrant(args.model).source
        held_out = split_windows(corpus, "validation", None, 0)
        real = features(real_windows(corpus))
        pieces = composed_by(source, 0, args.seeds)
        answers = judged(pieces, real, features(composed_by(source, args.seeds, len(real))))
        data = io.BytesIO()
        np.save(data, answers)
        write_atomically(args.output, data.getvalue())
    except (PianoganError, ValueError, OSError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 2
    print(f"{args.output}: {len(answers)} seeds, from {answers.min():.2f} to {answers.max():.2f}")
    print(table(halves(pieces, answers, held_out)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
