"""Distributions of features with ratios below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qgen_core.typing import Floats
from qgen_hep.studies.mfc.book import Book
from qgen_hep.studies.style import BLUE, GREEN, GREY, GUIDE, figure, legend

LABEL = {
    "muon_energy": "outgoing muon: E [GeV]",
    "muon_pt": "outgoing muon: $p_T$ [GeV]",
    "muon_eta": r"outgoing muon: $\eta$",
    "carrier_energy": "carrier: E [GeV]",
    "carrier_pt": "carrier: $p_T$ [GeV]",
    "carrier_eta": r"carrier: $\eta$",
}
RATIO = (0.5, 1.5)
#: Features to a row of panels.
ACROSS = 3
#: A spectrum that falls by more is drawn on a logarithmic axis.
STEEP = 100.0


@dataclass(frozen=True)
class Spectra:
    """Shares of events in bins, feature by feature.

    The truth's, and (name, colour, shares) of models.
    """

    columns: Sequence[str]
    edges: Sequence[Sequence[float]]
    truth: Sequence[Sequence[float]]
    models: Sequence[tuple[str, str, Sequence[Sequence[float]]]]


def panels(spectra: Spectra | None, title: str) -> Any:
    """A panel a feature and the ratio to the truth below; without spectra the word missing."""
    if spectra is None:
        made = figure(7.0, 2.0)
        axes = made.subplots()
        axes.set_axis_off()
        axes.set_title(title, loc="left")
        legend(axes)
        return made
    rows = -(-len(spectra.columns) // ACROSS)
    made = figure(4.0 * ACROSS, 4.4 * rows)
    made.suptitle(f"{title}; truth: stand-in events", fontsize=11)
    grid = made.subplots(2 * rows, ACROSS, height_ratios=[3, 1.2] * rows, squeeze=False)
    for i, column in enumerate(spectra.columns):
        row, place = divmod(i, ACROSS)
        top, bottom = grid[2 * row, place], grid[2 * row + 1, place]
        edges = np.asarray(spectra.edges[i])
        models = [(name, colour, np.asarray(shares[i])) for name, colour, shares in spectra.models]
        _panel(top, bottom, edges, np.asarray(spectra.truth[i]), models)
        bottom.set_xlabel(LABEL.get(column, column))
    for row in range(rows):
        grid[2 * row, 0].set_ylabel("share of events in a bin")
        grid[2 * row + 1, 0].set_ylabel("model / truth")
    legend(grid[0, 0])
    return made


def _panel(
    top: Any, bottom: Any, edges: Floats, truth: Floats, models: list[tuple[str, str, Floats]]
) -> None:
    import mplhep

    options: dict[str, Any] = {"flow": "none"}
    mplhep.histplot(
        truth, edges, ax=top, histtype="fill", color=GREY, alpha=0.35, label="truth", **options
    )
    for name, colour, shares in models:
        mplhep.histplot(
            shares, edges, ax=top, color=colour, label=name, lw=1.5, yerr=False, **options
        )
        ratio = np.divide(shares, truth, out=np.full(len(truth), np.nan), where=truth > 0)
        centres, inside = (edges[1:] + edges[:-1]) / 2, (ratio > RATIO[0]) & (ratio < RATIO[1])
        bottom.plot(centres[inside], ratio[inside], ls="none", marker=".", ms=5, color=colour)
        for beyond, at, marker in (
            (ratio >= RATIO[1], RATIO[1] - 0.06, "^"),
            (ratio <= RATIO[0], RATIO[0] + 0.06, "v"),
        ):
            bottom.plot(
                centres[beyond],
                np.full(beyond.sum(), at),
                ls="none",
                marker=marker,
                ms=4,
                color=colour,
            )
    positive = truth[truth > 0]
    if len(positive) and positive.max() > STEEP * positive.min():
        top.set_yscale("log")
        top.set_ylim(0.3 * positive.min(), 4 * positive.max())
    else:
        top.set_ylim(0, None)
    for axes in (top, bottom):
        axes.set_xlim(edges[0], edges[-1])
    bottom.set_ylim(*RATIO)
    for level, dashes in ((1.0, "-"), (0.9, ":"), (1.1, ":")):
        bottom.axhline(level, color=GUIDE, ls=dashes, lw=0.8, zorder=0)


def conditional(book: Book) -> Any:
    """The conditional Born machine at its energies, without and with noise."""
    title = "conditional Born machine, outgoing muon's energy"
    exact, noisy = book.first("conditional-narrow"), book.first("conditional-noisy")
    if exact is None:
        return panels(None, title)
    made = figure(4.0 * len(exact["energies"]), 4.4)
    made.suptitle(f"{title}; truth: stand-in events, noise: emulated", fontsize=11)
    grid = made.subplots(2, len(exact["energies"]), height_ratios=[3, 1.2], squeeze=False)
    edges = np.asarray(exact["edges"])
    for (energy, value), (top, bottom) in zip(exact["energies"].items(), grid.T, strict=True):
        models = [("exact", BLUE, np.asarray(value["made"]))]
        if noisy is not None:
            models.append(("with noise", GREEN, np.asarray(noisy["energies"][energy]["made"])))
        _panel(top, bottom, edges, np.asarray(value["truth"]), models)
        top.set_title(
            f"{energy} GeV" + ("" if energy in ("150", "200") else ", not trained at"), loc="left"
        )
        bottom.set_xlabel(LABEL["muon_energy"])
    grid[0, 0].set_ylabel("share of events in a bin")
    grid[1, 0].set_ylabel("model / truth")
    legend(grid[0, 0])
    return made
