"""Resamples that are drawn when they are asked for: their law, and that all readings agree."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from copy import copy
from weakref import WeakSet

import numpy as np
import pytest
from scipy.stats import chisquare

from qgen_core.events import Events
from qgen_core.metrics import resample, score
from qgen_core.metrics.joint import tv
from qgen_core.metrics.marginals import marginal_tv
from qgen_core.metrics.resample import Bootstrap, Resample, Source, drawn_together
from qgen_core.typing import Floats

#: Sizes of blocks: none that ends within the source, some, and one for each event.
BLOCKS = [2**16, 4, 1]
WEIGHTS = np.array([0.5, 0.0, 2.0, 1.0, 3.0, 0.5, 1.0, 0.0, 4.0, 0.0])


def source(events: int = 10) -> Source:
    return Source(Events(np.arange(float(events))[:, None]))


def cumulative(weights: Floats) -> Floats:
    sums = np.cumsum(weights)
    return sums / sums[-1]


def bootstrap(of: Source, size: int, seed: int, weights: Floats | None = None) -> Bootstrap:
    rising = None
    if weights is not None:
        rising = cumulative(weights)
    return Bootstrap(of, size, np.random.default_rng(seed), rising)


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_events_are_drawn_with_their_probabilities(
    block: int, weights: Floats | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resample, "BLOCK", block)
    counts = np.zeros(10)
    for seed in range(400):
        counts += bootstrap(source(), 50, seed, weights).multiplicity
    assert counts.sum() == 400 * 50
    probable = np.full(10, 0.1)
    if weights is not None:
        probable = weights / weights.sum()
    possible = probable > 0
    assert not counts[~possible].any()
    assert chisquare(counts[possible], 400 * 50 * probable[possible]).pvalue > 1e-3


@pytest.mark.parametrize("block", BLOCKS)
def test_counts_of_events_are_multinomial(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Covariances of the counts of two events, within a block and across blocks."""
    monkeypatch.setattr(resample, "BLOCK", block)
    drawn = np.array([bootstrap(source(6), 30, seed).multiplicity for seed in range(6000)])
    expected = 30 * (np.eye(6) / 6 - 1 / 36)
    error = 30 / 6 / np.sqrt(6000 / 2)  # of a variance; that of a covariance is smaller
    assert np.abs(np.cov(drawn.T) - expected).max() < 5 * error


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_all_readings_are_of_the_same_events(
    block: int, weights: Floats | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resample, "BLOCK", block)
    of = source()
    samples = [bootstrap(of, 25, seed, weights) for seed in range(3)]
    batch = drawn_together([*samples, Resample(of, np.array([3, 3, 1]))])
    assert batch.weights.dtype == np.uint16
    for number, sample in enumerate(samples):
        again = copy(sample)  # nothing of it is drawn yet
        assert np.array_equal(again.drawn, sample.drawn)
        assert len(sample) == len(sample.drawn) == 25
        expected = np.bincount(sample.drawn, minlength=10)
        assert np.array_equal(sample.multiplicity, expected)
        assert np.array_equal(batch.weights[:, number], expected)
        assert np.array_equal(sample.x, of.x[sample.drawn])
    assert np.array_equal(batch.weights[:, 3], [0, 1, 0, 2, 0, 0, 0, 0, 0, 0])
    different = {sample.drawn.tobytes() for sample in samples}
    assert len(different) == 3


def test_drawn_events_are_in_random_order() -> None:
    """A metric may split a resample into halves: the first one holds all events alike."""
    first = np.zeros(10)
    for seed in range(200):
        first += np.bincount(bootstrap(source(), 50, seed).drawn[:25], minlength=10)
    assert chisquare(first).pvalue > 1e-3


def test_weights_stay_unless_events_are_drawn_by_them() -> None:
    weighted = Source(Events(np.arange(10.0)[:, None], weight=WEIGHTS))
    uniform = bootstrap(weighted, 25, 1)
    assert np.array_equal(uniform.weights, WEIGHTS[uniform.drawn])
    assert bootstrap(weighted, 25, 1, WEIGHTS).weight is None


@pytest.mark.parametrize("weights", [None, np.array([1.0, 1e6])])
def test_an_event_may_be_drawn_more_often_than_two_bytes_count(weights: Floats | None) -> None:
    often = bootstrap(source(2), 200_000, 1, weights)
    batch = drawn_together([often])
    assert batch.weights.dtype == np.float64
    assert batch.weights.sum() == 200_000
    assert np.array_equal(batch.weights[:, 0], often.multiplicity)


def test_what_is_drawn_is_freed_with_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation with 10^7 events holds the counts of some resamples, never of all."""
    alive: WeakSet[resample.Batch] = WeakSet()
    begin = resample.Batch.__init__

    def watched(self: resample.Batch, samples: Sequence[Events]) -> None:
        begin(self, samples)
        alive.add(self)

    monkeypatch.setattr(resample.Batch, "__init__", watched)
    monkeypatch.setattr(score, "MOST_KEPT", 2**13)  # two pairs a batch
    held = []

    def mean(reference: Events, generated: Events) -> dict[str, float]:
        held.append(len(alive))
        return {"mean": float(generated.x.mean())}

    gc.disable()  # so that what refers to itself would stay
    try:
        metrics = [mean, tv, marginal_tv]
        score.scores(metrics, source(8000), source(5000), rng=np.random.default_rng(1))
    finally:
        gc.enable()
    assert len(held) == 1 + 2 * 50
    assert max(held) == 2  # of the first and of the second samples
    assert not alive
