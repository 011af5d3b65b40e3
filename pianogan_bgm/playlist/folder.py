"""A whole playlist: a folder made, made again from its manifest, and checked.

Rules: workers only compute; this process alone writes, each file whole or not at all. The manifest is
written while the work goes on and at its end, and lists the files of this playlist; those of an earlier one
stay in the folder, unlisted. Whatever ends the work (Ctrl-C, a full disk), the same command goes on from
there: a track whose files are what the manifest says is not made again. In a folder in which no playlist
was made nothing is overwritten. What tells that one was, from the first file on, is the manifest, or until
there is one the credits.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from tqdm import tqdm

from pianogan_bgm.atlas import load_atlas
from pianogan_bgm.errors import PlaylistError
from pianogan_bgm.files import write_atomically
from pianogan_bgm.generator import Generator
from pianogan_bgm.manifest import (
    FORMAT,
    MANIFEST,
    SOUNDS,
    Manifest,
    Settings,
    Track,
    TrackFile,
    read_manifest,
    write_manifest,
)
from pianogan_bgm.playlist.bake import (
    SOFTWARE,
    Baked,
    Order,
    attribution,
    bake,
    file_names,
    generator_of,
    prints,
)
from pianogan_bgm.playlist.choice import MOST_SEEDS, Print, choose
from pianogan_bgm.playlist.page import MOST_TRACKS, PAGE, write_page
from pianogan_bgm.playlist.tracks import pieces_for
from pianogan_bgm.playlist.workers import Workers, workers
from pianogan_bgm.render import check_sound

CREDITS: Final = "CREDITS.txt"
_SAVE_SHARE: Final = 20.0
"""Saving the manifest may take one part in so many of the time."""
_LEFT_OVER: Final = re.compile(r"\.[0-9a-f]{32}\.tmp")
_LEFT_FOR: Final = 3600.0
"""Seconds after which nobody writes to a temporary file any more; another command may to a younger one."""
_OURS: Final = f'"{FORMAT}"'.encode()
"""What a manifest says near its beginning, a damaged one too."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A new playlist, as asked for.

    ``seeds``: these, or None for ``count`` chosen: from ``first`` on, or for None the best that the model's
    atlas knows (:mod:`pianogan_bgm.playlist.choice`).
    """

    title: str = "Piano background music"
    model: str = "open"
    count: int = 10
    first: int | None = None
    seeds: tuple[int, ...] | None = None
    settings: Settings = field(default_factory=Settings)


def make(folder: Path, wish: Wish, *, jobs: int = 1, cluster: str | None = None) -> Manifest:
    """Make the playlist in ``folder``, or what is missing of it. Raises the errors of the package."""
    _check(wish.settings)
    _prepare(folder)
    generator = Generator(wish.model)
    weights = generator.card.weights_sha256
    head = Manifest(
        title=wish.title,
        made_with=made_with(),
        licence=generator.card.output_licence,
        may_sell=generator.card.may_sell,
        attribution=attribution(generator.card, wish.settings),
        settings=wish.settings,
        tracks=(),
    )
    _refuse_strangers(folder, head)
    with workers(jobs, cluster) as run:
        groups = _groups(wish, generator, run)
        orders = [
            Order(_name(generator.card.name, seeds), wish.title, seeds, wish.model, weights, wish.settings)
            for seeds in groups
        ]
        _refuse_strangers(folder, head, orders)
        return _work(folder, head, orders, run)


def remake(
    source: Path, folder: Path, model: str | None = None, *, jobs: int = 1, cluster: str | None = None
) -> tuple[Manifest, list[str]]:
    """Make a manifest's playlist again in ``folder``; with it the names of files that came otherwise.

    ``model``: path or name where it is not the manifest's own. Other files can come of other versions of the
    libraries that encode sound and pictures; other weights are refused with :class:`PlaylistError`. The
    manifest lies in ``folder`` from the beginning, whole: whatever ends the work, nothing of it is lost.
    """
    old = read_manifest(source)
    _check(old.settings)
    orders = [
        Order(track.name, old.title, track.seeds, model or track.model, track.weights_sha256, old.settings)
        for track in old.tracks
    ]
    for name, weights in {(order.model, order.weights_sha256) for order in orders}:
        generator_of(name, weights)
    _prepare(folder)
    _refuse_strangers(folder, old, orders)
    with _writing(folder / MANIFEST):
        write_manifest(old, folder)
    with workers(jobs, cluster) as run:
        new = _work(folder, replace(old, tracks=(), made_with=made_with()), orders, run, old.tracks)
    expected = {file.name: file.sha256 for track in old.tracks for file in track.files}
    got = {file.name: file.sha256 for track in new.tracks for file in track.files}
    return new, sorted(name for name in expected | got if expected.get(name) != got.get(name))


def verify(folder: Path) -> list[str]:
    """What is wrong with the files of the playlist at ``folder`` (or its manifest), a line each."""
    place = folder if folder.is_dir() else folder.parent
    manifest = read_manifest(folder)
    files = [file for track in manifest.tracks for file in track.files]
    with tqdm(files, desc="checking", unit="file", disable=None) as bar:
        return [line for file in bar if (line := _fault(place, file))]


def made_with() -> str:
    """The programs whose versions decide the bytes of a playlist."""
    import PIL
    import soundfile

    return f"{SOFTWARE}, libsndfile {soundfile.__libsndfile_version__}, Pillow {PIL.__version__}"


# ------------------------------------------------------------------------------------------- what to make


def _check(settings: Settings) -> None:
    """Raise :class:`SoundError` for a rate that a format does not know."""
    for kind in settings.formats:
        if kind in SOUNDS:
            check_sound(f"*.{kind}", settings.rate)


def _groups(wish: Wish, generator: Generator, run: Workers) -> list[tuple[int, ...]]:
    """The seeds of each track."""
    each = 1
    if wish.settings.minutes is not None:
        each = pieces_for(wish.settings.minutes, generator.compose(0), wish.settings.tempo)
    seeds: Sequence[int]
    if wish.seeds is not None:
        seeds = wish.seeds
        if len(seeds) % each:
            raise PlaylistError(
                f"medleys of {wish.settings.minutes:g} min take {each} pieces each: expected a multiple of "
                f"{each} seeds; got {len(seeds)}"
            )
    elif wish.count * each > MOST_SEEDS:
        raise PlaylistError(
            f"{wish.count} tracks of {each} pieces each are {wish.count * each} pieces; "
            f"expected at most {MOST_SEEDS}: ask for fewer, or for shorter ones"
        )
    else:
        weights = generator.card.weights_sha256
        seeds = choose(
            wish.count * each,
            partial(_prints, run, wish.model, weights),
            first=wish.first,
            mood=wish.settings.mood,
            atlas=load_atlas(wish.model),
            least=wish.settings.distance,
            width=run.width,
        )
    return [tuple(seeds[at : at + each]) for at in range(0, len(seeds), each)]


def _prints(run: Workers, model: str, weights: str, seeds: Sequence[int]) -> Iterator[Print | None]:
    size = -(-len(seeds) // run.width)
    parts = [tuple(seeds[at : at + size]) for at in range(0, len(seeds), size)]
    for found in run(partial(prints, model, weights), parts, in_order=True):
        yield from found


def _name(model: str, seeds: Sequence[int]) -> str:
    return f"{model}-{seeds[0]}" if len(seeds) == 1 else f"{model}-{seeds[0]}-medley-{len(seeds)}"


# ------------------------------------------------------------------------------------------------- work


def _prepare(folder: Path) -> None:
    """Make the folder, clear away what a killed run left. Raises :class:`PlaylistError` if it cannot."""
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if _LEFT_OVER.fullmatch(path.name):
                with contextlib.suppress(OSError):  # its own command has just done so, or it is being read
                    if time.time() - path.stat().st_mtime > _LEFT_FOR:
                        path.unlink()
        probe = folder / ".pianogan-bgm-probe"
        write_atomically(probe, b"")
        with contextlib.suppress(PermissionError):  # as a virus scanner has it on Windows
            probe.unlink(missing_ok=True)  # another command may have taken it for its own


def _refuse_strangers(folder: Path, head: Manifest, orders: Sequence[Order] = ()) -> None:
    """Raise :class:`PlaylistError` where a file would be overwritten that no playlist wrote."""
    if _is_ours(folder / MANIFEST):
        return
    names = [MANIFEST, PAGE]
    if _holds(folder / CREDITS, credits_text(head)):
        if _is_blank(folder / MANIFEST):
            return
    else:
        names += [CREDITS, *(name for order in orders for name in file_names(order))]
    if there := [name for name in names if (folder / name).exists()]:
        raise PlaylistError(
            f"{folder / there[0]} exists, and no playlist was made in this folder: give another folder with "
            "-o, or move the file away"
        )


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode("utf-8")
    except OSError:
        return False


def _is_blank(path: Path) -> bool:
    """Whether a file is there and nothing in it, as where power went just after it was renamed."""
    try:
        return not path.read_bytes().strip(b"\0")
    except OSError:
        return False


def _is_ours(manifest: Path) -> bool:
    try:
        with manifest.open("rb") as file:
            return _OURS in file.read(1 << 16)
    except OSError:
        return False


def _work(
    folder: Path, head: Manifest, orders: Sequence[Order], run: Workers, known: Sequence[Track] = ()
) -> Manifest:
    """Make what is missing of ``orders``, then the manifest, the page and the credits.

    ``known``: the tracks of a manifest that stays as it is until all are made; their moods are taken over,
    for the atlas may be another now. Those that are as it says need not be made, whatever made them.
    """
    done = _finished(folder, head, orders, by_any=bool(known))
    before = {track.name: track for track in known}
    saver = _Saver(folder, head, [order.name for order in orders], only_at_the_end=bool(known))
    todo = [order for order in orders if order.name not in done]
    on_page = {order.name for order in orders[:MOST_TRACKS]}
    rolls: dict[str, str] = {}
    with _writing(folder / CREDITS):
        write_atomically(folder / CREDITS, credits_text(head).encode("utf-8"))
    try:
        with tqdm(total=len(orders), initial=len(done), desc="baking", unit="track", disable=None) as bar:
            for baked in run(bake, todo):
                _write(folder, baked)
                name = baked.track.name
                done[name] = replace(baked.track, moods=before.get(name, baked.track).moods)
                if name in on_page:
                    rolls[name] = baked.roll
                saver.now_and_then(done)
                bar.update()
    except BaseException as error:
        with contextlib.suppress(PlaylistError):
            saver.in_between(done)
        outside = (KeyboardInterrupt, OSError, BrokenExecutor)  # nothing is wrong with what was asked for
        goes_on = done or isinstance(error, outside) or isinstance(error.__cause__, outside)
        # nothing tells the next run of what came otherwise than the manifest says
        as_said = all(before.get(track.name, track).files == track.files for track in done.values())
        more = goes_on and as_said and len(done) < len(orders)
        rest = "; the same command goes on from there" if more else ""
        tqdm.write(f"{folder}: {len(done)} of {len(orders)} tracks are whole{rest}", file=sys.stderr)
        raise
    manifest = saver.save(done)
    assert manifest is not None  # there is at least one order
    with _writing(folder):
        write_page(folder, manifest, credits_text(manifest), rolls)
    return manifest


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Errors of the file system as :class:`PlaylistError`, by the name of what was to be written."""
    try:
        yield
    except OSError as error:
        raise PlaylistError(f"{path} cannot be written: {error.strerror or error}") from error


def credits_text(manifest: Manifest) -> str:
    """What to show where the music is heard, ready to paste."""
    sold = "May be used in games that are sold." if manifest.may_sell else "Not for games that are sold."
    return "\n".join([*manifest.attribution, "", manifest.licence, sold, ""])


def _write(folder: Path, baked: Baked) -> None:
    for file in baked.track.files:
        if _fault(folder, file):
            with _writing(folder / file.name):
                write_atomically(folder / file.name, baked.data[file.name])


class _Saver:
    """Writes the manifest of what is done, in the order asked for; not so often that it costs time."""

    def __init__(self, folder: Path, head: Manifest, names: Sequence[str], *, only_at_the_end: bool) -> None:
        self._folder, self._head, self._names = folder, head, names
        self._only_at_the_end = only_at_the_end
        self._saved, self._cost = time.monotonic(), 0.05

    def now_and_then(self, done: Mapping[str, Track]) -> None:
        if time.monotonic() - self._saved > _SAVE_SHARE * self._cost:
            self.in_between(done)

    def in_between(self, done: Mapping[str, Track]) -> None:
        if not self._only_at_the_end:
            self.save(done)

    def save(self, done: Mapping[str, Track]) -> Manifest | None:
        """Write what is done; None where nothing is."""
        began = time.monotonic()
        tracks = tuple(done[name] for name in self._names if name in done)
        if not tracks:
            return None
        manifest = replace(self._head, tracks=tracks)
        with _writing(self._folder / MANIFEST):
            write_manifest(manifest, self._folder)
        self._saved = time.monotonic()
        self._cost = self._saved - began
        return manifest


def _finished(
    folder: Path, head: Manifest, orders: Iterable[Order], *, by_any: bool = False
) -> dict[str, Track]:
    """Tracks that an earlier run finished in the same way, whose files are all there and as they were.

    ``by_any``: versions of the program and its libraries.
    """
    if not (folder / MANIFEST).is_file():
        return {}
    try:
        old = read_manifest(folder)
    except PlaylistError:
        return {}
    if _way(replace(old, made_with=head.made_with) if by_any else old) != _way(head):
        return {}
    tracks = {track.name: track for track in old.tracks}
    done = {}
    for order in orders:
        track = tracks.get(order.name)
        if (
            track is not None
            and (track.seeds, track.weights_sha256) == (order.seeds, order.weights_sha256)
            and not any(_fault(folder, file) for file in track.files)
        ):
            done[order.name] = track
    return done


def _way(manifest: Manifest) -> tuple[object, ...]:
    """Everything about a manifest that decides the bytes of a track."""
    settings = replace(manifest.settings, mood=None, distance=0.0)
    return manifest.title, manifest.made_with, manifest.licence, manifest.attribution, settings


def _fault(folder: Path, file: TrackFile) -> str | None:
    """What is wrong with a file, None where it is what the manifest says."""
    path = folder / file.name
    try:
        size = os.stat(path).st_size
        if size != file.bytes:
            return f"{file.name}: {file.bytes} bytes were expected; there are {size}"
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return f"{file.name}: {error.strerror}"
    if digest != file.sha256:
        return f"{file.name}: its sha256 should be {file.sha256}; it is {digest}"
    return None
