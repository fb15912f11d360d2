"""The backend ``qiskit-statevector``: the reference simulator of Qiskit itself."""

from __future__ import annotations

import numpy as np

from qgen_core.circuits.capabilities import Capabilities
from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Expectations, Measure, Probabilities
from qgen_core.discovery.optional_import import sdk
from qgen_core.simulators.base import Simulator
from qgen_core.support.resources import require_qubits
from qgen_core.typing import Array, Floats
from qgen_qiskit.translate import GATES, free_angles, to_qiskit

#: Bytes of an amplitude, and how many states a gate holds at once.
AMPLITUDE, STATES = 16, 2


class QiskitStatevector(Simulator):
    """``qiskit.quantum_info.Statevector``, gate by gate in numpy: slow and simple; needs Qiskit alone.

    Rows of a batch run one after another, gradients by parameter shift. For work use ``aer``, or
    the core's ``statevector``.
    """

    capabilities = Capabilities(gates=frozenset(GATES))

    def __init__(self) -> None:
        self._info = sdk("qiskit.quantum_info", "backend 'qiskit-statevector'", "qiskit")

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if memory for a state and the values of a batch is not there."""
        rows = 0 if isinstance(measure, Expectations) else batch
        require_qubits(circuit.num_wires, lambda n: AMPLITUDE * (STATES + rows) * 2**n)

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        values = free_angles(circuit, angles)
        self.require(circuit, measure, len(values))
        built = to_qiskit(circuit)[0]
        words = measure.paulis if isinstance(measure, Expectations) else ()
        operators = [self._info.Pauli(word) for word in words]
        found = []
        for row in values:
            state = self._info.Statevector(built.assign_parameters(row))
            if isinstance(measure, Expectations):
                found.append([np.real(state.expectation_value(operator)) for operator in operators])
            else:
                found.append(
                    state.probabilities() if isinstance(measure, Probabilities) else state.data
                )
        return np.array(found)
