from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
pytest.importorskip("keras", reason="needs the train extra")

from keras import ops  # after the check that it is there

from training.layers import TimeConv
from training.studio import BEATS, Decoder
from training.whole import WHOLE, WholeProduct


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


def test_without_a_reach_each_row_has_its_own() -> None:
    rng = np.random.default_rng(0)
    weights, x = (
        rng.standard_normal((64, 9)),
        rng.standard_normal((6, 64)) * 10.0 ** np.arange(-3, 3)[:, None],
    )
    x[0] = 0.0
    product = WholeProduct(weights)
    got = np.asarray(product(ops.convert_to_tensor(x)))
    error = np.abs(got - x @ weights).max(axis=-1)
    assert (error <= 0.05 * np.abs(x @ weights).max(axis=-1)).all()
    np.testing.assert_array_equal(got[1:2], product(ops.convert_to_tensor(x[1:2])))
    # however great, a number is never more than the bytes hold
    for top in np.random.default_rng(1).lognormal(0.0, 9.0, 1000):
        assert np.round(top * (WHOLE / top)) == WHOLE


@pytest.mark.parametrize(("size", "dilation"), [(1, 1), (3, 1), (3, 2)])
def test_a_convolution_made_whole_is_near_what_it_was(size: int, dilation: int) -> None:
    x = np.random.default_rng(1).standard_normal((2, 20, 24))
    conv = TimeConv(16, size, dilation, dtype="float64")
    before = np.asarray(conv(x))
    conv.make_whole()
    after = np.asarray(conv(x))
    assert after.shape == before.shape
    assert 0.0 < np.abs(after - before).max() < 0.05 * np.abs(before).max()


def test_all_of_a_decoder_is_made_whole() -> None:
    codes = np.random.default_rng(1).standard_normal((1, BEATS, 4))
    decoder = Decoder(16, 2, velocity=True, dtype="float64")
    before = [np.asarray(part) for part in decoder(codes)]
    decoder.make_whole()
    for part, kept in zip(decoder(codes), before, strict=True):
        assert 0.0 < np.abs(np.asarray(part) - kept).max() < 0.1 * np.abs(kept).max()
    for variable in decoder.variables:  # of the weights as they were
        if variable.name == "kernel":
            variable.assign(np.zeros(variable.shape))
    for part, kept in zip(decoder(codes), before, strict=True):
        assert np.abs(np.asarray(part) - kept).max() < 0.1 * np.abs(kept).max()
