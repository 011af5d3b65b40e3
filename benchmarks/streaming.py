"""What the engine shows: exactness, first sound, frame time, cost, reaction, a long soak.

``python benchmarks/streaming.py [exact|first|frame|calls|turns|cost|react|soak] [--seconds S]
[--exact-seconds S]``; without a name, all of them. As it is that takes about half an hour: three minutes for
each mode of exactness, an hour of music in the soak; ``--seconds 2 --exact-seconds 6`` takes two minutes and
shows that all of it works. Each measurement runs in a process of its own. Figures of a busy machine are worth
little in themselves, so what can be is measured with and without music by turns in one run, or in processor
time.
"""

from __future__ import annotations

import time

BEGAN = time.perf_counter()  # before all that is imported here, which a game would import, too

# ruff: noqa: E402
import argparse
import ctypes
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the package beside this file, not an installed one

import numpy as np

from pianogan_bgm.notes import Note, on_grid
from pianogan_bgm.piece import Piece

RATE = 44100
BUFFER = 1024


def dense_piece(seed: int = 1, steps: int = 304) -> Piece:
    """Eight to nine notes a second in C minor, bass to treble."""
    chance = np.random.default_rng(seed)
    scale = [pitch for pitch in range(36, 90) if pitch % 12 in (0, 2, 3, 5, 7, 8, 10)]
    notes = []
    for step in range(steps - 8):
        for pitch in chance.choice(scale, chance.poisson(1.07), replace=False):
            notes.append(Note(step, int(pitch), int(chance.integers(1, 8)), int(chance.integers(40, 110))))
    # loudness is left to the arranger, as with a model that learnt none
    return Piece(on_grid(notes), steps=steps, has_dynamics=False)


def open_mixer() -> Any:
    import pygame

    pygame.mixer.init(RATE, -16, 2, BUFFER, allowedchanges=0)
    return pygame


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.0005)


def resident() -> float:
    """Resident memory of this process in MB; 0 where the system does not tell."""
    try:
        fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0.0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def resident_at_most() -> float:
    """The most that :func:`resident` ever was, in MB."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) * 1024 / 1e6  # type: ignore[index]  # Linux has it


def any_verb(music: Any, chance: random.Random, pieces: list[Piece]) -> None:
    """One command, as a game might give it."""
    choice = chance.randrange(10)
    if choice == 0:
        music.intensity = chance.random()
    elif choice == 1:
        music.tempo = chance.uniform(0.8, 1.5)
    elif choice == 2:
        music.stinger(chance.choice(["coin", "jump", "hurt", "power-up"]))
    elif choice == 3:
        when = chance.choice(["now", "beat", "bar", "end"])
        music.transition(chance.choice(pieces), at=when, fade_beats=chance.choice([0, 1, 4]))
    elif choice == 4:
        music.duck(chance.random())
    elif choice == 5:
        music.unduck()
    elif choice == 6:
        music.transpose = chance.randrange(-4, 5)
    elif choice == 7:
        music.seek(bars=chance.randrange(18))
    elif choice == 8:
        music.volume = chance.uniform(0.3, 1.0)
    else:
        layer = chance.choice(["melody", "inner", "bass"])
        music.instrument = {layer: chance.choice(["piano", "music_box", "electric_piano"])}


# --- exactness ----------------------------------------------------------------------------------------


def exact_child(mode: str, seconds: float) -> dict[str, Any]:
    """Play through SDL's disk driver while this thread does ``mode``; compare with the offline render."""
    pygame = open_mixer()
    from pianogan_bgm import BackgroundMusic

    pieces = [dense_piece(1, 64), dense_piece(2, 96), dense_piece(3, 304)]
    music, chance = BackgroundMusic(pieces[0]), random.Random(7)
    engine = music._worker.engine
    engine.journal = []
    time.sleep(1.0)
    music.play(loops=-1)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(chance.uniform(0.3, 1.5))
        any_verb(music, chance, pieces)
        if chance.random() < 0.5:
            busy(mode)
    music.stop()
    wait_for(lambda: not music.get_busy())
    stats, journal = music.stats, list(engine.journal)
    music.close()
    pygame.mixer.quit()
    heard = np.fromfile(os.environ["SDL_DISKAUDIOFILE"], np.int16).reshape(-1, 2)
    return {"mode": mode, **compare(heard, journal), **counted(stats)}


def busy(mode: str) -> None:
    """Half a second of what a game's main thread may do."""
    if mode == "sleep":
        time.sleep(0.5)
    elif mode == "spin":
        until = time.perf_counter() + 0.5
        while time.perf_counter() < until:
            pass
    elif mode == "hold":
        hold(500)


def hold(milliseconds: int) -> None:
    """Sleep without letting go of the GIL."""
    if sys.platform == "win32":
        ctypes.PyDLL("kernel32").Sleep(milliseconds)
    else:
        ctypes.PyDLL(None).usleep(milliseconds * 1000)


def compare(heard: np.ndarray, journal: list[Any]) -> dict[str, Any]:
    from pianogan_bgm.bus import to_format
    from pianogan_bgm.conductor import Conductor
    from pianogan_bgm.engine import Band

    conductor = Conductor(RATE, Band(RATE))
    for frame, command in journal:
        conductor.send(command, frame)
    last = max(frame for frame, _ in journal)
    conductor.advance(last + RATE)
    frames = max(last + RATE // 10, conductor.silent_from() or 0)  # a stinger rings on after the stop
    offline = to_format(conductor.render(0, frames), -16, 2)
    sounding, exact = np.nonzero(heard.any(axis=1))[0], np.nonzero(offline.any(axis=1))[0]
    heard, offline = heard[sounding[0] :], offline[exact[0] : exact[-1] + 1]
    count = min(len(heard), len(offline))
    different = int((heard[:count] != offline[:count]).any(axis=1).sum())
    extra = int(heard[count:].any(axis=1).sum())
    return {"frames": count, "missing": len(offline) - count, "different": different, "extra": extra}


def counted(stats: Any) -> dict[str, Any]:
    names = ("pages", "commands", "underruns", "silent_frames", "late", "retries", "recoveries")
    return {name: getattr(stats, name) for name in names} | {"errors": stats.errors}


def exact(seconds: float) -> None:
    print("exactness: captured stream against offline render, whole run")
    for mode in ("free", "sleep", "spin", "hold"):
        with tempfile.TemporaryDirectory() as folder:
            raw = str(Path(folder) / "out.raw")
            got = child("exact_child", mode, seconds, driver="disk", SDL_DISKAUDIOFILE=raw)
        minutes = got["frames"] / RATE / 60
        wrong = f"different samples {got['different']}, missing {got['missing']}, extra {got['extra']}"
        print(f"  {mode:5}  {minutes:5.2f} min  {wrong}, commands {got['commands']}, pages {got['pages']}")
        told = ("underruns", "silent_frames", "late", "retries", "recoveries", "errors")
        print(f"  {mode:5}  {', '.join(f'{name} {got[name]}' for name in told)}")


# --- first sound --------------------------------------------------------------------------------------


def first_child(turns: int) -> dict[str, Any]:
    open_mixer()
    from pianogan_bgm import BackgroundMusic

    music = BackgroundMusic(dense_piece())
    made = time.perf_counter() - BEGAN
    sink = music._worker.engine.sink
    took: list[float] = []
    time.sleep(1.0)  # the player gets ready while a game loads
    for turn in range(turns + 1):
        start = time.perf_counter()
        music.play(loops=-1)
        wait_for(lambda: sink.playing)
        took.append(time.perf_counter() - start)
        if turn == 0:
            from_start = made + took[0]
            time.sleep(2.0)
        music.stop()
        wait_for(lambda: not music.get_busy())
        time.sleep(0.1)
    music.close()
    warm = sorted(took[1:]) or took
    return {
        "cold_ms": took[0] * 1e3,
        "with_imports_s": from_start,
        "median_ms": warm[len(warm) // 2] * 1e3,
        "worst_ms": warm[-1] * 1e3,
    }


def first(seconds: float) -> None:
    began = time.perf_counter()
    child("first_child", 0)
    whole = time.perf_counter() - began
    got = child("first_child", 20)
    print("first sound: play() to the first page handed to the mixer")
    print(f"  warm: median {got['median_ms']:.1f} ms, worst of 20 {got['worst_ms']:.1f} ms")
    said = "with imports and the piano, not the interpreter's own start"
    print(f"  cold: {got['cold_ms']:.0f} ms, {got['with_imports_s']:.2f} s {said}")
    print(f"  a whole process that starts, plays, stops and ends: {whole - 3.0:.2f} s")


# --- frame time ---------------------------------------------------------------------------------------


def frame_child(seconds: float) -> dict[str, Any]:
    """A loop of 60 frames a second with 300 sprites, by turns with and without music."""
    pygame = open_mixer()
    from pianogan_bgm import BackgroundMusic, Scene

    pygame.display.init()
    screen = pygame.display.set_mode((640, 360))
    scenes = {"a": Scene(piece=dense_piece(1)), "b": Scene(piece=dense_piece(2))}
    music, chance = BackgroundMusic(dense_piece(), scenes=scenes), random.Random(1)
    verbs = verbs_of(music)
    sprites = [[chance.uniform(0, 640), chance.uniform(0, 360), chance.uniform(-3, 3)] for _ in range(300)]
    picture = pygame.Surface((16, 16))
    picture.fill((200, 120, 40))
    clock = pygame.time.Clock()
    times: dict[bool, list[float]] = {True: [], False: []}
    calls: dict[str, list[float]] = {name: [] for name in verbs}
    turns = cycle(verbs.items())
    span = 4.0
    for turn in range(max(2, round(seconds / span))):
        playing = turn % 2 == 0
        if playing:
            music.play(loops=-1)
        else:
            music.stop()
        for number in range(round(60 * span)):
            clock.tick(60)
            start = time.perf_counter()
            pygame.event.pump()
            screen.fill((0, 0, 0))
            for sprite in sprites:
                sprite[0] = (sprite[0] + sprite[2]) % 640
                screen.blit(picture, (sprite[0], sprite[1]))
            pygame.display.flip()
            if number >= 60:  # after a second everything is as it will stay
                times[playing].append(time.perf_counter() - start)
            if playing and number % 6 == 0:
                name, call = next(turns)
                value, start = chance.random(), time.perf_counter()
                call(value)
                calls[name].append(time.perf_counter() - start)
    stats = music.stats
    music.close()
    spent = {name: np.percentile(np.array(took) * 1e3, [50, 99]).tolist() for name, took in calls.items()}
    return {**both_ways(times), "calls": spent, "underruns": stats.underruns, "frames": len(times[True])}


def both_ways(times: dict[bool, list[float]]) -> dict[str, list[float]]:
    """Median, 99th percentile and the most of times with music and without, from seconds to ms."""
    return {
        name: np.percentile(np.array(times[playing]) * 1e3, [50, 99, 100]).tolist()
        for name, playing in (("with", True), ("without", False))
    }


def verbs_of(music: Any) -> dict[str, Callable[[float], Any]]:
    """What a game calls between frames, each with a number of chance, 0 to 1; it has scenes a and b."""
    scenes = cycle("ab")

    def intensity(value: float) -> None:
        music.intensity = value

    def tempo(value: float) -> None:
        music.tempo = 0.8 + 0.5 * value

    return {
        "intensity": intensity,
        "tempo": tempo,
        "duck": music.duck,
        "stinger": lambda value: music.stinger("coin"),
        "transition": lambda value: music.transition(next(scenes)),
    }


def busy_child(seconds: float) -> dict[str, Any]:
    """A game that computes in Python and never sleeps, by turns with and without music.

    The time that 20,000 loops take, how much it does with music of what it does without, and what the music
    lacked.
    """
    open_mixer()
    from pianogan_bgm import BackgroundMusic

    music = BackgroundMusic(seed=2026)
    time.sleep(2.0)
    times: dict[bool, list[float]] = {True: [], False: []}
    span = 6.0
    for turn in range(2 * max(1, round(seconds / 2 / span))):
        playing = turn % 2 == 1
        if playing:
            music.play()
        count, began = 0, time.perf_counter()
        while (since := time.perf_counter()) < began + span:
            for _ in range(20000):
                count += 1
            times[playing].append(time.perf_counter() - since)
        music.stop()
        wait_for(lambda: not music.get_busy())
    stats = music.stats
    music.close()
    # spans are as many and as long with music as without
    share = len(times[True]) / len(times[False])
    return {"share": share, **both_ways(times), **counted(stats)}


def frame(seconds: float) -> None:
    got = child("frame_child", seconds)
    print(f"frame time: 60 fps, 300 sprites, {got['frames']} frames each, ten commands a second")
    for name in ("without", "with"):
        print(f"  {name:7} music  median {got[name][0]:.3f} ms, p99 {got[name][1]:.3f} ms")
    print(f"  p99 with minus without: {got['with'][1] - got['without'][1]:+.3f} ms")
    for name, (median, p99) in got["calls"].items():
        print(f"  a call of {name:10}  median {median:.4f} ms, p99 {p99:.4f} ms")
    print(f"  underruns: {got['underruns']}")
    got = child("busy_child", seconds)
    print("a game that computes in Python and never sleeps, endless music from its first note")
    print(f"  with music it does {got['share']:.1%} of what it does without")
    for name in ("without", "with"):
        median, p99, worst = got[name]
        said = f"20,000 loops: median {median:.2f} ms, p99 {p99:.2f} ms, worst {worst:.1f} ms"
        print(f"  {name:7} music  {said}")
    print(f"  underruns {got['underruns']}, silent frames {got['silent_frames']}")


# --- calls and turns: processor time, which a busy machine disturbs little ------------------------------


def calls_child(count: int) -> dict[str, Any]:
    """Processor time of calls of this thread, each after a pause, as in a game: nothing is in the cache.

    Beside them calls of pygame's own, in the same run.
    """
    pygame = open_mixer()
    from pianogan_bgm import BackgroundMusic, Scene

    pygame.display.init()
    pygame.display.set_mode((64, 64))
    sound = pygame.mixer.Sound(buffer=bytes(4 * RATE // 5))

    scenes = {"a": Scene(piece=dense_piece(1)), "b": Scene(piece=dense_piece(2))}
    music, chance = BackgroundMusic(dense_piece(), scenes=scenes), random.Random(1)
    music.play(loops=-1)
    time.sleep(2.0)

    calls: dict[str, Callable[[float], Any]] = {
        "nothing": lambda value: None,
        **verbs_of(music),
        "beat_phase": lambda value: music.beat_phase,
        "Sound.play": lambda value: sound.play(),
        "event.post": lambda value: pygame.event.post(pygame.event.Event(pygame.USEREVENT)),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(count):
        for name, call in calls.items():
            time.sleep(chance.uniform(0.01, 0.03))
            value, start = chance.random(), time.thread_time()
            call(value)
            times[name].append((time.thread_time() - start) * 1e3)
        pygame.event.clear()
    music.close()  # what is asked of it from now on is only said
    values = [chance.random() for _ in range(1000)]
    again: dict[str, float] = {}
    for name, call in calls.items():
        start = time.thread_time()
        for value in values:
            call(value)
        again[name] = (time.thread_time() - start) / len(values) * 1e3
    return {name: [*np.percentile(found, [50, 99]), again[name]] for name, found in times.items()}


def calls(seconds: float) -> None:
    got = child("calls_child", max(50, round(5 * seconds)))
    print("calls: processor time of a call of the game's thread, after a pause; of one of many in a row")
    print("  (the first does nothing, the last two are pygame's own)")
    for name, (median, worst, again) in got.items():
        print(f"  {name:10}  median {median:.4f} ms, p99 {worst:.4f} ms; {again:.4f} ms")


def turns_child(times: int) -> dict[str, Any]:
    """Stretches of processor time without a pause, of what the music's thread does for a command."""
    from pianogan_bgm import commands as c
    from pianogan_bgm import turns
    from pianogan_bgm.conductor import Conductor
    from pianogan_bgm.engine import Band
    from pianogan_bgm.stingers import STINGERS
    from pianogan_bgm.tune import prepare

    stretches: list[float] = []
    since = time.thread_time()

    def paused(_: float) -> None:
        nonlocal since
        stretches.append(time.thread_time() - since)
        since = time.thread_time()

    turns.perf_counter, turns.sleep = time.thread_time, paused
    band, chance = Band(RATE), random.Random(1)
    tune, other = prepare(dense_piece(1)), prepare(dense_piece(2))

    def command(make: Callable[[], c.Command]) -> Callable[[], Callable[[], None]]:
        conductor = Conductor(RATE, band)
        conductor.send(c.Play(tune, -1), 0)
        conductor.render(0, 4 * RATE)

        def work() -> Callable[[], None]:
            at = RATE + chance.randrange(RATE)
            turn = conductor.send(make(), at)
            conductor.render(at, RATE)

            def undo() -> None:
                conductor.retract(turn)
                conductor.render(0, 4 * RATE)

            return undo

        return work

    def new_piece() -> Callable[[], None]:
        prepare(next(pieces))
        return lambda: None

    pieces = cycle([dense_piece(seed) for seed in range(10)])
    works: dict[str, Callable[[], Callable[[], None]]] = {
        "intensity": command(lambda: c.SetIntensity(chance.random())),
        "tempo": command(lambda: c.SetTempo(chance.uniform(0.8, 1.4))),
        "stinger": command(lambda: c.PlayFigure(STINGERS["coin"])),
        "transition": command(lambda: c.Transition(other, "now", 1.0, -1)),
        "new piece": new_piece,
    }
    result = {}
    for name, work in works.items():
        work()()  # samples are decoded in C, without the interpreter
        stretches.clear()
        whole = []
        for _ in range(times):
            turns.be_polite()
            since = start = time.thread_time()
            undo = work()
            paused(0.0)
            whole.append((time.thread_time() - start) * 1e3)
            measured = len(stretches)
            undo()  # a command that stayed would be carried out again with each one before it
            del stretches[measured:]
        longest = np.percentile(np.array(stretches) * 1e3, [50, 99]).tolist()
        result[name] = [float(np.median(whole)), *longest]
    return result


def turns(seconds: float) -> None:
    got = child("turns_child", max(10, round(seconds / 2)))
    print("turns: work for a command and its stretches without a pause, processor time of the music's thread")
    for name, (whole, median, worst) in got.items():
        print(f"  {name:10}  whole {whole:5.1f} ms, stretches: median {median:.2f} ms, p99 {worst:.2f} ms")


# --- cost ---------------------------------------------------------------------------------------------


def cost_child(seconds: float, lap: float, model: bool) -> dict[str, Any]:
    open_mixer()
    bare, began = resident(), time.perf_counter()
    from pianogan_bgm import BackgroundMusic

    music = BackgroundMusic(seed=2026) if model else BackgroundMusic(dense_piece())
    made = time.perf_counter() - began

    def processor(span: float) -> float:
        began, used = time.perf_counter(), time.process_time()
        time.sleep(span)
        return (time.process_time() - used) / (time.perf_counter() - began)

    time.sleep(3.0)  # the player gets ready for what it will probably play
    without = processor(seconds / 3)
    music.play(loops=-1)
    first_lap = processor(lap)
    playing = processor(seconds)
    added = resident() - bare
    music.close()
    return {
        "without": without,
        "first_lap": first_lap,
        "playing": playing,
        "added_mb": added,
        "most_mb": resident_at_most() - bare,
        "made_s": made,
    }


def cost(seconds: float) -> None:
    lap = min(38.0, 2.0 * seconds)
    print("cost: dense music (8.5 notes a second) without a model; endless music, composed; 44.1 kHz stereo")
    for model in (False, True):
        got = child("cost_child", seconds, lap, model)
        what = "  composed" if model else "  dense"
        print(f"{what}: the player is made in {got['made_s']:.2f} s, its imports included")
        print(f"{what}: the mixer alone {got['without']:.2%} of a core")
        for name, span in (("first_lap", f"in the first {lap:.0f} s"), ("playing", "after that")):
            print(f"{what}: {span} {got[name] - got['without']:.2%} of a core more")
        print(f"{what}: {got['added_mb']:.0f} MB more than bare pygame, {got['most_mb']:.0f} at most")


# --- reaction -----------------------------------------------------------------------------------------


def react_child(mode: str, turns: int) -> dict[str, Any]:
    """Delays of commands while this thread does as a game might; see :func:`game`."""
    open_mixer()
    from pianogan_bgm import BackgroundMusic

    music, chance = BackgroundMusic(dense_piece()), random.Random(2)
    engine = music._worker.engine
    engine.journal = []
    music.play(loops=-1)
    time.sleep(2.0)
    known, asked = len(engine.journal), []
    for _ in range(turns):
        game(mode, chance.uniform(0.4, 0.9))
        asked.append((engine.sink.cursor(time.perf_counter()), chance.random()))
        music.intensity = asked[-1][1]
    game(mode, 1.0)
    stats = music.stats
    music.close()
    placed = {command.value: frame for frame, command in engine.journal[known:]}
    waits, at = [], None
    for cursor, value in reversed(asked):  # a value that another overtook is heard, if at all, as that one
        at = placed.get(value, at)
        if at is not None:
            waits.append((at - cursor + BUFFER) / RATE * 1e3)
    return {
        "ms": np.percentile(waits or [np.nan], [50, 99, 100]).tolist(),
        "unheard": len(asked) - len(waits),
        **counted(stats),
    }


def placing_child(count: int) -> dict[str, list[float]]:
    """Processor time between a command and its sound, in a piece whose recordings are not all decoded yet."""
    from pianogan_bgm import commands as c
    from pianogan_bgm.conductor import Conductor
    from pianogan_bgm.engine import AHEAD_SECONDS, COMMAND_SECONDS, LEAST_SECONDS, REACTION_SECONDS
    from pianogan_bgm.instruments.piano import Piano
    from pianogan_bgm.mixdown import GRID
    from pianogan_bgm.tune import prepare

    found = {}
    for name, seconds in (("least", LEAST_SECONDS), ("all", COMMAND_SECONDS)):
        piano, chance, cursor, times = Piano(RATE), random.Random(9), RATE, []
        conductor = Conductor(RATE, lambda _, piano=piano: piano)
        conductor.send(c.Play(prepare(dense_piece()), -1), 0)
        for _ in range(count):
            cursor += round(chance.uniform(0.4, 0.9) * RATE)
            conductor.render(cursor, round(AHEAD_SECONDS * RATE))
            at = cursor + round(REACTION_SECONDS * RATE)
            end = -(-(at + round(seconds * RATE)) // GRID) * GRID
            conductor.send(c.SetIntensity(chance.random()), at)
            start = time.thread_time()
            conductor.render(at, end - at)
            times.append((time.thread_time() - start) * 1e3)
            conductor.forget(cursor - RATE)
        found[name] = np.percentile(times, [50, 99]).tolist()
    return found


def game(mode: str, seconds: float) -> None:
    """A game that sleeps, computes 6 ms of each of its 60 frames a second, or computes all the time."""
    until = time.perf_counter() + seconds
    if mode == "asleep":
        time.sleep(seconds)
        return
    share = 0.006 if mode == "frames" else 1 / 60
    while (began := time.perf_counter()) < until:
        while time.perf_counter() < began + share:
            pass
        time.sleep(max(0.0, began + 1 / 60 - time.perf_counter()) if mode == "frames" else 0.0)


def react(seconds: float) -> None:
    print("reaction: from `intensity = x` to the change leaving the mixer, its buffer included")
    from pianogan_bgm.engine import REACTION_SECONDS
    from pianogan_bgm.pages import SAFETY_SECONDS

    work = child("placing_child", max(10, round(seconds)))
    there_is = f"{(REACTION_SECONDS - SAFETY_SECONDS) * 1e3:.0f} ms"
    for name, what in (("least", "the least that is put in place"), ("all", "all of a command's sound")):
        median, p99 = work[name]
        print(f"  {what}: processor time median {median:.1f} ms, p99 {p99:.1f} ms, of {there_is} there are")
    for mode in ("asleep", "frames", "spin"):
        got = child("react_child", mode, max(10, round(seconds)))
        median, p99, worst = got["ms"]
        print(f"  game {mode:6}  median {median:.0f} ms, p99 {p99:.0f} ms, worst {worst:.0f} ms")
        told = ("unheard", "retries", "underruns", "late")
        print(f"  game {mode:6}  {', '.join(f'{name} {got[name]}' for name in told)}")


# --- soak ---------------------------------------------------------------------------------------------


def soak_child(seconds: float, largest: int) -> dict[str, Any]:
    """Pull ``seconds`` of music with random commands; the hash does not depend on the sizes of blocks."""
    from pianogan_bgm import Stream

    pieces = [dense_piece(seed, 64 * seed) for seed in (1, 2, 3)]
    stream, chance, sizes = Stream(pieces[0], rate=RATE), random.Random(3), random.Random(largest)
    stream.play(loops=-1)
    digest, memory, loudest = hashlib.sha256(), [], 0.0
    until, total = 0, round(seconds * RATE)
    began = time.perf_counter()
    while stream.frame < total:
        any_verb(stream, chance, pieces)
        until = min(total, until + round(chance.uniform(0.05, 4.0) * RATE))
        while stream.frame < until:
            block = stream.fill(min(sizes.randrange(1, largest), until - stream.frame))
            loudest = max(loudest, float(np.abs(block).max()))
            digest.update(block.tobytes())
        stream.events()
        if stream.frame > (len(memory) + 1) * total / 12:
            memory.append(resident())
    return {
        "hash": digest.hexdigest(),
        "memory": memory,
        "loudest": loudest,
        "speed": seconds / (time.perf_counter() - began),
    }


def soak(seconds: float) -> None:
    length = max(60.0, 60.0 * seconds)
    print(f"soak: {length / 60:.0f} minutes of music pulled, a random command every two seconds, twice")
    sizes = {"small": 4096, "large": 50000}
    runs = [child("soak_child", length, largest) for largest in sizes.values()]
    for name, got in zip(sizes, runs, strict=True):
        memory = " ".join(f"{value:.0f}" for value in got["memory"])
        said = f"{got['speed']:.0f} times real time, loudest sample {got['loudest']:.3f}, MB {memory}"
        print(f"  {name} blocks: {said}")
    same = runs[0]["hash"] == runs[1]["hash"]
    print(
        f"  both runs, in blocks of different sizes, are {'the same' if same else 'DIFFERENT'} to the sample"
    )


# --- running ------------------------------------------------------------------------------------------


def child(name: str, *arguments: Any, driver: str = "dummy", **environment: str) -> dict[str, Any]:
    """The result of one of the functions above, called in a fresh process."""
    settings = {
        **os.environ,
        "SDL_AUDIODRIVER": driver,
        "SDL_VIDEODRIVER": "dummy",
        "PYGAME_HIDE_SUPPORT_PROMPT": "1",
        **environment,
    }
    command = [sys.executable, __file__, "--child", json.dumps([name, *arguments])]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stdout}\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


PARTS: dict[str, Callable[[float], None]] = {
    "exact": exact,
    "first": first,
    "frame": frame,
    "calls": calls,
    "turns": turns,
    "cost": cost,
    "react": react,
    "soak": soak,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="*", choices=[*PARTS, []], help="what to measure (everything)")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each; of the soak, minutes")
    parser.add_argument("--exact-seconds", type=float, default=180.0, help="length of each mode of exact")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, *arguments = json.loads(options.child)
        print(json.dumps(globals()[name](*arguments)))
        return
    for part in options.part or PARTS:
        PARTS[part](options.exact_seconds if part == "exact" else options.seconds)


if __name__ == "__main__":
    main()
