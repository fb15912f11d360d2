"""Exact PennyLane devices: a tape for each row, gradients by adjoint or parameter shift."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core import Capabilities, Circuit, Expectations, Simulator, State
from qgen_core.circuits.measures import Measure
from qgen_core.errors import Unsupported
from qgen_core.simulators.base import checked_angles
from qgen_core.support.resources import require_qubits
from qgen_core.typing import AnglePullback, Array, Floats
from qgen_pennylane.device_factory import DeviceFactory
from qgen_pennylane.translate import MAPPED, Translator


class DeviceBackend(Simulator):
    """Runs each row as a tape by ``pennylane.execute``, which adapts it to the device.

    >>> import pennylane
    >>> from qgen_core import Gate
    >>> backend = DeviceBackend(DeviceFactory(pennylane, "lightning.qubit"))
    >>> backend.expectations(Circuit(1, (Gate("x", (0,)),)), [], paulis=("Z",)).round(6)
    array([-1.])
    """

    def __init__(self, devices: DeviceFactory) -> None:
        self.devices = devices
        self.qml = devices.qml
        self.translator = Translator(devices.qml)
        gradients = "parameter-shift"
        if self._has_adjoint(2):
            gradients = "adjoint"
        self.capabilities = Capabilities(gates=MAPPED, noise=devices.channels, gradients=gradients)

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if training needs more memory than is free."""
        results = batch
        if isinstance(measure, Expectations):
            results = 0
        require_qubits(circuit.num_wires, lambda wires: 16 * 2**wires * (2 + results))

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        """Probabilities (B, 2^Q), Expectations (B, words) or State (B, 2^Q)."""
        rows = checked_angles(circuit, angles)
        self.refuse(circuit, measure, len(rows))
        measured = self.translator.measurements(measure, circuit.num_wires)
        tapes = [self.translator.tape(circuit, row, measured) for row in rows.tolist()]
        device = self.devices.device(circuit.num_wires)
        with self.devices.refusals():
            results = self.qml.execute(tapes, device, diff_method=None)
        return np.stack([np.asarray(result).reshape(-1) for result in results])

    def refuse(self, circuit: Circuit, measure: Measure, batch: int) -> None:
        """Raise Unsupported or ResourceRefused for what cannot be run."""
        if circuit.channels and isinstance(measure, State):
            raise Unsupported(
                "a circuit with channels has no State(); measure probabilities or expectations"
            )
        self.require(circuit, measure, batch)

    def exact_forward(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, AnglePullback]:
        """:meth:`exact`, and a pullback by the device's adjoint method or by parameter shift."""
        if not self._has_adjoint(circuit.num_wires):
            return super().exact_forward(circuit, angles, measure)
        rows = checked_angles(circuit, angles)

        def pullback(cotangent: Array) -> Floats:
            return self.adjoint(circuit, rows, measure, np.asarray(cotangent, dtype=np.float64))

        return self.exact(circuit, rows, measure), pullback

    def adjoint(
        self, circuit: Circuit, angles: Floats, measure: Measure, weights: Floats
    ) -> Floats:
        """d loss / d angles (B, A) by the device's adjoint method, one sweep a row.

        The method differentiates expectation values: for probabilities that of diag(cotangent), for
        Pauli words that of their weighted sum. ``weights`` is the cotangent (B, outputs).
        """
        from autograd import grad

        if not circuit.num_angles:
            return np.zeros_like(angles)
        device = self.devices.device(circuit.num_wires)

        def loss(values: Any) -> Any:
            tapes = []
            for row, weights_of_row in zip(values, weights, strict=True):
                row_angles = [row[k] for k in range(circuit.num_angles)]
                measured = [self._weighted_expectation(measure, weights_of_row)]
                tape = self.translator.tape(circuit, row_angles, measured)
                tape.trainable_params = range(circuit.num_angles)
                tapes.append(tape)
            return sum(self.qml.execute(tapes, device, diff_method="adjoint", interface="autograd"))

        trainable = self.qml.numpy.array(angles, requires_grad=True)
        with self.devices.refusals():
            return np.asarray(grad(loss)(trainable))

    def _weighted_expectation(self, measure: Measure, weights: Floats) -> Any:
        """The measurement whose derivative is that of the loss for one row."""
        if isinstance(measure, Expectations):
            words = [self.translator.word(letters) for letters in measure.paulis]
            return self.qml.expval(self.qml.dot(weights, words))
        from scipy.sparse import csr_matrix

        positions = np.arange(len(weights) + 1)
        diagonal = csr_matrix((weights.astype(np.complex128), positions[:-1], positions))
        wires = range(len(weights).bit_length() - 1)
        return self.qml.expval(self.qml.SparseHamiltonian(diagonal, wires=wires))

    def _has_adjoint(self, num_wires: int) -> bool:
        config = self.qml.devices.ExecutionConfig(gradient_method="adjoint")
        return bool(self.devices.device(num_wires).supports_derivatives(config))
