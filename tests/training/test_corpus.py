"""The prepared corpus: windows as codec cells, and a sampler that resumes exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pianogan_bgm.notes import Note, on_grid, velocity_to_level
from pianogan_bgm.roll import HELD_BYTE, ROLL, STRUCK_BYTE, encode_cells
from training.build import Job, build
from training.corpus import (
    ARRAYS_FILE,
    LONGEST_REST,
    LONGEST_WEIGHT,
    MANIFEST_FILE,
    Corpus,
    DataError,
    longest_rests,
    raster,
)
from training.grid import GridPiece
from training.stuck import longest_silence

NOTES = st.builds(Note, st.integers(0, 250), st.integers(21, 126), st.integers(1, 50), st.integers(1, 127))


def made_piece(notes: list[tuple[int, int, int, int]], bar: int = 16) -> GridPiece:
    array = np.array(sorted(notes), dtype=np.int32)
    steps = int((array[:, 0] + array[:, 2]).max())
    downbeats = np.arange(0, steps, bar, dtype=np.int32)
    return GridPiece(array, downbeats, np.full(len(downbeats), bar / 4, np.float32), steps, 0.0, {})


def busy(steps: int, pitch: int = 60) -> list[tuple[int, int, int, int]]:
    return [(step, pitch + step % 5, 1, 1 + step % 100) for step in range(steps)]


def made_corpus(folder: Path, *pieces: GridPiece, splits: tuple[int, ...] = ()) -> Corpus:
    jobs = [
        Job(
            record={"file": f"{index}.mid", "licence": "CC0 1.0", "attribution": "me"},
            convert=lambda piece=piece: piece,  # type: ignore[misc]
            keys=frozenset({f"work {index}"}),
            split=splits[index] if splits else 0,
            fingerprint=str(index),
        )
        for index, piece in enumerate(pieces)
    ]
    build(jobs, folder, "made", [])
    return Corpus.load(folder)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    held = [(10, 90, 400, 99), *busy(700)]
    return made_corpus(tmp_path, made_piece(held), made_piece(busy(9000)), made_piece(busy(200)))


def test_a_window_shows_struck_held_and_silent_cells_in_the_codecs_bytes(corpus: Corpus) -> None:
    cells = corpus.cells(0, 0)
    assert (cells.shape, cells.dtype) == ((106, 300), np.uint8)
    row = cells[90 - ROLL.lowest]
    assert row[:10].tolist() == [0] * 10
    assert row[10] == STRUCK_BYTE + velocity_to_level(99)
    assert set(row[11:].tolist()) == {HELD_BYTE}


def test_a_window_cut_into_a_held_note_shows_it_held_from_column_0(corpus: Corpus) -> None:
    row = corpus.cells(0, 100)[90 - ROLL.lowest]
    assert row.tolist() == [HELD_BYTE] * 300


def test_past_the_end_of_a_piece_is_silence(corpus: Corpus) -> None:
    cells = corpus.cells(2, 150, steps=80)
    assert (cells[:, :50] > 0).any(axis=0).all()
    assert not cells[:, 50:].any()


def test_transposition_moves_rows_and_drops_what_leaves_them(tmp_path: Path) -> None:
    ends = [(0, 21, 2, 80), (0, 126, 2, 80)]
    corpus = made_corpus(tmp_path, made_piece([*busy(160), *ends]))
    plain, up, down = (corpus.cells(0, 0, transpose=by) for by in (0, 3, -3))
    assert np.array_equal(up[3:], plain[:-3])
    assert not up[:3].any()
    assert np.array_equal(down[:-3], plain[3:])
    assert not down[-3:].any()
    assert not corpus.cells(0, 0, transpose=200).any()


@settings(deadline=None, max_examples=30)
@given(st.lists(NOTES, min_size=1))
def test_cells_are_what_the_codec_encodes(notes: list[Note]) -> None:
    gridded = on_grid(notes)
    array = np.array([(n.start, n.pitch, n.length, n.velocity) for n in gridded], dtype=np.int32)
    assert np.array_equal(raster(array, ROLL.steps), encode_cells(notes))


def test_windows_for_evaluation_begin_on_downbeats_and_do_not_overlap(corpus: Corpus) -> None:
    windows = corpus.windows("train")
    for piece in (0, 1, 2):
        starts = windows[windows[:, 0] == piece, 1]
        assert set(starts.tolist()) <= set(corpus.downbeats(piece).tolist())
        assert (np.diff(starts) >= 300).all()
    # bars of 16 steps: the next downbeat after 300 steps is at 304
    assert windows[windows[:, 0] == 0].tolist() == [[0, 0], [0, 304]]
    assert windows[windows[:, 0] == 2].tolist() == [[2, 0]]


def test_without_a_hop_every_downbeat_with_room_begins_a_window(corpus: Corpus) -> None:
    windows = corpus.windows("train", hop=None)
    assert windows[windows[:, 0] == 0, 1].tolist() == list(range(0, 401, 16))


def test_nearly_silent_windows_are_left_out(tmp_path: Path) -> None:
    quiet_middle = [*busy(320), *((step + 1200, 60, 1, 80) for step in range(320))]
    corpus = made_corpus(tmp_path, made_piece(quiet_middle))
    starts = corpus.windows("train", hop=None)[:, 1]
    struck = np.array([(corpus.cells(0, start) >= STRUCK_BYTE).sum() for start in starts.tolist()])
    assert struck.min() >= 40
    assert not ((starts > 320) & (starts < 900)).any()


def test_pieces_of_a_split_and_unknown_splits(tmp_path: Path) -> None:
    three = [made_piece(busy(200)) for _ in range(3)]
    corpus = made_corpus(tmp_path, *three, splits=(0, 2, 1))
    assert [corpus.pieces(name).tolist() for name in ("train", "validation", "test")] == [[0], [2], [1]]
    with pytest.raises(DataError, match="'val'"):
        corpus.pieces("val")


def test_the_sampler_gives_batches_of_windows_that_stand_in_the_corpus(corpus: Corpus) -> None:
    batch = next(corpus.sampler("train", 5, seed=3, transpose=False))
    assert (batch.shape, batch.dtype) == ((5, 106, 300), np.uint8)
    every = {corpus.cells(p, s).tobytes() for p, s in corpus.windows("train", hop=None).tolist()}
    assert all(window.tobytes() in every for window in batch)


def test_the_same_seed_draws_the_same_and_another_seed_does_not(corpus: Corpus) -> None:
    one, same, other = (next(corpus.sampler("train", 8, seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_sampler_restored_through_json_goes_on_exactly(corpus: Corpus) -> None:
    sampler = corpus.sampler("train", 4, seed=9)
    next(sampler)
    saved = json.loads(json.dumps(sampler.state()))
    ahead = [next(sampler) for _ in range(3)]
    fresh = corpus.sampler("train", 4, seed=0)
    fresh.restore(saved)
    assert all(np.array_equal(next(fresh), batch) for batch in ahead)


@pytest.mark.parametrize(
    ("field", "value"), [("batch", 5), ("split", "test"), ("data", "else"), ("generator", {})]
)
def test_a_foreign_state_is_refused_and_changes_nothing(corpus: Corpus, field: str, value: Any) -> None:
    sampler = corpus.sampler("train", 4, seed=9)
    before = sampler.state()
    with pytest.raises(DataError):
        sampler.restore({**before, field: value})
    assert sampler.state() == before


def test_long_pieces_do_not_dominate(corpus: Corpus) -> None:
    # pieces of 700 and 9000 steps, of which the second is drawn as if it had 3000, and one of 200, which ends
    # too soon to be learnt from
    sampler = corpus.sampler("train", 600, seed=4, transpose=False)
    first = {corpus.cells(p, s).tobytes() for p, s in corpus.windows("train", None).tolist() if p == 0}
    second = np.array([window.tobytes() not in first for window in next(sampler)])
    assert second.mean() == pytest.approx(LONGEST_WEIGHT / (LONGEST_WEIGHT + 700), abs=0.06)


def test_transpositions_are_minus_5_to_plus_6(tmp_path: Path) -> None:
    corpus = made_corpus(tmp_path, made_piece([(step, 60, 1, 80) for step in range(300)]))
    batch = next(corpus.sampler("train", 300, seed=5))
    pitches = {int(np.flatnonzero(window.any(axis=1))[0]) + ROLL.lowest for window in batch}
    assert pitches == set(range(55, 67))


def test_training_draws_only_windows_that_sound_throughout(tmp_path: Path) -> None:
    # a long note over a bar line is a sound; 16 steps after it are none
    notes = [*busy(400), *((step + 416, *rest) for step, *rest in busy(500))]
    corpus = made_corpus(tmp_path, made_piece(notes))
    every = corpus.windows("train", hop=None)
    silent = longest_silence(np.stack([corpus.cells(p, s) for p, s in every.tolist()]))
    sounding = corpus.windows("train", hop=None, sounding=True)
    assert 0 < len(sounding) < len(every)
    assert sounding.tolist() == every[silent < LONGEST_REST].tolist()
    drawn = {window.tobytes() for window in next(corpus.sampler("train", 64, seed=1, transpose=False))}
    assert drawn <= {corpus.cells(p, s).tobytes() for p, s in sounding.tolist()}


@settings(deadline=None, max_examples=30)
@given(st.lists(NOTES), st.lists(st.integers(0, 400), min_size=1), st.integers(1, 320))
def test_rests_are_those_of_the_cells(notes: list[Note], starts: list[int], steps: int) -> None:
    array = np.array([(n.start, n.pitch, n.length, n.velocity) for n in on_grid(notes)], dtype=np.int32)
    array = array.reshape(-1, 4)
    whole = np.pad(raster(array, ROLL.steps), ((0, 0), (0, 420)))
    windows = np.stack([whole[:, start : start + steps] for start in starts])
    assert np.array_equal(longest_rests(array, np.array(starts), steps), longest_silence(windows))


def test_a_split_with_nothing_to_draw_is_refused(corpus: Corpus) -> None:
    with pytest.raises(DataError, match="test"):
        corpus.sampler("test", 4, seed=0)


def test_damaged_arrays_and_other_versions_are_refused(corpus: Corpus, tmp_path: Path) -> None:
    arrays = tmp_path / ARRAYS_FILE
    whole = arrays.read_bytes()
    arrays.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DataError, match="damaged"):
        Corpus.load(tmp_path)
    manifest = tmp_path / MANIFEST_FILE
    manifest.write_text(json.dumps({**corpus.manifest, "format": 99}))
    with pytest.raises(DataError, match="99"):
        Corpus.load(tmp_path)
    manifest.write_text("{}")
    with pytest.raises(DataError, match="manifest"):
        Corpus.load(tmp_path)


def test_a_negative_start_is_refused(corpus: Corpus) -> None:
    with pytest.raises(DataError, match="-1"):
        corpus.cells(0, -1)
