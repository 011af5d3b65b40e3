from __future__ import annotations

import io
import signal
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile
from music_fakes import make_piece

from pianogan_bgm import Piece, Stream
from pianogan_bgm.errors import SoundError
from pianogan_bgm.notes import Note
from pianogan_bgm.playlist import sound as sound_module
from pianogan_bgm.playlist.loudness import loudness
from pianogan_bgm.playlist.sound import encode, lap_frames, record
from pianogan_bgm.playlist.tags import Tags
from pianogan_bgm.tune import Tune, prepare

RATE = 22050
PLUCK = "electric_piano"
TAGS = Tags("a", "b", "c", "d", "e")


@pytest.fixture(scope="module")
def tune() -> Tune:
    return prepare(make_piece(5, steps=96, tempo=130.0))


def test_a_loop_is_the_engines_second_lap_to_the_sample(tune: Tune) -> None:
    stream = Stream(tune.piece, rate=RATE, instrument=PLUCK)
    stream.play(loops=-1)
    heard = stream.fill(RATE * 60)
    second = next(event.frame for event in stream.events() if event.kind == "loop")
    lap = lap_frames(tune, RATE)
    made = record(tune, PLUCK, RATE, loop=True, stems=False, target=None)
    assert made.facts.frames == made.facts.loop_frames == lap
    assert np.array_equal(made.parts["mix"], heard[second : second + lap])
    assert np.array_equal(made.parts["mix"], heard[second + lap : second + 2 * lap])


def test_a_loop_begins_with_what_rings_from_its_end() -> None:
    late = prepare(Piece((Note(60, 60, 4), Note(62, 67, 2)), steps=64, tempo=240.0))
    made = record(late, "piano", RATE, loop=True, stems=False, target=None).parts["mix"]
    assert late.loop == (0, 64)
    assert np.abs(made[: RATE // 20]).max() > 0.001  # nothing is struck there
    jump = np.abs(made[0] - made[-1]).max()
    assert jump <= np.abs(np.diff(made[-RATE // 10 :], axis=0)).max() * 2


def test_a_one_shot_rings_out_and_has_no_loop(tune: Tune) -> None:
    made = record(tune, PLUCK, RATE, loop=False, stems=False, target=None)
    assert made.facts.loop_frames == 0
    assert made.facts.frames >= tune.piece.seconds * RATE
    assert np.abs(made.parts["mix"][-1]).max() < 0.001


@pytest.mark.parametrize("loop", [True, False])
def test_stems_are_aligned_and_add_up_to_the_mix(tune: Tune, loop: bool) -> None:
    made = record(tune, PLUCK, RATE, loop=loop, stems=True, target=-30.0)
    assert set(made.parts) == {"mix", "melody", "inner", "bass"}
    stems = sum(made.parts[part] for part in ("melody", "inner", "bass"))
    assert np.allclose(stems, made.parts["mix"], atol=1e-6)
    assert all(np.abs(block).max() > 0.001 for block in made.parts.values())


@pytest.mark.parametrize("target", [-30.0, -20.0, -14.0])
def test_the_loudness_asked_for_is_measured(tune: Tune, target: float) -> None:
    made = record(tune, PLUCK, RATE, loop=True, stems=False, target=target)
    assert made.facts.loudness == pytest.approx(target, abs=0.1)
    assert loudness(made.parts["mix"], RATE) == pytest.approx(target, abs=0.1)
    assert np.abs(made.parts["mix"]).max() == pytest.approx(made.facts.peak, abs=1e-4)
    assert made.facts.peak <= 1.0


@pytest.mark.parametrize(("stems", "times"), [(False, 4), (True, 7)])
def test_a_long_recording_is_not_held_many_times_over(stems: bool, times: int) -> None:
    long = prepare(Piece(tuple(Note(at, 60, 4) for at in range(0, 640, 32)), steps=640))
    tracemalloc.start()
    try:
        made = record(long, "chip_square", 44100, loop=False, stems=stems, target=-20.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < times * made.parts["mix"].nbytes


def test_a_piece_of_silence_is_silence() -> None:
    made = record(prepare(Piece((), steps=16)), PLUCK, RATE, loop=True, stems=False, target=-16.0)
    assert (made.facts.loudness, made.facts.peak) == (None, 0.0)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg"])
def test_sound_is_encoded_with_its_length_and_the_same_each_time(tune: Tune, kind: str) -> None:
    block = record(tune, PLUCK, RATE, loop=True, stems=False, target=None).parts["mix"]
    data = encode(block, kind, RATE, TAGS)
    read, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    assert (rate, read.shape) == (RATE, block.shape)
    assert np.abs(read - block).max() < (0.2 if kind == "ogg" else 4e-5)  # two steps of 16 bit
    assert encode(block, kind, RATE, TAGS) == data


def test_a_vorbis_loop_joins_as_smoothly_as_it_goes_on(tune: Tune) -> None:
    block = record(tune, PLUCK, RATE, loop=True, stems=False, target=None).parts["mix"]
    read, _ = soundfile.read(io.BytesIO(encode(block, "ogg", RATE, TAGS)), dtype="float32")
    error = np.abs(read - block)
    edges = max(error[:64].max(), error[-64:].max())
    assert edges < error.max() * 1.5


@pytest.mark.usefixtures("in_a_terminal")
@pytest.mark.parametrize("kind", ["ogg", "flac"])
def test_an_encoding_that_fails_is_an_error_and_an_interrupt_is_an_interrupt(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    block = np.zeros((100_000, 2), np.float32)
    with pytest.raises(SoundError, match="a FLAC file knows"):
        encode(block, "flac", 88211, TAGS)

    def broken(file: soundfile.SoundFile, parts: Iterator[np.ndarray]) -> int:
        raise soundfile.LibsndfileError(4)

    def interrupted(file: soundfile.SoundFile, parts: Iterator[np.ndarray]) -> int:
        signal.raise_signal(signal.SIGINT)  # as if within a call that would lose it
        return real(file, parts)

    real = sound_module.write_blocks
    monkeypatch.setattr(sound_module, "write_blocks", broken)
    with pytest.raises(SoundError, match=f"100000 frames at 22050 Hz cannot be encoded as {kind}"):
        encode(block, kind, RATE, TAGS)
    monkeypatch.setattr(sound_module, "write_blocks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        encode(block, kind, RATE, TAGS)
