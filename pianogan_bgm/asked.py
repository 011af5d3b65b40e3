"""What a game has asked for: settings, and plays and transitions that are under way.

What is asked for is known at once; what comes of it only when it is heard, or has failed. All of this belongs
to the game's thread, but for the numbers of what could not be made, which the music's thread tells.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from pianogan_bgm.composer import Source
from pianogan_bgm.scenes import Feel
from pianogan_bgm.tune import LAYERS


@dataclass(slots=True)
class Asked:
    """What was asked for: all that a scene may set."""

    scene: str | None
    mood: str | None
    piece: Source | None
    tempo: float
    intensity: float
    transpose: int
    instruments: tuple[str, ...]
    loaded: bool = False
    """Whether the piece is another than the scene's, so that what is played next belongs to no scene."""

    @property
    def feel(self) -> Feel:
        """All the settings."""
        return Feel(self.tempo, self.intensity, self.transpose, self.instruments)

    @property
    def by_layer(self) -> dict[str, str]:
        """The instruments by the names of their layers."""
        return dict(zip(LAYERS, self.instruments, strict=True))


LONGEST: Final = 6
"""Of what is under way at least so much is remembered: each replaces the one before, few of them fail."""
UNCHANGED: Final = Feel(None, None, None, None)


@dataclass(slots=True, eq=False)
class Coming:
    """A play or transition: its number, what holds if it never comes, and what holds once it has come.

    ``feel``: what of that it sets itself. ``waits``: whether it can still be taken back. ``saved``: the place
    that a play goes on at.
    """

    serial: int
    before: Asked
    asked: Asked
    feel: Feel = UNCHANGED
    waits: bool = False
    saved: dict[str, Any] | None = None
    taken_back: bool = False

    def comes_after(self, before: Asked) -> None:
        """What was to be before it never comes: ``before`` is what it comes after."""
        if None in self.feel:
            for name, value in self.feel._asdict().items():
                if value is None:
                    setattr(self.asked, name, getattr(before, name))
        self.before = before


class Agenda:
    """Plays and transitions in the order they were asked for.

    ``latest``: what holds once all that is under way has come. ``standing``: that, and what would hold if
    something of it were taken back or failed, some twice. ``saved``: a place to go on at. ``refused``: the
    scene that could not be gone over to, as long as nothing else is asked for. ``failed``: numbers of what
    could not be made, to be appended by whoever found out. ``serial``: of what was asked for last.
    """

    def __init__(self, latest: Asked) -> None:
        self.latest = latest
        self.saved: dict[str, Any] | None = None
        self.refused: str | None = None
        self.failed: deque[int] = deque()
        self.serial = 0
        self.standing = [latest]
        self._underway: list[Coming] = []

    def ask(
        self,
        asked: Asked,
        before: Asked,
        feel: Feel = UNCHANGED,
        waits: bool = False,
        saved: dict[str, Any] | None = None,
    ) -> int:
        """Have a play or transition under way; its number."""
        self.serial += 1
        self.latest, self.saved, self.refused = asked, None, None
        if len(self._underway) == 2 * LONGEST:
            del self._underway[:LONGEST]
            self._gather()
        self._underway.append(Coming(self.serial, before, asked, feel, waits, saved))
        self.standing.append(asked)  # what was before it is there already
        return self.serial

    def on_its_way(self, came: int) -> Coming | None:
        """What was asked for last as long as it has not come; ``came``: number of what came last."""
        if self.failed or (self._underway and self._underway[0].serial <= came):
            self._settle(came)
        return self._last()

    @property
    def settled(self) -> bool:
        """Whether nothing is under way: all that was asked for has come, or was found to have failed."""
        return not (self._underway or self.failed)

    @property
    def doubtful(self) -> bool:
        """Whether something waits, or was taken back, that may come before a command given now."""
        return any([one.waits for one in self._underway])  # noqa: C419  no generator, for the game's thread

    def take_back(self, coming: Coming) -> None:
        """``coming``, the last of all, is not to come, nor what waited before it; what was before that holds.

        It is remembered, for it may come nevertheless: a command takes effect a little after it was given.
        """
        self._only_certain()
        self._underway.append(coming)
        coming.taken_back = True
        self.latest = coming.before
        self._gather()

    def stop(self) -> None:
        """What waits never comes, and what was before it holds."""
        last = self._last()
        if last is not None and last.waits:
            self.latest = last.before
        self._only_certain()
        self.refused = None
        self._gather()

    def _only_certain(self) -> None:
        """What waits, or was taken back, is forgotten."""
        self._underway[:] = [one for one in self._underway if not (one.waits or one.taken_back)]

    def _gather(self) -> None:
        """All that stands, from what is under way."""
        self.standing = [self.latest, *(asked for one in self._underway for asked in (one.before, one.asked))]

    def _settle(self, came: int) -> None:
        """Look what has failed, and what has come."""
        while self.failed:
            self._never_comes(self.failed.popleft())
        while self._underway and self._underway[0].serial <= came:
            one = self._underway.pop(0)
            if one.serial == came:
                self._has_come(one)
        self._gather()

    def _last(self) -> Coming | None:
        for one in reversed(self._underway):
            if not one.taken_back:
                return one
        return None

    def _never_comes(self, serial: int) -> None:
        for place, one in enumerate(self._underway):
            if one.serial == serial:
                del self._underway[place]
                if place < len(self._underway):
                    self._underway[place].comes_after(one.before)
                elif not one.taken_back:
                    last = self._last()
                    self.latest = one.before if last is None else last.asked
                    self.saved, self.refused = one.saved, one.asked.scene
                return

    def _has_come(self, one: Coming) -> None:
        """It holds, also where it was taken back, or replaced, too late."""
        if not self._underway:
            self.latest = one.asked
        elif self._underway[0].before is one.before:
            self._underway[0].comes_after(one.asked)
