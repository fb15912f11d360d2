"""Circuits of hybrid networks, which take one angle a wire."""

from __future__ import annotations

from qgen_core import Ansatz, Circuit
from qgen_core.ansatze.hardware_efficient import hardware_efficient
from qgen_core.errors import BadOption
from qgen_core.support.resources import require_circuit_size


def wire_circuit(wires: int, ansatz: Ansatz | None) -> Circuit:
    """A circuit with an input for each wire; by default ``hardware-efficient`` with two layers.

    Raises BadOption for fewer than one wire and an ansatz that does not take one input a wire,
    ResourceRefused for more wires than a circuit may have.

    >>> wire_circuit(3, None).num_params
    18
    """
    if wires < 1:
        raise BadOption(f"wires must be at least 1, not {wires}")
    require_circuit_size(wires)
    if ansatz is None:
        circuit = hardware_efficient(wires, inputs=wires, layers=2)
    else:
        circuit = ansatz(wires, inputs=wires)
    if circuit.num_inputs != wires:
        raise BadOption(
            f"the ansatz takes {circuit.num_inputs} inputs; it must take one a wire, that is "
            f"{wires}"
        )
    return circuit
