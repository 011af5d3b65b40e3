from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from songs import save_corpus

from pianogan_bgm.errors import InvalidRoll
from pianogan_bgm.notes import Note
from pianogan_bgm.roll import HELD_BYTE, RollSpec, encode_cells
from training.roll_classifier import main, planes, roll_auc, shifted_bars, shuffled_bars

pytest.importorskip("tensorflow", reason="needs the train extra")

STEPS = 72


def rolls(count: int, seed: int, step: int = 2) -> np.ndarray:
    """Melodies in C major with a note every ``step`` columns."""
    rng = np.random.default_rng(seed)
    scale = [pitch for pitch in range(48, 84) if pitch % 12 in (0, 2, 4, 5, 7, 9, 11)]
    pieces = [[Note(at, int(rng.choice(scale)), step) for at in range(0, STEPS, step)] for _ in range(count)]
    return np.stack([encode_cells(piece, RollSpec(steps=STEPS)) for piece in pieces])


def test_planes_say_where_notes_start_and_sound_in_each_of_two_columns() -> None:
    notes = [Note(1, 21, 3), Note(4, 108, 1), Note(6, 109, 1)]
    seen = planes(encode_cells(notes, RollSpec(steps=9))[None])
    assert seen.shape == (1, 4, 88, 4)
    starts = [(pair, key, plane) for _, pair, key, plane in np.argwhere(seen).tolist() if plane < 2]
    assert starts == [(0, 0, 1), (2, 87, 0)]
    sounds = [(pair, key, plane - 2) for _, pair, key, plane in np.argwhere(seen).tolist() if plane > 1]
    assert sounds == [(0, 0, 1), (1, 0, 0), (1, 0, 1), (2, 87, 0)]


def test_planes_do_not_tell_how_a_format_writes_a_start() -> None:
    struck = rolls(3, seed=1)
    struck[:, :, 1::2] = 0  # silence before every start, where a held cell starts a note as well
    held = np.where(struck > 0, np.uint8(HELD_BYTE), np.uint8(0))
    assert planes(struck).any()
    assert np.array_equal(planes(struck), planes(held))


def test_other_arrays_are_refused() -> None:
    with pytest.raises(InvalidRoll, match="uint8"):
        planes(np.zeros((2, 106, STEPS), np.float32))


def test_rolls_of_another_kind_are_told_apart_and_of_the_same_kind_are_not() -> None:
    real = rolls(60, seed=1)
    assert roll_auc(real, rolls(60, seed=2, step=3), epochs=12) > 0.9
    assert 0.3 < roll_auc(real, rolls(60, seed=3), epochs=12) < 0.7


def test_the_same_seed_gives_the_same_figure_and_sizes_may_differ() -> None:
    real, other = rolls(30, seed=1), rolls(50, seed=2, step=3)
    first = roll_auc(real, other, seed=4, epochs=1)
    assert roll_auc(real, other, seed=5, epochs=1) != first
    assert roll_auc(real, other, seed=4, epochs=1) == first


def test_nothing_is_learnt_from_one_comparison_for_the_next() -> None:
    real, other = rolls(30, seed=1), rolls(30, seed=2)
    before = roll_auc(real, other, seed=1, epochs=2)
    roll_auc(real, rolls(30, seed=3, step=8), seed=2, epochs=4)
    assert roll_auc(real, other, seed=1, epochs=2) == before


def test_shuffled_bars_are_the_same_bars() -> None:
    cells = rolls(4, seed=1)
    shuffled = shuffled_bars(cells, np.random.default_rng(1))
    whole = STEPS // 16 * 16
    for one, two in zip(cells, shuffled, strict=True):
        bars = [roll[:, :whole].reshape(106, -1, 16).transpose(1, 0, 2) for roll in (one, two)]
        assert sorted(bar.tobytes() for bar in bars[0]) == sorted(bar.tobytes() for bar in bars[1])
    assert np.array_equal(shuffled[:, :, whole:], cells[:, :, whole:])
    assert not np.array_equal(shuffled, cells)


def test_shifted_bars_keep_the_rhythm() -> None:
    cells = rolls(20, seed=1)
    shifted = shifted_bars(cells, np.random.default_rng(1))
    assert np.array_equal(shifted.sum(axis=1), cells.sum(axis=1))
    bars = STEPS // 16 + 1
    changed = [
        np.any(shifted[:, :, 16 * bar : 16 * bar + 16] != cells[:, :, 16 * bar : 16 * bar + 16], axis=(1, 2))
        for bar in range(bars)
    ]
    assert 0.05 < np.mean(changed) < 0.3


def test_the_command_measures_known_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = save_corpus(tmp_path / "corpus", [0] * 10 + [2] * 6)
    assert main([str(data), "--windows", "12", "--seeds", "1", "--epochs", "1"]) == 0
    assert [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "none",
        "bars shuffled",
        "bars shifted",
    ]
    assert main([str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in capsys.readouterr().err
