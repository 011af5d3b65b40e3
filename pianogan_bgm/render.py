"""Offline sound: a piece to PCM and to audio files, block by block, so that length costs no memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any, Final

import numpy as np

from pianogan_bgm import arrange
from pianogan_bgm.bus import finish, to_format
from pianogan_bgm.endings import with_ending
from pianogan_bgm.errors import SoundError
from pianogan_bgm.expression import EXPRESSIVE, ONE_SHOT, Expression
from pianogan_bgm.files import appearing, path_in_c
from pianogan_bgm.instruments import CREDITS, RATES, Block, Instrument, Tone, load, mix
from pianogan_bgm.midi import encodable, read_piece
from pianogan_bgm.piece import Piece
from pianogan_bgm.room import SMALL_ROOM, Reverb, Room, reverb

DEFAULT_RATE: Final = 44100
BLOCK: Final = 65536
WRITE_BLOCK: Final = 8192
SUBTYPES: Final = {".wav": "PCM_16", ".flac": "PCM_16", ".ogg": "VORBIS"}
"""File endings :func:`write_audio` knows, and how each stores its samples."""
MAX_WAV_BYTES: Final = 0xFFFF0000
"""Of sound: a WAV file counts its bytes with 32 bits, and has some more of its own."""
_FRAME_BYTES: Final = 4
"""Of a frame in 16 bits: left and right."""
_OF_THE_SYSTEM: Final = 2
"""libsndfile's number for errors that are none of its own."""


def render(
    piece: Piece,
    rate: int = DEFAULT_RATE,
    instrument: str = "piano",
    *,
    tail: bool = True,
    expression: Expression = EXPRESSIVE,
    room: Room = SMALL_ROOM,
) -> Block:
    """The piece as it is heard: float32 (frames, 2) in -1 to 1.

    ``rate``: Hz, 8000 to 192000. ``instrument``: one of :data:`pianogan_bgm.instruments.NAMES`. ``tail``: let
    the last notes ring out; without it the result is exactly as long as the piece, which a ritardando makes
    longer. ``room``: where it is heard. Raises :class:`SoundError`.
    """
    blocks = render_blocks(piece, rate, instrument, tail=tail, expression=expression, room=room)
    return np.concatenate([*blocks, np.zeros((0, 2), np.float32)])


def render_blocks(
    piece: Piece,
    rate: int = DEFAULT_RATE,
    instrument: str = "piano",
    *,
    tail: bool = True,
    expression: Expression = EXPRESSIVE,
    room: Room = SMALL_ROOM,
) -> Iterator[Block]:
    """What :func:`render` gives, in pieces of at most 65536 frames."""
    voice, walls = load(instrument, rate), reverb(rate, room)
    tones = arrange.tones(arrange.perform(piece, expression), rate, expression=expression)
    gain = arrange.loudness_gain(tones, rate)
    frames = arrange.clock(piece, rate, expression=expression)(piece.steps)
    if tail:
        frames = max([frames, *(tone.start + voice.ring(tone) + walls.tail for tone in tones)])
    return (finish(block, gain) for block in room_blocks(walls, voice, tones, frames))


def room_blocks(
    walls: Reverb, instrument: Instrument, tones: Sequence[Tone], frames: int, block: int = BLOCK
) -> Iterator[Block]:
    """The first ``frames`` frames of ``tones`` in a room, what sounded before frame 0 included."""
    return in_room(walls, mix_blocks(instrument, tones, frames, block, first=-walls.tail))


def in_room(walls: Reverb, dry: Iterable[Block]) -> Iterator[Block]:
    """Blocks of sound with their echoes: what comes after the first ``walls.tail`` frames of ``dry``."""
    before = np.zeros((0, 2), np.float32)
    for block in dry:
        sound = np.concatenate([before, block])
        if len(sound) > walls.tail:
            yield walls.wet(sound)
        before = sound[-walls.tail :]


def mix_blocks(
    instrument: Instrument, tones: Iterable[Tone], frames: int, block: int = BLOCK, first: int = 0
) -> Iterator[Block]:
    """Frames ``first`` up to ``frames`` of ``tones``, without a room, mixed ``block`` frames at a time."""
    waiting = sorted(tones)
    sounding: list[Tone] = []
    index = 0
    for at in range(first, frames, block):
        end = min(at + block, frames)
        while index < len(waiting) and waiting[index].start < end:
            sounding.append(waiting[index])
            index += 1
        yield mix(instrument, sounding, at, end - at)
        sounding = [tone for tone in sounding if tone.start + instrument.ring(tone) > end]


def write_audio(
    path: str | os.PathLike[str],
    sound: Block | Iterable[Block],
    rate: int,
    *,
    title: str | None = None,
    licence: str | None = None,
    comment: str | None = None,
) -> int:
    """Write PCM to a .wav, .flac (both 16-bit) or .ogg (Vorbis) file; returns the frames written.

    ``sound``: float32 (frames, 2) in -1 to 1, or blocks of it as they come. ``title``, ``licence`` (the
    copyright in a .wav, which has no place for licences) and ``comment`` (credits, say) become its tags.
    The file appears whole or not at all. Raises :class:`SoundError` for another ending, a rate that the
    format does not know, more than 4 GiB in a .wav and a disk that is full, :class:`OSError` for a place that
    cannot be written to.
    """
    import soundfile

    target = Path(path)
    kind = target.suffix.lower()
    check_sound(target.name, rate, len(sound) if isinstance(sound, np.ndarray) else 0)
    with appearing(target) as temporary:
        temporary.touch()  # says why, where nothing can be written
        try:
            with _opened(temporary, rate, kind, target) as file:
                place = "copyright" if kind == ".wav" else "license"
                _tag(file, title=title, comment=comment, **{place: licence})
                frames = write_blocks(file, _bounded(sound, target.name, rate))
            whole = soundfile.info(path_in_c(temporary)).frames == frames
        except (soundfile.LibsndfileError, ShortWrite):
            whole = False
        if not whole and not temporary.exists():
            raise SoundError(f"{target} cannot be written: somebody removed its temporary file meanwhile")
        if not whole:  # its Vorbis encoder says nothing of it
            raise SoundError(f"{target} cannot be written whole; is the disk full?")
    return frames


def check_sound(name: str, rate: int, frames: int = 0) -> None:
    """Raise :class:`SoundError` where a file of that ``name`` cannot have ``rate`` Hz or so many frames."""
    kind = PurePath(name).suffix.lower()
    if kind not in SUBTYPES:
        raise SoundError(f"{name or 'the file'} should end in one of {', '.join(SUBTYPES)}")
    if not RATES[0] <= rate <= RATES[1]:  # libsndfile's Vorbis crashes on some others
        raise SoundError(f"the sample rate must be {RATES[0]} to {RATES[1]} Hz; got {rate!r}")
    if kind == ".flac" and rate >= 1 << 16 and rate % 10:  # RFC 9639, section 9.1.2
        raise SoundError(f"a FLAC file knows {rate // 10 * 10} Hz and {rate // 10 * 10 + 10} Hz; got {rate}")
    if kind == ".wav" and frames * _FRAME_BYTES > MAX_WAV_BYTES:
        longest = MAX_WAV_BYTES / _FRAME_BYTES / rate / 60
        raise SoundError(f"a WAV file holds 4 GiB, {longest:.0f} minutes at {rate} Hz; write .flac or .ogg")


def _bounded(sound: Block | Iterable[Block], name: str, rate: int) -> Iterator[Block]:
    """``sound``, as long as it fits into a file of that name."""
    frames = 0
    for block in _blocks(sound):
        frames += len(block)
        check_sound(name, rate, frames)
        yield block


def _opened(temporary: Path, rate: int, kind: str, target: Path) -> Any:
    """A file of libsndfile's. Raises :class:`SoundError` where it will not open one of that rate.

    And ``LibsndfileError`` where the system will not write its head.
    """
    import soundfile

    # by its path: an interrupt that came while libsndfile calls back into Python would get lost there
    name, form = path_in_c(temporary), kind[1:].upper()
    try:
        return soundfile.SoundFile(name, "w", rate, 2, subtype=SUBTYPES[kind], format=form)
    except soundfile.LibsndfileError as error:
        if error.code == _OF_THE_SYSTEM:
            raise
        raise SoundError(f"{target} cannot be written at {rate} Hz: {error.error_string}") from error


def _tag(file: Any, **tags: str | None) -> None:
    from pianogan_bgm import __version__

    for name, text in {"software": f"pianogan-bgm {__version__}", **tags}.items():
        if text:
            setattr(file, name, encodable(text))


def _blocks(sound: Block | Iterable[Block]) -> Iterator[Block]:
    # libsndfile's Vorbis encoder wants a stack as large as what it is given at once
    for block in [sound] if isinstance(sound, np.ndarray) else sound:
        for at in range(0, len(block), WRITE_BLOCK):
            yield block[at : at + WRITE_BLOCK]


class ShortWrite(Exception):
    """Less was written than was given."""


def write_blocks(file: Any, sound: Block | Iterable[Block]) -> int:
    """Write to a ``soundfile.SoundFile`` of Vorbis or of 16 bits; how many frames.

    Raises :class:`ShortWrite` where less was written than was given, and what ``write`` raises.
    """
    frames = 0
    for block in _blocks(sound):
        # 16-bit samples are rounded here, as the mixer's are, so that a file equals a stream
        pcm = block if file.subtype == "VORBIS" else to_format(block, -16, 2)
        try:
            file.write(pcm)
        except AssertionError as error:  # that is how soundfile says so
            raise ShortWrite from error
        frames += len(block)
    return frames


def render_file(
    source: Path,
    target: Path,
    rate: int = DEFAULT_RATE,
    instrument: str = "piano",
    *,
    ending: bool = False,
) -> float:
    """A MIDI file to an audio file, tagged with its name; returns its seconds.

    Its copyright becomes the licence of the sound; tempo changes are played as one mean tempo. ``ending``:
    slow down and close on a cadence. Raises :class:`SoundError`, and
    :class:`~pianogan_bgm.errors.InvalidMidi` for a file that cannot be read.
    """
    piece = read_piece(source)
    piece = with_ending(piece) if ending else piece
    check_sound(target.name, rate, int(piece.seconds * rate))
    blocks = render_blocks(piece, rate, instrument, expression=ONE_SHOT if ending else EXPRESSIVE)
    credit = CREDITS.get(instrument)
    return write_audio(target, blocks, rate, title=source.stem, licence=piece.licence, comment=credit) / rate
