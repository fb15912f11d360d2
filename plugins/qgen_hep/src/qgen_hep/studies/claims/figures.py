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
    seeds_of,
    strengths,
)
from qgen_hep.studies.claims.verdicts import Number, under_noise, without_noise
from qgen_hep.studies.shared.style import BLACK, BLUE, GREEN, GREY, RED, figure, legend_below

#: Where a number is in the data of a measurement.
Path = tuple[str, ...]
MMD2: Path = ("mmd2",)
#: The panels of the parts without noise.
MEASURES: Mapping[grid.Part, Mapping[str, Path]] = {
    "style": {"MMD²": MMD2, "W1 [standard deviations]": ("W1",)},
    "latent": {"MMD²": MMD2, "MMD² of latents": ("codes", "mmd2")},
}
#: Axes of MMD squared are linear up to this, since that of a floor is about 0.
LINEAR = 1e-3
STYLES: Mapping[str, dict[str, Any]] = {
    grid.CIRCUIT: {"color": BLUE, "marker": "o"},
    grid.TWIN: {"color": RED, "marker": "s"},
    grid.FROZEN: {"color": GREEN, "marker": "x"},
}


def figure_1(results: Results) -> Any:
    """Angle generators without noise, exposed to it, and trained under it."""
    numbers: dict[str, Number] = {"without noise": without_noise}
    trained = {}
    for strength in strengths(results):
        numbers[f"trained without, x = {strength:g}"] = under_noise(strength, "exposed")
        trained[f"trained under x = {strength:g}"] = under_noise(strength, "trained")
    numbers.update(trained)
    made = figure(4.2 * len(numbers), 4.8)
    panels = made.subplots(1, len(numbers), sharey=True, squeeze=False)[0]
    for axes, (title, number) in zip(panels, numbers.items(), strict=True):
        axes.set_title(title, loc="left")
        _controls(axes, results, "angle", MMD2)
        for model in grid.MODELS:
            # A frozen circuit is exposed to noise only.
            if model != grid.FROZEN or title not in trained:
                _curve(axes, results, "angle", model, number)
        _scaled(axes, MMD2)
    panels[0].set_ylabel("MMD²")
    _finished(made)
    return made


def figure_2(results: Results) -> Any:
    """The style-qGAN."""
    return _gan(results, "style")


def figure_3(results: Results) -> Any:
    """The latent quantum GAN: showers, and the latents themselves."""
    return _gan(results, "latent")


def _gan(results: Results, part: grid.Part) -> Any:
    made = figure(10.0, 4.8)
    panels = made.subplots(1, 2)
    for axes, (label, path) in zip(panels, MEASURES[part].items(), strict=True):
        _controls(axes, results, part, path)
        for model in grid.MODELS:
            _curve(axes, results, part, model, _number(path))
        axes.set_ylabel(label)
        _scaled(axes, path)
    panels[0].set_title(PART_LABELS[part], loc="left")
    _finished(made)
    return made


def _at(data: Any, path: Path) -> Any:
    """What is at a place of the data."""
    for name in path:
        data = data[name]
    return data


def _number(path: Path) -> Number:
    return lambda data: float(_at(data, path))


def _curve(axes: Any, results: Results, part: grid.Part, model: str, number: Number) -> None:
    """Mean and deviation over seeds against the number of parameters."""
    points = []
    for capacity in capacities(results, part):
        found = seeds_of(results, part, capacity, model)
        data = found.first()
        if data is not None:
            summary = found.summary(number)
            points.append((data["parameters"], summary.mean, np.nan_to_num(summary.deviation)))
    if not points:
        return
    x, y, errors = np.transpose(points)
    axes.errorbar(x, y, yerr=errors, label=MODEL_LABELS[model], capsize=3.0, **STYLES[model])


def _controls(axes: Any, results: Results, part: grid.Part, path: Path) -> None:
    """The floor as a band; as lines the Gaussian, and true showers that were encoded and decoded.

    They are drawn at the sizes of the circuits.
    """
    sizes = []
    floors = []
    gaussians = []
    decoded = []
    for capacity in capacities(results, part):
        circuit = seeds_of(results, part, capacity, grid.CIRCUIT).first()
        control = grid.control_capacity(part, capacity)
        truths = seeds_of(results, part, control, grid.TRUTH).values()
        if circuit is None or not truths:
            continue
        sizes.append(circuit["parameters"])
        floors.append(np.mean([_at(data, path) for data in truths], axis=0))
        gaussian = seeds_of(results, part, control, grid.GAUSSIAN)
        gaussians.append(gaussian.summary(_number(path)).mean)
        if part == "latent" and path == MMD2:
            decoded.append(np.mean([_at(data["decoded"], path) for data in truths]))
    if not sizes:
        return
    mean, deviation = np.transpose(floors)
    axes.fill_between(sizes, mean - deviation, mean + deviation, color=GREY, alpha=0.5, lw=0)
    axes.plot(sizes, gaussians, color=BLACK, ls=":", label=MODEL_LABELS[grid.GAUSSIAN])
    if decoded:
        axes.plot(sizes, decoded, color=GREY, ls="--", label="true events, encoded and decoded")


def _scaled(axes: Any, path: Path) -> None:
    """A logarithmic axis, which is linear around 0 for what may be below it."""
    if path[-1:] == MMD2:
        axes.set_yscale("symlog", linthresh=LINEAR)
        axes.set_ylim(bottom=-2 * LINEAR)
    else:
        axes.set_yscale("log")


def _finished(made: Any) -> None:
    """What all panels have, and one legend."""
    for panel in made.axes:
        panel.set_xlabel("parameters")
    legend_below(made, made.axes[0])


FIGURES: dict[int, Callable[[Results], Any]] = {1: figure_1, 2: figure_2, 3: figure_3}
