"""A variational autoencoder whose latent spins follow a Boltzmann machine."""

import torch
from torch import nn
from torch.distributions import Bernoulli, Normal

from qgen_core import Graph, Ising, Sampler, Space
from qgen_torch import TorchModel


def network(inputs, hidden, outputs):
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))


class BoltzmannAutoencoder(TorchModel):
    """Latent spins z from exp(-E(z)), events from a normal distribution around decoder(z).

    The objective is the negative evidence lower bound, with minus the mean energy of the chains in
    place of log Z, which has the same gradient. The encoder's spins are independent, so their mean
    energy and entropy are exact; the decoder is given relaxed spins in (-1, 1) (Maddison et al.,
    arXiv:1611.00712). Sources: Rolfe, arXiv:1609.02200; CaloQVAE, arXiv:2312.03179.
    """

    outputs = frozenset({"objective"})
    surrogates = outputs
    temperature = 0.3

    def __init__(
        self,
        *,
        space: Space,
        sampler: Sampler,
        seed: int,
        side: int = 8,
        hidden: int = 64,
        chains: int = 500,
    ) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            encoder = network(space.width, hidden, 2 * side)
            decoder = network(2 * side, hidden, space.width)
            J = 0.01 * torch.randn(side, side)
        module = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
        module.log_width = nn.Parameter(torch.zeros(space.width))
        module.h = nn.Parameter(torch.zeros(2 * side))
        module.J = nn.Parameter(J)
        module.register_buffer("chains", torch.ones(chains, 2 * side))
        super().__init__(module, space=space)
        self.sampler = sampler
        self.graph = Graph.complete_bipartite(side, side)

    def prepare(self, batch, *, rng):
        self.module.chains = self.prior_spins(self.module.chains, rng)

    def prior_spins(self, start, rng):
        values = self.parameters()
        energy = Ising(values["h"], values["J"].ravel(), self.graph)
        spins, _ = self.sampler.draw(energy, len(start), rng=rng, initial=start.numpy())
        return self.tensor(spins)

    def energy(self, spins):
        left, right = spins.chunk(2, dim=1)
        return spins @ self.module.h + ((left @ self.module.J) * right).sum(dim=1)

    def events_given(self, spins):
        return Normal(self.module["decoder"](spins), self.module.log_width.exp())

    def samples(self, n, condition, rng):
        start = self.module.chains[rng.integers(len(self.module.chains), size=n)]
        events = self.events_given(self.prior_spins(start, rng))
        return events.mean + events.stddev * self.noise(n, self.space.width, rng)

    def objective(self, x, condition, rng):
        logits = self.module["encoder"](x)
        logistic = self.tensor(rng.logistic(size=logits.shape))
        relaxed = torch.tanh((logits + logistic) / (2 * self.temperature))
        reconstruction = self.events_given(relaxed).log_prob(x).sum(dim=1)
        entropy = Bernoulli(logits=logits).entropy().sum(dim=1)
        energy = self.energy(torch.tanh(logits / 2)) - self.energy(self.module.chains).mean()
        return energy - entropy - reconstruction
