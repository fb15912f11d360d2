"""Block Gibbs sampling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption
from qgen_core.ising import Ising
from qgen_core.samplers.chains import ChainOptions, Precision, chains_of
from qgen_core.samplers.free_spins import FreeSpinSampler
from qgen_core.typing import Array, Rng


def starting_spins(energy: Ising, n: int, initial: Array | None, rng: Rng) -> NDArray[np.int8]:
    """Spins (R, n, F) where chains start: the initial ones, else random ones."""
    if initial is not None:
        return np.asarray(initial, dtype=np.int8)
    shape = (len(energy.h), n, energy.num_spins)
    return 2 * rng.integers(2, size=shape, dtype=np.int8) - 1


class GibbsSampler(FreeSpinSampler):
    """Markov chains that draw all spins of a colour at once, given the others.

    Each sample is the end of a chain of its own, after ``sweeps`` updates of every spin. A chain
    starts where ``initial`` says, else at random spins. So a model that passes the last samples as
    ``initial`` has persistent chains, and one that passes events has contrastive divergence.

    The graph's colours are updated in order. Local fields are sums in float32 or float64, and the
    probabilities of spins are right to 2^-25. Results do not depend on the number of threads; they
    may differ between processors, whose sums round differently.

    Args:
        sweeps: the number of updates of each spin.
        beta: the inverse temperature.
        precision: of the local fields.
        threads: None: one a processor.

    Raises BadOption for values below their least.

    Source: Geman and Geman, TPAMI 6 (1984) 721.

    >>> pair = Ising(h=[50.0, 0.0], J=[50.0], graph=[[0, 1]])
    >>> spins, info = GibbsSampler(sweeps=5).sample(pair, 2, rng=np.random.default_rng(1))
    >>> spins.tolist(), info
    ([[-1, 1], [-1, 1]], {'source': 'Gibbs sampling, 5 sweeps'})
    """

    def __init__(
        self,
        *,
        sweeps: int = 100,
        beta: float = 1.0,
        precision: Precision = "single",
        threads: int | None = None,
    ) -> None:
        if sweeps < 1:
            raise BadOption(f"sweeps must be at least 1, not {sweeps}")
        self.beta = beta
        self.sweeps = sweeps
        self.options = ChainOptions(beta, precision, threads)
        self.source = f"Gibbs sampling, {sweeps} sweeps"

    def sample_free(
        self, energy: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, float]]:
        start = starting_spins(energy, n, initial, rng)
        chains = chains_of(energy, start.reshape(-1, energy.num_spins), self.options, rng)
        chains.run(self.sweeps)
        return chains.spins.reshape(start.shape), {}
