"""Regions of the events of a model, in each of which samples are compared with a density.

For any density q and any set A, the mean of q / p over samples of p, counted where they lie in A,
is the probability of A under q. Each region has a q of its own: normal distributions around samples
whose values of one column lie in the region, each as wide as the samples are apart there, so that
heavy tails and distant narrow peaks are seen on their own scale. A is where q / p is small, so that
the means of a right model are normally distributed, whatever its tails.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from qgen_core.typing import Floats, Rng

#: The regions of a column, which hold equal numbers of centres.
REGIONS = 8
#: The number of normal distributions of all regions together.
CENTRES = 256
#: A centre's width is the spread of this share of the samples, those nearest to it.
NEAREST = 1 / 64
#: The largest ratio of a region's density and p that is counted. The density of a region is about
#: REGIONS times p inside, and 0 outside.
LARGEST_RATIO = 4.0 * REGIONS
#: Logarithms of ratios are cut here, so that they can be compared.
LARGEST_LOG = 600.0


@dataclass(frozen=True)
class Difference:
    """How samples differ from their density in the regions of a column.

    ``p_value`` is that of all regions together; ``mean`` and ``expected`` are those of the region
    that differs most, whose centres have values of the column from ``low`` to ``high``.
    """

    column: int
    p_value: float
    low: float
    high: float
    mean: float
    expected: float


class Regions:
    """Normal distributions around centres (M, F), divided into regions of each column.

    ``samples`` (N, F) are those of a model, other ones than will be compared.
    """

    def __init__(self, samples: Floats, rng: Rng) -> None:
        chosen = rng.choice(len(samples), size=min(CENTRES, len(samples)), replace=False)
        self.centres = samples[chosen]
        self.widths = _local_widths(samples, self.centres)
        self.low = samples.min(axis=0)
        self.high = samples.max(axis=0)

    def draw(self, n: int, rng: Rng) -> tuple[Floats, NDArray[np.intp]]:
        """n events (n, F), and the numbers of their centres (n,)."""
        chosen = rng.integers(len(self.centres), size=n)
        shape = (n, self.centres.shape[1])
        return self.centres[chosen] + self.widths[chosen] * rng.normal(size=shape), chosen

    def ratios(self, x: Floats, log_p: Floats) -> Floats:
        """The ratio (N, M) of each normal distribution and p at events (N, F)."""
        logs = np.zeros((len(x), len(self.centres)))
        for column in range(x.shape[1]):
            away = (x[:, column, None] - self.centres[:, column]) / self.widths[:, column]
            logs -= away**2 / 2 + np.log(self.widths[:, column]) + np.log(2 * np.pi) / 2
        ratios: Floats = np.exp(np.minimum(logs - log_p[:, None], LARGEST_LOG))
        outside = np.any((x < self.low) | (x > self.high), axis=1)
        ratios[outside] = np.inf
        return ratios

    def differences(
        self, ratios: Floats, ratios_of_drawn: Floats, drawn_from: NDArray[np.intp]
    ) -> list[Difference]:
        """The difference in the regions of each column.

        ``ratios`` (N, M) are those of the samples, ``ratios_of_drawn`` (n, M) those of events that
        were drawn from the centres with the numbers ``drawn_from`` (n,).
        """
        found = []
        for column in range(self.centres.shape[1]):
            order = np.argsort(self.centres[:, column], kind="stable")
            regions = np.array_split(order, REGIONS)
            counted = _counted(ratios, regions)
            counted_of_drawn = _counted(ratios_of_drawn, regions) > 0
            expected = np.empty(REGIONS)
            variances = np.empty(REGIONS)
            for number, members in enumerate(regions):
                inside = counted_of_drawn[np.isin(drawn_from, members), number]
                expected[number] = inside.mean()
                variances[number] = expected[number] * (1 - expected[number]) / len(inside)
            away = counted.mean(axis=0) - expected
            covariance = np.cov(counted, rowvar=False) / len(counted)
            covariance += np.diag(variances + 1 / len(counted) ** 2)
            statistic = float(away @ np.linalg.solve(covariance, away))
            worst = int(np.argmax(away**2 / np.diag(covariance)))
            values = self.centres[regions[worst], column]
            found.append(
                Difference(
                    column,
                    float(chi2.sf(statistic, REGIONS)),
                    float(values.min()),
                    float(values.max()),
                    float(expected[worst] + away[worst]),
                    float(expected[worst]),
                )
            )
        return found


def _counted(ratios: Floats, regions: list[NDArray[np.intp]]) -> Floats:
    """The ratio (N, R) of each region's density and p, 0 where it is not counted."""
    columns = [ratios[:, members].mean(axis=1) for members in regions]
    of_regions = np.stack(columns, axis=1)
    return np.where(of_regions <= LARGEST_RATIO, of_regions, 0.0)


def _local_widths(samples: Floats, centres: Floats) -> Floats:
    """The standard deviations (M, F) of the samples nearest to each centre."""
    low, high = np.quantile(samples, [0.16, 0.84], axis=0)
    scale = np.maximum((high - low) / 2, 1e-12)
    number = max(int(NEAREST * len(samples)), 2)
    widths = np.empty(centres.shape)
    for place, centre in enumerate(centres):
        distances = np.sum(((samples - centre) / scale) ** 2, axis=1)
        nearest = np.argpartition(distances, number)[:number]
        widths[place] = samples[nearest].std(axis=0)
    floored: Floats = np.maximum(widths, 1e-12 * scale)
    return floored
