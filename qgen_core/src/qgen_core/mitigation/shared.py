"""What backends that undo noise share: noise kept outside, quasi-probabilities, bits."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

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
from qgen_core.interfaces import Backend
from qgen_core.noise_models.mapping import Mapped, Mapping
from qgen_core.noise_models.noisy import NoisyBackend
from qgen_core.simulators.base import checked_angles
from qgen_core.support.resources import require_memory
from qgen_core.typing import AnglePullback, Array, Floats, Rng

Negative = Literal["project", "keep"]


class Mitigation(Backend):
    """A backend that estimates the values of ``backend`` without (some of) its noise.

    Noise comes first and mitigation last, whichever was wrapped around the other: the circuits and
    measures that :meth:`mitigated` is given have the noise in them. So a mitigation under
    ``[noise]`` and a mitigation around a noisy backend are the same.

    Estimated probabilities may be negative (quasi-probabilities). ``project`` replaces them by the
    nearest distribution; gradients then go back through the projection, and outcomes that it sets
    to zero pass none. Bits have the projected frequencies of as many shots, in random order.
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
        """Estimates (B, 2^Q) or (B, words), not projected, and the way back to angles (B, A)."""

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if the wrapped backend would."""
        mapped = self._mapped(circuit, measure)
        self.backend.require(mapped.circuit, mapped.measure, batch)

    def run(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        shots: Shots | None = None,
    ) -> Array:
        if isinstance(measure, Bits):
            return self._bits(circuit, angles, measure, require_shots(shots, "Bits()"))
        return self.forward(circuit, angles, measure, shots)[0]

    def forward(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        shots: Shots | None = None,
    ) -> tuple[Array, AnglePullback]:
        return self._estimated(circuit, angles, measure, shots, self.negative)

    def _mapped(self, circuit: Circuit, measure: Measure) -> Mapped:
        return (
            Mapped(circuit, measure, True) if self.noise is None else self.noise(circuit, measure)
        )

    def _estimated(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        shots: Shots | None,
        negative: Negative,
    ) -> tuple[Array, AnglePullback]:
        rows, mapped = checked_angles(circuit, angles), self._mapped(circuit, measure)
        if isinstance(mapped.measure, Bits | State):
            what = "has no gradient" if isinstance(measure, Bits) else "cannot be mitigated"
            raise Unsupported(
                f"{type(measure).__name__} {what}; measure probabilities or expectations"
            )
        check_measure(mapped.measure, circuit.num_wires)
        output, back = self.mitigated(mapped.circuit, mapped.angles(rows), mapped.measure, shots)

        def pullback(cotangent: Array) -> Floats:
            return mapped.pullback(back(np.asarray(cotangent)), circuit.num_angles)

        if negative == "keep" or isinstance(measure, Expectations):
            return output, pullback
        table, support = nearest_distribution(output)
        return table, lambda cotangent: pullback(
            _through_projection(np.asarray(cotangent), support)
        )

    def _bits(self, circuit: Circuit, angles: Floats, measure: Bits, shots: Shots) -> Array:
        needed = len(angles) * (8 * 2**circuit.num_wires + shots.number * (circuit.num_wires + 16))
        require_memory(
            needed,
            f"{shots.number} mitigated shots of {circuit.num_wires} bits",
            "take fewer at once",
        )
        read = Probabilities(measure.confusion)
        table, _ = self._estimated(circuit, angles, read, shots, "project")
        return np.stack(
            [
                index_to_bits(spread_out(row, shots.number, shots.rng), circuit.num_wires)
                for row in table
            ]
        )


def without_noise(backend: Backend) -> tuple[Backend, Mapping | None]:
    """A backend without the noise around it, and what that noise makes of circuits."""
    if isinstance(backend, NoisyBackend):
        return backend.backend, backend.mapping
    if not isinstance(backend, Mitigation) or backend.noise is None:
        return backend, None
    bare = copy.copy(backend)
    bare.noise = None
    return bare, backend.noise


def nearest_distribution(values: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """The nearest probability vectors (B, K) in the square norm, and which entries are positive.

    Source: Smolin, Gambetta and Smith, Phys. Rev. Lett. 108, 070502 (2012), arXiv:1106.5458.
    """
    falling = -np.sort(-values, axis=1)
    excess = (np.cumsum(falling, axis=1) - 1) / np.arange(1, values.shape[1] + 1)
    kept = np.count_nonzero(falling > excess, axis=1)
    shifted = values - np.take_along_axis(excess, kept[:, None] - 1, axis=1)
    # an entry at the very edge counts as inside: the projection of a distribution is the identity
    return np.clip(shifted, 0, None), shifted > -1e-12


def _through_projection(cotangent: Floats, support: NDArray[np.bool_]) -> Floats:
    """The projection's derivative is symmetric: take the mean off the support, zero elsewhere."""
    inside = np.where(support, cotangent, 0.0)
    mean = inside.sum(axis=1, keepdims=True) / support.sum(axis=1, keepdims=True)
    return np.where(support, inside - mean, 0.0)


def spread_out(probabilities: Floats, shots: int, rng: Rng) -> NDArray[np.int64]:
    """Outcomes (shots,) in random order, with the frequencies of ``probabilities``.

    One random offset for all (systematic resampling): a second round of multinomial noise would
    double the variance of what was measured. The mean number of each outcome is exact.
    """
    edges = np.minimum(np.floor(np.cumsum(probabilities) * shots + rng.random()), shots).astype(
        np.int64
    )
    edges[-1] = shots
    outcomes = np.repeat(np.arange(len(probabilities)), np.diff(edges, prepend=0))
    rng.shuffle(outcomes)
    return outcomes
