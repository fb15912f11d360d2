"""The exponential moving average of parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.support.parameters import load_into
from qgen_core.typing import Array


class MovingAverage:
    """``a_1 = theta_1``, then ``a_k = decay a_(k-1) + (1 - decay) theta_k``, as AveragedModel.

    Args:
        decay: between 0 and 1.
        live: the arrays theta to average. They are read at each update and written by
            :meth:`swap_in` and :meth:`swap_out`.

    >>> theta = np.array([1.0])
    >>> average = MovingAverage(0.75, {"theta": theta})
    >>> average.update()
    >>> theta[:] = 5.0
    >>> average.update()
    >>> average.swap_in()
    >>> theta
    array([2.])
    >>> average.swap_out()
    >>> theta
    array([5.])
    """

    def __init__(self, decay: float, live: Mapping[str, Array]) -> None:
        self.decay = decay
        self._live = live
        self._mean: dict[str, Array] = {}
        #: The parameters themselves while the average is swapped in, otherwise empty.
        self._raw: dict[str, Array] = {}

    def update(self) -> None:
        """Include the current parameters in the average."""
        if not self._mean:
            self._mean = self._copy_of_live()
            return
        for name, array in self._live.items():
            mean = self._mean[name]
            mean *= self.decay
            mean += (1 - self.decay) * array

    def swap_in(self) -> None:
        """Save the parameters and overwrite them with the average.

        Does nothing if the average is in place already, or if there is none yet.
        """
        if self._raw or not self._mean:
            return
        self._raw = self._copy_of_live()
        self._write(self._mean)

    def swap_out(self) -> None:
        """Restore the parameters that :meth:`swap_in` saved, if it did."""
        if self._raw:
            self._write(self._raw)
        self._raw = {}

    def _copy_of_live(self) -> dict[str, Array]:
        return {name: array.copy() for name, array in self._live.items()}

    def _write(self, arrays: Mapping[str, Array]) -> None:
        for name, array in self._live.items():
            array[...] = arrays[name]

    def state(self) -> dict[str, Array]:
        """Copies of the average (``mean/NAME``) and of the saved parameters (``raw/NAME``)."""
        found: dict[str, Array] = {}
        for part, arrays in (("mean", self._mean), ("raw", self._raw)):
            for name, array in arrays.items():
                found[f"{part}/{name}"] = array.copy()
        return found

    def load(self, owner: str, state: Mapping[str, Array]) -> None:
        """Restore what :meth:`state` returned. Raises CheckpointError if it does not fit."""
        saved_parts = {name.partition("/")[0] for name in state}
        arrays: dict[str, Array] = {}
        for part in saved_parts:
            for name, array in self._live.items():
                arrays[f"{part}/{name}"] = np.zeros_like(array)
        load_into(owner, arrays, state)
        self._mean = {}
        self._raw = {}
        if "mean" in saved_parts:
            self._mean = {name: arrays[f"mean/{name}"] for name in self._live}
        if "raw" in saved_parts:
            self._raw = {name: arrays[f"raw/{name}"] for name in self._live}
