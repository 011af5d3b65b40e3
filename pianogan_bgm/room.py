"""A small room around the instruments: a reverb that gives the same samples however a stream is cut.

Frame n of the result depends on frames ``n - tail`` to n of the dry sound and on nothing else; nothing is fed
back, so nothing has to be remembered but some dry sound. Each frame is a sum in a fixed order, so that the
cut does not even change the rounding.

The echoes are sparse and cheap: a stage adds 8 to 20 delayed copies, one in each of as many equal stretches
of time, at a place and with a sign of chance (velvet noise: Karjalainen and Järveläinen, "Reverberation
modeling using velvet noise", AES conference 30, 2007). Three stages in a row make echoes of echoes of echoes:
1920 for the cost of 40. Copies weaken with their delay, four by four, and so do therefore copies of copies.
Between stages the two sides are partly exchanged, as walls do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm.instruments.tones import Block
from pianogan_bgm.turns import in_turns

Side = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Room:
    """What a room is like.

    ``level``: of all echoes together below the sound itself, dB. ``seconds``: time in which echoes fall by
    60 dB (they stop before, softly). ``stages``: for each, its length in seconds and its number of
    copies, a multiple of four.
    ``first``: seconds until the first echo.
    """

    level: float = -14.0
    seconds: float = 0.45
    first: float = 0.004
    stages: tuple[tuple[float, int], ...] = ((0.24, 20), (0.023, 12), (0.008, 8))
    seed: int = 3


SMALL_ROOM: Final = Room()
SMOOTHING_RATE: Final = 44100
"""Rate at which neighbouring frames are averaged, as often as :data:`SMOOTHINGS`: walls swallow overtones."""
SMOOTHINGS: Final = 2


@dataclass(frozen=True, slots=True)
class _Copy:
    """One delayed copy: added from side ``of`` (0 or 1), ``frames`` later, or taken away."""

    of: int
    frames: int
    up: bool


@dataclass(frozen=True, slots=True)
class _Echoes:
    """What one side gets: copies four by four, the latest ones first.

    ``gains``: what the sum so far is multiplied with after each four, which makes the earlier ones louder.
    """

    fours: tuple[tuple[_Copy, ...], ...]
    gains: tuple[np.float32, ...]


@dataclass(frozen=True, slots=True)
class _Stage:
    """What both sides get, and the longest delay in it, in frames."""

    sides: tuple[_Echoes, _Echoes]
    longest: int


class Reverb:
    """A :class:`Room` at one sample rate. Immutable; may be shared between threads."""

    def __init__(self, room: Room, rate: int) -> None:
        random = np.random.Generator(np.random.Philox(key=room.seed))
        self._stages = [
            _stage(room, rate, length, count, random, exchange=index != 1)
            for index, (length, count) in enumerate(room.stages)
        ]
        self._gap = max(1, round(rate / SMOOTHING_RATE))
        self._wait = round(room.first * rate)
        self._level = np.float32(1.0)
        self.tail = sum(stage.longest for stage in self._stages) + 2 * SMOOTHINGS * self._gap + self._wait
        self._level = np.float32(10.0 ** (room.level / 20.0) / self._energy() ** 0.5)

    def wet(self, sound: Block) -> Block:
        """The sound in the room: of dry ``sound``, float32 (tail + n, 2), its last n frames with the echoes.

        ``tail`` frames, an attribute, are what must come before; silence where there was nothing.
        """
        return sound[self.tail :] + self._echoes(sound)

    def _echoes(self, sound: Block) -> Block:
        sides = [np.ascontiguousarray(sound[: len(sound) - self._wait, side]) for side in (0, 1)]
        for stage in self._stages:
            sides = [_sum(sides, echoes, stage.longest) for echoes in stage.sides]
        out = np.empty((len(sound) - self.tail, 2), dtype=np.float32)
        for _ in range(SMOOTHINGS):
            sides = [_smoothed(values, self._gap) for values in sides]
        for side, values in enumerate(sides):
            np.multiply(values, self._level, out=out[:, side])
        return out

    def _energy(self) -> float:
        """Energy of the echoes of one unit impulse in one side, the mean of both."""
        impulse = np.zeros((2 * self.tail + 1, 2), dtype=np.float32)
        total = 0.0
        for side in (0, 1):
            impulse[:] = 0.0
            impulse[self.tail, side] = 1.0
            total += float(np.square(self._echoes(impulse), dtype=np.float64).sum())
        return total / 2.0


def _stage(
    room: Room, rate: int, length: float, count: int, random: np.random.Generator, *, exchange: bool
) -> _Stage:
    """One stage's copies for both sides; with ``exchange`` every other one comes from across."""
    sides, longest = [], 0
    for to in (0, 1):
        places = (np.arange(count) + random.uniform(0.0, 1.0, count)) * (length / count)
        # of each four as many up as down of either side: the sum is nothing, so that the room does not boom
        ups = random.choice((True, False), (count // 4, 2))
        signs = np.stack([ups, ~ups], axis=1).reshape(-1)
        copies = [
            _Copy(1 - to if exchange and index % 2 else to, round(place * rate), sign)
            for index, (place, sign) in enumerate(zip(places.tolist(), signs.tolist(), strict=True))
        ]
        fours = [tuple(copies[first : first + 4]) for first in range(0, count, 4)]
        levels = 10.0 ** (-3.0 * places.reshape(-1, 4).mean(axis=1) / room.seconds) / count**0.5
        gains = [*(levels[:0:-1] / levels[-2::-1]), levels[0]]
        sides.append(_Echoes(tuple(reversed(fours)), tuple(map(np.float32, gains))))
        longest = max(longest, copies[-1].frames)
    return _Stage((sides[0], sides[1]), longest)


def _sum(sides: list[Side], echoes: _Echoes, longest: int) -> Side:
    """What one side gets of both, ``longest`` frames shorter."""
    frames = len(sides[0]) - longest
    out = np.zeros(frames, dtype=np.float32)
    for four, gain in in_turns(zip(echoes.fours, echoes.gains, strict=True)):
        for copy in four:
            begin = longest - copy.frames
            add = np.add if copy.up else np.subtract
            add(out, sides[copy.of][begin : begin + frames], out=out)
        np.multiply(out, gain, out=out)
    return out


def _smoothed(values: Side, gap: int) -> Side:
    """Weighted means of three frames ``gap`` apart; ``2 * gap`` frames fewer."""
    smooth = values[: -2 * gap] + values[2 * gap :]
    smooth += values[gap:-gap] * np.float32(2.0)
    smooth *= np.float32(0.25)
    return smooth


@lru_cache(maxsize=8)
def reverb(rate: int, room: Room = SMALL_ROOM) -> Reverb:
    """The reverb of ``room`` at ``rate`` Hz; the same object for the same two."""
    return Reverb(room, rate)
