"""What the two ansaetze of the paper can and cannot learn (docs/readings.md)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from qgen_core.ansatze.brick import brick
from qgen_core.ansatze.tree import tree
from qgen_core.circuits.circuit import Circuit
from qgen_core.encoders.binning import BinningEncoder
from qgen_core.events import Batch, Events, Space
from qgen_core.generators.qcbm import CircuitBornMachine
from qgen_core.losses.js import JensenShannon
from qgen_core.simulators.statevector.backend import StatevectorBackend

SPACE = Space("bits", 8, (4, 4))


@pytest.fixture(scope="module")
def target() -> np.ndarray:
    """A falling pT and a log-normal mass, correlated, on 16 x 16 bins."""
    rng = np.random.default_rng(1)
    a, b = rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 1]], 200_000).T
    x = np.stack([250 + 60 * np.exp(0.8 * a), 60 * np.exp(0.5 * b)], axis=1)
    encoder = BinningEncoder(bits=4, window=[(250.0, 600.0), (0.0, 200.0)]).fit(x)
    table = Events(encoder.encode(x[encoder.accepts(x)])).target(encoder.space)[1]
    return np.asarray(table)


def trained(shape: Callable[[int], Circuit], target: np.ndarray) -> tuple[float, np.ndarray]:
    """JS and p (16, 16) after 300 steps of Adam at 0.01."""
    model = CircuitBornMachine(
        ansatz=lambda wires, **_: shape(wires), backend=StatevectorBackend(), space=SPACE, seed=2
    )
    batch, loss, rng = Batch(target=target), JensenShannon(), np.random.default_rng(0)
    mean, square = np.zeros_like(model.theta), np.zeros_like(model.theta)
    for t in range(1, 301):
        output, back = model.forward("probabilities", batch, rng=rng)
        gradient = back(loss(output, batch)[1])["theta"]
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        model.theta -= 0.01 * (mean / (1 - 0.9**t)) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
    output, _ = model.forward("probabilities", batch, rng=rng)
    return loss(output, batch)[0], output.reshape(16, 16)


def product_of_marginals(p: np.ndarray) -> np.ndarray:
    return np.outer(p.sum(axis=1), p.sum(axis=0))


def test_ansatz_2_ends_at_the_product_of_the_marginals(target: np.ndarray) -> None:
    value, p = trained(partial(tree, layers=12), target)
    assert np.allclose(p, product_of_marginals(p), atol=1e-14)
    independent = product_of_marginals(target.reshape(16, 16)).reshape(1, -1)
    limit = JensenShannon()(independent, Batch(target=target))[0]
    # a product that minimises JS lies a little below the product of the target's marginals
    assert 0.97 * limit < value < 1.01 * limit


def test_ansatz_1_learns_the_correlation(target: np.ndarray) -> None:
    value, p = trained(partial(brick, layers=6), target)
    limit = JensenShannon()(
        product_of_marginals(target.reshape(16, 16)).reshape(1, -1), Batch(target=target)
    )[0]
    assert value < 0.5 * limit
    bins = np.arange(16.0)

    def correlation(q: np.ndarray) -> float:
        a, b = q.sum(axis=1), q.sum(axis=0)
        ma, mb = a @ bins, b @ bins
        return float(
            (bins - ma) @ q @ (bins - mb) / np.sqrt((a @ (bins - ma) ** 2) * (b @ (bins - mb) ** 2))
        )

    truth = correlation(target.reshape(16, 16))
    assert truth > 0.15 and 0.7 * truth < correlation(p) < 1.1 * truth
