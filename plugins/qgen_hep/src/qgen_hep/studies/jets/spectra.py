"""Marginal distributions with ratios: figures 4, 5, 10 and 11 of document 001."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qgen_core.typing import Floats
from qgen_hep.studies.jets.book import START, Book
from qgen_hep.studies.jets.points import COLUMNS
from qgen_hep.studies.jets.style import COLOUR, LABEL, from_shots, how
from qgen_hep.studies.seeds import Value
from qgen_hep.studies.style import BLACK, GREY, GUIDE, figure, legend

#: What the ratio panels show; a triangle at the edge stands for a ratio beyond.
RATIO = (0.55, 1.45)
Line = tuple[Value, dict[str, Any]]


def figure_4(book: Book) -> Any:
    """Both ansatze, 8 qubits."""
    return _both(book, 2, 8192)


def figure_10(book: Book) -> Any:
    """Both ansatze, 12 qubits."""
    return _both(book, 3, 20000)


def figure_5(book: Book) -> Any:
    """Start states, 8 qubits."""
    return _by_start(book, 2, 8192, {"zero": ("-", None), "bell": ("--", BLACK)})


def figure_11(book: Book) -> Any:
    """Start states, 12 qubits."""
    return _by_start(
        book, 3, 20000, {"zero": ("-", None), "bell": ("--", BLACK), "plus": (":", GREY)}
    )


def _both(book: Book, features: int, shots: int) -> Any:
    lines = []
    for number, (ansatz, colour) in enumerate(COLOUR.items()):
        style = {"color": colour, "marker": "os"[number], "label": f"ansatz {ansatz}"}
        lines += [(value, style) for value in from_shots(book, shots, features, ansatz)[:1]]
    made = figure(4.2 * features, 4.9)
    grid = made.subplots(2, features, sharex="col", height_ratios=[3, 1.2], squeeze=False)
    made.suptitle(
        f"{4 * features} qubits, start zero, {how(book, shots, features)}; bars: {shots} shots",
        fontsize=11,
    )
    panels(grid, book.targets.get(features), features, lines, shots)
    legend(grid[0, -1])
    return made


def _by_start(
    book: Book, features: int, shots: int, starts: dict[str, tuple[str, str | None]]
) -> Any:
    made = figure(4.2 * features, 8.6)
    heights = [3, 1.2, 3, 1.2]
    grid = made.subplots(4, features, sharex="col", height_ratios=heights, squeeze=False)
    made.suptitle(f"{4 * features} qubits, {how(book, shots, features)}", fontsize=11)
    for top, (ansatz, colour) in zip((0, 2), COLOUR.items(), strict=True):
        lines = []
        for start, (dashes, other) in starts.items():
            style = {
                "color": other or colour,
                "ls": dashes,
                "label": f"ansatz {ansatz}, {START[start]}",
            }
            lines += [
                (value, style) for value in from_shots(book, shots, features, ansatz, start)[:1]
            ]
        panels(grid[top : top + 2], book.targets.get(features), features, lines, shots)
        legend(grid[top, -1])
    return made


def panels(
    grid: Any, target: Value | None, features: int, lines: Sequence[Line], shots: int
) -> None:
    """Spectra above, the ratio of the target to them below, feature by feature.

    Nothing without a target.
    """
    if target is None:
        return
    for column, name in enumerate(COLUMNS[features]):
        edges, truth = np.array(target["edges"][column]), np.array(target["marginals"][column])
        top, bottom = grid[0, column], grid[1, column]
        bottom.set(ylim=RATIO, xlim=(edges[0], edges[-1]))
        top.stairs(truth, edges, fill=True, color=GREY, alpha=0.35, label="target")
        for value, style in lines:
            model = np.array(value["exact"]["marginals"][column])
            _draw(top, edges, model, np.sqrt(model * (1 - model) / shots), style)
            ratio = truth / model
            _draw(
                bottom,
                edges,
                ratio,
                ratio * np.sqrt((1 - model) / (model * shots)),
                style,
                within=RATIO,
            )
        for level in (0.9, 1.1):
            bottom.axhline(level, color=GUIDE, ls="--", lw=0.8)
        bottom.set_xlabel(LABEL[name])
        top.set_ylim(bottom=0)
    grid[0, 0].set_ylabel("probability of a bin")
    grid[1, 0].set_ylabel(r"$P / \tilde{P}$")


def _draw(
    axes: Any,
    edges: Floats,
    height: Floats,
    error: Floats,
    style: dict[str, Any],
    within: tuple[float, float] = (-np.inf, np.inf),
) -> None:
    """A histogram as points with bars, triangles for those beyond the panel.

    Or as steps where the style has dashes.
    """
    if "ls" in style:
        axes.stairs(height, edges, baseline=None, lw=1.5, **style)
        return
    centres = (edges[1:] + edges[:-1]) / 2
    low, high = within
    inside = (height > low) & (height < high)
    bars = {"ls": "none", "ms": 3.5, "elinewidth": 1.0}
    axes.errorbar(centres[inside], height[inside], yerr=error[inside], **bars, **style)
    for beyond, level, marker in (
        (height >= high, high - 0.05, "^"),
        (height <= low, low + 0.05, "v"),
    ):
        axes.plot(
            centres[beyond],
            np.full(beyond.sum(), level),
            ls="none",
            ms=5,
            marker=marker,
            color=style["color"],
        )
