"""Gradient descent with momentum in a few lines, and broken variants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qgen_core.errors import CheckpointError
from qgen_core.interfaces import Problem, Trainer

Array = np.ndarray[Any, Any]


class Momentum(Trainer):
    """velocity = 0.8 velocity - rate gradient; theta += velocity."""

    rate = 0.1

    def __init__(self, steps: int) -> None:
        super().__init__(steps=steps)
        self.velocity: dict[str, Array] = {}

    def step(self, problem: Problem) -> float:
        value, gradient = problem.value_and_gradient()
        if problem.step == 0:
            self.velocity = {name: np.zeros_like(g) for name, g in gradient.items()}
        for name, live in problem.generator.parameters().items():
            self.velocity[name] = 0.8 * self.velocity[name] - self.rate * (
                gradient[name] + self.noise(problem)
            )
            live += self.velocity[name]
        return value

    def noise(self, problem: Problem) -> float:
        return 0.0

    def state(self) -> dict[str, Array]:
        return {name: v.copy() for name, v in self.velocity.items()}

    def load(self, state: Mapping[str, Array]) -> None:
        if set(state) - {"first", "second"}:
            raise CheckpointError(f"momentum has no state {sorted(state)}")
        self.velocity = {name: np.array(v) for name, v in state.items()}


class Uphill(Momentum):
    rate = -0.01


class TwiceTheSteps(Momentum):
    def __init__(self, steps: int) -> None:
        super().__init__(2 * steps)


class NewArrays(Momentum):
    """Rebinds the model's arrays instead of writing into them."""

    def step(self, problem: Problem) -> float:
        value = super().step(problem)
        model: Any = problem.generator
        model.first, model.second = model.first.copy(), model.second.copy()
        return value


class DrawsGlobally(Momentum):
    def noise(self, problem: Problem) -> float:
        return 1e-3 * float(np.random.standard_normal())


class Unseeded(Momentum):
    def noise(self, problem: Problem) -> float:
        return 1e-3 * float(np.random.default_rng().normal())


class KeepsVelocity(Momentum):
    """Begins a second training with the velocity of the first."""

    def step(self, problem: Problem) -> float:
        before = dict(self.velocity)
        if problem.step == 0 and before:
            value, gradient = problem.value_and_gradient()
            for name, live in problem.generator.parameters().items():
                live += before[name] - self.rate * gradient[name]
            return value
        return super().step(problem)


class ForgetsVelocity(Momentum):
    def state(self) -> dict[str, Array]:
        return {}

    def step(self, problem: Problem) -> float:
        if not self.velocity:
            self.velocity = {
                name: np.zeros_like(v) for name, v in problem.generator.parameters().items()
            }
        return super().step(problem)


class StreamOfItsOwn(Momentum):
    """A generator that lives on between steps: a resumed run begins it anew."""

    def __init__(self, steps: int) -> None:
        super().__init__(steps)
        self.rng = np.random.default_rng(0)

    def noise(self, problem: Problem) -> float:
        if problem.step == 0:
            self.rng = np.random.default_rng(problem.seed)
        return 1e-3 * float(self.rng.normal())


class StateOfText(Momentum):
    def state(self) -> Any:
        return {**super().state(), "kind": "momentum"}


class LoadsNothing(Momentum):
    def load(self, state: Mapping[str, Array]) -> None:
        self.velocity = {}


class StopsInSilence(Momentum):
    """Ends early without a reason."""

    def step(self, problem: Problem) -> float:
        value = super().step(problem)
        if problem.step == 3:
            problem.exhausted = lambda: True  # type: ignore[attr-defined]
        return value
