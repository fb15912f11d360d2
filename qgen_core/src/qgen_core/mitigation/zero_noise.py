"""The backend ``zero-noise``: values at several strengths of noise, extrapolated to zero."""

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
from qgen_core.mitigation.base import Mitigation, Negative
from qgen_core.mitigation.folding import Amplified, Amplify, amplified
from qgen_core.support.identity_cache import Remembered
from qgen_core.typing import AnglePullback, Array, Floats

Fit = Literal["linear", "richardson", "exponential"]


class ZeroNoise(Mitigation):
    """A backend whose values are extrapolated to zero noise from circuits with amplified noise.

    Each circuit runs once at each scale, each time with all shots of the call. Readout errors do
    not grow with the scale, so they stay; to mitigate them too, give ``readout-mitigated`` as
    ``backend``.

    Extrapolation reduces the bias and increases the variance: with equal shots at each scale,
    ``linear`` at 1, 3, 5 has 1.5 times the variance of the value at scale 1, ``richardson`` 5.2
    times, and more or closer scales have more. These two are linear in the values, so they keep
    means, and gradients pass through them. ``exponential`` is not linear: shot noise biases it, and
    its probabilities need not sum to one before projection.

    Args:
        backend: runs the circuits; its noise is amplified.
        scales: strengths of the noise, with 1 for the noise as it is; odd for folding, whole
            numbers for ``channels``.
        amplify: ``gates`` replaces each gate G by G G^-1 G and so on; ``circuit`` does so with the
            whole circuit; ``channels`` repeats the channels of a noise model, on simulators.
        fit: ``linear``, a line by least squares; ``richardson``, the polynomial through all points;
            ``exponential``, decay to the values of the fully mixed state (a line where values cross
            it).
        negative: ``project`` replaces estimated probabilities by the nearest distribution (Smolin
            et al.), which has a small bias; ``keep`` keeps negative ones.

    Raises BadOption for scales that cannot be made.

    Source: Temme, Bravyi and Gambetta, Phys. Rev. Lett. 119, 180509 (2017), arXiv:1612.02058;
    folding after Giurgica-Tiron et al., arXiv:2005.10921.

    >>> import qgen_core as qgen
    >>> from qgen_core import Gate
    >>> from qgen_core.noise_models.noisy import NoisyBackend
    >>> noise = qgen.noise("depolarizing", one_wire=0.01)
    >>> noisy = NoisyBackend(qgen.backend("density"), noise)
    >>> mitigated = qgen.backend("zero-noise", backend=noisy)
    >>> circuit = Circuit(1, (Gate("x", (0,)),))
    >>> noisy.probabilities(circuit, []).round(3), mitigated.probabilities(circuit, []).round(3)
    (array([0.005, 0.995]), array([0., 1.]))
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
        self.scales = scales
        self.amplify = amplify
        self.fit = fit
        if fit == "richardson":
            self.weights = richardson_weights(scales)
        else:
            self.weights = linear_weights(scales)
        self._amplified: Remembered[Circuit, tuple[Amplified, ...]] = Remembered()

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if the wrapped backend would for a circuit with more noise."""
        mapped = self._mapped(circuit, measure)
        for scaled in self._circuits(mapped.circuit):
            self.backend.require(scaled.circuit, mapped.measure, batch)

    def device_seconds(self, circuit: Circuit, rows: int, shots: int) -> float | None:
        """The time on a device of the circuits at all scales."""
        total = 0.0
        for scaled in self._circuits(circuit):
            seconds = self.backend.device_seconds(scaled.circuit, rows, shots)
            if seconds is None:
                return None
            total += seconds
        return total

    def mitigated(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Probabilities | Expectations,
        shots: Shots | None,
    ) -> tuple[Array, AnglePullback]:
        circuits = self._circuits(circuit)
        outputs = []
        pullbacks = []
        for scaled in circuits:
            output, of_scaled = self.backend.forward(
                scaled.circuit, scaled.angles(angles), measure, shots
            )
            outputs.append(output)
            pullbacks.append(of_scaled)
        estimate, slopes = self._extrapolated(np.stack(outputs), measure, circuit.num_wires)

        def pullback(cotangent: Array) -> Floats:
            d_angles = np.zeros_like(angles)
            for scaled, of_scaled, slope in zip(circuits, pullbacks, slopes, strict=True):
                d_scaled = of_scaled(slope * cotangent)
                d_angles = d_angles + scaled.pullback(d_scaled, angles.shape[1])
            return d_angles

        return estimate, pullback

    def _circuits(self, circuit: Circuit) -> tuple[Amplified, ...]:
        """The circuit with amplified noise at each scale."""

        def make() -> tuple[Amplified, ...]:
            return tuple(amplified(circuit, scale, self.amplify) for scale in self.scales)

        return self._amplified.get(circuit, make)

    def _extrapolated(
        self, values: Floats, measure: Probabilities | Expectations, wires: int
    ) -> tuple[Floats, Floats]:
        """The value at zero noise (B, K) from ``values`` (S, B, K), and its derivative by them."""
        weights = np.broadcast_to(self.weights[:, None, None], values.shape)
        line = np.einsum("s,sbk->bk", self.weights, values)
        if self.fit != "exponential":
            return line, weights
        limit = fully_mixed(measure, wires)
        above = values - limit
        decays = np.all(above * above[0] > 0, axis=0)
        safe = np.where(decays, above, 1.0)
        logarithm = np.einsum("s,sbk->bk", self.weights, np.log(np.abs(safe)))
        start = np.sign(safe[0]) * np.exp(logarithm)
        estimate = np.where(decays, limit + start, line)
        slopes = np.where(decays, start * weights / safe, weights)
        return estimate, slopes


def linear_weights(scales: tuple[int, ...]) -> Floats:
    """Weights (S,) of the values in the intercept of the least-squares line through them.

    >>> linear_weights((1, 3, 5)).round(3)
    array([ 1.083,  0.333, -0.417])
    """
    s = np.asarray(scales, dtype=np.float64)
    centred = s - s.mean()
    return np.asarray(1 / len(s) - s.mean() * centred / np.sum(centred**2))


def richardson_weights(scales: tuple[int, ...]) -> Floats:
    """Weights (S,) of the values in the polynomial through all of them, evaluated at zero.

    >>> richardson_weights((1, 3, 5))
    array([ 1.875, -1.25 ,  0.375])
    """
    s = np.asarray(scales, dtype=np.float64)
    weights = []
    for scale in s:
        others = s[s != scale]
        weights.append(np.prod(others / (others - scale)))
    return np.array(weights)


def fully_mixed(measure: Probabilities | Expectations, wires: int) -> Floats:
    """The value of a measure for the fully mixed state, (2^Q,) or (words,).

    >>> fully_mixed(Expectations(("ZI", "II")), 2)
    array([0., 1.])
    """
    if isinstance(measure, Probabilities):
        uniform = np.full((1, 2**wires), 0.5**wires)
        return np.asarray(confuse(uniform, measure.confusion)[0])
    readout = LinearReadout.of(measure)
    identities = [float(set(word) == {"I"}) for word in readout.measure.paulis]
    return np.asarray(readout.matrix @ identities)
