"""Circuits on any backend in torch's autograd; tensors are converted to numpy arrays and back.

The pullback that ``Backend.forward`` returns is kept until the cotangent arrives, so an adjoint
sweep starts from the state of the forward pass and serves parameters and inputs at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch

from qgen_core import Backend, Circuit, Shots
from qgen_core.circuits.measures import Measure
from qgen_core.errors import BadOption
from qgen_core.interfaces import name_of
from qgen_core.typing import Array, Floats, Rng

Tensor = torch.Tensor
Gradients = tuple[Tensor | None, Tensor | None]

_NUMPY: dict[torch.dtype, np.dtype[Any]] = {
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
}


@dataclass(frozen=True, eq=False)
class BackendFunction:
    """A circuit on a backend as a differentiable function of tensors.

    ``differentiable`` is the same function in torch, used for second derivatives; with None there
    are none.

    >>> from qgen_core import Gate, backend, param, pauli_z
    >>> circuit = Circuit(1, (Gate("ry", (0,), param(0)),))
    >>> function = BackendFunction(circuit, pauli_z(1), backend("statevector"), shots=None)
    >>> theta = torch.tensor([0.0], requires_grad=True)
    >>> function(theta, None).detach()
    tensor([[1.]])
    """

    circuit: Circuit
    measure: Measure
    backend: Backend
    shots: int | None
    differentiable: Callable[[Tensor | None, Tensor | None], Tensor] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The same object: it is immutable, and devices cannot be copied."""
        return self

    def __call__(
        self, params: Tensor | None, inputs: Tensor | None, rng: Rng | None = None
    ) -> Tensor:
        """The output (B, ...) for parameters (P,) and inputs (B, I), in their dtype and device."""
        if torch.is_grad_enabled() and (_needs_gradient(params) or _needs_gradient(inputs)):
            output: Tensor = _CIRCUIT(params, inputs, self, rng)
            return output
        angles = self._angles(params, inputs)
        values = self.backend.run(self.circuit, angles, self.measure, Shots.of(self.shots, rng))
        return _tensor(values, _reference_tensor(params, inputs))

    def forward(
        self, params: Tensor | None, inputs: Tensor | None, rng: Rng | None
    ) -> tuple[Array, Callable[[Array], Floats]]:
        """The output in numpy and the backend's pullback to angles."""
        angles = self._angles(params, inputs)
        return self.backend.forward(self.circuit, angles, self.measure, Shots.of(self.shots, rng))

    def gradients(
        self,
        pullback: Callable[[Array], Floats],
        cotangent: Tensor,
        params: Tensor | None,
        inputs: Tensor | None,
    ) -> Gradients:
        """d loss / d params and d loss / d inputs; None where no gradient is required."""
        d_params, d_inputs = self.circuit.pullback(pullback(_numpy(cotangent)))
        of_params: Tensor | None = None
        of_inputs: Tensor | None = None
        if _needs_gradient(params):
            of_params = _tensor(d_params.sum(axis=0), params)
        if _needs_gradient(inputs):
            of_inputs = _tensor(d_inputs, inputs)
        return of_params, of_inputs

    @property
    def second_derivative_error(self) -> str:
        """The error message for second derivatives."""
        shots = "" if self.shots is None else " with shots"
        return (
            f"backend {name_of(self.backend)!r}{shots} has first derivatives only; second ones "
            "(e.g. a gradient penalty through a circuit) need the backend 'torch' without shots"
        )

    def _angles(self, params: Tensor | None, inputs: Tensor | None) -> Floats:
        params_array = () if params is None else _numpy(params)
        inputs_array = None if inputs is None else _numpy(inputs)
        return self.circuit.bind(params_array, inputs_array)


class _Circuit(torch.autograd.Function):
    """A circuit's output, with the backend's pullback as backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        params: Tensor | None,
        inputs: Tensor | None,
        function: BackendFunction,
        rng: Rng | None,
    ) -> Tensor:
        output, ctx.pullback = function.forward(params, inputs, rng)
        ctx.function = function
        ctx.save_for_backward(params, inputs)
        return _tensor(output, _reference_tensor(params, inputs))

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        params, inputs = ctx.saved_tensors
        function: BackendFunction = ctx.function
        if torch.is_grad_enabled() and function.differentiable is not None:
            of_params, of_inputs = _gradients_in_torch(
                function.differentiable, cotangent, params, inputs
            )
            return of_params, of_inputs, None, None
        gradients = function.gradients(ctx.pullback, cotangent, params, inputs)
        if torch.is_grad_enabled():  # the caller wants to differentiate this backward pass
            gradients = differentiable_once(
                function.second_derivative_error, (cotangent, params, inputs), gradients
            )
        of_params, of_inputs = gradients
        return of_params, of_inputs, None, None


class _DifferentiableOnce(torch.autograd.Function):
    """The identity on tensors whose dependence on others torch does not know."""

    @staticmethod
    def forward(
        ctx: Any, message: str, count: int, *tensors: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        ctx.message = message
        return tensors[count:]

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        raise BadOption(ctx.message)


def differentiable_once(
    message: str, sources: tuple[Tensor | None, ...], gradients: tuple[Tensor | None, ...]
) -> Any:
    """Gradients that were computed outside of torch, marked as functions of their sources.

    Differentiating them again raises BadOption with this message, instead of giving zeros.
    """
    return _DIFFERENTIABLE_ONCE(message, len(sources), *sources, *gradients)


# torch leaves ``apply`` untyped.
_CIRCUIT: Any = _Circuit.apply
_DIFFERENTIABLE_ONCE: Any = _DifferentiableOnce.apply


def _gradients_in_torch(
    function: Callable[[Tensor | None, Tensor | None], Tensor],
    cotangent: Tensor,
    params: Tensor | None,
    inputs: Tensor | None,
) -> Gradients:
    """The gradients of a torch function, themselves differentiable."""
    output = function(params, inputs)
    required = []
    for tensor in (params, inputs):
        if tensor is not None and tensor.requires_grad:
            required.append(tensor)
    gradients = list(torch.autograd.grad(output, required, cotangent, create_graph=True))
    of_params: Tensor | None = None
    of_inputs: Tensor | None = None
    if _needs_gradient(inputs):
        of_inputs = gradients.pop()
    if _needs_gradient(params):
        of_params = gradients.pop()
    return of_params, of_inputs


def _reference_tensor(params: Tensor | None, inputs: Tensor | None) -> Tensor | None:
    """The tensor whose dtype and device the output has."""
    if inputs is not None:
        return inputs
    return params


def _needs_gradient(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.requires_grad


def _numpy(tensor: Tensor) -> Array:
    wide = tensor if tensor.dtype in _NUMPY else tensor.float()
    array: Array = wide.numpy(force=True)
    return array


def _tensor(array: Array, reference: Tensor | None) -> Tensor:
    """The array as a tensor with the dtype and on the device of the reference."""
    assert reference is not None
    if reference.device.type == "cpu" and reference.dtype in _NUMPY:
        # numpy converts in half the time
        dtype = _NUMPY[reference.dtype]
        return torch.from_numpy(array.astype(dtype, order="C", copy=not array.flags.writeable))
    shareable = np.require(array, requirements=["C", "W"])
    return torch.from_numpy(shareable).to(reference.device, reference.dtype)
