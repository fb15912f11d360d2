"""Which backends are compared, circuits to compare them on, and how far values may differ.

All installed backends are compared with the reference simulator, except remote ones and those that
wrap another backend. A backend that is expected and not installed is skipped with a message.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.circuits.gates import GATES
from qgen_core.discovery.registry import factory_of, known_providers
from qgen_core.errors import BrokenPlugin
from qgen_core.typing import Floats, Rng

#: Backends of this project; others that are installed are compared as well.
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
#: Simulators of this project in complex128, which run every gate of the table.
EMBEDDED = ("statevector", "density", "torch")
#: Largest error of the values of the embedded simulators.
ROUNDING = 1e-12
#: Largest error of the values of other backends: complex128 and complex64.
TOLERANCE = {"double": 1e-9, "single": 1e-5}
#: Backends that run channels, with their options, as the hint of an error names them.
NOISY: dict[str, dict[str, Any]] = {
    "density": {},
    "cirq": {},
    "aer": {"method": "density_matrix"},
    "pennylane": {"device": "default.mixed"},
}


def compared() -> list[str]:
    """The names of all backends that are compared, installed or expected."""
    names = set(EXPECTED)
    for name in qgen.names("backend"):
        if not _left_out(name):
            names.add(name)
    return sorted(names)


def _left_out(name: str) -> bool:
    """Whether a backend is remote or wraps another. A broken one is kept, to fail by its name."""
    try:
        factory = factory_of("backend", name)[1]
    except BrokenPlugin:
        return False
    wraps = any(option.required for option in qgen.describe("backend", name).options)
    capabilities = getattr(factory, "capabilities", None)
    return wraps or bool(getattr(capabilities, "remote", False))


@cache
def build(name: str, options: tuple[tuple[str, Any], ...] = ()) -> qgen.Backend:
    """The backend of a name, made once; skips the test when it is not installed."""
    if name not in qgen.names("backend"):
        package = known_providers()["backend"].get(name, "a package")
        pytest.skip(f"backend {name!r} is not installed; `pip install {package}` provides it")
    return qgen.backend(name, **dict(options))


def noisy(name: str) -> qgen.Backend:
    """The backend of a name with the options with which it runs channels."""
    return build(name, tuple(NOISY[name].items()))


def tolerance(name: str) -> float:
    """The largest error of the values of a backend."""
    if name in EMBEDDED:
        return ROUNDING
    return TOLERANCE[build(name).capabilities.precision]


def random_gates(
    wires: int, count: int, rng: Rng, angle: Callable[[int], qgen.Angle]
) -> list[qgen.Gate]:
    """Gates of all kinds on any wires; ``angle`` makes the n-th angle."""
    names = [name for name, spec in GATES.items() if spec.wires <= wires]
    gates = []
    angles = 0
    for name in rng.choice(names, count):
        spec = GATES[name]
        on = tuple(int(w) for w in rng.permutation(wires)[: spec.wires])
        if spec.has_angle:
            gates.append(qgen.Gate(str(name), on, angle(angles)))
            angles += 1
        else:
            gates.append(qgen.Gate(str(name), on))
    return gates


def random_circuit(wires: int, count: int, rng: Rng) -> qgen.Circuit:
    """Gates of all kinds; each angle is a parameter of its own.

    The first gates take the wires out of the computational basis.
    """
    spread = [qgen.Gate("ry", (w,), qgen.const(rng.uniform(0.3, 2.8))) for w in range(wires)]
    spread = spread[: max(count - 1, 0)]
    others = random_gates(wires, count - len(spread), rng, qgen.param)
    return qgen.Circuit(wires, (*spread, *others))


def random_rows(circuit: qgen.Circuit, batch: int, rng: Rng) -> Floats:
    """Angles (B, A) for random parameters."""
    return circuit.bind(rng.uniform(-2 * np.pi, 2 * np.pi, (batch, circuit.num_params)))
