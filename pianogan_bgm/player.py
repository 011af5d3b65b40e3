"""BackgroundMusic: music in a pygame game. The only thread, and the only pygame, of this package.

Rules of this module:

* The game's calls never wait: they append a request and wake the thread.
* Every call into the mixer happens under ``_LOCK`` and after looking whether the mixer is still there.
  ``pygame.mixer.quit`` and ``pygame.quit`` are wrapped to take the same lock: the mixer would crash if a
  channel were used while it closes.
* After a fork the child's players are mute; the device belongs to the parent.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, Final

import pygame

from pianogan_bgm.checks import whole
from pianogan_bgm.composer import Source
from pianogan_bgm.conductor import EVENT_KINDS, Event, Place
from pianogan_bgm.engine import Control, Engine, Sink, Stats, copied
from pianogan_bgm.errors import InvalidSetting
from pianogan_bgm.json_rules import short
from pianogan_bgm.mixer import usable_mixer
from pianogan_bgm.music import Music, Request
from pianogan_bgm.pages import Pages, Silent
from pianogan_bgm.state import State
from pianogan_bgm.turns import be_polite

CLOSE_SECONDS: Final = 3.0
COOL_DOWN: Final = 1.0

log = logging.getLogger("pianogan_bgm")


class _Lock:
    """The lock around the mixer; new after a fork, where another thread may have held it."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class _Bell:
    """Wakes the thread. A bare lock, because ``threading.Event`` costs the caller several times as much."""

    def __init__(self) -> None:
        self._quiet = threading.Lock()
        self._quiet.acquire()
        self.rung = False
        """Whether the next wait will return at once."""

    def ring(self) -> None:
        """Wake the waiter, or let its next wait return at once."""
        if self.rung:  # waking is what costs, so it is done once however many calls a frame makes
            return
        self.rung = True
        try:  # noqa: SIM105  quicker than contextlib.suppress, for the game's thread
            self._quiet.release()
        except RuntimeError:  # two threads rang at once
            pass

    def wait(self, seconds: float | None) -> None:
        """Wait for a ring, at most ``seconds``. What was sent before a ring is to be looked at after this."""
        self._quiet.acquire(timeout=-1 if seconds is None else seconds)
        self.rung = False


_LOCK: Final = _Lock()
_players: weakref.WeakSet[_Worker] = weakref.WeakSet()
_gone_at: float | None = None
_spare: Final[set[int]] = set()
"""Channels of players that are closed: the next one takes them, so that making players costs no channels."""


class _Worker:
    """The thread of one player and what it shares with the game's."""

    def __init__(self, make: Callable[[Callable[[Sink], Sink]], Engine]) -> None:
        self.engine = make(_find_sink)
        self._requests: deque[Request | Control] = self.engine.requests
        self._wake = _Bell()
        self._thread: threading.Thread | None = None
        self._closing = False
        _players.add(self)

    def send(self, *requests: Request | Control) -> None:
        """Queue requests and wake the thread; nothing after closing."""
        # A game's call comes once a frame, when nothing of it is in the processor's caches: what it costs
        # is how much it touches. So no look at what seldom matters, and no further call if one has rung.
        self._requests.extend(requests)
        wake = self._wake
        if not wake.rung:
            if self._thread is None:
                self._begin()
            wake.ring()

    def _begin(self) -> None:
        if not self._closing:
            self._thread = threading.Thread(target=self._run, name="pianogan-bgm", daemon=True)
            self._thread.start()

    def _drop(self) -> None:
        """Take no more requests."""
        self._closing = True
        self._requests = deque(maxlen=0)

    def _run(self) -> None:
        be_polite()
        while not self._closing:
            wait: float | None = 0.1
            try:
                wait = self.engine.tick()
            except Exception as error:
                log.exception("the music stumbled and goes on")
                self.engine.stats.failed(f"{type(error).__name__}: {error}")
            self._wake.wait(wait)
        self._leave()  # again, if close() did not wait for something that took long

    def close(self) -> None:
        """End the thread and leave the channel; safe to call twice, from any thread."""
        self._drop()
        self._wake.ring()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_SECONDS)
        self._leave()

    def _leave(self) -> None:
        """Fall silent, with nothing left to do."""
        self.engine.sink.give_back()
        self.engine.pulse = None
        if self._thread is None or not self._thread.is_alive() or self._thread is threading.current_thread():
            self.engine.requests.clear()  # nobody else takes of them

    def forked(self) -> None:
        """In the child of a fork: no thread, no device."""
        self._drop()
        self._thread = None
        self._wake = _Bell()
        self.engine.sink, self.engine.serving = Silent(), False
        self._leave()


def _find_sink(present: Sink) -> Sink:
    """The sink for the mixer as it is now: the present one if it still fits."""
    global _gone_at  # noqa: PLW0603  one mixer a process
    with _LOCK:
        form: tuple[int, int, int] | None = usable_mixer(pygame).get_init()
        if form is None:
            _gone_at = None
        elif _gone_at is not None and perf_counter() - _gone_at < COOL_DOWN:
            form = None  # a quit is under way that did not come through our wrapper
        if isinstance(present, Pages) and form == present.format:
            return present
        if form is None:
            return present if isinstance(present, Silent) else Silent(present.rate)
        _gone_at = None
        try:
            pages = Pages(pygame.mixer, pygame.sndarray.samples, _LOCK, spare=_spare)
        except (pygame.error, ValueError, RuntimeError) as error:
            log.warning("no sound: the mixer's format %s cannot be used: %s", form, error)
            return present if isinstance(present, Silent) else Silent(present.rate)
        pygame.register_quit(_mixer_goes)
        return pages


def _mixer_goes() -> None:
    """Just before pygame closes the mixer: no channel is touched from now on."""
    global _gone_at  # noqa: PLW0603
    with _LOCK:
        _gone_at = perf_counter()
        _spare.clear()
        for worker in list(_players):
            sink = worker.engine.sink
            if isinstance(sink, Pages):
                sink.leave()


@contextlib.contextmanager
def _quitting() -> Iterator[None]:
    global _gone_at  # noqa: PLW0603
    with _LOCK:
        _mixer_goes()
        yield
        _gone_at = None


def _guard(module: Any) -> None:
    """Wrap ``module.quit`` once, so that it takes the lock."""
    original = module.quit
    if getattr(original, "_pianogan", False):
        return

    def quit() -> None:  # the name of what it stands for
        with _quitting():
            original()

    quit.__doc__ = original.__doc__
    quit._pianogan = True  # type: ignore[attr-defined]  # marks the wrapper
    module.quit = quit


@atexit.register
def _close_all() -> None:
    for worker in list(_players):
        worker.close()


def _after_fork() -> None:
    _LOCK.renew()
    for worker in list(_players):
        worker.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class BackgroundMusic(Music):
    """Endless piano music for a pygame game; see :class:`~pianogan_bgm.music.Music` for what it takes.

    Opens the mixer if the game has not, keeps time silently where that fails (:attr:`silent`). Every call
    returns at once; sound is made on one thread, on a channel above the game's own.
    """

    def __init__(self, piece: Source | None = None, **settings: Any) -> None:
        super().__init__(piece, **settings)
        self._listeners: dict[str, list[Callable[[Event], None]]] = {kind: [] for kind in EVENT_KINDS}
        self._event_type: int | None = None
        self._end_type: int | None = None
        mixer = usable_mixer(pygame)
        _guard(mixer)
        _guard(pygame)
        if mixer.get_init() is None:
            try:
                mixer.init()
            except pygame.error as error:
                log.warning("no sound: %s; keeping time silently", error)
        composer, tell = self._composer, _weak_tell(self)
        asked = self._agenda.latest
        source, settled_on = (asked.piece, asked.mood), self._settings()
        self._worker = _Worker(
            lambda find: Engine(composer, find, perf_counter, tell, source, settings=settled_on)
        )
        # shorter ways for the game's thread
        self._engine, self._send = self._worker.engine, self._worker.send  # type: ignore[method-assign]
        weakref.finalize(self, _Worker.close, self._worker)
        self._worker.send(Control.WARM)

    def close(self) -> None:
        """Stop and end the thread; the player cannot be used afterwards. Done by itself at exit."""
        self._worker.close()

    def __enter__(self) -> BackgroundMusic:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, *requests: Request) -> None:
        self._worker.send(*requests)

    def _here(self) -> Place | None:
        pulse = self._engine.pulse
        if pulse is None:
            return None
        if pulse.paused:
            return pulse.place
        # between two ticks of the thread the music goes on at its pace
        state, step, pace = pulse.place
        return Place(state, step + (perf_counter() - pulse.time) * pulse.rate / pace, pace)

    def _state(self) -> State | None:
        pulse = self._engine.pulse
        return None if pulse is None else pulse.place.state

    def _came(self) -> int:
        return self._engine.came

    def pause(self) -> None:
        """Hold the music where it is."""
        self._worker.send(Control.PAUSE)

    def unpause(self) -> None:
        """Go on."""
        self._worker.send(Control.UNPAUSE)

    def get_busy(self) -> bool:
        """Whether music plays and is not held."""
        engine = self._engine
        waiting = engine.expects_sound() or engine.serving  # in this order: one is served before it is taken
        pulse = engine.pulse
        return waiting or (pulse is not None and not pulse.paused)

    def get_pos(self) -> int:
        """Milliseconds played since :meth:`play`, −1 while nothing plays; what pygame's counts, too."""
        pulse = self._engine.pulse
        if pulse is None:
            return -1
        since = 0.0 if pulse.paused else perf_counter() - pulse.time
        # what was told to play is heard a tenth of a second later
        return max(0, int(((pulse.frame - self._engine.began) / pulse.rate + since) * 1000.0))

    def set_endevent(self, event_type: int | None = None) -> None:
        """Post an event of this type when the music ends; none without an argument."""
        if event_type is not None:
            whole("event_type", event_type, 0, pygame.NUMEVENTS - 1)
        self._end_type = event_type

    def get_endevent(self) -> int:
        """The type set, or ``pygame.NOEVENT``."""
        return pygame.NOEVENT if self._end_type is None else self._end_type

    @property
    def stats(self) -> Stats:
        """What was counted so far."""
        return copied(self._engine.stats)

    @property
    def silent(self) -> bool:
        """Whether there is no device and time is kept silently."""
        return not self._engine.sink.audible

    # --- events -------------------------------------------------------------------------------------

    @property
    def event_type(self) -> int:
        """The pygame event type of music events; asking for it starts posting them.

        Attributes of the event: ``kind``, ``bar``, ``beat``, ``step``, ``piece``, ``scene``, as of
        :class:`~pianogan_bgm.state.Event`. They arrive when they are heard.
        """
        if self._event_type is None:
            self._event_type = pygame.event.custom_type()
        return self._event_type

    def on(self, kind: str, listener: Callable[[Event], None]) -> Callable[[Event], None]:
        """Call ``listener`` with every :class:`~pianogan_bgm.state.Event` of ``kind``; returns it.

        On the music's thread: be brief.
        """
        if kind not in self._listeners:
            raise InvalidSetting(f"kind must be one of {', '.join(EVENT_KINDS)}; got {kind!r}")
        if not callable(listener):
            raise InvalidSetting(f"a listener must be callable; got {short(listener)}")
        self._listeners[kind].append(listener)
        return listener

    def _heard(self, event: Event) -> None:
        for listener in self._listeners[event.kind]:
            try:
                listener(event)
            except Exception as error:
                self._engine.stats.failed(f"listener of {event.kind}: {error!r}")
        if self._event_type is not None:
            names = ("kind", "bar", "beat", "step", "piece", "scene")
            self._post(self._event_type, {name: getattr(event, name) for name in names})
        if self._end_type is not None and event.kind == "end":
            self._post(self._end_type, {})

    def _post(self, kind: int, fields: dict[str, Any]) -> None:
        try:
            pygame.event.post(pygame.event.Event(kind, fields))
        except pygame.error:  # no window yet, or its queue is full
            self._engine.stats.events_dropped += 1


def _weak_tell(player: BackgroundMusic) -> Callable[[Event], None]:
    """Tell ``player`` as long as it lives; the thread must not keep it alive."""
    reference = weakref.ref(player)

    def tell(event: Event) -> None:
        there = reference()
        if there is not None:
            there._heard(event)

    return tell
