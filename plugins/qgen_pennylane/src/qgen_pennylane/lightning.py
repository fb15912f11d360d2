"""The backend ``lightning``: PennyLane's compiled simulator, with adjoint gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

import numpy as np

from qgen_core import Capabilities, Circuit, Expectations, Probabilities, Simulator
from qgen_core.circuits.measures import Measure
from qgen_core.errors import BadOption
from qgen_core.simulators.base import checked_angles
from qgen_core.support.identity_cache import Remembered
from qgen_core.support.resources import require_qubits
from qgen_core.typing import AnglePullback, Array, Floats
from qgen_pennylane.program import Kernels, Program
from qgen_pennylane.translate import MAPPED

#: Bytes for each entry of a diagonal observable: its value and its column index.
DIAGONAL_BYTES = 16
#: An adjoint sweep copies the state and holds three of its kind; a diagonal takes as much again.
SWEEP_STATES = 6


class LightningBackend(Simulator):
    """lightning.qubit, by direct calls of its compiled kernels; one adjoint sweep a row.

    Lightning's adjoint method takes expectation values. The cotangent of probabilities is therefore
    written as a diagonal observable, that of Pauli words as their weighted sum, so that one sweep
    serves any number of outputs. The states of a batch are kept for the pullback.

    Args:
        precision: "double" for complex128, "single" for complex64.

    Raises BadOption for another precision, BrokenPlugin without a suitable pennylane-lightning.

    >>> from qgen_core import Gate
    >>> bell = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
    >>> LightningBackend().probabilities(bell, []).round(3)
    array([0.5, 0. , 0. , 0.5])
    """

    def __init__(self, *, precision: Literal["double", "single"] = "double") -> None:
        if precision not in ("double", "single"):
            raise BadOption(f"precision is 'double' or 'single', not {precision!r}")
        self.capabilities = Capabilities(gates=MAPPED, gradients="adjoint", precision=precision)
        self._kernels = Kernels(precision)
        self._programs: Remembered[Circuit, Program] = Remembered()

    def __reduce__(self) -> tuple[Any, ...]:
        """Built anew from its options: modules and compiled objects cannot be pickled."""
        return partial(type(self), precision=self.capabilities.precision), ()

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if training needs more memory than is free."""
        self._require(circuit, measure, states=batch + SWEEP_STATES, batch=batch, use=" to train")

    def _require(
        self, circuit: Circuit, measure: Measure, *, states: int, batch: int, use: str = ""
    ) -> None:
        diagonals = batch
        if isinstance(measure, Expectations):
            diagonals = 0
        per_amplitude = self._kernels.dtype.itemsize * states + DIAGONAL_BYTES * diagonals
        require_qubits(circuit.num_wires, lambda wires: 2**wires * per_amplitude, use)

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        """Probabilities (B, 2^Q), Expectations (B, words) or State (B, 2^Q)."""
        rows = checked_angles(circuit, angles)
        self._require(circuit, measure, states=1, batch=len(rows))
        program = self._program(circuit)
        state = self._kernels.state(circuit.num_wires)
        read = self._reader(program, measure)
        return np.stack([read(program.run(row, state)) for row in rows.tolist()])

    def exact_forward(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, AnglePullback]:
        """:meth:`exact`, and as pullback an adjoint sweep a row from the final states."""
        rows = checked_angles(circuit, angles)
        self.require(circuit, measure, len(rows))
        program = self._program(circuit)
        angles_of_rows = rows.tolist()
        states = []
        for row in angles_of_rows:
            states.append(program.run(row, self._kernels.state(circuit.num_wires)))
        read = self._reader(program, measure)

        def pullback(cotangent: Array) -> Floats:
            weights = np.asarray(cotangent, dtype=np.float64)
            d_angles = np.zeros_like(rows)
            for k, observable in enumerate(self._observables(program, measure, weights)):
                d_angles[k] = program.gradient(angles_of_rows[k], states[k], observable)
            return d_angles

        return np.stack([read(state) for state in states]), pullback

    def _program(self, circuit: Circuit) -> Program:
        return self._programs.get(circuit, lambda: Program(self._kernels, circuit))

    def _reader(self, program: Program, measure: Measure) -> Callable[[Any], Array]:
        """The function that computes the measure from a state."""
        if isinstance(measure, Expectations):
            words = [self._kernels.word(letters) for letters in measure.paulis]
            return lambda state: self._expectations(state, words)
        if isinstance(measure, Probabilities):
            return lambda state: _squares(program.amplitudes(state))
        return program.amplitudes

    def _expectations(self, state: Any, words: list[Any]) -> Array:
        measurements = self._kernels.measurements(state)
        return np.array([measurements.expval(word) for word in words])

    def _observables(self, program: Program, measure: Measure, weights: Floats) -> Iterator[Any]:
        """For each row of the batch, an observable whose derivative is that of the loss."""
        if not isinstance(measure, Expectations):
            for row in weights:
                yield program.diagonal(row)
            return
        words = [self._kernels.word(letters) for letters in measure.paulis]
        real = self._kernels.dtype.type(0).real.dtype  # float32 for single precision
        for row in weights:
            yield self._kernels.hamiltonian(row.astype(real), words)


def _squares(amplitudes: Array) -> Floats:
    """``|a|^2`` of each amplitude, in double precision."""
    precise = amplitudes.astype(np.complex128, copy=False)
    return np.asarray(precise.real**2 + precise.imag**2)
