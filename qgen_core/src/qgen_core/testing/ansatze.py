"""The conformance kit of ansaetze."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from typing import Any

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.errors import QgenError
from qgen_core.interfaces import Ansatz
from qgen_core.testing import reference
from qgen_core.testing.kit import Kit, check, check_refused, globals_untouched, not_applicable
from qgen_core.typing import Floats


class AnsatzKit(Kit):
    """Checks an ansatz: the circuits that it builds; inherit it and define ``make``.

        class TestMine(AnsatzKit):
            def make(self):
                return my_ansatz

    Override ``wires`` if it fits certain numbers of wires only, and ``arguments`` if it needs
    registers or training events.

    >>> import qgen_core as qgen
    >>> class TestBrick(AnsatzKit):
    ...     def make(self):
    ...         return qgen.ansatz("brick", layers=1)
    >>> TestBrick().test_circuits()
    """

    #: Numbers of wires that circuits are built for.
    wires: tuple[int, ...] = (2, 4)

    @abstractmethod
    def make(self) -> Ansatz:
        """The ansatz to test, with its options bound."""

    def arguments(self, wires: int) -> dict[str, Any]:
        """Further arguments of a call, e.g. ``registers`` or ``data``."""
        return {}

    def circuit(self, wires: int, **more: Any) -> Circuit:
        """The circuit for so many wires."""
        built: Any = self.make()(wires, **self.arguments(wires), **more)
        check(
            isinstance(built, Circuit) and built.num_wires == wires,
            f"an ansatz of {wires} wires must return a Circuit on {wires} wires, not {built!r}",
        )
        circuit: Circuit = built
        return circuit

    def test_circuits(self) -> None:
        """Circuits have the wires asked for, use each of them, and no input without inputs."""
        for wires in self.wires:
            with globals_untouched("the ansatz"):
                circuit = self.circuit(wires)
            used: set[int] = set()
            for instruction in circuit.instructions:
                used.update(instruction.wires)
            unused = sorted(set(range(wires)) - used)
            check(not unused, f"wires {unused} of {wires} have no gate")
            check(
                circuit.num_inputs == 0,
                f"the circuit takes {circuit.num_inputs} inputs, none were asked for",
            )

    def test_reproducible(self) -> None:
        """The same arguments give the same circuit."""
        for wires in self.wires:
            same = self.circuit(wires) == self.circuit(wires)
            check(same, f"two calls with {wires} wires give different circuits")

    def test_parameters(self) -> None:
        """There are parameters, and each is in the angle of a gate."""
        for wires in self.wires:
            circuit = self.circuit(wires)
            count = circuit.num_params
            check(count > 0, f"the circuit on {wires} wires has no parameter to train")
            still = []
            start = circuit.bind(np.zeros(count))
            for number in range(count):
                moved = circuit.bind(np.eye(count)[number])
                if np.array_equal(start, moved):
                    still.append(number)
            check(
                not still,
                f"parameters {still} of {count} are in no gate; number them from 0 without gaps",
            )

    def test_parameters_change_the_outcomes(self) -> None:
        """At least a quarter of the parameters change the probabilities of the outcomes."""
        wires = self.wires[0]
        circuit = self.circuit(wires)
        theta = np.random.default_rng(5).uniform(-1.0, 1.0, circuit.num_params)
        before = _probabilities(circuit, theta)
        acting = 0
        for number in range(len(theta)):
            moved = theta + 0.3 * np.eye(len(theta))[number]
            acting += int(not np.allclose(_probabilities(circuit, moved), before, atol=1e-9))
        check(
            4 * acting >= len(theta),
            f"{len(theta) - acting} of {len(theta)} parameters change no probability: they rotate "
            "about z before the measurement, or act on wires that end in a product state",
        )

    def test_inputs(self) -> None:
        """With inputs, the circuit takes as many, and each changes the outcomes."""
        if "inputs" not in inspect.signature(self.make()).parameters:
            not_applicable("the ansatz takes no inputs")
        wires = self.wires[-1]
        circuit = self.circuit(wires, inputs=2)
        check(
            circuit.num_inputs == 2, f"asked for 2 inputs, the circuit takes {circuit.num_inputs}"
        )
        theta = np.random.default_rng(6).uniform(-1.0, 1.0, circuit.num_params)
        inputs = np.array([0.4, -0.7])
        before = _probabilities(circuit, theta, inputs)
        for number in range(2):
            moved = inputs + 0.5 * np.eye(2)[number]
            changed = not np.allclose(_probabilities(circuit, theta, moved), before, atol=1e-9)
            check(changed, f"input {number} changes no probability; put it into an angle")

    def test_no_wires_are_refused(self) -> None:
        """An ansatz of no wires raises an error."""
        check_refused(QgenError, "an ansatz of 0 wires", self.circuit, 0)


def _probabilities(circuit: Circuit, theta: Floats, inputs: Floats | None = None) -> Floats:
    """The probabilities (2^Q,) of the outcomes, by the reference simulator."""
    angles = circuit.bind(theta, inputs)
    probabilities: Floats = np.abs(reference.state(circuit, angles[0])) ** 2
    return probabilities
