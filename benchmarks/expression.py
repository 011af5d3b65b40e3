"""How near our dynamics and timing come to those of pianists.

    python benchmarks/expression.py [CORPUS] [--split test] [--performances MAESTRO --asap ASAP]

CORPUS (data/maestro) is a prepared corpus of performances with beats, as ``python -m training.prepare maestro
MAESTRO --asap ASAP -o CORPUS`` makes it. It is cut into windows of 300 steps that begin on downbeats, as the
generator's pieces are. Printed is the correlation of velocities with the performer's, the median over windows
with its quartiles and the median over performances of their windows' mean: for a constant, for the height of
the notes alone, for the one rule of version 0.1, for the rules, for each rule alone and for the rules without
it. The last line is about the most that other weights could bring: of a linear fit, by least squares, of the
same rules' outputs to the performers' velocities of the training side. It is measured for comparison and used
nowhere, so that nothing of MAESTRO (CC BY-NC-SA) gets into the music.

A prepared corpus has lost what is not on the grid; for timing the performances themselves are needed. Chords:
how late each note comes after the first one of its chord, correlated with ours. Ending: tempo of the last
beats over the performance's median tempo, beside ours.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1]))

from pianogan_bgm.expression import RITARDANDO_BEATS, RULES, Reading, Ritardando, dynamics, lateness
from pianogan_bgm.notes import STEPS_PER_BEAT, Note, untangle
from pianogan_bgm.piece import Piece
from pianogan_bgm.roll import ROLL
from training.corpus import SPLITS, Corpus, DataError
from training.grid import to_grid
from training.maestro import Excerpt, Timed, excerpts
from training.sources import opened

CORPUS: Final = Path("data/maestro")
Values = npt.NDArray[np.float64]
TOGETHER: Final = 0.06
"""Seconds within which notes of one step count as one chord."""
LAST_BEATS: Final = 8


def main(argv: list[str] | None = None) -> int:
    options = parse(argv)
    if options.corpus is None and not CORPUS.exists():
        print(f"left out: there is no corpus of performances at {CORPUS}; see the head of this file")
        return 0
    try:
        options.corpus = options.corpus or CORPUS
        corpus = Corpus.load(options.corpus)
        if not corpus.has_velocity:
            raise DataError(f"{options.corpus} has no velocities: expected performances, such as MAESTRO")
        velocities(corpus, options.split)
        if options.performances and options.asap:
            with (
                tempfile.TemporaryDirectory() as scratch,
                opened(options.performances, Path(scratch)) as root,
                opened(options.asap, Path(scratch)) as asap,
            ):
                timing(excerpts(root, asap), options.split)
        else:
            print("timing: left out; a corpus has lost it, give --performances and --asap")
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Our dynamics and timing against those of pianists.")
    parser.add_argument("corpus", nargs="?", type=Path, help="folder with manifest.json and corpus.npz")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--performances", type=Path, metavar="SRC", help="MAESTRO, a folder or archive")
    parser.add_argument("--asap", type=Path, metavar="SRC", help="ASAP's annotations, a folder or archive")
    return parser.parse_args(argv)


def correlation(ours: npt.ArrayLike, theirs: npt.ArrayLike) -> float:
    """Pearson's, 0 where either does not vary."""
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if len(a) < 2 or a.std() < 1e-9 or b.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


# --------------------------------------------------------------------------------------------- velocities


def windows(corpus: Corpus, split: str) -> Iterator[tuple[int, Piece]]:
    """Number of the performance, and a window of it as a piece with the performer's velocities."""
    for performance, start in corpus.windows(split).tolist():
        notes = corpus.notes(performance)
        inside = notes[(notes[:, 0] >= start) & (notes[:, 0] < start + ROLL.steps)]
        found = untangle(
            Note(at - start, pitch, min(length, start + ROLL.steps - at), max(1, velocity))
            for at, pitch, length, velocity in inside.tolist()
        )
        yield performance, Piece(found, beats_per_bar=beats_per_bar(corpus, performance, start))


def beats_per_bar(corpus: Corpus, performance: int, start: int) -> int:
    bar = int(np.searchsorted(corpus.downbeats(performance), start))
    first = int(corpus.arrays["downbeat_offsets"][performance])
    return max(1, round(float(corpus.arrays["beats_per_bar"][first + bar])))


def velocities(corpus: Corpus, split: str) -> None:
    found: dict[str, dict[int, list[float]]] = {}
    weights = fitted(corpus)
    for performance, piece in windows(corpus, split):
        for name, ours in guesses(piece, weights).items():
            value = correlation(ours, [note.velocity for note in piece.notes])
            found.setdefault(name, {}).setdefault(performance, []).append(value)
    count = sum(map(len, found["all rules"].values()))
    print(f"velocities: {count} windows of {len(found['all rules'])} performances ({split})")
    print("                       median  quartiles       median of performances")
    for name, by_performance in found.items():
        low, middle, high = np.percentile(list(itertools.chain(*by_performance.values())), [25, 50, 75])
        whole = np.median([np.mean(values) for values in by_performance.values()])
        print(f"{name:<22} {middle:6.3f}  {low:6.3f} {high:6.3f}  {whole:6.3f}")


def guesses(piece: Piece, weights: Values) -> dict[str, Values]:
    """What each way of guessing says of the velocities, up to a constant."""
    parts = rules_of(piece)
    whole = parts.sum(axis=1)
    table = {
        "constant": np.zeros(len(parts)),
        "height alone": np.array([note.pitch for note in piece.notes], dtype=np.float64),
        "rule of version 0.1": np.array(previous(piece), dtype=np.float64),
        "all rules": np.array([note.velocity for note in dynamics(piece).notes], dtype=np.float64),
    }
    for index, name in enumerate(RULES):
        table[f"{name} alone"] = parts[:, index]
    for index, name in enumerate(RULES):
        table[f"without {name}"] = whole - parts[:, index]
    return {**table, "fitted weights": parts @ weights}


def previous(piece: Piece) -> list[float]:
    """What version 0.1 played: voices, phrases by the bar line, metre, height of the melody, repeats."""
    reading = Reading(piece)
    bar, last, loud = reading.bar, dict[int, int](), []
    crowd = np.bincount([note.start for note in piece.notes])
    centre = np.mean([note.pitch for note in reading.melody]) if reading.melody else 60.0
    for note, voice in zip(piece.notes, reading.voices, strict=True):
        velocity = {"melody": 80.0, "bass": 66.0, "inner": 56.0}[voice]
        velocity += previous_accent(note.start % bar, bar)
        for length, height in ((4 * bar, 9.0), (8 * bar, 6.0)):
            place = note.start % length / length
            velocity += height * (min(place / 0.6, (1.0 - place) / 0.4) - 0.5)
        if voice == "melody":
            velocity += min(8.0, max(-8.0, 0.5 * (note.pitch - centre)))
        else:
            velocity -= 1.5 * max(0, crowd[note.start] - 3)
        velocity -= 5.0 if note.start - last.get(note.pitch, -bar) <= STEPS_PER_BEAT else 0.0
        last[note.pitch] = note.start
        loud.append(velocity)
    return loud


def previous_accent(place: int, bar: int) -> float:
    if place == 0:
        return 6.0
    if bar % (2 * STEPS_PER_BEAT) == 0 and place == bar // 2:
        return 3.0
    return 1.0 if place % STEPS_PER_BEAT == 0 else -2.0 if place % 2 == 0 else -4.0


def rules_of(piece: Piece) -> Values:
    """What each rule adds to each note, (notes, rules)."""
    reading = Reading(piece)
    return np.array([rule(reading) for rule in RULES.values()], dtype=np.float64).T


def fitted(corpus: Corpus) -> Values:
    """Weights of the rules, (rules,), that fit the training side best, every fifth window of it."""
    parts, goals = [], []
    for _, piece in itertools.islice(windows(corpus, "train"), 0, None, 5):
        values = rules_of(piece)
        goal = np.array([note.velocity for note in piece.notes], dtype=np.float64)
        parts.append(values - values.mean(axis=0))
        goals.append(goal - goal.mean())
    weights, *_ = np.linalg.lstsq(np.concatenate(parts), np.concatenate(goals), rcond=None)
    return np.asarray(weights)


# ------------------------------------------------------------------------------------------------- timing


def timing(found: Iterator[Excerpt], split: str) -> None:
    chords, own, endings, lags = [], [], [], []
    for excerpt in found:
        if SPLITS[excerpt.performance.split] != split:
            continue
        try:
            heard = excerpt.timed()
        except DataError:
            continue
        theirs, ours, law = chord_lags(heard)
        lags.append([1000 * theirs.mean(), 1000 * ours.mean()])
        chords.append(correlation(ours, theirs))
        own.append(correlation(law, theirs))
        if excerpt.end == float("inf") and len(heard.beats.times) > 4 * LAST_BEATS:
            endings.append(last_tempos(heard))
    print(f"timing: {len(chords)} performances ({split})")
    print(f"chords, median correlation: on the grid 0, ours {np.median(chords):.3f}", end="")
    print(f", the same rule on the performer's velocities {np.median(own):.3f}")
    print("chords, mean lateness in ms: theirs {:.1f}, ours {:.1f}".format(*np.median(lags, axis=0)))
    curve = our_tempos()
    agreement = np.median([correlation(curve, tempos) for tempos in endings])
    print(f"endings: {len(endings)}; median correlation of tempo: steady 0, ours {agreement:.3f}")
    print("theirs", *(f"{value:.2f}" for value in np.median(endings, axis=0)))
    print("ours  ", *(f"{value:.2f}" for value in curve))


def chord_lags(heard: Timed) -> tuple[Values, Values, Values]:
    """Seconds that notes of chords come after the first: theirs, ours, ours for their velocities."""
    steps = np.floor(heard.starts + 0.5).astype(np.int64)
    pitches, loud = heard.notes[:, 2], heard.notes[:, 3]
    grid = to_grid(heard.starts, heard.ends, pitches, loud)
    notes = untangle(Note(s, p, n, max(1, v)) for s, p, n, v in grid.notes.tolist())
    piece = Piece(notes, steps=max(note.end for note in notes))
    late, by_theirs = (
        dict(zip(((n.start, n.pitch) for n in played), lateness(played), strict=True))
        for played in (dynamics(piece).notes, notes)
    )
    rows = []
    order = np.lexsort((heard.onsets, steps))
    for _, group in itertools.groupby(order.tolist(), key=lambda index: int(steps[index])):
        chord = list(group)
        first = heard.onsets[chord[0]]
        keys = [(int(steps[index]), int(pitches[index])) for index in chord]
        whole = heard.onsets[chord[-1]] - first < TOGETHER and all(key in late for key in keys)
        if len(chord) > 1 and whole:
            rows += [
                (heard.onsets[index] - first, late[key], by_theirs[key])
                for index, key in zip(chord, keys, strict=True)
            ]
    theirs, ours, law = np.array(rows).T
    return theirs, ours, law


def last_tempos(heard: Timed) -> Values:
    """Tempo between each two of the last beats over the median tempo, (LAST_BEATS,)."""
    tempos = np.diff(heard.beats.steps) / np.diff(heard.beats.times)
    return np.asarray(tempos[-LAST_BEATS:] / np.median(tempos))


def our_tempos() -> Values:
    """The same of our ritardando, the last note struck on the last beat."""
    steps = STEPS_PER_BEAT * LAST_BEATS
    slowing = Ritardando(steps - STEPS_PER_BEAT * RITARDANDO_BEATS, steps)
    times = [slowing.played(step) for step in range(0, steps + 1, STEPS_PER_BEAT)]
    return np.asarray(STEPS_PER_BEAT / np.diff(times))


if __name__ == "__main__":
    sys.exit(main())
