"""The block of a hybrid autoencoder: a circuit, or a classical layer with as many parameters."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from qgen_core import Backend, Circuit, pauli_z
from qgen_torch.layer import QuantumLayer
from qgen_torch.networks.classical_block import ClassicalBlock
from qgen_torch.networks.module_arrays import as_buffers

#: The names of the blocks.
BlockName = Literal["quantum", "classical"]


def block_of(
    name: BlockName, inputs: int, circuit: Circuit, backend: Backend | None, frozen: bool
) -> nn.Sequential:
    """A linear map from ``inputs`` columns to angles, and the circuit's ``<Z>`` or its twin.

    With ``frozen`` the parameters of the circuit or of its twin are not trained.

    >>> from qgen_torch.networks.wire_circuit import wire_circuit
    >>> block_of("classical", 5, wire_circuit(3, None), None, False)(torch.zeros(2, 5)).shape
    torch.Size([2, 3])
    """
    wires = circuit.num_wires
    core: nn.Module
    if name == "quantum":
        seed = int(torch.randint(2**62, ()))
        core = QuantumLayer(circuit, pauli_z(wires), backend, seed=seed)
    else:
        core = ClassicalBlock(wires, circuit.num_params)
    if frozen:
        as_buffers(core)
    return nn.Sequential(nn.Linear(inputs, wires), core)
