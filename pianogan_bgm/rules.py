"""What a command changes: pure functions from state to state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from pianogan_bgm import commands as c
from pianogan_bgm.decks import (
    CUT_SECONDS,
    MIDDLE_SECONDS,
    dismiss,
    key_to_come,
    ramp_of,
    start,
    steps_until,
    steps_until_switch,
    switch,
    unfade,
    waiting,
)
from pianogan_bgm.harmony import Key
from pianogan_bgm.mixdown import OPEN, Mix, Ramp
from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.state import Deck, Event, Held, Out, State
from pianogan_bgm.tune import Tune
from pianogan_bgm.voicing import cued


def apply(state: State, command: c.Command, frame: int) -> Out:
    """``command`` at ``frame``, before a step that begins there."""
    return _APPLY[type(command)](state, command, frame)


def _play(state: State, command: c.Play, frame: int) -> Out:
    idle = state.deck is None or state.ends_at is not None
    state = dismiss(unfade(state, frame), frame, CUT_SECONDS)
    state = replace(
        waiting(state, None),
        endless=command.endless,
        mood=command.mood,
        queue=state.queued if idle else (),  # what was queued since the music stopped comes after this
        scene=command.scene,
        came=command.serial or state.came,
    )
    deck = Deck(state.decks, command.tune, loops=command.loops, shift=command.shift, lap=command.lap)
    # begun in the middle, there are tones that ring already
    fade = max(command.fade, MIDDLE_SECONDS) if command.step else command.fade
    fade_in = Ramp(frame, frame + state.frames(fade), 0.0 if fade else 1.0, 1.0)
    return start(state, deck, command.step, frame, fade_in)


def _queue(state: State, command: c.Queue, frame: int) -> Out:
    if command.after is not None and (state.deck is None or state.deck.number != command.after):
        return Out(state)
    if command.drawn:
        return Out(replace(state, queue=(*state.queue, command)))
    return Out(replace(state, queue=(*state.queued, command, *state.drawn)))


def _clear_queue(state: State, command: c.ClearQueue, frame: int) -> Out:
    return Out(replace(state, queue=()))


def _transition(state: State, command: c.Transition, frame: int) -> Out:
    if state.deck is not None and command.at != "now":
        return Out(waiting(state, command))
    return switch(state, command, frame)


def _cancel(state: State, command: c.CancelTransition, frame: int) -> Out:
    if not command.of or state.came < command.of:
        state = waiting(state, None)
        for one in command.then:
            state = apply(state, one, frame).state
    return Out(replace(state, came=command.serial or state.came))


def _hold(state: State, command: c.Hold, frame: int) -> Out:
    deck = Deck(-1, command.tune, command.step, command.loops, command.shift, command.lap)
    held = tuple(one for one in state.held if one.scene != command.scene)
    return Out(replace(state, held=(*held, Held(command.scene, deck, command.queue))))


def _level(state: State, command: c.SetLevel, frame: int) -> Out:
    frames = _gradually(state, command.seconds, frame)
    mix = state.mix
    if command.level == "volume":
        mix = replace(mix, volume=mix.volume.towards(command.value, frame, frames))
    else:
        mix = replace(mix, duck=mix.duck.towards(command.value, frame, frames))
    return Out(replace(state, mix=mix))


def _intensity(state: State, command: c.SetIntensity, frame: int) -> Out:
    mix = state.mix.with_intensity(command.value, frame, _gradually(state, command.seconds, frame))
    return Out(replace(_overrule(state, intensity=None), intensity=command.value, mix=mix))


def _gradually(state: State, seconds: float, frame: int) -> int:
    """Frames that a change takes: none where nothing sounds."""
    return 0 if not state.plays and _faded(state, frame) else state.frames(seconds)


def _faded(state: State, frame: int) -> bool:
    """Whether nothing of any piece may still ring."""
    return all(fader.expires is not None and fader.expires <= frame for fader in state.mix.faders)


def _tempo(state: State, command: c.SetTempo, frame: int) -> Out:
    steps = max(1, round(command.beats * STEPS_PER_BEAT))
    if command.beats == 0.0 or state.deck is None:
        state = replace(state, tempo=command.value)
    return Out(replace(_overrule(state, tempo=None), tempo_goal=command.value, tempo_steps=steps))


def _transpose(state: State, command: c.SetTranspose, frame: int) -> Out:
    return Out(replace(_overrule(state, transpose=None), transpose=command.semitones))


def _instruments(state: State, command: c.SetInstruments, frame: int) -> Out:
    to = state.pending
    if to is not None and to.instruments is not None:
        state = replace(state, pending=replace(to, instruments=command.over(to.instruments)))
    return Out(replace(state, instruments=command.over(state.instruments)))


def _overrule(state: State, **setting: Any) -> State:
    """What is set while a transition waits goes before what the transition would have set."""
    if state.pending is None:
        return state
    return replace(state, pending=replace(state.pending, **setting))


def _figure(state: State, command: c.PlayFigure, frame: int) -> Out:
    if not state.running:  # no music, no grid: one begins here, at 120 beats a minute
        state = replace(state, anchor=frame, count=0, pace=state.rate / 8.0)
    wait = steps_until(state.deck, command.at) if state.deck else 0
    if state.deck is not None and state.pending is not None:  # the new piece begins with a bar, too
        wait = min(wait, steps_until_switch(state, state.deck, state.pending))
    tick = state.tick + wait
    cues = cued(state, command.figure, _key_in(state, wait), tick)
    return Out(replace(state, cues=cues, stingers=(*state.stingers, tick)))


def _key_in(state: State, steps: int) -> Key:
    """The key that will sound after so many steps, as far as is known."""
    deck, to = state.deck, state.pending
    if deck is None or to is None or steps < steps_until_switch(state, deck, to):
        return state.key
    return key_to_come(state, deck, to)


def _seek(state: State, command: c.Seek, frame: int) -> Out:
    if state.deck is None:
        return Out(state)
    rising = ramp_of(state.mix, state.deck.number).end  # a fade-in still ends when it would have
    deck = replace(state.deck, number=state.decks)
    state = dismiss(state, frame, CUT_SECONDS)
    rise = Ramp(frame, max(frame + state.frames(CUT_SECONDS), rising), 0.0, 1.0)
    place = command.place * _steps_in(command.unit, deck.tune)
    state, voices, _ = start(state, deck, min(place, deck.tune.steps), frame, rise)
    return Out(state, voices)


def _steps_in(unit: str, tune: Tune) -> float:
    each = {"seconds": tune.piece.tempo / 60.0 * STEPS_PER_BEAT, "beats": STEPS_PER_BEAT, "bars": tune.bar}
    return each.get(unit, 1.0)


def _stop(state: State, command: c.Stop, frame: int) -> Out:
    # what endless music has drawn goes with it: a long fade-out may come to its next piece
    state = replace(waiting(state, None), queue=state.drawn, held=(), came=max(state.came, command.serial))
    if _faded(state, frame):
        return Out(replace(state, queue=()))
    frames = state.frames(command.seconds)
    fade = state.mix.fade.towards(0.0, frame, frames)
    return Out(replace(state, mix=replace(state.mix, fade=fade), ends_at=frame + frames))


_APPLY: Final[dict[type, Callable[[State, Any, int], Out]]] = {
    c.Play: _play,
    c.Queue: _queue,
    c.ClearQueue: _clear_queue,
    c.Transition: _transition,
    c.Hold: _hold,
    c.CancelTransition: _cancel,
    c.SetLevel: _level,
    c.SetIntensity: _intensity,
    c.SetTempo: _tempo,
    c.SetTranspose: _transpose,
    c.SetInstruments: _instruments,
    c.PlayFigure: _figure,
    c.Seek: _seek,
    c.Stop: _stop,
}


def silence(state: State, frame: int) -> Out:
    """The end of a fade-out: nothing plays any more but stingers, unless a transition waits to begin."""
    if state.pending is not None:
        return switch(state, state.pending, frame)
    ended = () if state.deck is None else (Event("end", frame, scene=state.scene),)
    mix = replace(state.mix, fade=OPEN, faders=())
    state = replace(
        state,
        deck=None,
        leaving=(),
        queue=state.queued,
        endless=False,
        ends_at=None,
        mix=mix,
        held=(),
    )
    return Out(state, (), ended)


def moved(state: State, frame: int, rate: int) -> State:
    """What holds at ``frame``, for a stream of another ``rate`` that begins with a seek to the same place."""

    def there(at: int) -> int:
        return round((at - frame) * rate / state.rate)

    def on(ramp: Ramp) -> Ramp:
        return replace(ramp, start=0, end=max(0, there(ramp.end)), low=ramp.value(frame))

    present = None if state.deck is None else state.deck.number
    mix = Mix(
        on(state.mix.volume),
        on(state.mix.duck),
        on(state.mix.fade),
        tuple(map(on, state.mix.layers)),
        tuple(replace(one, ramp=on(one.ramp)) for one in state.mix.faders if one.deck == present),
    )
    ends_at = None if state.ends_at is None else there(state.ends_at)
    return replace(
        state,
        rate=rate,
        anchor=there(state.step_at),
        count=0,
        pace=state.pace * rate / state.rate,
        tick=0,
        leaving=(),
        cues=tuple(cue._replace(tick=cue.tick - state.tick) for cue in state.cues),
        stingers=tuple(tick - state.tick for tick in state.stingers),
        ends_at=ends_at,
        mix=mix,
    )
