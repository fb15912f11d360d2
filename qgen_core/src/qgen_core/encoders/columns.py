"""Base classes of encoders that map chosen columns and leave the others unchanged."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.checks import (
    all_in_row,
    matrix,
    not_fitted,
    require_accepted,
    require_keys,
    saved_width,
    training_matrix,
)
from qgen_core.errors import BadOption, CheckpointError
from qgen_core.events import Space
from qgen_core.interfaces import Encoder
from qgen_core.typing import Array, Floats, Rng


class ChosenColumns(Encoder):
    """Base class of encoders of chosen columns: which columns they are, fitting and saving.

    A subclass sets ``name``, and ``learns`` if it learns from training events: the names of the
    arrays (k,) that :meth:`_learn` returns for the k chosen columns. They are in ``self.learned``
    after ``fit``. Raises BadOption for column numbers that are negative or occur twice.

    Columns may be named where ``column_names``, the names of all columns, are known: a run supplies
    them. The state then holds the numbers of the named columns, so that loading it needs no names.

    >>> from qgen_core.encoders.standard import StandardEncoder
    >>> encoder = StandardEncoder(columns=[1]).fit(np.array([[5.0, 1.0], [6.0, 3.0]]))
    >>> {name: values.tolist() for name, values in encoder.learned.items()}
    {'mean': [2.0], 'deviation': [1.0]}
    """

    name: str
    kind: Literal["reals", "angles"] = "reals"
    learns: tuple[str, ...] = ()

    def __init__(
        self,
        columns: list[int | str] | None = None,
        column_names: Sequence[str] | None = None,
    ) -> None:
        self.columns = columns
        self.learned: dict[str, Floats] = {}
        self._by_name = any(isinstance(column, str) for column in columns or ())
        #: The numbers of the chosen columns; None for all, or for names that are not known yet.
        self._numbers: list[int] | None = None
        if self._by_name and column_names is None:
            return
        if columns is not None:
            self._numbers = [self._number(column, column_names or ()) for column in columns]
            twice = len(set(self._numbers)) != len(columns)
            if twice or min(self._numbers, default=-1) < 0:
                raise BadOption(
                    f"columns of {self.name} are different columns, by name or by number (0 or "
                    f"more), not {columns}"
                )

    def _number(self, column: int | str, names: Sequence[str]) -> int:
        if not isinstance(column, str):
            return column
        if column not in names:
            raise BadOption(
                f"columns of {self.name}: no column {column!r}; there are {', '.join(names)}"
            )
        return list(names).index(column)

    def _learn(self, x: Floats) -> dict[str, Floats]:
        return {}

    def fit(self, x: Array, condition: Array | None = None) -> Self:
        """Learn from training events (N, F).

        Raises DataError if there are none or if they are not finite, and BadOption if they lack a
        chosen column.
        """
        x = training_matrix(self.name, x)
        self.learned = self._learn(self._part(x))
        self.space = Space(self.kind, x.shape[1])
        return self

    def state(self) -> dict[str, Array]:
        state = {"width": np.array([self._width()])}
        if self._by_name:
            state["columns"] = np.array(self._numbers)
        for name in self.learns:
            state[name] = self.learned[name].copy()
        return state

    def load(self, state: Mapping[str, Array]) -> None:
        keys = {"width", *self.learns}
        if self._by_name:
            keys.add("columns")
        require_keys(self.name, state, keys)
        width = saved_width(self.name, state["width"])
        if self._by_name:
            self._numbers = self._saved_numbers(state["columns"])
        try:
            chosen = len(self._chosen(width))
        except BadOption as error:
            raise CheckpointError(
                f"the checkpoint is of events with {width} features; {error.args[0]}"
            ) from error
        for name in self.learns:
            if state[name].shape != (chosen,) or not np.isfinite(state[name]).all():
                raise CheckpointError(
                    f"{name!r} of {self.name} is not {chosen} finite numbers in the checkpoint"
                )
        self.learned = {name: np.array(state[name], dtype=np.float64) for name in self.learns}
        self.space = Space(self.kind, width)

    def _saved_numbers(self, saved: Array) -> list[int]:
        """The numbers of the named columns in a state. Raises CheckpointError for others."""
        count = len(self.columns or ())
        if saved.shape != (count,) or saved.dtype.kind != "i" or np.any(saved < 0):
            raise CheckpointError(
                f"the checkpoint of {self.name} does not say which columns {self.columns} are"
            )
        return [int(number) for number in saved]

    def _width(self) -> int:
        if not hasattr(self, "space"):
            raise not_fitted(self.name)
        return self.space.width

    def _chosen(self, width: int) -> list[int]:
        """The chosen column numbers. Raises BadOption for those that the events lack."""
        chosen = self._numbers
        if chosen is None and self._by_name:
            raise BadOption(
                f"columns of {self.name} are chosen by the names {self.columns}, and those of the "
                "events are not known: give column_names, e.g. column_names=events.columns"
            )
        if chosen is None:
            chosen = list(range(width))
        if max(chosen) >= width:
            raise BadOption(f"{self.name} maps columns {chosen}, the events have {width} columns")
        return chosen

    def _part(self, x: Array) -> Floats:
        """The chosen columns (N, k) in double precision."""
        part: Floats = x[:, self._chosen(x.shape[1])].astype(np.float64)
        return part

    def _with(self, x: Array, part: Floats) -> Floats:
        """``x`` (N, F) in double precision, with ``part`` (N, k) in the chosen columns."""
        result = x.astype(np.float64)
        result[:, self._chosen(x.shape[1])] = part
        return result


class ColumnEncoder(ChosenColumns):
    """Base class of encoders y = f(x) of each chosen column, with f invertible.

    A subclass defines :meth:`_map`, :meth:`_unmap` and :meth:`_log_slope` and, if f is not defined
    everywhere, :meth:`_inside` and :meth:`_allowed`.

    >>> class Halve(ColumnEncoder):
    ...     name = "halve"
    ...
    ...     def _map(self, x):
    ...         return x / 2
    ...
    ...     def _unmap(self, y):
    ...         return 2 * y
    ...
    ...     def _log_slope(self, x):
    ...         return np.full(x.shape, np.log(0.5))
    >>> x = np.array([[4.0, 4.0]])
    >>> Halve(columns=[1]).fit(x).encode(x).tolist()
    [[4.0, 2.0]]
    """

    @abstractmethod
    def _map(self, x: Floats) -> Floats:
        """The values of f at the chosen columns (N, k)."""

    @abstractmethod
    def _unmap(self, y: Floats) -> Floats:
        """The inverse of :meth:`_map`; also defined for values of a model outside its image."""

    @abstractmethod
    def _log_slope(self, x: Floats) -> Floats:
        """The logarithm of |df / dx| (N, k)."""

    def _inside(self, x: Array) -> NDArray[np.bool_]:
        """Where f is defined (N, k); ``x`` (N, k) is in the precision of the events."""
        return np.ones(x.shape, dtype=np.bool_)

    def _allowed(self) -> str:
        """What :meth:`_inside` accepts, in words."""
        return "finite values"

    def accepts(self, x: Array, condition: Array | None = None) -> NDArray[np.bool_]:
        """Which events (N,) are finite and where f is defined."""
        x = matrix(self.name, x, self._width())
        chosen = x[:, self._chosen(x.shape[1])]
        return all_in_row(np.isfinite(x)) & all_in_row(self._inside(chosen))

    def encode(self, x: Array, condition: Array | None = None, *, rng: Rng | None = None) -> Array:
        """(N, F) to (N, F) float64. Raises DataError for events that are not accepted."""
        x = self._accepted(x)
        return self._with(x, self._map(self._part(x)))

    def decode(self, z: Array, condition: Array | None = None, *, rng: Rng) -> Array:
        """The inverse, (N, F) float64."""
        z = matrix(self.name, z, self._width())
        return self._with(z, self._unmap(self._part(z)))

    def log_det(self, x: Array, condition: Array | None = None) -> Floats | None:
        """The sum of log |df / dx| over the chosen columns (N,)."""
        total: Floats = self._log_slope(self._part(self._accepted(x))).sum(axis=1)
        return total

    def _accepted(self, x: Array) -> Array:
        x = matrix(self.name, x, self._width())
        require_accepted(self.name, x, self.accepts(x), self._allowed())
        return x
