"""The judge of the atlas: trees that tell real windows from composed pieces, by their features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

from small import noise, save_corpus, songs

from pianogan_bgm.atlas import load_atlas
from pianogan_bgm.generator import Generator
from pianogan_bgm.roll import ROLL
from training import judge
from training.corpus import Corpus
from training.entrants import cells_of
from training.features import features
from training.stuck import LONG, SILENT, longest_alike, longest_silence


def test_what_is_like_real_music_ranks_before_what_is_not() -> None:
    pieces = np.concatenate([songs(300, 6), noise(1, 6)])
    answers = judge.judged(pieces, features(songs(0, 60)), features(noise(2, 60)))
    assert answers.shape == (12,)
    assert answers[:6].min() > answers[6:].max()


def test_a_piece_that_falls_silent_comes_last_however_real_it_is() -> None:
    pieces = np.concatenate([songs(300, 6), noise(1, 6)])
    pieces[0, :, 100 : 100 + SILENT] = 0
    answers = judge.judged(pieces, features(songs(0, 60)), features(noise(2, 60)))
    assert answers.argmin() == 0


def test_those_put_last_keep_their_order() -> None:
    answers = np.array([0.5, 3.0, -1.0, 2.0])
    stuck = np.array([False, True, False, True])
    ranked = judge.put_last(answers, stuck)
    assert ranked[[0, 2]].tolist() == [0.5, -1.0]
    assert np.argsort(ranked)[::-1].tolist() == [0, 2, 1, 3]
    for all_alike in (np.zeros(4, bool), np.ones(4, bool)):
        np.testing.assert_array_equal(judge.put_last(answers, all_alike), answers)


def test_the_trees_learn_from_windows_that_sound_and_pieces_of_other_seeds(tmp_path: Path) -> None:
    corpus = Corpus.load(save_corpus(tmp_path))
    windows = judge.real_windows(corpus)
    assert windows.tolist() == [
        corpus.cells(p, s).tolist() for p, s in corpus.windows("train", sounding=True).tolist()
    ]
    asked = []

    def source(count: int, seed: int) -> Any:
        asked.extend(range(seed * count, (seed + 1) * count))
        return np.zeros((count, ROLL.pitches, ROLL.steps), np.uint8)

    assert len(judge.composed_by(source, 512, 300)) == 300
    assert asked == list(range(512, 1024))


def test_the_halves_are_those_of_the_answers() -> None:
    pieces = np.concatenate([noise(1, 24), songs(300, 24)])
    answers = np.repeat([-1.0, 1.0], 24)
    rows = judge.halves(pieces, answers, songs(0, 24))
    assert list(rows) == ["better half", "the rest", "all"]
    better, rest, whole = (row["overlapped area"] for row in rows.values())
    assert better > whole > rest


def test_the_command_writes_a_number_for_each_seed_and_prints_the_halves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(judge, "split_windows", lambda *_: songs(500, 24))
    monkeypatch.setattr(judge, "real_windows", lambda _: songs(0, 40))
    np.save(tmp_path / "rolls.npy", np.concatenate([songs(300, 128), noise(1, 128)]))
    arguments = [str(tmp_path / "rolls.npy"), str(save_corpus(tmp_path / "data")), "-n", "256"]
    assert judge.main([*arguments, "-o", str(tmp_path / "quality.npy")]) == 0
    quality = np.load(tmp_path / "quality.npy")
    assert quality.shape == (256,)
    assert np.isfinite(quality).all()
    out = capsys.readouterr().out
    assert "256 seeds" in out
    assert "better half" in out
    assert judge.main([*arguments, "-o", str(tmp_path)]) == 2
    assert capsys.readouterr().err.endswith("is not a regular file\n")


def test_the_best_seeds_of_the_shipped_atlas_go_on_sounding() -> None:
    generator = Generator("open")
    best = load_atlas("open").ranked()[:40]
    cells = cells_of(generator, np.stack([generator.latent(seed) for seed in best]))
    assert longest_silence(cells).max() < SILENT
    assert longest_alike(cells).max() <= LONG


def test_data_that_is_none_is_told_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "rolls.npy", songs(0, 4))
    arguments = [str(tmp_path / "rolls.npy"), str(tmp_path), "-o", str(tmp_path / "quality.npy")]
    assert judge.main(arguments) == 2
    assert "manifest.json" in capsys.readouterr().err
    assert not (tmp_path / "quality.npy").exists()
