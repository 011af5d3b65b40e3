"""Small Keras layers shared by the networks, the same on every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from training.whole import WholeProduct


class TimeConv(keras.layers.Layer):  # type: ignore[misc]  # keras is untyped
    """Convolution over time with "same" padding, float ``(batch, time, channels)``.

    In float64, and once it was made whole, it is one matrix product and a sum of its parts, shifted:
    onnxruntime has double-precision matrix products on every CPU, but no such convolution.
    """

    def __init__(self, filters: int, size: int = 3, dilation: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.size, self.dilation = filters, size, dilation
        self.whole: WholeProduct | None = None

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the kernel (size, channels, filters) and the bias."""
        self.kernel = self.add_weight(
            name="kernel", shape=(self.size, shape[-1], self.filters), initializer="glorot_uniform"
        )
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, x: Any) -> Any:
        """``(batch, time, channels)`` to ``(batch, time, filters)``."""
        kernel, bias = ops.cast(self.kernel, self.compute_dtype), ops.cast(self.bias, self.compute_dtype)
        if self.whole is not None:
            return self._shifted(self._by_rows(x, self.whole)) + bias
        if self.size == 1:
            return ops.matmul(x, kernel[0]) + bias
        if self.compute_dtype == "float64":
            beside = self._beside(kernel)
            return self._shifted(self._by_rows(x, lambda rows: ops.matmul(rows, beside))) + bias
        return ops.conv(x, kernel, padding="same", dilation_rate=self.dilation) + bias

    def make_whole(self) -> None:
        """From now on multiply in whole numbers, of the weights as they are now."""
        self.whole = WholeProduct(np.asarray(self._beside(self.kernel), np.float64))

    def _beside(self, kernel: Any) -> Any:
        """The weights for all shifts side by side, ``(channels, size filters)``."""
        return ops.reshape(ops.transpose(kernel, (1, 0, 2)), (-1, self.size * self.filters))

    def _by_rows(self, x: Any, product: Callable[[Any], Any]) -> Any:
        """``product`` of each moment by itself: what comes of one does not depend on those around it."""
        _, time, channels = x.shape
        return ops.reshape(product(ops.reshape(x, (-1, channels))), (-1, time, self.size * self.filters))

    def _shifted(self, parts: Any) -> Any:
        """Sum of what every moment gives to itself and to those around it."""
        if self.size == 1:
            return parts
        time, reach = parts.shape[1], self.dilation * (self.size // 2)
        padded = ops.pad(parts, ((0, 0), (reach, reach), (0, 0)))
        shifts = [
            padded[:, k * self.dilation : k * self.dilation + time, k * self.filters : (k + 1) * self.filters]
            for k in range(self.size)
        ]
        return sum(shifts[1:], shifts[0])


class Norm(keras.layers.Layer):  # type: ignore[misc]  # keras is untyped
    """Layer normalisation over the last axis with learnt scale and offset, written out in plain operations.

    Plain operations export to double precision and to every backend alike. Ba et al. 2016.
    """

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make scale and offset, one each a channel."""
        self.scale = self.add_weight(name="scale", shape=(shape[-1],), initializer="ones")
        self.offset = self.add_weight(name="offset", shape=(shape[-1],), initializer="zeros")

    def call(self, x: Any) -> Any:
        """Normalise, scale and shift; same shape."""
        scale, offset = ops.cast(self.scale, self.compute_dtype), ops.cast(self.offset, self.compute_dtype)
        return standardise(x) * scale + offset


def standardise(x: Any) -> Any:
    """Zero mean and unit variance over the last axis (by sums: a mean exports without a double kernel)."""
    share = 1.0 / x.shape[-1]
    centred = x - share * ops.sum(x, axis=-1, keepdims=True)
    return centred * ops.rsqrt(share * ops.sum(centred * centred, axis=-1, keepdims=True) + 1e-5)


def leaky(x: Any) -> Any:
    """Leaky ReLU of slope 0.2, written so that it exports to operations with double-precision kernels."""
    return ops.maximum(x, 0.2 * x)


class Residual(keras.layers.Layer):  # type: ignore[misc]  # keras is untyped
    """Pre-normalised residual block: norm, leaky ReLU, convolution, leaky ReLU, pointwise; added."""

    def __init__(self, width: int, size: int = 3, dilation: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.norm = Norm(name="norm", dtype=self.dtype_policy)
        self.inner = TimeConv(width, size, dilation, name="inner", dtype=self.dtype_policy)
        self.outer = TimeConv(width, 1, name="outer", dtype=self.dtype_policy)

    def call(self, x: Any) -> Any:
        """Same shape in and out."""
        return x + self.outer(leaky(self.inner(leaky(self.norm(x)))))
