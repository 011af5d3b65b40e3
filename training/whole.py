"""Matrix products in whole numbers, in which a finished network computes."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from keras import ops

WHOLE: Final = 63
"""Greatest magnitude of a whole number that is multiplied: seven bits, for which every processor's quick
products of whole numbers are exact."""
LEAST: Final = 1e-6
"""The least that a greatest magnitude counts as, so that zeros can be divided by it."""


class WholeProduct:
    """A matrix product in whole numbers: exact, so the same on every processor, and quick.

    ``weights`` ``(in, out)`` become whole numbers from −127 to 127 with a factor for each column, inputs
    whole numbers from −63 to 63, of which 63 stands for ``reach``; without one, for the greatest magnitude
    in each row.
    """

    def __init__(self, weights: npt.NDArray[Any], reach: float | None = None) -> None:
        factor = np.maximum(np.abs(weights).max(axis=0), LEAST) / 127.0
        self.weights = np.round(weights / factor).astype(np.int8)
        self.reach = reach
        self.per_input = 1.0 if reach is None else WHOLE / reach
        # float32, so that a model file holds just these numbers
        self.factor = (factor / self.per_input).astype(np.float32)

    def __call__(self, x: Any) -> Any:
        """``(n, in)`` to ``(n, out)``."""
        weights, factor = ops.cast(self.weights, x.dtype), ops.cast(self.factor, x.dtype)
        if self.reach is None:
            top = ops.maximum(ops.max(ops.abs(x), axis=-1, keepdims=True), LEAST)
            return ops.matmul(ops.round(x * (WHOLE / top)), weights) * factor * (top / WHOLE)
        whole = ops.clip(ops.round(x * self.per_input), -float(WHOLE), float(WHOLE))
        return ops.matmul(whole, weights) * factor
