"""From tones to PCM: gain curves, layers, the mix.

Everything here is a pure function of the frame, so a stream may be cut into blocks of any size. Tones are
rendered before their gains, in the room already, on a fixed grid of blocks and kept for a while: ducking,
fading or thinning one layer then costs a multiplication, not another rendering.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pianogan_bgm.bus import finish
from pianogan_bgm.instruments.tones import Block, Instrument, Tone, mix
from pianogan_bgm.room import Reverb
from pianogan_bgm.tune import BASS, INNER, LAYERS, MELODY, STINGER
from pianogan_bgm.turns import in_turns

Bus: TypeAlias = tuple[int, int, str]
"""Deck number (-1 for stingers), layer, instrument: tones of one bus share their gains."""
Band: TypeAlias = Callable[[str], Instrument]
"""Instruments by name, all of one rate."""
Curve: TypeAlias = float | npt.NDArray[np.float64]

GRID: Final = 8192
STINGER_DECK: Final = -1

_LAYER_GAINS: Final = {
    # gain at intensities 0, 1/4, 1/2, 3/4, 1: the melody always stays, inner voices leave first
    MELODY: (0.75, 0.9, 1.0, 1.05, 1.1),
    INNER: (0.0, 0.45, 1.0, 1.1, 1.15),
    BASS: (0.25, 0.8, 1.0, 1.1, 1.2),
    STINGER: (1.0, 1.0, 1.0, 1.0, 1.0),
}


@dataclass(frozen=True, slots=True)
class Ramp:
    """A gain that goes from ``low`` at frame ``start`` to ``high`` at frame ``end`` and stays there."""

    start: int
    end: int
    low: float
    high: float

    @classmethod
    def steady(cls, value: float) -> Ramp:
        """A gain that stays."""
        return cls(0, 0, value, value)

    def value(self, frame: int) -> float:
        """The gain at ``frame``."""
        if frame >= self.end:
            return self.high
        if frame <= self.start:
            return self.low
        part = (frame - self.start) / (self.end - self.start)
        return self.low * (1.0 - part) + self.high * part

    def towards(self, value: float, frame: int, frames: int) -> Ramp:
        """A ramp from where this one is at ``frame``."""
        return Ramp(frame, frame + max(frames, 0), self.value(frame), value)

    def curve(self, at: int, frames: int) -> Curve:
        """Gains of frames ``at`` to ``at + frames``: one number where they are all the same."""
        if at >= self.end or self.low == self.high:
            return self.high
        if at + frames <= self.start:
            return self.low
        part = (np.arange(at, at + frames) - self.start) / (self.end - self.start)
        part = np.clip(part, 0.0, 1.0)
        return self.low * (1.0 - part) + self.high * part


OPEN: Final = Ramp.steady(1.0)


@dataclass(frozen=True, slots=True)
class Fader:
    """Gains of one deck: its crossfade, the piece's own loudness, and the frame it can be forgotten at."""

    deck: int
    ramp: Ramp
    gain: float
    expires: int | None = None


@dataclass(frozen=True, slots=True)
class Mix:
    """All gains from one frame on. Stingers hear the volume alone."""

    volume: Ramp = OPEN
    duck: Ramp = OPEN
    fade: Ramp = OPEN
    layers: tuple[Ramp, ...] = (OPEN,) * len(LAYERS)
    faders: tuple[Fader, ...] = ()

    def curve(self, bus: Bus, at: int, frames: int) -> Curve:
        """Gain of ``bus`` over some frames; 0 for a deck that has gone."""
        deck, layer, _ = bus
        if deck == STINGER_DECK:
            return self.volume.curve(at, frames)
        for fader in self.faders:
            if fader.deck == deck:
                gain: Curve = fader.gain
                for ramp in (fader.ramp, self.layers[layer], self.duck, self.fade, self.volume):
                    gain = gain * ramp.curve(at, frames)
                return gain
        return 0.0

    def with_intensity(self, value: float, frame: int, frames: int) -> Mix:
        """Layers on their way to what ``value`` asks of them."""
        layers = tuple(
            ramp.towards(layer_gain(layer, value), frame, frames) for layer, ramp in enumerate(self.layers)
        )
        return replace(self, layers=layers)


def layer_gain(layer: int, intensity: float) -> float:
    """Gain of a layer at an intensity of 0 to 1; all 1 at one half."""
    return float(np.interp(intensity, (0.0, 0.25, 0.5, 0.75, 1.0), _LAYER_GAINS[layer]))


@dataclass(slots=True)
class _Sounding:
    """A tone on its bus, with the frames at which it was decided, it ends, and its echoes are silent."""

    decided: int
    tone: Tone
    end: int
    silent: int


_Blocks: TypeAlias = dict[tuple[Bus, int], tuple[tuple[Tone, ...], Block]]
"""Blocks of a bus by their place on the grid, each with the tones it was made from."""


class Mixdown:
    """The tones of a stream and their rendering in a room. Knows no musical time."""

    def __init__(self, band: Band, room: Reverb) -> None:
        self._band = band
        self._room = room
        self._back = -(-room.tail // GRID)
        self._buses: dict[Bus, list[_Sounding]] = {}
        self._dry: _Blocks = {}
        self._done: _Blocks = {}

    def add(self, decided: int, voices: Iterable[tuple[Bus, Tone]]) -> None:
        """Take tones decided at frame ``decided``, which never goes back but by :meth:`rewind`."""
        rings = [(bus, tone, tone.start + self._band(bus[2]).ring(tone)) for bus, tone in voices]
        for bus, tone, end in rings:  # all or none of them: an instrument may be one that cannot be loaded
            self._buses.setdefault(bus, []).append(_Sounding(decided, tone, end, end + self._room.tail))

    def rewind(self, frame: int) -> None:
        """Take back every tone decided at ``frame`` or later."""
        for sounding in self._buses.values():
            while sounding and sounding[-1].decided >= frame:
                sounding.pop()

    def forget(self, before: int) -> None:
        """Let go of what is silent before frame ``before``."""
        for bus in list(self._buses):
            self._buses[bus] = [one for one in self._buses[bus] if one.silent > before]
            if not self._buses[bus]:
                del self._buses[bus]
        self.release(before)

    def release(self, before: int) -> None:
        """Let go of rendered sound that only frames before ``before`` need; it is made again if asked for."""
        for blocks, needed in ((self._done, 1), (self._dry, 1 + self._back)):
            for place in [place for place in blocks if (place[1] + needed) * GRID <= before]:
                del blocks[place]

    @property
    def tones(self) -> int:
        """How many tones are kept."""
        return sum(map(len, self._buses.values()))

    def last_end(self, decks: set[int]) -> int:
        """Frame at which the last tone of these decks is silent, 0 without any."""
        return max(
            (one.silent for bus, tones in self._buses.items() if bus[0] in decks for one in tones), default=0
        )

    def render(self, at: int, frames: int, mixes: Sequence[tuple[int, Mix]]) -> Block:
        """Frames ``at`` to ``at + frames``, limited; ``mixes`` says from which frame which gains hold."""
        out = np.zeros((frames, 2), dtype=np.float32)
        for bus in sorted(self._buses):
            gain = _join(bus, at, frames, mixes)
            if isinstance(gain, float):
                if gain == 0.0:
                    continue
                self._spread(bus, at, out, np.float32(gain))
            else:
                self._spread(bus, at, out, gain.astype(np.float32)[:, None])
        return finish(out)

    def _spread(self, bus: Bus, at: int, out: Block, gain: np.float32 | Block) -> None:
        frames = len(out)
        for place in in_turns(range(at // GRID, (at + frames - 1) // GRID + 1)):
            block = self._block(bus, place)
            if block is None:
                continue
            first, last = max(at, place * GRID), min(at + frames, (place + 1) * GRID)
            part = block[first - place * GRID : last - place * GRID]
            here = gain if isinstance(gain, np.float32) else gain[first - at : last - at]
            out[first - at : last - at] += part * here

    def _block(self, bus: Bus, place: int) -> Block | None:
        """One block of the grid with the echoes in it, None for silence."""
        tones = self._sounding(bus, (place - self._back) * GRID, (place + 1) * GRID)
        if not tones:
            return None
        kept = self._done.get((bus, place))
        if kept is None or kept[0] != tones:
            sound = [self._dry_block(bus, one) for one in range(place - self._back, place + 1)]
            before = self._back * GRID - self._room.tail
            kept = self._done[bus, place] = tones, self._room.wet(np.concatenate(sound)[before:])
            # the next block needs those after it; a block made again mixes it again, which costs little
            self._dry.pop((bus, place - self._back), None)
        return kept[1]

    def _dry_block(self, bus: Bus, place: int) -> Block:
        tones = self._sounding(bus, place * GRID, (place + 1) * GRID)
        kept = self._dry.get((bus, place))
        if kept is None or kept[0] != tones:
            kept = self._dry[bus, place] = tones, mix(self._band(bus[2]), tones, place * GRID, GRID)
        return kept[1]

    def _sounding(self, bus: Bus, start: int, end: int) -> tuple[Tone, ...]:
        """Tones that sound, echoes apart, between two frames."""
        return tuple(one.tone for one in self._buses[bus] if one.tone.start < end and one.end > start)


def _join(bus: Bus, at: int, frames: int, mixes: Sequence[tuple[int, Mix]]) -> Curve:
    """One curve out of several spans of gains."""
    if len(mixes) == 1:
        return mixes[0][1].curve(bus, at, frames)
    whole = np.empty(frames)
    for index, (since, gains) in enumerate(mixes):
        first = max(since, at)
        last = mixes[index + 1][0] if index + 1 < len(mixes) else at + frames
        whole[first - at : last - at] = gains.curve(bus, first, last - first)
    return whole
