"""What a step of music brings: notes, beats, loops, the next piece. Pure functions from state to state."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

from pianogan_bgm.decks import (
    is_followed,
    key_to_come,
    lap_end,
    ramp_of,
    retire,
    start,
    steps_until_switch,
    switch,
)
from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.state import Deck, Event, Out, State
from pianogan_bgm.tune import related_shift
from pianogan_bgm.voicing import cue_voices, cued, strike


def step(state: State) -> Out:
    """The step that begins at ``state.step_at``."""
    frame = state.step_at
    state, voices, events = _turn(state, frame)
    state = _tempo_step(_fill(state), frame)
    if state.deck is not None:
        voices += strike(state, state.deck, frame)
        events += _beats(state, state.deck, frame)
    for one in state.leaving:
        if frame < one.until:
            as_left = replace(state, transpose=one.transpose, instruments=one.instruments)
            voices += strike(as_left, one.deck, frame)
    voices += cue_voices(state, frame)
    events += (Event("stinger", frame, scene=state.scene),) * state.stingers.count(state.tick)
    return Out(_onward(state, frame), voices, events)


def _turn(state: State, frame: int) -> Out:
    """What happens between two steps: transition, loop, next piece, end."""
    deck = state.deck
    if deck is None:
        return Out(state)
    if state.pending is not None and steps_until_switch(state, deck, state.pending) == 0:
        return switch(state, state.pending, frame)
    if deck.pos < lap_end(deck, is_followed(state)):
        return Out(state)
    if deck.loops or (state.endless and not state.queue):
        return _repeat(state, deck, frame)
    if state.queue:
        return _next(state, deck, frame)
    # a fade-out goes on, but there is nothing left for it to end
    state = replace(state, deck=None, ends_at=None, mix=retire(state, deck.number, frame))
    return Out(state, (), (Event("end", frame, piece=deck.tune.name, scene=state.scene),))


def _repeat(state: State, deck: Deck, frame: int) -> Out:
    deck = _again(deck)
    state = replace(state, deck=deck, anchor=frame, count=0)
    return Out(state, (), (Event("loop", frame, piece=deck.tune.name, scene=state.scene, step=deck.pos),))


def _again(deck: Deck) -> Deck:
    loops = deck.loops - 1 if deck.loops > 0 else deck.loops
    return replace(deck, pos=deck.tune.loop[0], loops=loops, lap=deck.lap + 1)


def _next(state: State, deck: Deck, frame: int) -> Out:
    follower, *rest = state.queue
    shift = related_shift(deck.key, follower.tune.key) if follower.related else 0
    rising = ramp_of(state.mix, deck.number)  # a fade-in goes on where it is longer than the piece
    state = replace(state, queue=tuple(rest), mix=retire(state, deck.number, frame))
    deck = Deck(state.decks, follower.tune, loops=follower.loops, shift=shift)
    return start(state, deck, 0.0, frame, rising)


def _fill(state: State) -> State:
    """The filler of a pending transition, timed to end where the new piece begins."""
    to, deck = state.pending, state.deck
    if to is None or to.filler is None or deck is None:
        return state
    left = steps_until_switch(state, deck, to)
    length = ceil(to.filler.steps)
    if left > length:
        return state
    key = key_to_come(state, deck, to)
    cues = cued(state, to.filler, key, state.tick, float(length - left), filler=True)
    return replace(state, cues=cues, pending=replace(to, filler=None))


def _tempo_step(state: State, frame: int) -> State:
    """One sixteenth of a tempo ramp."""
    if state.tempo_steps == 0:
        return state
    tempo = state.tempo + (state.tempo_goal - state.tempo) / state.tempo_steps
    state = replace(state, tempo=tempo, tempo_steps=state.tempo_steps - 1, anchor=frame, count=0)
    return replace(state, pace=state.step_frames(state.deck.tune)) if state.deck else state


def _onward(state: State, frame: int) -> State:
    """The next step to come; what is done is let go."""
    deck = state.deck and replace(state.deck, pos=state.deck.pos + 1)
    leaving = tuple(one._replace(deck=_further(one.deck)) for one in state.leaving if one.until > frame)
    cues = tuple(cue for cue in state.cues if cue.tick > state.tick)
    stingers = tuple(tick for tick in state.stingers if tick > state.tick)
    faders = state.mix.faders
    if any(fader.expires is not None and fader.expires <= frame for fader in faders):
        faders = tuple(one for one in faders if one.expires is None or one.expires > frame)
        state = replace(state, mix=replace(state.mix, faders=faders))
    return replace(
        state,
        deck=deck,
        leaving=leaving,
        cues=cues,
        stingers=stingers,
        tick=state.tick + 1,
        count=state.count + 1,
    )


def _further(deck: Deck) -> Deck:
    """A deck that is left, one step on; a loop loops on."""
    deck = replace(deck, pos=deck.pos + 1)
    return _again(deck) if deck.loops and deck.pos >= lap_end(deck, followed=True) else deck


def _beats(state: State, deck: Deck, frame: int) -> tuple[Event, ...]:
    if deck.pos % STEPS_PER_BEAT:
        return ()
    bar, place = divmod(deck.pos, deck.tune.bar)
    beat = place // STEPS_PER_BEAT + 1
    kinds = ("bar", "beat") if place == 0 else ("beat",)
    name = deck.tune.name
    return tuple(Event(kind, frame, bar + 1, beat, deck.pos, name, state.scene) for kind in kinds)
