"""The affine map of a circuit's angles, for layers: ``angle = scale * (parameter or input) + offset``."""

from __future__ import annotations

import numpy as np
import torch

from qgen_core import Circuit
from qgen_core.typing import Array

Tensor = torch.Tensor


class Binding:
    """Where each angle of a circuit comes from: ``Circuit.bind`` in torch, differentiable."""

    def __init__(self, circuit: Circuit) -> None:
        angles = circuit.angles
        self._scale = np.array([angle.scale for angle in angles])
        self._offset = np.array([angle.offset for angle in angles])
        self._index = np.array([angle.index for angle in angles], dtype=np.int64)
        source = np.array([angle.source for angle in angles], dtype="U5")
        #: Columns of the angles that inputs enter: only these differ from row to row.
        self.own = np.flatnonzero(source == "input")
        #: The other columns.
        self.shared = np.flatnonzero(source != "input")
        # A constant takes the place behind the last parameter, where there is a zero.
        self._place = np.where(source == "param", self._index, circuit.num_params)[self.shared]
        self._order = np.argsort(np.concatenate([self.shared, self.own]))
        self._held: dict[tuple[torch.device, torch.dtype], tuple[Tensor, ...]] = {}

    def columns(self, params: Tensor | None, inputs: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Angles that all rows share (1, S) and those of each row (B, A - S), differentiable; None without inputs.

        ``params`` is (P,), ``inputs`` (B, I), both of one type and device.
        """
        like = params if params is not None else inputs
        assert like is not None, "a circuit without parameters and inputs has constant angles"
        place, shared_scale, shared_offset, index, own_scale, own_offset, _ = self._tensors(like)
        zero = like.new_zeros(1)
        known = zero if params is None else torch.cat([params, zero])
        shared = torch.addcmul(shared_offset, known.index_select(0, place), shared_scale)[None]
        if inputs is None:
            return shared, None
        return shared, torch.addcmul(own_offset, inputs.index_select(1, index), own_scale)

    def angles(self, params: Tensor | None, inputs: Tensor | None) -> Tensor:
        """All angles (B, A), in the order of the circuit, differentiable."""
        shared, own = self.columns(params, inputs)
        if own is None:
            return shared
        both = torch.cat([shared.expand(len(own), -1), own], dim=1)
        return both.index_select(1, self._tensors(both)[-1])

    def _tensors(self, like: Tensor) -> tuple[Tensor, ...]:
        key = (like.device, like.dtype)
        if key not in self._held:
            shared, own = self.shared, self.own
            arrays: list[Array] = [self._place, self._scale[shared], self._offset[shared]]
            arrays += [self._index[own], self._scale[own], self._offset[own], self._order]
            self._held[key] = tuple(
                torch.from_numpy(a).to(
                    like.device, like.dtype if a.dtype.kind == "f" else torch.int64
                )
                for a in arrays
            )
        return self._held[key]
