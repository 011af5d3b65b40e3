from arranging import alberti, pieces, quick
from hypothesis import given

from pianogan_bgm.notes import Note
from pianogan_bgm.voices import split_voices


def test_melody_bass_and_inner_voices_of_a_sonatina_are_told_apart():
    piece = alberti()
    voices = split_voices(piece.notes)
    for note, voice in zip(piece.notes, voices, strict=True):
        expected = "melody" if note.pitch >= 79 else "bass" if note.pitch <= 43 else "inner"
        assert voice == expected, note


def test_the_accompaniment_does_not_become_melody_while_the_tune_rests():
    piece = alberti()
    tacet = tuple(n for n in piece.notes if not (n.pitch >= 79 and 20 <= n.start < 28))
    voices = split_voices(tacet)
    assert all(v != "melody" for n, v in zip(tacet, voices, strict=True) if n.pitch < 79)


def test_a_single_line_is_melody():
    notes = [Note(i, 60 + p, 1) for i, p in enumerate((0, 2, 4, 5, 7, 5, 4, 2))]
    assert set(split_voices(notes)) == {"melody"}
    assert split_voices([]) == ()


@quick
@given(piece=pieces)
def test_every_note_gets_one_voice(piece):
    voices = split_voices(piece.notes)
    assert len(voices) == len(piece.notes)
    assert set(voices) <= {"melody", "bass", "inner"}
