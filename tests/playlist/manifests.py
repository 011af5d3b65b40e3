"""A small manifest for tests."""

from __future__ import annotations

from typing import Any

from pianogan_bgm.manifest import Loop, Manifest, Settings, Sound, Track, TrackFile


def a_track(name: str = "tiny-7", **changes: Any) -> Track:
    fields: dict[str, Any] = {
        "name": name,
        "title": "Tiny 7",
        "model": "tiny",
        "weights_sha256": "a" * 64,
        "seeds": (7,),
        "latents": ((0.5,) * 14,),
        "key": "Eb major",
        "transposed": (-2,),
        "tempo": 96.0,
        "beats_per_bar": 4,
        "bars": 18,
        "beats": 75.0,
        "loop": Loop(8.0, 72.0),
        "moods": ("calm",),
        "sound": Sound(44100, 1_764_000, 0, 1_764_000, -16.0, 0.7),
        "licence": "any use",
        "files": (
            TrackFile(f"{name}.mid", "mid", "mix", 1234, "b" * 64),
            TrackFile(f"{name}.ogg", "ogg", "mix", 400_000, "c" * 64),
            TrackFile(f"{name}.bass.ogg", "ogg", "bass", 400_000, "d" * 64),
        ),
    }
    return Track(**{**fields, **changes})


def a_manifest(*tracks: Track, **changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "title": "Music of a test",
        "made_with": "pianogan-bgm 0.1.0",
        "licence": "any use",
        "may_sell": True,
        "attribution": ("Nobody",),
        "settings": Settings(formats=("mid", "ogg"), stems=True),
        "tracks": tracks or (a_track(),),
    }
    return Manifest(**{**fields, **changes})
