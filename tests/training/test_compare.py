"""Comparing runs: by pieces of the same latents, as exporting would make them, on the validation split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")

from bench import Bench  # after the check that it is there
from small import noise, songs

from training import compare, studio_export
from training.features import features
from training.stuck import SILENT

WINDOWS = 24


def windows(corpus: Any, split: str, count: int | None, seed: int) -> Any:
    """As :func:`training.evaluate.split_windows`, of more music than the small corpus has."""
    first = 0 if split == "validation" else 500
    return songs(first, count or WINDOWS)


def test_a_run_is_compared_in_every_way_that_is_asked_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "split_windows", windows)
    monkeypatch.setattr(studio_export, "CALIBRATION_LATENTS", 32)
    arguments = [str(bench.whole), str(bench.data), "--sets", "2", "--share", "0", "1", "--blur", "0.5"]
    assert compare.main(arguments) == 0
    header, ceiling, *rows = capsys.readouterr().out.splitlines()
    assert "overlapped area" in header
    assert ceiling.startswith("training windows")
    assert [row.split("  ")[0] for row in rows] == [
        f"{bench.whole.name}, share {share}, blur 0.5" for share in (0, 1)
    ]
    assert rows[0].split()[-9:] != rows[1].split()[-9:]


def test_runs_whose_folders_are_called_alike_have_a_row_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "split_windows", lambda *_: np.zeros((4, 106, 300), np.uint8))
    monkeypatch.setattr(compare, "measured", lambda *_: {"AUC": 0.5})
    monkeypatch.setattr(compare, "composed", lambda *_: iter(()))
    monkeypatch.setattr(studio_export, "load_generator", lambda *_, **__: None)
    runs = [tmp_path / name for name in ("a/open", "b/open", "b/maestro")]
    rows: Any = compare.compare(runs, None)  # type: ignore[arg-type]
    assert list(rows) == ["training windows", str(runs[0]), str(runs[1]), "maestro"]


def test_music_like_the_real_measures_better_than_noise() -> None:
    real = features(songs(0, WINDOWS))
    holed = noise(0, WINDOWS)
    holed[:, :, 100 : 100 + SILENT] = 0
    like, unlike = (compare.measured(real, [cells], trees=20) for cells in (songs(100, WINDOWS), holed))
    assert like["overlapped area"] > unlike["overlapped area"] + 0.2
    assert like["AUC"] < unlike["AUC"]
    assert like["coverage"] > unlike["coverage"]
    assert like["notes"] == pytest.approx(1.0, abs=0.05)
    assert unlike["stuck"] == 0.0
    assert (like["silent"], unlike["silent"]) == (0.0, 1.0)


def test_without_a_run_there_is_nothing_to_compare(
    bench: Bench, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "split_windows", windows)
    assert compare.main([str(tmp_path), str(bench.data)]) == 2
    assert "config.toml" in capsys.readouterr().err
