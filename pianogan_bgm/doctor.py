"""The command ``pianogan-bgm doctor``: what is installed and what works, to paste into a bug report.

Facts are told whether or not they are good; checks pass or fail, each on its own, so that one missing piece
names itself and hides nothing. No path, user or machine name is told, except in the message of what failed.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from pianogan_bgm import __version__
from pianogan_bgm.errors import PianoganError, one_line

FORMAT: Final = 1
"""Version of what ``--json`` prints."""
SEED: Final = 7
RATE: Final = 44100
PATIENCE: Final = 10.0
"""Seconds within which music has to begin."""
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "numpy": ("numpy",),
    "onnxruntime": ("onnxruntime",),
    "mido": ("mido",),
    "soundfile": ("soundfile",),
    "PIL": ("Pillow",),
    "tqdm": ("tqdm",),
    "joblib": ("joblib",),
    "pygame": ("pygame", "pygame-ce"),
}
"""Modules that the package needs, and the distributions that may provide each."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing tried. ``detail``: what came out, or what went wrong, in one line."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was found. ``versions``: by name, None for what is not installed. ``audio``: by name."""

    versions: dict[str, str | None]
    audio: dict[str, str]
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def to_json(self) -> str:
        """The findings as one JSON object: format, healthy, versions, audio, checks."""
        return json.dumps({"format": FORMAT, "healthy": self.healthy, **asdict(self)}, indent=2)

    def to_text(self) -> str:
        """The findings for a reader, a line each."""
        facts = {**{name: found or "missing" for name, found in self.versions.items()}, **self.audio}
        width = max(len(name) for name in [*facts, *(check.name for check in self.checks)])
        lines = [f"      {name:{width}}  {value}" for name, value in facts.items()]
        lines += [f"{'PASS' if c.passed else 'FAIL'}  {c.name:{width}}  {c.detail}" for c in self.checks]
        failed = sum(not check.passed for check in self.checks)
        return "\n".join([*lines, "all is well" if not failed else f"failed: {failed} of {len(self.checks)}"])


def run(*, as_json: bool = False) -> int:
    """Print the findings; the exit status is 0 where every check passed, else 1."""
    found = examine()
    print(found.to_json() if as_json else found.to_text())
    return 0 if found.healthy else 1


def examine() -> Findings:
    """Look at everything, and try everything: some seconds. Opens the audio device; plays silence."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    checks = [
        *(_check(f"import {name}", partial(_imported, name)) for name in NEEDED),
        *_models(),
        _check("samples", _samples),
        _check("compose", _compose),
        _check("render", _render),
        _check("play", _play),
    ]
    return Findings(installed_versions(), _audio(), tuple(checks))


def _check(name: str, attempt: Callable[[], str]) -> Check:
    try:
        return Check(name, True, attempt())
    except Exception as error:  # whatever it is, the user wants to read it and the other checks
        return _failed(name, error)


def _failed(name: str, error: Exception) -> Check:
    if isinstance(error, PianoganError | OSError | ModuleNotFoundError):
        return Check(name, False, one_line(error))
    return Check(name, False, f"{type(error).__name__}: {one_line(error)}")


# ------------------------------------------------------------------------------------------------- facts


def installed_versions() -> dict[str, str | None]:
    """What is installed, by the names that a bug report needs."""
    found: dict[str, str | None] = {
        "pianogan-bgm": __version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    for distributions in NEEDED.values():
        present = [name for name in distributions if _installed(name)] or distributions[:1]
        found |= {name: _installed(name) for name in present}
    soundfile, pygame = sys.modules.get("soundfile"), sys.modules.get("pygame")
    if soundfile is not None:
        found["libsndfile"] = soundfile.__libsndfile_version__
    if pygame is not None:
        found["SDL"] = ".".join(map(str, pygame.get_sdl_version()))
    return found


def _installed(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:  # a frozen game has no metadata, but has the module
        return None


def _audio() -> dict[str, str]:
    """What SDL plays on; the words ``unknown`` and ``none`` where it does not say or there is nothing."""
    try:
        import pygame
    except Exception:
        return {"audio driver": "unknown", "audio devices": "unknown", "mixer": "none"}
    from pianogan_bgm.mixer import usable_mixer

    wanted, mixer = os.environ.get("SDL_AUDIODRIVER"), usable_mixer(pygame)
    try:
        with _mixer_as_it_was(mixer):
            if mixer.get_init() is None:
                mixer.init()
            rate, bits, channels = mixer.get_init()
            driver = getattr(mixer, "get_driver", lambda: wanted or "SDL's choice")()
            kind = f"{bits} bit" if bits > 0 else f"{-bits} bit signed"
            form = f"{rate} Hz, {'32 bit float' if bits == 32 else kind}, channels: {channels}"
            return {"audio driver": driver, "audio devices": _devices(), "mixer": form}
    except pygame.error as error:
        return {"audio driver": wanted or "SDL's choice", "audio devices": "none", "mixer": f"none ({error})"}


@contextlib.contextmanager
def _mixer_as_it_was(mixer: Any) -> Iterator[None]:
    """Close the mixer afterwards if it was closed."""
    closed = mixer.get_init() is None
    try:
        yield
    finally:
        if closed:
            mixer.quit()


def _devices() -> str:
    try:
        names = importlib.import_module("pygame._sdl2.audio").get_audio_device_names(False)
    except Exception:  # not in every build of pygame
        return "unknown"
    return ", ".join(names) or "unnamed"


# ------------------------------------------------------------------------------------------------ checks


def _imported(name: str) -> str:
    importlib.import_module(name)
    numbers = [f"{found} {number}" for found in NEEDED[name] if (number := _installed(found))]
    if len(numbers) > 1:
        both = " and ".join(numbers)
        raise ImportError(f"{both} are both installed and overwrite each other; uninstall both, install one")
    return ", ".join(numbers) or "found, without package metadata"


def _models() -> list[Check]:
    """A check for each installed model, or one that says what is wrong."""
    try:
        from pianogan_bgm.models import available_models

        names = available_models()
    except Exception as error:
        return [_failed("models", error)]
    if not names:
        return [Check("models", False, "expected the model 'open' at least; no model is installed")]
    tries = [(f"{what} {name}", partial(look, name)) for name in names for what, look in _OF_A_MODEL]
    return [_check(name, look) for name, look in tries]


def _model(name: str) -> str:
    from pianogan_bgm.models import find_model

    found = find_model(name)
    found.weights()  # compared with the card's sha256
    card = found.card
    use = "may be sold with a game" if card.may_sell else "non-commercial use only"
    return f"version {card.version}, sha256 {card.weights_sha256} verified, {use}"


def _atlas(name: str) -> str:
    from pianogan_bgm.atlas import load_atlas
    from pianogan_bgm.models import BUILT_IN

    atlas = load_atlas(name)
    if not len(atlas) and name in BUILT_IN:
        raise FileNotFoundError(f"{name}.atlas.json is missing: no mood finds its pieces")
    return f"seeds: {len(atlas)}" if len(atlas) else "none came with it: no moods"


_OF_A_MODEL: Final[tuple[tuple[str, Callable[[str], str]], ...]] = (("model", _model), ("atlas", _atlas))


def _samples() -> str:
    from pianogan_bgm.instruments.piano import SAMPLES, recordings

    _, rows = recordings()
    missing = sorted(row.file for row in rows.values() if not (SAMPLES / row.file).is_file())
    if missing:
        raise FileNotFoundError(f"{len(missing)} of {len(rows)} recordings are missing: {missing[0]} ...")
    return f"recordings: {len(rows)}"


def _compose() -> str:
    from pianogan_bgm.generator import Generator

    began = time.perf_counter()
    piece = Generator().compose(SEED)
    if not piece.notes:
        raise ValueError(f"expected notes; the piece of seed {SEED} has none")
    return f"seed {SEED}: {len(piece.notes)} notes in {time.perf_counter() - began:.2f} s"


def _render() -> str:
    """A second of piano to a file and back."""
    import numpy as np
    import soundfile

    from pianogan_bgm.files import path_in_c
    from pianogan_bgm.render import render, write_audio

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "second.ogg"
        write_audio(path, render(_scale(), RATE)[:RATE], RATE)
        sound, _ = soundfile.read(path_in_c(path))
    if len(sound) != RATE or not np.abs(sound).max() > 0.001:
        raise ValueError(f"expected {RATE} frames of sound; got {len(sound)}, as good as silent")
    return f"1 s of piano, peak {np.abs(sound).max():.2f}"


def _play() -> str:
    """Music of volume 0 through the player, until its clock moves."""
    import pygame

    from pianogan_bgm.mixer import usable_mixer
    from pianogan_bgm.player import BackgroundMusic

    with _mixer_as_it_was(usable_mixer(pygame)), BackgroundMusic(_scale(), volume=0.0) as music:
        music.play(loops=-1)
        until = time.monotonic() + PATIENCE
        while music.position == 0.0:
            if time.monotonic() > until or music.stats.errors:
                raise TimeoutError(*music.stats.errors[:1] or [f"no music within {PATIENCE:g} s"])
            time.sleep(0.02)
        return "no device: keeps time silently" if music.silent else "the mixer plays (volume 0)"


def _scale() -> Any:
    """Eight notes, for checks that should not depend on the network."""
    from pianogan_bgm.notes import Note
    from pianogan_bgm.piece import Piece

    pitches = (60, 62, 64, 65, 67, 69, 71, 72)
    return Piece(tuple(Note(2 * step, pitch, 2) for step, pitch in enumerate(pitches)), steps=16)
