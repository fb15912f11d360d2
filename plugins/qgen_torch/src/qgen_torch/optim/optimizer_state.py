"""An optimiser at work on named arrays, whose whole state is numpy arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from qgen_core.errors import BadOption, CheckpointError
from qgen_core.typing import Array
from qgen_torch.networks.module_arrays import as_tensor
from qgen_torch.optim.factories import Optimizers, Schedulers


class Moving:
    """Moves live arrays with an optimiser of torch.optim, and its rate with a scheduler.

    The arrays' own memory is written. The state holds the optimiser's tensors and, with a
    scheduler, the numbers that it changes: enough to go on bit by bit. Raises BadOption without arrays.
    """

    def __init__(
        self,
        arrays: Mapping[str, Array],
        optimizers: Optimizers,
        schedulers: Schedulers,
        steps: int,
    ) -> None:
        if not arrays:
            raise BadOption("there are no parameters to move")
        self.tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        self._optimizers, self._schedulers = optimizers, schedulers
        self._optimizer = optimizers.build(self.tensors.values())
        self._scheduler = schedulers.build(self._optimizer, steps)

    def take(self, gradients: Mapping[str, Array | torch.Tensor]) -> list[torch.Tensor]:
        """Give each tensor its gradient; the tensors in order."""
        for name, tensor in self.tensors.items():
            slope = gradients[name]
            tensor.grad = (
                slope if isinstance(slope, torch.Tensor) else as_tensor(slope, _numpy_type(tensor))
            )
        return list(self.tensors.values())

    def step(self, value: float) -> None:
        """Move along the gradients that were taken; ``value`` is the loss, for schedulers that look at it."""
        self._optimizer.step()
        if isinstance(self._scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self._scheduler.step(value)
        elif self._scheduler is not None:
            self._scheduler.step()

    def state(self) -> dict[str, Array]:
        """Copies of all arrays, named ``tensor/KEY/PARAMETER``, ``group/KEY`` and ``scheduler/KEY``."""
        found = {
            f"tensor/{name}": tensor.numpy().copy()
            for name, tensor in _tensors(self._optimizer, self.tensors)
        }
        if self._scheduler is None:
            return found
        found |= {f"group/{name}": np.array(value) for name, value in _numbers(self._group)}
        return found | {f"scheduler/{name}": np.array(value) for name, value in self._changing()}

    def load(self, owner: str, state: Mapping[str, Array]) -> None:
        """Take back what :meth:`state` gave. Raises CheckpointError when it is of other parameters or options."""
        expected = (
            self.state()
            if not any(name.startswith("tensor/") for name in state)
            else self._after_a_step()
        )
        found, wanted = (
            {n: (v.shape, v.dtype.kind) for n, v in one.items()} for one in (state, expected)
        )
        if found != wanted:
            odd = sorted(set(found.items()) ^ set(wanted.items()), key=str)[0][0]
            raise CheckpointError(
                f"the checkpoint of {owner} does not fit its optimiser and parameters, e.g. {odd!r}"
            )
        for name, value in state.items():
            kind, _, rest = name.partition("/")
            if kind == "tensor":
                key, _, parameter = rest.partition("/")
                self._optimizer.state[self.tensors[parameter]][key] = torch.from_numpy(value.copy())
            elif kind == "group":
                self._group[rest] = _like(self._group[rest], value)
        if self._scheduler is not None:
            own = self._scheduler.state_dict()
            changed = {
                name: _like(own[name], state[f"scheduler/{name}"]) for name, _ in self._changing()
            }
            self._scheduler.load_state_dict(own | changed)

    @property
    def _group(self) -> dict[str, Any]:
        group: dict[str, Any] = self._optimizer.param_groups[0]
        return group

    def _after_a_step(self) -> dict[str, Array]:
        """The state of a twin that moved once: which arrays there are."""
        zeros = {
            name: np.zeros(tensor.shape, _numpy_type(tensor))
            for name, tensor in self.tensors.items()
        }
        twin = Moving(zeros, self._optimizers, self._schedulers, 2)
        twin.take(zeros)
        twin.step(0.0)
        return twin.state()

    def _changing(self) -> Iterator[tuple[str, Any]]:
        """What a scheduler counts, without the options that it was made of."""
        constant = self._schedulers.takes - {"last_epoch"}
        yield from ((n, v) for n, v in _numbers(self._scheduler.state_dict()) if n not in constant)


def _tensors(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors that an optimiser remembers, as KEY/PARAMETER."""
    for name, tensor in tensors.items():
        for key, value in optimizer.state.get(tensor, {}).items():
            if isinstance(value, torch.Tensor):
                yield f"{key}/{name}", value


def _numbers(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The entries that are numbers or lists of numbers."""
    for name, value in values.items():
        several = isinstance(value, list | tuple) and all(isinstance(v, int | float) for v in value)
        if isinstance(value, int | float) or several:
            yield name, value


def _like(old: Any, value: Array) -> Any:
    """A saved number, or several, of the type of the present ones."""
    return type(old)(value.tolist())


def _numpy_type(tensor: torch.Tensor) -> type[np.floating[Any]]:
    return np.float32 if tensor.dtype == torch.float32 else np.float64
