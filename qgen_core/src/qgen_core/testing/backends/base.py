"""What the parts of the backend kit share: the backend, its runs, and comparisons."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Expectations, Measure, Shots
from qgen_core.interfaces import Backend
from qgen_core.testing import statistics
from qgen_core.testing.kit import Kit, check
from qgen_core.typing import Array, Floats


class BackendBase(Kit):
    """The options of the backend kit, and how it compares values."""

    #: ``single`` for a backend that holds complex64: tolerance 1e-5 instead of 1e-9.
    precision: Literal["double", "single"] = "double"
    #: Shots per circuit where values are not exact, and in all tests of shots.
    shots: int = 20_000
    #: A number of wires whose state fits in no memory, so it must be refused. None for a backend
    #: that holds no states.
    memory_wires: int | None = 60

    TOLERANCE: ClassVar = {"double": 1e-9, "single": 1e-5}

    @abstractmethod
    def make(self) -> Backend:
        """The backend to test, a new one at each call."""

    @property
    def tolerance(self) -> float:
        """Largest allowed error of exact values."""
        return self.TOLERANCE[self.precision]

    def width(self, wanted: int, backend: Backend) -> int:
        """This number of wires, or the most that the backend has."""
        return min(wanted, backend.capabilities.max_wires or wanted)

    def shots_for(self, backend: Backend, seed: int) -> Shots | None:
        """None where the backend has exact values, else ``shots`` drawn from ``seed``."""
        if backend.capabilities.exact:
            return None
        return Shots(self.shots, np.random.default_rng(seed))

    def values(
        self, backend: Backend, circuit: Circuit, angles: Floats, measure: Measure, seed: int = 5
    ) -> Array:
        """The result of a run, exact where the backend is; checks its shape and type."""
        found = np.asarray(backend.run(circuit, angles, measure, self.shots_for(backend, seed)))
        expected_shape = (len(angles), columns_of(measure, circuit))
        check(
            found.shape == expected_shape,
            f"{type(measure).__name__} of {len(angles)} rows on {circuit.num_wires} wires have "
            f"the shape {found.shape}, not {expected_shape}: the batch axis leads",
        )
        check(
            found.dtype.kind in "fc", f"{type(measure).__name__} must be floats, not {found.dtype}"
        )
        return found

    def distance(self, backend: Backend, found: Array, expected: Floats, measure: Measure) -> str:
        """How ``found`` differs from ``expected``, in words; empty if it agrees.

        Exact values agree within the tolerance, estimates within the noise of ``shots``.
        """
        if not np.all(np.isfinite(found)):
            return "values that are not finite"
        if backend.capabilities.exact:
            error = float(np.max(np.abs(found - expected)))
            if error <= self.tolerance:
                return ""
            return f"differ by {error:.3g} (allowed {self.tolerance:g})"
        if isinstance(measure, Expectations):
            return expectations_stray(found, expected, self.shots)
        return frequencies_stray(found, expected, self.shots)


def columns_of(measure: Measure, circuit: Circuit) -> int:
    """The number of columns of the output: words, or basis states."""
    if isinstance(measure, Expectations):
        return len(measure.paulis)
    return int(2**circuit.num_wires)


def frequencies_stray(found: Array, expected: Floats, shots: int) -> str:
    """Why ``found`` (B, K) are not relative frequencies of these probabilities; empty if they are.

    >>> frequencies_stray(np.array([[0.52, 0.48]]), np.array([[0.5, 0.5]]), shots=100)
    ''
    >>> frequencies_stray(np.array([[0.525, 0.475]]), np.array([[0.5, 0.5]]), shots=100)
    'are no relative frequencies of 100 shots'
    """
    counts = found * shots
    rounded = np.rint(counts)
    if (
        np.max(np.abs(counts - rounded)) > 1e-6 * shots
        or np.max(np.abs(found.sum(axis=1) - 1)) > 1e-9
    ):
        return f"are no relative frequencies of {shots} shots"
    p_values = []
    for row, probabilities in zip(rounded, expected, strict=True):
        p_values.append(statistics.chi_square(row, probabilities))
    p = min(p_values)
    if p > statistics.LEAST_P:
        return ""
    return f"have p = {p:.2g} by chi-square with {shots} shots"


def expectations_stray(found: Array, expected: Floats, shots: int) -> str:
    """Why ``found`` (B, words) are not means of +1 and -1 with these expectations; else empty.

    >>> expectations_stray(np.array([[0.1]]), np.array([[0.0]]), shots=100)
    ''
    >>> expectations_stray(np.array([[1.0]]), np.array([[0.0]]), shots=100)
    'are 9.09 standard deviations of 100 shots off'
    """
    deviation = np.sqrt(np.clip(1 - expected**2, 0, None) / shots) + 1 / shots
    error = float(np.max(np.abs(found - expected) / deviation))
    if error <= statistics.SIGMAS:
        return ""
    return f"are {error:.3g} standard deviations of {shots} shots off"
