"""The sampler ``torch-gibbs``: the kit, exact marginals of larger machines, and its chains."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

import qgen_core as qgen
from qgen_core.errors import BadOption
from qgen_core.samplers.enumeration import Enumeration
from qgen_core.testing import SamplerKit
from qgen_torch.samplers.gibbs import TorchGibbsSampler


class TestOnAGraph(SamplerKit):
    def make(self) -> qgen.Sampler:
        return TorchGibbsSampler(sweeps=20)


class TestOnTwoSides(TestOnAGraph):
    def ising(self, **changes: object) -> qgen.Ising:
        rng = np.random.default_rng(91)
        arguments: dict[str, object] = {
            "h": rng.normal(0.0, 0.5, 6),
            "J": rng.normal(0.0, 0.6, 8),
            "graph": qgen.Graph.complete_bipartite(2, 4),
            "offset": 0.7,
        }
        return qgen.Ising(**{**arguments, **changes})  # type: ignore[arg-type]

    def make(self) -> qgen.Sampler:
        return TorchGibbsSampler(sweeps=20, beta=1.3, precision="double")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
class TestOnGpu(TestOnAGraph):
    def make(self) -> qgen.Sampler:
        return TorchGibbsSampler(sweeps=20, device="cuda")


def machines() -> list[qgen.Ising]:
    """A dense bipartite energy of many chains' pieces, and a frustrated one on a square lattice."""
    rng = np.random.default_rng(5)
    dense = qgen.Graph.complete_bipartite(40, 8)
    rows, columns = np.divmod(np.arange(16), 4)
    right = np.stack([np.arange(16), np.arange(16) + 1], axis=1)[columns < 3]
    down = np.stack([np.arange(16), np.arange(16) + 4], axis=1)[rows < 3]
    diagonal = np.stack([np.arange(16), np.arange(16) + 5], axis=1)[(rows < 3) & (columns < 3)]
    lattice = qgen.Graph(16, np.concatenate([right, down, diagonal]))
    return [
        qgen.Ising(rng.normal(0, 0.4, g.num_spins), rng.normal(0, 0.15, len(g.edges)), g)
        for g in (dense, lattice)
    ]


@pytest.mark.parametrize("number", [0, 1])
def test_marginals_and_products_are_the_exact_ones(number: int) -> None:
    """Chi-square of all means and of the products of coupled spins, over independent chains."""
    ising = machines()[number]
    draws = 20_000
    spins, _ = TorchGibbsSampler(sweeps=40).sample(ising, draws, rng=np.random.default_rng(3))
    means, products = Enumeration(ising).moments()
    s = spins.astype(np.float64)
    found = np.concatenate([s.mean(axis=0), (s[:, ising.edges].prod(axis=2)).mean(axis=0)])
    expected = np.concatenate([means, products])
    pulls = (found - expected) / np.sqrt((1 - expected**2) / draws)
    limit = stats.norm.isf(1e-4 / (2 * len(pulls)))
    assert np.abs(pulls).max() < limit


def test_chains_go_on_from_where_they_start() -> None:
    two_modes = qgen.Ising(np.zeros(40), np.full(400, -0.5), qgen.Graph.complete_bipartite(20, 20))
    sampler = TorchGibbsSampler(sweeps=3)
    for sign in (1, -1):
        start = np.full((50, 40), sign, dtype=np.int8)
        spins, _ = sampler.sample(two_modes, 50, rng=np.random.default_rng(1), initial=start)
        assert np.mean(spins) * sign > 0.95
        assert np.all(start == sign)


def test_results_do_not_depend_on_threads_but_on_the_seed() -> None:
    ising = machines()[0]
    before = torch.get_num_threads()
    drawn = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            spins, _ = TorchGibbsSampler().sample(ising, 4000, rng=np.random.default_rng(1))
            drawn.append(spins)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(drawn[0], drawn[1])
    other, _ = TorchGibbsSampler().sample(ising, 4000, rng=np.random.default_rng(2))
    assert np.mean(other != drawn[0]) > 0.2


def test_what_cannot_be_is_refused() -> None:
    for options in ({"sweeps": 0}, {"beta": 0.0}):
        with pytest.raises(BadOption, match="sweeps must be at least 1"):
            TorchGibbsSampler(**options)
    with pytest.raises(BadOption, match="cannot use the device 'no-such-device'"):
        TorchGibbsSampler(device="no-such-device")
