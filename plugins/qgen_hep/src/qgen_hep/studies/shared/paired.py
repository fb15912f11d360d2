"""Differences between two configurations that were run with the same seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qgen_core.studies import NONE, SPACE

#: The part of the cases without a difference in which none is seen.
LEVEL = 0.95
UNSEEN = "no difference seen"


@dataclass(frozen=True)
class Paired:
    """The mean difference over seeds of one configuration minus another.

    Pairs with one seed have the same events and random numbers in common, whose effect drops out
    of the difference.

    Args:
        mean: of the differences; NaN without any.
        error: the standard error of the mean; NaN with fewer than two seeds.
        count: the number of pairs.

    >>> found = Paired.of([1.0, 2.0, 3.0], [1.1, 2.3, 3.2])
    >>> round(found.mean, 6), round(found.error, 6), found.count
    (-0.2, 0.057735, 3)
    >>> found.verdict()
    'no difference seen'
    """

    mean: float
    error: float
    count: int

    @classmethod
    def of(cls, first: Sequence[float], second: Sequence[float]) -> Paired:
        """The difference of numbers (seeds,) of two configurations, seed by seed."""
        differences = np.subtract(first, second, dtype=np.float64)
        count = len(differences)
        mean = float("nan")
        error = float("nan")
        if count:
            mean = float(differences.mean())
        if count > 1:
            error = float(differences.std(ddof=1) / np.sqrt(count))
        return cls(mean, error, count)

    @property
    def half_width(self) -> float:
        """Half the interval that holds the true difference in 95 % of the cases.

        It is that of Student's t distribution, for differences that are normal.

        >>> round(Paired(0.0, 1.0, 5).half_width, 3)
        2.776
        """
        if self.count < 2:
            return float("nan")
        return quantile(self.count) * self.error

    def verdict(self) -> str:
        """What the difference says of the first configuration, where less is better.

        A dash with fewer than two seeds, which say nothing.

        >>> Paired(-1.0, 0.2, 5).verdict(), Paired(1.0, 0.2, 5).verdict()
        ('better', 'worse')
        """
        if self.count < 2:
            return NONE
        if abs(self.mean) <= self.half_width:
            return UNSEEN
        if self.mean < 0:
            return "better"
        return "worse"

    def text(self) -> str:
        """The mean and its standard error, and the verdict.

        >>> Paired(-0.1234, 0.0567, 5).text().replace(SPACE, " ")
        '-0.123 ± 0.057: no difference seen'
        """
        if not self.count:
            return NONE
        if self.count < 2:
            return f"{self.mean:.3g}"
        return f"{self.mean:.3g}{SPACE}±{SPACE}{self.error:.2g}: {self.verdict()}"


def quantile(count: int) -> float:
    """The factor of the standard error of so many differences in the half width.

    >>> round(quantile(5), 3)
    2.776
    """
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, 0.5 + LEVEL / 2))
