"""Circuits and backends that the tests of the torch plugin try layers with."""

from __future__ import annotations

from typing import Any

import qgen_core as qgen
from qgen_core import Backend, Circuit, Expectations, Gate, const, given, param
from qgen_core.testing import reference
from qgen_core.typing import Array

#: Shared, scaled and shifted parameters, inputs that enter twice, a constant; every kind of gate.
MIXED = Circuit(
    2,
    (
        Gate("ry", (0,), given(0)),
        Gate("rx", (1,), given(1, 0.7, 0.2)),
        Gate("rz", (0,), param(0)),
        Gate("cx", (0, 1)),
        Gate("crx", (1, 0), param(1, -1.3)),
        Gate("ry", (1,), param(0, 0.5, 0.1)),
        Gate("h", (0,)),
        Gate("rzz", (0, 1), given(0, 0.4)),
        Gate("p", (1,), param(2)),
        Gate("ry", (0,), const(0.6)),
        Gate("rxx", (1, 0), param(2, 2.0)),
    ),
)
WORDS = Expectations(("ZI", "XY", "YZ"))


def expected(theta: Array, x: Array, measure: Any = WORDS, circuit: Circuit = MIXED) -> Array:
    """Outputs of the reference simulator."""
    return reference.values(circuit, circuit.bind(theta, x), measure)


def slopes(theta: Array, x: Array, cotangent: Array, measure: Any = WORDS) -> tuple[Array, Array]:
    """Exact derivatives of ``sum(cotangent * outputs)`` by parameters (P,) and inputs (B, I)."""
    angles = MIXED.bind(theta, x)
    by_angle = reference.gradient(MIXED, angles, measure, cotangent)
    by_theta, by_x = MIXED.pullback(by_angle)
    return by_theta.sum(axis=0), by_x


class Shifting(Backend):
    """A backend with ``run`` alone, so that gradients are by parameter shift."""

    def __init__(self) -> None:
        self.exact = qgen.backend("statevector")
        self.calls: list[str] = []

    def run(self, circuit: Circuit, angles: Array, measure: Any, shots: Any = None) -> Array:
        self.calls.append("run")
        return self.exact.run(circuit, angles, measure, shots)


class Counting(Shifting):
    """One that keeps its way back, and says what was asked of it."""

    def forward(self, circuit: Circuit, angles: Array, measure: Any, shots: Any = None) -> Any:
        self.calls.append("forward")
        output, back = self.exact.forward(circuit, angles, measure, shots)

        def counted(cotangent: Array) -> Array:
            self.calls.append("back")
            return back(cotangent)

        return output, counted


class Native(Shifting):
    """One with a function of torch."""

    def native(self, circuit: Circuit, measure: Any, framework: str) -> Any:
        inside = qgen.backend("torch").native(circuit, measure, framework)

        def function(angles: Any) -> Any:
            self.calls.append(f"native {angles.dtype} {angles.device}")
            return inside(angles)

        return function
