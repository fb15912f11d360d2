"""The backend ``torch``: batches of state vectors in torch, on CPU and CUDA."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np
import torch

from qgen_core import Capabilities, Circuit, Expectations, Probabilities, Simulator, State
from qgen_core.circuits.measures import Measure, check_measure
from qgen_core.errors import BadOption
from qgen_core.simulators.base import checked_angles
from qgen_core.support.identity_cache import Remembered
from qgen_core.support.resources import require_qubits
from qgen_core.typing import Array, Floats
from qgen_torch.binding import Binding
from qgen_torch.simulator.measure_function import Reading
from qgen_torch.simulator.state_function import Precision, Program

Tensor = torch.Tensor

#: States that are held at once: to run, and to train.
STATES, TRAINING = 3, 6


class TorchBackend(Simulator):
    """Pure states as tensors: a batch of circuits in a few large operations a layer.

    Made for GPUs, and for models that are differentiated twice; on a CPU the backend
    ``statevector`` is faster. ``native(circuit, measure, "torch")`` gives a function of tensors,
    differentiable any number of times. First derivatives run the circuit back instead of storing
    its states (adjoint method); higher ones are torch's own and store them.

    Args:
        precision: ``double`` holds complex128, ``single`` complex64 (half the memory, errors of about 1e-6).
        device: where circuits run: ``cpu``, ``cuda``, or ``auto``: tensors where they are, numpy
            arrays on CUDA where there is one.

    Raises BadOption for ``cuda`` where torch sees no such device.
    """

    def __init__(
        self, *, precision: Precision = "double", device: Literal["auto", "cpu", "cuda"] = "auto"
    ) -> None:
        if precision not in ("double", "single"):
            raise BadOption(f"precision is 'double' or 'single', not {precision!r}")
        if device not in ("auto", "cpu", "cuda"):
            raise BadOption(f"device is 'auto', 'cpu' or 'cuda', not {device!r}")
        if device == "cuda" and not torch.cuda.is_available():
            raise BadOption("torch sees no CUDA device here; take device 'cpu', or 'auto'")
        self.capabilities = Capabilities(gradients="adjoint", precision=precision)
        self.precision: Precision = precision
        self.device = device
        self._programs: Remembered[Circuit, dict[bool, Program]] = Remembered()
        self._readings: dict[tuple[int, tuple[str, ...] | type], Reading] = {}

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        self._require(circuit, batch, self._device(), train=True)

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        rows = self._rows(circuit, angles, train=False)
        with torch.no_grad():
            found = self._reading(measure, circuit)(
                self._program(circuit, None)(rows.new_empty(1, 0), rows)
            )
        return _numpy(found)

    def exact_forward(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, Callable[[Array], Floats]]:
        leaf = self._rows(circuit, angles, train=True).requires_grad_()
        with torch.enable_grad():  # also inside of another function's forward pass
            output = self._reading(measure, circuit)(
                self._program(circuit, None)(leaf.new_empty(1, 0), leaf)
            )

        def back(cotangent: Array) -> Floats:
            if not output.requires_grad:
                return np.zeros(leaf.shape)
            weights = torch.from_numpy(np.require(cotangent, requirements=["C", "W"])).to(
                output.device, output.dtype
            )
            (found,) = torch.autograd.grad(output, leaf, weights, retain_graph=True)
            return np.asarray(_numpy(found), dtype=np.float64)

        return _numpy(output.detach()), back

    def exact_vjp(
        self, circuit: Circuit, angles: Floats, measure: Measure, cotangent: Array
    ) -> Floats:
        return self.exact_forward(circuit, angles, measure)[1](cotangent)

    def native(
        self, circuit: Circuit, measure: Measure, framework: str
    ) -> Callable[[Tensor], Tensor] | None:
        """For ``"torch"``, a function of tensors: angles (B, A) to probabilities, expectations or states.

        The output has the precision of the backend and is on the device of the angles.
        """
        if framework != "torch" or not isinstance(measure, Probabilities | Expectations | State):
            return None
        run = self._function(circuit, measure, None)
        return lambda angles: run(angles.new_empty(1, 0), angles)

    def layer(self, circuit: Circuit, measure: Measure, binding: Binding) -> Callable[..., Tensor]:
        """The same of parameters (P,) and inputs (B, I): what the rows of a batch share is computed once."""
        run = self._function(circuit, measure, binding)
        return lambda params, inputs: run(*binding.columns(params, inputs))

    def _function(
        self, circuit: Circuit, measure: Measure, binding: Binding | None
    ) -> Callable[[Tensor, Tensor | None], Tensor]:
        """Outputs of a measure from shared columns (1, S) and those of rows (B, O)."""
        self.check(circuit)
        check_measure(measure, circuit.num_wires)
        self._require(circuit, 1, self._device(), train=True)
        reading = Reading(measure, circuit.num_wires)
        program = self._program(circuit, binding)

        def function(shared: Tensor, own: Tensor | None) -> Tensor:
            home, device = shared.device, self._device(shared.device)
            self._require(circuit, 1 if own is None else len(own), device, train=True)
            own = None if own is None else own.to(device)
            return reading(program(shared.to(device), own)).to(home)

        return function

    def _program(self, circuit: Circuit, binding: Binding | None) -> Program:
        """With a binding, columns without inputs are shared; without, none are."""
        known = self._programs.get(circuit, dict)
        shares = binding is not None
        if shares not in known:
            own = np.arange(circuit.num_angles) if binding is None else binding.own
            known[shares] = Program(circuit, own, self.precision)
        return known[shares]

    def _reading(self, measure: Measure, circuit: Circuit) -> Reading:
        """Of a measure with perfect readout, kept for the next call."""
        key = (
            circuit.num_wires,
            measure.paulis if isinstance(measure, Expectations) else type(measure),
        )
        if key not in self._readings:
            self._readings[key] = Reading(measure, circuit.num_wires)
        return self._readings[key]

    def _rows(self, circuit: Circuit, angles: Floats, *, train: bool) -> Tensor:
        rows = checked_angles(circuit, angles)
        device = self._device()
        self._require(circuit, len(rows), device, train=train)
        return torch.from_numpy(np.require(rows, requirements=["W"])).to(device)

    def _device(self, here: torch.device | None = None) -> torch.device:
        """Where circuits run whose angles are ``here``; None: in numpy."""
        if self.device != "auto":
            return torch.device(self.device)
        return (
            here
            if here is not None
            else torch.device("cuda" if torch.cuda.is_available() else "cpu")
        )

    def _require(self, circuit: Circuit, batch: int, device: torch.device, *, train: bool) -> None:
        amplitude = 16 if self.precision == "double" else 8
        states = (TRAINING if train else STATES) * amplitude * batch
        rows = f" for a batch of {batch}" if batch > 1 else ""
        free = partial(_free_cuda, device) if device.type == "cuda" else None
        require_qubits(
            circuit.num_wires, lambda n: states << n, (" to train" if train else "") + rows, free
        )


def _free_cuda(device: torch.device) -> int:
    """Bytes of a GPU that nobody holds, and those that torch holds in stock."""
    return (
        torch.cuda.mem_get_info(device)[0]
        + torch.cuda.memory_reserved(device)
        - torch.cuda.memory_allocated(device)
    )


def _numpy(tensor: Tensor) -> Array:
    """In double precision, as backends return it."""
    wide = torch.complex128 if tensor.is_complex() else torch.float64
    found: Array = tensor.to("cpu", wide).numpy()
    return found
