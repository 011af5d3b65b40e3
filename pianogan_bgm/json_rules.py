"""Rules for values read from JSON that may come from anywhere: model cards, playlists, saved states.

A rule is what a value must be, in words for the error and as a test. Whoever reads raises the error of its
kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

Rule: TypeAlias = tuple[str, Callable[[Any], bool]]
"""What a value must be, in words and as a test."""
LONGEST_TEXT: Final = 4000
LONGEST_ECHO: Final = 80
"""Characters of a wrong value that an error shows."""


def without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object of its pairs (``object_pairs_hook``). Raises ``ValueError`` if a key comes twice."""
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key stands twice")
    return table


def short(value: Any, longest: int = LONGEST_ECHO) -> str:
    """``repr`` of a wrong value, cut to ``longest`` characters."""
    text = repr(value)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def wrong_key(table: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """What is wrong with the keys of ``table``, which must be just ``names``; None if nothing is."""
    names = list(names)
    if missing := [name for name in names if name not in table]:
        return f"the key {missing[0]!r} is missing"
    if unknown := sorted(set(table) - set(names)):
        return f"unknown key {short(unknown[0])}"
    return None


def wrong_value(
    table: Mapping[str, Any], rules: Mapping[str, Rule], longest: int = LONGEST_ECHO
) -> str | None:
    """Which value of ``table`` breaks its rule first, and how; None if none does."""
    for name, (expected, holds) in rules.items():
        if not holds(table[name]):
            return f"{name} must be {expected}; got {short(table[name], longest)}"
    return None


def whole(low: int, high: int) -> Rule:
    """A whole number of ``low`` to ``high``; a truth value is none."""
    return f"a whole number, {low} to {high}", lambda value: type(value) is int and low <= value <= high


def real(low: float, high: float) -> Rule:
    """A number of ``low`` to ``high``."""

    def holds(value: Any) -> bool:
        return type(value) in (int, float) and low <= value <= high

    return f"a number, {low:g} to {high:g}", holds


def or_null(rule: Rule) -> Rule:
    """``rule``, or None."""
    return f"{rule[0]}, or null", lambda value: value is None or rule[1](value)


def matching(expected: str, pattern: str) -> Rule:
    """A text that a regular expression matches as a whole."""
    return expected, lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def is_text(value: Any) -> bool:
    """Whether ``value`` is printable and of 1 to :data:`LONGEST_TEXT` characters."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT and value.isprintable()


A_TEXT: Final[Rule] = (f"printable text of 1 to {LONGEST_TEXT} characters", is_text)
A_TRUTH: Final[Rule] = ("true or false", lambda value: isinstance(value, bool))
AN_OBJECT: Final[Rule] = ("an object", lambda value: isinstance(value, dict))
A_HASH: Final = matching("64 hexadecimal digits", r"[0-9a-f]{64}")
A_MODEL_NAME: Final = matching("1 to 64 letters, digits, - _ .", r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
