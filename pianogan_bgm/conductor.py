"""The conductor: commands in, PCM and events out, pulled in frames. No thread, no clock, no device.

Rules, on which exact streaming rests:

* What is heard is a pure function of the commands and the frames they were sent for (:mod:`rules` and
  :mod:`steps` decide, :mod:`mixdown` sounds). Asking in blocks of any size, in any order within what is kept,
  gives the same samples as one whole render.
* A command for a frame that was already rendered goes back to that frame: every step and command is kept with
  the state before it until :meth:`Conductor.forget`.
* At one frame commands come first, in the order they were sent, then the end of a fade, then the step.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from typing import NamedTuple

from pianogan_bgm.commands import Command
from pianogan_bgm.instruments.tones import Block
from pianogan_bgm.mixdown import GRID, STINGER_DECK, Band, Mixdown, Span
from pianogan_bgm.room import SMALL_ROOM, Room, reverb
from pianogan_bgm.rules import apply, silence
from pianogan_bgm.state import EVENT_KINDS, Event, Out, State
from pianogan_bgm.steps import step
from pianogan_bgm.turns import breathe

__all__ = ["EVENT_KINDS", "Conductor", "Event", "Place", "State"]


@dataclass(frozen=True, order=True, slots=True)
class _Sent:
    frame: int
    number: int
    command: Command = field(compare=False)


@dataclass(frozen=True, slots=True)
class _Moment:
    """Something decided at ``frame``: the state before it, the command if it was one, its events."""

    frame: int
    before: State
    sent: _Sent | None
    events: tuple[Event, ...]


class Place(NamedTuple):
    """Where the music is at a frame: ``step`` of the piece with its fraction, and frames a step."""

    state: State
    step: float
    pace: float


class Conductor:
    """Plays pieces as commands say, at ``rate`` frames a second, on the instruments of ``band``.

    ``state``: where to start from; by default silence at frame 0. ``room``: what they stand in.
    """

    def __init__(self, rate: int, band: Band, state: State | None = None, room: Room = SMALL_ROOM) -> None:
        self.rate = rate
        self._now = state or State(rate)
        self._mixdown = Mixdown(band, reverb(rate, room))
        self._moments: list[_Moment] = []
        self._waiting: list[_Sent] = []
        self._number = 0
        self._until = 0
        self._horizon = 0

    def send(self, command: Command, at: int) -> int:
        """Apply ``command`` at frame ``at``; returns its number, for :meth:`retract`.

        Raises ``ValueError`` for a frame before what :meth:`forget` let go.
        """
        if at < self._horizon:
            raise ValueError(f"frame {at} is forgotten; frames from {self._horizon} on can be changed")
        self._rewind(at)
        self._number += 1
        insort(self._waiting, _Sent(at, self._number, command))
        return self._number

    def retract(self, number: int) -> None:
        """Take back the command of that number, as if it had never been sent."""
        for sent in [one.sent for one in self._moments if one.sent] + self._waiting:
            if sent.number == number:
                self._rewind(sent.frame)
                self._waiting.remove(sent)
                return

    def advance(self, until: int) -> None:
        """Decide everything that begins before frame ``until``."""
        while (frame := self._next()) is not None and frame < until:
            breathe()
            before = self._now
            sent: _Sent | None = None
            if self._waiting and self._waiting[0].frame <= frame:
                sent = self._waiting.pop(0)
                out = apply(before, sent.command, frame)
            elif before.ends_at == frame:
                out = silence(before, frame)
            else:
                out = step(before)
            self._decide(frame, sent, out)
        self._until = max(self._until, until)

    def render(self, at: int, frames: int) -> Block:
        """Frames ``at`` to ``at + frames``, float32 ``(frames, 2)``, within ±1."""
        self.advance(-(-(at + frames) // GRID) * GRID)
        return self._mixdown.render(at, frames, self._mixes)

    def events(self, first: int, last: int) -> list[Event]:
        """Events heard from frame ``first`` up to, not including, ``last``; decided ones only."""
        return [event for moment in self._moments for event in moment.events if first <= event.frame < last]

    def state_at(self, frame: int) -> State:
        """The state that holds at ``frame``."""
        self.advance(frame + 1)
        index = bisect_right(self._moments, frame, key=lambda moment: moment.frame)
        return self._after(index - 1)

    def settled_at(self, frame: int) -> State:
        """The state after the commands at ``frame`` and before its step, which comes after any command."""
        self.advance(frame + 1)
        index = bisect_left(self._moments, frame, key=lambda moment: moment.frame)
        while index < len(self._moments) and (one := self._moments[index]).frame == frame and one.sent:
            index += 1
        return self._after(index - 1)

    def place(self, frame: int, state: State | None = None) -> Place:
        """Where the music is at ``frame``, by its ``state`` there."""
        state = state or self.state_at(frame)
        if state.deck is None:
            return Place(state, 0.0, state.pace)
        back = min((state.step_at - frame) / state.pace, 1.0)  # a step is rounded to whole frames
        return Place(state, state.deck.pos - back, state.pace)

    @property
    def latest(self) -> State:
        """The state after all that is decided."""
        return self._now

    def wants_at(self, first: int, last: int) -> tuple[int, int, str | None] | None:
        """First frame from ``first`` on at which endless play should get its next piece, seen up to ``last``.

        With it the number of the deck that plays there and the mood. None if it has one, or none is wanted.
        """
        self.advance(last)
        index = bisect_right(self._moments, first, key=lambda moment: moment.frame) - 1
        for place in range(index, len(self._moments)):
            state = self._after(place)
            # a command at the moment's own frame would come before the step that made the state
            frame = first if place < 0 else max(first, self._moments[place].frame + 1)
            following = self._moments[place + 1].frame if place + 1 < len(self._moments) else last
            if frame < min(following, last) and state.endless and not state.queue and state.deck is not None:
                return frame, state.deck.number, state.mood
        return None

    def silent_from(self) -> int | None:
        """Frame from which nothing sounds unless a command comes; None while music goes on."""
        if self._waiting or self._now.plays:
            return None
        decks = {STINGER_DECK, *(fader.deck for fader in self._now.mix.faders)}
        ended = next((one.frame for one in reversed(self._moments) if one.before.plays), 0)
        # what rings is cut off there, but for what is not faded
        sounded = max(self._mixdown.last_end(decks), min(ended, self._mixdown.last_end()))
        return max(ended, sounded + self._mixdown.echo if sounded else 0)

    def forget(self, before: int) -> None:
        """Let go of what only frames before ``before`` need; they can be neither changed nor rendered."""
        needed = before - self._mixdown.reach  # a gain is heard as long as echoes are
        index = bisect_right(self._moments, needed, key=lambda moment: moment.frame) - 1
        if index > 0:
            del self._moments[:index]
        self._mixdown.forget(before)
        self._horizon = max(self._horizon, before)

    def release(self, before: int) -> None:
        """Let go of rendered sound before frame ``before``; whoever asks for it again has it made again."""
        self._mixdown.release(before)

    def _next(self) -> int | None:
        frames = [] if not self._now.running else [self._now.step_at]
        if self._now.ends_at is not None:
            frames.append(self._now.ends_at)
        if self._waiting:
            frames.append(self._waiting[0].frame)
        return min(frames, default=None)

    def _decide(self, frame: int, sent: _Sent | None, out: Out) -> None:
        self._mixdown.add(frame, out.voices)  # first: it may raise, for an instrument that cannot be loaded
        self._moments.append(_Moment(frame, self._now, sent, out.events))
        self._now = out.state

    def _rewind(self, frame: int) -> None:
        while self._moments and self._moments[-1].frame >= frame:
            moment = self._moments.pop()
            self._now = moment.before
            if moment.sent is not None:
                insort(self._waiting, moment.sent)
        self._mixdown.rewind(frame)
        self._until = min(self._until, frame)

    def _after(self, index: int) -> State:
        if index + 1 < len(self._moments):
            return self._moments[index + 1].before
        return self._now

    def _mixes(self, first: int, last: int) -> list[Span]:
        """The gains that hold over some frames, each from its first frame on."""
        index = bisect_right(self._moments, first, key=lambda moment: moment.frame)
        mixes = [(first, self._after(index - 1).mix)]
        for place in range(index, len(self._moments)):
            frame = self._moments[place].frame
            if frame >= last:
                break
            gains = self._after(place).mix
            if mixes[-1][0] == frame:
                mixes.pop()
            if not mixes or gains is not mixes[-1][1]:
                mixes.append((frame, gains))
        return mixes
