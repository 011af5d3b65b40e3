"""SoundFont files (SF2): one preset's samples and how they are to be played, read with numpy alone.

What is read, by the SoundFont 2.04 specification (E-mu, 2006): presets and instruments with their zones by
key and velocity, 16-bit samples with loops, tuning, attenuation, pan, and the volume envelope. What is not:
filters, low-frequency oscillators, the modulation envelope, modulators, forced keys and velocities,
compressed samples. Attenuation counts for 0.4 of what the file says, as in the hardware that the files were
made for.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from pianogan_bgm.errors import SoundError

MAX_ZONES: Final = 1 << 16
MAX_TABLE: Final = 1 << 25
"""Bytes of one table; the largest fonts have some megabytes."""

# generators, by their numbers in the specification
_OFFSETS: Final = ((0, 4), (1, 12), (2, 45), (3, 50))
_PAN, _DELAY, _ATTACK, _HOLD, _DECAY, _SUSTAIN, _RELEASE = 17, 33, 34, 35, 36, 37, 38
_HOLD_BY_KEY, _DECAY_BY_KEY = 39, 40
_INSTRUMENT, _KEYS, _VELOCITIES, _ATTENUATION, _COARSE, _FINE = 41, 43, 44, 48, 51, 52
_SAMPLE, _MODES, _SCALE, _ROOT = 53, 54, 56, 58
_DEFAULTS: Final = {
    **dict.fromkeys((_DELAY, _ATTACK, _HOLD, _DECAY, _RELEASE), -12000),
    _SCALE: 100,
    _ROOT: -1,
}
_NOT_ADDED: Final = (_KEYS, _VELOCITIES, _SAMPLE, _MODES, _ROOT, 0, 1, 2, 3, 4, 12, 45, 50)
"""Generators that a preset may not change."""
_COMPRESSED: Final = 0x10
_RECORDS: Final = {
    "phdr": "<20sHHHIII",
    "pbag": "<HH",
    "pgen": "<Hh",
    "inst": "<20sH",
    "ibag": "<HH",
    "igen": "<Hh",
    "shdr": "<20sIIIIIBbHH",
}


class Zone(NamedTuple):
    """A sample and how it is played for some keys and velocities.

    ``start``, ``end``, ``loop``: frames of the file's sample data; ``loop`` is None for a sample that is
    played once. ``cents``: of the file's rate, as a line of the key: ``scale × key + cents``. ``delay``,
    ``attack``, ``hold``, ``decay``, ``release``: seconds. Hold and decay are those of key 60, and for each
    key below it longer by ``hold_by_key`` and ``decay_by_key``, in 1200ths of a doubling. ``sustain``,
    ``gain``: linear. ``sides``: gains of both sides.
    """

    keys: tuple[int, int]
    velocities: tuple[int, int]
    start: int
    end: int
    loop: tuple[int, int] | None
    rate: int
    scale: float
    cents: float
    delay: float
    attack: float
    hold: float
    hold_by_key: int
    decay: float
    decay_by_key: int
    sustain: float
    release: float
    gain: float
    sides: tuple[float, float]


@dataclass(frozen=True)
class Bank:
    """The samples of a file, int16 mono, and the zones of one preset."""

    samples: npt.NDArray[np.int16]
    zones: tuple[Zone, ...]


def read_soundfont(path: Path, bank: int | None = None, program: int | None = None) -> Bank:
    """One preset of the file: by bank and program, else the first of the lowest numbers.

    Raises :class:`SoundError` for a file that is no SoundFont, is damaged or lacks the preset.
    """
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return _bank(data, bank, program)
    except (OSError, ValueError, IndexError, KeyError, struct.error, RecursionError) as error:
        raise SoundError(f"{path}: not a SoundFont (SF2) that can be read: {error}") from error


def _bank(data: mmap.mmap, bank: int | None, program: int | None) -> Bank:
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise ValueError("it does not begin as one")
    chunks = dict(_chunks(data, 12, len(data)))
    begin, size = chunks["smpl"]
    samples = np.frombuffer(data, dtype="<i2", count=size // 2, offset=begin)
    tables = {name: _rows(data, chunks[name], form) for name, form in _RECORDS.items()}
    shdr = tables["shdr"]
    presets = sorted((row[2], row[1], number) for number, row in enumerate(tables["phdr"][:-1]))
    wanted = [one for one in presets if bank in (None, one[0]) and program in (None, one[1])]
    if not wanted:
        raise ValueError(f"no preset {bank}:{program} among {[f'{b}:{p}' for b, p, _ in presets][:20]}")
    zones: list[Zone] = []
    tried = 0
    for outer in _zones(tables, _PRESET, wanted[0][2]):
        for inner in _zones(tables, _INNER, outer[_INSTRUMENT] & 0xFFFF):
            zone = _zone(outer, inner, shdr[inner[_SAMPLE] & 0xFFFF], len(samples))
            zones += [] if zone is None else [zone]
            tried += 1
            if tried > MAX_ZONES:
                raise ValueError(f"a preset of more than {MAX_ZONES} zones")
    if not zones:
        raise ValueError("the preset has no sample")
    return Bank(samples, tuple(zones))


def _chunks(data: mmap.mmap, at: int, end: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Names of all chunks, those within lists too, with place and size."""
    while at + 8 <= end:
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        if at + 8 + size > end:
            raise ValueError(f"the chunk {name!r} is longer than the file")
        if name == b"LIST":
            yield from _chunks(data, at + 12, at + 8 + size)
        else:
            yield name.decode("latin-1"), (at + 8, size)
        at += 8 + size + size % 2


def _rows(data: mmap.mmap, place: tuple[int, int], form: str) -> list[Any]:
    begin, size = place
    if size > MAX_TABLE:
        raise ValueError(f"a table of {size} bytes")
    return list(struct.iter_unpack(form, data[begin : begin + size - size % struct.calcsize(form)]))


_PRESET: Final = ("phdr", "pbag", "pgen", _INSTRUMENT)
_INNER: Final = ("inst", "ibag", "igen", _SAMPLE)


def _zones(
    tables: dict[str, list[Any]], level: tuple[str, str, str, int], number: int
) -> Iterator[dict[int, int]]:
    """Generators of every zone of a preset or an instrument, those of its global zone below them."""
    heads, bags, gens, last = level
    shared: dict[int, int] = {}
    first, beyond = tables[heads][number], tables[heads][number + 1]
    place = 3 if heads == "phdr" else 1
    for bag in range(first[place], beyond[place]):
        begin, end = tables[bags][bag][0], tables[bags][bag + 1][0]
        found = dict(tables[gens][begin:end])
        if last in found:
            yield {**shared, **found}
        elif bag == first[place]:
            shared = found


def _zone(outer: dict[int, int], inner: dict[int, int], head: Any, frames: int) -> Zone | None:
    """One zone of a preset; None where its ranges do not meet or its sample is empty."""
    _, start, end, loop_start, loop_end, rate, pitch, correction, _, kind = head
    if kind & _COMPRESSED:
        raise ValueError("its samples are compressed (SF3); only SF2 is read")
    keys, velocities = (_meet(outer.get(which), inner.get(which)) for which in (_KEYS, _VELOCITIES))
    value = {**_DEFAULTS, **inner}
    for which, more in outer.items():
        if which not in _NOT_ADDED:
            value[which] = value.get(which, 0) + more
    moved = [inner.get(fine, 0) + 32768 * inner.get(coarse, 0) for fine, coarse in _OFFSETS]
    places = zip((start, end, loop_start, loop_end), moved, strict=True)
    start, end, loop_start, loop_end = (place + more for place, more in places)
    looped = value.get(_MODES, 0) in (1, 3) and start <= loop_start < loop_end <= end
    if keys[0] > keys[1] or velocities[0] > velocities[1] or not 0 <= start < end <= frames:
        return None
    if not 1000 <= rate <= 200000:
        raise ValueError(f"a sample rate of {rate} Hz")
    root = value[_ROOT] if 0 <= value[_ROOT] <= 127 else pitch if pitch <= 127 else 60
    scale = min(max(value[_SCALE], 0), 1200)
    angle = (min(max(value.get(_PAN, 0), -500), 500) + 500) / 1000.0 * np.pi / 2.0
    return Zone(
        keys,
        velocities,
        start,
        end,
        (loop_start, loop_end) if looped else None,
        rate,
        scale,
        100.0 * value.get(_COARSE, 0) + value.get(_FINE, 0) + correction - scale * root,
        _seconds(value[_DELAY]) if value[_DELAY] > -12000 else 0.0,
        _seconds(value[_ATTACK]),
        _seconds(value[_HOLD]),
        min(max(value.get(_HOLD_BY_KEY, 0), -1200), 1200),
        _seconds(value[_DECAY]),
        min(max(value.get(_DECAY_BY_KEY, 0), -1200), 1200),
        10.0 ** (-min(max(value.get(_SUSTAIN, 0), 0), 1000) / 200.0),
        # the file's time is for 100 dB, the release curve's for 40
        max(0.02, 0.4 * _seconds(value[_RELEASE])),
        10.0 ** (-0.4 * max(value.get(_ATTENUATION, 0), 0) / 200.0),
        (float(np.cos(angle)), float(np.sin(angle))),
    )


def _meet(outer: int | None, inner: int | None) -> tuple[int, int]:
    """The range two generators leave; a range is two bytes, the lower end first."""
    ranges = [
        (0, 127) if amount is None else (amount & 0xFF, amount >> 8 & 0xFF) for amount in (outer, inner)
    ]
    return max(low for low, _ in ranges), min(high for _, high in ranges)


def _seconds(timecents: int) -> float:
    return float(2.0 ** (min(max(timecents, -12000), 4000) / 1200.0))
