"""log Z of an energy by annealed importance sampling, from free spins and back to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qgen_core.errors import BadOption, DataError, Unsupported
from qgen_core.ising import Ising
from qgen_core.samplers.chains import ChainOptions, Chains, chains_of
from qgen_core.typing import Floats, Rng


@dataclass(frozen=True)
class LogZ:
    """An estimate of log Z from the logarithms of importance weights.

    Args:
        value: from the mean weight.
        error: the standard error of ``value``, from the spread of the weights.
        bound: from the mean logarithm. Its expectation is at most log Z where chains started at
            free spins, and at least log Z where they started at independent samples of the model.
        bound_error: the standard error of ``bound``.
        effective_size: (sum w)^2 / sum w^2 of the M weights; near 1 the estimate rests on a single
            chain, and ``error`` is too small.
    """

    value: float
    error: float
    bound: float
    bound_error: float
    effective_size: float

    @classmethod
    def of(cls, log_weights: Floats, offset: float, sign: float) -> LogZ:
        """``offset + sign log mean w`` of logarithms of weights (M,).

        >>> LogZ.of(np.zeros(4), offset=2.0, sign=-1.0)
        LogZ(value=2.0, error=0.0, bound=2.0, bound_error=0.0, effective_size=4.0)
        """
        count = len(log_weights)
        largest = float(log_weights.max())
        weights = np.exp(log_weights - largest)
        mean = float(weights.mean())
        return cls(
            value=offset + sign * (largest + float(np.log(mean))),
            error=float(weights.std(ddof=1) / (mean * np.sqrt(count))),
            bound=offset + sign * float(log_weights.mean()),
            bound_error=float(log_weights.std(ddof=1) / np.sqrt(count)),
            effective_size=float(weights.sum() ** 2 / np.sum(weights**2)),
        )


def annealed_log_z(ising: Ising, *, rng: Rng, chains: int = 500, steps: int = 1000) -> LogZ:
    """log Z of exp(-E) by annealed importance sampling: its bound is below, on average.

    The couplings grow in equal ``steps`` from 0, where Z is known, to 1; fields stay. Each step
    adds to the weight of each of M = ``chains`` chains and is followed by a Gibbs sweep. Raises
    BadOption for fewer than two chains or one step, Unsupported for an energy with a transverse
    field, rows or clamped spins.

    Source: Neal, Statistics and Computing 11 (2001) 125; Salakhutdinov and Murray, ICML 2008.

    >>> pair = Ising(h=[0.3, -0.2], J=[0.5], graph=[[0, 1]])
    >>> found = annealed_log_z(pair, rng=np.random.default_rng(1), steps=100)
    >>> from qgen_core.samplers.enumeration import Enumeration
    >>> exact = Enumeration(pair).log_z
    >>> bool(abs(found.value - exact) < 3 * found.error)
    True
    >>> found.bound < exact + 3 * found.bound_error
    True
    """
    _check(ising, chains, steps)
    up = 1 / (1 + np.exp(2 * ising.h))
    start = np.where(rng.random((chains, ising.num_spins)) < up, 1, -1).astype(np.int8)
    running = chains_of(ising, start, ChainOptions(precision="double"), rng)
    log_weights = np.zeros(chains)
    for scale in np.arange(1, steps + 1) / steps:
        log_weights -= running.coupling_energies() / steps
        _sweep_at(running, scale)
    return LogZ.of(log_weights, _log_z_of_free_spins(ising), sign=1.0)


def reverse_annealed_log_z(
    ising: Ising, samples: ArrayLike, *, rng: Rng, steps: int = 1000
) -> LogZ:
    """log Z of exp(-E) from chains that start at samples (M, S) of the model and end at free spins.

    From independent exact samples the bound is above, on average; from samples of Markov chains
    it is an estimate and no bound. Raises what :func:`annealed_log_z` raises, and DataError for
    samples of another shape.

    Source: Burda, Grosse and Salakhutdinov, AISTATS 2015.

    >>> pair = Ising(h=[0.3, -0.2], J=[0.5], graph=[[0, 1]])
    >>> from qgen_core.samplers.enumeration import Enumeration
    >>> exact = Enumeration(pair)
    >>> rng = np.random.default_rng(1)
    >>> found = reverse_annealed_log_z(pair, exact.sample(500, rng=rng), rng=rng, steps=100)
    >>> found.bound > exact.log_z - 3 * found.bound_error
    True
    """
    start = np.array(samples, dtype=np.int8)
    if start.ndim != 2 or start.shape[1] != ising.num_spins:
        raise DataError(f"samples have the shape (M, {ising.num_spins}), not {start.shape}")
    _check(ising, len(start), steps)
    running = chains_of(ising, start, ChainOptions(precision="double"), rng)
    log_weights = np.zeros(len(start))
    for scale in np.arange(steps - 1, -1, -1) / steps:
        log_weights += running.coupling_energies() / steps
        _sweep_at(running, scale)
    return LogZ.of(log_weights, _log_z_of_free_spins(ising), sign=-1.0)


def _sweep_at(chains: Chains, scale: float) -> None:
    chains.scale[:] = scale
    chains.run(1)


def _log_z_of_free_spins(ising: Ising) -> float:
    """log Z without the couplings."""
    return float(np.logaddexp(ising.h, -ising.h).sum()) - ising.offset


def _check(ising: Ising, chains: int, steps: int) -> None:
    if chains < 2 or steps < 1:
        raise BadOption(
            f"annealed importance sampling needs two chains and one step, not {chains} and {steps}"
        )
    if ising.transverse or ising.rows is not None or ising.fixed is not None:
        raise Unsupported(
            "annealed importance sampling is of one classical energy without clamped spins; take "
            "the energies of samplers.free_spins.free_spins, row by row"
        )
