"""Run configuration: frozen dataclasses read from TOML. An unknown key or a wrong type is an error."""

from __future__ import annotations

import math
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

Table = TypeVar("Table")

DEFAULT_SEED: Final = 1
"""Of a run whose configuration gives none."""


class InvalidConfig(ValueError):
    """A configuration file with an unknown key, a missing one or a value of the wrong type or range."""


@dataclass(frozen=True, slots=True)
class VaeConfig:
    """The autoencoder of beats and the composer as its prior (``studio``, first stage).

    ``width``: channels of encoder and decoder. ``codes``: latent numbers a beat, an even number, for chances
    come in pairs. ``blocks``: residual blocks of the decoder. ``composer``, ``hidden``: width of the
    composer's memory and of its other layers. ``kl_weight``: what a nat of rate, beyond what the composer
    expects, costs beside a nat of reconstruction. ``repeats``: what a beat shares with one that it is said to
    repeat, every cell or only what is struck: performers hold no key twice for just as long.
    """

    width: int = 256
    codes: int = 40
    blocks: int = 3
    composer: int = 256
    hidden: int = 192
    steps: int = 6000
    batch: int = 32
    learning_rate: float = 1e-3
    kl_weight: float = 1.0
    velocity_weight: float = 1.0
    repeats: Literal["cells", "strikes"] = "cells"

    def __post_init__(self) -> None:
        """Refuse what the networks cannot be made of."""
        _check_numbers(self)
        _at_least(1, self, "width", "codes", "composer", "hidden", "batch")
        _multiple_of(2, self, "codes")


@dataclass(frozen=True, slots=True)
class GanConfig:
    """The generator against the critic (``studio``, second stage).

    ``critic_width``: channels of the discriminator. ``batch``: a multiple of 4, the group that the critic
    compares samples within. ``ema``: decay of the averaged generator. ``r1``: weight
    of the lazy slope penalties, taken every ``r1_every`` steps. ``anchor``: weight of a nat of the first
    stage's loss, which goes on beside the critic's answers. ``head_start``: steps in which the critic learns
    alone. ``daring``: what chances are multiplied with when composing; less than 1 keeps nearer to what is
    expected. ``blur``: what the blur of that which the composer hears of itself is multiplied with; with less
    than 1 music comes back oftener. ``copies``: how often the codes' blur is taken from what is left to
    chance in a beat that is copied; with more than 2 copies differ less. ``furthest``: how far requests may
    be moved to have them met, in standard deviations of what is asked for. ``share``: how much of the
    finished generator's weights is from this stage; the rest is from the first, for the mean of weights
    before and after can be better than either (Wortsman et al. 2022).
    """

    critic_width: int = 128
    steps: int = 3000
    batch: int = 32
    learning_rate: float = 4e-5
    critic_ratio: float = 8.0
    ema: float = 0.995
    r1: float = 0.1
    r1_every: int = 16
    head_start: int = 100
    anchor: float = 0.1
    daring: float = 1.0
    blur: float = 1.0
    copies: float = 2.0
    furthest: float = 1.5
    share: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what the stage cannot be trained with."""
        _check_numbers(self)
        _at_least(1, self, "critic_width", "batch", "r1_every")
        _multiple_of(4, self, "batch")
        for name in ("ema", "share"):
            if not 0.0 <= (value := getattr(self, name)) <= 1.0:
                raise InvalidConfig(f"{name} must be from 0 to 1; got {value!r}")


@dataclass(frozen=True, slots=True)
class ReferenceConfig:
    """The original GAN. ``width``: multiplier of every channel count; 1.0 is the original.

    ``stop_near``: training ends once the discriminator's mean answer on real and generated samples has been
    within ``stop_margin`` of it over ``stop_window`` steps, after ``min_steps``.
    """

    width: float = 1.0
    steps: int = 3000
    min_steps: int = 1000
    batch: int = 16
    learning_rate: float = 1e-4
    clip: float = 1.0
    label_noise: float = 0.05
    stop_near: float = 0.5
    stop_margin: float = 0.02
    stop_window: int = 50

    def __post_init__(self) -> None:
        """Refuse what the networks cannot be trained with."""
        _check_numbers(self)
        _at_least(1, self, "batch")


@dataclass(frozen=True, slots=True)
class Config:
    """One training run. ``minutes`` settings are wall-clock; everything else counts steps.

    ``validation_windows``: at least 4, which the critic compares.
    """

    name: str
    network: Literal["studio", "reference"]
    data: str
    seed: int = DEFAULT_SEED
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    init_from: str | None = None
    distribute: Literal["none", "mirrored", "multiworker"] = "none"
    checkpoint_minutes: float = 3.0
    validate_every: int = 500
    validation_windows: int = 400
    log_every: int = 50
    vae: VaeConfig = field(default_factory=VaeConfig)
    gan: GanConfig = field(default_factory=GanConfig)
    reference: ReferenceConfig = field(default_factory=ReferenceConfig)

    def __post_init__(self) -> None:
        """Refuse what a run cannot be logged or validated by."""
        _check_numbers(self)
        _at_least(1, self, "validate_every", "log_every")
        _at_least(4, self, "validation_windows")


def _check_numbers(table: Any) -> None:
    for f in fields(table):
        value = getattr(table, f.name)
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidConfig(f"{f.name} must be a finite number; got {value!r}")
        if isinstance(value, int | float) and value < 0:
            raise InvalidConfig(f"{f.name} must not be negative; got {value!r}")


def _at_least(least: int, table: Any, *names: str) -> None:
    for name in names:
        if (value := getattr(table, name)) < least:
            raise InvalidConfig(f"{name} must be at least {least}; got {value!r}")


def _multiple_of(factor: int, table: Any, name: str) -> None:
    if (value := getattr(table, name)) % factor:
        raise InvalidConfig(f"{name} must be a multiple of {factor}; got {value!r}")


def load(path: str | Path) -> Config:
    """Read a TOML file. Raises :class:`InvalidConfig` naming the file and the key at fault."""
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidConfig(f"{path}: cannot be read as TOML: {error}") from error
    return parse(table, str(path))


def parse(table: dict[str, Any], where: str = "config") -> Config:
    """A table as TOML gives it to a checked :class:`Config`."""
    return _build(Config, table, where)


def published(table: Mapping[str, Any]) -> dict[str, Any]:
    """A run's configuration or facts for others to read: of paths of this machine only the end is kept."""
    return {key: _shortened(key, value) for key, value in table.items()}


def _shortened(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return published(value)
    if key in _PATHS and isinstance(value, str):
        return "/".join(Path(value).parts[-_PATHS[key] :])
    return value


_PATHS = {"data": 1, "init_from": 1, "from": 3}
"""Keys of paths, and how many of their parts are kept."""


def _build(kind: type[Table], table: dict[str, Any], where: str) -> Table:
    assert is_dataclass(kind)
    hints = typing.get_type_hints(kind)
    known = {f.name for f in fields(kind)}
    if unknown := sorted(set(table) - known):
        raise InvalidConfig(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
    values = {key: _value(hints[key], value, f"{where}: {key}") for key, value in table.items()}
    try:
        return kind(**values)
    except (TypeError, InvalidConfig) as error:
        raise InvalidConfig(f"{where}: {error}") from error


def _value(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint):
        if not isinstance(value, dict):
            raise InvalidConfig(f"{where} must be a table; got {value!r}")
        return _build(typing.cast(type[Any], hint), value, where)
    if typing.get_origin(hint) is Literal:
        if value not in typing.get_args(hint):
            raise InvalidConfig(f"{where} must be one of {typing.get_args(hint)}; got {value!r}")
        return value
    allowed = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if float in allowed and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, tuple(allowed)) or isinstance(value, bool):
        names = " or ".join(kind.__name__ for kind in allowed)
        raise InvalidConfig(f"{where} must be {names}; got {value!r}")
    return value
