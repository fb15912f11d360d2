"""What a backend can do, as data, and the refusal of what it cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.gates import GATES
from qgen_core.errors import BadOption, Unsupported

#: Who runs what others refuse, for hints in errors.
WITH_NOISE = "density, cirq, aer with method density_matrix, pennylane with device default.mixed"
WITH_ALL_GATES = "statevector, density"


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do. ``max_wires`` None: as memory allows.

    ``precision`` "double" is complex128, "single" complex64: values differ from others by up to 1e-5.
    """

    gates: frozenset[str] = frozenset(GATES)
    max_wires: int | None = None
    exact: bool = True
    shots: bool = True
    noise: bool = False
    gradients: str = "parameter-shift"
    remote: bool = False
    precision: Literal["double", "single"] = "double"

    def check(self, name: str, circuit: Circuit, shots: int | None = None) -> None:
        """Raise Unsupported or BadOption, in the backend's name, for a circuit or shots beyond these."""
        missing = circuit.counts.keys() - self.gates
        if missing:
            raise Unsupported(
                f"{name} has no gate {', '.join(sorted(missing))}; it has {', '.join(sorted(self.gates))}; "
                f"all gates run on {WITH_ALL_GATES}"
            )
        if circuit.channels and not self.noise:
            raise Unsupported(
                f"{name} runs pure states only, the circuit holds the channel {circuit.channels[0].name!r}; "
                f"channels run on {WITH_NOISE}"
            )
        if self.max_wires is not None and circuit.num_wires > self.max_wires:
            raise Unsupported(
                f"{name} holds at most {self.max_wires} wires, the circuit has {circuit.num_wires}"
            )
        if shots is not None and shots < 1:
            raise BadOption(f"shots must be at least 1, not {shots}")
        if shots is None and not self.exact:
            raise BadOption(f"{name} has no exact values; give it shots")
