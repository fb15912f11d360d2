"""Events drawn again from events, for uncertainties and floors."""

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
    """The events of ``source`` numbered ``drawn`` (N,), with repetitions.

    To any metric these are plain events, picked when they are asked for. A metric of sums over
    events need not pick them: the sums over a resample are those over its source, each event
    weighted by :attr:`multiplicity`, and bin numbers and the like are worked out :func:`once`.
    ``memo`` keeps them and is shared by the resamples of a source. ``weighted`` false leaves
    out the source's weights.
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
        named = {
            name: getattr(source, name)
            for name in ("columns", "units", "condition_columns", "provenance")
        }
        # The class is frozen, and its source has been checked.
        self.__dict__.update(named, source=source, drawn=drawn, memo=memo, weighted=weighted)

    def __len__(self) -> int:
        return len(self.drawn)

    @cached_property
    def x(self) -> Array:
        """Features of the drawn events (N, F)."""
        return self.source.x.take(self.drawn, axis=0)

    @cached_property
    def condition(self) -> Array | None:
        """Conditions of the drawn events (N, K), if any."""
        return (
            None
            if self.source.condition is None
            else self.source.condition.take(self.drawn, axis=0)
        )

    @cached_property
    def weight(self) -> Floats | None:
        """Weights of the drawn events (N,), if any."""
        weight = self.source.weight if self.weighted else None
        return None if weight is None else weight.take(self.drawn)

    @cached_property
    def multiplicity(self) -> Floats:
        """How often each event of the source was drawn."""
        return np.bincount(self.drawn, minlength=len(self.source)).astype(np.float64)


def source_of(events: Events) -> Events:
    """The events that a resample was drawn from; other events are their own source."""
    return events.source if isinstance(events, Resample) else events


def source_weights(events: Events, power: int = 1) -> Floats | None:
    """For each event of the source, the sum over ``events`` of its weight to a power; None: all ones."""
    source = source_of(events)
    if not isinstance(events, Resample):
        return None if source.weight is None else source.weight**power
    if source.weight is None or not events.weighted:
        return events.multiplicity
    return events.multiplicity * source.weight**power


def once(events: Events, key: Hashable, compute: Callable[[Events], T]) -> T:
    """``compute`` of the source, worked out once for all its resamples.

    ``key`` names what is computed, with everything it depends on besides the source.
    """
    if not isinstance(events, Resample):
        return compute(events)
    if key not in events.memo:
        events.memo[key] = compute(events.source)
    found: T = events.memo[key]
    return found
