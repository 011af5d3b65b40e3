"""Seeds and latents: the fourteen numbers from which a piece is composed.

A seed is a whole number from 0 to 2**64 - 1. Its latent is standard normal and the same on every machine:

1. ``raw``: the first fourteen 64-bit words of the counter-based generator Philox4x64-10 (Salmon et al. 2011)
   with the seed as key, as ``numpy.random.Philox(key=seed)`` gives them. NumPy promises that this stream of
   integers never changes (unlike what ``Generator.normal`` makes of it).
2. Each word becomes ``u = ((raw >> 12) + 0.5) / 2**52``, exact in float64, strictly between 0 and 1.
3. Each pair ``u, v`` becomes two normal numbers ``r cos t`` and ``r sin t`` with ``r = sqrt(-2 ln u)`` and
   ``t = 2 pi v`` (Box and Muller 1958), at most 8.6 in magnitude.
4. Rounded to a multiple of 1/65536, which float32 holds exactly. Mathematical libraries may differ in the
   last bit of ``ln``, ``cos`` and ``sin``, about 2e-16: that shows only where a value lies as close as that
   to the middle between two multiples, for about one seed in ten thousand million.
"""

from __future__ import annotations

import math
import operator
import secrets
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pianogan_bgm.cards import LATENT_SIZE
from pianogan_bgm.errors import InvalidLatent

Latents: TypeAlias = npt.NDArray[np.float32]

SEED_LIMIT: Final = 1 << 64
FRESH_SEEDS: Final = 1 << 32
"""Seeds drawn when none is asked for: fewer than allowed, so that they stay short enough to write down."""
GRID: Final = 65536


def fresh_seed() -> int:
    """A seed nobody chose, 0 to 2**32 - 1."""
    return secrets.randbelow(FRESH_SEEDS)


def check_seed(seed: Any) -> int:
    """``seed`` as an int. Raises :class:`InvalidLatent` unless it is a whole number, 0 to 2**64 - 1."""
    try:
        value = -1 if isinstance(seed, bool | np.bool_) else operator.index(seed)
    except TypeError:
        value = -1
    if not 0 <= value < SEED_LIMIT:
        raise InvalidLatent(f"a seed must be a whole number from 0 to 2**64 - 1; got {seed!r}")
    return value


def latent_of(seed: int) -> Latents:
    """The latent of ``seed``, float32 ``(14,)``; see the module for how."""
    raw = np.random.Philox(key=check_seed(seed)).random_raw(LATENT_SIZE)
    uniform = [((word >> 12) + 0.5) / 2.0**52 for word in raw.tolist()]
    normal = []
    for u, v in zip(uniform[::2], uniform[1::2], strict=True):
        radius, angle = math.sqrt(-2.0 * math.log(u)), 2.0 * math.pi * v
        normal += [radius * math.cos(angle), radius * math.sin(angle)]
    return np.array([round(value * GRID) / GRID for value in normal], dtype=np.float32)


def check_latents(latents: Any) -> Latents:
    """``latents`` as float32 ``(n, 14)``, n 1 or more.

    Raises :class:`InvalidLatent` for another shape, for what is no array of real numbers, for NaN and for
    numbers beyond float32.
    """
    given = _array(latents)
    if given.ndim != 2 or given.shape[0] < 1 or given.shape[1] != LATENT_SIZE:
        raise InvalidLatent(f"latents must have shape (n, {LATENT_SIZE}), n 1 or more; got {given.shape}")
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(given, dtype=np.float32)
    if not np.isfinite(values).all():
        bad = given[~np.isfinite(values)][0]
        raise InvalidLatent(f"latents must be finite and within float32; got {bad}")
    return values


def check_latent(latent: Any) -> Latents:
    """One latent as float32 ``(14,)``; errors as :func:`check_latents`."""
    given = _array(latent)
    if given.shape != (LATENT_SIZE,):
        raise InvalidLatent(f"a latent must have shape ({LATENT_SIZE},); got {given.shape}")
    checked: Latents = check_latents(given[None])[0]
    return checked


def _array(numbers: Any) -> npt.NDArray[Any]:
    try:
        given = np.asarray(numbers)
    except ValueError as error:  # rows of different lengths
        raise InvalidLatent(f"latents must be numbers in rows of {LATENT_SIZE}: {error}") from error
    if not (np.issubdtype(given.dtype, np.floating) or np.issubdtype(given.dtype, np.integer)):
        raise InvalidLatent(f"latents must be real numbers; got {given.dtype}")
    return given
