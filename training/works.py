"""Which pieces are one work, so that no work stands on both sides of a split.

A piece gets *work keys* from its composer, catalogue numbers, collection entry and title; pieces that
share a key, directly or through others, are one group (union-find) and go to one side together. Keys are
deliberately coarse: all of an opus is one key, because one edition may number what another only titles.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from typing import Final, TypeVar

SALT: Final = "pianogan-bgm split 1"
SHARES: Final = (0.8, 0.1, 0.1)
"""Train, validation, test."""
NAMELESS: Final = {"anonymous", "anonim", "anon", "traditional", "unknown"}
"""Not one person: their titles (Waltz, Polonaise) join nothing that has a place in a collection."""

_CATALOGUES: Final = {
    "op": r"(?:op|opp|opus|oeuvre|œuvre|dzielo|dzieło)",
    "bwv": r"bwv[\s.-]*(?:anh)?",
    "d": r"d\.",
    "k": r"(?:kv|k\.|köchel)",
    "hob": r"hob[\s.-]*(?=[ivx]+)",
    "woo": r"woo",
    "hwv": r"hwv",
    "rv": r"rv",
    "mwv": r"mwv[\s.-]*[a-z][\s.-]*",
    "s": r"s\.",
}
_NUMBER: Final = r"[\s._-]*(?:posth\w*[\s._-]*)?((?:[ivx]+[a-z]?[\s.:_/-]*)?\d+)"
_PATTERNS: Final = {
    name: re.compile(rf"(?<![a-z]){word}{_NUMBER}", re.I) for name, word in _CATALOGUES.items()
}

T = TypeVar("T", bound=Hashable)


def plain(text: str) -> str:
    """Lower case, no accents, words and numbers parted by single spaces."""
    folded = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("Ł", "L").replace("ß", "ss"))
    ascii_only = "".join(letter for letter in folded if not unicodedata.combining(letter))
    return " ".join(re.findall(r"[a-z0-9]+", ascii_only.lower()))


def surname(composer: str) -> str:
    """The family name in plain letters: of "Chopin, Fryderyk", "Fryderyk Chopin" and "ChopinFF"."""
    if "," in composer:
        return plain(composer.split(",", maxsplit=1)[0])
    if glued := re.fullmatch(r"([A-Z][a-z]+(?:-?[A-Z][a-z]{2,})*)[A-Z]\w{0,4}", composer):
        return plain(glued[1])
    words = plain(composer).split()
    return words[-1] if words else "anonymous"


def catalogue_numbers(text: str) -> set[str]:
    """Catalogue numbers in ``text``: "Nocturnes, Op. 9 No. 2, B. 54" gives {"op9"}."""
    found = set()
    for name, pattern in _PATTERNS.items():
        for number in pattern.findall(text):
            digits = re.sub(r"[^a-z0-9]+", "", number.lower())
            found.add(name + re.sub(r"(?<!\d)0+(?=\d)", "", digits))
    return found


def work_keys(composer: str, title: str, *places: str, entry: str = "") -> frozenset[str]:
    """The work keys of a piece.

    ``title`` and ``places`` (paths, sub-titles, opus fields) are searched for catalogue numbers; a piece
    without any is known by composer and title, in whatever letters. ``entry``: what of its collection it
    belongs to (a song cycle, one manuscript), if anything. There is at least one key.
    """
    name = surname(composer)
    numbers = set().union(*(catalogue_numbers(text) for text in (title, entry, *places)))
    keys = {f"{name} {number}" for number in numbers}
    titled = _words(title)
    if not numbers and titled and not (entry and name in NAMELESS):
        keys.add(f"{name} {titled}")
    if entry:
        keys.add(f"{name} entry {_words(entry)}")
    return frozenset(keys or {f"{name} untitled"})


def _words(text: str) -> str:
    """Plain letters; text that has none as it is, in lower case."""
    return plain(text) or text.strip().casefold()


def groups(keys: Sequence[Iterable[T]]) -> list[int]:
    """For each item the index of the first item of its group; sharing one key joins two items."""
    parent = list(range(len(keys)))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = item = parent[parent[item]]
        return item

    first: dict[T, int] = {}
    for item, own in enumerate(keys):
        for key in own:
            one, other = sorted((root(item), root(first.setdefault(key, item))))
            parent[other] = one
    return [root(item) for item in range(len(keys))]


def side(group_key: str) -> int:
    """0 train, 1 validation or 2 test, by the salted sha256 of the group's key and nothing else."""
    digest = hashlib.sha256(f"{SALT}\n{group_key}".encode()).digest()
    draw = int.from_bytes(digest[:8], "big") / 2**64
    return 0 if draw < SHARES[0] else 1 if draw < SHARES[0] + SHARES[1] else 2


def split_by_work(
    keys: Sequence[frozenset[str]], same: Iterable[tuple[int, int]] = ()
) -> list[tuple[int, str]]:
    """For each piece its side and its group's name (the smallest key in it).

    ``same``: pairs of pieces known to be one work whatever their keys.
    """
    linked: list[set[Hashable]] = [set(own) for own in keys]
    for one, other in same:
        linked[one].add((one, other))
        linked[other].add((one, other))
    grouped = groups(linked)
    names: dict[int, str] = {}
    for group, own in zip(grouped, keys, strict=True):
        smallest = min(own)
        names[group] = min(names.get(group, smallest), smallest)
    return [(side(names[group]), names[group]) for group in grouped]
