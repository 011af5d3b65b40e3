"""Music in a save game: where it is, as plain JSON, and the way back."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pianogan_bgm import commands as c
from pianogan_bgm.checks import LARGEST, TEMPO_FACTORS
from pianogan_bgm.composer import Composer, piece_to_json, source_from_json
from pianogan_bgm.conductor import Place
from pianogan_bgm.errors import InvalidLatent, InvalidNote, InvalidSetting, PianoganError
from pianogan_bgm.instruments import NAMES
from pianogan_bgm.json_rules import A_TRUTH, AN_OBJECT, Rule, or_null, real, short, whole, wrong_value
from pianogan_bgm.notes import MAX_STEPS
from pianogan_bgm.piece import MAX_BEATS_PER_BAR, TEMPO_RANGE, Piece
from pianogan_bgm.scenes import MOODS
from pianogan_bgm.state import Deck
from pianogan_bgm.tune import Tune

SAVE_VERSION: Final = 1
log = logging.getLogger("pianogan_bgm")

_ECHO: Final = 60
"""Characters of a wrong value that an error shows."""


def save_place(place: Place, composer: Composer) -> dict[str, Any]:
    """What plays and what will, as JSON."""
    state = place.state
    assert state.deck is not None
    return {
        "version": SAVE_VERSION,
        **_deck_to_json(state.deck, composer),
        "step": place.step,
        "scene": state.scene,
        "mood": state.mood,
        "endless": state.endless,
        "queue": _queue_to_json(state.queue, composer),
        "held": [
            {
                **_deck_to_json(held.deck, composer),
                "scene": held.scene,
                "queue": _queue_to_json(held.queue, composer),
            }
            for held in state.held
        ],
        "recent": list(composer.recent),
    }


def _queue_to_json(queue: Sequence[c.Queue], composer: Composer) -> list[dict[str, Any]]:
    return [
        {
            "piece": _piece_to_json(item.tune.piece, composer),
            "loops": item.loops,
            "related": item.related,
            "drawn": item.drawn,
        }
        for item in queue
    ]


def _piece_to_json(piece: Piece, composer: Composer) -> dict[str, Any]:
    return piece_to_json(piece, by_seed=composer.gave(piece))


def _deck_to_json(deck: Deck, composer: Composer) -> dict[str, Any]:
    return {
        "piece": _piece_to_json(deck.tune.piece, composer),
        "step": deck.pos,
        "loops": deck.loops,
        "lap": deck.lap,
        "shift": deck.shift,
    }


def check_save(table: Any) -> dict[str, Any]:
    """``table``, if all of it is what a player saved: no file is opened, and no piece composed, for the rest.

    Raises :class:`InvalidSetting`, which names the entry.
    """
    if not isinstance(table, dict) or table.get("version") != SAVE_VERSION:
        raise InvalidSetting(f"expected a saved state of version {SAVE_VERSION}; got {short(table, _ECHO)}")
    _check("the save", table, _PLAYING if "piece" in table else _IDLE)
    _check("the save's settings", table["settings"], _SETTINGS)
    if "piece" in table:
        _check_piece("the save's piece", table["piece"])
        _check_pieces("the save", "queue", table["queue"], _QUEUED)
        _check_pieces("the save", "held", table["held"], _HELD)
        for number, held in enumerate(table["held"], 1):
            _check_pieces(f"held {number} of the save", "queue", held["queue"], _QUEUED)
    return table


def _check_pieces(where: str, name: str, entries: list[Any], rules: Mapping[str, Rule]) -> None:
    for number, entry in enumerate(entries, 1):
        _check(f"{name} {number} of {where}", entry, rules)
        _check_piece(f"the piece of {name} {number} of {where}", entry["piece"])


def check_named(instruments: Mapping[str, str]) -> None:
    """Raise :class:`InvalidSetting` for the path of a SoundFont among a save's instruments."""
    for name in instruments.values():
        if name not in NAMES:
            raise InvalidSetting(
                f"the save was played on {short(name, _ECHO)}, and a save opens no file: "
                "give instrument= as well"
            )


def _check_piece(where: str, table: Any) -> None:
    if isinstance(table, dict) and "notes" not in table:
        _check(where, table, _SEED)
        return
    _check(where, table, _PIECE)
    try:
        source_from_json(table)
    except (InvalidNote, InvalidLatent, TypeError) as error:
        raise InvalidSetting(f"{where} cannot be played: {error}") from error


def _check(where: str, table: Any, rules: Mapping[str, Rule]) -> None:
    """Raise :class:`InvalidSetting` unless ``table`` has just the keys of ``rules``, with such values."""
    if not isinstance(table, dict):
        raise InvalidSetting(f"{where} must be an object; got {short(table, _ECHO)}")
    if wrong := set(table) ^ set(rules):
        name = min(wrong, key=str)
        problem = "is missing" if name in rules else "is unknown"
        raise InvalidSetting(f"{where}: {short(name, _ECHO)} {problem}")
    if wrong_one := wrong_value(table, rules, _ECHO):
        raise InvalidSetting(f"{where}: {wrong_one}")


def _of(kind: type, expected: str) -> Rule:
    return expected, lambda value: isinstance(value, kind)


_LOOPS: Final = whole(-1, LARGEST)
_LAP: Final = whole(0, LARGEST)
_SHIFT: Final = whole(-48, 48)
_STEP: Final = whole(0, MAX_STEPS)
_LIST: Final = _of(list, "a list")
_TEXT: Final = or_null(_of(str, "a text"))
_MOOD: Final = (
    f"null or one of {', '.join(sorted(MOODS))}",
    lambda value: value is None or (isinstance(value, str) and value in MOODS),
)
_SEEDS: Final = (
    "a list of seeds",
    lambda value: isinstance(value, list) and all(map(whole(0, 2**64 - 1)[1], value)),
)
_LATENT: Final = (
    "null or a list of numbers",
    lambda value: value is None or (isinstance(value, list) and all(map(real(-1e3, 1e3)[1], value))),
)
_ROWS: Final = (
    "a list of [start, pitch, length, velocity]",
    lambda value: (
        isinstance(value, list)
        and all(isinstance(row, list) and len(row) == 4 and all(type(x) is int for x in row) for row in value)
    ),
)
_NAMES: Final = (
    "a name for each layer",
    lambda value: isinstance(value, dict) and all(isinstance(name, str) for name in value.values()),
)
_IDLE: Final = {
    "version": whole(SAVE_VERSION, SAVE_VERSION),
    "settings": AN_OBJECT,
    "scene_asked": _TEXT,
    "ducked": real(0.0, 1.0),
}
_PLAYING: Final = {
    **_IDLE,
    "piece": AN_OBJECT,
    "step": real(0.0, float(MAX_STEPS)),
    "loops": _LOOPS,
    "lap": _LAP,
    "shift": _SHIFT,
    "scene": _TEXT,
    "mood": _MOOD,
    "endless": A_TRUTH,
    "queue": _LIST,
    "held": _LIST,
    "recent": _SEEDS,
}
_SETTINGS: Final = {
    "mood": _MOOD,
    "instrument": _NAMES,
    "intensity": real(0.0, 1.0),
    "tempo": real(*TEMPO_FACTORS),
    "transpose": whole(-24, 24),
    "volume": real(0.0, 1.0),
}
_QUEUED: Final = {"piece": AN_OBJECT, "loops": _LOOPS, "related": A_TRUTH, "drawn": A_TRUTH}
_HELD: Final = {
    "piece": AN_OBJECT,
    "step": _STEP,
    "loops": _LOOPS,
    "lap": _LAP,
    "shift": _SHIFT,
    "scene": _TEXT,
    "queue": _LIST,
}
_SEED: Final = {"seed": whole(0, 2**64 - 1), "model": _of(str, "a text")}
_PIECE: Final = {
    "steps": whole(1, MAX_STEPS),
    "tempo": real(*TEMPO_RANGE),
    "beats_per_bar": whole(1, MAX_BEATS_PER_BAR),
    "has_dynamics": A_TRUTH,
    "seed": or_null(whole(0, 2**64 - 1)),
    "model": _TEXT,
    "licence": _TEXT,
    "title": _TEXT,
    "latent": _LATENT,
    "notes": _ROWS,
}


def load_place(table: dict[str, Any], composer: Composer, fade: float, serial: int) -> list[c.Command]:
    """Commands that go on where ``table`` was saved, by a play of number ``serial``.

    What was queued or held and can no longer be had, such as a track that a playlist has lost, is left out
    and told to the log; in place of a piece that played endlessly another begins. Raises what went wrong
    where a piece that the game had asked for cannot be had.
    """
    composer.remember(table["recent"])
    place = {name: table[name] for name in ("loops", "step", "scene", "shift", "endless", "mood", "lap")}
    try:
        tune = composer.tune(source_from_json(table["piece"]))
    except PianoganError as error:
        if not table["endless"]:
            raise
        log.warning("another piece instead of the one that was saved: %s", error)
        tune = composer.following(table["mood"])
        place |= {"loops": 0, "step": 0.0, "shift": 0, "lap": 0}
    first = c.Play(tune, **place, fade=fade, serial=serial)
    held = [
        c.Hold(
            tune,
            **{name: one[name] for name in ("scene", "step", "loops", "shift", "lap")},
            queue=_queue_from_json(one["queue"], composer),
        )
        for one, tune in _still_there(table["held"], composer)
    ]
    return [first, *_queue_from_json(table["queue"], composer), *held]


def _queue_from_json(entries: list[dict[str, Any]], composer: Composer) -> tuple[c.Queue, ...]:
    return tuple(
        c.Queue(tune, **{name: entry[name] for name in ("loops", "related", "drawn")})
        for entry, tune in _still_there(entries, composer)
    )


def _still_there(entries: list[dict[str, Any]], composer: Composer) -> Iterator[tuple[dict[str, Any], Tune]]:
    """The entries whose pieces can be had, with their tunes."""
    for entry in entries:
        try:
            yield entry, composer.tune(source_from_json(entry["piece"]))
        except PianoganError as error:
            log.warning("a piece that was saved is left out: %s", error)
