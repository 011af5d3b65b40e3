"""The master bus: from the mix of instruments to what a file or a mixer takes.

Every function here maps one frame to one frame and remembers nothing, so a stream cut into blocks of any
size carries the same samples as one whole render.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm.errors import SoundError
from pianogan_bgm.instruments.tones import Block

MASTER_GAIN: Final = 0.7
"""Brings ordinary music to about -20 LUFS, with peaks near 0.6, where the limiter is at rest."""
KNEE: Final = 0.75
"""Level up to which the limiter changes nothing."""

_FORMATS: Final[dict[int, tuple[type[np.generic], float, int]]] = {
    # pygame's size: (sample type, full scale, value of silence)
    -16: (np.int16, 32767.0, 0),
    16: (np.uint16, 32767.0, 32768),
    -8: (np.int8, 127.0, 0),
    8: (np.uint8, 127.0, 128),
    32: (np.float32, 1.0, 0),
}
CHANNELS: Final = (1, 8)


def finish(block: Block, gain: float = 1.0) -> Block:
    """A mix, float32 (frames, 2), at the master level and within -1 to 1: a new block of the same shape.

    ``gain``: linear, on top of the master gain. Above three quarters of full scale the curve bends smoothly
    towards 1, which it never passes.
    """
    level = block * np.float32(MASTER_GAIN * gain)
    size = np.abs(level)
    if size.size and size.max() > KNEE:
        over = np.maximum(size - np.float32(KNEE), 0) / np.float32(1.0 - KNEE)
        bent = np.float32(KNEE) + np.float32(1.0 - KNEE) * (over / (1 + over))
        level = np.where(size > KNEE, np.copysign(np.minimum(bent, 1), level), level)
    return np.asarray(level, dtype=np.float32)


def to_format(block: Block, size: int, channels: int) -> npt.NDArray[Any]:
    """A finished block, float32 (frames, 2), in a format of ``pygame.mixer``.

    ``size``: as in ``pygame.mixer.get_init()``: -16, 16, -8, 8 or 32 (float). ``channels``: 1 to 8; one is
    the mean of both sides, from three on the first two carry the music and the others are silent. Gives an
    array as ``pygame.sndarray`` does: (frames,) for one channel, else (frames, channels). Rounds to the
    nearest value, halves to even; what lies outside -1 to 1 is cut off, never wrapped.
    Raises :class:`SoundError` for another format.
    """
    if size not in _FORMATS:
        raise SoundError(f"the sample size must be one of {sorted(_FORMATS)}; got {size!r}")
    if not CHANNELS[0] <= channels <= CHANNELS[1]:
        raise SoundError(f"channels must be {CHANNELS[0]} to {CHANNELS[1]}; got {channels!r}")
    if channels == 1:
        spread = (block[:, 0] + block[:, 1]) * np.float32(0.5)
    elif channels == 2:
        spread = block
    else:
        spread = np.zeros((len(block), channels), dtype=np.float32)
        spread[:, :2] = block
    kind, scale, silence = _FORMATS[size]
    held: npt.NDArray[Any] = np.clip(spread, -1.0, 1.0)
    if size == 32:
        return held
    # float64: 32767.5 and the like have to be exact before they are rounded
    return np.asarray(np.rint(held * np.float64(scale)) + silence, dtype=kind)
