import pytest
from arranging import alberti, piece_of, pieces, quick
from hypothesis import given
from hypothesis import strategies as st

from pianogan_bgm.arrange import transpose
from pianogan_bgm.endings import from_first_bar, with_ending
from pianogan_bgm.expression import ritardando
from pianogan_bgm.harmony import estimate_key
from pianogan_bgm.notes import Note
from pianogan_bgm.piece import Piece


def chords(piece, first):
    """Pitches struck at each step from ``first`` on."""
    found = {}
    for note in piece.notes:
        if note.start >= first:
            found.setdefault(note.start, []).append(note.pitch)
    return found


def test_silent_bars_before_the_first_note_are_left_out():
    late = piece_of(Note(36, 60, 4), Note(40, 64, 8), steps=64)
    begun = from_first_bar(late)
    assert [(note.start, note.pitch) for note in begun.notes] == [(4, 60), (8, 64)]
    assert begun.steps == 32
    assert from_first_bar(begun) is begun
    assert from_first_bar(Piece((), steps=32)).steps == 32


def test_a_piece_in_c_ends_on_subdominant_dominant_and_tonic():
    ended = with_ending(alberti(bars=4))
    assert ended.steps == 96
    subdominant, dominant, tonic = (chords(ended, 64)[step] for step in (64, 72, 80))
    assert sorted(chords(ended, 64)) == [64, 72, 80]
    assert {p % 12 for p in subdominant} == {2, 5, 9}
    assert {p % 12 for p in dominant} == {7, 11, 2, 5}
    assert {p % 12 for p in tonic} == {0, 4, 7}
    assert (subdominant[0] % 12, dominant[0] % 12, tonic[0] % 12, tonic[-1] % 12) == (5, 7, 0, 0)
    assert all(note.end == 96 for note in ended.notes if note.start == 80)


def test_minor_music_ends_in_minor():
    tune = [Note(4 * i, 57 + p, 4) for i, p in enumerate((0, 3, 7, 12, 8, 7, 3, 2, 0, 3, 7, 3, 2, 11, 0, 0))]
    final = chords(with_ending(piece_of(*tune)), 80)[80]
    assert {p % 12 for p in final} == {9, 0, 4}


@pytest.mark.parametrize("semitones", range(-5, 7))
def test_the_cadence_is_in_the_key_of_the_piece(semitones):
    ended = with_ending(transpose(alberti(), semitones))
    assert ended.notes[-1].pitch % 12 == semitones % 12
    assert estimate_key(ended.notes).tonic == semitones % 12


def test_the_melody_goes_on_near_where_it_was():
    ended = with_ending(alberti())
    before = max(note.pitch for note in ended.notes if 60 <= note.start < 64)
    tops = [max(pitches) for _, pitches in sorted(chords(ended, 64).items())]
    assert all(abs(b - a) <= 5 for a, b in zip([before, *tops], tops, strict=False))


def test_the_ending_is_about_as_loud_as_what_was_before_and_slows_down_into_its_last_chord():
    loud = with_ending(piece_of(*(Note(s, 60 + s % 12, 4, 101) for s in range(0, 64, 4))))
    assert {note.velocity for note in loud.notes} == {101}
    assert ritardando(loud).end == 80


def test_an_ended_piece_is_no_longer_that_of_a_seed():
    piece = piece_of(*alberti().notes, seed=7, latent=(0.0,) * 14, model="open", licence="free")
    ended = with_ending(piece)
    assert (ended.seed, ended.latent) == (None, None)
    assert (ended.model, ended.licence) == ("open", "free")


@quick
@given(piece=pieces, beats=st.integers(1, 7))
def test_any_piece_can_be_ended(piece, beats):
    ended = with_ending(Piece(piece.notes, steps=piece.steps, beats_per_bar=beats))
    bar = 4 * beats
    assert ended.steps % bar == 0
    last = max(note.start for note in ended.notes)
    assert last == ended.steps - bar
    assert ended.notes[0].start < bar or len(chords(ended, 0)) <= 3
    assert with_ending(Piece((), steps=8, beats_per_bar=beats)).notes
