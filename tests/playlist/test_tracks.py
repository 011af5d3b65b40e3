from __future__ import annotations

from dataclasses import replace

import pytest
from music_fakes import make_piece

from pianogan_bgm.errors import PlaylistError
from pianogan_bgm.harmony import Key, estimate_key
from pianogan_bgm.midi import parse_midi, piece_to_midi
from pianogan_bgm.notes import Note
from pianogan_bgm.piece import Piece
from pianogan_bgm.playlist.tracks import make_music, pieces_for, shift_to
from pianogan_bgm.tune import prepare


@pytest.mark.parametrize(
    ("key", "wish", "shift"),
    [
        (Key(0, "major"), "C", 0),
        (Key(0, "major"), "Eb", 3),
        (Key(0, "major"), "F#", -6),
        (Key(0, "major"), "B", -1),
        (Key(0, "major"), "Cb", -1),
        (Key(9, "minor"), "C", 3),
        (Key(9, "minor"), "C major", 0),
        (Key(0, "major"), "A minor", 0),
        (Key(2, "minor"), "Eb major", -2),
        (Key(2, "major"), "D major", 0),
    ],
)
def test_a_wished_key_is_reached_by_the_nearest_way(key: Key, wish: str, shift: int) -> None:
    assert shift_to(key, wish) == shift


@pytest.mark.parametrize("wish", ["", "H", "c", "C dorian", "C#b", "Eb  major", "Eb major "])
def test_what_is_no_key_is_refused(wish: str) -> None:
    with pytest.raises(PlaylistError, match="expected a key such as Eb"):
        shift_to(Key(0, "major"), wish)


def test_a_track_is_in_the_key_and_tempo_asked_for() -> None:
    music = make_music([make_piece(1)], tempo=90.0, key="E")
    assert (music.key.tonic, music.piece.tempo) == (4, 90.0)
    assert estimate_key(music.piece.notes) == music.key
    assert len(music.piece.notes) == len(make_piece(1).notes)


def test_music_survives_its_midi_file() -> None:
    for pieces in ([make_piece(3)], [make_piece(3), make_piece(4, steps=70)]):
        music = make_music(pieces, key="Ab")
        read = parse_midi(piece_to_midi(music.piece)).piece()
        again = prepare(read)
        assert (again.by_step, again.loop, again.key) == (music.tune.by_step, music.tune.loop, music.tune.key)


def test_a_medley_joins_pieces_at_their_last_bar_lines_in_related_keys() -> None:
    first, second = make_piece(1, steps=70), make_piece(2, steps=40)
    far = replace(second, notes=tuple(replace(note, pitch=note.pitch + 6) for note in second.notes))
    music = make_music([first, far])
    assert music.piece.steps == 64 + 40
    assert music.transposed[0] == 0
    assert -3 <= music.transposed[1] <= 3
    assert {(n.start, n.pitch) for n in music.piece.notes if n.start < 64} == {
        (n.start, n.pitch) for n in first.notes if n.start < 64
    }
    later = {(n.start - 64, n.pitch - music.transposed[1]) for n in music.piece.notes if n.start >= 64}
    assert later == {(n.start, n.pitch) for n in far.notes}
    assert music.piece.seed is None


def test_a_medley_is_at_least_as_long_as_asked_for() -> None:
    piece = Piece((Note(0, 60, 4),), steps=300, tempo=120.0)
    for minutes in (0.1, 1.0, 1.2, 5.0):
        count = pieces_for(minutes, piece)
        assert make_music([piece] * count).piece.seconds >= minutes * 60
        assert count == 1 or (count - 1) * 36 < minutes * 60
    assert pieces_for(1.0, piece, 240.0) == 4


def test_no_piece_is_no_track() -> None:
    with pytest.raises(PlaylistError, match="at least one piece"):
        make_music([])
