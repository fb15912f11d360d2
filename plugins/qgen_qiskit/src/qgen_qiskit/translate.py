"""From the neutral circuit to Qiskit's, once per circuit.

Wire ``w`` of ``Q`` is qubit ``Q - 1 - w``. Qiskit's qubit 0 is the least significant bit, so the order
of its probabilities, the letters of its Pauli labels and the characters of its bit strings are then
those of qgen, and nothing has to be reversed afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Channel, Circuit
from qgen_core.discovery.optional_import import sdk
from qgen_core.errors import BadOption, Unsupported
from qgen_core.simulators.base import checked_angles
from qgen_core.support.identity_cache import Remembered
from qgen_core.typing import Floats

if TYPE_CHECKING:
    from qiskit.circuit import ParameterVector, QuantumCircuit


#: Our gates and the methods of ``QuantumCircuit`` that append them; other gates are refused.
GATES: dict[str, str] = {
    "h": "h",
    "x": "x",
    "y": "y",
    "z": "z",
    "s": "s",
    "t": "t",
    "sx": "sx",
    "cx": "cx",
    "cz": "cz",
    "ecr": "ecr",
    "swap": "swap",
    "rx": "rx",
    "ry": "ry",
    "rz": "rz",
    "p": "p",
    "rxx": "rxx",
    "ryy": "ryy",
    "rzz": "rzz",
    "crx": "crx",
    "cry": "cry",
    "crz": "crz",
}

_translated: Remembered[Circuit, tuple[QuantumCircuit, ParameterVector]] = Remembered()
_columns: Remembered[Circuit, NDArray[np.intp]] = Remembered()


def to_qiskit(circuit: Circuit) -> tuple[QuantumCircuit, ParameterVector]:
    """The circuit in Qiskit, and its parameters: one for each angle that is not constant.

    Element ``k`` belongs to the column ``free_columns(circuit)[k]`` of the angle array; constant angles
    are numbers in the circuit. Channels become Kraus instructions. The result is shared: copy it before
    changing it. Raises Unsupported for a gate that :data:`GATES` lacks.
    """
    return _translated.get(circuit, lambda: _translate(circuit))


def free_columns(circuit: Circuit) -> NDArray[np.intp]:
    """Columns of the angle array that belong to angles that are not constant."""
    return _columns.get(
        circuit,
        lambda: np.array(
            [k for k, a in enumerate(circuit.angles) if a.source != "const"], dtype=np.intp
        ),
    )


def free_angles(circuit: Circuit, angles: Floats) -> Floats:
    """Values (B, parameters) for the parameters of :func:`to_qiskit` from angle rows (B, A).

    Raises BadOption when the rows do not fit, or give a constant angle another value.
    """
    rows, columns = checked_angles(circuit, angles), free_columns(circuit)
    if len(columns) < rows.shape[1]:
        fixed = np.setdiff1d(np.arange(rows.shape[1]), columns)
        values = np.array([circuit.angles[k].offset for k in fixed])
        if np.any(rows[:, fixed] != values):
            raise BadOption("a row of angles gives a constant angle of the circuit another value")
    return rows[:, columns]


def qubits_of(wires: Sequence[int], num_wires: int) -> list[int]:
    """The qubits of wires."""
    return [num_wires - 1 - wire for wire in wires]


def _translate(circuit: Circuit) -> tuple[QuantumCircuit, ParameterVector]:
    qiskit_circuit = sdk("qiskit.circuit", "translating a circuit", "qiskit")
    built: QuantumCircuit = qiskit_circuit.QuantumCircuit(circuit.num_wires)
    vector: ParameterVector = qiskit_circuit.ParameterVector("angle", len(free_columns(circuit)))
    free = iter(vector)
    kraus: dict[int, object] = {}
    for instruction in circuit.instructions:
        qubits = qubits_of(instruction.wires, circuit.num_wires)
        if isinstance(instruction, Channel):
            if id(instruction) not in kraus:
                kraus[id(instruction)] = _kraus(instruction)
            built.append(
                kraus[id(instruction)], qubits[::-1], copy=False
            )  # a matrix has its last qubit first
            continue
        append = getattr(built, _method(instruction.name))
        angle = instruction.angle
        if angle is None:
            append(*qubits)
        elif angle.source == "const":
            append(angle.offset, *qubits)
        else:
            append(next(free), *qubits)
    return built, vector


def _method(name: str) -> str:
    """The method of ``QuantumCircuit`` for a gate."""
    if name not in GATES:
        raise Unsupported(f"qgen-qiskit maps no gate {name!r} to Qiskit; it has {', '.join(GATES)}")
    return GATES[name]


def _kraus(channel: Channel) -> object:
    """The instruction of a channel."""
    instruction = sdk("qiskit.circuit", "translating a circuit", "qiskit").Instruction
    return instruction("kraus", len(channel.wires), 0, list(channel.kraus))
