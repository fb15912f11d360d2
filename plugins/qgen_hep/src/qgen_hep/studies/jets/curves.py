"""Loss curves and scans: figures 3, 6, 7, 8 and 9 of document 001."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_hep.studies.jets.book import START, Book
from qgen_hep.studies.jets.points import FRACTIONS, SCAN
from qgen_hep.studies.jets.style import (
    COLOUR,
    curve,
    floor_line,
    from_shots,
    how,
    independent_line,
    steps_axes,
)
from qgen_hep.studies.seeds import Value
from qgen_hep.studies.style import GUIDE, figure, legend


def figure_3(book: Book) -> Any:
    """Start states, 8 qubits."""
    made = figure(7.0, 4.6)
    axes = made.subplots()
    steps_axes(axes, f"8 qubits, {how(book, 8192, 2)}")
    for ansatz, colour in COLOUR.items():
        for start, dashes in (("zero", "-"), ("bell", "--")):
            values = from_shots(book, 8192, 2, ansatz, start)
            curve(axes, values, color=colour, ls=dashes, label=f"ansatz {ansatz}, {START[start]}")
    independent_line(axes, book, 2)
    floor_line(axes, book, 2, 8192)
    legend(axes, ncols=2)
    return made


def figure_6(book: Book) -> Any:
    """Numbers of layers, 8 qubits."""
    made = figure(7.0, 7.6)
    way = how(book, 8192, 2, layers=SCAN[1][0])
    for axes, (ansatz, scan) in zip(made.subplots(2, sharex=True), SCAN.items(), strict=True):
        steps_axes(axes, f"ansatz {ansatz}, 8 qubits, {way}")
        for number, layers in enumerate(scan):
            style = {
                "color": COLOUR[ansatz],
                "ls": (":", "-.", "--", "-")[number],
                "label": f"{layers} layer{'s' if layers > 1 else ''}",
            }
            curve(axes, from_shots(book, 8192, 2, ansatz, layers=layers), **style)
        independent_line(axes, book, 2)
        floor_line(axes, book, 2, 8192)
        legend(axes, ncols=2)
    return made


def figure_7(book: Book) -> Any:
    """Fractions of the events."""
    made = figure(7.0, 4.8)
    axes = made.subplots()
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("fraction of the events trained on")
    axes.set_ylabel("JS of 8192 shots against all events")
    axes.set_title("8 qubits, start zero", loc="left")
    for ansatz, colour in COLOUR.items():
        _fraction_points(
            axes,
            book,
            ansatz,
            8192,
            color=colour,
            marker="o",
            label=f"ansatz {ansatz}, from 8192 shots",
        )
        style = {
            "color": colour,
            "marker": "o",
            "mfc": "white",
            "label": f"ansatz {ansatz}, trained exactly",
        }
        _fraction_points(axes, book, ansatz, None, **style)
    target = book.targets.get(2)
    if target is not None:
        fraction = np.geomspace(FRACTIONS[0], 1.0, 100)
        level = target["floors"]["8192"]["js"][0]
        events = (target["occupied"] - 1) / (8 * target["events"] * fraction)
        axes.axhline(level, color=GUIDE, ls=":", lw=1.1, label="floor of 8192 shots")
        axes.plot(
            fraction,
            level + events,
            color=GUIDE,
            ls="--",
            lw=1.1,
            label="and $(K-1)/8N$ of the N events trained on",
        )
    legend(axes)
    return made


def _fraction_points(axes: Any, book: Book, ansatz: int, shots: int | None, **style: Any) -> None:
    """Mean over seeds of JS by fraction, with a band of one standard deviation of the samples."""
    rows = []
    for fraction in (*FRACTIONS, 1.0):
        values: list[Value] = book.whole(2, ansatz, fraction=fraction, shots=shots)
        if values:
            rows.append(
                (fraction, *np.mean([value["shots"]["8192"]["js"] for value in values], axis=0))
            )
    if not rows:
        return
    x, mean, sigma = np.array(rows).T
    axes.plot(x, mean, ls="-" if shots else "none", **style)
    if shots:
        axes.fill_between(x, mean - sigma, mean + sigma, color=style["color"], alpha=0.2, lw=0)


def figure_8(book: Book) -> Any:
    """Numbers of shots, 12 qubits."""
    made = figure(7.0, 4.6)
    axes = made.subplots()
    steps_axes(axes, "12 qubits, start zero")
    for ansatz, colour in COLOUR.items():
        for shots, marks in (
            (8192, {}),
            (20000, {"ls": "none", "marker": "^", "ms": 4, "markevery": 6}),
        ):
            values = book.whole(3, ansatz, shots=shots) or book.whole(
                3, ansatz, shots=shots, steps=40
            )
            curve(axes, values, color=colour, label=f"ansatz {ansatz}, {shots} shots", **marks)
        exact = {"color": colour, "ls": "-.", "lw": 0.9, "label": f"ansatz {ansatz}, exact"}
        curve(axes, book.whole(3, ansatz), **exact)
    floor_line(axes, book, 3, 8192)
    floor_line(axes, book, 3, 20000, ls="--")
    legend(axes, ncols=2, loc="upper right")
    return made


def figure_9(book: Book) -> Any:
    """Start states, 12 qubits."""
    made = figure(7.0, 4.8)
    axes = made.subplots()
    steps_axes(axes, f"12 qubits, {how(book, 20000, 3)}")
    marks: dict[str, dict[str, Any]] = {
        "zero": {"ls": "-"},
        "bell": {"ls": "none", "marker": "x", "ms": 5, "markevery": (3, 10)},
        "ghz": {"ls": ":"},
        "plus": {"ls": "none", "marker": "*", "ms": 6, "markevery": (8, 10)},
    }
    for ansatz, colour in COLOUR.items():
        for start, style in marks.items():
            values = from_shots(book, 20000, 3, ansatz, start)
            curve(axes, values, color=colour, label=f"ansatz {ansatz}, {START[start]}", **style)
    floor_line(axes, book, 3, 20000)
    legend(axes, ncols=2)
    return made
