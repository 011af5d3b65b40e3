"""The web page of a playlist: one file that shows, plays and offers its tracks, from the file system too.

The page may load nothing but the playlist's own sound files, so the notes that it draws, and plays where a
browser cannot play the files, stand in it.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from pianogan_bgm.files import write_atomically
from pianogan_bgm.manifest import MIX, Manifest, Track
from pianogan_bgm.midi import read_midi
from pianogan_bgm.piece import Piece

PAGE: Final = "index.html"
NO_ROLLS: Final[Mapping[str, str]] = {}
MOST_TRACKS: Final = 1000
"""Tracks shown, some 4 kB each: more would be slow to open on a phone."""


def write_page(folder: Path, manifest: Manifest, credits: str, rolls: Mapping[str, str] = NO_ROLLS) -> None:
    """Write ``index.html`` into ``folder``, the same bytes for the same playlist. Raises :class:`OSError`."""
    write_atomically(folder / PAGE, page(folder, manifest, credits, rolls).encode("utf-8"))


def page(folder: Path, manifest: Manifest, credits: str, rolls: Mapping[str, str] = NO_ROLLS) -> str:
    """The text of the page. ``credits``: to be shown and copied.

    ``rolls``: what :func:`pack` gives, by names of tracks; those of other tracks are read from their files.
    """
    shown = manifest.tracks[:MOST_TRACKS]
    data = {
        "title": manifest.title,
        "licence": manifest.licence,
        "credits": credits,
        "loop": manifest.settings.loop,
        "tracks": [_track(track, rolls.get(track.name) or _read(folder, track)) for track in shown],
        "left": len(manifest.tracks) - len(shown),
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    template = (files("pianogan_bgm.playlist") / PAGE).read_text(encoding="utf-8")
    head, tail = template.split("@DATA@")
    # "<" could end the script element or begin a comment in it
    return head.replace("@TITLE@", html.escape(manifest.title)) + text.replace("<", "\\u003c") + tail


def _track(track: Track, roll: str) -> dict[str, Any]:
    return {
        "name": track.name,
        "title": track.title,
        "model": track.model,
        # as text: JavaScript's numbers would round large seeds
        "seeds": [str(seed) for seed in track.seeds],
        "key": track.key,
        "tempo": track.tempo,
        "bars": track.bars,
        "beats": track.beats,
        "beatsPerBar": track.beats_per_bar,
        "loop": [track.loop.start_beat, track.loop.end_beat],
        "moods": track.moods,
        "loudness": track.sound and track.sound.loudness,
        "audioSeconds": track.sound and track.sound.frames / track.sound.rate,
        "files": [(file.name, file.format, file.part, file.bytes) for file in track.files],
        "notes": roll,
    }


def _read(folder: Path, track: Track) -> str:
    midi = track.file("mid", MIX)
    return "" if midi is None else pack(read_midi(folder / midi.name).piece())


def pack(piece: Piece) -> str:
    """Six bytes a note in base 64: first step (three), pitch, steps held, velocity."""
    packed = bytearray()
    for note in piece.notes:
        packed += note.start.to_bytes(3, "big") + bytes([note.pitch, min(note.length, 255), note.velocity])
    return base64.b64encode(packed).decode("ascii")
