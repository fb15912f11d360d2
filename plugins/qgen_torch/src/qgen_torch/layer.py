"""A circuit as a torch module."""

from __future__ import annotations

from math import pi

import torch
from torch import nn

from qgen_core import Backend, Circuit, Expectations, Probabilities
from qgen_core.circuits.measures import check_measure
from qgen_core.errors import BadOption
from qgen_core.support.random_streams import generator, stream
from qgen_torch.circuit_functions import Routes

Tensor = torch.Tensor


class QuantumLayer(nn.Module):
    """Inputs (B, I) to probabilities (B, 2^Q) or expectations (B, words) of a circuit with trainable parameters.

    The parameters are ``theta`` (P,), drawn uniformly from [-scale, scale] by ``seed``; a circuit
    without any has ``theta`` None. A circuit without inputs takes none and gives one row. Outputs
    have the type and the device of the inputs, or of ``theta``. Gradients go to parameters and
    inputs, by the way that the backend has: adjoint, backpropagation, parameter shift.

    With ``shots``, values are measured and gradients are those of the shift rule. Each call draws
    from a stream of its own; the seed and the number of calls are the buffer ``draws`` and so
    belong to the state: modules of the same state draw the same.

    Args:
        circuit: the circuit.
        measure: what is read: Probabilities or Expectations.
        backend: runs the circuit. None takes what is fastest: on a CPU the embedded engine in the
            precision of the tensors, on CUDA, and for second derivatives, the backend ``torch``.
        shots: measurements per circuit; None for exact values.
        seed: of the first parameters and of the shots; None takes fresh entropy.
        scale: of the first parameters, in radians.
        device: of ``theta``, as torch has it.
        dtype: of ``theta``; None takes torch's default.

    Raises BadOption for a circuit with neither parameters nor inputs and for measures without a
    gradient, and what the backend raises for circuits it cannot run.
    """

    theta: nn.Parameter | None
    draws: Tensor

    def __init__(
        self,
        circuit: Circuit,
        measure: Probabilities | Expectations,
        backend: Backend | None = None,
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
                f"a layer gives probabilities or expectations, not {type(measure).__name__}"
            )
        if not circuit.num_params and not circuit.num_inputs:
            raise BadOption("a circuit with neither parameters nor inputs makes no layer")
        check_measure(measure, circuit.num_wires)
        known = int(generator(None).integers(2**62)) if seed is None else seed
        first = stream(known, "init").uniform(-scale, scale, circuit.num_params)
        theta = torch.from_numpy(first).to(device, dtype or torch.get_default_dtype())
        self.theta = nn.Parameter(theta) if circuit.num_params else None
        self.register_buffer("draws", torch.tensor([known, 0], device=device))
        self._routes = Routes(circuit, measure, backend, shots)

    def forward(self, inputs: Tensor | None = None) -> Tensor:
        """The output for inputs (B, I). Raises BadOption for inputs of another shape, type or device."""
        theta, routes = self.theta, self._routes
        like = self._checked(inputs, theta)
        if routes.shots is None:
            return routes.find(like)(theta, inputs)
        seed, calls = self.draws.tolist()
        self.draws[1] += 1
        return routes.find(like)(theta, inputs, stream(seed, "shots", calls))

    @property
    def circuit(self) -> Circuit:
        """What is run."""
        return self._routes.circuit

    @property
    def shots(self) -> int | None:
        """Measurements per circuit; None: exact."""
        return self._routes.shots

    def extra_repr(self) -> str:
        """The circuit's size, for printed modules."""
        circuit = self.circuit
        return f"{circuit.num_wires} wires, {circuit.num_params} parameters, {circuit.num_inputs} inputs"

    def _checked(self, inputs: Tensor | None, theta: Tensor | None) -> Tensor:
        """The tensor whose type and device the output has."""
        wanted = self._routes.circuit.num_inputs
        if inputs is None:
            if wanted:
                raise BadOption(f"the circuit takes inputs (B, {wanted}); none were given")
            assert theta is not None
            return theta
        if inputs.ndim != 2 or inputs.shape[1] != wanted:
            raise BadOption(f"the circuit takes inputs (B, {wanted}), not {tuple(inputs.shape)}")
        if not inputs.is_floating_point():
            raise BadOption(f"inputs are floating-point angles, not {inputs.dtype}")
        if theta is not None and inputs.device != theta.device:
            raise BadOption(
                f"inputs on {inputs.device}, parameters on {theta.device}; move one to the other"
            )
        return inputs
