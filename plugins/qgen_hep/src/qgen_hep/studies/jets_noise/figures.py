"""Figures 13 to 15 of document 001 with our results; cells that have not been run are left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qgen_core.studies import Results
from qgen_hep.studies.jets.grid import COLUMNS, NUMBER
from qgen_hep.studies.jets.selection import Data, target_data
from qgen_hep.studies.jets.spectra import Line, draw_marginals
from qgen_hep.studies.jets.style import COLOUR, JS_LABEL
from qgen_hep.studies.jets_noise.grid import CONFIGURATIONS, SHOTS
from qgen_hep.studies.jets_noise.selection import device_of, tunings
from qgen_hep.studies.jets_noise.tables import width_of_shots, widths
from qgen_hep.studies.shared.style import BLACK, GREEN, GREY, GUIDE, figure, legend

#: The statistics of a box, as matplotlib and as a result name them.
BOX = {"whislo": "least", "q1": "q1", "med": "median", "q3": "q3", "whishi": "most"}

#: Height of an axes with a legend above its data, in heights of the data.
ROOM = 1.4


def figure_13(results: Results) -> Any:
    """The tuning with 8 qubits."""
    return _tuning(results, 8, ("brick", "tree"))


def figure_14(results: Results) -> Any:
    """The tuning with 12 qubits."""
    return _tuning(results, 12, ("tree",))


def figure_15(results: Results) -> Any:
    """Landscapes: three iterations as boxes on the left, the width of each on the right."""
    made = figure(10.0, 3.2 * len(CONFIGURATIONS))
    grid = made.subplots(len(CONFIGURATIONS), 2, width_ratios=[1, 1.3])
    for (left, right), (wires, ansatz) in zip(grid, CONFIGURATIONS, strict=True):
        left.set_title(_title(results, wires, ansatz), loc="left")
        left.set_ylabel(JS_LABEL)
        right.set_ylabel("distance of the quartiles")
        right.set_xlabel("iteration")
        data = tunings(results, wires, ansatz).first()
        if data is not None:
            _boxes(left, data, COLOUR[ansatz])
            _widths(right, data, COLOUR[ansatz])
        legend(right)
    return made


FIGURES = {13: figure_13, 14: figure_14, 15: figure_15}


def _title(results: Results, wires: int, ansatz: str) -> str:
    device = device_of(results, wires)
    return f"{wires} qubits, ansatz {NUMBER[ansatz]}, {device} (emulated)"


def _tuning(results: Results, wires: int, ansatze: Sequence[str]) -> Any:
    """Quartiles of JS by iteration above, marginals before and after below."""
    features = len(COLUMNS[wires])
    width = 4.6 * features if features > 2 else 9.2
    heights = [3.0 * len(ansatze), 4.8]
    made = figure(width, 3.0 * len(ansatze) + 4.8)
    top, bottom = made.subfigures(2, 1, height_ratios=heights)
    every = np.atleast_1d(top.subplots(len(ansatze), sharex=True))
    for axes, ansatz in zip(every, ansatze, strict=True):
        _quartiles(axes, results, wires, ansatz)

    lines: list[Line] = []
    for ansatz, marker in zip(ansatze, "os", strict=False):
        data = tunings(results, wires, ansatz).first()
        if data is not None:
            name = f"ansatz {NUMBER[ansatz]}, noisy"
            before = {"color": COLOUR[ansatz], "ls": ":", "label": f"{name}, before"}
            after = {"color": COLOUR[ansatz], "marker": marker, "label": f"{name}, after"}
            lines.append((data["before"]["noisy"], before))
            lines.append((data["after"]["noisy"], after))
    grid = bottom.subplots(2, features, sharex="col", height_ratios=[3, 1.2], squeeze=False)
    draw_marginals(grid, target_data(results, wires), wires, lines, SHOTS)
    device = device_of(results, wires)
    bottom.suptitle(f"marginals on {device} (emulated), bars: {SHOTS} shots", fontsize=11)
    legend(grid[0, -1])
    return made


def _quartiles(axes: Any, results: Results, wires: int, ansatz: str) -> None:
    axes.set_ylabel(JS_LABEL)
    axes.set_xlabel("iteration")
    axes.label_outer()
    axes.set_title(_title(results, wires, ansatz), loc="left")
    data = tunings(results, wires, ansatz).first()
    if data is not None:
        iterations = data["iterations"]
        label = f"noisy, {SHOTS} shots, all gates move"
        _band(axes, iterations, "", color=COLOUR[ansatz], ls="-", label=label)
        label = "the same without noise, exact"
        _band(axes, iterations, "reference_", color=GUIDE, ls="--", label=label)
        axes.axvline(data["best"] + 1, color=BLACK, lw=0.8, ls=":", label="least loss")
        _one_gate_at_a_time(axes, tunings(results, wires, ansatz, "single").first())
        target = target_data(results, wires)
        if target is not None:
            level = target["floors"][str(SHOTS)]["js_smoothed"][0]
            axes.axhline(level, color=GREY, lw=1.0, ls="-.", label=f"floor of {SHOTS} shots")
    _, top = axes.get_ylim()
    axes.set_ylim(0, ROOM * top)
    # A frame without a line covers the vertical line of the least loss behind the texts.
    legend(axes, ncols=2, loc="upper right", frameon=True, framealpha=1.0, edgecolor="none")


def _one_gate_at_a_time(axes: Any, data: Data | None) -> None:
    """The median of the tuning that moves one gate at a time."""
    if data is not None:
        median = data["iterations"]["median"]
        label = f"noisy, {SHOTS} shots, one gate moves"
        axes.plot(np.arange(1, len(median) + 1), median, color=GREEN, lw=1.0, label=label)


def _band(axes: Any, iterations: Data, prefix: str, *, color: str, ls: str, label: str) -> None:
    """The median of each iteration, with bands of the quartiles and of the full range."""
    number = np.arange(1, len(iterations["loss"]) + 1)
    axes.plot(number, iterations[f"{prefix}median"], color=color, ls=ls, label=label)
    for low, high, alpha in (("q1", "q3", 0.35), ("least", "most", 0.12)):
        axes.fill_between(
            number,
            iterations[f"{prefix}{low}"],
            iterations[f"{prefix}{high}"],
            color=color,
            alpha=alpha,
            lw=0,
            step="mid",
        )


def _widths(axes: Any, data: Data, color: str) -> None:
    """The distance of the quartiles of each iteration, and that of shots alone."""
    noisy = widths(data)
    number = np.arange(1, len(noisy) + 1)
    axes.set_yscale("log")
    axes.plot(number, noisy, color=color, label="noisy")
    axes.plot(number, widths(data, "reference_"), color=GUIDE, ls="--", label="without noise")
    level = width_of_shots(data)
    axes.axhline(level, color=GREY, lw=1.0, ls="-.", label=f"{SHOTS} shots alone")


def _boxes(axes: Any, data: Data, color: str) -> None:
    """The first, the middle and the last iteration, without noise on the left of each pair."""
    iterations = data["iterations"]
    count = len(iterations["loss"])
    numbers = sorted({0, count // 2, count - 1})
    parts = ("boxprops", "whiskerprops", "capprops", "medianprops")
    for prefix, shift, edge in (("reference_", -0.2, GUIDE), ("", 0.2, color)):
        boxes = []
        for number in numbers:
            boxes.append({key: iterations[prefix + name][number] for key, name in BOX.items()})
        style = {part: {"color": edge} for part in parts}
        places = [place + shift for place in range(len(numbers))]
        axes.bxp(boxes, positions=places, widths=0.3, showfliers=False, manage_ticks=False, **style)
    axes.set_xticks(range(len(numbers)), [f"iteration {number + 1}" for number in numbers])
    axes.set_yscale("log")
