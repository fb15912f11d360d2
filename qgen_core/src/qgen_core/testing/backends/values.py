"""Backend kit: exact values, compared with dense matrices."""

from __future__ import annotations

import numpy as np

from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.circuits.gates import GATES
from qgen_core.circuits.measures import Expectations, Measure, Probabilities, State
from qgen_core.errors import QgenError, Unsupported
from qgen_core.interfaces import Backend
from qgen_core.testing import circuits, reference
from qgen_core.testing.backends.base import BackendBase
from qgen_core.testing.kit import check, not_applicable, unchanged
from qgen_core.typing import Floats

#: How many times the tolerance the values of a circuit of thousands of gates may be off.
LONG = 100


class ValueTests(BackendBase):
    """Wires, gates, measures and batches."""

    def test_wire_order(self) -> None:
        """Wire 0 is the most significant bit and the first letter of a Pauli word."""
        backend = self.make()
        wires = self.width(3, backend)
        first = circuits.flip(backend.capabilities.gates, 0)
        if first is None or wires < 2:
            not_applicable("no gate that flips a wire, or only one wire")
        circuit = Circuit(wires, (first,))
        angles = circuit.bind([])
        table = self.values(backend, circuit, angles, Probabilities())[0]
        found = int(np.argmax(table))
        expected = 2 ** (wires - 1)
        check(
            found == expected,
            f"after a flip of wire 0 of {wires} the basis state is {found:0{wires}b}, not "
            f"{expected:0{wires}b}: wire 0 is the most significant bit; reverse the order of the "
            "bits",
        )
        words = ("Z" + "I" * (wires - 1), "I" * (wires - 1) + "Z")
        signs = self.values(backend, circuit, angles, Expectations(words))[0]
        check(
            np.max(np.abs(signs - [-1, 1])) < 0.1,
            f"after a flip of wire 0 the words {words} give {signs.round(3)}, not [-1, 1]: the "
            "first letter is wire 0",
        )

    def test_every_gate(self) -> None:
        """Every gate of the capabilities, between general rotations, on several wires."""
        backend = self.make()
        wires = self.width(3, backend)
        rng = np.random.default_rng(11)
        wrong = []
        for name in sorted(backend.capabilities.gates):
            for place in circuits.placed(name, wires):
                fault = self._fault_of(backend, name, place, wires, rng)
                if fault:
                    wrong.append(f"{name} on wires {place}: {fault}")
        check(
            not wrong,
            "gates that are not those of qgen_core.circuits.gates (control first, "
            f"r(t) = exp(-i t G / 2)): {'; '.join(wrong)}",
        )

    def _fault_of(
        self,
        backend: Backend,
        name: str,
        place: tuple[int, ...],
        wires: int,
        rng: np.random.Generator,
    ) -> str:
        """What is wrong with a gate on these wires, in words; empty if nothing is."""
        angle = param(0, 0.7, 0.3) if GATES[name].has_angle else None
        before = circuits.turned(backend.capabilities.gates, wires, rng)
        after = circuits.turned(backend.capabilities.gates, wires, rng)
        circuit = Circuit(wires, (*before, Gate(name, place, angle), *after))
        angles = circuits.rows(circuit, 2, rng)
        measures: list[Measure] = [Probabilities(), Expectations(circuits.words(wires, 5, rng))]
        for measure in measures:
            try:
                found = self.values(backend, circuit, angles, measure)
            except QgenError as error:
                return f"refused though the capabilities list it ({error})"
            expected = reference.values(circuit, angles, measure)
            fault = self.distance(backend, found, expected, measure)
            if fault:
                return f"{type(measure).__name__.lower()} {fault}"
        return ""

    def test_probabilities_and_expectations(self) -> None:
        """Random circuits of 1 to 5 wires with shared, scaled and offset parameters and inputs."""
        backend = self.make()
        rng = np.random.default_rng(12)
        for wires in range(1, self.width(5, backend) + 1):
            circuit = circuits.trained(backend.capabilities.gates, wires, 6 * wires, rng)
            angles = circuits.rows(circuit, 3, rng)
            measures: list[Measure] = [Probabilities(), Expectations(circuits.words(wires, 6, rng))]
            for measure in measures:
                found = self.values(backend, circuit, angles, measure)
                expected = reference.values(circuit, angles, measure)
                fault = self.distance(backend, found, expected, measure)
                check(
                    not fault,
                    f"{type(measure).__name__} of a random circuit of {wires} wires {fault}",
                )

    def test_state(self) -> None:
        """The state vector, up to a global phase.

        A backend without states raises Unsupported.
        """
        backend = self.make()
        rng = np.random.default_rng(13)
        wires = self.width(3, backend)
        circuit = circuits.trained(backend.capabilities.gates, wires, 8, rng)
        angles = circuits.rows(circuit, 3, rng)
        try:
            found = np.asarray(backend.run(circuit, angles, State()))
        except QgenError as error:
            not_applicable(f"the backend gives no states: {error}")
        check(
            found.shape == (3, 2**wires) and found.dtype.kind == "c",
            f"State() of 3 rows is complex (3, {2**wires}), not {found.dtype} {found.shape}",
        )
        for psi, row in zip(found, angles, strict=True):
            overlap = np.vdot(reference.state(circuit, row), psi)
            norm = float(np.vdot(psi, psi).real)
            largest = max(abs(abs(overlap) - 1), abs(norm - 1))
            check(
                largest <= self.tolerance,
                f"State() overlaps with the reference by {abs(overlap):.6g}, not by 1",
            )

    def test_batches(self) -> None:
        """Each row of a batch of 1, 7 and 64 gives the same as in a batch of its own."""
        backend = self.make()
        rng = np.random.default_rng(14)
        wires = self.width(3, backend)
        circuit = circuits.trained(backend.capabilities.gates, wires, 6, rng)
        for size in (1, 7, 64):
            angles = circuits.rows(circuit, size, rng)
            for measure in (Probabilities(), Expectations(circuits.words(wires, 2, rng))):
                found = self.values(backend, circuit, angles, measure)
                for row in range(size):
                    expected = self._alone(backend, circuit, angles[row : row + 1], measure)
                    fault = self.distance(backend, found[row : row + 1], expected, measure)
                    check(
                        not fault,
                        f"row {row} of a batch of {size}: {type(measure).__name__} {fault} from "
                        "that row alone",
                    )

    def _alone(
        self, backend: Backend, circuit: Circuit, angles: Floats, measure: Measure
    ) -> Floats:
        """The values of one row run alone; its reference where values have shot noise."""
        if backend.capabilities.exact:
            return np.asarray(backend.run(circuit, angles, measure))
        return reference.values(circuit, angles, measure)

    def test_readout_confusion(self) -> None:
        """Readout errors, different on each wire; or the measure is refused with Unsupported."""
        backend = self.make()
        rng = np.random.default_rng(15)
        wires = self.width(3, backend)
        flips = rng.uniform(0.02, 0.3, size=(wires, 2))
        confusion = np.array([[[1 - a, b], [a, 1 - b]] for a, b in flips])
        circuit = circuits.trained(backend.capabilities.gates, wires, 6, rng)
        angles = circuits.rows(circuit, 2, rng)
        words = circuits.words(wires, 6, rng)
        measures: list[Measure] = [Probabilities(confusion), Expectations(words, confusion)]
        for measure in measures:
            try:
                found = self.values(backend, circuit, angles, measure)
            except Unsupported as error:
                not_applicable(f"the backend takes no readout confusion: {error}")
            expected = reference.values(circuit, angles, measure)
            fault = self.distance(backend, found, expected, measure)
            check(
                not fault,
                f"{type(measure).__name__} with a readout confusion {fault}: confusion[wire, "
                "read, true] acts on each wire; apply it (qgen_core.circuits.measures.confuse, "
                "LinearReadout) or raise Unsupported",
            )

    def test_arguments_unchanged(self) -> None:
        """Angles are not written to."""
        backend = self.make()
        rng = np.random.default_rng(16)
        circuit = circuits.trained(backend.capabilities.gates, self.width(3, backend), 6, rng)
        angles = circuits.rows(circuit, 3, rng)
        with unchanged("run()", angles=angles):
            self.values(backend, circuit, angles, Probabilities())
            self.values(backend, circuit, angles, Probabilities())

    def test_long_circuit(self) -> None:
        """After 2,000 gates and their inverses the state is |0...0> again, and normalised."""
        backend = self.make()
        rng = np.random.default_rng(17)
        wires = self.width(4, backend)
        circuit = circuits.there_and_back(backend.capabilities.gates, wires, 4000, rng)
        table = self.values(backend, circuit, circuit.bind([]), Probabilities())[0]
        allowed = LONG * self.tolerance
        check(
            abs(table.sum() - 1) <= allowed and table.min() >= -allowed,
            f"after 4,000 gates the probabilities sum to {table.sum():.9g}, the least is "
            f"{table.min():.3g}",
        )
        check(
            table[0] >= 1 - allowed,
            "2,000 gates and their inverses leave the start state with probability "
            f"{table[0]:.9g}, not 1",
        )
