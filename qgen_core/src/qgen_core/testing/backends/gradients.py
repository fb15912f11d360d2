"""Backend kit: gradients by angles, compared with the exact ones of the reference."""

from __future__ import annotations

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Expectations, Measure, Probabilities
from qgen_core.errors import Unsupported
from qgen_core.interfaces import Backend
from qgen_core.testing import circuits, reference, statistics
from qgen_core.testing.backends.base import BackendBase, columns_of
from qgen_core.testing.kit import check, not_applicable, unchanged
from qgen_core.typing import Floats

#: How many times the tolerance of a value a gradient may be off: it is a sum of tens of values.
SUMMED = 20
#: An upper bound of the sum of the squared coefficients of a shift rule.
SHIFT_VARIANCE = 0.5


class GradientTests(BackendBase):
    """The pullback of ``forward``."""

    def test_gradients(self) -> None:
        """Circuits of 1 to 5 wires with up to 24 angles, every gate with an angle among them."""
        backend = self._differentiable()
        rng = np.random.default_rng(21)
        for wanted, angles in ((1, 6), (2, 12), (3, 20), (5, 24)):
            wires = self.width(wanted, backend)
            circuit = circuits.trained(backend.capabilities.gates, wires, angles, rng)
            for measure in self._measures(wires, rng):
                self._check_gradient(backend, circuit, circuits.rows(circuit, 1, rng), measure, rng)

    def test_gradients_of_batches(self) -> None:
        """Batches of 1, 7 and 64 rows, each row with its own cotangent."""
        backend = self._differentiable()
        rng = np.random.default_rng(22)
        circuit = circuits.trained(backend.capabilities.gates, self.width(2, backend), 4, rng)
        for size in (1, 7, 64):
            for measure in self._measures(circuit.num_wires, rng):
                angles = circuits.rows(circuit, size, rng)
                self._check_gradient(backend, circuit, angles, measure, rng)

    def test_gradients_through_readout(self) -> None:
        """Gradients of values with readout errors."""
        backend = self._differentiable()
        rng = np.random.default_rng(23)
        wires = self.width(2, backend)
        confusion = np.array([[[0.9, 0.2], [0.1, 0.8]]] * wires)
        circuit = circuits.trained(backend.capabilities.gates, wires, 5, rng)
        angles = circuits.rows(circuit, 2, rng)
        measures: list[Measure] = [
            Probabilities(confusion),
            Expectations(circuits.words(wires, 3, rng), confusion),
        ]
        for measure in measures:
            try:
                self.values(backend, circuit, angles, measure)
            except Unsupported as error:
                not_applicable(f"the backend takes no readout confusion: {error}")
            self._check_gradient(backend, circuit, angles, measure, rng)

    def test_forward_agrees(self) -> None:
        """``forward`` gives the output of ``run``, and its pullback may be called again."""
        backend = self._differentiable()
        rng = np.random.default_rng(24)
        if not backend.capabilities.exact:
            not_applicable("with shots only, two runs differ by their noise")
        wires = self.width(3, backend)
        circuit = circuits.trained(backend.capabilities.gates, wires, 8, rng)
        angles = circuits.rows(circuit, 3, rng)
        for measure in self._measures(wires, rng):
            output, pullback = backend.forward(circuit, angles, measure)
            of_run = self.values(backend, circuit, angles, measure)
            fault = self.distance(backend, np.asarray(output), of_run, measure)
            check(
                not fault, f"{type(measure).__name__}: the output of forward() {fault} from run()"
            )
            for call in ("first", "second"):
                cotangent = rng.normal(size=np.shape(output))
                expected = backend.forward(circuit, angles, measure)[1](cotangent)
                error = np.max(np.abs(pullback(cotangent) - expected))
                check(
                    error <= SUMMED * self.tolerance,
                    f"{type(measure).__name__}: the {call} call of a pullback of forward() is "
                    f"{error:.3g} off that of a new forward()",
                )

    def test_gradient_arguments_unchanged(self) -> None:
        """Angles and cotangent are not written to."""
        backend = self._differentiable()
        rng = np.random.default_rng(25)
        circuit = circuits.trained(backend.capabilities.gates, self.width(2, backend), 4, rng)
        angles = circuits.rows(circuit, 3, rng)
        for measure in self._measures(circuit.num_wires, rng):
            cotangent = rng.normal(size=self.values(backend, circuit, angles, measure).shape)
            with unchanged("the pullback of forward()", angles=angles, cotangent=cotangent):
                self._gradient(backend, circuit, angles, measure, cotangent)

    def _differentiable(self) -> Backend:
        backend = self.make()
        if backend.capabilities.gradients == "none":
            not_applicable("the capabilities say that there are no gradients")
        return backend

    def _measures(self, wires: int, rng: np.random.Generator) -> list[Measure]:
        return [Probabilities(), Expectations(circuits.words(wires, 3, rng))]

    def _gradient(
        self,
        backend: Backend,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        cotangent: Floats,
    ) -> Floats:
        """d loss / d angles (B, A); checks its shape."""
        _, pullback = backend.forward(circuit, angles, measure, self.shots_for(backend, 5))
        found = np.asarray(pullback(cotangent))
        check(
            found.shape == angles.shape,
            f"the pullback of forward() returns the shape {found.shape} for angles of the shape "
            f"{angles.shape}; it has a row for each row of the batch, and a column for each angle",
        )
        return found

    def _check_gradient(
        self,
        backend: Backend,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        rng: np.random.Generator,
    ) -> None:
        """Compare the gradient by angles that are not constant with the exact one."""
        cotangent = rng.normal(size=(len(angles), columns_of(measure, circuit)))
        found = self._gradient(backend, circuit, angles, measure, cotangent)
        expected = reference.gradient(circuit, angles, measure, cotangent)
        variable = np.array([angle.source != "const" for angle in circuit.angles])
        errors = np.where(variable, np.abs(found - expected), 0.0)
        allowed = self._allowed(backend, cotangent, measure)
        row, column = np.unravel_index(np.argmax(errors), errors.shape)
        gates_with_angle = [gate for gate in circuit.gates if gate.angle is not None]
        gate = gates_with_angle[column]
        check(
            np.all(np.isfinite(found[:, variable])) and errors[row, column] <= allowed,
            f"d loss / d angle of {gate.name} on wires {gate.wires}, row {row} of {len(angles)}, "
            f"is {found[row, column]:.9g}; the exact derivative of {type(measure).__name__} is "
            f"{expected[row, column]:.9g} (allowed {allowed:.2g}); the pullback of forward() takes "
            "d loss / d output and returns d loss / d angles",
        )

    def _allowed(self, backend: Backend, cotangent: Floats, measure: Measure) -> float:
        """Largest allowed error: with shots, six standard deviations of a parameter-shift rule."""
        if backend.capabilities.exact:
            return SUMMED * self.tolerance * max(1.0, float(np.max(np.abs(cotangent))))
        if isinstance(measure, Probabilities):
            spread = np.ptp(cotangent, axis=1)
        else:
            spread = 2 * np.abs(cotangent).sum(axis=1)
        return float(statistics.SIGMAS * np.sqrt(SHIFT_VARIANCE / self.shots) * np.max(spread) / 2)
