"""A backend with noise: a noise model maps each circuit before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace

from qgen_core.circuits.capabilities import Capabilities
from qgen_core.circuits.circuit import Circuit, Gate, const
from qgen_core.circuits.gates import EVERY_GATE, GATES, GateNames, GateSpec
from qgen_core.circuits.measures import Measure, Probabilities, Shots
from qgen_core.errors import QgenError
from qgen_core.interfaces import Backend, Noise
from qgen_core.noise_models.mapping import Mapping
from qgen_core.support.identity_cache import Remembered
from qgen_core.typing import AnglePullback, Array, Floats


class NoisyBackend(Backend):
    """A backend that runs each circuit and measure as a noise model returns them.

    ``noise`` is a function from (circuit, measure) to both of them with noise. The capabilities are
    those of ``backend`` after the mapping: gates that the noise model turns into ones that the
    backend has are included.

    >>> import qgen_core as qgen
    >>> noise = qgen.noise("readout", p01=0.1)
    >>> noisy = NoisyBackend(qgen.backend("statevector"), noise)
    >>> noisy.probabilities(Circuit(1, ()), [])
    array([0.9, 0.1])
    """

    def __init__(self, backend: Backend, noise: Noise) -> None:
        self.backend = backend
        self.noise = noise
        self.mapping = Mapping(noise)
        self.capabilities = _mapped_capabilities(backend.capabilities, noise)

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if the wrapped backend would for the noisy circuit."""
        mapped = self.mapping(circuit, measure)
        self.backend.require(mapped.circuit, mapped.measure, batch)

    def run(
        self, circuit: Circuit, angles: Floats, measure: Measure, shots: Shots | None = None
    ) -> Array:
        mapped = self.mapping(circuit, measure)
        output = self.backend.run(mapped.circuit, mapped.angles(angles), mapped.measure, shots)
        return mapped.output(output)

    def forward(
        self, circuit: Circuit, angles: Floats, measure: Measure, shots: Shots | None = None
    ) -> tuple[Array, AnglePullback]:
        mapped = self.mapping(circuit, measure)
        output, of_noisy = self.backend.forward(
            mapped.circuit, mapped.angles(angles), mapped.measure, shots
        )

        def pullback(cotangent: Array) -> Floats:
            return mapped.pullback(of_noisy(mapped.cotangent(cotangent)), circuit.num_angles)

        return mapped.output(output), pullback


def _mapped_capabilities(can: Capabilities, noise: Noise) -> Capabilities:
    """Capabilities with the gates that the noise model turns into ones that the backend has."""
    if can.gates is EVERY_GATE:
        return can
    return replace(can, gates=MappedGates(can.gates, noise))


class MappedGates(GateNames):
    """Names of the gates that a backend has, or that a noise model turns into ones that it has.

    A gate that the backend lacks is passed to the noise model when it is first looked up.

    >>> def without_s(circuit, measure):
    ...     gates = []
    ...     for gate in circuit.gates:
    ...         if gate.name == "s":
    ...             gates.append(Gate("z", gate.wires))  # not equal, but enough to show the lookup
    ...         else:
    ...             gates.append(gate)
    ...     return Circuit(circuit.num_wires, tuple(gates)), measure
    >>> gates = MappedGates({"z", "h"}, without_s)
    >>> "s" in gates, "t" in gates
    (True, False)
    """

    def __init__(self, own: Set[str], noise: Noise) -> None:
        self._own = own
        self._noise = noise
        self._tried: Remembered[GateSpec, bool] = Remembered()

    def __contains__(self, name: object) -> bool:
        if name in self._own:
            return True
        spec = GATES.get(str(name))
        if spec is None:
            return False
        return self._tried.get(spec, lambda: _turns_into(self._noise, str(name), self._own))

    def __iter__(self) -> Iterator[str]:
        names = {**dict.fromkeys(self._own), **GATES}
        return (name for name in names if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __hash__(self) -> int:
        return id(self)


def _turns_into(noise: Noise, name: str, gates: Set[str]) -> bool:
    """Whether the noise model turns a gate into ones that a backend has."""
    spec = GATES[name]
    angle = const(0.1) if spec.has_angle else None
    circuit = Circuit(spec.wires, (Gate(name, tuple(range(spec.wires)), angle),))
    try:
        mapped, _ = noise(circuit, Probabilities())
    except QgenError:
        return False
    return all(gate.name in gates for gate in mapped.gates)
