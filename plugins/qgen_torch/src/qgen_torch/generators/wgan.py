"""The generator ``wgan``: the network of FastCaloGAN."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from qgen_core import Space
from qgen_core.errors import BadOption
from qgen_torch.conditions import condition_width
from qgen_torch.convert import TorchGenerator
from qgen_torch.networks.module_arrays import TORCH, Precision, seeded, torch_seed

Tensor = torch.Tensor
#: Mean and standard deviation of the noise.
NOISE = 0.5
#: Batch normalisation as in Keras: the weight of a batch in the running averages, and what is added
#: to the variance.
MOMENTUM = 0.01
EPSILON = 1e-3


class FastCaloGan(nn.Module):
    """Linear maps, each followed by batch normalisation and swish, the last one too.

    >>> network = FastCaloGan([4, 8, 3])
    >>> network(torch.zeros(5, 3), torch.zeros(5, 1)).shape
    torch.Size([5, 3])
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            linear = nn.Linear(inputs, outputs)
            nn.init.xavier_normal_(linear.weight)
            nn.init.zeros_(linear.bias)
            norm = nn.BatchNorm1d(outputs, eps=EPSILON, momentum=MOMENTUM)
            layers += [linear, norm, nn.SiLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Events (N, width) of standard normal noise (N, latent) and conditions (N, K)."""
        inputs = NOISE + NOISE * z
        if condition is not None:
            inputs = torch.cat([inputs, condition], dim=1)
        events: Tensor = self.layers(inputs)
        return events


class Wgan(TorchGenerator):
    """The generator network of FastCaloGAN, to be trained by the loss ``adversarial``.

    Noise of mean and width 1/2 and the condition go through linear maps, each followed by batch
    normalisation and swish, so columns are above -0.28: cells as shares of the incident energy, or
    columns encoded to [0, 1]. The condition is the logarithm of the energy, encoded to [0, 1].

    The other settings of the source are those of the loss (``variant = "wgan-gp"``, a critic
    ``mlp`` with ``activation = "relu"`` and ``init = "he"``, and
    ``optimizer_options = { betas = [0.5, 0.999] }`` with a learning rate of 1e-4) and of the
    trainer (the same optimiser, batches of 1024). For photons the critic has three layers as wide
    as the event has cells, ``penalty = 3`` and ``updates = 8``; for pions widths 800, 400, 200,
    ``penalty = 10`` and ``updates = 5``. The best of the checkpoints is kept with ``select`` and
    the metric ``shower-selection``.

    Args:
        space: of the events, reals or angles.
        condition: of the conditions.
        latent: dimension of the noise.
        widths: of the hidden layers.
        precision: ``single`` for float32, ``double`` for float64.
        device: of the network, e.g. ``cuda``.

    Raises BadOption for sizes below 1.

    Source: FastCaloGAN, ATL-SOFT-PUB-2020-006; the sizes are those of its published training
    programs for photons and pions, the batch normalisation that of Keras.

    >>> import numpy as np
    >>> model = Wgan(space=Space("reals", 6), condition=Space("reals", 1), widths=(8,), seed=1)
    >>> model.sample(5, np.zeros((5, 1)), rng=np.random.default_rng(0)).shape
    (5, 6)
    """

    draws_torch_numbers = False
    suggested_encoder = "min-max"

    def __init__(
        self,
        *,
        space: Space,
        condition: Space | None = None,
        latent: int = 50,
        widths: tuple[int, ...] = (50, 100, 200),
        precision: Precision = "single",
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        if min(latent, *widths) < 1:
            raise BadOption(
                f"wgan needs a latent and widths of at least 1, not {latent} and {list(widths)}"
            )
        sizes = [latent + condition_width(condition), *widths, space.width]
        with seeded(torch_seed(seed, "init")):
            network = FastCaloGan(sizes)
        super().__init__(
            network.to(TORCH[precision]),
            space=space,
            condition=condition,
            latent=latent,
            device=device,
        )
