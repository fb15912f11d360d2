"""The generator ``pairwise-ising``: a Boltzmann machine without hidden units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption, OutputMismatch
from qgen_core.events import Batch, Events, Space
from qgen_core.generators.conditions import (
    condition_width,
    least_changed,
    require_conditions,
)
from qgen_core.generators.draws import distinct
from qgen_core.generators.iqp_bodies import Edges, Lattice, chosen_bodies
from qgen_core.generators.spin_events import check_binary, fields_of, from_spins, to_spins
from qgen_core.interfaces import Generator, Sampler
from qgen_core.ising import Graph, Ising
from qgen_core.samplers.enumeration import Enumeration
from qgen_core.support.parameters import load_into
from qgen_core.support.random_streams import generator, stream
from qgen_core.typing import Array, Floats, Pullback, Rng

#: ``log_prob`` is offered up to so many columns.
MOST_ENUMERATED = 16


class PairwiseIsing(Generator):
    """exp(-E) / Z of visible spins, ``E = sum_i (h_i + c W_i) s_i + sum_ij J_ij s_i s_j``.

    Bits are spins (1 + s) / 2. Conditions c (K,) are numbers, or bits or spins, that act as fields.
    It is the model of largest entropy with given means and pair products.

    Two outputs can be trained on:

    - ``objective``. With the method ``pseudo-likelihood`` that of an event is
      ``-sum_i log p(s_i | all other s, c)``. Value and gradient are exact and need no samples; its
      mean over events is convex in h, W and J. Its minimum tends to that of the likelihood as the
      number of events grows, where the model can represent their distribution; with fewer events
      than about the columns squared it is far from it. With ``pcd`` (persistent contrastive
      divergence) the objective is the energy less the mean energy of Markov chains. Only its
      gradient has a meaning, that of -log p, as far as the chains follow the model. They go on from
      step to step by the sweeps of the sampler, from random spins at first, and each is given a
      condition near to its last one.
    - ``log_prob``, exact, up to 16 columns.

    Args:
        space: of the events, bits or spins.
        sampler: draws the samples, e.g. ``gibbs``.
        condition: of the conditions, of any kind; None: there are none.
        data: training events, whose frequencies give the first fields; None: fields of 0.
        edges: pairs of columns that are coupled: all, or a list.
        lattice: instead, the neighbours in grids of these sides, e.g. ``[[3, 96], [12, 12]]``;
            columns are numbered in row-major order, those of one grid after those of another.
        centred: whether couplings act on spins less their means in ``data``.
        method: what ``objective`` is.
        chains: the number of chains of ``pcd``.
        seed: of the first chains; None draws a new one.

    J has a number for each pair, by default row by row above the diagonal; couplings start at 0.
    With ``centred`` they act on ``s_i - m_i`` and ``s_j - m_j``, where m are the means of the
    training events: the same family of models, whose couplings can be changed without a shift of
    the means. Without events m is 0.

    Raises BadOption for other spaces, for pairs that are none of the columns, and for less than one
    chain.

    Source: Besag, The Statistician 24 (1975) 179 (pseudo-likelihood); Ackley, Hinton and Sejnowski,
    Cognitive Science 9 (1985) 147; Tieleman, ICML 2008 (persistent chains); Montavon and Müller,
    Neural Networks: Tricks of the Trade (2012) 621 (centring).

    >>> from qgen_core.samplers.gibbs import GibbsSampler
    >>> model = PairwiseIsing(space=Space("bits", 3), sampler=GibbsSampler())
    >>> model.sample(4, rng=np.random.default_rng(1)).shape
    (4, 3)
    >>> sorted(model.outputs), {name: p.shape for name, p in model.parameters().items()}
    (['log_prob', 'objective', 'samples'], {'h': (3,), 'J': (3,)})
    """

    def __init__(
        self,
        *,
        space: Space,
        sampler: Sampler,
        condition: Space | None = None,
        data: Events | None = None,
        edges: Edges = "all",
        lattice: Lattice | None = None,
        centred: bool = True,
        method: Literal["pseudo-likelihood", "pcd"] = "pseudo-likelihood",
        chains: int = 256,
        seed: int | None = None,
    ) -> None:
        check_binary(space, "events")
        if chains < 1:
            raise BadOption(f"chains is at least 1, not {chains}")
        self.space = space
        self.condition = condition
        self.sampler: Sampler = sampler
        self.outputs = frozenset({"objective", "samples"})
        if space.width <= MOST_ENUMERATED:
            self.outputs |= {"log_prob"}
        coupled = chosen_bodies(space.width, edges, lattice, ()).edges
        self.h = np.zeros(space.width)
        self.offsets = np.zeros(space.width)
        if data is not None:
            spins = to_spins(data.x, space, "events")
            self.h[:] = fields_of(spins)
            if centred:
                self.offsets[:] = spins.mean(axis=0)
        self.W = np.zeros((condition_width(condition), space.width))
        self.J = np.zeros(len(coupled))
        self._graph = Graph(space.width, coupled.astype(np.int64))
        self.chains = np.zeros((0, space.width), dtype=np.int8)
        if method == "pcd":
            self.surrogates = frozenset({"objective"})
            rng = generator(None) if seed is None else stream(seed, "init")
            self.chains = 2 * rng.integers(2, size=(chains, space.width), dtype=np.int8) - 1
        self.chain_conditions = np.zeros((len(self.chains), len(self.W)))

    def parameters(self) -> dict[str, Array]:
        if self.condition is None:
            return {"h": self.h, "J": self.J}
        return {"h": self.h, "W": self.W, "J": self.J}

    def state(self) -> dict[str, Array]:
        return {name: array.copy() for name, array in self._stored().items()}

    def load(self, state: Mapping[str, Array]) -> None:
        load_into(type(self).__name__, self._stored(), state)

    def _stored(self) -> dict[str, Array]:
        stored = {**self.parameters(), "offsets": self.offsets}
        if len(self.chains):
            stored |= {"chains": self.chains, "chain_conditions": self.chain_conditions}
        return stored

    def needs_random_numbers(self, output: str) -> bool:
        """Only samples are random."""
        return output == "samples"

    def energy(self, condition: Array | None = None) -> Ising:
        """The energy; with conditions (n, K) it has a row of fields for each of them.

        Raises DataError for a missing or needless condition.
        """
        require_conditions("pairwise-ising", self.condition, condition, None)
        couplings = Ising(self.h, self.J, self._graph)
        fields = self.h - couplings.coupling_fields(self.offsets[None])[0]
        if condition is not None:
            fields = fields + condition @ self.W
        return Ising(fields, self.J, self._graph)

    def prepare(self, batch: Batch, *, rng: Rng) -> None:
        """Move the chains of ``pcd``. Raises DataError for conditions that do not fit."""
        if not len(self.chains):
            return
        condition = batch.condition
        if condition is not None:
            self.chain_conditions = least_changed(self.chain_conditions, condition)
            condition = self.chain_conditions
        self.chains = self._drawn(len(self.chains), condition, self.chains, rng)

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """n events; Markov chains start at random ones of those of ``pcd``, if there are some.

        Raises BadOption for n < 0, DataError for conditions that do not fit.
        """
        if n < 0:
            raise BadOption(f"n is the number of events, at least 0, not {n}")
        require_conditions("pairwise-ising", self.condition, condition, n)
        if n == 0:
            return np.empty((0, self.space.width), dtype=np.int8)
        start = None
        if len(self.chains):
            start = self.chains[rng.integers(len(self.chains), size=n)]
        return from_spins(self._drawn(n, condition, start, rng), self.space)

    def _drawn(
        self, n: int, condition: Array | None, start: Array | None, rng: Rng
    ) -> NDArray[np.int8]:
        """n states (n, V), one for each row of the condition."""
        energy = self.energy(condition)
        if condition is None:
            return self.sampler.draw(energy, n, rng=rng, initial=start)[0]
        if start is not None:
            start = start[:, None]
        return self.sampler.draw(energy, 1, rng=rng, initial=start)[0][:, 0]

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        """Objectives or log probabilities (N,), or samples, and the pullback to h, W and J.

        Raises OutputMismatch for another output, DataError for events or conditions that do not
        fit.
        """
        if output not in self.outputs:
            raise OutputMismatch(
                f"pairwise-ising offers {', '.join(sorted(self.outputs))}, not {output}"
            )
        if output == "samples":
            return super().forward(output, batch, rng=rng)
        spins = to_spins(batch.x, self.space, "events")
        require_conditions("pairwise-ising", self.condition, batch.condition, len(spins))
        if output == "log_prob":
            return self._exact(spins, batch.condition)
        if len(self.chains):
            return self._contrast(spins, batch.condition)
        return self._pseudo(spins, batch.condition)

    def log_pseudo_likelihood(self, x: Array, condition: Array | None = None) -> Floats:
        """``sum_i log p(s_i | all other s)`` of each event (N,).

        Raises DataError for events or conditions that do not fit.
        """
        spins = to_spins(x, self.space, "events")
        require_conditions("pairwise-ising", self.condition, condition, len(spins))
        values, _ = self._pseudo(spins, condition)
        return -values

    def _pseudo(self, spins: NDArray[np.int8], condition: Array | None) -> tuple[Floats, Pullback]:
        """-sum_i log p(s_i | all other s), where p is 1 / (1 + exp(2 s_i f_i)) in the field f_i."""
        s = spins.astype(np.float64)
        energy = self.energy(condition)
        fields = energy.coupling_fields(s) + energy.h
        values: Floats = np.logaddexp(0.0, 2 * s * fields).sum(axis=1)

        def pullback(cotangent: Array) -> dict[str, Array]:
            of_fields = cotangent[:, None] * (s + np.tanh(fields))
            products = s.T @ of_fields
            first, second = self._graph.edges.T
            gradient = {"h": of_fields.sum(axis=0)}
            if condition is not None:
                gradient["W"] = condition.T @ of_fields
            gradient["J"] = products[first, second] + products[second, first]
            return self._less_offsets(gradient)

        return values, pullback

    def _contrast(
        self, spins: NDArray[np.int8], condition: Array | None
    ) -> tuple[Floats, Pullback]:
        """Energies of events (N,) less the mean energy of the chains."""
        of_chains = None
        if condition is not None:
            of_chains = self.chain_conditions
        values = self._energies(spins, condition) - self._energies(self.chains, of_chains).mean()

        def pullback(cotangent: Array) -> dict[str, Array]:
            weights = np.full(len(self.chains), cotangent.sum() / len(self.chains))
            gradient = self._slopes(spins, condition, cotangent)
            for name, slope in self._slopes(self.chains, of_chains, weights).items():
                gradient[name] -= slope
            return self._less_offsets(gradient)

        return values, pullback

    def _exact(self, spins: NDArray[np.int8], condition: Array | None) -> tuple[Floats, Pullback]:
        """log p of spins (N, V), by enumeration for each distinct condition."""
        conditions, row = distinct(condition, len(spins))
        exact = [Enumeration(one) for one in self.energy(conditions).by_row()]
        log_z = np.array([one.log_z for one in exact])
        values = -self._energies(spins, condition) - log_z[row]

        def pullback(cotangent: Array) -> dict[str, Array]:
            gradient = self._slopes(spins, condition, -cotangent)
            moments = [one.moments() for one in exact]
            means = np.stack([of_spins for of_spins, _ in moments])
            products = np.stack([of_pairs for _, of_pairs in moments])
            of_fields = cotangent[:, None] * means[row]
            gradient["h"] += of_fields.sum(axis=0)
            if condition is not None:
                gradient["W"] += condition.T @ of_fields
            gradient["J"] += np.bincount(row, weights=cotangent, minlength=len(exact)) @ products
            return self._less_offsets(gradient)

        return values, pullback

    def _energies(self, spins: NDArray[np.int8], condition: Array | None) -> Floats:
        """The energies (N,) of spins (N, V), each at its condition."""
        s = spins.astype(np.float64)
        energy = self.energy(condition)
        values: Floats = np.sum(s * (energy.h + 0.5 * energy.coupling_fields(s)), axis=1)
        return values

    def _slopes(
        self, spins: NDArray[np.int8], condition: Array | None, weights: Floats
    ) -> dict[str, Array]:
        """The derivatives of ``weights`` (N,) times the energies by their own fields, W and J."""
        s = spins.astype(np.float64)
        weighted = weights[:, None] * s
        slopes = {"h": weighted.sum(axis=0)}
        if condition is not None:
            slopes["W"] = condition.T @ weighted
        first, second = self._graph.edges.T
        slopes["J"] = (s.T @ weighted)[first, second]
        return slopes

    def _less_offsets(self, gradient: dict[str, Array]) -> dict[str, Array]:
        """The derivatives by h, W and J, from those by the energy's own fields, W and couplings."""
        first, second = self._graph.edges.T
        of_fields = gradient["h"]
        of_offsets = (
            self.offsets[first] * of_fields[second] + self.offsets[second] * of_fields[first]
        )
        return {**gradient, "J": gradient["J"] - of_offsets}
