"""Levels as readable text.

A file begins with ``key: value`` lines, then come pictures of 12 lines each, with an empty line between them;
the pictures stand side by side in the game, from left to right. One character is one tile:

====  ==============================  ====  ==============================
``.``  air                            ``P``  where the player starts
``#``  ground                         ``R``  where one comes back out of the door
``=``  ledge, solid from above        ``C``  checkpoint
``B``  brick                          ``D``  door to the level of ``door:``
``?``  block with a coin              ``F``  flag at the end, on to ``next:``
``!``  block with a sunflower         ``K``  the boss; the level is won with it
``U``  empty block                    ``g``  grumble: walks, can be stomped
``o``  coin                           ``s``  spiky: walks, cannot be stomped
``^``  spikes                         ``b``  moth: flies, can be stomped
``~``  lava                           ``e``  ember: leaps, cannot be stomped
``h``  platform, 4 tiles to the right ``v``  platform, 3 tiles upwards
====  ==============================  ====  ==============================
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

TILE: Final = 30
"""Edge of a tile in pixels of the picture, which are the physics' unit of length."""
ROWS: Final = 12
FIRST_LEVEL: Final = "1-meadow"
THEMES: Final = ("meadow", "cave", "castle")
CELLS: Final = frozenset(".#=B?!Uo^~")
THINGS: Final = frozenset("PRCDFKgsbehv")
LONGEST_TITLE: Final = 24
MOST_SECONDS: Final = 999
"""More would run into the score beside it."""
KEYS: Final = ("title", "theme", "seconds", "next", "door")


class LevelError(ValueError):
    """A level file that cannot be played; the message names file, line and column."""


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that stands in a tile at first: its letter and where."""

    kind: str
    column: int
    row: int


@dataclass(frozen=True, slots=True)
class Level:
    """A level as read. ``rows``: 12 strings of tiles, equally long. ``seconds``: time limit."""

    name: str
    title: str
    theme: str
    seconds: int
    next: str | None
    door: str | None
    rows: tuple[str, ...]
    things: tuple[Thing, ...]

    @property
    def columns(self) -> int:
        """Width in tiles."""
        return len(self.rows[0])

    def first(self, kind: str) -> Thing | None:
        """The first thing of that letter."""
        return next((thing for thing in self.things if thing.kind == kind), None)


def load(path: Path) -> Level:
    """The level in the file ``path``. Raises :class:`LevelError` for a bad one."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows' editors may begin a file with a mark
    except UnicodeDecodeError as error:
        raise LevelError(f"{path.name}: save it as UTF-8 text; {error}") from None
    return parse(text, path.stem, path.name)


def load_folder(folder: Path) -> dict[str, Level]:
    """All levels of a folder by name, the first among them; each ``next`` and ``door`` must lead to one."""
    levels = {path.stem: load(path) for path in sorted(folder.glob("*.txt"))}
    for level in levels.values():
        for key, target in (("next", level.next), ("door", level.door)):
            if target is not None and target not in levels:
                known = ", ".join(levels)
                raise LevelError(f"{level.name}.txt: {key}: no level is called {target!r}; there are {known}")
    if FIRST_LEVEL not in levels:
        raise LevelError(f"there is no level {FIRST_LEVEL}.txt in {folder}")
    return levels


def parse(text: str, name: str, source: str) -> Level:
    """The level in ``text``. Raises :class:`LevelError`, which calls the file ``source``."""
    lines = text.splitlines()
    header, first = _header(lines, source)
    cells = _join(_pictures(lines, first, source), source)
    things = tuple(
        Thing(letter, column, row)
        for column in range(len(cells[0]))
        for row in range(ROWS)
        if (letter := cells[row][column]) in THINGS
    )
    rows = tuple(_tiles(row) for row in cells)
    level = Level(
        name=name,
        title=header["title"],
        theme=header["theme"],
        seconds=int(header["seconds"]),
        next=header.get("next"),
        door=header.get("door"),
        rows=rows,
        things=things,
    )
    _check_things(level, source)
    return level


def _header(lines: list[str], source: str) -> tuple[dict[str, str], int]:
    """The ``key: value`` lines and the index of the first line after them."""
    found: dict[str, str] = {}
    index = 0
    while index < len(lines) and lines[index].strip():
        key, colon, value = lines[index].partition(":")
        if not colon or key not in KEYS:
            raise LevelError(f"{source}:{index + 1}: expected one of {', '.join(KEYS)} and a colon")
        found[key] = value.strip()
        index += 1
    if missing := [key for key in ("title", "theme", "seconds") if not found.get(key)]:
        raise LevelError(f"{source}: the header lacks {', '.join(missing)}")
    if found["theme"] not in THEMES:
        raise LevelError(f"{source}: theme must be one of {', '.join(THEMES)}; got {found['theme']!r}")
    if len(found["title"]) > LONGEST_TITLE:
        raise LevelError(f"{source}: a title has at most {LONGEST_TITLE} letters; got {found['title']!r}")
    seconds = found["seconds"]
    if not seconds.isdecimal() or not 1 <= int(seconds[:4]) <= MOST_SECONDS:
        raise LevelError(f"{source}: seconds must be a whole number, 1 to {MOST_SECONDS}; got {seconds!r}")
    return found, index


def _pictures(lines: list[str], first: int, source: str) -> list[list[str]]:
    """The pictures, each a list of 12 equally long lines of known letters."""
    pictures: list[list[str]] = []
    picture: list[str] = []
    for number, line in enumerate([*lines[first:], ""], start=first + 1):
        row = line.rstrip()
        if row:
            _check_row(row, picture, f"{source}:{number}")
            picture.append(row)
        elif picture:
            if len(picture) != ROWS:
                raise LevelError(f"{source}:{number}: a picture has {ROWS} lines; this one {len(picture)}")
            pictures.append(picture)
            picture = []
    return pictures


def _check_row(row: str, picture: list[str], where: str) -> None:
    for column, letter in enumerate(row, start=1):
        if letter not in CELLS and letter not in THINGS:
            known = "".join(sorted(CELLS)) + "".join(sorted(THINGS))
            raise LevelError(f"{where}:{column}: no tile is written {letter!r}; there are {known}")
    if picture and len(row) != len(picture[0]):
        raise LevelError(f"{where}: {len(row)} tiles wide, but the line above has {len(picture[0])}")


def _join(pictures: list[list[str]], source: str) -> list[str]:
    if not pictures:
        raise LevelError(f"{source}: no picture of {ROWS} lines after the header")
    return ["".join(picture[row] for picture in pictures) for row in range(ROWS)]


def _tiles(row: str) -> str:
    """The row without the things in it: air where they stand, lava where it is beside an ember."""
    beside = ["~" in row[max(0, column - 1) : column + 2] for column in range(len(row))]
    return "".join(
        ("~" if letter == "e" and lava else ".") if letter in THINGS else letter
        for letter, lava in zip(row, beside, strict=True)
    )


def _check_things(level: Level, source: str) -> None:
    """One start, a way out, and whatever the way out needs."""
    count = {kind: sum(thing.kind == kind for thing in level.things) for kind in THINGS}
    if count["P"] != 1:
        raise LevelError(f"{source}: needs exactly one start P; has {count['P']}")
    if count["F"] + count["K"] + count["D"] == 0:
        raise LevelError(f"{source}: has no way out: a flag F, a door D or a boss K")
    for kind, key, value in (("F", "next", level.next), ("D", "door", level.door)):
        if count[kind] and value is None:
            raise LevelError(f"{source}: has {kind}, so the header must say where it leads ({key}: …)")
    if count["K"] > 1:
        raise LevelError(f"{source}: one boss K is enough; has {count['K']}")
