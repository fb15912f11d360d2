"""Independent samples by enumeration, or by diagonalisation where there is a transverse field."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption
from qgen_core.ising import Ising
from qgen_core.samplers.diagonalisation import Diagonalisation
from qgen_core.samplers.enumeration import MOST_SPINS, Enumeration
from qgen_core.samplers.free_spins import FreeSpinSampler
from qgen_core.typing import Array, Rng


class ExactSampler(FreeSpinSampler):
    """Draws independent samples of exp(-beta E), with no error but that of doubles.

    Spins that are not connected are enumerated separately, and of connected ones all but those of
    the largest colour: of a restricted Boltzmann machine the smaller side. With a transverse field
    the Hamiltonian of up to 12 spins is diagonalised, and samples follow the diagonal of its
    thermal state; clamped spins then are fields on the others, as in a device that clamps by
    strong fields.

    Args:
        beta: the inverse temperature.
        most_spins: the most spins that are enumerated; time and memory grow as 2^most_spins.

    Raises BadOption unless both are above 0, and Unsupported for larger energies.

    >>> from qgen_core.ising import Graph
    >>> machine = Ising(h=[0.1] * 103, J=[0.2] * 300, graph=Graph.complete_bipartite(3, 100))
    >>> spins, info = ExactSampler().sample(machine, 4, rng=np.random.default_rng(1))
    >>> spins.shape, info["source"]
    ((4, 103), 'exact enumeration')
    """

    takes_transverse = True

    def __init__(self, *, beta: float = 1.0, most_spins: int = MOST_SPINS) -> None:
        if not (beta > 0 and most_spins > 0):
            raise BadOption(f"beta and most_spins must be above 0, not {beta:g} and {most_spins}")
        self.beta = beta
        self.most_spins = most_spins
        self.source = "exact enumeration"

    def sample_free(
        self, energy: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, float]]:
        spins = np.empty((len(energy.h), n, energy.num_spins), dtype=np.int8)
        # Equal rows share a table.
        distinct, row_of = np.unique(energy.h, axis=0, return_inverse=True)
        for number, h in enumerate(distinct):
            of_one = Ising(h, energy.J, energy.graph, transverse=energy.transverse)
            rows = np.flatnonzero(row_of.reshape(-1) == number)
            drawn = self._distribution(of_one).sample(n * len(rows), rng=rng)
            spins[rows] = drawn.reshape(len(rows), n, -1)
        return spins, {}

    def _distribution(self, ising: Ising) -> Enumeration | Diagonalisation:
        if ising.transverse:
            return Diagonalisation(ising, beta=self.beta)
        return Enumeration(ising, beta=self.beta, most_spins=self.most_spins)
