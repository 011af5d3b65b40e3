"""The composer's loop over the beats as an ONNX graph, written out operation by operation.

A converter makes twice the operations of it, and onnxruntime takes about half a microsecond for each, 75
times. The large products are in whole numbers (``MatMulInteger``, see
:class:`training.whole.WholeProduct`), all else is in double precision. The arithmetic is that of
:meth:`training.composer.Composer.call`; exporting compares the two.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
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
    plan = [outer("Mul", before["settings"], outer.constant(hidden)), *(before[name] for name in PLAN[1:-1])]
    taste = outer("Mul", before["taste"], outer.constant(composer.whole["say2"].per_input))
    blurs = outer("Transpose", "blurs", perm=[1, 0, 2])
    spots = np.eye(BEATS, BEATS + 1)
    fixed = [_lags(outer, composer), outer.constant(spots[:, None]), outer.constant(spots[:, :, None])]
    body = _body(composer, outer, taste, _longer(outer, blurs))
    back = outer.several(2, "Split", _row(outer, "back"), _gates(outer, composer), axis=-1)
    states = [
        *(_row(outer, name) for name in ("heard", "memory")),
        *back,
        _longer(outer, "keys", axis=3, axes=4),
        _longer(outer, "made"),
    ]
    last = [f"last/{port.name}" for port in body.output]
    scanned = len(plan) + len(fixed)
    scan = helper.make_node("Scan", [*states, *plan, *fixed], last, body=body, num_scan_inputs=scanned)
    sizes = outer.constant([BEATS, 1], np.int64)
    known = helper.make_node("Split", [last[-1], sizes], [CODES, "last/nothing"], axis=1)
    return [*outer.nodes, scan, known], outer.constants


def _row(outer: Writer, name: str) -> str:
    """``(…, n, x)`` as ``(…, n, 1, x)``."""
    return outer("Unsqueeze", name, outer.constant([-2], np.int64))


def _longer(outer: Writer, name: str, axis: int = 1, axes: int = 3) -> str:
    """A value of all beats, which are its ``axis`` of ``axes``, with zeros for the one more."""
    ends = np.zeros(2 * axes, np.int64)
    ends[axes + axis] = 1
    return outer("Pad", name, outer.constant(ends, np.int64))


def _gates(outer: Writer, composer: Composer) -> str:
    """Sizes in which the gates' numbers are parted: those that open and shut, and what is new."""
    return outer.constant([2 * composer.width, composer.width], np.int64)


def _lags(outer: Writer, composer: Composer) -> str:
    """What is added to the log-odds of every beat at every beat, ``(75, heads + pointers, 1, 76)``.

    To attend to nothing has log-odds of 0. The last pointer points to one beat (:data:`SHARP`), not to none.
    """
    rows = np.pad(np.asarray(composer.lag_rows(), np.float64), ((0, 0), (0, 0), (0, 1)))
    rows[:, -1, -1] = 2.0 * rows.min()
    sharp = [1.0] * (HEADS + POINTERS - 1) + [SHARP]
    # apart, because float16 holds the rows
    return outer("Mul", outer.constant(rows[:, :, None]), outer.constant(np.reshape(sharp, (-1, 1, 1))))


def _body(composer: Composer, outer: Writer, taste: str, blurs: str) -> onnx.GraphProto:
    write = Writer("beat/")
    whole, width = composer.whole, composer.width
    entry = outer.constant(whole["gates"].per_input * np.asarray(composer.entry))
    x = _leaky(write, outer, write("Add", write("MatMul", "beat/heard", entry), "beat/setting"))
    gates = _product(write, outer, whole["gates"], write("Round", x))
    memory = _gate(write, outer, composer, write("Add", gates, outer.constant(composer.gates_bias)))
    scaled = write("Round", write("Mul", memory, outer.constant(whole["memory"].per_input)))
    heads = HEADS + POINTERS
    parts = [2 * width, width, heads * HEAD_SIZE, heads * HEAD_SIZE, composer.hidden]
    scales = [1.0, 1.0, *[1.0] * (heads - 1), SHARP, 1.0, whole["say2"].per_input]
    sizes = [*parts[:2], *[HEAD_SIZE] * heads, *parts[3:]]
    # the memory is never beyond its reach
    products = _product(write, outer, whole["memory"], scaled, np.repeat(scales, sizes), beyond=False)
    back, fresh, asks, key, said = write.several(
        5, "Split", products, outer.constant(parts, np.int64), axis=-1
    )
    recalled, pointed = _recall(write, outer, composer, asks, blurs)
    out = _say(write, outer, composer, write("Add", said, taste), recalled)
    mean, deviation = _drawn(write, outer, composer, out, pointed)
    codes = write("Add", mean, write("Mul", deviation, "beat/chance"))
    heard = write("Add", codes, "beat/blur")
    key = write("Reshape", key, outer.constant([-1, heads, HEAD_SIZE, 1], np.int64))
    keys = write("Add", "beat/keys", write("MatMul", key, "beat/spot"))
    made = write("Add", "beat/made", write("MatMul", "beat/spot down", codes))
    states = {
        "heard": (heard, ("n", 1, composer.codes)),
        "memory": (memory, ("n", 1, width)),
        "back": (back, ("n", 1, 2 * width)),
        "fresh": (fresh, ("n", 1, width)),
        "keys": (keys, ("n", heads, HEAD_SIZE, BEATS + 1)),
        "made": (made, ("n", BEATS + 1, composer.codes)),
    }
    inputs = [
        *(_port(f"beat/{name}", shape) for name, (_, shape) in states.items()),
        _port("beat/setting", ("n", 1, composer.hidden)),
        _port("beat/chance", ("n", 1, composer.codes)),
        _port("beat/blur", ("n", 1, composer.codes)),
        _port("beat/lot", ("n", 1, CHOICES)),
        _port("beat/lag", (heads, 1, BEATS + 1)),
        _port("beat/spot", (1, BEATS + 1)),
        _port("beat/spot down", (BEATS + 1, 1)),
    ]
    outputs = [_port(name, shape) for name, shape in states.values()]
    return helper.make_graph(write.nodes, "beat", inputs, outputs)


def _gate(write: Writer, outer: Writer, composer: Composer, gates: str) -> str:
    here, fresh = write.several(2, "Split", gates, _gates(outer, composer), axis=-1)
    even = outer.constant([composer.width] * 2, np.int64)
    both = write("Sigmoid", write("Add", here, "beat/back"))
    keep, reset = write.several(2, "Split", both, even, axis=-1)
    fresh = write("Tanh", write("Add", fresh, write("Mul", reset, "beat/fresh")))
    return write("Add", fresh, write("Mul", keep, write("Sub", "beat/memory", fresh)))


def _recall(write: Writer, outer: Writer, composer: Composer, asks: str, blurs: str) -> tuple[str, str]:
    """What is brought back, ``(n, 1, heads codes)``, and where pointers point, ``(n, pointers, 76)``."""
    asks = write("Reshape", asks, outer.constant([-1, HEADS + POINTERS, 1, HEAD_SIZE], np.int64))
    odds = write("Add", write("MatMul", asks, "beat/keys"), "beat/lag")
    weights = write("Softmax", odds, axis=-1)
    weights = write("Reshape", weights, outer.constant([-1, HEADS + POINTERS, BEATS + 1], np.int64))
    sizes = outer.constant([HEADS, POINTERS], np.int64)
    recalls, pointed = write.several(2, "Split", weights, sizes, axis=1)
    recalled = write("MatMul", recalls, write("Add", "beat/made", blurs))
    return write("Reshape", recalled, outer.constant([-1, 1, HEADS * composer.codes], np.int64)), pointed


def _say(write: Writer, outer: Writer, composer: Composer, said: str, recalled: str) -> str:
    """All that is said of the choices, ``(n, 1, choices + 2 ideas codes)``."""
    say2, ideas = composer.whole["say2"], composer.whole["ideas"]
    weights = outer.constant(say2.per_input * np.asarray(composer.recall_weights()))
    u = _leaky(write, outer, write("Add", said, write("MatMul", recalled, weights)))
    u = _leaky(write, outer, _product(write, outer, say2, write("Round", u), ideas.per_input))
    out = _product(write, outer, ideas, write("Round", u))
    bias = np.array(composer.ideas_bias(), np.float64)
    about = bias[CHOICES:].reshape(IDEAS, 2, composer.codes)
    about[:, 1] += SPREAD_OFFSET
    return write("Add", out, outer.constant(bias))


def _drawn(write: Writer, outer: Writer, composer: Composer, out: str, pointed: str) -> tuple[str, str]:
    """Mean and deviation of what is chosen, ``(n, 1, codes)`` each."""
    sizes = outer.constant([CHOICES, 2 * IDEAS * composer.codes], np.int64)
    odds, about = write.several(2, "Split", out, sizes, axis=-1)
    choice = write("ArgMax", write("Add", odds, "beat/lot"), axis=-1, keepdims=0)
    # for each choice: which idea it is, whose pointer counts, by what chance counts, the blur in it
    pointers = np.zeros((CHOICES, POINTERS))
    pointers[[0, -1], [0, 1]] = 1.0
    daring = np.append(np.full(IDEAS, composer.daring), 0.0)
    blur = np.append(BLURRED, 0.0)[:, None] * np.asarray(composer.blur)
    table = np.concatenate([np.eye(CHOICES, IDEAS), pointers, daring[:, None], blur], axis=1)
    row = write("Gather", outer.constant(table), choice, axis=0)
    sizes = outer.constant([IDEAS, POINTERS, 1, composer.codes], np.int64)
    chosen, pointer, dares, blurred = write.several(4, "Split", row, sizes, axis=-1)
    about = write("Reshape", about, outer.constant([-1, IDEAS, 2 * composer.codes], np.int64))
    halves = outer.constant([composer.codes, composer.codes], np.int64)
    mean, spread = write.several(2, "Split", write("MatMul", chosen, about), halves, axis=-1)
    mean = write("Add", mean, write("MatMul", write("MatMul", pointer, pointed), "beat/made"))
    low, high = DEVIATIONS
    doubled = write("Mul", write("Sigmoid", spread), outer.constant(2.0 * (high - low)))
    variance = write("Exp", write("Add", doubled, outer.constant(2.0 * low)))
    deviation = write("Sqrt", write("Max", write("Sub", variance, blurred), outer.constant(CLEAR)))
    return mean, write("Mul", deviation, dares)


def _product(
    write: Writer,
    outer: Writer,
    product: WholeProduct,
    x: str,
    scale: float | npt.NDArray[np.float64] = 1.0,
    *,
    beyond: bool = True,
) -> str:
    """A product in whole numbers, times ``scale``: with ``x``, rounded already, from 1 to 127 around 64.

    So that no processor's quick product overflows. ``beyond``: whether ``x`` may be beyond its reach.
    """
    if beyond:
        x = write("Clip", x, outer.constant(-float(WHOLE)), outer.constant(float(WHOLE)))
    bytes_ = write("Cast", write("Add", x, outer.constant(WHOLE + 1.0)), to=TensorProto.UINT8)
    middle = outer.constant(WHOLE + 1, np.uint8)
    weights = outer.constant(product.weights, np.int8)
    whole = write("Cast", write("MatMulInteger", bytes_, weights, middle), to=_DOUBLE)
    return write("Mul", whole, outer.constant(product.factor * np.asarray(scale)))


def _leaky(write: Writer, outer: Writer, x: str) -> str:
    return write("Max", x, write("Mul", x, outer.constant(0.2)))


def _port(name: str, shape: tuple[Any, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, _DOUBLE, shape)
