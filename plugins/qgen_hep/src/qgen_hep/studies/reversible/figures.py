"""Figures of the study ``reversible``: each feature with its ratio, and NLL beside the models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from qgen_core.studies import Results
from qgen_hep.figures.ratio_panels import RatioPanels
from qgen_hep.studies.reversible import grid
from qgen_hep.studies.reversible.measurements import BINS
from qgen_hep.studies.reversible.tables import SAMPLE_LABELS, normalised_nll, seeds_of
from qgen_hep.studies.shared.style import BLACK, BLUE, GREEN, GREY, RED, figure, legend_below

RATIOS = (0.0, 2.0)
COLOURS = {
    "reversible-circuit": BLUE,
    "phase-qft": GREEN,
    "giqnn": RED,
    "giqnn, hybrid": "#d98c1f",
    "inn": BLACK,
    "histogram": "#7a4fa3",
}
FEATURES = {
    "energies": ("energy of layer 1 [MeV]", "energy of layer 2 [MeV]"),
    "mass": ("mass of two muons [GeV]",),
}


def _spectra(results: Results, sample: str) -> Any:
    """Each feature of held-out and generated events of seed 1, ratios below."""
    names = FEATURES[sample]
    made = figure(max(7.0, 5.0 * len(names)), 5.2)
    axes = made.subplots(2, len(names), height_ratios=[2.4, 1.0], squeeze=False)
    true = _shown(results, sample, grid.TRUTH, "shown held out")
    for column, name in enumerate(names):
        low, high = grid.SAMPLES[sample].window[column]
        edges = np.linspace(low, high, BINS + 1)
        pair = axes[:, column]
        panels = RatioPanels(pair[0], pair[1], edges, RATIOS, inset=0.06, triangle=3)
        reference = None
        if true is not None:
            reference = np.array(true[column])
            panels.fill_reference(reference, "held-out events")
        for model, colour in COLOURS.items():
            shown = _shown(results, sample, model)
            if shown is None:
                continue
            values = np.array(shown[column])
            style = {"color": colour, "lw": 1.2}
            panels.top.stairs(values, edges, label=model, **style)
            if reference is not None:
                ratio = np.full(len(values), np.nan)
                np.divide(values, reference, out=ratio, where=reference > 0)
                panels.bottom.stairs(np.clip(ratio, *RATIOS), edges, baseline=None, **style)
        panels.guides(lw=0.8)
        pair[0].tick_params(labelbottom=False)
        pair[1].set_xlabel(name)
    axes[0, 0].set_ylabel("share of events")
    axes[1, 0].set_ylabel("ratio")
    legend_below(made, axes[0, 0], columns=4)
    return made


def _shown(results: Results, sample: str, model: str, name: str = "shown") -> Any:
    """What is kept for figures of a row, from the seed that has it."""
    for data in seeds_of(results, sample, model).values():
        if name in data:
            return data[name]
    return None


def _likelihoods(results: Results) -> Any:
    """Normalised NLL of every seed, by model."""
    made = figure(9.0, 4.6)
    axes = made.subplots(1, len(grid.SAMPLES), sharey=True)
    rows = list(reversed(grid.MODELS))
    for one, sample in zip(axes, grid.SAMPLES, strict=True):
        for height, model in enumerate(rows):
            found = [normalised_nll(data) for data in seeds_of(results, sample, model).values()]
            colour = COLOURS.get(model, GREY)
            one.plot(found, [height] * len(found), "o", color=colour, ms=5)
        one.set_title(SAMPLE_LABELS[sample], loc="left")
        one.set_xlabel("NLL, normalised [nats]")
        one.set_yticks(range(len(rows)), rows)
        one.grid(axis="y", lw=0.4)
    return made


FIGURES: dict[int, Callable[[Results], Any]] = {
    1: lambda results: _spectra(results, "energies"),
    2: lambda results: _spectra(results, "mass"),
    3: _likelihoods,
}
