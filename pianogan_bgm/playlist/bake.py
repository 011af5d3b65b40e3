"""One track: from an order to the bytes of its files. Pure but for the loaded model; runs in any process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from pianogan_bgm import __version__, midi
from pianogan_bgm.atlas import Atlas, load_atlas, measure
from pianogan_bgm.cards import ModelCard
from pianogan_bgm.errors import PlaylistError
from pianogan_bgm.generator import Generator
from pianogan_bgm.harmony import pedal
from pianogan_bgm.images import piece_slab, slab_to_png
from pianogan_bgm.instruments import credited
from pianogan_bgm.manifest import MIX, SOUNDS, STEMS, Settings, Sound, Track, TrackFile
from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.piece import Piece
from pianogan_bgm.playlist.choice import Print, print_of
from pianogan_bgm.playlist.page import pack
from pianogan_bgm.playlist.sound import PARTS, encode, record
from pianogan_bgm.playlist.tags import Tags, tagged_png
from pianogan_bgm.playlist.tracks import Music, make_music

SOFTWARE: Final = f"pianogan-bgm {__version__}"
PROGRAMS: Final = {"piano": 0, "music_box": 10, "electric_piano": 4, "chip_square": 80, "chip_triangle": 80}
"""General MIDI programs nearest to the instruments."""
LOOP_MARKERS: Final = ("loopStart", "loopEnd")


@dataclass(frozen=True, slots=True)
class Order:
    """A track to be made. ``model``: name or path; it must have the weights of ``weights_sha256``."""

    name: str
    album: str
    seeds: tuple[int, ...]
    model: str
    weights_sha256: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class Baked:
    """A finished track with the bytes of its files by name, and its notes as the page wants them."""

    track: Track
    data: Mapping[str, bytes]
    roll: str


@lru_cache(maxsize=2)
def generator_of(model: str, weights_sha256: str) -> Generator:
    """The model, kept for the next track. Raises :class:`PlaylistError` for other weights than these."""
    generator = Generator(model)
    if generator.card.weights_sha256 != weights_sha256:
        raise PlaylistError(
            f"the playlist was composed by weights {weights_sha256[:12]}…; the model {model!r} here is of "
            f"{generator.card.weights_sha256[:12]}…, which compose other notes"
        )
    return generator


@lru_cache(maxsize=2)
def _atlas_of(model: str) -> Atlas:
    return load_atlas(model)


def prints(model: str, weights_sha256: str, seeds: tuple[int, ...]) -> list[Print | None]:
    """What :func:`~pianogan_bgm.playlist.choice.choose` judges these seeds by."""
    generator = generator_of(model, weights_sha256)
    return [print_of(generator.compose(seed)) for seed in seeds]


def bake(order: Order) -> Baked:
    """Make the track. The same order gives the same bytes, with the same versions of the libraries used.

    Raises the errors of the package.
    """
    generator = generator_of(order.model, order.weights_sha256)
    pieces = [generator.compose(seed) for seed in order.seeds]
    wanted = order.settings
    music = make_music(pieces, tempo=wanted.tempo, key=wanted.key)
    title = _title(generator.card.name, order, music)
    data: dict[str, bytes] = {}
    files: list[TrackFile] = []
    tags = Tags(
        title, order.album, generator.card.output_licence, credits_of(generator.card, wanted), SOFTWARE
    )
    sound: Sound | None = None
    made = list(_notes(music, wanted, tags))
    if set(wanted.formats) & set(SOUNDS):
        sound, more = _sounds(music, wanted, tags)
        made += more
    for kind, part, content in made:
        name = file_name(order.name, kind, part)
        data[name] = content
        files.append(TrackFile(name, kind, part, len(content), hashlib.sha256(content).hexdigest()))
    track = Track(
        name=order.name,
        title=title,
        model=generator.card.name,
        weights_sha256=order.weights_sha256,
        seeds=order.seeds,
        latents=tuple(tuple(piece.latent or ()) for piece in pieces),
        key=music.key.name,
        transposed=music.transposed,
        tempo=music.piece.tempo,
        beats_per_bar=music.piece.beats_per_bar,
        bars=music.piece.steps // music.tune.bar,
        beats=music.piece.steps / STEPS_PER_BEAT,
        loop=music.loop,
        moods=_moods(order.model, pieces[0] if len(pieces) == 1 else music.piece),
        sound=sound,
        licence=generator.card.output_licence,
        files=tuple(files),
    )
    return Baked(track, data, pack(music.piece))


def _moods(model: str, piece: Piece) -> tuple[str, ...]:
    """The moods that ``piece`` suits, its features as an atlas keeps them."""
    return _atlas_of(model).moods([round(value, 4) for value in measure(piece)])


def file_name(track: str, kind: str, part: str) -> str:
    """``open-7.ogg``, or ``open-7.bass.ogg`` for a stem."""
    return f"{track}.{kind}" if part == MIX else f"{track}.{part}.{kind}"


def file_names(order: Order) -> Iterator[str]:
    """The names of all that :func:`bake` makes."""
    for kind in order.settings.formats:
        for part in (MIX, *STEMS) if order.settings.stems and kind != "png" else (MIX,):
            yield file_name(order.name, kind, part)


def credits_of(card: ModelCard, settings: Settings) -> str:
    """The lines to show where the music is heard, in one."""
    return "; ".join(attribution(card, settings))


def attribution(card: ModelCard, settings: Settings) -> tuple[str, ...]:
    """The lines to show where the music is heard: the model's and, where it sounds, the instrument's."""
    sounds = set(settings.formats) & set(SOUNDS)
    return credited(card.attribution, settings.instrument) if sounds else card.attribution


def _title(model: str, order: Order, music: Music) -> str:
    if len(order.seeds) == 1:
        return f"{model} {order.seeds[0]} in {music.key.name}"
    return f"{model} {order.seeds[0]} and {len(order.seeds) - 1} more, beginning in {music.key.name}"


def _notes(music: Music, wanted: Settings, tags: Tags) -> Iterator[tuple[str, str, bytes]]:
    """The MIDI files and the picture: format, part, bytes."""
    piece = music.piece
    presses = pedal(piece)
    markers = list(zip(music.tune.loop, LOOP_MARKERS, strict=True)) if wanted.loop else []
    for kind in wanted.formats:
        if kind == "mid":
            for part in (MIX, *STEMS) if wanted.stems else (MIX,):
                content = midi.piece_to_midi(
                    _part(music, part),
                    title=tags.title if part == MIX else f"{tags.title} ({part})",
                    pedal=presses,
                    markers=markers,
                    program=PROGRAMS.get(wanted.instrument, 0),
                )
                yield kind, part, content
        elif kind == "png":
            yield kind, MIX, tagged_png(slab_to_png(piece_slab(piece)), tags)


def _part(music: Music, part: str) -> Piece:
    """The piece with the notes of one part alone, the length kept."""
    if part == MIX:
        return music.piece
    layer = PARTS[part]
    mine = {
        (step, note.pitch)
        for step, struck in enumerate(music.tune.by_step)
        for note in struck
        if note.layer == layer
    }
    return replace(music.piece, notes=tuple(n for n in music.piece.notes if (n.start, n.pitch) in mine))


def _sounds(music: Music, wanted: Settings, tags: Tags) -> tuple[Sound, list[tuple[str, str, bytes]]]:
    """The audio files, and what they have in common."""
    recording = record(
        music.tune,
        wanted.instrument,
        wanted.rate,
        loop=wanted.loop,
        stems=wanted.stems,
        target=wanted.loudness,
    )
    facts = recording.facts
    loop = (facts.loop_start, facts.loop_frames) if wanted.loop else None
    made = []
    for kind in wanted.formats:
        if kind in SOUNDS:
            for part, block in recording.parts.items():
                title = tags.title if part == MIX else f"{tags.title} ({part})"
                here = replace(tags, title=title, loop=loop)
                made.append((kind, part, encode(block, kind, wanted.rate, here)))
    return facts, made
