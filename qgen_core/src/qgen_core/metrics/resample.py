"""Resampling of events with replacement, for uncertainties and floors of metrics."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qgen_core.events import Events
from qgen_core.typing import Array, Floats

T = TypeVar("T")


class Resample(Events):
    """The events of ``source`` with the numbers ``drawn`` (N,), which may repeat.

    Any metric can use it as ordinary events; their arrays are gathered at first use. A metric
    made of sums over events can avoid that: a sum over a resample equals the sum over its source
    with each event weighted by :attr:`multiplicity`, and what depends on the source alone, such
    as bin numbers, is computed :func:`once` and kept in ``memo``, which all resamples of a source
    share. ``weighted=False`` ignores the weights of the source.

    >>> source = Events(np.array([[1.0], [2.0], [3.0]]))
    >>> again = Resample(source, np.array([2, 0, 2]), {})
    >>> again.x[:, 0].tolist(), again.multiplicity.tolist()
    ([3.0, 1.0, 3.0], [1.0, 0.0, 2.0])
    """

    source: Events
    drawn: NDArray[np.int64]
    memo: dict[Hashable, Any]
    weighted: bool

    def __init__(
        self,
        source: Events,
        drawn: NDArray[np.int64],
        memo: dict[Hashable, Any],
        *,
        weighted: bool = True,
    ) -> None:
        # The class is frozen, and the source has already been validated.
        self.__dict__.update(
            columns=source.columns,
            units=source.units,
            condition_columns=source.condition_columns,
            provenance=source.provenance,
            source=source,
            drawn=drawn,
            memo=memo,
            weighted=weighted,
        )

    def __len__(self) -> int:
        return len(self.drawn)

    @cached_property
    def x(self) -> Array:
        """Features of the drawn events (N, F)."""
        return self.source.x.take(self.drawn, axis=0)

    @cached_property
    def condition(self) -> Array | None:
        """Conditions of the drawn events (N, K), if any."""
        if self.source.condition is None:
            return None
        return self.source.condition.take(self.drawn, axis=0)

    @cached_property
    def weight(self) -> Floats | None:
        """Weights of the drawn events (N,), if any."""
        if not self.weighted or self.source.weight is None:
            return None
        return self.source.weight.take(self.drawn)

    @cached_property
    def multiplicity(self) -> Floats:
        """How often each event of the source was drawn, (number of source events,)."""
        return np.bincount(self.drawn, minlength=len(self.source)).astype(np.float64)


def source_of(events: Events) -> Events:
    """The events that a resample was drawn from; other events are their own source.

    >>> source = Events(np.array([[1.0], [2.0]]))
    >>> source_of(Resample(source, np.array([0, 0]), {})) is source
    True
    """
    if isinstance(events, Resample):
        return events.source
    return events


def source_weights(events: Events, power: int = 1) -> Floats | None:
    """For each event of the source, its weight to a power times how often it was drawn.

    None stands for ones: unweighted events that are not a resample.

    >>> source = Events(np.array([[1.0], [2.0]]), weight=np.array([3.0, 0.5]))
    >>> source_weights(Resample(source, np.array([0, 0]), {}), power=2).tolist()
    [18.0, 0.0]
    """
    source = source_of(events)
    if not isinstance(events, Resample):
        return None if source.weight is None else source.weight**power
    if source.weight is None or not events.weighted:
        return events.multiplicity
    return events.multiplicity * source.weight**power


def effective_size(events: Events) -> float:
    """The number of unweighted events with the same statistical precision: (sum w)^2 / sum w^2.

    >>> effective_size(Events(np.zeros((3, 1)), weight=np.array([1.0, 1.0, -1.0])))
    0.3333333333333333
    """
    weight = events.weight
    if weight is None:
        return float(len(events))
    return float(weight.sum() ** 2 / (weight @ weight))


def once(events: Events, key: Hashable, compute: Callable[[Events], T]) -> T:
    """``compute(source)``, computed once for all resamples of a source.

    ``key`` identifies the result: a name, with everything it depends on besides the source.

    >>> memo = {}
    >>> resample = Resample(Events(np.array([[1.0], [2.0]])), np.array([0, 0]), memo)
    >>> once(resample, "largest", lambda source: source.x.max()).item(), list(memo)
    (2.0, ['largest'])
    """
    if not isinstance(events, Resample):
        return compute(events)
    if key not in events.memo:
        events.memo[key] = compute(events.source)
    found: T = events.memo[key]
    return found
