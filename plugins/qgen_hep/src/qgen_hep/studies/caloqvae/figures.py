"""Figures of the study ``caloqvae``: showers, their observables, and the trained annealer."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.studies import Results
from qgen_core.typing import Floats
from qgen_hep.showers import CALOGAN
from qgen_hep.studies.caloqvae.distributions import EDGES, ENERGY_EDGES
from qgen_hep.studies.caloqvae.grid import ANNEAL_TIMES, SPECIES
from qgen_hep.studies.caloqvae.selection import (
    LABELS,
    ROWS,
    annealer_of,
    reference_of,
    shown_of,
    temperatures_of,
)
from qgen_hep.studies.shared.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    RED,
    figure,
    legend,
    legend_below,
)

COLOURS = (BLUE, RED, "#3fa7c4", "#b58b00", GREEN, "#8a5fb0")
DASHES = ("-", "-", (0, (5, 1)), ":", "--", "-.")
#: The model whose showers are shown as pictures.
PICTURED = ROWS[0]
#: Decades below the largest energy that pictures show.
DECADES = 4
UNITS = {"energy": " [GeV]", "width": " [mm]"}


def figure_1(results: Results) -> Any:
    """One shower of each species at about 50 GeV, layer by layer."""
    return _pictures(results, "shower")


def figure_2(results: Results) -> Any:
    """The mean shower of each species, layer by layer."""
    return _pictures(results, "mean shower")


def figure_3(results: Results) -> Any:
    """Energies of the layers."""
    return _spectra(results, ("layer_0 energy", "layer_1 energy", "layer_2 energy"))


def figure_4(results: Results) -> Any:
    """Depth and lateral widths."""
    return _spectra(results, ("depth", "layer_0 width", "layer_1 width", "layer_2 width"))


def figure_5(results: Results) -> Any:
    """The share of cells that are hit."""
    return _spectra(results, ("layer_0 hits", "layer_1 hits", "layer_2 hits"))


def figure_6(results: Results) -> Any:
    """The energy in the cells over the incident energy: mean and spread by incident energy."""
    made = figure(11.0, 6.6)
    grid = made.subplots(2, len(SPECIES), sharex=True, sharey="row")
    centres = (ENERGY_EDGES[1:] + ENERGY_EDGES[:-1]) / 2
    for number, species in enumerate(SPECIES):
        data = reference_of(results, species)
        for place, axes in enumerate(grid[:, number]):
            if data is not None:
                values = _numbers(data["response"][place])
                axes.plot(centres, values, color=GREY, lw=6, alpha=0.5, label="stand-in")
                if "simulated" in data:
                    values = _numbers(data["simulated"]["response"][place])
                    axes.plot(centres, values, color=BLACK, lw=1.0, label="Geant4")
            for row, colour, dashes in zip(ROWS, COLOURS, DASHES, strict=True):
                shown = shown_of(results, row, species)
                if shown is not None:
                    values = _numbers(shown["response"][place])
                    axes.plot(centres, values, color=colour, ls=dashes, label=row.text)
        grid[0, number].set_title(LABELS[species], loc="left")
        grid[1, number].set_xlabel("incident energy [GeV]")
    grid[0, 0].set_ylabel("mean response")
    grid[0, 0].set_ylim(0, 1.5)
    grid[1, 0].set_ylabel("standard deviation of the response")
    grid[1, 0].set_ylim(0, 0.5)
    legend_below(made, grid[0, 0])
    return made


def figure_7(results: Results) -> Any:
    """The training through the emulated annealer by epochs, and its temperature by energies."""
    made = figure(14.0, 4.0)
    left, middle, right = made.subplots(1, 3)
    data = annealer_of(results)
    if data is not None:
        epochs = np.array(data["epochs"]["epoch"])
        for name, label, colour in (
            ("cosine", "means and products", BLUE),
            ("cosine of covariances", "covariances", RED),
        ):
            left.plot(epochs, data["epochs"][name], color=colour, marker="o", label=label)
            left.plot(epochs, data["epochs"][f"{name}, floor"], color=colour, ls=":")
        beta = data["epochs"]["beta"]
        middle.plot(epochs, beta, color=BLACK, marker="o", label="estimate in training")
    by_energy = temperatures_of(results)
    if by_energy is not None:
        for microseconds, colour in zip(ANNEAL_TIMES, (RED, BLUE), strict=True):
            estimates = np.array(by_energy[f"{microseconds:g} us"])
            right.errorbar(
                by_energy["energies"],
                estimates[:, 0],
                estimates[:, 1],
                color=colour,
                marker="o",
                label=f"anneals of {microseconds:g} us",
            )
    left.set_ylabel("cosine of negative statistics")
    left.set_ylim(0.0, 1.15)  # the legend stands above the largest cosine, 1
    right.margins(y=0.25)
    right.set(xlabel="incident energy [GeV]", xscale="log")
    for axes in (left, middle):
        axes.set_xlabel("epoch")
    for axes in (middle, right):
        axes.set_ylabel("inverse temperature of the annealer")
    legend(left, loc="upper right", ncols=2)
    for axes in (middle, right):
        legend(axes, loc="upper right")
    return made


FIGURES = {
    1: figure_1,
    2: figure_2,
    3: figure_3,
    4: figure_4,
    5: figure_5,
    6: figure_6,
    7: figure_7,
}


def _pictures(results: Results, what: str) -> Any:
    """Reference and generated showers, a row for each species and sample."""
    from matplotlib.colors import LogNorm

    made = figure(10.0, 9.5)
    grid = made.subplots(2 * len(SPECIES), 3, width_ratios=[2.4, 1.0, 1.0])
    for number, species in enumerate(SPECIES):
        samples = {
            "stand-in": reference_of(results, species),
            PICTURED.text: shown_of(results, PICTURED, species),
        }
        top = _largest(samples.values(), what)
        norm = LogNorm(top / 10**DECADES, top)
        for place, (label, data) in enumerate(samples.items()):
            row = grid[2 * number + place]
            for axes in row:
                axes.set_xticks([])
                axes.set_yticks([])
            row[0].set_ylabel(f"{LABELS[species]}\n{label}", fontsize=9)
            if data is None:
                continue
            drawn = None
            layers = CALOGAN.by_layer(np.array([data[what]]))
            for axes, layer, cells in zip(row, CALOGAN.layers, layers, strict=True):
                shown = np.ma.masked_less_equal(cells[0], 0.0)
                drawn = axes.imshow(shown, norm=norm, cmap="viridis", aspect="auto")
                if not number and not place:
                    axes.set_title(layer.name.replace("_", " "), loc="left")
            if what == "shower":
                row[0].text(
                    0.99,
                    0.9,
                    f"{data['shower energy']:.1f} GeV",
                    transform=row[0].transAxes,
                    ha="right",
                    va="top",
                    fontsize=8,
                )
            made.colorbar(drawn, ax=list(row), label="MeV", pad=0.01)
    return made


def _largest(samples: Any, what: str) -> float:
    """The largest energy of a cell in MeV; 1 if there are no samples."""
    found = [float(np.max(data[what])) for data in samples if data is not None]
    return max(found, default=1.0)


def _spectra(results: Results, names: tuple[str, ...]) -> Any:
    """Distributions of observables: a row for each species, a column for each observable."""
    made = figure(3.2 * len(names), 9.0)
    grid = made.subplots(len(SPECIES), len(names))
    for axes_row, species in zip(grid, SPECIES, strict=True):
        for axes, name in zip(axes_row, names, strict=True):
            _spectrum(axes, results, species, name)
        axes_row[0].set_ylabel(f"{LABELS[species]}: share of showers")
    legend_below(made, grid[0, 0])
    return made


def _spectrum(axes: Any, results: Results, species: str, name: str) -> None:
    edges = EDGES[name]
    if name.endswith("energy"):
        axes.set_xscale("log")
    data = reference_of(results, species)
    if data is not None:
        shares = data["shares"][name]
        axes.stairs(shares, edges, fill=True, color=GREY, alpha=0.4, label="stand-in")
        if "simulated" in data:
            shares = data["simulated"]["shares"][name]
            axes.stairs(shares, edges, color=BLACK, lw=1.0, label="Geant4")
    for row, colour, dashes in zip(ROWS, COLOURS, DASHES, strict=True):
        shown = shown_of(results, row, species)
        if shown is not None:
            axes.stairs(shown["shares"][name], edges, color=colour, ls=dashes, label=row.text)
    axes.set_xlim(edges[0], edges[-1])
    unit = UNITS.get(name.split()[-1], "")
    axes.set_xlabel(name.replace("_", " ") + unit)


def _numbers(values: list[float | None]) -> Floats:
    """Numbers (bins,), NaN where a bin has too few events."""
    return np.array(values, dtype=np.float64)
