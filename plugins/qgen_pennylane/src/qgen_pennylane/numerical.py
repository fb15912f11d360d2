"""PennyLane's own simulators: batches by broadcasting, gradients by backpropagation."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from qgen_core import Capabilities, Circuit, Expectations, Probabilities, State
from qgen_core.circuits.measures import LinearReadout, Measure, check_measure, ideal
from qgen_core.errors import Unsupported
from qgen_core.simulators.base import checked_angles
from qgen_core.support.resources import require_qubits
from qgen_core.typing import AnglePullback, Array, Floats
from qgen_pennylane.device import DeviceBackend
from qgen_pennylane.device_factory import DeviceFactory
from qgen_pennylane.translate import MAPPED, Translator

#: Bytes of intermediate states that backpropagation may store. A batch that needs more is split,
#: and a row that needs more is differentiated by the adjoint method.
GRAPH_MEMORY = 2**31
#: States that backpropagation stores for each gate.
STATES_PER_GATE = 4
#: From this number of wires on, PennyLane 0.45 fails for batches of rotations in autograd.
AUTOGRAD_FAILS_FROM = 12


class NumericalBackend(DeviceBackend):
    """Runs ``default.qubit`` and ``default.mixed`` without PennyLane's preprocessing of tapes.

    >>> import pennylane
    >>> from qgen_core import Gate
    >>> backend = NumericalBackend(DeviceFactory(pennylane, "default.qubit"))
    >>> backend.expectations(Circuit(1, (Gate("h", (0,)),)), [], paulis=("X",)).round(6)
    array([1.])
    """

    #: Devices that run every mapped gate directly, with arrays over a batch as angles.
    DEVICES = ("default.qubit", "default.mixed")

    def __init__(self, devices: DeviceFactory) -> None:
        super().__init__(devices)
        self.mixed = devices.name == "default.mixed"
        if self.mixed:
            # In density matrices of PennyLane 0.45 the gradient of PhaseShift by a batch of torch
            # angles is zero. RZ acts on density matrices as PhaseShift does.
            self.translator = Translator(self.qml, {"p": "RZ"})
        self.capabilities = Capabilities(gates=MAPPED, noise=self.mixed, gradients="backprop")
        self.framework = "torch"
        if find_spec("torch") is None:
            self.framework = "autograd"

    def refuse(self, circuit: Circuit, measure: Measure, batch: int) -> None:
        """Raise Unsupported or ResourceRefused for what cannot be run."""
        if self.mixed and isinstance(measure, State):
            raise Unsupported(
                "default.mixed holds density matrices and has no State(); measure probabilities or "
                "expectations"
            )
        super().refuse(circuit, measure, batch)

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if training needs more memory than is free."""
        results = batch
        if isinstance(measure, Expectations):
            results = 0
        states = STATES_PER_GATE * batch
        require_qubits(
            circuit.num_wires,
            lambda wires: 16 * (self._size(wires) * states + 2**wires * results),
        )

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        """Probabilities (B, 2^Q), Expectations (B, words) or State (B, 2^Q)."""
        rows = checked_angles(circuit, angles)
        self.refuse(circuit, measure, len(rows))
        # An angle that all rows share is passed as one number, so that its gate is one matrix.
        columns: list[Any] = []
        for column in rows.T:
            if len(column) and np.all(column == column[0]):
                columns.append(float(column[0]))
            else:
                columns.append(column)
        results = [np.asarray(part) for part in self._run(circuit, columns, measure, None)]
        output = results[0]
        if isinstance(measure, Expectations):
            output = np.stack(results, axis=-1)
        if any(np.ndim(column) for column in columns):
            return output
        return np.tile(output, (len(rows), 1))

    def exact_forward(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, AnglePullback]:
        """:meth:`exact`, and a pullback by backpropagation, or by the adjoint method."""
        rows = checked_angles(circuit, angles)
        self.refuse(circuit, measure, len(rows))
        if not circuit.num_angles:
            return self.exact(circuit, rows, measure), lambda cotangent: np.zeros_like(rows)
        size = self._rows_at_once(circuit)
        if not size:
            return super().exact_forward(circuit, rows, measure)
        if len(rows) <= size:
            return self._differentiable(circuit, rows, measure)

        def pullback(cotangent: Array) -> Floats:
            """Backpropagation in parts of the batch, each of as many rows as memory allows."""
            weights = np.asarray(cotangent, dtype=np.float64)
            parts = []
            for start in range(0, len(rows), size):
                part = slice(start, start + size)
                _, pullback_of_part = self._differentiable(circuit, rows[part], measure)
                parts.append(pullback_of_part(weights[part]))
            return np.concatenate(parts)

        return self.exact(circuit, rows, measure), pullback

    def native(
        self, circuit: Circuit, measure: Measure, framework: str
    ) -> Callable[..., Any] | None:
        """For ``"torch"``, a function of tensors: angles (B, A) to probabilities or expectations.

        It stays inside torch, on CPU, and can be differentiated twice. None for another framework
        and for other measures. Raises Unsupported for a circuit that the device cannot run.
        """
        if framework != "torch" or self.framework != "torch":
            return None
        if not isinstance(measure, Probabilities | Expectations):
            return None
        import torch

        self.check(circuit)
        check_measure(measure, circuit.num_wires)
        if isinstance(measure, Expectations):
            readout = LinearReadout.of(measure)
            matrix = torch.as_tensor(readout.matrix.T.copy())
            return lambda angles: self._tensor(circuit, angles, readout.measure) @ matrix
        exact_measure = ideal(measure)
        confusion = measure.confusion
        if confusion is None:
            return lambda angles: self._tensor(circuit, angles, exact_measure)
        confusion_of_wires = [torch.as_tensor(matrix.copy()) for matrix in confusion]

        def confused(angles: Any) -> Any:
            table = self._tensor(circuit, angles, exact_measure)
            for wire, matrix in enumerate(confusion_of_wires):
                split = table.reshape(len(table), 2**wire, 2, -1)
                table = torch.einsum("rt,bhtl->bhrl", matrix, split).reshape(len(table), -1)
            return table

        return confused

    def _differentiable(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, AnglePullback]:
        """The output (B, ...) and its pullback through the recorded graph."""
        if self.framework == "torch":
            return self._in_torch(circuit, angles, measure)
        return self._in_autograd(circuit, angles, measure)

    def _in_torch(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, AnglePullback]:
        import torch

        leaf = torch.tensor(angles, requires_grad=True)
        with torch.enable_grad():  # it is off when called in the forward pass of a torch function
            output = self._tensor(circuit, leaf, measure)

        def pullback(cotangent: Array) -> Floats:
            weights = torch.as_tensor(np.ascontiguousarray(cotangent, dtype=np.float64))
            (d_angles,) = torch.autograd.grad(output, leaf, weights, retain_graph=True)
            return np.asarray(d_angles.numpy())

        return output.detach().numpy(), pullback

    def _in_autograd(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, AnglePullback]:
        from autograd import make_vjp
        from autograd import numpy as anp

        def run(values: Any) -> Any:
            columns = [values[:, k] for k in range(circuit.num_angles)]
            results = self._run(circuit, columns, measure, "autograd")
            if isinstance(measure, Expectations):
                return anp.stack(results, axis=1)
            return results[0]

        vjp, output = make_vjp(run)(angles)

        def pullback(cotangent: Array) -> Floats:
            with warnings.catch_warnings():
                # The angles are real, so the imaginary parts of their cotangents are dropped.
                warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
                return np.asarray(vjp(np.asarray(cotangent, dtype=np.float64)))

        return np.asarray(output), pullback

    def _tensor(self, circuit: Circuit, angles: Any, measure: Measure) -> Any:
        """The output (B, ...) in torch for a tensor of angles (B, A)."""
        import torch

        results = self._run(circuit, angles.unbind(1), measure, "torch")
        output = results[0]
        if isinstance(measure, Expectations):
            output = torch.stack(results, dim=-1)
        if circuit.num_angles:
            return output
        return output.expand(len(angles), -1)

    def _run(
        self, circuit: Circuit, columns: Any, measure: Measure, interface: str | None
    ) -> tuple[Any, ...]:
        """The device's result of each measurement, for A angles that are arrays over the batch."""
        measured = self.translator.measurements(measure, circuit.num_wires)
        tape = self.translator.tape(circuit, columns, measured)
        method = None
        if interface is not None:
            method = "backprop"
        config = self.qml.devices.ExecutionConfig(interface=interface, gradient_method=method)
        (results,) = self.devices.device(circuit.num_wires).execute((tape,), config)
        if isinstance(results, tuple):
            return results
        return (results,)

    def _rows_at_once(self, circuit: Circuit) -> int:
        """How many rows backpropagation can handle at once; 0: use the adjoint method."""
        wires = circuit.num_wires
        if self.framework == "autograd" and not self.mixed and wires >= AUTOGRAD_FAILS_FROM:
            return 0
        gates = max(len(circuit.instructions), 1)
        bytes_per_row = STATES_PER_GATE * 16 * self._size(wires) * gates
        return GRAPH_MEMORY // bytes_per_row

    def _size(self, num_wires: int) -> int:
        """Number of entries of a state or density matrix."""
        if self.mixed:
            return 1 << 2 * num_wires
        return 1 << num_wires
