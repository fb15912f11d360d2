"""What a training captures of a model from time to time: arrays of a few events, thinned out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from qgen_core import Batch
from qgen_core.errors import BadOption, CheckpointError
from qgen_core.interfaces import Stateful
from qgen_core.typing import Array

#: The first events of the first batch are those that are followed.
EVENTS = 8
#: The most captures that are kept. With one more, every second one is dropped.
MOST = 64
#: What is kept besides the captures themselves.
KEPT = ("x", "condition")


class Captures(Stateful):
    """Arrays of the same few events, at every n-th step of a training.

    The events are the first 8 of the first batch. There are at most 64 captures: when one more is
    due, every second one is dropped and n is doubled, so that they cover the whole training.

    Args:
        every: the first n.

    Raises BadOption for less than 1.

    >>> captures = Captures(every=1)
    >>> for value in range(65):
    ...     captures.step(Batch(np.ones((10, 2))), lambda batch: {"means": batch.x.mean() * value})
    >>> captures.found()["steps"][[0, 1, -1]], captures.found()["x"].shape
    (array([ 0,  2, 64]), (8, 2))
    """

    def __init__(self, every: int) -> None:
        if every < 1:
            raise BadOption(f"capture_every is a number of steps, at least 1, not {every}")
        self._numbers = np.array([0, every])  # steps so far, and n
        self._arrays: dict[str, Array] = {"steps": np.empty(0, dtype=np.int64)}

    def step(self, batch: Batch, capture: Callable[[Batch], Mapping[str, Array]]) -> None:
        """Count a step, with its batch, and capture if it is time to."""
        assert batch.x is not None
        if "x" not in self._arrays:
            self._arrays["x"] = np.array(batch.x[:EVENTS])
            if batch.condition is not None:
                self._arrays["condition"] = np.array(batch.condition[:EVENTS])
        step, every = self._numbers
        self._numbers[0] += 1
        if step % every:
            return
        if len(self._arrays["steps"]) == MOST:
            self._thin_out()
            if step % self._numbers[1]:
                return
        followed = Batch(x=self._arrays["x"], condition=self._arrays.get("condition"))
        self._append("steps", step)
        for name, value in capture(followed).items():
            self._append(name, value)

    def found(self) -> dict[str, Array]:
        """The events ``x`` with their ``condition``, and by name the captures (K, ...)."""
        return dict(self._arrays)

    def state(self) -> dict[str, Array]:
        """Copies of the arrays, and how many steps there were."""
        copies = {name: value.copy() for name, value in self._arrays.items()}
        return {"numbers": self._numbers.copy(), **copies}

    def load(self, state: Mapping[str, Array]) -> None:
        lengths = {len(value) for name, value in state.items() if name not in ("numbers", *KEPT)}
        if not {"numbers", "steps"} <= state.keys() or len(lengths) != 1:
            raise CheckpointError(f"these are not captures: arrays {sorted(state)}")
        if state["numbers"].shape != (2,) or state["steps"].ndim != 1:
            raise CheckpointError("these are not captures: numbers are (2,), steps (K,)")
        self._arrays = {name: np.array(value) for name, value in state.items()}
        self._numbers = self._arrays.pop("numbers")

    def _append(self, name: str, value: object) -> None:
        new = np.asarray(value)[None]
        if name in self._arrays:
            new = np.concatenate([self._arrays[name], new])
        self._arrays[name] = new

    def _thin_out(self) -> None:
        """Drop every second capture, and capture half as often."""
        self._numbers[1] *= 2
        for name, value in self._arrays.items():
            if name not in KEPT:
                self._arrays[name] = value[::2]
