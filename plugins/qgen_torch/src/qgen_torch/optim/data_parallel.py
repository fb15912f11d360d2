"""Data parallelism: a batch is split into shares, which torchrun's processes work on."""

from __future__ import annotations

import atexit
import hashlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from qgen_core.errors import BadOption, CheckpointError, Interrupted, OutputMismatch
from qgen_core.events import Batch
from qgen_core.typing import Array


def split_batch(batch: Batch, shares: int) -> list[tuple[Batch, float]]:
    """Split a batch into ``shares`` blocks of consecutive rows, each with its weight.

    Rows are events, or the conditions of a table. The weight of a block is the sum of its events'
    weights over that of the batch, so the weights sum to 1. Raises OutputMismatch if there are
    fewer rows than shares.

    >>> first, second = split_batch(Batch(np.arange(5.0)[:, None]), 2)
    >>> first[0].x.ravel().tolist(), first[1]
    ([0.0, 1.0], 0.4)
    >>> second[0].x.ravel().tolist(), second[1]
    ([2.0, 3.0, 4.0], 0.6)
    """
    rows = 0
    if batch.x is not None:
        rows = len(batch.x)
    elif batch.target is not None:
        rows = len(batch.target)
    if rows < shares:
        raise OutputMismatch(
            f"a batch of {rows} rows cannot be split into {shares} shares; set fewer shares"
        )
    weight = batch.weight
    if weight is None:
        weight = np.ones(rows)
    total = float(weight.sum())
    found = []
    for share in range(shares):
        part = slice(rows * share // shares, rows * (share + 1) // shares)
        block = Batch(
            _rows(batch.x, part),
            _rows(batch.condition, part),
            _rows(batch.weight, part),
            _rows(batch.target, part),
            batch.step,
            batch.total,
            words=batch.words,
        )
        found.append((block, float(weight[part].sum()) / total))
    return found


def _rows(array: Array | None, part: slice) -> Array | None:
    if array is None:
        return None
    return array[part]


class ProcessGroup:
    """The processes that share a training: one, unless torchrun started several.

    Each process takes an equal number of shares, ``own_shares``. Raises BadOption if ``shares`` is
    not a multiple of the number of processes.

    >>> alone = ProcessGroup(shares=3)
    >>> alone.size, alone.own_shares
    (1, range(0, 3))
    """

    def __init__(self, shares: int) -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        if shares % self.size:
            raise BadOption(
                f"trainer 'torch' divides the shares of a batch between {self.size} processes, so "
                f"shares must be a multiple of {self.size}, not {shares}"
            )
        if self.size > 1 and not dist.is_initialized():
            # Initialised once and left open: a store does not serve a second group.
            dist.init_process_group("gloo")
            atexit.register(dist.destroy_process_group)
        per_process = shares // self.size
        #: The shares of this process.
        self.own_shares = range(self.rank * per_process, (self.rank + 1) * per_process)

    def sum(self, value: float, arrays: Mapping[str, Array]) -> tuple[float, dict[str, Array]]:
        """Sum a number and named arrays over all processes, with one message for each dtype.

        Raises Interrupted if another process has ended.
        """
        if self.size == 1:
            return value, dict(arrays)
        total = torch.tensor([value], dtype=torch.float64)
        self._reduce(total, dist.ReduceOp.SUM)
        found = dict(arrays)
        dtypes = {array.dtype for array in arrays.values()}
        for dtype in sorted(dtypes, key=str):
            names = [name for name, array in arrays.items() if array.dtype == dtype]
            flat = torch.from_numpy(np.concatenate([np.ravel(arrays[name]) for name in names]))
            self._reduce(flat, dist.ReduceOp.SUM)
            ends = np.cumsum([arrays[name].size for name in names])
            parts = np.split(flat.numpy(), ends[:-1])
            for name, part in zip(names, parts, strict=True):
                found[name] = part.reshape(arrays[name].shape)
        return float(total), found

    def check_consistent(self, step: int, arrays: Mapping[str, Array]) -> None:
        """Raise CheckpointError unless all processes are at the same step with equal arrays."""
        if self.size == 1:
            return
        digest = hashlib.sha256(str(step).encode())
        for array in arrays.values():
            digest.update(np.ascontiguousarray(array).data)
        mark = int.from_bytes(digest.digest()[:7], "big")
        # The maxima of mark and -mark are opposite only if all processes have the same mark.
        extremes = torch.tensor([mark, -mark], dtype=torch.int64)
        self._reduce(extremes, dist.ReduceOp.MAX)
        if int(extremes[0]) != -int(extremes[1]):
            raise CheckpointError(
                "the processes of this training start from different parameters or steps; "
                "check that all of them read the same run folder"
            )

    def _reduce(self, tensor: torch.Tensor, operation: Any) -> None:
        """Reduce over all processes, in place. Raises Interrupted if one has ended."""
        try:
            dist.all_reduce(tensor, op=operation)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise Interrupted(
                f"another process of this training has ended ({reason}); continue with --resume"
            ) from error
