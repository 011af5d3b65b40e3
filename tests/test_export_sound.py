"""The tools that make the piano's recordings and the pictures of sound."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

spectrogram: Any = pytest.importorskip("export.spectrogram", reason="needs the checkout")


def test_silence_is_drawn_dark_and_sound_bright() -> None:
    noise = np.random.default_rng(1).standard_normal((8000, 2))
    silent, heard = (
        np.asarray(spectrogram.spectrogram(sound, 8000, (200, 209)).convert("L"))[:180, 40:]
        for sound in (np.zeros_like(noise), noise)
    )
    assert silent.mean() < 30
    assert heard.mean() > 60


def test_recordings_that_cannot_be_fetched_without_npm_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("scipy")
    from export.build_samples import fetch

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"velocity6-.*\.tgz is missing, and there is no npm"):
        fetch(6, tmp_path / "tarballs")


def test_an_archive_without_a_recording_is_named(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    from export.build_samples import read_layer

    with tarfile.open(tmp_path / "a.tgz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("package/README"), io.BytesIO())
    with pytest.raises(SystemExit, match=r"a\.tgz holds no recording package/audio/A0v6\.ogg"):
        read_layer(tmp_path / "a.tgz", 6)
