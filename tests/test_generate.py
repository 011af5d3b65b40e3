from __future__ import annotations

from pathlib import Path

import pytest
from tiny_model import write_tiny

from pianogan_bgm import cli
from pianogan_bgm.arrange import perform
from pianogan_bgm.atlas import FEATURES, Atlas, to_json
from pianogan_bgm.endings import with_ending
from pianogan_bgm.generator import Generator
from pianogan_bgm.images import read_png
from pianogan_bgm.instruments import CREDITS
from pianogan_bgm.midi import read_midi


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("model"))


def run(model: Path, folder: Path, *more: str) -> int:
    return cli.main(["generate", "--model", str(model), "-o", str(folder), *more])


def written(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_seed_becomes_midi_picture_and_sound(model: Path, tmp_path: Path) -> None:
    import soundfile

    assert run(model, tmp_path / "out", "--seed", "1") == 0
    assert written(tmp_path / "out") == ["tiny-1.mid", "tiny-1.png", "tiny-1.wav"]
    piece = perform(Generator(model).compose(1))
    score = read_midi(tmp_path / "out" / "tiny-1.mid").piece()
    assert score.notes == piece.notes
    assert score.tempo == pytest.approx(96.0)
    assert read_png(tmp_path / "out" / "tiny-1.png").notes == piece.notes
    sound, rate = soundfile.read(tmp_path / "out" / "tiny-1.wav")
    assert len(sound) / rate >= piece.seconds
    assert 0.05 < abs(sound).max() <= 1.0


@pytest.mark.parametrize("kind", ["wav", "ogg", "flac"])
def test_sound_carries_the_credits_of_model_and_piano(model: Path, tmp_path: Path, kind: str) -> None:
    import soundfile

    assert run(model, tmp_path, "--seed", "1", "--formats", kind) == 0
    with soundfile.SoundFile(tmp_path / f"tiny-1.{kind}") as sound:
        said = sound.copy_metadata()["comment"]
    assert said == "; ".join([*Generator(model).card.attribution, CREDITS["piano"]])
    assert len(Generator(model).card.attribution) > 0


def test_the_same_command_writes_the_same_midi_and_picture(model: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        assert run(model, tmp_path / folder, "--seed", "2", "--formats", "mid,png") == 0
    for name in ("tiny-2.mid", "tiny-2.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_count_goes_on_from_the_seed(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(model, tmp_path, "--seed", "5", "--count", "3", "--formats", "mid") == 0
    assert written(tmp_path) == ["tiny-5.mid", "tiny-6.mid", "tiny-7.mid"]
    alone = tmp_path / "alone"
    assert run(model, alone, "--seed", "6", "--formats", "mid") == 0
    assert (alone / "tiny-6.mid").read_bytes() == (tmp_path / "tiny-6.mid").read_bytes()
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == [str(tmp_path / f"tiny-{seed}.mid") for seed in (5, 6, 7)]
    assert said[3] == "tiny: any use"


def test_without_a_seed_the_one_drawn_is_said(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, tmp_path, "--formats", "mid") == 0
    seed = capsys.readouterr().out.splitlines()[0].removeprefix("seed ")
    assert written(tmp_path) == [f"tiny-{int(seed)}.mid"]


def test_without_a_seed_pieces_are_of_the_better_half_of_the_atlas(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_tiny(tmp_path)
    rows = tuple((seed, (1.0,) * len(FEATURES)) for seed in range(50, 58))
    text = to_json(Atlas.of(rows, (1.0, 0.0) * 4), "tiny")
    (tmp_path / "tiny.atlas.json").write_text(text, encoding="utf-8")
    assert run(model, tmp_path / "out", "--formats", "mid", "--count", "3") == 0
    said = capsys.readouterr().out.splitlines()[0].removeprefix("seeds ").split(", ")
    assert len(set(said)) == 3
    assert {int(seed) for seed in said} <= {50, 52, 54, 56}
    assert written(tmp_path / "out") == sorted(f"tiny-{seed}.mid" for seed in said)


def test_the_tempo_is_that_asked_for(model: Path, tmp_path: Path) -> None:
    assert run(model, tmp_path, "--seed", "1", "--formats", "mid", "--tempo", "150") == 0
    assert read_midi(tmp_path / "tiny-1.mid").piece().tempo == pytest.approx(150.0)


def test_an_ending_closes_all_files_on_a_cadence_that_slows_down(model: Path, tmp_path: Path) -> None:
    import soundfile

    assert run(model, tmp_path, "--seed", "1", "--ending") == 0
    ended = perform(with_ending(Generator(model).compose(1)))
    score = read_midi(tmp_path / "tiny-1.mid")
    assert score.piece().notes == ended.notes
    assert score.tempos[0][1] == pytest.approx(96.0)
    assert score.tempos[-1][1] == pytest.approx(0.55 * 96.0, rel=1e-3)
    sound, rate = soundfile.read(tmp_path / "tiny-1.wav")
    assert len(sound) / rate > score.seconds(score.steps) > ended.seconds


def test_what_was_there_is_replaced_and_nothing_left_beside_it(model: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny-1.mid").write_text("old")
    assert run(model, tmp_path, "--seed", "1", "--formats", "mid") == 0
    assert written(tmp_path) == ["tiny-1.mid"]
    expected = perform(Generator(model).compose(1))
    assert read_midi(tmp_path / "tiny-1.mid").piece().notes == expected.notes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--seed", "-1"), "whole number from 0 to 2**64 - 1; got -1"),
        (("--seed", str(2**64 - 1), "--count", "2"), "got 18446744073709551616"),
        (("--seed", "1", "--tempo", "5000"), "tempo must be"),
        (("--tempo", "nan"), "tempo must be"),
    ],
)
def test_a_bad_wish_is_one_line_and_writes_nothing(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    assert run(model, tmp_path, *options) == 1
    said = capsys.readouterr()
    assert words in said.err
    assert said.out == ""
    assert written(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--formats", "mid,mp3"), "expected some of mid,png,wav,ogg,flac; got 'mp3'"),
        (("--formats", ""), "got ''"),
        (("--count", "0"), "1 to 1000000; got '0'"),
        (("--count", "x"), "got 'x'"),
    ],
)
def test_a_wrong_option_is_a_wrong_usage(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(model, tmp_path, *options)
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err


def test_an_unknown_model_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["generate", "--model", "jazz", "-o", str(tmp_path)]) == 1
    assert "no model named 'jazz' is installed" in capsys.readouterr().err
