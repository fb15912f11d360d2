"""The invertible quantum layer: a circuit's map of as many numbers as it has wires."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, pi, sqrt
from typing import Literal, NamedTuple

import torch
from torch import nn

from qgen_core import Backend, Circuit, Expectations, Gate, Probabilities, given, param, pauli_z
from qgen_core.circuits.circuit import Angle
from qgen_core.errors import BadOption
from qgen_core.support.resources import require_circuit_size
from qgen_core.typing import Rng
from qgen_torch.circuit_functions import CircuitFunctions
from qgen_torch.flows.coupling import zeros_at_first
from qgen_torch.flows.quantum_conditioner import Entanglement, entangled_pairs
from qgen_torch.networks.mlp import mlp

Tensor = torch.Tensor
#: The distribution of the layer's outputs y that normal latents have.
Base = Literal["normal", "uniform"]
#: Outputs y are kept this far from -1 and 1, where latents are infinite.
MARGIN = 2.0**-46
#: Decoded inputs are at most this large; there an angle is 1e-5 from its limit.
LARGEST_INPUT = 12.0


def trained_gates(
    wires: int, layers: int, entanglement: Entanglement, *, first: int = 0
) -> list[Gate]:
    """Layers of RY on each wire and controlled RY on pairs; parameters are numbered from ``first``.

    With all parameters 0 this is the identity, and amplitudes stay real.

    >>> [(gate.name, gate.wires) for gate in trained_gates(2, 1, "linear")]
    [('ry', (0,)), ('ry', (1,)), ('cry', (0, 1))]
    """
    gates: list[Gate] = []
    for _ in range(layers):
        for wire in range(wires):
            gates.append(Gate("ry", (wire,), param(first + len(gates))))
        for pair in entangled_pairs(wires, entanglement):
            gates.append(Gate("cry", pair, param(first + len(gates))))
    return gates


def encoding_gates(wires: int, *, first: int = 0) -> list[Gate]:
    """RY by an input on each wire; inputs are numbered from ``first``.

    >>> encoding_gates(1)[0].angle
    Angle(source='input', index=0, scale=1.0, offset=0.0)
    """
    return [Gate("ry", (wire,), given(first + wire)) for wire in range(wires)]


def undone(gates: Sequence[Gate]) -> list[Gate]:
    """The gates that undo rotations: in reverse order, by the opposite angles.

    >>> undone([Gate("ry", (0,), param(0)), Gate("rx", (0,), param(1))])[0].angle
    Angle(source='param', index=1, scale=-1.0, offset=-0.0)
    """
    found = []
    for gate in reversed(gates):
        angle = gate.angle
        assert angle is not None
        opposite = Angle(angle.source, angle.index, -angle.scale, -angle.offset)
        found.append(Gate(gate.name, gate.wires, opposite))
    return found


def swap_test(first: Sequence[Gate], second: Sequence[Gate], wires: int) -> Circuit:
    """The swap test of the states that two lists of gates on so many wires prepare from |0>.

    Wire 0 is the ancilla, wires 1 to n hold the first state, the next n the second. The ancilla is
    0 with the probability 1/2 + F/2, so its <Z> is F = |<first|second>|^2. There is no controlled
    swap in the table of gates: it is two CNOTs around a Toffoli gate of CNOTs, H and T.

    Source: Buhrman et al., arXiv:quant-ph/0102001; Nielsen and Chuang, figure 4.9 (Toffoli gate).

    >>> swap_test([Gate("x", (0,))], [Gate("h", (0,))], 1).num_wires
    3
    """
    gates = _shifted(first, 1) + _shifted(second, 1 + wires)
    gates.append(Gate("h", (0,)))
    for wire in range(1, wires + 1):
        other = wire + wires
        gates.append(Gate("cx", (other, wire)))
        gates += _toffoli(0, wire, other)
        gates.append(Gate("cx", (other, wire)))
    gates.append(Gate("h", (0,)))
    return Circuit(1 + 2 * wires, tuple(gates))


def _shifted(gates: Sequence[Gate], by: int) -> list[Gate]:
    """The same gates on wires that are higher by a number."""
    found = []
    for gate in gates:
        wires = tuple(wire + by for wire in gate.wires)
        found.append(Gate(gate.name, wires, gate.angle))
    return found


def _toffoli(one: int, two: int, target: int) -> list[Gate]:
    """X on the target where two controls are 1."""
    back = Angle("const", offset=-pi / 4)  # the inverse of T
    return [
        Gate("h", (target,)),
        Gate("cx", (two, target)),
        Gate("p", (target,), back),
        Gate("cx", (one, target)),
        Gate("t", (target,)),
        Gate("cx", (two, target)),
        Gate("p", (target,), back),
        Gate("cx", (one, target)),
        Gate("t", (two,)),
        Gate("t", (target,)),
        Gate("h", (target,)),
        Gate("cx", (one, two)),
        Gate("t", (one,)),
        Gate("p", (two,), back),
        Gate("cx", (one, two)),
    ]


class Forward(NamedTuple):
    """What the layer makes of N inputs of n columns.

    Args:
        z: the latents (N, n).
        log_det: log |det dz / dh| (N,).
        sign: of det dz / dh (N,), 1 or -1: both occur where the map folds.
        angles: that encode the inputs (N, n), in radians.
        y: <Z> of each wire (N, n).
    """

    z: Tensor
    log_det: Tensor
    sign: Tensor
    angles: Tensor
    y: Tensor


@dataclass(frozen=True)
class MapOptions:
    """The options of a :class:`QuantumMap`.

    Args:
        layers: of U.
        inverse_layers: of V.
        entanglement: the controlled rotations of a layer: ``linear``, ``ring`` or ``none``.
        scale: angles are within pi/2 +- scale, at most pi/2 in radians.
        correction: hidden units of c; 0 for none.
        base: ``normal`` or ``uniform``.
        initial: parameters of circuits are uniform in [-initial, initial] at first.
        frozen: whether theta stays as it was drawn.
        swap_shots: shots of the swap test; None for exact fidelities.
        backend: runs the circuits; None takes the embedded engine.

    Raises BadOption for numbers out of range.

    >>> MapOptions(layers=3).base
    'normal'
    """

    layers: int = 2
    inverse_layers: int = 2
    entanglement: Entanglement = "linear"
    scale: float = pi / 2
    correction: int = 16
    base: Base = "normal"
    initial: float = 0.1
    frozen: bool = False
    swap_shots: int | None = None
    backend: Backend | None = None

    def __post_init__(self) -> None:
        if min(self.layers, self.inverse_layers) < 1 or self.correction < 0:
            raise BadOption(
                "an invertible quantum layer needs layers and inverse_layers of at least 1 and a "
                f"correction of at least 0, not {self.layers}, {self.inverse_layers} and "
                f"{self.correction}"
            )
        if not 0 < self.scale <= pi / 2 or not self.initial >= 0:
            raise BadOption(
                "scale must be above 0 and at most pi/2, beyond which two inputs have one cosine, "
                f"and initial at least 0, not {self.scale:g} and {self.initial:g}"
            )


class QuantumMap(nn.Module):
    """Real numbers h (N, n) to latents z (N, n) by a circuit of n wires, with a learned inverse.

    Forward, with gd(h) = 2 arctan(tanh(h / 2)), which lies between -pi/2 and pi/2:

        a = pi/2 - gd(h) 2 scale / pi,   |psi> = U(theta) S(a) |0>,   y_i = <Z_i>,   z = b(y)

    S is RY(a_i) on wire i. U is :func:`trained_gates`. y lies in [-1, 1]^n and b maps this cube to
    all z: with the base ``normal`` it is artanh, with ``uniform`` it is what makes y uniform on the
    cube for normal z. The n x n matrix dy/da is exact, from circuits with angles shifted by pi/2
    (the parameter-shift rule), and log |det dz/dh| has the factors of gd and b, too.

    Back: y of z, then ``|phi(y)> = V(eta) S(arccos y + c(y)) |0>``, which is trained to be |psi>. V
    has the gates of U, and c is a perceptron that is 0 at first. U^dagger follows, and

        a_i = atan2(|<X_i>|, <Z_i>)

    in U^dagger |phi>. If |phi> is |psi>, this state is S(a)|0>, with <Z_i> = cos a_i and
    <X_i> = sin a_i >= 0, so that a, and with it h, is exact. Otherwise it is the nearest direction
    on each wire. Angles beyond those of h = +-12 are decoded as these.

    For theta = eta = 0, the base ``normal`` and scale pi/2 it is y = tanh h and z = h, and |phi> is
    |psi>: the layer starts near the identity and near an exact inverse.

    Args:
        width: n, the number of columns and of wires.
        options: of the circuits and their training.

    Raises ResourceRefused for circuits that are too large.

    >>> layer = QuantumMap(2, MapOptions(initial=0.0)).double()
    >>> h = torch.tensor([[0.3, -1.0]], dtype=torch.float64)
    >>> forward = layer.to_latent(h)
    >>> torch.allclose(forward.z, h), torch.allclose(layer.to_input(forward.z), h)
    (True, True)
    """

    theta: Tensor
    eta: Tensor

    def __init__(self, width: int, options: MapOptions) -> None:
        super().__init__()
        layers = options.layers
        inverse_layers = options.inverse_layers
        require_circuit_size(1 + 2 * width, max(layers, inverse_layers))
        self.width = width
        self._rate = options.scale / (pi / 2)
        self._base = options.base
        backend = options.backend
        forward = trained_gates(width, layers, options.entanglement)
        back = trained_gates(width, inverse_layers, options.entanglement, first=len(forward))
        self._add_parameter("theta", len(forward), options.initial, options.frozen)
        self._add_parameter("eta", len(back), options.initial, False)
        self.correction: nn.Sequential | None = None
        if options.correction:
            hidden = (options.correction,)
            self.correction = mlp(width, width, widths=hidden, activation="silu")
            zeros_at_first(self.correction[-1])
        encoded = encoding_gates(width)
        prepared = [*encoded, *back]
        undoing = [*prepared, *undone(forward)]
        z_and_x = Expectations((*pauli_z(width).paulis, *_pauli_x(width)))
        self._forward = _function(width, [*encoded, *forward], pauli_z(width), backend)
        self._inverse = _function(width, undoing, z_and_x, backend)
        encoded_x = encoding_gates(width, first=width)
        if options.swap_shots is None:
            overlap = [*undoing, *undone(encoded_x)]
            self._fidelity = _function(width, overlap, Probabilities(), backend)
        else:
            circuit = swap_test([*encoded_x, *forward], prepared, width)
            ancilla = Expectations(("Z" + "I" * 2 * width,))
            self._fidelity = CircuitFunctions(circuit, ancilla, backend, options.swap_shots)

    def to_latent(self, h: Tensor) -> Forward:
        """Latents of inputs h (N, n), their determinants, and what fidelities are computed from."""
        count, width = h.shape
        angles = pi / 2 - self._rate * _gudermann(h)
        shifts = pi / 2 * torch.eye(width, dtype=h.dtype, device=h.device)
        offsets = torch.cat([torch.zeros_like(shifts[:1]), shifts, -shifts])
        rows = (angles + offsets[:, None]).reshape(-1, width)
        outputs = self._forward.for_tensor(rows)(self.theta, rows)
        outputs = outputs.reshape(1 + 2 * width, count, width)
        y = outputs[0]
        slopes = 0.5 * (outputs[1 : 1 + width] - outputs[1 + width :])  # (input, event, output)
        # At theta = 0 these slopes are negative, one for each column.
        sign, log_det = torch.linalg.slogdet(-slopes.transpose(0, 1))
        of_angles = log(self._rate) - _log_cosh(h)
        y = y.clamp(MARGIN - 1.0, 1.0 - MARGIN)
        z, log_slope = self._latent(y)
        total = log_det + (of_angles + log_slope).sum(dim=1)
        return Forward(z, total, sign, angles, y)

    def to_input(self, z: Tensor) -> Tensor:
        """Inputs h (N, n) of latents, by the state preparation and U^dagger."""
        width = z.shape[1]
        prepared = self._prepared(self._output(z))
        values = self._inverse.for_tensor(z)(self._trained_angles(), prepared)
        angles = torch.atan2(values[:, width:].abs(), values[:, :width])
        return _inverse_gudermann((pi / 2 - angles) / self._rate)

    def fidelity(self, forward: Forward, rng: Rng | None = None) -> Tensor:
        """F = |<psi|phi>|^2 (N,) of what :meth:`to_latent` returned.

        It is the probability that V, U^dagger and the undone encoding of x lead back to |0>, which
        is exact. With ``swap_shots`` it is estimated by the swap test on 2n + 1 wires, with shots
        drawn from ``rng``; its mean is F and it may be below 0.
        """
        inputs = torch.cat([self._prepared(forward.y), forward.angles], dim=1)
        function = self._fidelity.for_tensor(inputs)
        if self._fidelity.shots is None:
            return function(self._trained_angles(), inputs)[:, 0]
        return function(self._trained_angles(), inputs, rng)[:, 0]

    def _prepared(self, y: Tensor) -> Tensor:
        """The angles of the state preparation for outputs y."""
        angles = torch.acos(y)
        if self.correction is None:
            return angles
        corrected: Tensor = angles + self.correction(y)
        return corrected

    def _trained_angles(self) -> Tensor:
        return torch.cat([self.theta, self.eta])

    def _latent(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """z of y, and log dz/dy."""
        if self._base == "normal":
            return torch.atanh(y), -torch.log1p(-(y**2))
        z = sqrt(2) * torch.erfinv(y)
        return z, 0.5 * z**2 + 0.5 * log(pi / 2)

    def _output(self, z: Tensor) -> Tensor:
        """y of z."""
        y = torch.erf(z / sqrt(2))
        if self._base == "normal":
            y = torch.tanh(z)
        return y.clamp(MARGIN - 1.0, 1.0 - MARGIN)

    def _add_parameter(self, name: str, size: int, initial: float, frozen: bool) -> None:
        values = initial * (2 * torch.rand(size, dtype=torch.float64) - 1)
        if frozen:
            self.register_buffer(name, values)
        else:
            self.register_parameter(name, nn.Parameter(values))


def _function(
    wires: int,
    gates: Sequence[Gate],
    measure: Expectations | Probabilities,
    backend: Backend | None,
) -> CircuitFunctions:
    return CircuitFunctions(Circuit(wires, tuple(gates)), measure, backend, None)


def _pauli_x(wires: int) -> list[str]:
    return [word.replace("Z", "X") for word in pauli_z(wires).paulis]


def _gudermann(h: Tensor) -> Tensor:
    """The angle whose sine is tanh h."""
    return 2 * torch.atan(torch.tanh(h / 2))


def _inverse_gudermann(t: Tensor) -> Tensor:
    """h of angles, within +-12."""
    largest = 2 * torch.atan(torch.tanh(torch.tensor(LARGEST_INPUT / 2, dtype=torch.float64)))
    return torch.atanh(torch.sin(t.clamp(-largest.item(), largest.item())))


def _log_cosh(h: Tensor) -> Tensor:
    """log cosh h without overflow, -log of the slope of the Gudermann function."""
    size = h.abs()
    return size + torch.log1p(torch.exp(-2 * size)) - log(2)
