"""Quantum Boltzmann machines with a transverse field."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption, DataError, OutputMismatch
from qgen_core.events import Batch, Space, bits_to_index
from qgen_core.generators.spin_events import check_binary, from_spins, to_spins
from qgen_core.interfaces import Generator, Sampler
from qgen_core.ising import Graph, Ising
from qgen_core.samplers.diagonalisation import MOST_SPINS, Diagonalisation
from qgen_core.support.random_streams import generator, stream
from qgen_core.typing import Array, Floats, Pullback, Rng


class QuantumBoltzmannMachine(Generator):
    """The diagonal of exp(-H) / Z, ``H = E(s^z) - Gamma sum_i s^x_i``, summed over hidden units.

    Visible units are coupled with each other and with the hidden ones, hidden ones not with each
    other. All values and gradients are exact, by diagonalisation of H, for up to 12 units; one of
    12 takes seconds a step.

    - ``objective`` of an event is the bound of Golden and Thompson on -log p(v),
      ``log Tr exp(-H) - log Tr exp(-H_v)``, where H_v has the visible units clamped to v. It is
      what an annealer's samples could give the gradient of.
    - ``log_prob`` is log p(v) itself.

    Gamma is an option and no parameter, because the bound would drive it to 0.

    Args:
        space: of the events, bits or spins.
        hidden: the number of hidden units.
        transverse: Gamma.
        sampler: draws the samples, if given; by default they are exact.
        scale: the standard deviation of the first couplings.
        seed: of the first couplings; None draws a new one.

    Raises BadOption for another space, more than 12 units and numbers below 0.

    Source: Amin et al., Phys. Rev. X 8 (2018) 021050, eqs. 10 to 22.

    >>> model = QuantumBoltzmannMachine(space=Space("bits", 3), hidden=1, transverse=0.5, seed=1)
    >>> bits = np.array([[0, 0, 1], [1, 1, 1]])
    >>> rng = np.random.default_rng(1)
    >>> bound, _ = model.forward("objective", Batch(bits), rng=rng)
    >>> exact, _ = model.forward("log_prob", Batch(bits), rng=rng)
    >>> bool(np.all(bound >= -exact))
    True
    """

    outputs = frozenset({"objective", "log_prob", "samples"})

    def __init__(
        self,
        *,
        space: Space,
        hidden: int = 0,
        transverse: float = 1.0,
        sampler: Sampler | None = None,
        scale: float = 0.1,
        seed: int | None = None,
    ) -> None:
        check_binary(space, "events")
        if hidden < 0 or not (0 <= transverse < np.inf and scale >= 0):
            raise BadOption(
                f"hidden, transverse and scale are at least 0, not {hidden}, {transverse:g} and "
                f"{scale:g}"
            )
        units = space.width + hidden
        if units > MOST_SPINS:
            raise BadOption(
                f"a quantum Boltzmann machine is diagonalised for up to {MOST_SPINS} units, not "
                f"{units}; use fewer bits or hidden units"
            )
        self.space = space
        self.sampler = sampler
        self.transverse = transverse
        rng = generator(None) if seed is None else stream(seed, "init")
        first, second = np.triu_indices(units, k=1)
        some_visible = first < space.width
        edges = np.stack([first[some_visible], second[some_visible]], axis=1)
        self._graph = Graph(units, edges)
        self.h = np.zeros(units)
        self.J = rng.normal(0.0, scale, len(edges))

    def parameters(self) -> dict[str, Array]:
        return {"h": self.h, "J": self.J}

    def energy(self) -> Ising:
        """The energy of visible and hidden units, with the transverse field."""
        return Ising(self.h, self.J, self._graph, transverse=self.transverse)

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """n events. Raises BadOption for n < 0, DataError for a condition."""
        self._check(n, condition)
        if n == 0:
            return np.empty((0, self.space.width), dtype=np.int8)
        if self.sampler is None:
            spins = Diagonalisation(self.energy()).sample(n, rng=rng)
        else:
            spins, _ = self.sampler.draw(self.energy(), n, rng=rng)
        return from_spins(spins[:, : self.space.width], self.space)

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        """Bounds or log probabilities (N,), or samples, and the pullback to h and J.

        Raises OutputMismatch for another output, DataError for events that do not fit.
        """
        if output not in self.outputs:
            raise OutputMismatch(f"qbm offers {', '.join(sorted(self.outputs))}, not {output}")
        self._check(0, batch.condition)
        if output == "samples":
            return super().forward(output, batch, rng=rng)
        data = to_spins(batch.x, self.space, "events")
        exact = Diagonalisation(self.energy())
        if output == "log_prob":
            return self._log_prob(data, exact)
        return self._bound(data, exact)

    def _bound(self, data: NDArray[np.int8], exact: Diagonalisation) -> tuple[Floats, Pullback]:
        """log Tr exp(-H) - log Tr exp(-H_v); hidden units of H_v are independent of each other."""
        ising = exact.ising
        width = self.space.width
        spins = np.zeros((len(data), ising.num_spins))
        spins[:, :width] = data
        fields = (ising.coupling_fields(spins) + self.h)[:, width:]
        size = np.hypot(fields, self.transverse)
        of_hidden = np.logaddexp(size, -size).sum(axis=1)
        values = exact.log_z + ising.energy(spins) - of_hidden
        # (b / D) tanh D is even in D and b at D = 0.
        slope = np.divide(np.tanh(size), size, out=np.ones_like(size), where=size > 0)
        spins[:, width:] = -fields * slope

        def pullback(cotangent: Array) -> dict[str, Array]:
            gradient = self._of_spins(spins, cotangent)
            model = self._of_spins(exact.states, exact.probabilities)
            return {name: value - cotangent.sum() * model[name] for name, value in gradient.items()}

        return values, pullback

    def _log_prob(self, data: NDArray[np.int8], exact: Diagonalisation) -> tuple[Floats, Pullback]:
        """log p of events, and its derivatives by those of exp(-H)."""
        width = self.space.width
        visible = bits_to_index(exact.states[:, :width] > 0)
        table = np.bincount(visible, weights=exact.probabilities, minlength=2**width)
        index = bits_to_index(data > 0)
        p = table[index]

        def pullback(cotangent: Array) -> dict[str, Array]:
            of_table: Floats = np.zeros(2**width)
            np.add.at(of_table, index, cotangent / p)
            return self._of_spins(exact.states, exact.pullback(of_table[visible]))

        return np.log(p), pullback

    def _of_spins(self, spins: Array, weights: Floats) -> dict[str, Array]:
        """The derivatives of ``weights`` (N,) times the energies of spins (N, S)."""
        first = self._graph.edges[:, 0]
        second = self._graph.edges[:, 1]
        weighted = weights[:, None] * spins
        return {"h": weighted.sum(axis=0), "J": (weighted.T @ spins)[first, second]}

    def _check(self, n: int, condition: Any) -> None:
        if n < 0:
            raise BadOption(f"n is the number of events, at least 0, not {n}")
        if condition is not None:
            raise DataError("a quantum Boltzmann machine takes no condition; one was given")
