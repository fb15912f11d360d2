"""Results of the study ``mfc`` by case, and why some are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from qgen_core.studies import Result
from qgen_hep.studies.mfc.cases import Case
from qgen_hep.studies.seeds import NONE, Value, over_seeds

NO_SPECTRUM = "not run: give spectrum=PATH"


class Book:
    """What the cells gave, by case, and for cases without cells why there are none."""

    def __init__(self, results: Sequence[Result], cases: Iterable[Case]) -> None:
        self._values: dict[str, list[Value | None]] = {}
        for result in results:
            ((name, options),) = result.cell.measurements.items()
            self._values.setdefault(options["case"], []).append(result.value and result.value[name])
        self._packages: Mapping[str, str | None] = {case.name: case.package for case in cases}

    def seeds(self, case: str) -> list[Value | None]:
        """The values for each seed there is in the study; None for what has not been run."""
        return self._values.get(case, [])

    def whole(self, case: str) -> list[Value]:
        """Those that have been run."""
        return [value for value in self.seeds(case) if value is not None]

    def first(self, case: str) -> Value | None:
        """One of them to draw."""
        return next(iter(self.whole(case)), None)

    def number(self, case: str, number: Callable[[Value], float]) -> str:
        """A number over the seeds as text, or why there is none."""
        return over_seeds(self.seeds(case), number) if self.seeds(case) else self.reason(case)

    def once(self, case: str, number: Callable[[Value], float]) -> str:
        """A number that does not depend on the seed."""
        value = self.first(case)
        return NONE if value is None else f"{number(value):.2g}"

    def count(self, case: str, key: str) -> str:
        """A whole number of a value."""
        value = self.first(case)
        return NONE if value is None else str(value[key])

    def reason(self, case: str) -> str:
        """Why a case has no cells."""
        if case == "spectrum" and case not in self._packages:
            return NO_SPECTRUM
        package = self._packages.get(case)
        return NONE if package is None else f"not run: `pip install {package}`"


#: From ``tv`` or ``floor`` to that number of a value, the mean over features.
Quantity = Callable[[str], Callable[[Value], float]]


def over_features(key: str) -> Callable[[Value], float]:
    """A quantity of a model at one energy."""
    return lambda value: float(np.mean(value[key]))


def of_group(group: str) -> Quantity:
    """The quantities of a group of energies."""
    return lambda key: lambda value: float(np.mean(value["groups"][group][key]))


def at_energy(energy: float) -> Quantity:
    """Those of a conditional Born machine at one energy."""
    return lambda key: lambda value: float(value["energies"][f"{energy:g}"][key])
