"""From tones to PCM: gain curves, layers, the mix.

Everything here is a pure function of the frame, so a stream may be cut into blocks of any size. Tones are
rendered before their gains, on a fixed grid of blocks, and kept for a while: ducking, fading or thinning one
layer then costs a multiplication, not another rendering. All of them stand in one room, so what is faded out
leaves its last echoes; the volume comes after the room and lets nothing through.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import is_not
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
    """A gain that goes from ``low`` at frame ``start`` to ``high`` at frame ``end`` and stays there.

    ``even_power``: its square goes evenly, not it itself. Of two pieces, one of which comes as the other
    goes, the powers add up, so both together are as loud as each of them.
    """

    start: int
    end: int
    low: float
    high: float
    even_power: bool = False

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
        return float(self._between((frame - self.start) / (self.end - self.start)))

    def towards(self, value: float, frame: int, frames: int, even_power: bool = False) -> Ramp:
        """A ramp from where this one is at ``frame``."""
        return Ramp(frame, frame + max(frames, 0), self.value(frame), value, even_power)

    def scaled(self, gain: float) -> Ramp:
        """The same ramp, all of it by ``gain`` louder."""
        return replace(self, low=self.low * gain, high=self.high * gain)

    def curve(self, at: int, frames: int) -> Curve:
        """Gains of frames ``at`` to ``at + frames``: one number where they are all the same."""
        if at >= self.end or self.low == self.high:
            return self.high
        if at + frames <= self.start:
            return self.low
        part = (np.arange(at, at + frames) - self.start) / (self.end - self.start)
        return self._between(np.clip(part, 0.0, 1.0))

    def _between(self, part: Curve) -> Curve:
        """The gain after a ``part`` of the way, 0 to 1."""
        if self.even_power:
            return np.sqrt(self.low**2 * (1.0 - part) + self.high**2 * part)
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
    """All gains from one frame on. The volume is that of everything, the others are not for stingers."""

    volume: Ramp = OPEN
    duck: Ramp = OPEN
    fade: Ramp = OPEN
    layers: tuple[Ramp, ...] = (OPEN,) * len(LAYERS)
    faders: tuple[Fader, ...] = ()

    def loudness(self, at: int, frames: int) -> Curve:
        """Gain of everything over some frames."""
        return self.volume.curve(at, frames)

    def curve(self, at: int, frames: int, *, bus: Bus) -> Curve:
        """Gain of ``bus`` over some frames, that of everything apart; 0 for a deck that has gone."""
        deck, layer, _ = bus
        if deck == STINGER_DECK:
            return 1.0
        for fader in self.faders:
            if fader.deck == deck:
                gain: Curve = fader.gain
                for ramp in (fader.ramp, self.layers[layer], self.duck, self.fade):
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


Span: TypeAlias = tuple[int, Mix]
"""The frame that gains hold from, and the gains."""
Spans: TypeAlias = Callable[[int, int], Sequence[Span]]
"""The gains that hold over some frames, given the first of them and the one after the last."""
_Sounds: TypeAlias = tuple[tuple[Bus, tuple[Tone, ...]], ...]


@dataclass(slots=True)
class _Sounding:
    """A tone on its bus, with the frames at which it was decided and at which it ends."""

    decided: int
    tone: Tone
    end: int


class Mixdown:
    """The tones of a stream and their rendering in a room. Knows no musical time.

    ``reach``: how many frames before one that is rendered count, their tones and their gains.
    """

    def __init__(self, band: Band, room: Reverb) -> None:
        self._band = band
        self._room = room
        self._back = -(-room.tail // GRID)
        self.reach = (1 + self._back) * GRID
        self._buses: dict[Bus, list[_Sounding]] = {}
        self._dry: dict[tuple[Bus, int], tuple[tuple[Tone, ...], Block]] = {}
        self._mixed: dict[int, tuple[_Sounds, tuple[Span, ...], Block]] = {}
        self._wet: tuple[int, list[Block], Block] | None = None

    def add(self, decided: int, voices: Iterable[tuple[Bus, Tone]]) -> None:
        """Take tones decided at frame ``decided``, which never goes back but by :meth:`rewind`."""
        rings = [(bus, tone, tone.start + self._band(bus[2]).ring(tone)) for bus, tone in voices]
        for bus, tone, end in rings:  # all or none of them: an instrument may be one that cannot be loaded
            self._buses.setdefault(bus, []).append(_Sounding(decided, tone, end))

    def rewind(self, frame: int) -> None:
        """Take back every tone decided at ``frame`` or later."""
        for sounding in self._buses.values():
            while sounding and sounding[-1].decided >= frame:
                sounding.pop()

    def forget(self, before: int) -> None:
        """Let go of what is silent, echoes and all, before frame ``before``."""
        for bus in list(self._buses):
            self._buses[bus] = [one for one in self._buses[bus] if one.end + self.reach > before]
            if not self._buses[bus]:
                del self._buses[bus]
        self.release(before)

    def release(self, before: int) -> None:
        """Let go of rendered sound that only frames before ``before`` need; it is made again if asked for."""
        place = before // GRID
        self._dry = {key: kept for key, kept in self._dry.items() if key[1] >= place}
        self._mixed = {at: kept for at, kept in self._mixed.items() if at >= place - self._back}

    @property
    def tones(self) -> int:
        """How many tones are kept."""
        return sum(map(len, self._buses.values()))

    @property
    def echo(self) -> int:
        """Frames for which what has ended echoes."""
        return self._room.tail

    def last_end(self, decks: Collection[int] | None = None) -> int:
        """Frame at which the last tone of these decks, or of all, is silent; 0 without any."""
        buses = self._buses.items()
        kept = (tones for bus, tones in buses if decks is None or bus[0] in decks)
        return max((one.end for tones in kept for one in tones), default=0)

    def render(self, at: int, frames: int, spans: Spans) -> Block:
        """Frames ``at`` to ``at + frames``, limited.

        ``spans`` is asked for the gains of whole blocks of the grid, from ``reach`` frames before on.
        """
        end = at + frames
        out = np.empty((frames, 2), dtype=np.float32)
        places = range(at // GRID, (end - 1) // GRID + 1)
        mixed = [self._mix(place, spans) for place in range(places.start - self._back, places.stop)]
        for index, place in enumerate(in_turns(places)):
            first, last = max(at, place * GRID), min(end, (place + 1) * GRID)
            block = self._wet_block(place, mixed[index : index + self._back + 1])
            out[first - at : last - at] = block[first - place * GRID : last - place * GRID]
        return finish(out * _gain(Mix.loudness, spans(at, end), at, frames))

    def _wet_block(self, place: int, mixed: list[Block]) -> Block:
        """One block of the grid with the echoes in it, of those before it and its own without."""
        kept = self._wet  # the last one is enough for who asks for a little at a time
        if kept is None or kept[0] != place or any(map(is_not, kept[1], mixed)):
            sound = np.concatenate(mixed)
            kept = self._wet = place, mixed, self._room.wet(sound[self._back * GRID - self._room.tail :])
        return kept[2]

    def _mix(self, place: int, spans: Spans) -> Block:
        """One block of the grid without echoes, all buses with their gains."""
        first, last = place * GRID, (place + 1) * GRID
        buses = ((bus, self._sounding(bus, first, last)) for bus in sorted(self._buses))
        sounds = tuple((bus, tones) for bus, tones in buses if tones)
        gains = tuple(spans(first, last))
        kept = self._mixed.get(place)
        if kept is None or kept[:2] != (sounds, gains):
            out = np.zeros((GRID, 2), dtype=np.float32)
            for bus, tones in in_turns(sounds):
                gain = _gain(partial(Mix.curve, bus=bus), gains, first, GRID)
                if gain.any():
                    out += self._dry_block(bus, tones, place) * gain
            kept = self._mixed[place] = sounds, gains, out
        return kept[2]

    def _dry_block(self, bus: Bus, tones: tuple[Tone, ...], place: int) -> Block:
        kept = self._dry.get((bus, place))
        if kept is None or kept[0] != tones:
            kept = self._dry[bus, place] = tones, mix(self._band(bus[2]), tones, place * GRID, GRID)
        return kept[1]

    def _sounding(self, bus: Bus, start: int, end: int) -> tuple[Tone, ...]:
        """Tones that sound, echoes apart, between two frames."""
        return tuple(one.tone for one in self._buses[bus] if one.tone.start < end and one.end > start)


def _gain(
    curve: Callable[[Mix, int, int], Curve], spans: Sequence[Span], at: int, frames: int
) -> npt.NDArray[np.float32]:
    """One curve out of several spans, to multiply a block with: ``(frames, 1)``, or ``()`` if steady."""
    if len(spans) == 1:
        whole = np.asarray(curve(spans[0][1], at, frames))
    else:
        whole = np.empty(frames)
        for index, (since, gains) in enumerate(spans):
            first = max(since, at)
            last = spans[index + 1][0] if index + 1 < len(spans) else at + frames
            whole[first - at : last - at] = curve(gains, first, last - first)
    return (whole[:, None] if whole.ndim else whole).astype(np.float32)
