"""The composer: what it is taught is what it plays, and its chances are chances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the train extra")
keras = pytest.importorskip("keras", reason="needs the train extra")

from keras import ops  # noqa: E402  # after the checks that they are there

from training.composer import (  # noqa: E402
    DEVIATIONS,
    WAVES,
    Composer,
    WholeProduct,
    wave_table,
)
from training.studio import BEATS, LATENT  # noqa: E402

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
    return network


@pytest.fixture(scope="module")
def latents() -> Any:
    return np.random.default_rng(0).standard_normal((5, LATENT))


def expected(network: Composer, codes: Any, latents: Any) -> tuple[Any, Any]:
    return tuple(np.asarray(part) for part in network.expect(codes, latents @ network.root))


def test_composed_codes_are_what_is_expected_of_them_and_their_chances(
    network: Composer, latents: Any
) -> None:
    codes = np.asarray(network(latents))
    assert codes.shape == (5, BEATS, CODES)
    mean, spread = expected(network, codes, latents)
    np.testing.assert_allclose(
        codes, mean + np.exp(spread) * np.asarray(network._chances(latents)), atol=1e-9
    )
    assert spread.min() >= DEVIATIONS[0]
    assert spread.max() <= DEVIATIONS[1]


def test_what_is_expected_of_a_beat_depends_on_the_beats_before_it_alone(
    network: Composer, latents: Any
) -> None:
    codes = np.random.default_rng(1).standard_normal((1, BEATS, CODES))
    other = codes.copy()
    other[0, 40] += 1.0
    gap = np.abs(expected(network, codes, latents[:1])[0] - expected(network, other, latents[:1])[0])[0]
    assert gap[:41].max() == 0.0
    assert gap[41:].max(axis=-1).min() > 0.0


def test_a_beat_long_ago_is_remembered_by_attention(network: Composer, latents: Any) -> None:
    codes = np.random.default_rng(1).standard_normal((1, BEATS, CODES))
    other = codes.copy()
    other[0, 3] += 5.0
    gap = np.abs(expected(network, codes, latents[:1])[0] - expected(network, other, latents[:1])[0])[0]
    assert gap[-1].max() > 1e-6


def test_chances_are_standard_normal_over_seeds_and_unrelated(network: Composer) -> None:
    latents = np.random.default_rng(3).standard_normal((4000, LATENT))
    chances = np.asarray(network._chances(latents)).reshape(4000, -1)
    assert np.isfinite(chances).all()
    # 450 numbers: the means of 4,000 deviate by 0.016, the deviations by 0.011
    assert np.abs(chances.mean(axis=0)).max() < 0.075
    assert np.abs(chances.std(axis=0) - 1.0).max() < 0.055
    assert (np.abs(chances) > 1.96).mean() == pytest.approx(0.05, abs=0.002)
    related = np.corrcoef(chances, rowvar=False) - np.eye(chances.shape[1])
    assert np.abs(related).max() < 0.1
    assert related.std() < 0.018  # chance alone gives 0.0158


def test_near_latents_have_near_chances(network: Composer, latents: Any) -> None:
    gaps = []
    for far in (0.0, 0.05, 4.0):
        moved = latents + far * np.eye(LATENT)[2]
        gaps.append(
            np.abs(np.asarray(network._chances(moved)) - np.asarray(network._chances(latents))).mean()
        )
    assert gaps[0] == 0.0
    assert 0.0 < gaps[1] < 0.15
    assert gaps[2] > 0.9  # two independent normal numbers: 1.13


def test_the_table_of_waves_is_fixed_and_fits_float16() -> None:
    waves, phases = wave_table(CODES)
    assert (waves.shape, phases.shape) == ((LATENT, BEATS * CODES), (BEATS * CODES,))
    for array in (waves, phases):
        np.testing.assert_array_equal(array, array.astype(np.float16))
    assert waves.std() == pytest.approx(WAVES, rel=0.02)
    assert 0.0 <= phases.min() <= phases.max() <= 1.0


def test_the_same_chances_for_every_model_made_since() -> None:
    waves, phases = wave_table(40)
    assert [round(float(v), 4) for v in waves[0, :3]] == FIRST_WAVES
    assert [round(float(v), 4) for v in phases[:3]] == FIRST_PHASES


def test_a_product_in_whole_numbers_is_near_the_real_one_and_exact() -> None:
    rng = np.random.default_rng(0)
    weights, x = rng.standard_normal((64, 9)), np.clip(rng.standard_normal((5, 64)), -3.0, 3.0)
    product = WholeProduct(weights, 3.0)
    got = np.asarray(product(ops.convert_to_tensor(x)))
    assert np.abs(got - x @ weights).max() < 0.05 * np.abs(x @ weights).max()
    whole = np.round(x * product.per_input) @ product.weights.astype(np.int64)
    np.testing.assert_array_equal(got, whole * product.factor.astype(np.float64))
    assert np.abs(product.weights).max() == 127


def test_beyond_its_reach_a_number_counts_as_the_reach() -> None:
    product = WholeProduct(np.ones((1, 1)), 2.0)
    got = np.asarray(product(ops.convert_to_tensor(np.array([[5.0], [2.0], [-9.0]]))))
    assert got[0] == got[1] == -got[2]


def test_less_daring_keeps_nearer_to_what_is_expected(network: Composer, latents: Any) -> None:
    _, bold, _ = network.plan(latents)
    network.daring = 0.5
    try:
        _, tame, _ = network.plan(latents)
    finally:
        network.daring = 1.0
    np.testing.assert_allclose(np.asarray(tame), 0.5 * np.asarray(bold))
