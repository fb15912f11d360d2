"""The base class of mitigation: backends that estimate what a backend would give without noise."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Literal

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import (
    Bits,
    Expectations,
    Measure,
    Probabilities,
    Shots,
    State,
    check_measure,
    require_shots,
)
from qgen_core.errors import Unsupported
from qgen_core.events import index_to_bits
from qgen_core.interfaces import Backend, DeviceCircuit
from qgen_core.mitigation.quasi_probabilities import (
    cotangent_of_values,
    nearest_distribution,
    systematic_outcomes,
)
from qgen_core.noise_models.mapping import Mapped, Mapping
from qgen_core.noise_models.noisy import NoisyBackend
from qgen_core.simulators.base import checked_angles
from qgen_core.support.resources import require_memory
from qgen_core.typing import AnglePullback, Array, Floats

Negative = Literal["project", "keep"]


class Mitigation(Backend):
    """A backend that estimates the values of ``backend`` without (some of) its noise.

    A subclass implements :meth:`mitigated`.

    Noise is applied first and mitigated last, whichever was wrapped around the other: the circuits
    and measures passed to :meth:`mitigated` contain the noise. So a mitigation under ``[noise]``
    and a mitigation around a noisy backend give the same results.

    Estimated probabilities may be negative. With ``negative`` "project" they are replaced by the
    nearest distribution; gradients go through the projection, so outcomes that it sets to zero
    have none. With "keep" they stay. Bits have the frequencies of the projected estimate, in random
    order.

    >>> import qgen_core as qgen
    >>> class SubtractBackground(Mitigation):
    ...     '''Removes a known fraction of 10 percent uniform background.'''
    ...
    ...     def mitigated(self, circuit, angles, measure, shots):
    ...         read, pullback = self.backend.forward(circuit, angles, measure, shots)
    ...         background = 0.1 / read.shape[1]
    ...         return (read - background) / 0.9, lambda cotangent: pullback(cotangent / 0.9)
    >>> noise = qgen.noise("readout", p01=0.05, p10=0.05)
    >>> noisy = NoisyBackend(qgen.backend("statevector"), noise)
    >>> SubtractBackground(noisy, "project").probabilities(Circuit(1, ()), []).round(6)
    array([1., 0.])
    """

    def __init__(self, backend: Backend, negative: Negative) -> None:
        self.capabilities = backend.capabilities
        self.backend, self.noise = without_noise(backend)
        self.negative = negative

    @abstractmethod
    def mitigated(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Probabilities | Expectations,
        shots: Shots | None,
    ) -> tuple[Array, AnglePullback]:
        """Estimates (B, 2^Q) or (B, words), not projected, and their pullback to angles (B, A)."""

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if the wrapped backend would for the noisy circuit."""
        mapped = self._mapped(circuit, measure)
        self.backend.require(mapped.circuit, mapped.measure, batch)

    def device_seconds(self, circuit: Circuit, rows: int, shots: int) -> float | None:
        """The time on a device of the wrapped backend, without calibrations of its readout."""
        return self.backend.device_seconds(circuit, rows, shots)

    def device_circuit(self, circuit: Circuit) -> DeviceCircuit | None:
        """The transpiled circuit of the wrapped backend."""
        return self.backend.device_circuit(circuit)

    def run(
        self, circuit: Circuit, angles: Floats, measure: Measure, shots: Shots | None = None
    ) -> Array:
        if isinstance(measure, Bits):
            return self._bits(circuit, angles, measure, require_shots(shots, "Bits()"))
        return self.forward(circuit, angles, measure, shots)[0]

    def forward(
        self, circuit: Circuit, angles: Floats, measure: Measure, shots: Shots | None = None
    ) -> tuple[Array, AnglePullback]:
        output, pullback = self._estimated(circuit, angles, measure, shots)
        if self.negative == "keep" or isinstance(measure, Expectations):
            return output, pullback
        distributions, support = nearest_distribution(output)

        def through_projection(cotangent: Array) -> Floats:
            return pullback(cotangent_of_values(np.asarray(cotangent), support))

        return distributions, through_projection

    def _mapped(self, circuit: Circuit, measure: Measure) -> Mapped:
        if self.noise is None:
            return Mapped(circuit, measure, same_angles=True)
        return self.noise(circuit, measure)

    def _estimated(
        self, circuit: Circuit, angles: Floats, measure: Measure, shots: Shots | None
    ) -> tuple[Array, AnglePullback]:
        """Estimates with the noise applied first, not projected, and their pullback."""
        rows = checked_angles(circuit, angles)
        mapped = self._mapped(circuit, measure)
        if isinstance(mapped.measure, Bits | State):
            what = "has no gradient" if isinstance(measure, Bits) else "cannot be mitigated"
            raise Unsupported(
                f"{type(measure).__name__} {what}; measure probabilities or expectations"
            )
        check_measure(mapped.measure, mapped.circuit.num_wires)
        output, of_noisy = self.mitigated(
            mapped.circuit, mapped.angles(rows), mapped.measure, shots
        )

        def pullback(cotangent: Array) -> Floats:
            of_output = mapped.cotangent(np.asarray(cotangent))
            return mapped.pullback(of_noisy(of_output), circuit.num_angles)

        return mapped.output(output), pullback

    def _bits(self, circuit: Circuit, angles: Floats, measure: Bits, shots: Shots) -> Array:
        """Bits (B, shots, Q)."""
        wires = circuit.num_wires
        needed = len(angles) * (8 * 2**wires + shots.number * (wires + 16))
        what = f"{shots.number} mitigated shots of {wires} bits"
        require_memory(needed, what, "take fewer at once")
        estimates, _ = self._estimated(circuit, angles, Probabilities(measure.confusion), shots)
        bits = []
        for probabilities in nearest_distribution(estimates)[0]:
            outcomes = systematic_outcomes(probabilities, shots.number, shots.rng)
            bits.append(index_to_bits(outcomes, wires))
        return np.stack(bits)


def without_noise(backend: Backend) -> tuple[Backend, Mapping | None]:
    """A backend without the noise around it, and what that noise makes of circuits.

    >>> import qgen_core as qgen
    >>> inner = qgen.backend("statevector")
    >>> bare, mapping = without_noise(NoisyBackend(inner, qgen.noise("readout")))
    >>> bare is inner, mapping is None
    (True, False)
    """
    if isinstance(backend, NoisyBackend):
        return backend.backend, backend.mapping
    if not isinstance(backend, Mitigation) or backend.noise is None:
        return backend, None
    bare = copy.copy(backend)
    bare.noise = None
    return bare, backend.noise
