import pytest
from music_fakes import FakeGenerator

from export.build_atlas import build
from pianogan_bgm.atlas import FEATURES, Atlas, from_json, measure, to_json
from pianogan_bgm.composer import Composer
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
    return Atlas(tuple((n, (1.0 if n % 2 else -1.0, float(n), 60.0, 2.0, 0.1, 0.3, 3.0)) for n in range(50)))


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
    assert Atlas(()).suiting("calm") == []


def test_every_mood_wants_features_that_are_measured():
    for mood in MOODS.values():
        assert {name for name, _, _ in mood.wants} <= set(FEATURES)
        assert 0 <= mood.intensity <= 1


def test_the_file_of_an_atlas_reads_back():
    assert from_json(to_json(atlas(), "open")) == atlas()
    for broken in ("", "{}", '{"version": 2}', to_json(atlas(), "open").replace("density", "destiny")):
        with pytest.raises(ModelDamaged):
            from_json(broken)


def test_endless_music_of_a_mood_plays_its_seeds_and_repeats_none_of_the_last():
    class Generator:
        def compose(self, seed=None, *, latent=None):
            return Piece((), steps=16, seed=seed, model="fake")

    composer = Composer(Generator(), 10**6)
    composer._atlas = Atlas(tuple((n, row) for n, (_, row) in enumerate(atlas().rows * 4)))
    suiting = composer.atlas.suiting("battle")
    played = [composer.following("battle").piece.seed for _ in range(41)]
    assert played.pop(0) == 10**6
    assert set(played) <= set(suiting)
    assert all(seed not in played[max(0, n - 12) : n] for n, seed in enumerate(played))


def test_an_atlas_is_measured_from_many_seeds_without_near_silent_pieces():
    built = build(FakeGenerator(steps=200), range(6))
    assert [seed for seed, _ in built.rows] == list(range(6))
    assert all(len(features) == len(FEATURES) for _, features in built.rows)
    assert from_json(to_json(built, "fake")) == built
    assert build(FakeGenerator(steps=16), range(6)).rows == ()
