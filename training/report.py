"""The evaluation's report as text: tables of the rows, of their medians, and of one model's features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

CEILING: Final = "real music (ceiling)"
MARKOV: Final = "Markov chain"
FLOOR: Final = "random notes (floor)"

_COLUMNS: Final = {
    "overlapped area": ("overlapped_area", "{:.3f}"),
    "AUC": ("auc", "{:.3f}"),
    "roll AUC": ("roll_auc", "{:.3f}"),
    "density": ("density", "{:.2f}"),
    "coverage": ("coverage", "{:.3f}"),
    "copied": ("copied", "{:.2%}"),
    "longest copy": ("longest_copy_median", "{:.0f}"),
    "at most": ("longest_copy", "{:.0f}"),
    "nearest": ("nearest_median", "{:.2f}"),
    "at most ": ("nearest", "{:.2f}"),
}

FORM: Final = ("scale consistency", "bar recurrence", "groove consistency", "structure", "polyphony", "notes")
"""Features whose medians every row is held to."""
SLACK: Final = 0.1
"""Share of the real median within which a median counts as met."""


def text(report: Mapping[str, Any], model: str) -> str:
    """The report of :func:`training.evaluate.evaluate` as three aligned tables.

    ``model``: the row that the last table shows, feature by feature.
    """
    protocol = report["protocol"]
    title = (
        f"{protocol['generated']} rolls against {protocol['windows']} windows of split {protocol['split']!r},"
        f" {protocol['seeds']} seeds, protocol {protocol['version']};"
        " mean ± standard deviation over the seeds"
    )
    if elsewhere := protocol.get("also_learnt_from"):
        names, count = ", ".join(map(str, elsewhere)), protocol["test_pieces_left_out"]
        title += f"\nalso learnt from {names}: {count} pieces of the split left out"
    note = (
        "AUC: how well forests tell the rows' features from real ones; roll AUC: how well networks tell the"
        f" rolls.\ncopied: share of {protocol['ngram_notes']}-note n-grams found in the training pieces."
        " longest copy: its notes, median of the rolls.\nnearest: cosine with the nearest training window in"
        " any key, median of the rolls. In the ceiling's row all these are of the held-out windows."
    )
    form = (
        f"Medians, and in brackets their ratio to the real one; * is more than {SLACK:.0%} off. notes: of a"
        " whole roll, so that the ratio is that of notes a bar."
    )
    tables = [_form(report["features"], list(report["rows"])), form, _features(report["features"], model)]
    return "\n\n".join([title, _rows(report["rows"]), note, *tables])


def _rows(rows: Mapping[str, Any]) -> str:
    lines = [["", *_COLUMNS]]
    for name, row in rows.items():
        cells = [
            style.format(row[key]["mean"])
            + (f" ± {style.format(row[key]['sd'])}" if key == "overlapped_area" else "")
            for key, style in _COLUMNS.values()
        ]
        lines.append([name, *cells])
    return aligned(lines)


def _form(features: Mapping[str, Any], rows: Sequence[str]) -> str:
    """Medians of :data:`FORM`: a line for the real windows and one for each row."""
    real = [_number(features[one]["real_median"]) for one in FORM]
    lines = [["", *FORM], ["real music (test windows)", *real]]
    return aligned([*lines, *([row, *(_held_to(features[one], row) for one in FORM)] for row in rows)])


def _held_to(feature: Mapping[str, Any], row: str) -> str:
    """A row's median of a feature, its ratio to the real one, and whether that is out of the slack."""
    real, own = feature["real_median"], feature["rows"][row]["median"]
    if not real:
        return f"{_number(own)} (-) "
    return f"{_number(own)} ({own / real:.2f}){' ' if abs(own / real - 1.0) <= SLACK else '*'}"


def _number(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def _features(features: Mapping[str, Any], model: str) -> str:
    lines = [["feature", "real median", model, "ratio", "overlapped area", "ceiling"]]
    for name, one in features.items():
        real, own = one["real_median"], one["rows"][model]
        ratio = f"{own['median'] / real:.2f}" if real else "-"
        areas = [f"{one['rows'][row]['overlapped_area']:.3f}" for row in (model, CEILING)]
        lines.append([name, f"{real:.3f}", f"{own['median']:.3f}", ratio, *areas])
    return aligned(lines)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of equally many cells as a table: the first column to the left, the others to the right."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rows = []
    for first, *rest in lines:
        numbers = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        rows.append("  ".join([first.ljust(widths[0]), *numbers]))
    return "\n".join(rows)
