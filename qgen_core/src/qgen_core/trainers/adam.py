"""Adam: gradient descent with running means of the gradient and of its square."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import numpy as np

from qgen_core.errors import BadOption, CheckpointError
from qgen_core.interfaces import Problem, Selection, Trainer
from qgen_core.simulators.simd.threads import spread
from qgen_core.support.resources import usable_threads
from qgen_core.trainers.schedules import Schedule, factor
from qgen_core.typing import Array

#: From this number of entries on a parameter is updated by compiled code, in a fifth of the time;
#: for smaller ones numba is not loaded. Results are the same.
WORTH_COMPILING = 2**17
#: Entries of a parameter that are updated at once, so that what belongs to them stays in the cache.
PIECE = 2**13


class Adam(Trainer):
    """Adam as in Kingma and Ba (1412.6980, algorithm 1).

    At step t (from 1): ``m = beta1 m + (1 - beta1) g``, ``v = beta2 v + (1 - beta2) g^2`` and
    ``theta -= learning_rate m^ / (sqrt(v^) + epsilon)`` with ``m^ = m / (1 - beta1^t)`` and
    ``v^ = v / (1 - beta2^t)``. The defaults are torch's but for the learning rate; PennyLane's
    optimiser is ``beta2=0.99``, up to ``epsilon``, which it adds before ``v`` is corrected.

    ``schedule`` lowers the learning rate over ``steps``. A training that starts at step 0
    resets the running means of an earlier one.

    Raises BadOption for a learning rate, ``epsilon`` or decay rate outside its range.

    >>> from qgen_core.losses.mean import Mean
    >>> from qgen_core.testing.quadratic import Quadratic, events
    >>> model = Quadratic()  # its minimum is at (0.7, -0.4, 0.2), (-0.9)
    >>> history = Adam(learning_rate=0.1, steps=100).fit(model, events(), Mean(), seed=1)
    >>> model.parameters()["first"].round(2)
    array([ 0.7, -0.4,  0.2])
    """

    def __init__(
        self,
        *,
        learning_rate: float = 0.01,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        schedule: Schedule = "constant",
        steps: int = 300,
        batch_size: int | None = None,
        keep_best: bool = False,
        patience: int | None = None,
        select: Selection = None,
        validate_every: int | None = None,
    ) -> None:
        super().__init__(
            steps=steps,
            batch_size=batch_size,
            keep_best=keep_best,
            patience=patience,
            select=select,
            validate_every=validate_every,
        )
        if learning_rate <= 0 or epsilon <= 0:
            raise BadOption(
                f"adam needs a learning_rate and an epsilon above 0, not {learning_rate} and "
                f"{epsilon}"
            )
        if not (0 <= beta1 < 1 and 0 <= beta2 < 1):
            raise BadOption(
                f"adam needs beta1 and beta2 from 0 to below 1, not {beta1} and {beta2}"
            )
        self.learning_rate = learning_rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.schedule: Schedule = schedule
        self._first: dict[str, Array] = {}
        self._second: dict[str, Array] = {}
        self._loaded = False

    def step(self, problem: Problem) -> float:
        """Update the parameters once; returns the loss before the update."""
        value, gradient = problem.value_and_gradient()
        parameters = problem.generator.parameters()
        if problem.step == 0:
            self._first = _zeros(parameters)
            self._second = _zeros(parameters)
        elif self._loaded:
            self._check_shapes(parameters)
        self._loaded = False
        rate = self.learning_rate * factor(self.schedule, problem.step, problem.total)
        rate /= 1 - self.beta1 ** (problem.step + 1)
        scale = 1 / math.sqrt(1 - self.beta2 ** (problem.step + 1))
        for name, g in gradient.items():
            self._move(parameters[name], g, self._first[name], self._second[name], rate, scale)
        return value

    def _move(
        self, live: Array, gradient: Array, first: Array, second: Array, rate: float, scale: float
    ) -> None:
        """Update a parameter and both of its running means, a piece at a time."""
        in_order = live.flags.c_contiguous and gradient.flags.c_contiguous
        if in_order and live.size >= WORTH_COMPILING and live.dtype == np.float64:
            from qgen_core.trainers.adam_kernel import move

            flat = tuple(array.reshape(-1) for array in (live, gradient, first, second))
            numbers = (self.beta1, self.beta2, self.epsilon, rate, scale)
            spread(partial(move, flat, numbers), live.size, usable_threads())
            return
        is_small = live.ndim > 0 and live.size <= PIECE
        if in_order and is_small and live.dtype == gradient.dtype == np.float64:
            self._update(live, first, second, gradient, rate, scale)
            return
        pieces = np.nditer(
            [live, first, second, gradient],
            flags=["buffered", "external_loop", "zerosize_ok"],
            op_flags=[["readwrite"], ["readwrite"], ["readwrite"], ["readonly"]],
            op_dtypes=[live.dtype, first.dtype, second.dtype, np.float64],
            buffersize=PIECE,
        )
        with pieces:
            for p, m, v, g in pieces:
                self._update(p, m, v, g, rate, scale)

    def _update(self, p: Array, m: Array, v: Array, g: Array, rate: float, scale: float) -> None:
        """Update a piece of a parameter and its running means, in place."""
        m *= self.beta1
        change = g * (1 - self.beta1)
        m += change
        v *= self.beta2
        size = g * g
        size *= 1 - self.beta2
        v += size
        np.multiply(m, rate, out=change)
        np.sqrt(v, out=size)
        size *= scale
        size += self.epsilon
        change /= size
        p -= change

    def state(self) -> dict[str, Array]:
        """Both running means of each parameter, as ``first/NAME`` and ``second/NAME``."""
        state = {}
        for name, m in self._first.items():
            state[f"first/{name}"] = m.copy()
        for name, v in self._second.items():
            state[f"second/{name}"] = v.copy()
        return state

    def load(self, state: Mapping[str, Array]) -> None:
        """Restore both running means; their shapes are checked at the next step.

        Raises CheckpointError for arrays that are not running means of Adam.
        """
        means: dict[str, dict[str, Array]] = {"first": {}, "second": {}}
        for name, array in state.items():
            which, _, rest = name.partition("/")
            if which not in means or array.dtype.kind != "f":
                raise CheckpointError(f"adam has no state {name!r} of type {array.dtype}")
            means[which][rest] = np.array(array, dtype=np.float64, order="C")
        self._first = means["first"]
        self._second = means["second"]
        self._loaded = True

    def _check_shapes(self, parameters: Mapping[str, Array]) -> None:
        expected = _shapes(parameters)
        for means in (self._first, self._second):
            found = _shapes(means)
            if found != expected:
                raise CheckpointError(
                    f"the checkpoint of adam is for parameters {found}, the generator has "
                    f"{expected}; resume with the recipe that wrote it, or start the run anew"
                )


def _zeros(parameters: Mapping[str, Array]) -> dict[str, Array]:
    return {name: np.zeros(array.shape) for name, array in parameters.items()}


def _shapes(arrays: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in arrays.items()}
