from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from music_fakes import make_piece

from pianogan_bgm.arrange import transpose
from pianogan_bgm.atlas import FEATURES, Atlas
from pianogan_bgm.errors import InvalidLatent, PlaylistError
from pianogan_bgm.piece import Piece
from pianogan_bgm.playlist.choice import FEWEST_NOTES, Print, choose, distances, print_of


def piece_of(seed: int) -> Piece:
    """Every third seed is like the one before it, but a tone higher; multiples of ten are near silence."""
    like = seed - 1 if seed % 3 == 2 else seed
    piece = make_piece(like, steps=128)
    piece = transpose(piece, 2) if seed != like else piece
    return replace(piece, notes=piece.notes[: FEWEST_NOTES - 1]) if seed % 10 == 0 else piece


def prints(seeds: Sequence[int]) -> list[Print | None]:
    return [print_of(piece_of(seed)) for seed in seeds]


def test_alike_and_near_silent_pieces_are_left_out() -> None:
    assert choose(8, prints) == [1, 3, 4, 6, 7, 9, 11, 12]
    assert choose(3, prints, first=12) == [12, 13, 15]


def test_no_two_of_those_chosen_are_nearer_than_the_least_distance() -> None:
    rows = np.array(prints(choose(20, prints, least=0.7)))
    nearest = [distances(row, np.delete(rows, i, axis=0)).min() for i, row in enumerate(rows)]
    assert min(nearest) >= 0.7


@pytest.mark.parametrize("width", [1, 2, 7])
def test_the_choice_does_not_depend_on_how_many_work(width: int) -> None:
    assert choose(30, prints, width=width) == choose(30, prints)


def test_distance_is_the_share_of_strikes_not_in_common() -> None:
    def strikes(*places: int) -> Print:
        found = np.zeros(1800, dtype=np.bool_)
        found[list(places)] = True
        return found

    others = np.array([strikes(1, 2, 3), strikes(2, 3, 4), strikes(5), strikes()])
    assert distances(strikes(1, 2, 3), others).tolist() == [0.0, 0.5, 1.0, 1.0]


def test_transposing_a_piece_leaves_it_where_it_is() -> None:
    piece = make_piece(3, steps=128)
    assert np.array_equal(print_of(piece), print_of(transpose(piece, 5)))


def test_a_mood_offers_its_seeds_best_first_and_no_others() -> None:
    rows = tuple((seed, (1.0, float(seed), *[0.0] * (len(FEATURES) - 2))) for seed in range(100, 200))
    atlas = Atlas.of(rows)
    chosen = choose(3, prints, mood="battle", atlas=atlas)
    assert chosen == [seed for seed in atlas.suiting("battle") if seed in chosen]
    with pytest.raises(PlaylistError, match=r"among 12 candidates \(mood 'battle'\) there are \d"):
        choose(13, prints, mood="battle", atlas=atlas)


def judged(quality: Sequence[float]) -> Atlas:
    """Seeds 100, 101, ... with these qualities, all else alike."""
    rows = tuple((100 + n, (1.0,) * len(FEATURES)) for n in range(len(quality)))
    return Atlas.of(rows, tuple(quality))


def test_where_the_atlas_knows_of_quality_the_best_come_first_and_then_seeds_it_does_not_know() -> None:
    atlas = judged([3.0, 1.0, 7.0, 5.0, 6.0, 6.5])
    # 104 is like 103 and better, 100 near silence; 2 is like 1
    assert choose(6, prints, atlas=atlas) == [102, 105, 104, 101, 1, 3]
    assert choose(3, prints, first=1, atlas=atlas) == [1, 3, 4]
    assert choose(3, prints, atlas=replace(atlas, quality=np.empty(0))) == [1, 3, 4]
    for first, of in ((None, "the best seeds first"), (7, "seeds from 7 on")):
        with pytest.raises(PlaylistError, match=rf"among 1100 candidates \({of}\) there are 1"):
            choose(2, prints, first=first, atlas=atlas, least=1.1)


def test_a_mood_offers_its_better_seeds_first() -> None:
    rows = tuple((seed, (1.0, float(seed), *[0.0] * (len(FEATURES) - 2))) for seed in range(100, 200))
    atlas = Atlas.of(rows, tuple(float(-seed) for seed in range(100, 200)))
    chosen = choose(3, prints, mood="battle", atlas=atlas)
    assert chosen == sorted(chosen)
    assert set(chosen) <= set(replace(atlas, quality=np.empty(0)).suiting("battle"))


def test_a_mood_without_an_atlas_says_how_to_get_one() -> None:
    with pytest.raises(PlaylistError, match=r"mood 'calm' needs the model's atlas.*export\.build_atlas"):
        choose(1, prints, mood="calm", atlas=Atlas.of())


def test_too_many_wishes_end_with_a_number() -> None:
    alike = [print_of(make_piece(1, steps=128))]
    with pytest.raises(PlaylistError, match=r"2 pieces at least 0\.5 apart.*among 1100 candidates.*are 1"):
        choose(2, lambda seeds: alike * len(seeds))


def test_more_than_can_be_held_in_memory_is_refused() -> None:
    with pytest.raises(PlaylistError, match="at most 200000 pieces can be chosen; got 200001"):
        choose(200_001, prints)


def test_a_bad_first_seed_is_refused() -> None:
    with pytest.raises(InvalidLatent, match="a seed must be"):
        choose(1, prints, first=-1)


def test_a_piece_of_the_atlas_suits_the_mood_it_is_offered_for() -> None:
    random = np.random.default_rng(1)
    atlas = Atlas.of((seed, random.normal(size=len(FEATURES)).tolist()) for seed in range(100))
    features = dict(zip(atlas.seeds.tolist(), atlas.features.tolist(), strict=True))
    for mood in ("calm", "battle", "playful"):
        suiting = atlas.suiting(mood)
        assert all(mood in atlas.moods(features[seed]) for seed in suiting)
        assert sum(mood in atlas.moods(row) for row in features.values()) <= len(suiting) + 2
    assert Atlas.of().moods((0.0,) * len(FEATURES)) == ()
