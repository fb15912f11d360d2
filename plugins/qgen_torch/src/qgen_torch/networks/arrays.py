"""Torch modules seen as named numpy arrays: the same memory, as the contract of parameters asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from qgen_core.support.parameters import load_into
from qgen_core.support.random_streams import generator, stream
from qgen_core.typing import Array

Precision = Literal["single", "double"]

#: Numbers of a precision, in torch and in numpy.
TORCH = {"single": torch.float32, "double": torch.float64}
NUMPY: dict[str, type[np.floating[Any]]] = {"single": np.float32, "double": np.float64}


def live_parameters(module: nn.Module) -> dict[str, Array]:
    """The parameters of a module on the CPU by name, in its own memory."""
    return {name: value.detach().numpy() for name, value in module.named_parameters()}


def copied_state(module: nn.Module) -> dict[str, Array]:
    """Copies of its parameters and buffers."""
    return {name: value.numpy().copy() for name, value in module.state_dict().items()}


def load_state(owner: str, module: nn.Module, state: Mapping[str, Array]) -> None:
    """Take back what :func:`copied_state` gave. Raises CheckpointError when it does not fit."""
    load_into(owner, {name: value.numpy() for name, value in module.state_dict().items()}, state)


def as_tensor(array: Any, dtype: type[np.floating[Any]]) -> torch.Tensor:
    """A tensor of these numbers: the array's own memory where type and layout allow it."""
    plain = (
        isinstance(array, np.ndarray)
        and array.dtype == dtype
        and array.flags.c_contiguous
        and array.flags.writeable
    )
    return torch.from_numpy(array if plain else np.array(array, dtype=dtype, order="C"))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """What torch draws on the CPU within the block depends on the seed; its global state is put back."""
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)


def drawn_seed(seed: int | None, purpose: str) -> int:
    """A seed for torch from the stream of a purpose; of fresh entropy without a seed."""
    rng = generator(None) if seed is None else stream(seed, purpose)
    return int(rng.integers(2**63))
