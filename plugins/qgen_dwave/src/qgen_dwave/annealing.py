"""The sampler ``dwave-sa``: D-Wave's simulated annealing, at a constant temperature."""

from __future__ import annotations

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.ising import Ising
from qgen_core.samplers.free_spins import RowSampler
from qgen_core.typing import Array, Floats, Rng
from qgen_dwave.ocean import ocean, quadratic_model, seed_of, spins_of


class AnnealingSampler(RowSampler):
    """Markov chains at a constant temperature, by D-Wave's program for simulated annealing.

    Each sample is the end of a chain of its own, which starts at random or at the initial spins.
    Spins are updated in random order with the acceptance of a Gibbs sampler; with the program's
    own defaults (an annealing schedule for minima, Metropolis acceptance in a fixed order) it does
    not draw from the Boltzmann distribution. Whether ``sweeps`` are enough depends on the energy:
    compare with twice as many.

    Args:
        beta: the inverse temperature.
        sweeps: updates of each spin for each sample.
        ramp_from: an inverse temperature from which beta grows linearly during the sweeps, for
            energies whose chains mix slowly; samples then have beta only if the ramp is slow.

    Raises BadOption for a beta that is not above 0, no sweeps, or a ramp that does not grow.

    >>> spin = Ising(h=[50.0], J=[], graph=np.empty((0, 2)))
    >>> spins, info = AnnealingSampler(sweeps=10).sample(spin, 2, rng=np.random.default_rng(1))
    >>> spins.tolist(), info["source"]
    ([[-1], [-1]], 'dwave-samplers simulated annealing')
    """

    source = "dwave-samplers simulated annealing"

    def __init__(
        self, *, beta: float = 1.0, sweeps: int = 1000, ramp_from: float | None = None
    ) -> None:
        if not (0 < beta < np.inf and sweeps >= 1):
            raise BadOption(f"beta must be above 0 and sweeps at least 1, not {beta:g}, {sweeps}")
        if ramp_from is not None and not 0 <= ramp_from <= beta:
            raise BadOption(f"ramp_from must be between 0 and beta = {beta:g}, not {ramp_from:g}")
        self.beta = beta
        self.sweeps = sweeps
        self.ramp_from = ramp_from

    def sample_row(
        self, energy: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[Array, dict[str, float]]:
        betas = np.full(self.sweeps, self.beta)
        if self.ramp_from is not None:
            betas = np.linspace(self.ramp_from, self.beta, self.sweeps)
        return annealed(energy, betas, n, rng=rng, initial=initial), {}


def annealed(
    ising: Ising, betas: Floats, n: int, *, rng: Rng, initial: Array | None = None
) -> Array:
    """Samples (n, S) after one Gibbs sweep at each of the inverse temperatures ``betas``.

    >>> spin = Ising(h=[50.0], J=[], graph=np.empty((0, 2)))
    >>> annealed(spin, np.array([0.1, 1.0]), 1, rng=np.random.default_rng(1)).tolist()
    [[-1]]
    """
    start = None
    if initial is not None:
        start = (np.asarray(initial, dtype=np.int8), list(range(ising.num_spins)))
    samples = (
        ocean("dwave.samplers")
        .SimulatedAnnealingSampler()
        .sample(
            quadratic_model(ising),
            num_reads=n,
            beta_schedule_type="custom",
            beta_schedule=betas,
            num_sweeps_per_beta=1,
            initial_states=start,
            seed=seed_of(rng),
            randomize_order=True,
            proposal_acceptance_criteria="Gibbs",
        )
    )
    return spins_of(samples)
