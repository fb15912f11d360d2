"""Histograms and correlations of reference and generated events, which reports draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qgen_core.events import Events
from qgen_core.metrics.binning import codes
from qgen_core.metrics.correlation import pearson
from qgen_core.metrics.reference_edges import ReferenceEdges
from qgen_core.metrics.resample import effective_size
from qgen_core.typing import Array, Floats

#: Maps of pairs of columns: all pairs of six columns.
MAX_PAIRS = 15
#: Marginals by condition: of so many conditions and columns; a condition with more than so many
#: values is divided into ranges of equal numbers of events.
MAX_CONDITIONS = 2
MAX_COLUMNS_BY_CONDITION = 6
#: Of events with more columns than an evaluation shows: so many pairs and columns by condition.
PAIRS_OF_MANY = 3
COLUMNS_BY_CONDITION_OF_MANY = 2
MAX_RANGES = 6
RANGES = 4


def _drawn(edges: Floats, values: Array, follow_reference: bool) -> list[float]:
    """Edges for a figure: the outermost bins end at the extremes of the reference values (N,)."""
    drawn = edges.copy()
    if follow_reference and len(edges) > 2:
        drawn[0] = values.min()
        drawn[-1] = values.max()
        if drawn[-1] <= drawn[-2]:  # the greatest value has a bin of its own
            drawn[-1] = drawn[-2] + (drawn[-2] - drawn[0]) / (len(drawn) - 2)
    return [float(edge) for edge in drawn]


def _histogram(events: Events, column: int, edges: Floats) -> tuple[list[float], list[float]]:
    """Sums of weights in bins, and their statistical errors."""
    numbers = codes(events, column, edges)
    weights = events.weights
    size = len(edges) + 1
    counts = np.bincount(numbers, weights, size)[1:-1]
    squares = np.bincount(numbers, weights**2, size)[1:-1]
    return counts.tolist(), np.sqrt(squares).tolist()


def marginal(
    reference: Events, generated: Events, column: int, edges: Sequence[Floats]
) -> dict[str, Any]:
    """The histograms of one column."""
    bins = edges[column]
    values = reference.x[:, column]
    expected, expected_error = _histogram(reference, column, bins)
    found, found_error = _histogram(generated, column, bins)
    return {
        "column": reference.columns[column],
        "unit": reference.units[column],
        "edges": _drawn(bins, values, isinstance(edges, ReferenceEdges)),
        "reference": expected,
        "reference_error": expected_error,
        "generated": found,
        "generated_error": found_error,
    }


def joint(
    reference: Events,
    generated: Events,
    edges: Sequence[Floats],
    pair: tuple[int, int],
    follow_reference: bool,
) -> dict[str, Any]:
    """The joint histograms of two columns."""
    bins = [edges[column] for column in pair]
    expected, expected_size = _table(reference, bins, pair)
    found, found_size = _table(generated, bins, pair)
    drawn = [
        _drawn(one, reference.x[:, column], follow_reference)
        for one, column in zip(bins, pair, strict=True)
    ]
    return {
        "columns": [reference.columns[column] for column in pair],
        "units": [reference.units[column] for column in pair],
        "edges": drawn,
        "reference": expected.tolist(),
        "generated": found.tolist(),
        "sizes": [expected_size, found_size],
    }


def _table(events: Events, bins: Sequence[Floats], pair: tuple[int, int]) -> tuple[Floats, float]:
    """The joint histogram of two columns, and its effective number of events."""
    first, second = (events.x[:, column] for column in pair)
    counts, _, _ = np.histogram2d(first, second, bins, weights=events.weights)
    squares, _, _ = np.histogram2d(first, second, bins, weights=events.weights**2)
    size = counts.sum() ** 2 / max(squares.sum(), 1e-300)
    return counts, float(size)


def coarse(edges: Floats, most: int) -> Floats:
    """Some of the edges, of at most ``most`` bins."""
    if len(edges) <= most + 1:
        return edges
    kept = np.linspace(0, len(edges) - 1, most + 1).astype(np.intp)
    return np.asarray(edges[kept])


def worst_pairs(
    correlation: Mapping[str, Any] | None, columns: Sequence[int], most: int
) -> list[tuple[int, int]]:
    """Up to ``most`` pairs of columns, in order: those whose coefficients differ most."""
    if correlation is None:
        return []
    found = np.asarray(correlation["generated"])
    difference = np.abs(found - np.asarray(correlation["reference"]))
    pairs = list(zip(*np.triu_indices(len(columns), 1), strict=True))
    worst = sorted(pairs, key=lambda pair: -difference[pair])[:most]
    return [(columns[int(i)], columns[int(j)]) for i, j in sorted(worst)]


def by_condition(
    reference: Events,
    generated: Events,
    edges: Sequence[Floats],
    whole: Sequence[Mapping[str, Any]],
    most: int,
) -> list[dict[str, Any]]:
    """Marginals of the events in ranges of each condition; none without conditions.

    They are of the first ``most`` of the columns of the marginals of all events, ``whole``, and
    drawn with their edges.
    """
    if reference.condition is None or generated.condition is None:
        return []
    groups = []
    for number, name in enumerate(reference.condition_columns[:MAX_CONDITIONS]):
        values = reference.condition[:, number]
        for low, high in _ranges(values):
            expected = _inside(reference, number, low, high)
            found = _inside(generated, number, low, high)
            if expected is None or found is None:
                continue
            marginals = []
            for of_all in whole[:most]:
                column = reference.columns.index(of_all["column"])
                one = marginal(expected, found, column, edges)
                marginals.append(one | {"edges": of_all["edges"]})
            groups.append({"condition": name, "low": low, "high": high, "marginals": marginals})
    return groups


def _inside(events: Events, number: int, low: float, high: float) -> Events | None:
    """The events with a condition in [low, high]; None if their weights do not sum to above 0."""
    assert events.condition is not None
    values = events.condition[:, number]
    inside = (values >= low) & (values <= high)
    if events.weights[inside].sum() <= 0:
        return None
    return events.take(inside)


def _ranges(values: Floats) -> list[tuple[float, float]]:
    """Ranges [low, high] of a condition: its values if they are few, else of equal numbers."""
    distinct = np.unique(values)
    if len(distinct) <= MAX_RANGES:
        return [(float(value), float(value)) for value in distinct]
    bounds = np.quantile(values, np.linspace(0.0, 1.0, RANGES + 1))
    lows = [float(bounds[0]), *(float(np.nextafter(bound, np.inf)) for bound in bounds[1:-1])]
    return list(zip(lows, bounds[1:].tolist(), strict=True))


def correlations(
    reference: Events, generated: Events, columns: Sequence[int]
) -> dict[str, Any] | None:
    """Pearson coefficients of all pairs of some columns."""
    if len(columns) < 2:
        return None
    expected = pearson(_selected(reference, columns))
    found = pearson(_selected(generated, columns))
    variance = 1 / effective_size(reference) + 1 / effective_size(generated)
    return {
        "columns": [reference.columns[column] for column in columns],
        "reference": expected.tolist(),
        "generated": found.tolist(),
        # large-sample standard error of a difference, for normally distributed columns
        "uncertainty": ((1 - expected**2) * np.sqrt(variance)).tolist(),
    }


def _selected(events: Events, columns: Sequence[int]) -> Events:
    """The events with some of their columns, in float64."""
    return events.replace(
        x=events.x[:, columns].astype(np.float64),
        columns=tuple(events.columns[column] for column in columns),
        units=tuple(events.units[column] for column in columns),
    )
