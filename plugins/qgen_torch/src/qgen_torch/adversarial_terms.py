"""The loss terms of critics and generators, each a function of tensors.

``weights`` (N,) are weights of events that sum to 1; None stands for 1 / N each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F

Tensor = torch.Tensor
Variant = Literal["bce", "wgan", "wgan-gp", "hinge"]
SigmaMode = Literal["batch", "bin"]

#: A variance below this is clamped to it, since the square root has no derivative at 0.
MIN_VARIANCE = 1e-12


def mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """The weighted mean over events.

    >>> mean(torch.tensor([1.0, 2.0]), torch.tensor([0.25, 0.75]))
    tensor(1.7500)
    """
    if weights is None:
        return values.mean(dim=0)
    weighted: Tensor = torch.tensordot(weights, values, dims=1)
    return weighted


def generator_loss(variant: Variant, fake: Tensor, weights: Tensor | None) -> Tensor:
    """The loss of the generator from the critic's scores (N,) of samples.

    ``bce``: the non-saturating ``-log sigmoid D(G)``; the other variants: ``-D(G)``.

    >>> generator_loss("hinge", torch.tensor([1.0, 3.0]), None)
    tensor(-2.)
    """
    if variant == "bce":
        return mean(-F.logsigmoid(fake), weights)
    return mean(-fake, weights)


def critic_loss(
    variant: Variant,
    real: Tensor,
    fake: Tensor,
    weights: Tensor | None,
    fake_weights: Tensor | None,
    smoothing: float = 0.0,
) -> Tensor:
    """The loss of the critic from its scores of events and of samples.

    ``bce``: ``-log sigmoid D(x) - log sigmoid(-D(G))`` with events labelled ``1 - smoothing``;
    ``hinge``: ``max(0, 1 - D(x)) + max(0, 1 + D(G))``; ``wgan`` and ``wgan-gp``: ``D(G) - D(x)``.

    >>> critic_loss("hinge", torch.tensor([0.5]), torch.tensor([-2.0]), None, None)
    tensor(0.5000)
    """
    if variant == "bce":
        of_real = -(1 - smoothing) * F.logsigmoid(real)
        if smoothing:
            of_real = of_real - smoothing * F.logsigmoid(-real)
        of_fake = -F.logsigmoid(-fake)
    elif variant == "hinge":
        of_real = F.relu(1 - real)
        of_fake = F.relu(1 + fake)
    else:
        of_real = -real
        of_fake = fake
    return mean(of_real, weights) + mean(of_fake, fake_weights)


def gradient_penalty(
    score: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    mix: Tensor,
    weights: Tensor | None,
) -> Tensor:
    """``E (|grad D(x')| - 1)^2`` at ``x' = a x + (1 - a) G``, where ``mix`` (N, 1) holds a.

    Source: Gulrajani et al., arXiv:1704.00028, algorithm 1.

    >>> events = torch.ones(2, 1)
    >>> gradient_penalty(lambda x: 3 * x[:, 0], events, -events, torch.full((2, 1), 0.5), None)
    tensor(4.)
    """
    between = torch.lerp(fake, real, mix).requires_grad_()
    (gradient,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
    return mean((torch.linalg.vector_norm(gradient, dim=1) - 1) ** 2, weights)


def energy_error(guess: Tensor, label: Tensor, weights: Tensor | None, mode: SigmaMode) -> Tensor:
    """``MSE(e, e^) + MSE(sigma_e, sigma_e^)`` of labels e and guesses e^ (N, K), mean over columns.

    ``batch``: sigma is the standard deviation over the minibatch. ``bin``: sigma is taken among
    events of equal labels, where sigma_e is 0, so the term is the guesses' variance, averaged over
    these bins.

    >>> label = torch.tensor([[0.0], [2.0]])
    >>> energy_error(label + 1, label, None, "batch")
    tensor(1.)
    """
    error = mean((guess - label) ** 2, weights).mean()
    if mode == "batch":
        difference = _standard_deviation(label, weights) - _standard_deviation(guess, weights)
        return error + (difference**2).mean()
    bins, which = torch.unique(label, dim=0, return_inverse=True)
    if weights is None:
        weights = torch.ones_like(guess[:, 0])
    total = guess.new_zeros(len(bins)).index_add(0, which, weights)
    weight = (weights / total[which])[:, None]
    centre = torch.zeros_like(bins).index_add(0, which, weight * guess)
    variance = torch.zeros_like(bins).index_add(0, which, weight * (guess - centre[which]) ** 2)
    return error + variance.mean()


def _standard_deviation(values: Tensor, weights: Tensor | None) -> Tensor:
    """The standard deviation of each column over the minibatch."""
    variance = mean((values - mean(values, weights)) ** 2, weights)
    return variance.clamp_min(MIN_VARIANCE).sqrt()
