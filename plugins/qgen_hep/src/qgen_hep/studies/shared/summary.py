"""Texts of numbers over the seeds of a configuration, beside those of ``Results.summary``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qgen_core.studies import MISSING, NONE, Results, plus_minus

OVER_SEEDS = "± is the standard deviation over seeds, left out where it is 0"


def published_text(number: float | None) -> str:
    """A published number as text, a dash if there is none.

    >>> published_text(0.009), published_text(None)
    ('0.009', '–')
    """
    if number is None:
        return NONE
    return f"{number:g}"


def mean_of_pairs(results: Results, pair: Callable[[Any], Sequence[float]]) -> str:
    """The mean over seeds of [mean, standard deviation over samples], as text.

    ``pair`` takes the data of a measurement. The text is ``missing`` if no seed has been run, and
    a dash without seeds.

    >>> from qgen_core.studies import SPACE, Cell, Result
    >>> cell = Cell({}, {"trained": {}})
    >>> results = Results(Result(cell, "", {"trained": {"js": [js, 0.1]}}) for js in (1, 2))
    >>> mean_of_pairs(results, lambda data: data["js"]).replace(SPACE, " ")
    '1.5 ± 0.1'
    """
    found = [pair(data) for data in results.values()]
    if found:
        mean, deviation = np.mean(found, axis=0).tolist()
        return plus_minus(mean, deviation)
    return absent(results)


def of_first(results: Results, number: Callable[[Any], Any], form: str = "") -> str | None:
    """A number that is the same for all seeds, as text; None if no seed has been run.

    >>> print(of_first(Results(), lambda data: data["parameters"]))
    None
    """
    data = results.first()
    if data is None:
        return None
    return f"{number(data):{form}}"


def absent(results: Results) -> str:
    """The text for a configuration without results: it has not been run, or has no cells.

    >>> absent(Results())
    '–'
    """
    if results:
        return MISSING
    return NONE
