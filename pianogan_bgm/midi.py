"""Notes to Standard MIDI Files and back; ticks live here and in :mod:`pianogan_bgm.midi_reading` alone.

Writing (:func:`piece_to_midi`, :func:`write_midi`) is deterministic, and lossless for notes: they are read
back as they were, with length, tempo, metre and licence; seed and model are there for people. Reading
(:func:`read_midi`, :func:`parse_midi`) gives a :class:`pianogan_bgm.score.Score`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any, Final

import mido

from pianogan_bgm.errors import InvalidMidi, InvalidNote
from pianogan_bgm.files import write_atomically
from pianogan_bgm.midi_reading import LONGEST_PAUSE, MAX_BYTES, score_of
from pianogan_bgm.notes import MAX_STEPS, STEPS_PER_BEAT, untangle
from pianogan_bgm.piece import RESOLUTION_RANGE, Piece
from pianogan_bgm.score import Score

RESOLUTION: Final = Fraction(1, STEPS_PER_BEAT)
_TEMPOS: Final = (60e6 / 0xFFFFFF, 60e6)
"""Beats a minute that a file can say: it has three bytes for the microseconds of a beat."""
FINEST: Final = RESOLUTION_RANGE[0].denominator
"""Largest denominator of a resolution: with it, a step is a whole number of ticks in any file."""
TICKS_PER_BEAT: Final = 480
SUSTAIN: Final = 64
"""Number of the controller that is the right pedal."""


def write_midi(piece: Piece, path: str | os.PathLike[str], **options: Any) -> None:
    """Write :func:`piece_to_midi` (same ``options``) to ``path``, whole or not at all."""
    write_atomically(path, piece_to_midi(piece, **options))


def piece_to_midi(
    piece: Piece,
    *,
    title: str | None = None,
    pedal: Sequence[tuple[int, int]] = (),
    markers: Sequence[tuple[int, str]] = (),
    tempos: Sequence[tuple[int, float]] = (),
    program: int = 0,
    resolution: Fraction | float = RESOLUTION,
) -> bytes:
    """``piece`` as a type 0 file; the same piece gives the same bytes.

    ``title``: the track's name. ``pedal``: sustain as ``(step pressed, step let go)``, in order and apart.
    ``markers``: ``(step, text)``. ``tempos``: ``(step, beats a minute)`` after the piece's own. ``program``:
    General MIDI, 0–127. ``resolution``: beats a step, where it is not a sixteenth. Velocities stay; a note
    struck again while it sounds ends there. Seed, model and licence travel as text. Raises
    :class:`InvalidNote` for a pedal, marker or tempo outside the piece, a bad resolution or program, and for
    more than :func:`read_midi` would read: ``MAX_STEPS`` steps, 2 MiB.
    """
    exact = grid_of(resolution)
    if not 0 <= program <= 127:
        raise InvalidNote(f"program must be 0 to 127; got {program}")
    if piece.steps > MAX_STEPS:
        raise InvalidNote(f"a file may hold {MAX_STEPS} steps; the piece has {piece.steps}")
    ticks_per_beat = lcm(TICKS_PER_BEAT, exact.denominator)
    ticks_per_step = int(ticks_per_beat * exact)
    if piece.steps * ticks_per_step > LONGEST_PAUSE:
        raise InvalidNote(f"{piece.steps} steps of {exact} beats are longer than a file can say")
    track = mido.MidiTrack(_headings(piece, title))
    track.append(mido.Message("program_change", program=program))
    now = 0
    events = (*_played(piece, pedal), *_marked(piece, markers), *_paced(piece, tempos))
    for step, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=(step - now) * ticks_per_step))
        now = step
    track.append(mido.MetaMessage("end_of_track", time=(piece.steps - now) * ticks_per_step))
    buffer = io.BytesIO()
    file = mido.MidiFile(type=0, ticks_per_beat=ticks_per_beat, tracks=[track], charset="utf-8")
    file.save(file=buffer)
    data = buffer.getvalue()
    if len(data) > MAX_BYTES:
        raise InvalidNote(
            f"a file may have {MAX_BYTES // 2**20} MiB; {len(piece.notes)} notes take {len(data)} bytes"
        )
    return data


def _headings(piece: Piece, title: str | None) -> Iterator[Any]:
    yield mido.MetaMessage("track_name", name=encodable(title or piece.title or piece.model or "piano"))
    if piece.licence is not None:
        yield mido.MetaMessage("copyright", text=encodable(piece.licence))
    for name, value in (("model", piece.model), ("seed", piece.seed)):
        if value is not None:
            yield mido.MetaMessage("text", text=encodable(f"{name}: {value}"))
    yield mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(piece.tempo))
    yield mido.MetaMessage("time_signature", numerator=piece.beats_per_bar, denominator=4)


def encodable(text: str) -> str:
    """``text`` without the halves of characters that a file name may hold and UTF-8 may not."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _played(piece: Piece, pedal: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, Any]]:
    """Step, rank and message: within a step keys rise, the pedal rises and falls, keys are struck."""
    for note in untangle(piece.notes):
        yield note.end, 0, mido.Message("note_off", note=note.pitch, velocity=0)
        yield note.start, 3, mido.Message("note_on", note=note.pitch, velocity=note.velocity)
    let_go = 0
    for down, up in pedal:
        if not let_go <= down < up <= piece.steps:
            raise InvalidNote(f"pedal {(down, up)} is not in order within {piece.steps} steps")
        let_go = up
        yield up, 1, mido.Message("control_change", control=SUSTAIN, value=0)
        yield down, 2, mido.Message("control_change", control=SUSTAIN, value=127)


def _marked(piece: Piece, markers: Sequence[tuple[int, str]]) -> Iterator[tuple[int, int, Any]]:
    """Step, rank and message, as :func:`_played`: markers stand before the keys struck in their step."""
    for step, text in markers:
        if not 0 <= step <= piece.steps:
            raise InvalidNote(f"marker {text!r} at step {step} is not within {piece.steps} steps")
        yield step, 2, mido.MetaMessage("marker", text=encodable(text))


def _paced(piece: Piece, tempos: Sequence[tuple[int, float]]) -> Iterator[tuple[int, int, Any]]:
    """Step, rank and message, as :func:`_played`: the tempo changes before anything else in its step."""
    for step, tempo in tempos:
        if not 0 <= step <= piece.steps:
            raise InvalidNote(f"tempo {tempo!r} at step {step} is not within {piece.steps} steps")
        if not _TEMPOS[0] <= tempo <= _TEMPOS[1]:
            limits = f"{_TEMPOS[0]:.4g} to {_TEMPOS[1]:.0f}"
            raise InvalidNote(f"a file can say {limits} beats a minute; got {tempo!r} at step {step}")
        yield step, -1, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo))


def read_midi(path: str | os.PathLike[str], resolution: Fraction | float = RESOLUTION) -> Score:
    """The file at ``path`` on a grid of ``resolution`` beats; see :func:`parse_midi`."""
    return parse_midi(_bytes_of(path), resolution, name=str(path))


def _bytes_of(path: str | os.PathLike[str]) -> bytes:
    """Of a file, so many that one that is too large is seen to be."""
    with Path(path).open("rb") as file:
        return file.read(MAX_BYTES + 1)


def read_piece(path: str | os.PathLike[str]) -> Piece:
    """The instruments of the file at ``path`` as one piece; raises as :func:`parse_midi` does.

    And :class:`InvalidMidi` where :meth:`~pianogan_bgm.score.Score.piece` does.
    """
    return parse_piece(_bytes_of(path), name=str(path))


def parse_piece(data: bytes, *, name: str = "MIDI data") -> Piece:
    """The instruments in the bytes of a file as one piece; raises as :func:`read_piece` does."""
    score = parse_midi(data, name=name)
    try:
        return score.piece()
    except InvalidMidi as error:
        raise InvalidMidi(f"{name}: {error}") from None


def parse_midi(data: bytes, resolution: Fraction | float = RESOLUTION, *, name: str = "MIDI data") -> Score:
    """The bytes of a type 0 or 1 file on a grid of ``resolution`` beats (see :func:`grid_of`).

    Raises :class:`InvalidMidi`, beginning with ``name``, for what is not such a file, is damaged, counts
    time in film frames, or is longer than ``MAX_STEPS`` steps; :class:`InvalidNote` for a bad resolution.
    """
    grid = grid_of(resolution)
    try:
        return score_of(data, grid)
    except InvalidMidi as error:
        raise InvalidMidi(f"{name}: {error}") from None
    except Exception as error:  # mido trips over damaged bytes in a dozen ways that all mean this
        why = str(error) or type(error).__name__
        raise InvalidMidi(f"{name}: damaged MIDI file ({why})") from error


def grid_of(resolution: Fraction | float) -> Fraction:
    """``resolution`` in beats as an exact fraction, 1/64 to 64, its denominator ``FINEST`` at most.

    Floats count as the fraction within 0.0001 of them. Raises :class:`InvalidNote` where there is none.
    """
    try:
        given = Fraction(resolution)
    except (OverflowError, ValueError):
        given = Fraction(0)
    exact = given.limit_denominator(FINEST)
    low, high = RESOLUTION_RANGE
    if not low <= exact <= high or abs(exact - given) > Fraction(1, 10_000):
        raise InvalidNote(f"resolution must be beats such as 1/4 or 1/3, {low} to {high}; got {resolution}")
    return exact
