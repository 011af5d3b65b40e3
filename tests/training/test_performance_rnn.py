from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training import performance_rnn
from training.features import note_table
from training.performance_rnn import EVENTS, HIDDEN, KEYS, SHIFTS, main, notes_of, rolls_of

UP = KEYS
LOUD = 2 * KEYS
WAIT = EVENTS - len(SHIFTS)


def wait(number: int) -> float:
    return float(SHIFTS[number])


def test_events_become_notes_counted_from_the_first_one() -> None:
    events = [WAIT + 31, LOUD + 3, 0, WAIT + 31, 87, UP + 0, WAIT + 30, UP + 87, UP + 5]
    assert notes_of(events) == [
        (0.0, 21, pytest.approx(wait(31))),
        (pytest.approx(wait(31)), 108, pytest.approx(wait(31) + wait(30))),
    ]
    assert notes_of([]) == notes_of([UP + 3, WAIT]) == []


def test_a_short_note_and_one_whose_key_never_comes_up_have_coopertunes_lengths() -> None:
    assert notes_of([10, WAIT, UP + 10, 11]) == [
        (0.0, 31, 0.25),
        (pytest.approx(wait(0)), 32, pytest.approx(wait(0) + 1.0)),
    ]


def test_a_key_pressed_again_before_it_comes_up_is_one_note() -> None:
    assert notes_of([10, WAIT + 31, 10, WAIT + 31, UP + 10]) == [(0.0, 31, pytest.approx(2 * wait(31)))]


def test_rolls_have_eighths_of_a_second_as_columns_and_end_after_their_last() -> None:
    late = [5, *[WAIT + 31] * 40, 6, UP + 6, UP + 5]
    cells = rolls_of([[0, WAIT + 31, UP + 0, 87], late, []])
    assert cells.shape == (3, 106, 300)
    table = note_table(cells)
    found = np.stack([table.roll, table.start, table.pitch, table.length]).T.tolist()
    step = round(wait(31) * 8)
    assert found == [[0, 0, 21, step], [0, step, 108, 8], [1, 0, 26, 300]]


def test_sequences_stop_when_they_have_their_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="the public model is run where PyTorch is installed")
    random = torch.Generator().manual_seed(1)
    layers = performance_rnn.LAYERS
    shapes = {
        "inithid_fc": (layers * HIDDEN, performance_rnn.SEED_SIZE),
        "concat_input_fc": (HIDDEN, EVENTS + 1 + performance_rnn.CONTROLS),
        "output_fc": (EVENTS, layers * HIDDEN),
    }
    weights = {
        f"{name}.weight": 0.01 * torch.randn(shape, generator=random) for name, shape in shapes.items()
    }
    weights |= {f"{name}.bias": torch.zeros(shape[0]) for name, shape in shapes.items()}
    weights["event_embedding.weight"] = torch.randn((EVENTS, EVENTS), generator=random)
    weights |= {
        f"gru.{name}": value for name, value in torch.nn.GRU(HIDDEN, HIDDEN, layers).state_dict().items()
    }
    monkeypatch.setattr(performance_rnn, "SECONDS", 2.0)
    first, again = (performance_rnn.sample(weights, 3, seed=4) for _ in range(2))
    assert [one.tolist() for one in first] == [one.tolist() for one in again]
    for events in first:
        began = int(np.argmax(events < KEYS))
        shifts = events[began:][events[began:] >= WAIT] - WAIT
        assert 2.0 <= SHIFTS[shifts].sum() < 2.0 + wait(31)


def test_rolls_that_cannot_be_finished_leave_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(performance_rnn, "read_weights", dict)
    monkeypatch.setattr(performance_rnn, "sample", lambda *_: [np.array([0, UP + 0])])
    path = tmp_path / "rolls.npy"
    assert main(["-o", str(path)]) == 0
    before = path.read_bytes()
    assert np.load(path).shape == (1, 106, 300)

    def full(file: object, rolls: object) -> None:
        if isinstance(file, Path):
            file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    assert main(["-o", str(path)]) == 1
    assert path.read_bytes() == before


def test_without_torch_or_weights_the_command_says_what_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["-o", str(tmp_path / "rolls.npy")]) == 1
    assert "needs torch and coopertunes" in capsys.readouterr().err
