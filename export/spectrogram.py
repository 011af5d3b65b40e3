"""Sound as a picture: time to the right, pitch upwards (an octave is always as high), brightness in dB."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from pianogan_bgm.instruments.tones import Block

WINDOW: Final = 4096
LOWEST: Final = 27.5
"""Hz, the lowest A of the piano."""
OCTAVES: Final = 9
RANGE_DB: Final = 84.0
SILENCE: Final = 1e-12
"""Least power that is told apart; what is brightest lies RANGE_DB above it at least."""
COLOURS: Final = 32
"""Few, so that the files stay small."""
INKS: Final = ((0.0, (8, 10, 28)), (0.35, (58, 28, 110)), (0.65, (200, 60, 90)), (1.0, (255, 240, 170)))
LINE: Final = (70, 74, 92)
MARGIN: Final = 34


def spectrogram(sound: Block, rate: int, size: tuple[int, int] = (720, 216)) -> Image.Image:
    """Picture of ``sound``, float (frames, channels), both sides together: the loudest bright, silence dark.

    ``size``: of the whole, in pixels. A line stands at each A; seconds are written below.
    """
    width, height = size[0] - MARGIN, size[1] - MARGIN // 2
    levels = _levels(sound, rate, width, height)
    steps = np.round(np.clip(1.0 + levels / RANGE_DB, 0.0, 1.0) * (COLOURS - 1)).astype(np.uint8)
    plain = Image.fromarray(steps[::-1].copy())
    plain.putpalette(_palette())
    image = Image.new("RGB", size, "white")
    image.paste(plain.convert("RGB"), (MARGIN, 0))
    _label(ImageDraw.Draw(image), len(sound) / rate, width, height)
    return image.quantize(COLOURS + 16, dither=Image.Dither.NONE)


def _levels(sound: Block, rate: int, width: int, height: int) -> npt.NDArray[np.float64]:
    """Levels in dB below the loudest, (height, width), low pitches first; silence is below all there is."""
    mono = np.pad(sound.mean(axis=1, dtype=np.float64), WINDOW // 2)
    starts = np.linspace(0, max(0, len(mono) - WINDOW), width).astype(np.int64)
    window = np.hanning(WINDOW)
    power = np.array([np.abs(np.fft.rfft(mono[at : at + WINDOW] * window, 2 * WINDOW)) ** 2 for at in starts])
    edges = LOWEST * 2.0 ** (OCTAVES * np.arange(height + 1) / height) * 2 * WINDOW / rate
    rows = [_band(power, low, high) for low, high in pairwise(edges.tolist())]
    level = 10.0 * np.log10(np.maximum(rows, SILENCE))
    return np.asarray(level - max(level.max(), 10.0 * np.log10(SILENCE) + RANGE_DB))


def _band(power: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.float64]:
    """Strongest power between two places of the spectrum, in its neighbours where none lies between."""
    first, last = round(low), max(round(low) + 1, round(high))
    if first >= power.shape[1]:
        return np.zeros(len(power))
    return np.asarray(power[:, first:last].max(axis=1))


def _palette() -> list[int]:
    places = np.linspace(0.0, 1.0, COLOURS)
    knots = [place for place, _ in INKS]
    channels = [np.interp(places, knots, [ink[part] for _, ink in INKS]) for part in range(3)]
    return [int(value) for value in np.round(np.stack(channels, axis=1)).ravel()]


def _label(draw: ImageDraw.ImageDraw, seconds: float, width: int, height: int) -> None:
    font = ImageFont.load_default(10)
    for octave in range(OCTAVES):
        y = height - 1 - height * octave // OCTAVES
        draw.line((MARGIN, y, MARGIN + width, y), fill=LINE)
        draw.text((MARGIN - 4, y), f"A{octave}", fill=(60, 66, 80), font=font, anchor="rm")
    for second in range(0, int(seconds) + 1, 5):
        x = MARGIN + width * second / max(seconds, 1e-9)
        draw.text((x, height + 2), f"{second} s", fill=(60, 66, 80), font=font, anchor="lt")
