"""The backend ``cirq``: Cirq's simulation states, complex128."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from qgen_core import Capabilities, Circuit, Expectations, Probabilities, Simulator, State
from qgen_core.circuits.circuit import Channel
from qgen_core.circuits.gates import GATES
from qgen_core.circuits.measures import Measure
from qgen_core.circuits.paulis import expectations_of_densities, expectations_of_states
from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import Unsupported
from qgen_core.simulators.base import checked_angles
from qgen_core.support.identity_cache import Remembered
from qgen_core.support.resources import require_qubits
from qgen_core.typing import Array, Floats

#: A simulation state holds its array and buffers to write the next one into.
ARRAYS = {"state": 2, "density": 4}


#: Gates that :func:`_gates` maps to Cirq's; others are refused.
MAPPED = frozenset(
    ("h", "x", "y", "z", "s", "t", "sx", "cx", "cz", "swap", "ecr")
    + ("rx", "ry", "rz", "p", "rxx", "ryy", "rzz", "crx", "cry", "crz")
)


class Step(NamedTuple):
    """An operation ready to act.

    A Cirq gate, or for a gate with an angle the function that makes it.
    """

    gate: Any
    turned: Callable[[float], Any] | None
    qubits: list[Any]


class CirqBackend(Simulator):
    """Cirq's pure states in complex128; density matrices for circuits with channels.

    Operations act on Cirq's simulation states one by one, which is what its simulators do inside of
    a circuit; to build and resolve a ``cirq.Circuit`` for each row takes a third longer. Rows of a
    batch run one after another, and gradients are by parameter shift, since Cirq has none. It is a
    reference to compare with; train on another backend.
    """

    capabilities = Capabilities(gates=MAPPED, noise=True)

    def __init__(self) -> None:
        self._cirq = import_optional("cirq", "backend 'cirq'", "cirq-core")
        self._steps: Remembered[Circuit, list[Step]] = Remembered()

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        arrays, power = (ARRAYS["density"], 2) if circuit.channels else (ARRAYS["state"], 1)
        rows = 0 if isinstance(measure, Expectations) else batch
        require_qubits(circuit.num_wires, lambda n: 16 * (arrays * 2 ** (power * n) + rows * 2**n))

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        if circuit.channels and isinstance(measure, State):
            raise Unsupported(
                "a circuit with channels has no State(); measure probabilities or expectations"
            )
        rows = checked_angles(circuit, angles)
        self.require(circuit, measure, len(rows))
        read = _read_density if circuit.channels else _read_state
        return np.concatenate([read(final, measure) for final in self._finals(circuit, rows)])

    def _finals(self, circuit: Circuit, angles: Floats) -> Iterator[Array]:
        """The state (1, 2^Q) or density matrix (1, 2^Q, 2^Q) after the circuit, for each row."""
        cirq = self._cirq
        steps = self._steps.get(circuit, lambda: self._translated(circuit))
        start = (
            cirq.DensityMatrixSimulationState
            if circuit.channels
            else cirq.StateVectorSimulationState
        )
        qubits, dim = cirq.LineQubit.range(circuit.num_wires), 2**circuit.num_wires
        for row in angles.tolist():
            state = start(qubits=qubits, initial_state=0, dtype=np.complex128)
            left = iter(row)
            for gate, turned, where in steps:
                cirq.act_on(gate if turned is None else turned(next(left)), state, where)
            yield state.target_tensor.reshape((1, dim, dim) if circuit.channels else (1, dim))

    def _translated(self, circuit: Circuit) -> list[Step]:
        """The circuit's operations; gates without an angle are made once."""
        fixed, turned = _gates(self._cirq)
        qubits = self._cirq.LineQubit.range(circuit.num_wires)
        steps = []
        for instruction in circuit.instructions:
            where = [qubits[wire] for wire in instruction.wires]
            if isinstance(instruction, Channel):
                steps.append(Step(self._cirq.KrausChannel(list(instruction.kraus)), None, where))
            elif instruction.angle is None:
                steps.append(Step(fixed[instruction.name], None, where))
            else:
                steps.append(Step(None, turned[instruction.name], where))
        return steps


def _gates(cirq: Any) -> tuple[dict[str, Any], dict[str, Callable[[float], Any]]]:
    """Cirq's gates by our names: those without an angle, and what makes those with one."""
    fixed = {
        **{
            "h": cirq.H,
            "x": cirq.X,
            "y": cirq.Y,
            "z": cirq.Z,
            "s": cirq.S,
            "t": cirq.T,
            "sx": cirq.X**0.5,
        },
        **{
            "cx": cirq.CNOT,
            "cz": cirq.CZ,
            "swap": cirq.SWAP,
            "ecr": cirq.MatrixGate(GATES["ecr"].matrix()),
        },
    }

    def half_turns(power_gate: Any) -> Callable[[float], Any]:
        """exp(-i t G / 2): t / pi half turns, and the phase that makes the mean eigenvalue one."""
        return lambda angle: power_gate(exponent=angle / np.pi, global_shift=-0.5)

    turned: dict[str, Callable[[float], Any]] = {
        "rx": lambda angle: cirq.Rx(rads=angle),
        "ry": lambda angle: cirq.Ry(rads=angle),
        "rz": lambda angle: cirq.Rz(rads=angle),
        "p": lambda angle: cirq.ZPowGate(exponent=angle / np.pi),
        "rxx": half_turns(cirq.XXPowGate),
        "ryy": half_turns(cirq.YYPowGate),
        "rzz": half_turns(cirq.ZZPowGate),
        "crx": lambda angle: cirq.ControlledGate(cirq.Rx(rads=angle)),
        "cry": lambda angle: cirq.ControlledGate(cirq.Ry(rads=angle)),
        "crz": lambda angle: cirq.ControlledGate(cirq.Rz(rads=angle)),
    }
    return fixed, turned


def _read_state(state: Array, measure: Measure) -> Array:
    """What is measured of a state (1, 2^Q)."""
    if isinstance(measure, Probabilities):
        return np.asarray(state.real**2 + state.imag**2)
    return (
        expectations_of_states(state, measure.paulis)
        if isinstance(measure, Expectations)
        else state
    )


def _read_density(density: Array, measure: Measure) -> Array:
    """What is measured of a density matrix (1, 2^Q, 2^Q)."""
    if isinstance(measure, Expectations):
        return expectations_of_densities(density, measure.paulis)
    return np.asarray(np.einsum("bii->bi", density).real)
