"""Parameters of torch modules as named numpy arrays that share the modules' memory."""

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

#: The floating-point type of a precision, in torch and in numpy.
TORCH = {"single": torch.float32, "double": torch.float64}
NUMPY: dict[str, type[np.floating[Any]]] = {"single": np.float32, "double": np.float64}


def live_parameters(module: nn.Module) -> dict[str, Array]:
    """The parameters of a module on the CPU by name, as views of its memory.

    >>> linear = nn.Linear(2, 1)
    >>> live_parameters(linear)["bias"][:] = 3.0
    >>> linear.bias.item()
    3.0
    """
    return {name: value.detach().numpy() for name, value in module.named_parameters()}


def copied_state(module: nn.Module) -> dict[str, Array]:
    """Copies of a module's parameters and buffers.

    >>> sorted(copied_state(nn.Linear(2, 1)))
    ['bias', 'weight']
    """
    return {name: value.cpu().numpy().copy() for name, value in module.state_dict().items()}


def load_state(owner: str, module: nn.Module, state: Mapping[str, Array]) -> None:
    """Restore what :func:`copied_state` returned, on the module's device.

    Raises CheckpointError if it does not fit.

    >>> one = nn.Linear(2, 1)
    >>> other = nn.Linear(2, 1)
    >>> load_state("an example", other, copied_state(one))
    >>> torch.equal(one.weight, other.weight)
    True
    """
    tensors = module.state_dict()
    restored = copied_state(module)
    load_into(owner, restored, state)
    with torch.no_grad():
        for name, tensor in tensors.items():
            tensor.copy_(torch.from_numpy(restored[name]))


def as_buffers(module: nn.Module) -> None:
    """Make the parameters of a module buffers: a part of its state that no trainer changes.

    >>> linear = nn.Linear(2, 1)
    >>> as_buffers(linear)
    >>> list(linear.parameters()), sorted(linear.state_dict())
    ([], ['bias', 'weight'])
    """
    for name, value in list(module.named_parameters(recurse=False)):
        delattr(module, name)
        module.register_buffer(name, value.detach())


def as_tensor(array: Any, dtype: type[np.floating[Any]]) -> torch.Tensor:
    """A tensor of these numbers; it shares the array's memory if type and layout allow it.

    >>> as_tensor(np.array([1.0, 2.0]), np.float32)
    tensor([1., 2.])
    """
    shareable = (
        isinstance(array, np.ndarray)
        and array.dtype == dtype
        and array.flags.c_contiguous
        and array.flags.writeable
    )
    if not shareable:
        array = np.array(array, dtype=dtype, order="C")
    return torch.from_numpy(array)


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch's random numbers within the block; restore its global state afterwards.

    The random numbers are those of the CPU, and of ``device`` if it is a GPU.

    >>> with seeded(1):
    ...     first = torch.rand(2)
    >>> with seeded(1):
    ...     second = torch.rand(2)
    >>> bool((first == second).all())
    True
    """
    gpus = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            torch.cuda.default_generators[gpu.index or 0].manual_seed(seed)
        yield


def torch_seed(seed: int | None, purpose: str) -> int:
    """A seed for torch from the random stream of a purpose; from fresh entropy if seed is None.

    >>> torch_seed(1, "init") == torch_seed(1, "init")
    True
    """
    rng = generator(None) if seed is None else stream(seed, purpose)
    return int(rng.integers(2**63))
