"""The Frechet and the kernel physics distance of two samples of features.

Source: Kansal et al., arXiv:2211.10295 (definitions, sizes and numbers of draws), as used by the
CaloChallenge, Krause et al., arXiv:2410.21611.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from qgen_core.errors import DataError
from qgen_core.typing import Floats, Ints, Rng

#: The events of a sample that the published protocol asks for; it measures the Frechet distance
#: between subsets from LEAST_DRAWN to MOST_DRAWN.
MOST_DRAWN = 50_000
LEAST_DRAWN = 10_000
#: The number of sizes of subsets, and of pairs of subsets of a size.
SIZES = 10
DRAWS = 20
#: The size of a batch of the kernel distance, the number of batches, and the events that it asks of
#: a sample: ten batches' worth.
BATCH = 10_000
BATCHES = 10
#: The degree of the kernel.
DEGREE = 4
#: The quantiles that bound 68 percent of the batches.
QUANTILES = (0.16275, 0.83725)
#: The kernel is summed over so many pairs at a time.
PAIRS_AT_A_TIME = 2**22


def normalised(reference: Floats, generated: Floats) -> tuple[Floats, Floats]:
    """Features (N, F) and (M, F) divided by the largest absolute value of each in the reference.

    A feature that is 0 throughout the reference is not divided.

    >>> first, second = normalised(np.array([[-4.0, 0.0]]), np.array([[2.0, 1.0]]))
    >>> first.tolist(), second.tolist()
    ([[-1.0, 0.0]], [[0.5, 1.0]])
    """
    largest = np.max(np.abs(reference), axis=0)
    largest[largest == 0] = 1.0
    return reference / largest, generated / largest


def frechet_distance(first: Floats, second: Floats) -> float:
    """The squared Frechet distance of the Gaussians with the moments of two samples.

    ``|mu_1 - mu_2|^2 + tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2))`` for samples (N, F) and (M, F), with
    covariances normalised by N - 1. The root is that of C_1^(1/2) C_2 C_1^(1/2), which is symmetric
    and has the same trace, so singular covariances do no harm.

    >>> x = np.array([[0.0], [2.0]])
    >>> round(frechet_distance(x, 2 * x + 1), 12)  # means 1 and 3, deviations 2^(1/2) and 8^(1/2)
    6.0
    """
    means = []
    covariances = []
    for sample in (first, second):
        means.append(sample.mean(axis=0))
        covariances.append(np.atleast_2d(np.cov(sample, rowvar=False)))
    shift = means[0] - means[1]
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    inner = np.linalg.eigvalsh(root @ covariances[1] @ root)
    overlap = np.sqrt(np.maximum(inner, 0.0)).sum()
    return float(shift @ shift + np.trace(covariances[0] + covariances[1]) - 2 * overlap)


class Line(NamedTuple):
    """A line and the standard error of its intercept; ``free`` is the intercept without bounds.

    >>> Line(0.1, 2.0, 0.01, 0.1).intercept
    0.1
    """

    intercept: float
    slope: float
    error: float
    free: float


def rising_line(x: Floats, y: Floats) -> Line:
    """The line of least squares through points (n,) whose intercept and slope are 0 or more.

    The minimum is exact: if that without bounds is not allowed, it lies where one of the two is 0.
    The error is that of the intercept without bounds, from the scatter of the points.

    >>> rising_line(np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.5, 3.5]))[:3]
    (0.5, 1.0, 0.0)
    >>> rising_line(np.array([1.0, 2.0]), np.array([0.5, 2.0]))[:2]  # free, it meets 0 at -1
    (0.0, 0.9)
    """
    middle = x.mean()
    spread = float(np.sum((x - middle) ** 2))
    slope = float((x - middle) @ (y - y.mean())) / spread
    intercept = float(y.mean() - slope * middle)
    scatter = float(np.sum((y - intercept - slope * x) ** 2)) / max(len(x) - 2, 1)
    error = float(np.sqrt(scatter * (1 / len(x) + middle**2 / spread)))
    if intercept >= 0 and slope >= 0:
        return Line(intercept, slope, error, intercept)
    through_zero = Line(0.0, max(float(x @ y / (x @ x)), 0.0), error, intercept)
    level = Line(max(float(y.mean()), 0.0), 0.0, error, intercept)

    def misfit(line: Line) -> float:
        return float(np.sum((y - line.intercept - line.slope * x) ** 2))

    return min(through_zero, level, key=misfit)


@dataclass(frozen=True, eq=False)
class FrechetPhysicsDistance:
    """The distance at infinite size, and the points (sizes,) that it is extrapolated from.

    >>> found = FrechetPhysicsDistance(Line(0.1, 2.0, 0.01, 0.1), np.array([9]), np.array([0.3]))
    >>> found.line.intercept
    0.1
    """

    line: Line
    sizes: Ints
    points: Floats


def frechet_physics_distance(
    reference: Floats,
    generated: Floats,
    *,
    rng: Rng,
    sizes: Sequence[int] | Ints | None = None,
    draws: int = DRAWS,
) -> FrechetPhysicsDistance:
    """The squared Frechet distance of normalised features, extrapolated to infinite samples.

    For each size the mean is taken over ``draws`` pairs of subsets of features (N, F) and (M, F),
    drawn with replacement; the distance is the intercept of the :func:`rising_line` through the
    means against 1 / size. Sizes are :func:`sizes_for` the smaller sample by default. Raises
    DataError for sizes below 2.

    >>> draw = np.random.default_rng(0)
    >>> x, y = draw.normal(size=(2000, 2)), draw.normal(size=(2000, 2)) + 1.0
    >>> found = frechet_physics_distance(x, y, rng=draw, draws=5)
    >>> np.allclose(found.line.intercept, 2 / np.abs(x).max() ** 2, rtol=0.2)
    True
    """
    if sizes is None:
        sizes = sizes_for(min(len(reference), len(generated)))
    sizes = np.asarray(sizes, dtype=np.int64)
    if len(sizes) < 2 or np.min(sizes) < 2:
        raise DataError(f"a Frechet distance needs subsets of at least 2 events, not {sizes}")
    first, second = normalised(reference, generated)
    points = []
    for size in sizes:
        found = []
        for _ in range(draws):
            one = first[rng.integers(len(first), size=size)]
            other = second[rng.integers(len(second), size=size)]
            found.append(frechet_distance(one, other))
        points.append(np.mean(found))
    values = np.array(points)
    return FrechetPhysicsDistance(rising_line(1 / sizes, values), sizes, values)


def sizes_for(events: int) -> Ints:
    """The ten sizes of subsets, equally spaced in 1 / size, from 10,000 to 50,000.

    For fewer than 50,000 events they shrink in proportion.

    >>> sizes_for(100_000)[[0, -1]].tolist(), sizes_for(1000)[[0, -1]].tolist()
    ([10000, 50000], [200, 1000])
    """
    most = min(events, MOST_DRAWN)
    least = LEAST_DRAWN * most / MOST_DRAWN
    # The rounding keeps whole numbers whole.
    return np.floor(1 / np.linspace(1 / least, 1 / most, SIZES) + 1e-6).astype(np.int64)


def kernel_distance(first: Floats, second: Floats) -> float:
    """The unbiased estimate of MMD^2 for samples (N, F) and (M, F), with k = (x y / F + 1)^4.

    ``mean_{i != j} k(x_i, x_j) + mean_{i != j} k(y_i, y_j) - 2 mean_{i, j} k(x_i, y_j)``.

    >>> x, y = np.array([[0.0], [1.0]]), np.array([[1.0], [1.0]])
    >>> kernel_distance(x, y)  # 1 + 16 - 2 (1 + 16) / 2
    0.0
    """
    within = []
    for sample in (first, second):
        count = len(sample)
        itself = np.sum((np.sum(sample**2, axis=1) / sample.shape[1] + 1) ** DEGREE)
        within.append((_kernel_sum(sample, sample) - itself) / (count * (count - 1)))
    between = _kernel_sum(first, second) / (len(first) * len(second))
    return float(within[0] + within[1] - 2 * between)


def _kernel_sum(first: Floats, second: Floats) -> float:
    """The sum of the kernel over all pairs."""
    rows = max(1, PAIRS_AT_A_TIME // len(second))
    total = 0.0
    for start in range(0, len(first), rows):
        kernel = first[start : start + rows] @ second.T
        kernel /= first.shape[1]
        kernel += 1
        for _ in range(int(np.log2(DEGREE))):
            np.square(kernel, out=kernel)
        total += float(kernel.sum())
    return total


class KernelPhysicsDistance(NamedTuple):
    """The median over the batches, and half of the range that holds 68 percent of them.

    >>> KernelPhysicsDistance(1e-4, 2e-5).median
    0.0001
    """

    median: float
    spread: float


def batch_for(events: int) -> int:
    """The size of a batch of the kernel distance: a tenth of the events, and at most 10,000.

    >>> batch_for(100_000), batch_for(3300)
    (10000, 330)
    """
    return min(BATCH, events // BATCHES)


def kernel_physics_distance(
    reference: Floats, generated: Floats, *, rng: Rng, batch: int | None = None
) -> KernelPhysicsDistance:
    """The :func:`kernel_distance` of normalised features (N, F) and (M, F), from ten batches.

    Batches are drawn with replacement; their size is :func:`batch_for` the smaller sample by
    default. Raises DataError for batches of fewer than 2 events.

    >>> draw = np.random.default_rng(0)
    >>> x, y = draw.normal(size=(2000, 2)), draw.normal(size=(2000, 2)) + 1.0
    >>> found = kernel_physics_distance(x, y, rng=draw)
    >>> found.median > found.spread > 0
    True
    """
    if batch is None:
        batch = batch_for(min(len(reference), len(generated)))
    if batch < 2:
        raise DataError(
            f"a kernel distance needs batches of at least 2 events, not {batch}: samples of "
            f"{len(reference)} and {len(generated)} events are too small"
        )
    first, second = normalised(reference, generated)
    values = []
    for _ in range(BATCHES):
        one = first[rng.integers(len(first), size=batch)]
        other = second[rng.integers(len(second), size=batch)]
        values.append(kernel_distance(one, other))
    return summary(values)


def summary(values: Sequence[float]) -> KernelPhysicsDistance:
    """The median of batches, and half of the range that holds 68 percent of them.

    >>> summary([1.0, 2.0, 3.0]).median
    2.0
    """
    low, high = np.quantile(values, QUANTILES)
    return KernelPhysicsDistance(float(np.median(values)), float(high - low) / 2)
