"""Results of the study ``jets`` by configuration, and numbers over seeds as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from qgen_core.studies import Result
from qgen_hep.studies.jets.points import CHOSEN, Point
from qgen_hep.studies.seeds import MISSING, NONE, Value, plus_minus

#: Shots of the paper's trainings, by the number of features.
TRAINED = {2: 8192, 3: 20000}
START = {"zero": "zero", "bell": "Bell", "ghz": "GHZ", "plus": "plus"}


class Book:
    """What the cells gave: ``points`` and ``targets`` hold None for what has not been run."""

    def __init__(self, results: Sequence[Result]) -> None:
        self.points: dict[Point, Value | None] = {}
        self.targets: dict[int, Value | None] = {}
        for result in results:
            point = Point.of(result.cell)
            if "target" in result.cell.measurements:
                self.targets[point.features] = result.value and result.value["target"]
            else:
                self.points[point] = result.value and result.value["trained"]

    def seeds(
        self, features: int, ansatz: int, start: str = "zero", **fields: Any
    ) -> list[Value | None]:
        """The values of one configuration for each seed there is in the study.

        Layers as the paper chose.
        """
        wanted = Point(features, ansatz, **{"layers": CHOSEN[ansatz], "start": start, **fields})
        return [
            value
            for point, value in self.points.items()
            if replace(point, seed=wanted.seed) == wanted
        ]

    def whole(self, features: int, ansatz: int, start: str = "zero", **fields: Any) -> list[Value]:
        """Those of them that have been run."""
        return [
            value for value in self.seeds(features, ansatz, start, **fields) if value is not None
        ]


def measured(values: Sequence[Value | None], shots: int, name: str) -> str:
    """A number as it is measured with shots.

    Mean over the seeds, and standard deviation over samples.
    """
    found = [value["shots"][str(shots)][name] for value in values if value is not None]
    if not found:
        return MISSING if values else NONE
    return plus_minus(np.mean(found, axis=0))


def parameters(values: Sequence[Value | None]) -> str:
    """The number of parameters of a configuration, as text."""
    return next(
        (str(value["parameters"]) for value in values if value is not None),
        MISSING if values else NONE,
    )


def exact_js(value: Value) -> float:
    """JS of the exact probabilities against all events."""
    return float(value["exact"]["js"])


def exact_d(value: Value) -> float:
    """D of the exact probabilities against all events."""
    return float(value["exact"]["d"])


def js_floor(book: Book, features: int, shots: int) -> str:
    """JS of so many shots of the target itself, as text."""
    target = book.targets.get(features)
    return MISSING if target is None else plus_minus(target["floors"][str(shots)]["js"])
