"""Conditioners of couplings around a circuit, or around what it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Literal

import numpy as np
import torch
from torch import nn

import qgen_core as qgen
from qgen_core import Backend, Circuit, Gate, given, param, pauli_z
from qgen_core.circuits.measures import State
from qgen_core.errors import BadOption
from qgen_core.support.resources import require_circuit_size
from qgen_core.typing import Floats
from qgen_torch.flows.coupling import Conditioners, zeros_at_first
from qgen_torch.layer import QuantumLayer
from qgen_torch.networks.classical_block import ClassicalBlock
from qgen_torch.networks.mlp import Activation, mlp
from qgen_torch.networks.module_arrays import as_buffers

Tensor = torch.Tensor
#: What is between the two linear maps of a conditioner.
CoreName = Literal["quantum", "tanh", "cos", "network"]
#: The CNOTs of a layer: from each wire to the next, also from the last to the first, or none.
Entanglement = Literal["linear", "ring", "none"]
#: The trained rotations of a wire in a layer, in the order in which they act.
Rotations = Literal["ry-rz", "rz-ry-rx"]
#: What cores compute: all numbers, one core for s and one for t, or only one of the two.
Computes = Literal["all", "separately", "s", "t"]


def conditioner_circuit(
    wires: int,
    layers: int,
    *,
    entanglement: Entanglement = "linear",
    rotations: Rotations = "ry-rz",
    reupload: bool = False,
) -> Circuit:
    """RY by an input on every wire, then layers of trained rotations and CNOTs.

    With ``reupload`` the inputs are encoded before each layer, else before the first only. A ring
    of two wires has the CNOTs (0,1) and (1,0); one wire has none.

    Raises BadOption for fewer than one wire or layer, ResourceRefused for more than a circuit may
    have.

    >>> conditioner_circuit(6, 2).num_params
    24
    >>> conditioner_circuit(6, 2, entanglement="ring", rotations="rz-ry-rx").num_params
    36
    """
    if wires < 1 or layers < 1:
        raise BadOption(f"wires and layers must be at least 1, not {wires} and {layers}")
    require_circuit_size(wires, layers)
    pairs = entangled_pairs(wires, entanglement)
    gates: list[Gate] = []
    parameters = 0
    for layer in range(layers):
        if reupload or layer == 0:
            gates.extend(Gate("ry", (wire,), given(wire)) for wire in range(wires))
        for wire in range(wires):
            for name in rotations.split("-"):
                gates.append(Gate(name, (wire,), param(parameters)))
                parameters += 1
        gates.extend(Gate("cx", pair) for pair in pairs)
    return Circuit(wires, tuple(gates))


def entangled_pairs(wires: int, entanglement: Entanglement) -> list[tuple[int, int]]:
    """The pairs of wires that a layer entangles: along the line, also back to the first, or none.

    >>> entangled_pairs(3, "ring")
    [(0, 1), (1, 2), (2, 0)]
    """
    pairs: list[tuple[int, int]] = []
    if entanglement != "none":
        pairs = [(wire, wire + 1) for wire in range(wires - 1)]
    if entanglement == "ring" and wires > 1:
        pairs.append((wires - 1, 0))
    return pairs


class CircuitCore(nn.Module):
    """``<Z>`` of each wire of a circuit whose inputs are the angles ``scale tanh(h)``.

    >>> layer = QuantumLayer(conditioner_circuit(2, 1), pauli_z(2), seed=1)
    >>> CircuitCore(layer, scale=pi)(torch.zeros(3, 2)).shape
    torch.Size([3, 2])
    """

    def __init__(self, layer: QuantumLayer, scale: float) -> None:
        super().__init__()
        self.layer = layer
        self.scale = scale

    def forward(self, h: Tensor) -> Tensor:
        """Columns (N, wires) in [-1, 1] of columns (N, wires)."""
        output: Tensor = self.layer(self.scale * torch.tanh(h))
        return output

    def states(self, h: Tensor) -> Floats:
        """The states (N, 2^wires, 2) before the measurement, as real and imaginary parts.

        They are exact, without noise, by the embedded engine, whatever backend the layer has.
        """
        circuit = self.layer.circuit
        theta = self.layer.theta
        assert theta is not None
        inputs = self.scale * torch.tanh(h)
        angles = circuit.bind(theta.numpy(force=True), inputs.numpy(force=True))
        amplitudes = qgen.backend("statevector").run(circuit, angles, State())
        parts: Floats = np.stack([amplitudes.real, amplitudes.imag], axis=-1)
        return parts


class CosCore(nn.Module):
    """``cos(scale tanh(h))``: what CircuitCore is without entanglement and trained rotations.

    >>> CosCore(pi)(torch.zeros(1, 2))
    tensor([[1., 1.]])
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, h: Tensor) -> Tensor:
        """Columns (N, wires) of columns (N, wires)."""
        return torch.cos(self.scale * torch.tanh(h))


@dataclass(frozen=True)
class Core:
    """What is between the two linear maps of a conditioner, from columns (N, Q) to (N, Q).

    Args:
        name: ``quantum`` for the circuit; ``tanh``, ``cos``, or ``network``: a classical network
            with as many parameters as the circuit.
        circuit: with Q wires, each with an input.
        scale: of the angles, in radians.
        initial: the first parameters of a circuit are uniform in [-initial, initial].
        frozen: whether the parameters stay as they are first.
        backend: runs the circuit.
        shots: measurements of the circuit; None for exact values.

    >>> circuit = conditioner_circuit(3, 2)
    >>> sizes = []
    >>> for name in ("quantum", "network", "cos"):
    ...     parameters = Core(name, circuit).build().parameters()
    ...     sizes.append(sum(values.numel() for values in parameters))
    >>> sizes
    [12, 12, 0]
    """

    name: CoreName
    circuit: Circuit
    scale: float = pi
    initial: float = pi
    frozen: bool = False
    backend: Backend | None = None
    shots: int | None = None

    def build(self) -> nn.Module:
        """A core with parameters of its own. Raises BadOption for one with none that is frozen."""
        if self.name in ("tanh", "cos") and self.frozen:
            raise BadOption(
                f"the core {self.name!r} has no parameters that could be frozen; leave out frozen"
            )
        if self.name == "tanh":
            return nn.Tanh()
        if self.name == "cos":
            return CosCore(self.scale)
        wires = self.circuit.num_wires
        if self.name == "network":
            block = ClassicalBlock(wires, self.circuit.num_params)
            if self.frozen:
                as_buffers(block)
            return block
        layer = QuantumLayer(
            self.circuit,
            pauli_z(wires),
            self.backend,
            shots=self.shots,
            seed=int(torch.randint(2**62, ())),
            scale=self.initial,
        )
        if self.frozen:
            as_buffers(layer)
        return CircuitCore(layer, self.scale)


class QuantumConditioner(nn.Module):
    """``head(core(W u + b))`` of a core with Q columns.

    >>> core = Core("cos", conditioner_circuit(2, 1)).build()
    >>> conditioner = QuantumConditioner(nn.Linear(3, 2), core, nn.Linear(2, 4))
    >>> conditioner(torch.ones(5, 3)).shape
    torch.Size([5, 4])
    """

    def __init__(self, before: nn.Linear, core: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.before = before
        self.core = core
        self.head = head

    def forward(self, u: Tensor) -> Tensor:
        """The numbers (N, outputs) of inputs (N, inputs)."""
        output: Tensor = self.head(self.core(self.before(u)))
        return output


class ShiftAndScale(nn.Module):
    """The numbers of affine maps from two networks: (t, s) for each column.

    >>> numbers = ShiftAndScale(shift=nn.Linear(3, 2), scale=nn.Linear(3, 2))
    >>> numbers(torch.zeros(5, 3)).shape
    torch.Size([5, 4])
    """

    def __init__(self, *, shift: nn.Module, scale: nn.Module) -> None:
        super().__init__()
        self.shift = shift
        self.scale = scale

    def forward(self, u: Tensor) -> Tensor:
        """The numbers (N, 2 columns) of inputs (N, inputs)."""
        return torch.stack([self.shift(u), self.scale(u)], dim=-1).flatten(1)


@dataclass(frozen=True)
class QuantumConditioners(Conditioners):
    """Conditioners with a core.

    Args:
        core: of each conditioner, with parameters of its own.
        computes: ``all`` numbers from one core; of affine maps also ``separately``, s and t from a
            core each, or ``s`` or ``t`` from a core and the other from a perceptron without one.
        widths: of the hidden layers of the heads, and of these perceptrons.
        activation: of these layers.

    >>> conditioners = QuantumConditioners(Core("cos", conditioner_circuit(2, 1)), "s", (8,))
    >>> conditioners.build(3, 4)(torch.ones(1, 3)).abs().sum().item()
    0.0
    """

    core: Core
    computes: Computes = "all"
    widths: tuple[int, ...] = (64,)
    activation: Activation = "silu"

    def layer_sizes(self, inputs: int, outputs: int) -> list[int]:
        return [inputs, self.core.circuit.num_wires, *self.widths, outputs]

    def build(self, inputs: int, outputs: int) -> nn.Module:
        if self.computes == "all":
            return self._with_core(inputs, outputs)
        columns = outputs // 2
        parts = {}
        for name in ("t", "s"):
            if self.computes in ("separately", name):
                parts[name] = self._with_core(inputs, columns)
            else:
                parts[name] = self._perceptron(inputs, columns)
        return ShiftAndScale(shift=parts["t"], scale=parts["s"])

    def _with_core(self, inputs: int, outputs: int) -> nn.Module:
        wires = self.core.circuit.num_wires
        before = nn.Linear(inputs, wires)
        return QuantumConditioner(before, self.core.build(), self._perceptron(wires, outputs))

    def _perceptron(self, inputs: int, outputs: int) -> nn.Sequential:
        network = mlp(inputs, outputs, widths=self.widths, activation=self.activation)
        zeros_at_first(network[-1])
        return network
