"""Statistics of one number over the seeds of a configuration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

#: Texts of a number that has not been measured yet, and of one that the study does not measure.
MISSING = "missing"
NONE = "–"
#: A no-break space keeps "1 ± 2" on one line.
SPACE = "\u00a0"
#: An error of less than this share of its number is rounding.
ROUNDING = 1e-12


def plus_minus(value: float, error: float, form: str = ".3g", of_error: str = ".1g") -> str:
    """A number ± its error, in these formats; the number alone if the error is 0 or rounding.

    A number that is the same for all seeds, such as a number of parameters, has no spread that
    would say how well it is known.

    >>> plus_minus(0.12345, 0.0123).replace(SPACE, " "), plus_minus(24.0, 0.0)
    ('0.123 ± 0.01', '24')
    """
    text = f"{value:{form}}"
    if error <= ROUNDING * abs(value):
        return text
    return f"{text}{SPACE}±{SPACE}{error:{of_error}}"


@dataclass(frozen=True)
class Summary:
    """A number over the seeds of one configuration.

    ``mean`` is NaN without values, ``deviation``, the standard deviation of the sample, with
    fewer than two. ``missing`` counts the seeds that have not been run.

    >>> found = Summary.of([1.0, 3.0, None])
    >>> found
    Summary(mean=2.0, deviation=1.4142135623730951, count=2, missing=1)
    >>> found.error
    1.0
    >>> found.text().replace(SPACE, " ")
    '2 ± 1 (2 of 3)'
    """

    mean: float
    deviation: float
    count: int
    missing: int

    @classmethod
    def of(cls, numbers: Iterable[float | None]) -> Summary:
        """The summary of one number a seed, None for a seed that has not been run.

        >>> Summary.of([0.5]).text(), Summary.of([None]).text(), Summary.of([]).text()
        ('0.5', 'missing', '–')
        """
        every = list(numbers)
        found = [number for number in every if number is not None]
        mean = float("nan")
        deviation = float("nan")
        if found:
            mean = float(np.mean(found))
        if len(found) > 1:
            deviation = float(np.std(found, ddof=1))
        return cls(mean, deviation, len(found), len(every) - len(found))

    @property
    def error(self) -> float:
        """The standard error of the mean, ``deviation / sqrt(count)``."""
        if self.count < 2:
            return float("nan")
        return float(self.deviation / np.sqrt(self.count))

    def text(self, form: str = ".3g") -> str:
        """Mean ± standard deviation, and how many seeds it is of if some are missing.

        The mean alone, if all seeds have the same number: see :func:`plus_minus`.
        ``form`` is the format of the mean. The deviation has the same without the sign, or with the
        default ``.3g`` one significant digit.

        >>> Summary.of([0.12345, 0.12355]).text("+.4f").replace(SPACE, " ")
        '+0.1235 ± 0.0001'
        """
        if not self.count:
            return MISSING if self.missing else NONE
        text = f"{self.mean:{form}}"
        if self.count > 1:
            of_deviation = ".1g" if form == ".3g" else form.removeprefix("+")
            text = plus_minus(self.mean, self.deviation, form, of_deviation)
        if self.missing:
            text += f" ({self.count} of {self.count + self.missing})"
        return text
