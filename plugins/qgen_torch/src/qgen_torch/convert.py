"""A torch module as a generator of qgen, and a generator as a torch module."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from qgen_core import Batch, Generator, Space
from qgen_core.errors import BadOption
from qgen_core.typing import Rng
from qgen_torch.backend_function import differentiable_once
from qgen_torch.model import TorchModel
from qgen_torch.networks.module_arrays import as_tensor

Tensor = torch.Tensor


class TorchGenerator(TorchModel):
    """A torch module as a generator: ``x = module(z)`` or ``module(z, condition)``, z normal.

    Output: ``samples`` (N, width), differentiated by torch's autograd. ``parameters()`` are views
    of the module's memory, so trainers of the core train the module itself. See
    :class:`~qgen_torch.model.TorchModel`, which a model with other outputs inherits.

    Args:
        module: maps z (N, latent), and conditions (N, K) if there are any, to (N, width).
        space: of the events, reals or angles.
        condition: the space of the conditions.
        latent: dimension of the noise.
        device: where the module is moved to.

    Raises BadOption for other spaces, for a latent below 1, and for a module that is not in float32
    or float64.

    >>> model = TorchGenerator(nn.Linear(4, 2), space=Space("reals", 2), latent=4)
    >>> model.sample(3, rng=np.random.default_rng(0)).shape
    (3, 2)
    >>> sorted(model.parameters())
    ['bias', 'weight']
    """

    outputs = frozenset({"samples"})

    def __init__(
        self,
        module: nn.Module,
        *,
        space: Space,
        condition: Space | None = None,
        latent: int,
        device: str = "cpu",
    ) -> None:
        if latent < 1:
            raise BadOption(f"latent must be at least 1, not {latent}")
        super().__init__(module, space=space, condition=condition, device=device)
        self.latent = latent

    def samples(self, n: int, condition: Tensor | None, rng: Rng) -> Tensor:
        arguments = [self.noise(n, self.latent, rng)]
        if condition is not None:
            arguments.append(condition)
        events: Tensor = self.module(*arguments)
        return events


class GeneratorModule(nn.Module):
    """A generator of qgen as a torch module: outputs are tensors with gradients for its parameters.

    The parameters are those of ``generator.parameters()``, in the same order, and share their
    memory, so a torch optimiser trains the generator. If the module was moved to another device
    or dtype, its parameters are copied to the generator at each call.

    >>> import qgen_core as qgen
    >>> ansatz = qgen.ansatz("brick", layers=1)
    >>> backend = qgen.backend("statevector")
    >>> born = qgen.generator("qcbm", ansatz=ansatz, backend=backend, space=Space("bits", 2))
    >>> module = GeneratorModule(born)
    >>> module("probabilities", Batch(), rng=np.random.default_rng(0)).shape
    torch.Size([1, 4])
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator
        self.weights = nn.ParameterList(
            [torch.from_numpy(array) for array in generator.parameters().values()]
        )

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> Tensor:
        """An output of the generator's ``forward``, in the dtype of its arrays.

        Raises what the generator raises, and NoGradient in the backward pass of an output without
        a gradient.
        """
        for array, weight in zip(self.generator.parameters().values(), self.weights, strict=True):
            array[...] = weight.detach().cpu().numpy()
        found: Tensor = _OUTPUT(self.generator, output, batch, rng, *self.weights)
        return found

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A module of a copy of the generator, with which it shares its memory."""
        twin = type(self)(copy.deepcopy(self.generator, memo))
        for weight, mine in zip(twin.weights, self.weights, strict=True):
            weight.requires_grad_(mine.requires_grad)
        return twin.train(self.training)


class _Output(torch.autograd.Function):
    """``Generator.forward``, with its pullback as backward pass."""

    @staticmethod
    def forward(
        ctx: Any, generator: Generator, output: str, batch: Batch, rng: Rng, *weights: Tensor
    ) -> Tensor:
        values, ctx.pullback = generator.forward(output, batch, rng=rng)
        ctx.save_for_backward(*weights)
        output_tensor = torch.from_numpy(np.require(values, requirements=["C", "W"]))
        if not weights:
            return output_tensor
        return output_tensor.to(weights[0].device)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        weights = ctx.saved_tensors
        gradient = ctx.pullback(cotangent.detach().cpu().numpy())
        pairs = zip(gradient.values(), weights, strict=True)
        slopes = tuple(as_tensor(array, np.float64).to(weight) for array, weight in pairs)
        if torch.is_grad_enabled():
            slopes = differentiable_once(
                "a generator of qgen has first derivatives only", (cotangent, *weights), slopes
            )
        return None, None, None, None, *slopes


_OUTPUT: Any = _Output.apply  # torch leaves it untyped
