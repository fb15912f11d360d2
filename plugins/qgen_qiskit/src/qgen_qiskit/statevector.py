"""The backend ``qiskit-statevector``: the reference simulator of Qiskit itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.circuits.capabilities import Capabilities
from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Expectations, Measure, Probabilities
from qgen_core.discovery.optional_import import import_optional
from qgen_core.simulators.base import Simulator
from qgen_core.support.resources import require_qubits
from qgen_core.typing import Array, Floats
from qgen_qiskit.translate import GATES, free_angles, to_qiskit

BYTES_PER_AMPLITUDE = 16
#: States in memory at once while a gate is applied.
STATES = 2


class QiskitStatevector(Simulator):
    """``qiskit.quantum_info.Statevector``: gate by gate in numpy, slow and simple.

    Needs Qiskit alone and serves for comparisons; for work use ``aer``, or the core's
    ``statevector``. Rows of a batch run one after another, gradients are by parameter shift.

    >>> from qgen_core import Gate
    >>> bell = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    >>> QiskitStatevector().probabilities(bell, []).round(3)
    array([0.5, 0. , 0. , 0.5])
    """

    capabilities = Capabilities(gates=frozenset(GATES))

    def __init__(self) -> None:
        self._info = import_optional(
            "qiskit.quantum_info", "backend 'qiskit-statevector'", "qiskit"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Built anew from its options: modules and compiled objects cannot be pickled."""
        return type(self), ()

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if a state and the values of a batch do not fit in memory."""
        rows = 0 if isinstance(measure, Expectations) else batch
        require_qubits(circuit.num_wires, lambda n: BYTES_PER_AMPLITUDE * (STATES + rows) * 2**n)

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
            elif isinstance(measure, Probabilities):
                found.append(state.probabilities())
            else:
                found.append(state.data)
        return np.array(found)
