"""The backend ``torch``: batches of state vectors as tensors, on CPU and CUDA."""

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
from qgen_torch.simulator.measure_function import MeasureFunction
from qgen_torch.simulator.state_function import Precision, StateFunction

Tensor = torch.Tensor

BYTES_PER_AMPLITUDE = {"double": 16, "single": 8}
#: Batches of states in memory at once during a run.
STATES_TO_RUN = 3
#: Batches of states in memory at once during a run and its gradient.
STATES_TO_TRAIN = 6


class TorchBackend(Simulator):
    """State vectors as tensors: a few large operations per layer for a whole batch of circuits.

    Intended for GPUs and for models that are differentiated twice; on a CPU the backend
    ``statevector`` is faster. ``native(circuit, measure, "torch")`` returns a function of tensors,
    differentiable any number of times. First derivatives use the adjoint method, which undoes the
    circuit instead of storing its states; higher ones are torch's own and store them.

    Args:
        precision: ``double`` for complex128, ``single`` for complex64 (half the memory, errors of
            about 1e-6).
        device: where circuits run: ``cpu``, ``cuda``, or ``auto``, which runs tensors on their own
            device, and numpy arrays on CUDA if it is available.

    Raises BadOption for ``cuda`` if torch finds no such device.

    >>> from qgen_core import Gate, param
    >>> bell = Circuit(2, (Gate("ry", (0,), param(0)), Gate("cx", (0, 1))))
    >>> TorchBackend(device="cpu").probabilities(bell, [np.pi / 2]).round(3)
    array([0.5, 0. , 0. , 0.5])
    """

    def __init__(
        self, *, precision: Precision = "double", device: Literal["auto", "cpu", "cuda"] = "auto"
    ) -> None:
        if precision not in ("double", "single"):
            raise BadOption(f"precision must be 'double' or 'single', not {precision!r}")
        if device not in ("auto", "cpu", "cuda"):
            raise BadOption(f"device must be 'auto', 'cpu' or 'cuda', not {device!r}")
        if device == "cuda" and not torch.cuda.is_available():
            raise BadOption("torch finds no CUDA device here; set device to 'cpu' or 'auto'")
        self.capabilities = Capabilities(gradients="adjoint", precision=precision)
        self.precision: Precision = precision
        self.device = device
        self._state_functions: Remembered[Circuit, dict[bool, StateFunction]] = Remembered()
        self._measure_functions: dict[tuple[int, tuple[str, ...] | type], MeasureFunction] = {}

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        self._require(circuit, batch, self._device(), train=True)

    def exact(self, circuit: Circuit, angles: Floats, measure: Measure) -> Array:
        rows = self._rows(circuit, angles, train=False)
        with torch.no_grad():
            states = self._state_function(circuit, None)(rows.new_empty(1, 0), rows)
            output = self._measure_function(measure, circuit)(states)
        return _numpy(output)

    def exact_forward(
        self, circuit: Circuit, angles: Floats, measure: Measure
    ) -> tuple[Array, Callable[[Array], Floats]]:
        leaf = self._rows(circuit, angles, train=True).requires_grad_()
        # enable_grad, because the caller may be the forward pass of another function
        with torch.enable_grad():
            states = self._state_function(circuit, None)(leaf.new_empty(1, 0), leaf)
            output = self._measure_function(measure, circuit)(states)

        def pullback(cotangent: Array) -> Floats:
            if not output.requires_grad:
                return np.zeros(leaf.shape)
            shareable = torch.from_numpy(np.require(cotangent, requirements=["C", "W"]))
            weights = shareable.to(output.device, output.dtype)
            (gradient,) = torch.autograd.grad(output, leaf, weights, retain_graph=True)
            return np.asarray(_numpy(gradient), dtype=np.float64)

        return _numpy(output.detach()), pullback

    def native(
        self, circuit: Circuit, measure: Measure, framework: str
    ) -> Callable[[Tensor], Tensor] | None:
        """For ``"torch"``, a function from angles (B, A) to probabilities, expectations or states.

        The output has the precision of the backend and is on the device of the angles. None for
        other frameworks and for measures without an exact value.
        """
        if framework != "torch" or not isinstance(measure, Probabilities | Expectations | State):
            return None
        run = self._function(circuit, measure, None)
        return lambda angles: run(angles.new_empty(1, 0), angles)

    def bound_function(
        self, circuit: Circuit, measure: Measure, binding: Binding
    ) -> Callable[..., Tensor]:
        """A function of parameters (P,) and inputs (B, I); shared work is done once per batch."""
        run = self._function(circuit, measure, binding)
        return lambda params, inputs: run(*binding.columns(params, inputs))

    def _function(
        self, circuit: Circuit, measure: Measure, binding: Binding | None
    ) -> Callable[[Tensor, Tensor | None], Tensor]:
        """Outputs from shared angle columns (1, S) and those of each row (B, O)."""
        self.check(circuit)
        check_measure(measure, circuit.num_wires)
        self._require(circuit, 1, self._device(), train=True)
        measure_function = MeasureFunction(measure, circuit.num_wires)
        state_function = self._state_function(circuit, binding)

        def function(shared: Tensor, rows: Tensor | None) -> Tensor:
            home = shared.device
            device = self._device(home)
            batch = 1 if rows is None else len(rows)
            self._require(circuit, batch, device, train=True)
            if rows is not None:
                rows = rows.to(device)
            return measure_function(state_function(shared.to(device), rows)).to(home)

        return function

    def _state_function(self, circuit: Circuit, binding: Binding | None) -> StateFunction:
        """With a binding, columns without inputs are shared by all rows; without, none are."""
        known = self._state_functions.get(circuit, dict)
        shares_columns = binding is not None
        if shares_columns not in known:
            row_columns = np.arange(circuit.num_angles) if binding is None else binding.row_columns
            known[shares_columns] = StateFunction(circuit, row_columns, self.precision)
        return known[shares_columns]

    def _measure_function(self, measure: Measure, circuit: Circuit) -> MeasureFunction:
        """The function of a measure with perfect readout, built once."""
        kind = measure.paulis if isinstance(measure, Expectations) else type(measure)
        key = (circuit.num_wires, kind)
        if key not in self._measure_functions:
            self._measure_functions[key] = MeasureFunction(measure, circuit.num_wires)
        return self._measure_functions[key]

    def _rows(self, circuit: Circuit, angles: Floats, *, train: bool) -> Tensor:
        rows = checked_angles(circuit, angles)
        device = self._device()
        self._require(circuit, len(rows), device, train=train)
        return torch.from_numpy(np.require(rows, requirements=["W"])).to(device)

    def _device(self, here: torch.device | None = None) -> torch.device:
        """Where circuits run whose angles are on ``here``; None for angles in numpy."""
        if self.device != "auto":
            return torch.device(self.device)
        if here is not None:
            return here
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("cpu")

    def _require(self, circuit: Circuit, batch: int, device: torch.device, *, train: bool) -> None:
        """Raise ResourceRefused if the states of a batch do not fit in the device's memory."""
        states = STATES_TO_RUN
        purpose = ""
        if train:
            states = STATES_TO_TRAIN
            purpose = " to train"
        bytes_per_basis_state = states * BYTES_PER_AMPLITUDE[self.precision] * batch
        if batch > 1:
            purpose += f" for a batch of {batch}"
        free = partial(_free_cuda, device) if device.type == "cuda" else None
        require_qubits(circuit.num_wires, lambda n: bytes_per_basis_state << n, purpose, free)


def _free_cuda(device: torch.device) -> int:
    """Free bytes of a GPU, including those that torch has reserved and does not use."""
    free, _ = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free + unused


def _numpy(tensor: Tensor) -> Array:
    """A numpy array in double precision, as backends return it."""
    wide = torch.complex128 if tensor.is_complex() else torch.float64
    array: Array = tensor.to("cpu", wide).numpy()
    return array
