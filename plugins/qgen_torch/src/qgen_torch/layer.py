"""A circuit as a torch module."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi
from typing import Any

import torch
from torch import nn

from qgen_core import Backend, Circuit, Expectations, Probabilities, build
from qgen_core.circuits.measures import check_measure
from qgen_core.errors import BadOption
from qgen_core.support.random_streams import generator, stream
from qgen_torch.circuit_functions import CircuitFunctions

Tensor = torch.Tensor


class QuantumLayer(nn.Module):
    """A parametrised circuit as a layer: inputs (B, I) to probabilities or expectations.

    The output is (B, 2^Q) probabilities or (B, words) expectations. The parameters are ``theta``
    (P,), initially uniform in [-scale, scale]; for a circuit without parameters ``theta`` is None.
    A circuit without inputs is called without arguments and gives one row. Outputs have the dtype
    and the device of the inputs, or of ``theta``. Gradients with respect to parameters and inputs
    are computed by the backend's own method: adjoint, backpropagation or parameter shift.

    With ``shots``, values are estimated from measurements and gradients by the parameter-shift
    rule. Every call uses a new random stream; the seed and the number of calls are the buffer
    ``draws`` and so part of the state: layers with equal states draw equal numbers.

    Args:
        circuit: the circuit.
        measure: Probabilities or Expectations.
        backend: runs the circuit; a backend, or its name, or a table with its name and options.
            None takes the fastest: on a CPU the embedded simulator in the precision of the
            tensors, on CUDA and for second derivatives the backend ``torch``.
        shots: measurements per circuit; None for exact values.
        seed: of the initial parameters and of the shots; None takes fresh entropy.
        scale: of the initial parameters, in radians.
        device: of ``theta``, as in torch.
        dtype: of ``theta``; None takes torch's default.

    Raises BadOption for a circuit with neither parameters nor inputs and for measures without a
    gradient, and what the backend raises for circuits it cannot run.

    >>> from qgen_core import Gate, pauli_z
    >>> from qgen_core import given
    >>> layer = QuantumLayer(Circuit(1, (Gate("rx", (0,), given(0)),)), pauli_z(1))
    >>> angle = torch.tensor([[0.0], [pi / 2]], requires_grad=True)
    >>> output = layer(angle)  # cos(angle)
    >>> output.detach().round(decimals=3).abs()
    tensor([[1.],
            [0.]])
    >>> output.sum().backward()
    >>> angle.grad[1].round(decimals=3)  # -sin(angle)
    tensor([-1.])
    """

    theta: nn.Parameter | None
    draws: Tensor

    def __init__(
        self,
        circuit: Circuit,
        measure: Probabilities | Expectations,
        backend: Backend | str | Mapping[str, Any] | None = None,
        *,
        shots: int | None = None,
        seed: int | None = None,
        scale: float = pi,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(measure, Probabilities | Expectations):
            raise BadOption(
                "a QuantumLayer measures Probabilities or Expectations, "
                f"not {type(measure).__name__}"
            )
        if not circuit.num_params and not circuit.num_inputs:
            raise BadOption(
                "a circuit with neither parameters nor inputs cannot be a QuantumLayer: "
                "its output is constant"
            )
        check_measure(measure, circuit.num_wires)
        known_seed = int(generator(None).integers(2**62)) if seed is None else seed
        initial = stream(known_seed, "init").uniform(-scale, scale, circuit.num_params)
        theta = torch.from_numpy(initial).to(device, dtype or torch.get_default_dtype())
        self.theta = nn.Parameter(theta) if circuit.num_params else None
        self.register_buffer("draws", torch.tensor([known_seed, 0], device=device))
        self._functions = CircuitFunctions(circuit, measure, _built(backend), shots)

    def forward(self, inputs: Tensor | None = None) -> Tensor:
        """The output for inputs (B, I).

        Raises BadOption for inputs of another shape, dtype or device.
        """
        reference = self._reference_tensor(inputs)
        function = self._functions.for_tensor(reference)
        if self.shots is None:
            return function(self.theta, inputs)
        seed, calls = self.draws.tolist()
        self.draws[1] += 1
        return function(self.theta, inputs, stream(seed, "shots", calls))

    @property
    def circuit(self) -> Circuit:
        """The circuit that is run."""
        return self._functions.circuit

    @property
    def shots(self) -> int | None:
        """Measurements per circuit; None for exact values."""
        return self._functions.shots

    def extra_repr(self) -> str:
        """The circuit's size, for printed modules."""
        circuit = self.circuit
        return (
            f"{circuit.num_wires} wires, {circuit.num_params} parameters, "
            f"{circuit.num_inputs} inputs"
        )

    def _reference_tensor(self, inputs: Tensor | None) -> Tensor:
        """The tensor whose dtype and device the output has; checks the inputs."""
        columns = self.circuit.num_inputs
        theta = self.theta
        if inputs is None:
            if columns:
                raise BadOption(f"the circuit takes inputs (B, {columns}); none were given")
            assert theta is not None
            return theta
        if inputs.ndim != 2 or inputs.shape[1] != columns:
            raise BadOption(f"the circuit takes inputs (B, {columns}), not {tuple(inputs.shape)}")
        if not inputs.is_floating_point():
            raise BadOption(f"inputs must be floating-point angles, not {inputs.dtype}")
        if theta is not None and inputs.device != theta.device:
            raise BadOption(
                f"inputs on {inputs.device}, parameters on {theta.device}; move one to the other"
            )
        return inputs


def _built(backend: Backend | str | Mapping[str, Any] | None) -> Backend | None:
    """The backend that a name or a table stands for."""
    if not isinstance(backend, str | Mapping):
        return backend
    found: Backend = build("backend", backend)
    return found
