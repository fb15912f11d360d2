"""PennyLane's own simulators: a batch at once by broadcasting, gradients by backpropagation."""

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
from qgen_core.typing import Array, Floats
from qgen_pennylane.device import DeviceBackend
from qgen_pennylane.making import Maker
from qgen_pennylane.translate import MAPPED, Translator

#: Bytes of intermediate states held for the way back; beyond, rows go in parts, or by the adjoint
#: method.
HELD = 2**31
#: States that backpropagation holds for a gate.
STATES_PER_GATE = 4
#: From so many wires on, PennyLane 0.45 fails at batches of rotations in autograd.
WIDE = 12


class NumericalBackend(DeviceBackend):
    """Run ``default.qubit`` and ``default.mixed`` without PennyLane's preparation steps."""

    #: Devices that take every gate as it is, and arrays over a batch as angles.
    DEVICES = ("default.qubit", "default.mixed")

    def __init__(self, maker: Maker) -> None:
        super().__init__(maker)
        self.mixed = maker.name == "default.mixed"
        if self.mixed:
            # PennyLane 0.45 loses the gradient of a PhaseShift by a batch of torch angles in
            # density matrices,
            # in which RZ is the same gate.
            self.translator = Translator(self.qml, {"p": "RZ"})
        self.capabilities = Capabilities(gates=MAPPED, noise=self.mixed, gradients="backprop")
        self.framework = "autograd" if find_spec("torch") is None else "torch"

    def refuse(self, circuit: Circuit, measure: Measure, batch: int) -> None:
        if self.mixed and isinstance(measure, State):
            raise Unsupported("default.mixed holds density matrices and has no State()")
        super().refuse(circuit, measure, batch)

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        rows = 0 if isinstance(measure, Expectations) else batch
        require_qubits(
            circuit.num_wires,
            lambda n: 16 * (STATES_PER_GATE * self._size(n) * batch + 2**n * rows),
        )

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        rows = checked_angles(circuit, angles)
        self.refuse(circuit, measure, len(rows))
        # An angle that all rows share is one number: its gate is then one matrix, not a batch of
        # them.
        columns: list[Any] = list(rows.T)
        for number, column in enumerate(columns):
            if len(column) and np.all(column == column[0]):
                columns[number] = float(column[0])
        found = [np.asarray(one) for one in self._run(circuit, columns, measure, None)]
        whole = np.stack(found, axis=-1) if isinstance(measure, Expectations) else found[0]
        batched = any(np.ndim(column) for column in columns)
        return whole if batched else np.tile(whole, (len(rows), 1))

    def exact_forward(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, Callable[[Array], Floats]]:
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
            """Backpropagation for as many rows at once as memory allows."""
            weights = np.asarray(cotangent, dtype=np.float64)
            found = []
            for start in range(0, len(rows), size):
                part = slice(start, start + size)
                _, of_part = self._differentiable(circuit, rows[part], measure)
                found.append(of_part(weights[part]))
            return np.concatenate(found)

        return self.exact(circuit, rows, measure), pullback

    def native(
        self, circuit: Circuit, measure: Measure, framework: str
    ) -> Callable[..., Any] | None:
        """For ``"torch"``, a function of tensors: angles (B, A) to probabilities or expectations.

        It stays inside torch, on CPU, and can be differentiated twice.
        """
        if (
            framework != "torch"
            or self.framework != "torch"
            or not isinstance(measure, Probabilities | Expectations)
        ):
            return None
        import torch

        self.check(circuit)
        check_measure(measure, circuit.num_wires)
        if isinstance(measure, Expectations):
            readout = LinearReadout.of(measure)
            matrix = torch.as_tensor(readout.matrix.T.copy())
            return lambda angles: self._tensor(circuit, angles, readout.measure) @ matrix
        plain, confusion = ideal(measure), measure.confusion
        if confusion is None:
            return lambda angles: self._tensor(circuit, angles, plain)
        maps = [torch.as_tensor(one.copy()) for one in confusion]

        def confused(angles: Any) -> Any:
            out = self._tensor(circuit, angles, plain)
            for wire, one in enumerate(maps):
                split = out.reshape(len(out), 2**wire, 2, -1)
                out = torch.einsum("rt,bhtl->bhrl", one, split).reshape(len(out), -1)
            return out

        return confused

    def _differentiable(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, Callable[[Array], Floats]]:
        """The output (B, ...) and its way back through the graph that was recorded."""
        if self.framework == "torch":
            import torch

            leaf = torch.tensor(angles, requires_grad=True)
            with torch.enable_grad():  # also inside of another function's forward pass
                output = self._tensor(circuit, leaf, measure)

            def back(cotangent: Array) -> Floats:
                weights = torch.as_tensor(np.ascontiguousarray(cotangent, dtype=np.float64))
                (found,) = torch.autograd.grad(output, leaf, weights, retain_graph=True)
                return np.asarray(found.numpy())

            return output.detach().numpy(), back
        from autograd import make_vjp
        from autograd import numpy as anp

        def run(values: Any) -> Any:
            found = self._run(
                circuit, [values[:, k] for k in range(circuit.num_angles)], measure, "autograd"
            )
            return anp.stack(found, axis=1) if isinstance(measure, Expectations) else found[0]

        vjp, output = make_vjp(run)(angles)

        def pull(cotangent: Array) -> Floats:
            with (
                warnings.catch_warnings()
            ):  # the angles are real, and so is what is kept of their cotangents
                warnings.simplefilter("ignore", np.exceptions.ComplexWarning)
                return np.asarray(vjp(np.asarray(cotangent, dtype=np.float64)))

        return np.asarray(output), pull

    def _tensor(self, circuit: Circuit, angles: Any, measure: Measure) -> Any:
        """The output (B, ...) in torch for a tensor of angles (B, A)."""
        import torch

        found = self._run(circuit, angles.unbind(1), measure, "torch")
        whole = torch.stack(found, dim=-1) if isinstance(measure, Expectations) else found[0]
        return whole if circuit.num_angles else whole.expand(len(angles), -1)

    def _run(
        self, circuit: Circuit, columns: Any, measure: Measure, interface: str | None
    ) -> tuple[Any, ...]:
        """Results of the device, one per measurement, for angles (A,) batched over the rows."""
        measured = self.translator.measurements(measure, circuit.num_wires)
        tape = self.translator.tape(circuit, columns, measured)
        method = None if interface is None else "backprop"
        config = self.qml.devices.ExecutionConfig(interface=interface, gradient_method=method)
        (found,) = self.maker.device(circuit.num_wires).execute((tape,), config)
        return found if isinstance(found, tuple) else (found,)

    def _rows_at_once(self, circuit: Circuit) -> int:
        """How many rows can be held for backpropagation at once.

        0 where the adjoint method has to do.
        """
        if self.framework == "autograd" and not self.mixed and circuit.num_wires >= WIDE:
            return 0
        held = (
            STATES_PER_GATE * 16 * self._size(circuit.num_wires) * max(len(circuit.instructions), 1)
        )
        return HELD // held

    def _size(self, num_wires: int) -> int:
        return int(4**num_wires if self.mixed else 2**num_wires)
