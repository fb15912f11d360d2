"""The backend ``zero-noise``: values at several strengths of the noise, extrapolated to none."""

from __future__ import annotations

from typing import Literal

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import (
    Expectations,
    LinearReadout,
    Measure,
    Probabilities,
    Shots,
    confuse,
)
from qgen_core.errors import BadOption
from qgen_core.interfaces import Backend
from qgen_core.mitigation.folding import Amplified, Amplify, amplified
from qgen_core.mitigation.shared import Mitigation, Negative
from qgen_core.support.identity_cache import Remembered
from qgen_core.typing import AnglePullback, Array, Floats

Fit = Literal["linear", "richardson", "exponential"]


class ZeroNoise(Mitigation):
    """A backend extrapolated to zero noise from circuits with more of it.

    Each circuit runs once for each scale, with all shots: ``shots`` of a call are spent once a
    scale. Readout errors do not grow with the scale and stay; wrap ``readout-mitigated`` as
    ``backend``.

    Bias falls, variance grows: with equal shots a scale, ``linear`` at 1, 3, 5 has 1.5 times the
    variance of the value at scale 1, ``richardson`` there 5.2 times, and more points or nearer ones
    more. These two are linear in the values, so means stay means and gradients go straight through.
    ``exponential`` is neither: it is biased by shot noise and its probabilities need not sum to one
    before projection.

    Args:
        backend: runs the circuits; its noise is what is amplified.
        scales: strengths of the noise, 1 as it comes; odd for folding, whole for ``channels``.
        amplify: ``gates``: each gate G becomes G G^-1 G and so on; ``circuit``: the whole circuit
        does;
            ``channels``: the channels of a noise model act several times, on simulators.
        fit: ``linear``, a line by least squares; ``richardson``, the polynomial through all points;
            ``exponential``, decay to the values of the fully mixed state (a line where these are
            crossed).
        negative: estimated probabilities below zero: ``project`` to the nearest distribution
        (Smolin et
            al.), a small bias, or ``keep``.

    Raises BadOption for scales that cannot be made.

    Source: Temme, Bravyi and Gambetta, Phys. Rev. Lett. 119, 180509 (2017), arXiv:1612.02058;
    folding after Giurgica-Tiron et al., arXiv:2005.10921.
    """

    def __init__(
        self,
        *,
        backend: Backend,
        scales: tuple[int, ...] = (1, 3, 5),
        amplify: Amplify = "gates",
        fit: Fit = "linear",
        negative: Negative = "project",
    ) -> None:
        super().__init__(backend, negative)
        if len(set(scales)) != len(scales) or len(scales) < 2 or min(scales) < 1:
            raise BadOption(
                f"zero-noise needs two or more different scales of at least 1, not {scales}"
            )
        if amplify != "channels" and not all(scale % 2 for scale in scales):
            raise BadOption(
                f"folded {amplify} make odd scales, not {scales}; "
                'use odd ones, or amplify = "channels"'
            )
        if amplify == "channels" and not self.capabilities.exact:
            raise BadOption("a device has no channels to repeat; fold its gates or its circuits")
        self.scales, self.amplify, self.fit = scales, amplify, fit
        self.weights = (richardson_weights if fit == "richardson" else linear_weights)(scales)
        self._amplified: Remembered[Circuit, tuple[Amplified, ...]] = Remembered()

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        mapped = self._mapped(circuit, measure)
        for at in self._circuits(mapped.circuit):
            self.backend.require(at.circuit, mapped.measure, batch)

    def mitigated(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Probabilities | Expectations,
        shots: Shots | None,
    ) -> tuple[Array, AnglePullback]:
        at_scale = self._circuits(circuit)
        runs = [
            self.backend.forward(at.circuit, at.angles(angles), measure, shots) for at in at_scale
        ]
        values = np.stack([output for output, _ in runs])
        estimate, slopes = self._extrapolated(values, measure, circuit.num_wires)

        def back(cotangent: Array) -> Floats:
            parts = zip(at_scale, runs, slopes, strict=True)
            return sum(
                (
                    at.pullback(way_back(slope * cotangent), angles.shape[1])
                    for at, (_, way_back), slope in parts
                ),
                start=np.zeros_like(angles),
            )

        return estimate, back

    def _circuits(self, circuit: Circuit) -> tuple[Amplified, ...]:
        def make() -> tuple[Amplified, ...]:
            return tuple(amplified(circuit, scale, self.amplify) for scale in self.scales)

        return self._amplified.get(circuit, make)

    def _extrapolated(
        self, values: Floats, measure: Probabilities | Expectations, wires: int
    ) -> tuple[Floats, Floats]:
        """The value at zero noise (B, K) from those at each scale (S, B, K), and its derivative."""
        weights = np.broadcast_to(self.weights[:, None, None], values.shape)
        line = np.einsum("s,sbk->bk", self.weights, values)
        if self.fit != "exponential":
            return line, weights
        limit = fully_mixed(measure, wires)
        above = values - limit
        decays = np.all(above * above[0] > 0, axis=0)
        safe = np.where(decays, above, 1.0)
        start = np.sign(safe[0]) * np.exp(
            np.einsum("s,sbk->bk", self.weights, np.log(np.abs(safe)))
        )
        return np.where(decays, limit + start, line), np.where(
            decays, start * weights / safe, weights
        )


def linear_weights(scales: tuple[int, ...]) -> Floats:
    """What each value counts in the intercept of the least-squares line through them."""
    s = np.asarray(scales, dtype=np.float64)
    off = s - s.mean()
    return np.asarray(1 / len(s) - s.mean() * off / np.sum(off**2))


def richardson_weights(scales: tuple[int, ...]) -> Floats:
    """What each value counts at zero in the polynomial through them all."""
    s = np.asarray(scales, dtype=np.float64)
    return np.array([np.prod([b / (b - a) for b in s if b != a]) for a in s])


def fully_mixed(measure: Probabilities | Expectations, wires: int) -> Floats:
    """What the fully mixed state reads as, (2^Q,) or (words,)."""
    if isinstance(measure, Probabilities):
        return np.asarray(confuse(np.full((1, 2**wires), 0.5**wires), measure.confusion)[0])
    readout = LinearReadout.of(measure)
    return np.asarray(
        readout.matrix @ [float(set(word) == {"I"}) for word in readout.measure.paulis]
    )
