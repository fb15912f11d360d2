"""The encoder ``ratio``: columns divided by a condition, as in E / E_in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.checks import all_in_row, matrix, require_accepted
from qgen_core.encoders.columns import ChosenColumns
from qgen_core.errors import BadOption, CheckpointError, DataError
from qgen_core.typing import Array, Floats, Rng


class RatioEncoder(ChosenColumns):
    """``x / (factor c)`` with c > 0, a column of the event's condition.

    Events (N, F) with conditions (N, K) give (N, F); the divided columns are without a unit if
    their unit is that of the condition over ``factor``.

    Args:
        by: name or number of the condition's column c.
        factor: the condition's unit in units of the columns, e.g. 1000 for columns in MeV and a
            condition in GeV.
        columns: names or numbers of the columns to divide; None: all.
        column_names: the names of all columns; a run supplies them.
        condition_names: the names of the condition's columns; a run supplies them.

    The state holds the number of a named condition, so that loading it needs no names.

    Raises BadOption for a factor that is not above 0, a negative ``by`` or a name that no condition
    has; all methods raise DataError without a condition, and ``encode`` where it is not above 0.

    Source: E / E_in of docs/readings.md.

    >>> import numpy as np
    >>> x = np.array([[30.0, 2.0]])
    >>> energy = np.array([[120.0]])
    >>> encoder = RatioEncoder(columns=[0]).fit(x, energy)
    >>> z = encoder.encode(x, energy)
    >>> z.tolist()
    [[0.25, 2.0]]
    >>> encoder.decode(z, energy, rng=np.random.default_rng(0)).tolist()
    [[30.0, 2.0]]
    """

    name = "ratio"

    def __init__(
        self,
        *,
        by: int | str = 0,
        factor: float = 1.0,
        columns: list[int | str] | None = None,
        column_names: Sequence[str] | None = None,
        condition_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(columns, column_names)
        if not (np.isfinite(factor) and factor > 0):
            raise BadOption(f"the factor of {self.name} is a number above 0, not {factor:g}")
        self.by = by
        self.factor = factor
        #: The number of the condition; None for a name whose number is not known yet.
        self._condition: int | None = None
        if not isinstance(by, str):
            if by < 0:
                raise BadOption(
                    f"by of {self.name} is a condition column, by name or by number (0 or more), "
                    f"not {by}"
                )
            self._condition = by
        elif condition_names is not None:
            if by not in condition_names:
                there = ", ".join(condition_names) or "none"
                raise BadOption(f"by of {self.name}: no condition {by!r}; there are {there}")
            self._condition = list(condition_names).index(by)

    def state(self) -> dict[str, Array]:
        """The number of features, and those of named columns and of a named condition."""
        state = super().state()
        if isinstance(self.by, str):
            state["by"] = np.array([self._divisor()])
        return state

    def load(self, state: Mapping[str, Array]) -> None:
        """Restore them. Raises CheckpointError for other arrays."""
        rest = dict(state)
        if isinstance(self.by, str):
            saved = rest.pop("by", np.empty(0))
            if saved.shape != (1,) or saved.dtype.kind != "i" or saved[0] < 0:
                raise CheckpointError(
                    f"the checkpoint of {self.name} does not say which condition {self.by!r} is"
                )
            self._condition = int(saved[0])
        super().load(rest)

    def _divisor(self) -> int:
        """The number of the condition's column. Raises BadOption if only its name is known."""
        if self._condition is None:
            raise BadOption(
                f"by of {self.name} is the condition {self.by!r}, and the names of the conditions "
                "are not known: give condition_names, e.g. condition_names=events.condition_columns"
            )
        return self._condition

    def accepts(self, x: Array, condition: Array | None = None) -> NDArray[np.bool_]:
        """Which events (N,) are finite and have a condition above 0."""
        return self._divisible(x, condition)

    def encode(self, x: Array, condition: Array | None = None, *, rng: Rng | None = None) -> Array:
        """(N, F) to (N, F) float64."""
        x = matrix(self.name, x, self._width())
        return self._with(x, self._part(x) / self._positive(x, condition)[:, None])

    def decode(self, z: Array, condition: Array | None = None, *, rng: Rng) -> Array:
        """The inverse, (N, F) float64."""
        z = matrix(self.name, z, self._width())
        return self._with(z, self._part(z) * self._positive(z, condition)[:, None])

    def log_det(self, x: Array, condition: Array | None = None) -> Floats | None:
        """``-k log(factor c)`` (N,) for k divided columns."""
        x = matrix(self.name, x, self._width())
        count = len(self._chosen(x.shape[1]))
        return -count * np.log(self._positive(x, condition))

    def _unit(self, x: Array, condition: Array | None) -> Floats:
        by = self._divisor()
        if (
            condition is None
            or np.ndim(condition) != 2
            or condition.shape[1] <= by
            or len(condition) != len(x)
        ):
            found = "none"
            if condition is not None:
                found = f"an array {np.shape(condition)} for {len(x)} events"
            raise DataError(
                f"{self.name} divides by column {by} of each event's condition; there is {found}"
            )
        unit: Floats = np.asarray(condition)[:, by].astype(np.float64)
        return unit

    def _divisible(self, x: Array, condition: Array | None) -> NDArray[np.bool_]:
        """Which rows (N,), of events or of their images, are finite with a condition above 0."""
        unit = self._unit(x, condition)
        finite = all_in_row(np.isfinite(matrix(self.name, x, self._width())))
        return finite & np.isfinite(unit) & (unit > 0)

    def _positive(self, x: Array, condition: Array | None) -> Floats:
        divisible = self._divisible(x, condition)
        require_accepted(self.name, x, divisible, f"conditions above 0 in column {self.by}")
        return self.factor * self._unit(x, condition)
