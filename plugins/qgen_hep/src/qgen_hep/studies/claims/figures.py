"""Figures of the study ``claims``: quality against parameters, one figure a part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from qgen_core.studies import Results
from qgen_hep.studies.claims import grid
from qgen_hep.studies.claims.selection import (
    MODEL_LABELS,
    PART_LABELS,
    capacities,
    control_capacities,
    seeds_of,
    strengths,
)
from qgen_hep.studies.claims.verdicts import Number, under_noise, without_noise
from qgen_hep.studies.shared.style import BLACK, BLUE, GREEN, GREY, RED, figure, legend_below

#: The axis of MMD squared is linear up to this, since floors are about 0.
LINEAR = 1e-3
STYLES: Mapping[str, dict[str, Any]] = {
    grid.CIRCUIT: {"color": BLUE, "marker": "o"},
    grid.TWIN: {"color": RED, "marker": "s"},
    grid.FROZEN: {"color": GREEN, "marker": "x"},
}


def figure_1(results: Results) -> Any:
    """Angle generators without noise, exposed to it, and trained under it."""
    numbers: dict[str, Number] = {"without noise": without_noise}
    for strength in strengths(results):
        numbers[f"trained without, x = {strength:g}"] = under_noise(strength, "exposed")
        numbers[f"trained under x = {strength:g}"] = under_noise(strength, "trained")
    made = figure(4.2 * len(numbers), 4.8)
    panels = made.subplots(1, len(numbers), sharey=True, squeeze=False)[0]
    for axes, (title, number) in zip(panels, numbers.items(), strict=True):
        axes.set_title(title, loc="left")
        _controls(axes, results, "angle")
        for model in grid.MODELS:
            # A frozen circuit is not trained under noise: it is only exposed to it.
            if model != grid.FROZEN or not title.startswith("trained under"):
                _curve(axes, results, "angle", model, number)
    _finished(made, panels[0])
    return made


def figure_2(results: Results) -> Any:
    """The style-qGAN."""
    return _two_measures(results, "style")


def figure_3(results: Results) -> Any:
    """The latent quantum GAN."""
    return _two_measures(results, "latent")


def _two_measures(results: Results, part: grid.Part) -> Any:
    made = figure(9.0, 4.8)
    panels = made.subplots(1, 2)
    for axes, name in zip(panels, ("mmd2", "W1"), strict=True):
        _controls(axes, results, part, name)
        for model in grid.MODELS:
            _curve(axes, results, part, model, _number(name))
    panels[0].set_title(PART_LABELS[part], loc="left")
    _finished(made, panels[0])
    panels[1].set(xlabel="parameters", ylabel="W1 [standard deviations]", yscale="log")
    return made


def _number(name: str) -> Number:
    return lambda data: float(data[name])


def _curve(axes: Any, results: Results, part: grid.Part, model: str, number: Number) -> None:
    """Mean and deviation over seeds against the number of parameters."""
    points = []
    for capacity in capacities(results, part):
        found = seeds_of(results, part, capacity, model)
        summary = found.summary(number)
        data = found.first()
        if data is None:
            continue
        deviation = np.nan_to_num(summary.deviation)
        points.append((float(data["parameters"]), summary.mean, deviation))
    if not points:
        return
    x, y, errors = np.transpose(points)
    axes.errorbar(x, y, yerr=errors, label=MODEL_LABELS[model], capsize=3.0, **STYLES[model])


def _controls(axes: Any, results: Results, part: grid.Part, name: str = "mmd2") -> None:
    """The floor as a band; the Gaussian, and what an autoencoder leaves, as lines."""
    places = control_capacities(results, part)
    if not places:
        return
    # The floor is the same at all capacities: it needs no codes.
    floors = seeds_of(results, part, places[0], grid.TRUTH).values()
    if floors:
        mean, deviation = np.mean([data[name] for data in floors], axis=0)
        axes.axhspan(mean - deviation, mean + deviation, color=GREY, alpha=0.5, lw=0)
    number = _number(name)
    if part == "latent":
        _of_codes(axes, results, number)
        return
    value = seeds_of(results, part, places[0], grid.GAUSSIAN).summary(number).mean
    axes.axhline(value, color=BLACK, ls=":", label=MODEL_LABELS[grid.GAUSSIAN])


def _of_codes(axes: Any, results: Results, number: Number) -> None:
    """Controls that depend on the number of latents, at the parameters of the circuits."""
    sizes = []
    decoded = []
    gaussians = []
    for wires in capacities(results, "latent"):
        truths = seeds_of(results, "latent", wires, grid.TRUTH)
        gaussian = seeds_of(results, "latent", wires, grid.GAUSSIAN)
        sizes.append(grid.style_parameters(grid.LATENT_LAYERS, wires))
        decoded.append(truths.summary(lambda data: number(data["decoded"])).mean)
        gaussians.append(gaussian.summary(number).mean)
    axes.plot(sizes, decoded, color=GREY, ls="--", label="true events, encoded and decoded")
    axes.plot(sizes, gaussians, color=BLACK, ls=":", label=MODEL_LABELS[grid.GAUSSIAN])


def _finished(made: Any, axes: Any) -> None:
    """Labels of the axes of MMD squared, and a legend for all."""
    axes.set_yscale("symlog", linthresh=LINEAR)
    axes.set_ylabel("MMD²")
    for panel in made.axes:
        panel.set_xlabel("parameters")
    legend_below(made, axes)


FIGURES: dict[int, Callable[[Results], Any]] = {1: figure_1, 2: figure_2, 3: figure_3}
