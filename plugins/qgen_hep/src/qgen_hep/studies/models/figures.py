"""The figure of the study ``models``: quality against cost."""

from __future__ import annotations

from typing import Any

from qgen_core.studies import Results
from qgen_hep.studies.models import grid
from qgen_hep.studies.models.selection import TASK_LABELS, Benchmark, label_of
from qgen_hep.studies.shared.style import BLACK, BLUE, GREEN, GREY, RED, figure

#: What quality is judged by, row by row: a task, and a number.
ROWS = (
    ("energies", "S2(E_layer)"),
    ("energies", "correlation loss"),
    ("showers", "S2(E_layer)"),
)
COSTS = {
    "parameters": "parameters",
    "training": "training [processor s]",
    "generating": "generating [ms a shower]",
}
#: A colour for each model; twins and frozen models have that of their quantum model.
COLOURS = {
    "qcbm": RED,
    "reversible": "#d98cb3",
    "qag": BLUE,
    "style-qgan": GREEN,
    "hybrid-vae": "#8a5fb0",
    "qinn": "#e08a3c",
    "rbm-vae": "#3fa7c4",
    "inn": "#7a4b1f",
    "cfm": "#c44f9c",
    "dit": "#6b8e23",
    "wgan": "#5a5f66",
    "gaussian": BLACK,
}
MARKERS = {"quantum": "o", "twin": "s", "frozen": "x", "classical": "^", "control": "*"}
#: Markers without a face.
HOLLOW = ("twin",)
SIZE = 8.0
#: The band of a floor begins above this fraction of it, 1 / LEAST: the axis is logarithmic.
LEAST = 3.0


def figure_1(results: Results) -> Any:
    """The separation power and the correlation loss against parameters and times."""
    made = figure(13.0, 13.0)
    panels = made.subplots(3, 3, sharey="row")
    for row, (task, number) in zip(panels, ROWS, strict=True):
        found = Benchmark.of(results, task)
        for axes, (cost, text) in zip(row, COSTS.items(), strict=True):
            _floors(axes, found, number)
            for model in grid.OF_TASK[task]:
                _point(axes, found, number, model, cost)
            axes.set(xscale="log", yscale="log", xlabel=text)
        row[0].set_ylabel(f"{number}, {TASK_LABELS[task]}")
    # A model without parameters is not in the first panel.
    handles, labels = panels[0, 1].get_legend_handles_labels()
    if handles:
        made.legend(handles, labels, loc="outside lower center", ncols=6)
    return made


def _floors(axes: Any, found: Benchmark, number: str) -> None:
    """The floor of true events as a band, and what true events in bits have as a line."""
    truth = found.measured(number, grid.TRUTH)
    if truth is not None:
        low = max(truth.floor - truth.floor_spread, truth.floor / LEAST)
        high = truth.floor + truth.floor_spread
        axes.axhspan(low, high, color=GREY, alpha=0.4, lw=0, label="floor")
    bits = found.measured(number, grid.IN_BITS)
    if bits is not None:
        axes.axhline(bits.value, color=GREY, ls="--", label="true events, in bits")


def _point(axes: Any, found: Benchmark, number: str, model: str, cost: str) -> None:
    """A model, if it has been run."""
    measured = found.measured(number, model)
    paid = found.cost(cost, model)
    if measured is None or not paid:
        return
    described = grid.MODELS[model]
    colour = COLOURS[described.of or model]
    face = colour
    if described.kind in HOLLOW:
        face = "none"
    axes.errorbar(
        [paid],
        [measured.value],
        yerr=[measured.uncertainty],
        fmt=MARKERS[described.kind],
        color=colour,
        markerfacecolor=face,
        markersize=SIZE,
        label=label_of(model),
    )


FIGURES = {1: figure_1}
