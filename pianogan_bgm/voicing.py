"""From a step of a deck, or a figure, to tones. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pianogan_bgm.arrange import fold
from pianogan_bgm.harmony import Key
from pianogan_bgm.instruments.tones import Tone
from pianogan_bgm.mixdown import STINGER_DECK, Bus
from pianogan_bgm.state import Cue, Deck, State, Voices
from pianogan_bgm.stingers import Figure
from pianogan_bgm.tune import BASS, INNER, MELODY, STINGER, TuneNote

GRADES: Final = 16
"""Grades of intensity that notes distinguish."""


def strike(state: State, deck: Deck, frame: int) -> Voices:
    """Tones of the deck's present step, which begins at ``frame``."""
    if deck.pos >= deck.tune.steps:
        return ()
    # notes follow the intensity in a few grades, the gains of the layers do so smoothly: a setter called
    # every frame then changes few notes that were rendered already
    intensity = round(state.intensity * GRADES) / GRADES
    found: list[tuple[Bus, Tone]] = []
    struck: dict[tuple[Bus, int], int] = {}
    for note in deck.tune.by_step[deck.pos]:
        if note.rank < density(note.layer, intensity):
            bus = (deck.number, note.layer, state.instruments[note.layer])
            tone = _tone(state, deck, note, frame, intensity)
            key = bus, tone.pitch
            if key in struck:  # it was folded onto a key that is struck already
                _, twin = found[struck[key]]
                louder, longer = max(tone.velocity, twin.velocity), max(tone.frames, twin.frames)
                found[struck[key]] = bus, replace(twin, velocity=louder, frames=longer)
                continue
            struck[key] = len(found)
            found.append((bus, tone))
            if note.layer == BASS and intensity > 0.75 and tone.pitch >= 33:  # the octave below, too
                found.append((bus, replace(tone, pitch=tone.pitch - 12, gain=2.4 * (intensity - 0.75))))
    return tuple(found)


def density(layer: int, intensity: float) -> float:
    """Notes of ``layer`` whose rank is below this are struck."""
    if layer == MELODY:
        return 0.55 + intensity
    if layer == INNER:
        return 2.2 * intensity
    return 0.3 + 1.5 * intensity


def _tone(state: State, deck: Deck, note: TuneNote, frame: int, intensity: float) -> Tone:
    shift = deck.shift + state.transpose
    pitch = fold(note.pitch + shift) if shift else note.pitch
    held = note.held
    if deck.loops:  # held over the loop's end, it is let go at the bar line and rings on over the join
        held = max(1, min(held, deck.tune.loop[1] - deck.pos))
    velocity = max(1, min(127, round(note.velocity * (0.8 + 0.4 * intensity))))
    # laps of a loop must be the same to the sample, and are meant for what has to be on the beat
    late = 0 if deck.loops or deck.lap else round(note.late * state.rate)
    return Tone(frame + late, pitch, max(1, round(held * state.pace) - late), velocity)


def cued(
    state: State, figure: Figure, key: Key, tick: int, skip: float = 0.0, *, filler: bool = False
) -> tuple[Cue, ...]:
    """Cues with those of ``figure``, whose first ``skip`` steps are left out, in order."""
    added = []
    for place, pitch in figure.notes(key):
        if place >= skip:
            whole = int(place - skip)
            late = place - skip - whole
            added.append(Cue(tick + whole, late, pitch, figure.length, figure.accent, filler))
    return tuple(sorted((*state.cues, *added)))


def without_filler(cues: tuple[Cue, ...]) -> tuple[Cue, ...]:
    """Cues of stingers alone."""
    return tuple(cue for cue in cues if not cue.filler)


def cue_voices(state: State, frame: int) -> Voices:
    """Tones of the stingers' notes that are due in the present step, which begins at ``frame``."""
    bus = (STINGER_DECK, STINGER, state.instruments[STINGER])
    return tuple(
        (
            bus,
            Tone(
                frame + round(cue.late * state.pace),
                cue.pitch,
                max(1, round(cue.held * state.pace)),
                cue.velocity,
            ),
        )
        for cue in state.cues
        if cue.tick == state.tick
    )
