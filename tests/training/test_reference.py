from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="needs the train extra")

from small import save_corpus, weights  # noqa: E402  # after the check that Keras is there

from pianogan_bgm.roll import RollSpec, decode, decode_cells  # noqa: E402
from training import networks, reference  # noqa: E402
from training.config import Config, ReferenceConfig, load  # noqa: E402
from training.corpus import Corpus  # noqa: E402
from training.reference import Balance, ReferenceStage, build_discriminator, build_generator  # noqa: E402
from training.runs import Run  # noqa: E402

TINY = """
name = "tiny"
network = "reference"
data = "unused"
checkpoint_minutes = 0.0
validate_every = 1000
validation_windows = 4
log_every = 1

[reference]
width = 0.01
batch = 2
steps = 5
min_steps = 3
stop_window = 2
stop_margin = 0.0
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return Corpus.load(save_corpus(tmp_path_factory.mktemp("corpus")))


def config(folder: Path, text: str = TINY) -> Config:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text, encoding="utf-8")
    return load(folder / "config.toml")


def stage(config: Config, corpus: Corpus) -> Any:
    keras.backend.clear_session()
    return ReferenceStage(config, corpus)


def test_original_networks_have_their_parameters_and_shapes() -> None:
    generator, discriminator = build_generator(), build_discriminator()
    assert generator.count_params() == 14_947_841
    assert generator.output_shape == (None, 106, 300, 1)
    # the seed of the dropout is a variable of two numbers, but no parameter of the network
    assert sum(int(np.prod(v.shape)) for v in discriminator.trainable_variables) == 4_214_273
    assert discriminator.input_shape == (None, 106, 300, 1)


def test_width_scales_channels_not_images() -> None:
    half = build_generator(0.5)
    assert half.output_shape == (None, 106, 300, 1)
    assert half.get_layer("fine1").kernel.shape == (5, 5, 256, 256)
    assert build_generator(1e-9).get_layer("fine1").kernel.shape == (5, 5, 1, 1)


def test_thresholded_images_hold_the_notes_that_the_edges_convention_reads() -> None:
    images = np.random.default_rng(2).normal(0.2, 0.4, (3, 106, 300, 1)).astype(np.float32)
    spec = RollSpec(convention="edges")
    for image, cells in zip(images, reference.cells(images), strict=True):
        assert decode_cells(cells) == decode((image > 0.5).astype(np.float32), spec)


def test_real_images_are_black_and_white() -> None:
    cells = np.zeros((1, 106, 300), np.uint8)
    cells[0, 3, 4:7] = [250, 160, 127]
    images = reference.images(cells)
    assert images.shape == (1, 106, 300, 1)
    assert images[0, 3, 3:8, 0].tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]


def balance(*answers: tuple[float, float]) -> Balance:
    found = Balance(ReferenceConfig(min_steps=3, stop_window=2, stop_margin=0.02))
    for real, made in answers:
        found.add(real, made)
    return found


def test_training_stops_once_the_discriminator_cannot_tell() -> None:
    assert balance((0.1, 0.9), (0.49, 0.51), (0.51, 0.5)).reached()
    assert balance((0.1, 0.9), (0.46, 0.55), (0.54, 0.45)).reached()


def test_training_goes_on_while_the_discriminator_is_young_sure_or_wrong() -> None:
    assert not balance((0.5, 0.5), (0.5, 0.5)).reached()
    assert not balance((0.5, 0.5), (0.0, 1.0), (0.0, 1.0)).reached()
    assert not balance((0.5, 0.5), (0.6, 0.5), (0.6, 0.5)).reached()


def test_a_resumed_run_takes_the_same_steps_dropout_included(tmp_path: Path, corpus: Corpus) -> None:
    settings = config(tmp_path / "whole")
    whole = Run(tmp_path / "whole", settings)
    whole.train(stage(settings, corpus))
    part = Run(tmp_path / "part", settings)
    first = stage(settings, corpus)
    for step in range(2):
        first.train(step)
    part.save(first, 2, None)
    part.train(stage(settings, corpus))
    expected = weights(tmp_path / "whole" / "checkpoints" / "reference.npz")
    got = weights(tmp_path / "part" / "checkpoints" / "reference.npz")
    assert list(got) == list(expected)
    assert any("seed" in name for name in got)
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)


def test_an_early_stop_validates_saves_and_stays_stopped(tmp_path: Path, corpus: Corpus) -> None:
    settings = config(tmp_path, TINY.replace("stop_margin = 0.0", "stop_margin = 0.5"))
    run = Run(tmp_path, settings)
    for _ in range(2):
        begun = stage(settings, corpus)
        run.train(begun)
        assert begun._balance.steps == 3
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "reference-best.npz",
        "reference.npz",
    ]
    latents = np.random.default_rng(1).standard_normal((2, 14)).astype(np.float32)
    loaded = networks.load_generator(tmp_path)
    tanh = np.asarray(begun.generator(latents))
    assert tanh.min() < 0.0
    np.testing.assert_allclose(loaded(latents), np.clip(tanh, 0.0, 1.0), atol=1e-6)
    assert networks.CONVENTIONS["reference"] == "edges"


def test_values_are_clipped_not_wrapped() -> None:
    clipped = np.asarray(reference.Clip()(np.array([-0.3, 0.4, 1.2], np.float32)))
    np.testing.assert_array_equal(clipped, np.array([0.0, 0.4, 1.0], np.float32))
