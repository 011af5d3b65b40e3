"""The sound of a track: parts that can be looped, brought to a loudness, encoded and tagged.

A loop is rendered as its second lap: it begins with what still rings from the lap before, so the end of the
file leads into its beginning to the sample, in any program that can repeat a file. What is heard equals the
conductor's own second lap. A one-shot is the whole piece until its last note is silent.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from pianogan_bgm.bus import finish, to_format
from pianogan_bgm.errors import SoundError
from pianogan_bgm.instruments import Block, Instrument, Tone, load
from pianogan_bgm.interrupts import held_back
from pianogan_bgm.manifest import MIX, STEMS, Sound
from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.playlist.loudness import loudness
from pianogan_bgm.playlist.tags import Tags, tagged_flac, tagged_ogg, wav
from pianogan_bgm.render import (
    BLOCK,
    SUBTYPES,
    WRITE_BLOCK,
    ShortWrite,
    check_sound,
    in_room,
    mix_blocks,
    write_blocks,
)
from pianogan_bgm.room import Reverb, reverb
from pianogan_bgm.tune import BASS, INNER, MELODY, Tune

PARTS: Final[Mapping[str, int]] = {"melody": MELODY, "inner": INNER, "bass": BASS}
"""Stems and their layers of a tune, in the order in which they are mixed."""
MOST_GAIN: Final = 20.0
"""Decibels above a piece's usual level at which near silence is left as quiet as it is."""
_CLOSE: Final = 0.05
_TRIES: Final = 8


@dataclass(frozen=True, eq=False)
class Recording:
    """Finished sound: ``parts``, float32 (frames, 2) within ±1, by name, ``"mix"`` among them."""

    parts: Mapping[str, Block]
    facts: Sound


def record(
    tune: Tune, instrument: str, rate: int, *, loop: bool, stems: bool, target: float | None
) -> Recording:
    """``tune`` as it is heard on ``instrument`` (a name) at ``rate`` Hz.

    ``loop``: its best loop, else the whole. ``stems``: also each part alone; aligned, at the same gain.
    ``target``: loudness in LUFS; None for the level at which the engine plays.
    """
    voice, walls, usual = load(instrument, rate), reverb(rate), np.float32(tune.gain)
    layers = {part: list(_tones(tune, rate, layer, loop)) for part, layer in PARTS.items()}
    if loop:
        frames = lap_frames(tune, rate)
        layers = {part: list(_laps(tones, voice, walls, frames)) for part, tones in layers.items()}
    else:
        ends = [tone.start + voice.ring(tone) + walls.tail for tones in layers.values() for tone in tones]
        frames = max([round(tune.steps * _pace(tune, rate)), *ends])
    dry = {part: np.empty((walls.tail + frames, 2), np.float32) for part in STEMS if stems}

    def added() -> Iterator[Block]:
        """All parts without the room, from as many frames before the first one on as the room's tail has."""
        parts = (mix_blocks(voice, tones, frames, first=-walls.tail) for tones in layers.values())
        for number, blocks in enumerate(zip(*parts, strict=True)):
            level = dict(zip(layers, (block * usual for block in blocks), strict=True))
            for part in dry:
                dry[part][number * BLOCK :][:BLOCK] = level[part]
            yield sum(level.values(), np.zeros_like(blocks[0]))

    # added as the conductor adds them, and in the room then, so that the result is its to the last bit
    whole = _gathered(in_room(walls, added()), frames)
    gain, mixed, heard = _levelled(whole, rate, target)
    del whole
    made = {MIX: mixed}
    for part in tuple(dry):
        alone = dry.pop(part)
        blocks = (alone[at : at + BLOCK] for at in range(0, len(alone), BLOCK))
        made[part] = _gathered((finish(block, gain) for block in in_room(walls, blocks)), frames)
    facts = Sound(
        rate=rate,
        frames=frames,
        loop_start=0,
        loop_frames=frames if loop else 0,
        loudness=None if heard is None else round(heard, 2),
        peak=round(max(float(mixed.max(initial=0.0)), -float(mixed.min(initial=0.0))), 4),
    )
    return Recording(made, facts)


def _laps(tones: list[Tone], voice: Instrument, walls: Reverb, frames: int) -> Iterator[Tone]:
    """The tones of a lap of ``frames``, and of earlier ones what still rings in it."""
    for tone in tones:
        for back in range(0, tone.start + voice.ring(tone) + walls.tail, frames):
            yield Tone(tone.start - back, tone.pitch, tone.frames, tone.velocity)


def _gathered(blocks: Iterable[Block], frames: int) -> Block:
    """Blocks of ``frames`` frames together as one; what they are made of need not be in memory."""
    whole, at = np.empty((frames, 2), np.float32), 0
    for block in blocks:
        whole[at : at + len(block)] = block
        at += len(block)
    return whole


def lap_frames(tune: Tune, rate: int) -> int:
    """Frames of one lap of the tune's loop, as the conductor counts them."""
    return round((tune.loop[1] - tune.loop[0]) * _pace(tune, rate))


def _pace(tune: Tune, rate: int) -> float:
    """Frames a step."""
    return rate * 60.0 / (tune.piece.tempo * STEPS_PER_BEAT)


def _tones(tune: Tune, rate: int, layer: int, loop: bool) -> Iterator[Tone]:
    """The tones of one layer; in a loop they are let go at its end, and frame 0 is its beginning."""
    pace = _pace(tune, rate)
    first, last = tune.loop if loop else (0, tune.steps)
    for step in range(first, last):
        for note in tune.by_step[step]:
            if note.layer == layer:
                held = max(1, min(note.held, last - step)) if loop else note.held
                start = round((step - first) * pace)
                late = 0 if loop else round(note.late * rate)
                yield Tone(start + late, note.pitch, max(1, round(held * pace) - late), note.velocity)


def _levelled(whole: Block, rate: int, target: float | None) -> tuple[float, Block, float | None]:
    """The gain that brings the limited ``whole`` to ``target`` LUFS, what comes of it, and how loud that is.

    The gain goes in steps of 0.01 dB, so that another machine's rounding gives the same file; several tries,
    because the limiter takes some of each rise away. Without a target it is 1.
    """
    decibels, mixed = 0.0, np.empty_like(whole)
    for attempt in range(_TRIES):
        gain = math.pow(10.0, decibels / 20.0)
        for at in range(0, len(whole), BLOCK):
            mixed[at : at + BLOCK] = finish(whole[at : at + BLOCK], gain)
        heard = loudness(mixed, rate)
        wanted = decibels if target is None or heard is None else decibels + target - heard
        wanted = min(MOST_GAIN, round(wanted, 2))
        if abs(wanted - decibels) < _CLOSE or attempt == _TRIES - 1:
            break
        decibels = wanted
    return gain, mixed, heard


def encode(block: Block, kind: str, rate: int, tags: Tags) -> bytes:
    """A finished part as a tagged ``wav``, ``flac`` (both 16-bit) or ``ogg`` (Vorbis) file.

    Raises :class:`SoundError` where libsndfile cannot make one.
    """
    if kind == "wav":
        pcm = np.empty(block.shape, np.int16)
        for at in range(0, len(block), WRITE_BLOCK):  # a whole one in double precision takes four times that
            pcm[at : at + WRITE_BLOCK] = to_format(block[at : at + WRITE_BLOCK], -16, 2)
        return wav(pcm, rate, tags)
    data = _encoded(block, kind, rate)
    if kind == "flac":
        return tagged_flac(data, tags)
    serial = int.from_bytes(hashlib.sha256(tags.title.encode("utf-8")).digest()[:4], "little")
    return tagged_ogg(data, tags, serial)


def _encoded(block: Block, kind: str, rate: int) -> bytes:
    """What libsndfile makes of ``block``; it calls back into Python, where an interrupt would get lost."""
    import soundfile

    def parts(let_through: Callable[[], None]) -> Iterator[Block]:
        for at in range(0, len(block), WRITE_BLOCK):
            let_through()
            yield block[at : at + WRITE_BLOCK]

    check_sound(f"*.{kind}", rate)
    buffer, why = io.BytesIO(), "less came out than went in"
    try:
        with held_back() as let_through:
            subtype = SUBTYPES[f".{kind}"]
            with soundfile.SoundFile(buffer, "w", rate, 2, subtype=subtype, format=kind.upper()) as file:
                frames = write_blocks(file, parts(let_through))
            buffer.seek(0)
            if soundfile.info(buffer).frames == frames:
                return buffer.getvalue()
    except soundfile.LibsndfileError as error:
        why = error.error_string
    except ShortWrite:
        pass
    raise SoundError(f"{len(block)} frames at {rate} Hz cannot be encoded as {kind}: {why}; out of memory?")
