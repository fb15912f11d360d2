"""A sampler that enumerates all states, to test with the kit; those of the core may approximate."""

from __future__ import annotations

from typing import Any

import numpy as np

from qgen_core.errors import Unsupported
from qgen_core.events import index_to_bits
from qgen_core.interfaces import Sampler
from qgen_core.ising import Ising


class ExactSampler(Sampler):
    """Independent draws from all 2^S states."""

    def __init__(self, beta: float = 1.0) -> None:
        self.beta = beta

    def weights(self, ising: Ising, states: np.ndarray) -> np.ndarray:
        energy = ising.energy(states)
        weight = np.exp(-self.beta * (energy - energy.min()))
        if ising.fixed is not None:
            weight = weight * np.all((ising.fixed == 0) | (states == ising.fixed), axis=1)
        return weight / weight.sum()

    def sample(
        self, ising: Ising, n: int, *, rng: np.random.Generator, initial: np.ndarray | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        if ising.transverse:
            raise Unsupported("exact draws classical energies only")
        spins = self.spins(ising, n, rng)
        return spins, {"source": "exact", "energies": ising.energy(spins)}

    def spins(self, ising: Ising, n: int, rng: np.random.Generator) -> np.ndarray:
        states = (2 * index_to_bits(np.arange(2**ising.num_spins), ising.num_spins) - 1).astype(
            np.int8
        )
        drawn = []
        for row in ising.by_row():
            numbers = rng.choice(len(states), n, p=self.weights(row, states))
            drawn.append(states[numbers])
        return drawn[0] if ising.rows is None else np.stack(drawn)


class QuantumSampler(ExactSampler):
    """The diagonal of exp(-beta H) by a power series in small steps: another way than the kit's."""

    def sample(
        self, ising: Ising, n: int, *, rng: np.random.Generator, initial: np.ndarray | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        if not ising.transverse:
            return super().sample(ising, n, rng=rng)
        count = ising.num_spins
        states = (2 * index_to_bits(np.arange(2**count), count) - 1).astype(np.int8)
        minus_h = -np.diag(ising.energy(states) - ising.energy(states).min())
        numbers = np.arange(2**count)
        for spin in range(count):
            minus_h[numbers, numbers ^ (1 << spin)] += ising.transverse
        step = np.eye(2**count)
        term = np.eye(2**count)
        for order in range(1, 20):
            term = term @ (self.beta * minus_h / 64) / order
            step = step + term
        for _ in range(6):
            step = step @ step
        weight = np.diag(step)
        spins = states[rng.choice(len(states), n, p=weight / weight.sum())]
        return spins, {"source": "exact", "energies": ising.energy(spins)}


class SlowChain(ExactSampler):
    """Metropolis chains with a draw every ten sweeps: correlated draws, right in the long run."""

    def spins(self, ising: Ising, n: int, rng: np.random.Generator) -> np.ndarray:
        if ising.rows is not None:
            return np.stack([self.spins(row, n, rng) for row in ising.by_row()])
        free = np.arange(ising.num_spins)
        if ising.fixed is not None:
            free = np.flatnonzero(ising.fixed == 0)
        chains = 50
        coupling = np.zeros((ising.num_spins, ising.num_spins))
        coupling[ising.edges[:, 0], ising.edges[:, 1]] = ising.J
        coupling += coupling.T
        s = np.where(rng.random((chains, ising.num_spins)) < 0.5, -1.0, 1.0)
        if ising.fixed is not None:
            s = np.where(ising.fixed != 0, ising.fixed, s)
        kept = []
        for sweep in range(100 + 2 * -(-n // chains)):
            for i in free:
                field = ising.h[i] + s @ coupling[:, i]
                flip = rng.random(field.shape) < np.exp(
                    np.minimum(0.0, 2 * self.beta * s[:, i] * field)
                )
                s[:, i] = np.where(flip, -s[:, i], s[:, i])
            if sweep >= 100 and sweep % 2:
                kept.append(s.copy())
        return np.concatenate(kept)[:n].astype(np.int8)
