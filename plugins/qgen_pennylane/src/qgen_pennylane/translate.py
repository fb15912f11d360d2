"""Translation of circuits and measures to PennyLane's operations and measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from qgen_core import Circuit, Expectations, Probabilities
from qgen_core.circuits.circuit import Channel, Instruction
from qgen_core.circuits.measures import Measure
from qgen_core.errors import Unsupported
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
#: The gates that PennyLane runs, for ``Capabilities.gates``.
MAPPED = frozenset(NAMES)
#: PennyLane's names of Pauli letters.
LETTERS = {"I": "Identity", "X": "PauliX", "Y": "PauliY", "Z": "PauliZ"}


def mapped_name(gate: str, names: Mapping[str, str] = NAMES) -> str:
    """PennyLane's name of a gate. Raises Unsupported for a gate that ``names`` lacks.

    >>> mapped_name("h")
    'Hadamard'
    """
    if gate not in names:
        raise Unsupported(
            f"qgen-pennylane maps no gate {gate!r} to PennyLane; it has {', '.join(names)}"
        )
    return names[gate]


class _Step(NamedTuple):
    """An instruction in PennyLane's terms: a finished operation, or a gate that takes an angle."""

    operation: Any | None
    rotation: Callable[..., Any] | None
    wires: list[int]


class Translator:
    """Creates tapes of circuits; operations without an angle are created once per circuit.

    ``qml`` is the module ``pennylane``; ``names`` replaces some of :data:`NAMES`.

    >>> import pennylane
    >>> from qgen_core import Gate, param
    >>> circuit = Circuit(2, (Gate("ry", (0,), param(0)), Gate("cx", (0, 1))))
    >>> tape = Translator(pennylane).tape(circuit, [0.3], [])
    >>> [operation.name for operation in tape.operations]
    ['RY', 'CNOT']
    """

    def __init__(self, qml: Any, names: Mapping[str, str] | None = None) -> None:
        self.qml = qml
        self.names = {**NAMES, **(names or {})}
        self._steps: Remembered[Circuit, list[_Step]] = Remembered()

    def tape(
        self, circuit: Circuit, angles: Iterable[Any], measurements: list[Any], **options: Any
    ) -> Any:
        """A tape; each of the angles (A,) is a number, or an array over the batch."""
        remaining_angles = iter(angles)
        operations = []
        for step in self._steps.get(circuit, lambda: self._translated(circuit)):
            if step.rotation is None:
                operations.append(step.operation)
            else:
                operations.append(step.rotation(next(remaining_angles), step.wires))
        return self.qml.tape.QuantumScript(operations, measurements, **options)

    def measurements(self, measure: Measure, num_wires: int) -> list[Any]:
        """PennyLane's measurements: probabilities, the state, or an expectation for each word."""
        if isinstance(measure, Expectations):
            return [self.qml.expval(self.word(letters)) for letters in measure.paulis]
        if isinstance(measure, Probabilities):
            return [self.qml.probs(wires=range(num_wires))]
        return [self.qml.state()]

    def word(self, letters: str) -> Any:
        """The observable of a Pauli word, letter i on wire i.

        >>> import pennylane
        >>> Translator(pennylane).word("IZ")
        Z(1)
        """
        factors = []
        for wire, letter in enumerate(letters):
            if letter != "I":
                factors.append(getattr(self.qml, LETTERS[letter])(wire))
        if not factors:
            return self.qml.Identity(0)
        if len(factors) == 1:
            return factors[0]
        return self.qml.prod(*factors)

    def _translated(self, circuit: Circuit) -> list[_Step]:
        return [self._step(instruction) for instruction in circuit.instructions]

    def _step(self, instruction: Instruction) -> _Step:
        wires = list(instruction.wires)
        if isinstance(instruction, Channel):
            channel = self.qml.QubitChannel(list(instruction.kraus), wires=wires)
            return _Step(channel, None, wires)
        gate = getattr(self.qml, mapped_name(instruction.name, self.names))
        if instruction.angle is None:
            return _Step(gate(wires), None, wires)
        return _Step(None, gate, wires)
