from __future__ import annotations

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs the train extra")

from keras import ops  # noqa: E402  # after the check that Keras is there

from pianogan_bgm.notes import Note  # noqa: E402
from pianogan_bgm.roll import decode, encode_cells  # noqa: E402
from training.gradients import input_gradient  # noqa: E402
from training.layers import Norm, Residual, TimeConv, leaky  # noqa: E402
from training.studio import (  # noqa: E402
    BEATS,
    CELLS,
    HELD,
    SILENT,
    STRUCK,
    Critic,
    Decision,
    Decoder,
    Encoder,
    Thresholds,
    decide,
    encoder_input,
    firm,
    log_total,
    one_hot,
    pack,
    spread,
    view,
)

RNG = np.random.default_rng(1)


def noise(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def copied(layer: keras.Layer, twin: keras.Layer) -> keras.Layer:
    for source, target in zip(layer.variables, twin.variables, strict=True):
        target.assign(np.asarray(source))
    return twin


@pytest.mark.parametrize(("size", "dilation"), [(1, 1), (3, 1), (3, 2), (5, 1)])
def test_convolution_by_matrix_products_equals_the_convolution(size: int, dilation: int) -> None:
    x = noise(2, 20, 3)
    single, double = TimeConv(4, size, dilation), TimeConv(4, size, dilation, dtype="float64")
    expected = single(x)
    double.build(x.shape)
    got = copied(single, double)(x.astype(np.float64))
    assert np.asarray(got).dtype == np.float64
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_whole_decoder_in_double_precision_equals_the_single_one() -> None:
    codes = noise(1, BEATS, 4)
    single, double = Decoder(8, 2, velocity=True), Decoder(8, 2, velocity=True, dtype="float64")
    expected, _ = single(codes), double(codes)
    for a, b in zip(copied(single, double)(codes), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_repeated_beat_is_decoded_as_what_it_repeats_whatever_is_around_it(dtype: str) -> None:
    codes = noise(3, BEATS, 4)
    codes[0, [20, 70]], codes[2, 74] = codes[0, 8], codes[2, 73]
    decoder = Decoder(8, 2, velocity=True, dtype=dtype)
    _, odds, loudness = (np.array(part) for part in decoder(codes.astype(dtype)))
    assert not np.allclose(odds[0, 20], odds[0, 8])  # what the network says by itself
    odds[0, [20, 70]], odds[2, 74] = odds[0, 8], odds[2, 73]
    loudness[0, [20, 70]], loudness[2, 74] = loudness[0, 8], loudness[2, 73]
    for got, wanted in zip(decoder.composed(codes.astype(dtype)), (odds, loudness), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert Decoder(8, 2, velocity=False).composed(codes)[1] is None


def test_norm_gives_zero_mean_and_unit_variance_over_channels() -> None:
    y = np.asarray(Norm()(5.0 + 3.0 * noise(2, 7, 64)))
    np.testing.assert_allclose(y.mean(axis=-1), 0.0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=-1), 1.0, atol=1e-3)


def test_leaky_relu_has_slope_one_fifth_below_zero() -> None:
    np.testing.assert_allclose(leaky(np.array([-10.0, 0.0, 10.0])), [-2.0, 0.0, 10.0])


def test_a_residual_block_adds_to_its_input() -> None:
    x, block = noise(1, 9, 4), Residual(4)
    block(x)
    for variable in block.outer.variables:
        variable.assign(np.zeros(variable.shape))
    np.testing.assert_array_equal(block(x), x)


def test_packing_tells_silent_held_and_struck_cells_of_each_beat() -> None:
    cells = encode_cells([Note(start=5, pitch=60, length=3, velocity=127)])[None]
    states, velocities = pack(cells)
    assert states.shape == velocities.shape == (1, BEATS, CELLS)
    by_step = states.reshape(300, 88)
    assert by_step[4:9, 60 - 21].tolist() == [SILENT, STRUCK, HELD, HELD, SILENT]
    assert velocities.reshape(300, 88)[5, 60 - 21] == 1.0
    assert np.count_nonzero(velocities) == 1


def test_shapes_from_cells_to_codes_and_back() -> None:
    states, velocities = pack(np.zeros((2, 106, 300), np.uint8))
    mean, spread = Encoder(8, 5)(encoder_input(states, velocities))
    assert mean.shape == spread.shape == (2, BEATS, 5)
    features, odds, loudness = Decoder(8, 1, velocity=True)(mean)
    assert (features.shape, odds.shape) == ((2, BEATS, 8), (2, BEATS, 2, CELLS))
    assert loudness.shape == (2, BEATS, CELLS)
    assert Decoder(8, 1, velocity=False)(mean)[2] is None


def test_firm_planes_are_states_with_the_gradients_of_probabilities() -> None:
    odds = noise(1, BEATS, 2, CELLS) * 3.0
    planes = np.asarray(firm(ops.convert_to_tensor(odds)))
    held, struck = odds[:, :, 0], odds[:, :, 1]
    strikes = struck > np.maximum(held, 0.0)
    np.testing.assert_allclose(planes[:, :, 1], strikes, atol=1e-6)
    assert not ((planes[:, :, 0] > 0.5) & ~(held > 0.0)).any()
    slope = input_gradient(lambda x: ops.sum(firm(x)[:, :, 1]), ops.convert_to_tensor(odds))
    total = 1.0 + np.exp(held) + np.exp(struck)
    share = np.exp(struck) / total
    np.testing.assert_allclose(np.asarray(slope)[:, :, 1], share * (1.0 - share), atol=1e-5)


def test_critic_answers_every_beat_at_four_scales_and_the_whole() -> None:
    states = RNG.integers(0, 3, (4, BEATS, CELLS)).astype(np.uint8)
    loud = np.abs(noise(4, BEATS, CELLS))
    answers = Critic(8)(view(one_hot(states), loud, noise(4, BEATS, 8)))
    assert [tuple(a.shape) for a in answers] == [(4, 75), (4, 38), (4, 19), (4, 10), (4, 1)]


def test_minibatch_spread_is_the_deviation_within_groups_of_samples() -> None:
    x = noise(8, 3, 5)
    grouped = x.reshape(4, 2, 3, 5).std(axis=0).mean(axis=(1, 2))
    got = np.asarray(spread(x))
    assert got.shape == (8, 3, 1)
    np.testing.assert_allclose(got[:, 0, 0], np.tile(grouped, 4), rtol=1e-3)


def test_log_total_normalises_three_states() -> None:
    held, struck = noise(50), noise(50)
    expected = np.log(1.0 + np.exp(held) + np.exp(struck))
    np.testing.assert_allclose(log_total(held, struck), expected, rtol=1e-5)
    assert np.isfinite(np.asarray(log_total(np.float32(500.0), np.float32(400.0))))


def decided(
    held: list[float], struck: list[float], loud: float | None = None, **thresholds: float
) -> np.ndarray:
    """Codec values of key 39 (C4) over the first columns."""
    steps = np.full((300, 2, 88), -9.0, np.float32)
    steps[: len(held), 0, 39], steps[: len(struck), 1, 39] = held, struck
    odds = steps.reshape(1, BEATS, 4, 2, 88).transpose(0, 1, 3, 2, 4).reshape(1, BEATS, 2, CELLS)
    velocities = None if loud is None else np.full((1, BEATS, CELLS), loud, np.float32)
    roll = np.asarray(Decision(Thresholds(**thresholds), dtype="float32")(odds, velocities))
    assert roll.shape == (1, 106, 300, 1)
    assert (roll[0, 88:] == 0.0).all()
    return np.asarray(roll[0, 39, : len(held), 0])


def states(values: np.ndarray) -> str:
    return "".join("-" if v < 0.5 else "h" if v < 0.75 else "S" for v in values)


def test_a_cell_takes_its_likeliest_state() -> None:
    assert states(decided([-5, 1, 2, 2, -1], [-5, 3, 1, 4, -2])) == "-ShS-"


def test_nothing_is_held_that_was_not_struck() -> None:
    assert states(decided([-5, 2, 2, -5, 2], [-5, -5, -5, -5, -5])) == "-----"
    assert states(decided([-5, 2, 2, -5, 2, 2], [1, -5, -5, -5, 3, -5])) == "Shh-Sh"


def test_a_note_may_be_held_to_the_end() -> None:
    values = decided([2.0] * 300, [5.0] + [-5.0] * 299)
    assert states(values) == "S" + "h" * 299


def test_biases_move_the_thresholds() -> None:
    held, struck = [-5, -5, -0.5, -0.5, -5], [-5, -0.5, -5, -5, -5]
    assert states(decided(held, struck)) == "-----"
    assert states(decided(held, struck, strike=1.0)) == "-S---"
    assert states(decided(held, struck, strike=1.0, hold=1.0)) == "-Shh-"


def test_a_step_that_is_struck_for_certain_has_its_likeliest_strike() -> None:
    """Three keys at odds of one to two: one of them is struck, nobody knows which."""
    struck = np.full((1, 4, 88), -9.0, np.float32)
    struck[0, 1, [40, 44, 47]] = np.log([0.5, 0.6, 0.5])
    struck[0, 2, 44] = np.log(0.6)
    held = np.full_like(struck, -9.0)
    held[0, 3, 44] = 2.0
    assert not np.asarray(decide(held, struck)[0]).any()
    strikes, sounding = (np.asarray(part)[0] for part in decide(held, struck, least=1.5))
    assert np.argwhere(strikes).tolist() == [[1, 44]]
    assert np.argwhere(sounding).tolist() == [[1, 44]]
    assert not np.asarray(decide(held, struck, least=1.7)[0]).any()


def test_what_is_plain_anyway_stays_as_it_is() -> None:
    odds = noise(2, 2, 30, 88) * 3.0
    plain, more = (np.asarray(decide(*odds, least=least)[0]) for least in (1e9, 0.0))
    np.testing.assert_array_equal(plain, np.asarray(decide(*odds)[0]))
    assert (more >= plain).all()
    np.testing.assert_array_equal(more.any(axis=-1), True)
    new = (more & ~plain).sum(axis=-1)
    np.testing.assert_array_equal(new, ~plain.any(axis=-1))


def test_decided_values_stand_in_the_middle_of_a_codec_step() -> None:
    values = decided([-5, 2, 2, 2], [-5, 4, -5, 4], loud=1.0)
    np.testing.assert_array_equal(values * 256, [0.0, 255.5, 160.5, 255.5])


def test_a_decided_roll_decodes_with_its_velocities() -> None:
    steps = np.full((300, 2, 88), -9.0, np.float32)
    steps[8, 1, 39] = 9.0
    steps[9:12, 0, 39] = 9.0
    odds = steps.reshape(1, BEATS, 4, 2, 88).transpose(0, 1, 3, 2, 4).reshape(1, BEATS, 2, CELLS)
    loud = np.ones((1, BEATS, CELLS), np.float32)
    roll = np.asarray(Decision(dtype="float32")(odds, loud))[0]
    assert decode(roll) == (Note(start=8, pitch=60, length=4, velocity=127),)
