"""Loss curves and scans: figures 3, 6, 7, 8 and 9 of document 001."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qgen_core.studies import Results
from qgen_hep.studies.jets.grid import FRACTIONS, NUMBER, QUICK_STEPS, SCAN
from qgen_hep.studies.jets.selection import Data, from_shots, how, target_data, trainings
from qgen_hep.studies.jets.style import COLOUR, JS_LABEL, START
from qgen_hep.studies.shared.style import GREY, GUIDE, figure, legend


def figure_3(results: Results) -> Any:
    """Start states, 8 qubits."""
    made = figure(7.0, 4.6)
    axes = made.subplots()
    _steps_axes(axes, f"8 qubits, {how(results, 8192, 8)}")
    for ansatz, colour in COLOUR.items():
        for start, dashes in (("zero", "-"), ("bell", "--")):
            data = from_shots(results, 8192, 8, ansatz, start=start)
            label = f"ansatz {NUMBER[ansatz]}, {START[start]}"
            _curve(axes, data, color=colour, ls=dashes, label=label)
    _independent_line(axes, results, 8)
    _floor_line(axes, results, 8, 8192)
    legend(axes, ncols=2)
    return made


def figure_6(results: Results) -> Any:
    """Numbers of layers, 8 qubits."""
    made = figure(7.0, 7.6)
    trained = how(results, 8192, 8, layers=SCAN["brick"][0])
    for axes, (ansatz, scan) in zip(made.subplots(2, sharex=True), SCAN.items(), strict=True):
        _steps_axes(axes, f"ansatz {NUMBER[ansatz]}, 8 qubits, {trained}")
        for layers, dashes in zip(scan, (":", "-.", "--", "-"), strict=True):
            label = f"{layers} layers" if layers > 1 else "1 layer"
            data = from_shots(results, 8192, 8, ansatz, layers=layers)
            _curve(axes, data, color=COLOUR[ansatz], ls=dashes, label=label)
        _independent_line(axes, results, 8)
        _floor_line(axes, results, 8, 8192)
        legend(axes, ncols=2)
    return made


def figure_7(results: Results) -> Any:
    """Fractions of the events."""
    made = figure(7.0, 4.8)
    axes = made.subplots()
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("fraction of the events trained on")
    axes.set_ylabel("JS of 8192 shots against all events")
    axes.set_title("8 qubits, start zero", loc="left")
    for ansatz, colour in COLOUR.items():
        name = f"ansatz {NUMBER[ansatz]}"
        sampled = _by_fraction(results, ansatz, 8192)
        if len(sampled):
            x, mean, sigma = sampled.T
            axes.plot(x, mean, ls="-", color=colour, marker="o", label=f"{name}, from 8192 shots")
            axes.fill_between(x, mean - sigma, mean + sigma, color=colour, alpha=0.2, lw=0)
        exact = _by_fraction(results, ansatz, None)
        if len(exact):
            x, mean, _ = exact.T
            style = {"color": colour, "marker": "o", "mfc": "white"}
            axes.plot(x, mean, ls="none", label=f"{name}, trained exactly", **style)
    target = target_data(results, 8)
    if target is not None:
        fraction = np.geomspace(FRACTIONS[0], 1.0, 100)
        level = target["floors"]["8192"]["js"][0]
        events = (target["occupied"] - 1) / (8 * target["events"] * fraction)
        axes.axhline(level, color=GUIDE, ls=":", lw=1.1, label="floor of 8192 shots")
        label = "and $(K-1)/8N$ of the N events trained on"
        axes.plot(fraction, level + events, color=GUIDE, ls="--", lw=1.1, label=label)
    legend(axes)
    return made


def _by_fraction(results: Results, ansatz: str, shots: int | None) -> Any:
    """Rows (n, 3) of fraction, JS and its standard deviation over samples, mean over seeds."""
    rows = []
    for fraction in (*FRACTIONS, 1.0):
        data = trainings(results, 8, ansatz, fraction=fraction, shots=shots).values()
        if data:
            pairs = [one["shots"]["8192"]["js"] for one in data]
            rows.append((fraction, *np.mean(pairs, axis=0)))
    return np.array(rows)


def figure_8(results: Results) -> Any:
    """Numbers of shots, 12 qubits."""
    made = figure(7.0, 4.6)
    axes = made.subplots()
    _steps_axes(axes, "12 qubits, start zero")
    triangles = {"ls": "none", "marker": "^", "ms": 4, "markevery": 6}
    styles: dict[int, dict[str, Any]] = {8192: {}, 20000: triangles}
    for ansatz, colour in COLOUR.items():
        name = f"ansatz {NUMBER[ansatz]}"
        for shots, style in styles.items():
            label = f"{name}, {shots} shots"
            _curve(axes, _sampled_12(results, ansatz, shots), color=colour, label=label, **style)
        exact = trainings(results, 12, ansatz).values()
        _curve(axes, exact, color=colour, ls="-.", lw=0.9, label=f"{name}, exact")
    _floor_line(axes, results, 12, 8192)
    _floor_line(axes, results, 12, 20000, ls="--")
    legend(axes, ncols=2, loc="upper right")
    return made


def _sampled_12(results: Results, ansatz: str, shots: int) -> list[Data]:
    """12-qubit trainings from shots; the short ones of the quick setting if there are no others."""
    found = trainings(results, 12, ansatz, shots=shots).values()
    return found or trainings(results, 12, ansatz, shots=shots, steps=QUICK_STEPS).values()


def figure_9(results: Results) -> Any:
    """Start states, 12 qubits."""
    made = figure(7.0, 4.8)
    axes = made.subplots()
    _steps_axes(axes, f"12 qubits, {how(results, 20000, 12)}")
    styles: dict[str, dict[str, Any]] = {
        "zero": {"ls": "-"},
        "bell": {"ls": "none", "marker": "x", "ms": 5, "markevery": (3, 10)},
        "ghz": {"ls": ":"},
        "plus": {"ls": "none", "marker": "*", "ms": 6, "markevery": (8, 10)},
    }
    for ansatz, colour in COLOUR.items():
        for start, style in styles.items():
            data = from_shots(results, 20000, 12, ansatz, start=start)
            label = f"ansatz {NUMBER[ansatz]}, {START[start]}"
            _curve(axes, data, color=colour, label=label, **style)
    _floor_line(axes, results, 12, 20000)
    legend(axes, ncols=2)
    return made


def _curve(axes: Any, data: Sequence[Data], **style: Any) -> None:
    """Mean loss by step over the seeds, and a band from the least to the greatest."""
    if not data:
        return
    shortest = min(len(one["losses"]) for one in data)
    losses = np.array([one["losses"][:shortest] for one in data])
    steps = np.arange(shortest)
    axes.plot(steps, losses.mean(axis=0), **style)
    if len(losses) > 1:
        low = losses.min(axis=0)
        high = losses.max(axis=0)
        axes.fill_between(steps, low, high, color=style["color"], alpha=0.15, lw=0)


def _steps_axes(axes: Any, title: str) -> None:
    """The axes of loss curves."""
    axes.set_yscale("log")
    axes.set_xlim(0, 300)
    axes.set_xlabel("optimiser step")
    axes.set_ylabel(JS_LABEL)
    axes.set_title(title, loc="left")


def _floor_line(axes: Any, results: Results, wires: int, shots: int, ls: str = ":") -> None:
    """The loss of a perfect model: JS of the shots with half a count in every bin."""
    target = target_data(results, wires)
    if target is not None:
        level = target["floors"][str(shots)]["js_smoothed"][0]
        axes.axhline(level, color=GUIDE, ls=ls, lw=1.1, label=f"floor of {shots} shots")


def _independent_line(axes: Any, results: Results, wires: int) -> None:
    """The exact JS of the product of the marginals."""
    target = target_data(results, wires)
    if target is not None:
        level = target["independent"]["js"]
        axes.axhline(level, color=GREY, ls="-.", lw=1.1, label="product of the marginals, exact")
