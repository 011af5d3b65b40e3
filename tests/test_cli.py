from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

import pianogan_bgm
from pianogan_bgm import cli, convert
from pianogan_bgm.cli import main
from pianogan_bgm.errors import InvalidRoll, one_line
from pianogan_bgm.midi import read_midi, write_midi
from pianogan_bgm.notes import Note
from pianogan_bgm.piece import Piece


@pytest.fixture
def song(tmp_path: Path) -> Path:
    write_midi(Piece((Note(0, 60, 4), Note(610, 64, 4)), steps=700), tmp_path / "song.mid")
    return tmp_path / "song.mid"


def test_there_and_back_by_the_command_line(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = song.parent / "out"
    assert main(["midi2img", str(song), "-o", str(out), "--length", "350"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["song_piano_0.png", "song_piano_1.png"]
    assert main(["img2midi", str(out), "-o", str(out / "back.mid"), "--tempo", "100"]) == 0
    back = read_midi(out / "back.mid").piece()
    assert (back.notes, back.tempo) == ((Note(0, 60, 4), Note(610, 64, 4)), 100.0)
    assert capsys.readouterr() == (
        "files: 1; pictures written: 2\nfiles: 2; MIDI files written: 1\n",
        "",
    )


@pytest.mark.parametrize(("option", "count"), [([], 2), (["--skip-silent"], 2), (["--keep-silent"], 3)])
def test_silent_pictures_are_left_out_or_kept_by_choice(song: Path, option: list[str], count: int) -> None:
    assert main(["midi2img", str(song), *option]) == 0
    assert len(list(song.parent.glob("*.png"))) == count


def test_the_resolution_may_be_a_fraction(song: Path) -> None:
    assert main(["midi2img", str(song), "--resolution", "1/2", "--edges"]) == 0
    assert [path.name for path in sorted(song.parent.glob("*.png"))] == [
        "song_piano_0.png",
        "song_piano_1.png",
    ]


def test_a_broken_file_gives_status_1_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mid").write_bytes(b"nothing")
    assert main(["midi2img", str(tmp_path)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path / 'a.mid'}: not a MIDI file (one begins with MThd)"
    ]


def test_an_error_of_this_package_is_one_line_and_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["img2midi", str(tmp_path / "a.png"), "--tempo", "1000"]) == 1
    assert capsys.readouterr().err == "pianogan-bgm: tempo must be 20 to 400 beats a minute; got 1000.0\n"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX names the error so")
def test_a_folder_that_cannot_be_written_is_one_line_and_status_1(
    song: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (song.parent / "file").write_text("in the way")
    assert main(["midi2img", str(song), "-o", str(song.parent / "file" / "out")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("pianogan-bgm: ")
    assert "Not a directory" in line


def test_ctrl_c_gives_130_without_a_traceback(
    song: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(convert, "midi2img", interrupted)
    assert main(["midi2img", str(song)]) == 130
    assert capsys.readouterr().err == "pianogan-bgm: interrupted\n"


def test_ctrl_c_while_the_options_are_read_is_no_traceback_either(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "build_parser", interrupted)
    assert main(["midi2img"]) == 130
    assert capsys.readouterr().err == "pianogan-bgm: interrupted\n"


@pytest.mark.parametrize("package", ["numpy", "mido"])
def test_a_package_that_is_missing_is_named_in_one_line(song: Path, package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; from pianogan_bgm.cli import main; sys.exit(main())"
    for command in (["midi2img", str(song)], ["render", str(song), "-o", "a.wav"], ["playlist", "-o", "a"]):
        line = [sys.executable, "-c", code, *command]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        (said,) = done.stderr.splitlines()
        assert said.startswith(f"pianogan-bgm: the package {package} is not installed")


@pytest.mark.parametrize("closed", [False, True])
def test_without_streams_the_work_is_done_and_what_is_said_goes_nowhere(
    song: Path, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    for name in ("stdout", "stderr"):
        stream = io.StringIO() if closed else None
        if stream is not None:
            stream.close()
        monkeypatch.setattr(sys, name, stream)
    assert main(["midi2img", str(song)]) == 0
    assert len(list(song.parent.glob("*.png"))) == 2
    (song.parent / "a.mid").write_bytes(b"nothing")
    assert main(["midi2img", str(song.parent / "a.mid")]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["dance"],
        ["midi2img"],
        ["midi2img", "a.mid", "--resolution", "0"],
        ["midi2img", "a.mid", "--resolution", "1/0"],
        ["midi2img", "a.mid", "--resolution", "1/65"],
        ["midi2img", "a.mid", "--resolution", "65"],
        ["midi2img", "a.mid", "--resolution", "1e999999999"],
        ["midi2img", "a.mid", "--resolution", "1" * 5000],
        ["midi2img", "a.mid", "--length", "0"],
        ["midi2img", "a.mid", "--length", "many"],
        ["midi2img", "a.mid", "--skip-silent", "--keep-silent"],
        ["img2midi", "a.png", "--tempo", "fast"],
        ["img2midi", ""],
        *([command, "a", "-o", ""] for command in ("midi2img", "img2midi", "render")),
        *([command, "-o", ""] for command in ("generate", "playlist")),
        *(["play", "--seconds", text] for text in ("nan", "-5", "inf", "long")),
    ],
)
def test_a_wrong_usage_is_explained_with_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "usage: pianogan-bgm" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    [
        ("generate", "--count"),
        ("generate", "--seed"),
        ("generate", "--tempo"),
        ("generate", "--formats"),
        ("render", "--rate"),
        ("midi2img", "--length"),
        *(("playlist", name) for name in ("--count", "--seeds", "--first", "--rate", "--jobs", "--key")),
    ],
)
def test_a_wrong_value_is_shown_only_in_part(
    option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([*option, "9" * 5000 + "x"])
    assert left.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert len(said) < 300
    assert "expected" in said


@pytest.mark.parametrize("option", [["--model", "nosuch"], ["--seed", "7"]])
def test_an_option_that_a_looped_file_would_ignore_is_refused(
    song: Path, option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["play", str(song), *option]) == 1
    said = capsys.readouterr().err
    assert said == f"pianogan-bgm: {song} is looped, nothing is composed: leave out {option[0]}\n"


def test_version_and_help_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (["--version"], pianogan_bgm.__version__), (["--help"], "midi2img"):
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 0
        assert said in capsys.readouterr().out


def test_every_command_has_help_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    for command in cli.COMMANDS:
        with pytest.raises(SystemExit):
            main([command.name, "--help"])
        assert f"usage: pianogan-bgm {command.name}" in capsys.readouterr().out
    assert len({command.name for command in cli.COMMANDS}) == len(cli.COMMANDS)


def test_the_package_runs_as_a_program_and_keeps_its_name() -> None:
    command = [sys.executable, "-m", "pianogan_bgm"]
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"pianogan-bgm {pianogan_bgm.__version__}\n")
    done = subprocess.run([*command, "dance"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: pianogan-bgm ")


def test_the_program_runs_as_a_module_and_survives_a_reader_that_leaves(song: Path) -> None:
    command = [sys.executable, "-m", "pianogan_bgm.cli", "midi2img", str(song)]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX takes any name")
def test_what_the_terminal_cannot_show_does_not_end_the_run(song: Path) -> None:
    named = song.rename(song.with_name("пісня-♪.mid"))
    command = [sys.executable, "-m", "pianogan_bgm.cli", "render", str(named), "--rate", "8000"]
    command += ["-o", str(song.parent / "пісня.wav")]
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "1"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u043f" in done.stdout


def test_a_file_system_error_names_its_file_first_and_no_error_is_blank() -> None:
    assert one_line(FileNotFoundError(2, "No such file", "a.mid")) == "a.mid: No such file"
    moved = PermissionError(13, "Permission denied", ".1f.tmp", None, "a.mid")
    assert one_line(moved) == "a.mid: Permission denied"
    assert one_line(InvalidRoll("two\nlines")) == "two lines"
    assert one_line(OSError()) == "OSError"
