"""The gate of the benchmarks: it judges ratios, and something as quick as nothing passes."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "gate.py"
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="needs the checkout")


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", list(sys.path))
    return runpy.run_path(str(PROGRAM))


def test_what_is_slower_than_its_limit_is_named(gate: Any) -> None:
    limits = gate["LIMITS"]
    assert gate["beyond"]({name: limit.value for name, limit in limits.items()}) == []
    assert gate["beyond"]({"stream": 1.01 * limits["stream"].value, "calls": 0.0}) == ["stream"]
    assert gate["beyond"]({"reference": 0.99 * limits["reference"].value}) == ["reference"]


def test_a_ratio_is_that_of_the_quickest_round(gate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([9.0, 2.0, 5.0, 1.0, 4.0, 4.0])  # unit, work, unit; twice
    ratio = gate["ratio"]
    monkeypatch.setitem(ratio.__globals__, "spent", lambda work: next(times))
    assert ratio(lambda: None, 2) == 2.0 / 1.0


def test_every_figure_has_a_limit_and_the_quick_ones_are_measured(gate: Any, capsys: Any) -> None:
    main = gate["main"]
    quick = ("stream", "decode", "command", "calls", "compose")
    main.__globals__.update(ratio=lambda work, rounds: float(rounds), spent=lambda work: 1.0)
    assert main(["--rounds", "0"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:-1]] == list(quick)
    assert main(["--rounds", "9"]) == 1
    assert set(gate["LIMITS"]) == {*quick, "reference"}
