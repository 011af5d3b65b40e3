"""The scripted player: buttons written down, step by step, from the title to victory.

``demo.txt`` holds runs such as ``RX*45``: right and run, held for 45 steps. ``L`` and ``R`` are the ways,
``J`` jump, ``X`` run, ``S`` start, ``-`` nothing. ``record_demo.py`` writes the file anew after a change of a
level.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from hero import Buttons

LETTERS: Final = "LRJXS"
FILE: Final = Path(__file__).with_name("demo.txt")


def read(path: Path = FILE) -> Iterator[Buttons]:
    """The buttons of every step. Raises ``ValueError`` for a run it does not understand."""
    for token in path.read_text(encoding="utf-8").split():
        letters, star, count = token.partition("*")
        if not star or not count.isdecimal() or not set(letters) <= {*LETTERS, "-"}:
            raise ValueError(f"{path.name}: expected something like RX*45; got {token!r}")
        for _ in range(int(count)):
            yield Buttons(*(letter in letters for letter in LETTERS))


def write(steps: Iterable[Buttons], path: Path = FILE) -> None:
    """Write the buttons of every step, fifteen runs a line."""
    runs = [f"{_letters(buttons)}*{len(list(group))}" for buttons, group in groupby(steps)]
    lines = [" ".join(runs[start : start + 15]) for start in range(0, len(runs), 15)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _letters(buttons: Buttons) -> str:
    return "".join(letter for letter, held in zip(LETTERS, buttons, strict=True) if held) or "-"
