"""A problem that every trainer must solve.

A bowl with one least place, in a model that needs nothing.
"""

from __future__ import annotations

import numpy as np

from qgen_core.circuits.circuit import Circuit, Gate, Label, param
from qgen_core.errors import NoGradient
from qgen_core.events import Batch, Events, Space
from qgen_core.interfaces import Generator
from qgen_core.typing import Array, Floats, Pullback, Rng

#: How steep the bowl is along each of its four axes.
STEEPNESS = np.array([1.0, 0.5, 2.0, 1.5])
#: Where its bottom lies.
BOTTOM = np.array([0.7, -0.4, 0.2, -0.9])


class Quadratic(Generator):
    """objective of an event x: ``sum_j k_j (theta_j - x_j)^2 / 2``.

    Two parameters of different shapes.

    ``circuit`` labels the four entries, for trainers that go through the layers of a circuit.
    """

    outputs = frozenset({"objective"})

    def __init__(self) -> None:
        self.space = Space("reals", 4)
        self.first, self.second = np.zeros(3), np.zeros((1, 1))
        gates = tuple(
            Gate("ry", (wire,), param(2 * layer + wire)) for layer in range(2) for wire in range(2)
        )
        self.circuit = Circuit(
            2, gates, tuple(Label(layer, wire, 0) for layer in range(2) for wire in range(2))
        )

    def parameters(self) -> dict[str, Array]:
        return {"first": self.first, "second": self.second}

    def sample(self, n: int, condition: Array | None = None, *, rng: Rng) -> Array:
        """Events around theta."""
        return np.asarray(self._theta() + rng.normal(size=(n, 4)) / np.sqrt(STEEPNESS))

    def forward(self, output: str, batch: Batch, *, rng: Rng) -> tuple[Array, Pullback]:
        """The objective (N,) and its pullback."""
        if output != "objective" or batch.x is None:
            raise NoGradient(f"the quadratic problem offers objective, not {output!r}")
        away = self._theta() - batch.x

        def pullback(cotangent: Array) -> dict[str, Array]:
            slope = STEEPNESS * (cotangent @ away)
            return {"first": slope[:3], "second": slope[3:].reshape(1, 1)}

        return 0.5 * np.sum(STEEPNESS * away**2, axis=1), pullback

    def excess(self) -> float:
        """How high above the bottom the model stands."""
        return float(0.5 * np.sum(STEEPNESS * (self._theta() - BOTTOM) ** 2))

    def _theta(self) -> Floats:
        return np.concatenate([self.first, self.second.ravel()])


def events() -> Events:
    """Twelve events in pairs around the bottom, so that it is their mean."""
    away = np.random.default_rng(81).normal(0.0, 0.3, (6, 4))
    return Events(BOTTOM + np.concatenate([away, -away]))
