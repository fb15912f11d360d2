"""A restricted Boltzmann machine with persistent chains, and two samplers for it."""

from typing import Annotated, Any

import numpy as np

from qgen_core import Batch, Component, Generator, Graph, Ising, Sampler, Space
from qgen_core.errors import BadOption, CheckpointError, Unsupported


class BoltzmannMachine(Generator):
    """exp(-E) of visible and hidden spins, trained by persistent contrastive divergence.

    The objective of an event is its free energy less the mean free energy of the chains. Only its
    gradient has a meaning: that of the negative log likelihood, as far as the chains follow the
    model (Tieleman, ICML 2008).
    """

    outputs = frozenset({"objective"})
    surrogates = outputs

    def __init__(
        self,
        *,
        space: Space,
        sampler: Annotated[Sampler, Component("sampler")],
        seed: int,
        hidden: int = 8,
        chains: int = 200,
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
        others = dict(state)
        chains = others.pop("chains", None)
        if chains is None or chains.shape != self.chains.shape:
            raise CheckpointError("the checkpoint has other chains than this model")
        super().load(others)
        self.chains = chains.copy()

    def energy(self) -> Ising:
        return Ising(self.h, self.J.ravel(), self.graph)

    def prepare(self, batch: Batch, *, rng: np.random.Generator) -> None:
        found, _ = self.sampler.draw(self.energy(), len(self.chains), rng=rng, initial=self.chains)
        self.chains = found

    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        if output not in self.outputs or batch.x is None:
            return super().forward(output, batch, rng=rng)
        data = 2.0 * batch.x - 1
        model = self.chains[:, : self.space.width].astype(float)
        value = self.free_energy(data) - self.free_energy(model).mean()

        def pullback(cotangent: Any) -> dict[str, Any]:
            every_chain = np.full(len(model), -cotangent.sum() / len(model))
            of_data = self.weighted_slopes(data, cotangent)
            of_model = self.weighted_slopes(model, every_chain)
            return {name: of_data[name] + of_model[name] for name in of_data}

        return value, pullback

    def fields(self, visible: Any) -> Any:
        """What acts on the hidden spins (N, hidden)."""
        return visible @ self.J + self.h[self.space.width :]

    def free_energy(self, visible: Any) -> Any:
        """-log sum over the hidden spins of exp(-E), (N,)."""
        fields = self.fields(visible)
        return visible @ self.h[: self.space.width] - np.logaddexp(fields, -fields).sum(axis=1)

    def weighted_slopes(self, visible: Any, weights: Any) -> dict[str, Any]:
        """The weighted sum of the free energy's derivatives."""
        hidden = -np.tanh(self.fields(visible))
        both = np.concatenate([visible, hidden], axis=1)
        return {"h": weights @ both, "J": (weights[:, None] * visible).T @ hidden}

    def sample(self, n: int, condition: Any = None, *, rng: np.random.Generator) -> Any:
        start = self.chains[rng.integers(len(self.chains), size=n)]
        spins, _ = self.sampler.draw(self.energy(), n, rng=rng, initial=start)
        return (spins[:, : self.space.width] > 0).astype(np.int8)


class Gibbs(Sampler):
    """Gibbs sampling, all spins of one colour at a time."""

    def __init__(self, *, sweeps: int = 20) -> None:
        self.sweeps = sweeps

    def sample(self, ising: Ising, n: int, *, rng: Any, initial: Any = None) -> Any:
        if ising.transverse:
            raise Unsupported("Gibbs sampling is of classical energies")
        drawn = []
        for row, energy in enumerate(ising.by_row()):
            start = initial
            if initial is not None and ising.rows is not None:
                start = initial[row]
            drawn.append(self.of_one(energy, n, rng, start))
        spins = drawn[0] if ising.rows is None else np.stack(drawn)
        return spins, {"source": f"Gibbs sampling, {self.sweeps} sweeps"}

    def of_one(self, ising: Ising, n: int, rng: Any, initial: Any) -> Any:
        spins = np.where(rng.random((n, ising.num_spins)) < 0.5, -1, 1).astype(np.int8)
        if initial is not None:
            spins = np.array(initial)
        fixed = np.zeros(ising.num_spins) if ising.fixed is None else ising.fixed
        spins = np.where(fixed != 0, fixed, spins).astype(np.int8)
        for _ in range(self.sweeps):
            for colour, group in enumerate(ising.graph.groups):
                up = 1 / (1 + np.exp(2 * self.beta * ising.local_fields(spins, colour)))
                new = np.where(rng.random(up.shape) < up, 1, -1)
                spins[:, group] = np.where(fixed[group] != 0, fixed[group], new)
        return spins


class Enumeration(Sampler):
    """Independent draws from all 2^S states: exact, for a few spins."""

    def __init__(self, *, beta: float = 1.0) -> None:
        self.beta = beta

    def sample(self, ising: Ising, n: int, *, rng: Any, initial: Any = None) -> Any:
        if ising.num_spins > 16 or ising.transverse:
            raise Unsupported("enumeration is of up to 16 spins without a transverse field")
        places = np.arange(2**ising.num_spins)[:, None]
        states = (2 * (places >> np.arange(ising.num_spins) & 1) - 1).astype(np.int8)
        drawn = []
        for energy in ising.by_row():
            log_weights = -self.beta * energy.energy(states)
            if energy.fixed is not None:
                agree = np.all((energy.fixed == 0) | (states == energy.fixed), axis=1)
                log_weights[~agree] = -np.inf
            weights = np.exp(log_weights - log_weights.max())
            drawn.append(states[rng.choice(len(states), n, p=weights / weights.sum())])
        spins = drawn[0] if ising.rows is None else np.stack(drawn)
        return spins, {"source": "enumeration of all states", "energies": ising.energy(spins)}
