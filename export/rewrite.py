"""Write ``open`` 0.9 as it would be exported now: ``python -m export.rewrite MODEL.onnx --name open``.

Its run is gone, so all is taken from the file: the loop over the beats is written anew from its own
constants, and outside it the same sums and products are taken in fewer operations. Card, words and report
are those of :mod:`export.export_onnx`.
"""

from __future__ import annotations

import argparse
import sys
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

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
from pianogan_bgm.errors import PianoganError
from pianogan_bgm.files import write_together
from pianogan_bgm.generator import open_session, run_session
from pianogan_bgm.models import find_model
from training.composer import CHOICES, HEAD_SIZE, HEADS, IDEAS, POINTERS, SPREAD_OFFSET
from training.runs import revision
from training.studio_export import REACH
from training.whole import WHOLE

WIDTH, HIDDEN, CODES = 256, 192, 40


class Values:
    """Constants of graphs, those that are cast, reshaped or multiplied first, too; None for others."""

    def __init__(self, *graphs: Any) -> None:
        self._found = {c.name: numpy_helper.to_array(c) for g in graphs for c in g.initializer}
        self._maker = {name: node for g in graphs for node in g.node for name in node.output}

    def __call__(self, name: str) -> Any:
        """The value."""
        if name in self._found:
            return self._found[name]
        node = self._maker.get(name)
        if node is None or node.op_type not in ("Cast", "Reshape", "Mul"):
            return None
        first, *others = (self(x) for x in node.input)
        if first is None or any(other is None for other in others):
            return None
        if node.op_type == "Cast":
            return first.astype(helper.tensor_dtype_to_np_dtype(node.attribute[0].i))
        return first.reshape(others[0]) if node.op_type == "Reshape" else first * others[0]


def composer_of(model: Any) -> Any:
    """What :func:`export.beats.loop` asks of a composer, from the loop of an ``open`` 0.9."""
    scan = next(node for node in model.graph.node if node.op_type == "Scan")
    body = next(attribute.g for attribute in scan.attribute if attribute.name == "body")
    nodes, values = list(body.node), Values(model.graph, body)

    def fixed(node: Any) -> Any:
        return next(value for name in node.input if (value := values(name)) is not None)

    def after(index: int, kind: str) -> Any:
        return next(node for node in nodes[index:] if node.op_type == kind)

    places = [i for i, node in enumerate(nodes) if node.op_type == "MatMulInteger"]
    per = {
        name: WHOLE / (1.0 if name == "memory" else REACH) for name in ("gates", "memory", "say2", "ideas")
    }
    pointers = [HEAD_SIZE] * POINTERS
    parts = [2 * WIDTH, WIDTH, HEADS * HEAD_SIZE, *pointers, (HEADS + POINTERS) * HEAD_SIZE, HIDDEN]
    memory = np.repeat([1.0, 1.0, 1.0, 1.0, beats.SHARP, 1.0, per["say2"]], parts)
    scales = {"gates": 1.0, "memory": memory, "say2": per["ideas"], "ideas": 1.0}
    whole = {
        name: SimpleNamespace(
            weights=values(nodes[at].input[1]),
            factor=(fixed(after(at, "Mul")) / scales[name]).astype(np.float32),
            per_input=per[name],
        )
        for name, at in zip(per, places, strict=True)
    }
    recall = next(
        fixed(n) for n in nodes if n.op_type == "MatMul" and _shape(values(n.input[1])) == (160, HIDDEN)
    )
    table = values(after(places[-1], "Gather").input[0]).reshape(CHOICES, -1)
    lags = next(v for name in scan.input if _shape(v := values(name)) == (75, HEADS + POINTERS, 1, 76))
    sharp = np.reshape([1.0] * (HEADS + POINTERS - 1) + [beats.SHARP], (-1, 1))
    bias = np.array(fixed(after(places[-1], "Add")), np.float64)
    bias[CHOICES:].reshape(IDEAS, 2, CODES)[:, 1] -= SPREAD_OFFSET
    return SimpleNamespace(
        whole=whole,
        width=WIDTH,
        hidden=HIDDEN,
        codes=CODES,
        daring=float(table[0, IDEAS + POINTERS]),
        blur=table[1, IDEAS + POINTERS + 1 :],
        entry=fixed(nodes[0]) / per["gates"],
        gates_bias=fixed(after(places[0], "Add")),
        ideas_bias=lambda: bias,
        recall_weights=lambda: recall / per["say2"],
        lag_rows=lambda: lags[:, :, 0, :75] / sharp,
    )


def _shape(value: Any) -> tuple[int, ...]:
    return () if value is None else tuple(value.shape)


def rewrite_loop(model: Any) -> None:
    """Put the loop of :mod:`export.beats` in place of the one that is there."""
    outside = model.graph
    added, constants = beats.loop(composer_of(model))
    maker = {name: node for node in outside.node for name in node.output}
    scan = next(node for node in outside.node if node.op_type == "Scan")
    body = next(attribute.g for attribute in scan.attribute if attribute.name == "body")
    known = next(
        node for node in outside.node if node.op_type == "Split" and node.input[0] == scan.output[-1]
    )

    def before(name: str, *kinds: str) -> str:
        for kind in kinds:
            assert maker[name].op_type == kind
            name = maker[name].input[0]
        return name

    inside = {port.name for port in body.input} | {name for node in body.node for name in node.output}
    taste = next(
        x for n in body.node if n.op_type == "Add" for x in n.input if _of(maker, x, inside) == "Mul"
    )
    given = scan.input
    names = {
        before(given[0], "Unsqueeze"): "heard",
        before(given[1], "Unsqueeze"): "memory",
        before(given[2], "Split", "Unsqueeze"): "back",
        before(given[4], "Pad"): "keys",
        before(given[5], "Pad"): "made",
        before(given[6], "Mul", "Unsqueeze"): "settings",
        before(given[7], "Unsqueeze"): "chances",
        before(given[8], "Unsqueeze"): "blurs",
        before(given[9], "Unsqueeze"): "lots",
        before(taste, "Mul", "Unsqueeze"): "taste",
        known.output[0]: beats.CODES,
    }
    kept = [_copy(node) for node in outside.node if node not in (scan, known)]
    for node in kept:
        for part in (node.input, node.output):
            for i, name in enumerate(part):
                part[i] = names.get(name, name)
    del outside.node[:]
    outside.node.extend([*kept, *added])
    outside.initializer.extend(constants)


def _of(maker: Any, name: str, inside: set[str]) -> str:
    return "" if name in inside or name not in maker else maker[name].op_type


def _copy(node: Any) -> Any:
    return onnx.NodeProto.FromString(node.SerializeToString())


def quicken(model: Any) -> None:
    """Outside the loop: a leaky line as a maximum, products for quotients, half of one more for rounding."""
    outside, write = model.graph, beats.Writer("quick/")
    maker = {name: node for node in outside.node for name in node.output}
    value = Values(outside)

    def number(name: str) -> float | None:
        found = value(name) if name in value._found else None
        return float(found) if found is not None and found.size == 1 else None

    def is_times(name: str, factor: float) -> bool:
        node = maker.get(name)
        return node is not None and node.op_type == "Mul" and factor in map(number, node.input)

    for node in outside.node:
        (y,), second = node.output[:1], maker.get(node.input[1]) if len(node.input) > 1 else None
        if node.op_type == "Add" and is_times(node.input[0], 0.6) and is_times(node.input[1], 0.4):
            x = next(name for name in maker[node.input[0]].input if number(name) is None)
            low = write("Mul", x, write.constant(0.2))
            write.nodes.append(helper.make_node("Max", [x, low], [y]))
        elif node.op_type == "Div" and second is not None and number(second.input[0]) == WHOLE:
            step = write("Div", second.input[1], write.constant(float(WHOLE)))
            write.nodes.append(helper.make_node("Mul", [node.input[0], step], [y]))
        elif node.op_type == "Div" and second is not None and second.op_type == "Sqrt" and value(y) is None:
            write.nodes.append(
                helper.make_node("Mul", [node.input[0], write("Reciprocal", node.input[1])], [y])
                if maker[second.input[0]].op_type == "Add"
                else _copy(node)
            )
        elif node.op_type == "Add" and number(node.input[1]) == WHOLE + 1 and _is_round(maker, node.input[0]):
            x = maker[node.input[0]].input[0]
            write.nodes.append(helper.make_node("Add", [x, write.constant(WHOLE + 1.5)], [y]))
        else:
            write.nodes.append(_copy(node))
    del outside.node[:]
    outside.node.extend(write.nodes)
    outside.initializer.extend(write.constants)


def _is_round(maker: Any, name: str) -> bool:
    return name in maker and maker[name].op_type == "Round"


def simplify_values(model: Any) -> None:
    """Struck and sounding cells to values in single precision, as :class:`training.studio.Decision` does."""
    outside, write = model.graph, beats.Writer("values/")
    maker, value = {name: node for node in outside.node for name in node.output}, Values(outside)
    rows = next(
        n for n in outside.node if n.op_type == "Pad" and np.array_equal(value(n.input[1]), [0] * 5 + [18])
    )
    struck, held = (maker[name] for name in maker[rows.input[0]].input)
    high, low = float(value(struck.input[1])), float(value(maker[maker[held.input[0]].input[0]].input[1]))
    strikes = maker[struck.input[0]].input[0]
    sounding = maker[maker[maker[held.input[0]].input[0]].input[0]].input[0]
    single = onnx.TensorProto.FLOAT
    parts = [
        write("Mul", write("Cast", cells, to=single), write.constant(level, np.float32))
        for cells, level in ((sounding, low), (strikes, high - low))
    ]
    rows.input[0] = write("Add", *parts)
    cast = next(
        node
        for node in outside.node
        if node.op_type == "Cast"
        and node.attribute[0].i == single
        and _comes_from(maker, node, rows.output[0])
    )
    for node in outside.node:
        for i, name in enumerate(node.input):
            if name == cast.output[0]:
                node.input[i] = cast.input[0]
    outside.node.extend(write.nodes)
    outside.initializer.extend(write.constants)


def _comes_from(maker: Any, node: Any, name: str) -> bool:
    for kind in ("Slice", "Unsqueeze"):
        node = maker.get(node.input[0])
        if node is None or node.op_type != kind:
            return False
    return bool(node.input[0] == name)


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
        quicken(model)
        simplify_values(model)
        graph.halve_constants(model)
        graph.number_names(model)
        onnx.checker.check_model(model)
        weights, words = model.SerializeToString(), read_words(given.card or CARDS / f"{given.name}.toml")
        protocol, metrics = card.protocol, dict(card.metrics)
        if given.report is not None:
            protocol, metrics, measured = read_report(given.report, given.name)
            if measured != sha256(weights).hexdigest():
                raise ExportError(f"{given.report} is on other weights")
        latents = parity_latents()
        old, new = (
            np.concatenate(
                [run_session(open_session(data, given.name), latents[i : i + 8]) for i in range(0, 64, 8)]
            )
            for data in (found.weights(), weights)
        )
        if not np.array_equal(old, new):
            raise ExportError("the pieces must stay as they are")
        said = f"{card.revision}, in fewer operations by {revision()}"
        network: Any = None  # only its words and figures are asked for
        trained = Trained(network, card.convention, card.config, said, card.data_sha256, protocol, metrics)
        card = make_card(given.name, trained, words, weights, new[:8])
        to = given.to / given.name
        write_together({Path(f"{to}.onnx"): weights, Path(f"{to}.json"): card.to_json().encode()})
    except (PianoganError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"wrote {to}.onnx ({len(weights):,} bytes) and .json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
