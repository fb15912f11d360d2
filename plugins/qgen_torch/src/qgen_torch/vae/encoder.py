"""The hierarchical encoder of discrete latents."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.functional import softplus

from qgen_torch.networks.mlp import Activation, mlp

Tensor = torch.Tensor
#: Logits are kept within +-LARGEST_LOGIT, where their exponentials are finite in float32.
LARGEST_LOGIT = 88.0


class HierarchicalEncoder(nn.Module):
    """``q(z | x) = prod_l q_l(z_l | z_<l, x)``: each level of bits is given those before it.

    The bits of a level are independent given the events and the levels before it. All levels have
    networks of the same ``widths``.

    Source: Rolfe, arXiv:1609.02200, section 3; logits are limited as in CaloQVAE.

    >>> encoder = HierarchicalEncoder(3, latents=4, levels=2, widths=(8,), activation="relu")
    >>> logits, bits = encoder(torch.zeros(5, 3), draw=lambda logits: (logits > 0).float())
    >>> logits.shape, bits.shape
    (torch.Size([5, 4]), torch.Size([5, 4]))
    """

    def __init__(
        self,
        inputs: int,
        *,
        latents: int,
        levels: int,
        widths: tuple[int, ...],
        activation: Activation,
    ) -> None:
        super().__init__()
        of_level = latents // levels
        networks = []
        for level in range(levels):
            before = level * of_level
            networks.append(mlp(inputs + before, of_level, widths=widths, activation=activation))
        self.levels = nn.ModuleList(networks)

    def forward(self, inputs: Tensor, draw: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """Logits and latents (N, latents) of inputs (N, I); ``draw`` makes latents of logits."""
        logits: list[Tensor] = []
        latents: list[Tensor] = []
        for level in self.levels:
            of_level = level(torch.cat([inputs, *latents], dim=1))
            of_level = of_level.clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
            logits.append(of_level)
            latents.append(draw(of_level))
        return torch.cat(logits, dim=1), torch.cat(latents, dim=1)


def log_posterior(bits: Tensor, logits: Tensor) -> Tensor:
    """``sum_i z_i l_i - log(1 + e^l_i)`` (N,): log q(z) of bits; of relaxed bits its extension.

    >>> log_posterior(torch.ones(1, 2), torch.zeros(1, 2)).exp()
    tensor([0.2500])
    """
    return (bits * logits - softplus(logits)).sum(dim=1)
