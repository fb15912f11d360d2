"""Handling of invalid numbers: values that are not finite, and negative energies."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import DataError
from qgen_hep.readers.table import Table

Invalid = Literal["error", "drop"]
Negative = Literal["error", "drop", "keep"]
ENERGY_UNITS = frozenset({"eV", "keV", "MeV", "GeV", "TeV"})
ENERGY_NAMES = frozenset({"pt", "et", "ht", "mass", "energy", "energies", "e"})
SIGNED_NAMES = frozenset({"px", "py", "pz"})


def is_energy(name: str, unit: str) -> bool:
    """Whether a column is never negative, judged by its unit or the last part of its name.

    >>> is_energy("jet1_pt", ""), is_energy("mjj", "GeV")
    (True, True)
    >>> is_energy("jet1_px", "GeV"), is_energy("eta", "1")
    (False, False)
    """
    last = re.split(r"[_./]", name.partition("[")[0].lower())[-1]
    return last not in SIGNED_NAMES and (unit in ENERGY_UNITS or last in ENERGY_NAMES)


def without_invalid(table: Table, policy: Invalid) -> Table:
    """The events whose numbers are all finite. Raises DataError under the policy ``error``."""
    if np.isfinite(table.values.sum()):
        return table
    bad: NDArray[np.bool_] = np.logical_not(np.isfinite(table.values))
    if bad.any() and policy == "error":
        raise DataError(
            f'{_first(table, bad, "that are not finite")}; mend the file or say invalid = "drop"'
        )
    return table.take(np.logical_not(np.any(bad, axis=1)), "not finite")


def without_negative(table: Table, policy: Negative) -> Table:
    """The events whose energies are not negative. Raises DataError under the policy ``error``."""
    if policy == "keep" or not table.values.min(initial=0.0) < 0:
        return table
    energies = [is_energy(name, unit) for name, unit in zip(table.names, table.units, strict=True)]
    bad = (table.values < 0) & np.array(energies)
    if bad.any() and policy == "error":
        raise DataError(
            f'{_first(table, bad, "below zero")}; mend the file or say negative = "drop" or "keep"'
        )
    return table.take(~bad.any(axis=1), "negative energy")


def _first(table: Table, bad: NDArray[np.bool_], what: str) -> str:
    """The number of bad values in the first column that has any, and the first of them."""
    column = int(np.argmax(bad.any(axis=0)))
    row = int(np.argmax(bad[:, column]))
    count = int(bad[:, column].sum())
    name = table.names[column]
    value = table.values[row, column]
    event = table.first + row
    return (
        f"{table.path}: {name!r} has {count} values {what}, the first is {value:g} in event {event}"
    )
