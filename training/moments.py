"""First and second moments of the codes of real music: the scale of the generator's output, and a loss.

A discriminator forgives pieces that all share a pattern as long as each sounds well. What they share shows
in the mean over a batch of each code at each beat, which is near zero for real windows; how a code goes with
the others, and with itself some beats later, shows in lagged covariances. Both are matched directly, as
generative moment matching does (Li et al. 2015), beside what the discriminator says.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from keras import ops

from training.distribution import mean_over_replicas

LAGS: Final = (0, 1, 2, 4, 8, 16, 32)
"""Distances in beats at which codes are compared."""
SMALLEST_DEVIATION: Final = 0.3
"""A code that varies less than this carries nothing: its rate is below 0.05 nats."""


class Moments:
    """Mean and deviation of each code over the training set, float32 ``(codes,)``; 0 deviation: unused."""

    def __init__(self, mean: npt.NDArray[np.float32], deviation: npt.NDArray[np.float32]) -> None:
        self.mean, self.deviation = mean, deviation

    @classmethod
    def of(cls, codes: npt.NDArray[np.float32]) -> Moments:
        """Moments of real codes ``(n, 75, c)``."""
        deviation = codes.std(axis=(0, 1), dtype=np.float64)
        used = np.where(deviation > SMALLEST_DEVIATION, deviation, 0.0)
        return cls(codes.mean(axis=(0, 1), dtype=np.float64).astype(np.float32), used.astype(np.float32))

    def standardise(self, codes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Mean 0 and deviation 1 in every code that is used, 0 in the others."""
        scale = np.divide(1.0, self.deviation, out=np.zeros_like(self.deviation), where=self.deviation > 0)
        return (codes - self.mean) * scale


def covariances(codes: Any) -> Any:
    """Products of standardised codes ``(n, 75, c)`` with those some beats later: ``(lags, c, c)``."""
    count, beats, _ = codes.shape
    products = [
        ops.einsum("ntc,ntd->cd", codes[:, : beats - lag], codes[:, lag:]) / float(count * (beats - lag))
        for lag in LAGS
    ]
    return ops.stack(products)


def mismatch(codes: Any, real: Any, used: Any) -> Any:
    """How far a batch of standardised codes is from real ones, a number of at least 0.

    ``real``: :func:`covariances` of real codes. ``used``: 1 for each code that is used, else 0, ``(c,)``.
    The mean square of what the batch shares at a beat, plus the squared difference of the covariances
    for each code.
    """
    codes = codes * used
    shared = mean_over_replicas(ops.mean(codes, axis=0))
    together = ops.mean(ops.sum((mean_over_replicas(covariances(codes)) - real) ** 2, axis=(1, 2)))
    return (ops.mean(ops.sum(shared**2, axis=-1)) + together) / ops.sum(used)
