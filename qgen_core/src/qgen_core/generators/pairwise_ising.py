"""The generator ``pairwise-ising``: a Boltzmann machine without hidden units."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption, OutputMismatch
from qgen_core.events import Batch, Events, Space
from qgen_core.generators.conditions import condition_width, require_conditions
from qgen_core.generators.draws import distinct
from qgen_core.generators.iqp_bodies import Edges, Lattice, chosen_bodies
from qgen_core.generators.spin_events import check_binary, fields_of, from_spins, to_spins
from qgen_core.interfaces import Generator, Sampler
from qgen_core.ising import Graph, Ising
from qgen_core.samplers.enumeration import Enumeration
from qgen_core.typing import Array, Floats, Pullback, Rng

#: ``log_prob`` is offered up to so many columns.
MOST_ENUMERATED = 16


class PairwiseIsing(Generator):
    """exp(-E) / Z of visible spins, ``E = sum_i (h_i + c W_i) s_i + sum_ij J_ij s_i s_j``.

    Bits are spins (1 + s) / 2. Conditions c (K,) are numbers, or bits or spins, that act as fields.
    It is the model of largest entropy with given means and pair products.

    Two outputs can be trained on:

    - ``objective`` of an event is its negative log pseudo-likelihood
      ``-sum_i log p(s_i | all other s, c)``. Value and gradient are exact and need no samples; its
      mean over events is convex in h, W and J. Its minimum tends to that of the likelihood as the
      number of events grows, where the model can represent their distribution.
    - ``log_prob``, exact, up to 16 columns.

    Args:
        space: of the events, bits or spins.
        sampler: draws the samples, e.g. ``gibbs``.
        condition: of the conditions, of any kind; None: there are none.
        data: training events, whose frequencies give the first fields; None: fields of 0.
        edges: pairs of columns that are coupled: all, or a list.
        lattice: instead, the neighbours in grids of these sides, e.g. ``[[3, 96], [12, 12]]``;
            columns are numbered in row-major order, those of one grid after those of another.

    J has a number for each pair, by default row by row above the diagonal; couplings start at 0.

    Raises BadOption for other spaces, and for pairs that are none of the columns.

    Source: Besag, The Statistician 24 (1975) 179 (pseudo-likelihood); Ackley, Hinton and Sejnowski,
    Cognitive Science 9 (1985) 147.

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
    ) -> None:
        check_binary(space, "events")
        self.space = space
        self.condition = condition
        self.sampler: Sampler = sampler
        self.outputs = frozenset({"objective", "samples"})
        if space.width <= MOST_ENUMERATED:
            self.outputs |= {"log_prob"}
        coupled = chosen_bodies(space.width, edges, lattice, ()).edges
        self.h = np.zeros(space.width)
        if data is not None:
            self.h[:] = fields_of(to_spins(data.x, space, "events"))
        self.W = np.zeros((condition_width(condition), space.width))
        self.J = np.zeros(len(coupled))
        self._graph = Graph(space.width, coupled.astype(np.int64))

    def parameters(self) -> dict[str, Array]:
        if self.condition is None:
            return {"h": self.h, "J": self.J}
        return {"h": self.h, "W": self.W, "J": self.J}

    def needs_random_numbers(self, output: str) -> bool:
        """Only samples are random."""
        return output == "samples"

    def energy(self, condition: Array | None = None) -> Ising:
        """The energy; with conditions (n, K) it has a row of fields for each of them.

        Raises DataError for a missing or needless condition.
        """
        require_conditions("pairwise-ising", self.condition, condition, None)
        fields = self.h
        if condition is not None:
            fields = self.h + condition @ self.W
        return Ising(fields, self.J, self._graph)

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """n events. Raises BadOption for n < 0, DataError for conditions that do not fit."""
        if n < 0:
            raise BadOption(f"n is the number of events, at least 0, not {n}")
        require_conditions("pairwise-ising", self.condition, condition, n)
        if n == 0:
            return np.empty((0, self.space.width), dtype=np.int8)
        energy = self.energy(condition)
        if condition is None:
            spins, _ = self.sampler.draw(energy, n, rng=rng)
        else:
            of_rows, _ = self.sampler.draw(energy, 1, rng=rng)
            spins = of_rows[:, 0]
        return from_spins(spins, self.space)

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
            return gradient

        return values, pullback

    def _exact(self, spins: NDArray[np.int8], condition: Array | None) -> tuple[Floats, Pullback]:
        """log p of spins (N, V), by enumeration for each distinct condition."""
        s = spins.astype(np.float64)
        conditions, row = distinct(condition, len(s))
        energy = self.energy(conditions)
        exact = [Enumeration(one) for one in energy.by_row()]
        log_z = np.array([one.log_z for one in exact])
        fields = np.atleast_2d(energy.h)[row]
        of_couplings = 0.5 * np.sum(s * energy.coupling_fields(s), axis=1)
        values = -np.sum(s * fields, axis=1) - of_couplings - log_z[row]

        def pullback(cotangent: Array) -> dict[str, Array]:
            moments = [one.moments() for one in exact]
            means = np.stack([of_spins for of_spins, _ in moments])
            products = np.stack([of_pairs for _, of_pairs in moments])
            of_fields = cotangent[:, None] * (means[row] - s)
            gradient = {"h": of_fields.sum(axis=0)}
            if condition is not None:
                gradient["W"] = condition.T @ of_fields
            first, second = self._graph.edges.T
            of_events = (s.T @ (cotangent[:, None] * s))[first, second]
            of_rows = np.bincount(row, weights=cotangent, minlength=len(exact))
            gradient["J"] = of_rows @ products - of_events
            return gradient

        return values, pullback
