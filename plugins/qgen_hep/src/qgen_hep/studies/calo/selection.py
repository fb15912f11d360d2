"""Results of the study ``calo`` selected by sample, task and model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qgen_core.studies import Results
from qgen_hep.studies.calo import grid

Data = Mapping[str, Any]
#: The row of training events, against held-out ones.
TRUTH = "truth"
SAMPLE_LABELS = {"photons": "photons", "positrons": "e+"}
TASK_LABELS = {"energies": "layer energies", "showers": "full showers"}
MODEL_LABELS = {
    TRUTH: "true events (floor)",
    "inn": "inn, splines",
    "affine": "inn, affine",
    "cfm": "cfm",
    "dit": "dit",
    "staged-cfm": "staged, inn + cfm",
    "staged-dit": "staged, inn + dit",
    "wgan": "wgan",
    "gaussian": "Gaussian (control)",
}
#: Families of histograms whose mean is the separation power of a task; of energies alone, those
#: of centres and widths say nothing. Those that a sample does not have are left out.
OF_ENERGIES = ("E_tot/E_inc", "E_tot/E_inc at one energy", "E_layer")


@dataclass(frozen=True)
class Place:
    """A sample and a task, which a table is made of."""

    sample: str
    task: str

    @property
    def text(self) -> str:
        """For titles."""
        return f"{SAMPLE_LABELS[self.sample]}, {TASK_LABELS[self.task]}"

    @property
    def rows(self) -> tuple[str, ...]:
        """True events, and the models."""
        return (TRUTH, *grid.MODELS[self.task])


#: In the order of the tables.
PLACES = tuple(Place(sample, task) for sample in grid.SAMPLES for task in grid.TASKS)


def seeds_of(results: Results, place: Place, model: str) -> Results:
    """The seeds of a row."""
    part = "models"
    if model == TRUTH:
        part = "truth"
    wanted = {"part": part, "sample": place.sample, "task": place.task, "model": model}
    found = []
    for result in results:
        if all(result.cell.tags[name] == value for name, value in wanted.items()):
            found.append(result)
    return Results(found)


def protocols(results: Results) -> Results:
    """The networks of the full protocol; none if the setting leaves them out."""
    return Results(result for result in results if result.cell.tags["part"] == "protocol")


def shown_of(results: Results, place: Place, model: str, name: str = "shown") -> Data | None:
    """What a result keeps for figures of a row, from the seed that has it."""
    for data in seeds_of(results, place, model).values():
        if name in data:
            found: Data = data[name]
            return found
    return None


def separation(task: str, to: str, which: int = 0) -> Callable[[Data], float]:
    """The mean over the families of a task.

    ``which``: 0 the separation power; 1 and 2 the share of the reference and of generated values
    outside of the bins.
    """

    def number(data: Data) -> float:
        families = data[to]["S2"]
        if task == "energies":
            families = {name: families[name] for name in OF_ENERGIES if name in families}
        return float(np.mean([one[which] for one in families.values()]))

    return number


def measure(to: str, name: str, factor: float = 1.0) -> Callable[[Data], float]:
    """A number of the measures, or the first of several, times a factor."""

    def number(data: Data) -> float:
        found = data[to][name]
        if isinstance(found, list):
            found = found[0]
        return factor * float(found)

    return number


def milliseconds(place: int) -> Callable[[Data], float]:
    """The time of a shower in the batch of this place."""
    return lambda data: float(data["ms"][place][1])
