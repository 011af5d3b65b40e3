from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from manifests import a_manifest, a_track

from pianogan_bgm.errors import PlaylistError
from pianogan_bgm.manifest import (
    MANIFEST,
    Loop,
    Manifest,
    Sound,
    TrackFile,
    is_plain_name,
    read_manifest,
    write_manifest,
)


def table() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(a_manifest().to_json())
    return parsed


def read(parsed: Any) -> Manifest:
    return Manifest.from_json(json.dumps(parsed).encode(), "playlist.json")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    manifest = a_manifest(a_track(), a_track("tiny-8", sound=None, moods=()), title="Zoë and Łukasz: “song”")
    assert write_manifest(manifest, tmp_path / "music") == tmp_path / "music" / MANIFEST
    assert read_manifest(tmp_path / "music") == manifest
    assert read_manifest(tmp_path / "music" / MANIFEST) == manifest


def test_a_track_knows_its_files() -> None:
    track = a_track()
    assert [track.file("mid"), track.file("ogg", "bass")] == [track.files[0], track.files[2]]
    assert track.file("flac") is None


@pytest.mark.parametrize(
    "name",
    [
        *("../a.mid", "/a.mid", "a/b.mid", "a\\b.mid", "C:a.mid", "..", ".a.mid", "a.mid.", ""),
        *("nul.mid", "COM1", "a b.mid", "ä.mid", "a\n.mid", "a\0.mid", "x" * 121),
    ],
)
def test_a_name_that_might_leave_the_folder_is_refused(name: str) -> None:
    assert not is_plain_name(name)
    parsed = table()
    parsed["tracks"][0]["files"][0]["name"] = name
    with pytest.raises(PlaylistError, match="track 1: file 1: name must be a plain file name"):
        read(parsed)


@given(st.text(min_size=1, max_size=30))
def test_a_plain_name_stays_in_its_folder(name: str) -> None:
    if is_plain_name(name):
        path = Path("folder") / name
        assert path.parent == Path("folder")
        assert path.name == name


CHANGES: dict[str, tuple[list[Any], Any, str]] = {
    "version": (["version"], 2, "of version 1; got"),
    "version true": (["version"], True, "of version 1; got 'pianogan-bgm playlist', True"),
    "format": (["format"], "m3u", "expected a 'pianogan-bgm playlist'"),
    "truth": (["may_sell"], 1, "may_sell must be true or false; got 1"),
    "text": (["title"], "a\nb", "title must be printable text"),
    "no tracks": (["tracks"], [], "tracks must be a list of 1 to"),
    "no object": (["tracks"], [3], "each an object"),
    "instrument": (["settings", "instrument"], "kazoo", "settings: instrument must be one of piano"),
    "formats": (["settings", "formats"], ["mp3"], "settings: formats must be"),
    "seed": (["tracks", 0, "seeds"], [2**64], "seeds must be a list"),
    "seed as float": (["tracks", 0, "seeds"], [7.0], "seeds must be a list"),
    "latent": (["tracks", 0, "latents"], [[0.0] * 13], "latents must be a list"),
    "two latents": (["tracks", 0, "latents"], [[0.0] * 14] * 2, "latents must be one for each of 1 seeds"),
    "tempo": (["tracks", 0, "tempo"], 10**400, "tempo must be a number, 20 to 400"),
    "tempo true": (["tracks", 0, "tempo"], True, "tempo must be a number"),
    "key": (["tracks", 0, "key"], "H dur", "key must be a key such as Eb major; got 'H dur'"),
    "hash": (["tracks", 0, "weights_sha256"], "A" * 64, "weights_sha256 must be 64 hexadecimal digits"),
    "loop": (["tracks", 0, "loop", "end_beat"], 76, "loop must lie within 75.0 beats"),
    "loop backwards": (["tracks", 0, "loop", "start_beat"], 72, "loop must lie within"),
    "empty sound": (["tracks", 0, "sound"], {}, "sound: the key 'rate' is missing"),
    "frames": (["tracks", 0, "sound", "loop_start"], 1, "the loop must lie within 1764000 frames"),
    "ending": (["tracks", 0, "files", 0, "name"], "a.exe", r"name must end in \.mid; got 'a.exe'"),
    "file twice": (["tracks", 0, "files", 2, "name"], "TINY-7.ogg", "the file 'TINY-7.ogg' stands twice"),
    "part twice": (["tracks", 0, "files", 2, "part"], "mix", "the file 'ogg of mix' stands twice"),
    "list for text": (["tracks", 0, "name"], ["a"], "name must be a plain file name"),
    "dict for format": (["tracks", 0, "files", 0, "format"], {}, "format must be one of"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_breaks_a_rule_is_refused_by_name(change: str) -> None:
    path, value, words = CHANGES[change]
    parsed = table()
    place = parsed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(PlaylistError, match=f"^playlist.json: .*{words}"):
        read(parsed)


@pytest.mark.parametrize("where", [[], ["settings"], ["tracks", 0], ["tracks", 0, "files", 0]])
def test_a_missing_key_and_an_unknown_one_are_refused(where: list[Any]) -> None:
    parsed = table()
    place = parsed
    for key in where:
        place = place[key]
    place["extra"] = 1
    with pytest.raises(PlaylistError, match="unknown key 'extra'"):
        read(parsed)
    del place["extra"]
    del place[list(place)[-1]]
    with pytest.raises(PlaylistError, match="is missing"):
        read(parsed)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{", b"\xff", b'{"a": 1, "a": 2}', b"[" * 100_000, b'{"format": NaN}'],
    ids=["empty", "list", "cut", "not utf-8", "twins", "deep", "nan"],
)
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(PlaylistError, match=r"^playlist\.json: "):
        Manifest.from_json(data, "playlist.json")


def test_a_byte_order_mark_as_editors_of_windows_write_it_is_read_over() -> None:
    data = a_manifest(a_track()).to_json().encode()
    assert Manifest.from_json(b"\xef\xbb\xbf" + data, "playlist.json") == Manifest.from_json(data, "the same")


def test_two_tracks_of_one_name_are_refused() -> None:
    twin = a_track("Tiny-7", files=())
    with pytest.raises(PlaylistError, match="the track 'Tiny-7' stands twice"):
        read(json.loads(a_manifest(a_track(), twin).to_json()))


def test_a_manifest_that_breaks_a_rule_is_not_written(tmp_path: Path) -> None:
    for bad in (
        a_track(loop=Loop(5.0, 4.0)),
        a_track(sound=Sound(1, 1, 0, 0, None, 0.0)),
        a_track(files=(TrackFile("../a.mid", "mid", "mix", 0, "0" * 64),)),
    ):
        with pytest.raises(PlaylistError):
            write_manifest(a_manifest(bad), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_manifest_is_one_named_error(tmp_path: Path) -> None:
    with pytest.raises(PlaylistError, match=r"playlist\.json: no playlist can be read there: No such file"):
        read_manifest(tmp_path)


def test_reading_a_manifest_needs_neither_onnxruntime_nor_anything_heavy() -> None:
    code = (
        "import sys, pianogan_bgm.manifest;"
        "print(*{'onnxruntime', 'mido', 'PIL', 'soundfile', 'tqdm', 'joblib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
