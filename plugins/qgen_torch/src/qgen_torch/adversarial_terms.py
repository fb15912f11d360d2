"""What a critic and a generator minimise: the terms of adversarial losses, each a function of tensors.

``share`` (N,) are weights of events that sum to 1; None stands for 1 / N each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F

Tensor = torch.Tensor
Variant = Literal["bce", "wgan", "wgan-gp", "hinge"]
SigmaMode = Literal["batch", "bin"]

#: A spread below this counts as none: its root has no slope.
LEAST_VARIANCE = 1e-12


def mean(values: Tensor, share: Tensor | None) -> Tensor:
    """The weighted mean over events."""
    return values.mean(dim=0) if share is None else torch.tensordot(share, values, dims=1)


def of_generator(variant: Variant, fake: Tensor, share: Tensor | None) -> Tensor:
    """The loss of the generator from the critic's scores (N,) of samples.

    ``bce``: the non-saturating ``-log sigmoid D(G)``; the others ``-D(G)``.
    """
    return mean(-F.logsigmoid(fake) if variant == "bce" else -fake, share)


def of_critic(
    variant: Variant,
    real: Tensor,
    fake: Tensor,
    share: Tensor | None,
    share_of_fake: Tensor | None,
    smoothing: float = 0.0,
) -> Tensor:
    """The loss of the critic from its scores of events and of samples.

    ``bce``: ``-log sigmoid D(x) - log sigmoid(-D(G))``, events labelled ``1 - smoothing``;
    ``hinge``: ``max(0, 1 - D(x)) + max(0, 1 + D(G))``; ``wgan`` and ``wgan-gp``: ``D(G) - D(x)``.
    """
    if variant == "bce":
        of_real = -(1 - smoothing) * F.logsigmoid(real)
        if smoothing:
            of_real = of_real - smoothing * F.logsigmoid(-real)
        of_fake = -F.logsigmoid(-fake)
    elif variant == "hinge":
        of_real, of_fake = F.relu(1 - real), F.relu(1 + fake)
    else:
        of_real, of_fake = -real, fake
    return mean(of_real, share) + mean(of_fake, share_of_fake)


def gradient_penalty(
    score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor, share: Tensor | None
) -> Tensor:
    """``E (|grad D(x')| - 1)^2`` at ``x' = a x + (1 - a) G``, ``mix`` (N, 1) holds a.

    Source: Gulrajani et al., arXiv:1704.00028, algorithm 1.
    """
    between = torch.lerp(fake, real, mix).requires_grad_()
    (slope,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
    return mean((torch.linalg.vector_norm(slope, dim=1) - 1) ** 2, share)


def energy_error(guess: Tensor, label: Tensor, share: Tensor | None, mode: SigmaMode) -> Tensor:
    """``MSE(e, e^) + MSE(sigma_e, sigma_e^)`` of labels and guesses (N, K), mean over their K columns.

    ``batch``: sigma is the standard deviation over the minibatch. ``bin``: that among events of equal
    labels, where sigma_e is 0, so that the term is the mean over bins of the guesses' variance.
    """
    error = mean((guess - label) ** 2, share).mean()
    if mode == "batch":
        return error + ((_spread(label, share) - _spread(guess, share)) ** 2).mean()
    bins, which = torch.unique(label, dim=0, return_inverse=True)
    weight = torch.ones_like(guess[:, 0]) if share is None else share
    total = guess.new_zeros(len(bins)).index_add(0, which, weight)
    weight = (weight / total[which])[:, None]
    centre = torch.zeros_like(bins).index_add(0, which, weight * guess)
    variance = torch.zeros_like(bins).index_add(0, which, weight * (guess - centre[which]) ** 2)
    return error + variance.mean()


def _spread(values: Tensor, share: Tensor | None) -> Tensor:
    """The standard deviation of each column over the minibatch."""
    variance = mean((values - mean(values, share)) ** 2, share)
    return variance.clamp_min(LEAST_VARIANCE).sqrt()
