"""The detector of clicks, on music with clicks put into it."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pianogan_bgm.notes import Note
from pianogan_bgm.piece import Piece
from pianogan_bgm.render import render

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "clicks.py"
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="needs the checkout")
RATE = 44100


@pytest.fixture(scope="module")
def found() -> Any:
    return runpy.run_path(str(PROGRAM))["clicks"]


@pytest.fixture(scope="module")
def music() -> Any:
    notes = [Note(s, 36 + (7 * s) % 60, 4, 40 + (11 * s) % 87) for s in range(32)]
    return render(Piece(tuple(sorted(notes)), steps=36), RATE)


def test_music_noise_and_silence_do_not_click(found: Any, music: Any) -> None:
    noise = np.random.default_rng(1).standard_normal((RATE, 2)) * 0.1
    assert found(music, RATE) == []
    assert found(noise, RATE) == []
    for frames in (0, 2, 999):
        assert found(np.zeros((frames, 2)), RATE) == []


@pytest.mark.parametrize("size", [0.01, 0.1])
@pytest.mark.parametrize("frame", [20_000, 61_234, 100_001])
def test_a_jump_in_one_side_is_a_click(found: Any, music: Any, size: float, frame: int) -> None:
    jumped = music.copy()
    jumped[frame:, 1] += size
    (at,) = found(jumped, RATE)
    assert abs(at - frame) <= 3


def test_a_stray_sample_and_a_sudden_cut_are_clicks(found: Any, music: Any) -> None:
    stray = music.copy()
    stray[50_000] += 0.02
    (at,) = found(stray, RATE)
    assert abs(at - 50_000) <= 3
    loud = 60_000 + int(np.argmax(np.abs(music[60_000:61_000, 0])))
    cut = music.copy()
    cut[loud:] = 0.0
    assert any(abs(at - loud) <= 3 for at in found(cut, RATE))


def test_two_clicks_are_two(found: Any, music: Any) -> None:
    twice = music.copy()
    twice[40_000:50_000] += 0.05
    assert len(found(twice, RATE)) == 2
