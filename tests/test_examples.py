"""The small examples: they run, they stay small, and they use public names alone."""

from __future__ import annotations

import ast
import runpy
from functools import partial
from pathlib import Path

import pygame
import pytest
from music_fakes import FakeGenerator

import pianogan_bgm
from pianogan_bgm import BackgroundMusic

EXAMPLES = Path(__file__).parents[1] / "examples"
SMALL = [EXAMPLES / name for name in ("minimal.py", "rhythm_toy.py")]  # by name: others may run for ever


@pytest.fixture
def no_devices(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("SDL_AUDIODRIVER", "none at all")
    yield
    pygame.quit()


def play_with(monkeypatch, keys, frames=20):
    """From now on every picture shown presses the next key; after ``frames`` the window is closed."""
    shown, real = [], pygame.display.flip

    def flip():
        real()
        shown.append(len(shown))
        if len(shown) == frames:
            pygame.event.post(pygame.event.Event(pygame.QUIT))
        elif len(shown) <= len(keys):
            pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=keys[len(shown) - 1]))

    monkeypatch.setattr(pygame.display, "flip", flip)
    return shown


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_an_example_runs_until_its_window_is_closed(path, monkeypatch, no_devices):
    made = []

    def player(*args, **settings):
        made.append(BackgroundMusic(*args, model=FakeGenerator(), **settings))
        return made[-1]

    monkeypatch.setattr(pianogan_bgm, "BackgroundMusic", player, raising=False)
    shown = play_with(monkeypatch, [pygame.K_SPACE, pygame.K_LEFT, pygame.K_SPACE])
    module = runpy.run_path(str(path))
    assert module["main"]() == 0
    assert len(shown) == 20
    assert made[0].get_busy()
    assert made[0].stats.errors == []
    made[0].close()


@pytest.mark.parametrize(("phase", "size"), [(0.0, 120.0), (0.5, 74.0), (0.875, 39.5)])
def test_the_ring_of_the_rhythm_toy_closes_with_the_beat(monkeypatch, no_devices, phase, size):
    class Player(BackgroundMusic):
        beat_phase = phase

    drawn, circle = [], pygame.draw.circle

    def draw(surface, color, center, radius, width=0):
        drawn.append((radius, width))
        circle(surface, color, center, radius, width)

    monkeypatch.setattr(pianogan_bgm, "BackgroundMusic", partial(Player, model=FakeGenerator()))
    monkeypatch.setattr(pygame.draw, "circle", draw)
    play_with(monkeypatch, [], frames=3)
    assert runpy.run_path(str(EXAMPLES / "rhythm_toy.py"))["main"]() == 0
    assert [radius for radius, width in drawn if width] == [size] * 3


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_an_example_without_its_model_says_so_and_stops(path, monkeypatch, no_devices, capsys, tmp_path):
    missing = partial(BackgroundMusic, model=tmp_path / "none.onnx")
    monkeypatch.setattr(pianogan_bgm, "BackgroundMusic", missing, raising=False)
    assert runpy.run_path(str(path))["main"]() == 1
    assert "none.onnx" in capsys.readouterr().err


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_ctrl_c_ends_an_example_quietly(path, monkeypatch, no_devices):
    def flip():
        raise KeyboardInterrupt

    made = []

    def player(*args, **settings):
        made.append(BackgroundMusic(*args, model=FakeGenerator(), **settings))
        return made[-1]

    monkeypatch.setattr(pianogan_bgm, "BackgroundMusic", player)
    monkeypatch.setattr(pygame.display, "flip", flip)
    runpy.run_path(str(path), run_name="__main__")
    made[0].close()


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_an_example_is_short_and_imports_public_names_alone(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) < 60
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pianogan_bgm"):
            assert node.module == "pianogan_bgm"
            assert {alias.name for alias in node.names} <= set(pianogan_bgm.__all__)
