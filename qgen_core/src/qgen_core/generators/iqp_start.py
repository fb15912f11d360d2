"""Start values of diagonal circuits from the means and covariances of training bits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from qgen_core.errors import DataError
from qgen_core.events import Events
from qgen_core.generators.iqp_bodies import Pairs
from qgen_core.typing import Floats, Rng

#: Covariances that are less than so many standard errors from 0 count as noise.
SIGNIFICANT = 3.0
#: What the couplings of a wire take of the damping that its mean allows.
SHARE_OF_DAMPING = 0.8
#: Means nearer to 0 allow no more damping than this one.
LEAST_MEAN = 0.3
#: Events whose bits are multiplied at once.
AT_ONCE = 2**14


class Moments(NamedTuple):
    """Of the spins 1 - 2 bit: means (n,), covariances (n, n), and the effective number of events.

    >>> found = moments(Events(np.array([[0, 0], [1, 1]])))
    >>> found.means.tolist(), found.covariances.tolist(), found.size
    ([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0]], 2.0)
    """

    means: Floats
    covariances: Floats
    size: float


def moments(data: Events) -> Moments:
    """The moments of bits (N, n) with their weights. Raises DataError for other events."""
    if len(data) == 0 or not np.all((data.x == 0) | (data.x == 1)):
        raise DataError("start values are computed from events of bits, 0 and 1")
    share = data.weights / data.weights.sum()
    means = 1.0 - 2.0 * (share @ data.x)
    products = np.zeros((data.x.shape[1], data.x.shape[1]))
    for start in range(0, len(data), AT_ONCE):
        spins = 1.0 - 2.0 * data.x[start : start + AT_ONCE]
        products += spins.T @ (spins * share[start : start + AT_ONCE, None])
    return Moments(means, products - np.outer(means, means), 1.0 / float(share @ share))


def started_couplings(found: Moments, edges: Pairs, scale: float, rng: Rng) -> Floats:
    """Two-body angles (E,) that alone would give the covariances of their wires.

    For two wires cov = cos 2b_i cos 2b_j sin^2 2T and mean_i = cos 2b_i cos 2T, so that
    tan^2 2T = cov / (mean_i mean_j). Where this ratio is negative, or the covariance is noise, the
    angle is drawn with the standard deviation ``scale``: at T = 0 there is no gradient. Many
    couplings damp the mean of a wire by prod_k cos 2T_ik, so those of a wire are reduced together
    to a share of what its mean allows.

    >>> found = Moments(np.full(2, 0.5), np.full((2, 2), 0.05), 1e6)
    >>> rng = np.random.default_rng(1)
    >>> started_couplings(found, np.array([[0, 1]]), 0.01, rng).round(6).tolist()
    [0.210267]
    """
    first, second = edges.T
    covariance = found.covariances[first, second]
    product = found.means[first] * found.means[second]
    variances = np.abs(np.diag(found.covariances))  # below 0 by rounding where a bit never varies
    error = np.sqrt(variances[first] * variances[second] / found.size)
    is_signal = (covariance * product > 0) & (np.abs(covariance) > SIGNIFICANT * error)
    ratio = np.divide(covariance, product, out=np.zeros(len(edges)), where=is_signal)
    random = rng.normal(0.0, scale, len(edges))
    angles = np.where(is_signal, 0.5 * np.arctan(np.sqrt(ratio)), random)
    allowed = -SHARE_OF_DAMPING * np.log(np.clip(np.abs(found.means), LEAST_MEAN, 1.0))
    damping = -log_damping(angles, edges, len(found.means))
    reduced = np.sqrt(np.minimum(1.0, allowed / np.maximum(damping, 1e-300)))
    started: Floats = angles * np.minimum(reduced[first], reduced[second])
    return started


def started_fields(means: Floats, couplings: Floats, edges: Pairs) -> Floats:
    """One-body angles (n,) with these means: mean_i = cos 2b_i prod_k cos 2T_ik.

    Means that the couplings damp too much are approached as far as possible.

    >>> started_fields(np.array([0.5, 0.0]), np.zeros(1), np.array([[0, 1]])).round(6).tolist()
    [0.523599, 0.785398]
    """
    damped = np.exp(log_damping(couplings, edges, len(means)))
    fields: Floats = 0.5 * np.arccos(np.clip(means / damped, -1.0, 1.0))
    return fields


def log_damping(couplings: Floats, edges: Pairs, wires: int) -> Floats:
    """The logarithm of prod_k |cos 2T_ik| of each wire (n,).

    >>> log_damping(np.array([np.pi / 8]), np.array([[0, 1]]), 3).round(6).tolist()
    [-0.346574, -0.346574, 0.0]
    """
    logs = np.log(np.maximum(np.abs(np.cos(2 * couplings)), 1e-300))
    of_first = np.bincount(edges[:, 0], weights=logs, minlength=wires)
    of_second = np.bincount(edges[:, 1], weights=logs, minlength=wires)
    return np.asarray(of_first + of_second, dtype=np.float64)
