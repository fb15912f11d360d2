"""Optimisers of torch on named numpy arrays, with their whole state as numpy arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from qgen_core.errors import BadOption, CheckpointError
from qgen_core.typing import Array
from qgen_torch.networks.module_arrays import as_tensor
from qgen_torch.optim.factories import OptimizerFactory, SchedulerFactory


class ArrayOptimizer:
    """An optimiser of torch.optim, with an optional scheduler, that updates numpy arrays in place.

    The arrays share their memory with the tensors that torch updates. The state holds the
    optimiser's tensors and, with a scheduler, the numbers that it changes, so a restored optimiser
    continues bit for bit. Raises BadOption if there are no arrays.

    Args:
        arrays: the parameters by name.
        optimizers: builds the optimiser.
        schedulers: builds the scheduler, if any.
        steps: of the training, for schedulers that need the total.

    >>> sgd = OptimizerFactory("an example", "SGD", 0.5, None)
    >>> constant = SchedulerFactory("an example", None, None, sgd)
    >>> theta = np.array([1.0, 2.0])
    >>> optimizer = ArrayOptimizer({"theta": theta}, sgd, constant, steps=1)
    >>> _ = optimizer.set_gradients({"theta": np.array([1.0, -1.0])})
    >>> optimizer.step(0.0)
    >>> theta
    array([0.5, 2.5])
    """

    def __init__(
        self,
        arrays: Mapping[str, Array],
        optimizers: OptimizerFactory,
        schedulers: SchedulerFactory,
        steps: int,
    ) -> None:
        if not arrays:
            raise BadOption("there are no parameters to train: the model's parameters() is empty")
        self.tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        self._optimizers = optimizers
        self._schedulers = schedulers
        self._optimizer = optimizers.build(self.tensors.values())
        self._scheduler = schedulers.build(self._optimizer, steps)

    def set_gradients(self, gradients: Mapping[str, Array | torch.Tensor]) -> list[torch.Tensor]:
        """Set the gradient of each parameter; returns the parameters as tensors, in order."""
        for name, tensor in self.tensors.items():
            gradient = gradients[name]
            if not isinstance(gradient, torch.Tensor):
                gradient = as_tensor(gradient, _numpy_dtype(tensor))
            tensor.grad = gradient
        return list(self.tensors.values())

    def step(self, value: float) -> None:
        """Update the arrays with the gradients that were set.

        ``value`` is the loss; only the scheduler ReduceLROnPlateau reads it.
        """
        self._optimizer.step()
        if isinstance(self._scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            self._scheduler.step(value)
        elif self._scheduler is not None:
            self._scheduler.step()

    def state(self) -> dict[str, Array]:
        """Copies of all state, named ``tensor/KEY/PARAMETER``, ``group/KEY``, ``scheduler/KEY``."""
        found: dict[str, Array] = {}
        for name, tensor in _state_tensors(self._optimizer, self.tensors):
            found[f"tensor/{name}"] = tensor.numpy().copy()
        if self._scheduler is None:
            return found
        for name, value in _numeric_items(self._group):
            found[f"group/{name}"] = np.array(value)
        for name, value in self._scheduler_counters():
            found[f"scheduler/{name}"] = np.array(value)
        return found

    def load(self, owner: str, state: Mapping[str, Array]) -> None:
        """Restore what :meth:`state` returned.

        Raises CheckpointError if it belongs to other parameters or options.
        """
        has_tensors = any(name.startswith("tensor/") for name in state)
        expected = self._state_after_a_step() if has_tensors else self.state()
        found_forms = _forms(state)
        expected_forms = _forms(expected)
        if found_forms != expected_forms:
            differing = set(found_forms.items()) ^ set(expected_forms.items())
            example = sorted(differing, key=str)[0][0]
            raise CheckpointError(
                f"the checkpoint of {owner} does not fit its optimiser and parameters, "
                f"e.g. {example!r}; resume with the options that it was saved with"
            )
        for name, value in state.items():
            kind, _, rest = name.partition("/")
            if kind == "tensor":
                key, _, parameter = rest.partition("/")
                self._optimizer.state[self.tensors[parameter]][key] = torch.from_numpy(value.copy())
            elif kind == "group":
                self._group[rest] = _with_type_of(self._group[rest], value)
        if self._scheduler is not None:
            restored = self._scheduler.state_dict()
            for name, old in self._scheduler_counters():
                restored[name] = _with_type_of(old, state[f"scheduler/{name}"])
            self._scheduler.load_state_dict(restored)

    @property
    def _group(self) -> dict[str, Any]:
        """The optimiser's only parameter group, which holds the learning rate."""
        group: dict[str, Any] = self._optimizer.param_groups[0]
        return group

    def _state_after_a_step(self) -> dict[str, Array]:
        """The state of an equal optimiser after one step, to know which arrays there are."""
        zeros = {}
        for name, tensor in self.tensors.items():
            zeros[name] = np.zeros(tensor.shape, _numpy_dtype(tensor))
        twin = ArrayOptimizer(zeros, self._optimizers, self._schedulers, 2)
        twin.set_gradients(zeros)
        twin.step(0.0)
        return twin.state()

    def _scheduler_counters(self) -> Iterator[tuple[str, Any]]:
        """The numbers that a scheduler changes, without the options it was built from."""
        options = self._schedulers.option_names - {"last_epoch"}
        for name, value in _numeric_items(self._scheduler.state_dict()):
            if name not in options:
                yield name, value


def _forms(state: Mapping[str, Array]) -> dict[str, tuple[tuple[int, ...], str]]:
    """The shape and the kind of numbers of each array."""
    return {name: (array.shape, array.dtype.kind) for name, array in state.items()}


def _state_tensors(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors in an optimiser's state (e.g. momenta), as KEY/PARAMETER."""
    for name, tensor in tensors.items():
        for key, value in optimizer.state.get(tensor, {}).items():
            if isinstance(value, torch.Tensor):
                yield f"{key}/{name}", value


def _numeric_items(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The entries that are numbers or sequences of numbers."""
    for name, value in values.items():
        if isinstance(value, list | tuple):
            numeric = all(isinstance(entry, int | float) for entry in value)
        else:
            numeric = isinstance(value, int | float)
        if numeric:
            yield name, value


def _with_type_of(old: Any, value: Array) -> Any:
    """A saved number or sequence, converted to the type of the present one."""
    return type(old)(value.tolist())


def _numpy_dtype(tensor: torch.Tensor) -> type[np.floating[Any]]:
    return np.float32 if tensor.dtype == torch.float32 else np.float64
