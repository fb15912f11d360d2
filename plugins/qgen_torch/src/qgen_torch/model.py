"""The base class of models that are torch modules: a network, and its outputs as methods."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from qgen_core import Batch, Generator, Space
from qgen_core.errors import BadOption
from qgen_core.typing import Array, Pullback, Rng
from qgen_torch.conditions import check_condition, condition_rows
from qgen_torch.networks.module_arrays import (
    as_tensor,
    copied_state,
    load_state,
    seeded,
)

Tensor = torch.Tensor

DTYPES: dict[torch.dtype, Any] = {torch.float32: np.float32, torch.float64: np.float64}


class TorchModel(Generator):
    """A generator that is a torch module. A model writes its outputs as methods on tensors.

    A model calls ``super().__init__`` with its module and implements a method for each name in
    ``outputs``:

    - ``samples(n, condition, rng)`` returns events (n, width); :meth:`sample` calls it, too, so
      every model that generates has it, declared or not.
    - any other output, e.g. ``log_prob(x, condition, rng)`` or ``objective(x, condition, rng)``,
      gets encoded events (N, width) and returns one value for each (N,).

    Conditions are (N, K) tensors, or None. Tensors have the dtype and the device of the module.
    Noise is drawn from ``rng`` (:meth:`noise`); torch's own random numbers, e.g. of dropout, are
    seeded from it, and torch's global generator is left unchanged. The module is in training mode
    for outputs, and in evaluation mode in :meth:`sample`.

    The outputs of a batch do not change the module. Running averages of batch normalisation change
    once a step, in :meth:`prepare`, which sees the whole batch in every process. With batch
    normalisation a model has ``needs_whole_batch``; one whose own methods combine the events of a
    batch sets it.

    Args:
        module: the network, or several by name: parameters are then named ``NAME.weight`` etc.
        space: of the events, reals or angles.
        condition: the space of the conditions.
        device: where the module is, e.g. ``cuda``. Elsewhere than on the CPU, the parameters that
            trainers change are copies, which are sent to the device before each use.

    Raises BadOption for spaces of bits or spins, for a module that is neither float32 nor float64,
    and for a device that torch does not have.

    >>> class Normal(TorchModel):
    ...     outputs = frozenset({"log_prob"})
    ...     def __init__(self, *, space: Space) -> None:
    ...         super().__init__(nn.Linear(1, space.width, bias=False), space=space)
    ...     def samples(self, n, condition, rng):
    ...         return self.module.weight.T + self.noise(n, self.space.width, rng)
    ...     def log_prob(self, x, condition, rng):
    ...         return -0.5 * ((x - self.module.weight.T) ** 2 + np.log(2 * np.pi)).sum(dim=1)
    >>> model = Normal(space=Space("reals", 2))
    >>> model.sample(3, rng=np.random.default_rng(0)).shape, sorted(model.parameters())
    ((3, 2), ['weight'])
    >>> batch = Batch(np.zeros((4, 2)))
    >>> values, pullback = model.forward("log_prob", batch, rng=np.random.default_rng(0))
    >>> values.shape, pullback(np.ones(4))["weight"].shape
    ((4,), (2, 1))
    """

    #: Whether a method draws torch's random numbers; without, their seeding is spared.
    draws_torch_numbers: bool = True
    #: Events per call of the network while sampling, so that their activations stay in the cache.
    events_at_once: int = 2048
    #: The most events of an output that are computed with a graph. Of more events, the values are
    #: computed in blocks of this size without one, and the pullback computes them again, so that
    #: the memory is that of one block.
    largest_graphs: Mapping[str, int] = {}
    #: The encoder that the message about spaces of bits and spins names.
    suggested_encoder: str = "standard"

    def __init__(
        self,
        module: nn.Module | Mapping[str, nn.Module],
        *,
        space: Space,
        condition: Space | None = None,
        device: str = "cpu",
    ) -> None:
        if space.kind not in ("reals", "angles"):
            raise BadOption(
                f"{self._name} makes real numbers, not {space}; "
                f"use an encoder such as {self.suggested_encoder!r}"
            )
        if isinstance(module, Mapping):
            module = nn.ModuleDict(dict(module))
        try:
            self.module = module.to(device)
        except (RuntimeError, AssertionError) as error:  # torch raises both for missing devices
            raise BadOption(f"torch cannot use the device {device!r}: {error}") from error
        dtypes = {value.dtype for value in self.module.parameters()}
        if len(dtypes) > 1 or not dtypes <= DTYPES.keys():
            found = ", ".join(sorted(str(dtype) for dtype in dtypes))
            raise BadOption(
                f"the module's parameters must be all float32 or all float64, not {found}"
            )
        self.space = space
        self.condition = condition
        if any(isinstance(part, _BatchNorm) for part in self.module.modules()):
            self.needs_whole_batch = True
        self.device = torch.device(device)
        self.dtype = next(iter(dtypes), torch.float32)
        self._trained = {
            name: value for name, value in self.module.named_parameters() if value.requires_grad
        }
        self._averaging = list(_with_running_averages(self.module))
        self._named = list(self.module.named_parameters())
        #: Views of the parameters, and where these were when the views were made.
        self._views: dict[str, Array] = {}
        self._places: list[int] = []
        self._host: dict[str, Array] | None = None
        if self.device.type != "cpu":
            self._host = self._copied_parameters()

    @property
    def _name(self) -> str:
        """The name for messages."""
        return str(getattr(self, "__qgen_name__", type(self).__name__))

    def samples(self, n: int, condition: Tensor | None, rng: Rng) -> Tensor:
        """Events (n, width), given conditions (n, K). A model implements it."""
        raise BadOption(f"{self._name} does not generate: it has no method 'samples'")

    def noise(self, n: int, width: int, rng: Rng) -> Tensor:
        """Standard normal numbers (n, width) from ``rng``, in the module's dtype, on its device."""
        numbers = rng.standard_normal((n, width), dtype=DTYPES[self.dtype])
        return torch.from_numpy(numbers).to(self.device)

    def tensor(self, array: Array) -> Tensor:
        """An array as a tensor in the module's dtype, on its device."""
        return as_tensor(array, DTYPES[self.dtype]).to(self.device)

    def parameters(self) -> dict[str, Array]:
        """The parameters by name: views of the module's memory on the CPU, else copies of it."""
        if self._host is not None:
            return self._host
        places = [value.data_ptr() for _, value in self._named]
        if places != self._places:  # e.g. of a copy, or of a module in another precision
            self._views = {name: value.detach().numpy() for name, value in self._named}
            self._places = places
        return dict(self._views)

    def state(self) -> dict[str, Array]:
        self._send_parameters()
        return copied_state(self.module)

    def load(self, state: Mapping[str, Array]) -> None:
        load_state(self._name, self.module, state)
        if self._host is not None:
            for name, value in self._copied_parameters().items():
                self._host[name][...] = value

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        if n < 0:
            raise BadOption(f"n is a number of events, not {n}")
        check_condition(self._name, self.condition, condition, n)
        self._send_parameters()
        out = np.empty((n, self.space.width), dtype=DTYPES[self.dtype])
        with torch.inference_mode(), _mode(self.module, training=False):
            for start in range(0, n, self.events_at_once):
                stop = min(start + self.events_at_once, n)
                rows = condition_rows(condition, start, stop)
                out[start:stop] = self._events(stop - start, rows, rng).cpu().numpy()
        return out

    def prepare(self, batch: Batch, *, rng: Rng) -> None:
        """Update running averages of batch normalisation, once a step, with the whole batch."""
        if batch.x is None or not self._averaging:
            return
        self._send_parameters()
        output = "samples"
        if "samples" not in self.outputs:
            output = min(self.outputs)
        with torch.no_grad(), _mode(self.module, training=True):
            self._output(output, batch, rng)

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        if output not in self.outputs or batch.x is None:
            return super().forward(output, batch, rng=rng)
        check_condition(self._name, self.condition, batch.condition, len(batch.x))
        self._send_parameters()
        largest = self.largest_graphs.get(output, len(batch.x))
        if len(batch.x) > largest:
            return self._forward_in_blocks(output, batch, largest, rng)
        values = self._training_output(output, batch, rng, graph=True)

        def pullback(cotangent: Array) -> dict[str, Array]:
            slopes = torch.autograd.grad(
                values,
                list(self._trained.values()),
                self.tensor(cotangent),
                retain_graph=True,
                allow_unused=True,
            )
            slope_of = dict(zip(self._trained, slopes, strict=True))
            gradient = {}
            for name, value in self.parameters().items():
                slope = slope_of.get(name)
                if slope is None:
                    gradient[name] = np.zeros_like(value)
                else:
                    gradient[name] = slope.cpu().numpy()
            return gradient

        return values.detach().cpu().numpy(), pullback

    def _training_output(self, output: str, batch: Batch, rng: Rng, *, graph: bool) -> Tensor:
        """An output in training mode, with or without a graph for its gradient."""
        with ExitStack() as stack:
            stack.enter_context(torch.set_grad_enabled(graph))
            stack.enter_context(_mode(self.module, training=True))
            stack.enter_context(_fixed_running_averages(self._averaging))
            return self._output(output, batch, rng)

    def _forward_in_blocks(
        self, output: str, batch: Batch, size: int, rng: Rng
    ) -> tuple[Array, Pullback]:
        """The values of an output in blocks of events; the pullback draws the same numbers."""
        assert batch.x is not None
        before = copy.deepcopy(rng)
        blocks = []
        for start in range(0, len(batch.x), size):
            stop = start + size
            condition = condition_rows(batch.condition, start, stop)
            block = replace(batch, x=batch.x[start:stop], condition=condition, weight=None)
            blocks.append((slice(start, stop), block))
        values = [
            self._training_output(output, block, rng, graph=False).cpu().numpy()
            for _, block in blocks
        ]

        def pullback(cotangent: Array) -> dict[str, Array]:
            again = copy.deepcopy(before)
            total = {name: np.zeros_like(value) for name, value in self.parameters().items()}
            for rows, block in blocks:
                _, of_block = self.forward(output, block, rng=again)
                for name, slope in of_block(cotangent[rows]).items():
                    total[name] += slope
            return total

        return np.concatenate(values), pullback

    def _output(self, output: str, batch: Batch, rng: Rng) -> Tensor:
        """An output of a batch that has events, as the model's method gives it."""
        assert batch.x is not None
        n = len(batch.x)
        if output == "samples":
            return self._events(n, batch.condition, rng)
        condition = None if batch.condition is None else self.tensor(batch.condition)
        method: Callable[..., Tensor] | None = getattr(self, output, None)
        if method is None:
            raise BadOption(f"{self._name} declares the output {output!r} and has no such method")
        with self._torch_numbers(rng):
            values = method(self.tensor(batch.x), condition, rng)
        if values.shape != (n,):
            raise BadOption(
                f"{output} of {self._name} has the shape {tuple(values.shape)} for {n} events; "
                f"it needs one value for each, ({n},)"
            )
        return values

    def _events(self, n: int, condition: Array | None, rng: Rng) -> Tensor:
        given = None if condition is None else self.tensor(condition)
        with self._torch_numbers(rng):
            events = self.samples(n, given, rng)
        if events.shape != (n, self.space.width):
            raise BadOption(
                f"{self._name} returned an array of shape {tuple(events.shape)} for {n} events of "
                f"{self.space}"
            )
        return events

    @contextmanager
    def _torch_numbers(self, rng: Rng) -> Iterator[None]:
        """Seed torch's random numbers from ``rng`` within the block, where a method needs them."""
        if not self.draws_torch_numbers:
            yield
            return
        with seeded(int(rng.integers(2**63)), self.device):
            yield

    def _copied_parameters(self) -> dict[str, Array]:
        found = {}
        for name, value in self.module.named_parameters():
            found[name] = value.detach().cpu().numpy().copy()
        return found

    def _send_parameters(self) -> None:
        """Bring the parameters to the device, if trainers change copies of them."""
        if self._host is None:
            return
        with torch.no_grad():
            for name, value in self.module.named_parameters():
                value.copy_(torch.from_numpy(self._host[name]))


def _with_running_averages(module: nn.Module) -> Iterator[nn.Module]:
    """The parts of a module that keep running averages of batches."""
    for part in module.modules():
        if getattr(part, "track_running_stats", False):
            yield part


@contextmanager
def _fixed_running_averages(parts: list[nn.Module]) -> Iterator[None]:
    """In the block, normalisation uses the averages of the batch and keeps the running ones."""
    for part in parts:
        part.track_running_stats = False  # type: ignore[assignment]  # torch's own switch
    try:
        yield
    finally:
        for part in parts:
            part.track_running_stats = True  # type: ignore[assignment]


@contextmanager
def _mode(module: nn.Module, *, training: bool) -> Iterator[None]:
    """Put the module in training or evaluation mode within the block; restore it afterwards."""
    before = module.training
    if before == training:
        yield
        return
    module.train(training)
    try:
        yield
    finally:
        module.train(before)
