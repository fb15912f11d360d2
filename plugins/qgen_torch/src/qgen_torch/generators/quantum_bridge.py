"""The generator ``quantum-bridge``: circuits between the noise and a perceptron."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from qgen_core import Backend, Space
from qgen_core.errors import BadOption
from qgen_core.typing import Rng
from qgen_torch.conditions import condition_width
from qgen_torch.flows.quantum_conditioner import (
    Core,
    CoreName,
    Entanglement,
    QuantumConditioner,
    Rotations,
    conditioner_circuit,
)
from qgen_torch.model import TorchModel
from qgen_torch.networks.mlp import Activation, Norm, mlp
from qgen_torch.networks.module_arrays import TORCH, Precision, as_buffers, seeded, torch_seed

Tensor = torch.Tensor
#: What is not trained: nothing, the circuits, or all of the module that they are a part of.
Frozen = Literal["nothing", "core", "module"]
#: FastCaloQ draws parameters from a normal distribution of width 0.01: a uniform one as wide.
INITIAL = 0.01 * 3**0.5


class QuantumBridge(TorchModel):
    """Noise and conditions through circuits and a perceptron: the generator of a GAN.

        h = W z + b,   q = <Z> of the circuits,   q' = V q + c,   x = perceptron(q')

    The module is what comes before the perceptron. Each of its circuits takes the angles
    ``scale tanh`` of the columns before it, h or the ``<Z>`` of the circuit before, and gives
    ``<Z>`` of each wire. They are those of ``qinn``, with the same controls as ``core``.

    ``frozen = "core"`` leaves the parameters of circuits (or of ``network``) as they were drawn,
    and ``"module"`` also W, b, V and c: the perceptron is then trained on fixed random features.

    Args:
        space: of the events, reals or angles.
        condition: of the conditions.
        latent: dimension of the noise.
        core: ``quantum``, ``tanh``, ``cos`` or ``network``, as in ``qinn``.
        circuits: the number of circuits, or of other cores, one after the other.
        wires: of each circuit, its number of qubits, and of columns of the other cores.
        layers: of each circuit.
        entanglement: ``linear``, ``ring`` or ``none``, as in ``qinn``.
        rotations: ``ry-rz`` or ``rz-ry-rx``, as in ``qinn``.
        reupload: whether the angles are encoded before each layer of a circuit.
        scale: of the angles, in radians.
        initial: the parameters of circuits are at first uniform in [-initial, initial].
        frozen: ``nothing``, ``core`` or ``module``.
        features: of the module, the number of columns q'.
        widths: of the hidden layers of the perceptron.
        activation: after each of these layers.
        norm: ``batch`` or ``layer`` normalisation before each activation.
        backend: runs the circuits, exactly. None takes the fastest, as in
            :class:`~qgen_torch.layer.QuantumLayer`.
        precision: ``single`` for float32, ``double`` for float64.
        device: of the networks, e.g. ``cuda``.

    Raises BadOption for sizes below 1 and for frozen cores without parameters.

    Source: FastCaloQ's hybrid generator (BNReLUqINN, QINNModule), of which the defaults are the
    sizes, scale and width of the first parameters. In its training nothing of the module is
    trained, which is ``frozen = "module"``.

    >>> import numpy as np
    >>> model = QuantumBridge(space=Space("reals", 5), wires=2, layers=1, seed=1)
    >>> model.sample(3, rng=np.random.default_rng(0)).shape
    (3, 5)
    >>> [name for name in model.parameters() if "theta" in name]
    ['0.core.0.layer.theta', '0.core.1.layer.theta']
    """

    outputs = frozenset({"samples"})
    draws_torch_numbers = False

    def __init__(
        self,
        *,
        space: Space,
        condition: Space | None = None,
        latent: int = 10,
        core: CoreName = "quantum",
        circuits: int = 2,
        wires: int = 6,
        layers: int = 2,
        entanglement: Entanglement = "ring",
        rotations: Rotations = "rz-ry-rx",
        reupload: bool = False,
        scale: float = 1.0,
        initial: float = INITIAL,
        frozen: Frozen = "nothing",
        features: int = 100,
        widths: tuple[int, ...] = (100, 64),
        activation: Activation = "relu",
        norm: Norm = "batch",
        backend: Backend | None = None,
        precision: Precision = "single",
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        if min(latent, circuits, features) < 1:
            raise BadOption(
                "quantum-bridge needs a latent, circuits and features of at least 1, not "
                f"{latent}, {circuits} and {features}"
            )
        circuit = conditioner_circuit(
            wires, layers, entanglement=entanglement, rotations=rotations, reupload=reupload
        )
        cores = Core(core, circuit, scale, initial, frozen == "core", backend)
        with seeded(torch_seed(seed, "init")):
            module = QuantumConditioner(
                nn.Linear(latent + condition_width(condition), wires),
                nn.Sequential(*[cores.build() for _ in range(circuits)]),
                nn.Linear(wires, features),
            )
            tail = mlp(features, space.width, widths=widths, activation=activation, norm=norm)
        if frozen == "module":
            for part in list(module.modules()):
                as_buffers(part)
        super().__init__(
            nn.Sequential(module, tail).to(TORCH[precision]),
            space=space,
            condition=condition,
            device=device,
        )
        self.latent = latent
        self.backend = backend

    def samples(self, n: int, condition: Tensor | None, rng: Rng) -> Tensor:
        inputs = self.noise(n, self.latent, rng)
        if condition is not None:
            inputs = torch.cat([inputs, condition], dim=1)
        events: Tensor = self.module(inputs)
        return events
