"""Resampling of events with replacement, for uncertainties and floors of metrics."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from qgen_core.events import Events
from qgen_core.typing import Array, Floats, Rng

T = TypeVar("T")

#: Results of a batch of resamples are kept if they are at most so many numbers (64 MiB).
MOST_KEPT = 2**23
#: Events of a source that a bootstrap draws from at once. Their numbers have two bytes, which are
#: the fastest to draw, and what is counted of them stays in the cache.
BLOCK = 2**16
#: Where so many draws of an event are expected, 2^16 are 180 standard deviations away.
MOST_OF_ONE = 2**15


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
        self._become(source, drawn=drawn, weighted=weighted)

    def _become(self, source: Source, **fields: Any) -> None:
        """Set the fields; the class is frozen, and the source has already been validated."""
        self.__dict__.update(
            columns=source.columns,
            units=source.units,
            condition_columns=source.condition_columns,
            provenance=source.provenance,
            source=source,
            **fields,
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


class Bootstrap(Resample):
    """``size`` events of ``source``, each of them any event with equal probability.

    With ``cumulative`` (N,), the rising sums of probabilities up to 1, they are drawn with these
    and are not weighted. The events follow from a seed that is taken from ``rng``, and are drawn
    when they are asked for. Sums over events ask only how often each event was drawn, for which no
    number of an event is kept.

    >>> source = Source(Events(np.array([[1.0], [2.0], [3.0]])))
    >>> again = Bootstrap(source, 5, np.random.default_rng(1))
    >>> counts = np.bincount(again.drawn, minlength=3)
    >>> counts.sum().item(), np.array_equal(counts, again.multiplicity)
    (5, True)
    """

    size: int
    cumulative: Floats | None
    seed: tuple[int, ...]

    def __init__(
        self, source: Source, size: int, rng: Rng, cumulative: Floats | None = None
    ) -> None:
        seed = tuple(rng.integers(2**32, size=4).tolist())
        unweighted = cumulative is not None
        self._become(source, weighted=not unweighted, size=size, cumulative=cumulative, seed=seed)

    def __len__(self) -> int:
        return self.size

    @cached_property
    def drawn(self) -> NDArray[np.int64]:  # type: ignore[override]
        """The numbers (N,) of the drawn events, in random order."""
        drawn = np.repeat(np.arange(len(self.source)), self.multiplicity.astype(np.int64))
        self._rng("order").shuffle(drawn)
        return drawn

    @cached_property
    def multiplicity(self) -> Floats:
        """How often each event of the source was drawn, (number of source events,)."""
        counts = np.empty(len(self.source))
        for events, drawn in self.blocks():
            counts[events] = np.bincount(drawn, minlength=len(counts[events]))
        return counts

    def blocks(self) -> Iterator[tuple[slice, NDArray[np.uint16]]]:
        """For each :data:`BLOCK` events of the source which these are, and which are drawn of them.

        Drawn events are counted from the first of their block. How many are of which block is
        multinomial.
        """
        rng = self._rng("events")
        events = len(self.source)
        ends = np.append(np.arange(BLOCK, events, BLOCK), events)
        reached = ends / events
        if self.cumulative is not None:
            reached = self.cumulative[ends - 1]
        draws = rng.multinomial(self.size, np.diff(reached, prepend=0.0))
        for end, number in zip(ends.tolist(), draws.tolist(), strict=True):
            block = slice((end - 1) // BLOCK * BLOCK, end)
            yield block, self._drawn_in(block, number, rng)

    def _drawn_in(self, block: slice, number: int, rng: Rng) -> NDArray[np.uint16]:
        """Draw so many events of a block."""
        size = block.stop - block.start
        drawn: NDArray[np.uint16]
        if self.cumulative is None:
            drawn = rng.integers(size, size=number, dtype=np.uint16)
            return drawn
        below = 0.0
        if block.start:
            below = self.cumulative[block.start - 1]
        reached = self.cumulative[block]
        levels = below + (reached[-1] - below) * rng.random(number)
        found = np.searchsorted(reached, levels, side="right")
        drawn = np.minimum(found, size - 1).astype(np.uint16)  # a level may be rounded up
        return drawn

    @property
    def can_be_counted(self) -> bool:
        """Whether no event is drawn so often that its count has more than two bytes."""
        most_probable = 1 / len(self.source)
        if self.cumulative is not None:
            most_probable = float(np.diff(self.cumulative, prepend=0.0).max())
        return self.size * most_probable <= MOST_OF_ONE

    def _rng(self, purpose: str) -> Rng:
        return np.random.default_rng([*self.seed, zlib.crc32(purpose.encode())])


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
        counts = np.zeros((len(self.source), len(self)), dtype=np.uint16)
        bootstraps: dict[int, Bootstrap] = {}
        for number, sample in enumerate(self.samples):
            if isinstance(sample, Bootstrap):
                if not sample.can_be_counted:
                    return None
                bootstraps[number] = sample
            elif isinstance(sample, Resample):
                of_sample = np.bincount(sample.drawn, minlength=len(self.source))
                if of_sample.max() > np.iinfo(counts.dtype).max:
                    return None
                counts[:, number] = of_sample
            else:
                counts[:, number] = 1
        _count_bootstraps(bootstraps, counts)
        return counts

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """``compute()``, computed once for the batch."""
        if key not in self._memo:
            self._memo[key] = compute()
        found: T = self._memo[key]
        return found


def _count_bootstraps(bootstraps: Mapping[int, Bootstrap], counts: NDArray[np.uint16]) -> None:
    """Add how often each bootstrap has each event to its column of ``counts`` (events, samples)."""
    from qgen_core.metrics.kernels import count

    drawing = [bootstrap.blocks() for bootstrap in bootstraps.values()]
    for blocks in zip(*drawing, strict=True):
        for number, (events, drawn) in zip(bootstraps, blocks, strict=True):
            count(drawn, counts[events], number)


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
    batch = Batch([copy(resample) for resample in resamples])  # so that nothing refers to itself
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
