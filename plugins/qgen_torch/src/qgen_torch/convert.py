"""A torch module as a generator of qgen, and a generator as a torch module."""

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
from qgen_torch.backend_function import differentiable_once
from qgen_torch.generators.conditions import check_condition, condition_rows
from qgen_torch.networks.module_arrays import (
    as_tensor,
    copied_state,
    live_parameters,
    load_state,
    seeded,
)

Tensor = torch.Tensor

#: Events per call of the module while sampling.
ROWS = 2048


class TorchGenerator(Generator):
    """A torch module as a generator: ``x = module(z)`` or ``module(z, condition)``, z normal.

    Output: ``samples`` (N, width), differentiated by torch's autograd. ``parameters()`` are views
    of the module's memory, so trainers of the core train the module itself. The module is in
    training mode in ``forward`` and in evaluation mode in ``sample``. Noise, and random numbers
    inside the module (dropout), come from the ``rng`` that is passed in; torch's global generator
    is left unchanged.

    Args:
        module: maps z (N, latent), and conditions (N, K) if there are any, to (N, width).
        space: of the events, reals or angles.
        condition: the space of the conditions.
        latent: dimension of the noise.

    Raises BadOption for other spaces, for a latent below 1, and for a module that is not on the
    CPU in float32 or float64: trainers write to its memory through numpy.

    >>> model = TorchGenerator(nn.Linear(4, 2), space=Space("reals", 2), latent=4)
    >>> model.sample(3, rng=np.random.default_rng(0)).shape
    (3, 2)
    >>> sorted(model.parameters())
    ['bias', 'weight']
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
            raise BadOption(f"latent must be at least 1, not {latent}")
        placements = {(value.device.type, value.dtype) for value in module.parameters()}
        if not placements <= {("cpu", torch.float32), ("cpu", torch.float64)}:
            found = ", ".join(f"{dtype} on {device}" for device, dtype in placements)
            raise BadOption(
                f"the module's parameters must be float32 or float64 on the CPU, not {found}"
            )
        self.module = module
        self.space = space
        self.condition = condition
        self.latent = latent
        first = next(module.parameters(), None)
        is_double = first is not None and first.dtype == torch.float64
        self._dtype = np.float64 if is_double else np.float32

    def parameters(self) -> dict[str, Array]:
        return live_parameters(self.module)

    def state(self) -> dict[str, Array]:
        return copied_state(self.module)

    def load(self, state: Mapping[str, Array]) -> None:
        load_state(type(self.module).__name__, self.module, state)

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        if n < 0:
            raise BadOption(f"n is a number of events, not {n}")
        check_condition(type(self.module).__name__, self.condition, condition, n)
        out = np.empty((n, self.space.width), dtype=self._dtype)
        with torch.inference_mode(), _mode(self.module, training=False):
            for start in range(0, n, ROWS):
                stop = min(start + ROWS, n)
                rows = condition_rows(condition, start, stop)
                out[start:stop] = self._run(stop - start, rows, rng)
        return out

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        if output != "samples" or batch.x is None:
            return super().forward(output, batch, rng=rng)
        check_condition(type(self.module).__name__, self.condition, batch.condition, len(batch.x))
        with torch.enable_grad(), _mode(self.module, training=True):
            samples = self._run(len(batch.x), batch.condition, rng)
        trained: dict[str, Tensor] = {}
        for name, value in self.module.named_parameters():
            if value.requires_grad:
                trained[name] = value

        def pullback(cotangent: Array) -> dict[str, Array]:
            gradient = {name: np.zeros_like(value) for name, value in self.parameters().items()}
            slopes = torch.autograd.grad(
                samples,
                list(trained.values()),
                as_tensor(cotangent, self._dtype),
                retain_graph=True,
                allow_unused=True,
            )
            for name, slope in zip(trained, slopes, strict=True):
                if slope is not None:
                    gradient[name] = slope.numpy()
            return gradient

        return samples.detach().numpy(), pullback

    def _run(self, n: int, condition: Array | None, rng: Rng) -> Tensor:
        arguments = [as_tensor(rng.standard_normal((n, self.latent)), self._dtype)]
        if condition is not None:
            arguments.append(as_tensor(condition, self._dtype))
        with seeded(int(rng.integers(2**63))):
            events: Tensor = self.module(*arguments)
        if events.shape != (n, self.space.width):
            raise BadOption(
                f"{type(self.module).__name__} returned an array of shape {tuple(events.shape)} "
                f"for {n} events of {self.space}"
            )
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


@contextmanager
def _mode(module: nn.Module, *, training: bool) -> Iterator[None]:
    """Put the module in training or evaluation mode within the block; restore it afterwards."""
    before = module.training
    module.train(training)
    try:
        yield
    finally:
        module.train(before)
