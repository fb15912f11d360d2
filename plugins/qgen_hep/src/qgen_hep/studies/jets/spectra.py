"""Marginal distributions with ratios: figures 4, 5, 10 and 11 of document 001."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qgen_core.studies import Results
from qgen_core.typing import Floats
from qgen_hep.figures.ratio_panels import RatioPanels
from qgen_hep.studies.jets.grid import COLUMNS, NUMBER
from qgen_hep.studies.jets.selection import Data, from_shots, how, target_data
from qgen_hep.studies.jets.style import COLOUR, LABEL, START
from qgen_hep.studies.shared.style import BLACK, GREY, figure, legend

#: The range of the ratio panels.
RATIO = (0.55, 1.45)
#: The data of a training, and the style of its line. With ``ls`` it is drawn in steps, else as
#: points with error bars.
Line = tuple[Data, dict[str, Any]]


def figure_4(results: Results) -> Any:
    """Both ansatze, 8 qubits."""
    return _both(results, 8, 8192)


def figure_10(results: Results) -> Any:
    """Both ansatze, 12 qubits."""
    return _both(results, 12, 20000)


def figure_5(results: Results) -> Any:
    """Start states, 8 qubits."""
    return _by_start(results, 8, 8192, {"zero": ("-", None), "bell": ("--", BLACK)})


def figure_11(results: Results) -> Any:
    """Start states, 12 qubits."""
    starts = {"zero": ("-", None), "bell": ("--", BLACK), "plus": (":", GREY)}
    return _by_start(results, 12, 20000, starts)


def _both(results: Results, wires: int, shots: int) -> Any:
    lines: list[Line] = []
    for ansatz, marker in zip(COLOUR, "os", strict=True):
        label = f"ansatz {NUMBER[ansatz]}"
        style = {"color": COLOUR[ansatz], "marker": marker, "label": label}
        lines += [(data, style) for data in from_shots(results, shots, wires, ansatz)[:1]]
    features = len(COLUMNS[wires])
    made = figure(4.2 * features, 4.9)
    grid = made.subplots(2, features, sharex="col", height_ratios=[3, 1.2], squeeze=False)
    trained = how(results, shots, wires)
    made.suptitle(f"{wires} qubits, start zero, {trained}; bars: {shots} shots", fontsize=11)
    draw_marginals(grid, target_data(results, wires), wires, lines, shots)
    legend(grid[0, -1])
    return made


def _by_start(
    results: Results, wires: int, shots: int, starts: dict[str, tuple[str, str | None]]
) -> Any:
    features = len(COLUMNS[wires])
    made = figure(4.2 * features, 8.6)
    heights = [3, 1.2, 3, 1.2]
    grid = made.subplots(4, features, sharex="col", height_ratios=heights, squeeze=False)
    made.suptitle(f"{wires} qubits, {how(results, shots, wires)}", fontsize=11)
    for top, (ansatz, colour) in zip((0, 2), COLOUR.items(), strict=True):
        lines: list[Line] = []
        for start, (dashes, other) in starts.items():
            label = f"ansatz {NUMBER[ansatz]}, {START[start]}"
            style = {"color": other or colour, "ls": dashes, "label": label}
            found = from_shots(results, shots, wires, ansatz, start=start)
            lines += [(data, style) for data in found[:1]]
        draw_marginals(grid[top : top + 2], target_data(results, wires), wires, lines, shots)
        legend(grid[top, -1])
    return made


def draw_marginals(
    grid: Any, target: Data | None, wires: int, lines: Sequence[Line], shots: int
) -> None:
    """Marginals in the first row of axes, the ratios of the target to them in the second.

    A column of axes shows a feature. Nothing is drawn without a target. Error bars are those of
    so many shots.
    """
    if target is None:
        return
    for column, name in enumerate(COLUMNS[wires]):
        edges = np.array(target["edges"][column])
        expected = np.array(target["marginals"][column])
        top, bottom = grid[:2, column]
        panels = RatioPanels(top, bottom, edges, RATIO, inset=0.05, triangle=5)
        panels.fill_reference(expected, "target")
        for data, style in lines:
            model = np.array(data["exact"]["marginals"][column])
            if "ls" in style:
                _steps(panels, expected, model, style)
            else:
                _points(panels, expected, model, shots, style)
        panels.guides({0.9: "--", 1.1: "--"}, lw=0.8)
        panels.bottom.set_xlabel(LABEL[name])
        panels.top.set_ylim(bottom=0)
    grid[0, 0].set_ylabel("probability of a bin")
    grid[1, 0].set_ylabel(r"$P / \tilde{P}$")


def _steps(panels: RatioPanels, expected: Floats, model: Floats, style: dict[str, Any]) -> None:
    panels.top.stairs(model, panels.edges, baseline=None, lw=1.5, **style)
    panels.bottom.stairs(expected / model, panels.edges, baseline=None, lw=1.5, **style)


def _points(
    panels: RatioPanels, expected: Floats, model: Floats, shots: int, style: dict[str, Any]
) -> None:
    bars = {"ms": 3.5, "elinewidth": 1.0}
    error = np.sqrt(model * (1 - model) / shots)
    panels.top.errorbar(panels.centres, model, yerr=error, ls="none", **bars, **style)
    ratio = expected / model
    ratio_error = ratio * np.sqrt((1 - model) / (model * shots))
    panels.ratio_points(ratio, ratio_error, **bars, **style)
