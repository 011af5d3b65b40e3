"""The parallel mode: which notes move, when, and that nothing else does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("keras")

from pianogan_bgm.notes import Note, level_to_velocity
from pianogan_bgm.roll import Cells, decode_cells, encode
from training.attributes import ATTRIBUTES, Wanted, attributes
from training.modes import AskedMode, exchanged
from training.studio_vae import rolls_to_cells

LOUD = level_to_velocity(20)
MEAN, DEVIATION = 0.05, 0.19
MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)


def piece(scale: tuple[int, ...], tonic: int = 0, seed: int = 1) -> list[Note]:
    """A melody over chords of a scale, mostly of the tonic."""
    chance = np.random.default_rng(seed)
    notes = []
    for beat in range(0, 72, 2):
        root = int(chance.choice([0, 0, 0, 0, 3, 4]))
        for degree in (root, root + 2, root + 4):
            pitch = 48 + tonic + scale[degree % 7] + 12 * (degree // 7)
            notes.append(Note(4 * beat, pitch, 8, LOUD))
        for step in (0, 3, 6):
            degree = int(chance.choice(7, p=[0.35, 0.05, 0.3, 0.05, 0.15, 0.05, 0.05]))
            notes.append(Note(4 * beat + step, 72 + tonic + scale[degree], 2, LOUD))
    return notes


def cells_of(notes: list[Note]) -> Cells:
    return np.asarray(rolls_to_cells(encode(notes)[None]))


def layer() -> AskedMode:
    return AskedMode(Wanted.plain(), MEAN, DEVIATION, dtype="float64")


def latents(*modes: float) -> npt.NDArray[np.float32]:
    """Latents that ask for modes, and for anything else."""
    numbers = np.random.default_rng(4).standard_normal((len(modes), 14))
    numbers[:, ATTRIBUTES.index("mode")] = modes
    return numbers.astype(np.float32)


def asked(notes: list[Note], mode: float) -> list[Note]:
    rolls = layer()(encode(notes)[None], latents(mode))
    return sorted(decode_cells(rolls_to_cells(rolls)[0]))


def mode_of(notes: list[Note]) -> float:
    return float(attributes(cells_of(notes), loudness=False)[0, ATTRIBUTES.index("mode")])


def score_of(notes: list[Note]) -> float:
    return (mode_of(notes) - MEAN) / DEVIATION


def of_parallel(notes: list[Note], tonic: int) -> list[Note]:
    goes = exchanged(tonic)
    step = (goes - np.arange(12) + 6) % 12 - 6
    return sorted(replace(note, pitch=note.pitch + int(step[note.pitch % 12])) for note in notes)


@pytest.mark.parametrize("tonic", range(12))
def test_a_piece_asked_for_in_the_other_mode_is_its_parallel_there(tonic: int) -> None:
    major, minor = piece(MAJOR, tonic), piece(MINOR, tonic)
    assert mode_of(major) > 0.1
    assert mode_of(minor) < -0.1
    assert asked(major, score_of(minor)) == sorted(minor) == of_parallel(major, tonic)
    assert asked(minor, score_of(major)) == sorted(major)


@pytest.mark.parametrize("scale", [MAJOR, MINOR])
def test_a_piece_in_the_mode_asked_for_stays_as_it_is(scale: tuple[int, ...]) -> None:
    notes = piece(scale)
    assert asked(notes, score_of(notes)) == sorted(notes)


def test_an_exchange_is_its_own_inverse_and_moves_three_degrees_by_a_semitone() -> None:
    for tonic in range(12):
        goes = exchanged(tonic)
        np.testing.assert_array_equal(goes[goes], np.arange(12))
        step = (goes - np.arange(12) + 6) % 12 - 6
        assert sorted(step.tolist()) == [-1] * 3 + [0] * 6 + [1] * 3
        assert {(pitch - tonic) % 12 for pitch in np.flatnonzero(step)} == {3, 4, 8, 9, 10, 11}


def test_what_would_clash_is_left_as_it_was() -> None:
    """A major third above the third of the key, held throughout, would become a tritone."""
    notes = piece(MAJOR)
    minor = score_of(piece(MINOR))
    assert asked(notes, minor) != sorted(notes)
    third = [Note(16 * bar, pitch, 16, LOUD) for bar in range(18) for pitch in (40, 44)]
    assert asked([*notes, *third], minor) == sorted([*notes, *third])


def test_a_note_without_a_neighbour_on_the_piano_stays() -> None:
    """The lowest A would have to go below the piano, the highest C above it."""
    for tonic, edge, beyond in ((0, 21, 20), (9, 108, 109)):
        assert exchanged(tonic)[edge % 12] == beyond % 12
        notes, at_the_edge = piece(MAJOR, tonic), Note(290, edge, 2, LOUD)
        made = asked([*notes, at_the_edge], score_of(piece(MINOR, tonic)))
        assert made == sorted([*of_parallel(notes, tonic), at_the_edge])


def test_silence_and_noise_have_a_mode_asked_of_them_without_harm() -> None:
    empty = np.zeros((2, 106, 300, 1), np.float32)
    np.testing.assert_array_equal(np.asarray(layer()(empty, latents(-3.0, 3.0))), empty)
    chance = np.random.default_rng(3)
    rolls = np.zeros((4, 106, 300, 1), np.float32)
    rolls[:, :88] = chance.choice([0.0, 144.5 / 256, 232.5 / 256], (4, 88, 300, 1), p=[0.95, 0.03, 0.02])
    rolls = rolls.astype(np.float32)
    made: npt.NDArray[np.float32] = np.asarray(layer()(rolls, latents(-3.0, 0.0, 0.0, 3.0)))
    assert (made[:, 88:] == 0.0).all()
    for before, after in zip(rolls, made, strict=True):
        np.testing.assert_array_equal(np.sort(before.ravel()), np.sort(after.ravel()))


def test_pieces_of_a_batch_do_not_hear_each_other() -> None:
    rolls = np.stack([encode(piece(scale, tonic)) for scale, tonic in ((MAJOR, 0), (MINOR, 3), (MAJOR, 7))])
    wanted = latents(-2.0, 2.0, 2.0)
    together = np.asarray(layer()(rolls, wanted))
    alone = [np.asarray(layer()(rolls[i : i + 1], wanted[i : i + 1]))[0] for i in range(3)]
    np.testing.assert_array_equal(together, np.stack(alone))


def test_what_latents_ask_for_is_what_the_composer_is_told() -> None:
    """A root of which another number asks for minor, about a centre that is major."""
    root, centre = np.zeros((14, 14), np.float32), np.zeros(14, np.float32)
    root[9, ATTRIBUTES.index("mode")], centre[ATTRIBUTES.index("mode")] = -1.0, 0.5
    major, minor = piece(MAJOR), piece(MINOR)
    mode = AskedMode(Wanted(root, centre), MEAN, DEVIATION, dtype="float64")
    asks = np.zeros((2, 14), np.float32)
    asks[:, 9] = [0.5 - score_of(minor), 0.5 - score_of(major)]
    rolls = mode(np.stack([encode(major)] * 2), asks)
    assert [sorted(decode_cells(cells)) for cells in rolls_to_cells(rolls)] == [sorted(minor), sorted(major)]
