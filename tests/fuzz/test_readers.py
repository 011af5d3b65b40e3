"""Files from anywhere: each is read, or refused by the one error of its kind, in bounded time and memory.

Thousands of inputs: ``PIANOGAN_FUZZ=5000 python -m pytest tests/fuzz``.
"""

from __future__ import annotations

import contextlib
import json
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzzing import FUZZ
from hypothesis import given
from hypothesis import strategies as st
from music_fakes import make_piece
from tiny_model import tiny_card, tiny_weights, write_tiny

from pianogan_bgm import atlas
from pianogan_bgm.cards import MAX_CARD_BYTES, MAX_WEIGHTS_BYTES, ModelCard
from pianogan_bgm.errors import InvalidMidi, InvalidRoll, ModelDamaged, PlaylistError
from pianogan_bgm.generator import Generator, open_session
from pianogan_bgm.images import piece_slab, png_to_slab, slab_to_png
from pianogan_bgm.manifest import Manifest
from pianogan_bgm.midi import parse_midi, piece_to_midi

WEIGHTS = tiny_weights()
CARD = tiny_card(WEIGHTS).to_json().encode()
MIDI = piece_to_midi(make_piece(1), markers=[(4, "loopStart")], title="fuzz")
PNG = slab_to_png(piece_slab(make_piece(2)))
ATLAS = atlas.to_json(atlas.Atlas.of([(7, (1.0,) * len(atlas.FEATURES))], [0.5]), "tiny").encode()
PLAYLIST = json.dumps({"format": "pianogan-bgm playlist", "version": 1, "tracks": [{"name": "a"}]}).encode()

READERS: dict[str, tuple[Callable[[bytes], object], type[Exception], bytes]] = {
    "MIDI": (parse_midi, InvalidMidi, MIDI),
    "PNG": (png_to_slab, InvalidRoll, PNG),
    "card": (lambda data: ModelCard.from_json(data, "card"), ModelDamaged, CARD),
    "atlas": (lambda data: atlas.from_json(data.decode("utf-8", "replace")), ModelDamaged, ATLAS),
    "playlist": (lambda data: Manifest.from_json(data, "playlist"), PlaylistError, PLAYLIST),
    "network": (lambda data: open_session(data, "network"), ModelDamaged, WEIGHTS),
}


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """``good`` with some bytes changed, cut out, doubled or put in."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        size = draw(st.integers(0, 16))
        kind = draw(st.sampled_from(["change", "cut", "double", "put in", "end here"]))
        if kind == "change":
            data[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif kind == "cut":
            del data[at : at + size]
        elif kind == "double":
            data[at:at] = data[at : at + size]
        elif kind == "put in":
            data[at:at] = draw(st.binary(max_size=16))
        else:
            del data[at:]
    return bytes(data)


@pytest.mark.parametrize("reader", READERS)
def test_the_file_that_is_damaged_below_can_be_read(reader: str) -> None:
    read, error, good = READERS[reader]
    if reader == "playlist":  # just a head: whole ones are in tests/playlist
        with pytest.raises(error, match="is missing"):
            read(good)
    else:
        read(good)


@pytest.mark.parametrize("reader", READERS)
@FUZZ
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_by_name(reader: str, data: st.DataObject) -> None:
    read, error, good = READERS[reader]
    with contextlib.suppress(error):
        read(data.draw(damaged(good)))


@pytest.mark.parametrize("reader", READERS)
@FUZZ
@given(junk=st.binary(max_size=300))
def test_junk_is_refused_by_name(reader: str, junk: bytes) -> None:
    read, error, _ = READERS[reader]
    with pytest.raises(error):
        read(junk)


@pytest.mark.parametrize("reader", ["card", "atlas", "playlist"])
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "NaN", "1e999", "9" * 5000, '"\\ud800"'])
def test_json_that_breaks_parsers_is_refused_by_name(reader: str, text: str) -> None:
    read, error, _ = READERS[reader]
    with pytest.raises(error):
        read(text.encode())


@pytest.mark.parametrize("row", [[7], [7, 1], ["x"] * 9, [1e999] * 9, [7, *[float("nan")] * 8], 7, None])
def test_an_atlas_with_a_row_that_makes_no_sense_is_refused(row: object) -> None:
    table = {**json.loads(ATLAS), "rows": [row]}
    with pytest.raises(ModelDamaged):
        atlas.from_json(json.dumps(table))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))


def picture(width: int, height: int, *more: bytes, rows: bytes = b"") -> bytes:
    head = struct.pack(">LLBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + b"".join(more) + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


BOMBS: dict[str, tuple[Callable[[bytes], object], type[Exception], Callable[[], bytes]]] = {
    "a picture that claims 2**31 columns": (png_to_slab, InvalidRoll, lambda: picture(2**31 - 1, 106)),
    "a picture that claims 2**31 rows": (png_to_slab, InvalidRoll, lambda: picture(300, 2**31 - 1)),
    "a picture with 200 MB packed into its pixels": (
        png_to_slab,
        InvalidRoll,
        lambda: picture(300, 107, rows=bytes(200 * 2**20)),
    ),
    "a picture with 200 MB packed into its text": (
        png_to_slab,
        InvalidRoll,
        lambda: picture(
            300,
            106,
            chunk(b"zTXt", b"pianogan-bgm\0\0" + zlib.compress(b" " * (200 * 2**20))),
            rows=bytes(106 * 301),
        ),
    ),
    "a picture file of 33 MiB": (png_to_slab, InvalidRoll, lambda: PNG + bytes(33 * 2**20)),
    "a MIDI file of 3 MiB": (parse_midi, InvalidMidi, lambda: MIDI + bytes(3 * 2**20)),
    "a card too long": (
        lambda data: ModelCard.from_json(data, "card"),
        ModelDamaged,
        lambda: b" " * (MAX_CARD_BYTES + 1),
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_with_little_memory(name: str) -> None:
    read, error, build = BOMBS[name]
    data = build()
    tracemalloc.start()
    try:
        with pytest.raises(error):
            read(data)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 64 * 2**20


def test_weights_larger_than_any_generator_are_not_read_to_their_end(tmp_path: Path) -> None:
    path = write_tiny(tmp_path)
    with path.open("r+b") as file:
        file.truncate(4 * MAX_WEIGHTS_BYTES)  # sparse: takes no room on the disk
    tracemalloc.start()
    try:
        with pytest.raises(ModelDamaged, match="more than that"):
            Generator(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2 * MAX_WEIGHTS_BYTES + 2**20


@pytest.mark.parametrize("absolute", [True, False])
def test_a_network_may_not_keep_its_weights_in_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absolute: bool
) -> None:
    """ONNX allows a path as a tensor's place; a model from a stranger must not read files with it."""
    onnx = pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    model = onnx.load_from_string(WEIGHTS)
    secret = tmp_path / "secret"
    place = str(secret) if absolute else secret.name
    for tensor in model.graph.initializer:
        if tensor.name == "keys":
            secret.write_bytes(tensor.raw_data)
            size = len(tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (("location", place), ("offset", "0"), ("length", str(size))):
                tensor.external_data.add(key=key, value=value)
    with pytest.raises(ModelDamaged, match="names another file"):
        open_session(model.SerializeToString(), "network")
    path = write_tiny(tmp_path, weights=model.SerializeToString())
    for keep in (True, False):
        with pytest.raises(ModelDamaged, match="names another file"):
            Generator(path, keep=keep)


def test_no_module_of_the_package_can_run_code_from_a_file() -> None:
    """Neither pickle nor its kin, nor eval; numpy is asked to load no arrays of objects."""
    package = Path(atlas.__file__).parent
    forbidden = ("pickle", "marshal", "shelve", "eval(", "exec(", "allow_pickle=True", "yaml")
    found = [
        f"{path.name}: {word}"
        for path in package.rglob("*.py")
        for word in forbidden
        if word in path.read_text(encoding="utf-8")
    ]
    assert found == []
