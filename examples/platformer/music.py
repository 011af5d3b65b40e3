"""All the music of the game: everything it asks of pianogan_bgm is in this file.

The engine composes, plays, loops and crossfades by itself. A game tells it three things: *scenes* (what each
part of the game should sound like), *rules* (how to get from one to another), and, while it runs, what
happens. Read from top to bottom: the two tables, then :class:`Soundtrack`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pygame

from danger import danger
from game import Game
from pianogan_bgm import BackgroundMusic, Figure, Rule, Scene
from pianogan_bgm.errors import ModelError
from recorder import Recorder
from view import Heard
from world import Event

# What each part of the game sounds like. A mood chooses the pieces; the rest is how they are played.
# ``hold``: the meadow's music waits while we are in the cave and goes on where it was left.
SCENES: Final = {
    "title": Scene(mood="calm", tempo=0.9, intensity=0.45, transpose=0, instrument="piano"),
    "meadow": Scene(mood="bright", tempo=1.1, intensity=0.5, transpose=0, instrument="piano", hold=True),
    "cave": Scene(mood="mystery", tempo=0.85, intensity=0.4, transpose=0, instrument="electric_piano"),
    "castle": Scene(mood="tense", tempo=1.0, intensity=0.6, transpose=-2, instrument="piano"),
    "boss": Scene(mood="battle", tempo=1.25, intensity=0.9, transpose=0, instrument="piano"),
    "victory": Scene(mood="grand", tempo=1.0, intensity=0.8, transpose=0, instrument="piano"),
}

# How to get from one to another; "*" is any. A filler is a run that leads into the new piece.
RULES: Final = {
    ("meadow", "cave"): Rule(at="bar", fade_beats=2),
    ("cave", "meadow"): Rule(at="bar", fade_beats=2),
    ("*", "boss"): Rule(at="beat", fade_beats=0.5, filler="rise"),
    ("boss", "victory"): Rule(at="bar", fade_beats=1, filler="fall"),
    ("*", "*"): Rule(at="beat", fade_beats=2),
}

# What happens in the game becomes a short figure in the music's key, on its grid. The engine brings some;
# a list of scale degrees (0 = tonic) makes another.
STINGERS: Final[dict[str, str | Figure]] = {
    "coin": "coin",
    "power-up": "power-up",
    "hurt": "hurt",
    "game over": "game over",
    "flag": "level clear",
    "boss beaten": "level clear",
    "stomp": Figure((7, 4), spacing=0.5, length=1, octave=4, accent=92),
    "boss hit": Figure((0, (2, 7), (4, 9)), spacing=0.5, length=2, octave=3, accent=112),
    "die": Figure((4, 3, 2, 1, (-7, 0)), spacing=1, length=2, octave=4, accent=96),
    "checkpoint": Figure((0, 4, 7), spacing=1, length=3, octave=5, accent=84),
    "life": Figure((0, 2, 4, 7, 9), spacing=0.5, length=2, octave=5, accent=92),
}

HURRY: Final = 1.3
"""Tempo of the last seconds against the tempo before."""
SUNNY: Final = 2
"""Semitones the sunflower lifts the music."""


class Soundtrack:
    """The music of one run of the game. Without a model and without a playlist it stays silent.

    Raises ``ModelError`` if there is nothing to record.
    """

    def __init__(
        self,
        seed: int | None = None,
        *,
        mute: bool = False,
        playlist: Path | None = None,
        record: Path | None = None,
        model: Any = "open",
        favourites: Path | None = None,
    ) -> None:
        self.event_type = -1
        self.show_roll = False
        # a seed is another piece with another model; a playlist chooses by itself
        self._favourites = favourites if playlist is None else None
        self._model = str(model)
        self._all_kept = read_favourites(self._favourites)
        self._kept = self._all_kept.get(self._model, {})
        self._unkept: int | None = None
        self._scenes = {name: replace(scene, piece=self._kept.get(name)) for name, scene in SCENES.items()}
        self._dress = (1.0, 0, "")
        self._pulse = 0.0
        self._intensity = 0.5
        settings: dict[str, Any] = {"seed": seed, "scenes": self._scenes, "rules": RULES}
        settings |= {"model": model, "playlist": playlist, "volume": 0.0 if mute else 0.8}
        self.music: BackgroundMusic | Recorder | None = None
        try:
            self.music = Recorder(record, **settings) if record else BackgroundMusic(**settings)
        except ModelError as error:
            if record:
                raise
            print(f"playing without music: {error}", file=sys.stderr)
            return
        self.event_type = self.music.event_type
        self.music.transition("title", at="now")

    # --- what the game tells the music -----------------------------------------------------------------

    def follow(self, game: Game, events: Iterable[Event]) -> None:
        """Once a step: go where the game goes."""
        self._pulse = max(0.0, self._pulse - 0.05)
        music = self.music
        if music is None:
            return
        for event in events:
            if event.kind in STINGERS:
                music.stinger(STINGERS[event.kind])
            elif event.kind == "pause":
                music.duck(0.25)
            elif event.kind == "unpause":
                music.unduck()
        self._change_dress(game)
        wanted = scene_of(game)
        if wanted != music.scene:
            music.scenes[wanted] = self._dressed(wanted)
            music.transition(wanted)
        if game.screen == "play" and game.world.tick % 20 == 0:
            self._follow_danger(game)
        if isinstance(music, Recorder):
            music.step()

    def _follow_danger(self, game: Game) -> None:
        """More voices and more notes, the nearer the danger; in steps large enough to be heard."""
        assert self.music is not None
        goal = round(0.4 + 0.6 * danger(game.world), 1)
        self._intensity += 0.5 * (goal - self._intensity)
        if abs(self._intensity - self.music.intensity) > 0.12:
            self.music.intensity = round(self._intensity, 2)

    def _change_dress(self, game: Game) -> None:
        """The last seconds hurry; a sunflower lifts the key and brightens the melody."""
        sunny = game.world.hero.powered and game.screen != "title"
        dress = (HURRY if game.hurried else 1.0, SUNNY if sunny else 0, "music_box" if sunny else "")
        if dress == self._dress or self.music is None:
            return
        old, self._dress = self._dress, dress
        scene = self._dressed(self.music.scene or "title")
        if dress[0] != old[0]:
            self.music.tempo = scene.tempo or 1.0
        if dress[1:] != old[1:]:
            self.music.transpose = scene.transpose or 0
            self.music.instrument = scene.instrument or "piano"

    def _dressed(self, name: str) -> Scene:
        """The scene with the tempo, key and voice of the moment."""
        scene, (hurry, lift, melody) = self._scenes[name], self._dress
        voice = str(scene.instrument)
        voices = {"melody": melody or voice, "inner": voice, "bass": voice, "stinger": "music_box"}
        tempo, transpose = (scene.tempo or 1.0) * hurry, (scene.transpose or 0) + lift
        return replace(scene, tempo=tempo, transpose=transpose, instrument=voices)

    # --- keys ------------------------------------------------------------------------------------------

    def another(self) -> None:
        """Another piece for this scene, from the next bar."""
        if self.music is not None and (name := self.music.scene) in self._scenes:
            self._scenes[name] = replace(self._scenes[name], piece=None)
            self.music.scenes[name] = self._dressed(name)
            self.music.transition(name, at="bar", hold=False)

    def keep(self) -> int | None:
        """Remember the seed that plays as this scene's favourite; the next game begins with it."""
        now = self.music.now_playing if self.music is not None else None
        if now is None or now.seed is None or now.scene is None or self._favourites is None:
            return None
        kept = {**self._kept, now.scene: now.seed}
        table = {**self._all_kept, self._model: kept}
        draft = self._favourites.with_suffix(".part")
        try:
            draft.write_text(json.dumps(table, indent=1), encoding="utf-8")
            draft.replace(self._favourites)
        except OSError as error:
            print(f"this piece could not be kept: {error}", file=sys.stderr)
            self._unkept = now.seed
            return None
        self._kept, self._unkept = kept, None
        self._scenes[now.scene] = replace(self._scenes[now.scene], piece=now.seed)
        return now.seed

    def toggle_sound(self) -> None:
        """Mute or unmute; the music goes on silently, so that the beat stays."""
        if self.music is not None:
            self.music.volume = 0.0 if self.music.volume else 0.8

    # --- what the music tells the game -----------------------------------------------------------------

    def hear(self, event: pygame.event.Event) -> None:
        """An event of :attr:`event_type` from pygame's queue: the beat, as it is heard."""
        if event.kind == "beat":
            self._pulse = 1.0 if event.beat == 1 else 0.75

    def heard(self) -> Heard:
        """What the picture shows of the music."""
        now = self.music.now_playing if self.music is not None else None
        if self.music is None or now is None:
            return Heard(self._pulse)
        name = now.name if now.seed is None else f"seed {now.seed}"
        line = f"{name}  ·  {now.key}  ·  bar {self.music.bar}"
        if now.seed is not None and now.seed == self._unkept:
            line += "  ·  could not be kept"
        elif now.seed is not None and now.seed == self._kept.get(now.scene or ""):
            line += "  ·  kept"
        heard = Heard(self._pulse, line)
        if self.show_roll:
            piece = now.piece
            heard.notes, heard.beats_per_bar = piece.notes, piece.beats_per_bar
            heard.step = self.music.position * piece.tempo / 60.0 * 4.0
            heard.show_roll = True
        return heard

    def close(self) -> None:
        """Stop the music; a recording is finished."""
        if self.music is not None:
            self.music.close()


def scene_of(game: Game) -> str:
    """The scene that belongs to what the game shows."""
    if game.screen in ("title", "victory"):
        return game.screen
    king = game.world.boss
    if king is not None and king.mood != "asleep":
        return "boss"
    return game.world.level.theme


def read_favourites(path: Path | None) -> dict[str, dict[str, int]]:
    """Kept seeds by model and scene; none from a file that is missing or not ours."""
    try:
        table = json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}
    if not isinstance(table, dict):
        return {}
    return {model: good_seeds(kept) for model, kept in table.items() if isinstance(kept, dict)}


def good_seeds(kept: dict[str, Any]) -> dict[str, int]:
    """Those that are seeds of scenes; ``type``, as ``True`` is an ``int`` too."""
    return {
        scene: seed
        for scene, seed in kept.items()
        if scene in SCENES and type(seed) is int and 0 <= seed < 2**64
    }
