"""The benchmark of playlists, on a model that takes no time."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from tiny_model import write_tiny

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "playlist.py"
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="needs the checkout")


@pytest.fixture(scope="module")
def playlist() -> Any:
    return runpy.run_path(str(PROGRAM))


def test_what_many_tracks_would_cost_is_told_by_what_the_last_ones_took(playlist: Any) -> None:
    Run = playlist["Run"]
    runs = [Run(10, 3.0, 1_000_000), Run(100, 12.0, 10_000_000), Run(1000, 102.0, 100_000_000)]
    assert playlist["growth"](runs) == "a track takes 0.102 s in 1000 tracks, 0.34 times that in 10"
    # 0.1 s and 100 kB for each track after the hundredth, on two processes
    assert playlist["cost"](runs, 2) == "100,000 tracks would cost 5.6 core-hours and 10.0 GB"
    assert playlist["cost"](runs[:1], 1) == "100,000 tracks would cost 8.3 core-hours and 10.0 GB"


def test_a_count_that_would_take_too_long_is_left_out_and_said(
    playlist: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--model", str(write_tiny(tmp_path)), "--counts", "2,9999999"]
    assert playlist["main"](options) == 0
    said = capsys.readouterr().out
    for kind in ("mid+png", "mid+png+ogg"):
        assert re.search(rf"^{re.escape(kind)} +1 +2 +[\d.]+ +[\d.]+ +[\d.]+", said, re.MULTILINE)
        assert re.search(rf"^{re.escape(kind)} +1 9999999   left out: [\d,]+ s$", said, re.MULTILINE)
        assert f"{kind}, 1 jobs: 100,000 tracks would cost" in said
    assert re.search(r"^choosing 2 pieces: [\d.]+ s$", said, re.MULTILINE)
