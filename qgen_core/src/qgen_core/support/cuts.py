"""Cuts: selections of events by bounds on columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption
from qgen_core.typing import Array


@dataclass(frozen=True)
class Cut:
    """Keeps events with ``min <= column < max``; without a bound that side is open.

    >>> cut = Cut("jet2_pt", min=250.0)
    >>> cut.keeps(np.array([249.9, 250.0])).tolist()
    [False, True]
    >>> print(cut, "|", Cut("eta", -2.5, 2.5))
    jet2_pt >= 250 | -2.5 <= eta < 2.5
    """

    column: str
    min: float | None = None
    max: float | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.min, self.max) if bound is not None]
        if not bounds:
            raise BadOption(f"the cut on {self.column!r} needs a 'min' or a 'max'")
        finite = all(math.isfinite(bound) for bound in bounds)
        if not finite or bounds != sorted(set(bounds)):
            raise BadOption(
                f"the cut on {self.column!r} needs finite bounds with min < max, not {bounds}"
            )

    @classmethod
    def parse(cls, table: Mapping[str, Any]) -> Cut:
        """A cut from a recipe's table ``{column = "jet2_pt", min = 250}``.

        Raises BadOption for a table with other keys, or with bounds that are no numbers.

        >>> print(Cut.parse({"column": "jet2_pt", "min": 250}))
        jet2_pt >= 250
        """
        unknown = sorted(set(table) - {"column", "min", "max"})
        if unknown:
            raise BadOption(f"a cut takes column, min and max; not {unknown[0]!r}")
        column = table.get("column")
        if not isinstance(column, str):
            raise BadOption(f"a cut needs a 'column', this one has {dict(table)}")
        for side in ("min", "max"):
            bound = table.get(side, 0.0)
            if isinstance(bound, bool) or not isinstance(bound, int | float):
                raise BadOption(
                    f"{side!r} of the cut on {column!r} is a number, not {table[side]!r}"
                )
        return cls(column, table.get("min"), table.get("max"))

    def as_table(self) -> dict[str, str | float]:
        """The table that :meth:`parse` reads.

        >>> Cut("jet2_pt", min=250.0).as_table()
        {'column': 'jet2_pt', 'min': 250.0}
        """
        table: dict[str, str | float] = {"column": self.column}
        if self.min is not None:
            table["min"] = self.min
        if self.max is not None:
            table["max"] = self.max
        return table

    def keeps(self, values: Array) -> NDArray[np.bool_]:
        """A mask (N,) of the values that pass."""
        mask = np.ones(len(values), dtype=np.bool_)
        if self.min is not None:
            mask &= values >= self.min
        if self.max is not None:
            mask &= values < self.max
        return mask

    def __str__(self) -> str:
        if self.max is None:
            return f"{self.column} >= {self.min:g}"
        below = f"{self.column} < {self.max:g}"
        if self.min is None:
            return below
        return f"{self.min:g} <= {below}"
