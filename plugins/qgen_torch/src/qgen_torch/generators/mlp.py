"""The generator ``mlp-generator``: a multilayer perceptron of noise and conditions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from qgen_core import Batch, Generator, Space
from qgen_core.errors import BadOption
from qgen_core.typing import Array, Pullback, Rng
from qgen_torch.generators.conditions import (
    check_condition,
    condition_rows,
    condition_width,
)
from qgen_torch.networks.mlp import Activation, Final, Init, Norm, mlp
from qgen_torch.networks.module_arrays import (
    NUMPY,
    TORCH,
    Precision,
    as_tensor,
    copied_state,
    live_parameters,
    load_state,
    seeded,
    torch_seed,
)

#: Events per call of the network while sampling, so that their activations stay in the cache.
ROWS = 2048


class MlpGenerator(Generator):
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
            uses the mean and variance of each batch, and sampling their running averages.
        final: activation of the output layer, e.g. ``tanh`` for events in [-1, 1].
        init: initial weights: torch's default, or ``glorot`` and ``he`` uniform with zero biases.
        precision: ``single`` for float32, ``double`` for float64.

    Raises BadOption for spaces of bits or spins, and for options out of range.

    Source: Goodfellow et al., arXiv:1406.2661; with conditions Mirza and Osindero,
    arXiv:1411.1784. Widths, noise and activation are our choices (docs/readings.md).

    >>> model = MlpGenerator(space=Space("reals", 2), latent=3, widths=(8,), seed=1)
    >>> model.sample(5, rng=np.random.default_rng(0)).shape
    (5, 2)
    """

    outputs = frozenset({"samples"})

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
        seed: int | None = None,
    ) -> None:
        if space.kind in ("bits", "spins"):
            raise BadOption(
                f"mlp-generator makes real numbers, not {space}; use an encoder such as 'standard'"
            )
        if latent < 1 or not latent_std > 0:
            raise BadOption(
                f"latent must be at least 1 and latent_std above 0, not {latent} and {latent_std:g}"
            )
        self.space = space
        self.condition = condition
        self.latent = latent
        self.latent_mean = latent_mean
        self.latent_std = latent_std
        self._dtype = NUMPY[precision]
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
        self.module = network.to(TORCH[precision])
        self._named_parameters = dict(self.module.named_parameters())

    def parameters(self) -> dict[str, Array]:
        return live_parameters(self.module)

    def state(self) -> dict[str, Array]:
        return copied_state(self.module)

    def load(self, state: Mapping[str, Array]) -> None:
        load_state("mlp-generator", self.module, state)

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        if n < 0:
            raise BadOption(f"n is a number of events, not {n}")
        check_condition("mlp-generator", self.condition, condition, n)
        out = np.empty((n, self.space.width), dtype=self._dtype)
        self.module.eval()
        try:
            with torch.inference_mode():
                for start in range(0, n, ROWS):
                    stop = min(start + ROWS, n)
                    rows = condition_rows(condition, start, stop)
                    out[start:stop] = self.module(self._inputs(stop - start, rows, rng)).numpy()
        finally:
            self.module.train()
        return out

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        if output != "samples" or batch.x is None:
            return super().forward(output, batch, rng=rng)
        check_condition("mlp-generator", self.condition, batch.condition, len(batch.x))
        samples: torch.Tensor = self.module(self._inputs(len(batch.x), batch.condition, rng))

        def pullback(cotangent: Array) -> dict[str, Array]:
            gradients = torch.autograd.grad(
                samples,
                list(self._named_parameters.values()),
                as_tensor(cotangent, self._dtype),
                retain_graph=True,
            )
            named = zip(self._named_parameters, gradients, strict=True)
            return {name: gradient.numpy() for name, gradient in named}

        return samples.detach().numpy(), pullback

    def _inputs(self, n: int, condition: Array | None, rng: Rng) -> torch.Tensor:
        """Noise followed by conditions, (n, latent + K)."""
        z = rng.standard_normal((n, self.latent), dtype=self._dtype)
        if self.latent_std != 1:
            z *= self._dtype(self.latent_std)
        if self.latent_mean:
            z += self._dtype(self.latent_mean)
        if condition is not None:
            z = np.concatenate([z, np.asarray(condition, dtype=self._dtype)], axis=1)
        return torch.from_numpy(z)
