"""Standard MIDI files as arrays, in ticks and in seconds. Only what preparing data needs."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import mido
import numpy as np
import numpy.typing as npt

from training.corpus import DataError

DRUM_CHANNEL: Final = 9
DEFAULT_TEMPO: Final = 500_000

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Score:
    """A MIDI file's notes and clocks.

    ``notes``: int64 (n, 4) of start tick, end tick, pitch, velocity, sorted by start and pitch.
    ``signatures``: (tick, numerator, denominator) ascending. ``tempos``: int64 (m, 2) of tick and
    microseconds a beat, ascending from tick 0. ``drums``: notes of the drum channel, left out.
    """

    ticks_per_beat: int
    notes: Ints
    signatures: tuple[tuple[int, int, int], ...]
    tempos: Ints
    drums: int

    def seconds(self, ticks: Ints) -> Floats:
        """Times in seconds of ``ticks``, float64 of the same shape."""
        at, tempo = self.tempos[:, 0], self.tempos[:, 1]
        lasting = np.diff(at) * tempo[:-1]
        since = np.concatenate([[0], np.cumsum(lasting)])
        part = np.searchsorted(at, ticks, side="right") - 1
        total = since[part] + (ticks - at[part]) * tempo[part]
        return np.asarray(total / (1e6 * self.ticks_per_beat), dtype=np.float64)


def read(data: bytes) -> Score:
    """The bytes of a MIDI file to a :class:`Score`; raises :class:`DataError` if they are not one."""
    try:
        file = mido.MidiFile(file=io.BytesIO(data), clip=True)
        if file.ticks_per_beat < 1:  # SMPTE time: no beats in it
            raise DataError(f"expected ticks per beat; got the time division {file.ticks_per_beat}")
        return _collect(file)
    except (OSError, EOFError, ValueError, LookupError, TypeError) as error:
        raise DataError(f"not a readable MIDI file: {error!r}") from error


def _collect(file: Any) -> Score:
    notes: list[tuple[int, int, int, int]] = []
    signatures: dict[int, tuple[int, int, int]] = {}
    tempos = {0: DEFAULT_TEMPO}
    drums = 0
    for track in file.tracks:
        tick = 0
        open_notes: dict[tuple[int, int], tuple[int, int]] = {}
        for message in track:
            tick += message.time
            kind = message.type
            if kind in ("note_on", "note_off"):
                if message.channel == DRUM_CHANNEL:
                    drums += kind == "note_on" and message.velocity > 0
                    continue
                key = (message.channel, message.note)
                started = open_notes.pop(key, None)
                if started is not None:
                    notes.append((started[0], tick, message.note, started[1]))
                if kind == "note_on" and message.velocity > 0:
                    open_notes[key] = (tick, message.velocity)
            elif kind == "time_signature":
                signatures[tick] = (tick, message.numerator, message.denominator)
            elif kind == "set_tempo" and message.tempo > 0:
                tempos[tick] = message.tempo
        # a note that is never let go lasts until its track ends
        notes += [(start, tick, key[1], velocity) for key, (start, velocity) in open_notes.items()]
    array = np.array(notes, dtype=np.int64).reshape(-1, 4)
    array = array[np.lexsort((array[:, 2], array[:, 0]))]
    return Score(
        ticks_per_beat=file.ticks_per_beat,
        notes=array,
        signatures=tuple(signatures[tick] for tick in sorted(signatures)),
        tempos=np.array(sorted(tempos.items()), dtype=np.int64),
        drums=drums,
    )
