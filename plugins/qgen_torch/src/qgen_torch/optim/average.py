"""The exponential moving average of parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.support.parameters import load_into
from qgen_core.typing import Array


class Average:
    """``a_1 = theta_1``, then ``a_k = decay a_(k-1) + (1 - decay) theta_k``, as torch's AveragedModel."""

    def __init__(self, decay: float, live: Mapping[str, Array]) -> None:
        self.decay = decay
        self._live = live
        self._mean: dict[str, Array] = {}
        self._raw: dict[str, Array] = {}

    def update(self) -> None:
        """Take in the parameters after a step."""
        if not self._mean:
            self._mean = {name: array.copy() for name, array in self._live.items()}
            return
        for name, array in self._live.items():
            mean = self._mean[name]
            mean *= self.decay
            mean += (1 - self.decay) * array

    def settle(self) -> None:
        """Put the average in the place of the parameters, which are kept; once."""
        if self._raw or not self._mean:
            return
        self._raw = {name: array.copy() for name, array in self._live.items()}
        self._write(self._mean)

    def unsettle(self) -> None:
        """Go on from the parameters themselves."""
        if self._raw:
            self._write(self._raw)
        self._raw = {}

    def _write(self, arrays: Mapping[str, Array]) -> None:
        for name, array in self._live.items():
            array[...] = arrays[name]

    def state(self) -> dict[str, Array]:
        """Copies of the average, and of the parameters where it stands in their place."""
        parts = {"mean": self._mean, "raw": self._raw}
        return {
            f"{part}/{name}": array.copy()
            for part, arrays in parts.items()
            for name, array in arrays.items()
        }

    def load(self, owner: str, state: Mapping[str, Array]) -> None:
        """Take back what :meth:`state` gave. Raises CheckpointError when it does not fit."""
        parts = {name.partition("/")[0] for name in state}
        empty = {
            f"{part}/{name}": np.zeros_like(array)
            for part in parts
            for name, array in self._live.items()
        }
        load_into(owner, empty, state)
        mean, raw = (
            {n: empty[f"{part}/{n}"] for n in self._live if part in parts}
            for part in ("mean", "raw")
        )
        self._mean, self._raw = mean, raw
