"""The verbs of background music, whoever carries them out.

:class:`~pianogan_bgm.player.BackgroundMusic` does so on a thread of its own,
:class:`~pianogan_bgm.stream.Stream` at once. A verb checks its arguments, so that a mistake is raised where
it was made, and sends a request: a command, or a function that makes commands where something has to be
composed or read first.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final, NamedTuple, Self, TypeAlias

from pianogan_bgm import commands as c
from pianogan_bgm.asked import Agenda, Asked, Coming
from pianogan_bgm.checks import (
    MOMENTS,
    TEMPO_FACTORS,
    instrument_changes,
    instrument_names,
    one_of,
    semitones,
    truth,
    whole,
    within,
)
from pianogan_bgm.composer import Composer, Source, check_mood, check_source
from pianogan_bgm.conductor import Place
from pianogan_bgm.errors import InvalidSetting
from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.piece import Piece
from pianogan_bgm.saves import SAVE_VERSION, check_named, check_save, load_place, save_place
from pianogan_bgm.scenes import MOODS, PLAIN, Feel, Mood, Rule, Scene, check_rules, check_scenes, rule_for
from pianogan_bgm.state import State, left_with
from pianogan_bgm.stingers import STINGERS, Degree, Figure, figure
from pianogan_bgm.tune import Tune

LEAST_MS: Final = 10.0
"""Of a change of loudness: quicker ones click."""


class Desk(NamedTuple):
    """What a request may use: the composer, and the state it will most likely change."""

    composer: Composer
    state: State


Order: TypeAlias = tuple[Any, ...]
"""A request not made yet: its class, then its fields. The game's thread leaves the making to the music's."""
Request: TypeAlias = c.Command | Order | Callable[[Desk], list[c.Command]]


def commands_of(request: Request, desk: Callable[[], Desk]) -> list[c.Command]:
    """What a request comes to; ``desk`` is asked for only where something has to be composed or read."""
    made = request[0](*request[1:]) if isinstance(request, tuple) else request
    return made(desk()) if callable(made) else [made]


@dataclass(frozen=True, slots=True)
class NowPlaying:
    """What is heard: for a display, a credits screen or a log.

    ``name`` of the piece or file; ``seed`` and ``model`` where it was composed; ``key`` and ``tempo`` (beats
    a minute) as they sound; ``licence``; ``scene``: the scene or mood. ``piece``: its notes, as composed.
    """

    name: str
    seed: int | None
    model: str | None
    key: str
    tempo: float
    licence: str | None
    scene: str | None
    piece: Piece = field(repr=False)


class Music(ABC):
    """Verbs and settings of background music; those of ``pygame.mixer.music`` among them.

    ``piece``: a ``Piece``, a seed, a latent or a MIDI file; without one, music goes on endlessly, each piece
    composed while the one before plays. ``mood``: battle, bright, calm, grand, mystery, playful, sad or tense
    (:data:`pianogan_bgm.scenes.MOODS`), chooses the pieces and how they are played. ``seed`` makes the
    endless order repeatable. ``model``: as for :class:`~pianogan_bgm.generator.Generator`. ``playlist``: a
    folder of pieces made beforehand, which takes the model's place; see
    :class:`~pianogan_bgm.jukebox.Jukebox`. ``instrument``: one name for all, or names by layer (``melody``,
    ``inner``, ``bass``, ``stinger``); a name of :data:`pianogan_bgm.instruments.NAMES` or the path of a
    SoundFont. ``intensity`` 0–1, ``tempo`` 0.25–4 (1 = as composed), ``transpose`` −24–24 semitones,
    ``volume`` 0–1. ``scenes`` and ``rules``: see :meth:`transition`.

    Raises :class:`~pianogan_bgm.errors.ModelNotFound` at once if pieces will have to be composed and the
    model is missing, :class:`~pianogan_bgm.errors.PlaylistError` for a playlist that cannot be read,
    :class:`~pianogan_bgm.errors.InvalidSetting` for values out of range.
    """

    def __init__(
        self,
        piece: Source | None = None,
        *,
        mood: str | None = None,
        seed: int | None = None,
        model: Any = "open",
        playlist: str | os.PathLike[str] | None = None,
        instrument: str | Mapping[str, str] = "piano",
        intensity: float | None = None,
        tempo: float | None = None,
        transpose: int | None = None,
        volume: float = 1.0,
        scenes: Mapping[str, Scene] | None = None,
        rules: Mapping[tuple[str, str], Rule] | None = None,
    ) -> None:
        self.scenes = check_scenes(scenes or {})
        self.rules = check_rules(rules or {})
        self.stingers: dict[str, Figure | Iterable[Degree]] = dict(STINGERS)
        source = None if piece is None else check_source(piece)
        check_mood(mood)
        if playlist is not None:
            from pianogan_bgm.jukebox import Jukebox  # brings the reader of MIDI files along

            self._composer: Composer = Jukebox(playlist, model, seed)
        else:
            self._composer = model if isinstance(model, Composer) else Composer(model, seed)
        self._composer.check(source)
        feel = MOODS[mood] if mood else Mood()
        asked = Asked(
            scene=mood,
            mood=mood,
            piece=source,
            tempo=within("tempo", feel.tempo if tempo is None else tempo, *TEMPO_FACTORS),
            intensity=within("intensity", feel.intensity if intensity is None else intensity, 0.0, 1.0),
            transpose=semitones(feel.transpose if transpose is None else transpose),
            instruments=instrument_names(instrument),
        )
        self._agenda = Agenda(asked)
        self._volume = within("volume", volume, 0.0, 1.0)
        self._ducked = 1.0
        self._stopped = -1
        """Number of the play or transition that was the last when the music was told to stop."""
        self._now: tuple[tuple[Any, ...], NowPlaying] | None = None

    @abstractmethod
    def _send(self, *requests: Request) -> None:
        """Have requests carried out, in order and at one moment."""

    @abstractmethod
    def _here(self) -> Place | None:
        """What is heard now; None while nothing plays."""

    @abstractmethod
    def _came(self) -> int:
        """Number of the play or transition that came last, as far as can be heard."""

    def _to_save(self) -> Place | None:
        """The place that goes with what has come so far (:meth:`_came`)."""
        return self._here()

    def _state(self) -> State | None:
        """What is heard now, without the place; None while nothing plays."""
        here = self._here()
        return None if here is None else here.state

    @abstractmethod
    def get_busy(self) -> bool:
        """Whether music plays and is not held."""

    def _settings(self) -> list[c.Command]:
        """Commands that bring a fresh conductor to these settings."""
        return [
            c.SetLevel("volume", self._volume, 0.0),
            c.SetLevel("duck", self._ducked, 0.0),
            *_setting(self._agenda.latest, 0.0, 0.0),
        ]

    # --- playing ------------------------------------------------------------------------------------

    def load(self, piece: Source) -> None:
        """Choose what :meth:`play` plays (as :meth:`transition` does, too)."""
        self._choose(check_source(piece))

    def unload(self) -> None:
        """Stop, and go back to endless music."""
        self.stop()
        self._choose(None)

    def _choose(self, piece: Source | None) -> None:
        self._agenda.saved = None
        for asked in self._agenda.standing:
            if piece != asked.piece:
                asked.piece, asked.loaded = piece, True

    def play(self, loops: int = 0, start: float = 0.0, fade_ms: float = 0.0) -> None:
        """Play from the beginning, or from ``start`` seconds; returns at once.

        ``loops``: how often the piece is repeated after the first time, −1 for ever; endless music ignores
        it. ``fade_ms``: milliseconds to fade in. What plays: the piece loaded, that of the scene or piece
        asked for last (one that waits comes at once), or endless music; after :meth:`restore` first of all
        the place saved, whatever ``loops`` and ``start`` are. Music that was held is held no more.
        """
        whole("loops", loops, -1)
        start = within("start", start, 0.0, 86400.0)
        fade = within("fade_ms", fade_ms, 0.0, 600000.0) / 1000.0
        before, saved = self._asked, self._agenda.saved
        asked = replace(before, scene=None if before.loaded else before.scene, loaded=False)
        serial = self._agenda.ask(asked, before, saved=saved)
        silent = self._state() is None
        settings = self._settings() if silent else _setting(asked, LEAST_MS / 1000.0, 0.0)
        failed, piece, mood, scene = self._agenda.failed, asked.piece, asked.mood, asked.scene
        self._send(_Begin(failed, serial, settings, piece, mood, scene, loops, start, fade, saved))

    def queue(self, piece: Source, loops: int = 0) -> None:
        """Play ``piece`` after what plays now and what is queued already, joined on a bar line."""
        source = check_source(piece)
        whole("loops", loops, -1)
        self._send(lambda desk: [c.Queue(desk.composer.tune(source), loops)])

    def clear_queue(self) -> None:
        """Forget what is queued."""
        self._send(c.ClearQueue())

    def rewind(self) -> None:
        """Go back to the piece's first step."""
        self._send(c.Seek(0.0))

    def stop(self) -> None:
        """Stop, with a fade too short to notice.

        The queue, pending transitions and the places of scenes that are held are forgotten.
        """
        self._stop(c.Stop())

    def fadeout(self, ms: float) -> None:
        """Fade out in ``ms`` milliseconds, then stop; does not wait for it."""
        self._stop(c.Stop(max(within("ms", ms, 0.0, 600000.0), LEAST_MS) / 1000.0))

    def _stop(self, how: c.Stop) -> None:
        self._on_its_way()
        self._agenda.stop()
        self._stopped = self._agenda.serial
        self._send(replace(how, serial=self._stopped), *_setting(self._agenda.latest))

    def seek(
        self, seconds: float | None = None, *, beats: float | None = None, bars: float | None = None
    ) -> None:
        """Go to a place in the present piece: seconds as written, beats or bars from its beginning.

        Past the end of a loop it goes on at the loop's beginning.
        """
        if (seconds is not None) + (beats is not None) + (bars is not None) != 1:
            raise InvalidSetting("give seconds, beats or bars")
        if seconds is not None:
            self._send(c.Seek(within("place", seconds, 0.0, 1e6), "seconds"))
        elif beats is not None:
            self._send(c.Seek(within("place", beats, 0.0, 1e6), "beats"))
        elif bars is not None:
            self._send(c.Seek(within("place", bars, 0.0, 1e6), "bars"))

    def state(self) -> dict[str, Any]:
        """All of it as plain JSON, for a save game; :meth:`restore` makes music that goes on from here.

        A transition that waits is not in it: ask for it again. Nor is what was queued in the last tenth of a
        second, which the music's thread may not know yet.
        """
        here = self._to_save()
        coming = self._on_its_way() if here is None else self._agenda.on_its_way(here.state.came)
        saved = self._agenda.saved if coming is None else coming.saved
        table: dict[str, Any] = dict(saved or {"version": SAVE_VERSION})
        if saved is None and here is not None and here.state.deck is not None:
            table = save_place(here, self._composer)
        # a transition that has not come is not saved
        asked = self._agenda.latest if coming is None else coming.before
        table["settings"] = {
            "mood": asked.mood,
            "instrument": asked.by_layer,
            "intensity": asked.intensity,
            "tempo": asked.tempo,
            "transpose": asked.transpose,
            "volume": self._volume,
        }
        table["scene_asked"] = asked.scene
        table["ducked"] = self._ducked
        return table

    @classmethod
    def restore(cls, state: dict[str, Any], **settings: Any) -> Self:
        """Music as :meth:`state` saved it; :meth:`play` goes on at the very place.

        ``settings``: what the save does not hold (model or playlist, seed, piece, scenes, rules, rate), or
        what is to differ; stingers of your own are put into :attr:`stingers` again. A save opens no file, so
        where a SoundFont played give it again as ``instrument``. Raises
        :class:`~pianogan_bgm.errors.InvalidSetting` for what is no saved state.
        """
        table = check_save(state)
        if "instrument" not in settings:
            check_named(table["settings"]["instrument"])
        music = cls(**{**table["settings"], **settings})
        asked = music._asked
        asked.scene = table["scene_asked"]
        if asked.piece is None and asked.scene in music.scenes:
            asked.piece = music.scenes[asked.scene].piece
        if table["ducked"] != 1.0:
            music._ducked = table["ducked"]
            music._send(c.SetLevel("duck", table["ducked"], 0.0))
        music._agenda.saved = table if "piece" in table else None
        return music

    # --- changing -----------------------------------------------------------------------------------

    def transition(
        self,
        to: str | Scene | Source,
        at: c.When | None = None,
        *,
        fade_beats: float | None = None,
        filler: str | Figure | Iterable[Degree] | None = None,
        hold: bool | None = None,
        loops: int = -1,
    ) -> None:
        """Go over to a scene, a mood or a piece at the next ``at``: now, beat, bar or end (of the piece).

        ``to``: a name in :attr:`scenes`, a mood, or whatever can be played. What is not said here is taken
        from the :attr:`rules` by the names of both scenes: ``at``, ``fade_beats`` (length of the crossfade; 0
        lets the old piece ring out) and ``filler`` (a figure that leads over). ``hold``: coming back to the
        scene left goes on where it was left. ``loops``: where ``to`` is a piece, how often it is repeated
        after the first time, −1 for ever. A pending transition is replaced. The name alone of the scene that
        plays already, or is about to, changes nothing: a game may say every frame where it is. Nor does a
        file that cannot be read, which ``Stream`` raises and ``BackgroundMusic`` keeps in its ``stats``.
        """
        plain = at is None and fade_beats is None and filler is None and hold is None
        if isinstance(to, str):
            to = str.__str__(to)  # a StrEnum's plain value
        agenda = self._agenda
        came = self._came()
        earlier = agenda.on_its_way(came)
        if plain and isinstance(to, str) and self._is_there(to, earlier, came):
            return
        asked = earlier.before if earlier is not None and earlier.waits else agenda.latest
        name, scene = self._scene_of(to, loops)
        rule = rule_for(self.rules, asked.scene, name or "") if self.rules else PLAIN
        when = rule.at if at is None else one_of("at", at, MOMENTS)
        beats = rule.fade_beats if fade_beats is None else within("fade_beats", fade_beats, 0.0, 64.0)
        lead = rule.filler if filler is None else filler
        if lead is not None:
            lead = figure(lead, self.stingers)
        hold = self._holds(asked.scene) if hold is None else truth("hold", hold)
        tempo, intensity, transpose, instruments = scene.feel
        coming = Asked(
            name,
            scene.mood,
            scene.piece,
            asked.tempo if tempo is None else tempo,
            asked.intensity if intensity is None else intensity,
            asked.transpose if transpose is None else transpose,
            asked.instruments if instruments is None else instruments,
        )
        # what it would leave as it is may be another by then: so it sets everything
        feel = coming.feel if agenda.doubtful else scene.feel
        waits = when != "now" and (earlier is not None or self._plays())
        serial = agenda.ask(coming, asked, feel, waits)
        self._send((_GoOver, agenda.failed, serial, scene, name, when, beats, lead, hold, feel, asked.scene))

    def _is_there(self, scene: str, coming: Coming | None, came: int) -> bool:
        """Whether ``scene`` plays already, or is about to, so that to say its name changes nothing.

        One that plays while another waits is gone back to: the other comes no more.
        """
        if scene == (self._agenda.refused if coming is None else coming.asked.scene):
            return True  # the one that could not be gone over to is not tried again every frame
        if coming is not None and not (coming.waits and scene == coming.before.scene):
            return False
        state = self._state()
        if state is None or state.deck is None or came <= self._stopped:
            return False
        if coming is None:
            return scene == state.scene
        self._go_back(coming)
        return True

    def _go_back(self, coming: Coming) -> None:
        """Stay with the scene that ``coming`` would leave; where that comes before, go over to it again."""
        asked, left = coming.before, coming.asked.scene
        scene = self.scenes[asked.scene] if asked.scene in self.scenes else _of_mood(asked.scene or "")
        rule = rule_for(self.rules, left, asked.scene or "") if self.rules else PLAIN
        lead = None if rule.filler is None else figure(rule.filler, self.stingers)
        feel, hold = asked.feel, self._holds(left)
        serial, failed = self._agenda.ask(asked, coming.asked, feel, True), self._agenda.failed
        again = (failed, serial, scene, asked.scene, rule.at, rule.fade_beats, lead, hold, feel, left)
        self._send((_Stay, failed, serial, coming.serial, feel, again))

    def _holds(self, scene: str | None) -> bool:
        leaving = self.scenes.get(scene or "")
        return leaving is not None and leaving.hold

    def _plays(self) -> bool:
        """Whether something plays that can be left."""
        state = self._state()
        return state is not None and state.deck is not None

    def _scene_of(self, to: str | Scene | Source, loops: int) -> tuple[str | None, Scene]:
        whole("loops", loops, -1)
        if isinstance(to, Scene):
            return None, to
        if isinstance(to, str) and to in self.scenes:
            scene = self.scenes[to]
            if not isinstance(scene, Scene):  # put there by the game since
                check_scenes(self.scenes)
            return to, scene
        if isinstance(to, str) and to in MOODS:
            return to, _of_mood(to)
        if isinstance(to, str) and not to.lower().endswith((".mid", ".midi")):
            known = ", ".join(sorted({*self.scenes, *MOODS}))
            raise InvalidSetting(f"no scene or mood is called {to!r}; there are {known}")
        return None, Scene(piece=check_source(to), loops=loops)

    def cancel_transition(self) -> None:
        """Forget a pending transition; one that comes within a tenth of a second may come all the same."""
        coming = self._on_its_way()
        if coming is None or not coming.waits:
            self._send(c.CancelTransition())
            return
        self._agenda.take_back(coming)
        self._send(c.CancelTransition(coming.serial, tuple(_setting(coming.before))))

    def _on_its_way(self) -> Coming | None:
        """The play or transition asked for last as long as it has not come, as far as can be heard."""
        return self._agenda.on_its_way(self._came())

    def stinger(self, stinger: str | Figure | Iterable[Degree], at: c.When = "now") -> None:
        """Play a figure in the music's key, on its grid: from the next sixteenth, beat or bar.

        ``stinger``: a name (coin, jump, power-up, hurt, level clear, game over, rise, fall, or one put into
        :attr:`stingers`), a ``Figure`` or a list of scale degrees, 0 being the tonic. It is played to its end
        whatever becomes of the music: ducking, fading and :meth:`stop` are not for stingers.
        """
        when = one_of("at", at, MOMENTS[:-1])
        self._send((c.PlayFigure, figure(stinger, self.stingers), when))

    def duck(self, gain: float = 0.4, ms: float = 120.0) -> None:
        """Lower the music (not the stingers) to ``gain``, 0–1, until :meth:`unduck`."""
        gain, ms = within("gain", gain, 0.0, 1.0), max(within("ms", ms, 0.0, 60000.0), LEAST_MS)
        self._ducked = gain
        self._send((c.SetLevel, "duck", gain, ms / 1000.0))

    def unduck(self, ms: float = 250.0) -> None:
        """Bring the music back."""
        self.duck(1.0, ms)

    @property
    def _asked(self) -> Asked:
        """What was asked for last, as far as it could be made."""
        if not self._agenda.settled:
            self._on_its_way()
        return self._agenda.latest

    def _set(self, entry: str, value: Any) -> bool:
        """Set what a scene may set, too, so that no transition taken back undoes it; whether it is news."""
        news = False
        for asked in self._agenda.standing:
            if getattr(asked, entry) != value:
                setattr(asked, entry, value)
                news = True
        return news

    @property
    def intensity(self) -> float:
        """How much is going on, 0–1: which layers sound, how densely and how loud; 0.5 is as composed."""
        return self._asked.intensity

    @intensity.setter
    def intensity(self, value: float) -> None:
        intensity = within("intensity", value, 0.0, 1.0)
        if self._set("intensity", intensity):
            self._send((c.SetIntensity, intensity))

    @property
    def tempo(self) -> float:
        """Tempo as a factor of the composed one, 0.25–4; changes over a beat, pitch unchanged."""
        return self._asked.tempo

    @tempo.setter
    def tempo(self, value: float) -> None:
        tempo = within("tempo", value, *TEMPO_FACTORS)
        if self._set("tempo", tempo):
            self._send((c.SetTempo, tempo))

    @property
    def transpose(self) -> int:
        """Semitones added to every note from now on, −24–24."""
        return self._asked.transpose

    @transpose.setter
    def transpose(self, value: int) -> None:
        transpose = semitones(value)
        if self._set("transpose", transpose):
            self._send((c.SetTranspose, transpose))

    @property
    def instrument(self) -> dict[str, str]:
        """What plays which layer; set one name for all, or names by layer."""
        return self._asked.by_layer

    @instrument.setter
    def instrument(self, names: str | Mapping[str, str]) -> None:
        change, news = c.SetInstruments(instrument_changes(names)), False
        for asked in self._agenda.standing:
            instruments = change.over(asked.instruments)
            news = news or instruments != asked.instruments
            asked.instruments = instruments
        if news:
            self._send(change)

    @property
    def volume(self) -> float:
        """Volume of all of it, 0–1."""
        return self._volume

    @volume.setter
    def volume(self, value: float) -> None:
        volume = within("volume", value, 0.0, 1.0)
        if volume != self._volume:
            self._volume = volume
            self._send((c.SetLevel, "volume", volume))

    def set_volume(self, volume: float) -> None:
        """As :attr:`volume`."""
        self.volume = volume

    def get_volume(self) -> float:
        """As :attr:`volume`."""
        return self._volume

    def set_pos(self, seconds: float) -> None:
        """As :meth:`seek`, by the name ``pygame.mixer.music`` has for it."""
        self.seek(seconds)

    # --- where the music is -------------------------------------------------------------------------

    @property
    def scene(self) -> str | None:
        """The scene or mood asked for last."""
        return self._asked.scene

    @property
    def position(self) -> float:
        """Seconds into the present piece, at the tempo it was composed for; 0 while nothing plays."""
        here = self._here()
        if here is None or here.state.deck is None:
            return 0.0
        return here.step / STEPS_PER_BEAT * 60.0 / here.state.deck.tune.piece.tempo

    @property
    def bar(self) -> int:
        """Bar of the piece, from 1; 0 while nothing plays."""
        here = self._here()
        return (
            0 if here is None or here.state.deck is None else int(here.step // here.state.deck.tune.bar) + 1
        )

    @property
    def beat(self) -> int:
        """Beat of the bar, from 1; 0 while nothing plays."""
        here = self._here()
        if here is None or here.state.deck is None:
            return 0
        return int(here.step % here.state.deck.tune.bar // STEPS_PER_BEAT) + 1

    @property
    def beat_phase(self) -> float:
        """How far the present beat has gone, 0 (on the beat) up to 1; 0 while nothing plays."""
        here = self._here()
        if here is None or here.state.deck is None:
            return 0.0
        return here.step / STEPS_PER_BEAT % 1.0

    @property
    def now_playing(self) -> NowPlaying | None:
        """What is heard now; None while nothing plays."""
        state = self._state()
        if state is None or state.deck is None:
            return None
        tune = state.deck.tune
        of = (tune, state.deck.shift, state.transpose, state.tempo, state.scene)
        if self._now is None or self._now[0] != of:  # a display asks every frame
            self._now = of, _now_playing(tune, state)
        return self._now[1]


def _now_playing(tune: Tune, state: State) -> NowPlaying:
    piece = tune.piece
    tempo = piece.tempo * state.tempo
    return NowPlaying(
        tune.name, piece.seed, piece.model, state.key.name, tempo, piece.licence, state.scene, piece
    )


def _setting(feel: Feel | Asked, seconds: float = c.INTENSITY_SECONDS, beats: float = 1.0) -> list[c.Command]:
    """Commands for what is set in ``feel``, in so many seconds and beats."""
    commands: list[c.Command] = []
    if feel.intensity is not None:
        commands.append(c.SetIntensity(feel.intensity, seconds))
    if feel.tempo is not None:
        commands.append(c.SetTempo(feel.tempo, beats))
    if feel.transpose is not None:
        commands.append(c.SetTranspose(feel.transpose))
    if feel.instruments is not None:
        commands.append(c.SetInstruments(feel.instruments))
    return commands


@cache
def _of_mood(mood: str) -> Scene:
    return Scene(mood=mood)


@dataclass(slots=True, eq=False)
class Beginning:
    """A request by which something begins: its piece is composed or read on the music's thread.

    Where that fails, its number ``serial`` is put to ``failed``.
    """

    failed: deque[int]
    serial: int

    def __call__(self, desk: Desk) -> list[c.Command]:
        """What it comes to, or the error, which is told."""
        try:
            return self.commands(desk)
        except Exception:
            self.failed.append(self.serial)
            raise

    def commands(self, desk: Desk) -> list[c.Command]:
        """What it comes to; raises where nothing can be composed or read."""
        raise NotImplementedError


@dataclass(slots=True, eq=False)
class _Begin(Beginning):
    """Makes a play, with ``settings``, from the place that was ``saved`` if there is one."""

    settings: list[c.Command]
    piece: Source | None
    mood: str | None
    scene: str | None
    loops: int
    start: float
    fade: float
    saved: dict[str, Any] | None

    def commands(self, desk: Desk) -> list[c.Command]:
        if self.saved is not None:
            return [*self.settings, *load_place(self.saved, desk.composer, self.fade, self.serial)]
        endless = self.piece is None
        desk.composer.give_back([one.tune for one in desk.state.drawn])
        tune = desk.composer.following(self.mood) if self.piece is None else desk.composer.tune(self.piece)
        return [
            *self.settings,
            c.Play(
                tune,
                0 if endless else self.loops,
                min(self.start * tune.piece.tempo / 60.0 * STEPS_PER_BEAT, float(tune.steps)),
                self.fade,
                self.scene,
                endless=endless,
                mood=self.mood,
                serial=self.serial,
            ),
        ]


@dataclass(slots=True, eq=False)
class _GoOver(Beginning):
    """Makes the transition to ``scene``, whose piece may be one that was left to come back to."""

    scene: Scene
    name: str | None
    at: c.When
    beats: float
    lead: Figure | None
    hold: bool
    feel: Feel
    leaving: str | None

    def commands(self, desk: Desk) -> list[c.Command]:
        scene = self.scene
        endless = scene.piece is None
        return [
            c.Transition(
                self._tune(desk),
                self.at,
                self.beats,
                0 if endless else scene.loops,
                self.name,
                self.lead,
                self.hold,
                **self.feel._asdict(),
                related=endless,
                endless=endless,
                mood=scene.mood,
                serial=self.serial,
                leaving=self.leaving,
            )
        ]

    def _tune(self, desk: Desk) -> Tune:
        scene, deck = self.scene, desk.state.deck
        if not self.hold:
            desk.composer.give_back([one.tune for one in desk.state.drawn])
        if (held := left_with(desk.state, self.name)) is not None:
            desk.composer.take_up([held.deck.tune, *(one.tune for one in held.queue if one.drawn)])
            return held.deck.tune
        if scene.piece is not None:
            return desk.composer.tune(scene.piece)
        tune = desk.composer.following(scene.mood)
        if deck is not None and tune is deck.tune:
            tune = desk.composer.following(scene.mood)  # a playlist of few tracks came round to what plays
        return tune


@dataclass(slots=True, eq=False)
class _Stay(Beginning):
    """Takes back transition ``of``, or, where it comes before that can take effect, goes over ``again``."""

    of: int
    feel: Feel
    again: tuple[Any, ...]
    """The fields of a :class:`_GoOver`."""

    def commands(self, desk: Desk) -> list[c.Command]:
        if desk.state.came < self.of:
            return [c.CancelTransition(self.of, tuple(_setting(self.feel)), self.serial)]
        return _GoOver(*self.again).commands(desk)
