"""Figures 13 to 15 of document 001 with our results; what has not been run is left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qgen_hep.studies.jets.spectra import panels
from qgen_hep.studies.jets.style import COLOUR
from qgen_hep.studies.jets_noise.book import Book
from qgen_hep.studies.jets_noise.points import CONFIGURATIONS, SHOTS
from qgen_hep.studies.jets_noise.tables import width_of_shots, widths
from qgen_hep.studies.seeds import Value
from qgen_hep.studies.style import BLACK, GREEN, GREY, GUIDE, figure, legend, look, save


def draw(book: Book, folder: Path) -> list[Path]:
    """Draw all of them as PNG into a folder."""
    with look():
        figures = {13: _tuning(book, 2, (1, 2)), 14: _tuning(book, 3, (2,)), 15: _landscapes(book)}
        return [save(made, folder, number) for number, made in figures.items()]


def _tuning(book: Book, features: int, ansatze: Sequence[int]) -> Any:
    """Quartiles of JS by iteration above, marginals before and after below."""
    made = figure(4.6 * features if features > 2 else 9.2, 3.0 * len(ansatze) + 4.8)
    top, bottom = made.subfigures(2, 1, height_ratios=[3.0 * len(ansatze), 4.8])
    for axes, ansatz in zip(
        np.atleast_1d(top.subplots(len(ansatze), sharex=True)), ansatze, strict=True
    ):
        _quartiles(axes, book, features, ansatz)
    grid = bottom.subplots(2, features, sharex="col", height_ratios=[3, 1.2], squeeze=False)
    lines = []
    for number, ansatz in enumerate(ansatze):
        value = book.first(features, ansatz)
        if value is not None:
            before = {
                "color": COLOUR[ansatz],
                "ls": ":",
                "label": f"ansatz {ansatz}, noisy, before",
            }
            after = {
                "color": COLOUR[ansatz],
                "marker": "os"[number],
                "label": f"ansatz {ansatz}, noisy, after",
            }
            lines += [(value["before"]["noisy"], before), (value["after"]["noisy"], after)]
    panels(grid, book.targets.get(features), features, lines, SHOTS)
    bottom.suptitle(
        f"marginals on {book.device(features)} (emulated), bars: {SHOTS} shots", fontsize=11
    )
    legend(grid[0, -1])
    return made


def _quartiles(axes: Any, book: Book, features: int, ansatz: int) -> None:
    device = book.device(features)
    axes.set_ylabel(r"$JS(P\,|\,\tilde{P})$")
    axes.set_xlabel("iteration")
    axes.label_outer()
    axes.set_title(f"{4 * features} qubits, ansatz {ansatz}, {device} (emulated)", loc="left")
    value = book.first(features, ansatz)
    if value is not None:
        for way, colour, dashes, label in (
            ("", COLOUR[ansatz], "-", f"noisy, {SHOTS} shots, all gates move"),
            ("reference_", GUIDE, "--", "the same without noise, exact"),
        ):
            _band(axes, value, way, colour, dashes, label)
        axes.axvline(value["best"] + 1, color=BLACK, lw=0.8, ls=":", label="least loss")
        _other_way(axes, book.first(features, ansatz, "single"))
        target = book.targets.get(features)
        if target is not None:
            level = target["floors"][str(SHOTS)]["js_smoothed"][0]
            axes.axhline(level, color=GREY, lw=1.0, ls="-.", label=f"floor of {SHOTS} shots")
    axes.set_ylim(bottom=0)
    legend(axes, ncols=2, loc="lower right", borderaxespad=1.6)


def _other_way(axes: Any, value: Value | None) -> None:
    """The median where one gate moves at a time."""
    if value is not None:
        median = value["iterations"]["median"]
        number = np.arange(1, len(median) + 1)
        axes.plot(
            number, median, color=GREEN, lw=1.0, label=f"noisy, {SHOTS} shots, one gate moves"
        )


def _band(axes: Any, value: Value, way: str, colour: str, dashes: str, label: str) -> None:
    """The median of each iteration, with bands of the quartiles and of the full range."""
    lines = value["iterations"]
    number = np.arange(1, len(lines["loss"]) + 1)
    axes.plot(number, lines[f"{way}median"], color=colour, ls=dashes, label=label)
    axes.fill_between(
        number, lines[f"{way}q1"], lines[f"{way}q3"], color=colour, alpha=0.35, lw=0, step="mid"
    )
    axes.fill_between(
        number,
        lines[f"{way}least"],
        lines[f"{way}most"],
        color=colour,
        alpha=0.12,
        lw=0,
        step="mid",
    )


def _landscapes(book: Book) -> Any:
    """Three iterations as boxes on the left, the width of every one on the right."""
    made = figure(10.0, 3.2 * len(CONFIGURATIONS))
    grid = made.subplots(len(CONFIGURATIONS), 2, width_ratios=[1, 1.3])
    for (left, right), (features, ansatz) in zip(grid, CONFIGURATIONS, strict=True):
        value = book.first(features, ansatz)
        left.set_title(
            f"{4 * features} qubits, ansatz {ansatz}, {book.device(features)} (emulated)",
            loc="left",
        )
        left.set_ylabel(r"$JS(P\,|\,\tilde{P})$")
        right.set_ylabel("distance of the quartiles")
        right.set_xlabel("iteration")
        if value is not None:
            _boxes(left, value, COLOUR[ansatz])
            right.set_yscale("log")
            number = np.arange(1, len(widths(value)) + 1)
            right.plot(number, widths(value), color=COLOUR[ansatz], label="noisy")
            right.plot(
                number, widths(value, "reference_"), color=GUIDE, ls="--", label="without noise"
            )
            right.axhline(
                width_of_shots(value), color=GREY, lw=1.0, ls="-.", label=f"{SHOTS} shots alone"
            )
        legend(right)
    return made


def _boxes(axes: Any, value: Value, colour: str) -> None:
    """The first, the middle and the last iteration, without noise on the left of each pair."""
    lines = value["iterations"]
    count = len(lines["loss"])
    chosen = sorted({0, count // 2, count - 1})
    for way, shift, edge in (("reference_", -0.2, GUIDE), ("", 0.2, colour)):
        keys = {"whislo": "least", "q1": "q1", "med": "median", "q3": "q3", "whishi": "most"}
        boxes = [
            {key: lines[way + name][number] for key, name in keys.items()} for number in chosen
        ]
        style = {
            name: {"color": edge}
            for name in ("boxprops", "whiskerprops", "capprops", "medianprops")
        }
        places = [place + shift for place in range(len(chosen))]
        axes.bxp(boxes, positions=places, widths=0.3, showfliers=False, manage_ticks=False, **style)
    axes.set_xticks(range(len(chosen)), [f"iteration {number + 1}" for number in chosen])
    axes.set_yscale("log")
