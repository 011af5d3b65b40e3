"""Whole playlists, from the command line, with a tiny model and a cheap instrument."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jsonschema
import mido
import pytest
import soundfile
from tiny_model import tiny_weights, write_tiny

import pianogan_bgm
from pianogan_bgm import atlas as atlas_module
from pianogan_bgm import cli
from pianogan_bgm.errors import PlaylistError
from pianogan_bgm.generator import Generator
from pianogan_bgm.images import read_png
from pianogan_bgm.manifest import MANIFEST, read_manifest, write_manifest
from pianogan_bgm.midi import read_midi
from pianogan_bgm.playlist import folder as folder_module
from pianogan_bgm.tune import prepare

CHEAP = ("--instrument", "chip_square", "--rate", "8000")
SCHEMA = Path(pianogan_bgm.__file__).with_name("playlist.schema.json")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("model"))


def run(model: Path, folder: Path, *more: str) -> int:
    return cli.main(["playlist", "--model", str(model), "-o", str(folder), *CHEAP, *more])


@pytest.fixture(scope="module")
def full(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tracks in every format, with stems."""
    folder = tmp_path_factory.mktemp("full")
    options = (
        "--seeds",
        "1,5",
        "--formats",
        "mid,ogg,wav,flac,png",
        "--stems",
        "--key",
        "D",
        "--tempo",
        "150",
    )
    assert run(model, folder, *options) == 0
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_playlist_is_its_files_a_manifest_a_page_and_credits(full: Path) -> None:
    manifest = read_manifest(full)
    listed = {file.name for track in manifest.tracks for file in track.files}
    assert len(listed) == 2 * (4 * 4 + 1)
    assert set(contents(full)) == listed | {MANIFEST, "index.html", "CREDITS.txt"}
    assert [track.name for track in manifest.tracks] == ["tiny-1", "tiny-5"]
    assert (full / "CREDITS.txt").read_text(encoding="utf-8").splitlines()[0] == "Nobody"


def test_the_manifest_says_what_the_files_are(full: Path, model: Path) -> None:
    track = read_manifest(full).tracks[0]
    generator = Generator(model)
    piece = read_midi(full / "tiny-1.mid").piece()
    tune = prepare(piece)
    assert track.latents[0] == pytest.approx(generator.latent(1).tolist(), abs=0)
    assert track.weights_sha256 == generator.card.weights_sha256
    assert (track.tempo, track.beats, track.key) == (piece.tempo, piece.steps / 4, tune.key.name)
    assert track.key.startswith("D ")
    assert (track.loop.start_beat * 4, track.loop.end_beat * 4) == tune.loop
    assert track.sound is not None
    for kind in ("ogg", "wav", "flac"):
        for part in ("mix", "melody", "inner", "bass"):
            file = track.file(kind, part)
            assert file is not None
            with soundfile.SoundFile(full / file.name) as sound:
                assert (sound.frames, sound.samplerate) == (track.sound.frames, 8000)
                assert sound.title.startswith(track.title)
                assert "any use" in (sound.copyright, sound.license)
    assert track.sound.loop_frames == round((tune.loop[1] - tune.loop[0]) * 8000 * 60 / 150 / 4)


def test_every_file_but_the_midi_ones_carries_the_credits(full: Path) -> None:
    for path in full.glob("tiny-1*"):
        data = path.read_bytes()
        assert b"tiny 1 in D" in data, path
        assert b"any use" in data, path
        assert (b"Nobody" in data) is (path.suffix != ".mid"), path
        assert (b"Piano background music" in data) is (path.suffix not in (".mid", ".png")), path


def test_loop_points_are_in_every_format(full: Path) -> None:
    track = read_manifest(full).tracks[0]
    assert track.sound is not None
    words = f"LOOPLENGTH={track.sound.loop_frames}".encode()
    assert words in (full / "tiny-1.ogg").read_bytes()
    assert words in (full / "tiny-1.bass.flac").read_bytes()
    assert b"smpl" in (full / "tiny-1.wav").read_bytes()
    file, now, found = mido.MidiFile(full / "tiny-1.mid"), 0, {}
    for message in file.tracks[0]:
        now += message.time
        if message.type == "marker":
            found[message.text] = now / file.ticks_per_beat
    assert found == {"loopStart": track.loop.start_beat, "loopEnd": track.loop.end_beat}


def test_stems_of_notes_are_the_parts_of_the_whole(full: Path) -> None:
    whole = read_midi(full / "tiny-1.mid").piece()
    parts = [read_midi(full / f"tiny-1.{part}.mid").piece() for part in ("melody", "inner", "bass")]
    assert sorted(note for part in parts for note in part.notes) == list(whole.notes)
    assert {part.steps for part in parts} == {whole.steps}
    assert read_png(full / "tiny-1.png").notes == whole.notes


def test_the_manifest_keeps_to_the_published_schema(full: Path) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    table = json.loads((full / MANIFEST).read_text(encoding="utf-8"))
    validator.validate(table)
    for name, value in (("version", 2), ("may_sell", "yes"), ("tracks", []), ("extra", 1)):
        assert not validator.is_valid({**table, name: value})
    for name, value in (
        ("key", "H dur"),
        ("tempo", 0),
        ("seeds", [-1]),
        ("name", "../x"),
        ("latents", [[0]]),
    ):
        track = {**table["tracks"][0], name: value}
        assert not validator.is_valid({**table, "tracks": [track]}), name
    file = {**table["tracks"][0]["files"][0], "name": "a/b.mid"}
    assert not validator.is_valid({**table, "tracks": [{**table["tracks"][0], "files": [file]}]})


def test_the_schema_names_the_same_keys_as_the_manifest(full: Path) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    table = json.loads((full / MANIFEST).read_text(encoding="utf-8"))
    track = table["tracks"][0]
    for name, keys in (
        ("settings", table["settings"]),
        ("track", track),
        ("loop", track["loop"]),
        ("sound", track["sound"]),
        ("file", track["files"][0]),
    ):
        rules = schema["$defs"][name]
        assert set(rules["properties"]) == set(rules["required"]) == set(keys)
        assert rules["additionalProperties"] is False


def test_a_playlist_is_made_again_to_the_same_bytes(full: Path, model: Path, tmp_path: Path) -> None:
    again = ["playlist", "--from", str(full / MANIFEST), "--model", str(model), "-o", str(tmp_path / "again")]
    assert cli.main(again) == 0
    assert contents(tmp_path / "again") == contents(full)
    assert cli.main(["playlist", "--verify", "-o", str(tmp_path / "again")]) == 0


def test_several_processes_make_the_same_bytes(model: Path, tmp_path: Path) -> None:
    options = ("--count", "3", "--formats", "mid,png")
    assert run(model, tmp_path / "one", *options) == 0
    assert run(model, tmp_path / "two", *options, "--jobs", "2") == 0
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_other_weights_are_refused(full: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_tiny(tmp_path, weights=tiny_weights(value=0.9))
    again = ["playlist", "--from", str(full), "--model", str(other), "-o", str(tmp_path / "again")]
    assert cli.main(again) == 1
    assert "compose other notes" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


def test_files_that_differ_are_told_when_made_again(
    full: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = read_manifest(full)
    first = manifest.tracks[0]
    changed = (replace(first.files[0], sha256="0" * 64), *first.files[1:])
    tracks = (replace(first, files=changed), manifest.tracks[1])
    write_manifest(replace(manifest, tracks=tracks), tmp_path)
    assert cli.main(["playlist", "--from", str(tmp_path), "--model", str(model)]) == 1
    assert "tiny-1.mid: not the bytes that the manifest says" in capsys.readouterr().out


def test_a_manifest_loses_no_track_when_making_it_again_is_stopped(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(model, tmp_path, "--seeds", "1-3", "--formats", "mid") == 0
    before = contents(tmp_path)
    for path in tmp_path.glob("*.mid"):
        path.unlink()
    real = folder_module.bake

    def stopped(order: folder_module.Order) -> folder_module.Baked:
        if order.name == "tiny-2":
            raise KeyboardInterrupt
        return real(order)

    again = ["playlist", "--from", str(tmp_path), "--model", str(model)]
    monkeypatch.setattr(folder_module, "bake", stopped)
    assert cli.main(again) == 130
    assert (tmp_path / MANIFEST).read_bytes() == before[MANIFEST]
    monkeypatch.setattr(folder_module, "bake", real)
    made = counted(monkeypatch)
    assert cli.main(again) == 0
    assert made == ["tiny-2", "tiny-3"]
    assert contents(tmp_path) == before


@pytest.mark.parametrize("same", [True, False])
def test_making_it_again_by_other_versions_goes_on_where_the_files_come_the_same(
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    same: bool,
) -> None:
    assert run(model, tmp_path / "old", "--seeds", "1-3", "--formats", "mid") == 0
    manifest = read_manifest(tmp_path / "old")
    tracks = manifest.tracks
    if not same:
        tracks = tuple(replace(t, files=(replace(t.files[0], sha256="0" * 64),)) for t in tracks)
    write_manifest(replace(manifest, made_with="pianogan-bgm 0.0.9", tracks=tracks), tmp_path / "old")
    again = ["playlist", "--from", str(tmp_path / "old"), "--model", str(model), "-o", str(tmp_path / "new")]
    real = folder_module.bake

    def stopped(order: folder_module.Order) -> folder_module.Baked:
        if order.name == "tiny-3":
            raise KeyboardInterrupt
        return real(order)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder_module, "bake", stopped)
        assert cli.main(again) == 130
    said = capsys.readouterr().err
    assert "2 of 3 tracks are whole" in said
    assert ("goes on from there" in said) is same
    made = counted(monkeypatch)
    assert cli.main(again) == (0 if same else 1)
    assert made == ["tiny-3"] if same else ["tiny-1", "tiny-2", "tiny-3"]
    assert read_manifest(tmp_path / "new").made_with == manifest.made_with


def test_verify_names_what_is_missing_longer_or_changed(
    full: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, data in contents(full).items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "tiny-1.mid").unlink()
    (tmp_path / "tiny-1.ogg").write_bytes(b"longer or shorter")
    data = bytearray((tmp_path / "tiny-5.mid").read_bytes())
    data[-1] ^= 1
    (tmp_path / "tiny-5.mid").write_bytes(data)
    assert cli.main(["playlist", "--verify", "--from", str(tmp_path)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "tiny-1.mid: No such file or directory"
    assert said[1].endswith("bytes were expected; there are 17")
    assert said[2].startswith("tiny-5.mid: its sha256 should be ")
    assert said[3] == f"{tmp_path}: 3 faults"


# ------------------------------------------------------------------------------------ going on, stopping


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made, real = [], folder_module.bake

    def bake(order: folder_module.Order) -> folder_module.Baked:
        made.append(order.name)
        return real(order)

    monkeypatch.setattr(folder_module, "bake", bake)
    return made


def test_only_what_is_missing_or_damaged_is_made(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(model, tmp_path, "--seeds", "1-3", "--formats", "mid") == 0
    before = contents(tmp_path)
    made = counted(monkeypatch)
    assert run(model, tmp_path, "--seeds", "1-3", "--formats", "mid") == 0
    assert made == []
    (tmp_path / "tiny-2.mid").write_bytes(b"damaged")
    assert run(model, tmp_path, "--seeds", "1-3", "--formats", "mid") == 0
    assert made == ["tiny-2"]
    assert contents(tmp_path) == before
    assert run(model, tmp_path, "--seeds", "1-3", "--formats", "mid", "--tempo", "100") == 0
    assert made == ["tiny-2", "tiny-1", "tiny-2", "tiny-3"]


def test_a_full_disk_is_one_line_and_the_next_run_goes_on(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = folder_module.write_atomically

    def full(path: Path, data: bytes) -> None:
        if Path(path).name == "tiny-2.png":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, data)

    monkeypatch.setattr(folder_module, "write_atomically", full)
    assert run(model, tmp_path, "--seeds", "1-3", "--formats", "mid,png") == 1
    said = capsys.readouterr().err
    assert f"{tmp_path / 'tiny-2.png'} cannot be written: No space left on device" in said
    assert "1 of 3 tracks are whole; the same command goes on from there" in said
    assert [track.name for track in read_manifest(tmp_path).tracks] == ["tiny-1"]
    monkeypatch.setattr(folder_module, "write_atomically", real)
    made = counted(monkeypatch)
    assert run(model, tmp_path, "--seeds", "1-3", "--formats", "mid,png") == 0
    assert made == ["tiny-2", "tiny-3"]
    assert cli.main(["playlist", "--verify", "-o", str(tmp_path)]) == 0


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError, PlaylistError])
def test_what_cannot_be_made_at_all_does_not_go_on(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], stop: type[BaseException]
) -> None:
    def ended(order: folder_module.Order) -> folder_module.Baked:
        raise stop("a wish that cannot be met")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder_module, "bake", ended)
        assert run(model, tmp_path, "--seeds", "1,2", "--formats", "mid") != 0
    said = capsys.readouterr().err
    assert "0 of 2 tracks are whole" in said
    assert ("goes on from there" in said) is (stop is not PlaylistError)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
def test_a_file_that_really_does_not_fit_leaves_nothing_half_written(model: Path, tmp_path: Path) -> None:
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from pianogan_bgm.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    options = ["playlist", "--model", str(model), "-o", str(tmp_path), *CHEAP, "--seeds", "1"]
    command = [sys.executable, "-c", limited, *options, "--formats", "wav"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "tiny-1.wav cannot be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert set(contents(tmp_path)) <= {"tiny-1.mid", "CREDITS.txt"}


def test_a_folder_that_cannot_be_written_is_one_line_before_any_work(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    made = counted(monkeypatch)
    assert run(model, tmp_path / "file", "--seeds", "1") == 1
    assert f"pianogan-bgm: {tmp_path / 'file'} cannot be written: File exists" in capsys.readouterr().err
    assert made == []


def test_another_command_in_the_same_folder_may_take_the_probe_away(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = folder_module.write_atomically

    def taken_away(path: Path, data: bytes) -> None:
        real(path, data)
        if path.name == ".pianogan-bgm-probe":
            path.unlink()

    monkeypatch.setattr(folder_module, "write_atomically", taken_away)
    assert run(model, tmp_path, "--seeds", "1", "--formats", "mid") == 0


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT is sent to a process of its own")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_leaves_whole_tracks_and_the_next_run_goes_on(model: Path, tmp_path: Path, jobs: str) -> None:
    options = ["playlist", "--model", str(model), "-o", str(tmp_path), *CHEAP, "--seeds", "0-199"]
    options += ["--formats", "mid,png", "--jobs", jobs]
    awake = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    command = [
        sys.executable,
        "-c",
        awake + "import sys; from pianogan_bgm.cli import main; sys.exit(main(sys.argv[1:]))",
    ]
    process = subprocess.Popen(
        [*command, *options],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (tmp_path / "tiny-3.png").exists():
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the workers, too
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "of 200 tracks are whole; the same command goes on from there" in said
    assert "Traceback" not in said
    kept = [track.name for track in read_manifest(tmp_path).tracks]
    assert 3 <= len(kept) < 200
    assert not [name for name in contents(tmp_path) if name.endswith(".tmp")]
    assert cli.main(["playlist", "--verify", "-o", str(tmp_path)]) == 0
    assert cli.main([*options[:-6], "--seeds", "0-9", "--formats", "mid,png"]) == 0
    assert len(read_manifest(tmp_path).tracks) == 10


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_killed_process_of_several_is_one_line_and_the_next_run_goes_on(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--seeds", "1-3", "--formats", "mid", "--jobs", "2")
    with monkeypatch.context() as patch:
        patch.setattr(folder_module, "bake", killed)
        assert run(model, tmp_path, *options) == 1
    first, second = capsys.readouterr().err.splitlines()[-2:]
    assert first == f"{tmp_path}: 0 of 3 tracks are whole; the same command goes on from there"
    assert second.startswith("pianogan-bgm: a worker process ended before its work was done")
    assert run(model, tmp_path, *options) == 0


def killed(order: folder_module.Order) -> folder_module.Baked:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_what_a_killed_run_left_is_cleared_away_and_what_another_command_writes_is_not(
    model: Path, tmp_path: Path
) -> None:
    left, new = f".{'a' * 32}.tmp", f".{'b' * 32}.tmp"
    for name in (left, new, "mine.tmp"):
        (tmp_path / name).write_text("half, or a file of the user")
    os.utime(tmp_path / left, (time.time() - 7200,) * 2)
    (tmp_path / MANIFEST).write_text('{\n "format": "pianogan-bgm playlist", cut')
    assert run(model, tmp_path, "--seeds", "1", "--formats", "mid") == 0
    assert set(contents(tmp_path)) == {
        *("mine.tmp", new),
        *(MANIFEST, "tiny-1.mid", "index.html", "CREDITS.txt"),
    }


@pytest.mark.parametrize("left", [b"", bytes(700)])
def test_after_a_power_cut_that_emptied_the_manifest_the_same_command_goes_on(
    model: Path, tmp_path: Path, left: bytes
) -> None:
    assert run(model, tmp_path, "--seeds", "1,2", "--formats", "mid") == 0
    before = contents(tmp_path)
    (tmp_path / MANIFEST).write_bytes(left)
    (tmp_path / "tiny-2.mid").write_bytes(b"")
    assert run(model, tmp_path, "--seeds", "1,2", "--formats", "mid") == 0
    assert contents(tmp_path) == before


def test_an_empty_manifest_alone_makes_no_folder_ours(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / MANIFEST).write_bytes(b"")
    assert run(model, tmp_path, "--seeds", "1", "--formats", "mid") == 1
    assert f"{tmp_path / MANIFEST} exists" in capsys.readouterr().err


@pytest.mark.parametrize("name", [MANIFEST, "index.html", "CREDITS.txt", "tiny-1.mid", "tiny-1.bass.mid"])
def test_a_file_that_no_playlist_wrote_is_not_overwritten(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / name).write_text('{"my": "own"}')
    (tmp_path / "tiny-2.mid").write_text("of a name that is not needed")
    before = contents(tmp_path)
    assert run(model, tmp_path, "--seeds", "1", "--formats", "mid", "--stems") == 1
    said = capsys.readouterr().err
    assert f"{tmp_path / name} exists, and no playlist was made in this folder" in said
    assert contents(tmp_path) == before


def test_making_a_playlist_again_overwrites_no_strangers_file_either(
    full: Path, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "tiny-5.flac").write_bytes(b"mine")
    again = ["playlist", "--from", str(full), "--model", str(model), "-o", str(tmp_path)]
    assert cli.main(again) == 1
    assert contents(tmp_path) == {"tiny-5.flac": b"mine"}


# ------------------------------------------------------------------------------------------- choice, medley


def test_pieces_are_chosen_by_mood_and_say_so(model: Path, tmp_path: Path) -> None:
    copy = write_tiny(tmp_path)
    generator = Generator(copy)
    rows = [(seed, atlas_module.measure(generator.compose(seed))) for seed in range(40)]
    text = atlas_module.to_json(atlas_module.Atlas.of(rows), "tiny")
    (tmp_path / "tiny.atlas.json").write_text(text, encoding="utf-8")
    atlas = atlas_module.from_json(text)
    assert (
        run(copy, tmp_path / "out", "--count", "5", "--mood", "battle", "--distance", "0", "--formats", "mid")
        == 0
    )
    manifest = read_manifest(tmp_path / "out")
    assert [track.seeds[0] for track in manifest.tracks] == atlas.suiting("battle")
    assert all("battle" in track.moods for track in manifest.tracks)
    assert manifest.settings.mood == "battle"


def test_a_medley_is_a_track_of_several_seeds(model: Path, tmp_path: Path) -> None:
    assert run(model, tmp_path, "--seeds", "1-4", "--length", "1", "--formats", "mid,flac", "--one-shot") == 0
    manifest = read_manifest(tmp_path)
    assert [track.seeds for track in manifest.tracks] == [(1, 2), (3, 4)]
    track = manifest.tracks[0]
    assert track.name == "tiny-1-medley-2"
    assert track.beats * 60 / track.tempo >= 60
    assert track.sound is not None
    assert track.sound.loop_frames == 0
    assert b"LOOPSTART" not in (tmp_path / "tiny-1-medley-2.flac").read_bytes()


def test_seeds_that_leave_a_medley_too_short_are_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, tmp_path, "--seeds", "1-3", "--length", "1", "--formats", "mid") == 1
    said = capsys.readouterr().err
    assert "medleys of 1 min take 2 pieces each: expected a multiple of 2 seeds; got 3" in said
    assert not list(tmp_path.glob("*.mid"))


def test_one_track_is_one(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, tmp_path, "--seeds", "1", "--formats", "mid") == 0
    assert f"{tmp_path}: 1 track, 0.0 MB" in capsys.readouterr().out
    assert cli.main(["playlist", "--from", str(tmp_path), "--model", str(model)]) == 0
    assert f"{tmp_path}: 1 track, 0 files not the same" in capsys.readouterr().out
    (tmp_path / "tiny-1.mid").unlink()
    assert cli.main(["playlist", "--verify", "-o", str(tmp_path)]) == 1
    assert f"{tmp_path}: 1 fault\n" in capsys.readouterr().out


# -------------------------------------------------------------------------------------------------- usage


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--seeds", "1,x"), "expected seeds such as 1,2,5-9; got 'x'"),
        (("--seeds", "9-5"), "lower before higher; got '9-5'"),
        (("--seeds", f"0-{2**64}"), "expected at most 200000 seeds"),
        (("--count", "0"), "1 to 200000; got '0'"),
        (("--count", "1", "--seeds", "1"), "not allowed with"),
        (("--formats", "mp3"), "expected some of mid,ogg,wav,flac,png; got 'mp3'"),
        (("--loudness", "0"), "expected a number, -40 to -8; got '0'"),
        (("--loudness", "nan"), "got 'nan'"),
        (("--length", "long"), "expected a number, 0.1 to 30; got 'long'"),
        (("--jobs", "0"), "1 to 1024, or -1; got '0'"),
        (("--jobs", "2", "--dask", "tcp://there:8786"), "not allowed with"),
        (("--tempo", "5000"), "expected a number, 20 to 400"),
        (("--key", "H"), "expected a key such as Eb, 'F# minor' or 'C major'; got 'H'"),
        (("--key", "Eb dur"), "got 'Eb dur'"),
        (("--key", ""), "got ''"),
        (("--title", ""), "expected printable text of 1 to 4000 characters; got ''"),
        (("--title", "a\nb"), "got 'a\\nb'"),
        (("--title", "a" * 4001), "aaa..."),
    ],
)
def test_a_wrong_option_is_a_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["playlist", "-o", str(tmp_path / "out"), *options])
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_seeds_are_read_in_order_each_once() -> None:
    parsed = cli.build_parser().parse_args(["playlist", "--seeds", "7,1,5-8, 1"])
    assert parsed.seeds == (7, 1, 5, 6, 8)


@pytest.mark.parametrize(
    ("text", "key"), [("eb major", "Eb major"), ("bb", "Bb"), ("B", "B"), ("f# minor", "F# minor")]
)
def test_a_key_may_begin_with_a_small_letter(text: str, key: str) -> None:
    assert cli.build_parser().parse_args(["playlist", "--key", text]).key == key


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--from", "x", "--tempo", "90"), "--from makes what its manifest says: leave out --tempo"),
        (("--verify", "--count", "2"), "--verify makes nothing: leave out --count"),
        (("--from", "nowhere"), "no playlist can be read there"),
        (("--verify", "--one-shot"), "--verify makes nothing: leave out --one-shot"),
        (("--verify", "--loop"), "--verify makes nothing: leave out --loop"),
        (("--seeds", "1", "--mood", "calm"), "--seeds takes just those: leave out --mood"),
        (("--seeds", "1", "--first", "0"), "--seeds takes just those: leave out --first"),
        (("--seeds", "1", "--distance", "0.5"), "--seeds takes just those: leave out --distance"),
        (("--mood", "calm", "--first", "0"), "--mood chooses from the atlas: leave out --first"),
        (("--mood", "calm"), "needs the model's atlas"),
        (("--seeds", "1", "--formats", "flac", "--rate", "88211"), "a FLAC file knows 88210 Hz and 88220 Hz"),
        (("--count", "200000", "--length", "30"), "expected at most 200000: ask for fewer"),
        (("--model", "jazz"), "no model named 'jazz' is installed"),
    ],
)
def test_a_wish_that_cannot_be_met_is_one_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    which = () if "--model" in options else ("--model", str(model))
    assert cli.main(["playlist", "-o", str(tmp_path / "out"), *which, *options]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model", "open"), "--verify makes nothing: leave out --model"),
        (("--dask", "localhost:1"), "--verify makes nothing: leave out --dask"),
        (("--from", "music", "--model", "open"), "--verify makes nothing: leave out --model"),
        (("--from", "music", "-o", "again"), "--verify checks one folder: leave out --from or --output"),
    ],
)
def test_what_checking_would_ignore_is_refused(
    capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    assert cli.main(["playlist", "--verify", *options]) == 1
    assert capsys.readouterr().err == f"pianogan-bgm: {words}\n"


def test_from_a_checkout_the_command_is_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "export.export_playlist", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert "usage: pianogan-bgm playlist" in done.stdout


def test_an_error_is_of_the_package(tmp_path: Path) -> None:
    with pytest.raises(PlaylistError):
        folder_module.verify(tmp_path)
