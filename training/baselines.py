"""What a model has to beat: random notes with the right statistics, and a first-order Markov chain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm.notes import DEFAULT_VELOCITY, STEPS_PER_BEAT, velocity_to_level
from pianogan_bgm.roll import HELD_BYTE, ROLL, STRUCK_BYTE, Cells
from training.features import Ints, NoteTable, note_table

LONGEST_GAP: Final = 64
"""Steps; a longer silence between two notes of a training piece is shortened to this or a little less."""

_STATES: Final = 128 * (LONGEST_GAP + 1) * STEPS_PER_BEAT


def random_notes(like: Cells, count: int, seed: int) -> Cells:
    """The floor: ``count`` rolls of notes drawn one by one, uint8 ``(count, 106, steps)``.

    Each roll has as many notes as a roll of ``like`` drawn at random; start, pitch and length of each note
    are drawn independently from all the notes of ``like``. Every histogram is right and nothing else is.
    """
    rng = np.random.default_rng(seed)
    table = note_table(like)
    sizes = rng.choice(np.bincount(table.roll, minlength=table.rolls), count)
    roll = np.repeat(np.arange(count), sizes)
    start, pitch, length = (
        rng.choice(values, len(roll)) if len(roll) else roll
        for values in (table.start, table.pitch, table.length)
    )
    return paint(NoteTable(roll, start, pitch, length, count, table.steps))


def paint(table: NoteTable) -> Cells:
    """Notes as cells uint8 ``(rolls, 106, steps)``, in any order and overlapping as they like.

    Notes are cut at the last column; a key struck while it is held is struck again and held to the later
    end. Pitches must be on the roll.
    """
    cells = np.zeros((table.rolls, ROLL.pitches, table.steps), dtype=np.uint8)
    length = np.minimum(table.length, table.steps - table.start)
    row = table.pitch - ROLL.lowest
    flat = (table.roll * ROLL.pitches + row) * table.steps + table.start
    offset = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    cells.reshape(-1)[np.repeat(flat, length) + offset] = HELD_BYTE
    cells.reshape(-1)[flat] = STRUCK_BYTE + velocity_to_level(DEFAULT_VELOCITY)
    return cells


class MarkovChain:
    """A first-order chain over notes in the order of start and pitch.

    A state is a note's pitch, its place in the beat and its distance in steps from the note before. The next
    note (all these and its length) is drawn from those that followed this state anywhere in the training
    pieces, so no table of probabilities is needed; where nothing follows, any note of theirs may.
    """

    def __init__(self, pieces: Iterable[npt.NDArray[np.int32]]) -> None:
        """``pieces``: int32 ``(n, 4)`` of start, pitch, length, velocity, sorted by start and pitch.

        Beats begin at the steps that four divides. Raises ``ValueError`` without any note.
        """
        every = [_events(notes) for notes in pieces if len(notes)]
        if not sum(map(len, every)):
            raise ValueError("a Markov chain needs at least one note to learn from; got none")
        self._events = np.concatenate(every)
        follows = np.ones(len(self._events), dtype=bool)
        follows[np.cumsum([len(events) for events in every if len(events)]) - 1] = False
        state = _state(self._events)
        source = np.flatnonzero(follows)
        source = source[np.argsort(state[source], kind="stable")]
        self._first = np.searchsorted(state[source], np.arange(_STATES + 1))
        # one more, never followed, so that a state without successor may be looked up all the same
        self._sources = np.append(source, 0)

    def compose(self, count: int, seed: int, steps: int = ROLL.steps) -> Cells:
        """``count`` rolls, uint8 ``(count, 106, steps)``, the same ones for the same seed."""
        rng = np.random.default_rng(seed)
        roll = np.arange(count)
        at = rng.integers(len(self._events), size=count)
        now = self._events[at, 3]
        columns = [np.empty((4, 0), dtype=np.int64)]
        while len(roll):
            pitch, _, length, _ = self._events[at].T
            columns.append(np.stack([roll, now, pitch, length]))
            at, gap = self._next(at, rng)
            now = now + gap
            going = now < steps
            roll, now, at = roll[going], now[going], at[going]
        roll, start, pitch, length = np.concatenate(columns, axis=1)
        return paint(NoteTable(roll, start, pitch, length, count, steps))

    def _next(self, at: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Events that follow, and the steps until each.

        Always comes to an end: within one step the pitch only rises, and a fresh beginning moves on, to the
        place in the beat where it belongs.
        """
        state = _state(self._events[at])
        first, choices = self._first[state], self._first[state + 1] - self._first[state]
        pick = first + np.floor(rng.random(len(at)) * choices).astype(np.int64)
        anywhere = rng.integers(len(self._events), size=len(at))
        following = np.where(choices > 0, self._sources[pick] + 1, anywhere)
        afresh = 1 + (self._events[anywhere, 3] - self._events[at, 3] - 1) % STEPS_PER_BEAT
        return following, np.where(choices > 0, self._events[following, 1], afresh)


def _events(notes: npt.NDArray[np.int32]) -> Ints:
    """Pitch, steps since the note before (0 for the first), length, place in the beat; notes on the roll."""
    notes = notes[(notes[:, 1] >= ROLL.lowest) & (notes[:, 1] <= ROLL.highest)]
    start, pitch, length = notes[:, :3].astype(np.int64).T
    gap = np.diff(start, prepend=start[:1])
    # a longer silence is shortened by whole beats
    gap = np.where(gap > LONGEST_GAP, LONGEST_GAP - (-gap) % STEPS_PER_BEAT, gap)
    return np.stack([pitch, gap, length, start % STEPS_PER_BEAT], axis=1)


def _state(events: Ints) -> Ints:
    pitch, gap, _, place = events.T
    return np.asarray((pitch * (LONGEST_GAP + 1) + gap) * STEPS_PER_BEAT + place)
