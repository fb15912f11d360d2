"""The physics that noise maps share.

Channels as Kraus operators, how they compose, and how they scale.

A channel is an array of Kraus operators (K, d, d), complex128, with d = 2^wires and wire 0 most
significant, as :class:`qgen_core.circuits.circuit.Channel` takes it. Times may have any unit, one
for all.
"""

from __future__ import annotations

from functools import reduce
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qgen_core.circuits.circuit import Gate
from qgen_core.circuits.gates import PAULI
from qgen_core.errors import BadOption
from qgen_core.typing import Floats

Kraus = NDArray[np.complex128]
Mode = Literal["semigroup", "linear"]

#: One-wire gates that a device carries out by a change of frame, without a pulse: no time, no
#: noise.
VIRTUAL = frozenset({"rz", "p", "z", "s", "t"})
#: How far a map may be from positive and trace preserving: rounding, not physics.
ROUNDING = 1e-9


def depolarizing(rate: float, wires: int = 1) -> Kraus:
    """``rho -> (1 - rate) rho + rate 1/2^n``: with probability ``rate`` all is forgotten.

    It is a channel for rates from 0 to 4^n / (4^n - 1); beyond 1 the state is turned over.
    Raises BadOption outside.
    """
    most = most_depolarizing(wires)
    if not 0 <= rate <= most * (1 + ROUNDING):
        raise BadOption(
            f"a depolarizing rate of {wires} wires lies between 0 and {most:.6g}, not {rate}"
        )
    paulis: list[tuple[NDArray[Any], ...]] = list(product(PAULI.values(), repeat=wires))
    words = np.array([reduce(np.kron, word) for word in paulis])
    weights = np.full(len(words), rate / len(words))
    weights[0] = max(1 - rate / most, 0.0)
    return np.asarray(np.sqrt(weights)[:, None, None] * words)[weights > 0]


def most_depolarizing(wires: int) -> float:
    """The greatest rate, 4^n / (4^n - 1)."""
    return float(4**wires / (4**wires - 1))


def thermal_relaxation(t1: float, t2: float, time: float, *, excited: float = 0.0) -> Kraus:
    """What a wire suffers in ``time``: populations relax with T1, coherences with T2 <= 2 T1.

    ``rho_11 -> excited + (rho_11 - excited) exp(-time/T1)``, ``rho_01 -> rho_01 exp(-time/T2)``.
    T2 may be longer than T1. ``excited`` is the population of 1 in equilibrium. Infinite times do
    not relax. Raises BadOption for times that no channel has.
    """
    if not (t1 > 0 and 0 < t2 <= 2 * t1 * (1 + ROUNDING)):
        raise BadOption(f"relaxation needs T1 > 0 and 0 < T2 <= 2 T1, not T1 = {t1} and T2 = {t2}")
    if not 0 <= time < np.inf or not 0 <= excited <= 1:
        raise BadOption(
            f"relaxation needs a time >= 0 and 0 <= excited <= 1, not {time} and {excited}"
        )
    stays, coheres = np.exp(-time / t1), np.exp(-time / t2)
    down = [
        np.diag([1, coheres]),
        np.diag([0, np.sqrt(max(stays - coheres**2, 0.0))]),
        np.sqrt(-np.expm1(-time / t1)) * np.array([[0, 1], [0, 0]]),
    ]
    up = [np.flip(k) for k in down]  # the same with 0 and 1 exchanged
    kraus = np.array([np.sqrt(1 - excited) * k for k in down] + [np.sqrt(excited) * k for k in up])
    return kraus.astype(np.complex128)[np.any(kraus != 0, axis=(1, 2))]


def tensor(*channels: Kraus) -> Kraus:
    """Channels side by side, the first on the first wires."""
    return reduce(lambda a, b: np.array([np.kron(k, m) for k in a for m in b]), channels)


def compose(*channels: Kraus) -> Kraus:
    """Channels applied in order, as one channel of at most d^2 Kraus operators."""
    if not channels or len({c.shape[1:] for c in channels}) != 1:
        raise BadOption(
            f"channels on the same wires compose, not ones of {[c.shape[1:] for c in channels]}"
        )
    return kraus_of_choi(reduce(lambda first, then: _after(first, then), map(choi_of, channels)))


def choi_of(kraus: Kraus) -> Kraus:
    """The Choi matrix ``sum_k vec(K) vec(K)^dagger`` (d^2, d^2), vec stacking rows."""
    rows = np.asarray(kraus, dtype=np.complex128).reshape(len(kraus), -1)
    return np.asarray(rows.T @ rows.conj())


def kraus_of_choi(choi: ArrayLike) -> Kraus:
    """The fewest Kraus operators of a Choi matrix as :func:`choi_of` gives it.

    Raises BadOption unless it is Hermitian, positive and trace preserving.
    """
    matrix = np.asarray(choi, dtype=np.complex128)
    dim = int(round(len(matrix) ** 0.5)) if matrix.ndim == 2 else 0
    if matrix.shape != (dim * dim, dim * dim) or dim < 2 or not np.all(np.isfinite(matrix)):
        raise BadOption(
            f"a Choi matrix is a finite (4^n, 4^n) matrix, not one of shape {matrix.shape}"
        )
    values, vectors = np.linalg.eigh((matrix + matrix.conj().T) / 2)
    traced = np.einsum("ijil->jl", matrix.reshape(dim, dim, dim, dim))
    skew, least = float(np.max(np.abs(matrix - matrix.conj().T))), float(values[0])
    off = float(np.max(np.abs(traced - np.eye(dim))))
    if max(skew, -least, off) > ROUNDING:
        raise BadOption(
            f"this Choi matrix is no channel: it is {skew:.2g} from Hermitian, its least "
            f"eigenvalue is {least:.2g}, "
            f"its trace over the output is {off:.2g} from one"
        )
    kept = values > len(values) * np.finfo(float).eps * values[-1]
    return np.asarray((np.sqrt(values[kept]) * vectors[:, kept]).T.reshape(-1, dim, dim))


def average_gate_fidelity(kraus: Kraus) -> float:
    """The mean fidelity over pure states with doing nothing, ``(sum |tr K|^2 + d) / (d (d + 1))``.

    Source: Nielsen, quant-ph/0205035, equation 3.
    """
    dim = kraus.shape[1]
    traces = np.trace(kraus, axis1=1, axis2=2)
    return float((np.sum(np.abs(traces) ** 2) + dim) / (dim * (dim + 1)))


def gate_error_to_depolarizing(error: float, relaxation: Kraus) -> float:
    """The depolarizing rate that, before ``relaxation``, makes up the average error of a gate.

    ``d (e - r) / (d F - 1)`` with F the fidelity of the relaxation and r = 1 - F: Qiskit Aer's
    reading of a calibration. It is 0 where relaxation alone explains the error; the error is taken
    as at most d / (d + 1), the rate as at most 4^n / (4^n - 1).
    """
    dim = relaxation.shape[1]
    if not 0 <= error <= 1:
        raise BadOption(f"a gate error lies between 0 and 1, not {error}")
    fidelity = average_gate_fidelity(relaxation)
    missing = min(error, dim / (dim + 1)) - (1 - fidelity)
    if missing <= 0:
        return 0.0
    return float(min(dim * missing / (dim * fidelity - 1), dim**2 / (dim**2 - 1)))


def check_scale(scale: float) -> None:
    """Raise BadOption unless a scale is a number >= 0."""
    if not 0 <= scale < np.inf:
        raise BadOption(f"scale is a number >= 0 (0: no noise, 1: as it is), not {scale}")


def scale_depolarizing(rate: float, wires: int, scale: float, mode: Mode = "semigroup") -> float:
    """The rate of noise ``scale`` times as strong, exact at 0 and 1.

    ``semigroup``: ``1 - (1 - rate)^scale``, so that strengths add up when channels follow each
    other; for rates up to 1. ``linear``: ``scale * rate``, at most 4^n / (4^n - 1).
    """
    check_scale(scale)
    if scale in (0, 1):
        return float(rate) if scale else 0.0
    if mode == "linear":
        return min(scale * rate, most_depolarizing(wires))
    if rate > 1:
        raise BadOption(
            f"a depolarizing rate of {rate} > 1 is in no semigroup; scale it with the mode 'linear'"
        )
    return float(-np.expm1(scale * np.log1p(-rate))) if rate < 1 else 1.0


def readout_confusion(p01: float, p10: float) -> Floats:
    """``confusion[read, true]`` (2, 2): 0 is read as 1 with probability p01, 1 as 0 with p10."""
    if not (0 <= p01 <= 1 and 0 <= p10 <= 1):
        raise BadOption(f"readout errors are probabilities, not p01 = {p01} and p10 = {p10}")
    return np.array([[1 - p01, p10], [p01, 1 - p10]])


def scale_readout(confusion: ArrayLike, scale: float, mode: Mode = "semigroup") -> Floats:
    """Confusion matrices (..., 2, 2) of readout ``scale`` times as wrong, exact at 0 and 1.

    ``semigroup``: the matrix power, ``a -> a (1 - mu^scale) / (a + b)`` with mu = 1 - a - b, for
    a + b <= 1. ``linear``: ``a -> min(scale a, 1/2)``. Raises BadOption beyond.
    """
    check_scale(scale)
    matrix = np.array(confusion, dtype=np.float64)
    if scale == 1:
        return matrix
    a, b = matrix[..., 1, 0], matrix[..., 0, 1]
    if mode == "linear":
        a, b = np.minimum(scale * a, 0.5), np.minimum(scale * b, 0.5)
    else:
        total = a + b
        if np.any(total > 1) and scale:
            raise BadOption(
                f"readout errors of p01 + p10 = {np.max(total):.4g} > 1 have no matrix power; use "
                "the mode 'linear'"
            )
        with np.errstate(divide="ignore"):
            share = -np.expm1(scale * np.log1p(-total)) if scale else np.zeros_like(total)
        share = np.divide(share, total, out=np.zeros_like(share), where=total > 0)
        a, b = a * share, b * share
    return np.stack([np.stack([1 - a, b], axis=-1), np.stack([a, 1 - b], axis=-1)], axis=-2)


def is_virtual(gate: Gate) -> bool:
    """Whether a gate is a change of frame."""
    return gate.name in VIRTUAL


def _after(first: Kraus, then: Kraus) -> Kraus:
    """The Choi matrix of two maps in a row."""
    dim = int(round(len(first) ** 0.5))
    # Choi[(i, j), (k, l)] = E(|j><l|)_ik; a superoperator maps (j, l) to (i, k)
    one, two = (
        c.reshape(dim, dim, dim, dim).transpose(0, 2, 1, 3).reshape(dim**2, dim**2)
        for c in (first, then)
    )
    both = (two @ one).reshape(dim, dim, dim, dim).transpose(0, 2, 1, 3)
    return np.asarray(both.reshape(dim**2, dim**2))
