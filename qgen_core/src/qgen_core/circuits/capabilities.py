"""What a backend can do, as data, and the check that a circuit is within it."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Literal

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.gates import EVERY_GATE
from qgen_core.circuits.measures import Shots, check_number_of_shots
from qgen_core.errors import BadOption, Unsupported

#: Backends that error messages suggest for circuits with channels.
WITH_NOISE = "density, cirq, aer with method density_matrix, pennylane with device default.mixed"
#: Backends that error messages suggest for gates that another backend lacks.
WITH_ALL_GATES = "statevector, density"


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do.

    Args:
        gates: Names of the gates that it has. The default is every gate of the table, those that
            are added later included. An adapter gives the names that it maps to gates of its SDK.
        max_wires: The largest number of wires of a circuit; None where memory is the only limit.
        exact: Whether it computes exact values (without shots).
        shots: Whether it draws shots.
        noise: Whether it runs circuits with channels.
        gradients: How it computes gradients, or "none".
        remote: Whether it runs circuits on another machine.
        precision: "double" for complex128, "single" for complex64, with errors of up to 1e-5.

    >>> from qgen_core.circuits.circuit import Gate
    >>> can = Capabilities(gates=frozenset({"h", "cx"}), max_wires=4)
    >>> can.check("toy", Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1)))))
    >>> can.check("toy", Circuit(2, (Gate("x", (0,)),)))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    qgen_core.errors.Unsupported: Unsupported: toy has no gate x; it has ...
    """

    gates: Set[str] = EVERY_GATE
    max_wires: int | None = None
    exact: bool = True
    shots: bool = True
    noise: bool = False
    gradients: str = "parameter-shift"
    remote: bool = False
    precision: Literal["double", "single"] = "double"

    def check(self, name: str, circuit: Circuit, shots: Shots | int | None = None) -> None:
        """Check that a backend with these capabilities can run a circuit with these shots.

        Args:
            name: The name of the backend in error messages.
            circuit: The circuit to run.
            shots: The shots, or their number alone, which checks the options of a model before it
                runs; None for exact values.

        Raises Unsupported for a gate, a channel or a number of wires that the backend lacks, and
        BadOption for less than one shot and for exact values that it does not compute.
        """
        missing = circuit.counts.keys() - self.gates
        if missing:
            raise Unsupported(
                f"{name} has no gate {', '.join(sorted(missing))}; it has "
                f"{', '.join(sorted(self.gates))}; all gates run on {WITH_ALL_GATES}"
            )
        if circuit.channels and not self.noise:
            raise Unsupported(
                f"{name} runs pure states only, the circuit holds the channel "
                f"{circuit.channels[0].name!r}; channels run on {WITH_NOISE}"
            )
        if self.max_wires is not None and circuit.num_wires > self.max_wires:
            raise Unsupported(
                f"{name} holds at most {self.max_wires} wires, the circuit has {circuit.num_wires}"
            )
        if isinstance(shots, int):
            check_number_of_shots(shots)
        if shots is None and not self.exact:
            raise BadOption(f"{name} has no exact values; give it shots")
