"""Events, in physical units or encoded, with their conditions and weights."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BrokenPlugin, DataError
from qgen_core.support.cuts import Cut
from qgen_core.support.random_streams import stream
from qgen_core.support.resources import require_memory
from qgen_core.typing import Array, Floats

#: The largest number of distinct conditions for which target distributions are tabulated.
MAX_CONDITIONS = 4096


#: Events whose bits are read at once, so that the working arrays stay in the cache.
AT_ONCE = 2**14
#: Events that are counted at once, so that their numbers need little memory.
LARGE_PIECE = 2**18
#: Longest list of columns in the text of events.
LONGEST_REPR = 80


@dataclass(frozen=True)
class Space:
    """What encoded events look like: ``width`` columns of one kind.

    Args:
        kind: ``bits`` (int8, 0 or 1), ``spins`` (int8, -1 or +1), ``angles`` (floats, radians) or
            ``reals`` (floats).
        width: the number of columns.
        registers: the number of columns of each feature in order; empty for one register.

    Raises DataError for another kind, a width below 1, or registers that do not add up to it.

    >>> print(Space("bits", 8, (4, 4)))
    8 bits in registers (4, 4)
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
        text = f"{self.width} {self.kind}"
        if len(self.registers) > 1:
            text += f" in registers {self.registers}"
        return text


def bits_to_index(bits: Array) -> NDArray[np.int64]:
    """Basis-state numbers (...,) int64 of bits (..., Q); column 0 is the most significant bit.

    Raises DataError for more than 62 bits.

    >>> bits_to_index(np.array([[0, 1, 1], [1, 0, 0]])).tolist()
    [3, 4]
    """
    width = bits.shape[-1]
    if width > 62:
        raise DataError(f"{width} bits do not fit into a 64-bit basis-state number; at most 62 do")
    rows = bits.reshape(-1, width)
    index = np.empty(len(rows), dtype=np.int64)
    for start in range(0, len(rows), AT_ONCE):
        _gather_bits(rows[start : start + AT_ONCE], index[start : start + AT_ONCE])
    return index.reshape(bits.shape[:-1])


def _gather_bits(bits: Array, index: NDArray[np.int64]) -> None:
    """Write the numbers (N,) of bits (N, Q).

    Bits of one byte each are taken several at a time, as one number whose product with a constant
    has them side by side in its highest byte: bit j of w is shifted from place 8 j to place
    8 (w - 1) + (w - 1 - j), and no two of the products of others meet there.
    """
    width = bits.shape[1]
    together = next(size for size in (8, 4, 1) if width % size == 0)
    if together == 1 or bits.dtype.itemsize > 1 or not bits.flags.c_contiguous:
        index[:] = 0
        for column in range(width):
            index <<= 1
            index += bits[:, column].astype(np.int64, copy=False)
        return
    unsigned = np.dtype(f"<u{together}")
    words = bits.view(unsigned)
    factor = sum(1 << (9 * (together - 1) - 9 * j) for j in range(together))
    lowest = unsigned.type(8 * (together - 1))
    ones = unsigned.type(2**together - 1)
    index[:] = 0
    for word in range(width // together):
        index <<= together
        index |= ((words[:, word] * unsigned.type(factor) >> lowest) & ones).astype(np.int64)


def index_to_bits(index: Array, width: int) -> NDArray[np.int8]:
    """Bits (..., width) int8 of basis-state numbers (...,); inverse of :func:`bits_to_index`.

    >>> index_to_bits(np.array([3, 4]), 3).tolist()
    [[0, 1, 1], [1, 0, 0]]
    """
    index = np.asarray(index, dtype=np.int64)
    if width <= 16 and (
        index.size > 2**width or width <= 8
    ):  # a table is many times faster than shifting
        found: NDArray[np.int8] = np.take(_bit_table(width), index, axis=0)
        return found
    return _shifted(index, width)


@cache
def _bit_table(width: int) -> NDArray[np.int8]:
    """The bits (2^width, width) of all numbers."""
    return _shifted(np.arange(2**width), width)


def _shifted(index: NDArray[np.int64], width: int) -> NDArray[np.int8]:
    """Bits (..., width) of numbers (...,)."""
    shifts = np.arange(width - 1, -1, -1, dtype=np.int64)
    return ((index[..., None] >> shifts) & 1).astype(np.int8)


def _place_type(number: int) -> type[np.signedinteger[Any]]:
    """The type of the places of so many events; the smaller, the sooner they are shuffled."""
    if number < 2**31:
        return np.int32
    return np.int64


def distinct_rows(rows: Array) -> tuple[Array, NDArray[np.intp]]:
    """The distinct rows (C, K) of an array (N, K) in rising order, and the number (N,) of each.

    >>> different, number = distinct_rows(np.array([[2.0], [1.0], [2.0]]))
    >>> different.tolist(), number.tolist()
    ([[1.0], [2.0]], [1, 0, 1])
    """
    if rows.shape[1] == 1:  # numbers are sorted many times faster than rows
        different, number = np.unique(rows[:, 0], return_inverse=True)
        return different[:, None], number
    different, number = np.unique(rows, axis=0, return_inverse=True)
    return different, number.reshape(len(rows))


@dataclass(frozen=True, eq=False)
class Events:
    """N events with their features and, optionally, conditions and weights.

    Args:
        x: features (N, F), any type of number.
        condition: conditions (N, K); None: there are none.
        weight: weights (N,); they may be negative (subtraction at next-to-leading order), and
            must sum to more than 0. None: all events count the same.
        columns: names of the features; by default x0, x1, ...
        units: units of the features; by default "1".
        condition_columns: names of the conditions; by default c0, c1, ...
        provenance: where the events come from. Its key ``kind`` is measured, simulated, stand-in
            or generated, and every report repeats it.
        cuts: the cuts that the events have passed; their columns need not be among ``columns``.
            What the events are compared with is held to the same cuts.

    Raises DataError for shapes that do not fit together, values that are not finite (with their
    number and the first place) and weights that do not sum to more than 0.

    >>> jets = Events(np.array([[250.0, 80.0], [400.0, 91.0]]), columns=("pt", "mass"),
    ...               units=("GeV", "GeV"))
    >>> len(jets), jets.columns, jets.weights.tolist()
    (2, ('pt', 'mass'), [1.0, 1.0])
    """

    x: Array
    condition: Array | None = None
    weight: Floats | None = None
    columns: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    condition_columns: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    cuts: tuple[Cut, ...] = ()

    def __repr__(self) -> str:
        columns = []
        for name, unit in zip(self.columns, self.units, strict=True):
            if unit == "1":
                columns.append(name)
            else:
                columns.append(f"{name} [{unit}]")
        text = ", ".join(columns)
        if len(text) > LONGEST_REPR:
            text = f"{len(columns)} columns, {columns[0]} to {columns[-1]}"
        if self.condition_columns:
            text += f" given {len(self.condition_columns)} conditions"
        return f"Events({len(self)} of {text})"

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
                raise DataError(
                    f"conditions of shape {condition.shape} do not match {len(x)} events"
                )
            num_conditions = condition.shape[1]
            names = tuple(self.condition_columns) or tuple(f"c{i}" for i in range(num_conditions))
            if len(names) != num_conditions:
                raise DataError(f"{len(names)} names for {num_conditions} condition columns")
            _check_finite("condition", condition, names)
            object.__setattr__(self, "condition", condition)
            object.__setattr__(self, "condition_columns", names)
        if self.weight is not None:
            weight = np.asarray(self.weight, dtype=np.float64)
            if weight.shape != (len(x),):
                raise DataError(f"weights of shape {weight.shape} do not match {len(x)} events")
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
        """The weights (N,); ones where none are given."""
        if self.weight is None:
            return np.ones(len(self))
        return self.weight

    @cached_property
    def distinct_conditions(self) -> tuple[Array | None, NDArray[np.intp]]:
        """The distinct conditions (C, K), and the number (N,) of that of each event.

        Without conditions: None, and zeros.
        """
        if self.condition is None:
            return None, np.zeros(len(self), dtype=np.intp)
        return distinct_rows(self.condition)

    @property
    def described(self) -> str:
        """What the provenance says of them, for messages: their kind and where they come from.

        >>> Events(np.zeros((1, 1)), provenance={"kind": "measured", "file": "a.csv"}).described
        'measured events of a.csv'
        >>> Events(np.zeros((1, 1))).described
        'events of unknown origin'
        """
        kind = self.provenance.get("kind", "unknown")
        sources = [self.provenance.get(key) for key in ("file", "run", "name")]
        source = next(filter(None, sources), "unknown origin")
        if kind == "unknown":
            return f"events of {source}"
        if source == "unknown origin":
            return f"{kind} events"
        return f"{kind} events of {source}"

    def column(self, name: str) -> Array | None:
        """The feature or condition of a name (N,); None if there is none.

        >>> Events(np.array([[1.0, 2.0]]), columns=("pt", "mass")).column("mass").tolist()
        [2.0]
        """
        if name in self.columns:
            feature: Array = self.x[:, self.columns.index(name)]
            return feature
        if self.condition is not None and name in self.condition_columns:
            condition: Array = self.condition[:, self.condition_columns.index(name)]
            return condition
        return None

    def take(self, index: Array) -> Events:
        """The events at the positions of an index array, or where a mask (N,) is true.

        >>> Events(np.array([[1.0], [2.0], [3.0]])).take(np.array([True, False, True])).x.ravel()
        array([1., 3.])
        """
        places = np.asarray(index)
        if places.dtype == np.bool_:
            if places.shape != (len(self),):
                raise DataError(f"a mask of shape {places.shape} does not match {len(self)} events")
            places = np.flatnonzero(places)
        elif places.size == 0:
            places = places.astype(np.intp)
        # several times faster than x[places]
        x = self.x.take(places, axis=0)
        condition = self.condition
        if condition is not None:
            condition = condition.take(places, axis=0)
        weight = self.weight
        if weight is not None:
            weight = weight.take(places)
        return self.replace(x=x, condition=condition, weight=weight)

    @staticmethod
    def joined(pieces: Sequence[Events]) -> Events:
        """All events of several pieces with the same columns; what else is known is of the last.

        >>> piece = Events(np.array([[1.0], [2.0]]))
        >>> len(Events.joined([piece, piece]))
        4
        """
        last = pieces[-1]
        condition = None
        if last.condition is not None:
            conditions = [piece.condition for piece in pieces if piece.condition is not None]
            condition = np.concatenate(conditions)
        weight = None
        if any(piece.weight is not None for piece in pieces):
            weight = np.concatenate([piece.weights for piece in pieces])
        x = np.concatenate([piece.x for piece in pieces])
        return last.replace(x=x, condition=condition, weight=weight)

    def to_frame(self) -> Any:
        """The events as a pandas DataFrame: features, conditions, and ``weight`` if there are any.

        The units are in its ``attrs``. Raises BrokenPlugin if pandas is not installed.

        >>> events = Events(np.array([[250.0, 80.0]]), columns=("pt", "mass"))
        >>> frame = events.to_frame()
        >>> list(frame.columns), frame.attrs["units"]
        (['pt', 'mass'], {'pt': '1', 'mass': '1'})
        """
        try:
            pandas: Any = importlib.import_module("pandas")
        except ImportError as error:
            raise BrokenPlugin(
                f"Events.to_frame needs pandas; `pip install pandas` installs it ({error})"
            ) from error
        frame = pandas.DataFrame(self.x, columns=list(self.columns))
        if self.condition is not None:
            for name, values in zip(self.condition_columns, self.condition.T, strict=True):
                frame[name] = values
        if self.weight is not None:
            frame["weight"] = self.weight
        frame.attrs["units"] = dict(zip(self.columns, self.units, strict=True))
        return frame

    def replace(self, **changes: Any) -> Events:
        """A copy with some fields changed; give the names together with new columns.

        >>> Events(np.array([[1.0]])).replace(x=np.array([[2.0]])).x.tolist()
        [[2.0]]
        """
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Events(**(fields | changes))

    def split(
        self, seed: int, fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    ) -> tuple[Events, Events, Events]:
        """Training, validation and test events: a seeded permutation, cut at the fractions.

        Raises DataError unless the fractions are 0 or more, sum to 1 and leave training events.

        >>> parts = Events(np.arange(10.0)[:, None]).split(seed=7)
        >>> [len(part) for part in parts]
        [8, 1, 1]
        """
        shares = np.asarray(fractions, dtype=np.float64)
        if shares.shape != (3,) or np.any(shares < 0) or abs(shares.sum() - 1) > 1e-9:
            raise DataError(
                "fractions for training, validation and test are 0 or more and sum to 1, "
                f"not {fractions}"
            )
        order = np.arange(len(self), dtype=_place_type(len(self)))
        stream(seed, "split").shuffle(order)
        cuts = np.rint(np.cumsum(shares)[:2] * len(self)).astype(int)
        if cuts[0] == 0:
            raise DataError(f"{len(self)} events split by {fractions} leave none to train on")
        train, validation, test = (self.take(part) for part in np.split(order, cuts))
        return train, validation, test

    def target(self, space: Space) -> tuple[Array | None, Floats]:
        """Distinct conditions (C, K) and the distribution (C, 2^Q) of encoded bits for each.

        Without conditions: None, and one row. Events count with their weights. Raises DataError
        if the events are not bits of this space, if there are too many distinct conditions, or if
        negative weights leave a bin below zero, and ResourceRefused if the table is too large.

        >>> bits = Events(np.array([[0, 1], [0, 1], [1, 1], [0, 0]]))
        >>> bits.target(Space("bits", 2))[1].tolist()
        [[0.25, 0.5, 0.0, 0.25]]
        """
        if space.kind != "bits" or self.x.shape[1] != space.width:
            raise DataError(
                f"a target needs events of {space.width} bits, not {self.x.shape[1]} columns"
            )
        conditions = None
        number: NDArray[np.intp] | None = None
        rows = 1
        if self.condition is not None:
            conditions, number = distinct_rows(self.condition)
            rows = len(conditions)
        if rows > MAX_CONDITIONS:
            raise DataError(
                f"{rows} distinct conditions are too many to train on their distributions (at most "
                f"{MAX_CONDITIONS}); bin them in the condition encoder"
            )
        size = 2**space.width
        require_memory(2 * 8 * rows * size, f"a table of {rows} x 2^{space.width} probabilities")
        counts = np.zeros(rows * size)
        at_once = max(len(counts), LARGE_PIECE)
        if self.weight is not None:
            at_once = len(self)  # the last bits of a sum depend on its order
        for start in range(0, len(self), at_once):
            events = slice(start, start + at_once)
            cell = bits_to_index(self.x[events])
            if number is not None:
                cell += number[events] * size
            weight = None
            if self.weight is not None:
                weight = self.weight[events]
            counts += np.bincount(cell, weights=weight, minlength=len(counts))
        counts = counts.reshape(rows, size)
        if np.min(counts) < 0:
            worst = np.unravel_index(np.argmin(counts), counts.shape)
            raise DataError(
                f"negative weights leave bin {worst[1]} of condition {worst[0]} below zero"
            )
        return conditions, counts / counts.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Taken:
    """The ``condition`` (N, K) of a batch, from ``events`` at positions ``index`` (N,); None: all.

    >>> events = Events(np.zeros((2, 1)), np.array([[2.0], [1.0]]))
    >>> Taken(events, None, events.condition).events is events
    True
    """

    events: Events
    index: NDArray[np.int64] | None
    condition: Array | None


@dataclass(frozen=True, eq=False)
class Words:
    """Sets of wires, for each of which the product of Z over its wires is asked for.

    On a bit, Z is +1 for 0 and -1 for 1; the product over no wire is 1. The wires of word w are
    ``wires[starts[w] : starts[w + 1]]``, each once.

    Args:
        starts: where the words start, and the end of the last one (W + 1,).
        wires: the wires of all words, one after another (L,).

    >>> words = Words.of([[0, 2], [], [1]])
    >>> len(words), words.sizes.tolist(), words.take(np.array([True, False, True])).wires.tolist()
    (3, [2, 0, 1], [0, 2, 1])
    """

    starts: NDArray[np.int64]
    wires: NDArray[np.int64]

    @staticmethod
    def of(sets: Sequence[Sequence[int]]) -> Words:
        """The words of a list of sets of wires."""
        sizes = [len(wires) for wires in sets]
        starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        joined = [wire for wires in sets for wire in wires]
        return Words(starts.astype(np.int64), np.array(joined, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __repr__(self) -> str:
        return f"Words({len(self)} of up to {max(self.sizes, default=0)} wires)"

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """The number of wires of each word (W,)."""
        return np.diff(self.starts)

    def take(self, chosen: NDArray[np.bool_]) -> Words:
        """The words where a mask (W,) is true, in their order."""
        starts = np.concatenate([[0], np.cumsum(self.sizes[chosen])])
        return Words(starts, self.wires[np.repeat(chosen, self.sizes)])

    def incidence(self, width: int) -> Floats:
        """1 where a word has a wire, else 0: (W, width)."""
        matrix = np.zeros((len(self), width))
        matrix[np.repeat(np.arange(len(self)), self.sizes), self.wires] = 1.0
        return matrix


@dataclass(frozen=True, eq=False)
class Batch:
    """The data of one training step.

    A loss that reads ``probabilities`` gets the distinct conditions as ``condition`` (C, K) and
    their distributions as ``target`` (C, 2^Q). Other losses get a minibatch of encoded events
    ``x`` (N, width), with ``condition`` (N, K) and ``weight`` (N,). ``step`` counts from 0 to
    ``total`` - 1. ``taken`` says of which events the conditions are, for batches of a training.
    ``words`` are those whose expectations a loss that reads ``correlators`` asks for.

    >>> batch = Batch(target=np.array([[0.5, 0.5]]), step=3, total=100)
    >>> batch.x is None, batch.target.shape
    (True, (1, 2))
    """

    x: Array | None = None
    condition: Array | None = None
    weight: Floats | None = None
    target: Floats | None = None
    step: int = 0
    total: int = 1
    taken: Taken | None = None
    words: Words | None = None

    def distinct_conditions(self) -> tuple[Array | None, NDArray[np.intp]]:
        """The distinct conditions (C, K), and the number (N,) of that of each event of the batch.

        Conditions of the events that a batch was taken from are sorted once, not for each batch.

        >>> events = Events(np.zeros((3, 1)), np.array([[2.0], [1.0], [5.0]]))
        >>> index = np.array([2, 0, 2])
        >>> condition = events.condition[index]
        >>> taken = Taken(events, index, condition)
        >>> batch = Batch(events.x[index], condition, taken=taken)
        >>> conditions, number = batch.distinct_conditions()
        >>> conditions.tolist(), number.tolist()
        ([[2.0], [5.0]], [1, 0, 1])
        """
        if self.x is None or self.condition is None:
            count = 0
            if self.x is not None:
                count = len(self.x)
            return self.condition, np.zeros(count, dtype=np.intp)
        if self.taken is None or self.taken.condition is not self.condition:
            return distinct_rows(self.condition)
        conditions, number = self.taken.events.distinct_conditions
        if self.taken.index is None or conditions is None:
            return conditions, number
        number = number.take(self.taken.index)
        if len(conditions) > len(number):
            present, number = np.unique(number, return_inverse=True)
            return conditions[present], number
        is_present = np.bincount(number, minlength=len(conditions)) > 0
        if np.all(is_present):
            return conditions, number
        places = np.cumsum(is_present) - 1
        return conditions[is_present], places[number]

    def __repr__(self) -> str:
        arrays = {
            "x": self.x,
            "condition": self.condition,
            "weight": self.weight,
            "target": self.target,
        }
        told = [f"{name} {value.shape}" for name, value in arrays.items() if value is not None]
        if self.words is not None:
            told.append(f"{len(self.words)} words")
        return f"Batch({', '.join([*told, f'step {self.step} of {self.total}'])})"


def _check_finite(what: str, values: Array, names: tuple[str, ...]) -> None:
    if values.dtype.kind not in "fiub":
        raise DataError(f"{what} must hold numbers, not {values.dtype}")
    if values.dtype.kind == "f" and not np.isfinite(values.sum()):
        bad = ~np.isfinite(values)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            raise DataError(
                f"{what} has {int(bad.sum())} values that are not finite, the first in "
                f"{names[column]!r} of event {row}; drop or correct them before training"
            )
