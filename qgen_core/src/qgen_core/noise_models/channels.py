"""Channels as Kraus operators: building, composing and scaling them.

A channel is an array of Kraus operators (K, d, d), complex128, with d = 2^wires and wire 0 most
significant, as :class:`qgen_core.circuits.circuit.Channel` takes it. Times may have any unit, as
long as all have the same.
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

#: Kraus operators (K, d, d), or the Choi matrix (d^2, d^2) of a channel.
Kraus = NDArray[np.complex128]
#: How noise is scaled, see :func:`scale_depolarizing`.
Mode = Literal["semigroup", "linear"]

#: One-wire gates that a device carries out as a change of frame: without a pulse, so they take no
#: time and have no noise.
VIRTUAL = frozenset({"rz", "p", "z", "s", "t"})
#: Allowed deviation of a map from positivity and trace preservation, for rounding errors.
ROUNDING = 1e-9


def depolarizing(rate: float, wires: int = 1) -> Kraus:
    """``rho -> (1 - rate) rho + rate 1/2^n``: mixes the state with the fully mixed state.

    It is a channel for rates from 0 to 4^n / (4^n - 1). Raises BadOption for other rates.

    >>> kraus = depolarizing(0.1)
    >>> kraus.shape, np.allclose(sum(k.conj().T @ k for k in kraus), np.eye(2))
    ((4, 2, 2), True)
    """
    largest = most_depolarizing(wires)
    if not 0 <= rate <= largest * (1 + ROUNDING):
        raise BadOption(
            f"a depolarizing rate of {wires} wires lies between 0 and {largest:.6g}, not {rate}"
        )
    paulis: list[tuple[NDArray[Any], ...]] = list(product(PAULI.values(), repeat=wires))
    words = np.array([reduce(np.kron, word) for word in paulis])
    weights = np.full(len(words), rate / len(words))
    weights[0] = max(1 - rate / largest, 0.0)
    kraus = np.sqrt(weights)[:, None, None] * words
    return np.asarray(kraus)[weights > 0]


def most_depolarizing(wires: int) -> float:
    """The largest depolarizing rate that is a channel, 4^n / (4^n - 1).

    >>> round(most_depolarizing(1), 4)
    1.3333
    """
    return float(4**wires / (4**wires - 1))


def thermal_relaxation(t1: float, t2: float, time: float, *, excited: float = 0.0) -> Kraus:
    """Relaxation of one wire during ``time``: populations with T1, coherences with T2 <= 2 T1.

    ``rho_11 -> excited + (rho_11 - excited) exp(-time/T1)``, ``rho_01 -> rho_01 exp(-time/T2)``.
    T2 may be longer than T1. ``excited`` is the population of 1 in equilibrium. With infinite T1
    and T2 nothing relaxes. Raises BadOption for times or populations outside these ranges.

    >>> kraus = thermal_relaxation(t1=1.0, t2=1.0, time=np.log(2))
    >>> excited = np.diag([0, 1])
    >>> sum(k @ excited @ k.conj().T for k in kraus).real.round(3)
    array([[0.5, 0. ],
           [0. , 0.5]])
    """
    if not (t1 > 0 and 0 < t2 <= 2 * t1 * (1 + ROUNDING)):
        raise BadOption(f"relaxation needs T1 > 0 and 0 < T2 <= 2 T1, not T1 = {t1} and T2 = {t2}")
    if not 0 <= time < np.inf or not 0 <= excited <= 1:
        raise BadOption(
            f"relaxation needs a time >= 0 and 0 <= excited <= 1, not {time} and {excited}"
        )
    survives = np.exp(-time / t1)
    coheres = np.exp(-time / t2)
    to_zero = [
        np.diag([1, coheres]),
        np.diag([0, np.sqrt(max(survives - coheres**2, 0.0))]),
        np.sqrt(-np.expm1(-time / t1)) * np.array([[0, 1], [0, 0]]),
    ]
    to_one = [np.flip(operator) for operator in to_zero]  # the same with 0 and 1 exchanged
    weighted = [np.sqrt(1 - excited) * operator for operator in to_zero]
    weighted += [np.sqrt(excited) * operator for operator in to_one]
    kraus = np.array(weighted)
    nonzero = np.any(kraus != 0, axis=(1, 2))
    return kraus.astype(np.complex128)[nonzero]


def tensor(*channels: Kraus) -> Kraus:
    """Channels next to each other, the first on the first wires.

    >>> tensor(depolarizing(0.1), depolarizing(0.2)).shape
    (16, 4, 4)
    """
    return reduce(_tensor_of_two, channels)


def _tensor_of_two(first: Kraus, second: Kraus) -> Kraus:
    return np.array([np.kron(a, b) for a, b in product(first, second)])


def compose(*channels: Kraus) -> Kraus:
    """Channels applied one after another, as one channel of at most d^2 Kraus operators.

    Raises BadOption unless all act on the same number of wires.

    >>> twice = compose(depolarizing(0.1), depolarizing(0.1))
    >>> np.allclose(choi_of(twice), choi_of(depolarizing(0.19)))
    True
    """
    shapes = [channel.shape[1:] for channel in channels]
    if len(set(shapes)) != 1:
        raise BadOption(f"composed channels must act on the same wires; these have shapes {shapes}")
    matrices = [choi_of(channel) for channel in channels]
    return kraus_of_choi(reduce(_choi_in_sequence, matrices))


def _choi_in_sequence(first: Kraus, second: Kraus) -> Kraus:
    """The Choi matrix of the second map after the first, from theirs."""
    superoperator = _reshuffled(second) @ _reshuffled(first)
    return _reshuffled(superoperator)


def _reshuffled(matrix: Kraus) -> Kraus:
    """The superoperator of a Choi matrix, or the Choi matrix of a superoperator.

    Choi[(i, j), (k, l)] = E(|j><l|)_ik; a superoperator maps (j, l) to (i, k).
    """
    dim = int(round(len(matrix) ** 0.5))
    split = matrix.reshape(dim, dim, dim, dim)
    return np.asarray(split.transpose(0, 2, 1, 3).reshape(dim**2, dim**2))


def choi_of(kraus: Kraus) -> Kraus:
    """The Choi matrix ``sum_k vec(K) vec(K)^dagger`` (d^2, d^2), vec stacking rows.

    >>> choi_of(np.eye(2)[None]).real
    array([[1., 0., 0., 1.],
           [0., 0., 0., 0.],
           [0., 0., 0., 0.],
           [1., 0., 0., 1.]])
    """
    rows = np.asarray(kraus, dtype=np.complex128).reshape(len(kraus), -1)
    return np.asarray(rows.T @ rows.conj())


def kraus_of_choi(choi: ArrayLike) -> Kraus:
    """The smallest set of Kraus operators (K, d, d) of a Choi matrix, see :func:`choi_of`.

    Raises BadOption unless it is Hermitian, positive and trace preserving, up to 1e-9.

    >>> np.abs(kraus_of_choi(choi_of(np.eye(2)[None]))).round(6)
    array([[[1., 0.],
            [0., 1.]]])
    """
    matrix = np.asarray(choi, dtype=np.complex128)
    dim = int(round(len(matrix) ** 0.5)) if matrix.ndim == 2 else 0
    if matrix.shape != (dim * dim, dim * dim) or dim < 2 or not np.all(np.isfinite(matrix)):
        raise BadOption(
            f"a Choi matrix is a finite (4^n, 4^n) matrix, not one of shape {matrix.shape}"
        )
    values, vectors = np.linalg.eigh((matrix + matrix.conj().T) / 2)
    traced = np.einsum("ijil->jl", matrix.reshape(dim, dim, dim, dim))
    skewness = float(np.max(np.abs(matrix - matrix.conj().T)))
    least = float(values[0])
    trace_error = float(np.max(np.abs(traced - np.eye(dim))))
    if max(skewness, -least, trace_error) > ROUNDING:
        raise BadOption(
            f"this Choi matrix is no channel: it is {skewness:.2g} from Hermitian, its least "
            f"eigenvalue is {least:.2g}, its trace over the output is {trace_error:.2g} from one"
        )
    kept = values > len(values) * np.finfo(float).eps * values[-1]
    operators = np.sqrt(values[kept]) * vectors[:, kept]
    return np.asarray(operators.T.reshape(-1, dim, dim))


def average_gate_fidelity(kraus: Kraus) -> float:
    """The mean fidelity with the identity over pure states, ``(sum |tr K|^2 + d) / (d (d + 1))``.

    Source: Nielsen, quant-ph/0205035, equation 3.

    >>> round(average_gate_fidelity(depolarizing(0.1)), 6)
    0.95
    """
    dim = kraus.shape[1]
    traces = np.trace(kraus, axis1=1, axis2=2)
    return float((np.sum(np.abs(traces) ** 2) + dim) / (dim * (dim + 1)))


def gate_error_to_depolarizing(error: float, relaxation: Kraus) -> float:
    """The depolarizing rate that, followed by ``relaxation``, gives a gate's average error.

    ``d (e - r) / (d F - 1)`` with F the fidelity of the relaxation and r = 1 - F, as Qiskit Aer
    reads a calibration. It is 0 where relaxation alone explains the error; the error is capped at
    d / (d + 1), the rate at 4^n / (4^n - 1). Raises BadOption for an error outside of [0, 1].

    >>> rate = gate_error_to_depolarizing(0.01, np.eye(2, dtype=complex)[None])
    >>> round(1 - average_gate_fidelity(depolarizing(rate)), 6)
    0.01
    """
    dim = relaxation.shape[1]
    if not 0 <= error <= 1:
        raise BadOption(f"a gate error lies between 0 and 1, not {error}")
    fidelity = average_gate_fidelity(relaxation)
    unexplained = min(error, dim / (dim + 1)) - (1 - fidelity)
    if unexplained <= 0:
        return 0.0
    return float(min(dim * unexplained / (dim * fidelity - 1), dim**2 / (dim**2 - 1)))


def check_scale(scale: float) -> None:
    """Raise BadOption unless a scale of noise is a finite number >= 0.

    >>> check_scale(0.5)
    """
    if not 0 <= scale < np.inf:
        raise BadOption(f"scale is a number >= 0 (0: no noise, 1: as it is), not {scale}")


def scale_depolarizing(rate: float, wires: int, scale: float, mode: Mode = "semigroup") -> float:
    """The rate of depolarizing noise that is ``scale`` times as strong; exact at 0 and 1.

    ``semigroup``: ``1 - (1 - rate)^scale``, so that scales add up when channels follow each other;
    for rates up to 1. ``linear``: ``scale * rate``, at most 4^n / (4^n - 1). Raises BadOption for a
    negative scale and for rates that cannot be scaled.

    >>> round(scale_depolarizing(0.1, 1, 2.0), 6), scale_depolarizing(0.1, 1, 2.0, "linear")
    (0.19, 0.2)
    """
    check_scale(scale)
    if scale == 0:
        return 0.0
    if scale == 1:
        return float(rate)
    if mode == "linear":
        return min(scale * rate, most_depolarizing(wires))
    if rate > 1:
        raise BadOption(
            f"a depolarizing rate of {rate} > 1 is in no semigroup; scale it with the mode 'linear'"
        )
    if rate == 1:
        return 1.0
    return float(-np.expm1(scale * np.log1p(-rate)))


def readout_confusion(p01: float, p10: float) -> Floats:
    """``confusion[read, true]`` (2, 2): 0 is read as 1 with probability p01, 1 as 0 with p10.

    Raises BadOption unless both are probabilities.

    >>> readout_confusion(0.01, 0.02)
    array([[0.99, 0.02],
           [0.01, 0.98]])
    """
    if not (0 <= p01 <= 1 and 0 <= p10 <= 1):
        raise BadOption(f"readout errors are probabilities, not p01 = {p01} and p10 = {p10}")
    return np.array([[1 - p01, p10], [p01, 1 - p10]])


def scale_readout(confusion: ArrayLike, scale: float, mode: Mode = "semigroup") -> Floats:
    """Confusion matrices (..., 2, 2) with ``scale`` times the errors; exact at 0 and 1.

    With a = p01 and b = p10: ``semigroup`` is the matrix power, ``a -> a (1 - mu^scale) / (a + b)``
    with mu = 1 - a - b, for a + b <= 1. ``linear``: ``a -> min(scale a, 1/2)``. Raises BadOption
    for a negative scale and for larger errors.

    >>> scale_readout(readout_confusion(0.1, 0.1), 2.0).round(3)
    array([[0.82, 0.18],
           [0.18, 0.82]])
    """
    check_scale(scale)
    matrix = np.array(confusion, dtype=np.float64)
    if scale == 1:
        return matrix
    p01 = matrix[..., 1, 0]
    p10 = matrix[..., 0, 1]
    if mode == "linear":
        p01 = np.minimum(scale * p01, 0.5)
        p10 = np.minimum(scale * p10, 0.5)
    else:
        factor = _semigroup_factor(p01 + p10, scale)
        p01 = p01 * factor
        p10 = p10 * factor
    read_zero = np.stack([1 - p01, p10], axis=-1)
    read_one = np.stack([p01, 1 - p10], axis=-1)
    return np.stack([read_zero, read_one], axis=-2)


def _semigroup_factor(total: Floats, scale: float) -> Floats:
    """``(1 - mu^scale) / (1 - mu)`` with mu = 1 - ``total``, the sum of the two errors."""
    if scale == 0:
        return np.zeros_like(total)
    if np.any(total > 1):
        raise BadOption(
            f"readout errors of p01 + p10 = {np.max(total):.4g} > 1 have no matrix power; use "
            "the mode 'linear'"
        )
    with np.errstate(divide="ignore"):  # the logarithm of mu = 0 is -inf, and its power 0
        lost = -np.expm1(scale * np.log1p(-total))
    return np.divide(lost, total, out=np.zeros_like(lost), where=total > 0)


def is_virtual(gate: Gate) -> bool:
    """Whether a gate is a change of frame, see :data:`VIRTUAL`.

    >>> is_virtual(Gate("z", (0,))), is_virtual(Gate("x", (0,)))
    (True, False)
    """
    return gate.name in VIRTUAL
