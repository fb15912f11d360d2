"""A backend made noisy: the noise model maps each circuit before it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from qgen_core.circuits.capabilities import Capabilities
from qgen_core.circuits.circuit import Circuit, Gate, const
from qgen_core.circuits.gates import GATES
from qgen_core.circuits.measures import Measure, Probabilities
from qgen_core.errors import QgenError
from qgen_core.interfaces import Backend, Noise
from qgen_core.noise_models.mapping import Mapping
from qgen_core.typing import Array, Floats, Rng


class NoisyBackend(Backend):
    """``backend`` behind ``noise``: a function of (circuit, measure) that returns both, made noisy.

    The capabilities are those of ``backend`` after the mapping: a gate that the noise model turns
    into ones that the backend has counts.
    """

    def __init__(self, backend: Backend, noise: Noise) -> None:
        self.backend, self.noise = backend, noise
        self.mapping = Mapping(noise)
        self.capabilities = _mapped_capabilities(backend.capabilities, noise)

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if the wrapped backend would."""
        mapped = self.mapping(circuit, measure)
        self.backend.require(mapped.circuit, mapped.measure, batch)

    def run(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        *,
        shots: int | None = None,
        rng: Rng | None = None,
    ) -> Array:
        mapped = self.mapping(circuit, measure)
        return self.backend.run(
            mapped.circuit, mapped.angles(angles), mapped.measure, shots=shots, rng=rng
        )

    def forward(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        *,
        shots: int | None = None,
        rng: Rng | None = None,
    ) -> tuple[Array, Callable[[Array], Floats]]:
        mapped = self.mapping(circuit, measure)
        output, back = self.backend.forward(
            mapped.circuit, mapped.angles(angles), mapped.measure, shots=shots, rng=rng
        )
        return output, lambda cotangent: mapped.pullback(back(cotangent), circuit.num_angles)

    def vjp(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        cotangent: Array,
        *,
        shots: int | None = None,
        rng: Rng | None = None,
    ) -> Floats:
        mapped = self.mapping(circuit, measure)
        inner = self.backend.vjp(
            mapped.circuit, mapped.angles(angles), mapped.measure, cotangent, shots=shots, rng=rng
        )
        return mapped.pullback(inner, circuit.num_angles)


def _mapped_capabilities(can: Capabilities, noise: Noise) -> Capabilities:
    """The gates that the backend lacks are tried: the noise model may turn them into ones that it has."""
    more = {name for name in GATES if name not in can.gates and _turns_into(noise, name, can.gates)}
    return replace(can, gates=can.gates | more) if more else can


def _turns_into(noise: Noise, name: str, gates: frozenset[str]) -> bool:
    angle = const(0.1) if GATES[name].has_angle else None
    circuit = Circuit(GATES[name].wires, (Gate(name, tuple(range(GATES[name].wires)), angle),))
    try:
        mapped, _ = noise(circuit, Probabilities())
    except QgenError:
        return False
    return all(gate.name in gates for gate in mapped.gates)
