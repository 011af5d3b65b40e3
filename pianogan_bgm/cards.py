"""The model card: what a generator is, what it was made from and what its music may be used for.

A model is two files of one name side by side, ``NAME.onnx`` (weights) and ``NAME.json`` (this card). The
card is read strictly: an unknown or missing key, a value of the wrong kind or a text with control characters
makes the model damaged, for a card that is only half understood is worth nothing to who must answer for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, get_args

from pianogan_bgm.errors import ModelDamaged
from pianogan_bgm.json_rules import (
    A_HASH,
    A_MODEL_NAME,
    A_TEXT,
    A_TRUTH,
    AN_OBJECT,
    Rule,
    is_text,
    matching,
    real,
    short,
    without_twins,
    wrong_key,
    wrong_value,
)
from pianogan_bgm.piece import TEMPO_RANGE
from pianogan_bgm.roll import ROLL, Convention, RollSpec

SPEC_VERSION: Final = 1
LATENT_SIZE: Final = 14
MAX_CARD_BYTES: Final = 1 << 18
MAX_WEIGHTS_BYTES: Final = 1 << 26
"""64 MiB: the largest weights that are opened at all (the original network at full width has 60 MB)."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything known about a generator, in the order of the JSON file.

    ``spec``: version of this format, 1. ``name``: short name, also the files' (letters, digits, ``-_.``).
    ``version``: of the weights. ``summary``: one sentence. ``convention``: how a roll is shaded
    (:mod:`pianogan_bgm.roll`). ``roll``: lowest MIDI pitch, rows and columns. ``latent``: numbers it takes.
    ``has_velocity``: whether it learnt loudness. ``tempo``: beats a minute a piece gets by default.
    ``training_data``: what it learnt from. ``data_licence``: that data's licences. ``output_licence``: what
    its music may be used for, in plain words. ``may_sell``: the same as yes or no, for commercial games.
    ``attribution``: the lines a credits screen must show. ``revision``: git revision of the training code.
    ``config``: of the training run. ``data_sha256``: of the prepared training data ("" where unknown).
    ``protocol``: how the metrics were taken. ``metrics``: by name. ``weights_sha256``, ``weights_bytes``: of
    the ONNX file.
    """

    spec: int
    name: str
    version: str
    summary: str
    convention: Convention
    roll: tuple[int, int, int]
    latent: int
    has_velocity: bool
    tempo: float
    training_data: str
    data_licence: str
    output_licence: str
    may_sell: bool
    attribution: tuple[str, ...]
    revision: str
    config: Mapping[str, Any]
    data_sha256: str
    protocol: str
    metrics: Mapping[str, float]
    weights_sha256: str
    weights_bytes: int

    @property
    def roll_spec(self) -> RollSpec:
        """How to read the model's rolls."""
        lowest, pitches, steps = self.roll
        return RollSpec(lowest, pitches, steps, self.convention)

    def to_json(self) -> str:
        """The card as the text of its file."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, data: bytes, where: str) -> ModelCard:
        """Read a card file. ``where`` names it in errors: :class:`ModelDamaged`, always."""
        if len(data) > MAX_CARD_BYTES:
            raise ModelDamaged(f"{where}: a card has at most {MAX_CARD_BYTES} bytes; got {len(data)} or more")
        try:
            table = json.loads(data.decode("utf-8"), object_pairs_hook=without_twins)
        except (ValueError, RecursionError) as error:
            raise ModelDamaged(f"{where}: not a JSON card: {error}") from error
        return cls.from_table(table, where)

    @classmethod
    def from_table(cls, table: Any, where: str) -> ModelCard:
        """A card from parsed JSON; every key is checked."""
        if not isinstance(table, dict):
            raise ModelDamaged(f"{where}: a card is a JSON object; got {type(table).__name__}")
        spec = table.get("spec")
        if type(spec) is not int or spec != SPEC_VERSION:  # first: a newer card may well have other keys
            raise ModelDamaged(f"{where}: spec must be {SPEC_VERSION}; got {short(spec)}")
        if problem := wrong_key(table, [field.name for field in fields(cls)]) or wrong_value(table, _RULES):
            raise ModelDamaged(f"{where}: {problem}")
        values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in table.items()}
        return cls(**values)

    def check_weights(self, weights: bytes, where: str) -> None:
        """Raise :class:`ModelDamaged` unless ``weights`` are the bytes this card describes."""
        if len(weights) != self.weights_bytes:
            size = f"{len(weights)} bytes" if len(weights) <= MAX_WEIGHTS_BYTES else "more than that"
            raise ModelDamaged(
                f"{where}: the card says {self.weights_bytes} bytes of weights; got {size}. {_PAIR}"
            )
        if (digest := hashlib.sha256(weights).hexdigest()) != self.weights_sha256:
            raise ModelDamaged(
                f"{where}: weights_sha256 is {self.weights_sha256}; the file's is {digest}. {_PAIR}"
            )


_PAIR: Final = "Card and weights must come from one export or one installation; repeat it"


_A_METRIC: Final = real(-1e12, 1e12)


def _texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(is_text(line) for line in value)


def _metrics(value: Any) -> bool:
    return isinstance(value, dict) and all(is_text(key) and _A_METRIC[1](v) for key, v in value.items())


def _this_roll(value: Any) -> bool:
    exact = isinstance(value, list | tuple) and all(type(number) is int for number in value)
    return exact and tuple(value) == _ROLL


_ROLL: Final = (ROLL.lowest, ROLL.pitches, ROLL.steps)
_RULES: Final[Mapping[str, Rule]] = {
    "name": A_MODEL_NAME,
    "version": A_TEXT,
    "summary": A_TEXT,
    "convention": (f"one of {get_args(Convention)}", lambda value: value in get_args(Convention)),
    "roll": (str(list(_ROLL)), _this_roll),
    "latent": (str(LATENT_SIZE), lambda value: type(value) is int and value == LATENT_SIZE),
    "has_velocity": A_TRUTH,
    "tempo": real(*TEMPO_RANGE),
    "training_data": A_TEXT,
    "data_licence": A_TEXT,
    "output_licence": A_TEXT,
    "may_sell": A_TRUTH,
    "attribution": ("a list of printable lines", _texts),
    "revision": A_TEXT,
    "config": AN_OBJECT,
    "data_sha256": matching(f"{A_HASH[0]} or empty", r"([0-9a-f]{64})?"),
    "protocol": A_TEXT,
    "metrics": (f"an object, each value {_A_METRIC[0]}", _metrics),
    "weights_sha256": A_HASH,
    "weights_bytes": (
        f"1 to {MAX_WEIGHTS_BYTES}",
        lambda value: type(value) is int and 1 <= value <= MAX_WEIGHTS_BYTES,
    ),
}
