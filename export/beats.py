"""The composer's loop over the beats as an ONNX graph, written out operation by operation.

A converter makes twice the operations of it, and onnxruntime takes about half a microsecond for each, 75
times. The large products are in whole numbers (``MatMulInteger``, see
:class:`training.whole.WholeProduct`), all else is in double precision. The arithmetic is that of
:meth:`training.composer.Composer.call`, with what is constant multiplied or added beforehand; exporting
compares the two.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.composer import (
    CHOICES,
    CLEAR,
    DEVIATIONS,
    HEAD_SIZE,
    HEADS,
    IDEAS,
    POINTERS,
    SPREAD_OFFSET,
    Carried,
    Composer,
    Plan,
)
from training.studio import BEATS
from training.whole import WHOLE, WholeProduct

STATES: Final = Carried._fields
PLAN: Final = Plan._fields
CODES: Final = "codes"
"""Of all beats, when the loop has ended."""
SHARP: Final = 2.0**30
"""What log-odds are multiplied with where the likeliest is taken: all others have no share then."""
FAR: Final = -600.0
"""Log-odds of what is not made yet: no share in anything, yet no number so small that it is slow to take."""
HALF: Final = 0.5
"""A gate is half of one and the hyperbolic tangent of half of what goes in, which takes half the time."""
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

    The composer must have been made whole. Inside, all that is one row a piece is ``(n, 1, …)``, and there is
    one beat more than pieces have, of which nothing is known: to attend to nothing is to attend to that one.
    """
    outer = Writer("loop/")
    hidden = composer.whole["gates"].per_input
    before = dict(zip(PLAN, (_row(outer, name) for name in PLAN), strict=True))
    keys = _longer(outer, outer("Transpose", "keys", perm=[0, 1, 3, 2]), axis=2, axes=4)
    made = _longer(outer, "made", axis=1, axes=3)
    back = outer.several(2, "Split", _row(outer, "back"), _gates(outer, composer), axis=-1)
    states = [_row(outer, "heard"), _row(outer, "memory"), *back, keys, made, made]
    low, _ = DEVIATIONS
    plan = [
        outer("Mul", before["settings"], outer.constant(hidden)),
        outer("Mul", before["chances"], outer.constant(composer.daring * np.exp(low))),
        before["blurs"],
        _leanings(outer, composer, before["lots"]),
        _lags(outer, composer),
        _places(outer, HEADS + POINTERS),
        _places(outer),
    ]
    taste = outer("Mul", before["taste"], outer.constant(composer.whole["say2"].per_input))
    body = _body(composer, outer, taste)
    last = [f"last/{port.name}" for port in body.output]
    scan = helper.make_node("Scan", [*states, *plan], last, body=body, num_scan_inputs=len(plan))
    sizes = outer.constant([BEATS, 1], np.int64)
    known = helper.make_node("Split", [last[-1], sizes], [CODES, "last/nothing"], axis=1)
    return [*outer.nodes, scan, known], outer.constants


def _leanings(outer: Writer, composer: Composer, lots: str) -> str:
    """What is added to what each beat says, bias and lots, ``(75, n, 1, choices + 2 ideas codes)``."""
    bias = np.array(composer.ideas_bias(), np.float64)
    about = bias[CHOICES:].reshape(IDEAS, 2, composer.codes)
    about[:, 1] += SPREAD_OFFSET
    ends = np.zeros(8, np.int64)
    ends[-1] = len(bias) - CHOICES
    return outer("Add", outer("Pad", lots, outer.constant(ends, np.int64)), outer.constant(bias))


def _places(outer: Writer, *sizes: int) -> str:
    """Where each beat is in a state ``(n, *sizes, 76, x)``, int64 ``(75, n, *(sizes or (1,)), indices)``.

    The indices are those of the piece, of what ``sizes`` count, and of the beat; of one row or several.
    """
    beat, piece, *inner = np.indices((BEATS, 1, *(sizes or (1,))))
    where = np.stack([piece, *inner[: len(sizes)], beat], axis=-1)
    zero, one = (outer.constant(number, np.int64) for number in (0, 1))
    pieces = outer("Range", zero, outer("Gather", outer("Shape", "heard"), zero), one)
    pieces = outer("Reshape", pieces, outer.constant([-1, 1, 1], np.int64))
    first = outer.constant(np.eye(where.shape[-1])[0], np.int64)
    return outer("Add", outer("Mul", pieces, first), outer.constant(where, np.int64))


def _row(outer: Writer, name: str) -> str:
    """``(…, n, x)`` as ``(…, n, 1, x)``."""
    return outer("Unsqueeze", name, outer.constant([-2], np.int64))


def _longer(outer: Writer, name: str, axis: int, axes: int) -> str:
    """A value of all beats, which are its ``axis`` of ``axes``, with zeros for the one more."""
    ends = np.zeros(2 * axes, np.int64)
    ends[axes + axis] = 1
    return outer("Pad", name, outer.constant(ends, np.int64))


def _gates(outer: Writer, composer: Composer) -> str:
    """Sizes in which the gates' numbers are parted: those that open and shut, and what is new."""
    return outer.constant([2 * composer.width, composer.width], np.int64)


def _lags(outer: Writer, composer: Composer) -> str:
    """What is added to the log-odds of every beat at every beat, ``(75, heads + pointers, 76)``.

    To attend to nothing has log-odds of 0. The last pointer points to one beat (:data:`SHARP`), not to none.
    """
    rows = np.maximum(np.asarray(composer.lag_rows(), np.float64), FAR)
    rows = np.pad(rows, ((0, 0), (0, 0), (0, 1)))
    rows[:, -1, -1] = 2.0 * FAR
    sharp = [1.0] * (HEADS + POINTERS - 1) + [SHARP]
    # apart, because float16 holds the rows
    return outer("Mul", outer.constant(rows), outer.constant(np.reshape(sharp, (-1, 1))))


def _body(composer: Composer, outer: Writer, taste: str) -> onnx.GraphProto:
    write = Writer("beat/")
    whole, width = composer.whole, composer.width
    entry = outer.constant(whole["gates"].per_input * np.asarray(composer.entry))
    x = _leaky(write, outer, write("Add", write("MatMul", "beat/heard", entry), "beat/setting"))
    halved = np.repeat([HALF, 1.0], [2 * width, width])
    gates = _product(write, outer, whole["gates"], x, halved)
    bias = outer.constant(halved * np.asarray(composer.gates_bias))
    memory = _gate(write, outer, composer, write("Add", gates, bias))
    scaled = write("Mul", memory, outer.constant(whole["memory"].per_input))
    heads = HEADS + POINTERS
    parts = [2 * width, width, heads * HEAD_SIZE, heads * HEAD_SIZE, composer.hidden]
    scales = [HALF, HALF, *[1.0] * (heads - 1), SHARP, 1.0, whole["say2"].per_input]
    sizes = [*parts[:2], *[HEAD_SIZE] * heads, *parts[3:]]
    # the memory is never beyond its reach
    products = _product(write, outer, whole["memory"], scaled, np.repeat(scales, sizes), beyond=False)
    back, fresh, asks, key, said = write.several(
        5, "Split", products, outer.constant(parts, np.int64), axis=-1
    )
    recalled, pointed = _recall(write, outer, composer, asks)
    out = _say(write, outer, composer, write("Add", said, taste), recalled)
    mean, deviation = _drawn(write, outer, composer, out, pointed)
    codes = write("Add", mean, write("Mul", deviation, "beat/chance"))
    heard = write("Add", codes, "beat/blur")
    key = write("Reshape", key, outer.constant([-1, heads, HEAD_SIZE], np.int64))
    keys = write("ScatterND", "beat/keys", "beat/places", key)
    sounds = write("ScatterND", "beat/sounds", "beat/place", heard)
    made = write("ScatterND", "beat/made", "beat/place", codes)
    states = {
        "heard": (heard, ("n", 1, composer.codes)),
        "memory": (memory, ("n", 1, width)),
        "back": (back, ("n", 1, 2 * width)),
        "fresh": (fresh, ("n", 1, width)),
        "keys": (keys, ("n", heads, BEATS + 1, HEAD_SIZE)),
        "sounds": (sounds, ("n", BEATS + 1, composer.codes)),
        "made": (made, ("n", BEATS + 1, composer.codes)),
    }
    inputs = [
        *(_port(f"beat/{name}", shape) for name, (_, shape) in states.items()),
        _port("beat/setting", ("n", 1, composer.hidden)),
        _port("beat/chance", ("n", 1, composer.codes)),
        _port("beat/blur", ("n", 1, composer.codes)),
        _port("beat/leaning", ("n", 1, CHOICES + 2 * IDEAS * composer.codes)),
        _port("beat/lag", (heads, BEATS + 1)),
        _port("beat/places", ("n", heads, 3), TensorProto.INT64),
        _port("beat/place", ("n", 1, 2), TensorProto.INT64),
    ]
    outputs = [_port(name, shape) for name, shape in states.values()]
    return helper.make_graph(write.nodes, "beat", inputs, outputs)


def _gate(write: Writer, outer: Writer, composer: Composer, gates: str) -> str:
    here, fresh = write.several(2, "Split", gates, _gates(outer, composer), axis=-1)
    even = outer.constant([composer.width] * 2, np.int64)
    both = write("Add", write("Tanh", write("Add", here, "beat/back")), outer.constant(1.0))
    keep, reset = write.several(2, "Split", both, even, axis=-1)
    fresh = write("Tanh", write("Add", fresh, write("Mul", reset, "beat/fresh")))
    apart = write("Mul", write("Sub", "beat/memory", fresh), outer.constant(HALF))
    return write("Add", fresh, write("Mul", keep, apart))


def _recall(write: Writer, outer: Writer, composer: Composer, asks: str) -> tuple[str, str]:
    """What is brought back, ``(n, 1, heads codes)``, and where pointers point, ``(n, pointers, 76)``."""
    asks = write("Reshape", asks, outer.constant([-1, HEADS + POINTERS, HEAD_SIZE, 1], np.int64))
    odds = write("MatMul", "beat/keys", asks)
    odds = write("Reshape", odds, outer.constant([-1, HEADS + POINTERS, BEATS + 1], np.int64))
    weights = write("Softmax", write("Add", odds, "beat/lag"), axis=-1)
    sizes = outer.constant([HEADS, POINTERS], np.int64)
    recalls, pointed = write.several(2, "Split", weights, sizes, axis=1)
    recalled = write("MatMul", recalls, "beat/sounds")
    return write("Reshape", recalled, outer.constant([-1, 1, HEADS * composer.codes], np.int64)), pointed


def _say(write: Writer, outer: Writer, composer: Composer, said: str, recalled: str) -> str:
    """All that is said of the choices, ``(n, 1, choices + 2 ideas codes)``."""
    say2, ideas = composer.whole["say2"], composer.whole["ideas"]
    weights = outer.constant(say2.per_input * np.asarray(composer.recall_weights()))
    u = _leaky(write, outer, write("Add", said, write("MatMul", recalled, weights)))
    u = _leaky(write, outer, _product(write, outer, say2, u, ideas.per_input))
    return write("Add", _product(write, outer, ideas, u), "beat/leaning")


def _drawn(write: Writer, outer: Writer, composer: Composer, out: str, pointed: str) -> tuple[str, str]:
    """Mean and deviation of what is chosen, ``(n, 1, codes)`` each; the deviation over ``exp(low)``."""
    sizes = outer.constant([CHOICES, 2 * IDEAS * composer.codes], np.int64)
    odds, about = write.several(2, "Split", out, sizes, axis=-1)
    choice = write("ArgMax", odds, axis=-1, keepdims=0)
    # for each choice: which idea it is, whose pointer counts, the least variance, the blur in it
    pointers = np.zeros((CHOICES, POINTERS))
    pointers[[0, -1], [0, 1]] = 1.0
    low, high = DEVIATIONS
    clear = np.append(np.full(IDEAS, CLEAR), 0.0)
    # of what repeats nothing is left to chance
    blur = np.vstack([composer.blurred[:, None] * np.asarray(composer.blur), np.full(composer.codes, np.inf)])
    variances = np.exp(-2.0 * low) * np.column_stack([clear, blur])
    table = np.concatenate([np.eye(CHOICES, IDEAS), pointers, variances], axis=1)
    row = write("Gather", outer.constant(table), choice, axis=0)
    sizes = outer.constant([IDEAS, POINTERS, 1, composer.codes], np.int64)
    chosen, pointer, least, blurred = write.several(4, "Split", row, sizes, axis=-1)
    about = write("Reshape", about, outer.constant([-1, IDEAS, 2 * composer.codes], np.int64))
    halves = outer.constant([composer.codes, composer.codes], np.int64)
    mean, spread = write.several(2, "Split", write("MatMul", chosen, about), halves, axis=-1)
    mean = write("Add", mean, write("MatMul", write("MatMul", pointer, pointed), "beat/made"))
    variance = write("Exp", write("Mul", write("Sigmoid", spread), outer.constant(2.0 * (high - low))))
    return mean, write("Sqrt", write("Max", write("Sub", variance, blurred), least))


def _product(
    write: Writer,
    outer: Writer,
    product: WholeProduct,
    x: str,
    scale: float | npt.NDArray[np.float64] = 1.0,
    *,
    beyond: bool = True,
) -> str:
    """A product in whole numbers, times ``scale``: with ``x``, rounded here, from 1 to 127 around 64.

    So that no processor's quick product overflows. ``beyond``: whether ``x`` may be beyond its reach.
    """
    if beyond:
        x = write("Clip", x, outer.constant(-float(WHOLE)), outer.constant(float(WHOLE)))
    # to cast is to leave out what is behind the point
    bytes_ = write("Cast", write("Add", x, outer.constant(WHOLE + 1.5)), to=TensorProto.UINT8)
    middle = outer.constant(WHOLE + 1, np.uint8)
    weights = outer.constant(product.weights, np.int8)
    whole = write("Cast", write("MatMulInteger", bytes_, weights, middle), to=_DOUBLE)
    return write("Mul", whole, outer.constant(product.factor * np.asarray(scale)))


def _leaky(write: Writer, outer: Writer, x: str) -> str:
    return write("Max", x, write("Mul", x, outer.constant(0.2)))


def _port(name: str, shape: tuple[Any, ...], kind: int = _DOUBLE) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)
