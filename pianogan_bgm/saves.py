"""Music in a save game: where it is, as plain JSON, and the way back."""

from __future__ import annotations

from typing import Any, Final

from pianogan_bgm import commands as c
from pianogan_bgm.composer import Composer, piece_to_json, source_from_json
from pianogan_bgm.conductor import Place
from pianogan_bgm.errors import InvalidSetting
from pianogan_bgm.state import Deck

SAVE_VERSION: Final = 1


def save_place(place: Place, composer: Composer) -> dict[str, Any]:
    """What plays and what will, as JSON."""
    state = place.state
    assert state.deck is not None
    return {
        "version": SAVE_VERSION,
        **_deck_to_json(state.deck),
        "step": place.step,
        "scene": state.scene,
        "mood": state.mood,
        "endless": state.endless,
        "queue": [
            {"piece": piece_to_json(item.tune.piece), "loops": item.loops, "related": item.related}
            for item in state.queue
        ],
        "held": [{**_deck_to_json(held.deck), "scene": held.scene} for held in state.held],
        "recent": list(composer.recent),
    }


def _deck_to_json(deck: Deck) -> dict[str, Any]:
    return {
        "piece": piece_to_json(deck.tune.piece),
        "step": deck.pos,
        "loops": deck.loops,
        "shift": deck.shift,
    }


def check_save(table: Any) -> dict[str, Any]:
    """``table``, if it is what a player saved. Raises :class:`InvalidSetting`."""
    if not isinstance(table, dict) or table.get("version") != SAVE_VERSION or "settings" not in table:
        raise InvalidSetting(f"expected a saved state of version {SAVE_VERSION}; got {str(table)[:60]!r}")
    return table


def load_place(table: dict[str, Any], composer: Composer, fade: float) -> list[c.Command]:
    """Commands that go on where ``table`` was saved."""
    composer.recent.extend(table["recent"])
    tune = composer.tune(source_from_json(table["piece"]))
    first = c.Play(
        tune,
        table["loops"],
        table["step"],
        fade,
        table["scene"],
        table["shift"],
        table["endless"],
        table["mood"],
    )
    queue = [
        c.Queue(composer.tune(source_from_json(item["piece"])), item["loops"], item["related"])
        for item in table["queue"]
    ]
    held = [
        c.Hold(
            composer.tune(source_from_json(one["piece"])),
            one["scene"],
            one["step"],
            one["loops"],
            one["shift"],
        )
        for one in table["held"]
    ]
    return [first, *queue, *held]
