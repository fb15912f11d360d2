"""The generator ``mlp-generator``: a multilayer perceptron of noise and conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from qgen_core import Space
from qgen_core.errors import BadOption
from qgen_core.typing import Rng
from qgen_torch.conditions import condition_width
from qgen_torch.model import TorchModel
from qgen_torch.networks.mlp import Activation, Final, Init, Norm, mlp
from qgen_torch.networks.module_arrays import TORCH, Precision, seeded, torch_seed


class MlpGenerator(TorchModel):
    """``x = network(z, condition)`` with normal noise z: the generator of a GAN.

    Output: ``samples`` (N, width), differentiated by torch's autograd. Parameters are views of the
    network's memory. The noise is drawn from the ``rng`` that is passed in.

    Args:
        latent: dimension of the noise z.
        latent_mean: mean of z.
        latent_std: standard deviation of z.
        widths: of the hidden layers.
        activation: of the hidden layers; ``leaky-relu`` has slope 0.2, ``silu`` is swish.
        norm: ``batch`` or ``layer`` normalisation before each activation. With ``batch``, training
            uses the mean and variance of each batch, and sampling running averages over the
            batches of all steps.
        final: activation of the output layer, e.g. ``tanh`` for events in [-1, 1].
        init: initial weights: torch's default, or ``glorot`` and ``he`` uniform with zero biases.
        precision: ``single`` for float32, ``double`` for float64.
        device: of the network, e.g. ``cuda``.

    Raises BadOption for spaces of bits or spins, and for options out of range.

    Source: Goodfellow et al., arXiv:1406.2661; with conditions Mirza and Osindero,
    arXiv:1411.1784. Widths, noise and activation are our choices (docs/readings.md).

    >>> import numpy as np
    >>> model = MlpGenerator(space=Space("reals", 2), latent=3, widths=(8,), seed=1)
    >>> model.sample(5, rng=np.random.default_rng(0)).shape
    (5, 2)
    """

    outputs = frozenset({"samples"})
    usual: ClassVar[Mapping[str, Any]] = {
        "encoder": "standard",
        "condition_encoder": "standard",
        "loss": {"name": "adversarial", "critic": {"name": "mlp", "widths": [64, 64]}},
        "trainer": {"name": "torch", "learning_rate": 0.001, "steps": 1000, "batch_size": 256},
    }
    draws_torch_numbers = False

    def __init__(
        self,
        *,
        space: Space,
        condition: Space | None = None,
        latent: int = 16,
        latent_mean: float = 0.0,
        latent_std: float = 1.0,
        widths: tuple[int, ...] = (128, 128, 128),
        activation: Activation = "leaky-relu",
        norm: Norm = "none",
        final: Final = "none",
        init: Init = "torch",
        precision: Precision = "single",
        device: str = "cpu",
        seed: int | None = None,
    ) -> None:
        if latent < 1 or not latent_std > 0:
            raise BadOption(
                f"latent must be at least 1 and latent_std above 0, not {latent} and {latent_std:g}"
            )
        with seeded(torch_seed(seed, "init")):
            network = mlp(
                latent + condition_width(condition),
                space.width,
                widths=widths,
                activation=activation,
                norm=norm,
                final=final,
                init=init,
            )
        super().__init__(
            network.to(TORCH[precision]), space=space, condition=condition, device=device
        )
        self.latent = latent
        self.latent_mean = latent_mean
        self.latent_std = latent_std

    def samples(self, n: int, condition: torch.Tensor | None, rng: Rng) -> torch.Tensor:
        inputs = self.noise(n, self.latent, rng)
        if self.latent_std != 1:
            inputs *= self.latent_std
        if self.latent_mean:
            inputs += self.latent_mean
        if condition is not None:
            inputs = torch.cat([inputs, condition], dim=1)
        events: torch.Tensor = self.module(inputs)
        return events
