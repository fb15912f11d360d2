"""Metrics of histograms against plain double loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qgen_core.errors import BadOption, DataError
from qgen_core.events import Events
from qgen_core.metrics.chi2 import chi2
from qgen_core.metrics.joint import js, tv
from qgen_core.metrics.marginals import marginal_d, marginal_tv

EDGES = [np.array([-1.0, -0.2, 0.1, 0.4, 2.0]), np.array([-3.0, 0.0, 1.0])]
METRICS = (marginal_d, marginal_tv, tv, js, chi2)


def events(seed: int, n: int = 300, weighted: bool = True, shift: float = 0.0) -> Events:
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1.0, size=(n, 2))
    x[:, 1] += 0.5 * x[:, 0]
    return Events(x, weight=rng.uniform(0.2, 3.0, n) if weighted else None, columns=("pt", "mass"))


def place(value: float, edges: np.ndarray) -> int:
    """-1 below, the bin, or the number of bins above; the last edge is inside."""
    if value < edges[0]:
        return -1
    for i in range(len(edges) - 1):
        if edges[i] <= value < edges[i + 1]:
            return i
    return len(edges) - 2 if value == edges[-1] else len(edges) - 1


def histogram(
    sample: Events, columns: list[int], edges: list[np.ndarray], power: int = 1
) -> dict[tuple, float]:
    total: dict[tuple, float] = {}
    for x, w in zip(sample.x, sample.weights, strict=True):
        key = tuple(place(x[c], edges[c]) for c in columns)
        total[key] = total.get(key, 0.0) + w**power
    return total


def clipped(h: dict[tuple, float], edges: np.ndarray) -> dict[int, float]:
    """What lies outside put into the outermost bins."""
    result: dict[int, float] = {}
    for (key,), value in h.items():
        inside = min(max(key, 0), len(edges) - 2)
        result[inside] = result.get(inside, 0.0) + value
    return result


def normalised(h: dict[tuple, float]) -> dict[tuple, float]:
    return {key: value / sum(h.values()) for key, value in h.items()}


def distance(a: Events, b: Events, columns: list[int], edges: list[np.ndarray]) -> float:
    p, q = (normalised(histogram(e, columns, edges)) for e in (a, b))
    return sum(abs(p.get(key, 0) - q.get(key, 0)) for key in p | q)


@pytest.mark.parametrize("weighted", [False, True])
def test_values_are_those_of_double_loops(weighted: bool) -> None:
    a, b = events(1, 300, weighted), events(2, 400, weighted, shift=0.3)
    d = [distance(a, b, [c], EDGES) for c in (0, 1)]
    assert math.isclose(
        marginal_d(a, b, edges=EDGES)["D"], (d[0] / 4 + d[1] / 2) / 2, rel_tol=1e-12
    )
    found = marginal_tv(a, b, edges=EDGES)
    assert list(found) == ["tv(pt)", "tv(mass)", "marginal tv"]
    assert np.allclose(list(found.values()), [d[0] / 2, d[1] / 2, (d[0] + d[1]) / 4], rtol=1e-12)
    assert math.isclose(
        tv(a, b, edges=EDGES)["joint tv"], distance(a, b, [0, 1], EDGES) / 2, rel_tol=1e-12
    )
    p, q = (normalised(histogram(e, [0, 1], EDGES)) for e in (a, b))
    expected = 0.0
    for key in p | q:
        x, y = p.get(key, 0.0), q.get(key, 0.0)
        expected += sum(0.5 * u * math.log(2 * u / (x + y)) for u in (x, y) if u > 0)
    assert math.isclose(js(a, b, edges=EDGES)["joint js"], expected, rel_tol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_chi2_is_that_of_a_double_loop(weighted: bool) -> None:
    a, b = events(1, 300, weighted), events(2, 400, weighted, shift=0.3)
    for column, name in enumerate(a.columns):
        r, r2 = (clipped(histogram(a, [column], EDGES, power), EDGES[column]) for power in (1, 2))
        g, g2 = (clipped(histogram(b, [column], EDGES, power), EDGES[column]) for power in (1, 2))
        w_r, w_g, total = sum(r.values()), sum(g.values()), 0.0
        for key in r | g:
            variance = w_r**2 * g2.get(key, 0) + w_g**2 * r2.get(key, 0)
            total += (w_r * g.get(key, 0) - w_g * r.get(key, 0)) ** 2 / variance
        found = chi2(a, b, edges=EDGES)[f"chi2/ndf({name})"]
        assert math.isclose(found, total / (len(r | g) - 1), rel_tol=1e-12)


def test_chi2_of_equal_samples_is_the_contingency_tables() -> None:
    from scipy.stats import chi2_contingency

    a, b = events(3, 500, False), events(4, 500, False, shift=0.1)
    for column, name in enumerate(a.columns):
        table = [
            [clipped(histogram(e, [column], EDGES), EDGES[column]).get(i, 0) for i in range(4)]
            for e in (a, b)
        ]
        table = np.array(table)[:, np.sum(table, axis=0) > 0]
        result = chi2_contingency(table, correction=False)
        assert math.isclose(
            chi2(a, b, edges=EDGES)[f"chi2/ndf({name})"],
            result.statistic / result.dof,
            rel_tol=1e-12,
        )


def test_chi2_is_one_on_average_also_with_weights() -> None:
    values = []
    for seed in range(200):
        a, b = events(2 * seed, 2000), events(2 * seed + 1, 3000, weighted=seed % 2 == 0)
        values.append(chi2(a, b, bins=8)["chi2/ndf(pt)"])
    assert abs(np.mean(values) - 1) < 4 * np.std(values) / math.sqrt(len(values))
    assert np.std(values) > 0.2


def test_whole_weights_count_as_repeated_events() -> None:
    rng = np.random.default_rng(5)
    a, times = events(1, 200, weighted=False), rng.integers(1, 4, 200)
    repeated = a.take(np.repeat(np.arange(200), times))
    weighted = a.replace(weight=times.astype(float))
    b = events(2, 300)
    for metric in (marginal_d, marginal_tv, tv, js):
        first, second = metric(repeated, b, edges=EDGES), metric(weighted, b, edges=EDGES)
        assert np.allclose(list(first.values()), list(second.values()), rtol=1e-12)


def test_without_edges_the_bins_are_equal_and_span_the_reference() -> None:
    a, b = events(1), events(2, shift=0.5)
    for metric in METRICS:
        edges = [np.linspace(c.min(), c.max(), 8) for c in a.x.T]
        expected = metric(a, b, edges=edges)
        assert metric(a, b, bins=7) == expected


def test_equal_samples_are_at_zero_and_disjoint_ones_at_the_far_end() -> None:
    a = events(1)
    for metric in METRICS:
        assert all(value == 0 for value in metric(a, a).values()), metric
    far = a.replace(x=a.x + 1000)
    assert marginal_tv(a, far)["marginal tv"] == 1.0 and tv(a, far)["joint tv"] == 1.0
    assert math.isclose(js(a, far)["joint js"], math.log(2), rel_tol=1e-12)
    assert math.isclose(marginal_d(a, far, bins=16)["D"], 2 / 16, rel_tol=1e-12)


def test_what_lies_outside_counts() -> None:
    edges = [np.array([0.0, 1.0, 2.0])]
    a, b = (
        Events(np.array([[0.5], [1.5], [2.0], [0.0]])),
        Events(np.array([[0.5], [1.5], [-7.0], [9.0]])),
    )
    assert tv(a, b, edges=edges)["joint tv"] == 0.5
    assert marginal_d(a, b, edges=edges)["D"] == (0.25 + 0.25 + 0.25 + 0.25) / 2
    low, high = (Events(np.array([[0.5], [x]])) for x in (-1.0, 3.0))
    assert marginal_tv(low, high, edges=edges)["marginal tv"] == 0.5


def test_a_constant_column_is_no_trouble() -> None:
    a, b = Events(np.full((20, 1), 3.0)), Events(np.full((30, 1), 3.0))
    for metric in METRICS:
        assert all(value == 0 for value in metric(a, b).values())
    moved = Events(np.full((30, 1), 5.0))
    assert tv(a, moved)["joint tv"] == 1.0


def test_negative_weights_leave_the_js_finite() -> None:
    a = events(1)
    b = events(2).replace(weight=np.where(np.arange(300) % 7 == 0, -1.0, 1.0))
    assert 0 <= js(a, b, bins=50)["joint js"] <= math.log(2)
    assert np.isfinite(tv(a, b, bins=50)["joint tv"])


def test_many_columns_use_the_occupied_cells_only() -> None:
    rng = np.random.default_rng(3)
    a, b = (Events(rng.normal(size=(200, 12))) for _ in range(2))
    edges = [np.array([-99.0, 1.0, 99.0])] * 12
    counts: list[dict[tuple, int]] = [{}, {}]
    for count, e in zip(counts, (a, b), strict=True):
        for row in (e.x >= 1.0).tolist():
            count[tuple(row)] = count.get(tuple(row), 0) + 1
    expected = (
        sum(abs(counts[0].get(c, 0) - counts[1].get(c, 0)) for c in counts[0] | counts[1]) / 400
    )
    assert 0.2 < expected < 0.9
    assert math.isclose(tv(a, b, edges=edges)["joint tv"], expected, rel_tol=1e-12)


def test_integers_are_events_too() -> None:
    a, b = (
        Events(np.array([[0, 1], [1, 1]], dtype=np.int8)),
        Events(np.array([[0, 0], [1, 1]], dtype=np.int8)),
    )
    assert tv(a, b, bins=2)["joint tv"] == 0.5


def test_what_cannot_be_compared_is_refused() -> None:
    a = events(1)
    with pytest.raises(DataError, match="columns pt, mass, the events compared with it pt, eta"):
        tv(a, a.replace(columns=("pt", "eta")))
    with pytest.raises(DataError, match="no generated events"):
        tv(a, a.replace(x=a.x[:0], weight=None))
    with pytest.raises(DataError, match="no reference events"):
        tv(a.replace(x=a.x[:0], weight=None), a)
    with pytest.raises(BadOption, match="edges are given for 1 columns, the events have 2"):
        tv(a, a, edges=EDGES[:1])
    with pytest.raises(
        BadOption, match="the edges of 'mass' must be at least two increasing numbers"
    ):
        tv(a, a, edges=[EDGES[0], np.array([1.0, 1.0])])
    with pytest.raises(BadOption, match="bins must be at least 1"):
        js(a, a, bins=0)
    wide = Events(np.zeros((3, 20)))
    with pytest.raises(BadOption, match="use fewer bins or columns"):
        js(wide, wide, bins=16)
