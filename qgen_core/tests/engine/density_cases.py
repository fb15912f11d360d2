"""Noisy circuits for the tests of the density engine."""

from __future__ import annotations

import numpy as np
from engine_circuits import random_circuit

from qgen_core.circuits.circuit import Channel, Circuit


def random_channel(rng, wires, rank):
    """A general channel: a random isometry cut into Kraus operators."""
    dim = 2 ** len(wires)
    stacked = rng.normal(size=(rank * dim, dim)) + 1j * rng.normal(size=(rank * dim, dim))
    return Channel(np.linalg.qr(stacked)[0].reshape(rank, dim, dim), wires, f"random on {wires}")


def noisy_circuit(rng, num_wires, length, widest=2):
    """Random gates, about every second followed by a channel on up to ``widest`` wires."""
    instructions = []
    for gate in random_circuit(rng, num_wires, length).gates:
        instructions.append(gate)
        if rng.random() < 0.5:
            width = int(rng.integers(1, min(widest, num_wires) + 1))
            wires = tuple(int(w) for w in rng.permutation(num_wires)[:width])
            instructions.append(random_channel(rng, wires, int(rng.integers(1, 4))))
    return Circuit(num_wires, tuple(instructions))
