"""Export a trained network: ``python -m export.export_onnx RUN_DIR --name open``.

Writes ``NAME.onnx`` and its card ``NAME.json`` into ``pianogan_bgm/models`` (or the folder of ``--to``),
after comparing the network with its exported self on 64 latents. What a card says in words stands in a TOML
file (``--card``, by default ``export/cards/NAME.toml``); its figures come from the run, or from an
evaluation's report (``--report``), so a model is exported, evaluated and exported again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from pianogan_bgm.cards import LATENT_SIZE, MAX_WEIGHTS_BYTES, SPEC_VERSION, ModelCard
from pianogan_bgm.errors import PianoganError, one_line
from pianogan_bgm.files import write_together
from pianogan_bgm.generator import open_session, run_session
from pianogan_bgm.latents import latent_of
from pianogan_bgm.roll import ROLL, STRUCK_BYTE, Convention
from training.report import CEILING

Floats = npt.NDArray[np.float32]
Network = Callable[[Any], Any]
"""Latents float32 ``(n, 14)`` to rolls float32 ``(n, 106, 300, 1)``; a Keras model."""

PARITY_LATENTS: Final = 64
PARITY_LIMIT: Final = 1e-4
PARITY_SEED: Final = 1 << 40
"""First seed of the latents compared: none that calibration or evaluation use."""
MODELS: Final = Path(__file__).parent.parent / "pianogan_bgm" / "models"
CARDS: Final = Path(__file__).parent / "cards"
WORDS: Final = frozenset(
    {"version", "summary", "tempo", "may_sell", "attribution"}
    | {"training_data", "data_licence", "output_licence"}
)
"""Keys of the TOML file, all required."""


class ExportError(PianoganError, RuntimeError):
    """A run that cannot be exported: files missing, or the exported network answers otherwise."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained network and what its run folder says of it.

    ``measured_sha256``: of the weights that ``metrics`` were measured on, where a report names them, else "".
    """

    network: Network
    convention: Convention
    config: Mapping[str, Any]
    revision: str
    data_sha256: str
    protocol: str
    metrics: Mapping[str, float]
    measured_sha256: str = ""


def read_run(folder: Path) -> Trained:
    """The network of a run folder with its config, revision, data hash and best validation metrics."""
    from training import networks
    from training.config import published
    from training.runs import read_facts

    try:
        config = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
        facts = read_facts(folder)
        convention = networks.CONVENTIONS[config["network"]]
        revision = ", ".join([facts["revision"], *facts.get("resumed", [])])
        data = facts["data"]["sha256"]
        network = networks.load_generator(folder)
        metrics = best_validation(folder / "metrics.jsonl")
    except KeyError as error:
        raise ExportError(f"{folder} is not a finished run: nothing is known of {error}") from error
    except (OSError, ValueError) as error:
        raise ExportError(f"{folder} is not a finished run: {one_line(error)}") from error
    protocol = "best checkpoint by score on the validation split, as logged in training"
    return Trained(network, convention, published(config), revision, data, protocol, metrics)


def best_validation(path: Path) -> dict[str, float]:
    """The validation metrics of the last stage's best checkpoint in a run's log; empty without one."""
    from training.runs import read_log

    scored = [row for row in read_log(path) if "validation_score" in row]
    last = [row for row in scored if row["stage"] == scored[-1]["stage"]]
    if not last:
        return {}
    best = max(last, key=lambda row: row["validation_score"])
    return {key: value for key, value in best.items() if key.startswith("validation_") or key == "step"}


def parity(network: Network, weights: bytes, latents: Floats) -> float:
    """Largest difference between the Keras network's rolls and the exported one's, in roll values."""
    session = open_session(weights, "the exported network")
    worst = 0.0
    for start in range(0, len(latents), 8):
        batch = latents[start : start + 8]
        expected = np.asarray(network(batch), dtype=np.float32)
        got = run_session(session, batch)
        if expected.shape != got.shape or not (np.isfinite(got).all() and np.isfinite(expected).all()):
            raise ExportError(f"rolls must be finite, of shape {expected.shape}; got shape {got.shape}")
        worst = max(worst, float(np.abs(expected - got).max()))
    return worst


def parity_latents() -> Floats:
    """The latents compared, float32 ``(64, 14)``."""
    return np.stack([latent_of(PARITY_SEED + i) for i in range(PARITY_LATENTS)])


def has_velocity(rolls: Floats) -> bool:
    """Whether struck cells come in more than one loudness."""
    cells = np.floor(rolls * 256.0)
    return len(np.unique(cells[cells >= STRUCK_BYTE])) > 1


def read_words(path: Path) -> dict[str, Any]:
    """A card's hand-written keys. Raises :class:`ExportError` for a missing or an unknown one."""
    try:
        words = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"{path}: cannot be read as TOML: {error}") from error
    if odd := sorted(set(words) ^ WORDS):
        raise ExportError(
            f"{path}: must have the keys {', '.join(sorted(WORDS))} and no others; see {odd[0]}"
        )
    return words


def check_words(name: str, words: Mapping[str, Any]) -> None:
    """Raise what a model's card with these words would, before the minutes that its network takes to load."""
    nothing = Trained(lambda latents: latents, "struck", {}, "none", "", "none", {})
    make_card(name, nothing, words, b"none", np.zeros((1, *ROLL.shape), np.float32))


def read_report(path: Path, name: str) -> tuple[str, dict[str, float], str]:
    """Protocol and figures of model ``name`` and of the ceiling from an evaluation's report.

    And the sha256 of the weights it is on, "" where it names none.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        rows = {"": report["rows"][name], "ceiling_": report["rows"][CEILING]}
        found = {f"{who}{key}": float(row[key]["mean"]) for who, row in rows.items() for key in row}
        weights = str(report.get("models", {}).get(name, {}).get("sha256", ""))
        return "training.evaluate: " + json.dumps(report["protocol"], sort_keys=True), found, weights
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ExportError(f"{path}: not a report on {name!r}: {error!r}") from error


def make_card(
    name: str, trained: Trained, words: Mapping[str, Any], weights: bytes, rolls: Floats
) -> ModelCard:
    """The checked card of ``weights``; ``rolls`` are some of its own."""
    table = {
        **words,
        "spec": SPEC_VERSION,
        "name": name,
        "convention": trained.convention,
        "roll": [ROLL.lowest, ROLL.pitches, ROLL.steps],
        "latent": LATENT_SIZE,
        "has_velocity": trained.convention == "struck" and has_velocity(rolls),
        "revision": trained.revision,
        "config": dict(trained.config),
        "data_sha256": trained.data_sha256,
        "protocol": trained.protocol,
        "metrics": dict(trained.metrics),
        "weights_sha256": sha256(weights).hexdigest(),
        "weights_bytes": len(weights),
    }
    return ModelCard.from_table(table, f"the card of {name}")


def export(trained: Trained, name: str, words: Mapping[str, Any], folder: Path) -> tuple[ModelCard, float]:
    """Write ``name.onnx`` and ``name.json`` into ``folder``; return the card and the largest difference.

    Nothing is written (:class:`ExportError`) where the exported network differs from the trained one by more
    than 1e-4, where one that promises the same notes everywhere computes in less than double precision, or
    where the figures are of other weights.
    """
    from export.graph import computes_in_double, to_onnx

    model = to_onnx(trained.network)
    if trained.convention == "struck" and not computes_in_double(model):
        raise ExportError("the network must compute in double precision, or seeds differ between processors")
    weights = model.SerializeToString()
    if len(weights) > MAX_WEIGHTS_BYTES:
        raise ExportError(f"weights may have {MAX_WEIGHTS_BYTES} bytes; got {len(weights)}")
    if (sha := sha256(weights).hexdigest()) != (measured := trained.measured_sha256 or sha):
        raise ExportError(f"the report must be on these weights, of sha256 {sha}; it is on {measured}")
    latents = parity_latents()
    worst = parity(trained.network, weights, latents)
    print(f"{name}: {len(weights):,} bytes; largest difference on {len(latents)} latents {worst:.3g}")
    if worst > PARITY_LIMIT:
        raise ExportError(f"the exported network may differ by {PARITY_LIMIT:g}; it does by {worst:.3g}")
    rolls = run_session(open_session(weights, name), latents[:8])
    card = make_card(name, trained, words, weights, rolls)
    # an export that is killed between the two leaves a pair that is refused by its hash until it is repeated
    write_together({folder / f"{name}.onnx": weights, folder / f"{name}.json": card.to_json().encode()})
    return card, worst


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where to write, and where a card's words and figures are from."""
    parser.add_argument("--name", required=True, help="what the model is called")
    parser.add_argument("--to", type=Path, default=MODELS, metavar="DIR", help="where to write (the package)")
    parser.add_argument("--card", type=Path, metavar="FILE.toml", help="words (export/cards/NAME.toml)")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="figures from training.evaluate -o")


def exported(given: argparse.Namespace, read: Callable[[], Trained]) -> int:
    """Export what ``read`` gives as the options say; the command's exit status."""
    try:
        words = read_words(given.card or CARDS / f"{given.name}.toml")
        check_words(given.name, words)
        report = None if given.report is None else read_report(given.report, given.name)
        trained = read()
        if report is not None:
            protocol, metrics, measured = report
            trained = replace(trained, protocol=protocol, metrics=metrics, measured_sha256=measured)
        export(trained, given.name, words, given.to)
    except (PianoganError, OSError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 1
    print(f"wrote {given.to / given.name}.onnx and .json")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Command line; 1 where the run cannot be exported."""
    parser = argparse.ArgumentParser(
        prog="python -m export.export_onnx", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="folder of a training run")
    add_options(parser)
    given = parser.parse_args(arguments)
    return exported(given, lambda: read_run(given.run))


if __name__ == "__main__":
    sys.exit(main())
