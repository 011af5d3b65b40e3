"""The evaluation's report as text: a table of the rows and a table of one model's features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

CEILING: Final = "real music (ceiling)"
MARKOV: Final = "Markov chain"
FLOOR: Final = "random notes (floor)"

_COLUMNS: Final = {
    "overlapped area": ("overlapped_area", "{:.3f}"),
    "AUC": ("auc", "{:.3f}"),
    "density": ("density", "{:.2f}"),
    "coverage": ("coverage", "{:.3f}"),
    "copied": ("copied", "{:.2%}"),
    "longest copy": ("longest_copy_median", "{:.0f}"),
    "at most": ("longest_copy", "{:.0f}"),
    "nearest": ("nearest_median", "{:.2f}"),
    "at most ": ("nearest", "{:.2f}"),
}


def text(report: Mapping[str, Any], model: str) -> str:
    """The report of :func:`training.evaluate.evaluate` as two aligned tables.

    ``model``: the row that the second table shows, feature by feature.
    """
    protocol = report["protocol"]
    title = (
        f"{protocol['generated']} rolls against {protocol['windows']} windows of split {protocol['split']!r},"
        f" {protocol['seeds']} seeds, protocol {protocol['version']};"
        " mean ± standard deviation over the seeds"
    )
    note = (
        f"copied: share of {protocol['ngram_notes']}-note n-grams found in the training pieces. longest copy:"
        " its notes, median of the rolls.\nnearest: cosine with the nearest training window in any key,"
        " median of the rolls. In the ceiling's row all these are of the held-out windows."
    )
    return "\n\n".join([title, _rows(report["rows"]), note, _features(report["features"], model)])


def _rows(rows: Mapping[str, Any]) -> str:
    lines = [["", *_COLUMNS]]
    for name, row in rows.items():
        cells = [
            style.format(row[key]["mean"])
            + (f" ± {style.format(row[key]['sd'])}" if key == "overlapped_area" else "")
            for key, style in _COLUMNS.values()
        ]
        lines.append([name, *cells])
    return _aligned(lines)


def _features(features: Mapping[str, Any], model: str) -> str:
    lines = [["feature", "real median", model, "ratio", "overlapped area", "ceiling"]]
    for name, one in features.items():
        real, own = one["real_median"], one["rows"][model]
        ratio = f"{own['median'] / real:.2f}" if real else "-"
        areas = [f"{one['rows'][row]['overlapped_area']:.3f}" for row in (model, CEILING)]
        lines.append([name, f"{real:.3f}", f"{own['median']:.3f}", ratio, *areas])
    return _aligned(lines)


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rows = []
    for first, *rest in lines:
        numbers = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        rows.append("  ".join([first.ljust(widths[0]), *numbers]))
    return "\n".join(rows)
