"""The second family of two-sample classifiers: a small convolutional network that looks at rolls themselves.

What the features do not measure, it may see: the order of bars, how chords are laid out, wrong notes. It gets
what the notes are and nothing else (starts and sounding keys, as :func:`training.features.note_table` reads
them), so that no habit of a format tells real from generated. Two columns are one moment with four planes,
which loses nothing. The constants stand here and are fixed before any model is measured; they were chosen on
real music with known faults, which ``python -m training.roll_classifier DATA`` measures again: training
windows as they are, with their bars shuffled, and with every seventh bar a semitone off, against test ones.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm.errors import PianoganError
from pianogan_bgm.roll import ROLL, SOUNDING_BYTE, Cells
from training.features import STEPS_PER_BAR, Ints, checked, note_table

KEYS: Final = 88
"""Of the roll's 106 rows those a piano has."""
WIDTH: Final = 8
EPOCHS: Final = 6
FOLDS: Final = 3
BATCH: Final = 32
RATE: Final = 2e-3


def roll_auc(real: Cells, generated: Cells, seed: int = 0, epochs: int = EPOCHS) -> float:
    """Area under the ROC curve of networks that tell real from generated rolls, 0.5 (not at all) to 1.

    Both uint8 ``(n, 106, steps)``. The larger set is thinned at random to the smaller one's size. Every roll
    is judged by a network that did not see it, three-fold cross-validated; each learns for ``epochs`` passes.
    The same seed gives the same figure, but for rounding on other machines. Below 0.5 means chance, too.
    """
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold

    rng = np.random.default_rng(seed)
    size = min(len(real), len(generated))
    sides = [planes(side[rng.choice(len(side), size, replace=False)]) for side in (real, generated)]
    rolls, label = np.concatenate(sides), np.repeat([0, 1], size)
    classifier = _classifier(rolls.shape[1])
    guess = np.empty(len(rolls))
    for known, unknown in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(rolls, label):
        classifier.begin(rng)
        for _ in range(epochs):
            classifier.learn(rolls, label, rng.permutation(known))
        guess[unknown] = classifier.scores(rolls[unknown])
    return float(roc_auc_score(label, guess))


def planes(cells: Cells) -> npt.NDArray[np.bool_]:
    """What the network sees, bool ``(n, steps // 2, 88, 4)``.

    The planes: notes that start in the first and in the second column of a pair, keys that sound in each.
    ``cells``: uint8 ``(n, 106, steps)``. Raises :class:`~pianogan_bgm.errors.InvalidRoll` for anything else.
    """
    count, _, steps = checked(cells).shape
    pairs = steps // 2
    table = note_table(cells)
    seen = np.zeros((count, 2 * pairs, KEYS, 2), dtype=np.bool_)
    row: Ints = table.pitch - ROLL.lowest
    kept = (row < KEYS) & (table.start < 2 * pairs)
    seen[table.roll[kept], table.start[kept], row[kept], 0] = True
    seen[..., 1] = (cells[:, :KEYS, : 2 * pairs] >= SOUNDING_BYTE).transpose(0, 2, 1)
    paired = seen.reshape(count, pairs, 2, KEYS, 2).transpose(0, 1, 3, 4, 2)
    return np.ascontiguousarray(paired.reshape(count, pairs, KEYS, 4))


class _Classifier:
    """One compiled network that can begin anew, for compiling takes longer than a fold."""

    def __init__(self, moments: int) -> None:
        import keras

        self._model = _network(keras, moments)
        self._optimizer = keras.optimizers.Adam(RATE)
        self._optimizer.build(self._model.trainable_variables)
        self._start = [keras.ops.convert_to_numpy(variable) for variable in self._optimizer.variables]
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        self._model.compile(self._optimizer, loss)

    def begin(self, rng: np.random.Generator) -> None:
        """Forget everything; new weights of ``rng``: uniform, of the variance of Glorot & Bengio (2010)."""
        for variable, value in zip(self._optimizer.variables, self._start, strict=True):
            variable.assign(value)
        self._model.set_weights([_drawn(variable.shape, rng) for variable in self._model.weights])

    def learn(self, rolls: npt.NDArray[np.bool_], label: Ints, order: Ints) -> None:
        """One pass over the rolls at ``order``."""
        for some in _batches(order, BATCH):
            self._model.train_on_batch(rolls[some].astype(np.float32), label[some].astype(np.float32))

    def scores(self, rolls: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
        """How much each roll looks generated, log-odds ``(n,)``."""
        parts = [
            np.asarray(self._model.predict_on_batch(rolls[some].astype(np.float32)))[:, 0]
            for some in _batches(np.arange(len(rolls)), 2 * BATCH)
        ]
        return np.concatenate(parts)


_classifier = lru_cache(maxsize=1)(_Classifier)


def _network(keras: Any, moments: int) -> Any:
    """Three strided convolutions, what they find on average and at most, and one answer; 11,897 weights."""
    layers = keras.layers
    found = rolls = keras.Input((moments, KEYS, 4))
    # the first looks half a beat far and an octave wide, later ones at what that found
    for width, size, strides in ((1, (4, 12), (2, 4)), (2, (4, 4), (2, 2)), (4, (4, 4), (2, 2))):
        found = layers.Conv2D(width * WIDTH, size, strides, padding="same")(found)
        found = layers.LeakyReLU(0.2)(found)
    pooled = [layers.GlobalAveragePooling2D()(found), layers.GlobalMaxPooling2D()(found)]
    return keras.Model(rolls, layers.Dense(1)(layers.Concatenate()(pooled)))


def _drawn(shape: Sequence[int], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A kernel ``(..., inputs, outputs)`` to begin with, or a bias of zeros."""
    if len(shape) < 2:
        return np.zeros(shape)
    limit = np.sqrt(6.0 / (math.prod(shape[:-2]) * (shape[-2] + shape[-1])))
    return rng.uniform(-limit, limit, tuple(shape))


def _batches(order: Ints, size: int) -> Iterator[Ints]:
    return (order[first : first + size] for first in range(0, len(order), size))


def shuffled_bars(cells: Cells, rng: np.random.Generator) -> Cells:
    """Rolls with their bars of 16 columns in an order of chance: every bar is right, the form is not."""
    bars = cells.shape[2] // STEPS_PER_BAR
    found = cells.copy()
    for roll in found:
        whole = roll[:, : bars * STEPS_PER_BAR].reshape(len(roll), bars, STEPS_PER_BAR)
        roll[:, : bars * STEPS_PER_BAR] = whole[:, rng.permutation(bars)].reshape(len(roll), -1)
    return found


def shifted_bars(cells: Cells, rng: np.random.Generator) -> Cells:
    """Rolls with one bar of seven, by chance, a semitone up or down: rhythm and form are right."""
    found = cells.copy()
    for roll in found:
        for first in range(0, roll.shape[1], STEPS_PER_BAR):
            if rng.random() < 1 / 7:
                bar = roll[:, first : first + STEPS_PER_BAR]
                bar[:] = np.roll(bar, rng.choice([-1, 1]), axis=0)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the network sees, on real music with a known fault; returns the exit status."""
    from training.corpus import Corpus
    from training.evaluate import split_windows

    parser = argparse.ArgumentParser(prog="python -m training.roll_classifier")
    parser.add_argument("data", type=Path, help="folder of the prepared corpus")
    parser.add_argument("--windows", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    given = parser.parse_args(arguments)
    try:
        corpus = Corpus.load(given.data)
        faults = {
            "none": lambda cells, _: cells,
            "bars shuffled": shuffled_bars,
            "bars shifted": shifted_bars,
        }
        for name, fault in faults.items():
            found = []
            for seed in range(given.seeds):
                real, other = (
                    split_windows(corpus, split, given.windows, seed) for split in ("test", "train")
                )
                fake = fault(other, np.random.default_rng(seed))
                found.append(roll_auc(real, fake, seed, given.epochs))
            print(f"{name:<14} {np.mean(found):.3f} ± {np.std(found):.3f}", flush=True)
    except (PianoganError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
