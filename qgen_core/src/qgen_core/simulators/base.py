"""What exact simulators share: shots, bits and readout errors, computed from exact values.

An adapter implements :meth:`Simulator.exact` for perfect readout. Sampling from the joint
distribution, readout errors and measurement bases are the same for all and are done here.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from qgen_core.circuits.circuit import Circuit, Gate, const
from qgen_core.circuits.measures import (
    Bits,
    Expectations,
    LinearReadout,
    Measure,
    Probabilities,
    Shots,
    State,
    check_measure,
    confuse,
    ideal,
    require_shots,
)
from qgen_core.circuits.parameter_shift import parameter_shift
from qgen_core.errors import BadOption
from qgen_core.events import index_to_bits
from qgen_core.interfaces import Backend
from qgen_core.simulators.outcomes import sample_counts, sample_indices
from qgen_core.support.resources import require_memory
from qgen_core.typing import AnglePullback, Array, Floats


class Simulator(Backend):
    """A backend with exact values.

    A subclass implements :meth:`exact`, and :meth:`exact_forward` if it has a gradient that is
    better than parameter shift.

    >>> from qgen_core.circuits.circuit import param
    >>> class OneRotation(Simulator):  # the circuit is ry(angle) on one wire
    ...     def exact(self, circuit, angles, measure):
    ...         return np.concatenate([np.cos(angles / 2), np.sin(angles / 2)], axis=1) ** 2
    >>> circuit = Circuit(1, (Gate("ry", (0,), param(0)),))
    >>> OneRotation().probabilities(circuit, [np.pi / 2]).round(3)
    array([0.5, 0.5])
    >>> OneRotation().sample(circuit, [np.pi], shots=3, seed=1)[:, 0]
    array([1, 1, 1], dtype=int8)
    """

    @abstractmethod
    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        """Exact values for angles (B, A) and a measure with perfect readout.

        Probabilities (B, 2^Q), Expectations (B, words) or State (B, 2^Q). Raises BadOption for
        angles of another shape (see
        :func:`~qgen_core.simulators.base.checked_angles`), ResourceRefused for too little memory,
        and Unsupported for what the simulator does not have.
        """

    def exact_forward(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, AnglePullback]:
        """:meth:`exact` and its pullback, by default parameter shift.

        An engine overrides it to keep the state for an adjoint sweep.
        """

        def pullback(cotangent: Array) -> Floats:
            return parameter_shift(
                lambda rows: self.exact(circuit, rows, measure), circuit, angles, cotangent
            )

        return self.exact(circuit, angles, measure), pullback

    def run(
        self, circuit: Circuit, angles: Floats, measure: Measure, shots: Shots | None = None
    ) -> Array:
        self.check(circuit, shots)
        check_measure(measure, circuit.num_wires)
        if isinstance(measure, Bits):
            return self._bits(circuit, angles, measure, require_shots(shots, "Bits()"))
        if shots is not None:
            return self._estimates(circuit, angles, measure, shots)
        if isinstance(measure, State) or measure.confusion is None:
            return self.exact(circuit, angles, measure)
        if isinstance(measure, Probabilities):
            return confuse(self.exact(circuit, angles, ideal(measure)), measure.confusion)
        readout = LinearReadout.of(measure)
        return np.asarray(self.exact(circuit, angles, readout.measure) @ readout.matrix.T)

    def forward(
        self, circuit: Circuit, angles: Floats, measure: Measure, shots: Shots | None = None
    ) -> tuple[Array, AnglePullback]:
        if shots is not None or isinstance(measure, Bits | State):
            return super().forward(circuit, angles, measure, shots)
        self.check(circuit)
        check_measure(measure, circuit.num_wires)
        if measure.confusion is None:
            return self.exact_forward(circuit, angles, measure)
        if isinstance(measure, Expectations):
            readout = LinearReadout.of(measure)
            output, of_ideal = self.exact_forward(circuit, angles, readout.measure)
            read = np.asarray(output @ readout.matrix.T)
            return read, lambda cotangent: of_ideal(np.asarray(cotangent @ readout.matrix))
        output, of_ideal = self.exact_forward(circuit, angles, ideal(measure))
        transposed = measure.confusion.transpose(0, 2, 1)
        read = confuse(output, measure.confusion)
        return read, lambda cotangent: of_ideal(confuse(cotangent, transposed))

    def _bits(self, circuit: Circuit, angles: Floats, measure: Bits, shots: Shots) -> Array:
        """Bits (B, shots, Q)."""
        needed = len(angles) * shots.number * (circuit.num_wires + 16)
        require_memory(
            needed,
            f"{shots.number} shots of {circuit.num_wires} bits",
            "take fewer at once, or counts",
        )
        bits = []
        for probabilities in self._read_probabilities(circuit, angles, measure.confusion):
            outcomes = sample_indices(probabilities, shots.number, shots.rng)
            bits.append(index_to_bits(outcomes, circuit.num_wires))
        return np.stack(bits)

    def _estimates(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Probabilities | Expectations | State,
        shots: Shots,
    ) -> Array:
        """Relative frequencies (B, 2^Q) or mean Pauli words (B, words)."""
        if isinstance(measure, State):
            raise BadOption("a state is exact; it takes no shots")
        if isinstance(measure, Probabilities):
            return self._frequencies(circuit, angles, measure.confusion, shots)
        out = np.empty((len(angles), len(measure.paulis)))
        for basis, members in group_words(measure.paulis).items():
            rotated, extended = to_basis(circuit, angles, basis)
            frequencies = self._frequencies(rotated, extended, measure.confusion, shots)
            for member in members:
                out[:, member] = frequencies @ parity(measure.paulis[member])
        return out

    def _frequencies(
        self, circuit: Circuit, angles: Floats, confusion: Floats | None, shots: Shots
    ) -> Floats:
        probabilities = self._read_probabilities(circuit, angles, confusion)
        return sample_counts(probabilities, shots.number, shots.rng) / shots.number

    def _read_probabilities(
        self, circuit: Circuit, angles: Floats, confusion: Floats | None
    ) -> Floats:
        """Exact probabilities of the outcomes as they are read, (B, 2^Q)."""
        return confuse(self.exact(circuit, angles, Probabilities()), confusion)


def checked_angles(circuit: Circuit, angles: Floats) -> Floats:
    """Angles as contiguous float64. Raises BadOption unless they are rows (B, A) of the circuit.

    >>> checked_angles(Circuit(1, ()), np.zeros((2, 3)))
    Traceback (most recent call last):
        ...
    qgen_core.errors.BadOption: BadOption: angles have the shape (2, 3); the circuit needs (B, 0)
    """
    rows = np.ascontiguousarray(angles, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != circuit.num_angles:
        raise BadOption(
            f"angles have the shape {rows.shape}; the circuit needs (B, {circuit.num_angles})"
        )
    return rows


def group_words(words: tuple[str, ...]) -> dict[str, list[int]]:
    """Measurement bases, each with the indices of the words that are measured in it.

    Each word joins the first basis that it agrees with on every wire, so that few bases are
    measured.

    >>> group_words(("ZI", "IZ", "XX", "XI"))
    {'ZZ': [0, 1], 'XX': [2, 3]}
    """
    groups: dict[str, list[int]] = {}
    for index, word in enumerate(words):
        for basis in groups:
            common = _common_basis(word, basis)
            if common is not None:
                members = groups.pop(basis)
                groups[common] = [*members, index]
                break
        else:
            groups[word] = [index]
    return groups


def _common_basis(word: str, basis: str) -> str | None:
    """The basis in which both are measured; None where they differ on a wire."""
    letters = []
    for of_word, of_basis in zip(word, basis, strict=True):
        if of_word == "I":
            letters.append(of_basis)
        elif of_basis in ("I", of_word):
            letters.append(of_word)
        else:
            return None
    return "".join(letters)


def to_basis(circuit: Circuit, angles: Floats, basis: str) -> tuple[Circuit, Floats]:
    """The circuit with rotations at its end that turn X and Y to Z, and its angles (B, A').

    For a basis without X and Y it returns the circuit itself: backends cache what they compute for
    a circuit under its identity, so a copy would be compiled again.

    >>> rotated, angles = to_basis(Circuit(2, ()), np.empty((1, 0)), "XZ")
    >>> [gate.name for gate in rotated.gates], angles.round(3)
    (['ry'], array([[-1.571]]))
    """
    rotations = []
    fixed = []
    for wire, letter in enumerate(basis):
        if letter == "X":
            rotations.append(Gate("ry", (wire,), const(-np.pi / 2)))
            fixed.append(-np.pi / 2)
        elif letter == "Y":
            rotations.append(Gate("rx", (wire,), const(np.pi / 2)))
            fixed.append(np.pi / 2)
    if not rotations:
        return circuit, angles
    extended = np.concatenate([angles, np.tile(fixed, (len(angles), 1))], axis=1)
    return Circuit(circuit.num_wires, (*circuit.instructions, *rotations)), extended


def parity(word: str) -> Floats:
    """(-1)^(number of ones on the wires of a Pauli word) for each basis state (2^Q,).

    >>> parity("ZI")
    array([ 1.,  1., -1., -1.])
    """
    wires = 0
    for letter in word:
        wires = 2 * wires + int(letter != "I")
    ones = np.bitwise_count(np.arange(2 ** len(word)) & wires)
    signs: Floats = 1.0 - 2.0 * (ones % 2)
    return signs
