"""The latent variables of a reversible circuit: how they are drawn and prepared."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Literal

import numpy as np

from qgen_core.circuits.circuit import Gate, given
from qgen_core.errors import BadOption
from qgen_core.events import index_to_bits
from qgen_core.support.random_streams import generator, stream
from qgen_core.typing import Array, Floats, Rng

#: Where the latent variables come from; ``uniform`` is refused.
Mode = Literal["zero", "bernoulli", "ancilla", "angles", "uniform"]
#: The largest probability of a one that is drawn.
MOST_DRAWN = 0.5


@dataclass(frozen=True)
class Latents:
    """Independent latent variables z of the first m wires, prepared by RY; the others are in 0.

    Bits z are prepared as ``|z>``, by the angle pi z, and angles z as ``RY(z) |0>``. Angles are
    normal with mean 0 and variance v, so that the mixed state of a wire is
    ``E[RY(z) |0><0| RY(z)^dagger] = diag(1 - p, p)`` with ``p = (1 - exp(-v / 2)) / 2``: what is
    measured behind any circuit is distributed as for bits that are 1 with the probability p.

    Args:
        p_one: probability of a one, or of what stands for it (m,), each above 0 and below 1.
        variance: of angles in square radians; None for bits.

    >>> Latents(np.array([0.25])).weights
    array([0.75, 0.25])
    """

    p_one: Floats
    variance: float | None = None

    @property
    def wires(self) -> int:
        """The number m of wires that have a latent variable."""
        return len(self.p_one)

    @property
    def preparation(self) -> tuple[Gate, ...]:
        """The gates that prepare the variables: RY by the input w on each wire w."""
        return tuple(Gate("ry", (wire,), given(wire)) for wire in range(self.wires))

    @property
    def basis_angles(self) -> Floats:
        """The angles (2^m, m) that prepare all basis states of these wires."""
        bits = index_to_bits(np.arange(2**self.wires), self.wires)
        return pi * bits.astype(np.float64)

    @property
    def weights(self) -> Floats:
        """The share of each basis state in the mixed state (2^m,)."""
        bits = index_to_bits(np.arange(2**self.wires), self.wires)
        weights: Floats = np.where(bits, self.p_one, 1 - self.p_one).prod(axis=1)
        return weights

    @property
    def entropy(self) -> float:
        """The entropy of the mixed state, in nats.

        >>> round(float(Latents(np.array([0.5, 0.5])).entropy / np.log(2)), 9)
        2.0
        """
        p = np.concatenate([self.p_one, 1 - self.p_one])
        return float(np.sum(p * np.log(1 / p)))

    def draw(self, n: int, rng: Rng) -> Array:
        """n variables (n, m): bits int8 or angles in radians."""
        if self.variance is not None:
            return rng.normal(0.0, np.sqrt(self.variance), (n, self.wires))
        return (rng.random((n, self.wires)) < self.p_one).astype(np.int8)

    def angles(self, z: Array) -> Floats:
        """The angles (n, m) of the preparation of variables (n, m)."""
        angles: Floats = np.asarray(z, dtype=np.float64)
        if self.variance is None:
            angles = pi * angles
        return angles


def latents_of(
    mode: Mode,
    wires: int,
    *,
    latent_wires: int | None,
    p_one: float | list[float] | Literal["drawn"] | None,
    variance: float | None,
    seed: int | None,
) -> Latents:
    """The latent variables that the options of a model on so many wires describe.

    Raises BadOption for options that do not fit each other, and where all wires would be uniform.

    >>> options = {"latent_wires": 2, "p_one": None, "variance": None, "seed": 1}
    >>> latents_of("ancilla", 3, **options).p_one.tolist()
    [0.5, 0.5]
    """
    if p_one is not None and mode != "bernoulli":
        raise BadOption(f"p_one is of latent = 'bernoulli', not of {mode!r}; leave it out")
    if variance is not None and mode != "angles":
        raise BadOption(f"variance is of latent = 'angles', not of {mode!r}; leave it out")
    m = _latent_wires(mode, wires, latent_wires)
    if mode == "angles":
        found = _normal_angles(m, variance)
    elif mode == "bernoulli":
        found = Latents(_p_one(p_one, m, seed))
    else:
        found = Latents(np.full(m, 0.5))
    if m == wires and np.all(found.p_one == 0.5):
        raise BadOption(
            f"with uniform latents on all {wires} wires, p(x) = 2^-{wires} for every circuit: the "
            "matrix |<x|U|z>|^2 is doubly stochastic, so nothing can be learned (in general the "
            "entropy of x is at least that of z); take latent = 'zero', 'bernoulli', 'angles', or "
            "'ancilla' on fewer wires"
        )
    return found


def _latent_wires(mode: Mode, wires: int, given_number: int | None) -> int:
    """How many wires have a latent variable: by default one for ancilla, else all or none."""
    if mode == "uniform":
        return wires
    least = 1
    most = wires
    default = wires
    if mode == "zero":
        least = most = default = 0
    if mode == "ancilla":
        default = 1
    number = default if given_number is None else given_number
    if not least <= number <= most:
        raise BadOption(
            f"latent = {mode!r} has {least} to {most} latent_wires on {wires} wires, not {number}"
        )
    return number


def _normal_angles(wires: int, variance: float | None) -> Latents:
    """Normal angles of a variance, by default 1. Raises BadOption for one that is not above 0."""
    if variance is None:
        variance = 1.0
    if not (np.isfinite(variance) and variance > 0):
        raise BadOption(f"variance of latent angles is a number above 0, not {variance:g}")
    return Latents(np.full(wires, -np.expm1(-variance / 2) / 2), variance)


def _p_one(
    p_one: float | list[float] | Literal["drawn"] | None, wires: int, seed: int | None
) -> Floats:
    """The probabilities (m,) of ones, by default 0.1. Raises BadOption for others."""
    if p_one == "drawn":
        rng = generator(None) if seed is None else stream(seed, "latents")
        return MOST_DRAWN * (1 - rng.random(wires))
    if p_one is None:
        p_one = 0.1
    found = np.asarray(p_one, dtype=np.float64)
    if found.ndim == 0:
        found = np.full(wires, float(found))
    if found.shape != (wires,) or not np.all((found > 0) & (found < 1)):
        raise BadOption(
            f"p_one is one number for all latent wires, or a list for the {wires}, each above 0 "
            f"and below 1, not {p_one}"
        )
    return found
