"""The composer: what it is taught is what it plays, and its chances are chances."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
keras = pytest.importorskip("keras", reason="needs the train extra")


from training.composer import (  # noqa: E402
    CHOICES,
    CLEAR,
    DEVIATIONS,
    IDEAS,
    WAVES,
    Composer,
    wave_table,
)
from training.studio import BEATS, LATENT  # noqa: E402
from training.studio_vae import compiled  # noqa: E402

CODES = 6
FIRST_WAVES = [-0.1803, 0.5034, -0.0776]
FIRST_PHASES = [0.2937, 0.3723, 0.894]


@pytest.fixture(scope="module")
def network() -> Composer:
    """In double precision and far from its beginnings, so that every part of it matters."""
    keras.utils.set_random_seed(5)
    network = Composer(12, 7, CODES, dtype="float64")
    network.build()
    for i, variable in enumerate(network.variables):
        noise = np.random.default_rng(i).standard_normal(variable.shape)
        variable.assign(np.asarray(variable) + 0.2 * noise)
    network.blur.assign(np.zeros(CODES))
    return network


@pytest.fixture
def blurred(network: Composer) -> Iterator[Composer]:
    """The network, told that its codes were blurred when it learnt."""
    network.blur.assign(np.linspace(0.05, 0.4, CODES))
    yield network
    network.blur.assign(np.zeros(CODES))


@pytest.fixture(scope="module")
def latents() -> Any:
    return np.random.default_rng(0).standard_normal((5, LATENT))


def expected(network: Composer, codes: Any, latents: Any) -> tuple[Any, ...]:
    """What :meth:`Composer.expect` says of each beat, for what is asked for ``latents``."""
    return tuple(np.asarray(part) for part in network.expect(codes, asked_for(network, latents)))


def asked_for(network: Composer, latents: Any) -> Any:
    """The scores that the composer is told for ``latents``."""
    return np.asarray(network.emphasis) * network.wanted.scores(latents) + np.asarray(network.shift)


def test_composed_codes_are_an_idea_that_is_expected_and_their_chances(
    network: Composer, latents: Any
) -> None:
    codes = np.asarray(network(latents))
    assert codes.shape == (5, BEATS, CODES)
    mean, spread, chances, drawn = drawn_ideas(network, codes, latents)
    assert len(np.unique(drawn)) >= CHOICES - 1
    new = drawn < IDEAS
    np.testing.assert_allclose(codes[new], (mean + np.exp(spread) * chances)[new], atol=1e-9)
    spreads = expected(network, codes, latents)[2]
    assert spreads.min() >= DEVIATIONS[0]
    assert spreads.max() <= DEVIATIONS[1]


def test_compiled_once_it_composes_any_number_of_pieces(network: Composer, latents: Any) -> None:
    compose = compiled(network)
    for count in (5, 3, 2):
        np.testing.assert_allclose(np.asarray(compose(latents[:count])), np.asarray(network(latents[:count])))


def test_surprise_is_that_of_a_mixture_of_normal_distributions(network: Composer, latents: Any) -> None:
    codes = np.random.default_rng(1).standard_normal((5, BEATS, CODES))
    odds, means, spreads, where = expected(network, codes, latents)
    clear, blur = codes - 0.1, np.random.default_rng(2).normal(-1.0, 0.3, codes.shape)
    repeated = np.zeros((5, BEATS, BEATS), bool)
    repeated[:, 8, [0, 4]] = repeated[:, 70, 69] = True
    got = np.asarray(network.surprise(codes, asked_for(network, latents), repeated, clear, blur))
    shares = np.exp(odds) / np.exp(odds).sum(axis=-1, keepdims=True)
    wanted = -np.log((shares[..., :-1] * normal(codes[:, :, None], means, spreads)).sum(axis=-1))
    for beat, pointed in ((8, [0, 4]), (70, [69])):
        as_drawn = normal(codes[:, beat], clear[:, beat], blur[:, beat])
        one_of_them = np.exp(where[:, beat, pointed]).sum(axis=-1)
        wanted[:, beat] = -np.log(shares[:, beat, -1] * one_of_them * as_drawn)
    np.testing.assert_allclose(got, wanted)


def normal(codes: Any, means: Any, spreads: Any) -> Any:
    """Densities of codes, independent of each other, without the factors of 2 pi."""
    each = np.exp(-0.5 * ((codes - means) / np.exp(spreads)) ** 2) / np.exp(spreads)
    return each.prod(axis=-1)


def test_only_beats_before_are_pointed_to_and_in_sum_one(network: Composer, latents: Any) -> None:
    codes = np.random.default_rng(1).standard_normal((5, BEATS, CODES))
    where = np.exp(expected(network, codes, latents)[3])
    np.testing.assert_allclose(where.sum(axis=-1), 1.0)
    assert where[:, 1:][:, np.triu(np.ones((BEATS, BEATS), bool))[1:]].max() < 1e-9


def test_a_copy_begins_at_the_beat_it_points_to(network: Composer, latents: Any) -> None:
    codes = np.random.default_rng(1).standard_normal((1, BEATS, CODES))
    weights, bias = network.copy_lags, np.asarray(network.copy_lags)
    pointed = bias.copy()
    pointed[:, 4] += 1000.0
    weights.assign(pointed)
    own, own_bias = network.differ, network.differ_bias
    kept = [np.asarray(own), np.asarray(own_bias)]
    own.assign(np.zeros_like(kept[0]))
    own_bias.assign(np.zeros_like(kept[1]))
    try:
        means = expected(network, codes, latents[:1])[1]
    finally:
        for variable, value in zip((weights, own, own_bias), (bias, *kept), strict=True):
            variable.assign(value)
    np.testing.assert_allclose(means[0, 4:, 0], codes[0, :-4], atol=1e-9)
    assert np.abs(means[0, 4:, 1] - codes[0, :-4]).max() > 0.1


def test_a_beat_that_is_repeated_is_repeated_exactly(blurred: Composer, latents: Any) -> None:
    codes, blurs = np.asarray(blurred(latents)), blurs_of(blurred, latents)
    drawn, where = (
        drawn_ideas(blurred, codes + blurs, latents)[3],
        expected(blurred, codes + blurs, latents)[3],
    )
    found = np.argwhere(drawn == IDEAS)
    found = found[found[:, 1] > 0]
    assert len(found) > 5
    for piece, beat in found:
        np.testing.assert_array_equal(codes[piece, beat], codes[piece, where[piece, beat].argmax()])


def test_what_is_expected_of_a_beat_depends_on_the_beats_before_it_alone(
    network: Composer, latents: Any
) -> None:
    codes = np.random.default_rng(1).standard_normal((1, BEATS, CODES))
    other = codes.copy()
    other[0, 40] += 1.0
    gap = np.abs(expected(network, codes, latents[:1])[1] - expected(network, other, latents[:1])[1])[0]
    assert gap[:41].max() == 0.0
    assert gap[41:].max(axis=(1, 2)).min() > 0.0


def test_a_beat_long_ago_is_remembered_by_attention(network: Composer, latents: Any) -> None:
    codes = np.random.default_rng(1).standard_normal((1, BEATS, CODES))
    other = codes.copy()
    other[0, 3] += 5.0
    gap = np.abs(expected(network, codes, latents[:1])[1] - expected(network, other, latents[:1])[1])[0]
    assert gap[-1].max() > 1e-6


def test_chances_are_standard_normal_over_seeds_and_unrelated(network: Composer) -> None:
    latents = np.random.default_rng(3).standard_normal((4000, LATENT))
    chances = np.asarray(network._chances(latents)[0]).reshape(4000, -1)
    assert np.isfinite(chances).all()
    # 450 numbers: the means of 4,000 deviate by 0.016, the deviations by 0.011
    assert np.abs(chances.mean(axis=0)).max() < 0.075
    assert np.abs(chances.std(axis=0) - 1.0).max() < 0.055
    assert (np.abs(chances) > 1.96).mean() == pytest.approx(0.05, abs=0.002)
    related = np.corrcoef(chances, rowvar=False) - np.eye(chances.shape[1])
    assert np.abs(related).max() < 0.1
    assert related.std() < 0.018  # chance alone gives 0.0158


def test_lots_draw_each_idea_as_often_as_its_odds_say(network: Composer) -> None:
    latents = np.random.default_rng(3).standard_normal((4000, LATENT))
    lots = np.asarray(network._chances(latents)[1])
    assert np.isfinite(lots).all()
    shares = np.array([0.4, 0.3, 0.15, 0.1, 0.04, 0.01])
    drawn = np.argmax(np.log(shares) + lots, axis=-1)
    counted = np.bincount(drawn.ravel(), minlength=CHOICES) / drawn.size
    # 300,000 draws that go together a little within a seed
    np.testing.assert_allclose(counted, shares, atol=0.004)


def test_near_latents_have_near_chances(network: Composer, latents: Any) -> None:
    gaps = []
    for far in (0.0, 0.05, 4.0):
        moved = latents + far * np.eye(LATENT)[2]
        gaps.append(
            np.abs(np.asarray(network._chances(moved)[0]) - np.asarray(network._chances(latents)[0])).mean()
        )
    assert gaps[0] == 0.0
    assert 0.0 < gaps[1] < 0.15
    assert gaps[2] > 0.9  # two independent normal numbers: 1.13


def test_the_table_of_waves_is_fixed_and_fits_float16() -> None:
    waves, phases = wave_table(CODES)
    assert (waves.shape, phases.shape) == ((LATENT, BEATS * (CODES + CHOICES)), (BEATS * (CODES + CHOICES),))
    for array in (waves, phases):
        np.testing.assert_array_equal(array, array.astype(np.float16))
    assert waves.std() == pytest.approx(WAVES, rel=0.02)
    assert 0.0 <= phases.min() <= phases.max() <= 1.0


def test_the_same_chances_for_every_model_made_since() -> None:
    waves, phases = wave_table(40)
    assert [round(float(v), 4) for v in waves[0, :3]] == FIRST_WAVES
    assert [round(float(v), 4) for v in phases[:3]] == FIRST_PHASES


def test_less_daring_keeps_nearer_to_what_is_expected(network: Composer, latents: Any) -> None:
    bold, kept = np.asarray(network(latents)), network.daring
    network.daring = 0.5
    try:
        tame = np.asarray(network(latents))
    finally:
        network.daring = kept
    mean, spread, chances, drawn = drawn_ideas(network, tame, latents)
    new = drawn < IDEAS
    np.testing.assert_allclose(tame[new], (mean + 0.5 * np.exp(spread) * chances)[new], atol=1e-9)
    assert np.abs(tame - bold).max() > 0.1


def test_what_is_played_is_clear_and_what_is_heard_of_it_blurred(blurred: Composer, latents: Any) -> None:
    codes, blurs = np.asarray(blurred(latents)), blurs_of(blurred, latents)
    mean, spread, chances, drawn = drawn_ideas(blurred, codes + blurs, latents)
    new = (drawn > 0) & (drawn < IDEAS)
    clear = np.sqrt(np.maximum(np.exp(2 * spread) - np.asarray(blurred.blur), CLEAR))
    np.testing.assert_allclose(codes[new], (mean + clear * chances)[new], atol=1e-9)
    assert (clear < np.exp(spread)).all()


def test_copies_may_be_kept_nearer_to_what_they_copy_and_other_ideas_not(
    blurred: Composer, latents: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blurred, "blurred", np.repeat([6.0, 1.0], (1, IDEAS - 1)))
    monkeypatch.setattr(blurred, "hears", 0.0)  # so that what is copied is what was heard
    codes = np.asarray(blurred(latents))
    mean, spread, chances, drawn = drawn_ideas(blurred, codes, latents)
    for chosen, times in ((drawn == 0, 6.0), ((drawn > 0) & (drawn < IDEAS), 1.0)):
        assert chosen.any()
        left = np.exp(2 * spread) - times * np.asarray(blurred.blur)
        deviation = np.sqrt(np.maximum(left, CLEAR))
        np.testing.assert_allclose(codes[chosen], (mean + deviation * chances)[chosen], atol=1e-9)


def test_heard_blur_is_as_great_as_the_encoders_and_unrelated_to_the_chances(blurred: Composer) -> None:
    latents = np.random.default_rng(3).standard_normal((4000, LATENT))
    blurs, (chances, _) = blurs_of(blurred, latents), map(np.asarray, blurred._chances(latents))
    np.testing.assert_allclose(blurs.var(axis=(0, 1)), np.asarray(blurred.blur), rtol=0.02)
    assert abs(np.corrcoef(blurs.ravel(), chances.ravel())[0, 1]) < 0.01


def test_hearing_less_blur_changes_what_is_composed(blurred: Composer, latents: Any) -> None:
    before, blurs = np.asarray(blurred(latents)), blurs_of(blurred, latents)
    blurred.hears = 0.5
    try:
        np.testing.assert_allclose(blurs_of(blurred, latents), 0.5 * blurs, rtol=1e-12)
        assert np.abs(np.asarray(blurred(latents)) - before).max() > 0.01
    finally:
        blurred.hears = 1.0


def test_a_copy_of_a_copy_is_clean_although_its_blur_is_heard(blurred: Composer, latents: Any) -> None:
    names = ("copy_lags", "differ", "differ_bias", "weigh_bias")
    kept = {name: np.asarray(getattr(blurred, name)) for name in names}
    pointed = kept["copy_lags"].copy()
    pointed[:, 4] += 1000.0
    # copies of the beat four beats ago, drawn always, that are no surer of themselves than blur allows
    only = kept["weigh_bias"].copy()
    only[0] += 1000.0
    quiet = np.zeros_like(kept["differ_bias"]).reshape(IDEAS, 2, CODES)
    quiet[:, 1] = -100.0
    changed = {"copy_lags": pointed, "differ": 0 * kept["differ"], "weigh_bias": only}
    for name, value in {**changed, "differ_bias": quiet.ravel()}.items():
        getattr(blurred, name).assign(value)
    try:
        codes = np.asarray(blurred(latents))
    finally:
        for name, value in kept.items():
            getattr(blurred, name).assign(value)
    for earlier in range(4, 9):
        last = range(earlier, BEATS, 4)[-1]
        assert np.abs(codes[:, last] - codes[:, earlier]).max() < 20 * 5 * np.sqrt(CLEAR)


def drawn_ideas(network: Composer, heard: Any, latents: Any) -> tuple[Any, ...]:
    """Means and log-deviations of the ideas that lots draw after ``heard``, chances, and what is drawn.

    Where a beat is repeated (``IDEAS``), those of the last idea.
    """
    odds, means, spreads, _ = expected(network, heard, latents)
    chances, lots = map(np.asarray, network._chances(latents))
    drawn = np.argmax(odds + lots, axis=-1)
    idea = np.minimum(drawn, IDEAS - 1)[..., None, None]
    mean, spread = (np.take_along_axis(x, idea, 2)[:, :, 0] for x in (means, spreads))
    return mean, spread, chances, drawn


def blurs_of(network: Composer, latents: Any) -> Any:
    """What the composer adds to what it hears of itself, ``(n, 75, codes)``."""
    return np.asarray(network.plan(latents)[2]).transpose(1, 0, 2)
