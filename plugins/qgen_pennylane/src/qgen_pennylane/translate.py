"""From the neutral circuit to PennyLane's operations, once per circuit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from qgen_core import Circuit, Expectations, Probabilities
from qgen_core.circuits.circuit import Channel
from qgen_core.circuits.measures import Measure
from qgen_core.support.identity_cache import Remembered

#: PennyLane's names of our gates; other gates are refused.
NAMES = {
    "h": "Hadamard",
    "x": "PauliX",
    "y": "PauliY",
    "z": "PauliZ",
    "s": "S",
    "t": "T",
    "sx": "SX",
    "cx": "CNOT",
    "cz": "CZ",
    "ecr": "ECR",
    "swap": "SWAP",
    "rx": "RX",
    "ry": "RY",
    "rz": "RZ",
    "p": "PhaseShift",
    "rxx": "IsingXX",
    "ryy": "IsingYY",
    "rzz": "IsingZZ",
    "crx": "CRX",
    "cry": "CRY",
    "crz": "CRZ",
}
#: For ``Capabilities.gates``.
MAPPED = frozenset(NAMES)
#: PennyLane's names of Pauli letters.
LETTERS = {"I": "Identity", "X": "PauliX", "Y": "PauliY", "Z": "PauliZ"}


class Translator:
    """Makes tapes of circuits; operations without an angle are made once a circuit.

    ``names`` replaces some of :data:`NAMES`.
    """

    def __init__(self, qml: Any, names: Mapping[str, str] | None = None) -> None:
        self.qml, self.names = qml, {**NAMES, **(names or {})}
        self._steps: Remembered[Circuit, list[tuple[Any, Callable[..., Any] | None, list[int]]]] = (
            Remembered()
        )

    def tape(
        self, circuit: Circuit, angles: Iterable[Any], measurements: list[Any], **options: Any
    ) -> Any:
        """A tape; each of the angles (A,) is a number, or an array over the batch."""
        left = iter(angles)
        steps = self._steps.get(circuit, lambda: self._translated(circuit))
        operations = []
        for fixed, turned, wires in steps:
            operations.append(fixed if turned is None else turned(next(left), wires))
        return self.qml.tape.QuantumScript(operations, measurements, **options)

    def measurements(self, measure: Measure, num_wires: int) -> list[Any]:
        """What PennyLane has to measure: probabilities, the state, or one expectation a word."""
        if isinstance(measure, Expectations):
            return [self.qml.expval(self.word(letters)) for letters in measure.paulis]
        return [
            self.qml.probs(wires=range(num_wires))
            if isinstance(measure, Probabilities)
            else self.qml.state()
        ]

    def word(self, letters: str) -> Any:
        """The observable of a Pauli word."""
        factors = [
            getattr(self.qml, LETTERS[c])(wire) for wire, c in enumerate(letters) if c != "I"
        ]
        if len(factors) < 2:
            return factors[0] if factors else self.qml.Identity(0)
        return self.qml.prod(*factors)

    def _translated(
        self, circuit: Circuit
    ) -> list[tuple[Any, Callable[..., Any] | None, list[int]]]:
        steps: list[tuple[Any, Callable[..., Any] | None, list[int]]] = []
        for instruction in circuit.instructions:
            wires = list(instruction.wires)
            if isinstance(instruction, Channel):
                steps.append(
                    (self.qml.QubitChannel(list(instruction.kraus), wires=wires), None, wires)
                )
                continue
            gate = getattr(self.qml, self.names[instruction.name])
            steps.append(
                (gate(wires), None, wires) if instruction.angle is None else (None, gate, wires)
            )
        return steps
