"""How a Standard MIDI File is read. :mod:`pianogan_bgm.midi` is the door; these are the rules.

- One part per track, channel and program. A track that sets no program for its channel has the one that
  another track sets for it, or else the piano. Channel 10 (9 from 0) holds drums.
- A release ends the oldest sounding note of its key (players overlap repeats); a note never released is
  *hanging* and ends with the last release of its key after it, or else with its track.
- Every note lasts at least one step. Notes that meet on one key and step melt into one (*merged*).
- Pedals and other controllers are ignored: a note lasts as long as its key.
- Of several tempos or metres at one step the last in the file counts. The first copyright is the licence.
- Events that nothing here asks for are ignored, malformed ones too: keys, SMPTE offsets, system exclusives.
  So are tempos and metres of too few bytes.
- Files are bounded in bytes and in length, so refusing one takes seconds at most, however it is built.
"""

from __future__ import annotations

import io
import re
import struct
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, TypeAlias

import mido

from pianogan_bgm.errors import InvalidMidi
from pianogan_bgm.notes import MAX_STEPS, Note, untangle
from pianogan_bgm.piece import DEFAULT_TEMPO
from pianogan_bgm.roll import ROLL
from pianogan_bgm.score import Part, Report, Score

MAX_BYTES: Final = 2 * 2**20
"""Largest file read; a piano concert of two hours takes about half a megabyte."""
DRUM_CHANNEL: Final = 9
FAMILIES: Final = (
    *("piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass"),
    *("reed", "pipe", "synth lead", "synth pad", "synth effects", "ethnic", "percussive", "sound effects"),
)
"""General MIDI's families of eight programs; they name a part whose track has no name."""

LONGEST_PAUSE: Final = 0x0FFFFFFF
"""Ticks between two events: four bytes of seven bits."""
_LONGEST_NUMBER: Final = 8192
_MAX_TRACKS: Final = 0x7FFF
_META: Final = 0xFF
_EXCLUSIVE: Final = (0xF0, 0xF7)
_ASKED_FOR: Final = {**dict.fromkeys(range(0x01, 0x10), 0), 0x2F: 0, 0x51: 3, 0x58: 4}
"""Meta events that count, and the bytes they have at least: texts, end of track, tempo, metre."""
_NOTHING: Final = b"\xff\x7f\x00"
"""A meta event that says nothing."""
_Event: TypeAlias = tuple[int, Any]
"""The tick at which it happens, and mido's message."""


@dataclass(frozen=True, slots=True)
class _Clock:
    """Ticks to steps, exactly, halves upwards."""

    ticks: int
    """As many as there are in ``steps``; whole numbers, because fractions are slow."""
    steps: int

    def step(self, tick: int) -> int:
        step = (2 * tick * self.steps + self.ticks) // (2 * self.ticks)
        if step > MAX_STEPS:
            raise InvalidMidi(f"longer than {MAX_STEPS} steps")
        return step

    def shift(self, tick: int) -> float:
        return abs(tick * self.steps / self.ticks - self.step(tick))


@dataclass(frozen=True, slots=True)
class _Stroke:
    """A key pressed and let go, in ticks."""

    channel: int
    program: int
    pitch: int
    velocity: int
    start: int
    end: int

    def note(self, clock: _Clock) -> Note:
        start = clock.step(self.start)
        return Note(start, self.pitch, max(1, clock.step(self.end) - start), self.velocity)


def _only_tracks(data: bytes) -> bytes:
    """The file without chunks that are no tracks, after checks that cost little."""
    if data[:4] != b"MThd" or len(data) < 14:
        raise InvalidMidi("not a MIDI file (one begins with MThd)")
    if len(data) > MAX_BYTES:
        raise InvalidMidi(f"larger than {MAX_BYTES // 2**20} MiB")
    size, kind, _, division = struct.unpack(">LHHH", data[4:14])
    if kind not in (0, 1):
        raise InvalidMidi(f"MIDI file of type {kind}; types 0 and 1 can be read")
    if division & 0x8000:
        raise InvalidMidi("time in film frames (SMPTE division); only ticks per beat can be read")
    if division == 0:
        raise InvalidMidi("a division of 0 ticks per beat")
    tracks = [chunk for chunk in _chunks(data, 8 + size) if chunk[:4] == b"MTrk"]
    if not 1 <= len(tracks) <= _MAX_TRACKS:
        raise InvalidMidi(f"{len(tracks)} tracks; 1 to {_MAX_TRACKS} can be read")
    # a number goes on while its bytes are 128 or more: mido would build one of megabytes, bit by bit
    if any(len(run[0]) > _LONGEST_NUMBER for run in re.finditer(rb"[\x80-\xff]+", data)):
        raise InvalidMidi(f"a number of more than {_LONGEST_NUMBER} bytes")
    return struct.pack(">4sLHHH", b"MThd", 6, kind, len(tracks), division) + b"".join(tracks)


def _chunks(data: bytes, at: int) -> Iterator[bytes]:
    """Each chunk from byte ``at``, name and size included; stray bytes after the last are left out."""
    while data[at : at + 4].isalpha() and len(data) - at >= 8:
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        if end > len(data):
            raise InvalidMidi(f"cut short: a chunk ends at byte {end}, the file at {len(data)}")
        yield data[at:end]
        at = end


def score_of(data: bytes, resolution: Fraction) -> Score:
    """The score in ``data``, the bytes of a file, on a grid of ``resolution`` beats.

    Raises :class:`InvalidMidi` for what it finds wrong itself, and whatever mido happens to raise on
    damaged bytes.
    """
    file = _parsed(_only_tracks(data))
    clock = _Clock(*(file.ticks_per_beat * resolution).as_integer_ratio())
    tracks = [list(_events(track)) for track in file.tracks]
    everything = [event for events in tracks for event in events]
    programs: dict[int, int] = {}
    for _, message in everything:
        if message.type == "program_change":
            programs.setdefault(message.channel, message.program)
    strokes: list[_Stroke] = []
    parts: list[Part] = []
    hanging = 0
    for number, events in enumerate(tracks):
        found, never_released = _strokes(events, dict(programs))
        strokes += found
        hanging += never_released
        parts += _parts(number, _name(events), found, clock)
    return Score(
        parts=tuple(parts),
        steps=_length(tracks, parts, clock),
        resolution=resolution,
        tempos=_tempos(everything, clock),
        meters=_meters(everything, clock),
        report=_report(strokes, parts, hanging, clock),
        licence=_licence(everything),
    )


def _parsed(data: bytes) -> Any:
    """What mido makes of a file as :func:`_only_tracks` gives it."""
    try:
        return mido.MidiFile(file=io.BytesIO(data))
    except Exception as error:  # it refuses all of a file for one event that nothing here asks for
        try:
            tracks = [_plain(chunk[8:]) for chunk in _chunks(data, 14)]
        except IndexError:
            raise error from None
    chunks = b"".join(struct.pack(">4sL", b"MTrk", len(track)) + track for track in tracks)
    return mido.MidiFile(file=io.BytesIO(data[:14] + chunks))


def _plain(track: bytes) -> bytes:
    """The events of a track, with :data:`_NOTHING` for each that nothing asks for.

    Channel messages say their status, each of them. Raises ``IndexError`` where the track is cut short or
    holds what is no event.
    """
    plain, at, status = bytearray(), 0, 0
    while at < len(track):
        start, (_, at) = at, _number(track, at)
        plain += track[start:at]
        start = at
        if track[at] == _META or track[at] in _EXCLUSIVE:
            kind = track[at + 1] if track[at] == _META else None
            size, at = _number(track, at + (1 if kind is None else 2))
            at += size
            asked_for = kind in _ASKED_FOR and size >= _ASKED_FOR[kind]
            plain += track[start:at] if asked_for else _NOTHING
        else:
            if track[at] >= 0x80:
                status, at = track[at], at + 1
            if not 0x80 <= status < 0xF0:
                raise IndexError
            start, at = at, at + (1 if 0xC0 <= status < 0xE0 else 2)
            plain += bytes([status]) + track[start:at]
        if at > len(track):
            raise IndexError
    return bytes(plain)


def _number(track: bytes, at: int) -> tuple[int, int]:
    """The number of seven bits a byte that begins at ``at``, and where it has ended."""
    value = 0
    while True:
        value = value << 7 | track[at] & 0x7F
        at += 1
        if track[at - 1] < 0x80:
            return value, at


def _events(track: Iterable[Any]) -> Iterator[_Event]:
    now = 0
    for message in track:
        if message.time > LONGEST_PAUSE:
            raise InvalidMidi(f"a pause of more than {LONGEST_PAUSE} ticks")
        now += message.time
        yield now, message


def _strokes(events: Sequence[_Event], programs: dict[int, int]) -> tuple[list[_Stroke], int]:
    """The strokes of a track and how many of them were never released; ``programs`` by channel."""
    sounding: defaultdict[tuple[int, int], deque[tuple[int, int, int]]] = defaultdict(deque)
    released: dict[tuple[int, int], int] = {}
    strokes = []
    for now, message in events:
        if message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type in ("note_on", "note_off"):
            key = (message.channel, message.note)
            if message.type == "note_on" and message.velocity > 0:
                sounding[key].append((programs.get(message.channel, 0), message.velocity, now))
            elif sounding[key]:
                program, velocity, start = sounding[key].popleft()
                strokes.append(_Stroke(message.channel, program, message.note, velocity, start, now))
                released[key] = now
    over = events[-1][0] if events else 0
    hanging = [(key, *stroke) for key, strokes_left in sounding.items() for stroke in strokes_left]
    for (channel, pitch), program, velocity, start in hanging:
        end = released.get((channel, pitch), over)
        strokes.append(_Stroke(channel, program, pitch, velocity, start, end if end > start else over))
    return strokes, len(hanging)


def _parts(track: int, name: str, strokes: Iterable[_Stroke], clock: _Clock) -> Iterator[Part]:
    """The parts of a track; its name is theirs where it has but one, else their family's."""
    grouped: defaultdict[tuple[int, int], list[Note]] = defaultdict(list)
    for stroke in strokes:
        drums = stroke.channel == DRUM_CHANNEL
        grouped[stroke.channel, 0 if drums else stroke.program].append(stroke.note(clock))
    for (channel, program), notes in sorted(grouped.items()):
        drums = channel == DRUM_CHANNEL
        own_name = name if len(grouped) == 1 else ""
        family = "drums" if drums else FAMILIES[program // 8]
        yield Part(own_name or family, track, channel, program, drums, untangle(notes))


def _name(events: Iterable[_Event]) -> str:
    """The track's name."""
    return next((name for _, m in events if m.type == "track_name" and (name := _text(m.name))), "")


def _licence(events: Iterable[_Event]) -> str | None:
    """The first copyright that says something."""
    return next((text for _, m in events if m.type == "copyright" and (text := _text(m.text))), None)


def _text(text: str) -> str:
    """What mido read as Latin-1; files say nowhere how text is encoded, most are UTF-8 or Latin-1."""
    raw = text.strip("\0 ").encode("latin-1")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _length(tracks: Iterable[Sequence[_Event]], parts: Iterable[Part], clock: _Clock) -> int:
    ends = [clock.step(events[-1][0]) for events in tracks if events]
    return max([1, *ends, *(note.end for part in parts for note in part.notes)])


def _tempos(events: Iterable[_Event], clock: _Clock) -> tuple[tuple[int, float], ...]:
    """Beats a minute by step; a tempo of 0 microseconds a beat cannot be played and counts as absent."""
    found = [event for event in events if event[1].type == "set_tempo" and event[1].tempo > 0]
    by_step = {0: DEFAULT_TEMPO} | {clock.step(tick): 60e6 / m.tempo for tick, m in _in_order(found)}
    return tuple(sorted(by_step.items()))


def _meters(events: Iterable[_Event], clock: _Clock) -> tuple[tuple[int, int, int], ...]:
    found = [event for event in events if event[1].type == "time_signature" and event[1].numerator > 0]
    by_step = {0: (4, 4)} | {clock.step(tick): (m.numerator, m.denominator) for tick, m in _in_order(found)}
    return tuple((step, upper, lower) for step, (upper, lower) in sorted(by_step.items()))


def _in_order(events: Iterable[_Event]) -> list[_Event]:
    """By time; what comes at one tick as it comes in the file."""
    return sorted(events, key=lambda event: event[0])


def _report(strokes: Sequence[_Stroke], parts: Iterable[Part], hanging: int, clock: _Clock) -> Report:
    parts = list(parts)
    shifts = [clock.shift(stroke.start) for stroke in strokes]
    pitched = [note.pitch for part in parts if not part.drums for note in part.notes]
    return Report(
        notes=len(strokes),
        drums=sum(stroke.channel == DRUM_CHANNEL for stroke in strokes),
        moved=sum(shift > 0 for shift in shifts),
        mean_shift=sum(shifts) / max(1, len(shifts)),
        merged=len(strokes) - sum(len(part.notes) for part in parts),
        hanging=hanging,
        outside=sum(not ROLL.lowest <= pitch <= ROLL.highest for pitch in pitched),
    )
