"""Figures of several runs overlaid: their losses, and their marginals with one reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qgen_core.runs.report import Section
from qgen_hep.figures.density import density, ratio
from qgen_hep.figures.labels import axis_label, plain
from qgen_hep.figures.style import GUIDE, REFERENCE, figure, image, note, page_style, side_by_side

#: One colour for each run; further runs appear only in the tables.
COLOURS = ("#1f5fa8", "#c2452d", "#3b8a4e", "#8257a6", "#b8860b", "#2a9aa8")


def overlays(runs: Sequence[Mapping[str, Any]]) -> list[Section]:
    """Loss curves and marginals of evaluated runs; ``runs`` are report materials."""
    drawn = runs[: len(COLOURS)]
    with page_style():
        sections = [Section("Training", _losses(drawn), 50)]
        figures = [_marginal(drawn, column) for column in _common(drawn)]
    bodies = [body for body in figures if body]
    if bodies:
        text = (
            "Ratios to the reference of the first run; its band is the statistical error "
            "of that reference."
        )
        sections.append(Section("Marginal distributions", side_by_side(bodies) + note(text), 30))
    return sections


def _losses(runs: Sequence[Mapping[str, Any]]) -> str:
    drawn = figure(7.2, 3.8)
    axes = drawn.subplots()
    for run, colour in zip(runs, COLOURS, strict=False):
        steps = [record["step"] for record in run["history"]]
        axes.plot(
            steps,
            [record["loss"] for record in run["history"]],
            color=colour,
            label=plain(run["name"]),
        )
    if all(record["loss"] > 0 for run in runs for record in run["history"]):
        axes.set_yscale("log")
    axes.set_xlabel("Step")
    axes.set_ylabel("Loss")
    axes.legend(loc="upper right")
    return image(drawn, "Loss over the steps of " + ", ".join(run["name"] for run in runs))


def _common(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Columns that all runs have in the same bins."""
    tables = [{m["column"]: m["edges"] for m in run["evaluation"]["marginals"]} for run in runs]
    return [name for name, edges in tables[0].items() if all(t.get(name) == edges for t in tables)]


def _marginal(runs: Sequence[Mapping[str, Any]], column: str) -> str | None:
    found = [
        next(m for m in run["evaluation"]["marginals"] if m["column"] == column) for run in runs
    ]
    first = found[0]
    if any(sum(m["reference"]) <= 0 or sum(m["generated"]) <= 0 for m in found):
        return None
    drawn = figure(4.7, 4.7)
    upper, lower = drawn.subplots(2, sharex=True, height_ratios=[3, 1.1])
    edges = np.asarray(first["edges"], dtype=np.float64)
    truth, _ = density(first["reference"], first["reference_error"], first["edges"])
    upper.stairs(truth, edges, fill=True, color=REFERENCE, alpha=0.35, label="Reference")
    _, _, band = ratio(first)
    lower.stairs(
        1 + np.nan_to_num(band),
        edges,
        baseline=1 - np.nan_to_num(band),
        fill=True,
        color=REFERENCE,
        alpha=0.45,
    )
    for marginal, run, colour in zip(found, runs, COLOURS, strict=False):
        made, _ = density(marginal["generated"], marginal["generated_error"], marginal["edges"])
        upper.stairs(made, edges, color=colour, lw=1.6, label=plain(run["name"]))
        relative, _, _ = ratio(marginal)
        lower.stairs(np.nan_to_num(relative, nan=1.0), edges, baseline=None, color=colour, lw=1.4)
    for line, style in ((1.0, "-"), (0.9, ":"), (1.1, ":")):
        lower.axhline(line, color=GUIDE, lw=1.0, ls=style, zorder=0)
    lower.set_ylim(0.5, 1.5)
    lower.set_ylabel("Ratio", loc="center", fontsize=11)
    lower.set_xlabel(axis_label(column, first["unit"], runs[0]["recipe"]))
    lower.set_xlim(edges[0], edges[-1])
    upper.set_ylim(bottom=0)
    upper.set_ylabel("Density")
    upper.legend(loc="upper right")
    return image(drawn, f"Density of {column} in the runs and the reference")
