"""A quantum angle generator: random angles enter a circuit, its expectations are the events."""

from typing import Any

import numpy as np

from qgen_core import Ansatz, Backend, Batch, Generator, Space, pauli_z
from qgen_core.errors import BadOption


class AngleGenerator(Generator):
    """Event i is ``<Z_i>`` of a circuit whose inputs are uniform noise in [-1, 1].

    Encode events to [-1, 1], e.g. with ``min-max`` and ``range = [-1, 1]``.
    """

    outputs = frozenset({"samples"})

    def __init__(
        self,
        *,
        space: Space,
        backend: Backend,
        ansatz: Ansatz = "hardware-efficient",
        seed: int,
    ) -> None:
        if space.kind in ("bits", "spins"):
            raise BadOption(f"an angle generator makes numbers in [-1, 1], not {space}")
        self.space = space
        self.backend = backend
        self.circuit = ansatz(space.width, inputs=space.width)
        self.measure = pauli_z(space.width)
        backend.check(self.circuit)
        rng = np.random.default_rng(seed)
        self.theta = rng.uniform(-np.pi, np.pi, self.circuit.num_params)

    def parameters(self) -> dict[str, Any]:
        return {"theta": self.theta}

    def angles(self, n: int, rng: np.random.Generator) -> Any:
        noise = rng.uniform(-1, 1, size=(n, self.circuit.num_inputs))
        return self.circuit.bind(self.theta, noise)

    def sample(self, n: int, condition: Any = None, *, rng: np.random.Generator) -> Any:
        return self.backend.run(self.circuit, self.angles(n, rng), self.measure)

    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        if output not in self.outputs or batch.x is None:
            return super().forward(output, batch, rng=rng)
        angles = self.angles(len(batch.x), rng)
        events, of_events = self.backend.forward(self.circuit, angles, self.measure)

        def pullback(cotangent: Any) -> dict[str, Any]:
            d_theta, _ = self.circuit.pullback(of_events(cotangent))
            return {"theta": d_theta.sum(axis=0)}

        return events, pullback
