"""Figures of several runs overlaid: their losses, and their marginals with one reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qgen_core.runs.report import Section
from qgen_hep.figures.density import density, ratio
from qgen_hep.figures.labels import axis_label, escaped
from qgen_hep.figures.ratio_panels import RatioPanels
from qgen_hep.figures.scales import scale_of
from qgen_hep.figures.style import REFERENCE, framed_figure, image, note, page_style, side_by_side

#: One colour for each run; further runs appear only in the tables.
COLOURS = ("#1f5fa8", "#c2452d", "#3b8a4e", "#8257a6", "#b8860b", "#2a9aa8")
RATIO = (0.5, 1.5)


def overlays(runs: Sequence[Mapping[str, Any]], *, latex: bool = False) -> list[Section]:
    """Loss curves and marginals of evaluated runs; ``runs`` are report materials.

    >>> overlays([])
    []
    """
    if not runs:
        return []
    shown = runs[: len(COLOURS)]
    bodies = []
    with page_style():
        sections = [Section("Training", _losses(shown), 50)]
        for column in _common_columns(shown):
            body = _marginal(shown, column, latex)
            if body is not None:
                bodies.append(body)
    if bodies:
        text = (
            "Ratios to the reference of the first run; its band is the statistical error "
            "of that reference."
        )
        sections.append(Section("Marginal distributions", side_by_side(bodies) + note(text), 30))
    return sections


def _losses(runs: Sequence[Mapping[str, Any]]) -> str:
    drawn = framed_figure(6.3, 3.1)
    axes = drawn.subplots()
    least = np.inf
    for run, colour in zip(runs, COLOURS, strict=False):
        steps = [record["step"] for record in run["history"]]
        losses = [record["loss"] for record in run["history"]]
        axes.plot(steps, losses, color=colour, label=escaped(run["name"]))
        least = min([least, *losses])
    if least > 0:
        axes.set_yscale("log")
    axes.set_xlabel("Step")
    axes.set_ylabel("Loss")
    axes.legend(loc="upper right")
    return image(drawn, "Loss over the steps of " + ", ".join(run["name"] for run in runs))


def _marginals_of(run: Mapping[str, Any]) -> dict[str, Any]:
    """The marginals of a run by column."""
    return {marginal["column"]: marginal for marginal in run["evaluation"]["marginals"]}


def _common_columns(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Columns that all runs have in the same bins."""
    first, *others = [_marginals_of(run) for run in runs]
    common = []
    for column, marginal in first.items():
        found = [other[column]["edges"] for other in others if column in other]
        if found == [marginal["edges"]] * len(others):
            common.append(column)
    return common


def _marginal(runs: Sequence[Mapping[str, Any]], column: str, latex: bool) -> str | None:
    """HTML of one marginal of all runs; None if a histogram is empty."""
    marginals = [_marginals_of(run)[column] for run in runs]
    for marginal in marginals:
        if sum(marginal["reference"]) <= 0 or sum(marginal["generated"]) <= 0:
            return None
    first = marginals[0]
    drawn = framed_figure(3.8, 4.0)
    upper, lower = drawn.subplots(2, sharex=True, height_ratios=[3, 1.1])
    edges = np.asarray(first["edges"], dtype=np.float64)
    panels = RatioPanels(upper, lower, edges, RATIO, inset=0.06, triangle=5)
    expected, _ = density(first["reference"], first["reference_error"], first["edges"])
    panels.fill_reference(expected, "Reference")
    _, _, band = ratio(first)
    width = np.nan_to_num(band)
    area = {"fill": True, "color": REFERENCE, "alpha": 0.45}
    lower.stairs(1 + width, edges, baseline=1 - width, **area)
    for marginal, run, colour in zip(marginals, runs, COLOURS, strict=False):
        found, _ = density(marginal["generated"], marginal["generated_error"], marginal["edges"])
        upper.stairs(found, edges, color=colour, lw=1.6, label=escaped(run["name"]))
        relative, _, _ = ratio(marginal)
        lower.stairs(np.nan_to_num(relative, nan=1.0), edges, baseline=None, color=colour, lw=1.4)
    panels.guides(lw=1.0, zorder=0)
    lower.set_ylabel("Ratio", loc="center", fontsize=11)
    lower.set_xlabel(axis_label(column, first["unit"], runs[0]["recipe"], latex=latex))
    lower.set_xscale(**scale_of(edges, first["reference"]))
    upper.set_ylim(bottom=0)
    upper.set_ylabel("Density")
    upper.legend(loc="upper right")
    return image(drawn, f"Density of {column} in the runs and the reference")
