"""Circuits inside torch's autograd, over any backend: numpy goes in and comes out at the boundary.

The way back that ``Backend.forward`` gives is kept until the cotangent arrives, so an adjoint
sweep runs on the state of the forward pass, for parameters and inputs at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch

from qgen_core import Backend, Circuit
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
class Bridge:
    """What is run for a layer. ``twice`` is the same function in torch, for second derivatives; None: has none."""

    circuit: Circuit
    measure: Measure
    backend: Backend
    shots: int | None
    twice: Callable[[Tensor | None, Tensor | None], Tensor] | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The same object: nothing in it changes, and devices cannot be copied."""
        return self

    def __call__(
        self, params: Tensor | None, inputs: Tensor | None, rng: Rng | None = None
    ) -> Tensor:
        """The output (B, ...) for parameters (P,) and inputs (B, I), in their type and on their device."""
        like = inputs if inputs is not None else params
        needed = any(t is not None and t.requires_grad for t in (params, inputs))
        if torch.is_grad_enabled() and needed:
            found: Tensor = _CIRCUIT(params, inputs, self, rng)
            return found
        angles = self._angles(params, inputs)
        return _tensor(
            self.backend.run(self.circuit, angles, self.measure, shots=self.shots, rng=rng), like
        )

    def forward(
        self, params: Tensor | None, inputs: Tensor | None, rng: Rng | None
    ) -> tuple[Array, Callable[[Array], Floats]]:
        """The output in numpy and the backend's way back to angles."""
        angles = self._angles(params, inputs)
        return self.backend.forward(self.circuit, angles, self.measure, shots=self.shots, rng=rng)

    def gradients(
        self,
        back: Callable[[Array], Floats],
        cotangent: Tensor,
        params: Tensor | None,
        inputs: Tensor | None,
    ) -> Gradients:
        """d loss / d params and d inputs, as far as they are wanted."""
        d_params, d_inputs = self.circuit.pullback(back(_numpy(cotangent)))
        return (
            _tensor(d_params.sum(axis=0), params)
            if params is not None and params.requires_grad
            else None,
            _tensor(d_inputs, inputs) if inputs is not None and inputs.requires_grad else None,
        )

    @property
    def refusal(self) -> str:
        """Why there are no second derivatives."""
        shots = "" if self.shots is None else " with shots"
        return (
            f"backend {name_of(self.backend)!r}{shots} has first derivatives only; second ones (a gradient penalty "
            "through a circuit, say) need the backend 'torch', exact"
        )

    def _angles(self, params: Tensor | None, inputs: Tensor | None) -> Floats:
        return self.circuit.bind(
            () if params is None else _numpy(params), None if inputs is None else _numpy(inputs)
        )


class _Circuit(torch.autograd.Function):
    """A circuit's output; its backward pass is the backend's."""

    @staticmethod
    def forward(
        ctx: Any, params: Tensor | None, inputs: Tensor | None, bridge: Bridge, rng: Rng | None
    ) -> Tensor:
        output, ctx.back = bridge.forward(params, inputs, rng)
        ctx.bridge = bridge
        ctx.save_for_backward(params, inputs)
        return _tensor(output, inputs if inputs is not None else params)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        params, inputs = ctx.saved_tensors
        bridge: Bridge = ctx.bridge
        if torch.is_grad_enabled() and bridge.twice is not None:
            return *_again(bridge.twice, cotangent, params, inputs), None, None
        found = bridge.gradients(ctx.back, cotangent, params, inputs)
        if torch.is_grad_enabled():  # a graph of this backward pass is recorded
            found = once(bridge.refusal, (cotangent, params, inputs), found)
        return *found, None, None


class _Once(torch.autograd.Function):
    """The identity on tensors that depend on others in a way that cannot be differentiated."""

    @staticmethod
    def forward(
        ctx: Any, message: str, count: int, *tensors: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        ctx.message = message
        return tensors[count:]

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        raise BadOption(ctx.message)


def once(message: str, sources: tuple[Tensor | None, ...], found: tuple[Tensor | None, ...]) -> Any:
    """First derivatives that were found without torch: going back from them to their sources raises BadOption."""
    return _ONCE(message, len(sources), *sources, *found)


# torch leaves ``apply`` without types.
_CIRCUIT: Any = _Circuit.apply
_ONCE: Any = _Once.apply


def _again(
    function: Callable[[Tensor | None, Tensor | None], Tensor],
    cotangent: Tensor,
    params: Tensor | None,
    inputs: Tensor | None,
) -> Gradients:
    """The gradients by a function of torch, with a graph of their own."""
    output = function(params, inputs)
    wanted = [t for t in (params, inputs) if t is not None and t.requires_grad]
    found = iter(torch.autograd.grad(output, wanted, cotangent, create_graph=True))
    first, second = (
        next(found) if t is not None and t.requires_grad else None for t in (params, inputs)
    )
    return first, second


def _numpy(tensor: Tensor) -> Array:
    wide = tensor if tensor.dtype in _NUMPY else tensor.float()
    found: Array = wide.numpy(force=True)
    return found


def _tensor(array: Array, like: Tensor | None) -> Tensor:
    assert like is not None
    if like.device.type == "cpu" and like.dtype in _NUMPY:  # numpy converts in half the time
        return torch.from_numpy(
            array.astype(_NUMPY[like.dtype], order="C", copy=not array.flags.writeable)
        )
    return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(like.device, like.dtype)
