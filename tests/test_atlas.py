import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from music_fakes import FakeGenerator
from tiny_model import write_tiny

from export import build_atlas
from export.build_atlas import build
from pianogan_bgm.atlas import (
    FEATURES,
    Atlas,
    fresh_seeds,
    from_json,
    load_atlas,
    measure,
    to_json,
)
from pianogan_bgm.composer import NO_REPEAT, Composer
from pianogan_bgm.errors import ModelDamaged
from pianogan_bgm.notes import Note
from pianogan_bgm.piece import Piece
from pianogan_bgm.scenes import MOODS


def scale(pitches, length=4):
    notes = tuple(Note(4 * n, pitch, length) for n, pitch in enumerate(pitches))
    return Piece(notes, steps=4 * len(pitches))


def features(piece):
    return dict(zip(FEATURES, measure(piece), strict=True))


def atlas():
    """Seed n: density n, all else alike but the mode, which alternates."""
    return Atlas.of((n, (1.0 if n % 2 else -1.0, float(n), 60.0, 2.0, 0.1, 0.3, 3.0)) for n in range(50))


def judged():
    """The same, the judge's favourites being 25 and its neighbours on both sides, nearer ones first."""
    return replace(atlas(), quality=-abs(np.arange(50) - 25.0))


class AnyGenerator:
    """Composes a silent piece of any seed."""

    def compose(self, seed=None, *, latent=None):
        return Piece((), steps=16, seed=seed, model="fake")


def endless(table, mood=None, pieces=40, seed=10**6):
    """Seeds that endless music plays after its first piece, which is that of its seed."""
    composer = Composer(AnyGenerator(), seed)
    composer._atlas = table
    assert composer.following(mood).piece.seed == seed
    return [composer.following(mood).piece.seed for _ in range(pieces)]


def test_features_say_what_is_heard():
    low = features(scale([48, 50, 52, 53, 55, 57, 59, 60]))
    high = features(scale([72, 74, 76, 77, 79, 81, 83, 84], length=1))
    assert low["major"] == high["major"] == 1.0
    assert high["register"] - low["register"] == 24
    assert (low["short"], high["short"]) == (0.0, 1.0)
    assert low["density"] == 1.0
    cluster = Piece((Note(0, 60, 4), Note(0, 61, 4), Note(0, 62, 4)), steps=8)
    assert features(cluster)["dissonance"] == 1.0
    assert features(cluster)["polyphony"] == 3.0
    assert features(Piece((), steps=8)) == dict.fromkeys(FEATURES, 0.0)


def test_a_mood_finds_the_seeds_that_lean_its_way():
    table = atlas()
    assert min(table.suiting("battle")) > max(table.suiting("sad"))
    assert all(seed % 2 == 0 for seed in table.suiting("sad"))
    assert all(seed % 2 == 1 for seed in table.suiting("bright"))
    assert Atlas.of().suiting("calm") == []


def test_every_mood_wants_features_that_are_measured():
    for mood in MOODS.values():
        assert {name for name, _, _ in mood.wants} <= set(FEATURES)
        assert 0 <= mood.intensity <= 1


def test_better_ones_come_first_among_all_seeds_and_among_those_that_suit_a_mood():
    table = judged()
    assert table.ranked()[:4] == [25, 24, 26, 23]
    assert sorted(table.ranked()) == list(range(50))
    assert sorted(table.better()) == list(range(13, 38))
    for mood in MOODS:
        suiting = table.suiting(mood)
        assert set(suiting) == set(atlas().suiting(mood))  # quality does not decide what suits
        assert suiting == [seed for seed in table.ranked() if seed in suiting]
        assert table.better(mood) == suiting[: len(suiting) // 2]


def test_quality_changes_no_pieces_moods():
    for row in atlas().features:
        assert judged().moods(row) == atlas().moods(row)


def test_without_quality_no_half_is_better_and_seeds_keep_their_order():
    assert atlas().better() == atlas().better("calm") == Atlas.of().better() == []
    assert atlas().ranked() == list(range(50))


def test_quality_is_for_every_row_or_for_none():
    with pytest.raises(ValueError, match="each of 50 rows, or none; got 3"):
        replace(atlas(), quality=np.arange(3.0))


def test_the_file_of_an_atlas_reads_back():
    assert from_json(to_json(atlas(), "open")) == atlas()
    assert from_json(to_json(judged(), "open")) == judged()
    tiny = replace(atlas(), quality=np.full(50, 1.23456e-9))
    assert from_json(to_json(tiny, "open")) == tiny


def file_of(rows, version=2):
    return json.dumps({"version": version, "model": "open", "features": list(FEATURES), "rows": rows})


def test_a_file_of_version_1_is_read_as_one_without_quality():
    rows = [[seed, *features] for seed, features in enumerate(atlas().features.tolist())]
    assert from_json(file_of(rows, version=1)) == atlas()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"version": 2}',
        to_json(atlas(), "open").replace("density", "destiny"),
        file_of([[7, *[1.0] * 8]], version=1),
        file_of([[7, *[1.0] * 7]]),
        file_of([[7, *[1.0] * 7, 0.5]], version=3),
        file_of([[7, *[1.0] * 7, 0.5], [8, *[1.0] * 7, None]]),
        file_of([[7, *[1.0] * 7, float("nan")]]),
        file_of([[7, *[1.0] * 7, "good"]]),
        file_of([[7, *[1.0] * 6, None, 0.5]]),
        file_of([[7, *[1.0] * 6, "1", 0.5]]),
        file_of([[7, *[1.0] * 6, True, 0.5]]),
        file_of([[7, *[1.0] * 6, 10**400, 0.5]]),
        file_of([[7, *[1.0] * 7, "0.5"]]),
        file_of([[7, *[1.0] * 7, False]]),
        *(file_of([[seed, *[1.0] * 7, 0.5]]) for seed in (-1, 3.7, "7", True, None, 2**70)),
        file_of([[7, *[1.0] * 7, 0.5], [7, *[2.0] * 7, 0.5]]),
        file_of([[7, *[1.0] * 7]], version=True),
    ],
)
def test_what_is_no_atlas_is_refused(text):
    with pytest.raises(ModelDamaged, match="not an atlas of version 1 or 2"):
        from_json(text)


def test_endless_music_of_a_mood_plays_its_seeds_and_repeats_none_of_the_last():
    table = Atlas.of(enumerate([*atlas().features] * 4))
    played = endless(table, "battle")
    assert set(played) <= set(table.suiting("battle"))
    assert_no_repeat(played)


def assert_no_repeat(played):
    assert all(seed not in played[max(0, n - NO_REPEAT) : n] for n, seed in enumerate(played))


def test_endless_music_is_drawn_from_the_better_half_of_the_atlas():
    played = endless(judged(), pieces=200)
    assert set(played) == set(judged().better())
    assert_no_repeat(played)
    assert endless(judged(), pieces=200) == played
    assert endless(judged(), pieces=200, seed=10**6 + 1) != played


def test_endless_music_without_quality_is_drawn_from_all_seeds():
    assert not set(endless(atlas())) & set(range(50))


def test_endless_music_of_a_mood_is_drawn_from_the_better_half_of_what_suits_it():
    table = Atlas.of(enumerate([*atlas().features] * 8), np.arange(400) % 7)
    played = endless(table, "sad", pieces=200)
    assert set(played) == set(table.better("sad"))
    assert_no_repeat(played)


def test_where_the_better_half_was_played_just_now_the_others_that_suit_follow_and_then_any():
    played = endless(judged(), "sad")
    suiting = judged().suiting("sad")  # six, of which three are the better half
    assert sorted(played[:3]) == sorted(judged().better("sad"))
    assert sorted(played[3:6]) == sorted(set(suiting) - set(played[:3]))
    assert not set(played[6:12]) & set(suiting)
    assert_no_repeat(played)


def test_a_fresh_seed_is_of_the_better_half_where_there_is_one():
    for _ in range(20):
        assert set(fresh_seeds(judged(), 3)) <= set(judged().better())
    assert sorted(fresh_seeds(judged(), 25)) == sorted(judged().better())
    for table, count in ((judged(), 26), (atlas(), 3), (Atlas.of(), 1)):
        seeds = fresh_seeds(table, count)
        assert seeds == list(range(seeds[0], seeds[0] + count))


def test_an_atlas_is_measured_from_many_seeds_without_near_silent_pieces():
    built = build(FakeGenerator(steps=200), range(6))
    assert built.seeds.tolist() == list(range(6))
    assert built.features.shape == (6, len(FEATURES))
    assert from_json(to_json(built, "fake")) == built
    assert len(build(FakeGenerator(steps=16), range(6))) == 0


def test_an_atlas_keeps_the_quality_of_the_seeds_it_keeps():
    class Sparse(FakeGenerator):
        def compose(self, seed=None, *, latent=None):
            piece = super().compose(seed)
            return replace(piece, notes=piece.notes[:10]) if seed % 2 else piece

    built = build(Sparse(steps=200), range(6), np.array([0.5, 9, 1.5, 9, 2.5, 9]))
    assert built.seeds.tolist() == [0, 2, 4]
    assert built.quality.tolist() == [0.5, 1.5, 2.5]


def write_quality(path, values):
    np.save(path, values)
    return str(path)


def test_the_command_takes_quality_from_a_file(tmp_path, capsys):
    model = write_tiny(tmp_path)
    quality = np.linspace(-1, 1, 8, dtype=np.float32)
    file = write_quality(tmp_path / "quality.npy", quality)
    assert build_atlas.main([str(model), "--seeds", "8", "--quality", file]) == 0
    table = load_atlas(model)
    assert table.quality == pytest.approx(quality[table.seeds], rel=1e-5)
    assert len(table.better()) == (len(table) + 1) // 2
    assert "of 8 seeds" in capsys.readouterr().out
    # and endless music of this model asks it
    composer = Composer(model, seed=1)
    composer.following()
    assert composer.following().piece.seed in table.better()


@pytest.mark.parametrize(
    "values",
    [np.zeros(7), np.zeros((8, 1)), np.full(8, np.nan), np.array(["good"] * 8), np.zeros(8, complex)],
)
def test_quality_that_makes_no_sense_is_refused_and_nothing_written(tmp_path, capsys, values):
    model = write_tiny(tmp_path)
    file = write_quality(tmp_path / "quality.npy", values)
    with pytest.raises(SystemExit):
        build_atlas.main([str(model), "--seeds", "8", "--quality", file])
    assert "expected a finite number for each of 8 seeds" in capsys.readouterr().err
    assert not (tmp_path / "tiny.atlas.json").exists()


def test_an_atlas_of_absurd_size_is_refused_before_it_is_read(tmp_path, monkeypatch):
    model = write_tiny(tmp_path)
    (tmp_path / "tiny.atlas.json").write_text(to_json(atlas(), "tiny"), encoding="utf-8")
    assert load_atlas(model) == atlas()
    monkeypatch.setattr("pianogan_bgm.atlas.MAX_BYTES", 1000)
    with pytest.raises(ModelDamaged, match=r"tiny\.atlas\.json: an atlas has at most 1000 bytes"):
        load_atlas(model)


def test_the_command_writes_the_models_own_name(tmp_path, monkeypatch):
    generator = FakeGenerator(steps=200)
    generator.card = SimpleNamespace(name="open.v2")
    monkeypatch.setattr(build_atlas, "Generator", lambda _: generator)
    monkeypatch.setattr(build_atlas, "find_model", lambda _: SimpleNamespace(where=tmp_path / "a.onnx"))
    assert build_atlas.main(["open.v2", "--seeds", "3"]) == 0
    assert json.loads((tmp_path / "a.atlas.json").read_text())["model"] == "open.v2"


@pytest.mark.parametrize("count", ["0", "-3"])
def test_an_atlas_of_no_seed_takes_no_other_one_s_place(tmp_path, count):
    model = write_tiny(tmp_path)
    with pytest.raises(SystemExit):
        build_atlas.main([str(model), "--seeds", count])
    assert not model.with_suffix(".atlas.json").exists()


def test_an_atlas_of_an_unknown_model_is_an_error_in_one_line(capsys):
    assert build_atlas.main(["nobody"]) == 1
    assert capsys.readouterr().err.startswith("error: no model named 'nobody'")
