"""The generator ``style-qgan``: expectations of a circuit with noise in every angle."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from qgen_core import Backend, Circuit, Expectations, Gate, Space, given
from qgen_core.errors import BadOption
from qgen_core.support.random_streams import generator, stream
from qgen_core.support.resources import require_circuit_size, require_memory
from qgen_core.typing import Rng
from qgen_torch.backend_function import BackendFunction
from qgen_torch.conditions import condition_width
from qgen_torch.model import TorchModel

Tensor = torch.Tensor

#: Amplitudes in memory at once while sampling; sets the number of events per backend call.
MAX_AMPLITUDES = 2**22
#: At least so many events are drawn at once, each with its own noise.
LATENT_ROWS = 2**10


class StyleQgan(TorchModel):
    """``x_i = <Z_i>`` of a circuit in which every angle is ``w z + b``: noise enters as a style.

    A layer has RY and RZ on every wire. Layers 2, 6, 10, ... are followed by two CRY, from wire 0
    to 1 and from 0 to 2, and layers 4, 8, ... by two CRY from 1 to 2 and from 2 to 0. On two wires
    the pairs are always (0, 1) and (1, 0); on four or more they run around the ring. RY on every
    wire ends the circuit. Angles use the dimensions of z followed by the conditions, cyclically.
    The products ``w z + b`` are computed here and enter the circuit as inputs, so any backend runs
    it.

    Each angle has a weight and a bias: ``4 L n + 2 n + 2 L`` parameters for L layers on n wires,
    without ``2 L`` on one wire. As in the published code, every layer has parameters for one CRY,
    so for an odd number of layers the last two parameters have no effect.

    Output: ``samples`` (N, width), each in [-1, 1]; encode events to that range, e.g. with
    ``min-max`` and ``range = [-1, 1]``.

    Args:
        backend: runs the circuit; gradients are adjoint if it offers them, else parameter shift.
        layers: L.
        wires: n; None takes as many as the events need.
        observables: ``z`` reads Z of each wire; ``zx`` reads X of each wire as well, which gives
            two columns per wire.
        latent: dimension of the noise z, standard normal.
        shots: measurements per expectation. None: exact expectations.
        scale: initial parameters are uniform in [-scale, scale].

    Raises BadOption for events that are bits or spins and for too few wires, and what the backend
    raises.

    Source: Bravo-Prieto et al., arXiv:2110.06933, section 3, and its published code; conditions
    and numbers of wires other than one and three are our choice (docs/readings.md).

    >>> from qgen_core import backend
    >>> model = StyleQgan(space=Space("reals", 3), backend=backend("statevector"), layers=2)
    >>> sum(values.size for values in model.parameters().values())
    34
    """

    outputs = frozenset({"samples"})
    draws_torch_numbers = False
    suggested_encoder = "min-max"

    def __init__(
        self,
        *,
        space: Space,
        backend: Backend,
        condition: Space | None = None,
        layers: int = 2,
        wires: int | None = None,
        observables: Literal["z", "zx"] = "z",
        latent: int = 5,
        shots: int | None = None,
        scale: float = 0.15,
        seed: int | None = None,
    ) -> None:
        if layers < 1 or latent < 1 or not scale >= 0:
            raise BadOption(
                "layers and latent must be at least 1 and scale at least 0, "
                f"not {layers}, {latent} and {scale:g}"
            )
        require_memory(
            LATENT_ROWS * 8 * latent, f"the noise of latent = {latent}", "take a smaller latent"
        )
        if wires is None:
            wires = -(-space.width // len(observables))
        if wires * len(observables) < space.width:
            raise BadOption(
                f"{wires} wires read by {observables!r} give fewer than {space.width} columns; "
                "increase wires"
            )
        angles = 2 * layers * wires + wires
        if wires > 1:
            angles += layers
        numbers = generator(None) if seed is None else stream(seed, "init")
        weight, bias = torch.from_numpy(numbers.uniform(-scale, scale, (2, angles)))
        parameters = nn.ParameterDict([("weight", weight), ("bias", bias)])
        super().__init__(parameters, space=space, condition=condition)
        self.backend = backend
        self.shots = shots
        self.latent = latent
        self.circuit = style_circuit(wires, layers)
        self.events_at_once = max(1, MAX_AMPLITUDES >> wires)
        words = []
        for letter in observables:
            for wire in range(wires):
                words.append(wire * "I" + letter.upper() + (wires - wire - 1) * "I")
        self.measure = Expectations(tuple(words[: space.width]))
        backend.check(self.circuit, shots)
        backend.require(self.circuit, self.measure)
        self._expectations = BackendFunction(self.circuit, self.measure, backend, shots)
        style_width = latent + condition_width(condition)
        #: The column of (z, condition) that each angle of the circuit uses.
        self._style_columns = torch.arange(self.circuit.num_angles, device="cpu") % style_width

    def samples(self, n: int, condition: Tensor | None, rng: Rng) -> Tensor:
        z = self.noise(n, self.latent, rng)
        if condition is not None:
            z = torch.cat([z, condition], dim=1)
        styles = z.index_select(1, self._style_columns)
        weight = self.module.get_parameter("weight")
        bias = self.module.get_parameter("bias")
        inputs = _STYLED(weight, bias, styles)
        return self._expectations(None, inputs, rng)


class _Styled(torch.autograd.Function):
    """``weight * style + bias`` for each angle (n, angles); the last parameters may be unused.

    Its derivatives are sums over the batch. They are numpy's, because torch adds in another order,
    and recorded trainings can be repeated bit for bit.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor, styles: Tensor) -> Tensor:
        ctx.save_for_backward(weight, styles)
        used = styles.shape[1]
        return weight[:used] * styles + bias[:used]

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, Tensor, None]:
        weight, styles = ctx.saved_tensors
        used = styles.shape[1]
        d_angles = cotangent.numpy()
        d_weight = torch.zeros_like(weight)
        d_bias = torch.zeros_like(weight)
        np.einsum("na,na->a", d_angles, styles.numpy(), out=d_weight.numpy()[:used])
        np.sum(d_angles, axis=0, out=d_bias.numpy()[:used])
        return d_weight, d_bias, None


_STYLED: Any = _Styled.apply  # torch leaves it untyped


def style_circuit(wires: int, layers: int) -> Circuit:
    """The circuit of the style-qGAN: every angle is an input of its own, in the order of the gates.

    >>> style_circuit(3, 2).num_inputs
    17
    """
    require_circuit_size(wires, layers)
    gates: list[Gate] = []

    def add(name: str, *on: int) -> None:
        gates.append(Gate(name, on, given(len(gates))))

    if wires == 3:
        pairs = [(0, 1), (0, 2), (1, 2), (2, 0)]
    else:
        pairs = [(wire, (wire + 1) % wires) for wire in range(wires)]
    entanglers = 0
    for layer in range(layers):
        for wire in range(wires):
            add("ry", wire)
            add("rz", wire)
        if wires > 1 and layer % 2:
            for _ in range(2):
                add("cry", *pairs[entanglers % len(pairs)])
                entanglers += 1
    for wire in range(wires):
        add("ry", wire)
    return Circuit(wires, tuple(gates))
