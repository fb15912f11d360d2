"""Relaxed bits: distribution functions, densities, and the limit of temperature 0."""

from __future__ import annotations

import pytest
import torch

from qgen_torch.vae.relaxations import RELAXATIONS, RelaxationName

LOGITS = torch.tensor([-2.0, -0.3, 0.0, 0.7, 3.0], dtype=torch.float64)[:, None]
GRID = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
CONTINUOUS: tuple[RelaxationName, ...] = ("gumbolt", "spike-exp", "mixture")


def density(name: RelaxationName, z: torch.Tensor, tau: float) -> torch.Tensor:
    """The densities as they are published, at z above 0."""
    q = torch.sigmoid(LOGITS)
    slope = torch.tensor(1 / tau, dtype=torch.float64)
    if name == "gumbolt":  # the binary concrete distribution with location exp(l / tau)
        alpha = torch.exp(LOGITS)
        top = tau * alpha * z ** (-tau - 1) * (1 - z) ** (-tau - 1)
        return top / (alpha * z**-tau + (1 - z) ** -tau) ** 2
    of_one = slope * torch.exp(slope * z) / (torch.exp(slope) - 1)
    if name == "spike-exp":
        return q * of_one
    downwards = slope * torch.exp(-slope * z) / (1 - torch.exp(-slope))
    upwards = slope * torch.exp(-slope * (1 - z)) / (1 - torch.exp(-slope))
    return (1 - q) * downwards + q * upwards


@pytest.mark.parametrize("tau", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_the_cdf_is_that_of_the_density_and_of_the_draws(name: RelaxationName, tau: float) -> None:
    relaxation = RELAXATIONS[name]
    z = GRID.expand(5, -1).clone().requires_grad_()
    (slope,) = torch.autograd.grad(relaxation.cdf(z, LOGITS, tau).sum(), z)
    torch.testing.assert_close(slope, density(name, GRID, tau), rtol=1e-8, atol=1e-10)
    rho = GRID.expand(5, -1)
    drawn = relaxation.draw(LOGITS, rho, tau)
    assert bool((drawn.diff(dim=1) >= 0).all())
    at_spike = drawn == 0
    inside = (drawn > 1e-6) & (drawn < 1 - 1e-6)  # beyond, 1 - z is rounded
    assert bool(inside.any(dim=1).all())
    found = relaxation.cdf(drawn, LOGITS, tau)[inside]
    torch.testing.assert_close(found, rho[inside], rtol=0, atol=1e-9)
    if name == "spike-exp":
        torch.testing.assert_close(at_spike, rho <= torch.sigmoid(-LOGITS))


@pytest.mark.parametrize("tau", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_slopes_keep_the_distribution_function(name: RelaxationName, tau: float) -> None:
    """F(z, l) = rho for the drawn z, so dz/dl = -(dF/dl) / (dF/dz).

    Except where the two roots of ``mixture`` meet, at rho = 1/2 for l = 0: autograd gives |b| the
    slope 0 there, and a draw is there with probability 0.
    """
    relaxation = RELAXATIONS[name]
    logits = LOGITS.expand(-1, 999).clone().requires_grad_()
    drawn = relaxation.draw(logits, (GRID - 3e-4).expand(5, -1), tau)
    (slope,) = torch.autograd.grad(drawn.sum(), logits)
    z = drawn.detach().requires_grad_()
    by_z, by_logit = torch.autograd.grad(relaxation.cdf(z, logits, tau).sum(), (z, logits))
    inside = (z > 1e-4) & (z < 1 - 1e-4)
    torch.testing.assert_close(slope[inside], (-by_logit / by_z)[inside], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", RELAXATIONS)
def test_at_temperature_0_it_is_a_bernoulli_variable(
    name: RelaxationName, dtype: torch.dtype
) -> None:
    logits = LOGITS.to(dtype).expand(-1, 999).clone().requires_grad_()
    rho = GRID.to(dtype).expand(5, -1)
    q = torch.sigmoid(LOGITS)
    drawn = RELAXATIONS[name].draw(logits, rho, 1e-3)
    (slope,) = torch.autograd.grad(drawn.sum(), logits)
    assert bool(torch.isfinite(slope).all())
    near = (rho - (1 - q)).abs() < 0.02  # there the relaxed bit is still between 0 and 1
    bits = (rho > 1 - q).to(dtype)
    torch.testing.assert_close(drawn[~near], bits[~near], rtol=0, atol=0.01)


def test_straight_through_draws_bits_with_the_slopes_of_gumbolt() -> None:
    rho = GRID.expand(5, -1)
    found = []
    for name in ("straight-through", "gumbolt"):
        logits = LOGITS.expand(-1, 999).clone().requires_grad_()
        drawn = RELAXATIONS[name].draw(logits, rho, 0.3)
        (slope,) = torch.autograd.grad((drawn * rho).sum(), logits)
        found.append((drawn.detach(), slope))
    (bits, slope), (_, expected) = found
    torch.testing.assert_close(bits, (rho > torch.sigmoid(-LOGITS)).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(slope, expected)
    cdf = RELAXATIONS["straight-through"].cdf(torch.tensor(0.5), LOGITS, 0.3)
    torch.testing.assert_close(cdf, torch.sigmoid(-LOGITS))
