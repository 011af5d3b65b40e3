"""Pieces for the tests of arranging and expression."""

from hypothesis import settings
from hypothesis import strategies as st

from pianogan_bgm.notes import Note, on_grid
from pianogan_bgm.piece import Piece


def piece_of(*notes, steps=None, **options):
    found = on_grid(notes)
    return Piece(found, steps=steps or max(note.end for note in found), **options)


def alberti(bars=4, roots=(48, 53, 55, 48), top=72):
    """A tune in quarters over broken chords with one bass note a bar: the texture of a thousand sonatinas."""
    notes = []
    for bar in range(bars):
        root, start = roots[bar % len(roots)], 16 * bar
        notes.append(Note(start, root - 12, 16))
        notes += [Note(start + 2 * i, root + (7, 12, 16)[i % 3], 2) for i in range(8)]
        notes += [Note(start + 4 * i, top + (7, 9, 12, 11)[i], 4) for i in range(4)]
    return piece_of(*notes, has_dynamics=False)


pieces = st.lists(
    st.builds(
        Note,
        start=st.integers(0, 120),
        pitch=st.integers(21, 126),
        length=st.integers(1, 24),
        velocity=st.integers(1, 127),
    ),
    min_size=1,
    max_size=40,
).map(lambda notes: piece_of(*notes, has_dynamics=False))
quick = settings(max_examples=60, deadline=None)
