"""From a Keras network to the ONNX graph that is shipped: conversion and the passes after it.

The graph computes in double precision (see :mod:`pianogan_bgm.generator` for why), which onnxruntime has
kernels for only in part, and quick ones in part of those. Weights that float16 holds exactly are stored so,
and widened when the file is loaded: a quarter of the size for the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import onnx.compose
from onnx import helper, numpy_helper

from pianogan_bgm.cards import LATENT_SIZE
from pianogan_bgm.generator import INPUT, OUTPUT, open_session, run_session
from pianogan_bgm.roll import ROLL
from training.whole import WHOLE

OPSET: Final = 17
SMALLEST_HALVED: Final = 256
"""Constants with fewer numbers stay as they are: a conversion costs more than it saves."""


class Followed:
    """An exported network with one more layer: of its rolls and its latents ``layer`` makes other rolls."""

    def __init__(self, model: onnx.ModelProto, layer: Callable[[Any, Any], Any]) -> None:
        self.model, self.layer = model, layer
        self._session = open_session(model.SerializeToString(), "the network before the layer")

    def __call__(self, latents: npt.NDArray[np.float32]) -> Any:
        """Latents float32 ``(n, 14)`` to rolls float32 ``(n, 106, 300, 1)``."""
        return self.layer(run_session(self._session, latents), latents)


def to_onnx(network: Callable[[Any], Any]) -> onnx.ModelProto:
    """Convert ``network``, latents float32 ``(n, 14)`` to rolls float32 ``(n, 106, 300, 1)``, and tidy it.

    A network with a composer (:class:`training.studio_export.StudioGenerator`) gets its loop from
    :mod:`export.beats`; one that was exported before (:class:`Followed`) stays as it was.
    """
    import tensorflow as tf

    latents = tf.TensorSpec((None, LATENT_SIZE), tf.float32, name=INPUT)
    if isinstance(network, Followed):
        model = _followed(network, latents)
    elif hasattr(network, "before"):
        model = _around_the_loop(network, latents)
    else:
        model = _converted(network, latents)
    name_ports(model)
    widen_logarithms(model)
    quicken_doubles(model)
    quicken_whole_products(model)
    spell_transposed_products(model)
    halve_constants(model)
    number_names(model)
    onnx.checker.check_model(model)
    return model


def _converted(function: Callable[..., Any], *ports: Any) -> onnx.ModelProto:
    """What tf2onnx makes of a function of tensors."""
    import tensorflow as tf
    import tf2onnx

    compiled = tf.function(function, input_signature=ports)
    model: onnx.ModelProto
    model, _ = tf2onnx.convert.from_function(compiled, input_signature=ports, opset=OPSET)
    return model


def _around_the_loop(network: Any, latents: Any) -> onnx.ModelProto:
    """Everything before the loop over the beats, the loop, and everything after it, as one model."""
    import tensorflow as tf

    from export import beats
    from training.studio import BEATS

    codes = tf.TensorSpec((None, BEATS, network.composer.codes), tf.float64, name="codes")
    first = onnx.compose.add_prefix(_converted(network.before, latents), "before/")
    last = onnx.compose.add_prefix(_converted(network.after, codes, latents), "after/")
    for port, name in zip(list(first.graph.output), (*beats.PLAN, *beats.STATES), strict=True):
        _rename(first.graph, port.name, name)
    for port, name in zip(last.graph.input, (beats.CODES, first.graph.input[0].name), strict=True):
        _rename(last.graph, port.name, name)
    return _joined(first, last, *beats.loop(network.composer))


def _followed(network: Followed, latents: Any) -> onnx.ModelProto:
    """An exported network and what follows it as one model."""
    import tensorflow as tf

    rolls = tf.TensorSpec((None, *ROLL.shape), tf.float32, name=OUTPUT)
    last = onnx.compose.add_prefix(_converted(network.layer, rolls, latents), "after/")
    first = onnx.ModelProto.FromString(network.model.SerializeToString())
    _rename(first.graph, OUTPUT, "before")
    for port, name in zip(last.graph.input, ("before", INPUT), strict=True):
        _rename(last.graph, port.name, name)
    return _joined(first, last)


def _joined(
    first: onnx.ModelProto,
    last: onnx.ModelProto,
    nodes: Iterable[onnx.NodeProto] = (),
    constants: Iterable[onnx.TensorProto] = (),
) -> onnx.ModelProto:
    """One model of two, whose ports are called alike where they meet, with ``nodes`` between them."""
    graph = helper.make_graph(
        [*first.graph.node, *nodes, *last.graph.node],
        "generator",
        first.graph.input,
        last.graph.output,
        [*first.graph.initializer, *constants, *last.graph.initializer],
    )
    return helper.make_model(graph, opset_imports=first.opset_import, ir_version=first.ir_version)


def name_ports(model: onnx.ModelProto) -> None:
    """Call input and output ``latent`` and ``roll``, of any batch and otherwise fixed shape."""
    graph = model.graph
    for ports, name, shape in ((graph.input, INPUT, (LATENT_SIZE,)), (graph.output, OUTPUT, ROLL.shape)):
        if len(ports) != 1:
            raise ValueError(f"the network must have one {name}; got {[port.name for port in ports]}")
        _rename(graph, ports[0].name, name)
        ports[0].CopyFrom(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", *shape]))


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == old:
                    names[i] = new


def widen_logarithms(model: onnx.ModelProto) -> None:
    """Take logarithms in double precision, which a converter takes in single between two casts.

    Chances are made of them, and a loop in whole numbers makes another piece of nearly the same now and then.
    """
    doubles = _of_type(model, onnx.TensorProto.DOUBLE)
    narrowed = {
        node.output[0]: node.input[0]
        for node in model.graph.node
        if node.op_type == "Cast" and node.input[0] in doubles and node.output[0] not in doubles
    }
    logarithms: set[str] = set()
    for node in model.graph.node:
        if node.op_type == "Log" and node.input[0] in narrowed:
            node.input[0] = narrowed[node.input[0]]
            logarithms.add(node.output[0])
        elif node.op_type == "Cast" and node.input[0] in logarithms:
            node.op_type = "Identity"
            del node.attribute[:]
    _forget_unused(model, narrowed)


def _forget_unused(model: onnx.ModelProto, names: Iterable[str]) -> None:
    """Leave out the operations that make these values, where nothing takes them any more."""
    taken = {name for graph in _graphs(model.graph) for node in graph.node for name in node.input}
    unused = set(names) - taken - {port.name for port in model.graph.output}
    kept = [node for node in model.graph.node if not unused & set(node.output)]
    del model.graph.node[:]
    model.graph.node.extend(kept)


def quicken_doubles(model: onnx.ModelProto) -> None:
    """Write operations that are missing or slow in double precision as others that are neither.

    ``Sigmoid(x)`` is ``0.5 + 0.5 tanh(x / 2)``; ``LeakyRelu(x)`` of slope 0 to 1 is ``max(x, slope x)``.
    """
    doubles = _of_type(model, onnx.TensorProto.DOUBLE)
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, float] = {}
    for node in model.graph.node:
        rewrite = _REWRITES.get(node.op_type)
        double = rewrite is not None and node.output[0] in doubles
        nodes += rewrite(node, constants) if rewrite is not None and double else [node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for name, value in constants.items():
        model.graph.initializer.append(numpy_helper.from_array(np.array(value), name))


def quicken_whole_products(model: onnx.ModelProto) -> None:
    """Multiply in whole numbers where a product is of whole numbers that are known to be small.

    Those are what a ``Round`` gives, by weights from −127 to 127: see :class:`training.whole.WholeProduct`,
    the only layer that multiplies such numbers. To cast leaves out what is behind the point, so half of one
    more is as good as to round, and quicker.
    """
    graph = model.graph
    rounded = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Round"}
    constants = {constant.name: constant for constant in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    added: dict[str, npt.NDArray[Any]] = {}
    for node in graph.node:
        constant = constants.get(node.input[1]) if node.op_type == "MatMul" else None
        weights = None if constant is None else small_whole(numpy_helper.to_array(constant))
        if constant is None or weights is None or node.input[0] not in rounded:
            nodes.append(node)
            continue
        (x, _), (y,) = node.input, node.output
        # bytes from 1 to 127 around 64
        added |= {"middle": np.array(WHOLE + 1.5), "middle byte": np.array(WHOLE + 1, np.uint8)}
        added[f"{y}/weights"] = weights
        integers = [f"{y}/bytes", f"{y}/weights", "middle byte"]
        nodes += [
            helper.make_node("Add", [rounded[x], "middle"], [f"{y}/above"]),
            helper.make_node("Cast", [f"{y}/above"], [f"{y}/bytes"], to=onnx.TensorProto.UINT8),
            helper.make_node("MatMulInteger", integers, [f"{y}/whole"]),
            helper.make_node("Cast", [f"{y}/whole"], [y], to=constant.data_type),
        ]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in added.items())


def spell_transposed_products(model: onnx.ModelProto) -> None:
    """Write products of ``(n, i, j)`` and a transposed ``(n, k, j)`` as ``Einsum``.

    Of a product and a transposition onnxruntime makes one operation, which before 1.26 it has in single
    precision alone: it would not load the network.
    """
    turned = {node.output[0]: node for node in model.graph.node if node.op_type == "Transpose"}
    for node in model.graph.node:
        second = turned.get(node.input[1]) if node.op_type == "MatMul" else None
        if second is not None and list(second.attribute[0].ints) == [0, 2, 1]:
            x, y, z = node.input[0], second.input[0], node.output[0]
            node.CopyFrom(helper.make_node("Einsum", [x, y], [z], equation="nij,nkj->nik"))


def small_whole(numbers: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """A matrix of whole numbers from −127 to 127 as int8, or None for another."""
    if numbers.ndim != 2 or numbers.dtype not in (np.float32, np.float64) or np.abs(numbers).max() > 127:
        return None
    small = numbers.astype(np.int8)
    return small if np.array_equal(small, numbers) else None


def computes_in_double(model: onnx.ModelProto) -> bool:
    """Whether every matrix product and convolution is in double precision, in loops, too."""
    doubles = _of_type(model, onnx.TensorProto.DOUBLE)
    nodes = (node for graph in _graphs(model.graph) for node in graph.node)
    return all(node.output[0] in doubles for node in nodes if node.op_type in _PRODUCTS)


def _of_type(model: onnx.ModelProto, kind: int) -> set[str]:
    """Names of the values that are of this element type."""
    graphs = _graphs(onnx.shape_inference.infer_shapes(model).graph)
    infos = (info for graph in graphs for info in (*graph.value_info, *graph.input, *graph.output))
    return {info.name for info in infos if info.type.tensor_type.elem_type == kind}


def _inner(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The graphs inside a node: the body of a loop."""
    return [attribute.g for attribute in node.attribute if attribute.type == onnx.AttributeProto.GRAPH]


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and all that are inside it."""
    yield graph
    for node in graph.node:
        for inner in _inner(node):
            yield from _graphs(inner)


def _sigmoid(node: onnx.NodeProto, constants: dict[str, float]) -> Iterator[onnx.NodeProto]:
    constants["half"] = 0.5
    (x,), (y,) = node.input, node.output
    yield helper.make_node("Mul", [x, "half"], [f"{y}/half"])
    yield helper.make_node("Tanh", [f"{y}/half"], [f"{y}/tanh"])
    yield helper.make_node("Mul", [f"{y}/tanh", "half"], [f"{y}/scaled"])
    yield helper.make_node("Add", [f"{y}/scaled", "half"], [y])


def _leaky(node: onnx.NodeProto, constants: dict[str, float]) -> Iterator[onnx.NodeProto]:
    # an attribute is in single precision: the number that was meant has seven digits at most
    slope = float(next((f"{a.f:.7g}" for a in node.attribute if a.name == "alpha"), 0.01))
    if not 0.0 <= slope <= 1.0:
        yield node
        return
    name = f"slope {slope:.9g}"
    constants[name] = slope
    (x,), (y,) = node.input, node.output
    yield helper.make_node("Mul", [x, name], [f"{y}/low"])
    yield helper.make_node("Max", [x, f"{y}/low"], [y])


_PRODUCTS: Final = frozenset({"MatMul", "Gemm", "Conv", "ConvTranspose", "Einsum"})
_REWRITES: Final[dict[str, Callable[..., Iterator[onnx.NodeProto]]]] = {
    "Sigmoid": _sigmoid,
    "LeakyRelu": _leaky,
}


def halve_constants(model: onnx.ModelProto) -> float:
    """Store as float16 what float16 holds exactly; return the share of the numbers that it does.

    The graph computes exactly what it did: each such constant is cast back to its own type.
    """
    graph = model.graph
    casts, kept, halved, total = [], [], 0, 0
    for constant in graph.initializer:
        numbers = numpy_helper.to_array(constant)
        small = numbers.size < SMALLEST_HALVED
        total += 0 if small else numbers.size
        half = None if small else exact_half(numbers)
        if half is None:
            kept.append(constant)
            continue
        halved += half.size
        stored = f"{constant.name}/half"
        kept.append(numpy_helper.from_array(half, stored))
        casts.append(helper.make_node("Cast", [stored], [constant.name], to=constant.data_type))
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(kept)
    graph.node.extend(nodes)
    return halved / total if total else 1.0


def exact_half(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """``numbers`` (float32 or float64) as float16, or None where that would change any of them."""
    if numbers.dtype not in (np.float32, np.float64):
        return None
    with np.errstate(over="ignore"):
        half = numbers.astype(np.float16)
    return half if np.array_equal(half.astype(numbers.dtype), numbers) else None


def number_names(model: onnx.ModelProto) -> None:
    """Call everything inside by its number, so that the same network gives the same bytes (and fewer)."""
    graph = model.graph
    put_in_order(graph)
    names = {INPUT: INPUT, OUTPUT: OUTPUT, "": ""}
    _number_nodes(graph, names)
    constants = sorted((c for c in graph.initializer if c.name in names), key=lambda c: int(names[c.name]))
    for constant in constants:
        constant.name = names[constant.name]
    kept = [onnx.TensorProto.FromString(c.SerializeToString()) for c in constants]
    del graph.initializer[:], graph.value_info[:]
    graph.initializer.extend(kept)
    graph.doc_string, graph.name, model.producer_version = "", "generator", ""


def put_in_order(graph: onnx.GraphProto) -> None:
    """Put nodes in the order in which the outputs ask for them, whatever order a converter gave.

    In the graphs inside them, too. Nodes that no output asks for are left out.
    """
    for node in graph.node:
        for inner in _inner(node):
            put_in_order(inner)
    maker = {name: i for i, node in enumerate(graph.node) for name in node.output if name}
    order: dict[int, None] = {}
    # what is still to be made, last first, and whether all that it needs is there
    stack = [(maker[port.name], False) for port in reversed(graph.output) if port.name in maker]
    while stack:
        i, ready = stack.pop()
        if ready:
            order[i] = None
        elif i not in order:
            stack.append((i, True))
            stack += [(maker[name], False) for name in reversed(_read(graph.node[i])) if name in maker]
    nodes = [onnx.NodeProto.FromString(graph.node[i].SerializeToString()) for i in order]
    del graph.node[:]
    graph.node.extend(nodes)


def _read(node: onnx.NodeProto) -> list[str]:
    """Names of what a node reads, those that the graphs inside it do, too."""
    names = list(node.input)
    for graph in _inner(node):
        names += [name for inner in graph.node for name in _read(inner)]
        names += [port.name for port in graph.output]
    return names


def _number_nodes(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    """Names of nodes' inputs and outputs to numbers, those of the graphs inside them, too."""
    for node in graph.node:
        node.name = node.doc_string = ""
        for inner in _inner(node):
            _number_ports(inner, names)
            _number_nodes(inner, names)
        for part in (node.input, node.output):
            for i, name in enumerate(part):
                part[i] = names.setdefault(name, str(len(names)))


def _number_ports(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    for port in (*graph.input, *graph.output, *graph.initializer):
        port.name = names.setdefault(port.name, str(len(names)))
    del graph.value_info[:]
