from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from songs import save_corpus
from tiny_model import tiny_card, write_tiny

from pianogan_bgm.cards import LATENT_SIZE
from pianogan_bgm.latents import latent_of
from pianogan_bgm.notes import Note
from pianogan_bgm.piece import Piece
from pianogan_bgm.playlist.choice import print_of
from pianogan_bgm.roll import encode
from training import latents
from training.attributes import ATTRIBUTES
from training.latents import SHOWN, directions, main, regions, smoothness, text


class Known:
    """A generator of known ways: number 0 makes it dense, number 1 high, number 2 major; below -1 silent.

    The rest of it is a scale that number 3 begins.
    """

    card = tiny_card(b"")

    def rolls(self, given: Any) -> Any:
        return np.stack([self.roll(row) for row in np.asarray(given, dtype=np.float64)])

    def roll(self, row: Any) -> Any:
        if row[4] < -1.0:
            return encode(())
        gap = int(np.clip(4 - row[0], 1, 6))
        low = int(np.clip(60 + 5 * row[1], 40, 80))
        scale = (0, 4, 7, 12) if row[2] > 0 else (0, 3, 7, 12)
        first = int(np.floor(row[3] * 40)) % 4
        notes = [Note(at, low + scale[(first + at // gap) % 4], 1) for at in range(0, 300 - gap, gap)]
        return encode(notes)


def known() -> Any:
    return Known()


@pytest.mark.parametrize("distance", [0.05, 0.5, 2.0])
def test_neighbours_lie_at_the_distance_and_as_far_from_0(distance: float) -> None:
    here = np.stack([latent_of(seed) for seed in range(50)])
    there = latents._neighbours(here, distance, np.random.default_rng(1))
    assert there.dtype == np.float32
    assert np.linalg.norm(there - here, axis=1) == pytest.approx(distance, abs=1e-5)
    assert np.linalg.norm(there, axis=1) == pytest.approx(np.linalg.norm(here, axis=1), rel=1e-5)


def test_nearer_latents_give_pieces_that_are_more_alike() -> None:
    rows = smoothness(known(), pairs=30)
    assert [row["distance"] for row in rows] == [*latents.DISTANCES, None]
    assert rows[0]["equal_strikes"] > rows[3]["equal_strikes"] > rows[-1]["equal_strikes"]
    assert rows[0]["feature_correlation"] > 0.9
    assert abs(rows[-1]["feature_correlation"]) < 0.3


def test_what_each_direction_does_is_found() -> None:
    followed, effects = directions(known(), seeds=80)
    assert list(followed) == list(ATTRIBUTES)
    assert followed["density"] == effects["notes"][0] > 0.4
    assert followed["register"] == effects["mean pitch"][1] > 0.4
    assert abs(followed["leaps"]) < 0.3
    assert list(effects) == ["mode", *SHOWN]
    assert all(len(values) == LATENT_SIZE for values in effects.values())
    for feature, number in (("notes", 0), ("mean pitch", 1), ("mode", 2)):
        strongest = max(range(LATENT_SIZE), key=lambda n, feature=feature: abs(effects[feature][n]))
        assert strongest == number
        assert effects[feature][number] > 0.4
    assert effects["onset gap, mean"][0] < -0.4


def test_silent_pieces_are_counted() -> None:
    found = regions(known(), seeds=80)
    silent = sum(latent_of(seed)[4] < -1.0 for seed in range(80))
    assert found["silent"] == silent > 0
    assert found["fewest_notes"] == 0
    assert found["distinct"] <= 80 - silent


def test_near_doubles_and_distinct_pieces_are_counted() -> None:
    def strikes(*places: int) -> Any:
        found = np.zeros(1800, dtype=np.bool_)
        found[list(places)] = True
        return found

    prints = [strikes(*range(10)), strikes(*range(9)), strikes(*range(7)), strikes(*range(20, 30))]
    nearest, alike = latents._neighbourhood(prints)
    assert nearest == pytest.approx([0.1, 0.1, 1 - 7 / 9, 1.0])
    assert alike[0].tolist() == [True, True, True, False]
    assert latents._distinct(alike) == 2


def test_a_transposed_piece_is_a_double() -> None:
    notes = tuple(Note(at, 60 + (0, 4, 7)[at % 3], 1) for at in range(100))
    higher = tuple(Note(note.start, note.pitch + 3, 1) for note in notes)
    prints = [print_of(Piece(one, steps=100)) for one in (notes, higher)]
    assert latents._neighbourhood([one for one in prints if one is not None])[0].tolist() == [0.0, 0.0]


def test_correlations_of_rows_that_do_not_vary_are_0() -> None:
    one = np.array([[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]])
    assert latents._correlations(one, one[::-1]).tolist() == [0.0, 0.0]
    assert latents._correlations(one, -one).tolist() == pytest.approx([-1.0, 0.0])


def test_the_command_prints_the_tables_and_writes_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = save_corpus(tmp_path / "corpus", [0] * 10)
    wanted = ["--pairs", "4", "--seeds", "8", "--many", "12", "--data", str(data)]
    assert main([str(write_tiny(tmp_path)), *wanted, "-o", str(tmp_path / "report.json")]) == 0
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["model"]["name"] == "tiny"
    said = capsys.readouterr().out
    assert text(report) in said
    assert "independent" in said
    assert "of 12 seeds" in said
    assert "of 12 windows of real music" in said


def test_the_command_names_what_is_missing_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "nobody.onnx")]) == 1
    assert "nobody" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["tiny", "--pairs", "1"])
