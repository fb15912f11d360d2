"""A quadratic problem that every trainer must solve."""

from __future__ import annotations

import numpy as np

from qgen_core.circuits.circuit import Circuit, Gate, Label, param
from qgen_core.errors import NoGradient
from qgen_core.events import Batch, Events, Space
from qgen_core.interfaces import Generator
from qgen_core.typing import Array, Floats, Pullback, Rng

#: Second derivative along each of the four parameters.
STEEPNESS = np.array([1.0, 0.5, 2.0, 1.5])
#: Position of the minimum.
BOTTOM = np.array([0.7, -0.4, 0.2, -0.9])


class Quadratic(Generator):
    """A model with the objective ``sum_j k_j (theta_j - x_j)^2 / 2`` of an event x (4,).

    Its four parameters are two arrays, (3,) and (1, 1). ``circuit`` labels the four entries, for
    trainers that sweep the layers of a circuit; it is never run.

    >>> model = Quadratic()
    >>> value, pullback = model.forward("objective", Batch(np.ones((1, 4))), rng=None)
    >>> value.tolist(), pullback(np.ones(1))["first"].tolist()
    ([2.5], [-1.0, -0.5, -2.0])
    """

    outputs = frozenset({"objective"})

    def __init__(self) -> None:
        self.space = Space("reals", 4)
        self.first = np.zeros(3)
        self.second = np.zeros((1, 1))
        gates: list[Gate] = []
        labels: list[Label] = []
        for layer in range(2):
            for wire in range(2):
                gates.append(Gate("ry", (wire,), param(len(gates))))
                labels.append(Label(layer, wire, 0))
        self.circuit = Circuit(2, tuple(gates), tuple(labels))

    def parameters(self) -> dict[str, Array]:
        return {"first": self.first, "second": self.second}

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """Normally distributed events (n, 4) around theta, with variance 1 / k_j."""
        return np.asarray(self._theta() + rng.normal(size=(n, 4)) / np.sqrt(STEEPNESS))

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        """The objective (N,) and its pullback. Raises NoGradient for another output."""
        if output != "objective" or batch.x is None:
            raise NoGradient(f"the quadratic problem offers objective, not {output!r}")
        away = self._theta() - batch.x

        def pullback(cotangent: Array) -> dict[str, Array]:
            slope = STEEPNESS * (cotangent @ away)
            return {"first": slope[:3], "second": slope[3:].reshape(1, 1)}

        return 0.5 * np.sum(STEEPNESS * away**2, axis=1), pullback

    def excess(self) -> float:
        """How much the objective, averaged over :func:`events`, exceeds its minimum."""
        return float(0.5 * np.sum(STEEPNESS * (self._theta() - BOTTOM) ** 2))

    def _theta(self) -> Floats:
        return np.concatenate([self.first, self.second.ravel()])


def events() -> Events:
    """Twelve events in pairs around the minimum, which is therefore their mean.

    >>> events().x.mean(axis=0).round(6).tolist()
    [0.7, -0.4, 0.2, -0.9]
    """
    away = np.random.default_rng(81).normal(0.0, 0.3, (6, 4))
    return Events(BOTTOM + np.concatenate([away, -away]))
