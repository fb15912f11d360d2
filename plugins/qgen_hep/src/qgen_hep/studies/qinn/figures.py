"""Figures of the study ``qinn``: spectra, the evolution of a circuit, and what controls say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from qgen_core.studies import Results
from qgen_core.typing import Floats
from qgen_hep.figures.ratio_panels import RatioPanels
from qgen_hep.studies.calo.distributions import BINS, FEATURES
from qgen_hep.studies.qinn import grid
from qgen_hep.studies.qinn.grid import Row
from qgen_hep.studies.qinn.selection import (
    KIND_LABELS,
    VARIANT_LABELS,
    VERDICTS,
    Data,
    Number,
    comparisons,
    distance,
    label,
    measures_of,
    nll,
    seeds_of,
    shown_of,
)
from qgen_hep.studies.shared.paired import difference
from qgen_hep.studies.shared.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    GUIDE,
    RED,
    figure,
    legend,
    legend_below,
)

#: What is drawn of the layers' energies, with its colour and dashes.
DRAWN: dict[Row, tuple[str, str]] = {
    Row("A", "ring", length="full"): (GREEN, "-"),
    Row("B", "ring", length="full"): (RED, "-"),
    Row("B", "network", length="full"): (RED, "--"),
    Row("C", "ring", length="full"): (BLUE, "-"),
    Row("C", "network", length="full"): (BLUE, "--"),
}
COLOURS = {"A": GREEN, "B": RED, "C": BLUE}
STAND_IN = "stand-in"
#: The range of ratios, and so many bins that are drawn as one.
RATIOS = (0.5, 1.5)
TOGETHER = 2
#: No ratio is drawn where the reference is below this part of its highest bin.
LEAST = 0.03
#: The panel ends at this multiple of the highest bin of the reference.
HIGHEST = 2.0
#: Of differences over the control, on an axis that is linear within 1.
TICKS = (-10, -1, 0, 1, 10)
CALORIMETER = "ds1-photons-layers"


def figure_1(results: Results) -> Any:
    """Energies of layers and their sum: distributions with their ratios to the stand-in."""
    names = FEATURES[CALORIMETER]
    made = figure(3.0 * len(names), 4.8)
    axes = made.subplots(2, len(names), height_ratios=[2.4, 1.0], squeeze=False)
    reference = shown_of(results, "truth", grid.TRUTH)
    lines: dict[str, tuple[Data | None, str, str]] = {
        "Geant4": (shown_of(results, "truth", grid.TRUTH, "shown simulated"), BLACK, "-")
    }
    for row, (colour, dashes) in DRAWN.items():
        lines[label(row)] = (shown_of(results, "length", row), colour, dashes)
    for number, name in enumerate(names):
        pair = axes[:, number]
        low, high = 0.0, 1.0
        if reference is not None:
            low, high = reference["edges"][name]
        edges = np.linspace(low, high, BINS // TOGETHER + 1)
        panels = RatioPanels(pair[0], pair[1], edges, RATIOS, inset=0.06, triangle=3)
        if reference is not None:
            panels.fill_reference(_shares(reference, name), STAND_IN)
            pair[0].set_ylim(0.0, HIGHEST * _shares(reference, name).max())
        for text, (data, colour, dashes) in lines.items():
            if data is None or reference is None:
                continue
            found = _shares(data, name)
            style = {"color": colour, "ls": dashes, "lw": 1.1}
            pair[0].stairs(found, edges, label=text, **style)
            ratio = _ratio(found, _shares(reference, name))
            pair[1].stairs(np.clip(ratio, *RATIOS), edges, baseline=None, **style)
        panels.guides(lw=0.8)
        for one in pair:
            one.locator_params(axis="x", nbins=4)
        pair[0].tick_params(labelbottom=False)
        pair[1].set_xlabel(_text(name))
    axes[0, 0].set_ylabel("share of events")
    axes[1, 0].set_ylabel("ratio")
    legend_below(made, axes[0, 0], columns=4)
    return made


def figure_2(results: Results) -> Any:
    """Latents of a few events, and what their circuits measure, over the training of C."""
    made = figure(12.0, 7.6)
    axes = made.subplots(3, 1, sharex=True)
    captures = shown_of(results, "length", Row("C", "ring", length="full"), "captures")
    if captures is not None:
        steps = np.array(captures["steps"])
        latents = np.array(captures["latents"])
        features = np.array(captures["features"])
        fidelity = np.array(captures["fidelity"])
        styles = ("-", "--", ":", "-.")
        for event in range(latents.shape[1]):
            dashes = styles[event % len(styles)]
            for column in range(latents.shape[2]):
                shade = f"C{column}"
                text = f"column {column + 1}" if event == 0 else None
                axes[0].plot(steps, latents[:, event, column], dashes, color=shade, label=text)
            for wire in range(features.shape[3]):
                text = f"wire {wire}" if event == 0 else None
                axes[1].plot(
                    steps, features[:, event, 0, wire], dashes, color=f"C{wire}", label=text
                )
        for core in range(fidelity.shape[1]):
            axes[2].plot(steps, fidelity[:, core], color=f"C{core}", label=f"circuit {core + 1}")
    axes[0].set_ylabel("latent")
    axes[1].set_ylabel("<Z>, first circuit")
    axes[2].set_ylabel("overlap with the last state")
    axes[2].set_ylim(0.0, 1.05)
    axes[2].set_xlabel("step")
    for one in axes:
        legend(one, ncols=1, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return made


def figure_3(results: Results) -> Any:
    """Differences of the circuit to its controls, in units of the control, with 95 % intervals."""
    from matplotlib.ticker import NullLocator

    every = [one for one in comparisons() if seeds_of(results, one[0], one[2])]
    made = figure(12.0, 0.26 * len(every) + 1.8)
    axes = made.subplots(1, len(VERDICTS), sharey=True)
    texts = []
    for part, first, second in every:
        length = ""
        if part == "length":
            length = ", full length"
        texts.append(f"{first.kind} against {VARIANT_LABELS[second.variant]}{length}")
    for one, (name, number) in zip(axes, VERDICTS.items(), strict=True):
        one.axvline(0.0, color=GUIDE, lw=0.8)
        for place, (part, first, second) in enumerate(every):
            if name not in measures_of(first.kind):
                continue
            other = seeds_of(results, part, second)
            found = difference(seeds_of(results, part, first), other, number)
            unit = 1.0
            if name != "NLL":
                unit = other.summary(number).mean
            if not np.isfinite(found.mean / unit):
                continue
            width = np.nan_to_num(found.half_width / unit)
            style = {"color": COLOURS[first.kind], "capsize": 2.0, "ms": 4.0}
            one.errorbar(found.mean / unit, place, xerr=width, fmt="o", **style)
        unit_text = " [nats]"
        if name != "NLL":
            unit_text = " / control"
            one.set_xscale("symlog", linthresh=1.0)
            one.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
            one.xaxis.set_minor_locator(NullLocator())
        one.set_xlabel(f"Δ {name}{unit_text}")
    axes[0].set_yticks(np.arange(len(texts)), texts, fontsize=9)
    axes[0].set_ylim(max(len(texts), 1) - 0.5, -0.5)
    return made


def figure_4(results: Results) -> Any:
    """Quality against the number of training events, and against the circuit."""
    made = figure(12.0, 7.4)
    axes = made.subplots(2, 3)
    measures: dict[str, Number] = {
        "S2 of E_tot": distance("S2"),
        "W1 of layers": distance("W1 of layers"),
        "NLL": nll(),
    }
    floor = seeds_of(results, "truth", grid.TRUTH)
    numbers = _events(results)
    capacities = sorted({*grid.CAPACITIES, grid.DOCUMENT})
    for column, (name, number) in enumerate(measures.items()):
        if name != "NLL":
            for one in axes[:, column]:
                mean = floor.summary(number).mean
                one.axhline(mean, color=GREY, label="true events (floor)")
                one.set_yscale("log")
        for variant, dashes in (("ring", "-"), ("network", "--")):
            start = Row("C", variant)
            by_events = [replace(start, events=events) for events in numbers]
            _points(axes[0, column], results, numbers, by_events, number, dashes)
            for kind in ("C", "B"):
                if name not in measures_of(kind) and name == "NLL":
                    continue
                rows = []
                for wires, layers in capacities:
                    rows.append(Row(kind, variant, wires=wires, layers=layers))
                places = list(range(len(rows)))
                _points(axes[1, column], results, places, rows, number, dashes)
        axes[0, column].set_xscale("log")
        axes[0, column].set_xlabel("training events")
        axes[0, column].set_title(name, loc="left")
        texts = [f"{wires}, {layers}" for wires, layers in capacities]
        axes[1, column].set_xticks(range(len(texts)), texts)
        axes[1, column].set_xlabel("wires, layers")
    legend_below(made, axes[1, 0], columns=5)
    return made


FIGURES = {1: figure_1, 2: figure_2, 3: figure_3, 4: figure_4}


def _shares(data: Data, name: str) -> Floats:
    """A histogram in wider bins."""
    return np.asarray(np.reshape(data["shares"][name], (-1, TOGETHER)).sum(axis=1))


def _ratio(values: Floats, reference: Floats) -> Floats:
    """Ratios where the reference is not small; else NaN."""
    ratio = np.full(len(values), np.nan)
    np.divide(values, reference, out=ratio, where=reference > LEAST * reference.max())
    return ratio


def _text(name: str) -> str:
    """The name of a feature with its unit."""
    if name.startswith("E_layer"):
        return f"energy of layer {name.rpartition('_')[2]} [MeV]"
    return "E_tot / E_inc"


def _events(results: Results) -> list[int]:
    """The numbers of training events in the results."""
    found = {grid.EVENTS}
    for result in results:
        if result.cell.tags["part"] == "others":
            found.add(int(str(result.cell.tags["events"])))
    return sorted(found)


def _points(
    axes: Any, results: Results, places: list[int], rows: list[Row], number: Number, dashes: str
) -> None:
    """Mean and deviation over seeds of rows, on one line."""
    means = []
    deviations = []
    for row in rows:
        part = "others"
        if row == Row(row.kind, row.variant):
            part = "controls"
        found = seeds_of(results, part, row).summary(number)
        means.append(found.mean)
        deviations.append(np.nan_to_num(found.deviation))
    first = rows[0]
    text = f"{KIND_LABELS[first.kind]}, {VARIANT_LABELS[first.variant]}"
    style = {"color": COLOURS[first.kind], "ls": dashes, "marker": "o", "ms": 4.0}
    axes.errorbar(places, means, yerr=deviations, label=text, capsize=2.0, **style)
