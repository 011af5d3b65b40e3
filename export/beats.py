"""The composer's loop over the beats as an ONNX graph, written out operation by operation.

A converter makes twice the operations of it, and onnxruntime takes about half a microsecond for each, 75
times. The large products are in whole numbers (``MatMulInteger``, see
:class:`training.composer.WholeProduct`), all else is in double precision. The arithmetic is that of
:meth:`training.composer.Composer.call`; exporting compares the two.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.composer import (
    BLURRED,
    CHOICES,
    CLEAR,
    DEVIATIONS,
    HEAD_SIZE,
    HEADS,
    IDEAS,
    POINTERS,
    SPREAD_OFFSET,
    WHOLE,
    Carried,
    Composer,
    Plan,
    WholeProduct,
)
from training.studio import BEATS

STATES: Final = Carried._fields
PLAN: Final = Plan._fields
CODES: Final = "codes"
"""Of all beats, when the loop has ended."""
_DOUBLE: Final = TensorProto.DOUBLE


class Writer:
    """Collects nodes and constants; every call returns the name of what a node gives."""

    def __init__(self, prefix: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._prefix, self._count = prefix, 0

    def constant(self, value: Any, dtype: Any = np.float64) -> str:
        """An array or number that stays."""
        name = self._name("constant")
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def __call__(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """A node of one output."""
        return self.several(1, operation, *inputs, **attributes)[0]

    def several(self, count: int, operation: str, *inputs: str, **attributes: Any) -> list[str]:
        """A node of ``count`` outputs."""
        names = [self._name(operation.lower()) for _ in range(count)]
        self.nodes.append(helper.make_node(operation, list(inputs), names, **attributes))
        return names

    def _name(self, what: str) -> str:
        self._count += 1
        return f"{self._prefix}{what}{self._count}"


def loop(composer: Composer) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Nodes that make ``codes`` ``(n, 75, codes)`` of the states and the plan; and their constants.

    The composer must have been made whole.
    """
    outer = Writer("loop/")
    spots = np.eye(BEATS)
    fixed = [outer.constant(x) for x in (composer.lag_rows(), spots[:, None], spots[:, :, None])]
    body = _body(composer, outer)
    last = [f"last/{name}" for name in STATES[:-1]]
    scan = helper.make_node(
        "Scan",
        [*STATES, *PLAN[:-1], *fixed],
        [*last, CODES],
        body=body,
        num_scan_inputs=len(PLAN) - 1 + len(fixed),
    )
    return [*outer.nodes, scan], outer.constants


def _body(composer: Composer, outer: Writer) -> onnx.GraphProto:
    write = Writer("beat/")
    x = _leaky(
        write,
        outer,
        write("Add", write("MatMul", "beat/heard", _weights(outer, composer.entry)), "beat/setting"),
    )
    whole = composer.whole
    gates = write("Add", _whole(write, outer, whole["gates"], x), _weights(outer, composer.gates_bias))
    memory = _gate(write, gates, composer.width, outer)
    parts = composer.parts()
    sizes = outer.constant(np.diff([0, *parts, parts[-1] + composer.hidden]), np.int64)
    products = _whole(write, outer, whole["memory"], memory)
    back, asks, key, said = write.several(4, "Split", products, sizes, axis=-1)
    recalled, pointed = _recall(write, outer, composer, asks)
    out = _say(write, outer, composer, said, recalled)
    mean, deviation = _drawn(write, outer, composer, out, pointed)
    codes = write("Add", mean, write("Mul", deviation, "beat/chance"))
    heard = write("Add", codes, "beat/blur")
    key = write("Reshape", key, outer.constant([-1, HEADS + POINTERS, HEAD_SIZE, 1], np.int64))
    keys = write("Add", "beat/keys", write("MatMul", key, "beat/spot"))
    row = write("Unsqueeze", codes, outer.constant([1], np.int64))
    made = write("Add", "beat/made", write("MatMul", "beat/spot down", row))
    results = [heard, memory, back, keys, made]
    shapes = composer.carried()
    inputs = [
        *(_port(f"beat/{name}", ("n", *shape)) for name, shape in zip(STATES, shapes, strict=True)),
        _port("beat/setting", ("n", composer.hidden)),
        _port("beat/chance", ("n", composer.codes)),
        _port("beat/blur", ("n", composer.codes)),
        _port("beat/lot", ("n", CHOICES)),
        _port("beat/lag", (HEADS + POINTERS, BEATS)),
        _port("beat/spot", (1, BEATS)),
        _port("beat/spot down", (BEATS, 1)),
    ]
    outputs = [_port(name, ("n", *shape)) for name, shape in zip(results, shapes, strict=True)]
    return helper.make_graph(write.nodes, "beat", inputs, outputs)


def _gate(write: Writer, gates: str, width: int, outer: Writer) -> str:
    halves = outer.constant([2 * width, width], np.int64)
    here, fresh = write.several(2, "Split", gates, halves, axis=-1)
    back, back_fresh = write.several(2, "Split", "beat/back", halves, axis=-1)
    even = outer.constant([width, width], np.int64)
    keep, reset = write.several(2, "Split", write("Sigmoid", write("Add", here, back)), even, axis=-1)
    fresh = write("Tanh", write("Add", fresh, write("Mul", reset, back_fresh)))
    return write("Add", fresh, write("Mul", keep, write("Sub", "beat/memory", fresh)))


def _recall(write: Writer, outer: Writer, composer: Composer, asks: str) -> tuple[str, str]:
    """What attention brings back, ``(n, heads codes)``, and where pointers point, ``(n, pointers, 75)``."""
    asks = write("Reshape", asks, outer.constant([-1, HEADS + POINTERS, 1, HEAD_SIZE], np.int64))
    lag = write("Unsqueeze", "beat/lag", outer.constant([1], np.int64))
    odds = write("Add", write("MatMul", asks, "beat/keys"), lag)
    sizes = outer.constant([HEADS + 1, 1], np.int64)
    odds, repeat = write.several(2, "Split", odds, sizes, axis=1)
    zero = outer.constant(0.0)
    top = write("Max", write("ReduceMax", odds, axes=[-1], keepdims=1), zero)
    weights = write("Exp", write("Sub", odds, top))
    total = write("ReduceSum", weights, outer.constant([-1], np.int64), keepdims=1)
    total = write("Add", total, write("Exp", write("Neg", top)))
    sizes = outer.constant([HEADS, 1], np.int64)
    recalls, copy = write.several(2, "Split", write("Div", weights, total), sizes, axis=1)
    recalls = write("Reshape", recalls, outer.constant([-1, HEADS, BEATS], np.int64))
    to_hear = outer("Transpose", "blurs", perm=[1, 0, 2])
    recalled = write("MatMul", recalls, write("Add", "beat/made", to_hear))
    repeat = write(
        "Gather", outer.constant(np.eye(BEATS)), write("ArgMax", repeat, axis=-1, keepdims=0), axis=0
    )
    pointed = write("Concat", copy, repeat, axis=1)
    pointed = write("Reshape", pointed, outer.constant([-1, POINTERS, BEATS], np.int64))
    return write("Reshape", recalled, outer.constant([-1, HEADS * composer.codes], np.int64)), pointed


def _say(write: Writer, outer: Writer, composer: Composer, said: str, recalled: str) -> str:
    """All that is said of the choices, ``(n, choices + 2 ideas codes)``."""
    recalled = write("MatMul", recalled, _weights(outer, composer.recall_weights()))
    u = _leaky(write, outer, write("Add", write("Add", said, recalled), "taste"))
    u = _leaky(write, outer, _whole(write, outer, composer.whole["say2"], u))
    return write(
        "Add", _whole(write, outer, composer.whole["ideas"], u), _weights(outer, composer.ideas_bias())
    )


def _drawn(write: Writer, outer: Writer, composer: Composer, out: str, pointed: str) -> tuple[str, str]:
    """Mean and deviation of what is chosen, ``(n, codes)`` each."""
    sizes = outer.constant([CHOICES, 2 * IDEAS * composer.codes], np.int64)
    odds, about = write.several(2, "Split", out, sizes, axis=-1)
    choice = write("ArgMax", write("Add", odds, "beat/lot"), axis=-1, keepdims=0)
    # for each choice: which idea it is, whose pointer counts, by what chance counts, the blur in it
    pointers = np.zeros((CHOICES, POINTERS))
    pointers[[0, -1], [0, 1]] = 1.0
    daring = np.append(np.full(IDEAS, composer.daring), 0.0)
    blur = np.append(BLURRED, 0.0)[:, None] * np.asarray(composer.blur)
    table = np.concatenate([np.eye(CHOICES, IDEAS), pointers, daring[:, None], blur], axis=1)
    row = write("Gather", outer.constant(table[:, None]), choice, axis=0)
    sizes = outer.constant([IDEAS, POINTERS, 1, composer.codes], np.int64)
    chosen, pointer, dares, blurred = write.several(4, "Split", row, sizes, axis=-1)
    about = write("Reshape", about, outer.constant([-1, IDEAS, 2 * composer.codes], np.int64))
    halves = outer.constant([composer.codes, composer.codes], np.int64)
    mean, spread = write.several(2, "Split", write("MatMul", chosen, about), halves, axis=-1)
    mean = write("Add", mean, write("MatMul", write("MatMul", pointer, pointed), "beat/made"))
    low, high = DEVIATIONS
    share = write("Sigmoid", write("Add", spread, outer.constant(SPREAD_OFFSET)))
    spread = write("Add", write("Mul", share, outer.constant(high - low)), outer.constant(low))
    variance = write("Sub", write("Exp", write("Mul", spread, outer.constant(2.0))), blurred)
    deviation = write("Sqrt", write("Max", variance, outer.constant(CLEAR)))
    deviation = write("Mul", deviation, dares)
    flat = outer.constant([-1, composer.codes], np.int64)
    return write("Reshape", mean, flat), write("Reshape", deviation, flat)


def _whole(write: Writer, outer: Writer, product: WholeProduct, x: str) -> str:
    """A product in whole numbers: from 1 to 127 around 64, so that no processor's quick product overflows."""
    scaled = write("Round", write("Mul", x, outer.constant(product.per_input)))
    clipped = write("Clip", scaled, outer.constant(-float(WHOLE)), outer.constant(float(WHOLE)))
    bytes_ = write("Cast", write("Add", clipped, outer.constant(WHOLE + 1.0)), to=TensorProto.UINT8)
    middle = outer.constant(WHOLE + 1, np.uint8)
    weights = outer.constant(product.weights, np.int8)
    whole = write("Cast", write("MatMulInteger", bytes_, weights, middle), to=_DOUBLE)
    return write("Mul", whole, outer("Cast", outer.constant(product.factor, np.float32), to=_DOUBLE))


def _leaky(write: Writer, outer: Writer, x: str) -> str:
    return write("Max", x, write("Mul", x, outer.constant(0.2)))


def _weights(outer: Writer, variable: Any) -> str:
    return outer.constant(np.asarray(variable))


def _port(name: str, shape: tuple[Any, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, _DOUBLE, shape)
