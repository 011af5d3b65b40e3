"""A generator of a few kilobytes with the real one's ports, built without TensorFlow."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pianogan_bgm.cards import ModelCard
from pianogan_bgm.roll import HELD_BYTE, STRUCK_BYTE

onnx = pytest.importorskip("onnx", reason="onnx builds the tiny model; it comes with the dev extra")


def tiny_weights(
    *,
    input_name: str = "latent",
    output_name: str = "roll",
    latent: int = 14,
    rows: int = 106,
    batch: int | str = "n",
    value: float = (STRUCK_BYTE + 40.5) / 256,
) -> bytes:
    """An ONNX file: key times moment, in double; struck above 14, held above 12."""
    helper, double, single = onnx.helper, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT
    constants = {
        "keys": _numbers(1, latent, rows),
        "moments": _numbers(2, latent, 300),
        "strike": np.array(14.0),
        "hold": np.array(12.0),
        "struck": np.array(value),
        "held": np.array((HELD_BYTE + 0.5) / 256),
        "zero": np.array(0.0),
        "column": np.array([2], np.int64),
        "row": np.array([1], np.int64),
        "channel": np.array([3], np.int64),
    }
    nodes = [
        helper.make_node("Cast", [input_name], ["wide"], to=double),
        helper.make_node("MatMul", ["wide", "keys"], ["k"]),
        helper.make_node("MatMul", ["wide", "moments"], ["m"]),
        helper.make_node("Unsqueeze", ["k", "column"], ["k3"]),
        helper.make_node("Unsqueeze", ["m", "row"], ["m3"]),
        helper.make_node("Mul", ["k3", "m3"], ["x"]),
        helper.make_node("Greater", ["x", "hold"], ["sounds"]),
        helper.make_node("Greater", ["x", "strike"], ["strikes"]),
        helper.make_node("Where", ["sounds", "held", "zero"], ["low"]),
        helper.make_node("Where", ["strikes", "struck", "low"], ["values"]),
        helper.make_node("Cast", ["values"], ["floats"], to=single),
        helper.make_node("Unsqueeze", ["floats", "channel"], [output_name]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(input_name, single, [batch, latent])],
        [helper.make_tensor_value_info(output_name, single, [batch, rows, 300, 1])],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    data: bytes = model.SerializeToString()
    return data


def _numbers(seed: int, *shape: int) -> Any:
    """Fixed numbers from −1 to 1, exact in every arithmetic."""
    raw = np.random.Philox(key=seed).random_raw(shape)
    return (raw >> np.uint64(56)).astype(np.float64) / 128.0 - 1.0


def tiny_card(weights: bytes, **changes: Any) -> ModelCard:
    """A card that fits ``weights``."""
    fields: dict[str, Any] = {
        "spec": 1,
        "name": "tiny",
        "version": "1.0",
        "summary": "Key times moment.",
        "convention": "struck",
        "roll": (21, 106, 300),
        "latent": 14,
        "has_velocity": False,
        "tempo": 96.0,
        "training_data": "none",
        "data_licence": "CC0 1.0",
        "output_licence": "any use",
        "may_sell": True,
        "attribution": ("Nobody",),
        "revision": "0" * 40,
        "config": {"width": 1},
        "data_sha256": "",
        "protocol": "none",
        "metrics": {"score": 0.5},
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "weights_bytes": len(weights),
    }
    return ModelCard(**{**fields, **changes})


def write_tiny(folder: Path, name: str = "tiny", weights: bytes | None = None, **card: Any) -> Path:
    """Write ``name.onnx`` and ``name.json`` into ``folder`` and return the former's path."""
    data = tiny_weights() if weights is None else weights
    path = folder / f"{name}.onnx"
    path.write_bytes(data)
    path.with_suffix(".json").write_text(tiny_card(data, name=name, **card).to_json(), encoding="utf-8")
    return path
