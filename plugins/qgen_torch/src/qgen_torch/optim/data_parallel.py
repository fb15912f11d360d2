"""Batches cut into shares, and the processes that torchrun starts to work on them."""

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


def cut(batch: Batch, shares: int) -> list[tuple[Batch, float]]:
    """The batch in ``shares`` parts of rows that follow each other, and what each part weighs; 1 in all.

    Rows are events, or the conditions of a table. Raises OutputMismatch for fewer rows than shares.
    """
    leading = batch.target if batch.x is None else batch.x
    rows = 0 if leading is None else len(leading)
    if rows < shares:
        raise OutputMismatch(
            f"a batch of {rows} rows cannot be cut into {shares} shares; take fewer"
        )
    weight = np.ones(rows) if batch.weight is None else batch.weight
    total = float(weight.sum())
    found = []
    for share in range(shares):
        part = slice(rows * share // shares, rows * (share + 1) // shares)
        x, condition, own, target = (
            None if array is None else array[part]
            for array in (batch.x, batch.condition, batch.weight, batch.target)
        )
        found.append(
            (
                Batch(x, condition, own, target, batch.step, batch.total),
                float(weight[part].sum()) / total,
            )
        )
    return found


class Processes:
    """The processes that share a training; one alone unless torchrun started several.

    Raises BadOption when they cannot share ``shares`` parts of a batch evenly.
    """

    def __init__(self, shares: int) -> None:
        self.number = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        if shares % self.number:
            raise BadOption(
                f"trainer 'torch' shares a batch between {self.number} processes, so its shares are a multiple of "
                f"{self.number}, not {shares}"
            )
        if self.number > 1 and not dist.is_initialized():
            dist.init_process_group("gloo")  # once: a store does not serve a second group
            atexit.register(dist.destroy_process_group)
        each = shares // self.number
        #: The shares of this process.
        self.own = range(self.rank * each, (self.rank + 1) * each)

    def sum(self, value: float, arrays: Mapping[str, Array]) -> tuple[float, dict[str, Array]]:
        """The sums of a number and of arrays over all processes, in one message for each type of number."""
        if self.number == 1:
            return value, dict(arrays)
        total = torch.tensor([value], dtype=torch.float64)
        self._reduce(total, dist.ReduceOp.SUM)
        found = dict(arrays)
        for kind in sorted({array.dtype for array in arrays.values()}, key=str):
            names = [name for name, array in arrays.items() if array.dtype == kind]
            flat = torch.from_numpy(np.concatenate([np.ravel(arrays[name]) for name in names]))
            self._reduce(flat, dist.ReduceOp.SUM)
            ends = np.cumsum([arrays[name].size for name in names])
            parts = np.split(flat.numpy(), ends[:-1])
            found |= {
                name: part.reshape(arrays[name].shape)
                for name, part in zip(names, parts, strict=True)
            }
        return float(total), found

    def check_alike(self, step: int, arrays: Mapping[str, Array]) -> None:
        """Raise CheckpointError unless all processes are at the same step with the same arrays."""
        if self.number == 1:
            return
        digest = hashlib.sha256(str(step).encode())
        for array in arrays.values():
            digest.update(np.ascontiguousarray(array).data)
        mark = int.from_bytes(digest.digest()[:7], "big")
        ends = torch.tensor([mark, -mark], dtype=torch.int64)
        self._reduce(ends, dist.ReduceOp.MAX)
        if int(ends[0]) != -int(ends[1]):
            raise CheckpointError(
                "the processes of this training start from different parameters or steps"
            )

    def _reduce(self, tensor: torch.Tensor, how: Any) -> None:
        """The sum or the greatest over all processes, in place. Raises Interrupted when one is gone."""
        try:
            dist.all_reduce(tensor, op=how)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise Interrupted(
                f"another process of this training has ended ({reason}); go on with --resume"
            ) from error
