"""The inverse temperature of samples: two estimates, and an alarm when they disagree.

An annealer draws from exp(-beta E) with a beta that is not known and depends on the energy. The
mean energy measures how often the device reaches the right valleys; the pseudo-likelihood looks at
single spins given all others. Samples of a Boltzmann distribution give the same beta by both, and
samples that froze out of equilibrium do not.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qgen_core.errors import BadOption, CheckpointError, DataError
from qgen_core.interfaces import Sampler
from qgen_core.ising import Ising
from qgen_core.typing import Array, Floats, Rng

#: One step of the iteration changes beta at most by this factor.
LARGEST_FACTOR = 2.0
#: Two estimates disagree from so many combined standard errors on, if they also differ by a share.
ALARM_ERRORS = 3.0
#: The least such share of beta.
ALARM_SHARE = 0.05

log = logging.getLogger("qgen")


@dataclass(frozen=True)
class BetaEstimate:
    """An inverse temperature and its standard error.

    >>> BetaEstimate(4.7, 0.1).value
    4.7
    """

    value: float
    error: float


def beta_by_energy(
    ising: Ising,
    spins: ArrayLike,
    reference: Sampler,
    *,
    start: float,
    rng: Rng,
    draws: int = 256,
    rounds: int = 12,
) -> BetaEstimate:
    """The beta at which the mean energy of exp(-beta E) is that of the samples.

    beta is multiplied by ``exp((m* - m) / (beta Var E))``, by at most two, until the step is below
    the error: m is the mean energy of the samples and m* that of ``draws`` samples of exp(-beta E)
    by the reference. Unlike additive steps this converges from far away on both sides.

    Args:
        ising: the energy E that was sampled.
        spins: the samples, (n, S), or (B, n, S) of an energy with rows.
        reference: a sampler that mixes at this energy, of known beta.
        start: where the iteration starts.
        rng: seeds the reference.
        draws: samples of the reference in each round, shared by the rows.
        rounds: the most rounds.

    Raises DataError if all samples have the same energy, and those of the reference too.

    >>> class FreeSpins(Sampler):
    ...     def sample(self, ising, n, *, rng, initial=None):
    ...         up = 1 / (1 + np.exp(2 * self.beta * ising.h))
    ...         spins = np.where(rng.random((n, ising.num_spins)) < up, 1, -1)
    ...         return spins.astype(np.int8), {"source": "independent spins"}
    >>> energy = Ising(h=[0.1, -0.2, 0.3], J=[], graph=np.empty((0, 2)))
    >>> rng = np.random.default_rng(1)
    >>> device = FreeSpins()
    >>> device.beta = 3.0
    >>> spins, _ = device.sample(energy, 4000, rng=rng)
    >>> beta = beta_by_energy(energy, spins, FreeSpins(), start=30.0, rng=rng, draws=4000)
    >>> abs(beta.value - 3.0) < 3 * beta.error < 0.5
    True
    """
    mean, variance, count = _moments(ising, spins)
    of_row = max(draws // (ising.rows or 1), 2)
    beta = start
    for _ in range(rounds):
        drawn, _ = reference.sample(ising.scaled(beta / reference.beta), of_row, rng=rng)
        wanted, wanted_variance, wanted_count = _moments(ising, drawn)
        if not np.isfinite(variance):
            variance = wanted_variance
        # The mean energy falls by the variance times the change of beta. Its mean of both ends is
        # right to second order, and at least half of that at beta, so that steps never grow.
        slope = 0.5 * (variance + wanted_variance)
        if slope == 0:
            raise DataError(
                "all samples have the same energy, so they do not tell a temperature; "
                "estimate it with couplings that are not 0"
            )
        spread = np.sqrt(variance / count + wanted_variance / wanted_count)
        step = (wanted - mean) / slope
        largest = np.log(LARGEST_FACTOR)
        beta *= float(np.exp(np.clip(step / beta, -largest, largest)))
        if abs(step) < spread / slope:
            break
    # A step that is still larger than the error says how far from the solution it ended.
    return BetaEstimate(beta, max(float(spread / slope), abs(step)))


def _moments(ising: Ising, spins: ArrayLike) -> tuple[float, float, int]:
    """Mean energy of all samples, mean variance within the rows, and the number of samples.

    The variance is NaN where rows have one sample each.
    """
    energies = ising.energy(spins)
    variance = np.nan
    if energies.shape[-1] > 1:
        variance = float(np.mean(np.var(energies, axis=-1, ddof=1)))
    return float(np.mean(energies)), variance, energies.size


def beta_by_pseudo_likelihood(ising: Ising, spins: ArrayLike) -> BetaEstimate:
    """The beta of the largest pseudo-likelihood: of each free spin, given all others.

    With D_i the energy that flipping spin i would cost, it solves ``sum D / (1 + exp(beta D)) = 0``
    over all samples and spins. It is local: samples in the wrong valleys, each at equilibrium
    within its own, do not change it. Samples that are all local minima have an infinite beta, with
    the error 0.

    Args:
        ising: the energy that was sampled.
        spins: the samples, (n, S), or (B, n, S) of an energy with rows.

    Raises DataError if no flip changes the energy.

    Source: Besag, J. R. Stat. Soc. D 24, 179 (1975).

    >>> energy = Ising(h=[0.5], J=[], graph=np.empty((0, 2)))
    >>> spins = np.repeat([[1], [-1]], [100, 300], axis=0)
    >>> beta = beta_by_pseudo_likelihood(energy, spins)
    >>> round(beta.value, 3), round(float(np.log(3)), 3)
    (1.099, 1.099)
    """
    costs = _flip_costs(ising, np.asarray(spins, dtype=np.int8))
    every = np.concatenate([of_row.reshape(-1) for of_row in costs])
    if not np.any(every):
        raise DataError("no flip of a spin changes the energy, so samples tell no temperature")
    if np.all(every >= 0):
        return BetaEstimate(np.inf, 0.0)
    if np.all(every <= 0):
        return BetaEstimate(-np.inf, 0.0)
    beta = _root(every)
    slope = 0.0
    spread = 0.0
    for of_row in costs:
        flips = _sigmoid(-beta * of_row)
        slope += float(np.sum(of_row**2 * flips * (1 - flips)))
        # Spins of one sample are correlated, so a sample counts as one.
        spread += float(np.sum(np.sum(of_row * flips, axis=1) ** 2))
    return BetaEstimate(beta, float(np.sqrt(spread)) / slope)


def _flip_costs(ising: Ising, spins: NDArray[np.int8]) -> list[Floats]:
    """The energy (n, free spins) that each flip would cost, for each row of conditions."""
    by_row = spins.reshape(-1, *spins.shape[-2:])
    costs = []
    for energy, of_row in zip(ising.by_row(), by_row, strict=True):
        fields = np.empty(of_row.shape)
        for colour, group in enumerate(energy.graph.groups):
            fields[:, group] = energy.local_fields(of_row, colour)
        of_flips = -2 * of_row * fields
        if energy.fixed is not None:
            of_flips = of_flips[:, energy.fixed == 0]
        costs.append(of_flips)
    return costs


def _root(costs: Floats) -> float:
    """Where the slope of the pseudo-likelihood, which falls with beta, is 0."""
    scale = 1 / float(np.sqrt(np.mean(costs**2)))
    low = -scale
    high = scale
    while _slope(costs, high) > 0:
        high *= 2
    while _slope(costs, low) < 0:
        low *= 2
    # Bisection: 50 halvings reach the precision of doubles.
    for _ in range(50):
        middle = 0.5 * (low + high)
        if _slope(costs, middle) > 0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _slope(costs: Floats, beta: float) -> float:
    return float(np.sum(costs * _sigmoid(-beta * costs)))


def _sigmoid(x: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)))


def disagree(by_energy: BetaEstimate, by_pseudo_likelihood: BetaEstimate) -> bool:
    """Whether two estimates differ by more than 3 combined errors and by more than 5 percent.

    >>> disagree(BetaEstimate(2.0, 0.1), BetaEstimate(2.2, 0.1))
    False
    >>> disagree(BetaEstimate(2.0, 0.1), BetaEstimate(4.0, 0.1))
    True
    """
    difference = abs(by_energy.value - by_pseudo_likelihood.value)
    combined = float(np.hypot(by_energy.error, by_pseudo_likelihood.error))
    return difference > ALARM_ERRORS * combined and difference > ALARM_SHARE * by_energy.value


class Thermometer:
    """Follows the inverse temperature of a sampler while a model is trained.

    Each call of :meth:`update` estimates beta from samples and moves ``beta`` towards it: by the
    whole step, on the scale of log beta, if the estimate is more certain than what is known, and by
    less if it is not, as a Kalman filter does. So weak couplings at the start of a training, which
    tell little, do not throw it off.

    Args:
        reference: a sampler of known beta that mixes at the model's energies.
        beta: the first guess.
        draws: samples of the reference for each estimate.
        drift: how far log beta may move between two updates, as a standard deviation.

    Raises BadOption for a guess, draws or a drift that are not above 0.

    >>> class FreeSpins(Sampler):
    ...     def sample(self, ising, n, *, rng, initial=None):
    ...         up = 1 / (1 + np.exp(2 * self.beta * ising.h))
    ...         spins = np.where(rng.random((n, ising.num_spins)) < up, 1, -1)
    ...         return spins.astype(np.int8), {"source": "independent spins"}
    >>> energy = Ising(h=[0.1, -0.2, 0.3], J=[], graph=np.empty((0, 2)))
    >>> rng = np.random.default_rng(1)
    >>> device = FreeSpins()
    >>> device.beta = 3.0
    >>> thermometer = Thermometer(FreeSpins(), beta=1.0, draws=4000)
    >>> spins, _ = device.sample(energy, 4000, rng=rng)
    >>> numbers = thermometer.update(energy, spins, rng=rng)
    >>> abs(thermometer.beta - 3.0) < 0.3, numbers["beta_alarm"]
    (True, 0.0)
    """

    def __init__(
        self, reference: Sampler, *, beta: float, draws: int = 256, drift: float = 0.02
    ) -> None:
        if not (0 < beta < np.inf and draws >= 2 and 0 < drift < np.inf):
            raise BadOption(
                f"beta and drift must be above 0 and draws at least 2, not {beta:g}, {drift:g} "
                f"and {draws}"
            )
        self.reference = reference
        self.beta = beta
        self.draws = draws
        self.drift = drift
        self.alarm = False
        # The variance of log beta: the first guess is good to a factor of about e.
        self._variance = 1.0

    def update(self, ising: Ising, spins: ArrayLike, *, rng: Rng) -> dict[str, float]:
        """Estimate beta from samples of ``ising``, and return what is worth reporting.

        The numbers are ``beta_energy`` and ``beta_pseudo_likelihood``, each with its ``_error``,
        and ``beta_alarm``: 1 if the two disagree, which is also a warning in the log. Where the
        energy does not depend on the spins nothing changes and nothing is returned.
        """
        if not (np.any(ising.h) or np.any(ising.J)):
            return {}
        by_energy = beta_by_energy(
            ising, spins, self.reference, start=self.beta, rng=rng, draws=self.draws
        )
        by_spins = beta_by_pseudo_likelihood(ising, spins)
        self._move(by_energy)
        self._warn(by_energy, by_spins)
        numbers = {
            "beta_energy": by_energy.value,
            "beta_energy_error": by_energy.error,
            "beta_alarm": float(self.alarm),
        }
        if np.isfinite(by_spins.value):
            numbers["beta_pseudo_likelihood"] = by_spins.value
            numbers["beta_pseudo_likelihood_error"] = by_spins.error
        return numbers

    def _move(self, found: BetaEstimate) -> None:
        expected = self._variance + self.drift**2
        noise = (found.error / found.value) ** 2
        gain = expected / (expected + noise)
        self.beta *= (found.value / self.beta) ** gain
        self._variance = (1 - gain) * expected

    def _warn(self, by_energy: BetaEstimate, by_spins: BetaEstimate) -> None:
        before = self.alarm
        self.alarm = disagree(by_energy, by_spins)
        if self.alarm and not before:
            log.warning(
                "the samples are not those of a Boltzmann distribution: beta is %.3g +- %.2g by "
                "the mean energy and %.3g +- %.2g by the pseudo-likelihood; anneal more slowly, or "
                "give the reference more sweeps",
                by_energy.value,
                by_energy.error,
                by_spins.value,
                by_spins.error,
            )

    def state(self) -> dict[str, Array]:
        """beta and the variance of its logarithm, for a checkpoint."""
        return {"thermometer": np.array([self.beta, self._variance])}

    def load(self, state: Mapping[str, Array]) -> None:
        """Restore what :meth:`state` returned. Raises CheckpointError when it does not fit."""
        values = np.asarray(state.get("thermometer", ()))
        if set(state) != {"thermometer"} or values.shape != (2,) or not np.all(values > 0):
            raise CheckpointError(
                f"a thermometer needs beta and its variance, the checkpoint holds {sorted(state)}"
            )
        self.beta = float(values[0])
        self._variance = float(values[1])
