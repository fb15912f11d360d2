"""Parallel tempering: chains at several strengths of the couplings that exchange their states."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption
from qgen_core.ising import Ising
from qgen_core.samplers.chains import ChainOptions, Chains, Precision, chains_of
from qgen_core.samplers.free_spins import FreeSpinSampler
from qgen_core.samplers.gibbs import starting_spins
from qgen_core.typing import Array, Floats, Ints, Rng


class TemperingSampler(FreeSpinSampler):
    """Gibbs sampling on a ladder of energies, from free spins to the energy that is asked for.

    Each sample has a ladder of its own. On its rung b the couplings are multiplied by b while
    fields stay, so at b = 0 spins are independent, and the last rung, b = 1, gives the sample.
    After each sweep neighbouring rungs exchange their states with the probability
    ``min(1, exp(beta (b' - b) (U' - U)))``, where U is the energy of the couplings; so a chain
    that is caught in one of several modes leaves it by the free end. A sweep costs as much as one
    of 'gibbs' for each rung.

    The information has ``swap_rate``, the mean share of exchanges that were accepted, and
    ``least_swap_rate``, that of the pair of rungs with the fewest: where it is near 0 the ladder
    is cut in two, and more rungs are needed.

    Args:
        sweeps: the number of sweeps, each followed by exchanges.
        rungs: the number of rungs, at equal steps of b from 0 to 1.
        ladder: the values of b instead, increasing from 0 or more to 1.
        beta: the inverse temperature.
        precision: of the local fields, as in 'gibbs'.
        threads: as in 'gibbs'.

    Raises BadOption for fewer than two rungs, another order, and values below their least.

    Source: Geyer, Computing Science and Statistics 23 (1991) 156; Hukushima and Nemoto,
    J. Phys. Soc. Jpn. 65 (1996) 1604. That fields stay is our choice.

    >>> two_modes = Ising(h=[0.0] * 8, J=[-1.5] * 7, graph=[[i, i + 1] for i in range(7)])
    >>> spins, info = TemperingSampler(sweeps=50).sample(
    ...     two_modes, 500, rng=np.random.default_rng(1), initial=np.ones((500, 8))
    ... )
    >>> bool(abs(spins.mean()) < 0.2), 0.2 < info["least_swap_rate"] < 1
    (True, True)
    """

    def __init__(
        self,
        *,
        sweeps: int = 100,
        rungs: int = 8,
        ladder: Sequence[float] | None = None,
        beta: float = 1.0,
        precision: Precision = "single",
        threads: int | None = None,
    ) -> None:
        if sweeps < 1 or rungs < 2:
            raise BadOption(
                f"tempering needs at least one sweep and two rungs, not {sweeps} and {rungs}"
            )
        if ladder is None:
            ladder = np.linspace(0.0, 1.0, rungs).tolist()
        self.ladder = np.array(ladder, dtype=np.float64)
        increasing = len(self.ladder) > 1 and bool(np.all(np.diff(self.ladder) > 0))
        if not increasing or self.ladder[0] < 0 or self.ladder[-1] != 1:
            raise BadOption(
                f"the ladder increases from 0 or more to 1 in at least two rungs, not {ladder}"
            )
        self.beta = beta
        self.sweeps = sweeps
        self.options = ChainOptions(beta, precision, threads)
        self.source = f"parallel tempering, {len(self.ladder)} rungs, {sweeps} sweeps"

    def sample_free(
        self, energy: Ising, n: int, *, rng: Rng, initial: Array | None = None
    ) -> tuple[NDArray[np.int8], dict[str, float]]:
        rungs = len(self.ladder)
        start = starting_spins(energy, n, initial, rng)
        on_rungs = np.repeat(start.reshape(-1, energy.num_spins), rungs, axis=0)
        chains = chains_of(energy, on_rungs, self.options, rng)
        # For each ladder the chain on each rung; exchanges move scales and not spins.
        chain_on = np.arange(len(on_rungs)).reshape(-1, rungs)
        chains.scale[chain_on] = self.ladder
        accepted = np.zeros(rungs - 1)
        tried = np.zeros(rungs - 1)
        for sweep in range(self.sweeps):
            chains.run(1)
            lower = np.arange(sweep % 2, rungs - 1, 2)
            accepted[lower] += self._exchange(chains, chain_on, lower, rng)
            tried[lower] += len(chain_on)
        # The other pairs of two rungs have no turn in a single sweep.
        rates = accepted[tried > 0] / tried[tried > 0]
        numbers: dict[str, float] = {}
        if len(rates):
            numbers = {"swap_rate": float(rates.mean()), "least_swap_rate": float(rates.min())}
        return chains.spins[chain_on[:, -1]].reshape(start.shape), numbers

    def _exchange(self, chains: Chains, chain_on: Ints, lower: Ints, rng: Rng) -> Floats:
        """Exchange the rungs ``lower`` (L,) with those above; how many ladders did, (L,)."""
        energies = chains.coupling_energies()[chain_on]
        step = self.ladder[lower + 1] - self.ladder[lower]
        gain = step * (energies[:, lower + 1] - energies[:, lower])
        accept = rng.random(gain.shape) < np.exp(np.minimum(gain, 0.0))
        below = chain_on[:, lower]
        above = chain_on[:, lower + 1]
        chain_on[:, lower] = np.where(accept, above, below)
        chain_on[:, lower + 1] = np.where(accept, below, above)
        chains.scale[chain_on] = self.ladder
        exchanged: Floats = np.sum(accept, axis=0, dtype=np.float64)
        return exchanged
