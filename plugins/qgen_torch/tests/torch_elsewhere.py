"""A device for tests: it computes on the CPU, and its tensors behave like those of a GPU.

They mix with tensors of no other device and have no numpy array until they are copied to the CPU,
so a tensor that was made without the device of its model raises an error. torch knows the device
as ``meta``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

ELSEWHERE = "meta"
CPU = torch.device("cpu")


class OneDevice(RuntimeError):
    """Two devices in one operation."""


class Elsewhere(torch.Tensor):
    """A tensor on the device; ``numbers`` holds them on the CPU."""

    numbers: torch.Tensor

    @staticmethod
    def __new__(cls, numbers: torch.Tensor) -> Elsewhere:
        made: Elsewhere = torch.Tensor._make_wrapper_subclass(
            cls,
            numbers.shape,
            dtype=numbers.dtype,
            device=ELSEWHERE,
            strides=numbers.stride(),
            storage_offset=numbers.storage_offset(),
        )
        made.numbers = numbers
        return made

    def numpy(self, *, force: bool = False) -> Any:
        if not force:
            raise TypeError(f"tensors on {ELSEWHERE} have no array; copy them to the CPU first")
        return self.detach().cpu().numpy()

    def tolist(self) -> Any:
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _computed(function, args, kwargs or {})

    __torch_function__ = torch._C._disabled_torch_function_impl


class _Operations(TorchDispatchMode):
    """Operations that make tensors on the device, or copy tensors to it."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _computed(function, args, kwargs or {})


class _Constants(TorchFunctionMode):
    """``torch.tensor(..., device=ELSEWHERE)``, which torch treats as a tensor without numbers."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        options = dict(kwargs or {})
        if function is not torch.tensor or "device" not in options:
            return function(*args, **options)
        device = options.pop("device")
        return function(*args, **options, device="cpu").to(device)


@contextmanager
def elsewhere() -> Iterator[None]:
    """The device exists within the block."""
    with _Operations(), _Constants():
        yield


def _computed(function: Any, args: Any, kwargs: Any) -> Any:
    """The result of an operation, on the device of its tensors or on the one that it names."""
    name = function._schema.name
    leaves = tree_leaves((args, kwargs))
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    away = [isinstance(tensor, Elsewhere) for tensor in tensors]
    is_away = any(away)
    if name == "aten::copy_":
        is_away = away[0]
    elif is_away:
        for tensor in tensors:
            if tensor.ndim and not isinstance(tensor, Elsewhere):
                raise OneDevice(f"{name} of tensors on two devices, {CPU} and {ELSEWHERE}")
    for leaf in leaves:
        if isinstance(leaf, torch.device):
            is_away = leaf.type == ELSEWHERE
    result = function(*tree_map(_here, args), **tree_map(_here, kwargs))
    if function._schema.is_mutable and name.endswith("_"):
        return args[0]
    if not is_away:
        return result
    return tree_map(_away, result)


def _here(value: Any) -> Any:
    if isinstance(value, Elsewhere):
        return value.numbers
    if isinstance(value, torch.device):
        return CPU
    return value


def _away(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return Elsewhere(value.resolve_conj().resolve_neg())
    return value
