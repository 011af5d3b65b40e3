from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import mido
import numpy as np
import pytest
from manifests import a_manifest, a_track
from music_fakes import FakeGenerator, make_piece

from pianogan_bgm import Scene, Stream
from pianogan_bgm.errors import InvalidMidi, PlaylistError
from pianogan_bgm.jukebox import Jukebox
from pianogan_bgm.manifest import Loop, TrackFile, write_manifest
from pianogan_bgm.midi import write_midi

STEPS = 32


def a_folder(place: Path, moods: list[tuple[str, ...]], loop: Loop | None = None) -> Path:
    """A playlist of one short track for each entry of ``moods``, seeds from 1."""
    tracks = []
    for seed, suits in enumerate(moods, 1):
        name = f"track-{seed}.mid"
        write_midi(make_piece(seed, STEPS), place / name)
        data = (place / name).read_bytes()
        file = TrackFile(name, "mid", "mix", len(data), hashlib.sha256(data).hexdigest())
        tracks.append(
            a_track(
                f"track-{seed}",
                title=f"Track {seed}",
                seeds=(seed,),
                tempo=120.0,
                beats=STEPS / 4,
                bars=STEPS // 16,
                loop=loop or Loop(0.0, STEPS / 4),
                moods=suits,
                sound=None,
                files=(file,),
            )
        )
    write_manifest(a_manifest(*tracks), place)
    return place


def names(jukebox: Jukebox, count: int, mood: str | None = None) -> list[str]:
    return [jukebox.following(mood).name for _ in range(count)]


def test_all_tracks_are_played_before_one_comes_again_and_none_twice_running(tmp_path: Path) -> None:
    jukebox = Jukebox(a_folder(tmp_path, [()] * 5), seed=3)
    order = names(jukebox, 40)
    rounds = [order[n : n + 5] for n in range(0, 40, 5)]
    assert all(set(one) == {f"Track {n}" for n in range(1, 6)} for one in rounds)
    assert all(a != b for a, b in pairwise(order))
    assert len({tuple(one) for one in rounds}) > 1


@pytest.mark.parametrize("seed", range(3))
def test_all_tracks_are_played_before_one_comes_again_however_often_scenes_change(
    tmp_path: Path, seed: int
) -> None:
    a_folder(tmp_path, [()] * 8)
    scenes = {"field": Scene(), "cave": Scene()}
    stream = Stream(instrument="chip_triangle", playlist=tmp_path, seed=seed, rate=8000, scenes=scenes)
    for scene in ["field", "cave"] * 8:
        stream.transition(scene, "now")
        stream.fill(9600)
    played = [event.piece for event in stream.events() if event.kind == "piece"]
    assert len(played) == 16
    assert len(set(played[:8])) == len(set(played[8:])) == 8


@pytest.mark.parametrize("seed", range(8))
def test_no_track_comes_twice_running_after_a_scene_that_was_held(tmp_path: Path, seed: int) -> None:
    a_folder(tmp_path, [()] * 4)
    scenes = {"field": Scene(hold=True), "cave": Scene()}
    stream = Stream(instrument="chip_triangle", playlist=tmp_path, seed=seed, rate=8000, scenes=scenes)
    stream.transition("field")
    stream.fill(9600)
    stream.transition("cave", "now")
    stream.fill(8000 * 10)
    stream.events()
    stream.transition("field", "now", fade_beats=0)
    stream.fill(8000 * 30)
    played = [event.piece for event in stream.events() if event.kind == "piece"]
    assert len(played) > 5
    assert all(a != b for a, b in pairwise(played))


def test_a_seed_makes_the_order_repeatable(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, [()] * 6)
    assert names(Jukebox(folder, seed=3), 12) == names(Jukebox(folder, seed=3), 12)
    assert names(Jukebox(folder, seed=3), 12) != names(Jukebox(folder, seed=4), 12)


def test_a_mood_picks_the_tracks_that_suit_it(tmp_path: Path) -> None:
    jukebox = Jukebox(a_folder(tmp_path, [("calm",), ("battle", "calm"), (), ("battle",)]), seed=1)
    assert set(names(jukebox, 8, "calm")) == {"Track 1", "Track 2"}
    assert set(names(jukebox, 8, "battle")) == {"Track 2", "Track 4"}
    assert len(set(names(jukebox, 8, "sad"))) == 4, "a mood that suits none has all"


def test_the_manifests_loop_is_the_one_that_is_played(tmp_path: Path) -> None:
    a_folder(tmp_path, [()], loop=Loop(4.0, 8.0))
    tune = Jukebox(tmp_path).tune(1)
    assert tune.loop == (16, 32)
    stream = Stream(1, playlist=tmp_path, rate=8000, instrument="chip_triangle")
    stream.play(loops=-1)
    stream.fill(8000 * 13)
    loops = [event for event in stream.events() if event.kind == "loop"]
    assert [(event.frame, event.step) for event in loops] == [(32000 + 16000 * n, 16) for n in range(5)]


def test_a_track_says_where_it_comes_from_and_plays_without_a_model(tmp_path: Path) -> None:
    a_folder(tmp_path, [()])
    stream = Stream(playlist=tmp_path, model="no-such-model", rate=8000, instrument="chip_triangle")
    stream.play()
    stream.fill(100)
    now = stream.now_playing
    assert now is not None
    assert (now.name, now.seed, now.model, now.licence) == ("Track 1", 1, "tiny", "any use")
    assert now.piece.notes == make_piece(1, STEPS).notes


def test_tracks_follow_one_another_on_the_bar_line(tmp_path: Path) -> None:
    stream = Stream(playlist=a_folder(tmp_path, [()] * 3), seed=1, rate=8000, instrument="chip_triangle")
    stream.play()
    stream.fill(8000 * 13)
    starts = [event for event in stream.events() if event.kind == "piece"]
    assert [event.frame for event in starts] == [0, 32000, 64000, 96000]
    assert len({event.piece for event in starts[:3]}) == 3


def test_a_bare_folder_of_midi_files_is_a_playlist(tmp_path: Path) -> None:
    for name in ("b.mid", "a.MID", "notes.txt"):
        write_midi(make_piece(1, STEPS), tmp_path / name)
    assert set(names(Jukebox(tmp_path, seed=1), 2, "calm")) == {"a", "b"}


def test_a_seed_that_is_not_in_the_playlist_is_composed(tmp_path: Path) -> None:
    generator = FakeGenerator()
    jukebox = Jukebox(a_folder(tmp_path, [()]), generator)
    assert jukebox.tune(1).name == "Track 1"
    assert jukebox.tune(2).name == "fake-2"
    assert generator.asked == [2]


def test_a_saved_state_goes_on_in_the_playlist(tmp_path: Path) -> None:
    a_folder(tmp_path, [()] * 4)
    settings = {"playlist": tmp_path, "rate": 8000}
    stream = Stream(seed=2, instrument="chip_triangle", **settings)
    stream.play()
    stream.fill(8000)
    now = stream.now_playing
    saved = json.loads(json.dumps(stream.state()))
    again = Stream.restore(saved, **settings)
    again.play()
    again.fill(10)
    assert now is not None
    assert again.now_playing is not None
    assert again.now_playing.name == now.name


@pytest.mark.parametrize("lost", ["what played", "what was queued", "what was held"])
def test_a_saved_state_goes_on_although_a_track_of_it_is_lost(tmp_path: Path, lost: str) -> None:
    a_folder(tmp_path, [()] * 4)
    scenes = {"cave": Scene(piece=3), "field": Scene()}
    stream = Stream(instrument="chip_triangle", playlist=tmp_path, rate=8000, seed=5, scenes=scenes)
    stream.transition("cave")
    stream.fill(8000)
    stream.transition("field", "now", hold=True)
    stream.fill(16000)
    stream.queue(4)
    stream.fill(800)
    saved = json.loads(json.dumps(stream.state()))
    tracks = {
        "what played": saved["piece"]["seed"],
        "what was queued": saved["queue"][0]["piece"]["seed"],
        "what was held": saved["held"][0]["piece"]["seed"],
    }
    assert saved["endless"]
    (tmp_path / f"track-{tracks[lost]}.mid").write_bytes(b"MThd")
    again = Stream.restore(saved, playlist=tmp_path, rate=8000, scenes=scenes)
    again.play()
    assert np.abs(again.fill(4000)).max() > 0.01
    assert again.now_playing is not None
    if lost == "what played":
        assert again.position < 0.6
    else:
        assert again.now_playing.seed == saved["piece"]["seed"]


def test_what_a_game_had_asked_for_and_a_save_has_lost_is_named(tmp_path: Path) -> None:
    a_folder(tmp_path, [()] * 2)
    stream = Stream(2, instrument="chip_triangle", playlist=tmp_path, rate=8000)
    stream.play(loops=-1)
    stream.fill(8000)
    saved = stream.state()
    (tmp_path / "track-2.mid").unlink()
    again = Stream.restore(saved, playlist=tmp_path, rate=8000)
    with pytest.raises(PlaylistError, match=r"track-2\.mid"):
        again.play()


def test_a_changed_or_missing_file_is_named(tmp_path: Path) -> None:
    jukebox = Jukebox(a_folder(tmp_path, [(), ()]))
    (tmp_path / "track-1.mid").write_bytes(b"MThd")
    (tmp_path / "track-2.mid").unlink()
    with pytest.raises(PlaylistError, match=r"track-1\.mid.*SHA-256"):
        jukebox.tune(1)
    with pytest.raises(PlaylistError, match=r"track-2\.mid"):
        jukebox.tune(2)


def test_a_loop_beyond_the_file_is_refused(tmp_path: Path) -> None:
    a_folder(tmp_path, [()])
    write_midi(make_piece(1, 16), tmp_path / "track-1.mid")
    data = (tmp_path / "track-1.mid").read_bytes()
    file = TrackFile("track-1.mid", "mid", "mix", len(data), hashlib.sha256(data).hexdigest())
    track = a_track("track-1", seeds=(1,), beats=8.0, loop=Loop(0.0, 8.0), sound=None, files=(file,))
    write_manifest(a_manifest(track), tmp_path)
    with pytest.raises(PlaylistError, match="outside its 16 steps"):
        Jukebox(tmp_path).tune(1)


def test_a_folder_without_midi_files_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(PlaylistError, match="no MIDI files"):
        Stream(playlist=tmp_path)


def test_a_folder_that_is_not_there_is_named_with_the_whole_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PlaylistError) as refused:
        Stream(playlist="music")
    assert str(refused.value).startswith(f"{tmp_path / 'music'}: no folder is there")


def test_a_playlist_may_be_named_by_its_manifest(tmp_path: Path) -> None:
    assert names(Jukebox(a_folder(tmp_path, [()]) / "playlist.json"), 1) == ["Track 1"]


def test_nothing_is_no_playlist() -> None:
    with pytest.raises(PlaylistError, match="a playlist is the path of a folder; got ''"):
        Jukebox("")


def test_a_game_that_changes_its_folder_keeps_its_playlist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "music").mkdir()
    a_folder(tmp_path / "music", [()])
    monkeypatch.chdir(tmp_path)
    jukebox = Jukebox("music")
    monkeypatch.chdir("/")
    assert names(jukebox, 2) == ["Track 1", "Track 1"]


WITHOUT = """
import os, sys, time
os.environ.update(SDL_AUDIODRIVER="dummy", SDL_VIDEODRIVER="dummy", PYGAME_HIDE_SUPPORT_PROMPT="1")
sys.modules["onnxruntime"] = None
from pianogan_bgm import BackgroundMusic
with BackgroundMusic(playlist=sys.argv[1], mood="calm", model="none", instrument="chip_square") as music:
    music.play()
    until = time.monotonic() + 60
    while music.now_playing is None and time.monotonic() < until:
        time.sleep(0.01)
    print(music.now_playing.name, music.stats.errors)
try:
    from pianogan_bgm.generator import Generator
    Generator("open")
except Exception as error:
    print(type(error).__name__)
"""


def test_a_game_plays_a_playlist_without_onnxruntime(tmp_path: Path) -> None:
    a_folder(tmp_path, [(), ("calm",)])
    command = [sys.executable, "-c", WITHOUT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["Track 2 []", "ModelError"]


@pytest.mark.parametrize("seed", range(4))
def test_a_track_that_cannot_be_read_is_passed_over(tmp_path, seed, monkeypatch):
    told = []
    monkeypatch.setattr("pianogan_bgm.jukebox.log.warning", lambda *given: told.append(given))
    write_midi(make_piece(1, STEPS), tmp_path / "good.mid")
    for bad in ("junk.mid", "empty.mid"):
        (tmp_path / bad).write_bytes(b"junk")
    jukebox = Jukebox(tmp_path, seed=seed)
    with contextlib.suppress(InvalidMidi):  # two of three are
        jukebox.think()
    assert names(jukebox, 4) == ["good"] * 4
    assert told
    (tmp_path / "good.mid").unlink()
    with pytest.raises(InvalidMidi):
        Jukebox(tmp_path, seed=seed).following()


def test_a_file_of_drums_alone_is_named(tmp_path: Path) -> None:
    drum = [mido.Message(kind, channel=9, note=36, time=480) for kind in ("note_on", "note_off")]
    mido.MidiFile(tracks=[mido.MidiTrack(drum)]).save(tmp_path / "beat.mid")
    with pytest.raises(InvalidMidi, match=r"beat\.mid: expected notes of an instrument; got drums alone"):
        Jukebox(tmp_path).following()
