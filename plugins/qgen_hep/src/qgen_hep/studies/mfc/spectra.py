"""Distributions of features with ratios below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qgen_core.studies import Results
from qgen_core.typing import Floats
from qgen_hep.figures.ratio_panels import RatioPanels, log_if_steep
from qgen_hep.studies.mfc.grid import TAUGHT
from qgen_hep.studies.shared.style import BLUE, GREEN, figure, legend

LABEL = {
    "muon_energy": "outgoing muon: E [GeV]",
    "muon_pt": "outgoing muon: $p_T$ [GeV]",
    "muon_eta": r"outgoing muon: $\eta$",
    "carrier_energy": "carrier: E [GeV]",
    "carrier_pt": "carrier: $p_T$ [GeV]",
    "carrier_eta": r"carrier: $\eta$",
}
RATIO = (0.5, 1.5)
#: Features in a row of panels.
ACROSS = 3


@dataclass(frozen=True)
class Model:
    """The line of a model: its name, colour, and shares of events in bins, feature by feature."""

    name: str
    colour: str
    shares: Sequence[Sequence[float]]


@dataclass(frozen=True)
class Spectra:
    """Shares of events in bins, feature by feature: those of the reference and of models."""

    columns: Sequence[str]
    edges: Sequence[Sequence[float]]
    reference: Sequence[Sequence[float]]
    models: Sequence[Model]


def draw_nothing(title: str) -> Any:
    """A figure with the word missing."""
    made = figure(7.0, 2.0)
    axes = made.subplots()
    axes.set_axis_off()
    axes.set_title(title, loc="left")
    legend(axes)
    return made


def draw_spectra(spectra: Spectra, title: str) -> Any:
    """A panel for each feature, with the ratio to the reference below it."""
    rows = -(-len(spectra.columns) // ACROSS)
    made = figure(4.0 * ACROSS, 4.4 * rows)
    made.suptitle(f"{title}; truth: stand-in events", fontsize=11)
    grid = made.subplots(2 * rows, ACROSS, height_ratios=[3, 1.2] * rows, squeeze=False)
    for i, column in enumerate(spectra.columns):
        row, place = divmod(i, ACROSS)
        top, bottom = grid[2 * row : 2 * row + 2, place]
        _panel(top, bottom, spectra, i)
        bottom.set_xlabel(LABEL.get(column, column))
    for row in range(rows):
        _y_labels(grid[2 * row, 0], grid[2 * row + 1, 0])
    legend(grid[0, 0])
    return made


def _y_labels(top: Any, bottom: Any) -> None:
    top.set_ylabel("share of events in a bin")
    bottom.set_ylabel("model / truth")


def _panel(top: Any, bottom: Any, spectra: Spectra, feature: int) -> None:
    """One feature: the reference filled, models in steps, their ratios as points."""
    reference: Floats = np.asarray(spectra.reference[feature])
    edges: Floats = np.asarray(spectra.edges[feature])
    panels = RatioPanels(top, bottom, edges, RATIO, inset=0.06, triangle=4)
    panels.fill_reference(reference, "truth")
    for model in spectra.models:
        shares: Floats = np.asarray(model.shares[feature])
        top.stairs(shares, edges, color=model.colour, label=model.name, lw=1.5)
        unknown = np.full(len(reference), np.nan)
        ratio = np.divide(shares, reference, out=unknown, where=reference > 0)
        panels.ratio_points(ratio, color=model.colour, marker=".", ms=5)
    positive = reference[reference > 0]
    if not log_if_steep(top, positive, positive.min(initial=np.inf)):
        top.set_ylim(0, None)
    panels.guides(lw=0.8, zorder=0)


def conditional(results: Results) -> Any:
    """The conditional Born machine at its energies, without and with noise."""
    title = "conditional Born machine, outgoing muon's energy"
    exact = results.where(case="conditional-narrow").first()
    noisy = results.where(case="conditional-noisy").first()
    if exact is None:
        return draw_nothing(title)
    energies = exact["energies"]
    made = figure(4.0 * len(energies), 4.4)
    made.suptitle(f"{title}; truth: stand-in events, noise: emulated", fontsize=11)
    grid = made.subplots(2, len(energies), height_ratios=[3, 1.2], squeeze=False)
    for (energy, data), (top, bottom) in zip(energies.items(), grid.T, strict=True):
        models = [Model("exact", BLUE, [data["made"]])]
        if noisy is not None:
            models.append(Model("with noise", GREEN, [noisy["energies"][energy]["made"]]))
        spectra = Spectra(["muon_energy"], [exact["edges"]], [data["truth"]], models)
        _panel(top, bottom, spectra, 0)
        taught = float(energy) in TAUGHT
        top.set_title(f"{energy} GeV" if taught else f"{energy} GeV, not trained at", loc="left")
        bottom.set_xlabel(LABEL["muon_energy"])
    _y_labels(grid[0, 0], grid[1, 0])
    legend(grid[0, 0])
    return made
