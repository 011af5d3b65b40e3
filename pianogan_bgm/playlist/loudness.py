"""Loudness as people hear it, in LUFS: ITU-R BS.1770-5 (2023), annex 1, in numpy.

Sound passes two filters (K-weighting: a shelf for the head, a high-pass), its power is taken over blocks of
400 ms every 100 ms, and the mean is of the blocks that are neither silent (below −70 LUFS) nor 10 LU below
the mean of those that are not. The filters are applied by their frequency response, so no loop over samples
and no other package is needed.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm.instruments.tones import Block

SILENCE: Final = -70.0
RELATIVE_GATE: Final = -10.0
_BLOCK_HOPS: Final = 4
_SIZE: Final = 1 << 18
"""Frames transformed at once."""
_LEAD_SECONDS: Final = 0.2
"""What is filtered before each chunk: by then the filters have forgotten what came before (below 1e-12)."""

# The recommendation tabulates both filters for 48 kHz; these are the analogue prototypes that give that table
# (Brecht De Man, "Evaluation of Implementations of the EBU R128 Loudness Measurement", AES convention 145,
# 2018), from which any other rate follows.
_SHELF: Final = (1681.974450955533, 3.999843853973347, 0.7071752369554196)
_HIGH_PASS: Final = (38.13547087602444, 0.5003270373238773)
Biquad = tuple[tuple[float, float, float], tuple[float, float, float]]


def filters(rate: int) -> tuple[Biquad, Biquad]:
    """Both filters at ``rate`` Hz, each as numerator and denominator in falling powers of z."""
    frequency, decibels, q = _SHELF
    k = math.tan(math.pi * frequency / rate)
    high = 10.0 ** (decibels / 20.0)
    band = high**0.4996667741545416
    a0 = 1.0 + k / q + k * k
    shelf: Biquad = (
        (
            (high + band * k / q + k * k) / a0,
            2.0 * (k * k - high) / a0,
            (high - band * k / q + k * k) / a0,
        ),
        (1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0),
    )
    frequency, q = _HIGH_PASS
    k = math.tan(math.pi * frequency / rate)
    a0 = 1.0 + k / q + k * k
    high_pass: Biquad = (
        (1.0, -2.0, 1.0),
        (1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0),
    )
    return shelf, high_pass


def loudness(sound: Block, rate: int) -> float | None:
    """Integrated loudness in LUFS of ``sound``, float ``(frames, channels)``, left and right.

    None where it is shorter than 400 ms or never louder than −70 LUFS.
    """
    powers = block_powers(sound, rate)
    audible = powers[_lufs(powers) > SILENCE]
    if not audible.size:
        return None
    gate = float(_lufs(audible.mean())) + RELATIVE_GATE
    return float(_lufs(audible[_lufs(audible) > gate].mean()))


def block_powers(sound: Block, rate: int) -> npt.NDArray[np.float64]:
    """Weighted power, channels added, of each block of 400 ms, one every 100 ms."""
    hop = rate / 10.0
    hops = int(len(sound) / hop)
    edges = np.round(np.arange(hops + 1) * hop).astype(np.int64)
    running = np.zeros(hops + 1)
    lead = round(_LEAD_SECONDS * rate)
    chunk = _SIZE - 2 * lead
    total = 0.0
    for at in range(0, len(sound), chunk):
        power = _weighted(sound[max(0, at - lead) : at + chunk], min(at, lead), rate)
        sums = total + np.concatenate([[0.0], np.cumsum(power)])
        inside = (edges >= at) & (edges <= at + len(power))
        running[inside] = sums[edges[inside] - at]
        total = float(sums[-1])
    if hops < _BLOCK_HOPS:
        return np.zeros(0)
    lengths = edges[_BLOCK_HOPS:] - edges[:-_BLOCK_HOPS]
    return np.asarray(np.maximum(0.0, running[_BLOCK_HOPS:] - running[:-_BLOCK_HOPS]) / lengths)


def _weighted(part: Block, skip: int, rate: int) -> npt.NDArray[np.float64]:
    """Power of each frame of ``part`` but the first ``skip``, K-weighted.

    A product of spectra is a circular convolution: zeros at the end take what the filters ring on.
    """
    spectrum = np.fft.rfft(part.astype(np.float64), _SIZE, axis=0) * _response(rate)[:, None]
    heard = np.fft.irfft(spectrum, _SIZE, axis=0)[skip : len(part)]
    return np.asarray((heard * heard).sum(axis=1))


@lru_cache(maxsize=4)
def _response(rate: int) -> npt.NDArray[np.complex128]:
    """What both filters make of each frequency of a transform."""
    z = np.exp(2j * np.pi * np.fft.rfftfreq(_SIZE))
    response = np.ones_like(z)
    for above, below in filters(rate):
        response *= np.polyval(above, z) / np.polyval(below, z)
    return np.asarray(response)


def _lufs(power: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(-0.691 + 10.0 * np.log10(np.maximum(power, 1e-20)))
