"""The MMD of two sets of images in every reading: kernels, bandwidths, and estimators."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.typing import Floats

#: Denominators D of the kernel exp(-d^2 / D), by name; the kernel is the mean over them. The
#: median m is that of distances between training events, with D = 2 m^2.
KERNELS: dict[str, tuple[float, ...]] = {
    "0.1": (2 * 0.1**2,),
    "0.3": (2 * 0.3**2,),
    "1": (2 * 1.0**2,),
    "3": (2 * 3.0**2,),
    "10": (2 * 10.0**2,),
    "mixture": (0.1, 1.0, 10.0, 100.0),
}
MEDIAN = "median"
NAMES = (*KERNELS, MEDIAN)
#: Events of which the median is taken.
MEDIAN_EVENTS = 1000


def squared_distances(x: Floats, y: Floats) -> Floats:
    """``|x_i - y_j|^2`` (N, M) of images (N, pixels) and (M, pixels).

    >>> squared_distances(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])).tolist()
    [[25.0]]
    """
    lengths = np.sum(x * x, axis=1)[:, None] + np.sum(y * y, axis=1)
    found: Floats = np.maximum(lengths - 2 * x @ y.T, 0.0)
    return found


def median_distance(x: Floats) -> float:
    """The median distance between the first 1,000 of the images (N, pixels).

    >>> median_distance(np.array([[0.0], [1.0], [3.0]]))
    2.0
    """
    chosen = x[:MEDIAN_EVENTS]
    squared = squared_distances(chosen, chosen)[np.triu_indices(len(chosen), 1)]
    return float(np.sqrt(np.median(squared)))


def kernels(median: float) -> dict[str, tuple[float, ...]]:
    """All kernels, the one of the median distance included."""
    return {**KERNELS, MEDIAN: (2 * median**2,)}


def readings(reference: Floats, generated: Floats, median: float) -> dict[str, list[float]]:
    """By kernel, the unbiased and the biased estimate of the squared MMD of two sets of images.

    >>> a, b = np.array([[0.0], [1.0]]), np.array([[0.0], [1.0]])
    >>> unbiased, biased = readings(a, b, 1.0)["median"]
    >>> round(unbiased, 6), biased  # exp(-1/2) - 1, 0
    (-0.393469, 0.0)
    """
    within_reference = squared_distances(reference, reference)
    within_generated = squared_distances(generated, generated)
    between = squared_distances(reference, generated)
    found = {}
    for name, scales in kernels(median).items():
        all_r, other_r = _means(within_reference, scales)
        all_g, other_g = _means(within_generated, scales)
        both, _ = _means(between, scales)
        found[name] = [other_r + other_g - 2 * both, all_r + all_g - 2 * both]
    return found


def _means(squared: Floats, scales: tuple[float, ...]) -> tuple[float, float]:
    """The kernel's mean over all pairs, and over those of different places."""
    kernel = np.zeros_like(squared)
    for scale in scales:
        kernel += np.exp(squared / -scale)
    kernel /= len(scales)
    rows, columns = kernel.shape
    without_self = np.nan
    if rows == columns:
        without_self = (kernel.sum() - np.trace(kernel)) / (rows * (rows - 1))
    return float(kernel.mean()), float(without_self)


def root(value: float) -> float:
    """The MMD that is not squared; 0 for a negative estimate.

    >>> root(0.25), root(-0.1)
    (0.5, 0.0)
    """
    return float(np.sqrt(max(value, 0.0)))


def biased_null(size: int, unbiased: float, biased: float, sampled: int) -> float:
    """The biased estimate that sets of ``size`` would give, from one of sets of ``sampled``.

    The bias, of sets of n and m images, is (1/n + 1/m) times one minus the mean kernel.

    >>> biased_null(50, 0.0, 0.002, 500)
    0.02
    """
    return unbiased + (biased - unbiased) * sampled / size


Readings = Mapping[str, list[float]]
