"""Both directions: a torch module as a generator of qgen, a generator as a torch module."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from qgen_core import Batch, Generator, Space
from qgen_core.errors import BadOption
from qgen_core.typing import Array, Pullback, Rng
from qgen_torch.backend_function import once
from qgen_torch.generators.conditions import check_condition
from qgen_torch.networks.module_arrays import (
    as_tensor,
    copied_state,
    live_parameters,
    load_state,
    seeded,
)

Tensor = torch.Tensor

#: Events that go through a module at once while sampling.
ROWS = 2048


class TorchGenerator(Generator):
    """A torch module as a generator: ``x = module(z)``, or ``module(z, condition)``, with z normal.

    Output: ``samples`` (N, width), with a gradient by torch's autograd. ``parameters()`` are numpy
    views of the module's own memory, so a trainer of the core moves the module itself. In training
    the module is in training mode, while sampling in evaluation mode. Noise, and what the module
    itself draws (dropout), come from the ``rng`` that is given; torch's global generator is left as
    it was.

    Args:
        module: takes z (N, latent), and conditions (N, K) if there are any, and gives (N, width).
        space: of the events, reals or angles.
        condition: of the conditions.
        latent: dimensions of the noise.

    Raises BadOption for other spaces, for a latent below 1, and for a module that is not on the
    CPU in float32 or float64: trainers write into its memory through numpy.
    """

    outputs = frozenset({"samples"})

    def __init__(
        self, module: nn.Module, *, space: Space, condition: Space | None = None, latent: int
    ) -> None:
        if space.kind not in ("reals", "angles"):
            raise BadOption(
                f"a module makes real numbers, not {space}; use an encoder such as 'standard'"
            )
        if latent < 1:
            raise BadOption(f"latent is at least 1, not {latent}")
        kinds = {(p.device.type, p.dtype) for p in module.parameters()}
        if not kinds <= {("cpu", torch.float32), ("cpu", torch.float64)}:
            found = ", ".join(f"{dtype} on {device}" for device, dtype in kinds)
            raise BadOption(
                f"the module's parameters must be float32 or float64 on the CPU, not {found}"
            )
        self.module, self.space, self.condition, self.latent = module, space, condition, latent
        first = next(module.parameters(), None)
        self._dtype = (
            np.float64 if first is not None and first.dtype == torch.float64 else np.float32
        )

    def parameters(self) -> dict[str, Array]:
        return live_parameters(self.module)

    def state(self) -> dict[str, Array]:
        return copied_state(self.module)

    def load(self, state: Mapping[str, Array]) -> None:
        load_state(type(self.module).__name__, self.module, state)

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        if n < 0:
            raise BadOption(f"n is the number of events, not {n}")
        check_condition(type(self.module).__name__, self.condition, condition, n)
        out = np.empty((n, self.space.width), dtype=self._dtype)
        with torch.inference_mode(), _mode(self.module, training=False):
            for start in range(0, n, ROWS):
                stop = min(start + ROWS, n)
                out[start:stop] = self._run(
                    stop - start, None if condition is None else condition[start:stop], rng
                )
        return out

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        if output != "samples" or batch.x is None:
            return super().forward(output, batch, rng=rng)
        check_condition(type(self.module).__name__, self.condition, batch.condition, len(batch.x))
        with torch.enable_grad(), _mode(self.module, training=True):
            found = self._run(len(batch.x), batch.condition, rng)
        named = {
            name: value for name, value in self.module.named_parameters() if value.requires_grad
        }

        def pullback(cotangent: Array) -> dict[str, Array]:
            gradient = {name: np.zeros_like(value) for name, value in self.parameters().items()}
            slopes = torch.autograd.grad(
                found,
                list(named.values()),
                as_tensor(cotangent, self._dtype),
                retain_graph=True,
                allow_unused=True,
            )
            gradient.update(
                {name: s.numpy() for name, s in zip(named, slopes, strict=True) if s is not None}
            )
            return gradient

        return found.detach().numpy(), pullback

    def _run(self, n: int, condition: Array | None, rng: Rng) -> Tensor:
        given = [rng.standard_normal((n, self.latent)), *([] if condition is None else [condition])]
        with seeded(int(rng.integers(2**63))):
            found: Tensor = self.module(*(as_tensor(array, self._dtype) for array in given))
        if found.shape != (n, self.space.width):
            raise BadOption(
                f"{type(self.module).__name__} gives an array {tuple(found.shape)} for {n} events of {self.space}"
            )
        return found


class GeneratorModule(nn.Module):
    """A generator of qgen as a torch module: its outputs as tensors, differentiable by its parameters.

    The parameters are those of ``generator.parameters()``, in their order, and share their memory:
    an optimiser of torch moves the generator. After the module was moved to another device or
    type they are copied back at each call.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator
        self.weights = nn.ParameterList(
            [torch.from_numpy(array) for array in generator.parameters().values()]
        )

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> Tensor:
        """An output of the generator, as its own ``forward`` gives it, in the type of its arrays.

        Raises what the generator raises; NoGradient in the backward pass of an output without one.
        """
        for array, weight in zip(self.generator.parameters().values(), self.weights, strict=True):
            array[...] = weight.detach().cpu().numpy()
        found: Tensor = _OUTPUT(self.generator, output, batch, rng, *self.weights)
        return found

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A module of a copied generator, so that both share memory again."""
        twin = type(self)(copy.deepcopy(self.generator, memo))
        for weight, mine in zip(twin.weights, self.weights, strict=True):
            weight.requires_grad_(mine.requires_grad)
        return twin.train(self.training)


class _Output(torch.autograd.Function):
    """``Generator.forward`` and its pullback."""

    @staticmethod
    def forward(
        ctx: Any, generator: Generator, output: str, batch: Batch, rng: Rng, *weights: Tensor
    ) -> Tensor:
        values, ctx.pullback = generator.forward(output, batch, rng=rng)
        ctx.save_for_backward(*weights)
        found = torch.from_numpy(np.require(values, requirements=["C", "W"]))
        return found.to(weights[0].device) if weights else found

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor | None, ...]:
        weights = ctx.saved_tensors
        gradient = ctx.pullback(cotangent.detach().cpu().numpy())
        slopes = tuple(
            as_tensor(array, np.float64).to(w)
            for array, w in zip(gradient.values(), weights, strict=True)
        )
        if torch.is_grad_enabled():
            slopes = once(
                "a generator of qgen has first derivatives only", (cotangent, *weights), slopes
            )
        return None, None, None, None, *slopes


_OUTPUT: Any = _Output.apply  # torch leaves it without types


@contextmanager
def _mode(module: nn.Module, *, training: bool) -> Iterator[None]:
    """The module in training or evaluation mode, and afterwards in the one that it had."""
    before = module.training
    module.train(training)
    try:
        yield
    finally:
        module.train(before)
