"""Which way a layer's tensors go through its circuit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import torch

import qgen_core as qgen
from qgen_core import Backend, Circuit, Expectations, Probabilities
from qgen_torch.backend import TorchBackend
from qgen_torch.backend_function import Bridge
from qgen_torch.binding import Binding
from qgen_torch.simulator.state_function import Precision

Tensor = torch.Tensor
#: Parameters (P,), inputs (B, I) and, with shots, a generator, to the output (B, ...).
Route = Callable[..., Tensor]


class Routes:
    """Functions of parameters and inputs, one for each device and type of tensors, made when they are asked for.

    A given backend runs as it can: the torch engine itself, another backend by its native
    function where it has one, else over the bridge. Without one, the fastest exact way.
    """

    def __init__(
        self,
        circuit: Circuit,
        measure: Probabilities | Expectations,
        backend: Backend | None,
        shots: int | None,
    ) -> None:
        self.circuit, self.shots = circuit, shots
        self._measure, self._backend = measure, backend
        self._binding = Binding(circuit)
        self._known: dict[tuple[str, torch.dtype], Route] = {}
        asked = qgen.backend("statevector") if backend is None else backend
        asked.check(circuit, shots)
        asked.require(circuit, measure)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The same object: copies of a layer share what is known of the circuit, and devices cannot be copied."""
        return self

    def find(self, like: Tensor) -> Route:
        """The way for tensors like this one, whose type the output has."""
        key = (like.device.type, like.dtype)
        if key not in self._known:
            self._known[key] = self._make(*key)
        return self._known[key]

    def _make(self, device: str, dtype: torch.dtype) -> Route:
        backend, shots = self._backend, self.shots
        if backend is None:
            return self._fastest(device, dtype)
        if shots is None and isinstance(backend, TorchBackend):
            return self._engine(backend, dtype)
        native = backend.native(self.circuit, self._measure, "torch") if shots is None else None
        return self._bridge(backend) if native is None else self._native(native, device, dtype)

    def _fastest(self, device: str, dtype: torch.dtype) -> Route:
        precision: Precision = "double" if dtype == torch.float64 else "single"
        exact = self._engine(
            TorchBackend(precision=precision, device="cuda" if device == "cuda" else "cpu"), dtype
        )
        if self.shots is not None:
            return self._bridge(qgen.backend("statevector", precision=precision))
        return (
            exact
            if device == "cuda"
            else self._bridge(qgen.backend("statevector", precision=precision), exact)
        )

    def _bridge(self, backend: Backend, twice: Route | None = None) -> Route:
        return Bridge(self.circuit, self._measure, backend, self.shots, twice)

    def _engine(self, backend: TorchBackend, dtype: torch.dtype) -> Route:
        made: list[Route] = []

        def route(params: Tensor | None, inputs: Tensor | None) -> Tensor:
            if not made:  # planning takes a moment, and may never be needed
                made.append(backend.layer(self.circuit, self._measure, self._binding))
            return made[0](*_wide(dtype, params, inputs)).to(dtype)

        return route

    def _native(self, native: Callable[[Tensor], Tensor], device: str, dtype: torch.dtype) -> Route:
        def route(params: Tensor | None, inputs: Tensor | None) -> Tensor:
            angles = self._binding.angles(*_wide(dtype, params, inputs)).to("cpu", torch.float64)
            return native(angles).to(device, dtype)

        return route


def _wide(dtype: torch.dtype, *tensors: Tensor | None) -> tuple[Tensor | None, ...]:
    """Tensors of one type that holds angles well: float32, or float64."""
    wide = dtype if dtype == torch.float64 else torch.float32
    return tuple(None if tensor is None else tensor.to(wide) for tensor in tensors)
