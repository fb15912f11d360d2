"""Figures of a scan: each metric over the values of each axis."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qgen_hep.figures.labels import escaped
from qgen_hep.figures.overlay import COLOURS
from qgen_hep.figures.style import DPI, GENERATED, figure, page_style

#: Further metrics are in the table only.
MOST_PANELS = 6
IN_ROW = 3
#: Values of an axis that span more than this factor are drawn on a logarithmic scale.
WIDE = 20.0

Point = Mapping[str, Any]


def scan_figures(material: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw one file for each axis that has results: a panel for each metric.

    Points that differ in this axis only are joined by a line, with the other values in the legend,
    if the lines are few. Bars are standard deviations over seeds.
    """
    metrics = material["metrics"][:MOST_PANELS]
    done = [point for point in material["points"] if point["summaries"]]
    paths = []
    for axis in material["axes"]:
        if not done:
            break
        path = folder / f"{re.sub(r'[^A-Za-z0-9]+', '-', axis)}.png"
        with page_style():
            columns = min(len(metrics), IN_ROW)
            rows = -(-len(metrics) // IN_ROW)
            drawn = figure(4.6 * columns, 3.6 * rows)
            panels = drawn.subplots(rows, columns, squeeze=False).ravel()
            for panel, metric in zip(panels, metrics, strict=False):
                _draw(panel, axis, metric, done)
            for panel in panels[len(metrics) :]:
                panel.remove()
            drawn.savefig(path, dpi=DPI, metadata={"Software": None})
        paths.append(path)
    return paths


def _draw(panel: Any, axis: str, metric: str, points: Sequence[Point]) -> None:
    values = list(dict.fromkeys(point["values"][axis] for point in points))
    are_numbers = all(isinstance(value, int | float) for value in values)
    lines = _lines(axis, metric, points)
    is_joined = are_numbers and len(lines) <= len(COLOURS)
    for number, (name, line) in enumerate(lines.items()):
        places = np.zeros(len(line))
        means = np.zeros(len(line))
        deviations = np.zeros(len(line))
        for each, point in enumerate(line):
            place = point["values"][axis]
            if not are_numbers:
                place = values.index(place)
            places[each] = place
            means[each] = point["summaries"][metric]["mean"]
            deviations[each] = np.nan_to_num(point["summaries"][metric]["deviation"])
        order = np.argsort(places, kind="stable")
        options: dict[str, Any] = {"color": GENERATED, "linestyle": "none"}
        if len(lines) <= len(COLOURS):
            options["color"] = COLOURS[number]
            options["label"] = escaped(name)
        if is_joined:
            options["linestyle"] = "-"
        panel.errorbar(
            places[order],
            means[order],
            deviations[order],
            marker="o",
            markersize=4,
            **options,
        )
    if are_numbers and min(values) > 0 and max(values) > WIDE * min(values):
        panel.set_xscale("log")
    if not are_numbers:
        panel.set_xticks(range(len(values)), [escaped(str(value)) for value in values])
        panel.tick_params(axis="x", rotation=20)
    panel.set_xlabel(escaped(axis))
    panel.set_ylabel(escaped(metric))
    if 1 < len(lines) <= len(COLOURS):
        panel.legend()


def _lines(axis: str, metric: str, points: Sequence[Point]) -> dict[str, list[Point]]:
    """The points that have the metric, by their values on the other axes."""
    found: dict[str, list[Point]] = {}
    for point in points:
        if metric not in point["summaries"]:
            continue
        others = []
        for key, value in point["values"].items():
            if key != axis:
                others.append(f"{key.rpartition('.')[2]} = {_shown(value)}")
        found.setdefault(", ".join(others), []).append(point)
    return found


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)
