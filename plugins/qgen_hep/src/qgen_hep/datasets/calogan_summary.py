"""Numbers of samples of showers, beside each other: the table of docs/data.md.

Usage: python -m qgen_hep.datasets.calogan_summary
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np

from qgen_core.typing import Floats
from qgen_hep.calorimeters.grids import SHAPES, WINDOW
from qgen_hep.datasets.calogan import calogan
from qgen_hep.generate.calogan.detector import CELLS, FIRST, SIZES
from qgen_hep.generate.calogan.file import Species, showers


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over showers."""

    mean: float
    deviation: float


#: What is compared, with its unit; each is a number of every shower.
SUMMARY = {
    "energy in the cells": "of the incident energy",
    "energy in layer 0": "of the cells",
    "energy in layer 1": "of the cells",
    "energy in layer 2": "of the cells",
    "mean layer": "",
    "width of layer 0 in y": "mm",
    "width of layer 1 in y": "mm",
    "width of layer 2 in y": "mm",
    "hit cells of layer 0": "of all",
    "hit cells of layer 1": "of all",
    "hit cells of layer 2": "of all",
}


def summary(cells: Floats, energy: Floats) -> dict[str, Spread]:
    """The numbers named in ``SUMMARY`` of showers (N, 504) in MeV of energies (N,) in GeV.

    The width is the standard deviation of the position, weighted by energy.

    >>> cells = np.zeros((1, 504))
    >>> cells[0, [300, 301]] = 500.0
    >>> found = summary(cells, np.array([1.0]))
    >>> found["mean layer"].mean, found["width of layer 1 in y"].mean
    (1.0, 20.0)
    """
    layers = np.add.reduceat(cells, FIRST, axis=1)
    total = layers.sum(axis=1)
    numbers = {"energy in the cells": total / (1000 * energy)}
    for number in range(len(SHAPES)):
        image = cells[:, FIRST[number] : FIRST[number] + SIZES[number]]
        numbers[f"energy in layer {number}"] = layers[:, number] / total
        numbers[f"width of layer {number} in y"] = _width(image, SHAPES[number])
        numbers[f"hit cells of layer {number}"] = (image > 0).mean(axis=1)
    numbers["mean layer"] = layers @ np.arange(len(SHAPES)) / total
    found = {}
    for name in SUMMARY:
        found[name] = Spread(float(numbers[name].mean()), float(numbers[name].std()))
    return found


def table(samples: Mapping[str, tuple[Floats, Floats]]) -> str:
    """The summaries of cells and energies by name as a table in Markdown, mean ± deviation."""
    found = {name: summary(cells, energy) for name, (cells, energy) in samples.items()}
    return beside(found, SUMMARY)


def beside(found: Mapping[str, Mapping[str, Spread]], units: Mapping[str, str]) -> str:
    """Spreads of several samples by their names, with their units, as a table in Markdown.

    >>> print(beside({"a": {"width": Spread(1.0, 0.5)}}, {"width": "mm"}))
    | | a |
    |---|---|
    | width (mm) | 1 ± 0.5 |
    """
    lines = [f"| | {' | '.join(found)} |", f"|---|{'---|' * len(found)}"]
    for name, unit in units.items():
        entries = [f"{one[name].mean:.3g} ± {one[name].deviation:.2g}" for one in found.values()]
        label = name
        if unit:
            label = f"{name} ({unit})"
        lines.append(f"| {label} | {' | '.join(entries)} |")
    return "\n".join(lines)


def _width(image: Floats, shape: tuple[int, int]) -> Floats:
    """The widths (N,) along y in mm of the images (N, cells) that hold energy, 0 of the others."""
    along = shape[1]
    profile = image.reshape(len(image), *shape).sum(axis=1)
    energy = np.maximum(profile.sum(axis=1), 1e-12)
    position = WINDOW * ((np.arange(along) + 0.5) / along - 0.5)
    mean = profile @ position / energy
    square = profile @ position**2 / energy
    width: Floats = np.sqrt(np.maximum(square - mean**2, 0.0))
    return width


def main() -> None:
    """Print the table of the shipped showers and of stand-ins of the same energies."""
    geant4 = calogan()
    assert geant4.condition is not None
    energy = geant4.condition[:, 0]
    rng = np.random.default_rng(1)
    samples = {"Geant4 e+": (geant4.x, energy)}
    for species in get_args(Species):
        found = showers(species, energy, rng)[:, :CELLS]
        samples[f"stand-in {species}"] = (found, energy)
    print(table(samples))


if __name__ == "__main__":
    main()
