"""What is measured of a circuit, with which shots, and with which readout errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadCircuit, BadOption
from qgen_core.support.identity_cache import Remembered
from qgen_core.typing import Floats, Rng

#: Wires whose matrices are multiplied to one: it costs less than a pass for each.
WIRES_AT_ONCE = 3


@dataclass(frozen=True, eq=False)
class _Measured:
    """A measure with readout errors.

    ``confusion[w, read, true]`` is the probability that the bit of wire w is read as ``read`` where
    it is ``true``, of shape (Q, 2, 2); None for perfect readout.
    """

    confusion: Floats | None = None

    def __post_init__(self) -> None:
        if self.confusion is None:
            return
        matrix = np.array(self.confusion, dtype=np.float64)
        if not _is_confusion(matrix):
            raise BadCircuit(
                "a readout confusion must have the shape (wires, 2, 2), entries >= 0 and columns "
                f"that sum to one; this one has the shape {matrix.shape}"
            )
        matrix.setflags(write=False)
        object.__setattr__(self, "confusion", matrix)


def _is_confusion(matrix: Floats) -> bool:
    """Whether an array is a stochastic matrix (2, 2) for each of one or more wires."""
    if matrix.ndim != 3 or matrix.shape[1:] != (2, 2) or len(matrix) == 0:
        return False
    columns = matrix.sum(axis=1)
    return np.allclose(columns, 1, atol=1e-9) and not np.min(matrix) < 0


@dataclass(frozen=True, eq=False)
class Probabilities(_Measured):
    """The probabilities of all outcomes, (B, 2^Q); with shots, their relative frequencies.

    Wire 0 is the most significant bit of an outcome. ``confusion`` (Q, 2, 2) are readout errors:
    ``confusion[w, read, true]`` is the probability to read the bit of wire w as ``read``.

    Raises BadCircuit for a confusion of another shape, with negative entries, or with columns that
    do not sum to one.

    >>> from qgen_core import backend
    >>> from qgen_core.circuits.circuit import Circuit, Gate
    >>> circuit = Circuit(1, (Gate("x", (0,)),))
    >>> backend("statevector").run(circuit, circuit.bind([]), Probabilities()).round(12)
    array([[0., 1.]])
    """


@dataclass(frozen=True, eq=False)
class Bits(_Measured):
    """The outcome of each shot, (B, shots, Q) int8; column w is wire w.

    ``confusion`` is that of :class:`Probabilities`, and BadCircuit is raised as there.

    >>> from qgen_core import backend
    >>> from qgen_core.circuits.circuit import Circuit, Gate
    >>> circuit = Circuit(2, (Gate("x", (1,)),))
    >>> backend("statevector").sample(circuit, [], shots=2, seed=1).tolist()
    [[0, 1], [0, 1]]
    """


@dataclass(frozen=True, eq=False)
class State:
    """The state vector, (B, 2^Q) complex, which only exact simulators of pure states have.

    >>> from qgen_core import backend
    >>> from qgen_core.circuits.circuit import Circuit, Gate
    >>> circuit = Circuit(1, (Gate("x", (0,)),))
    >>> backend("statevector").run(circuit, circuit.bind([]), State()).shape
    (1, 2)
    """


@dataclass(frozen=True, eq=False)
class Expectations:
    """Expectation values of Pauli words, (B, words).

    A word has one of I, X, Y and Z for each wire, wire 0 first: ``"ZIX"``. With shots, words that
    have no different letters on a wire, other than I, are read from the same shots, so that their
    joint distribution is right. ``confusion`` is that of :class:`Probabilities`.

    Raises BadCircuit for other letters, for words of different lengths or without letters, for no
    words at all, and for a wrong confusion.

    >>> Expectations("ZI").paulis
    ('ZI',)
    """

    paulis: tuple[str, ...]
    confusion: Floats | None = None

    def __post_init__(self) -> None:
        _Measured.__post_init__(self)  # type: ignore[arg-type]
        words = tuple(self.paulis)
        if isinstance(self.paulis, str):
            words = (self.paulis,)
        object.__setattr__(self, "paulis", words)
        if not words or not all(_is_word(word, len(words[0])) for word in words):
            raise BadCircuit(
                f"Pauli words are strings over I, X, Y, Z of one common length, not {words[:4]}"
            )


def _is_word(word: str, length: int) -> bool:
    """Whether a string is a Pauli word of this length, which is not zero."""
    return 0 < len(word) == length and set(word) <= set("IXYZ")


@dataclass(frozen=True)
class Shots:
    """The number of measurements of each circuit, and the random generator that draws outcomes.

    A backend draws from ``rng`` and so advances it: a second run gives other outcomes.

    Raises BadOption for a ``number`` below 1 and an ``rng`` that is not a numpy generator.

    >>> shots = Shots(1000, np.random.default_rng(7))
    >>> shots.number
    1000
    >>> Shots(0, np.random.default_rng(7))
    Traceback (most recent call last):
        ...
    qgen_core.errors.BadOption: BadOption: shots must be at least 1, not 0
    """

    number: int
    rng: Rng

    def __post_init__(self) -> None:
        check_number_of_shots(self.number)
        if not isinstance(self.rng, np.random.Generator):
            raise BadOption(
                "shots need a numpy random generator, e.g. np.random.default_rng(7), "
                f"not {type(self.rng).__name__}"
            )

    @classmethod
    def of(cls, number: int | None, rng: Rng | None) -> Shots | None:
        """Shots for an option that may be None: None, for exact values, where ``number`` is None.

        A model uses it that has the number as an option and is given the generator in each call.
        Raises BadOption as the constructor does.

        >>> Shots.of(None, np.random.default_rng(7)) is None
        True
        """
        if number is None:
            return None
        return cls(number, rng)  # type: ignore[arg-type]  # checked there


def check_number_of_shots(number: int) -> None:
    """Raise BadOption for a number of shots below 1.

    >>> check_number_of_shots(1)
    """
    if number < 1:
        raise BadOption(f"shots must be at least 1, not {number}")


def require_shots(shots: Shots | None, what: str) -> Shots:
    """The shots, for a measure ``what`` that cannot be computed without. Raises BadOption for None.

    >>> require_shots(None, "Bits()")
    Traceback (most recent call last):
        ...
    qgen_core.errors.BadOption: BadOption: Bits() needs shots: pass Shots(number, rng)
    """
    if shots is None:
        raise BadOption(f"{what} needs shots: pass Shots(number, rng)")
    return shots


#: What a backend can be asked for.
Measure = Probabilities | Expectations | Bits | State
M = TypeVar("M", Probabilities, Expectations, Bits, State)


def pauli_z(num_wires: int) -> Expectations:
    """The measure of the expectation of Z on each wire, (B, Q).

    >>> pauli_z(3).paulis
    ('ZII', 'IZI', 'IIZ')
    """
    words = ["I" * w + "Z" + "I" * (num_wires - w - 1) for w in range(num_wires)]
    return Expectations(tuple(words))


def confusion_of(measure: Measure) -> Floats | None:
    """The readout confusion (Q, 2, 2) of a measure; None for perfect readout and for states.

    >>> confusion_of(State()) is None
    True
    """
    if isinstance(measure, State):
        return None
    return measure.confusion


def ideal(measure: M) -> M:
    """The same measure with perfect readout.

    >>> ideal(Probabilities(np.full((1, 2, 2), 0.5))).confusion is None
    True
    """
    if isinstance(measure, State) or measure.confusion is None:
        return measure
    return replace(measure, confusion=None)


def check_measure(measure: Measure, num_wires: int) -> None:
    """Raise BadCircuit for a measure of another number of wires.

    >>> check_measure(pauli_z(2), num_wires=2)
    """
    confusion = confusion_of(measure)
    if confusion is not None and len(confusion) != num_wires:
        raise BadCircuit(f"a confusion of {len(confusion)} wires does not fit {num_wires} wires")
    if isinstance(measure, Expectations) and len(measure.paulis[0]) != num_wires:
        raise BadCircuit(f"Pauli word {measure.paulis[0]!r} does not fit {num_wires} wires")


def confuse(probabilities: Floats, confusion: Floats | None) -> Floats:
    """The probabilities (B, 2^Q) with which outcomes are read, from the true ones (B, 2^Q).

    With the transpose of ``confusion`` (Q, 2, 2) on each wire this is the pullback. Without a
    confusion it returns the array it is given.

    >>> flip = np.array([[[0.9, 0.2], [0.1, 0.8]]])
    >>> confuse(np.array([[1.0, 0.0]]), flip)
    array([[0.9, 0.1]])
    """
    if confusion is None:
        return probabilities
    return on_each_wire(probabilities, confusion)


def on_each_wire(rows: Floats, matrices: Floats) -> Floats:
    """Rows (B, 2^Q) after the matrix (2, 2) of each wire, ``matrices`` (Q, 2, 2).

    >>> differences = np.array([[[0.5, 0.5], [0.5, -0.5]]])
    >>> on_each_wire(np.array([[0.75, 0.25]]), differences)
    array([[0.5 , 0.25]])
    """
    return on_blocks_of_wires(rows, blocks_of_wires(matrices))


def blocks_of_wires(matrices: Floats) -> list[Floats]:
    """The products of the matrices (2, 2) of up to three wires each, from ``matrices`` (Q, 2, 2).

    >>> [len(block) for block in blocks_of_wires(np.ones((4, 2, 2)))]
    [8, 2]
    """
    blocks = []
    for first in range(0, len(matrices), WIRES_AT_ONCE):
        blocks.append(reduce(_kron, matrices[first : first + WIRES_AT_ONCE]))
    return blocks


def on_blocks_of_wires(rows: Floats, blocks: Iterable[Floats]) -> Floats:
    """:func:`on_each_wire`, given what :func:`blocks_of_wires` returns.

    >>> blocks = blocks_of_wires(np.array([[[0.5, 0.5], [0.5, -0.5]]]))
    >>> on_blocks_of_wires(np.array([[0.75, 0.25]]), blocks)
    array([[0.5 , 0.25]])
    """
    out = rows
    for block in blocks:
        # these wires go from the front to the back; after all blocks the order is the old one
        in_front = out.reshape(len(rows), len(block), -1)
        out = in_front.transpose(0, 2, 1) @ block.T
    return out.reshape(rows.shape)


def _kron(a: Floats, b: Floats) -> Floats:
    """The Kronecker product; numpy's takes five times as long for small matrices."""
    size = len(a) * len(b)
    return np.multiply.outer(a, b).transpose(0, 2, 1, 3).reshape(size, size)


@dataclass(frozen=True)
class LinearReadout:
    """The linear map from true to read Pauli expectations: ``read = true @ matrix.T``.

    Z on a wire with confusion c is read as ``a + b Z``, where a = (c00 - c10 + c01 - c11) / 2 and
    b = (c00 - c10 - c01 + c11) / 2, and X and Y likewise. So a word with k letters other than I is
    read as a sum of the 2^k words in which some of these letters are I.

    ``measure`` has the words of these sums, with perfect readout; ``matrix`` has the shape (words
    read, words of ``measure``).

    >>> flip = np.array([[[0.9, 0.2], [0.1, 0.8]]])
    >>> readout = LinearReadout.of(Expectations("Z", flip))
    >>> readout.measure.paulis, readout.matrix.round(3).tolist()
    (('Z', 'I'), [[0.7, 0.1]])
    """

    measure: Expectations
    matrix: Floats

    @classmethod
    def of(cls, measure: Expectations) -> LinearReadout:
        """The map for a measure with readout errors; the identity for perfect readout."""
        confusion = measure.confusion
        if confusion is None:
            return cls(measure, np.eye(len(measure.paulis)))
        return _readouts.get(measure, lambda: cls.through(measure.paulis, confusion))

    @classmethod
    def through(cls, paulis: tuple[str, ...], maps: Floats) -> LinearReadout:
        """The same for any maps (Q, 2, 2) whose columns sum to one, e.g. inverse confusions.

        >>> readout = LinearReadout.through(("ZI",), np.tile(np.eye(2), (2, 1, 1)))
        >>> readout.measure.paulis, readout.matrix.tolist()
        (('ZI',), [[1.0]])
        """
        sign = np.array([1.0, -1.0])
        mean_sign = np.einsum("r,wrt->wt", sign, maps)  # that is read of a true 0 and of a true 1
        bias = mean_sign @ [0.5, 0.5]
        slope = mean_sign @ [0.5, -0.5]
        words: dict[str, int] = {}
        rows: list[dict[int, float]] = []
        for word in paulis:
            entries: dict[int, float] = {}
            for term, factor in _terms(word, bias, slope).items():
                column = words.setdefault(term, len(words))
                entries[column] = factor
            rows.append(entries)
        matrix: NDArray[Any] = np.zeros((len(rows), len(words)))
        for row, entries in enumerate(rows):
            matrix[row, list(entries)] = list(entries.values())
        return cls(Expectations(tuple(words)), matrix)


#: The maps of measures that exist: each step of a training reads the same measure.
_readouts: Remembered[Expectations, LinearReadout] = Remembered()


def _terms(word: str, bias: Floats, slope: Floats) -> dict[str, float]:
    """The product over wires of ``bias + slope P`` for letters P, as a sum of Pauli words."""
    terms: dict[str, float] = {"": 1.0}
    for wire, letter in enumerate(word):
        longer: dict[str, float] = {}
        for prefix, factor in terms.items():
            if letter == "I":
                longer[prefix + "I"] = factor
                continue
            longer[prefix + letter] = factor * slope[wire]
            if bias[wire]:
                longer[prefix + "I"] = factor * bias[wire]
        terms = longer
    return terms
