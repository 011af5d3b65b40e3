"""Save games: whatever stands in one, it is played or refused by name, and opens no file."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fuzzing import FUZZ
from hypothesis import given
from hypothesis import strategies as st
from music_fakes import RATE, FakeGenerator, make_piece

from pianogan_bgm.composer import Composer
from pianogan_bgm.errors import InvalidSetting
from pianogan_bgm.scenes import Scene
from pianogan_bgm.stream import Stream

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def stream(**settings: Any) -> Stream:
    return Stream(model=Composer(FakeGenerator(), 5), rate=RATE, instrument="chip_square", **settings)


def saved() -> dict[str, Any]:
    """A save with something at every entry: a piece of notes playing, two queued, a scene held."""
    music = stream(scenes={"village": Scene(mood="calm", hold=True), "cave": Scene(mood="mystery")})
    music.play()
    music.fill(RATE)
    music.transition("village", at="now", fade_beats=0)
    music.fill(RATE)
    music.transition("cave", at="now", fade_beats=0)
    music.fill(RATE)
    music.load(make_piece(3))
    music.queue(make_piece(4), loops=2)
    music.queue(12)
    music.fill(RATE // 10)
    table: dict[str, Any] = json.loads(json.dumps(music.state()))
    return table


SAVED = saved()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every entry of nested JSON, the notes' numbers but once."""
    yield path
    items = (
        value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    )
    for key, inner in items:
        yield from places(inner, (*path, key))


PLACES = sorted(places(SAVED), key=str)


def changed(path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    table = copy.deepcopy(SAVED)
    inner = table
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return table


def play(table: Any) -> None:
    again = Stream.restore(table, model=Composer(FakeGenerator(), 1), rate=RATE)
    again.play()
    again.fill(64)


def test_the_save_that_is_damaged_below_is_a_full_one_and_plays() -> None:
    assert SAVED["held"]
    assert {"notes" in entry["piece"] for entry in SAVED["queue"]} >= {True}
    play(copy.deepcopy(SAVED))


@FUZZ
@given(st.sampled_from(PLACES), ANY_JSON)
def test_any_value_at_any_entry_is_played_or_refused_by_name(path: tuple[Any, ...], value: Any) -> None:
    with contextlib.suppress(InvalidSetting):
        play(changed(path, value))


@pytest.mark.parametrize("path", [path for path in PLACES if path and isinstance(path[-1], str)], ids=str)
def test_every_entry_is_needed_and_its_loss_is_named(path: tuple[Any, ...]) -> None:
    if path[:2] == ("settings", "instrument") and len(path) == 3:
        pytest.skip("a layer not named keeps its instrument")
    table = copy.deepcopy(SAVED)
    inner = table
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    if path == ("piece",):
        expected = "is unknown"  # without a piece it is the save of silence, which has no place in a piece
    else:
        expected = "version" if path == ("version",) else f"'{path[-1]}' is missing"
    if path[-1] == "notes":
        expected = "is unknown"
    with pytest.raises(InvalidSetting, match=expected):
        play(table)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("settings", "model"), "/etc/passwd.onnx"),
        (("settings", "piece"), "../secret.mid"),
        (("settings", "scenes"), {}),
        (("piece",), "../secret.mid"),
        (("piece", "notes"), [[0, 60, 1]]),
        (("piece", "notes"), [[0, 60, 10**9, 80]]),
        (("piece", "steps"), 10**15),
        (("step",), float("nan")),
        (("queue",), [{"piece": {"seed": -1, "model": "open"}, "loops": 0, "related": False}]),
        (("recent",), ["7"]),
    ],
)
def test_no_save_names_a_file_or_asks_for_the_memory_of_the_machine(
    path: tuple[str, ...], value: Any
) -> None:
    with pytest.raises(InvalidSetting):
        Stream.restore(changed(path, value), model=Composer(FakeGenerator(), 1), rate=RATE)
