"""The rules of the conductor: what a command changes and what a step of music brings.

Pure functions from state to state. All state is one frozen dataclass, so any moment can be kept and gone back
to. Musical time runs in steps (sixteenths): step ``count`` after the frame ``anchor`` begins at frame
``anchor + round(count × frames a step)``; the anchor is moved to a whole frame where a piece, a lap or
another tempo begins. So nothing drifts, and every lap of a loop is the same to the sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Final, NamedTuple

from pianogan_bgm import commands as c
from pianogan_bgm.arrange import fold
from pianogan_bgm.harmony import Key
from pianogan_bgm.instruments.tones import Tone
from pianogan_bgm.mixdown import OPEN, STINGER_DECK, Bus, Fader, Mix, Ramp
from pianogan_bgm.notes import STEPS_PER_BEAT
from pianogan_bgm.stingers import Figure
from pianogan_bgm.tune import BASS, INNER, MELODY, STINGER, Tune, TuneNote, raised, related_shift

MIX: Final = Mix()
RING_SECONDS: Final = 12.0
"""How long a deck's tones may go on ringing after its last note was struck."""
PREROLL: Final = 48
"""Steps before a sought place whose notes may still ring there."""
CUT_SECONDS: Final = 0.05
GRADES: Final = 16


@dataclass(frozen=True, slots=True)
class Event:
    """Something to be heard at ``frame``.

    ``kind``: ``beat``, ``bar``, ``loop``, ``piece``, ``transition``, ``stinger`` or ``end``. ``bar`` and
    ``beat`` count from 1 within the piece; ``step`` is the step of the piece that begins here.
    """

    kind: str
    frame: int
    bar: int = 0
    beat: int = 0
    step: int = 0
    piece: str = ""
    scene: str | None = None


@dataclass(frozen=True, slots=True)
class Deck:
    """A piece being played: the step to come, the repeats left (−1 for ever) and its transposition."""

    number: int
    tune: Tune
    pos: int = 0
    loops: int = 0
    shift: int = 0
    lap: int = 0

    @property
    def key(self) -> Key:
        """The key that sounds, before the game's own transposition."""
        return raised(self.tune.key, self.shift)


class Cue(NamedTuple):
    """A note of a stinger: the tick it is struck in, the part of a step after it, and how."""

    tick: int
    late: float
    pitch: int
    held: float
    velocity: int


class Held(NamedTuple):
    """Where a piece was left, to come back to."""

    scene: str | None
    deck: Deck


@dataclass(frozen=True, slots=True)
class State:
    """Everything that decides what is heard from now on."""

    rate: int
    anchor: int = 0
    count: int = 0
    pace: float = 1.0
    """Frames a step."""
    tick: int = 0
    deck: Deck | None = None
    leaving: tuple[tuple[Deck, int], ...] = ()
    """Decks being faded out, each with the frame at which it falls silent."""
    cues: tuple[Cue, ...] = ()
    queue: tuple[c.Queue, ...] = ()
    pending: c.Transition | None = None
    held: tuple[Held, ...] = ()
    decks: int = 0
    scene: str | None = None
    endless: bool = False
    mood: str | None = None
    mix: Mix = MIX
    intensity: float = 0.5
    tempo: float = 1.0
    tempo_goal: float = 1.0
    tempo_steps: int = 0
    transpose: int = 0
    instruments: tuple[str, ...] = ("piano", "piano", "piano", "piano")
    ends_at: int | None = None

    @property
    def running(self) -> bool:
        """Whether steps go on."""
        return self.deck is not None or bool(self.cues) or bool(self.leaving)

    @property
    def step_at(self) -> int:
        """Frame at which the next step begins."""
        return self.anchor + round(self.count * self.pace)

    @property
    def key(self) -> Key:
        """The key of what sounds now."""
        base = self.deck.key if self.deck else Key(0, "major")
        return raised(base, self.transpose)

    def frames(self, seconds: float) -> int:
        """Seconds to whole frames."""
        return round(seconds * self.rate)

    def step_frames(self, tune: Tune) -> float:
        """Frames a step of ``tune`` at the present tempo factor."""
        return self.rate * 60.0 / (tune.piece.tempo * self.tempo * STEPS_PER_BEAT)


Voices = tuple[tuple[Bus, Tone], ...]


class Out(NamedTuple):
    """What came of it: the state after, tones decided, events."""

    state: State
    voices: Voices = ()
    events: tuple[Event, ...] = ()


# --- commands -------------------------------------------------------------------------------------------


def apply(state: State, command: c.Command, frame: int) -> Out:
    """``command`` at ``frame``, before a step that begins there."""
    return _APPLY[type(command)](state, command, frame)


def _play(state: State, command: c.Play, frame: int) -> Out:
    state = _dismiss(state, frame, CUT_SECONDS)
    state = replace(
        state,
        endless=command.endless,
        mood=command.mood,
        queue=(),
        pending=None,
        ends_at=None,
        scene=command.scene,
        mix=replace(state.mix, fade=OPEN),
    )
    deck = Deck(state.decks, command.tune, loops=command.loops, shift=command.shift)
    fade_in = Ramp(frame, frame + state.frames(command.fade), 0.0 if command.fade else 1.0, 1.0)
    return _start(state, deck, command.step, frame, fade_in)


def _start(state: State, deck: Deck, step: float, frame: int, fade_in: Ramp) -> Out:
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
    for pos in range(max(0, first - PREROLL), first):
        start = frame - into + round((pos - whole) * pace)
        voices += _strike(state, replace(deck, pos=pos), start)
    event = Event("piece", frame, piece=deck.tune.name, scene=state.scene, step=whole)
    return Out(state, voices, (event,))


def _dismiss(state: State, frame: int, seconds: float) -> State:
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


def _queue(state: State, command: c.Queue, frame: int) -> Out:
    if command.after is not None and (state.deck is None or state.deck.number != command.after):
        return Out(state)
    return Out(replace(state, queue=(*state.queue, command)))


def _clear_queue(state: State, command: c.ClearQueue, frame: int) -> Out:
    return Out(replace(state, queue=()))


def _transition(state: State, command: c.Transition, frame: int) -> Out:
    if state.ends_at is not None:  # called while fading out: the music stays after all
        fade = state.mix.fade.towards(1.0, frame, state.frames(CUT_SECONDS))
        state = replace(state, ends_at=None, mix=replace(state.mix, fade=fade))
    state = replace(state, pending=command)
    if state.deck is not None and command.at != "now":
        return Out(state)
    return _switch(replace(state, anchor=frame, count=0), command, frame)


def _cancel(state: State, command: c.CancelTransition, frame: int) -> Out:
    return Out(replace(state, pending=None))


def _hold(state: State, command: c.Hold, frame: int) -> Out:
    deck = Deck(-1, command.tune, command.step, command.loops, command.shift)
    held = tuple(one for one in state.held if one.scene != command.scene)
    return Out(replace(state, held=(*held, Held(command.scene, deck))))


def _level(state: State, command: c.SetLevel, frame: int) -> Out:
    frames = state.frames(command.seconds)
    mix = state.mix
    if command.level == "volume":
        mix = replace(mix, volume=mix.volume.towards(command.value, frame, frames))
    else:
        mix = replace(mix, duck=mix.duck.towards(command.value, frame, frames))
    return Out(replace(state, mix=mix))


def _intensity(state: State, command: c.SetIntensity, frame: int) -> Out:
    mix = state.mix.with_intensity(command.value, frame, state.frames(command.seconds))
    return Out(replace(_overrule(state, intensity=None), intensity=command.value, mix=mix))


def _tempo(state: State, command: c.SetTempo, frame: int) -> Out:
    steps = max(1, round(command.beats * STEPS_PER_BEAT))
    if command.beats == 0.0:
        state = replace(state, tempo=command.value)
    return Out(replace(_overrule(state, tempo=None), tempo_goal=command.value, tempo_steps=steps))


def _transpose(state: State, command: c.SetTranspose, frame: int) -> Out:
    return Out(replace(_overrule(state, transpose=None), transpose=command.semitones))


def _instruments(state: State, command: c.SetInstruments, frame: int) -> Out:
    return Out(replace(_overrule(state, instruments=None), instruments=command.names))


def _overrule(state: State, **setting: Any) -> State:
    """What is set while a transition waits goes before what the transition would have set."""
    if state.pending is None:
        return state
    return replace(state, pending=replace(state.pending, **setting))


def _figure(state: State, command: c.PlayFigure, frame: int) -> Out:
    if not state.running:  # no music, no grid: one begins here, at 120 beats a minute
        state = replace(state, anchor=frame, count=0, pace=state.rate / 8.0)
    wait = steps_until(state.deck, command.at) if state.deck else 0
    state = replace(state, cues=_cued(state, command.figure, state.key, state.tick + wait, 0.0))
    return Out(state, (), (Event("stinger", max(frame, state.step_at), scene=state.scene),))


def _cued(state: State, figure: Figure, key: Key, tick: int, skip: float) -> tuple[Cue, ...]:
    """Cues with those of ``figure``, whose first ``skip`` steps are left out, in order."""
    added = []
    for place, pitch in figure.notes(key):
        if place >= skip:
            whole = int(place - skip)
            added.append(Cue(tick + whole, place - skip - whole, pitch, figure.length, figure.accent))
    return tuple(sorted((*state.cues, *added)))


def _seek(state: State, command: c.Seek, frame: int) -> Out:
    if state.deck is None:
        return Out(state)
    deck = replace(state.deck, number=state.decks)
    state = _dismiss(state, frame, CUT_SECONDS)
    rise = Ramp(frame, frame + state.frames(CUT_SECONDS), 0.0, 1.0)
    state, voices, _ = _start(state, deck, min(command.step, deck.tune.steps), frame, rise)
    return Out(state, voices)


def _stop(state: State, command: c.Stop, frame: int) -> Out:
    if not state.running:
        return Out(replace(state, pending=None, queue=()))
    frames = state.frames(command.seconds)
    fade = state.mix.fade.towards(0.0, frame, frames)
    return Out(replace(state, mix=replace(state.mix, fade=fade), ends_at=frame + frames, pending=None))


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
    """The end of a fade-out: nothing plays any more."""
    mix = replace(state.mix, fade=OPEN, faders=())
    state = replace(
        state, deck=None, leaving=(), cues=(), queue=(), endless=False, ends_at=None, mix=mix, held=()
    )
    return Out(state, (), (Event("end", frame, scene=state.scene),))


def moved(state: State, frame: int, rate: int) -> State:
    """What holds at ``frame``, for a stream of another ``rate`` that begins with a seek to the same place."""
    mix = Mix(
        volume=Ramp.steady(state.mix.volume.value(frame)),
        duck=Ramp.steady(state.mix.duck.value(frame)),
        layers=tuple(Ramp.steady(ramp.value(frame)) for ramp in state.mix.layers),
    )
    return replace(
        state, rate=rate, anchor=0, count=0, pace=1.0, tick=0, leaving=(), cues=(), ends_at=None, mix=mix
    )


# --- steps ----------------------------------------------------------------------------------------------


def step(state: State) -> Out:
    """The step that begins at ``state.step_at``."""
    frame = state.step_at
    state, voices, events = _turn(state, frame)
    state = _tempo_step(_fill(state), frame)
    if state.deck is not None:
        voices += _strike(state, state.deck, frame)
        events += _beats(state, state.deck, frame)
    for deck, until in state.leaving:
        if frame < until and deck.pos < deck.tune.steps:
            voices += _strike(state, deck, frame)
    voices += _cue_voices(state, frame)
    return Out(_onward(state, frame), voices, events)


def _turn(state: State, frame: int) -> Out:
    """What happens between two steps: transition, loop, next piece, end."""
    deck = state.deck
    if deck is None:
        return Out(state)
    if state.pending is not None and steps_until(deck, state.pending.at) == 0:
        return _switch(state, state.pending, frame)
    if deck.pos < _end(deck, bool(state.queue) or state.endless):
        return Out(state)
    if deck.loops or (state.endless and not state.queue):
        return _repeat(state, deck, frame)
    if state.queue:
        return _next(state, deck, frame)
    expires = frame + state.frames(RING_SECONDS)
    state = replace(state, deck=None, mix=_retire(state.mix, deck.number, expires))
    return Out(state, (), (Event("end", frame, piece=deck.tune.name, scene=state.scene),))


def _end(deck: Deck, followed: bool) -> int:
    """Step at which this lap of the deck ends."""
    if deck.loops:
        return max(deck.tune.loop[1], 1)
    return deck.tune.join if followed and deck.pos <= deck.tune.join else deck.tune.steps


def steps_until(deck: Deck, at: c.When) -> int:
    """Steps from the deck's next step to the next ``at``."""
    if at == "now":
        return 0
    if at == "end":
        return max(0, _end(deck, followed=True) - deck.pos)
    return -deck.pos % (deck.tune.bar if at == "bar" else STEPS_PER_BEAT)


def _repeat(state: State, deck: Deck, frame: int) -> Out:
    loops = deck.loops - 1 if deck.loops > 0 else deck.loops
    deck = replace(deck, pos=deck.tune.loop[0], loops=loops, lap=deck.lap + 1)
    state = replace(state, deck=deck, anchor=frame, count=0)
    return Out(state, (), (Event("loop", frame, piece=deck.tune.name, scene=state.scene, step=deck.pos),))


def _next(state: State, deck: Deck, frame: int) -> Out:
    follower, *rest = state.queue
    shift = related_shift(deck.key, follower.tune.key) if follower.related else 0
    expires = frame + state.frames(RING_SECONDS)
    state = replace(state, queue=tuple(rest), mix=_retire(state.mix, deck.number, expires))
    deck = Deck(state.decks, follower.tune, loops=follower.loops, shift=shift)
    return _start(state, deck, 0.0, frame, OPEN)


def _retire(mix: Mix, number: int, expires: int) -> Mix:
    faders = tuple(replace(fader, expires=expires) if fader.deck == number else fader for fader in mix.faders)
    return replace(mix, faders=faders)


def _switch(state: State, to: c.Transition, frame: int) -> Out:
    """Go over to the piece of a transition, at a step's first frame."""
    old = state.deck
    state = replace(state, pending=None, queue=(), endless=to.endless, mood=to.mood)
    if old is not None:
        state = _leave(state, old, to, frame)
    resumed = next((held.deck for held in state.held if to.scene and held.scene == to.scene), None)
    shift = related_shift(old.key, to.tune.key) if old and to.related else 0
    deck = resumed or Deck(state.decks, to.tune, loops=to.loops, shift=shift)
    deck = replace(deck, number=state.decks)
    held = tuple(one for one in state.held if one.deck is not resumed)
    state = _settings(replace(state, scene=to.scene, held=held), to, frame)
    fade = round(to.fade_beats * STEPS_PER_BEAT * state.step_frames(deck.tune)) if old else 0
    ramp = Ramp(frame, frame + fade, 0.0 if fade else 1.0, 1.0)
    out = _start(state, deck, float(deck.pos), frame, ramp)
    voices = () if resumed is None else tuple(one for one in out.voices if one[1].start >= frame)
    here = Event("transition", frame, piece=deck.tune.name, scene=to.scene, step=deck.pos)
    return Out(out.state, voices, (here, *out.events))


def _leave(state: State, old: Deck, to: c.Transition, frame: int) -> State:
    """The old deck plays on under a crossfade, or only rings out."""
    fade = round(to.fade_beats * STEPS_PER_BEAT * state.step_frames(to.tune))
    seconds = fade or state.frames(0.35)
    faders = tuple(
        replace(fader, ramp=fader.ramp.towards(0.0, frame, seconds), expires=frame + seconds)
        if fader.deck == old.number
        else fader
        for fader in state.mix.faders
    )
    state = replace(state, deck=None, mix=replace(state.mix, faders=faders))
    if fade:
        state = replace(state, leaving=(*state.leaving, (old, frame + fade)))
    if to.hold:
        line = old.pos // old.tune.bar * old.tune.bar
        held = [one for one in state.held if one.scene != state.scene]
        state = replace(state, held=(*held, Held(state.scene, replace(old, pos=line))))
    return state


def _settings(state: State, to: c.Transition, frame: int) -> State:
    if to.tempo is not None:
        state = replace(state, tempo=to.tempo, tempo_goal=to.tempo, tempo_steps=0)
    if to.intensity is not None:
        state = _intensity(state, c.SetIntensity(to.intensity), frame).state
    if to.transpose is not None:
        state = replace(state, transpose=to.transpose)
    if to.instruments is not None:
        state = replace(state, instruments=to.instruments)
    return state


def _fill(state: State) -> State:
    """The filler of a pending transition, timed to end where the new piece begins."""
    to, deck = state.pending, state.deck
    if to is None or to.filler is None or deck is None:
        return state
    left = steps_until(deck, to.at)
    length = ceil(to.filler.steps)
    if left > length:
        return state
    key = raised(to.tune.key, state.transpose if to.transpose is None else to.transpose)
    cues = _cued(state, to.filler, key, state.tick, float(length - left))
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
    leaving = tuple((replace(one, pos=one.pos + 1), until) for one, until in state.leaving if until > frame)
    cues = tuple(cue for cue in state.cues if cue.tick > state.tick)
    faders = state.mix.faders
    if any(fader.expires is not None and fader.expires <= frame for fader in faders):
        faders = tuple(one for one in faders if one.expires is None or one.expires > frame)
        state = replace(state, mix=replace(state.mix, faders=faders))
    return replace(state, deck=deck, leaving=leaving, cues=cues, tick=state.tick + 1, count=state.count + 1)


def _beats(state: State, deck: Deck, frame: int) -> tuple[Event, ...]:
    if deck.pos % STEPS_PER_BEAT:
        return ()
    bar, place = divmod(deck.pos, deck.tune.bar)
    beat = place // STEPS_PER_BEAT + 1
    kinds = ("bar", "beat") if place == 0 else ("beat",)
    name = deck.tune.name
    return tuple(Event(kind, frame, bar + 1, beat, deck.pos, name, state.scene) for kind in kinds)


# --- tones ----------------------------------------------------------------------------------------------


def _strike(state: State, deck: Deck, frame: int) -> Voices:
    """Tones of the deck's present step, which begins at ``frame``."""
    if deck.pos >= deck.tune.steps:
        return ()
    # notes follow the intensity in a few grades, the gains of the layers do so smoothly: a setter called
    # every frame then changes few notes that were rendered already
    intensity = round(state.intensity * GRADES) / GRADES
    found: list[tuple[Bus, Tone]] = []
    for note in deck.tune.by_step[deck.pos]:
        if note.rank < density(note.layer, intensity):
            bus = (deck.number, note.layer, state.instruments[note.layer])
            tone = _tone(state, deck, note, frame, intensity)
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
    pitch = fold(note.pitch + deck.shift + state.transpose)
    held = note.held
    if deck.loops:  # held over the loop's end, it is let go at the bar line and rings on over the join
        held = max(1, min(held, deck.tune.loop[1] - deck.pos))
    velocity = max(1, min(127, round(note.velocity * (0.8 + 0.4 * intensity))))
    return Tone(frame, pitch, max(1, round(held * state.pace)), velocity)


def _cue_voices(state: State, frame: int) -> Voices:
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
