"""Thresholds of the decision layer, so that a model strikes and holds keys as often as its data does.

A soft decoder answers below one half too often, since it hedges between places a note might stand; taken at
face value it loses a fifth of the notes. Each key's bias is the quantile of the model's own margins at the
rate its neighbourhood of the keyboard has in the training data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm.roll import ROLL, STRUCK_BYTE
from training.studio import KEYS

Array = npt.NDArray[Any]
NEIGHBOURS: Final = 6
LIMIT: Final = 4.0
ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Rates:
    """How often a cell is struck and how often it sounds, each float64 ``(88,)`` by key."""

    struck: npt.NDArray[np.float64]
    sounding: npt.NDArray[np.float64]


def rates(cells: npt.NDArray[np.uint8]) -> Rates:
    """Rates of real music, codec bytes ``(n, 106, 300)``; a held first column counts as struck."""
    keys = cells[:, :KEYS]
    sounding = keys >= 128
    struck = keys >= STRUCK_BYTE
    struck[:, :, 0] |= sounding[:, :, 0]
    return Rates(_smooth(struck.mean(axis=(0, 2))), _smooth(sounding.mean(axis=(0, 2))))


def calibrate(odds: Array, target: Rates) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Strike and hold biases, float64 ``(88,)`` each, for log-odds ``(n, 75, 2, 352)``.

    Holding without a strike before it becomes a strike (see :class:`training.studio.Decision`), so the
    strike rate is approached in a few rounds.
    """
    hold_margin = np.asarray(odds[:, :, 0], np.float32).reshape(-1, ROLL.steps, KEYS)
    struck = np.asarray(odds[:, :, 1], np.float32).reshape(-1, ROLL.steps, KEYS)
    strike_margin = struck - np.maximum(hold_margin, 0.0)
    aim = target.struck.copy()
    for _ in range(ROUNDS):
        strike = _biases(strike_margin, aim)
        strikes = strike_margin + strike > 0
        held = np.where(strikes, np.float32(99.0), hold_margin)
        hold = _biases(held, target.sounding)
        sounding = held + hold > 0
        orphan = sounding & ~strikes
        orphan[:, 1:] &= ~sounding[:, :-1]
        got = _smooth((strikes | orphan).mean(axis=(0, 1)))
        aim = np.clip(aim * np.clip(target.struck / np.maximum(got, 1e-9), 0.5, 1.5), 0.0, target.sounding)
    return strike, hold


def _smooth(by_key: Array) -> npt.NDArray[np.float64]:
    kernel = np.ones(2 * NEIGHBOURS + 1)
    total = np.convolve(by_key, kernel, mode="same")
    return np.asarray(total / np.convolve(np.ones_like(by_key), kernel, mode="same"), np.float64)


def _biases(margins: Array, aims: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The bias that makes a share ``aims[key]`` of the margins around each key positive, within ±LIMIT."""
    biases = np.empty(KEYS)
    for key in range(KEYS):
        near = margins[:, :, max(0, key - NEIGHBOURS) : key + NEIGHBOURS + 1].ravel()
        count = round(aims[key] * near.size)
        if count == 0:
            biases[key] = -LIMIT
            continue
        biases[key] = -float(np.partition(near, near.size - count)[near.size - count]) + 1e-6
    return np.clip(biases, -LIMIT, LIMIT)
