"""The sampler ``dwave-sqa``: path-integral Monte Carlo of a transverse field."""

from __future__ import annotations

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.ising import Ising
from qgen_core.samplers.free_spins import RowSampler
from qgen_core.typing import Array, Floats, Rng
from qgen_dwave.ocean import ocean, quadratic_model, seed_of, spins_of


class PathIntegralSampler(RowSampler):
    """The diagonal of exp(-beta H) of a transverse field, by D-Wave's path-integral program.

    H is the classical energy minus ``transverse`` times the sum of s^x, and imaginary time is
    continuous, so there is no error from time slices. beta and the field stay constant during the
    sweeps, unlike in the program's own annealing schedule. It also draws from classical energies,
    more slowly than ``dwave-sa``. Fixed spins act as fields on the others.

    Args:
        beta: the inverse temperature.
        sweeps: updates of each spin's path for each sample.

    Raises BadOption for a beta that is not above 0 and for no sweeps.

    >>> spin = Ising(h=[50.0], J=[], graph=np.empty((0, 2)), transverse=1.0)
    >>> spins, _ = PathIntegralSampler(sweeps=5).sample(spin, 2, rng=np.random.default_rng(1))
    >>> spins.tolist()
    [[-1], [-1]]
    """

    source = "dwave-samplers path-integral Monte Carlo"
    takes_transverse = True

    def __init__(self, *, beta: float = 1.0, sweeps: int = 200) -> None:
        if not (0 < beta < np.inf and sweeps >= 1):
            raise BadOption(f"beta must be above 0 and sweeps at least 1, not {beta:g}, {sweeps}")
        self.beta = beta
        self.sweeps = sweeps

    def sample_row(
        self, energy: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[Array, dict[str, float]]:
        beta = np.full(self.sweeps, self.beta)
        return path_integral(energy, beta, beta * energy.transverse, n, rng=rng), {}


def path_integral(ising: Ising, problem: Floats, driver: Floats, n: int, *, rng: Rng) -> Array:
    """Samples (n, S) after a sweep at each entry of a schedule, from random spins.

    Args:
        ising: the classical energy E; its own transverse field is not used.
        problem: what multiplies E, with the inverse temperature in it.
        driver: what multiplies the sum of s^x, with the inverse temperature in it.
        n: the number of samples.
        rng: seeds the program.

    >>> spin = Ising(h=[50.0], J=[], graph=np.empty((0, 2)))
    >>> path_integral(spin, np.ones(3), np.zeros(3), 1, rng=np.random.default_rng(1)).tolist()
    [[-1]]
    """
    samples = (
        ocean("dwave.samplers")
        .PathIntegralAnnealingSampler()
        .sample(
            quadratic_model(ising),
            num_reads=n,
            beta_schedule_type="custom",
            Hp_field=problem,
            Hd_field=driver,
            num_sweeps_per_beta=1,
            seed=seed_of(rng),
        )
    )
    return spins_of(samples)
