"""The conformance kit for each sampler that draws from exp(-beta E)."""

from __future__ import annotations

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import Unsupported
from qgen_core.testing import SamplerKit
from qgen_dwave.annealing import AnnealingSampler
from qgen_dwave.path_integral import PathIntegralSampler
from qgen_dwave.tree import TreeSampler


class TestAnnealing(SamplerKit):
    draws = 5_000

    def make(self):
        return AnnealingSampler(sweeps=100)


class TestPathIntegral(SamplerKit):
    draws = 5_000

    def make(self):
        return PathIntegralSampler(sweeps=60)


class TestTree(SamplerKit):
    def make(self):
        return TreeSampler(beta=0.7)


def test_optimisers_refuse_to_sample_and_say_what_they_are() -> None:
    kit = TestTree()
    for name in ("dwave-tabu", "dwave-descent"):
        with pytest.raises(Unsupported, match="is an optimiser"):
            kit._sample(qgen.sampler(name), kit.ising(), 10)


def test_optimisers_find_the_ground_state() -> None:
    kit = TestTree()
    ising = kit.ising()
    states = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T
    ground = ising.energy(states).min()
    for name in ("dwave-tabu", "dwave-descent"):
        found, info = qgen.sampler(name, minima=True).sample(ising, 4, rng=np.random.default_rng(1))
        assert ising.energy(found).min() == pytest.approx(ground)
        assert "an optimiser: no samples" in info["source"]
        again, _ = qgen.sampler(name, minima=True).sample(ising, 4, rng=np.random.default_rng(1))
        assert np.array_equal(found, again)


@pytest.mark.parametrize("options", [{"beta": 1.5}, {"ramp_from": 0.01}])
def test_annealing_at_other_temperatures(options: dict[str, float]) -> None:
    kit = TestTree()
    kit.draws = 5_000
    kit.make = lambda: AnnealingSampler(sweeps=200, **options)
    kit.test_boltzmann()


def test_one_sweep_does_not_sample() -> None:
    kit = TestTree()
    kit.draws = 5_000
    kit.make = lambda: AnnealingSampler(beta=1.5, sweeps=1)
    with pytest.raises(AssertionError, match="do not follow"):
        kit.test_boltzmann()


def test_chains_start_at_the_initial_spins() -> None:
    """A strongly coupled pair keeps the common sign that it starts with."""
    pair = qgen.Ising(h=[0.0, 0.0], J=[-20.0], graph=[[0, 1]])
    initial = np.repeat(np.array([[1], [-1]], dtype=np.int8), [30, 10], axis=0)
    initial = np.hstack([initial, initial])
    spins, _ = AnnealingSampler(sweeps=5).sample(
        pair, 40, rng=np.random.default_rng(1), initial=initial
    )
    assert np.array_equal(spins, initial)


def test_tree_gives_log_z() -> None:
    kit = TestTree()
    ising = kit.ising()
    states = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T
    exact = np.log(np.sum(np.exp(-0.7 * ising.energy(states))))
    _, info = TreeSampler(beta=0.7).sample(ising, 1, rng=np.random.default_rng(1))
    assert info["log_z"] == pytest.approx(exact, abs=1e-10)


def test_tree_refuses_with_the_width() -> None:
    graph = qgen.Graph.complete_bipartite(8, 9)
    ising = qgen.Ising(h=np.zeros(17), J=np.ones(72), graph=graph)
    with pytest.raises(Unsupported, match=r"up to most_width = 7.*has the tree width 8"):
        TreeSampler(most_width=7).sample(ising, 1, rng=np.random.default_rng(1))
    TreeSampler(most_width=8).sample(ising, 1, rng=np.random.default_rng(1))
