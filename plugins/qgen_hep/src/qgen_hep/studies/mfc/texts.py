"""Numbers of the study ``mfc`` as texts, or the reason why a number is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from qgen_core.studies import NONE, Results
from qgen_hep.studies.mfc.grid import Case
from qgen_hep.studies.shared.summary import of_first

Data = Mapping[str, Any]
Number = Callable[[Any], float]
#: From ``tv`` or ``floor`` to that number of a measurement's data, the mean over features.
Quantity = Callable[[str], Number]
NO_SPECTRUM = "not run: give spectrum=PATH"


class Texts:
    """Numbers of cases as texts. ``cases`` are those that the study has when all is installed."""

    def __init__(self, results: Results, cases: Iterable[Case]) -> None:
        self.results = results
        self._packages = {case.name: case.package for case in cases}

    def of(self, case: str) -> Results:
        """The seeds of a case; no results if a package that it needs is not installed."""
        return self.results.where(case=case)

    def over_seeds(self, case: str, number: Number) -> str:
        """A number over the seeds, or the reason why the case was not run."""
        found = self.of(case)
        if not found:
            return self.reason(case)
        return found.summary(number).text()

    def once(self, case: str, number: Number, form: str = ".2g") -> str:
        """A number that does not depend on the seed."""
        return of_first(self.of(case), number, form) or NONE

    def count(self, case: str, key: str) -> str:
        """A whole number that does not depend on the seed."""
        return self.once(case, lambda data: data[key], "d")

    def reason(self, case: str) -> str:
        """Why a case has no cells."""
        if case == "spectrum" and case not in self._packages:
            return NO_SPECTRUM
        package = self._packages.get(case)
        if package is None:
            return NONE
        return f"not run: `pip install {package}`"


def over_features(key: str) -> Number:
    """A quantity of a model at one energy."""
    return lambda data: float(np.mean(data[key]))


def of_group(group: str) -> Quantity:
    """The quantities of a group of energies."""
    return lambda key: lambda data: float(np.mean(data["groups"][group][key]))


def at_energy(energy: float) -> Quantity:
    """The quantities of a conditional Born machine at one energy."""
    return lambda key: lambda data: float(data["energies"][f"{energy:g}"][key])
