"""What the player's thread does, without the thread: requests in, sound rendered ahead, events told.

:meth:`Engine.tick` does a little work and says when it wants to be called again; the clock is handed in, so
a test can turn it by hand. The order of things in a tick matters: first the channel is looked after, then
requests, then sound ahead of the cursor, then what is heard by now is told.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from math import inf
from typing import Final, NamedTuple, Protocol

import numpy as np

from pianogan_bgm import commands as c
from pianogan_bgm.composer import Composer, Source
from pianogan_bgm.conductor import EVENT_KINDS, Conductor, Event, Place
from pianogan_bgm.instruments import Instrument, load
from pianogan_bgm.instruments.tones import Block
from pianogan_bgm.mixdown import GRID
from pianogan_bgm.music import Beginning, Desk, Request, commands_of
from pianogan_bgm.pages import SAFETY_SECONDS, Silent
from pianogan_bgm.rules import moved
from pianogan_bgm.turns import hurried

AHEAD_SECONDS: Final = 2.5
"""Sound kept rendered ahead of the cursor: what a stall of the thread may last unheard."""
COMMAND_SECONDS: Final = 1.0
"""Sound rendered at once with a command: what a stall right after it may last unheard."""
FIRST_SECONDS: Final = 0.2
READY_SECONDS: Final = 1.0
"""Of what will probably be played first so much is rendered beforehand, and its samples are decoded."""
REACTION_SECONDS: Final = 0.09
"""From a command to its effect in the stream; more where rendering turns out to take longer."""
LEAST_SECONDS: Final = 0.5
"""Of that, what is rendered before a look at the clock; the rest only as far as there is time for it."""
PUT_SECONDS: Final = 0.02
"""Left of the time before the cursor comes too near, this is for putting in place what is rendered."""
HURRY_SECONDS: Final = 0.015
"""A command's sound that takes longer hurries (:mod:`pianogan_bgm.turns`); so does what keeps it waiting."""
LOW_SECONDS: Final = 0.5
"""From when so little is ahead of the cursor, rendering hurries, too."""
ROW_SECONDS: Final = 0.6
"""Sound rendered with a command that follows another one closely: it will hardly be heard to its end."""
ROW_PAUSE: Final = 0.3
"""Seconds within which commands count as a row."""
COMMAND_PAUSES: Final = (0.03, 0.1)
"""Least and greatest pause between two re-renderings; between them four times as long as the last took."""
LOOK_AGAIN: Final = 0.5
"""Seconds between looks for a mixer while there is none."""
KEPT_SECONDS: Final = 2.0
COMPOSE_AGAIN: Final = 5.0
"""Seconds after which endless music is composed again where that failed."""

log = logging.getLogger("pianogan_bgm")


class Sink(Protocol):
    """Where sound goes; see :mod:`pianogan_bgm.pages`."""

    rate: int
    playing: bool

    @property
    def audible(self) -> bool:
        """Whether anything has to be rendered."""

    @property
    def end(self) -> int:
        """First frame that cannot be written yet."""

    def start(self, at: int, block: Block, now: float) -> None:
        """Play from frame ``at``."""

    def stop(self) -> None:
        """Fall silent."""

    def give_back(self) -> None:
        """Fall silent for good and leave what others may use."""

    def cursor(self, now: float) -> int:
        """Furthest frame that may be read now: nothing before it can be changed."""

    def heard(self, now: float) -> int:
        """Frame most likely read now: for events."""

    def surely(self, now: float) -> int:
        """Frame that has been read by now, if the cursor is an estimate."""

    def pause(self, now: float) -> None:
        """Hold."""

    def unpause(self, now: float) -> None:
        """Go on."""

    def poll(self, now: float) -> bool:
        """Look after the channel; False once it is lost."""

    def next_look(self, now: float) -> float:
        """Seconds until the next poll."""

    def write(self, at: int, block: Block) -> None:
        """Put sound ahead of the cursor."""

    def rewrite(self, at: int, block: Block, until: int, clock: Callable[[], float]) -> bool:
        """Replace sound ahead of the cursor, if there is time."""


class Control(Enum):
    """Requests that are about the channel, not about the music."""

    PAUSE = "pause"
    UNPAUSE = "unpause"
    WARM = "warm"


@dataclass(slots=True)
class Stats:
    """What the player counted since it was made.

    ``pages``: queued in the mixer. ``commands``: carried out. ``underruns``: times the cursor caught up with
    rendering; ``silent_frames`` were then heard as silence. ``late``: commands that took effect a little
    after their frame. ``retries``: commands moved back because rendering took too long. ``recoveries``: times
    the channel was lost and found again. ``events_dropped``: those that pygame's queue did not take.
    ``errors``: the last messages of requests and listeners that failed.
    """

    pages: int = 0
    commands: int = 0
    underruns: int = 0
    silent_frames: int = 0
    late: int = 0
    retries: int = 0
    recoveries: int = 0
    events_dropped: int = 0
    errors: list[str] = field(default_factory=list)

    def failed(self, what: str) -> None:
        """Keep a message; the last sixteen stay."""
        self.errors = [*self.errors[-15:], what]
        log.warning("%s", what)


class Pulse(NamedTuple):
    """What was heard at ``time``: the place, the sink's rate, whether time stands still."""

    time: float
    frame: int
    place: Place
    rate: int
    paused: bool


class Band:
    """Instruments of one rate by name."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._players: dict[str, Instrument] = {}

    def __call__(self, name: str) -> Instrument:
        """The instrument ``name``."""
        if name not in self._players:
            self._players[name] = load(name, self._rate)
        return self._players[name]


class Engine:
    """The work behind :class:`~pianogan_bgm.player.BackgroundMusic`, tick by tick.

    ``find``: given the present sink, the one to use now (the same if nothing has changed). ``tell``: called
    with every event when it is heard. ``first``: piece and mood that will probably be played first.
    ``settings``: commands that hold from the beginning.
    """

    def __init__(
        self,
        composer: Composer,
        find: Callable[[Sink], Sink],
        clock: Callable[[], float],
        tell: Callable[[Event], None],
        first: tuple[Source | None, str | None] = (None, None),
        *,
        settings: Sequence[c.Command] = (),
    ) -> None:
        self.requests: deque[Request | Control] = deque()
        self.stats = Stats()
        self.pulse: Pulse | None = None
        self.came = 0
        """Number of the play or transition heard last."""
        self.paused = False
        self.serving = False
        """Whether what may sound is being carried out: not in :attr:`requests` now, nor in :attr:`pulse`."""
        self.began = 0
        """Frame at which play was called last."""
        self.journal: list[tuple[int, c.Command]] | None = None
        self._composer, self._find, self._clock, self._tell = composer, find, clock, tell
        self._first = first
        self.sink: Sink = find(Silent())
        self._band = Band(self.sink.rate)
        self.conductor = Conductor(self.sink.rate, self._band)
        for command in settings:
            self.conductor.send(command, 0)
        self._frontier = 0
        self._told = 0
        self._last_at = 0
        self._put_off: list[c.Command] = []
        self._next_commit = 0.0
        self._compose_again = 0.0
        self._committed = 0.0
        self._looked = clock()
        self._forgot = 0

    def tick(self) -> float | None:
        """Work a little; returns the seconds after which to be called again, None for when asked to."""
        try:
            self._mind_sink()
            self._serve()
            if not self.sink.playing:
                self.pulse = None
                return None
            self._fill()
            self._listen()
        finally:
            self.serving = False
        return self._wait() if self.sink.playing else None

    def expects_sound(self) -> bool:
        """Whether a request waits by which something may sound; may be asked from any thread."""
        return any(map(sounds, tuple(self.requests)))

    # --- the channel --------------------------------------------------------------------------------

    def _mind_sink(self) -> None:
        now = self._clock()
        due = now - self._looked > LOOK_AGAIN and not self.sink.audible
        if not self.sink.playing:
            if self.requests or due:
                self._looked = now
                self._change(self._find(self.sink), now)
            return
        pages = self.sink.end
        if not self.sink.poll(now):
            self.stats.recoveries += 1
            self._change(self._find(self.sink), now, lost=True)
        elif due:
            self._looked = now
            self._change(self._find(self.sink), now)
        elif self.sink.end != pages:
            self.stats.pages += 1

    def _change(self, sink: Sink, now: float, lost: bool = False) -> None:
        """Go over to another sink, or start the same one again, from what is heard now."""
        old = self.sink
        if sink is old and not lost:
            return
        playing, at = old.playing, old.cursor(now) if old.playing else self._frontier
        old.playing = False
        if sink.rate != self.conductor.rate:
            at = self._retune(sink.rate, at, playing)
        self.sink = sink
        self._frontier = at
        if playing:
            self._start(at)
            if self.paused:
                sink.pause(self._clock())

    def _retune(self, rate: int, at: int, playing: bool) -> int:
        """A conductor of another rate that goes on from frame ``at`` of the present one; its frame."""
        if playing:
            at = max(at, self._last_at)  # what was commanded is not lost
            self._tell_until(at)
        here = self.conductor.place(at)
        self._band = Band(rate)
        self.conductor = Conductor(rate, self._band, moved(here.state, at, rate))
        if playing and here.state.deck is not None:
            self._send(c.Seek(here.step), 0)
        self._told = self._last_at = self._forgot = 0
        self.began = round((self.began - at) * rate / here.state.rate)
        return 0

    def _start(self, at: int) -> None:
        frames = self._grid(at + round(FIRST_SECONDS * self.sink.rate)) - at
        self.sink.start(at, self._render(at, frames), self._clock())
        self._frontier = at + frames

    # --- requests -----------------------------------------------------------------------------------

    def _serve(self) -> None:
        if self.sink.playing and self._clock() < self._next_commit:
            return
        waiting, self._put_off = self._put_off, []
        # those that come meanwhile wait, or a busy game would keep it here
        for _ in range(len(self.requests)):
            self.serving = self.serving or sounds(self.requests[0])
            request = self.requests.popleft()
            if request is Control.WARM:
                if not self.requests:  # otherwise there is no time for it
                    self._warm()
            elif isinstance(request, Control):
                if self.sink.playing or begins(waiting):
                    self._commit(waiting)
                    waiting = []
                self._hold(request is Control.PAUSE)
            else:
                waiting += self._resolve(request)
        if self.paused and self.sink.playing:
            heard = play_or_stop(waiting) is not None
        else:
            heard = self.sink.playing or begins(waiting)
        if not heard:  # the cursor stands: all at once when the music goes on, or begins
            self._put_off = latest(waiting)
        else:
            self._commit(waiting)

    def _resolve(self, request: Request) -> list[c.Command]:
        try:
            with hurried(self._slack()):
                return commands_of(request, self._desk)
        except Exception as error:  # whatever went wrong with one request, the music goes on
            self.stats.failed(f"{type(error).__name__}: {error}")
            return []

    def _desk(self) -> Desk:
        at = self._frontier
        if self.sink.playing:
            soon = self.sink.cursor(self._clock()) + round(REACTION_SECONDS * self.sink.rate)
            at = max(soon, self._last_at)
        return Desk(self._composer, self.conductor.settled_at(at))

    def _hold(self, paused: bool) -> None:
        self.paused = paused
        if self.sink.playing:
            (self.sink.pause if paused else self.sink.unpause)(self._clock())

    def _commit(self, commands: list[c.Command]) -> None:
        """Have ``commands`` take effect as soon as can be, all at one frame."""
        if not commands:
            return
        last = play_or_stop(commands)
        if self.paused and self.sink.playing and isinstance(last, c.Stop) and last is not commands[-1]:
            # held music is silent at once; what comes after the stop finds silence, as it would a frame later
            after = commands.index(last) + 1
            self._commit(commands[:after])
            self._commit(commands[after:])
            return
        self.stats.commands += len(commands)
        if not self.sink.playing:
            with hurried(HURRY_SECONDS, pressed=True):
                self._begin(commands)
            return
        began = self._clock()
        with hurried(HURRY_SECONDS, pressed=True):
            for reaction in reactions():
                if self._try(commands, reaction):
                    break
                self.stats.retries += 1
        self._committed = now = self._clock()
        shortest, longest = COMMAND_PAUSES
        self._next_commit = now + min(max(4.0 * (now - began), shortest), longest)
        if self.paused:
            self._let_go(commands)

    def _let_go(self, commands: list[c.Command]) -> None:
        """Music that is held goes on with a play; a stop leaves nothing to go on with."""
        last = play_or_stop(commands)
        state = self.conductor.state_at(self._last_at)
        if isinstance(last, c.Play):
            self._hold(False)
        elif last is not None and (state.ends_at is not None or not state.running):
            self._frontier = max(self._frontier, (state.ends_at or self._last_at) + 1)
            self.conductor.advance(self._frontier)
            self._tell_until(self._frontier, ("end",))
            self._fall_silent()
            self.paused = False

    def _begin(self, commands: list[c.Command]) -> None:
        at = self._last_at = self._frontier
        self._note_play(commands, at)
        for command in commands:
            self._send(command, at)
        if self.conductor.state_at(at).running:
            self.paused = False
            self._told = at
            self._start(at)

    def _try(self, commands: list[c.Command], reaction: float) -> bool:
        """Render with ``commands`` from a little after the cursor; False if that took too long."""
        rate = self.sink.rate
        at = self.sink.cursor(self._clock()) + round(reaction * rate)
        at = max(at, self._last_at)
        while self.sink.audible and self._frontier < at:  # what comes before the commands
            self._slice()
        numbers = [self.conductor.send(command, at) for command in commands]
        if not self.sink.audible:
            self.conductor.advance(at + rate)
        elif not self._replace(at):
            for number in numbers:
                self.conductor.retract(number)
            return False
        self._last_at = at
        self._note_play(commands, at)
        if self.journal is not None:
            self.journal += [(at, command) for command in commands]
        return True

    def _replace(self, at: int) -> bool:
        """Put new sound in place from frame ``at`` on; False if it is too late for that."""
        block = self._in_time(at)
        if not self.sink.rewrite(at, block, self._frontier, self._clock):
            return False
        self.stats.late += self.sink.cursor(self._clock()) > at
        self._frontier = at + len(block)
        return True

    def _in_time(self, at: int) -> Block:
        """Sound from frame ``at`` on: as much as a command wants, or as there is time to render.

        What is missing then follows slice by slice. Better a moment with little sound ahead than a command
        that comes late, because rendering took longer than it should (a busy machine, recordings to decode).
        """
        rate = self.sink.rate
        seconds = ROW_SECONDS if self._in_a_row() else COMMAND_SECONDS
        last = min(self._grid(at + round(seconds * rate)), self.sink.end)
        pressed = at - round((SAFETY_SECONDS + PUT_SECONDS) * rate)
        end = min(self._grid(at + round(LEAST_SECONDS * rate)), last)
        parts = [self.conductor.render(at, end - at)]
        while end < last and self.sink.cursor(self._clock()) < pressed:
            begin, end = end, min(end + GRID, last)
            parts.append(self.conductor.render(begin, end - begin))
        return np.concatenate(parts)

    def _note_play(self, commands: list[c.Command], at: int) -> None:
        if any(isinstance(command, c.Play) for command in commands):
            self.began = at

    def _send(self, command: c.Command, at: int) -> None:
        self.conductor.send(command, at)
        if self.journal is not None:
            self.journal.append((at, command))

    def _warm(self) -> None:
        """Have ready what the first thing to play will need: tune, samples."""
        source, mood = self._first
        try:
            tune = self._composer.think(mood) if source is None else self._composer.tune(source)
        except Exception as error:  # play() will fail in the same way, and be told so
            log.debug("nothing to get ready: %s", error)
            return
        trial = Conductor(self.sink.rate, self._band)
        trial.send(c.Play(tune), 0)
        for at in range(0, round(READY_SECONDS * self.sink.rate), GRID):
            if not self.sink.audible or self.requests:
                break
            trial.render(at, GRID)

    # --- sound --------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Render a slice ahead of the cursor, if there is room and need."""
        cursor = self.sink.cursor(self._clock())
        rate = self.sink.rate
        if not self.sink.audible:
            self.conductor.advance(cursor + rate)
            self._frontier = cursor
        elif self._frontier < min(cursor + round(self._ahead() * rate), self.sink.end):
            patience = self._clock() + HURRY_SECONDS
            with hurried(self._slack(), lambda: self._clock() > patience and self._asked()):
                self._slice()
        if self._asked():  # those go first
            return
        # time for other things, where enough is ready; between commands that come in a row there is less
        enough = cursor + round(min(1.0, 0.75 * self._ahead()) * rate)
        if not self.sink.audible or self._frontier > enough:
            with hurried(self._slack()):
                self._compose()
        if cursor > self._forgot + rate:
            self._forgot = cursor
            self.conductor.forget(max(0, min(cursor, self._told) - round(KEPT_SECONDS * rate)))
            self.conductor.release(cursor)

    def _slack(self) -> float:
        """Seconds until little is left ahead of the cursor."""
        if not (self.sink.playing and self.sink.audible):
            return inf
        return (self._frontier - self.sink.cursor(self._clock())) / self.sink.rate - LOW_SECONDS

    def _asked(self) -> bool:
        """Whether a request waits, and may be served."""
        return bool(self.requests) and self._clock() >= self._next_commit

    def _in_a_row(self) -> bool:
        return self._clock() < self._committed + ROW_PAUSE

    def _ahead(self) -> float:
        """Seconds to keep rendered: little while one command follows another."""
        return ROW_SECONDS if self._in_a_row() else AHEAD_SECONDS

    def _slice(self) -> None:
        """Render up to the next line of the grid; what it is too late for stays silent and is counted."""
        cursor = self.sink.cursor(self._clock())
        if self._frontier < cursor + round(SAFETY_SECONDS * self.sink.rate):
            at = min(cursor + round(REACTION_SECONDS * self.sink.rate), self.sink.end - 1)
            self.stats.underruns += 1
            self.stats.silent_frames += at - self._frontier
            self._frontier = at
        last = min(self._grid(self._frontier + 1), self.sink.end)
        self.sink.write(self._frontier, self._render(self._frontier, last - self._frontier))
        self._frontier = last

    def _render(self, at: int, frames: int) -> Block:
        if not self.sink.audible:
            self.conductor.advance(at + frames)
            return np.zeros((0, 2), np.float32)
        return self.conductor.render(at, frames)

    def _compose(self) -> None:
        """The next piece of endless music, if one is wanted."""
        at = max(self._frontier, self._last_at)
        wanted = self.conductor.wants_at(at, at + 1)
        if wanted is None or self._clock() < self._compose_again:
            return
        at, after, mood = wanted
        try:
            tune = self._composer.following(mood)
        except Exception as error:  # the present piece is repeated instead
            self._compose_again = self._clock() + COMPOSE_AGAIN
            self.stats.failed(f"{type(error).__name__}: {error}")
            return
        self._send(c.Queue(tune, related=True, after=after, drawn=True), at)

    @staticmethod
    def _grid(frame: int) -> int:
        return -(-frame // GRID) * GRID

    # --- what is heard ------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Tell the events heard by now; end when nothing will be heard any more."""
        now = self._clock()
        cursor = self.sink.heard(now)
        place = self.conductor.place(cursor)
        self.pulse, self.came = Pulse(now, cursor, place, self.sink.rate, self.paused), place.state.came
        self._tell_until(cursor + 1)
        silent = self.conductor.silent_from()
        # the device may be a little behind the estimate: let it read the end too
        played_out = self.sink.surely(now) - round(REACTION_SECONDS * self.sink.rate)
        if silent is not None and silent <= played_out and not self.expects_sound():
            self._frontier = max(self._frontier, cursor, self._last_at)
            self._fall_silent()

    def _fall_silent(self) -> None:
        self.sink.stop()
        self.pulse, self.came = None, self.conductor.latest.came

    def _tell_until(self, frame: int, kinds: Collection[str] = EVENT_KINDS) -> None:
        """Tell what is heard before ``frame`` and was not told yet."""
        if frame > self._told:
            events = self.conductor.events(self._told, frame)
            self._told = frame  # first, for whatever a listener raises: an event is told once
            for event in events:
                if event.kind in kinds:
                    self._tell(event)

    def _wait(self) -> float:
        now = self._clock()
        if self.paused:
            return 0.1
        rate = self.sink.rate
        cursor = self.sink.cursor(now)
        wait = self.sink.next_look(now)
        if self.requests:
            wait = min(wait, self._next_commit - now)
        if self.sink.audible:
            room = self._frontier + GRID <= self.sink.end
            wait = min(wait, (self._frontier - cursor) / rate - self._ahead() if room else 0.05)
        coming = self.conductor.events(self._told, cursor + rate)
        if coming:
            wait = min(wait, (coming[0].frame - self.sink.heard(now)) / rate)
        return max(0.003, min(wait, 0.1))


def reactions() -> Iterator[float]:
    """Seconds from the cursor to the effect of a command, attempt by attempt.

    The first leaves most of its work ready, so the second may be as quick; after that ever more.
    """
    yield REACTION_SECONDS
    reaction = REACTION_SECONDS
    while True:
        yield reaction
        reaction = min(1.7 * reaction, AHEAD_SECONDS)


def sounds(request: Request | Control) -> bool:
    """Whether something may sound by ``request`` where nothing does."""
    kind = request[0] if isinstance(request, tuple) else type(request)
    return callable(request) or issubclass(kind, c.PlayFigure | Beginning)


def begins(commands: Sequence[c.Command]) -> bool:
    """Whether something sounds by ``commands`` where nothing does."""
    return any(isinstance(one, c.Play | c.Transition | c.PlayFigure) for one in commands)


def play_or_stop(commands: Sequence[c.Command]) -> c.Play | c.Stop | None:
    """The last command that begins the music or ends it."""
    return next((one for one in reversed(commands) if isinstance(one, c.Play | c.Stop)), None)


def latest(commands: Sequence[c.Command]) -> list[c.Command]:
    """Commands that take effect at one frame, without those that a later one makes vain."""
    kinds, pieces = [], 0
    for one in commands:
        pieces += isinstance(one, c.Transition)
        kinds.append((c.Seek, pieces) if isinstance(one, c.Seek) else _kind(one))
    last = dict(zip(kinds, commands, strict=True))
    return [one for one, kind in zip(commands, kinds, strict=True) if kind is None or last[kind] is one]


def _kind(command: c.Command) -> tuple[object, ...] | None:
    """What a command sets little by little, or forgets: one after it does so anew. None for others."""
    match command:
        case c.SetIntensity(seconds=span) | c.SetTempo(beats=span) if span:
            return (type(command),)
        case c.SetLevel(level=level, seconds=span) if span:
            return c.SetLevel, level
        case c.SetTranspose() | c.Stop() | c.ClearQueue() | c.CancelTransition():
            return (type(command),)
        case c.SetInstruments(names=names) if None not in names:
            return (type(command),)
    return None


def copied(stats: Stats) -> Stats:
    """A copy to hand out."""
    return replace(stats, errors=list(stats.errors))
