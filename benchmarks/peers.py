r"""What else gives a Python game music, side by side: start, cost of ten seconds of sound, memory.

    python -m venv peers && peers/bin/pip install pygame pyxel tono-py      (Windows: peers\Scripts\...)
    python benchmarks/peers.py --peers peers/bin/python

Ours runs in this interpreter, the others in that of ``--peers``, each in a process of its own, in turn,
``--rounds`` times; the table gives medians. Ready: from a bare interpreter to music that can sound, imports,
model and composing included. Costs are processor time, which other programs disturb little.
``BackgroundMusic`` and ``pygame.mixer.music`` import pygame, open the mixer and play for ten seconds; the
others make as much sound without pygame, as fast as they can. What is not installed says so. The pieces
differ: ours is piano music that a network composed, pyxel's four chip voices that an algorithm composed,
tono's a song of 24 notes a bar written here, pygame's an OGG file.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # the package beside this file, not an installed one

SECONDS = 10.0
RATE = 44100


def resident() -> float:
    """Resident memory of this process in MB; 0 where the system does not tell."""
    try:
        fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0.0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def played(folder: str) -> Callable[[], Any]:
    import pygame

    from pianogan_bgm import BackgroundMusic

    pygame.mixer.init(RATE, -16, 2, 1024)
    music = BackgroundMusic(seed=2026)
    music.play()
    while music.now_playing is None:
        if music.stats.errors:
            raise SystemExit(music.stats.errors[-1])
        time.sleep(0.001)
    if music.silent:
        raise SystemExit("the mixer cannot be used")

    def sound() -> None:
        time.sleep(SECONDS)
        if not music.get_busy():
            raise SystemExit("the music has stopped")

    return sound


def pulled(folder: str) -> Callable[[], Any]:
    from pianogan_bgm import Stream

    stream = Stream(seed=2026, rate=RATE)
    stream.play()
    stream.fill(1)
    return lambda: stream.fill(round(SECONDS * RATE))


def pyxel(folder: str) -> Callable[[], Any]:
    import pyxel

    pyxel.init(64, 64, headless=True)
    voices = pyxel.gen_bgm(4, 0, 3, 2026)
    for number, mml in enumerate(voices):
        pyxel.sounds[number].mml(mml)
    music = pyxel.Music()
    music.set(*[[number] for number in range(len(voices))])
    return lambda: music.save(str(Path(folder) / "pyxel.wav"), SECONDS)


def tono(folder: str) -> Callable[[], Any]:
    import tono

    song = tono.Song("side by side", 120.0)
    lines = {
        "high": ("C5", "E5", "G5", "B5"),
        "middle": ("C4", "E4", "G4", "E4"),
        "low": ("C2", "G2", "C3", "G2"),
    }
    bars = round(SECONDS / 2.0)
    for name, pitches in lines.items():
        pattern = tono.Pattern(1)
        for place in range(8):
            pattern.note(pitches[place % 4], at=place / 2.0, duration=0.5)
        song.arrange(song.track(name, tono.instruments.piano()), pattern.repeat(bars))
    program = song.compile(RATE)
    return program.render


def mixer_music(folder: str) -> Callable[[], Any]:
    import pygame

    pygame.mixer.init(RATE, -16, 2, 1024)
    pygame.mixer.music.load(str(Path(folder) / "music.ogg"))
    pygame.mixer.music.play(-1)
    return lambda: time.sleep(SECONDS)


PEERS: dict[str, Callable[[str], Callable[[], Any]]] = {
    "BackgroundMusic": played,
    "Stream (pulled, no pygame)": pulled,
    "pygame.mixer.music": mixer_music,
    "pyxel gen_bgm": pyxel,
    "tono": tono,
}
OURS = ("BackgroundMusic", "Stream (pulled, no pygame)")


def measure(name: str, folder: str) -> dict[str, float]:
    """Figures of one of :data:`PEERS`, in a fresh process."""
    bare, began, used = resident(), time.perf_counter(), time.process_time()
    sound = PEERS[name](folder)
    ready, spent = time.perf_counter() - began, time.process_time() - used
    used = time.process_time()
    sound()
    return {
        "ready_s": ready,
        "start_cpu_s": spent,
        "percent": 100.0 * (time.process_time() - used) / SECONDS,
        "memory_mb": resident() - bare,
    }


def child(python: str, name: str, folder: str) -> dict[str, float] | str:
    """Those figures, or why there are none."""
    quiet = {"SDL_AUDIODRIVER": "dummy", "SDL_VIDEODRIVER": "dummy", "PYGAME_HIDE_SUPPORT_PROMPT": "1"}
    command = [python, __file__, "--child", name, folder]
    done = subprocess.run(command, env={**os.environ, **quiet}, capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def write_ogg(path: Path) -> None:
    """Half a minute of chords for pygame to play."""
    import numpy as np
    import soundfile

    time_axis = np.arange(30 * RATE) / RATE
    wave = sum(np.sin(2 * np.pi * hertz * time_axis) for hertz in (130.8, 261.6, 329.6, 392.0)) / 5
    soundfile.write(path, np.stack([wave, wave], axis=1), RATE, format="OGG", subtype="VORBIS")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", default=sys.executable, help="interpreter that has pyxel and tono-py")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(*options.child)))
        return
    found: dict[str, list[dict[str, float]]] = {name: [] for name in PEERS}
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_ogg(Path(folder) / "music.ogg")
        for _ in range(options.rounds):
            for name in PEERS:
                python = sys.executable if name in OURS else options.peers
                got = child(python, name, folder)
                if isinstance(got, str):
                    missing[name] = got
                else:
                    found[name].append(got)
    print(f"{'':28}{'ready':>10}{'start cpu':>12}{'playing':>12}{'memory':>10}")
    for name, rows in found.items():
        if not rows:
            print(f"{name:28}  not measured: {missing[name]}")
            continue
        ready, spent, percent, memory = (
            statistics.median(row[key] for row in rows)
            for key in ("ready_s", "start_cpu_s", "percent", "memory_mb")
        )
        print(f"{name:28}{ready:8.2f} s{spent:10.2f} s{percent:10.2f} %{memory:7.0f} MB")


if __name__ == "__main__":
    main()
