"""What a backend can do, as data, and the refusal of what it cannot."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Literal

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.gates import EVERY_GATE
from qgen_core.circuits.measures import Shots, check_number_of_shots
from qgen_core.errors import BadOption, Unsupported

# Backends to suggest in error messages: those that run circuits with channels, those that have all
# gates.
WITH_NOISE = "density, cirq, aer with method density_matrix, pennylane with device default.mixed"
WITH_ALL_GATES = "statevector, density"


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do.

    Args:
        gates: Names of the gates that it has. By default all of the table, also those that are
            added later. An adapter gives the names that it maps to gates of its SDK.
        max_wires: Most wires of a circuit; None: as memory allows.
        exact: Whether it has exact values (without shots).
        shots: Whether it has shots.
        noise: Whether it runs circuits with channels.
        gradients: How gradients are computed, or "none".
        remote: Whether it runs circuits on another machine.
        precision: "double" is complex128, "single" complex64, whose values differ from others by up
            to 1e-5.

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
        """Check that a backend with these capabilities runs a circuit with these shots.

        Raises Unsupported for a gate, a channel or wires beyond them, BadOption for less than one
        shot and for no shots where there are no exact values. ``shots`` may be their number alone,
        to check a model's options before it runs. ``name`` is the backend's name for messages.
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
