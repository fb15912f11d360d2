"""The network ``quantum-critic``: a circuit between two linear maps."""

from __future__ import annotations

import torch
from torch import nn

from qgen_core import Ansatz, Backend, pauli_z
from qgen_torch.layer import QuantumLayer
from qgen_torch.networks.wire_circuit import wire_circuit


def quantum_critic(
    inputs: int,
    outputs: int,
    *,
    backend: Backend | None = None,
    wires: int = 4,
    ansatz: Ansatz | None = None,
) -> nn.Sequential:
    """A linear map from features to angles, a circuit, and a linear map from ``<Z>`` to scores.

    The circuit has one input per wire, uploaded again before each layer. Expectations are exact.

    Args:
        inputs: number of input columns.
        outputs: number of output columns.
        backend: runs the circuit. The loss variant ``wgan-gp`` requires ``torch``, because its
            gradient penalty needs second derivatives. None, from Python only: the fastest way, as
            in :class:`~qgen_torch.layer.QuantumLayer`.
        wires: of the circuit.
        ansatz: with inputs; default ``hardware-efficient`` with two layers.

    Raises BadOption for less than one wire, or an ansatz that does not take one input per wire,
    ResourceRefused for more wires than a circuit may have or the backend's memory holds.

    Source: the critic of hybrid and fully quantum GANs (Lloyd and Weedbrook, arXiv:1804.09139;
    Dallaire-Demers and Killoran, arXiv:1804.08641); the linear maps are our choice.

    >>> critic = quantum_critic(6, 1, wires=2)
    >>> critic(torch.zeros(5, 6)).shape
    torch.Size([5, 1])
    """
    circuit = wire_circuit(wires, ansatz)
    seed = int(torch.randint(2**62, ()))
    layer = QuantumLayer(circuit, pauli_z(wires), backend, seed=seed)
    return nn.Sequential(nn.Linear(inputs, wires), layer, nn.Linear(wires, outputs))
