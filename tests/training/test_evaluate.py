import hashlib
import json

import numpy as np
import pytest
from songs import save_corpus
from tiny_model import tiny_weights, write_tiny

from pianogan_bgm.errors import InvalidRoll, ModelNotFound
from pianogan_bgm.generator import Generator
from pianogan_bgm.roll import decode
from training.corpus import Corpus, DataError
from training.entrants import Entrant, entrant
from training.evaluate import Protocol, evaluate, main, met_elsewhere, split_windows
from training.features import FEATURES, note_table
from training.report import CEILING, FLOOR, MARKOV, _held_to, text

pytest.importorskip("tensorflow", reason="needs the train extra")

QUICK = Protocol(generated=20, windows=12, seeds=2, trees=5, epochs=1)
ROWS = {"overlapped_area", "auc", "roll_auc", "density", "coverage", "copied"}
ROWS |= {"longest_copy_median", "longest_copy", "nearest_median", "nearest", "rolls"}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return save_corpus(tmp_path_factory.mktemp("evaluation") / "corpus", [0] * 10 + [2] * 6)


@pytest.fixture(scope="module")
def corpus(data):
    return Corpus.load(data)


@pytest.fixture(scope="module")
def report(corpus):
    thief = Entrant("thief", lambda count, seed: split_windows(corpus, "train", count, seed), {"sha256": "1"})
    mute = Entrant("mute", lambda count, _: np.zeros((count, 106, 300), np.uint8), {"sha256": "2"})
    return evaluate(corpus, [thief, mute], QUICK)


def mean(report, row, measure):
    return report["rows"][row][measure]["mean"]


def test_the_report_has_every_row_every_measure_and_every_seed(report):
    assert list(report["rows"]) == [CEILING, "thief", "mute", MARKOV, FLOOR]
    for row in report["rows"].values():
        assert set(row) == ROWS
        for measure in row.values():
            assert measure["mean"] == pytest.approx(np.mean(measure["seeds"]))
            assert len(measure["seeds"]) == QUICK.seeds


def test_the_report_says_what_was_measured_on_what_and_how(report, corpus):
    assert report["corpus"] == {"name": "songs", "sha256": corpus.manifest["sha256"]}
    assert report["models"] == {"thief": {"sha256": "1"}, "mute": {"sha256": "2"}}
    wanted = {"version": 2, "split": "test", "generated": 20, "windows": 12, "seeds": 2, "trees": 5}
    assert wanted.items() <= report["protocol"].items()
    assert json.loads(json.dumps(report)) == report


def test_what_a_model_met_in_other_data_is_left_out_and_looked_for(corpus, data, tmp_path, capsys):
    folder = save_corpus(tmp_path / "elsewhere", [0] * 12 + [2] * 4)
    other = Corpus.load(folder)
    assert met_elsewhere(corpus, [other]) == {10, 11}
    assert met_elsewhere(corpus, []) == set()
    thief = Entrant("thief", lambda count, seed: split_windows(other, "train", count, seed), {})
    kept = split_windows(corpus, "test", None, 0, {10, 11})
    assert len(kept) == len([piece for piece, _ in corpus.windows("test") if piece not in {10, 11}])
    report = evaluate(corpus, [thief], QUICK, [other])
    assert report["protocol"]["also_learnt_from"] == ["songs"]
    assert report["protocol"]["test_pieces_left_out"] == 2
    assert mean(report, "thief", "copied") == 1.0
    assert mean(report, "thief", "nearest") == pytest.approx(1.0, abs=1e-4)
    assert "2 pieces of the split left out" in text(report, "thief")
    path = write_tiny(tmp_path)
    few = ["--generated", "20", "--windows", "12", "--seeds", "1", "--trees", "5", "--epochs", "1"]
    assert main([str(path), str(data), *few, "--also-learnt-from", str(folder)]) == 0
    assert "2 pieces of the split left out" in capsys.readouterr().out


def test_the_report_holds_each_feature_beside_the_real_one(report):
    assert list(report["features"]) == list(FEATURES)
    for feature in report["features"].values():
        assert set(feature["rows"]) == set(report["rows"])
        for row in feature["rows"].values():
            assert 0 <= row["overlapped_area"] <= 1
    assert report["features"]["notes"]["rows"]["mute"]["median"] == 0
    assert report["features"]["notes"]["real_median"] > 150


def test_the_floor_lies_below_the_ceiling(report):
    assert mean(report, CEILING, "overlapped_area") > mean(report, FLOOR, "overlapped_area") + 0.1
    assert mean(report, CEILING, "coverage") > mean(report, FLOOR, "coverage")
    assert mean(report, CEILING, "auc") < mean(report, FLOOR, "auc")


def test_silence_scores_far_below_music(report):
    assert mean(report, "mute", "overlapped_area") < 0.3
    assert mean(report, "mute", "coverage") == 0


def test_who_plays_training_music_is_caught_although_all_else_is_as_good_as_real(report):
    assert mean(report, "thief", "overlapped_area") == mean(report, CEILING, "overlapped_area")
    assert mean(report, "thief", "copied") > 0.95
    assert mean(report, "thief", "nearest_median") == pytest.approx(1, abs=1e-4)
    assert mean(report, CEILING, "copied") < 0.2
    assert mean(report, CEILING, "nearest") < 0.9
    assert mean(report, FLOOR, "copied") == 0


def test_the_same_protocol_gives_the_same_report(report, corpus):
    again = evaluate(corpus, [], QUICK)
    for row in (CEILING, MARKOV, FLOOR):
        assert again["rows"][row] == report["rows"][row]


def test_the_text_shows_every_row_and_feature_in_aligned_columns(report):
    tables = text(report, "thief")
    lines = tables.splitlines()
    for name in (*report["rows"], *FEATURES):
        assert any(line.startswith(f"{name}  ") for line in lines)
    for heading in ("overlapped area", "scale consistency"):
        first = next(n for n, line in enumerate(lines) if line.lstrip().startswith(heading))
        table = lines[first : lines.index("", first)]
        assert len({len(line) for line in table if not line.startswith("real music (test")}) == 1
        assert all(any(line.startswith(name) for line in table) for name in report["rows"])


def test_the_text_marks_medians_more_than_a_tenth_off():
    def held(real, own):
        return _held_to({"real_median": real, "rows": {"me": {"median": own}}}, "me")

    assert held(0.5, 0.46) == "0.460 (0.92) "
    assert held(0.5, 0.44) == "0.440 (0.88)*"
    assert held(200.0, 221.0) == "221.0 (1.10)*"
    assert held(0.0, 0.3) == "0.300 (-) "


def test_who_looks_unlike_music_is_told_apart_by_its_rolls(report):
    assert mean(report, "mute", "roll_auc") > 0.7
    assert mean(report, "thief", "roll_auc") == mean(report, CEILING, "roll_auc")


def test_rows_of_the_same_name_are_refused(corpus):
    silent = Entrant(FLOOR, lambda count, _: np.zeros((count, 106, 300), np.uint8), {})
    with pytest.raises(ValueError, match="twice"):
        evaluate(corpus, [silent], QUICK)


@pytest.mark.parametrize("wrong", [{"generated": 3}, {"windows": 0}, {"seeds": 0}, {"epochs": 0}])
def test_a_protocol_too_small_to_mean_anything_is_refused(wrong):
    with pytest.raises(ValueError, match="at least"):
        Protocol(**wrong)


def test_a_corpus_without_enough_test_windows_is_refused(tmp_path):
    corpus = Corpus.load(save_corpus(tmp_path / "corpus", [0] * 10 + [2]))
    with pytest.raises(DataError, match=r"'test' needs 10 windows.*has 3"):
        evaluate(corpus, [], QUICK)


# Who is measured


def test_a_model_is_asked_for_the_pieces_of_its_seeds(tmp_path):
    path = write_tiny(tmp_path)
    model = entrant(str(path))
    cells = model.source(4, 2)
    assert (model.name, model.identity["sha256"]) == ("tiny", hashlib.sha256(path.read_bytes()).hexdigest())
    for seed, roll in zip(range(8, 12), cells, strict=True):
        table = note_table(roll[None])
        piece = Generator(path).compose(seed)
        starts = [(note.start, note.pitch, note.length) for note in piece.notes]
        assert (
            list(zip(table.start.tolist(), table.pitch.tolist(), table.length.tolist(), strict=True))
            == starts
        )


def test_a_black_and_white_model_has_no_strikes_within_a_held_note(tmp_path):
    path = write_tiny(tmp_path, weights=tiny_weights(value=0.999), convention="edges")
    generator = Generator(path)
    roll = generator.rolls(generator.latent(0)[None])[0]
    cells = entrant(str(path)).source(1, 0)
    table = note_table(cells)
    assert table.start.tolist() == [note.start for note in decode(roll, generator.card.roll_spec)]


def test_kept_rolls_are_drawn_without_repeats_and_differently_for_each_seed(tmp_path):
    kept = np.zeros((30, 106, 300), np.uint8)
    kept[:, 0, 0] = np.arange(30)
    np.save(tmp_path / "kept.npy", kept)
    rolls = entrant(str(tmp_path / "kept.npy"), "blur")
    first, second = (rolls.source(20, seed)[:, 0, 0].tolist() for seed in (0, 1))
    assert rolls.name == "blur"
    assert len(set(first)) == 20
    assert first != second
    assert len(rolls.source(99, 0)) == 30


def test_kept_rolls_of_another_kind_are_refused(tmp_path):
    np.save(tmp_path / "floats.npy", np.zeros((30, 106, 300, 1), np.float32))
    with pytest.raises(InvalidRoll, match="uint8"):
        entrant(str(tmp_path / "floats.npy"))


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18)])
def test_a_file_of_rolls_that_holds_none_is_named(tmp_path, content):
    (tmp_path / "rolls.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"rolls\.npy: not an array"):
        entrant(str(tmp_path / "rolls.npy"))


def test_an_unknown_model_is_named(tmp_path):
    with pytest.raises(ModelNotFound):
        entrant(str(tmp_path / "nobody.onnx"))


# The command


def test_the_command_prints_the_tables_and_writes_the_report(tmp_path, data, capsys):
    model = write_tiny(tmp_path)
    np.save(tmp_path / "kept.npy", np.zeros((20, 106, 300), np.uint8))
    wanted = [
        "--also",
        f"silence={tmp_path / 'kept.npy'}",
        "--generated",
        "10",
        "--windows",
        "10",
        "--seeds",
        "1",
        "--trees",
        "5",
        "--epochs",
        "1",
    ]
    assert main([str(model), str(data), *wanted, "-o", str(tmp_path / "report.json")]) == 0
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert list(report["rows"]) == [CEILING, "tiny", "silence", MARKOV, FLOOR]
    assert report["models"]["tiny"]["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert text(report, "tiny") in capsys.readouterr().out


def test_the_command_names_what_is_missing_and_fails(tmp_path, data, capsys):
    assert main([str(write_tiny(tmp_path)), str(tmp_path / "nowhere")]) == 1
    assert "nowhere" in capsys.readouterr().err
    assert main([str(tmp_path / "nobody.onnx"), str(data)]) == 1
    assert "nobody" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_named_after_its_tables(tmp_path, data, capsys, monkeypatch):
    monkeypatch.setattr("training.evaluate.evaluate", lambda *_: {})
    monkeypatch.setattr("training.evaluate.text", lambda *_: "the tables")
    (tmp_path / "file").touch()
    np.save(tmp_path / "kept.npy", np.zeros((20, 106, 300), np.uint8))
    output = tmp_path / "file" / "report.json"
    assert main([str(tmp_path / "kept.npy"), str(data), "-o", str(output)]) == 1
    told = capsys.readouterr()
    assert told.out == "the tables\n"
    assert told.err.startswith("error: ")
    assert told.err.count("\n") == 1


def test_another_row_needs_a_name(tmp_path):
    with pytest.raises(SystemExit):
        main(["model.onnx", str(tmp_path), "--also", "model.onnx"])
