"""Relaxations: differentiable functions of logits and noise that stand in for bits.

A bit z is 1 with the probability q = sigmoid(l). A relaxed bit is a function of l and of a uniform
rho that increases with rho from 0 to 1, the inverse of its cumulative distribution function. As the
temperature falls to 0 it becomes the bit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch.nn.functional import logsigmoid

Tensor = torch.Tensor
#: The names of the relaxations.
RelaxationName = Literal["gumbolt", "straight-through", "spike-exp", "mixture"]


class Relaxation(ABC):
    """Relaxed bits in [0, 1]; ``temperature`` is above 0."""

    @abstractmethod
    def draw(self, logits: Tensor, rho: Tensor, temperature: float) -> Tensor:
        """Relaxed bits of logits and uniform ``rho``, of the same shape."""

    @abstractmethod
    def cdf(self, z: Tensor, logits: Tensor, temperature: float) -> Tensor:
        """The probability that a relaxed bit is at most z, for z in [0, 1]."""


class Gumbolt(Relaxation):
    """``sigmoid((l + logit rho) / tau)``: a logistic variable, squashed.

    Source: Khoshaman and Amin, arXiv:1805.07349; Maddison et al., arXiv:1611.00712.

    >>> relaxed = Gumbolt().draw(torch.zeros(3), torch.tensor([0.25, 0.5, 0.75]), 0.5)
    >>> relaxed.round(decimals=2)
    tensor([0.1000, 0.5000, 0.9000])
    """

    def draw(self, logits: Tensor, rho: Tensor, temperature: float) -> Tensor:
        return torch.sigmoid((logits + torch.logit(rho)) / temperature)

    def cdf(self, z: Tensor, logits: Tensor, temperature: float) -> Tensor:
        return torch.sigmoid(temperature * torch.logit(z) - logits)


class StraightThrough(Relaxation):
    """The bit itself, with the derivatives of :class:`Gumbolt`.

    Source: Bengio, Leonard and Courville, arXiv:1308.3432; Jang, Gu and Poole, arXiv:1611.01144.

    >>> logits = torch.zeros(2, requires_grad=True)
    >>> bits = StraightThrough().draw(logits, torch.tensor([0.25, 0.75]), 0.5)
    >>> bits.sum().backward()
    >>> bits.tolist(), logits.grad.round(decimals=2).tolist()
    ([0.0, 1.0], [0.18000000715255737, 0.18000000715255737])
    """

    def draw(self, logits: Tensor, rho: Tensor, temperature: float) -> Tensor:
        relaxed = Gumbolt().draw(logits, rho, temperature)
        bits = (relaxed > 0.5).to(relaxed.dtype)
        return bits + (relaxed - relaxed.detach())

    def cdf(self, z: Tensor, logits: Tensor, temperature: float) -> Tensor:
        return torch.where(z < 1, torch.sigmoid(-logits), torch.ones_like(logits))


class SpikeExponential(Relaxation):
    """0 where the bit is 0, else exponential, ``B e^(B z) / (e^B - 1)``; B = 1 / tau.

    Source: Rolfe, arXiv:1609.02200, section 2.1.

    >>> SpikeExponential().draw(torch.zeros(2), torch.tensor([0.4, 0.9]), 0.1).round(decimals=2)
    tensor([0.0000, 0.9800])
    """

    def draw(self, logits: Tensor, rho: Tensor, temperature: float) -> Tensor:
        slope = 1 / temperature
        # The share of the exponential part that lies below z, 1 - (1 - rho) / q.
        share = 1 - (1 - rho) * torch.exp(-logsigmoid(logits))
        is_spike = share <= 0
        share = torch.where(is_spike, 0.5, share)  # keeps the derivative of the other branch finite
        decay = torch.exp(-torch.full_like(share, slope))
        z = 1 + torch.log(share + (1 - share) * decay) / slope
        return torch.where(is_spike, 0.0, z)

    def cdf(self, z: Tensor, logits: Tensor, temperature: float) -> Tensor:
        return torch.sigmoid(-logits) + torch.sigmoid(logits) * _below(z, 1 / temperature)


class MixtureOfExponentials(Relaxation):
    """Exponential from 0 upwards where the bit is 0, from 1 downwards where it is 1; B = 1 / tau.

    The densities are ``B e^(-B z) / (1 - e^-B)`` and its mirror image.

    Source: Vahdat et al., arXiv:1802.04920, section 3.

    >>> MixtureOfExponentials().draw(torch.zeros(3), torch.tensor([0.2, 0.5, 0.8]), 0.1).round(
    ...     decimals=2
    ... )
    tensor([0.0500, 0.5000, 0.9500])
    """

    def draw(self, logits: Tensor, rho: Tensor, temperature: float) -> Tensor:
        slope = 1 / temperature
        # u = e^(-B z) solves u^2 + b u + c = 0. The root is computed without a difference of two
        # large numbers: u = t for b < 0 and u = -c / t for b > 0, with t as below.
        decay = torch.exp(-torch.full_like(rho, slope))
        odds = torch.exp(logits)
        b = rho * (1 - decay) * (1 + odds) + decay * odds - 1
        root = torch.sqrt(b**2 + 4 * decay * odds + torch.finfo(b.dtype).tiny)
        log_t = torch.log((b.abs() + root) / 2)
        low = -log_t / slope
        high = 1 + (log_t - logits) / slope
        return torch.where(b < 0, low, high).clamp(0, 1)

    def cdf(self, z: Tensor, logits: Tensor, temperature: float) -> Tensor:
        slope = 1 / temperature
        of_zero = 1 - _below(1 - z, slope)
        return torch.sigmoid(-logits) * of_zero + torch.sigmoid(logits) * _below(z, slope)


def _below(z: Tensor, slope: float) -> Tensor:
    """``(e^(B z) - 1) / (e^B - 1)``, the share of the density B e^(B z) / (e^B - 1) below z."""
    scale = torch.exp(slope * (z - 1))
    floor = torch.exp(torch.full_like(z, -slope))
    return (scale - floor) / (1 - floor)


#: The relaxations by name.
RELAXATIONS: dict[RelaxationName, Relaxation] = {
    "gumbolt": Gumbolt(),
    "straight-through": StraightThrough(),
    "spike-exp": SpikeExponential(),
    "mixture": MixtureOfExponentials(),
}
