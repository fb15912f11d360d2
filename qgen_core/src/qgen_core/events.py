"""Events: physics numbers or encoded ones, with conditions and weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import DataError
from qgen_core.support.random_streams import stream
from qgen_core.support.resources import require_memory
from qgen_core.typing import Array, Floats

#: More distinct conditions than this make no sensible table of target distributions.
MAX_CONDITIONS = 4096


@dataclass(frozen=True)
class Space:
    """What encoded events look like: ``width`` columns of one kind.

    bits are int8 0 or 1, spins int8 -1 or +1, angles radians, reals anything. ``registers``
    are the widths of the features in order; empty when the columns are one register.
    """

    kind: Literal["bits", "spins", "angles", "reals"]
    width: int
    registers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "registers", tuple(self.registers))
        if self.kind not in ("bits", "spins", "angles", "reals"):
            raise DataError(f"a space holds bits, spins, angles or reals, not {self.kind!r}")
        if self.width < 1:
            raise DataError(f"a space needs a width of at least 1, not {self.width}")
        if self.registers and (sum(self.registers) != self.width or min(self.registers) < 1):
            raise DataError(f"registers {self.registers} do not add up to the width {self.width}")

    def __str__(self) -> str:
        parts = f" in registers {self.registers}" if len(self.registers) > 1 else ""
        return f"{self.width} {self.kind}{parts}"


def bits_to_index(bits: Array) -> NDArray[np.int64]:
    """Basis-state numbers of bits (..., Q); column 0 is the most significant bit."""
    width = bits.shape[-1]
    if width > 62:
        raise DataError(f"{width} bits do not fit a basis-state number; at most 62 do")
    powers = 1 << np.arange(width - 1, -1, -1, dtype=np.int64)
    index: NDArray[np.int64] = np.asarray(bits, dtype=np.int64) @ powers
    return index


def index_to_bits(index: Array, width: int) -> NDArray[np.int8]:
    """Bits (..., width) int8 of basis-state numbers; inverse of :func:`bits_to_index`."""
    index = np.asarray(index, dtype=np.int64)
    if width <= 16 and index.size > 2**width:  # looking up is many times faster than shifting
        found: NDArray[np.int8] = np.take(index_to_bits(np.arange(2**width), width), index, axis=0)
        return found
    shifts = np.arange(width - 1, -1, -1, dtype=np.int64)
    return ((index[..., None] >> shifts) & 1).astype(np.int8)


@dataclass(frozen=True, eq=False)
class Events:
    """N events: ``x`` (N, F), optional ``condition`` (N, K) and ``weight`` (N,).

    ``columns`` and ``units`` name the features, ``condition_columns`` the conditions.
    ``provenance`` says where they come from; its key ``kind`` is measured, simulated,
    stand-in or generated, and every report repeats it. Raises DataError for shapes that do
    not fit, values that are not finite (with their count and first place) and weights that
    sum to nothing. Weights may be negative (subtraction at next-to-leading order).
    """

    x: Array
    condition: Array | None = None
    weight: Floats | None = None
    columns: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    condition_columns: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        x = np.asarray(self.x)
        if x.ndim != 2 or x.shape[1] == 0:
            raise DataError(f"events have the shape (N, features), not {x.shape}")
        width = x.shape[1]
        columns = tuple(self.columns) or tuple(f"x{i}" for i in range(width))
        units = tuple(self.units) or ("1",) * width
        if len(columns) != width or len(units) != width:
            raise DataError(f"{len(columns)} names and {len(units)} units for {width} columns")
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "units", units)
        _check_finite("x", x, columns)
        if self.condition is not None:
            condition = np.asarray(self.condition)
            if condition.ndim != 2 or len(condition) != len(x):
                raise DataError(f"conditions {condition.shape} do not go with {len(x)} events")
            names = tuple(self.condition_columns) or tuple(
                f"c{i}" for i in range(condition.shape[1])
            )
            if len(names) != condition.shape[1]:
                raise DataError(f"{len(names)} names for {condition.shape[1]} condition columns")
            _check_finite("condition", condition, names)
            object.__setattr__(self, "condition", condition)
            object.__setattr__(self, "condition_columns", names)
        if self.weight is not None:
            weight = np.asarray(self.weight, dtype=np.float64)
            if weight.shape != (len(x),):
                raise DataError(f"weights {weight.shape} do not go with {len(x)} events")
            _check_finite("weight", weight[:, None], ("weight",))
            if len(weight) and not weight.sum() > 0:
                raise DataError(
                    f"the weights sum to {weight.sum():g}; they must sum to more than 0"
                )
            object.__setattr__(self, "weight", weight)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def weights(self) -> Floats:
        """``weight``, or ones."""
        return np.ones(len(self)) if self.weight is None else self.weight

    def take(self, index: Array) -> Events:
        """The events at an index array or where a mask is true."""
        return self.replace(
            x=self.x[index],
            condition=None if self.condition is None else self.condition[index],
            weight=None if self.weight is None else self.weight[index],
        )

    def replace(self, **changes: Any) -> Events:
        """A copy with some fields changed; new columns come with their names."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Events(**(fields | changes))

    def split(
        self, seed: int, fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    ) -> tuple[Events, Events, Events]:
        """Train, validation and test events: a seeded permutation, cut at the fractions.

        Raises DataError unless the fractions are >= 0, sum to 1 and leave events to train on.
        """
        shares = np.asarray(fractions, dtype=np.float64)
        if shares.shape != (3,) or np.any(shares < 0) or abs(shares.sum() - 1) > 1e-9:
            raise DataError(f"fractions for train, validation and test sum to 1, not {fractions}")
        order = stream(seed, "split").permutation(len(self))
        cuts = np.rint(np.cumsum(shares)[:2] * len(self)).astype(int)
        if cuts[0] == 0:
            raise DataError(f"{len(self)} events split by {fractions} leave none to train on")
        train, validation, test = (self.take(part) for part in np.split(order, cuts))
        return train, validation, test

    def target(self, space: Space) -> tuple[Array | None, Floats]:
        """Distinct conditions (C, K) and their distributions P (C, 2^Q) of encoded bits.

        Weighted; None and one row without conditions. Raises DataError when the events are
        not bits of this space, when conditions are too many to tabulate, or when negative
        weights leave a bin below zero.
        """
        if space.kind != "bits" or self.x.shape[1] != space.width:
            raise DataError(
                f"a target needs events of {space.width} bits, not {self.x.shape[1]} columns"
            )
        index = bits_to_index(self.x)
        conditions, row = None, np.zeros(len(self), dtype=np.int64)
        if self.condition is not None:
            conditions, row = np.unique(self.condition, axis=0, return_inverse=True)
            if len(conditions) > MAX_CONDITIONS:
                raise DataError(
                    f"{len(conditions)} distinct conditions are too many to train on their "
                    f"distributions (at most {MAX_CONDITIONS}); bin them in the condition encoder"
                )
        size = 2**space.width
        rows = 1 if conditions is None else len(conditions)
        require_memory(2 * 8 * rows * size, f"a table of {rows} x 2^{space.width} probabilities")
        counts = np.bincount(
            row.ravel() * size + index, weights=self.weights, minlength=rows * size
        )
        counts = counts.reshape(rows, size)
        if np.min(counts) < 0:
            worst = np.unravel_index(np.argmin(counts), counts.shape)
            raise DataError(
                f"negative weights leave bin {worst[1]} of condition {worst[0]} below zero"
            )
        return conditions, counts / counts.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Batch:
    """What one training step looks at.

    For the output ``probabilities``: ``condition`` (C, K) holds the distinct conditions and
    ``target`` (C, 2^Q) their distributions. For the others: ``x`` (N, width) is a minibatch
    of encoded events with ``condition`` (N, K) and ``weight`` (N,). ``step`` of ``total``.
    """

    x: Array | None = None
    condition: Array | None = None
    weight: Floats | None = None
    target: Floats | None = None
    step: int = 0
    total: int = 1


def _check_finite(what: str, values: Array, names: tuple[str, ...]) -> None:
    if values.dtype.kind not in "fiub":
        raise DataError(f"{what} holds {values.dtype} where numbers are needed")
    if values.dtype.kind == "f" and not np.isfinite(values.sum()):
        bad = ~np.isfinite(values)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise DataError(
                f"{what} has {int(bad.sum())} values that are not finite, the first in "
                f"{names[column]!r} of event {row}; drop or mend them before training"
            )
