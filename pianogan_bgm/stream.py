"""Stream: the same music without pygame or a thread, as PCM blocks on request."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any, Final

from pianogan_bgm import commands as c
from pianogan_bgm.checks import whole
from pianogan_bgm.composer import Source
from pianogan_bgm.conductor import Conductor, Event, Place
from pianogan_bgm.engine import COMPOSE_AGAIN, Band
from pianogan_bgm.instruments import RATES
from pianogan_bgm.instruments.tones import Block
from pianogan_bgm.music import Desk, Music, Request, commands_of
from pianogan_bgm.state import State

KEPT_EVENTS: Final = 10_000
"""Of those that nobody asks for; a quarter of an hour of them."""

log = logging.getLogger("pianogan_bgm")


class Stream(Music):
    """Background music pulled by whoever has a use for PCM: pyglet, arcade, raylib, a server, a test.

    Takes what :class:`~pianogan_bgm.music.Music` takes, and ``rate`` in Hz. Verbs take effect with the next
    frame that :meth:`fill` gives. The same verbs at the same frames give the same samples, in blocks of any
    size. Not for two threads at once.
    """

    def __init__(self, piece: Source | None = None, *, rate: int = 44100, **settings: Any) -> None:
        super().__init__(piece, **settings)
        self.rate = whole("rate", rate, *RATES)
        self.frame = 0
        self._conductor = Conductor(rate, Band(rate), State(rate))
        self._forgotten = 0
        self._compose_again = 0
        self._events: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self._send(*self._settings())

    def fill(self, frames: int) -> Block:
        """The next ``frames`` frames, float32 ``(frames, 2)`` in −1 to 1; silence while nothing plays."""
        whole("frames", frames, 0)
        self._supply(self.frame + frames)
        block = self._conductor.render(self.frame, frames)
        self._events += self._conductor.events(self.frame, self.frame + frames)
        self.frame += frames
        if self.frame > self._forgotten + self.rate:
            self._conductor.forget(self.frame)
            self._forgotten = self.frame
        return block

    def events(self) -> list[Event]:
        """What was in the blocks given since the last call, in order, with frames; the last 10,000 of it."""
        events = list(self._events)
        self._events.clear()
        return events

    def _supply(self, until: int) -> None:
        """Compose what endless music wants before ``until``, at frames that no block size shifts."""
        at = self.frame
        while True:
            wanted = self._conductor.wants_at(max(at, self._compose_again), until)
            if wanted is None:
                return
            at, after, mood = wanted
            try:
                tune = self._composer.following(mood)
            except Exception as error:  # as in a game: the present piece is repeated instead
                log.warning("%s: %s", type(error).__name__, error)
                self._compose_again = at + round(COMPOSE_AGAIN * self.rate)
                continue
            self._conductor.send(c.Queue(tune, related=True, after=after, drawn=True), at)

    def _send(self, *requests: Request) -> None:
        for request in requests:
            for command in commands_of(request, self._desk):
                self._conductor.send(command, self.frame)

    def _desk(self) -> Desk:
        return Desk(self._composer, self._conductor.settled_at(self.frame))

    def _here(self) -> Place | None:
        place = self._conductor.place(self.frame)
        return place if place.state.running else None

    def _came(self) -> int:
        return self._conductor.settled_at(self.frame).came

    def _to_save(self) -> Place | None:
        place = self._conductor.place(self.frame, self._conductor.settled_at(self.frame))
        return place if place.state.running else None

    def _plays(self) -> bool:
        return self._conductor.settled_at(self.frame).deck is not None

    def get_busy(self) -> bool:
        """Whether the next block will hold music."""
        self._conductor.advance(self.frame + 1)  # what was told for this frame
        silent = self._conductor.silent_from()
        return silent is None or silent > self.frame
