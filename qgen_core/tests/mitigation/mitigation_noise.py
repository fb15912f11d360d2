"""Plain noisy backends to hold mitigation against: dense density matrices, and a device that
misreads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from qgen_core.circuits.circuit import Channel, Circuit, Gate
from qgen_core.circuits.gates import PAULI
from qgen_core.circuits.measures import Expectations, Measure, Probabilities, ideal
from qgen_core.interfaces import Backend, Capabilities
from qgen_core.testing import circuits
from qgen_core.testing.reference import ReferenceBackend
from qgen_core.typing import Floats, Rng

ALL = frozenset(
    {"h", "x", "y", "z", "s", "t", "sx", "cx", "cz", "ecr", "swap", "rx", "ry", "rz", "p"}
) | frozenset({"rxx", "ryy", "rzz", "crx", "cry", "crz"})
CONFUSION = np.array(
    [[[0.95, 0.1], [0.05, 0.9]], [[0.88, 0.03], [0.12, 0.97]], [[0.93, 0.2], [0.07, 0.8]]]
)


class Device(Backend):
    """Shots only, with readout errors that it keeps to itself; counts its runs."""

    capabilities = Capabilities(exact=False)

    def __init__(self, confusion: Floats = CONFUSION) -> None:
        self.confusion, self.ran = confusion, 0

    def run(self, circuit: Circuit, angles: Floats, measure: Measure, shots=None) -> Any:
        self.ran += 1
        return ReferenceBackend().run(
            circuit, angles, replace(measure, confusion=self.confusion), shots
        )


class Deaf(ReferenceBackend):
    """Does not apply the readout errors of the measure, so that inverting them overshoots below
    zero.
    """

    def run(self, circuit: Circuit, angles: Floats, measure: Measure, shots=None) -> Any:
        return super().run(circuit, angles, ideal(measure), shots)

    def forward(self, circuit: Circuit, angles: Floats, measure: Measure, shots=None) -> Any:
        return super().forward(circuit, angles, ideal(measure), shots)


def misread(circuit: Circuit, measure: Any) -> tuple[Circuit, Measure]:
    """A noise model of readout errors alone."""
    return circuit, replace(measure, confusion=CONFUSION[: circuit.num_wires])


def depolarized(rate: float) -> Callable[[Circuit, Measure], tuple[Circuit, Measure]]:
    """A noise model: each wire of a gate is depolarised behind it, readout errors besides."""
    kraus = np.array(
        [np.sqrt(1 - 0.75 * rate) * PAULI["I"], *(np.sqrt(rate) / 2 * PAULI[w] for w in "XYZ")]
    )

    def noise(circuit: Circuit, measure: Any) -> tuple[Circuit, Measure]:
        parts: list[Gate | Channel] = []
        for gate in circuit.gates:
            parts += [gate, *(Channel(kraus, (w,), "depolarizing") for w in gate.wires)]
        return Circuit(circuit.num_wires, tuple(parts)), measure

    return noise


def some_circuit(seed: int, wires: int = 3, angles: int = 6) -> tuple[Circuit, Floats]:
    """A random circuit of all kinds of gates, and three rows of angles."""
    rng = np.random.default_rng(seed)
    circuit = circuits.trained(ALL, wires, angles, rng)
    return circuit, circuits.rows(circuit, 3, rng)


def measures(wires: int, seed: int = 0) -> list[Measure]:
    """Probabilities and a few Pauli words."""
    words = circuits.words(wires, 4, np.random.default_rng(seed))
    return [Probabilities(), Expectations((*words, "I" * wires))]


def slopes(
    backend: Backend, circuit: Circuit, angles: Floats, measure: Measure, cotangent: Floats
) -> Floats:
    """d (cotangent . output) / d angles by central differences, constant angles left out."""
    out, step = np.zeros_like(angles), 1e-6
    for column in range(angles.shape[1]):
        for sign in (1, -1):
            moved = angles.copy()
            moved[:, column] += sign * step
            value = np.sum(backend.run(circuit, moved, measure) * cotangent, axis=1)
            out[:, column] += sign * value / (2 * step)
    return out


def trainable(circuit: Circuit, slopes: Floats) -> Floats:
    """The columns of a gradient that are no constants; those may hold anything."""
    return slopes[:, [angle.source != "const" for angle in circuit.angles]]


def mean_and_error(draw: Callable[[Rng], Floats], times: int) -> tuple[Floats, Floats]:
    """The mean of repeated draws and its standard deviation."""
    found = np.array([draw(np.random.default_rng(seed)) for seed in range(times)])
    return found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(times)
