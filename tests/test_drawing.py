from __future__ import annotations

from typing import Any

import pytest

from pianogan_bgm.drawing import BAR, BEAT, HELD, LOUD, SOFT, WHITE_KEY, picture
from pianogan_bgm.errors import InvalidRoll
from pianogan_bgm.images import Slab
from pianogan_bgm.notes import Note
from pianogan_bgm.roll import RollSpec, encode_cells


def slab(*notes: Note, **spec: Any) -> Slab:
    shape = RollSpec(**({"lowest": 60, "pitches": 12, "steps": 32} | spec))
    return Slab(encode_cells(notes, shape), shape)


def colours(*slabs: Slab, **options: Any) -> set[Any]:
    return {colour for _, colour in picture(slabs, **options).getcolors(1 << 24) or []}


def places(colour: Any, *slabs: Slab, **options: Any) -> list[tuple[int, int]]:
    image = picture(slabs, **options)
    return [
        (x, y) for x in range(image.width) for y in range(image.height) if image.getpixel((x, y)) == colour
    ]


def test_high_notes_are_above_low_ones_and_time_runs_to_the_right() -> None:
    low, high = Note(1, 60, 1, 1), Note(5, 71, 1, 127)
    ((x_low, y_low),) = places(SOFT, slab(low, high), scale=1)
    ((x_high, y_high),) = places(LOUD, slab(low, high), scale=1)
    assert (x_high - x_low, y_low - y_high) == (4, 11)


def test_strikes_are_dark_by_loudness_and_held_cells_light() -> None:
    assert {SOFT, LOUD, HELD} <= colours(slab(Note(1, 60, 2, 1), Note(1, 64, 1, 127)))
    assert not {LOUD, HELD} & colours(slab(Note(1, 60, 2), convention="edges"))


def test_a_gap_tells_repeats_on_one_key_apart() -> None:
    one = places(HELD, slab(Note(1, 60, 3, 1)), scale=4)
    assert len(one) == 2 * 4 * 4
    struck = places(SOFT, slab(Note(1, 60, 1, 1), Note(2, 60, 1, 1)), scale=4)
    assert len(struck) == 2 * 3 * 4


def test_lines_stand_before_every_beat_and_bar() -> None:
    columns = {colour: {x for x, _ in places(colour, slab(), scale=1)} for colour in (BAR, BEAT)}
    first = min(columns[BAR])
    assert {x - first for x in columns[BAR]} == {0, 16}
    assert {x - first for x in columns[BEAT]} == {4, 8, 12, 20, 24, 28}
    waltz = {x for x, _ in places(BAR, slab(), scale=1, beats_per_bar=3)}
    assert {x - first for x in waltz} == {0, 12, 24}


def test_only_the_octaves_that_sound_are_shown_unless_asked() -> None:
    wide = slab(Note(0, 60, 1), lowest=21, pitches=106)
    assert picture(wide, crop=False).height - picture(wide).height == 4 * (106 - 12)
    assert picture(slab(lowest=21, pitches=106)).size == picture(wide, crop=False).size


def test_several_rolls_stand_side_by_side() -> None:
    one, three = picture(slab()), picture([slab()] * 3, ["a", "b"], columns=2)
    assert (three.width, three.height) == (2 * one.width - 10, 2 * one.height - 10)
    assert WHITE_KEY in colours(slab())


@pytest.mark.parametrize("wrong", [{"scale": 0}, {"columns": 0}, {"beats_per_bar": 0}])
def test_a_picture_of_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidRoll, match="1 or more"):
        picture(slab(), **wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidRoll, match="0 rolls"):
        picture([])
