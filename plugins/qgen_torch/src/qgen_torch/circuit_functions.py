"""A layer's circuit as a function of tensors, one function for each device and dtype."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Self

import torch

import qgen_core as qgen
from qgen_core import Backend, Circuit, Expectations, Probabilities
from qgen_core.errors import Unsupported
from qgen_core.interfaces import name_of
from qgen_torch.backend import TorchBackend
from qgen_torch.backend_function import BackendFunction
from qgen_torch.binding import Binding
from qgen_torch.simulator.state_function import Precision

Tensor = torch.Tensor
#: From parameters (P,), inputs (B, I) and, with shots, a random generator to outputs (B, ...).
CircuitFunction = Callable[..., Tensor]


class CircuitFunctions:
    """Functions of parameters and inputs, built for each device and dtype when first needed.

    A given backend is used as it is: the torch simulator directly, another backend through its
    native torch function if it has one, else through numpy arrays. Without a backend the fastest
    exact method is used.
    """

    def __init__(
        self,
        circuit: Circuit,
        measure: Probabilities | Expectations,
        backend: Backend | None,
        shots: int | None,
    ) -> None:
        self.circuit = circuit
        self.shots = shots
        self._measure = measure
        self._backend = backend
        self._binding = Binding(circuit)
        self._cache: dict[tuple[str, torch.dtype], CircuitFunction] = {}
        checked = backend
        if checked is None:
            checked = qgen.backend("statevector")
        checked.check(circuit, shots)
        checked.require(circuit, measure)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """The same object: copies of a layer share it, because devices cannot be copied."""
        return self

    def __getstate__(self) -> dict[str, Any]:
        """What ``torch.save`` writes: the built functions are left out, and built again.

        Raises Unsupported for a backend that cannot be pickled.
        """
        try:
            torch.save(self._backend, io.BytesIO())
        except Exception as error:
            raise Unsupported(
                f"a layer on backend {name_of(self._backend)!r} cannot be saved as a whole "
                f"({error}); save its state_dict(), and load that into a layer built anew"
            ) from error
        return self.__dict__ | {"_cache": {}}

    def for_tensor(self, reference: Tensor) -> CircuitFunction:
        """The function whose output has the dtype of this tensor and is on its device."""
        key = (reference.device.type, reference.dtype)
        if key not in self._cache:
            self._cache[key] = self._build(*key)
        return self._cache[key]

    def _build(self, device: str, dtype: torch.dtype) -> CircuitFunction:
        backend = self._backend
        if backend is None:
            return self._fastest(device, dtype)
        if self.shots is not None:
            return self._through_numpy(backend)
        if isinstance(backend, TorchBackend):
            return self._torch_simulator(backend, dtype)
        native = backend.native(self.circuit, self._measure, "torch")
        if native is None:
            return self._through_numpy(backend)
        return self._native(native, device, dtype)

    def _fastest(self, device: str, dtype: torch.dtype) -> CircuitFunction:
        precision: Precision = "double" if dtype == torch.float64 else "single"
        if self.shots is not None:
            return self._through_numpy(qgen.backend("statevector", precision=precision))
        if device == "cuda":
            return self._torch_simulator(TorchBackend(precision=precision, device="cuda"), dtype)
        second_order = self._torch_simulator(TorchBackend(precision=precision, device="cpu"), dtype)
        return self._through_numpy(qgen.backend("statevector", precision=precision), second_order)

    def _through_numpy(
        self, backend: Backend, differentiable: CircuitFunction | None = None
    ) -> CircuitFunction:
        return BackendFunction(self.circuit, self._measure, backend, self.shots, differentiable)

    def _torch_simulator(self, backend: TorchBackend, dtype: torch.dtype) -> CircuitFunction:
        built: list[CircuitFunction] = []

        def function(params: Tensor | None, inputs: Tensor | None) -> Tensor:
            if not built:  # the preparation takes a moment and may never be needed
                built.append(backend.bound_function(self.circuit, self._measure, self._binding))
            wide_params = _at_least_float32(dtype, params)
            wide_inputs = _at_least_float32(dtype, inputs)
            return built[0](wide_params, wide_inputs).to(dtype)

        return function

    def _native(
        self, native: Callable[[Tensor], Tensor], device: str, dtype: torch.dtype
    ) -> CircuitFunction:
        def function(params: Tensor | None, inputs: Tensor | None) -> Tensor:
            wide_params = _at_least_float32(dtype, params)
            wide_inputs = _at_least_float32(dtype, inputs)
            angles = self._binding.angles(wide_params, wide_inputs).to("cpu", torch.float64)
            return native(angles).to(device, dtype)

        return function


def _at_least_float32(dtype: torch.dtype, tensor: Tensor | None) -> Tensor | None:
    """The tensor as float64 if that is the dtype, else as float32: half precision loses angles."""
    if tensor is None:
        return None
    if dtype == torch.float64:
        return tensor.to(torch.float64)
    return tensor.to(torch.float32)
