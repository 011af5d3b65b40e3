"""Write a model as it would be exported now: ``python -m export.rewrite MODEL.onnx``.

For ``open`` 0.8 and ``maestro`` 1.4, whose runs are gone: all is taken from the file. The loop over the beats
is written anew from its own constants, and the large products outside it, which were in double precision, are
in whole numbers. Card, words and report are those of :mod:`export.export_onnx`.
"""

from __future__ import annotations

import argparse
import sys
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export import beats, graph
from export.export_onnx import (
    CARDS,
    ExportError,
    Trained,
    add_options,
    make_card,
    parity_latents,
    read_report,
    read_words,
)
from pianogan_bgm.cards import LATENT_SIZE
from pianogan_bgm.errors import PianoganError
from pianogan_bgm.files import write_together
from pianogan_bgm.generator import open_session, run_session
from pianogan_bgm.models import find_model
from training.composer import CHOICES, IDEAS, POINTERS
from training.runs import revision
from training.studio import BEATS
from training.studio_export import REACH
from training.whole import LEAST, WHOLE, WholeProduct

LARGE: Final = 30000
"""Weights of a product outside the loop from which on it is put into whole numbers."""


class Values:
    """Constants of a graph, those that are cast or reshaped first, too."""

    def __init__(self, *graphs: onnx.GraphProto) -> None:
        self._found = {c.name: numpy_helper.to_array(c) for g in graphs for c in g.initializer}
        self._maker = {name: node for g in graphs for node in g.node for name in node.output}

    def __call__(self, name: str) -> Any:
        """The value, None where it is computed."""
        if name in self._found:
            return self._found[name]
        node = self._maker.get(name)
        if node is None or node.op_type not in ("Cast", "Reshape"):
            return None
        value = self(node.input[0])
        if value is None:
            return None
        if node.op_type == "Reshape":
            return value.reshape(self(node.input[1]))
        return value.astype(helper.tensor_dtype_to_np_dtype(node.attribute[0].i))


def rewrite_loop(model: onnx.ModelProto) -> None:
    """Put the loop of :mod:`export.beats` in place of the one that is there."""
    outside = model.graph
    scan = next(node for node in outside.node if node.op_type == "Scan")
    body = next(attribute.g for attribute in scan.attribute if attribute.name == "body")
    values, nodes = Values(outside, body), list(body.node)

    def after(index: int, kind: str) -> onnx.NodeProto:
        found: onnx.NodeProto = next(node for node in nodes[index:] if node.op_type == kind)
        return found

    def fixed(node: onnx.NodeProto) -> Any:
        return next(value for name in node.input if (value := values(name)) is not None)

    whole: dict[str, Any] = {}
    places = [i for i, node in enumerate(nodes) if node.op_type == "MatMulInteger"]
    for name, at in zip(("gates", "memory", "say2", "ideas"), places, strict=True):
        whole[name] = SimpleNamespace(
            weights=values(nodes[at].input[1]),
            factor=fixed(after(at, "Mul")).astype(np.float32),
            per_input=WHOLE / (1.0 if name == "memory" else REACH),
        )
    recall = next(i for i, node in enumerate(nodes) if _shape(values(_second(node))) == (160, 192))
    table = values(after(places[-1], "Gather").input[0]).reshape(CHOICES, -1)
    lags = next(v for name in scan.input if _shape(v := values(name)) == (75, 6, 75))
    composer: Any = SimpleNamespace(
        whole=whole,
        width=256,
        hidden=192,
        codes=40,
        daring=float(table[0, IDEAS + POINTERS]),
        blur=table[1, IDEAS + POINTERS + 1 :],
        entry=fixed(nodes[0]),
        gates_bias=fixed(after(places[0], "Add")),
        ideas_bias=lambda: fixed(after(places[-1], "Add")),
        recall_weights=lambda: fixed(nodes[recall]),
        lag_rows=lambda: lags,
    )
    added, constants = beats.loop(composer)
    inside = {port.name for port in body.input} | {name for node in nodes for name in node.output}
    taste = next(x for x in nodes[recall + 2].input if x not in inside)
    names = dict(zip(scan.input, (*beats.STATES, *beats.PLAN[:-1]), strict=False))
    names |= {taste: beats.PLAN[-1], scan.output[len(beats.STATES) - 1]: beats.CODES}
    for node in outside.node:
        for part in (node.input, node.output):
            for i, name in enumerate(part):
                part[i] = names.get(name, name)
    at = next(i for i, node in enumerate(outside.node) if node.op_type == "Scan")
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in outside.node]
    del outside.node[:]
    outside.node.extend([*kept[:at], *added, *kept[at + 1 :]])
    outside.initializer.extend(constants)


def make_whole(model: onnx.ModelProto) -> None:
    """Put large products outside the loop into whole numbers, as in :class:`training.layers.TimeConv`."""
    values, write = Values(model.graph), beats.Writer("whole/")
    maker = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        weights = values(node.input[1]) if node.op_type == "MatMul" else None
        if weights is None or weights.size < LARGE or weights.shape[0] == LATENT_SIZE:  # those are the waves
            write.nodes.append(node)
            continue
        rows, filters = maker[node.input[0]], weights.shape[1]
        beside = maker[rows.input[0]] if rows.op_type == "Reshape" else rows
        if beside.op_type != "Concat":
            write.nodes.append(
                helper.make_node("Identity", [_product(write, node.input[0], weights)], node.output)
            )
            continue
        size = len(beside.input)
        padding = maker[maker[beside.input[0]].input[0]]
        reach = int(values(padding.input[1])[1])
        kernel = weights.reshape(size, -1, filters).transpose(1, 0, 2).reshape(-1, size * filters)
        parts = write("Pad", _product(write, padding.input[0], kernel), padding.input[1])
        axes = write.constant([1, 2], np.int64)
        total = ""
        for k in range(size):
            first, last = ([k * reach, k * filters], [k * reach + BEATS, (k + 1) * filters])
            ends = (write.constant(at, np.int64) for at in (first, last))
            part = write("Slice", parts, *ends, axes)
            total = write("Add", total, part) if total else part
        flat = write.constant([-1, filters], np.int64)
        write.nodes.append(helper.make_node("Reshape", [total, flat], node.output))
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in write.nodes]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(write.constants)


def _product(write: beats.Writer, x: str, weights: Any) -> str:
    product = WholeProduct(weights.astype(np.float64))
    top = write("ReduceMax", write("Abs", x), axes=[-1], keepdims=1)
    each = write("Div", write.constant(float(WHOLE)), write("Max", top, write.constant(LEAST)))
    above = write("Add", write("Round", write("Mul", x, each)), write.constant(WHOLE + 1.0))
    bytes_, middle = write("Cast", above, to=TensorProto.UINT8), write.constant(WHOLE + 1, np.uint8)
    whole = write("MatMulInteger", bytes_, write.constant(product.weights, np.int8), middle)
    whole = write("Mul", write("Cast", whole, to=TensorProto.DOUBLE), write.constant(product.factor))
    return write("Div", whole, each)


def _second(node: onnx.NodeProto) -> str:
    return node.input[1] if node.op_type == "MatMul" else ""


def _shape(value: Any) -> tuple[int, ...]:
    return () if value is None else tuple(value.shape)


def main(arguments: list[str] | None = None) -> int:
    """Command line; 1 where the model cannot be rewritten."""
    parser = argparse.ArgumentParser(prog="python -m export.rewrite", description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path, metavar="MODEL.onnx", help="its card beside it")
    add_options(parser)
    given = parser.parse_args(arguments)
    try:
        found = find_model(given.model)
        card, model = found.card, onnx.load_from_string(found.weights())
        rewrite_loop(model)
        make_whole(model)
        graph.spell_transposed_products(model)
        graph.halve_constants(model)
        graph.number_names(model)
        onnx.checker.check_model(model)
        weights, words = model.SerializeToString(), read_words(given.card or CARDS / f"{given.name}.toml")
        protocol, metrics = card.protocol, dict(card.metrics)
        if given.report is not None:
            protocol, metrics, measured = read_report(given.report, given.name)
            if measured != sha256(weights).hexdigest():
                raise ExportError(f"{given.report} is on other weights")
        said = f"{card.revision}, in whole numbers by {revision()}"
        network: Any = None  # only its words and figures are asked for
        trained = Trained(network, card.convention, card.config, said, card.data_sha256, protocol, metrics)
        rolls = run_session(open_session(weights, given.name), parity_latents()[:8])
        card = make_card(given.name, trained, words, weights, rolls)
        to = given.to / given.name
        write_together({Path(f"{to}.onnx"): weights, Path(f"{to}.json"): card.to_json().encode()})
    except (PianoganError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"wrote {to}.onnx ({len(weights):,} bytes) and .json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
