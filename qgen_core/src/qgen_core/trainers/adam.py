"""Adam: gradient descent with running means of the gradient and of its square."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from qgen_core.errors import BadOption, CheckpointError
from qgen_core.interfaces import Problem, Trainer
from qgen_core.trainers.schedules import Schedule, factor
from qgen_core.typing import Array


class Adam(Trainer):
    """Adam as in Kingma and Ba (1412.6980, algorithm 1).

    At step t (from 1): ``m = beta1 m + (1 - beta1) g``, ``v = beta2 v + (1 - beta2) g^2`` and
    ``theta -= learning_rate m^ / (sqrt(v^) + epsilon)`` with ``m^ = m / (1 - beta1^t)`` and
    ``v^ = v / (1 - beta2^t)``. The defaults are torch's but for the learning rate; PennyLane's
    optimiser is ``beta2=0.99``, up to ``epsilon``, which it adds before ``v`` is corrected.

    ``schedule`` lowers the learning rate over ``steps``. A training that starts at step 0
    forgets what an earlier one left behind.
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
    ) -> None:
        super().__init__(steps=steps, batch_size=batch_size, keep_best=keep_best, patience=patience)
        if learning_rate <= 0 or epsilon <= 0:
            raise BadOption(
                f"adam needs a learning_rate and an epsilon above 0, not {learning_rate} and "
                f"{epsilon}"
            )
        if not (0 <= beta1 < 1 and 0 <= beta2 < 1):
            raise BadOption(
                f"adam needs beta1 and beta2 from 0 to below 1, not {beta1} and {beta2}"
            )
        self.learning_rate, self.epsilon = learning_rate, epsilon
        self.beta1, self.beta2 = beta1, beta2
        self.schedule: Schedule = schedule
        self._first: dict[str, Array] = {}
        self._second: dict[str, Array] = {}
        self._loaded = False

    def step(self, problem: Problem) -> float:
        """Move once along the gradient; the loss before the move."""
        value, gradient = problem.value_and_gradient()
        parameters = problem.generator.parameters()
        if problem.step == 0:
            self._first = {name: np.zeros(array.shape) for name, array in parameters.items()}
            self._second = {name: np.zeros(array.shape) for name, array in parameters.items()}
        elif self._loaded:
            self._check_fit(parameters)
        self._loaded = False
        rate = self.learning_rate * factor(self.schedule, problem.step, problem.total)
        rate /= 1 - self.beta1 ** (problem.step + 1)
        scale = 1 / math.sqrt(1 - self.beta2 ** (problem.step + 1))
        for name, g in gradient.items():
            m, v, live = self._first[name], self._second[name], parameters[name]
            m *= self.beta1
            m += (1 - self.beta1) * g
            v *= self.beta2
            v += (1 - self.beta2) * (g * g)
            live -= rate * m / (scale * np.sqrt(v) + self.epsilon)
        return value

    def state(self) -> dict[str, Array]:
        """Both running means, by parameter."""
        first = {f"first/{name}": m.copy() for name, m in self._first.items()}
        return first | {f"second/{name}": v.copy() for name, v in self._second.items()}

    def load(self, state: Mapping[str, Array]) -> None:
        """Take both running means; whether they fit the parameters is seen at the next step."""
        means: dict[str, dict[str, Array]] = {"first": {}, "second": {}}
        for name, array in state.items():
            which, _, rest = name.partition("/")
            if which not in means or array.dtype.kind != "f":
                raise CheckpointError(f"adam has no state {name!r} of type {array.dtype}")
            means[which][rest] = np.array(array, dtype=np.float64)
        self._first, self._second = means["first"], means["second"]
        self._loaded = True

    def _check_fit(self, parameters: Mapping[str, Array]) -> None:
        shapes = {name: array.shape for name, array in parameters.items()}
        for means in (self._first, self._second):
            found = {name: array.shape for name, array in means.items()}
            if found != shapes:
                raise CheckpointError(
                    f"the checkpoint of adam is for parameters {found}, the generator has {shapes}"
                )
