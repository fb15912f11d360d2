"""Figures of the study ``hits``: maps of correlations, curves of MMD, and the windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qgen_core.studies import Results
from qgen_core.typing import Floats
from qgen_hep.studies.hits import grid
from qgen_hep.studies.hits.tables import (
    RUNS,
    SAMPLE_LABELS,
    compared_of,
    explained,
    label_of,
    window_of,
)
from qgen_hep.studies.shared.style import BLACK, BLUE, GREEN, GREY, RED, figure, legend_below

COLOURS = {
    grid.TRUTH: GREY,
    grid.IQP: BLUE,
    grid.FROZEN: "#8fb3dc",
    grid.RANDOM: "#3fa7c4",
    grid.NEIGHBOURS: "#8a5fb0",
    grid.ISING: RED,
    grid.ISING_NEIGHBOURS: "#e08a3c",
    grid.RBM: GREEN,
    grid.TREE: BLACK,
}
#: Squared MMD below this is drawn on a linear scale: it is chance.
CHANCE_OF_MMD = 3e-4
#: Explained shares below this are drawn at it.
LEAST_SHARE = -1.0
#: The models whose maps are drawn.
MAPS = (grid.IQP, grid.NEIGHBOURS, grid.ISING, grid.RBM, grid.TREE)
#: What the colours of maps of pairs mean.
PAIRS = "correlation at a given energy"
RUN_COLOURS = {"exact": BLUE, "device": RED, "mitigated": GREEN}


#: Of the maps in a figure: their matrix of one model, and what the colours mean.
Matrix = Callable[[Results, str, str, str], Floats | None]


def _maps(results: Results, sample: str, matrix_of: Matrix, label: str) -> Any:
    """Maps of cells against cells: of held-out events, and of models."""
    made = figure(11.0, 7.4)
    panels = made.subplots(2, 3)
    data = matrix_of(results, sample, grid.TRUTH, "data")
    matrices = {"held-out events": data}
    for model in MAPS:
        matrices[model] = matrix_of(results, sample, model, "model")
    limit = _limit(data)
    shown = None
    for axes, (name, matrix) in zip(panels.ravel(), matrices.items(), strict=True):
        axes.set_title(name, loc="left")
        axes.set(xticks=[], yticks=[])
        if matrix is None:
            axes.text(0.5, 0.5, "missing", transform=axes.transAxes, ha="center")
            continue
        shown = axes.imshow(matrix, cmap="RdBu_r", vmin=-limit, vmax=limit)
    if shown is not None:
        made.colorbar(shown, ax=panels, shrink=0.7, label=label)
    return made


def _limit(matrix: Floats | None) -> float:
    """The end of the scale of colours: beyond it is one of a hundred pairs of the data."""
    if matrix is None:
        return 1.0
    return float(np.quantile(np.abs(matrix), 0.99))


def _pairs_of(results: Results, sample: str, model: str, which: str) -> Floats | None:
    """Correlations (M, M) of seed 1, without the diagonal."""
    found = _map_of_seed_1(results, sample, model)
    if found is None:
        return None
    size = len(found["cells"])
    return _symmetric(size, np.triu_indices(size, k=1), found[which])


def _triples_of(results: Results, sample: str, model: str, which: str) -> Floats | None:
    """Correlations (M, M) of seed 1 with the same third cell; 0 for pairs with this cell."""
    found = _map_of_seed_1(results, sample, model)
    if found is None:
        return None
    size = len(found["cells"])
    third = found["triples"]["third"]
    first, second = np.triu_indices(size, k=1)
    others = (first != third) & (second != third)
    return _symmetric(size, (first[others], second[others]), found["triples"][which])


def _map_of_seed_1(results: Results, sample: str, model: str) -> Any:
    for data in compared_of(results, sample, model):
        if "map" in data:
            return data["map"]
    return None


def _symmetric(size: int, places: tuple[Any, Any], hundredths: Sequence[int]) -> Floats:
    matrix = np.zeros((size, size))
    matrix[places] = np.array(hundredths) / 100
    return matrix + matrix.T


def _curves(results: Results) -> Any:
    """MMD^2 over the number of wires of its words, mean over seeds."""
    made = figure(11.0, 5.0)
    panels = made.subplots(1, len(grid.SAMPLES))
    for axes, (sample, label) in zip(panels, SAMPLE_LABELS.items(), strict=True):
        for model in (grid.TRUTH, *grid.MODELS):
            curves = [data["mmd"] for data in compared_of(results, sample, model)]
            if not curves:
                continue
            style = {"color": COLOURS[model], "marker": "o", "ms": 4}
            axes.plot(grid.WORD_SIZES, np.mean(curves, axis=0), label=label_of(model), **style)
        axes.set_xscale("log", base=2)
        axes.set_yscale("symlog", linthresh=CHANCE_OF_MMD)
        axes.axhline(0.0, color=GREY, lw=0.8)
        axes.set(xlabel="wires of a word on average", ylim=(-CHANCE_OF_MMD, None))
        axes.set_title(label, loc="left")
    panels[0].set_ylabel("squared MMD")
    legend_below(made, panels[0])
    return made


def _explained(results: Results) -> Any:
    """The explained share of correlations of each order, by model and seed."""
    made = figure(11.0, 5.0)
    panels = made.subplots(1, len(grid.SAMPLES), sharey=True)
    kinds = {"pairs": BLUE, "neighbours": "#8a5fb0", "triples": GREEN, "quadruples": RED}
    rows = list(reversed((grid.TRUTH, *grid.MODELS)))
    for axes, (sample, label) in zip(panels, SAMPLE_LABELS.items(), strict=True):
        for place, (kind, colour) in enumerate(kinds.items()):
            points = []
            for height, model in enumerate(rows):
                for data in compared_of(results, sample, model):
                    share = explained(data["numbers"][kind])
                    if share is not None:
                        points.append((max(share, LEAST_SHARE), height + 0.15 * (1.5 - place)))
            if points:
                x, y = np.array(points).T
                axes.plot(x, y, "o", color=colour, ms=4, label=kind)
        axes.axvline(0.0, color=GREY, lw=0.8)
        axes.axvline(1.0, color=GREY, lw=0.8)
        axes.set(
            xlim=(-1.1, 1.2),
            ylim=(-0.6, len(rows) - 0.4),
            xlabel="explained share of squared correlations",
        )
        axes.set_title(label, loc="left")
        axes.set_yticks(range(len(rows)), [label_of(model) for model in rows])
    legend_below(made, panels[-1])  # positrons have fewer kinds
    return made


def _windows(results: Results) -> Any:
    """Covariances of cells in a window: of events, against those of the trained model."""
    made = figure(9.0, 4.6)
    panels = made.subplots(1, len(grid.SAMPLES))
    for axes, (sample, label) in zip(panels, SAMPLE_LABELS.items(), strict=True):
        data = window_of(results, sample, grid.NEIGHBOURS, "device")
        axes.set_title(f"{label}: {grid.NEIGHBOURS}", loc="left")
        axes.set(xlabel="covariance of the model")
        if data is None:
            continue
        exact = np.array(data["exact"]["exact"])
        ends = np.array([exact.min(), exact.max()])
        axes.plot(ends, ends, color=GREY, lw=0.8)
        for name, text in RUNS.items():
            if name in data:
                found = data[name]["covariances"]
                axes.plot(exact, found, "o", ms=3, color=RUN_COLOURS[name], label=text)
    panels[0].set_ylabel("covariance of events")
    legend_below(made, panels[0])
    return made


FIGURES: dict[int, Callable[[Results], Any]] = {
    1: lambda results: _maps(results, "photons", _pairs_of, PAIRS),
    2: lambda results: _maps(results, "positrons", _pairs_of, PAIRS),
    3: _explained,
    4: _curves,
    5: _windows,
    6: lambda results: _maps(results, "photons", _triples_of, "correlation of three cells"),
}
