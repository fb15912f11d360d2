"""``Circuit.bind`` in torch: ``angle = scale * (parameter or input) + offset``."""

from __future__ import annotations

import numpy as np
import torch

from qgen_core import Circuit
from qgen_core.typing import Array

Tensor = torch.Tensor


class Binding:
    """The affine map from parameters and inputs to a circuit's angles, differentiable in torch.

    Columns of the angle array are split in two: ``row_columns`` take inputs and differ from row to
    row, ``shared_columns`` (parameters and constants) are equal in all rows.

    >>> from qgen_core import Gate, given, param
    >>> gates = (Gate("rx", (0,), param(0, 2.0)), Gate("ry", (0,), given(0, 1.0, 0.5)))
    >>> binding = Binding(Circuit(1, gates))
    >>> binding.angles(torch.tensor([3.0]), torch.tensor([[1.0], [2.0]]))
    tensor([[6.0000, 1.5000],
            [6.0000, 2.5000]])
    """

    def __init__(self, circuit: Circuit) -> None:
        angles = circuit.angles
        self._scale = np.array([angle.scale for angle in angles])
        self._offset = np.array([angle.offset for angle in angles])
        self._index = np.array([angle.index for angle in angles], dtype=np.int64)
        source = np.array([angle.source for angle in angles], dtype="U5")
        self.row_columns = np.flatnonzero(source == "input")
        self.shared_columns = np.flatnonzero(source != "input")
        # Constants read a zero that is appended to the parameters.
        place = np.where(source == "param", self._index, circuit.num_params)
        self._place = place[self.shared_columns]
        self._order = np.argsort(np.concatenate([self.shared_columns, self.row_columns]))
        self._cache: dict[tuple[torch.device, torch.dtype], tuple[Tensor, ...]] = {}

    def columns(self, params: Tensor | None, inputs: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Shared angles (1, S) and those of each row (B, A - S); the latter None without inputs.

        ``params`` is (P,), ``inputs`` (B, I), of equal dtype and device.
        """
        reference = params
        if reference is None:
            reference = inputs
        assert reference is not None, "a circuit without parameters and inputs has constant angles"
        place, shared_scale, shared_offset, index, row_scale, row_offset, _ = self._tensors(
            reference
        )
        sources = reference.new_zeros(1)
        if params is not None:
            sources = torch.cat([params, sources])
        shared = torch.addcmul(shared_offset, sources.index_select(0, place), shared_scale)[None]
        if inputs is None:
            return shared, None
        return shared, torch.addcmul(row_offset, inputs.index_select(1, index), row_scale)

    def angles(self, params: Tensor | None, inputs: Tensor | None) -> Tensor:
        """All angles (B, A) in the order of the circuit, differentiable."""
        shared, rows = self.columns(params, inputs)
        if rows is None:
            return shared
        both = torch.cat([shared.expand(len(rows), -1), rows], dim=1)
        return both.index_select(1, self._tensors(both)[-1])

    def _tensors(self, reference: Tensor) -> tuple[Tensor, ...]:
        """Places, scales, offsets and the order as tensors like this one, converted once."""
        key = (reference.device, reference.dtype)
        if key not in self._cache:
            shared = self.shared_columns
            rows = self.row_columns
            arrays: list[Array] = [self._place, self._scale[shared], self._offset[shared]]
            arrays += [self._index[rows], self._scale[rows], self._offset[rows], self._order]
            tensors = []
            for array in arrays:
                dtype = reference.dtype if array.dtype.kind == "f" else torch.int64
                tensors.append(torch.from_numpy(array).to(reference.device, dtype))
            self._cache[key] = tuple(tensors)
        return self._cache[key]
