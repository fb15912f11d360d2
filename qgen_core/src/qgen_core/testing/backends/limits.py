"""Backend kit: channels, and what a backend must refuse."""

from __future__ import annotations

import numpy as np

from qgen_core.circuits.circuit import Channel, Circuit, Gate, const
from qgen_core.circuits.gates import GATES
from qgen_core.circuits.measures import Bits, Expectations, Measure, Probabilities, Shots, State
from qgen_core.errors import BadOption, QgenError, Unsupported
from qgen_core.testing import circuits, reference
from qgen_core.testing.backends.base import BackendBase
from qgen_core.testing.kit import check, check_refused, not_applicable
from qgen_core.typing import Floats

#: One row of no angles.
NONE = np.empty((1, 0))


class LimitTests(BackendBase):
    """Channels, and what a backend cannot run."""

    def test_noise(self) -> None:
        """Values of circuits with channels; State() of such a circuit is refused."""
        backend = self.make()
        rng = np.random.default_rng(41)
        if not backend.capabilities.noise:
            not_applicable("the capabilities say that there is no noise")
        wires = self.width(3, backend)
        for channel in circuits.channels(wires, rng):
            circuit = self._with_channel(channel, wires, rng)
            angles = circuits.rows(circuit, 2, rng)
            measures: list[Measure] = [Probabilities(), Expectations(circuits.words(wires, 6, rng))]
            for measure in measures:
                found = self.values(backend, circuit, angles, measure)
                expected = reference.values(circuit, angles, measure)
                fault = self.distance(backend, found, expected, measure)
                check(
                    not fault,
                    f"{type(measure).__name__} with a {channel.name} channel on wires "
                    f"{channel.wires} {fault} from the density matrix sum_k K rho K^dagger",
                )
            what = "State() of a circuit with a channel"
            check_refused(QgenError, what, backend.run, circuit, angles, State())

    def test_gradients_with_noise(self) -> None:
        """Gradients of circuits with channels."""
        backend = self.make()
        rng = np.random.default_rng(42)
        can = backend.capabilities
        if not can.noise or not can.exact or can.gradients == "none":
            not_applicable("no exact noise, or no gradients")
        wires = self.width(2, backend)
        for channel in circuits.channels(wires, rng):
            circuit = self._with_channel(channel, wires, rng)
            angles = circuits.rows(circuit, 2, rng)
            cotangent = rng.normal(size=(2, 2**wires))
            found = backend.forward(circuit, angles, Probabilities())[1](cotangent)
            expected = reference.gradient(circuit, angles, Probabilities(), cotangent)
            variable = [angle.source != "const" for angle in circuit.angles]
            error = float(np.max(np.abs(found - expected)[:, variable]))
            check(
                error <= 100 * self.tolerance,
                f"the gradient through a {channel.name} channel is {error:.3g} off the exact one "
                "of the density matrix",
            )

    def test_unsupported(self) -> None:
        """Gates, channels and wires beyond the capabilities raise Unsupported and are named."""
        backend = self.make()
        can = backend.capabilities
        for name in sorted(set(GATES) - can.gates):
            angle = const(0.3) if GATES[name].has_angle else None
            circuit = Circuit(2, (Gate(name, tuple(range(GATES[name].wires)), angle),))
            what = f"the gate {name!r}, which the capabilities lack,"
            self._check_refused(Unsupported, what, circuit, named=name)
        if not can.noise:
            channel = Channel(np.array([np.eye(2)]), (0,), "relaxation")
            what = "a channel on a backend without noise"
            self._check_refused(Unsupported, what, Circuit(1, (channel,)), named="relaxation")
        if can.max_wires is not None:
            wide = Circuit(can.max_wires + 1, ())
            shots = Shots(1, np.random.default_rng(0))
            what = f"{wide.num_wires} wires on a backend of {can.max_wires}"
            named = str(can.max_wires)
            check_refused(Unsupported, what, backend.run, wide, NONE, Bits(), shots, named=named)

    def test_missing_shots(self) -> None:
        """Bits without shots are refused, and on a device everything without shots."""
        backend = self.make()
        circuit = Circuit(1, ())
        check_refused(QgenError, "Bits() without shots", backend.run, circuit, NONE, Bits())
        if not backend.capabilities.exact:
            what = "Probabilities() without shots on a backend without exact values"
            check_refused(BadOption, what, backend.run, circuit, NONE, Probabilities())

    def test_misfits(self) -> None:
        """Words, confusions and angles that do not fit the circuit are refused."""
        rotations = circuits.turned(self.make().capabilities.gates, 2, np.random.default_rng(43))
        circuit = Circuit(2, tuple(rotations))
        self._check_refused(
            QgenError, "a Pauli word of 3 letters on 2 wires", circuit, Expectations(("ZZZ",))
        )
        confusion = np.tile(np.eye(2), (3, 1, 1))
        self._check_refused(
            QgenError, "a confusion of 3 wires on 2", circuit, Probabilities(confusion)
        )
        angles = np.zeros((1, circuit.num_angles + 1))
        self._check_refused(QgenError, "a column of angles too many", circuit, angles=angles)

    def test_memory_is_refused(self) -> None:
        """A circuit that fits in no memory raises a QgenError, not a MemoryError."""
        backend = self.make()
        if self.memory_wires is None or not backend.capabilities.exact:
            not_applicable("the backend holds no states")
        gates = circuits.turned(backend.capabilities.gates, 2, np.random.default_rng(44))
        circuit = Circuit(self.memory_wires, tuple(gates))
        self._check_refused(QgenError, f"a state of {self.memory_wires} wires", circuit)

    def _check_refused(
        self,
        errors: type[QgenError],
        what: str,
        circuit: Circuit,
        measure: Measure | None = None,
        angles: Floats | None = None,
        named: str = "",
    ) -> None:
        if measure is None:
            measure = Probabilities()
        if angles is None:
            angles = circuit.bind([])
        check_refused(errors, what, self.values, self.make(), circuit, angles, measure, named=named)

    def _with_channel(self, channel: Channel, wires: int, rng: np.random.Generator) -> Circuit:
        """The channel between two random circuits."""
        gates = self.make().capabilities.gates
        before = circuits.trained(gates, wires, 3, rng)
        after = circuits.trained(gates, wires, 3, rng)
        return Circuit(wires, (*before.instructions, channel, *after.instructions))
