"""What every exact simulator shares: shots, bits and readout on top of exact values.

A simulator adapter implements :meth:`Simulator.exact` for perfect readout; sampling from the
joint distribution, readout confusion and Pauli bases are the same for all and stand here.
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
    """A backend that knows exact values."""

    @abstractmethod
    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        """Probabilities (B, 2^Q), Expectations (B, words) or State (B, 2^Q), readout perfect."""

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
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        shots: Shots | None = None,
    ) -> Array:
        self.check(circuit, shots)
        check_measure(measure, circuit.num_wires)
        if isinstance(measure, Bits):
            return self._sampled(circuit, angles, measure, require_shots(shots, "Bits()"))
        if shots is not None:
            return self._sampled(circuit, angles, measure, shots)
        if isinstance(measure, State) or measure.confusion is None:
            return self.exact(circuit, angles, measure)
        if isinstance(measure, Probabilities):
            return confuse(self.exact(circuit, angles, ideal(measure)), measure.confusion)
        readout = LinearReadout.of(measure)
        return np.asarray(self.exact(circuit, angles, readout.measure) @ readout.matrix.T)

    def forward(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        shots: Shots | None = None,
    ) -> tuple[Array, AnglePullback]:
        if shots is not None or isinstance(measure, Bits | State):
            return super().forward(circuit, angles, measure, shots)
        self.check(circuit)
        check_measure(measure, circuit.num_wires)
        if measure.confusion is None:
            return self.exact_forward(circuit, angles, measure)
        if isinstance(measure, Expectations):
            readout = LinearReadout.of(measure)
            output, back = self.exact_forward(circuit, angles, readout.measure)
            return np.asarray(output @ readout.matrix.T), lambda c: back(
                np.asarray(c @ readout.matrix)
            )
        output, back = self.exact_forward(circuit, angles, ideal(measure))
        transposed = measure.confusion.transpose(0, 2, 1)
        return confuse(output, measure.confusion), lambda c: back(confuse(c, transposed))

    def _sampled(self, circuit: Circuit, angles: Floats, measure: Measure, shots: Shots) -> Array:
        if isinstance(measure, State):
            raise BadOption("a state is exact; it takes no shots")
        if isinstance(measure, Expectations):
            return self._sampled_words(circuit, angles, measure, shots)
        if isinstance(measure, Bits):
            needed = len(angles) * shots.number * (circuit.num_wires + 16)
            require_memory(
                needed,
                f"{shots.number} shots of {circuit.num_wires} bits",
                "take fewer at once, or counts",
            )
        joint = confuse(self.exact(circuit, angles, Probabilities()), measure.confusion)
        if isinstance(measure, Bits):
            return np.stack(
                [
                    index_to_bits(sample_indices(p, shots.number, shots.rng), circuit.num_wires)
                    for p in joint
                ]
            )
        return np.stack([sample_counts(p, shots.number, shots.rng) / shots.number for p in joint])

    def _sampled_words(
        self, circuit: Circuit, angles: Floats, measure: Expectations, shots: Shots
    ) -> Array:
        out = np.empty((len(angles), len(measure.paulis)))
        for basis, members in group_words(measure.paulis).items():
            turned, extended = to_basis(circuit, angles, basis)
            frequencies = self._sampled(turned, extended, Probabilities(measure.confusion), shots)
            for member in members:
                out[:, member] = frequencies @ parity(measure.paulis[member])
        return out


def checked_angles(circuit: Circuit, angles: Floats) -> Floats:
    """Angles as contiguous float64. Raises BadOption unless they are rows (B, A) of the circuit."""
    rows = np.ascontiguousarray(angles, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != circuit.num_angles:
        raise BadOption(
            f"angles have the shape {rows.shape}; the circuit needs (B, {circuit.num_angles})"
        )
    return rows


def group_words(words: tuple[str, ...]) -> dict[str, list[int]]:
    """Measurement bases, each with the words (by number) that it reads, first fit first."""
    groups: dict[str, list[int]] = {}
    for number, word in enumerate(words):
        for basis in groups:
            pairs = list(zip(word, basis, strict=True))
            if all("I" in (a, b) or a == b for a, b in pairs):
                # Letters agree, or one of them is I, the least of all letters.
                merged = "".join(max(a, b) for a, b in pairs)
                members = groups.pop(basis)
                groups[merged] = [*members, number]
                break
        else:
            groups[word] = [number]
    return groups


#: The rotation before a measurement of Z that measures X or Y.
BASIS_ROTATIONS = {"X": ("ry", -np.pi / 2), "Y": ("rx", np.pi / 2)}


def to_basis(circuit: Circuit, angles: Floats, basis: str) -> tuple[Circuit, Floats]:
    """The circuit with final rotations from X and Y to Z, and its angles (B, A')."""
    rotations: list[Gate] = []
    constants: list[float] = []
    for wire, letter in enumerate(basis):
        if letter not in BASIS_ROTATIONS:
            continue
        name, angle = BASIS_ROTATIONS[letter]
        rotations.append(Gate(name, (wire,), const(angle)))
        constants.append(angle)
    if not rotations:  # the same object, since engines cache their plans by identity
        return circuit, angles
    extended = np.concatenate([angles, np.tile(constants, (len(angles), 1))], axis=1)
    return Circuit(circuit.num_wires, (*circuit.instructions, *rotations)), extended


def parity(word: str) -> Floats:
    """(-1)^(number of ones under the letters) for each basis state (2^Q,)."""
    signs = np.ones(1)
    for letter in word:
        signs = np.kron(signs, np.array([1.0, 1.0] if letter == "I" else [1.0, -1.0]))
    return signs
