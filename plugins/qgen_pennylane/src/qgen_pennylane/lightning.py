"""The backend ``lightning``.

PennyLane's compiled simulator, with gradients by its adjoint method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np

from qgen_core import Capabilities, Circuit, Expectations, Probabilities, Simulator
from qgen_core.circuits.measures import Measure
from qgen_core.errors import BadOption
from qgen_core.simulators.base import checked_angles
from qgen_core.support.identity_cache import Remembered
from qgen_core.support.resources import require_qubits
from qgen_core.typing import Array, Floats
from qgen_pennylane.program import Kernels, Program
from qgen_pennylane.translate import MAPPED


class LightningBackend(Simulator):
    """lightning.qubit, called at its compiled kernels; gradients by one adjoint sweep a row.

    Lightning's adjoint method takes expectation values. So the cotangent of probabilities becomes a
    diagonal observable, that of Pauli words a weighted sum of them: one sweep serves any number of
    outputs. The states of a batch are kept for the way back.

    Args:
        precision: "double" holds complex128, "single" complex64.
    """

    def __init__(self, *, precision: Literal["double", "single"] = "double") -> None:
        if precision not in ("double", "single"):
            raise BadOption(f"precision is 'double' or 'single', not {precision!r}")
        self.capabilities = Capabilities(gates=MAPPED, gradients="adjoint", precision=precision)
        self._kernels = Kernels(precision)
        self._programs: Remembered[Circuit, Program] = Remembered()

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        self._require(circuit, measure, batch, train=True)

    def _require(self, circuit: Circuit, measure: Measure, batch: int, *, train: bool) -> None:
        amplitude = self._kernels.dtype.itemsize
        # An adjoint sweep copies the state and holds three of its kind; a diagonal has three more
        # numbers a row.
        states = batch + 6 if train else 1
        rows = 0 if isinstance(measure, Expectations) else batch
        purpose = " to train" if train else ""
        require_qubits(
            circuit.num_wires, lambda n: 2**n * (amplitude * states + 16 * rows), purpose
        )

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        rows = checked_angles(circuit, angles)
        self._require(circuit, measure, len(rows), train=False)
        program = self._program(circuit)
        state, read = self._kernels.state(circuit.num_wires), self._reader(program, measure)
        return np.stack([read(program.run(row, state)) for row in rows.tolist()])

    def exact_forward(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, Callable[[Array], Floats]]:
        rows = checked_angles(circuit, angles)
        self.require(circuit, measure, len(rows))
        program, values = self._program(circuit), rows.tolist()
        states = [program.run(row, self._kernels.state(circuit.num_wires)) for row in values]
        read = self._reader(program, measure)

        def back(cotangent: Array) -> Floats:
            weights = np.asarray(cotangent, dtype=np.float64)
            found = np.zeros_like(rows)
            for k, observable in enumerate(self._observables(program, measure, weights)):
                found[k] = program.slopes(values[k], states[k], observable)
            return found

        return np.stack([read(state) for state in states]), back

    def _program(self, circuit: Circuit) -> Program:
        return self._programs.get(circuit, lambda: Program(self._kernels, circuit))

    def _reader(self, program: Program, measure: Measure) -> Callable[[Any], Array]:
        """What is measured of a state."""
        if isinstance(measure, Expectations):
            words = [self._kernels.word(letters) for letters in measure.paulis]
            return lambda state: np.array(
                [self._kernels.measurements(state).expval(word) for word in words]
            )
        if isinstance(measure, Probabilities):
            return lambda state: _squares(
                program.amplitudes(state).astype(np.complex128, copy=False)
            )
        return program.amplitudes

    def _observables(self, program: Program, measure: Measure, weights: Floats) -> Iterator[Any]:
        """One observable a row of the batch, whose slope is that of the loss."""
        if isinstance(measure, Expectations):
            words = [self._kernels.word(letters) for letters in measure.paulis]
            real = np.float32 if self._kernels.dtype == np.complex64 else np.float64
            yield from (self._kernels.hamiltonian(row.astype(real), words) for row in weights)
        else:
            yield from (program.diagonal(row) for row in weights)


def _squares(amplitudes: Array) -> Floats:
    return np.asarray(amplitudes.real**2 + amplitudes.imag**2)
