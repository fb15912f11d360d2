"""Heads of autoencoders: truncated normal energies against scipy's distribution."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest, truncnorm

from qgen_core.errors import DataError
from qgen_torch.vae.heads import TruncatedHitsHead


@pytest.mark.parametrize("bias", [1.5, -0.4, -60.0])
def test_truncated_energies_are_drawn_from_their_density(bias: float) -> None:
    """The density is that of scipy's distribution, and draws follow it (Kolmogorov-Smirnov)."""
    head = TruncatedHitsHead(1, 1, widths=(), activation="relu").double()
    with torch.no_grad():
        head.hit_logits[-1].bias.fill_(0.3)
        head.hit_logits[-1].weight.zero_()
        head.energies[-1].bias.fill_(bias)
        head.energies[-1].weight.zero_()
        head.log_width.fill_(math.log(0.05))
        features = torch.zeros(20_000, 1, dtype=torch.float64)
        drawn = head.draw(features, np.random.default_rng(3)).numpy().ravel()
        grid = torch.linspace(0.001, 2.0, 50, dtype=torch.float64)[:, None]
        density = head.log_prob(features[:50], grid).numpy()
    mode = max(bias, 0.02 * bias)  # of the leaky unit
    mode = max(mode, -20 * 0.05)  # the farthest below 0
    expected = truncnorm(-mode / 0.05, np.inf, loc=mode, scale=0.05)
    hit = 1 / (1 + math.exp(-0.3))
    np.testing.assert_allclose(density, math.log(hit) + expected.logpdf(grid.numpy().ravel()))
    hits = drawn[drawn != 0]
    assert np.all(hits > 0)
    assert abs(len(hits) / 20_000 - hit) < 5 * math.sqrt(hit * (1 - hit) / 20_000)
    assert kstest(hits, expected.cdf).pvalue > 1e-5


def test_truncated_energies_have_gradients_and_are_never_below_0() -> None:
    head = TruncatedHitsHead(2, 3, widths=(4,), activation="tanh").double()
    rng = np.random.default_rng(5)
    features = torch.tensor(rng.normal(size=(6, 2)), requires_grad=True)
    x = torch.tensor(rng.exponential(size=(6, 3)) * (rng.random((6, 3)) < 0.6))
    assert torch.autograd.gradcheck(lambda given: head.loss(given, x, rng), features)
    x[2, 1] = -0.5
    with pytest.raises(DataError, match=r"at least 0, and one is -0\.5"):
        head.loss(features, x, rng)
