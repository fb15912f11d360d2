"""Any exact PennyLane device: rows of a batch as tapes, gradients by adjoint or parameter shift."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core import Capabilities, Circuit, Expectations, Simulator, State
from qgen_core.circuits.measures import Measure
from qgen_core.errors import Unsupported
from qgen_core.simulators.base import checked_angles
from qgen_core.support.resources import require_qubits
from qgen_core.typing import AnglePullback, Array, Floats
from qgen_pennylane.making import Maker
from qgen_pennylane.translate import MAPPED, Translator


class DeviceBackend(Simulator):
    """Runs each row as a tape by ``pennylane.execute``, which adapts it to the device."""

    def __init__(self, maker: Maker) -> None:
        self.maker, self.qml = maker, maker.qml
        self.translator = Translator(maker.qml)
        gradients = "adjoint" if self._has_adjoint(2) else "parameter-shift"
        self.capabilities = Capabilities(gates=MAPPED, noise=maker.channels, gradients=gradients)

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        rows = 0 if isinstance(measure, Expectations) else batch
        require_qubits(circuit.num_wires, lambda n: 16 * 2**n * (2 + rows))

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        rows = checked_angles(circuit, angles)
        self.refuse(circuit, measure, len(rows))
        measured = self.translator.measurements(measure, circuit.num_wires)
        tapes = [self.translator.tape(circuit, row, measured) for row in rows.tolist()]
        with self.maker.refusals():
            found = self.qml.execute(tapes, self.maker.device(circuit.num_wires), diff_method=None)
        return np.stack([np.asarray(one).reshape(-1) for one in found])

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

        It takes expectation values: of diag(cotangent) for probabilities, else of the weighted sum
        of the words.
        """
        from autograd import grad

        if not circuit.num_angles:
            return np.zeros_like(angles)
        device = self.maker.device(circuit.num_wires)

        def loss(values: Any) -> Any:
            tapes = [
                self.translator.tape(
                    circuit,
                    [row[k] for k in range(circuit.num_angles)],
                    [self._weighed(measure, w)],
                )
                for row, w in zip(values, weights, strict=True)
            ]
            for tape in tapes:
                tape.trainable_params = range(circuit.num_angles)
            return sum(self.qml.execute(tapes, device, diff_method="adjoint", interface="autograd"))

        with self.maker.refusals():
            return np.asarray(grad(loss)(self.qml.numpy.array(angles, requires_grad=True)))

    def _weighed(self, measure: Measure, weights: Floats) -> Any:
        """The measurement whose value has the slope of the loss."""
        if isinstance(measure, Expectations):
            words = [self.translator.word(letters) for letters in measure.paulis]
            return self.qml.expval(self.qml.dot(weights, words))
        from scipy.sparse import csr_matrix

        places = np.arange(len(weights) + 1)
        diagonal = csr_matrix((weights.astype(np.complex128), places[:-1], places))
        return self.qml.expval(
            self.qml.SparseHamiltonian(diagonal, wires=range(len(weights).bit_length() - 1))
        )

    def _has_adjoint(self, num_wires: int) -> bool:
        config = self.qml.devices.ExecutionConfig(gradient_method="adjoint")
        return bool(self.maker.device(num_wires).supports_derivatives(config))
