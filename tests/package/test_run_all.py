"""The collector of benchmarks, on a benchmark that takes no time."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "run_all.py"
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="needs the checkout")


@pytest.fixture
def run_all() -> Any:
    return runpy.run_path(str(PROGRAM))


def test_the_spread_of_each_number_is_told_line_by_line(run_all: Any) -> None:
    Run = run_all["Run"]
    runs = [
        Run(0, 1.0, ("a piece: 9.5 ms, p99 12 ms", f"{count:,} bytes at seed7"), "")
        for count in (1000, 3000, 2000)
    ]
    rows = run_all["rows"](runs)
    assert [(row.line, row.spread) for row in rows] == [
        ("a piece: # ms, p99 # ms", ((9.5, 9.5, 9.5), (12.0, 12.0, 12.0))),
        ("# bytes at seed7", ((1000.0, 2000.0, 3000.0),)),
    ]
    text = run_all["page"]({"cores": 2}, {"generation": runs})
    assert "| # bytes at seed7 | 1000 / 2000 / 3000 |" in text
    assert "| a piece: # ms, p99 # ms | 9.5; 12 |" in text


def test_a_line_that_a_run_lacks_and_a_run_that_failed_are_left_out(run_all: Any) -> None:
    Run = run_all["Run"]
    runs = [Run(0, 1.0, ("x 1", "only here 2"), ""), Run(0, 1.0, ("x 3",), ""), Run(1, 1.0, ("x 9",), "boom")]
    assert [(row.line, row.spread) for row in run_all["rows"](runs)] == [("x #", ((1.0, 2.0, 3.0),))]
    assert "**Failed**: ['boom']" in run_all["page"]({}, {"generation": runs})


def test_numbers_of_different_widths_and_lines_alike_make_rows(run_all: Any) -> None:
    Run = run_all["Run"]
    said = [
        (f"pyxel   {ready:8.3f} s{spent:10.2f} s", "mid    10   1.0 s", f"mid   100  {spent} s")
        for ready, spent in ((9.5, 0.5), (12.5, 10.5))
    ]
    runs = [Run(0, 1.0, lines, "") for lines in said]
    assert [(row.line, row.spread) for row in run_all["rows"](runs)] == [
        ("pyxel # s # s", ((9.5, 11.0, 12.5), (0.5, 5.5, 10.5))),
        ("mid # # s", ((10.0, 10.0, 10.0), (1.0, 1.0, 1.0))),
        ("mid # # s (2)", ((100.0, 100.0, 100.0), (0.5, 5.5, 10.5))),
    ]


def test_no_benchmark_prints_a_unit_without_a_space_before_it() -> None:
    """``0.54s`` would not be taken for a number."""
    for path in PROGRAM.parent.glob("*.py"):
        assert not re.findall(r"\{[^{}]*\.\d[efg]\}[A-Za-z]", path.read_text(encoding="utf-8")), path


def test_what_a_folder_has_of_the_same_machine_is_kept_where_it_is_not_run_again(
    run_all: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, Run, said = run_all["main"], run_all["Run"], iter(range(99))
    monkeypatch.setitem(main.__globals__, "run", lambda *_: Run(0, 1.0, (f"x {next(said)}",), ""))

    def after(*words: str) -> dict[str, list[list[str]]]:
        assert main(["-o", str(tmp_path), "--repeat", "2", *words]) == 0
        table = json.loads((tmp_path / "benchmarks.json").read_text(encoding="utf-8"))
        return {name: [one["lines"] for one in runs] for name, runs in table["results"].items()}

    assert after("--only", "moods", "gate") == {"gate": [["x 2"], ["x 3"]], "moods": [["x 0"], ["x 1"]]}
    assert after("--only", "gate") == {"gate": [["x 4"], ["x 5"]], "moods": [["x 0"], ["x 1"]]}
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "| x # | 0 / 0.5 / 1 |" in page
    assert "| x # | 4 / 4.5 / 5 |" in page
    assert after("--only", "gate", "--quick") == {"gate": [["x 6"], ["x 7"]]}
    monkeypatch.setitem(main.__globals__, "processor", lambda: "another")
    assert after("--only", "moods", "--quick") == {"moods": [["x 8"], ["x 9"]]}


def test_a_benchmark_that_does_not_end_is_told_with_what_it_said(
    run_all: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "benchmarks").mkdir()
    slow = "import time; print('x 1', flush=True); time.sleep(60)"
    (tmp_path / "benchmarks" / "slow.py").write_text(slow, encoding="utf-8")
    run = run_all["run"]
    monkeypatch.setitem(run.__globals__, "ROOT", tmp_path)
    got = run("slow", (), limit=5.0)
    assert (got.status, got.lines) == (run_all["TIMED_OUT"], ("x 1",))
    assert "not ended after 5 s" in got.errors


def test_peers_are_measured_with_the_interpreter_that_has_them(run_all: Any) -> None:
    options = run_all["parse"](["--peers", "other/python", "--quick"])
    assert run_all["arguments"]("peers", options) == ("--rounds", "1", "--peers", "other/python")
    assert run_all["arguments"]("generation", options) == run_all["QUICK"]["generation"]
    assert run_all["arguments"]("peers", run_all["parse"]([])) == ()


def test_files_hold_machine_versions_and_results(run_all: Any, tmp_path: Path) -> None:
    run_all["save"](tmp_path, {"generation": [run_all["Run"](0, 1.5, ("x 1",), "")]}, True)
    table = json.loads((tmp_path / "benchmarks.json").read_text(encoding="utf-8"))
    assert table["machine"].keys() >= {"processor", "cores", "pianogan-bgm", "python", "numpy", "quick"}
    assert table["results"]["generation"][0]["lines"] == ["x 1"]
    assert (tmp_path / "benchmarks.md").exists()


def test_what_makes_a_benchmark_quick_is_an_option_it_has(run_all: Any) -> None:
    assert set(run_all["QUICK"]) <= set(run_all["benchmarks"]())
    for name, words in run_all["QUICK"].items():
        source = (PROGRAM.parent / f"{name}.py").read_text(encoding="utf-8")
        assert [word for word in words if word.startswith("--") and f'"{word}"' not in source] == []


def test_every_benchmark_measures_the_package_beside_it() -> None:
    for path in PROGRAM.parent.glob("*.py"):
        assert "sys.path.insert(0, str(Path(__file__).parents[1]))" in path.read_text(encoding="utf-8"), path
