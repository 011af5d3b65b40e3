"""Checks of what a game hands in: quick enough for a setter called every frame."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, Final

from pianogan_bgm.errors import InvalidSetting
from pianogan_bgm.instruments import check_instrument
from pianogan_bgm.json_rules import short
from pianogan_bgm.tune import LAYERS

TEMPO_FACTORS: Final = (0.25, 4.0)
LARGEST: Final = 2**31
"""Of counts, such as of repeats."""
MOMENTS: Final = ("now", "beat", "bar", "end")


def within(name: str, value: Any, low: float, high: float) -> float:
    """A number of ``low`` to ``high``, as a float; a truth value is none. Raises :class:`InvalidSetting`."""
    kind = type(value)  # looking for a Real takes ten times as long, too long for a setter called every frame
    number = kind is float or kind is int or (kind is not bool and isinstance(value, Real))
    if not number or not low <= value <= high:
        raise InvalidSetting(f"{name} must be {low:g} to {high:g}; got {short(value)}")
    return float(value)


def semitones(value: Any) -> int:
    """A transposition. Raises :class:`InvalidSetting`."""
    if type(value) is not int or not -24 <= value <= 24:
        raise InvalidSetting(f"transpose must be a whole number of semitones, -24 to 24; got {value!r}")
    return value


def whole(name: str, value: Any, low: int, high: int = LARGEST) -> int:
    """A whole number of ``low`` to ``high``. Raises :class:`InvalidSetting`."""
    if type(value) is not int or not low <= value <= high:
        raise InvalidSetting(f"{name} must be a whole number, {low} to {high}; got {short(value)}")
    return value


def truth(name: str, value: Any) -> bool:
    """True or False. Raises :class:`InvalidSetting`."""
    if type(value) is not bool:
        raise InvalidSetting(f"{name} must be True or False; got {short(value)}")
    return value


def one_of(name: str, value: Any, choices: tuple[str, ...]) -> Any:
    """One of ``choices``. Raises :class:`InvalidSetting`."""
    if value not in choices:
        raise InvalidSetting(f"{name} must be one of {', '.join(choices)}; got {value!r}")
    return value


def instrument_changes(wanted: str | Mapping[str, str]) -> tuple[str | None, ...]:
    """Instruments by layer, None for those left out.

    Raises :class:`InvalidSetting` for an unknown layer or instrument.
    """
    names = dict(wanted) if isinstance(wanted, Mapping) else dict.fromkeys(LAYERS, wanted)
    for layer, name in names.items():
        if layer not in LAYERS:
            raise InvalidSetting(f"a layer is one of {', '.join(LAYERS)}; got {layer!r}")
        names[layer] = check_instrument(name)
    return tuple(map(names.get, LAYERS))


def instrument_names(wanted: str | Mapping[str, str]) -> tuple[str, ...]:
    """Instruments by layer, the piano for those left out; raises as :func:`instrument_changes`."""
    return tuple(name or "piano" for name in instrument_changes(wanted))
