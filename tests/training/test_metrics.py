import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pianogan_bgm.errors import InvalidRoll
from pianogan_bgm.notes import Note
from pianogan_bgm.roll import ROLL, RollSpec, decode_cells, encode_cells
from training.baselines import MarkovChain, paint, random_notes
from training.copying import NGRAM, CopyIndex, NearestWindow
from training.features import FEATURES, features, note_table
from training.metrics import (
    classifier_auc,
    density_coverage,
    overlapped_area,
    overlapped_areas,
    validation_score,
)

pytest.importorskip("scipy", reason="needs the train extra")


def cells_of(*notes, steps=64):
    return encode_cells([Note(*note) for note in notes], RollSpec(steps=steps))[None]


def feature(name, *notes, steps=64):
    return features(cells_of(*notes, steps=steps))[0, list(FEATURES).index(name)]


def tunes(count, seed, low=55, steps=300):
    """Rolls of a wandering melody over held basses: alike in kind, no two the same."""
    rng = np.random.default_rng(seed)
    rolls = []
    for _ in range(count):
        line = np.clip(low + 12 + np.cumsum(rng.integers(-3, 4, steps // 2)), low, low + 24)
        melody = [Note(2 * i, int(pitch), int(rng.integers(1, 3))) for i, pitch in enumerate(line)]
        bass = [Note(i, low - int(rng.integers(6, 18)), 8) for i in range(0, steps - 8, 8)]
        rolls.append(encode_cells(melody + bass, RollSpec(steps=steps)))
    return np.stack(rolls)


def pieces_of(cells):
    table = note_table(cells)
    rows = np.stack([table.start, table.pitch, table.length, np.full_like(table.start, 81)], axis=1)
    return [rows[table.roll == roll].astype(np.int32) for roll in range(table.rolls)]


# Reading rolls


@given(
    st.lists(
        st.builds(
            lambda start, pitch, length: Note(start, pitch, min(length, ROLL.steps - start)),
            st.integers(0, 299),
            st.integers(21, 126),
            st.integers(1, 20),
        ),
        max_size=40,
    ),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_the_note_table_holds_the_notes_that_the_codec_decodes(notes, cut):
    cells = encode_cells(notes)
    if cut:  # a window whose first column is held over from before
        cells[:, 0] = np.where(cells[:, 1] >= 128, 160, 0)
    table = note_table(np.stack([cells, np.zeros_like(cells), cells]))
    expected = [(note.start, note.pitch, note.length) for note in decode_cells(cells)]
    for roll, wanted in enumerate([expected, [], expected]):
        mine = table.roll == roll
        columns = (table.start[mine].tolist(), table.pitch[mine].tolist(), table.length[mine].tolist())
        assert list(zip(*columns, strict=True)) == wanted


@pytest.mark.parametrize(
    "cells",
    [np.zeros((106, 300), np.uint8), np.zeros((1, 88, 300), np.uint8), np.zeros((1, 106, 300), np.float32)],
)
def test_cells_of_another_shape_or_type_are_refused(cells):
    with pytest.raises(InvalidRoll, match="uint8"):
        features(cells)


# Features, each on a roll whose answer is plain

SCALE = [(4 * i, pitch, 4) for i, pitch in enumerate([60, 62, 64, 65, 67, 69, 71, 72])]
KNOWN = [
    ("notes", SCALE, 8),
    ("notes per bar, sd", [(0, 60, 1), (1, 60, 1), (16, 60, 1), (17, 60, 1)], 1),
    ("pitches used", [*SCALE, (40, 60, 4)], 8),
    ("pitch classes used", SCALE, 7),
    ("pitch-class entropy", [(0, 60, 1), (4, 62, 1), (8, 64, 1), (12, 77, 1)], 2),
    ("pitch-class entropy", [(0, 60, 1), (4, 72, 1)], 0),
    ("scale consistency", SCALE, 1),
    ("scale consistency", [*SCALE[:3], (40, 61, 1)], 0.75),
    ("pitch range", SCALE, 12),
    ("mean pitch", [(0, 60, 1), (4, 70, 9)], 65),
    ("low share", [(0, 47, 1), (0, 48, 1), (0, 72, 1), (0, 71, 1)], 0.25),
    ("high share", [(0, 47, 1), (0, 48, 1), (0, 72, 1), (0, 71, 1)], 0.25),
    ("polyphony", [(0, 60, 4), (0, 64, 2)], 1.5),
    ("polyphony rate", [(0, 60, 64), (0, 64, 16)], 0.25),
    ("empty-beat rate", [(0, 60, 48)], 0.25),
    ("dissonance", [(0, 60, 4), (0, 66, 4)], 1),
    ("dissonance", [(0, 60, 4), (0, 64, 4), (0, 67, 4), (0, 70, 4)], 2 / 6),
    ("duration, mean", [(0, 60, 2), (4, 60, 6)], 4),
    ("duration, sd", [(0, 60, 2), (4, 60, 6)], 2),
    ("one-step share", [(0, 60, 1), (4, 60, 2), (8, 60, 3), (12, 60, 1)], 0.5),
    ("onset gap, mean", [(0, 60, 1), (0, 64, 1), (2, 60, 1), (8, 60, 1)], 4),
    ("onset gap, sd", [(0, 60, 1), (0, 64, 1), (2, 60, 1), (8, 60, 1)], 2),
    ("groove consistency", [(bar + i, 60 + bar % 5, 1) for bar in range(0, 64, 16) for i in (0, 3, 8)], 1),
    ("groove consistency", [(0, 60, 1), (16, 60, 1), (24, 60, 1)], 1 - (1 + 2) / 48),
    ("bar recurrence", [(bar + i, 60 + i, 1) for bar in range(0, 64, 16) for i in (0, 3, 8)], 1),
    ("bar recurrence", [(0, 60, 1), (4, 62, 1), (16, 60, 1), (20, 63, 1)], 1 / 3),
    ("on-beat share", [(0, 60, 1), (2, 60, 1), (3, 60, 1), (5, 60, 1)], 0.25),
    ("off-beat share", [(0, 60, 1), (2, 60, 1), (3, 60, 1), (5, 60, 1)], 0.25),
    ("sixteenth share", [(0, 60, 1), (2, 60, 1), (3, 60, 1), (5, 60, 1)], 0.5),
    ("top-line leap", [(0, 60, 1), (0, 72, 1), (4, 50, 1), (4, 76, 1), (8, 71, 1)], (4 + 5) / 2),
    ("bass leap", [(0, 60, 1), (0, 72, 1), (4, 50, 1), (4, 76, 1), (8, 71, 1)], (10 + 21) / 2),
]


@pytest.mark.parametrize(("name", "notes", "answer"), KNOWN)
def test_a_feature_of_a_small_roll_is_what_one_counts_by_hand(name, notes, answer):
    assert feature(name, *notes) == pytest.approx(answer, abs=1e-6)


def test_every_feature_has_a_known_answer_here():
    assert set(FEATURES) - {name for name, _, _ in KNOWN} == {"structure"}
    assert len(FEATURES) == 27


def test_structure_is_high_where_a_long_passage_returns_and_low_where_nothing_changes():
    rng = np.random.default_rng(0)
    passage = [(4 * beat, int(pitch), 4) for beat, pitch in enumerate(rng.integers(48, 84, 16))]
    returning = [(start + 64 * lap, pitch, length) for lap in range(4) for start, pitch, length in passage]
    wandering = [(4 * beat, int(pitch), 4) for beat, pitch in enumerate(rng.integers(48, 84, 64))]
    still = [(4 * beat, 60, 4) for beat in range(64)]
    values = [feature("structure", *notes, steps=256) for notes in (returning, wandering, still)]
    assert values[0] > 0.6
    assert 0.05 < values[1] < 0.4
    assert values[2] == pytest.approx(0)


def test_empty_rolls_and_single_notes_have_finite_features():
    cells = np.concatenate([np.zeros((1, 106, 64), np.uint8), cells_of((63, 60, 1))])
    table = features(cells)
    assert np.isfinite(table).all()
    assert table[0, list(FEATURES).index("empty-beat rate")] == 1


def test_features_do_not_depend_on_the_company_a_roll_is_in():
    cells = tunes(70, 0, steps=64)
    np.testing.assert_allclose(features(cells)[[3, 68]], features(cells[[3, 68]]))


def test_no_rolls_make_an_empty_table():
    assert features(np.zeros((0, 106, 300), np.uint8)).shape == (0, 27)


# Measures


def test_overlapped_area_is_one_for_the_same_values_and_nought_for_values_apart():
    values = np.random.default_rng(0).normal(size=400)
    assert overlapped_area(values, values[::-1]) == pytest.approx(1)
    assert overlapped_area(values, values + 100) == 0


def test_overlapped_area_of_whole_numbers_is_the_shared_part_of_their_histograms():
    assert overlapped_area(np.array([1.0, 1, 2, 2]), np.array([2.0, 2, 2, 3])) == pytest.approx(0.5)
    assert overlapped_area(np.full(5, 7.0), np.full(9, 7.0)) == pytest.approx(1)


def test_overlapped_area_of_two_normals_is_near_the_true_one():
    rng = np.random.default_rng(0)
    apart = overlapped_area(rng.normal(size=20_000), rng.normal(1.0, size=20_000))
    assert apart == pytest.approx(0.617, abs=0.03)  # 2 Phi(-1/2)


def test_an_outlier_does_not_widen_the_bins():
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=1000), rng.normal(3.0, size=1000)
    with_outlier = np.append(left, 1e9)
    assert overlapped_area(with_outlier, right) == pytest.approx(overlapped_area(left, right), abs=0.02)


def test_one_distribution_drawn_twice_scores_as_the_same():
    first, second = features(tunes(150, 0)), features(tunes(150, 1))
    density, coverage = density_coverage(first, second)
    assert np.mean(list(overlapped_areas(first, second).values())) > 0.85
    assert coverage > 0.9
    assert density == pytest.approx(1, abs=0.2)
    assert classifier_auc(first, second, trees=50) == pytest.approx(0.5, abs=0.1)


def test_sets_apart_score_nought_and_are_always_told_apart():
    low, high = features(tunes(60, 0, low=45)), features(tunes(60, 1, low=85))
    assert density_coverage(low, high) == (0, 0)
    assert overlapped_areas(low, high)["mean pitch"] == 0
    assert classifier_auc(low, high, trees=20) == 1


def test_generating_one_good_roll_only_is_seen_by_coverage_not_by_density():
    real = np.random.default_rng(0).normal(size=(200, 2))
    typical = real[np.argsort((real**2).sum(axis=1))[:1]]
    density, coverage = density_coverage(real, np.repeat(typical, 200, axis=0))
    assert density > 0.5
    assert coverage < 0.1


def test_the_classifier_gives_the_same_figure_for_the_same_seed():
    one, other = features(tunes(30, 0)), features(tunes(50, 1))
    assert classifier_auc(one, other, seed=3, trees=20) == classifier_auc(one, other, seed=3, trees=20)


def test_the_validation_score_is_high_for_music_of_the_same_kind_and_low_for_random_notes():
    real, alike = tunes(60, 0), tunes(60, 1)
    good, bad = (validation_score(cells, real) for cells in (alike, random_notes(real, 60, seed=0)))
    assert good["overlapped_area"] > 0.75
    assert good["coverage"] > 0.8
    assert bad["overlapped_area"] < 0.6
    assert bad["coverage"] < 0.3
    assert good["notes_ratio"] == pytest.approx(1, abs=0.05)
    assert set(good) == {"overlapped_area", "density", "coverage", "notes_ratio"}


# Copying


@pytest.mark.parametrize("transpose", [0, -5, 6])
def test_a_verbatim_copy_is_caught_in_any_key_and_at_any_place(transpose):
    source = tunes(3, 0, steps=96)
    index = CopyIndex(pieces_of(source))
    copy = np.roll(source[1:2, :, 16:], transpose, axis=1)
    copied = index.copied(copy)
    assert copied.share > 0.85  # but for the notes that were cut at the window's edge
    assert copied.longest[0] > 0.8 * len(note_table(copy).roll)


def test_other_music_is_no_copy():
    copied = CopyIndex(pieces_of(tunes(3, 0))).copied(tunes(4, 1))
    assert copied.share < 0.05
    assert np.median(copied.longest) == 0


def test_the_longest_copy_is_counted_in_notes_and_one_note_less_than_an_n_gram_is_none():
    tune = [(2 * i, int(pitch), 1) for i, pitch in enumerate(np.random.default_rng(0).integers(50, 80, 30))]
    index = CopyIndex(pieces_of(cells_of(*tune)))
    excerpts = [cells_of(*tune[5 : 5 + size]) for size in (NGRAM - 1, NGRAM, 20)]
    copied = index.copied(np.concatenate(excerpts))
    assert copied.longest.tolist() == [0, NGRAM, 20]
    assert copied.share == 1


def test_an_n_gram_does_not_run_on_from_one_roll_into_the_next():
    tune = [(2 * i, 50 + (i * i) % 23, 1) for i in range(NGRAM)]
    index = CopyIndex(pieces_of(cells_of(*tune)))
    halves = np.concatenate([cells_of(*tune[:6]), cells_of(*tune[6:])])
    assert index.copied(halves).longest.tolist() == [0, 0]


def test_nothing_is_copied_from_an_empty_training_set_nor_by_an_empty_roll():
    assert CopyIndex([]).copied(tunes(2, 0)).share == 0
    index = CopyIndex(pieces_of(tunes(1, 0)))
    assert index.copied(np.zeros((2, 106, 300), np.uint8)).longest.tolist() == [0, 0]


@pytest.mark.parametrize("transpose", [-5, 0, 6])
def test_the_nearest_window_to_a_copy_is_its_source_in_any_key(transpose):
    windows = tunes(5, 0)
    nearest = NearestWindow(windows)
    copies = np.roll(windows[1:3], transpose, axis=1)
    np.testing.assert_allclose(nearest.likeness(copies), 1, atol=1e-5)
    assert np.median(nearest.likeness(tunes(5, 1))) < 0.5


def test_the_nearest_window_to_half_of_a_roll_has_a_cosine_of_the_square_root_of_a_half():
    whole = cells_of(*[(4 * i, 60 + i, 2) for i in range(8)])
    half = cells_of(*[(4 * i, 60 + i, 1) for i in range(4)])
    assert NearestWindow(whole).likeness(half)[0] == pytest.approx(0.5**0.5)
    assert NearestWindow(whole).likeness(np.zeros_like(half)).tolist() == [0]
    assert NearestWindow(whole).likeness(half[:0]).tolist() == []


# Baselines


def test_random_notes_have_the_statistics_but_not_the_music():
    real = tunes(80, 0)
    noise = random_notes(real, 120, seed=1)
    assert noise.shape == (120, 106, 300)
    mine, theirs = note_table(noise), note_table(real)
    assert set(mine.pitch) <= set(theirs.pitch)
    assert len(mine.roll) / 120 == pytest.approx(len(theirs.roll) / 80, rel=0.1)
    np.testing.assert_array_equal(noise, random_notes(real, 120, seed=1))
    assert (noise != random_notes(real, 120, seed=2)).any()


def test_painted_notes_are_read_back():
    cells = tunes(4, 0, steps=64)
    np.testing.assert_array_equal(paint(note_table(cells)) >= 128, cells >= 128)
    np.testing.assert_array_equal(note_table(paint(note_table(cells))).length, note_table(cells).length)


def test_a_markov_chain_of_a_tune_without_choice_plays_the_tune():
    tune = [(4 * i, pitch, 2) for i, pitch in enumerate([60, 64, 67, 72] * 20)]
    composed = MarkovChain(pieces_of(cells_of(*tune, steps=320))).compose(3, seed=0)
    index = CopyIndex(pieces_of(cells_of(*tune, steps=320)))
    assert composed.shape == (3, 106, 300)
    assert index.copied(composed).share > 0.5


def test_a_markov_chain_takes_every_step_from_its_pieces():
    chain = MarkovChain(pieces_of(tunes(5, 0)))
    composed = chain.compose(4, seed=7)
    known = {tuple(row) for row in transitions(tunes(5, 0))}
    found = [tuple(row) for row in transitions(composed)]
    assert np.mean([row in known for row in found]) > 0.95  # but for fresh beginnings and cut strikes
    np.testing.assert_array_equal(composed, chain.compose(4, seed=7))


def transitions(cells):
    """Pitch, next pitch and steps between, of neighbouring notes in one roll."""
    table = note_table(cells)
    same = table.roll[1:] == table.roll[:-1]
    return np.stack([table.pitch[:-1], table.pitch[1:], np.diff(table.start)], axis=1)[same].tolist()


def test_a_markov_chain_of_a_single_chord_comes_to_an_end():
    composed = MarkovChain(pieces_of(cells_of((0, 60, 4), (0, 64, 4), (0, 67, 4)))).compose(2, seed=0)
    assert (composed >= 128).any(axis=(1, 2)).all()


def test_a_markov_chain_without_notes_is_refused():
    with pytest.raises(ValueError, match="at least one note"):
        MarkovChain([np.zeros((0, 4), np.int32)])
