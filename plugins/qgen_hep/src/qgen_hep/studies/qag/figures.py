"""Figures 3, 5 and 6 of document 004 with our results, and a comparison of optimisers."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.studies import Results
from qgen_hep.studies.qag import grid
from qgen_hep.studies.qag.measurements import SUM_EDGES
from qgen_hep.studies.qag.published import MMD
from qgen_hep.studies.qag.readings import MEDIAN
from qgen_hep.studies.qag.selection import (
    CLASSICAL,
    Configuration,
    Data,
    null_of,
    repeats,
    scales_of,
    seeds_of,
)
from qgen_hep.studies.shared.style import BLACK, BLUE, GREEN, GREY, GUIDE, RED, figure, legend

COLOUR = {
    "cobyla": RED,
    "cobyla, common": BLUE,
    "spsa": GREEN,
    "cma": "#8a5fb0",
    "adam": BLACK,
}
MONITORED = {
    "mmd2": "MMD²",
    "correlation loss": "correlation loss",
    "mse": "MSE of mean images",
    "chi2": "χ² of the energy sum",
}
#: Those of them that fall by orders of magnitude.
OVER_DECADES = ("mmd2", "mse", "chi2")
#: Circuits that parameter shift needs for a gradient of the 24 parameters, with the value.
SHIFTED = 1 + 2 * 24


def figure_3(results: Results) -> Any:
    """What is monitored while training, on encoded training and validation events."""
    made = figure(9.5, 10.0)
    axes = made.subplots(len(MONITORED), 2, sharex=True, sharey="row")
    for row, (name, label) in zip(axes, MONITORED.items(), strict=True):
        for one, which in zip(row, ("training", "validation"), strict=True):
            if name in OVER_DECADES:
                one.set_yscale("log")
            for trainer in ("cobyla", "cobyla, common", "adam"):
                data = seeds_of(results, Configuration("qag", trainer)).first()
                if data is not None:
                    curve = data["curves"][which]
                    one.plot(curve["step"], curve[name], color=COLOUR[trainer], label=trainer)
        row[0].set_ylabel(label)
    axes[0, 0].set_title("encoded training events", loc="left")
    axes[0, 1].set_title("encoded validation events", loc="left")
    for one in axes[-1]:
        one.set_xlabel("evaluation")
    legend(axes[0, 0])
    return made


def figure_5(results: Results) -> Any:
    """Energy sum and correlations of pixels, test events beside generated ones."""
    made = figure(10.0, 7.6)
    top, bottom = made.subfigures(2, 1, height_ratios=[1.0, 1.1])
    axes = top.subplots()
    shown = {
        "circuit, cobyla (common)": (Configuration("qag", "cobyla, common"), BLUE),
        "circuit, adam": (Configuration("qag", "adam"), RED),
        "Gaussian": (Configuration("gaussian", "adam"), GREEN),
    }
    matrices: dict[str, Any] = {}
    for label, (configuration, colour) in shown.items():
        data = seeds_of(results, configuration).first()
        if data is None:
            continue
        true, generated = data["sums"]
        if not matrices:
            axes.stairs(true, SUM_EDGES, fill=True, color=GREY, alpha=0.5, label="test events")
            matrices["test events"] = data["correlations"][0]
        axes.stairs(generated, SUM_EDGES, color=colour, lw=1.4, label=label)
        matrices[label] = data["correlations"][1]
    axes.set_xlabel("sum of pixels [MeV]")
    axes.set_ylabel("share of events")
    legend(axes)
    for one, (label, matrix) in zip(
        np.atleast_1d(bottom.subplots(1, max(len(matrices), 1))), matrices.items(), strict=False
    ):
        drawn = one.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r")
        one.set_title(label, loc="left")
        one.set_xlabel("pixel")
        one.tick_params(top=False, right=False)
        last = (drawn, one)
    if matrices:
        bottom.colorbar(last[0], ax=bottom.axes, shrink=0.8, label="correlation")
    return made


def figure_6(results: Results) -> Any:
    """The final MMD by strength of the noise, trained under noise and trained without.

    With the controls: the circuit at its start values, and classical models, without noise.
    """
    made = figure(9.8, 4.8)
    axes = made.subplots()
    scenarios = (
        ("trained and evaluated under noise", "qag", "#7b4fa3", True, -0.03),
        ("trained without noise", "qag", BLUE, False, 0.03),
        ("frozen at its start values", "frozen", GREY, False, 0.0),
    )
    for label, model, colour, under_noise, shift in scenarios:
        places = []
        means = []
        spreads = []
        for scale in scales_of(results):
            trained = scale if under_noise else 0.0
            summary = repeats(results, trained, model).summary(_final(scale))
            if summary.count > 1:
                places.append(scale + shift)
                means.append(summary.mean)
                spreads.append(summary.deviation)
        if places:
            axes.errorbar(places, means, spreads, color=colour, marker="o", capsize=3, label=label)
    for configuration, colour in zip(CLASSICAL, (RED, GREEN), strict=True):
        found = seeds_of(results, configuration).summary(lambda data: data["encoded"]["mmd2"])
        if found.count:
            axes.axhline(found.mean, color=colour, ls="--", lw=1.0, label=configuration.text)
    data = null_of(results, "min-max")
    if data is not None:
        mean, deviation = data["sizes"][str(data["test events"])][MEDIAN]
        level = mean[0] + deviation[0]
        axes.axhline(level, color=GREY, ls="-.", lw=1.0, label="training against test, + 1 σ")
    axes.axhline(MMD, color=GUIDE, ls=":", lw=1.2, label="document 004 (kernel unknown)")
    axes.set_yscale("log")
    axes.set_xlabel(f"x, strength of the noise of {grid.DEVICE} (emulated)")
    axes.set_ylabel("final MMD²")
    legend(axes, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return made


def figure_7(results: Results) -> Any:
    """MMD squared on validation events by number of circuits, for each optimiser."""
    made = figure(9.0, 5.0)
    axes = made.subplots()
    axes.set_yscale("log")
    for trainer, colour in COLOUR.items():
        found = seeds_of(results, Configuration("qag", trainer)).values()
        if not found:
            continue
        steps, mean = _mean_curve(found)
        circuits = (steps + 1) * grid.EVALUATIONS_OF[trainer] * grid.IMAGES
        axes.plot(circuits, mean, color=colour, label=trainer)
        if trainer == "adam":
            label = "adam, by parameter shift"
            shifted = circuits * SHIFTED
            inside = shifted <= grid.EVALUATIONS * grid.IMAGES
            inside[: max(2, inside.sum())] = True
            axes.plot(shifted[inside], mean[inside], color=colour, ls="--", label=label)
    axes.set_xlim(0, 1.03 * grid.EVALUATIONS * grid.IMAGES)
    axes.set_xlabel("circuits")
    axes.set_ylabel("MMD² on validation events")
    legend(axes, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return made


FIGURES = {3: figure_3, 5: figure_5, 6: figure_6, 7: figure_7}


def _final(scale: float) -> Any:
    return lambda data: float(data["scales"][f"{scale:g}"]["mmd2"])


def _mean_curve(found: list[Data]) -> tuple[Any, Any]:
    """Steps, and the mean over seeds; a seed that ended earlier keeps its last value."""
    curves = [data["curves"]["validation"] for data in found]
    longest = max((curve["step"] for curve in curves), key=len)
    rows = []
    for curve in curves:
        values = curve["mmd2"]
        rows.append(values + [values[-1]] * (len(longest) - len(values)))
    return np.array(longest), np.mean(rows, axis=0)
