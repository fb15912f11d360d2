"""Bins that follow from the reference: models cannot choose what they are judged by."""

from __future__ import annotations

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.events import Events
from qgen_core.metrics.joint import js, tv
from qgen_core.metrics.marginals import marginal_tv
from qgen_core.metrics.reference_edges import equal_count, num_bins, reference_edges
from qgen_core.metrics.score import Score, score
from qgen_core.metrics.wasserstein import wasserstein


def falling(n: int, seed: int) -> Events:
    """Two correlated falling columns."""
    rng = np.random.default_rng(seed)
    shared = rng.exponential(1.0, n)
    x = np.column_stack([shared + rng.exponential(1.0, n), shared + rng.exponential(0.5, n)])
    return Events(x, columns=("a", "b"))


def heavy(n: int, seed: int) -> Events:
    """One column with a median of 18.5 and a heavy tail."""
    return Events(18.5 * np.exp(1.2 * np.random.default_rng(seed).normal(size=(n, 1))))


def through(encoder: qgen.Encoder, events: Events) -> Events:
    """What a perfect model of the encoded events generates."""
    rng = np.random.default_rng(7)
    return events.replace(x=encoder.decode(encoder.encode(events.x, rng=rng), rng=rng))


def spreads_above_floor(found: Score) -> float:
    return (found.value - found.floor) / found.floor_spread


def scores(metric, reference: Events, generated: Events, edges=None) -> list[Score]:
    rng = np.random.default_rng(3)
    return score(metric, reference, generated, edges=edges, rng=rng, resamples=30)


def test_one_bit_a_column_looks_perfect_in_its_own_bins_only() -> None:
    everything = falling(22_000, 1)
    encoder = qgen.encoder("binning", bits=1).fit(everything.x)
    reference = everything.take(np.arange(2000))
    generated = through(encoder, everything.take(np.arange(2000, 22_000)))
    (own,) = scores(tv, reference, generated, encoder.edges)
    assert abs(spreads_above_floor(own)) < 4
    (found,) = scores(tv, reference, generated)
    assert spreads_above_floor(found) > 30
    assert min(spreads_above_floor(one) for one in scores(wasserstein, reference, generated)) > 10


def test_three_equal_widths_on_a_heavy_tail_do_not_pass() -> None:
    everything = heavy(22_000, 1)
    encoder = qgen.encoder("binning", bits=3).fit(everything.x)
    reference = everything.take(np.arange(2000))
    generated = through(encoder, everything.take(np.arange(2000, 22_000)))
    assert abs(np.median(reference.x) - 18.5) < 1.5
    assert np.median(generated.x) > 80
    own = scores(marginal_tv, reference, generated, encoder.edges)[-1]
    assert abs(spreads_above_floor(own)) < 4
    assert spreads_above_floor(scores(marginal_tv, reference, generated)[-1]) > 30
    assert spreads_above_floor(scores(wasserstein, reference, generated)[-1]) > 10


@pytest.mark.parametrize("metric", [marginal_tv, tv, js])
def test_an_exact_model_is_at_its_floor(metric) -> None:
    apart = []
    for seed in range(12):
        found = scores(metric, falling(1000, seed), falling(4000, 100 + seed))[-1]
        apart.append(spreads_above_floor(found))
    assert abs(np.mean(apart)) < 1.0
    assert np.max(np.abs(apart)) < 4.5


def test_bins_hold_equal_numbers_of_events_by_the_rule() -> None:
    reference = falling(2000, 5)
    edges = reference_edges(reference)
    assert [len(one) - 1 for one in edges] == [42, 42]
    assert [len(one) - 1 for one in edges.joint] == [6, 6]
    for one, column in zip(edges, reference.x.T, strict=True):
        counts, _ = np.histogram(column, one)
        assert counts.sum() == 2000 and np.ptp(counts) <= 1
    weighted = reference.replace(weight=np.where(np.arange(2000) % 4 == 0, 1.0, 1e-9))
    assert len(reference_edges(weighted)[0]) - 1 == num_bins(500)


def test_the_rule_is_half_of_mann_and_walds_minimum() -> None:
    n, c = 20_000, 1.645
    bins = np.arange(2, 2000)
    least = bins[np.argmin(1 / bins + np.sqrt(c * np.sqrt(2 * bins) / (4 * n)))]
    assert abs(num_bins(n) / (least / 2) - 1) < 0.1


@pytest.mark.parametrize("share", [0.03, 0.5, 0.97])
def test_values_that_differ_are_told_apart(share: float) -> None:
    rng = np.random.default_rng(1)
    bits = (rng.random(1000) < share).astype(float)
    for bins in (2, 40):
        edges = equal_count(bits, bins)
        assert edges.tolist() == [-1.0, 1.0, 2.0]
    reference = Events(bits[:, None])
    assert tv(reference, reference.replace(x=1 - reference.x))["joint tv"] > abs(1 - 2 * share) / 2


def test_events_far_outside_the_reference_count() -> None:
    reference = falling(500, 1)
    far = reference.replace(x=reference.x + 1000)
    assert tv(reference, far)["joint tv"] == marginal_tv(reference, far)["marginal tv"] == 1.0
    constant = Events(np.full((20, 1), 3.0))
    assert tv(constant, constant.replace(x=constant.x + 2))["joint tv"] == 1.0
