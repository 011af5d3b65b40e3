"""Sinks: where rendered sound goes, and how far it has been heard.

:class:`Pages` plays through a mixer: two long-lived Sounds queued in turn on one channel, whose memory is
written in place ahead of the play cursor. :class:`Silent` plays nowhere and keeps time. Neither imports
pygame: the player hands the mixer in. All calls come from the player's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from math import ceil
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm.bus import to_format
from pianogan_bgm.instruments.tones import Block

PAGE_SECONDS: Final = 4.0
"""Longer than any stall of the game that is to go unheard; the hand-over of a page needs the GIL."""
SAFETY_SECONDS: Final = 0.045
"""Nearer to the cursor nothing is written: the mixer reads ahead by its buffer, and clocks are estimates."""
EARLY_SECONDS: Final = 0.25
"""A page that ends this much before its time was not played out: someone stopped the channel."""
LATE_SECONDS: Final = 0.03


class Cursor:
    """Which frame is being read now, from the times at which pages were seen to turn.

    Between two turns it runs at the rate measured so far; a turn is known to lie between the last look
    before it and the look that saw it, and the prediction is held to that span. So one late look (the game
    held the GIL) does not move it.
    """

    def __init__(self, rate: int, now: float, frame: int, page: int) -> None:
        self.rate = rate
        self._speed = float(rate)
        self._since = now
        self._slack = 0.0
        self._frame = frame
        self._page = page
        self._looked = now
        self._sharp = True
        self._paused: float | None = None

    def at(self, now: float) -> int:
        """The furthest frame that may be read at ``now``, never beyond the page that is playing.

        A device that was slow for a while (a busy machine) may be on time again, so the measured speed
        counts only where it is above the nominal one.
        """
        return self._reached(now, max(self._speed, self.rate))

    def heard(self, now: float) -> int:
        """The frame that is most likely read at ``now``."""
        return self._reached(now, self._speed)

    def _reached(self, now: float, speed: float) -> int:
        elapsed = (self._paused or now) - self._since
        return self._frame + min(max(0, int(elapsed * speed)), self._page)

    def surely(self, now: float) -> int:
        """A frame that was read by ``now`` even if the page turned only when it was seen to."""
        return max(self._frame, self.heard(now) - ceil(self._slack * self.rate))

    @property
    def due(self) -> float:
        """When the page should turn at the earliest."""
        return self._since + self._page / max(self._speed, self.rate)

    def look(self, now: float) -> None:
        """The page has not turned yet."""
        self._looked = now

    def turned(self, now: float) -> None:
        """The page has turned since the last look."""
        sharp = now - self._looked < LATE_SECONDS
        began = min(max(self.due, self._looked), now)
        if sharp and self._sharp:
            measured = self._page / max(began - self._since, 1e-3)
            limits = 0.97 * self.rate, 1.03 * self.rate
            self._speed = min(max(0.5 * self._speed + 0.5 * measured, limits[0]), limits[1])
        self._since, self._frame, self._sharp = began, self._frame + self._page, sharp
        self._slack = now - began
        self._looked = now

    def pause(self, now: float) -> None:
        """Time stops."""
        self._paused = self._paused or now

    def unpause(self, now: float) -> None:
        """Time goes on."""
        if self._paused is not None:
            self._since += now - self._paused
            self._looked = now
            self._sharp = False
            self._paused = None


class Silent:
    """No device: keeps time, drops sound."""

    audible: Final = False

    def __init__(self, rate: int = 44100) -> None:
        self.rate = rate
        self.playing = False
        self._cursor = Cursor(rate, 0.0, 0, 1 << 62)

    def start(self, at: int, block: Block, now: float) -> None:
        """Begin at frame ``at``."""
        self._cursor = Cursor(self.rate, now, at, 1 << 62)
        self.playing = True

    def stop(self) -> None:
        """Stop; time no longer matters."""
        self.playing = False

    def give_back(self) -> None:
        """Stop: there is nothing to leave to the next player."""
        self.stop()

    def cursor(self, now: float) -> int:
        """Frame heard at ``now``, if anything were."""
        return self._cursor.at(now)

    def heard(self, now: float) -> int:
        """The same."""
        return self._cursor.at(now)

    def surely(self, now: float) -> int:
        """The same."""
        return self._cursor.at(now)

    def pause(self, now: float) -> None:
        """Stop time."""
        self._cursor.pause(now)

    def unpause(self, now: float) -> None:
        """Let time go on."""
        self._cursor.unpause(now)

    def poll(self, now: float) -> bool:
        """Nothing can happen to it."""
        return True

    def next_look(self, now: float) -> float:
        """Seconds until :meth:`poll` is wanted."""
        return 1.0

    @property
    def end(self) -> int:
        """First frame that cannot be written yet."""
        return 1 << 62

    def write(self, at: int, block: Block) -> None:
        """Nothing to write to."""

    def rewrite(self, at: int, block: Block, until: int, clock: Callable[[], float]) -> bool:
        """Always in time."""
        return True


class Pages:
    """Two Sounds in the mixer's format on a channel above the game's own.

    ``mixer``: the module ``pygame.mixer``. ``samples``: ``pygame.sndarray.samples``. ``lock``: held around
    every call into the mixer, and by whoever quits it. ``spare``: indices of channels that others like this
    have given back, to be taken before a new one is made.
    """

    audible: Final = True

    def __init__(
        self,
        mixer: Any,
        samples: Callable[[Any], npt.NDArray[Any]],
        lock: AbstractContextManager[Any],
        seconds: float = PAGE_SECONDS,
        spare: set[int] | None = None,
    ) -> None:
        self._mixer, self._lock = mixer, lock
        self._spare = set() if spare is None else spare
        self.format: tuple[int, int, int] = mixer.get_init()
        self.rate, size, self._channels = self.format
        self._size = 32 if abs(size) == 32 else size
        self.page: int = ceil(seconds * self.rate)
        silence = to_format(np.zeros((self.page, 2), np.float32), self._size, self._channels)
        self._sounds = [mixer.Sound(buffer=silence.tobytes()) for _ in range(2)]
        self._views = [samples(sound) for sound in self._sounds]
        self._silence = silence[:1]
        self._channel: Any = None
        self._index = -1
        self._origin = 0
        self._turns = 0
        self._cursor = Cursor(self.rate, 0.0, 0, self.page)
        self.playing = False

    def start(self, at: int, block: Block, now: float) -> None:
        """Play from frame ``at`` on, whose first frames are ``block``."""
        self.stop()
        for view in self._views:
            view[:] = self._silence
        self._origin, self._turns = at, 0
        self.write(at, block)
        with self._lock:
            if self._mixer.get_init() == self.format:
                self._claim()
                self._channel.play(self._sounds[0])
                self._channel.queue(self._sounds[1])
            else:  # closed a moment ago: the next look finds the channel lost
                self._channel = None
        self._cursor = Cursor(self.rate, now, at, self.page)
        self.playing = True

    def _claim(self) -> None:
        """A channel of our own: the old one, else one given back, else a new one above all others."""
        count = self._mixer.get_num_channels()
        if self._channel is None or self._index >= count or self._channel.get_sound() is not None:
            spare = (n for n in sorted(self._spare) if n < count and not self._mixer.Channel(n).get_busy())
            self._index = next(spare, count)
            self._spare.discard(self._index)
            if self._index == count:
                self._mixer.set_num_channels(count + 1)
            self._channel = self._mixer.Channel(self._index)
        self._channel.set_volume(1.0)

    def stop(self) -> None:
        """Fall silent."""
        self.playing = False
        self._halt()

    def _halt(self) -> None:
        """Stop the channel. Twice, because pygame-ce starts the queued Sound at the first."""
        with self._lock:
            if self._ours():
                self._channel.stop()
                if self._ours():
                    self._channel.stop()

    def give_back(self) -> None:
        """Fall silent for good and leave the channel to the next player."""
        with self._lock:
            self.stop()
            if self._channel is not None and self._here() and self._channel.get_sound() is None:
                self._spare.add(self._index)
            self._channel = None

    def leave(self) -> None:
        """The mixer closes: stop and touch it no more; the next :meth:`poll` says so.

        Called from another thread: :attr:`playing` stays as it is at every moment, for the music's thread
        would go to sleep for good if it saw it false.
        """
        self._halt()
        self._channel = None

    def cursor(self, now: float) -> int:
        """The furthest frame the mixer may read at ``now``."""
        return self._cursor.at(now)

    def heard(self, now: float) -> int:
        """The frame the mixer most likely reads at ``now``."""
        return self._cursor.heard(now)

    def surely(self, now: float) -> int:
        """Frame the mixer has read by ``now`` at the least."""
        return self._cursor.surely(now)

    def pause(self, now: float) -> None:
        """Hold the channel."""
        with self._lock:
            if self._ours():
                self._channel.pause()
        self._cursor.pause(now)

    def unpause(self, now: float) -> None:
        """Let the channel go on."""
        with self._lock:
            if self._ours():
                self._channel.unpause()
        self._cursor.unpause(now)

    def _here(self) -> bool:
        return bool(self._mixer.get_init() == self.format and self._mixer.get_num_channels() > self._index)

    def _ours(self) -> bool:
        """Whether there is a channel still, and it plays one of our Sounds."""
        if self._channel is None or not self._here():
            return False
        sound = self._channel.get_sound()
        return sound is self._sounds[0] or sound is self._sounds[1]

    def poll(self, now: float) -> bool:
        """See whether a page has turned and queue the free one; False once the channel is lost."""
        with self._lock:
            if self._channel is None or not self._here():
                return False
            waiting = self._channel.get_queue() is not None
            playing = self._channel.get_sound()
            if waiting:
                self._cursor.look(now)
                return playing is self._sounds[self._turns % 2]
            early = now < self._cursor.due - EARLY_SECONDS
            if early or playing is not self._sounds[(self._turns + 1) % 2]:
                return False
            free = self._turns % 2
            self._views[free][:] = self._silence
            self._channel.queue(self._sounds[free])
        self._turns += 1
        self._cursor.turned(now)
        return True

    def next_look(self, now: float) -> float:
        """Seconds until :meth:`poll` is wanted: often while a page is about to turn."""
        wait = self._cursor.due - now
        return wait - LATE_SECONDS if wait > 2 * LATE_SECONDS else 0.008

    @property
    def end(self) -> int:
        """First frame that cannot be written yet: its page is still playing something older."""
        return self._origin + (self._turns + 2) * self.page

    def write(self, at: int, block: Block) -> None:
        """Put ``block`` where frame ``at`` will be read."""
        for view, place, part in reversed(self._split(at, block)):
            view[place : place + len(part)] = part

    def rewrite(self, at: int, block: Block, until: int, clock: Callable[[], float]) -> bool:
        """Replace everything from frame ``at`` on by ``block`` and silence up to frame ``until``.

        False, with nothing changed, if by ``clock`` the cursor has come too near. The page played later is
        written first, so that a stall in between leaves either all of the old or a cursor that tells.
        """
        parts = self._split(at, block)
        limit = at - round(SAFETY_SECONDS * self.rate)
        if (now := clock()) >= self._cursor.due:
            self.poll(now)  # if the page has turned unseen, the cursor is further than it says
        if self._cursor.at(clock()) > limit:
            return False
        for view, place, count in reversed(list(self._spans(at + len(block), until))):
            view[place : place + count] = self._silence
        for view, place, part in reversed(parts):
            view[place : place + len(part)] = part
        return True

    def _split(self, at: int, block: Block) -> list[tuple[npt.NDArray[Any], int, npt.NDArray[Any]]]:
        """The pages a block falls into, with the place in each, in time order."""
        pcm = to_format(block, self._size, self._channels)
        parts = []
        for view, place, count in self._spans(at, at + len(pcm)):
            part, pcm = pcm[:count], pcm[count:]
            parts.append((view, place, part))
        return parts

    def _spans(self, at: int, end: int) -> Iterator[tuple[npt.NDArray[Any], int, int]]:
        """The pages that frames ``at`` to ``end`` fall into, with the place and the frames in each."""
        while at < end:
            number, place = divmod(at - self._origin, self.page)
            count = min(end - at, self.page - place)
            yield self._views[number % 2], place, count
            at += count
