"""Estimates of the inverse temperature: unbiased with honest errors, and silent or loud rightly."""

from __future__ import annotations

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, CheckpointError, DataError
from qgen_core.samplers.temperature import (
    BetaEstimate,
    Thermometer,
    beta_by_energy,
    beta_by_pseudo_likelihood,
    disagree,
)

STATES = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T.astype(np.int8)


class Enumerated(qgen.Sampler):
    """Exact samples of six spins, also of rows and fixed spins."""

    def sample(self, ising, n, *, rng, initial=None):
        drawn = []
        for energy in ising.by_row():
            weight = np.exp(-self.beta * (energy.energy(STATES) - energy.energy(STATES).min()))
            if energy.fixed is not None:
                weight *= np.all((energy.fixed == 0) | (energy.fixed == STATES), axis=1)
            drawn.append(STATES[rng.choice(64, size=n, p=weight / weight.sum())])
        spins = np.array(drawn)
        if ising.rows is None:
            spins = spins[0]
        return spins, {"source": "enumeration"}


def energy(**changes) -> qgen.Ising:
    rng = np.random.default_rng(3)
    edges = [[i, j] for i in range(6) for j in range(i + 1, 6)]
    arguments = {"h": rng.normal(0, 0.1, 6), "J": rng.normal(0, 0.1, 15), "graph": edges}
    return qgen.Ising(**{**arguments, **changes})


def device(beta: float) -> Enumerated:
    sampler = Enumerated()
    sampler.beta = beta
    return sampler


CASES = {
    "plain": energy(),
    "rows of h": energy(h=np.random.default_rng(4).normal(0, 0.1, (3, 6))),
    "fixed": energy(fixed=[1, 0, 0, 0, -1, 0]),
    "rows of fixed": energy(fixed=[[1, 0, 0, 0, 0, 0], [0, -1, 0, 0, 0, 1]]),
}


@pytest.mark.parametrize("start", [1.5, 3.0, 10.0, 30.0])
@pytest.mark.parametrize("case", CASES)
def test_both_estimates_find_beta(case: str, start: float) -> None:
    ising = CASES[case]
    rng = np.random.default_rng(5)
    spins, _ = device(4.7).sample(ising, 4000, rng=rng)
    by_energy = beta_by_energy(ising, spins, Enumerated(), start=start, rng=rng, draws=6000)
    by_spins = beta_by_pseudo_likelihood(ising, spins)
    for estimate in (by_energy, by_spins):
        assert abs(estimate.value - 4.7) < 4 * estimate.error
        assert estimate.error < 0.25
    assert not disagree(by_energy, by_spins)


def test_one_sample_for_each_condition() -> None:
    ising = energy(h=np.random.default_rng(4).normal(0, 0.2, (1200, 6)))
    rng = np.random.default_rng(5)
    spins, _ = device(4.7).sample(ising, 1, rng=rng)
    by_energy = beta_by_energy(ising, spins, Enumerated(), start=10.0, rng=rng, draws=2400)
    for estimate in (by_energy, beta_by_pseudo_likelihood(ising, spins)):
        assert abs(estimate.value - 4.7) < 4 * estimate.error < 2.0


def test_errors_are_those_of_repetitions() -> None:
    ising = energy()
    rng = np.random.default_rng(6)
    pulls = []
    for _ in range(60):
        spins, _ = device(4.7).sample(ising, 300, rng=rng)
        by_energy = beta_by_energy(ising, spins, Enumerated(), start=4.0, rng=rng, draws=600)
        by_spins = beta_by_pseudo_likelihood(ising, spins)
        pulls.append([(e.value - 4.7) / e.error for e in (by_energy, by_spins)])
    assert np.all(np.abs(np.mean(pulls, axis=0)) < 0.5)
    assert np.all(np.abs(np.std(pulls, axis=0) - 1) < 0.3)


def test_the_scale_of_the_energy_is_that_of_one_over_beta() -> None:
    ising = energy()
    spins, _ = device(2.0).sample(ising, 500, rng=np.random.default_rng(1))
    first = beta_by_pseudo_likelihood(ising, spins)
    second = beta_by_pseudo_likelihood(ising.scaled(10.0), spins)
    assert second.value == pytest.approx(first.value / 10, rel=1e-9)
    assert second.error == pytest.approx(first.error / 10, rel=1e-9)


def test_a_mixture_of_valleys_disagrees() -> None:
    """Half of the samples in a valley that should be rare: every one of its spins looks cold."""
    edges = [[i, i + 1] for i in range(5)]
    ising = qgen.Ising(h=np.full(6, -0.15), J=np.full(5, -0.5), graph=edges)
    rng = np.random.default_rng(2)
    spins, _ = device(3.0).sample(ising, 3000, rng=rng)
    turned = spins.copy()
    turned[::2] *= -1
    honest = beta_by_energy(ising, spins, Enumerated(), start=3.0, rng=rng, draws=3000)
    mixed = beta_by_energy(ising, turned, Enumerated(), start=3.0, rng=rng, draws=3000)
    assert not disagree(honest, beta_by_pseudo_likelihood(ising, spins))
    assert disagree(mixed, beta_by_pseudo_likelihood(ising, turned))


def test_local_minima_have_an_infinite_beta() -> None:
    pair = qgen.Ising(h=[0.0, 0.0], J=[-1.0], graph=[[0, 1]])
    assert beta_by_pseudo_likelihood(pair, [[1, 1], [-1, -1]]).value == np.inf
    assert beta_by_pseudo_likelihood(pair, [[1, -1], [-1, 1]]).value == -np.inf
    assert disagree(BetaEstimate(2.0, 0.1), BetaEstimate(np.inf, 0.0))


def test_energies_without_information_are_refused() -> None:
    nothing = qgen.Ising(h=np.zeros(6), J=[], graph=np.empty((0, 2)))
    rng = np.random.default_rng(1)
    with pytest.raises(DataError, match="no flip"):
        beta_by_pseudo_likelihood(nothing, STATES)
    with pytest.raises(DataError, match="same energy"):
        beta_by_energy(nothing, STATES, Enumerated(), start=1.0, rng=rng)
    thermometer = Thermometer(Enumerated(), beta=2.0)
    assert thermometer.update(nothing, STATES, rng=rng) == {}
    assert thermometer.beta == 2.0


@pytest.mark.parametrize("start", [1.5, 30.0])
def test_a_thermometer_follows_and_is_kept(start: float) -> None:
    rng = np.random.default_rng(7)
    thermometer = Thermometer(Enumerated(), beta=start, draws=1000)
    for _ in range(12):
        programmed = energy().scaled(4.7 / thermometer.beta)
        spins, _ = device(4.7).sample(programmed, 1000, rng=rng)
        numbers = thermometer.update(programmed, spins, rng=rng)
    assert thermometer.beta == pytest.approx(4.7, rel=0.05)
    assert numbers["beta_alarm"] == 0
    assert abs(numbers["beta_energy"] - 4.7) < 4 * numbers["beta_energy_error"]
    again = Thermometer(Enumerated(), beta=1.0, draws=1000)
    again.load(thermometer.state())
    for one in (thermometer, again):
        one.update(programmed, spins, rng=np.random.default_rng(8))
    assert again.beta == thermometer.beta
    with pytest.raises(CheckpointError):
        again.load({})


def test_uncertain_estimates_move_little() -> None:
    rng = np.random.default_rng(9)
    thermometer = Thermometer(Enumerated(), beta=4.7, draws=100)
    for _ in range(5):
        spins, _ = device(4.7).sample(energy(), 2000, rng=rng)
        thermometer.update(energy(), spins, rng=rng)
    known = thermometer.beta
    weak = energy().scaled(1e-4)
    spins, _ = device(4.7).sample(weak, 100, rng=rng)
    thermometer.update(weak, spins, rng=rng)
    assert thermometer.beta == pytest.approx(known, rel=0.02)


@pytest.mark.parametrize("options", [{"beta": 0.0}, {"beta": 1.0, "draws": 1}])
def test_bad_options_are_refused(options) -> None:
    with pytest.raises(BadOption):
        Thermometer(Enumerated(), **options)
