"""Putting decks on and taking them off: starts, transitions, ends of laps. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pianogan_bgm import commands as c
from pianogan_bgm.harmony import Key
from pianogan_bgm.mixdown import OPEN, Fader, Mix, Ramp
from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.state import Deck, Event, Held, Leaving, Out, State, Voices, left_with
from pianogan_bgm.tune import PREROLL, raised, related_shift
from pianogan_bgm.voicing import strike, without_filler

RING_SECONDS: Final = 12.0
"""How long a deck's tones may go on ringing after its last note was struck."""
LAST_SECONDS: Final = 0.5
"""Of that, those in which they are faded."""
CUT_SECONDS: Final = 0.05
"""A fade too short to notice, against clicks."""
MIDDLE_SECONDS: Final = 0.01
"""The same before a first note, whose stroke it leaves sharp."""


def start(state: State, deck: Deck, step: float, frame: int, fade_in: Ramp) -> Out:
    """Put ``deck`` on at ``step`` with everything that still rings there."""
    whole = int(step)
    pace = state.step_frames(deck.tune)
    into = round((step - whole) * pace)
    first = whole + 1 if into else whole
    fader = Fader(deck.number, fade_in, deck.tune.gain)
    state = replace(
        state,
        deck=replace(deck, pos=first),
        decks=deck.number + 1,
        anchor=frame - into,
        count=1 if into else 0,
        pace=pace,
        mix=replace(state.mix, faders=(*state.mix.faders, fader)),
    )
    voices: Voices = ()
    lately = max(0, first - PREROLL)
    held = [step for step, end in deck.tune.lasting if step < lately < end]
    for pos in (*held, *range(lately, first)):
        start = frame - into + round((pos - whole) * pace)
        voices += strike(state, replace(deck, pos=pos), start)
    event = Event("piece", frame, piece=deck.tune.name, scene=state.scene, step=whole)
    return Out(state, voices, (event,))


def dismiss(state: State, frame: int, seconds: float) -> State:
    """Let the present deck strike no more and fade what rings."""
    faders = tuple(
        replace(
            fader,
            ramp=fader.ramp.towards(0.0, frame, state.frames(seconds)),
            expires=frame + state.frames(seconds),
        )
        for fader in state.mix.faders
    )
    return replace(state, deck=None, leaving=(), mix=replace(state.mix, faders=faders))


def unfade(state: State, frame: int) -> State:
    """No fade-out any more: what was fading stays as soft as it is."""
    faded = state.mix.fade.value(frame)
    faders = tuple(replace(fader, ramp=fader.ramp.scaled(faded)) for fader in state.mix.faders)
    return replace(state, ends_at=None, mix=replace(state.mix, fade=OPEN, faders=faders))


def ramp_of(mix: Mix, number: int) -> Ramp:
    """The fade of deck ``number``."""
    return next((fader.ramp for fader in mix.faders if fader.deck == number), OPEN)


def retire(state: State, number: int, frame: int) -> Mix:
    """Let a deck's tones ring on for :data:`RING_SECONDS`, the last of them softly."""
    ramp, expires = ramp_of(state.mix, number), frame + state.frames(RING_SECONDS)
    if ramp.end <= frame:  # it does not rise any more
        ramp = Ramp(expires - state.frames(LAST_SECONDS), expires, ramp.high, 0.0)
    faders = tuple(
        replace(fader, ramp=ramp, expires=expires) if fader.deck == number else fader
        for fader in state.mix.faders
    )
    return replace(state.mix, faders=faders)


def waiting(state: State, to: c.Transition | None) -> State:
    """With another transition pending, or none; what led over to the one before is forgotten."""
    return replace(state, pending=to, cues=without_filler(state.cues))


def switch(state: State, to: c.Transition, frame: int) -> Out:
    """Go over to the piece of a transition, at a step's first frame."""
    old, before = state.deck, state
    state = waiting(unfade(state, frame), None)
    state = replace(state, endless=to.endless, mood=to.mood, came=to.serial)
    state = _settings(state, to, frame)
    fade = round(to.fade_beats * STEPS_PER_BEAT * state.step_frames(to.tune)) if old else 0
    state = _leave(state, before, to, frame, fade)
    resumed = left_with(state, to.scene)
    deck = coming(state, old, to, resumed)
    held = tuple(one for one in state.held if one is not resumed)
    queue = () if resumed is None else resumed.queue
    state = replace(state, scene=to.scene, held=held, queue=queue)
    ramp = Ramp(frame, frame + fade, 0.0 if fade else 1.0, 1.0, even_power=True)
    out = start(state, deck, float(deck.pos), frame, ramp)
    voices = () if resumed is None else tuple(one for one in out.voices if one[1].start >= frame)
    here = Event("transition", frame, piece=deck.tune.name, scene=to.scene, step=deck.pos)
    return Out(out.state, voices, (here, *out.events))


def coming(state: State, old: Deck | None, to: c.Transition, held: Held | None) -> Deck:
    """The deck that a transition from ``old`` puts on: the one its scene was ``held`` with, or a new one."""
    if held is not None:
        return replace(held.deck, number=state.decks)
    shift = related_shift(old.key, to.tune.key) if old and to.related else 0
    return Deck(state.decks, to.tune, loops=to.loops, shift=shift)


def _leave(state: State, before: State, to: c.Transition, frame: int, fade: int) -> State:
    """The old deck plays on as it did ``before`` under a crossfade of ``fade`` frames, or only rings out."""
    old = before.deck
    if old is None:
        return state
    length = fade or state.frames(0.35)
    faders = tuple(
        replace(fader, ramp=fader.ramp.towards(0.0, frame, length, bool(fade)), expires=frame + length)
        if fader.deck == old.number
        else fader
        for fader in state.mix.faders
    )
    state = replace(state, deck=None, mix=replace(state.mix, faders=faders))
    if fade:
        leaving = Leaving(old, frame + fade, before.transpose, before.instruments)
        state = replace(state, leaving=(*state.leaving, leaving))
    # by what was asked it leaves another scene where that came just before, or a fade-out that forgets
    if to.hold and state.scene == to.leaving and before.ends_at is None:
        others = [one for one in state.held if one.scene != state.scene]
        state = replace(state, held=(*others, Held(state.scene, _to_come_back_to(old), state.drawn)))
    return state


def _to_come_back_to(deck: Deck) -> Deck:
    """A deck that is left: on its bar line, or at its beginning where it was over."""
    line = deck.pos // deck.tune.bar * deck.tune.bar
    if line >= lap_end(deck, followed=True):
        line = deck.tune.loop[0] if deck.loops else 0
    return replace(deck, pos=line)


def _settings(state: State, to: c.Transition, frame: int) -> State:
    if to.tempo is not None:
        state = replace(state, tempo=to.tempo, tempo_goal=to.tempo, tempo_steps=0)
    if to.intensity is not None:
        mix = state.mix.with_intensity(to.intensity, frame, state.frames(c.INTENSITY_SECONDS))
        state = replace(state, intensity=to.intensity, mix=mix)
    if to.transpose is not None:
        state = replace(state, transpose=to.transpose)
    if to.instruments is not None:
        state = replace(state, instruments=to.instruments)
    return state


def lap_end(deck: Deck, followed: bool) -> int:
    """Step at which this lap of the deck ends."""
    if deck.loops:
        return max(deck.tune.loop[1], 1)
    return deck.tune.join if followed and deck.pos <= deck.tune.join else deck.tune.steps


def is_followed(state: State) -> bool:
    """Whether another piece comes after the one that plays."""
    return bool(state.queue) or state.endless


def steps_until(deck: Deck, at: c.When) -> int:
    """Steps from the deck's next step to the next ``at``."""
    if at == "now":
        return 0
    if at == "end":
        return max(0, lap_end(deck, followed=True) - deck.pos)
    return -deck.pos % (deck.tune.bar if at == "bar" else STEPS_PER_BEAT)


def steps_until_switch(state: State, deck: Deck, to: c.Transition) -> int:
    """Steps until ``to`` goes over from ``deck``: to its moment, or to the end of a lap before that."""
    end = lap_end(deck, is_followed(state))
    return min(steps_until(deck, to.at), max(0, end - deck.pos))


def key_to_come(state: State, deck: Deck, to: c.Transition) -> Key:
    """The key that sounds once ``to`` has gone over from ``deck``."""
    deck = coming(state, deck, to, left_with(state, to.scene))
    return raised(deck.key, state.transpose if to.transpose is None else to.transpose)
