"""What the parts of the backend kit share: the backend, its runs, and how near is near enough."""

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
    """The hooks of the backend kit and its tolerances."""

    #: ``single`` for a backend that holds complex64: tolerance 1e-5 instead of 1e-9.
    precision: Literal["double", "single"] = "double"
    #: Shots per circuit where values are not exact, and for all tests of shots.
    shots: int = 20_000
    #: A width whose state no machine holds: it must be refused. None for a backend that holds none.
    memory_wires: int | None = 60

    TOLERANCE: ClassVar = {"double": 1e-9, "single": 1e-5}

    @abstractmethod
    def make(self) -> Backend:
        """The backend to try, a fresh one at each call."""

    @property
    def tolerance(self) -> float:
        """How far exact values may be off."""
        return self.TOLERANCE[self.precision]

    def width(self, wanted: int, backend: Backend) -> int:
        """So many wires, or as many as the backend has."""
        return min(wanted, backend.capabilities.max_wires or wanted)

    def shots_for(self, backend: Backend, seed: int) -> Shots | None:
        """None where the backend has exact values, else ``shots`` drawn from ``seed``."""
        if backend.capabilities.exact:
            return None
        return Shots(self.shots, np.random.default_rng(seed))

    def values(
        self, backend: Backend, circuit: Circuit, angles: Floats, measure: Measure, seed: int = 5
    ) -> Array:
        """A run: exact where the backend is, else with ``shots``; its shape checked."""
        shots = self.shots_for(backend, seed)
        found = np.asarray(backend.run(circuit, angles, measure, shots))
        columns = len(measure.paulis) if isinstance(measure, Expectations) else 2**circuit.num_wires
        check(
            found.shape == (len(angles), columns),
            f"{type(measure).__name__} of {len(angles)} rows on {circuit.num_wires} wires have "
            "the shape "
            f"{found.shape}, not {(len(angles), columns)}: the batch axis leads",
        )
        check(
            found.dtype.kind in "fc", f"{type(measure).__name__} must be floats, not {found.dtype}"
        )
        return found

    def distance(self, backend: Backend, found: Array, expected: Floats, measure: Measure) -> str:
        """Why ``found`` is not ``expected``, within the tolerance or the noise of shots.

        Empty if it is.
        """
        if not np.all(np.isfinite(found)):
            return "values that are not finite"
        if backend.capabilities.exact:
            off = float(np.max(np.abs(found - expected)))
            return (
                "" if off <= self.tolerance else f"differ by {off:.3g} (allowed {self.tolerance:g})"
            )
        if isinstance(measure, Expectations):
            return expectations_stray(found, expected, self.shots)
        return frequencies_stray(found, expected, self.shots)


def frequencies_stray(found: Array, expected: Floats, shots: int) -> str:
    """Why relative frequencies (B, K) are none of these probabilities; empty if they are."""
    counts = found * shots
    if (
        np.max(np.abs(counts - np.rint(counts))) > 1e-6 * shots
        or np.max(np.abs(found.sum(axis=1) - 1)) > 1e-9
    ):
        return f"are no relative frequencies of {shots} shots"
    p = min(
        statistics.chi_square(row, truth)
        for row, truth in zip(np.rint(counts), expected, strict=True)
    )
    return "" if p > statistics.LEAST_P else f"have p = {p:.2g} by chi-square with {shots} shots"


def expectations_stray(found: Array, expected: Floats, shots: int) -> str:
    """Why means of +1 and -1 (B, words) have none of these expectations; empty if they have."""
    deviation = np.sqrt(np.clip(1 - expected**2, 0, None) / shots) + 1 / shots
    off = float(np.max(np.abs(found - expected) / deviation))
    return (
        ""
        if off <= statistics.SIGMAS
        else f"are {off:.3g} standard deviations of {shots} shots off"
    )
