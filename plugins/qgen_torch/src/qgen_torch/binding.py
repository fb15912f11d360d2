"""The affine map of a circuit's angles in torch: ``angle = scale * (parameter or input) + offset``."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qgen_core import Circuit

Floats = NDArray[np.float64]
Tensor = torch.Tensor


class Binding:
    """Where each angle of a circuit comes from.

    The same map as ``Circuit.bind`` and ``Circuit.pullback``: in torch, for engines that stay
    there, and summed over the batch at once, for parameters that serve every row of it.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.num_params, self.num_inputs = circuit.num_params, circuit.num_inputs
        angles = circuit.angles
        self.scale = np.array([angle.scale for angle in angles])
        self.offset = np.array([angle.offset for angle in angles])
        index = np.array([angle.index for angle in angles], dtype=np.int64)
        source = np.array([angle.source for angle in angles], dtype="U5")
        #: Columns of the angles that inputs enter: only these differ from row to row.
        self.own = np.flatnonzero(source == "input")
        #: The other columns.
        self.shared = np.flatnonzero(source != "input")
        self._param_at = np.flatnonzero(source == "param")
        self._param_index = index[self._param_at]
        self._input_index = index[self.own]
        # A constant takes the place behind the last parameter, where there is a zero.
        self._place = np.where(source == "param", index, circuit.num_params)[self.shared]
        self._spread = np.zeros((len(self.own), circuit.num_inputs))
        self._spread[np.arange(len(self.own)), self._input_index] = self.scale[self.own]
        self._held: dict[tuple[torch.device, torch.dtype], tuple[Tensor, ...]] = {}

    def columns(self, params: Tensor | None, inputs: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Angles that all rows share (1, S) and those of each row (B, A - S), differentiable; None without inputs.

        ``params`` is (P,), ``inputs`` (B, I), both of one type and device.
        """
        like = params if params is not None else inputs
        assert like is not None, "a circuit without parameters and inputs has constant angles"
        place, shared_scale, shared_offset, index, own_scale, own_offset = self._tensors(like)
        zero = like.new_zeros(1)
        known = zero if params is None else torch.cat([params, zero])
        shared = torch.addcmul(shared_offset, known[place], shared_scale)[None]
        if inputs is None:
            return shared, None
        return shared, torch.addcmul(own_offset, inputs.index_select(1, index), own_scale)

    def angles(self, params: Tensor | None, inputs: Tensor | None) -> Tensor:
        """All angles (B, A), in the order of the circuit."""
        shared, own = self.columns(params, inputs)
        if own is None:
            return shared
        order = np.argsort(np.concatenate([self.shared, self.own]))
        both = torch.cat([shared.expand(len(own), -1), own], dim=1)
        return both.index_select(1, torch.from_numpy(order).to(both.device))

    def gradients(self, d_angles: Floats) -> tuple[Floats, Floats]:
        """From d loss / d angles (B, A) to d loss / d params (P,), summed over the batch, and d inputs (B, I)."""
        d_params = np.zeros(self.num_params)
        np.add.at(d_params, self._param_index, (d_angles.sum(axis=0) * self.scale)[self._param_at])
        return d_params, d_angles[:, self.own] @ self._spread

    def _tensors(self, like: Tensor) -> tuple[Tensor, ...]:
        key = (like.device, like.dtype)
        if key not in self._held:
            arrays: list[NDArray[Any]] = [self._place, self.scale[self.shared], self.offset[self.shared]]
            arrays += [self._input_index, self.scale[self.own], self.offset[self.own]]
            self._held[key] = tuple(
                torch.from_numpy(a).to(like.device, like.dtype if a.dtype.kind == "f" else torch.int64) for a in arrays
            )
        return self._held[key]
