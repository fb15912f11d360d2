"""The network ``quantum-critic``: a circuit between two linear maps."""

from __future__ import annotations

import torch
from torch import nn

from qgen_core import Ansatz, Backend, pauli_z
from qgen_core.ansatze.hardware_efficient import hardware_efficient
from qgen_core.errors import BadOption
from qgen_torch.layer import QuantumLayer


def quantum_critic(
    inputs: int,
    outputs: int,
    *,
    backend: Backend | None = None,
    wires: int = 4,
    ansatz: Ansatz | None = None,
) -> nn.Sequential:
    """Features to angles by a linear map, a circuit, and its Z expectations to scores by another.

    The circuit takes an input per wire, uploaded again before each layer. Expectations are exact.

    Args:
        inputs: columns that come in.
        outputs: columns that go out.
        backend: runs the circuit. Under ``wgan-gp`` it has to be ``torch``: the gradient penalty needs
            second derivatives. None, from Python: the fastest way there is.
        wires: of the circuit.
        ansatz: one that takes inputs; by default ``hardware-efficient`` with two layers.

    Raises BadOption for less than one wire, or an ansatz that does not take an input per wire.

    Source: the critic of hybrid and fully quantum GANs (Lloyd and Weedbrook, arXiv:1804.09139;
    Dallaire-Demers and Killoran, arXiv:1804.08641); the linear maps are our choice.
    """
    if wires < 1:
        raise BadOption(f"wires of quantum-critic is at least 1, not {wires}")
    circuit = (
        hardware_efficient(wires, inputs=wires, layers=2)
        if ansatz is None
        else ansatz(wires, inputs=wires)
    )
    if circuit.num_inputs != wires:
        raise BadOption(
            f"the ansatz of quantum-critic takes {circuit.num_inputs} inputs, not one per wire ({wires})"
        )
    seed = int(torch.randint(2**62, ()))
    layer = QuantumLayer(circuit, pauli_z(wires), backend, seed=seed)
    return nn.Sequential(nn.Linear(inputs, wires), layer, nn.Linear(wires, outputs))
