"""Heads of autoencoders: densities and losses as they are defined, and draws that follow them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import kstest, truncnorm

from qgen_core.errors import DataError
from qgen_torch.vae.heads import (
    LEAST_MODE,
    LEAST_WIDTH,
    NEGATIVE_SLOPE,
    Head,
    HeadName,
    TruncatedHitsHead,
    head_of,
)
from qgen_torch.vae.noise import logistic

SHARPNESS = 3.0
X = np.array([[0.4, 0.0, -1.3], [0.0, 2.0, 0.0], [0.0, 0.0, 0.7]])
FEATURES = torch.tensor([[0.3, -1.0], [1.2, 0.4], [-0.7, 0.9]], dtype=torch.float64)


def head(name: HeadName) -> Head:
    """A head of linear maps, with widths that are not 1 where they are learned."""
    torch.manual_seed(4)
    made = head_of(name, 2, 3, widths=(), activation="relu", sharpness=SHARPNESS).double()
    with torch.no_grad():
        for key, values in made.named_parameters():
            if key == "log_width":
                values.copy_(torch.tensor([-0.5, 0.3, 0.9], dtype=torch.float64))
    return made


def numbers(values: torch.Tensor) -> np.ndarray:
    return values.detach().numpy()


def log_normal(x: np.ndarray, mean: np.ndarray, width: np.ndarray) -> np.ndarray:
    return -((x - mean) ** 2) / (2 * width**2) - np.log(width * np.sqrt(2 * np.pi))


def parts(name: HeadName) -> tuple[Head, np.ndarray, np.ndarray, np.ndarray]:
    """A head, the logits of hits, the means and the widths."""
    made = head(name)
    width = np.ones(3)
    if name != "hits":
        width = np.exp([-0.5, 0.3, 0.9])
    if name == "gaussian":
        return made, np.full((3, 3), np.inf), numbers(made.mean(FEATURES)), width
    energies = numbers(made.energies(FEATURES))
    means = np.where(energies < 0, NEGATIVE_SLOPE * energies, energies)
    return made, numbers(made.hit_logits(FEATURES)), means, width


@pytest.mark.parametrize("name", ["gaussian", "hits", "hits-gaussian"])
def test_densities_are_those_of_hits_and_normal_energies(name: HeadName) -> None:
    made, logits, means, width = parts(name)
    expected = log_normal(X, means, width)
    if name != "gaussian":
        of_hit = -np.log1p(np.exp(-logits)) + expected
        expected = np.where(X != 0, of_hit, -np.log1p(np.exp(logits)))
    x = torch.from_numpy(X)
    found = made.log_prob(FEATURES, x)
    np.testing.assert_allclose(numbers(found), expected.sum(axis=1), rtol=1e-12)
    if name != "hits":
        loss = made.loss(FEATURES, x, np.random.default_rng(1))
        np.testing.assert_array_equal(numbers(loss), -numbers(found))


def test_the_loss_of_hits_is_squares_with_relaxed_hits_and_cross_entropy() -> None:
    made, logits, means, _ = parts("hits")
    noise = numbers(logistic(torch.from_numpy(logits), np.random.default_rng(1)))
    relaxed = 1 / (1 + np.exp(-SHARPNESS * (logits + noise)))
    hits = X != 0
    entropy = np.where(hits, np.log1p(np.exp(-logits)), np.log1p(np.exp(logits)))
    expected = ((X - means * relaxed) ** 2 + entropy).sum(axis=1)
    x = torch.from_numpy(X)
    loss = made.loss(FEATURES, x, np.random.default_rng(1))
    np.testing.assert_allclose(numbers(loss), expected, rtol=1e-12)
    # the logits are trained by both terms
    (slope,) = torch.autograd.grad(loss.sum(), made.hit_logits[-1].bias)
    by_squares = -2 * (X - means * relaxed) * means * SHARPNESS * relaxed * (1 - relaxed)
    by_entropy = 1 / (1 + np.exp(-logits)) - hits
    np.testing.assert_allclose(numbers(slope), (by_squares + by_entropy).sum(axis=0), rtol=1e-10)


@pytest.mark.parametrize("name", ["gaussian", "hits", "hits-gaussian"])
def test_draws_follow_the_density(name: HeadName) -> None:
    """Shares of hits, means and widths of energies, each to five standard errors."""
    made, logits, means, width = parts(name)
    n = 20_000
    features = FEATURES.repeat_interleave(n, dim=0)
    drawn = numbers(made.draw(features, np.random.default_rng(2))).reshape(3, n, 3)
    hit = drawn != 0
    expected = 1 / (1 + np.exp(-logits))
    error = np.sqrt(expected * (1 - expected) / n)
    assert np.all(np.abs(hit.mean(axis=1) - expected) <= 5 * error)
    hits = hit.sum(axis=1)
    mean = drawn.sum(axis=1) / hits
    if name == "hits":  # a hit has the energy itself
        np.testing.assert_allclose(mean, means, rtol=1e-9)
        return
    assert np.all(np.abs(mean - means) < 5 * width / np.sqrt(hits))
    squares = np.where(hit, (drawn - means[:, None]) ** 2, 0.0).sum(axis=1) / hits
    assert np.all(np.abs(squares / width**2 - 1) < 5 * np.sqrt(2 / hits))


@pytest.mark.parametrize("mode", [1.5, -0.02, -60.0])
def test_truncated_energies_are_drawn_from_their_density(mode: float) -> None:
    """The density is that of scipy's distribution, and draws follow it (Kolmogorov-Smirnov)."""
    head = TruncatedHitsHead(1, 1, widths=(), activation="relu").double()
    width = 0.05
    above_least = width - LEAST_WIDTH  # the softplus of the second number of a cell
    numbers_of_cell = torch.tensor([mode, math.log(math.expm1(above_least))])
    with torch.no_grad():
        head.hit_logits[-1].bias.fill_(0.3)
        head.hit_logits[-1].weight.zero_()
        head.energies[-1].bias.copy_(numbers_of_cell)
        head.energies[-1].weight.zero_()
        features = torch.zeros(20_000, 1, dtype=torch.float64)
        drawn = head.draw(features, np.random.default_rng(3)).numpy().ravel()
        grid = torch.linspace(0.001, 2.0, 50, dtype=torch.float64)[:, None]
        density = head.log_prob(features[:50], grid).numpy()
    farthest = max(mode, LEAST_MODE * width)
    expected = truncnorm(-farthest / width, np.inf, loc=farthest, scale=width)
    hit = 1 / (1 + math.exp(-0.3))
    log_density = math.log(hit) + expected.logpdf(grid.numpy().ravel())
    np.testing.assert_allclose(density, log_density, rtol=1e-5)  # the bias is in float32
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
    of_energies = torch.autograd.grad(head.loss(features, x, rng).sum(), head.energies[-1].bias)
    assert torch.all(of_energies[0] != 0)  # modes and widths are both trained
    x[2, 1] = -0.5
    with pytest.raises(DataError, match=r"at least 0, and one is -0\.5"):
        head.loss(features, x, rng)
