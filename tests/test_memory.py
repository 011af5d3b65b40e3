"""Freed memory goes back to the system where the C library would keep it."""

import ctypes
import sys

import pytest

from pianogan_bgm import memory


@pytest.fixture(autouse=True)
def _asked_anew():
    memory._trim.cache_clear()
    yield
    memory._trim.cache_clear()


def test_memory_is_given_back_on_any_system():
    memory.give_back()


@pytest.mark.parametrize("system", ["win32", "darwin", "emscripten"])
def test_elsewhere_nothing_is_looked_for(system, monkeypatch):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(ctypes, "CDLL", None)  # not to be called
    memory.give_back()


def test_a_c_library_without_the_function_is_let_be(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())  # as musl
    memory.give_back()


def test_the_c_library_is_asked_to_keep_nothing(monkeypatch):
    asked = []
    library = type("Library", (), {"malloc_trim": staticmethod(asked.append)})
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    memory.give_back()
    assert asked == [0]
