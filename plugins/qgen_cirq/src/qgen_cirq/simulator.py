"""The backend ``cirq``: Cirq's simulation states, complex128."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from qgen_cirq.gates import GATES, mapped_gate
from qgen_core import Capabilities, Circuit, Expectations, Probabilities, Simulator, State
from qgen_core.circuits.circuit import Channel
from qgen_core.circuits.measures import Measure
from qgen_core.circuits.paulis import expectations_of_densities, expectations_of_states
from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import Unsupported
from qgen_core.simulators.base import checked_angles
from qgen_core.support.identity_cache import Remembered
from qgen_core.support.resources import require_qubits
from qgen_core.typing import Array, Floats

#: Arrays that Cirq holds at once: those of the state, and buffers for the next one.
ARRAYS_OF_STATE = 2
ARRAYS_OF_DENSITY = 4


class CirqStep(NamedTuple):
    """An operation on Cirq's qubits: ``gate``, or what ``make`` returns for the angle."""

    gate: Any
    make: Callable[[float], Any] | None
    qubits: list[Any]


class CirqBackend(Simulator):
    """Cirq's pure states in complex128; density matrices for circuits with channels.

    Operations act on Cirq's simulation states one by one, as Cirq's simulators apply them;
    building and resolving a ``cirq.Circuit`` for each row takes a third longer. The rows of a batch
    run one after another, and gradients are by parameter shift, since Cirq has none. Use it to
    compare with, and train on another backend.

    Raises BrokenPlugin when cirq-core is not installed.

    >>> from qgen_core import Gate
    >>> bell = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    >>> CirqBackend().probabilities(bell, []).round(6)
    array([0.5, 0. , 0. , 0.5])
    """

    capabilities = Capabilities(gates=frozenset(GATES), noise=True)

    def __init__(self) -> None:
        self._cirq = import_optional("cirq", "backend 'cirq'", "cirq-core")
        self._steps: Remembered[Circuit, list[CirqStep]] = Remembered()

    def __reduce__(self) -> tuple[Any, ...]:
        """Built anew from its options: modules and compiled objects cannot be pickled."""
        return type(self), ()

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if a run needs more memory than is free."""
        output_rows = batch
        if isinstance(measure, Expectations):
            output_rows = 0

        def needed(n: int) -> int:
            if circuit.channels:
                return 16 * ((ARRAYS_OF_DENSITY << 2 * n) + (output_rows << n))
            return 16 * ((ARRAYS_OF_STATE << n) + (output_rows << n))

        require_qubits(circuit.num_wires, needed)

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        """Probabilities (B, 2^Q), Expectations (B, words) or State (B, 2^Q).

        Raises Unsupported for the State of a circuit with channels.
        """
        if circuit.channels and isinstance(measure, State):
            raise Unsupported(
                "a circuit with channels has no State(); measure probabilities or expectations"
            )
        rows = checked_angles(circuit, angles)
        self.require(circuit, measure, len(rows))
        outputs = []
        for final in self._finals(circuit, rows):
            if circuit.channels:
                outputs.append(_read_density(final, measure))
            else:
                outputs.append(_read_state(final, measure))
        return np.concatenate(outputs)

    def _finals(self, circuit: Circuit, angles: Floats) -> Iterator[Array]:
        """The state (1, 2^Q) or density matrix (1, 2^Q, 2^Q) after the circuit, for each row."""
        cirq = self._cirq
        steps = self._steps.get(circuit, lambda: self._translated(circuit))
        qubits = cirq.LineQubit.range(circuit.num_wires)
        dim = 2**circuit.num_wires
        shape: tuple[int, ...] = (1, dim)
        start = cirq.StateVectorSimulationState
        if circuit.channels:
            shape = (1, dim, dim)
            start = cirq.DensityMatrixSimulationState
        for row in angles.tolist():
            state = start(qubits=qubits, initial_state=0, dtype=np.complex128)
            remaining = iter(row)
            for gate, make, on in steps:
                if make is not None:
                    gate = make(next(remaining))
                cirq.act_on(gate, state, on)
            yield state.target_tensor.reshape(shape)

    def _translated(self, circuit: Circuit) -> list[CirqStep]:
        """The circuit's operations; gates without an angle are made once."""
        cirq = self._cirq
        qubits = cirq.LineQubit.range(circuit.num_wires)
        steps = []
        for instruction in circuit.instructions:
            on = [qubits[wire] for wire in instruction.wires]
            if isinstance(instruction, Channel):
                steps.append(CirqStep(cirq.KrausChannel(list(instruction.kraus)), None, on))
                continue
            make = partial(mapped_gate(instruction.name).cirq, cirq)
            if instruction.angle is None:
                steps.append(CirqStep(make(0.0), None, on))
            else:
                steps.append(CirqStep(None, make, on))
        return steps


def _read_state(state: Array, measure: Measure) -> Array:
    """What is measured of a state (1, 2^Q)."""
    if isinstance(measure, Probabilities):
        return np.asarray(state.real**2 + state.imag**2)
    if isinstance(measure, Expectations):
        return expectations_of_states(state, measure.paulis)
    return state


def _read_density(density: Array, measure: Measure) -> Array:
    """What is measured of a density matrix (1, 2^Q, 2^Q)."""
    if isinstance(measure, Expectations):
        return expectations_of_densities(density, measure.paulis)
    return np.asarray(np.einsum("bii->bi", density).real)
