"""Differences between two configurations that were run with the same seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qgen_core.studies import NONE, Results, plus_minus

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

    @property
    def probability(self) -> float:
        """How often chance alone shows a mean as far from 0 or farther, by Student's t.

        NaN with fewer than two seeds.

        >>> round(Paired(2.776, 1.0, 5).probability, 3)
        0.05
        """
        from scipy.special import stdtr

        if self.count < 2 or np.isnan(self.mean):
            return float("nan")
        if self.mean == 0:
            return 1.0
        with np.errstate(divide="ignore"):
            distance = abs(np.float64(self.mean)) / self.error
        return float(2 * stdtr(self.count - 1, -distance))

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

        >>> from qgen_core.studies import SPACE
        >>> Paired(-0.1234, 0.0567, 5).text().replace(SPACE, " ")
        '-0.123 ± 0.057: no difference seen'
        """
        if not self.count:
            return NONE
        if self.count < 2:
            return f"{self.mean:.3g}"
        return f"{plus_minus(self.mean, self.error, of_error='.2g')}: {self.verdict()}"


def difference(
    first: Results,
    second: Results,
    number: Callable[[Any], float],
    of_second: Callable[[Any], float] | None = None,
) -> Paired:
    """The difference of a number of a measurement's data, over the seeds that both sides have.

    ``of_second`` takes the number of the second side, if it is found elsewhere in its data.

    >>> from qgen_core.studies import Cell, Result
    >>> sides = []
    >>> for shift in (0.0, 0.5):
    ...     cells = [Cell({}, {"trained": {}}, {"seed": seed}) for seed in (1, 2)]
    ...     data = [{"trained": {"js": cell.tags["seed"] + shift}} for cell in cells]
    ...     sides.append(Results(Result(cell, "", value) for cell, value in zip(cells, data)))
    >>> difference(*sides, lambda data: data["js"])
    Paired(mean=-0.5, error=0.0, count=2)
    """
    mine = []
    theirs = []
    others = {result.cell.tags["seed"]: result.data() for result in second}
    for result in first:
        data = result.data()
        other = others.get(result.cell.tags["seed"])
        if data is not None and other is not None:
            mine.append(number(data))
            theirs.append((of_second or number)(other))
    return Paired.of(mine, theirs)


def quantile(count: int) -> float:
    """The factor of the standard error of so many differences in the half width.

    >>> round(quantile(5), 3)
    2.776
    """
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, 0.5 + LEVEL / 2))


def holm(probabilities: Sequence[float]) -> list[float]:
    """Probabilities of several differences, adjusted for that so many are looked at.

    If all those of at most 0.05 are called seen, a difference is seen in at most 5 % of the cases
    in which there is none at all, however the differences depend on each other. NaN stays so and
    does not count.

    Source: S. Holm, Scand. J. Statist. 6 (1979) 65.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [float("nan")] * len(probabilities)
    known = [place for place, value in enumerate(probabilities) if not np.isnan(value)]
    known.sort(key=lambda place: probabilities[place])
    largest = 0.0
    for rank, place in enumerate(known):
        of_place = min((len(known) - rank) * probabilities[place], 1.0)
        largest = max(largest, of_place)
        adjusted[place] = largest
    return adjusted
