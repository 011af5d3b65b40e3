from __future__ import annotations

import io
import json
import zlib
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from pianogan_bgm.errors import InvalidRoll
from pianogan_bgm.images import Slab, piece_slab, png_to_slab, read_png, slab_to_png, write_png
from pianogan_bgm.notes import DEFAULT_VELOCITY, Note, on_grid
from pianogan_bgm.piece import Piece
from pianogan_bgm.roll import RollSpec, encode_cells

PIECE = Piece(
    (Note(0, 21, 4, 127), Note(0, 60, 8, 81), Note(4, 21, 4, 1), Note(299, 126, 1, 63)),
    tempo=97.5,
    seed=7,
    model="open",
    licence="CC0 ©",
)

shades = st.integers(0, 255)


def png(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", **options)
    return buffer.getvalue()


def foreign(cells: npt.NDArray[Any]) -> Image.Image:
    return Image.fromarray(cells)


def black(width: int = 8, height: int = 106) -> npt.NDArray[np.uint8]:
    return np.zeros((height, width), dtype=np.uint8)


def midi2img_style_cells(data: bytes) -> set[tuple[int, int]]:
    """(pitch, column) of what sounds, read as midi2img's counterpart does: array order, above 127."""
    pixels = np.array(Image.open(io.BytesIO(data)))
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 2
    return {(int(row) + 21, int(column)) for row, column in np.argwhere(pixels > 127)}


@given(st.integers(1, 40), st.data())
def test_any_cells_come_back_from_their_picture_unchanged(width: int, data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 4))
    pixels = data.draw(st.lists(shades, min_size=rows * width, max_size=rows * width))
    cells = np.array(pixels, dtype=np.uint8).reshape(rows, width)
    slab = png_to_slab(slab_to_png(Slab(cells, RollSpec(60, rows, width))))
    assert slab.cells.tolist() == cells.tolist()


def test_a_piece_comes_back_from_its_picture_with_everything_said_of_it(tmp_path: Path) -> None:
    write_png(piece_slab(PIECE), tmp_path / "a.png")
    slab = read_png(tmp_path / "a.png")
    assert slab.notes == PIECE.notes
    assert (slab.roll == PIECE.roll).all()
    assert (slab.spec, slab.resolution, slab.start) == (RollSpec(), Fraction(1, 4), 0)
    said = {"tempo": 97.5, "beats_per_bar": 4, "seed": 7, "model": "open", "licence": "CC0 ©"}
    assert slab.facts == said
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("convention", ["struck", "edges"])
def test_a_midi2img_style_reader_sees_the_sounding_cells(convention: Any) -> None:
    spec = RollSpec(convention=convention)
    data = slab_to_png(Slab(encode_cells(PIECE.notes, spec), spec))
    expected = {(note.pitch, step) for note in PIECE.notes for step in range(note.start, note.end)}
    assert midi2img_style_cells(data) == expected


def test_the_top_row_of_the_picture_is_the_lowest_pitch() -> None:
    image = Image.open(io.BytesIO(slab_to_png(piece_slab(Piece((Note(3, 21, 1, 127),))))))
    assert (image.mode, image.size) == ("L", (300, 106))
    assert image.getpixel((3, 0)) == 255


def test_the_same_slab_gives_the_same_bytes() -> None:
    assert slab_to_png(piece_slab(PIECE)) == slab_to_png(piece_slab(PIECE))


def test_convention_resolution_place_and_lowest_pitch_travel_with_the_picture() -> None:
    spec = RollSpec(lowest=36, pitches=49, steps=17, convention="edges")
    slab = Slab(encode_cells([Note(1, 40, 3)], spec), spec, Fraction(1, 3), 600, {"title": "a"})
    again = png_to_slab(slab_to_png(slab))
    assert (again.spec, again.resolution, again.start, again.facts) == (
        spec,
        Fraction(1, 3),
        600,
        {"title": "a"},
    )
    assert again.notes == (Note(1, 40, 3, DEFAULT_VELOCITY),)


# Pictures that others made.


def test_a_foreign_picture_is_read_by_its_edges() -> None:
    cells = black()
    cells[0, 1:4] = 255
    cells[39, 4:] = 192  # a mere grey: no strike without a word about strikes
    slab = png_to_slab(png(foreign(cells)))
    assert slab.spec == RollSpec(steps=8, convention="edges")
    assert (slab.start, slab.facts) == (None, {})
    assert slab.notes == (Note(1, 21, 3, DEFAULT_VELOCITY), Note(4, 60, 4, DEFAULT_VELOCITY))


def white_note(mode: str) -> Image.Image:
    """A note at pitch 60, columns 2 to 4, in a picture of ``mode``."""
    cells = black()
    cells[39, 2:5] = 255
    if mode == "I;16":
        return Image.fromarray(cells.astype(np.uint16) * 257)
    return Image.fromarray(cells).convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_picture_is_understood(mode: str) -> None:
    assert png_to_slab(png(white_note(mode))).notes == (Note(2, 60, 3, DEFAULT_VELOCITY),)


def test_16_bits_are_scaled_not_cut() -> None:
    cells = black().astype(np.uint16)
    cells[0, 0], cells[0, 1], cells[0, 2] = 0x7FFF, 0x8000, 0x00FF
    assert png_to_slab(png(Image.fromarray(cells))).cells[0, :3].tolist() == [127, 128, 0]


def test_a_bright_colour_sounds_and_transparency_is_silent() -> None:
    pixels = np.zeros((106, 4, 4), dtype=np.uint8)
    pixels[39] = [(0, 0, 255, 255), (255, 255, 255, 0), (255, 0, 0, 120), (0, 100, 0, 255)]
    assert png_to_slab(png(Image.fromarray(pixels))).cells[39].tolist() == [255, 0, 120, 100]


def test_a_transparent_palette_entry_is_silent() -> None:
    image = Image.fromarray(black()).convert("P")
    image.putpalette([255, 255, 255, 255, 0, 0])
    image.putpixel((2, 39), 1)
    assert png_to_slab(png(image, transparency=0)).notes == (Note(2, 60, 1, DEFAULT_VELOCITY),)


# Refusals.


@pytest.mark.parametrize("height", [105, 107, 128])
def test_another_height_is_refused_with_what_was_expected(height: int) -> None:
    with pytest.raises(InvalidRoll, match=rf"^a.png: expected 106 rows .* has {height}"):
        png_to_slab(png(foreign(black(height=height))), name="a.png")


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be huge."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + name + content + check

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("size", [(262145, 106), (20000, 20000), (2**31 - 1, 2**31 - 1)])
def test_a_picture_that_claims_to_be_huge_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(InvalidRoll):
        png_to_slab(bomb(*size))


def test_a_file_that_is_no_picture_or_a_damaged_one_is_refused_and_named() -> None:
    whole = slab_to_png(piece_slab(PIECE))
    jpeg = io.BytesIO()
    foreign(black()).save(jpeg, format="JPEG")
    for damaged in (b"", b"PNG", whole[:100], whole[: len(whole) // 2], bomb(300, 106), jpeg.getvalue()):
        with pytest.raises(InvalidRoll, match=r"^a\.png: not a PNG picture, or a damaged one") as refused:
            png_to_slab(damaged, name="a.png")
        assert "BytesIO" not in str(refused.value)


def described(**changes: Any) -> bytes:
    said = json.loads(Image.open(io.BytesIO(slab_to_png(piece_slab(PIECE)))).text["pianogan-bgm"])  # type: ignore[attr-defined]
    info = PngImagePlugin.PngInfo()
    info.add_text("pianogan-bgm", changes.pop("text", None) or json.dumps(said | changes))
    return png(foreign(piece_slab(PIECE).cells), pnginfo=info)


def test_our_text_written_by_another_program_is_understood() -> None:
    assert png_to_slab(described()).notes == PIECE.notes


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"format": 2}, "format 2; this version reads up to 1"),
        ({"text": "{"}, "cannot be read"),
        ({"text": "[" * 100_000}, "cannot be read"),
        ({"text": "{}"}, "cannot be read"),
        ({"convention": "dots"}, "convention must be one of"),
        ({"lowest": 90}, "pitches within 0 to 127"),
        ({"lowest": "21"}, "makes no sense"),
        ({"pitches": 88}, "expected 88 rows"),
        ({"resolution": "1e999999"}, "makes no sense"),
        ({"resolution": "1/0"}, "makes no sense"),
        ({"resolution": 0.25}, "cannot be read"),
        ({"start": -1}, "makes no sense"),
        ({"start": 10**9}, "makes no sense"),
        ({"facts": []}, "makes no sense"),
        ({"facts": {"tempo": True}}, "makes no sense"),
        ({"facts": {"seed": False}}, "makes no sense"),
        ({"resolution": "65"}, "makes no sense"),
        ({"resolution": "1/65"}, "makes no sense"),
    ],
)
def test_a_text_that_contradicts_itself_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRoll, match=says):
        png_to_slab(described(**changes))


@given(st.data())
def test_a_picture_with_one_byte_changed_never_raises_anything_else(data: st.DataObject) -> None:
    whole = slab_to_png(piece_slab(PIECE))
    at = data.draw(st.integers(0, len(whole) - 1))
    with suppress(InvalidRoll):
        png_to_slab(whole[:at] + bytes([data.draw(shades)]) + whole[at + 1 :])


def test_cells_that_do_not_fit_their_spec_are_refused() -> None:
    with pytest.raises(InvalidRoll, match=r"cells must be uint8 \(106, 300\)"):
        Slab(black(width=299))


def test_notes_that_overlap_are_seen_as_the_grid_holds_them() -> None:
    notes = (Note(0, 60, 8, 80), Note(4, 60, 8, 90))
    assert piece_slab(Piece(notes)).notes == on_grid(notes)
