"""The manifest of a playlist, ``playlist.json``: what was baked, from what, with which files.

A playlist is a folder of files and this one beside them. It is read strictly, for it may come from anywhere:
every key and value is checked, its size is bounded before it is parsed, and a track's files are plain names
in the same folder. Needs neither the model nor onnxruntime. Most of these rules are, for other programs, in
``playlist.schema.json``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from pianogan_bgm.cards import LATENT_SIZE
from pianogan_bgm.errors import PlaylistError
from pianogan_bgm.files import write_atomically
from pianogan_bgm.instruments import NAMES, RATES
from pianogan_bgm.json_rules import (
    A_HASH,
    A_MODEL_NAME,
    A_TEXT,
    A_TRUTH,
    AN_OBJECT,
    Rule,
    matching,
    or_null,
    real,
    short,
    whole,
    without_twins,
    wrong_key,
    wrong_value,
)
from pianogan_bgm.latents import SEED_LIMIT
from pianogan_bgm.notes import MAX_STEPS, STEPS_PER_BEAT
from pianogan_bgm.piece import MAX_BEATS_PER_BAR, TEMPO_RANGE

MANIFEST: Final = "playlist.json"
FORMAT: Final = "pianogan-bgm playlist"
VERSION: Final = 1
MAX_BYTES: Final = 1 << 28
"""256 MiB, some 150,000 tracks."""
MAX_TRACKS: Final = 200_000
MAX_SEEDS: Final = 256
"""Pieces of one medley."""
MAX_MINUTES: Final = 30.0
"""Longest medley; its sound is held in memory while it is made, some 50 MB a minute."""
FORMATS: Final = ("mid", "ogg", "wav", "flac", "png")
SOUNDS: Final = ("ogg", "wav", "flac")
"""Formats that hold sound rather than notes."""
MIX: Final = "mix"
STEMS: Final = ("melody", "inner", "bass")
LOUDNESS_RANGE: Final = (-40.0, -8.0)
"""LUFS that can be asked for."""
_Data = TypeVar("_Data")


@dataclass(frozen=True, slots=True)
class TrackFile:
    """One file of a track.

    ``name``: in the playlist's folder. ``format``: one of :data:`FORMATS`. ``part``: ``"mix"`` or one of
    :data:`STEMS`. ``bytes`` and ``sha256``: what it has to be.
    """

    name: str
    format: str
    part: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Loop:
    """The best loop of a track's notes, in beats from the beginning of its MIDI file; both are bar lines."""

    start_beat: float
    end_beat: float


@dataclass(frozen=True, slots=True)
class Sound:
    """What a track's audio files have in common.

    ``rate``: Hz. ``frames``: length. ``loop_start``, ``loop_frames``: the stretch to repeat, in frames; both
    0 in a one-shot. ``loudness``: LUFS, measured as ITU-R BS.1770 says; None where it is too short or silent.
    ``peak``: largest sample, 0 to 1.
    """

    rate: int
    frames: int
    loop_start: int
    loop_frames: int
    loudness: float | None
    peak: float


@dataclass(frozen=True, slots=True)
class Track:
    """One piece of music.

    ``name``: also the beginning of its files' names. ``title``: for people. ``model``, ``weights_sha256``:
    what composed it. ``seeds``: of its pieces, one unless it is a medley; ``latents``: theirs, 14 numbers
    each. ``key``: such as ``"Eb major"``, as it sounds; ``transposed``: semitones from what was composed,
    for each seed. ``tempo``: beats (quarter notes) a minute. ``bars``: whole ones. ``beats``: the length of
    its MIDI file. ``moods``: that it suits, by the model's atlas. ``licence``: what it may be used for.
    """

    name: str
    title: str
    model: str
    weights_sha256: str
    seeds: tuple[int, ...]
    latents: tuple[tuple[float, ...], ...]
    key: str
    transposed: tuple[int, ...]
    tempo: float
    beats_per_bar: int
    bars: int
    beats: float
    loop: Loop
    moods: tuple[str, ...]
    sound: Sound | None
    licence: str
    files: tuple[TrackFile, ...]

    def file(self, format: str, part: str = MIX) -> TrackFile | None:
        """The track's file of that format and part, if it has one."""
        return next((file for file in self.files if (file.format, file.part) == (format, part)), None)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a playlist was made: with the seeds, all that is needed to make it again.

    ``minutes``: length of a medley, None for single pieces. ``loudness``: LUFS asked for, None for as it
    comes. ``tempo``, ``key``: None for the model's own. ``mood``: what the choice was made by.
    ``distance``: least distance between two tracks, 0 to 1 (:mod:`pianogan_bgm.playlist.choice`).
    """

    formats: tuple[str, ...] = ("mid", "ogg", "png")
    instrument: str = "piano"
    rate: int = 44100
    loop: bool = True
    stems: bool = False
    loudness: float | None = -16.0
    tempo: float | None = None
    key: str | None = None
    minutes: float | None = None
    mood: str | None = None
    distance: float = 0.0


@dataclass(frozen=True, slots=True)
class Manifest:
    """A playlist. ``attribution``: the lines to show where its music is heard. ``made_with``: program."""

    title: str
    made_with: str
    licence: str
    may_sell: bool
    attribution: tuple[str, ...]
    settings: Settings
    tracks: tuple[Track, ...]

    def to_json(self) -> str:
        """The text of ``playlist.json``: a line of head for each key, then a line for each track."""
        table = asdict(self)
        tracks = table.pop("tracks")
        head = {"format": FORMAT, "version": VERSION, **table}
        lines = [f" {_json(name)}: {_json(value)},\n" for name, value in head.items()]
        rows = ",\n".join(f"  {_json(track)}" for track in tracks)
        return "{\n" + "".join(lines) + ' "tracks": [\n' + rows + "\n ]\n}\n"

    @classmethod
    def from_json(cls, data: bytes, where: str) -> Manifest:
        """Read the bytes of a manifest. ``where`` names it in errors: :class:`PlaylistError`, always."""
        if len(data) > MAX_BYTES:
            raise PlaylistError(f"{where}: a manifest has at most {MAX_BYTES} bytes; got more")
        try:
            table = json.loads(data.decode("utf-8-sig"), object_pairs_hook=without_twins)
        except (ValueError, RecursionError) as error:
            raise PlaylistError(f"{where}: not a playlist in JSON: {error}") from error
        return _manifest(table, where)


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """The manifest at ``path``, or in the folder ``path``.

    Raises :class:`PlaylistError` for what is not there, cannot be read or breaks a rule of this module.
    """
    place = Path(path)
    if place.is_dir():
        place = place / MANIFEST
    try:
        with place.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PlaylistError(f"{place}: no playlist can be read there: {error.strerror}") from error
    return Manifest.from_json(data, str(place))


def write_manifest(manifest: Manifest, folder: str | os.PathLike[str]) -> Path:
    """Write ``playlist.json`` into ``folder``, whole or not at all; returns its path.

    Raises :class:`PlaylistError` for what :func:`read_manifest` would refuse, and :class:`OSError`.
    """
    place = Path(folder) / MANIFEST
    data = manifest.to_json().encode("utf-8")
    Manifest.from_json(data, str(place))
    write_atomically(place, data)
    return place


# ------------------------------------------------------------------------------------------------ rules

_ENVELOPE: Final = ("format", "version")
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that mean devices on Windows, with any ending."""


def is_plain_name(value: Any) -> bool:
    """Whether ``value`` is a file name that means a file in the same folder on every system."""
    return (
        isinstance(value, str)
        and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}", value) is not None
        and not value.endswith(".")
        and _RESERVED.fullmatch(value) is None
    )


def _manifest(table: Any, where: str) -> Manifest:
    if not isinstance(table, dict):
        raise PlaylistError(f"{where}: a playlist is a JSON object; got {type(table).__name__}")
    version = table.get("version")
    if table.get("format") != FORMAT or type(version) is not int or version != VERSION:
        got = f"{short(table.get('format'))}, {short(version)}"
        raise PlaylistError(f"{where}: expected a {FORMAT!r} of version {VERSION}; got {got}")
    values = {name: value for name, value in table.items() if name not in _ENVELOPE}
    values = _checked(Manifest, values, _MANIFEST, where)
    settings = _make(Settings, values["settings"], _SETTINGS, f"{where}: settings")
    tracks = tuple(_track(row, f"{where}: track {n}") for n, row in enumerate(values["tracks"], 1))
    _no_twins([track.name for track in tracks], "track", where)
    _no_twins([file.name for track in tracks for file in track.files], "file", where)
    return Manifest(**{**values, "settings": settings, "tracks": tracks})


def _track(table: Any, where: str) -> Track:
    values = _checked(Track, table, _TRACK, where)
    for name in ("latents", "transposed"):
        if len(values[name]) != len(values["seeds"]):
            raise PlaylistError(f"{where}: {name} must be one for each of {len(values['seeds'])} seeds")
    loop = _make(Loop, values["loop"], _LOOP, f"{where}: loop")
    if not loop.start_beat < loop.end_beat <= values["beats"]:
        raise PlaylistError(f"{where}: loop must lie within {values['beats']} beats; got {loop}")
    said = values["sound"]
    sound = None if said is None else _make(Sound, said, _SOUND, f"{where}: sound")
    if sound and sound.loop_start + sound.loop_frames > sound.frames:
        raise PlaylistError(f"{where}: the loop must lie within {sound.frames} frames; got {sound}")
    files = tuple(_file(row, f"{where}: file {n}") for n, row in enumerate(values["files"], 1))
    _no_twins([f"{file.format} of {file.part}" for file in files], "file", where)
    return Track(**{**values, "loop": loop, "sound": sound, "files": files})


def _file(table: Any, where: str) -> TrackFile:
    file = _make(TrackFile, table, _FILE, where)
    if not file.name.endswith(f".{file.format}"):
        raise PlaylistError(f"{where}: name must end in .{file.format}; got {short(file.name)}")
    return file


def _make(kind: type[_Data], table: Any, rules: Mapping[str, Rule], where: str) -> _Data:
    return kind(**_checked(kind, table, rules, where))


def _checked(kind: Any, table: Any, rules: Mapping[str, Rule], where: str) -> dict[str, Any]:
    """The values of a JSON object with just the keys of ``kind``, lists turned into tuples."""
    if not isinstance(table, dict):
        raise PlaylistError(f"{where}: expected a JSON object; got {short(table)}")
    names = [field.name for field in fields(kind)]
    if problem := wrong_key(table, names) or wrong_value(table, rules):
        raise PlaylistError(f"{where}: {problem}")
    return {name: _frozen(table[name]) for name in names}


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _no_twins(names: list[str], what: str, where: str) -> None:
    """No name twice, upper and lower case being one to some file systems."""
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            raise PlaylistError(f"{where}: the {what} {name!r} stands twice")
        seen.add(name.lower())


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _one_of(*names: str) -> Rule:
    return f"one of {', '.join(names)}", lambda value: isinstance(value, str) and value in names


def _list(rule: Rule, least: int, most: int) -> Rule:
    def holds(value: Any) -> bool:
        return isinstance(value, list) and least <= len(value) <= most and all(map(rule[1], value))

    return f"a list of {least} to {most}, each {rule[0]}", holds


_A_NAME: Final[Rule] = ("a plain file name: 1 to 120 letters, digits, - _ .", is_plain_name)
_A_KEY: Final = matching("a key such as Eb major", r"[A-G][b#]? (major|minor)")
_A_WISHED_KEY: Final = matching("a key such as Eb major, or a note", r"[A-G][b#]?( (major|minor))?")
_BEATS: Final = real(0, MAX_STEPS / STEPS_PER_BEAT)
_FRAMES: Final = whole(0, 2**40)
_ONE_LATENT: Final = _list(real(-1e38, 1e38), LATENT_SIZE, LATENT_SIZE)

_MANIFEST: Final[Mapping[str, Rule]] = {
    "title": A_TEXT,
    "made_with": A_TEXT,
    "licence": A_TEXT,
    "may_sell": A_TRUTH,
    "attribution": _list(A_TEXT, 0, 1000),
    "settings": AN_OBJECT,
    "tracks": _list(AN_OBJECT, 1, MAX_TRACKS),
}
_SETTINGS: Final[Mapping[str, Rule]] = {
    "formats": _list(_one_of(*FORMATS), 1, len(FORMATS)),
    "instrument": _one_of(*NAMES),
    "rate": whole(*RATES),
    "loop": A_TRUTH,
    "stems": A_TRUTH,
    "loudness": or_null(real(*LOUDNESS_RANGE)),
    "tempo": or_null(real(*TEMPO_RANGE)),
    "key": or_null(_A_WISHED_KEY),
    "minutes": or_null(real(0.1, MAX_MINUTES)),
    "mood": or_null(matching("a mood's name", r"[a-z]{1,40}")),
    "distance": real(0, 1),
}
_TRACK: Final[Mapping[str, Rule]] = {
    "name": _A_NAME,
    "title": A_TEXT,
    "model": A_MODEL_NAME,
    "weights_sha256": A_HASH,
    "seeds": _list(whole(0, SEED_LIMIT - 1), 1, MAX_SEEDS),
    "latents": _list(_ONE_LATENT, 1, MAX_SEEDS),
    "key": _A_KEY,
    "transposed": _list(whole(-127, 127), 1, MAX_SEEDS),
    "tempo": real(*TEMPO_RANGE),
    "beats_per_bar": whole(1, MAX_BEATS_PER_BAR),
    "bars": whole(0, MAX_STEPS),
    "beats": _BEATS,
    "loop": AN_OBJECT,
    "moods": _list(matching("a mood's name", r"[a-z]{1,40}"), 0, 100),
    "sound": or_null(AN_OBJECT),
    "licence": A_TEXT,
    "files": _list(AN_OBJECT, 0, len(FORMATS) * (1 + len(STEMS))),
}
_LOOP: Final[Mapping[str, Rule]] = {"start_beat": _BEATS, "end_beat": _BEATS}
_SOUND: Final[Mapping[str, Rule]] = {
    "rate": whole(*RATES),
    "frames": _FRAMES,
    "loop_start": _FRAMES,
    "loop_frames": _FRAMES,
    "loudness": or_null(real(-200, 20)),
    "peak": real(0, 1),
}
_FILE: Final[Mapping[str, Rule]] = {
    "name": _A_NAME,
    "format": _one_of(*FORMATS),
    "part": _one_of(MIX, *STEMS),
    "bytes": whole(0, 2**40),
    "sha256": A_HASH,
}
