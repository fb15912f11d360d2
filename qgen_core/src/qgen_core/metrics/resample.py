"""Resampling of events with replacement, for uncertainties and floors of metrics."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qgen_core.events import Events
from qgen_core.typing import Array, Floats

T = TypeVar("T")

#: Results of a batch of resamples are kept if they are at most so many numbers (64 MiB).
MOST_KEPT = 2**23


class Source(Events):
    """Events with what was computed of them, which they share with all their resamples.

    >>> source = Source(Events(np.array([[1.0], [2.0]])))
    >>> source.x.tolist(), source.memo
    ([[1.0], [2.0]], {})
    """

    memo: dict[Hashable, Any]

    def __init__(self, events: Events) -> None:
        # The class is frozen, and the events have already been validated.
        self.__dict__.update(vars(events), memo={})


class Resample(Events):
    """The events of ``source`` with the numbers ``drawn`` (N,), which may repeat.

    Any metric can use it as ordinary events; their arrays are gathered at first use. A metric
    made of sums over events can avoid that: a sum over a resample equals the sum over its source
    with each event weighted by :attr:`multiplicity`, and what depends on the source alone, such
    as bin numbers, is computed :func:`once`. ``weighted=False`` ignores the weights of the source.

    >>> source = Source(Events(np.array([[1.0], [2.0], [3.0]])))
    >>> again = Resample(source, np.array([2, 0, 2]))
    >>> again.x[:, 0].tolist(), again.multiplicity.tolist()
    ([3.0, 1.0, 3.0], [1.0, 0.0, 2.0])
    """

    source: Source
    drawn: NDArray[np.int64]
    weighted: bool

    def __init__(self, source: Source, drawn: NDArray[np.int64], *, weighted: bool = True) -> None:
        # The class is frozen, and the source has already been validated.
        self.__dict__.update(
            columns=source.columns,
            units=source.units,
            condition_columns=source.condition_columns,
            provenance=source.provenance,
            source=source,
            drawn=drawn,
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


class Batch:
    """Samples of one source whose sums over events are computed together, in one pass over it.

    >>> source = Source(Events(np.array([[1.0], [2.0]]), weight=np.array([3.0, 0.5])))
    >>> Batch([Resample(source, np.array([0, 0])), Resample(source, np.array([1, 0]))]).weights
    array([[6. , 3. ],
           [0. , 0.5]])
    """

    def __init__(self, samples: Sequence[Events]) -> None:
        self.samples = list(samples)
        self.source = source_of(self.samples[0])
        self._memo: dict[Hashable, Any] = {}

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def weights(self) -> Floats | NDArray[np.uint16]:
        """The :func:`source_weights` of each sample, (number of source events, samples).

        Those of unweighted samples are small whole numbers, which take a quarter of the memory.
        """
        if all(_is_unweighted(sample) for sample in self.samples):
            counts = self._counts()
            if counts is not None:
                return counts
        weights = np.ones((len(self.source), len(self)))
        for number, sample in enumerate(self.samples):
            of_sample = source_weights(sample)
            if of_sample is not None:
                weights[:, number] = of_sample
        return weights

    def _counts(self) -> NDArray[np.uint16] | None:
        """How often each sample has each event; None if that is too often for the type."""
        counts = np.empty((len(self.source), len(self)), dtype=np.uint16)
        for number, sample in enumerate(self.samples):
            if not isinstance(sample, Resample):
                counts[:, number] = 1
                continue
            of_sample = np.bincount(sample.drawn, minlength=len(self.source))
            if of_sample.max() > np.iinfo(counts.dtype).max:
                return None
            counts[:, number] = of_sample
        return counts

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """``compute()``, computed once for the batch."""
        if key not in self._memo:
            self._memo[key] = compute()
        found: T = self._memo[key]
        return found


def _is_unweighted(events: Events) -> bool:
    """Whether all events of a sample count the same."""
    if isinstance(events, Resample):
        return events.source.weight is None or not events.weighted
    return events.weight is None


def drawn_together(resamples: Sequence[Resample]) -> Batch:
    """Make a batch of resamples of one source, which they know from then on.

    >>> source = Source(Events(np.array([[1.0], [2.0]])))
    >>> both = [Resample(source, np.array([0, 0])), Resample(source, np.array([1, 0]))]
    >>> batch = drawn_together(both)
    >>> batch_of(both[1]) == (batch, 1)
    True
    """
    batch = Batch(resamples)
    for number, resample in enumerate(resamples):
        resample.__dict__["batch"] = (batch, number)
    return batch


def batch_of(events: Events) -> tuple[Batch, int]:
    """The batch that events belong to, and their number in it; other events are one of their own.

    >>> batch, number = batch_of(Events(np.array([[1.0], [2.0]])))
    >>> len(batch), number, batch.weights.tolist()
    (1, 0, [[1], [1]])
    """
    found: tuple[Batch, int] = vars(events).get("batch") or (Batch([events]), 0)
    return found


def source_of(events: Events) -> Events:
    """The events that a resample was drawn from; other events are their own source.

    >>> source = Source(Events(np.array([[1.0], [2.0]])))
    >>> source_of(Resample(source, np.array([0, 0]))) is source
    True
    """
    if isinstance(events, Resample):
        return events.source
    return events


def source_weights(events: Events, power: int = 1) -> Floats | None:
    """For each event of the source, its weight to a power times how often it was drawn.

    None stands for ones: unweighted events that are not a resample.

    >>> source = Source(Events(np.array([[1.0], [2.0]]), weight=np.array([3.0, 0.5])))
    >>> source_weights(Resample(source, np.array([0, 0])), power=2).tolist()
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
    """``compute(source)``, computed once for a :class:`Source` and all resamples of it.

    ``key`` identifies the result: a name, with everything it depends on besides the source.

    >>> source = Source(Events(np.array([[1.0], [2.0]])))
    >>> once(Resample(source, np.array([0, 0])), "largest", lambda of: of.x.max()).item()
    2.0
    >>> list(source.memo)
    ['largest']
    """
    source = source_of(events)
    if not isinstance(source, Source):
        return compute(source)
    if key not in source.memo:
        source.memo[key] = compute(source)
    found: T = source.memo[key]
    return found


def sums(
    events: Events, key: Hashable, size: int, compute: Callable[[Events, Array], Floats]
) -> Floats:
    """Sums (size,) over the events, computed for all samples of their batch at once.

    ``compute(source, weights)`` gives the sums (S, size) for weights (N, S) of the events of the
    source, see :attr:`Batch.weights`; ``key`` identifies them, as in :func:`once`. Sums of a batch
    that would be more than :data:`MOST_KEPT` numbers are computed one sample at a time.

    >>> source = Source(Events(np.array([[1.0], [2.0]])))
    >>> both = [Resample(source, np.array([0, 0])), Resample(source, np.array([1, 0]))]
    >>> batch = drawn_together(both)
    >>> [sums(one, "sum", 1, lambda of, weights: weights.T @ of.x).tolist() for one in both]
    [[2.0], [3.0]]
    """
    batch, number = batch_of(events)
    if size * len(batch) > MOST_KEPT:
        batch, number = Batch([events]), 0
    of_all = batch.once(key, lambda: compute(batch.source, batch.weights))
    of_sample: Floats = of_all[number]
    return of_sample
