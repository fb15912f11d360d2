"""Which backends are compared, what they are compared with, and how near is near enough.

Every installed backend is, by name. One that is expected and not installed is skipped with a line
that says so; remote ones, and those that wrap another, are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.circuits.gates import GATES
from qgen_core.circuits.parameter_shift import parameter_shift
from qgen_core.discovery.registry import factory_of, known_providers
from qgen_core.errors import BrokenPlugin
from qgen_core.typing import Array, Floats, Rng

#: Backends of this project; others that are installed join them.
EXPECTED = (
    "statevector",
    "density",
    "pennylane",
    "lightning",
    "qiskit-statevector",
    "aer",
    "cirq",
    "qsim",
)
#: How far values may be off: complex128 and complex64.
TOLERANCE = {"double": 1e-9, "single": 1e-5}
#: Who runs channels, as the hint of an error names them.
NOISY: dict[str, dict[str, Any]] = {
    "density": {},
    "cirq": {},
    "aer": {"method": "density_matrix"},
    "pennylane": {"device": "default.mixed"},
}


def compared() -> list[str]:
    """The names of all backends that run here or should."""
    return sorted({*EXPECTED, *(name for name in qgen.names("backend") if not _left_out(name))})


def _left_out(name: str) -> bool:
    """Whether a backend is remote, or wraps another; one that is broken stays, to fail by name."""
    try:
        factory = factory_of("backend", name)[1]
    except BrokenPlugin:
        return False
    wraps = any(option.required for option in qgen.describe("backend", name).options)
    return wraps or bool(getattr(getattr(factory, "capabilities", None), "remote", False))


@cache
def build(name: str, options: tuple[tuple[str, Any], ...] = ()) -> qgen.Backend:
    """The backend of a name, made once; skips the test when it is not installed."""
    if name not in qgen.names("backend"):
        package = known_providers()["backend"].get(name, "a package")
        pytest.skip(f"backend {name!r} is not installed; `pip install {package}` provides it")
    return qgen.backend(name, **dict(options))


def noisy(name: str) -> qgen.Backend:
    """The backend of a name as it runs channels."""
    return build(name, tuple(NOISY[name].items()))


def tolerance(backend: qgen.Backend) -> float:
    """How far its values may be off."""
    return TOLERANCE[backend.capabilities.precision]


def by_matrices(circuit: qgen.Circuit, angles: Floats) -> Array:
    """States (B, 2^Q) by one tensor contraction a gate: plain, and independent of every engine."""
    found = []
    for row in angles:
        psi = np.zeros((2,) * circuit.num_wires, dtype=np.complex128)
        psi.flat[0], left = 1, iter(row)
        for gate in circuit.gates:
            width, spec = len(gate.wires), GATES[gate.name]
            matrix = spec.matrix(float(next(left)) if spec.has_angle else 0.0).reshape(
                (2,) * (2 * width)
            )
            turned = np.tensordot(matrix, psi, axes=(range(width, 2 * width), gate.wires))
            psi = np.moveaxis(turned, range(width), gate.wires)
        found.append(psi.ravel())
    return np.stack(found)


def expected_probabilities(name: str, circuit: qgen.Circuit, angles: Floats) -> Floats:
    """What a backend's probabilities are held against: the embedded engine, and that one against
    matrices.
    """
    if name == "statevector":
        return np.asarray(np.abs(by_matrices(circuit, angles)) ** 2)
    return np.asarray(build("statevector").run(circuit, angles, qgen.Probabilities()))


def expected_slopes(name: str, circuit: qgen.Circuit, angles: Floats, cotangent: Floats) -> Floats:
    """d loss / d angles through probabilities: the embedded engine's adjoint, and that one against
    shifted matrices.
    """
    if name == "statevector":
        return parameter_shift(
            lambda rows: expected_probabilities(name, circuit, rows), circuit, angles, cotangent
        )
    return np.asarray(
        build("statevector").forward(circuit, angles, qgen.Probabilities())[1](cotangent)
    )


def random_gates(
    wires: int, count: int, rng: Rng, angle: Callable[[int], qgen.Angle]
) -> list[qgen.Gate]:
    """Gates of all kinds on any wires; ``angle`` makes the n-th angle."""
    names = [name for name, spec in GATES.items() if spec.wires <= wires]
    gates, turned = [], 0
    for name in rng.choice(names, count):
        where = tuple(int(w) for w in rng.permutation(wires)[: GATES[name].wires])
        gates.append(qgen.Gate(str(name), where, angle(turned) if GATES[name].has_angle else None))
        turned += GATES[name].has_angle
    return gates


def random_circuit(wires: int, count: int, rng: Rng) -> qgen.Circuit:
    """Gates of all kinds, the first ones out of the computational basis; each angle a parameter of
    its own.
    """
    spread = [qgen.Gate("ry", (w,), qgen.const(rng.uniform(0.3, 2.8))) for w in range(wires)][
        : max(count - 1, 0)
    ]
    return qgen.Circuit(
        wires, (*spread, *random_gates(wires, count - len(spread), rng, qgen.param))
    )


def random_rows(circuit: qgen.Circuit, batch: int, rng: Rng) -> Floats:
    """Angles (B, A) for random parameters."""
    return circuit.bind(rng.uniform(-2 * np.pi, 2 * np.pi, (batch, circuit.num_params)))
