"""The value of a metric with its statistical uncertainty and its finite-sample floor."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.interfaces import Metric
from qgen_core.metrics.binning import Edges, check_pair
from qgen_core.metrics.resample import Resample
from qgen_core.typing import Array, Floats, Rng


@dataclass(frozen=True)
class Score:
    """One number of a metric.

    ``uncertainty`` is the bootstrap standard deviation, with both samples resampled. ``floor`` and
    ``floor_spread`` are mean and standard deviation of the metric between two samples of these
    sizes that are both drawn from the reference: a distance compatible with its floor shows no
    difference. (A bootstrap sample is biased, up by about the floor for a distance, so only its
    standard deviation is used.)

    >>> Score("tv", value=0.12, uncertainty=0.01, floor=0.1, floor_spread=0.01).floor
    0.1
    """

    name: str
    value: float
    uncertainty: float
    floor: float
    floor_spread: float


def score(
    metric: Metric,
    reference: Events,
    generated: Events,
    *,
    edges: Edges = None,
    rng: Rng,
    resamples: int = 50,
) -> list[Score]:
    """All numbers of a metric, with uncertainties and floors from ``resamples`` resamples each.

    Resampled events keep their weights. For the floor the second sample has the effective size of
    the generated events, (sum w)^2 / sum w^2, and is drawn with probabilities proportional to the
    weights of the reference, so it is unweighted; if the reference has negative weights it is
    drawn uniformly and keeps them. Raises DataError for events that cannot be compared, BadOption
    for fewer than 2 resamples.

    >>> from qgen_core.metrics.joint import tv
    >>> a = Events(np.linspace(0.0, 1.0, 100)[:, None])
    >>> (found,) = score(tv, a, a, rng=np.random.default_rng(0))
    >>> found.name, found.value, found.floor > 0
    ('joint tv', 0.0, True)
    """
    check_pair(reference, generated)
    if resamples < 2:
        raise BadOption(f"resamples must be at least 2, not {resamples}")
    values = metric(reference, generated, edges=edges)
    names = list(values)
    bootstrap = _table(metric, _bootstrapped(reference, generated, rng, resamples), edges, names)
    null = _table(metric, _null(reference, generated, rng, resamples), edges, names)
    uncertainties = bootstrap.std(axis=0, ddof=1)
    floors = null.mean(axis=0)
    floor_spreads = null.std(axis=0, ddof=1)
    scores = []
    for number, name in enumerate(names):
        scores.append(
            Score(
                name,
                value=float(values[name]),
                uncertainty=float(uncertainties[number]),
                floor=float(floors[number]),
                floor_spread=float(floor_spreads[number]),
            )
        )
    return scores


def _table(
    metric: Metric, pairs: Iterator[tuple[Events, Events]], edges: Edges, names: list[str]
) -> Array:
    """The numbers of the metric for each pair, (resamples, len(names))."""
    rows = []
    for first, second in pairs:
        values = metric(first, second, edges=edges)
        rows.append([values[name] for name in names])
    return np.array(rows, dtype=np.float64)


def _bootstrapped(
    reference: Events, generated: Events, rng: Rng, times: int
) -> Iterator[tuple[Events, Events]]:
    """Pairs of resamples, of the reference and of the generated events."""
    reference_memo: dict[Hashable, Any] = {}
    generated_memo: dict[Hashable, Any] = {}
    for _ in range(times):
        first = _resample(reference, reference_memo, rng)
        second = _resample(generated, generated_memo, rng)
        yield first, second


def _null(
    reference: Events, generated: Events, rng: Rng, times: int
) -> Iterator[tuple[Events, Events]]:
    """Pairs of samples that are both drawn from the reference."""
    memo: dict[Hashable, Any] = {}
    size = _effective_size(generated)
    weight = reference.weight
    cumulative: Floats | None = None
    if weight is not None and np.all(weight >= 0):
        cumulative = np.cumsum(weight) / weight.sum()
    for _ in range(times):
        first = _resample(reference, memo, rng)
        if cumulative is None:
            drawn = rng.integers(len(reference), size=size)
            yield first, Resample(reference, drawn, memo, weighted=True)
        else:
            found = np.searchsorted(cumulative, rng.random(size), side="right")
            drawn = np.minimum(found, len(reference) - 1)  # rounding can leave the sum below 1
            yield first, Resample(reference, drawn, memo, weighted=False)


def _effective_size(events: Events) -> int:
    """The number of unweighted events with the same statistical precision, at least 2."""
    weight = events.weight
    if weight is None:
        return len(events)
    return max(2, round(float(weight.sum() ** 2 / (weight @ weight))))


def _resample(events: Events, memo: dict[Hashable, Any], rng: Rng) -> Resample:
    return Resample(events, rng.integers(len(events), size=len(events)), memo)
