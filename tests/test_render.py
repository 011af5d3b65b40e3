import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from pianogan_bgm import cli
from pianogan_bgm import render as render_module
from pianogan_bgm.arrange import loudness_gain, perform, step_to_frame, tones
from pianogan_bgm.bus import finish, to_format
from pianogan_bgm.errors import SoundError
from pianogan_bgm.instruments import load, mix
from pianogan_bgm.midi import write_midi
from pianogan_bgm.notes import Note
from pianogan_bgm.piece import Piece
from pianogan_bgm.render import (
    mix_blocks,
    render,
    render_blocks,
    render_file,
    room_blocks,
    write_audio,
)
from pianogan_bgm.room import reverb

RATE = 22050


def song(steps=64, velocity=81, **options):
    """Quarters over half-bar chords."""
    notes = [Note(s, 72 + (s // 4 * 5) % 12, 4, velocity) for s in range(0, steps, 4)]
    notes += [Note(s, p, 8, velocity) for s in range(0, steps, 8) for p in (48, 55, 64)]
    return Piece(tuple(sorted(notes)), steps=steps, **options)


def rms(sound):
    return float(np.sqrt((sound.astype(np.float64) ** 2).mean()))


@pytest.fixture(scope="module")
def rendered():
    return render(song(), RATE)


def test_a_piece_sounds_for_its_length_and_rings_out(rendered):
    exact = step_to_frame(64, RATE, 120.0)
    assert rendered.dtype == np.float32
    assert exact < len(rendered) < exact + 2 * RATE
    assert rms(rendered[:exact]) > 0.02
    assert np.abs(rendered[-20:]).max() < 1e-4
    assert not np.isnan(rendered).any()


def test_without_a_tail_the_sound_is_exactly_as_long_as_the_piece(rendered):
    dry = render(song(), RATE, tail=False)
    assert len(dry) == step_to_frame(64, RATE, 120.0)
    assert np.array_equal(dry, rendered[: len(dry)])


def test_rendering_twice_gives_the_same_samples(rendered):
    assert np.array_equal(render(song(), RATE), rendered)


def test_blocks_joined_equal_one_mix_of_everything():
    piece = perform(song())
    found, piano = tones(piece, RATE), load("piano", RATE)
    whole = mix(piano, found, 0, 100_000)
    for block in (1000, 4410, 65536):
        assert np.array_equal(np.concatenate(list(mix_blocks(piano, found, 100_000, block))), whole)
    walls = reverb(RATE)
    roomy = walls.wet(np.concatenate([np.zeros((walls.tail, 2), np.float32), whole]))
    for block in (1000, 65536):
        assert np.array_equal(np.concatenate(list(room_blocks(walls, piano, found, 100_000, block))), roomy)
    head = next(iter(render_blocks(piece, RATE)))
    assert np.array_equal(head, finish(roomy[: len(head)], loudness_gain(found, RATE)))


def test_everything_fortissimo_does_not_clip():
    cluster = tuple(Note(s, p, 4, 127) for s in range(0, 16, 4) for p in range(21, 127, 3))
    sound = render(Piece(cluster, steps=16), RATE)
    assert 0.8 < np.abs(sound).max() <= 1.0


def test_ordinary_music_leaves_the_limiter_at_rest(rendered):
    assert 0.1 < np.abs(rendered).max() < 0.75


def test_pieces_soft_and_loud_come_out_about_equally_loud():
    levels = [20 * np.log10(rms(render(song(velocity=v), RATE, tail=False))) for v in (61, 81, 101)]
    assert max(levels) - min(levels) < 3.0
    shaped = 20 * np.log10(rms(render(song(has_dynamics=False), RATE, tail=False)))
    assert abs(shaped - levels[1]) < 3.0


def test_an_empty_piece_is_silence_of_its_length():
    sound = render(Piece((), steps=16), RATE)
    assert len(sound) == step_to_frame(16, RATE, 120.0)
    assert not sound.any()


@pytest.mark.parametrize("rate", [8000, 48000])
def test_any_rate_gives_the_same_seconds(rate):
    piece = song(steps=16)
    assert len(render(piece, rate, tail=False)) == step_to_frame(16, rate, 120.0)


def test_other_instruments_play_too_and_unknown_ones_are_refused():
    piece = song(steps=16)
    assert rms(render(piece, RATE, "music_box")) > 0.02
    with pytest.raises(SoundError, match="kazoo"):
        render(piece, RATE, "kazoo")


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_lossless_files_hold_the_samples_a_mixer_gets(tmp_path, rendered, suffix):
    path = tmp_path / f"new/song{suffix}"
    assert write_audio(path, rendered, RATE, title="Seven", licence="CC BY 4.0") == len(rendered)
    data, rate = soundfile.read(path, dtype="int16")
    assert rate == RATE
    assert np.array_equal(data, to_format(rendered, -16, 2))
    with soundfile.SoundFile(path) as file:
        assert file.title == "Seven"


def test_ogg_files_sound_the_same_and_carry_title_and_licence(tmp_path, rendered):
    path = tmp_path / "song.ogg"
    write_audio(path, rendered, RATE, title="Seven", licence="CC BY 4.0")
    data, rate = soundfile.read(path, dtype="float32")
    assert (rate, len(data)) == (RATE, len(rendered))
    assert rms(data - rendered) < 0.15 * rms(rendered)
    with soundfile.SoundFile(path) as file:
        assert (file.title, file.license) == ("Seven", "CC BY 4.0")


@pytest.mark.parametrize("room", [20000, 10])  # the second has not even room for the head of a .wav
def test_a_full_disk_is_an_error_that_names_the_file(tmp_path, room):
    resource = pytest.importorskip("resource", reason="wants a limit on the size of files")
    program = f"""
import resource, signal
import numpy as np
from pianogan_bgm.errors import SoundError
from pianogan_bgm.render import write_audio
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {resource.RLIM_INFINITY}))
noise = np.random.default_rng(0).standard_normal((200000, 2)).astype(np.float32) / 8
for kind in ("wav", "flac", "ogg"):
    try:
        write_audio(f"{tmp_path}/a.{{kind}}", noise, 44100)
    except SoundError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"{tmp_path}/a.{kind} cannot be written whole; is the disk full?" for kind in ("wav", "flac", "ogg")
    ]
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_or_cannot_be_replaced_is_an_error_of_the_system(tmp_path, rendered):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        write_audio(tmp_path / "file" / "a.wav", rendered, RATE)
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(FileExistsError, match="not a regular file"):
        write_audio(tmp_path / "a.wav", rendered, RATE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "file"]


@pytest.mark.parametrize("rate", [0, -1, 700_000])
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_a_rate_that_no_file_has_is_refused_and_named(tmp_path, rate, suffix):
    with pytest.raises(SoundError, match=f"8000 to 192000 Hz; got {rate}"):
        write_audio(tmp_path / f"a{suffix}", np.zeros((100, 2), np.float32), rate)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("rate", "known"), [(65535, True), (65537, False), (88200, True), (88211, False)])
def test_a_rate_that_flac_does_not_know_is_refused_before_any_work(tmp_path, rate, known):
    def blocks():
        assert known, "it should have been refused before"
        yield np.zeros((100, 2), np.float32)

    if known:
        assert write_audio(tmp_path / "a.flac", blocks(), rate) == 100
    else:
        with pytest.raises(SoundError, match=rf"a FLAC file knows \d+ Hz and \d+ Hz; got {rate}"):
            write_audio(tmp_path / "a.flac", blocks(), rate)
        assert write_audio(tmp_path / "a.ogg", np.zeros((100, 2), np.float32), rate) == 100


def test_more_than_a_wav_file_holds_is_refused_as_soon_as_it_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(render_module, "MAX_WAV_BYTES", 4 * 150)
    block, asked = np.zeros((100, 2), np.float32), []
    with pytest.raises(SoundError, match="a WAV file holds 4 GiB"):
        write_audio(tmp_path / "a.wav", np.concatenate([block, block]), RATE)
    with pytest.raises(SoundError, match="a WAV file holds 4 GiB"):
        write_audio(tmp_path / "a.wav", (asked.append(n) or block for n in range(9)), RATE)
    assert asked == [0, 1]
    monkeypatch.setattr(render_module, "render_blocks", None)
    write_midi(song(), tmp_path / "a.mid")
    with pytest.raises(SoundError, match="a WAV file holds 4 GiB"):
        render_file(tmp_path / "a.mid", tmp_path / "a.wav", RATE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mid"]


def test_a_temporary_file_that_somebody_removed_is_no_full_disk(tmp_path):
    def blocks():
        yield np.zeros((100, 2), np.float32)
        for path in tmp_path.glob(".*.tmp"):
            path.unlink()

    with pytest.raises(SoundError, match=r"a\.ogg cannot be written: somebody removed"):
        write_audio(tmp_path / "a.ogg", blocks(), RATE)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_a_folder_whose_name_the_locale_cannot_say_is_written_to(tmp_path):
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    write_midi(song(steps=16), tmp_path / "a.mid")
    assert render_file(tmp_path / "a.mid", odd / "a.wav", 8000) > 1
    command = [sys.executable, "-m", "pianogan_bgm.cli", "render", str(tmp_path / "a.mid"), "--rate", "8000"]
    ascii_only = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    target = tmp_path / "musik-ü.ogg"
    done = subprocess.run(
        [*command, "-o", os.fsencode(target)], capture_output=True, env=ascii_only, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert target.exists()


def test_what_libsndfile_refuses_to_open_is_said_with_the_rate(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise soundfile.LibsndfileError(1)

    monkeypatch.setattr(soundfile, "SoundFile", refuse)
    with pytest.raises(SoundError, match=r"a\.flac cannot be written at 8001 Hz: "):
        write_audio(tmp_path / "a.flac", np.zeros((100, 2), np.float32), 8001)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("suffix", "tag"), [(".wav", "copyright"), (".flac", "license"), (".ogg", "license")]
)
def test_the_licence_in_a_midi_file_comes_along_into_the_sound(tmp_path, suffix, tag):
    terms = "Non-commercial use only (CC BY-NC-SA 4.0)"
    write_midi(song(steps=16, licence=terms), tmp_path / "song.mid")
    target = tmp_path / f"song{suffix}"
    render_file(tmp_path / "song.mid", target, 8000)
    with soundfile.SoundFile(target) as file:
        assert (getattr(file, tag), file.title) == (terms, "song")


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_half_a_character_in_a_name_does_not_break_the_file(tmp_path, suffix):
    write_audio(tmp_path / f"a{suffix}", np.zeros((100, 2), np.float32), RATE, title="a\udcff")
    with soundfile.SoundFile(tmp_path / f"a{suffix}") as file:
        assert file.title == "a?"


def test_blocks_may_be_written_as_they_come(tmp_path):
    piece = song(steps=32)
    frames = write_audio(tmp_path / "song.wav", render_blocks(piece, RATE), RATE)
    data, _ = soundfile.read(tmp_path / "song.wav", dtype="int16")
    assert frames == len(data)
    assert np.array_equal(data, to_format(render(piece, RATE), -16, 2))


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    def broken():
        yield np.zeros((100, 2), dtype=np.float32)
        raise RuntimeError("power cut")

    (tmp_path / "song.wav").write_bytes(b"old")
    with pytest.raises(RuntimeError, match="power cut"):
        write_audio(tmp_path / "song.wav", broken(), RATE)
    assert (tmp_path / "song.wav").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["song.wav"]


@pytest.mark.parametrize(("path", "named"), [(".", "the file"), ("music.mp3", "music.mp3")])
def test_what_should_end_otherwise_is_named_even_without_a_name(path, named, rendered):
    with pytest.raises(SoundError, match=f"^{named} should end in one of .wav, .flac, .ogg$"):
        write_audio(path, rendered, 44100)


def test_unknown_endings_are_refused_before_anything_is_written(tmp_path, rendered):
    with pytest.raises(SoundError, match=r"song\.mp3.*\.wav, \.flac, \.ogg"):
        write_audio(tmp_path / "song.mp3", rendered, RATE)
    assert not list(tmp_path.iterdir())


def test_the_command_turns_a_midi_file_into_sound(tmp_path, capsys):
    write_midi(song(steps=16), tmp_path / "song.mid")
    target = tmp_path / "song.flac"
    assert cli.main(["render", str(tmp_path / "song.mid"), "-o", str(target), "--rate", "8000"]) == 0
    assert "song.flac" in capsys.readouterr().out
    data, rate = soundfile.read(target)
    assert rate == 8000
    assert len(data) > step_to_frame(16, 8000, 120.0)
    with soundfile.SoundFile(target) as file:
        assert "Alexander Holm" in file.comment


def test_the_command_says_in_one_line_what_is_wrong(tmp_path, capsys):
    (tmp_path / "noise.mid").write_bytes(b"not music")
    assert cli.main(["render", str(tmp_path / "noise.mid"), "-o", str(tmp_path / "a.wav")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "a.wav").exists()


def test_the_piece_is_performed_before_it_sounds():
    flat = song(has_dynamics=False)
    assert np.array_equal(render(flat, RATE), render(perform(flat), RATE))
    assert not np.array_equal(render(flat, RATE), render(replace(flat, has_dynamics=True), RATE))
