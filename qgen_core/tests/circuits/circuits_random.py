"""Random circuits of all gates, and a channel that does nothing."""

from __future__ import annotations

import numpy as np

from qgen_core.circuits.circuit import Circuit, Gate, const, given, param
from qgen_core.circuits.gates import GATES
from qgen_core.typing import Complex

#: The Kraus operators of a channel that does nothing.
IDLE: Complex = np.eye(2, dtype=complex)[None]


def random_circuit(
    rng: np.random.Generator, num_wires: int, length: int, num_params: int = 4, num_inputs: int = 2
) -> Circuit:
    """Gates of all kinds; parameters shared, scaled and offset; inputs and constants mixed in."""
    fixed = [name for name, spec in GATES.items() if not spec.has_angle]
    turned = [name for name, spec in GATES.items() if spec.has_angle]
    names = [*fixed, *turned, *turned]
    gates = []
    for _ in range(length):
        name = str(rng.choice(names))
        spec = GATES[name]
        if spec.wires > num_wires:
            continue
        wires = tuple(int(w) for w in rng.permutation(num_wires)[: spec.wires])
        scale, offset = rng.uniform(-2, 2, size=2)
        angle = [
            param(int(rng.integers(num_params)), scale, offset),
            param(int(rng.integers(num_params))),
            given(int(rng.integers(num_inputs)), scale, offset),
            const(offset),
        ][int(rng.integers(4))]
        gates.append(Gate(name, wires, angle if spec.has_angle else None))
    return Circuit(num_wires, tuple(gates))
