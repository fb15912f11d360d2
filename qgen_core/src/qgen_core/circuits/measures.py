"""What is read from a circuit, and what imperfect readout does to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadCircuit, BadOption
from qgen_core.typing import Floats, Rng


@dataclass(frozen=True, eq=False)
class _Measured:
    """``confusion[w, read, true]`` is the probability to read a bit on wire w; None: perfect."""

    confusion: Floats | None = None

    def __post_init__(self) -> None:
        if self.confusion is None:
            return
        matrix = np.array(self.confusion, dtype=np.float64)
        columns = matrix.sum(axis=1) if matrix.ndim == 3 else np.zeros(1)
        shaped = matrix.shape[1:] == (2, 2) and len(matrix) > 0
        if not shaped or not np.allclose(columns, 1, atol=1e-9) or np.min(matrix) < 0:
            raise BadCircuit(
                "a readout confusion has the shape (wires, 2, 2), entries >= 0 and columns "
                f"that sum to one; this one has the shape {matrix.shape}"
            )
        matrix.setflags(write=False)
        object.__setattr__(self, "confusion", matrix)


@dataclass(frozen=True, eq=False)
class Probabilities(_Measured):
    """All 2^Q outcome probabilities, (B, 2^Q); with shots, relative frequencies.

    >>> from qgen_core import backend
    >>> from qgen_core.circuits.circuit import Circuit, Gate
    >>> circuit = Circuit(1, (Gate("x", (0,)),))
    >>> backend("statevector").run(circuit, circuit.bind([]), Probabilities()).round(12)
    array([[0., 1.]])
    """


@dataclass(frozen=True, eq=False)
class Bits(_Measured):
    """Outcomes shot by shot, (B, shots, Q) int8; column w is wire w.

    >>> from qgen_core import backend
    >>> from qgen_core.circuits.circuit import Circuit, Gate
    >>> circuit = Circuit(2, (Gate("x", (1,)),))
    >>> backend("statevector").sample(circuit, [], shots=2, seed=1).tolist()
    [[0, 1], [0, 1]]
    """


@dataclass(frozen=True, eq=False)
class State:
    """The state vector, (B, 2^Q) complex; exact simulators of pure states only.

    >>> from qgen_core import backend
    >>> from qgen_core.circuits.circuit import Circuit, Gate
    >>> circuit = Circuit(1, (Gate("x", (0,)),))
    >>> backend("statevector").run(circuit, circuit.bind([]), State()).shape
    (1, 2)
    """


@dataclass(frozen=True, eq=False)
class Expectations:
    """Expectation values of Pauli words, (B, words).

    A word has one of I, X, Y, Z per wire, wire 0 first: ``"ZIX"``. With shots, words that
    agree wire by wire are read from the same shots, so their joint distribution is right.
    Raises BadCircuit for other letters or words of different lengths.

    >>> Expectations("ZI").paulis
    ('ZI',)
    """

    paulis: tuple[str, ...]
    confusion: Floats | None = None

    def __post_init__(self) -> None:
        _Measured.__post_init__(self)  # type: ignore[arg-type]
        words = (self.paulis,) if isinstance(self.paulis, str) else tuple(self.paulis)
        object.__setattr__(self, "paulis", words)
        if not words or any(
            set(w) - set("IXYZ") or len(w) != len(words[0]) or not w for w in words
        ):
            raise BadCircuit(
                f"Pauli words are strings over I, X, Y, Z of one common length, not {words[:4]}"
            )


@dataclass(frozen=True)
class Shots:
    """How often each circuit is measured, and the random generator that draws the outcomes.

    A backend draws from ``rng`` and leaves it advanced, so a second run gives new outcomes.

    Raises BadOption unless ``number`` is at least 1 and ``rng`` is a numpy generator.

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
        """So many shots, or None (exact values) where ``number`` is None.

        For an option ``shots`` of a model, whose random generator comes with each call.

        >>> Shots.of(None, np.random.default_rng(7)) is None
        True
        """
        if number is None:
            return None
        return cls(number, rng)  # type: ignore[arg-type]  # checked there


def check_number_of_shots(number: int) -> None:
    """Raise BadOption unless a number of shots is at least 1."""
    if number < 1:
        raise BadOption(f"shots must be at least 1, not {number}")


def require_shots(shots: Shots | None, what: str) -> Shots:
    """The shots, where ``what`` cannot do without. Raises BadOption for None.

    >>> require_shots(None, "Bits()")
    Traceback (most recent call last):
        ...
    qgen_core.errors.BadOption: BadOption: Bits() needs shots: pass Shots(number, rng)
    """
    if shots is None:
        raise BadOption(f"{what} needs shots: pass Shots(number, rng)")
    return shots


Measure = Probabilities | Expectations | Bits | State
M = TypeVar("M", Probabilities, Expectations, Bits, State)


def pauli_z(num_wires: int) -> Expectations:
    """The expectation of Z on each wire, (B, Q).

    >>> pauli_z(3).paulis
    ('ZII', 'IZI', 'IIZ')
    """
    return Expectations(tuple("I" * w + "Z" + "I" * (num_wires - w - 1) for w in range(num_wires)))


def confusion_of(measure: Measure) -> Floats | None:
    """The readout confusion of a measure; None for perfect readout and for states.

    >>> confusion_of(State()) is None
    True
    """
    return None if isinstance(measure, State) else measure.confusion


def ideal(measure: M) -> M:
    """The same measure with perfect readout.

    >>> ideal(Probabilities(np.full((1, 2, 2), 0.5))).confusion is None
    True
    """
    if isinstance(measure, State) or measure.confusion is None:
        return measure
    return replace(measure, confusion=None)


def check_measure(measure: Measure, num_wires: int) -> None:
    """Raise BadCircuit unless the measure fits a circuit of this width.

    >>> check_measure(pauli_z(2), num_wires=2)
    """
    confusion = confusion_of(measure)
    if confusion is not None and len(confusion) != num_wires:
        raise BadCircuit(f"a confusion of {len(confusion)} wires does not fit {num_wires} wires")
    if isinstance(measure, Expectations) and len(measure.paulis[0]) != num_wires:
        raise BadCircuit(f"Pauli word {measure.paulis[0]!r} does not fit {num_wires} wires")


def confuse(probabilities: Floats, confusion: Floats | None) -> Floats:
    """Read probabilities (B, 2^Q) from true ones.

    With ``confusion`` (Q, 2, 2) transposed per wire, this is the pullback.

    >>> flip = np.array([[[0.9, 0.2], [0.1, 0.8]]])
    >>> confuse(np.array([[1.0, 0.0]]), flip)
    array([[0.9, 0.1]])
    """
    if confusion is None:
        return probabilities
    out = probabilities
    for wire, matrix in enumerate(confusion):
        split = out.reshape(len(out), 2**wire, 2, -1)
        out = np.einsum("rt,bhtl->bhrl", matrix, split).reshape(len(out), -1)
    return out


@dataclass(frozen=True)
class LinearReadout:
    """Read Pauli expectations as a linear map of true ones: ``read = true @ matrix.T``.

    Z on a wire with confusion c reads as ``a + b Z``, a = (c00 - c10 + c01 - c11) / 2 and
    b = (c00 - c10 - c01 + c11) / 2, so a word of weight k needs its 2^k sub-words.

    >>> flip = np.array([[[0.9, 0.2], [0.1, 0.8]]])
    >>> readout = LinearReadout.of(Expectations("Z", flip))
    >>> readout.measure.paulis, readout.matrix.round(3).tolist()
    (('Z', 'I'), [[0.7, 0.1]])
    """

    measure: Expectations
    matrix: Floats

    @classmethod
    def of(cls, measure: Expectations) -> LinearReadout:
        """The perfect measure of all words needed, and the map to what is read."""
        if measure.confusion is None:
            return cls(measure, np.eye(len(measure.paulis)))
        return cls.through(measure.paulis, measure.confusion)

    @classmethod
    def through(cls, paulis: tuple[str, ...], maps: Floats) -> LinearReadout:
        """The same for any maps (Q, 2, 2) whose columns sum to one, e.g. inverse confusions."""
        sign = np.array([1.0, -1.0])
        lines = np.einsum("r,wrt->wt", sign, maps)
        bias = lines @ [0.5, 0.5]
        slope = lines @ [0.5, -0.5]
        words: dict[str, int] = {}
        rows: list[dict[int, float]] = []
        for word in paulis:
            terms: dict[str, float] = {"": 1.0}
            for wire, letter in enumerate(word):
                grown: dict[str, float] = {}
                for prefix, factor in terms.items():
                    if letter == "I":
                        grown[prefix + "I"] = factor
                        continue
                    grown[prefix + letter] = factor * slope[wire]
                    if bias[wire]:
                        grown[prefix + "I"] = factor * bias[wire]
                terms = grown
            rows.append({words.setdefault(w, len(words)): f for w, f in terms.items()})
        matrix: NDArray[Any] = np.zeros((len(rows), len(words)))
        for row, entries in enumerate(rows):
            matrix[row, list(entries)] = list(entries.values())
        return cls(Expectations(tuple(words)), matrix)
