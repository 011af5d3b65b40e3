from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", reason="needs the train extra")
onnx = pytest.importorskip("onnx", reason="needs the train extra")
pytest.importorskip("tensorflow", reason="needs the train extra")
pytest.importorskip("tf2onnx", reason="needs the train extra")

from keras import ops  # noqa: E402  # after the checks that it is there
from small import save_corpus  # noqa: E402

from export import add_mode, export_onnx, graph  # noqa: E402
from export.export_onnx import ExportError, Trained  # noqa: E402
from pianogan_bgm.generator import Generator, open_session, run_session  # noqa: E402
from pianogan_bgm.latents import latent_of  # noqa: E402
from pianogan_bgm.roll import decode  # noqa: E402
from training import networks  # noqa: E402
from training.attributes import Wanted  # noqa: E402
from training.config import parse  # noqa: E402
from training.corpus import Corpus  # noqa: E402
from training.layers import Norm, TimeConv  # noqa: E402
from training.modes import AskedMode  # noqa: E402
from training.reference import Clip, build_generator  # noqa: E402
from training.studio import Thresholds  # noqa: E402
from training.studio_export import StudioGenerator  # noqa: E402

LATENTS = np.stack([latent_of(seed) for seed in range(5)])


class Tiny(keras.Model):  # type: ignore[misc]  # keras is untyped
    """Every kind of layer the real networks have, four channels wide, deciding as they do."""

    def __init__(self, dtype: str) -> None:
        super().__init__(dtype=dtype)
        self.base = keras.layers.Dense(75 * 8, dtype=dtype)
        self.wide = TimeConv(8, 5, dtype=dtype)
        self.norm = Norm(dtype=dtype)
        self.exit = TimeConv(2 * 4 * 88, 1, dtype=dtype)

    def call(self, latent: Any) -> Any:
        x = ops.reshape(self.base(ops.cast(latent, self.compute_dtype)), (-1, 75, 8))
        x = ops.repeat(x, 2, axis=1)[:, 10:85]
        x = self.wide(ops.maximum(x, 0.2 * x))
        x = self.exit(self.norm(x * ops.sigmoid(x)))
        odds, loud = ops.split(ops.reshape(8.0 * x, (-1, 300, 2 * 88)), 2, axis=-1)
        struck = (ops.floor(ops.sigmoid(loud) * 63.0) + 192.5) / 256.0
        held = ops.full_like(struck, 160.5 / 256.0)
        cells = ops.where(odds > 0.6, struck, ops.where(odds > 0.4, held, ops.zeros_like(held)))
        rows = ops.pad(ops.transpose(cells, (0, 2, 1)), ((0, 0), (0, 18), (0, 0)))
        return ops.cast(rows[..., None], "float32")


def tiny(dtype: str = "float64") -> Tiny:
    keras.utils.set_random_seed(3)
    network = Tiny(dtype)
    network(LATENTS)
    for variable in network.variables:
        variable.assign(np.asarray(variable).astype(np.float16))
    return network


@pytest.fixture(scope="module")
def network() -> Tiny:
    return tiny()


@pytest.fixture(scope="module")
def exported(network: Tiny) -> Any:
    return graph.to_onnx(network)


def trained(network: Any) -> Trained:
    return Trained(network, "struck", {"name": "tiny"}, "abc", "", "none", {"score": 1.0})


@pytest.fixture
def words() -> dict[str, Any]:
    return {
        "version": "1.0",
        "summary": "A test.",
        "tempo": 100,
        "training_data": "none",
        "data_licence": "none",
        "output_licence": "any use",
        "may_sell": True,
        "attribution": [],
    }


def ports(model: Any) -> list[tuple[str, list[Any]]]:
    return [
        (port.name, [d.dim_param or d.dim_value for d in port.type.tensor_type.shape.dim])
        for port in (*model.graph.input, *model.graph.output)
    ]


def operations(model: Any) -> set[str]:
    return {node.op_type for node in model.graph.node}


def test_the_exported_network_says_what_the_trained_one_says(network: Tiny, exported: Any) -> None:
    expected = np.asarray(network(LATENTS))
    got = run_session(open_session(exported.SerializeToString(), "tiny"), LATENTS)
    assert np.array_equal(got, expected)
    assert len(np.unique(got)) > 20  # silence, held and many levels, not one flat answer


def test_ports_opset_and_free_batch_are_those_of_the_contract(exported: Any) -> None:
    assert ports(exported) == [("latent", ["n", 14]), ("roll", ["n", 106, 300, 1])]
    assert [(o.domain, o.version) for o in exported.opset_import if not o.domain] == [("", 17)]


def test_nothing_slow_or_missing_in_double_precision_is_left(exported: Any) -> None:
    assert not operations(exported) & {"Sigmoid", "LeakyRelu", "Conv", "GlobalAveragePool"}
    assert {"Tanh", "Max"} <= operations(exported)


def test_a_slope_is_the_one_that_was_meant_though_an_attribute_is_in_single_precision() -> None:
    ports = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, [1]) for name in "xy"]
    leaky = onnx.helper.make_graph(
        [onnx.helper.make_node("LeakyRelu", ["x"], ["y"], alpha=0.2)], "leaky", *([p] for p in ports)
    )
    model = onnx.helper.make_model(leaky)
    graph.quicken_doubles(model)
    assert [onnx.numpy_helper.to_array(c).item() for c in model.graph.initializer] == [0.2]


def test_weights_travel_as_float16_and_compute_as_before(network: Tiny, exported: Any) -> None:
    kept = {c.data_type for c in exported.graph.initializer if np.prod(c.dims) >= graph.SMALLEST_HALVED}
    assert kept == {onnx.TensorProto.FLOAT16}
    weights = sum(int(np.prod(variable.shape)) for variable in network.variables)
    assert exported.ByteSize() < 2 * weights + 20_000


def test_weights_that_float16_cannot_hold_stay_as_they_are() -> None:
    fine = np.linspace(-1.0, 1.0, 512).astype(np.float16).astype(np.float64)
    odd = np.linspace(-1.0, 1.0, 512)
    arrays = {"fine": fine, "odd": odd, "small": fine[:5]}
    constants = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    model = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], constants))
    assert graph.halve_constants(model) == 0.5
    stored = {c.name: onnx.numpy_helper.to_array(c) for c in model.graph.initializer}
    assert stored["fine/half"].dtype == np.float16
    assert np.array_equal(stored["fine/half"].astype(np.float64), fine)
    assert np.array_equal(stored["odd"], odd)
    assert stored["small"].dtype == np.float64
    assert [(node.op_type, *node.input, *node.output) for node in model.graph.node] == [
        ("Cast", "fine/half", "fine")
    ]


@pytest.mark.parametrize("value", [65520.0, 1e-9, 1.0001, np.pi])
def test_a_number_beyond_float16_is_never_rounded(value: float) -> None:
    assert graph.exact_half(np.array([1.0, value])) is None


def test_integers_are_never_halved() -> None:
    assert graph.exact_half(np.arange(512)) is None


def test_the_original_network_is_exported_in_single_precision_as_it_is() -> None:
    network, clip = build_generator(0.01, "float32"), Clip()
    model = graph.to_onnx(lambda latent: clip(network(latent)))
    assert {"LeakyRelu", "Conv", "ConvTranspose"} <= operations(model)
    found = export_onnx.parity(lambda latent: clip(network(latent)), model.SerializeToString(), LATENTS)
    assert found < 1e-5


@pytest.fixture
def studio() -> StudioGenerator:
    keras.utils.set_random_seed(3)
    sizes = {"width": 8, "codes": 6, "composer": 10, "hidden": 8}
    config = parse({"name": "x", "network": "studio", "data": "", "vae": sizes, "gan": {"copies": 3.0}})
    network = StudioGenerator(
        config, Wanted.plain(), (0.05, 0.2), velocity=True, name="generator", dtype="float64"
    )
    for i, variable in enumerate(network.variables):  # far from its beginnings, so that every part matters
        noise = 0.3 * np.random.default_rng(i).standard_normal(variable.shape)
        variable.assign((np.asarray(variable) + noise).astype(np.float16))
    network.composer.blur.assign(np.abs(np.asarray(network.composer.blur)))
    network.composer.make_whole(4.0)
    network.decoder.make_whole()
    network.decision.thresholds = Thresholds(strike=-20.0, hold=0.5, least=1e-3)
    return network


def test_no_product_is_of_what_was_just_transposed(studio: StudioGenerator) -> None:
    # older versions of onnxruntime would not load it
    model = graph.to_onnx(studio)
    maker = {name: node for node in model.graph.node for name in node.output}
    products = [node for node in model.graph.node if node.op_type == "MatMul"]
    before = [maker[name] for node in products for name in node.input if name in maker]
    before += [maker[node.input[0]] for node in before if node.op_type == "Cast" and node.input[0] in maker]
    assert "Transpose" not in {node.op_type for node in before}
    assert "Einsum" in operations(model)


def test_the_studio_network_is_exported_in_double_precision_throughout(studio: StudioGenerator) -> None:
    network, model = studio, graph.to_onnx(studio)
    assert {variable.dtype for variable in network.variables} == {"float64"}
    assert not operations(model) & {"Sigmoid", "LeakyRelu", "Conv", "GlobalAveragePool"}
    assert {"Scan"} <= operations(model)
    # of the decoder all products, and no other outside the loop
    blocks = len(network.decoder.blocks)
    assert [node.op_type for node in model.graph.node].count("MatMulInteger") == 3 + 2 * blocks
    # in single precision is only what rolls, which are so themselves, are made of and compared with, and
    # the zero that a converter compares numbers of rows with
    singles = {c.name for c in model.graph.initializer if c.data_type == onnx.TensorProto.FLOAT}
    used = {node.op_type for node in model.graph.node if singles & set(node.input)}
    assert used == {"GreaterOrEqual", "Mul", "Add", "Less"}
    assert export_onnx.parity(network, model.SerializeToString(), LATENTS) == 0.0
    rolls = np.asarray(network(LATENTS))
    network.decision.thresholds = Thresholds(strike=-20.0, hold=0.5)
    assert (rolls != np.asarray(network(LATENTS))).any()


@pytest.mark.parametrize("optimised", [False, True])
def test_chances_keep_their_double_precision(studio: StudioGenerator, optimised: bool) -> None:
    import onnxruntime
    import tensorflow as tf

    def chances(latent: Any) -> Any:
        return ops.concatenate(studio.composer._chances(ops.cast(latent, "float64")), axis=-1)

    model = graph._converted(chances, tf.TensorSpec((None, LATENTS.shape[1]), tf.float32))
    graph.widen_logarithms(model)
    options, level = onnxruntime.SessionOptions(), onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimised else level.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    got = session.run(None, {session.get_inputs()[0].name: LATENTS})[0]
    np.testing.assert_allclose(got, np.asarray(chances(LATENTS)), rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_only_products_of_rounded_numbers_with_small_whole_weights_become_those_of_bytes(
    scale: float,
) -> None:
    weights = np.random.default_rng(0).integers(-127, 128, (14, 106 * 300)).astype(np.float64)
    weights[0, :2] = -127.0, 127.0

    class Net:
        def __call__(self, latent: Any) -> Any:
            x = ops.cast(latent, "float64")
            plain, rounded = ops.matmul(x, scale * weights), ops.matmul(ops.round(x), scale * weights)
            return ops.cast(ops.reshape(plain + rounded, (-1, 106, 300, 1)), "float32")

    model = graph.to_onnx(Net())
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("MatMulInteger") == (1 if scale == 1.0 else 0)
    assert kinds.count("MatMul") == 2 - kinds.count("MatMulInteger")
    got = run_session(open_session(model.SerializeToString(), "net"), LATENTS)
    np.testing.assert_array_equal(got, np.asarray(Net()(LATENTS)))


def test_an_exported_model_composes(tmp_path: Path, network: Tiny, words: dict[str, Any]) -> None:
    card, worst = export_onnx.export(trained(network), "tiny", words, tmp_path)
    assert worst == 0.0
    generator = Generator(tmp_path / "tiny.onnx")
    assert generator.card == card
    assert card.has_velocity
    assert (card.tempo, card.revision, card.metrics) == (100, "abc", {"score": 1.0})
    assert generator.compose(1).notes == decode(np.asarray(network(latent_of(1)[None]))[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.json", "tiny.onnx"]


def test_a_model_whose_notes_are_all_equally_loud_has_no_loudness(network: Tiny) -> None:
    rolls = np.asarray(network(LATENTS))
    assert export_onnx.has_velocity(rolls)
    assert not export_onnx.has_velocity(np.where(rolls > 0.75, np.float32(232.5 / 256), rolls))
    assert not export_onnx.has_velocity(np.zeros_like(rolls))


def test_a_network_that_rounds_too_coarsely_to_repeat_itself_elsewhere_is_refused(
    tmp_path: Path, words: dict[str, Any]
) -> None:
    with pytest.raises(ExportError, match="must compute in double precision"):
        export_onnx.export(trained(tiny("float32")), "tiny", words, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small(tmp_path: Path, network: Tiny, words: dict[str, Any]) -> tuple[Path, Path]:
    """An exported model, and the corpus that it was trained on."""
    data = save_corpus(tmp_path / "data")
    run = replace(trained(network), data_sha256=Corpus.load(data).manifest["sha256"], config={})
    export_onnx.export(run, "tiny", words, tmp_path)
    return tmp_path / "tiny.onnx", data


def test_a_layer_after_an_exported_network_changes_nothing_before_it(exported: Any) -> None:
    layer = AskedMode(Wanted.plain(), 0.05, 0.2, dtype="float64")
    network = graph.Followed(exported, layer)
    model = graph.to_onnx(network)
    assert export_onnx.parity(network, model.SerializeToString(), LATENTS) == 0.0
    before, after = (
        run_session(open_session(one.SerializeToString(), "it"), LATENTS) for one in (exported, model)
    )
    np.testing.assert_array_equal(np.asarray(layer(before, LATENTS)), after)
    assert (before != after).any()
    assert graph.computes_in_double(model)
    assert ports(model) == ports(exported)


def test_an_exported_model_is_given_its_mode(small: tuple[Path, Path], tmp_path: Path) -> None:
    path, data = small
    words = tmp_path / "words.toml"
    card = Generator(path).card
    lines = [
        f"{key} = {json.dumps(getattr(card, key))}" for key in sorted(export_onnx.WORDS - {"attribution"})
    ]
    words.write_text("\n".join([*lines, f"attribution = {json.dumps(list(card.attribution))}"]))
    given = [str(path), str(data), "--name", "tiny", "--card", str(words), "--to", str(tmp_path / "new")]
    assert add_mode.main(given) == 0
    new, old = Generator(tmp_path / "new" / "tiny.onnx"), Generator(path)
    assert new.card.revision.startswith("abc, with its mode by ")
    assert (new.card.config, new.card.data_sha256) == (card.config, card.data_sha256)
    assert any(new.compose(seed).notes != old.compose(seed).notes for seed in range(20))


def test_a_mode_is_neither_added_twice_nor_learnt_from_other_data(
    small: tuple[Path, Path], tmp_path: Path, words: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    path, data = small
    other = save_corpus(tmp_path / "other", velocity=True)
    manifest = json.loads((other / "manifest.json").read_text())
    arrays = np.load(other / "corpus.npz")
    np.savez(other / "corpus.npz", **{**arrays, "steps": arrays["steps"] + 1})
    manifest["sha256"] = hashlib.sha256((other / "corpus.npz").read_bytes()).hexdigest()
    (other / "manifest.json").write_text(json.dumps(manifest))
    given = ["--name", "tiny", "--card", str(export_onnx.CARDS / "open.toml"), "--to", str(tmp_path)]
    assert add_mode.main([str(path), str(other), *given]) == 1
    assert f"was trained on the data of sha256 {Generator(path).card.data_sha256}" in capsys.readouterr().err
    assert add_mode.main([str(path), str(data), *given]) == 0
    assert add_mode.main([str(path), str(data), *given]) == 1
    assert "has its mode already" in capsys.readouterr().err


def test_exporting_twice_gives_the_same_bytes(network: Tiny, exported: Any) -> None:
    assert graph.to_onnx(network).SerializeToString() == exported.SerializeToString()


def shuffled(graph: Any, rng: np.random.Generator) -> None:
    """Put nodes in another order in which each comes after those it reads, in loops, too."""
    left, done = list(graph.node), []
    while left:
        unmade = {name for node in left for name in node.output}
        ready = [node for node in left if not unmade & set(_read(node))]
        done.append(ready[rng.integers(len(ready))])
        left = [node for node in left if node is not done[-1]]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in done]
    del graph.node[:]
    graph.node.extend(kept)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                shuffled(attribute.g, rng)


def _read(node: Any) -> list[str]:
    bodies = [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    return [*node.input, *(name for body in bodies for inner in body.node for name in _read(inner))]


def test_the_order_in_which_a_converter_gives_nodes_changes_no_byte(
    exported: Any, studio: StudioGenerator
) -> None:
    for model in (exported, graph.to_onnx(studio)):
        expected = model.SerializeToString()
        for seed in range(3):
            other = onnx.ModelProto.FromString(expected)
            shuffled(other.graph, np.random.default_rng(seed))
            assert other.SerializeToString() != expected
            graph.number_names(other)
            assert other.SerializeToString() == expected


def test_a_product_in_single_precision_is_found_in_a_loop(studio: StudioGenerator) -> None:
    model = graph.to_onnx(studio)
    assert graph.computes_in_double(model)
    (scan,) = [node for node in model.graph.node if node.op_type == "Scan"]
    (body,) = [a.g for a in scan.attribute if a.type == onnx.AttributeProto.GRAPH]
    product = next(node for node in body.node if node.op_type == "MatMul")
    for i, name in enumerate(list(product.input)):
        cast = onnx.helper.make_node("Cast", [name], [f"{name}/single"], to=onnx.TensorProto.FLOAT)
        product.input[i] = f"{name}/single"
        body.node.insert(0, cast)
    product.output[0], double = "single", product.output[0]
    body.node.append(onnx.helper.make_node("Cast", ["single"], [double], to=onnx.TensorProto.DOUBLE))
    graph.put_in_order(body)
    onnx.checker.check_model(model)
    assert not graph.computes_in_double(model)


def test_a_network_that_changes_in_export_is_refused_and_nothing_written(
    tmp_path: Path, words: dict[str, Any], monkeypatch: pytest.MonkeyPatch, network: Tiny, exported: Any
) -> None:
    monkeypatch.setattr(graph, "to_onnx", lambda _: exported)

    def drifted(latents: Any) -> Any:
        return np.asarray(network(latents)) + np.float32(2e-4)

    with pytest.raises(ExportError, match=r"may differ by 0\.0001; it does by 0\.0002"):
        export_onnx.export(trained(drifted), "tiny", words, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_answers_no_numbers_is_like_no_other(network: Tiny, exported: Any) -> None:
    def lost(latents: Any) -> Any:
        return np.asarray(network(latents)) * np.nan

    with pytest.raises(ExportError, match="rolls must be finite"):
        export_onnx.parity(lost, exported.SerializeToString(), LATENTS)


def test_a_report_on_other_weights_is_refused_and_nothing_written(
    tmp_path: Path, words: dict[str, Any], monkeypatch: pytest.MonkeyPatch, network: Tiny, exported: Any
) -> None:
    monkeypatch.setattr(graph, "to_onnx", lambda _: exported)
    run = trained(network)
    with pytest.raises(ExportError, match=r"must be on these weights, of sha256 \w+; it is on abc"):
        export_onnx.export(replace(run, measured_sha256="abc"), "tiny", words, tmp_path)
    assert list(tmp_path.iterdir()) == []
    own = hashlib.sha256(exported.SerializeToString()).hexdigest()
    export_onnx.export(replace(run, measured_sha256=own), "tiny", words, tmp_path)


def test_bad_words_are_refused_and_nothing_written(
    tmp_path: Path, words: dict[str, Any], monkeypatch: pytest.MonkeyPatch, network: Tiny, exported: Any
) -> None:
    monkeypatch.setattr(graph, "to_onnx", lambda _: exported)
    with pytest.raises(Exception, match="may_sell must be true or false"):
        export_onnx.export(trained(network), "tiny", {**words, "may_sell": "perhaps"}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_latents_compared_are_none_that_a_game_or_the_evaluation_asks_for() -> None:
    latents = export_onnx.parity_latents()
    assert latents.shape == (64, 14)
    assert not any(np.array_equal(latents[0], latent_of(seed)) for seed in range(100))


def test_the_words_of_the_shipped_cards_are_complete() -> None:
    for name in ("open", "maestro"):
        found = export_onnx.read_words(export_onnx.CARDS / f"{name}.toml")
        assert found["may_sell"] is (name == "open")
        assert found["attribution"]


def test_missing_and_unknown_words_are_named(tmp_path: Path) -> None:
    path = tmp_path / "words.toml"
    path.write_text('version = "1"\n')
    with pytest.raises(ExportError, match=r"must have the keys .* see attribution"):
        export_onnx.read_words(path)


def test_a_run_folder_gives_config_revision_data_and_best_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text('name = "x"\nnetwork = "studio"\n')
    (tmp_path / "run.json").write_text(json.dumps({"revision": "r1", "data": {"sha256": "ab"}}))
    rows = [
        {"stage": "vae", "step": 5, "validation_score": 9.0},
        {"stage": "gan", "step": 10, "validation_score": 0.5, "validation_auc": 0.8},
        {"stage": "gan", "step": 15, "loss": 3.0},
        {"stage": "gan", "step": 20, "validation_score": 0.4, "validation_auc": 0.9},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setattr(networks, "load_generator", lambda folder: f"the network of {folder.name}")
    found = export_onnx.read_run(tmp_path)
    assert found.network == f"the network of {tmp_path.name}"
    assert (found.convention, found.revision, found.data_sha256) == ("struck", "r1", "ab")
    assert found.metrics == {"step": 10, "validation_score": 0.5, "validation_auc": 0.8}


def test_a_folder_that_is_no_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export_onnx.main([str(tmp_path), "--name", "open"]) == 1
    assert f"{tmp_path} is not a finished run: {tmp_path / 'config.toml'}: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("told", "said"),
    [("[1]", "run.json must be an object"), ("{", "run.json must be JSON"), ("{}", "known of 'revision'")],
)
def test_a_run_folder_with_damaged_facts_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], told: str, said: str
) -> None:
    (tmp_path / "config.toml").write_text('name = "x"\nnetwork = "studio"\ndata = "d"\n')
    (tmp_path / "run.json").write_text(told)
    assert export_onnx.main([str(tmp_path), "--name", "open"]) == 1
    assert said in capsys.readouterr().err


def test_a_run_with_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('name = "x"\nnetwork = "studio"\ndata = "d"\n')
    (tmp_path / "run.json").write_text(json.dumps({"revision": "r1", "data": {"sha256": "ab"}}))
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "gan-best.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ExportError, match=r"gan-best\.npz is damaged, or no checkpoint"):
        export_onnx.read_run(tmp_path)


@pytest.mark.parametrize(
    "which",
    [
        ("../evil", True, "name must be"),
        ("tiny", "perhaps", "may_sell must be"),
        ("tiny", False, "no-report.json: not a report on 'tiny'"),
    ],
)
def test_what_a_card_may_not_say_is_refused_before_the_network_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: dict[str, Any], which: tuple[str, Any, str]
) -> None:
    name, may_sell, said = which
    table = {**words, "may_sell": may_sell}
    path = tmp_path / "words.toml"
    path.write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items()))
    given = [str(tmp_path), "--name", name, "--card", str(path), "--report", str(tmp_path / "no-report.json")]
    assert export_onnx.main(given) == 1
    assert said in capsys.readouterr().err


def test_figures_of_a_report_replace_those_of_the_run(tmp_path: Path) -> None:
    row = {"overlapped_area": {"mean": 0.8, "sd": 0.01}}
    report = {"protocol": {"version": 1}, "rows": {"open": row, "real music (ceiling)": row}}
    path = tmp_path / "report.json"
    path.write_text(json.dumps(report))
    protocol, figures, weights = export_onnx.read_report(path, "open")
    assert protocol == 'training.evaluate: {"version": 1}'
    assert figures == {"overlapped_area": 0.8, "ceiling_overlapped_area": 0.8}
    assert weights == ""
    path.write_text(json.dumps({**report, "models": {"open": {"sha256": "ab"}}}))
    assert export_onnx.read_report(path, "open")[2] == "ab"
    with pytest.raises(ExportError, match="not a report on 'maestro'"):
        export_onnx.read_report(path, "maestro")
