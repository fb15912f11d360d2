"""A metric's value with what sampling makes of it: its uncertainty and its floor."""

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
from qgen_core.typing import Array, Rng


@dataclass(frozen=True)
class Score:
    """One number of a metric.

    ``uncertainty`` is its bootstrap standard deviation over both samples; ``floor`` and
    ``floor_spread`` are mean and standard deviation of what the metric gives between two samples of
    these sizes from one distribution, the reference. A distance at its floor says: no
    difference seen. The bootstrap moves a distance up by about its floor; only its spread is
    used.
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
    """All numbers of a metric, each with its uncertainty and floor from ``resamples`` resamples each.

    Weights are kept with their events. A second sample of the floor is drawn by the reference's
    weights and has none, and as many events as the generated ones are worth,
    (sum w)^2 / sum w^2; only a reference with negative weights, which cannot be drawn by, hands
    its weights on. Raises DataError for events that cannot be compared.
    """
    check_pair(reference, generated)
    if resamples < 2:
        raise BadOption(f"resamples must be at least 2, not {resamples}")
    values = metric(reference, generated, edges=edges)
    bootstrap = _table(
        metric, _bootstrapped(reference, generated, rng, resamples), edges, list(values)
    )
    null = _table(metric, _null(reference, generated, rng, resamples), edges, list(values))
    numbers = zip(
        bootstrap.std(axis=0, ddof=1), null.mean(axis=0), null.std(axis=0, ddof=1), strict=True
    )
    return [
        Score(name, float(value), float(uncertainty), float(floor), float(floor_spread))
        for (name, value), (uncertainty, floor, floor_spread) in zip(
            values.items(), numbers, strict=True
        )
    ]


def _table(
    metric: Metric, pairs: Iterator[tuple[Events, Events]], edges: Edges, names: list[str]
) -> Array:
    """The metric's numbers for each pair, (resamples, numbers)."""
    rows = [metric(first, second, edges=edges) for first, second in pairs]
    return np.array([[row[name] for name in names] for row in rows], dtype=np.float64)


def _bootstrapped(
    reference: Events, generated: Events, rng: Rng, times: int
) -> Iterator[tuple[Events, Events]]:
    memos: tuple[dict[Hashable, Any], dict[Hashable, Any]] = ({}, {})
    for _ in range(times):
        yield _again(reference, memos[0], rng), _again(generated, memos[1], rng)


def _null(
    reference: Events, generated: Events, rng: Rng, times: int
) -> Iterator[tuple[Events, Events]]:
    memo: dict[Hashable, Any] = {}
    w, v = reference.weight, generated.weight
    size = len(generated) if v is None else max(2, round(float(v.sum() ** 2 / (v @ v))))
    by_weight = w is not None and bool(np.all(w >= 0))
    reached = np.cumsum(w) / w.sum() if w is not None and by_weight else None
    for _ in range(times):
        first = _again(reference, memo, rng)
        if reached is None:
            drawn = rng.integers(len(reference), size=size)
        else:
            drawn = np.minimum(
                np.searchsorted(reached, rng.random(size), side="right"), len(reference) - 1
            )
        yield first, Resample(reference, drawn, memo, weighted=not by_weight)


def _again(events: Events, memo: dict[Hashable, Any], rng: Rng) -> Resample:
    return Resample(events, rng.integers(len(events), size=len(events)), memo)
