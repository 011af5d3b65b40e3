"""The page to listen to, made with a tiny model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from tiny_model import write_tiny

listening: Any = pytest.importorskip("export.listening", reason="needs the checkout")
spectrogram: Any = pytest.importorskip("export.spectrogram", reason="needs the checkout")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("model"))


def test_the_page_links_to_what_is_there_and_is_the_same_each_time(model: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        wanted = ["--model", str(model), "--seeds", "1-2", "-o", str(tmp_path / folder)]
        assert listening.main(wanted) == 0
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) == 1 + 2 * 3 + 1
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    text = (tmp_path / "a" / "listening.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((.+?)\)", text)
    assert {Path(link) for link in links} == {file for file in files if file.suffix != ".md"}
    assert "Salamander" in text
    sound, rate = soundfile.read(tmp_path / "a" / "listening" / "tiny-1.ogg")
    assert len(sound) == 15 * rate
    assert np.abs(sound[-50:]).max() < 0.01


@pytest.mark.parametrize("text", ["8", "a-b", "5-1", ""])
def test_seeds_are_two_numbers_in_order(text: str) -> None:
    with pytest.raises(SystemExit):
        listening.main(["--seeds", text])


def test_too_much_for_the_repository_is_said(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "MOST_BYTES", 10)
    assert listening.main(["--model", str(model), "--seeds", "1-1", "-o", str(tmp_path)]) == 1


def test_a_tone_is_a_line_at_its_pitch() -> None:
    rate = 32000
    tone = 0.5 * np.sin(2 * np.pi * 440.0 / rate * np.arange(2 * rate))[:, None].repeat(2, axis=1)
    image = spectrogram.spectrogram(tone, rate, (200, 209))
    bright = np.asarray(image.convert("L"))[:192, 40:190].mean(axis=1)
    assert image.size == (200, 209)
    # four of nine octaves above the lowest A
    assert abs(int(np.argmax(bright)) - round(192 * (1 - 4 / 9))) <= 3
    assert isinstance(spectrogram.spectrogram(np.zeros((100, 2)), rate), Image.Image)


def test_a_page_of_an_unknown_model_is_an_error_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert listening.main(["--model", "nobody", "-o", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("error: no model named 'nobody'")
    assert list(tmp_path.iterdir()) == []
