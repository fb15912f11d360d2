"""A restricted Boltzmann machine with persistent chains, and two samplers for it."""

from typing import Any

import numpy as np

from qgen_core import Batch, ClassicalSampler, Generator, Graph, Ising, Sampler, Space
from qgen_core.errors import BadOption, Unsupported
from qgen_core.events import index_to_bits
from qgen_core.support.parameters import load_into


class BoltzmannMachine(Generator):
    """exp(-E) of visible and hidden spins, trained by persistent contrastive divergence.

    The objective of an event is its free energy less the mean free energy of the chains. Only its
    gradient has a meaning: that of the negative log likelihood, as far as the chains follow the
    model (Tieleman, ICML 2008).
    """

    outputs = frozenset({"objective"})
    surrogates = outputs

    def __init__(
        self, *, space: Space, sampler: Sampler, seed: int, hidden: int = 8, chains: int = 200
    ) -> None:
        if space.kind != "bits":
            raise BadOption(f"a Boltzmann machine makes bits, not {space}")
        self.space = space
        self.sampler = sampler
        self.graph = Graph.complete_bipartite(space.width, hidden)
        self.h = np.zeros(space.width + hidden)
        self.J = 0.01 * np.random.default_rng(seed).normal(size=(space.width, hidden))
        self.chains = np.ones((chains, space.width + hidden), dtype=np.int8)

    def parameters(self) -> dict[str, Any]:
        return {"h": self.h, "J": self.J}

    def state(self) -> dict[str, Any]:
        return super().state() | {"chains": self.chains.copy()}

    def load(self, state: Any) -> None:
        load_into("the Boltzmann machine", {**self.parameters(), "chains": self.chains}, state)

    def energy(self) -> Ising:
        return Ising(self.h, self.J.ravel(), self.graph)

    def prepare(self, batch: Batch, *, rng: np.random.Generator) -> None:
        spins, _ = self.sampler.draw(self.energy(), len(self.chains), rng=rng, initial=self.chains)
        self.chains = spins

    def sample(self, n: int, condition: Any = None, *, rng: np.random.Generator) -> Any:
        start = self.chains[rng.integers(len(self.chains), size=n)]
        spins, _ = self.sampler.draw(self.energy(), n, rng=rng, initial=start)
        return (spins[:, : self.space.width] > 0).astype(np.int8)

    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        if output not in self.outputs or batch.x is None:
            return super().forward(output, batch, rng=rng)
        data = 2.0 * batch.x - 1
        model = self.chains[:, : self.space.width]
        value = self.free_energy(data) - self.free_energy(model).mean()

        def pullback(cotangent: Any) -> dict[str, Any]:
            visible = np.concatenate([data, model])
            every_chain = np.full(len(model), -cotangent.sum() / len(model))
            weights = np.concatenate([cotangent, every_chain])
            hidden = -np.tanh(self.fields(visible))
            both = np.concatenate([visible, hidden], axis=1)
            return {"h": weights @ both, "J": (weights[:, None] * visible).T @ hidden}

        return value, pullback

    def fields(self, visible: Any) -> Any:
        """What acts on the hidden spins (N, hidden)."""
        return visible @ self.J + self.h[self.space.width :]

    def free_energy(self, visible: Any) -> Any:
        """-log sum over the hidden spins of exp(-E), (N,)."""
        fields = self.fields(visible)
        return visible @ self.h[: self.space.width] - np.logaddexp(fields, -fields).sum(axis=1)


class Gibbs(ClassicalSampler):
    """Gibbs sampling, all spins of one colour at a time (Geman and Geman, TPAMI 1984)."""

    def __init__(self, *, sweeps: int = 20) -> None:
        self.sweeps = sweeps
        self.source = f"Gibbs sampling, {sweeps} sweeps"

    def sample_one(self, ising: Ising, n: int, *, rng: Any, initial: Any = None) -> Any:
        if initial is None:
            initial = rng.choice([-1, 1], size=(n, ising.num_spins))
        spins = ising.clamped(initial)
        for _ in range(self.sweeps):
            for colour, group in enumerate(ising.graph.groups):
                up = 1 / (1 + np.exp(2 * self.beta * ising.local_fields(spins, colour)))
                spins[:, group] = np.where(rng.random(up.shape) < up, 1, -1)
                spins = ising.clamped(spins)
        return spins


class Enumeration(ClassicalSampler):
    """Independent draws from all 2^S states: exact, for a few spins."""

    source = "enumeration of all states"

    def __init__(self, *, beta: float = 1.0) -> None:
        self.beta = beta

    def sample_one(self, ising: Ising, n: int, *, rng: Any, initial: Any = None) -> Any:
        if ising.num_spins > 16:
            raise Unsupported(f"enumeration is of up to 16 spins, not {ising.num_spins}")
        every_state = 2 * index_to_bits(np.arange(2**ising.num_spins), ising.num_spins) - 1
        states = np.unique(ising.clamped(every_state), axis=0)
        log_weights = -self.beta * ising.energy(states)
        weights = np.exp(log_weights - log_weights.max())
        return states[rng.choice(len(states), n, p=weights / weights.sum())]
