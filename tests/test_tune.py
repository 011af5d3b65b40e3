from random import Random

import pytest

from pianogan_bgm import tune
from pianogan_bgm.notes import Note, untangle
from pianogan_bgm.piece import Piece
from pianogan_bgm.tune import prepare


def test_the_loop_of_hours_of_music_is_found_as_quickly_as_that_of_minutes(monkeypatch):
    tried = 0

    def count():
        nonlocal tried
        tried += 1
        assert tried < 1000

    monkeypatch.setattr(tune, "breathe", count)
    bars = 7200
    notes = tuple(Note(4 * bar, 60 + bar % 7, 1, 80) for bar in range(bars))
    assert prepare(Piece(notes, steps=4 * bars, beats_per_bar=1)).loop == (0, 4 * bars)


def test_no_loop_that_is_not_looked_at_would_be_better(monkeypatch):
    chance, pieces = Random(1), []
    for _ in range(40):
        figure = [(chance.randrange(16), chance.randrange(40, 80), chance.randrange(1, 32)) for _ in range(4)]
        steps = 16 * chance.randrange(8, 60) + chance.choice([0, 3])
        places = [
            (bar + at, pitch, length) for bar in range(0, steps - 16, 16) for at, pitch, length in figure
        ]
        notes = [
            Note(at, pitch, min(length, steps - at)) for at, pitch, length in places if chance.random() < 0.9
        ]
        pieces.append(Piece(untangle(notes), steps=steps))
    found = [prepare(piece).loop for piece in pieces]
    monkeypatch.setattr(tune, "_MOST_LEFT_OUT", 1000)
    assert found == [prepare(piece).loop for piece in pieces]
    assert len({last - piece.steps // 16 * 16 for (_, last), piece in zip(found, pieces, strict=True)}) > 1


@pytest.mark.parametrize(
    ("steps", "beats", "loop", "length"),
    [
        (61, 4, (0, 64), 64),  # ends with its last note, short of the bar line
        (63, 4, (0, 64), 64),
        (64, 4, (0, 64), 64),
        (65, 4, (0, 64), 65),
        (60, 4, (0, 48), 60),  # a beat is lacking: it breaks off, as the model's pieces do
        (300, 4, (0, 288), 300),
        (46, 3, (0, 48), 48),
        (3, 4, (0, 3), 3),
    ],
)
def test_a_last_bar_that_lacks_less_than_a_beat_belongs_to_the_loop(steps, beats, loop, length):
    notes = tuple(Note(step, 60 + step % 16, 1, 80) for step in range(0, steps, 2))
    found = prepare(Piece(notes, steps=steps, beats_per_bar=beats))
    assert (found.loop, found.join, found.steps) == (loop, loop[1], length)
