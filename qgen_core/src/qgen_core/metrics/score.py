"""The value of a metric with its statistical uncertainty and its finite-sample floor."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from qgen_core.errors import BadOption, DataError, Unsupported
from qgen_core.events import Events
from qgen_core.interfaces import Estimate, Metric, Model, name_of
from qgen_core.metrics.binning import Edges, check_pair
from qgen_core.metrics.resample import (
    MOST_KEPT,
    Bootstrap,
    Resample,
    Source,
    drawn_together,
    effective_size,
    once,
)
from qgen_core.typing import Array, Floats, Rng

_Pair = tuple[Bootstrap, Bootstrap]

#: The most events that are drawn for one sample of a floor.
MAX_DRAWN = 2**26


@dataclass(frozen=True)
class Score:
    """One number of a metric.

    ``uncertainty`` is the standard deviation over new samples of both sides, from a bootstrap that
    is corrected near the floor. ``floor`` and ``floor_spread`` are mean and standard deviation of
    the metric between two samples of these sizes that are both drawn from the reference: a distance
    compatible with its floor shows no difference. ``note`` is a remark of the metric.

    >>> Score("tv", value=0.12, uncertainty=0.01, floor=0.1, floor_spread=0.01).floor
    0.1
    """

    name: str
    value: float
    uncertainty: float
    floor: float
    floor_spread: float
    note: str = ""


def score(
    metric: Metric,
    reference: Events,
    generated: Events | None,
    *,
    edges: Edges = None,
    rng: Rng,
    model: Model | None = None,
    resamples: int = 50,
) -> list[Score]:
    """All numbers of a metric, with uncertainties and floors from ``resamples`` resamples each.

    The metric is called with the two samples and with those of ``edges``, ``rng``, ``model`` and
    ``encoded`` (the encoded features of both, arrays (N, width)) that it has parameters for. No
    resamples are made if it returns its own uncertainties (see
    :class:`~qgen_core.interfaces.Estimate`).

    Resampled events keep their weights. For the floor the second sample has the effective size of
    the generated events, (sum w)^2 / sum w^2, and is drawn with probabilities proportional to the
    weights of the reference, so it is unweighted. If the reference has negative weights, the
    second sample is drawn uniformly and keeps them; so many events are drawn that it is worth the
    same effective size. Raises DataError for events that cannot be compared and for negative
    weights that cancel so far that this number exceeds 2^26; BadOption for fewer than 2 resamples
    and for a metric that asks for a model where there is none.

    >>> from qgen_core.metrics.joint import tv
    >>> a = Events(np.linspace(0.0, 1.0, 100)[:, None])
    >>> (found,) = score(tv, a, a, rng=np.random.default_rng(0))
    >>> found.name, found.value, found.floor > 0
    ('joint tv', 0.0, True)
    """
    asked = [metric]
    (found,) = scores(
        asked, reference, generated, edges=edges, rng=rng, model=model, resamples=resamples
    )
    return found


def scores(
    metrics: Sequence[Metric],
    reference: Events,
    generated: Events | None,
    *,
    edges: Edges = None,
    rng: Rng,
    model: Model | None = None,
    resamples: int = 50,
) -> list[list[Score]]:
    """The :func:`score` of several metrics, which see the same resamples.

    So events are binned and sorted once for all of them. What is computed of a sample that is a
    :class:`~qgen_core.metrics.resample.Source` stays with it. Resamples are drawn if a metric needs
    them, after the values of all metrics, and only so many at a time that they take little memory,
    for all metrics in turn. ``generated`` is None for a model that
    cannot be sampled; its metrics are those of the model, which give all numbers by themselves.
    Raises what :func:`score` raises, and Unsupported for a metric that needs samples where there
    are none.

    >>> from qgen_core.metrics.joint import js, tv
    >>> a = Events(np.linspace(0.0, 1.0, 100)[:, None])
    >>> found = scores([tv, js], a, a, rng=np.random.default_rng(0))
    >>> [one.name for (one,) in found]
    ['joint tv', 'joint js']
    """
    if resamples < 2:
        raise BadOption(f"resamples must be at least 2, not {resamples}")
    if generated is None:
        return _of_model_alone(metrics, reference, edges, rng, model)
    check_pair(reference, generated)
    sides = (_source(reference), _source(generated))
    asked = [_Asked(metric, edges, rng, model) for metric in metrics]
    estimates = [one.estimates(*sides) for one in asked]
    lacking = [_incomplete(of_metric) for of_metric in estimates]
    if any(lacking):
        bootstrap = _tables(asked, lacking, _bootstrapped(*sides, rng, resamples))
        null = _tables(asked, lacking, _null(*sides, rng, resamples))
        for of_metric, names, *tables in zip(estimates, lacking, bootstrap, null, strict=True):
            of_metric |= _completed(of_metric, names, *tables)
    return [_scores_of(of_metric) for of_metric in estimates]


def _scores_of(estimates: Mapping[str, Estimate]) -> list[Score]:
    return [Score(name, **asdict(estimate)) for name, estimate in estimates.items()]


def _incomplete(estimates: Mapping[str, Estimate]) -> list[str]:
    """The numbers that lack an uncertainty or a floor."""
    return [name for name, estimate in estimates.items() if not estimate.is_complete]


def _of_model_alone(
    metrics: Sequence[Metric], reference: Events, edges: Edges, rng: Rng, model: Model | None
) -> list[list[Score]]:
    """The scores of a model that cannot be sampled."""
    found = []
    for metric in metrics:
        asked = _Asked(metric, edges, rng, model)
        estimates = {}
        if "model" in asked.given:
            estimates = asked.estimates(_source(reference), None)
        if not estimates or _incomplete(estimates):
            raise Unsupported(
                f"metric {name_of(metric)!r} compares samples, which this model has none of; take "
                "metrics of the model, such as 'covariance', 'correlators', 'bit-mmd' and "
                "'bit-marginals'"
            )
        found.append(_scores_of(estimates))
    return found


def _tables(
    asked: Sequence[_Asked], lacking: Sequence[list[str]], pairs: Sequence[_Pair]
) -> list[Floats]:
    """For each metric its lacking numbers for each pair of samples, (resamples, numbers).

    All metrics are asked about some pairs before the next ones are drawn.
    """
    tables = [np.empty((len(pairs), len(names))) for names in lacking]
    at_once = _pairs_at_once(pairs[0])
    for start in range(0, len(pairs), at_once):
        chosen = slice(start, start + at_once)
        # What is drawn is freed with the copies.
        first, second = zip(*[(copy(a), copy(b)) for a, b in pairs[chosen]], strict=True)
        drawn_together(first)
        drawn_together(second)
        for one, names, table in zip(asked, lacking, tables, strict=True):
            if names:
                table[chosen] = one.table(first, second, names)
    return tables


def _pairs_at_once(pair: _Pair) -> int:
    """How many first, and how many second samples are made a batch, so that memory suffices."""
    most_events = max(len(sample.source) for sample in pair)
    most_numbers = MOST_KEPT
    if all(sample.source.weight is None for sample in pair):
        most_numbers *= 2  # their weights are whole numbers, which need less memory
    return max(1, most_numbers // most_events)


def _completed(
    estimates: Mapping[str, Estimate], names: list[str], bootstrap: Floats, null: Floats
) -> dict[str, Estimate]:
    """The estimates of these names with their uncertainties and floors."""
    completed = {}
    for number, name in enumerate(names):
        estimate = estimates[name]
        found = estimate_of(estimate.value, bootstrap[:, number], null[:, number])
        completed[name] = replace(found, note=estimate.note)
    return completed


def estimate_of(value: float, bootstrap: Floats, null: Floats) -> Estimate:
    """A number with its uncertainty and floor, from what it is between resamples.

    ``bootstrap`` (resamples,) are the numbers between resamples of both samples, ``null`` those
    between samples of the reference alone.

    >>> estimate_of(9.0, np.array([8.5, 9.0, 9.5]), np.array([0.1, 0.2])).uncertainty
    0.5
    """
    return Estimate(
        value,
        uncertainty=_uncertainty(value, bootstrap, null),
        floor=float(null.mean()),
        floor_spread=float(null.std(ddof=1)),
    )


def _uncertainty(value: float, bootstrap: Floats, null: Floats) -> float:
    """The standard deviation of a metric over new samples.

    ``bootstrap`` (resamples,) are the metric between resamples of both samples, ``null`` between
    resamples of the reference alone.

    The bootstrap takes the observed difference of the samples, delta + e, for the true difference
    delta. For a distance near its floor the noise e dominates: resamples are farther apart than new
    samples would be, and the bootstrap spread is too wide, by sqrt(3) for a quadratic distance.
    For sum_i (delta_i + e_i)^2, with s^2 the variance of the noise,

    - the spread of new samples has the variance 4 s^2 |delta|^2 + (that of the null),
    - the spread of the bootstrap has 4 s^2 |delta + e|^2 + (that of the null),
    - value - floor estimates |delta|^2, and mean of the bootstrap - floor is |delta + e|^2.

    So the excess of the bootstrap over the null counts by the ratio of these two differences, from
    0 to 1. As chance alone puts half of all exact models above the floor, it counts fully only if
    no resample of the null is as far from the floor as the value, and not at all if a tenth of them
    are. The result is the spread of the null at the floor and that of the bootstrap far from it,
    which is right for other distances as well; up to three spreads above the floor it can be a
    fifth too narrow. For a number without a bias, e.g. a correlation, all these spreads agree
    unless the samples differ in other ways.

    >>> null = np.array([0.08, 0.1, 0.12])
    >>> round(_uncertainty(0.11, null + 0.04, null), 9)
    0.02
    >>> _uncertainty(9.0, np.array([8.5, 9.0, 9.5]), null)
    0.5
    """
    floor = float(null.mean())
    floor_variance = float(null.var(ddof=1))
    excess = value - floor
    observed = float(bootstrap.mean()) - floor
    if excess * observed <= 0:
        return float(np.sqrt(floor_variance))
    as_far = float(np.mean(np.abs(null - floor) >= abs(excess)))
    share = min(1.0, excess / observed) * max(0.0, 1.0 - 10.0 * as_far)
    variance = (1 - share) * floor_variance + share * float(bootstrap.var(ddof=1))
    return float(np.sqrt(variance))


class _Asked:
    """A metric with what it asks for."""

    def __init__(self, metric: Metric, edges: Edges, rng: Rng, model: Model | None) -> None:
        wanted = inspect.signature(metric).parameters
        self.metric = metric
        self.rng = rng
        self.model = model
        self.encoded = "encoded" in wanted
        if model is None and wanted.keys() & {"model", "encoded"}:
            raise BadOption(
                f"metric {name_of(metric)!r} asks for the model; it can be used on a run only"
            )
        offered = {"edges": edges, "rng": rng, "model": model}
        self.given = {name: value for name, value in offered.items() if name in wanted}

    def estimates(self, reference: Events, generated: Events | None) -> dict[str, Estimate]:
        """The numbers of the metric for a pair of samples."""
        found = {}
        for name, value in self._numbers(reference, generated).items():
            found[name] = value if isinstance(value, Estimate) else Estimate(float(value))
        return found

    def table(self, first: Sequence[Events], second: Sequence[Events], names: list[str]) -> Floats:
        """The numbers of the metric for each pair, (resamples, len(names))."""
        rows = np.empty((len(first), len(names)))
        for row, reference, generated in zip(rows, first, second, strict=True):
            # What a metric gathers of a resample is freed with the copy.
            found = self._numbers(copy(reference), copy(generated))
            row[:] = [_value(found[name]) for name in names]
        return rows

    def _numbers(self, reference: Events, generated: Events | None) -> Mapping[str, Any]:
        """What the metric returns for a pair of samples."""
        given: dict[str, Any] = dict(self.given)
        if self.encoded:
            of_generated = None
            if generated is not None:
                of_generated = self._encode(generated)
            given["encoded"] = (self._encode(reference), of_generated)
        return self.metric(reference, generated, **given)

    def _encode(self, events: Events) -> Array:
        """Encoded features (N, width), computed once for all resamples of a sample."""
        assert self.model is not None
        model = self.model
        encoded = once(events, "encoded", lambda source: model.encode(source, rng=self.rng)[0])
        if isinstance(events, Resample):
            return encoded.take(events.drawn, axis=0)
        return encoded


def _value(number: Any) -> float:
    """A number of a metric, which may be an estimate."""
    return float(number.value) if isinstance(number, Estimate) else float(number)


def _source(events: Events) -> Source:
    """The events as a source; those that are one keep what was computed of them."""
    return events if isinstance(events, Source) else Source(events)


def _bootstrapped(reference: Source, generated: Source, rng: Rng, times: int) -> list[_Pair]:
    """Pairs of resamples, of the reference and of the generated events."""
    pairs = []
    for _ in range(times):
        pairs.append((_again(reference, rng), _again(generated, rng)))
    return pairs


def _null(reference: Source, generated: Source, rng: Rng, times: int) -> list[_Pair]:
    """Pairs of samples that are both drawn from the reference."""
    size = max(2, round(effective_size(generated)))
    weight = reference.weight
    cumulative: Floats | None = None
    if weight is not None and np.all(weight >= 0):
        sums = np.cumsum(weight)
        cumulative = sums / sums[-1]
    elif weight is not None:
        size = _uniform_size(reference, size)
    pairs = []
    for _ in range(times):
        like_generated = Bootstrap(reference, size, rng, cumulative)
        pairs.append((_again(reference, rng), like_generated))
    return pairs


def _again(source: Source, rng: Rng) -> Bootstrap:
    """As many events of a source as it has."""
    return Bootstrap(source, len(source), rng)


def _uniform_size(events: Events, worth: int) -> int:
    """How many events, drawn uniformly with their weights, have the effective size ``worth``."""
    size = round(worth * len(events) / effective_size(events))
    if size > MAX_DRAWN:
        raise DataError(
            f"the weights of the {len(events)} reference events cancel so far that a floor needs "
            f"{size} drawn events, more than {MAX_DRAWN}; use a reference with fewer negative "
            "weights, or fewer generated events"
        )
    return size
