"""Results of the study ``models``, put side by side as ``qgen compare`` does with run folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qgen_core.runs.compare import side_by_side
from qgen_core.studies import MISSING, SPACE, Result, Results, plus_minus
from qgen_hep.studies.models import grid

Cells = list[dict[str, Any]]
TASK_LABELS = {"energies": "layer energies", "showers": "full showers"}
TRUTH_LABELS = {grid.TRUTH: "true events (floor)", grid.IN_BITS: "true events, in bits"}
#: The parts of a result: against held-out events, and against Geant4.
HELD_OUT = "run"
SIMULATED = "simulated"
#: True events cost nothing.
NO_COST = {"parameters": None, "training": None, "generating": None}


def label_of(model: str) -> str:
    """The text of a row."""
    if model in TRUTH_LABELS:
        return TRUTH_LABELS[model]
    return grid.MODELS[model].label


def rows_of(task: str) -> tuple[str, ...]:
    """True events, and the models of a task."""
    return (*grid.TRUTHS[task], *grid.OF_TASK[task])


@dataclass(frozen=True)
class Measured:
    """One number of a model, over its seeds.

    ``uncertainty`` is the standard deviation over seeds, with one seed that of the events alone;
    ``floor`` is the number between two samples of the reference, with its spread.
    """

    value: float
    uncertainty: float
    floor: float
    floor_spread: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, cells: Cells) -> Measured:
        """Of one cell a seed.

        >>> cell = {"value": 0.25, "uncertainty": 0.01, "floor": 0.1, "floor_spread": 0.02}
        >>> Measured.of([cell]).uncertainty, Measured.of([cell, cell]).uncertainty
        (0.01, 0.0)
        """
        values = [float(cell["value"]) for cell in cells]
        uncertainty = float(cells[0]["uncertainty"])
        if len(cells) > 1:
            uncertainty = float(np.std(values, ddof=1))
        floors = [[cell["floor"], cell["floor_spread"]] for cell in cells]
        floor, spread = np.mean(floors, axis=0).tolist()
        return cls(float(np.mean(values)), uncertainty, floor, spread, tuple(values))

    @property
    def text(self) -> str:
        """Value and uncertainty, and in brackets the floor and its spread.

        >>> cell = {"value": 0.25, "uncertainty": 0.01, "floor": 0.1, "floor_spread": 0.02}
        >>> Measured.of([cell]).text.replace(SPACE, " ")
        '0.25 ± 0.01 (0.1 ± 0.02)'
        """
        value = plus_minus(self.value, self.uncertainty)
        return f"{value}{SPACE}({plus_minus(self.floor, self.floor_spread)})"


@dataclass
class Benchmark:
    """All models of a task beside each other.

    ``numbers`` are by name of the number and model, one cell a seed; ``costs`` by model, one for
    each seed; ``warnings`` are those of the comparisons of each seed.
    """

    task: str
    numbers: dict[tuple[str, str], Cells] = field(default_factory=dict)
    costs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, results: Results, task: str, part: str = HELD_OUT) -> Benchmark:
        """The comparison of the results of a task, seed by seed."""
        made = cls(task)
        of_seeds: dict[object, list[Result]] = {}
        for result in results:
            tags = result.cell.tags
            if tags["task"] == task and result.data() is not None:
                of_seeds.setdefault(tags["seed"], []).append(result)
        for found in of_seeds.values():
            made._add(found, part)
        return made

    def _add(self, found: list[Result], part: str) -> None:
        """Add the models of one seed."""
        models = [str(result.cell.tags["model"]) for result in found]
        told = side_by_side(models, [_told(result, part) for result in found])
        for row in told["metrics"]:
            for model, cell in zip(models, row["cells"], strict=True):
                if cell is not None:
                    self.numbers.setdefault((row["name"], model), []).append(cell)
        for result, model, cost in zip(found, models, told["costs"], strict=True):
            if cost != NO_COST:
                times = {f"batch {size:g}": time for size, time in result.data()["ms"]}
                self.costs.setdefault(model, []).append({**cost, **times})
        if part == HELD_OUT:
            self.warnings += told["warnings"]

    def measured(self, number: str, model: str) -> Measured | None:
        """A number of a model; None if it has not been run."""
        cells = self.numbers.get((number, model))
        if not cells:
            return None
        return Measured.of(cells)

    def text(self, number: str, model: str) -> str:
        """A number of a model for a table."""
        found = self.measured(number, model)
        if found is None:
            return MISSING
        return found.text

    def cost(self, name: str, model: str) -> float | None:
        """The mean cost over seeds; None if it is not known."""
        costs = [one[name] for one in self.costs.get(model, []) if one[name] is not None]
        if not costs:
            return None
        return float(np.mean(costs))


def _told(result: Result, part: str) -> dict[str, Any]:
    """What a comparison needs of a run; the results keep no recipe, since that of the cell is."""
    data: Mapping[str, Any] = result.data()
    told = {"loss": None, "cost": NO_COST, **data[HELD_OUT], "recipe": result.cell.recipe}
    if part == SIMULATED:
        told["metrics"] = data[SIMULATED]
    return told
