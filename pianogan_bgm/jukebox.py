"""Music made beforehand: a playlist in the model's place. Needs neither a model nor onnxruntime."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pianogan_bgm.composer import Composer, Source
from pianogan_bgm.errors import PianoganError, PlaylistError
from pianogan_bgm.json_rules import short
from pianogan_bgm.manifest import MANIFEST, Track, TrackFile, read_manifest
from pianogan_bgm.midi import parse_piece
from pianogan_bgm.midi_reading import MAX_BYTES
from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.piece import Piece
from pianogan_bgm.tune import Tune, prepare

log = logging.getLogger("pianogan_bgm")


@dataclass(frozen=True, slots=True)
class Entry:
    """One MIDI file of a playlist; ``file`` and ``track`` say what the manifest knows of it."""

    path: Path
    file: TrackFile | None = None
    track: Track | None = None


class Jukebox(Composer):
    """Takes pieces from the folder ``playlist`` (or that of its manifest) instead of composing them.

    The folder holds a ``playlist.json`` (:mod:`pianogan_bgm.manifest`), or just MIDI files. Endless music
    plays its tracks in an order of chance, all of them before one comes again; where a mood is asked for and
    the manifest names tracks that suit it, only those. Loops are the manifest's. A seed that a track was
    composed from means that track; any other seed needs ``model``, which is loaded then.

    Raises :class:`PlaylistError` for a folder without MIDI files and for a manifest that breaks a rule, from
    :meth:`tune` for a file that is not what the manifest says, from :meth:`following` where none can be read.
    """

    def __init__(
        self, playlist: str | os.PathLike[str], model: Any = "open", seed: int | None = None
    ) -> None:
        super().__init__(model, seed)
        if not isinstance(playlist, str | os.PathLike) or playlist == "":
            raise PlaylistError(f"a playlist is the path of a folder; got {short(playlist)}")
        self._entries = _entries(Path(playlist).absolute())  # a game may change its folder later
        self._by_seed = {
            entry.track.seeds[0]: number
            for number, entry in enumerate(self._entries)
            if entry.track is not None and len(entry.track.seeds) == 1
        }
        self.recent = deque()

    def check(self, source: Source | None) -> None:
        """Nothing is missing for what the playlist holds."""
        if source is not None and not (isinstance(source, int) and source in self._by_seed):
            super().check(source)

    def _place(self, seed: int | None) -> Any:
        """Where the tune of ``seed`` is kept: by its file, if a track has it."""
        number = None if seed is None else self._by_seed.get(seed)
        return super()._place(seed) if number is None else self._entries[number].path

    def tune(self, source: Source) -> Tune:
        """A tune of ``source``; a seed of the playlist comes from its file."""
        if isinstance(source, int) and source in self._by_seed:
            return self._chosen(self._by_seed[source])
        return super().tune(source)

    def following(self, mood: str | None = None) -> Tune:
        """The next tune of the playlist; a track that cannot be read is passed over, and told to the log."""
        for _ in range(2 * (len(self._entries) - 1)):  # the rest of this round, and all of another
            try:
                return super().following(mood)
            except PianoganError as error:
                log.warning("the next track instead: %s", error)
        return super().following(mood)

    def give_back(self, tunes: Iterable[Tune]) -> None:
        """These came of :meth:`following`, and will not be heard now: they are still to come this round."""
        if numbers := self._numbers(tunes):
            self._think_no_more()
            self.recent = deque(number for number in self.recent if number not in numbers)

    def take_up(self, tunes: Iterable[Tune]) -> None:
        """These come now, though they were given in an earlier round, maybe: they count for this one."""
        numbers = self._numbers(tunes)
        self.give_back(tunes)
        self.remember(numbers)

    def _numbers(self, tunes: Iterable[Tune]) -> list[int]:
        """Numbers of the entries that tunes are of, in their order."""
        kept = {
            id(self._tunes[entry.path]): n
            for n, entry in enumerate(self._entries)
            if entry.path in self._tunes
        }
        return [kept[id(tune)] for tune in tunes if id(tune) in kept]

    def _choose(self, mood: str | None) -> int:
        """Number of the next entry: one that was not played yet, as long as there is any."""
        suiting = self._suiting(mood)
        fresh = [number for number in suiting if number not in self.recent]
        if not fresh:  # all were played: another round, that does not begin with the last one
            fresh = [number for number in suiting if number != self.recent[-1]] or suiting
            self.recent = deque(number for number in self.recent if number not in suiting)
        number = fresh[int(self._random.integers(len(fresh)))]
        self.recent.append(number)
        return number

    def _suiting(self, mood: str | None) -> list[int]:
        """Numbers of the entries for ``mood``; all of them where none suits."""
        everything = list(range(len(self._entries)))
        moods = (entry.track.moods if entry.track else () for entry in self._entries)
        return [
            number for number, names in zip(everything, moods, strict=True) if mood in names
        ] or everything

    def _chosen(self, number: int) -> Tune:
        entry = self._entries[number]
        return self._kept(entry.path, lambda: _tune(entry))


def _entries(place: Path) -> tuple[Entry, ...]:
    folder = place.parent if place.name == MANIFEST and place.is_file() else place
    if not folder.is_dir():
        raise PlaylistError(f"{folder}: no folder is there; a playlist is a folder of MIDI files")
    if (folder / MANIFEST).is_file():
        tracks = [(track, track.file("mid")) for track in read_manifest(folder).tracks]
        entries = tuple(Entry(folder / file.name, file, track) for track, file in tracks if file is not None)
    else:
        files = sorted(folder.iterdir())
        entries = tuple(Entry(path) for path in files if path.suffix.lower() in (".mid", ".midi"))
    if not entries:
        raise PlaylistError(f"{folder}: no MIDI files (*.mid) to play; music is played from its notes")
    return entries


def _tune(entry: Entry) -> Tune:
    """A tune of an entry's file, with the loop, seed and licence of its track."""
    try:
        with entry.path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PlaylistError(f"{entry.path}: cannot be read: {error.strerror}") from error
    if entry.file is not None and hashlib.sha256(data).hexdigest() != entry.file.sha256:
        raise PlaylistError(f"{entry.path}: not the file that {MANIFEST} describes (its SHA-256 differs)")
    piece = parse_piece(data, name=str(entry.path))
    track = entry.track
    if track is None:
        return prepare(replace(piece, title=entry.path.stem))
    tune = prepare(_signed(piece, track))
    loop = round(track.loop.start_beat * STEPS_PER_BEAT), round(track.loop.end_beat * STEPS_PER_BEAT)
    if not 0 <= loop[0] < loop[1] <= tune.steps:
        raise PlaylistError(f"{entry.path}: the loop {track.loop} lies outside its {tune.steps} steps")
    return replace(tune, loop=loop)


def _signed(piece: Piece, track: Track) -> Piece:
    """The piece with what the manifest knows of its origin."""
    seed = track.seeds[0] if len(track.seeds) == 1 else None
    return replace(
        piece,
        beats_per_bar=track.beats_per_bar,
        seed=seed,
        model=track.model,
        licence=track.licence,
        title=track.title,
    )
