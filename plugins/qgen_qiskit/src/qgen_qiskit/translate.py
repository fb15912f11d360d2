"""Translation of circuits to Qiskit, once per circuit.

Wire ``w`` of ``Q`` is qubit ``Q - 1 - w``. Qiskit's qubit 0 is the least significant bit, so the
order of its probabilities, of the letters of its Pauli labels and of its bit strings is then that
of qgen, and nothing has to be reversed afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Channel, Circuit
from qgen_core.discovery.optional_import import import_optional
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
    """The circuit in Qiskit and its parameters, one for each angle that is not constant.

    Element ``k`` belongs to the column ``free_columns(circuit)[k]`` of the angle array; constant
    angles are numbers in the circuit. Channels become Kraus instructions. The result is cached:
    copy it before changing it. Raises Unsupported for a gate that :data:`GATES` lacks.

    >>> from qgen_core import Gate
    >>> built, parameters = to_qiskit(Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1)))))
    >>> [instruction.operation.name for instruction in built.data], len(parameters)
    (['h', 'cx'], 0)
    """
    return _translated.get(circuit, lambda: _translate(circuit))


def free_columns(circuit: Circuit) -> NDArray[np.intp]:
    """The columns of the angle array whose angles are not constant.

    >>> from qgen_core import Gate, const, param
    >>> gates = (Gate("rx", (0,), const(0.3)), Gate("ry", (0,), param(0)))
    >>> free_columns(Circuit(1, gates))
    array([1])
    """
    return _columns.get(circuit, lambda: _find_free_columns(circuit))


def _find_free_columns(circuit: Circuit) -> NDArray[np.intp]:
    is_free = np.array([angle.source != "const" for angle in circuit.angles], dtype=bool)
    return np.flatnonzero(is_free)


def free_angles(circuit: Circuit, angles: Floats) -> Floats:
    """The values (B, parameters) of the parameters of :func:`to_qiskit`, from angles (B, A).

    Raises BadOption if the angles do not fit the circuit, or give a constant angle another value.

    >>> from qgen_core import Gate, const, param
    >>> gates = (Gate("rx", (0,), const(0.3)), Gate("ry", (0,), param(0)))
    >>> free_angles(Circuit(1, gates), np.array([[0.3, 1.5]]))
    array([[1.5]])
    """
    rows = checked_angles(circuit, angles)
    columns = free_columns(circuit)
    if len(columns) < rows.shape[1]:
        fixed = np.setdiff1d(np.arange(rows.shape[1]), columns)
        values = np.array([circuit.angles[k].offset for k in fixed])
        if np.any(rows[:, fixed] != values):
            raise BadOption("a row of angles gives a constant angle of the circuit another value")
    return rows[:, columns]


def qubits_of(wires: Sequence[int], num_wires: int) -> list[int]:
    """Qiskit's qubits of wires.

    >>> qubits_of((0, 2), num_wires=3)
    [2, 0]
    """
    return [num_wires - 1 - wire for wire in wires]


def _translate(circuit: Circuit) -> tuple[QuantumCircuit, ParameterVector]:
    qiskit_circuit = import_optional("qiskit.circuit", "translating a circuit", "qiskit")
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
    instruction = import_optional("qiskit.circuit", "translating a circuit", "qiskit").Instruction
    return instruction("kraus", len(channel.wires), 0, list(channel.kraus))
