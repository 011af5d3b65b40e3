"""Rolls of a public neural model to stand beside ours in an evaluation: PerformanceRNN, of coopertunes.

    python -m venv peers
    peers/bin/pip install torch numpy tqdm && peers/bin/pip install --no-deps coopertunes
    peers/bin/python -m training.performance_rnn -o performance_rnn.npy
    python -m training.evaluate open data/open --also PerformanceRNN=performance_rnn.npy

PerformanceRNN (Simon & Oore 2017) is a recurrent network over events: a key goes down or up, the loudness
changes, time goes on. The package coopertunes (0.2.0, MIT) holds weights in PyTorch's format, trained on
performances of classical piano music. Only the weights are read, as tensors (nothing of the file is run, and
the package with its pinned requirements is not imported); the network around them is three layers of GRU and
a few matrices, written down here.

Each roll is its first 37.5 seconds from the first note on, sampled at temperature 1 with no control signal;
at 120 beats a minute a column is an eighth of a second, to which starts and ends are rounded. It plays
freely, not on a grid, so rounding costs it something: a peer of another kind, no rival on equal terms.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pianogan_bgm.files import write_atomically
from pianogan_bgm.roll import ROLL, Cells
from training.baselines import paint
from training.features import NoteTable

KEYS: Final = 88
LOUDNESSES: Final = 32
SHIFTS: Final = 1.15 ** np.arange(32) / 65
"""Seconds by which the last 32 events move on."""
EVENTS: Final = 2 * KEYS + LOUDNESSES + len(SHIFTS)
CONTROLS: Final = 24
LAYERS, HIDDEN, SEED_SIZE = 3, 512, 32
SECONDS_A_STEP: Final = 0.125
SECONDS: Final = ROLL.steps * SECONDS_A_STEP
SHORTEST, ENDLESS = 0.25, 1.0
"""Seconds a note is held at least, and where its key never comes up, as coopertunes reads its events."""
MOST_EVENTS: Final = 5000
BATCH: Final = 250

Events: TypeAlias = npt.NDArray[np.int64]


def notes_of(events: Sequence[int]) -> list[tuple[float, int, float]]:
    """Notes of an event sequence: start and end in seconds from the first note's start, and MIDI pitch."""
    now = 0.0
    begun: dict[int, float] = {}
    notes: list[tuple[float, int, float]] = []
    for event in events:
        if event < KEYS:
            begun.setdefault(event, now)
        elif event < 2 * KEYS:
            if (start := begun.pop(event - KEYS, None)) is not None:
                notes.append((start, ROLL.lowest + event - KEYS, max(now, start + SHORTEST)))
        elif event >= 2 * KEYS + LOUDNESSES:
            now += float(SHIFTS[event - 2 * KEYS - LOUDNESSES])
    notes += [(start, ROLL.lowest + key, start + ENDLESS) for key, start in begun.items()]
    first = min((start for start, _, _ in notes), default=0.0)
    return sorted((start - first, pitch, end - first) for start, pitch, end in notes)


def rolls_of(sequences: Sequence[Sequence[int]]) -> Cells:
    """Event sequences as cells uint8 ``(n, 106, 300)``."""
    rows = []
    for number, events in enumerate(sequences):
        for start, pitch, end in notes_of(events):
            step, stop = round(start / SECONDS_A_STEP), round(end / SECONDS_A_STEP)
            if step < ROLL.steps:
                rows.append((number, step, pitch, max(stop - step, 1)))
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    rolls = len(sequences)
    return paint(NoteTable(table[:, 0], table[:, 1], table[:, 2], table[:, 3], rolls, ROLL.steps))


def sample(weights: Any, count: int, seed: int) -> list[Events]:
    """``count`` event sequences of at least 37.5 seconds after the first note, from torch's generator."""
    import torch

    network = _Network(torch, weights)
    random = torch.Generator().manual_seed(seed)
    found: list[Events] = []
    while len(found) < count:
        found += network.play(min(BATCH, count - len(found)), random)
    return found


class _Clock:
    """How long each of several sequences has played since its first note."""

    def __init__(self, count: int) -> None:
        self.played = np.zeros(count)
        self._begun = np.zeros(count, dtype=np.bool_)

    def hear(self, which: Events, events: Events) -> None:
        """One more event of each sequence of ``which``."""
        self._begun[which] |= events < KEYS
        shift = events - (EVENTS - len(SHIFTS))
        seconds = np.where(shift >= 0, SHIFTS[np.maximum(shift, 0)], 0.0)
        self.played[which] += np.where(self._begun[which], seconds, 0.0)


class _Network:
    """The network around the weights, for several sequences side by side."""

    def __init__(self, torch: Any, weights: Any) -> None:
        self._torch, self._weights = torch, weights
        self._gru = torch.nn.GRU(HIDDEN, HIDDEN, num_layers=LAYERS)
        own = {name.removeprefix("gru."): value for name, value in weights.items() if name.startswith("gru.")}
        self._gru.load_state_dict(own)

    def play(self, count: int, random: Any) -> list[Events]:
        """Events of ``count`` sequences, each until it has its seconds or :data:`MOST_EVENTS`."""
        torch = self._torch
        chosen = np.full((MOST_EVENTS, count), -1)
        going, clock = np.arange(count), _Clock(count)
        with torch.inference_mode(), tqdm(total=count, desc="sampling", unit="roll", disable=None) as bar:
            hidden = self._begin(torch.randn(count, SEED_SIZE, generator=random))
            event = torch.full((count,), EVENTS - 1)
            for row in chosen:
                odds, hidden = self._step(event, hidden)
                event = torch.multinomial(torch.softmax(odds, -1), 1, generator=random)[:, 0]
                row[going] = event.numpy()
                clock.hear(going, row[going])
                on = clock.played[going] < SECONDS
                if not on.all():  # who has its seconds costs nothing any more
                    bar.update(int((~on).sum()))
                    kept = torch.from_numpy(np.flatnonzero(on))
                    going, event, hidden = going[on], event[kept], hidden[:, kept].contiguous()
                if not len(going):
                    break
        return [column[column >= 0] for column in chosen.T]

    def _begin(self, noise: Any) -> Any:
        """The state before the first event, ``(3, count, 512)``."""
        state = self._torch.tanh(self._linear("inithid_fc", noise))
        return state.view(len(noise), LAYERS, HIDDEN).permute(1, 0, 2).contiguous()

    def _step(self, event: Any, hidden: Any) -> tuple[Any, Any]:
        """Log-odds of the next event ``(count, 240)`` after ``event`` ``(count,)``, and the new state."""
        torch = self._torch
        embedded = self._weights["event_embedding.weight"][event]
        # one switch says that there is no control signal, whose place is left empty
        free = torch.cat([torch.ones(len(event), 1), torch.zeros(len(event), CONTROLS)], dim=1)
        joined = self._linear("concat_input_fc", torch.cat([embedded, free], dim=1))
        _, hidden = self._gru(torch.nn.functional.leaky_relu(joined, 0.1)[None], hidden)
        return self._linear("output_fc", hidden.permute(1, 0, 2).reshape(len(event), -1)), hidden

    def _linear(self, name: str, values: Any) -> Any:
        return self._torch.nn.functional.linear(
            values, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        )


def read_weights() -> Any:
    """The tensors that coopertunes ships, by name. Raises ``OSError`` where it or torch is not installed."""
    package = importlib.util.find_spec("coopertunes")
    if package is None or not package.submodule_search_locations or not importlib.util.find_spec("torch"):
        raise OSError("this needs torch and coopertunes; the head of training/performance_rnn.py says how")
    import torch

    path = Path(package.submodule_search_locations[0]) / "checkpoints" / "performancernn_pretrained.pt"
    return torch.load(path, weights_only=True, map_location="cpu")["model"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m training.performance_rnn", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.npy")
    parser.add_argument("--count", type=int, default=1000, help="rolls (1000)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    try:
        rolls = rolls_of([events.tolist() for events in sample(read_weights(), given.count, given.seed)])
        data = io.BytesIO()
        np.save(data, rolls)
        write_atomically(given.output, data.getvalue())
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{given.output}: {len(rolls)} rolls")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
