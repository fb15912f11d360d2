"""Uncertainties and floors against what repeated samples and formulas say."""

from __future__ import annotations

import math
from collections import Counter
from functools import partial
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, BrokenPlugin, DataError
from qgen_core.events import Events
from qgen_core.metrics import binning, kernels, resample
from qgen_core.metrics.binning import joint
from qgen_core.metrics.chi2 import chi2
from qgen_core.metrics.correlation import correlation, correlation_loss
from qgen_core.metrics.energy_sum import energy_sum
from qgen_core.metrics.joint import js, tv
from qgen_core.metrics.marginals import marginal_d, marginal_tv
from qgen_core.metrics.mmd import mmd
from qgen_core.metrics.resample import Resample, Source, drawn_together
from qgen_core.metrics.score import Score, score, scores
from qgen_core.metrics.wasserstein import wasserstein

SUMS = (
    marginal_d,
    marginal_tv,
    tv,
    js,
    correlation,
    correlation_loss,
    chi2,
    wasserstein,
    energy_sum,
)
ALL = (*SUMS, partial(mmd, events=200))
FIXED = np.linspace(-3, 3, 9)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def flat(bins: int, n: int, seed: int) -> Events:
    """Events over equally likely bins 0, 1, ... of unit width."""
    return Events(rng(seed).integers(bins, size=(n, 1)) + 0.5)


def edges(bins: int) -> list[np.ndarray]:
    return [np.arange(bins + 1.0)]


def normal(n: int, seed: int, rho: float = 0.5, weighted: bool = False) -> Events:
    x = rng(seed).normal(size=(n, 2))
    x[:, 1] = rho * x[:, 0] + math.sqrt(1 - rho**2) * x[:, 1]
    return Events(x, weight=rng(seed + 1).uniform(0.1, 2.0, n) if weighted else None)


@pytest.mark.parametrize(("first", "second"), [(200_000, 8192), (20_000, 20_000)])
def test_the_js_floor_is_k_minus_1_over_8n(first: int, second: int) -> None:
    """docs/readings.md: (K - 1) / (8 N) = 0.0039 for K = 256, N = 8192 against an exact target."""
    found = score(js, flat(256, first, 1), flat(256, second, 2), edges=edges(256), rng=rng())[0]
    expected = 255 / 8 * (1 / first + 1 / second)
    assert abs(found.floor - expected) < 0.03 * expected + 4 * found.floor_spread / math.sqrt(50)
    assert abs(found.value - found.floor) < 4 * found.floor_spread
    assert 0.3 * expected > found.floor_spread > 0.02 * expected


def test_the_js_floor_of_8192_shots_against_an_exact_target() -> None:
    found = score(
        js, flat(256, 1_000_000, 1), flat(256, 8192, 2), edges=edges(256), rng=rng(), resamples=20
    )[0]
    assert abs(found.floor - 0.0039) < 0.0002


@pytest.mark.parametrize(("bins", "n"), [(64, 20_000), (256, 50_000)])
def test_the_tv_floor_is_root_k_over_pi_n(bins: int, n: int) -> None:
    """docs/readings.md: two samples of n events over K flat bins are sqrt(K / (pi n)) apart."""
    for metric in (marginal_tv, tv):
        found = score(metric, flat(bins, n, 1), flat(bins, n, 2), edges=edges(bins), rng=rng())[-1]
        expected = math.sqrt(bins / (math.pi * n))
        assert abs(found.floor - expected) < 0.02 * expected + 4 * found.floor_spread / math.sqrt(
            50
        )
        assert abs(found.value - found.floor) < 4 * found.floor_spread


def test_the_chi2_floor_is_one() -> None:
    found = score(chi2, flat(64, 20_000, 1), flat(64, 5000, 2), edges=edges(64), rng=rng())[0]
    assert abs(found.floor - 1) < 4 * found.floor_spread / math.sqrt(50)
    assert abs(found.floor_spread / math.sqrt(2 / 63) - 1) < 0.4


def test_the_uncertainty_is_the_spread_of_repeated_samples() -> None:
    n, rho = 4000, 0.5
    found = score(correlation, normal(n, 1), normal(n, 3), rng=rng(), resamples=300)[0]
    expected = (1 - rho**2) / math.sqrt(n)
    assert abs(found.uncertainty / expected - 1) < 0.2
    assert abs(found.value - rho) < 4 * expected
    assert abs(found.floor - rho) < 5 * expected and abs(found.floor_spread / expected - 1) < 0.2
    far = [tv(normal(n, 2 * s), shifted(normal(n, 2 * s + 1)))["joint tv"] for s in range(10, 70)]
    found = score(tv, normal(n, 5), shifted(normal(n, 6)), rng=rng(), resamples=200)[0]
    assert abs(found.uncertainty / np.std(far) - 1) < 0.35


def _repeated(
    metric, shift: float, repeats: int, seed: int, samples: int = 1500, **options
) -> dict[str, float]:
    """Mean uncertainty of each number over its standard deviation, for samples of 500 and 800.

    The deviation is that between ``samples`` of them, the uncertainty that of ``repeats`` others.
    """

    def pair(number: int) -> tuple[Events, Events]:
        first = normal(500, 2 * number + 100_000 * seed)
        second = normal(800, 2 * number + 1 + 100_000 * seed)
        return first, second.replace(x=second.x + np.array([shift, 0.5 * shift]))

    truth: dict[str, list[float]] = {}
    for number in range(samples):
        for name, value in metric(*pair(number), **options).items():
            truth.setdefault(name, []).append(getattr(value, "value", value))
    uncertainties: dict[str, list[float]] = {}
    for number in range(samples, samples + repeats):
        for found in score(metric, *pair(number), rng=rng(number), **options):
            uncertainties.setdefault(found.name, []).append(found.uncertainty)
    return {name: np.mean(uncertainties[name]) / np.std(truth[name]) for name in truth}


@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_uncertainties_are_right_at_the_floor_and_far_from_it(shift: float) -> None:
    found = _repeated(marginal_tv, shift, repeats=40, seed=1, edges=[FIXED, FIXED])
    assert all(abs(ratio - 1) < 0.15 for ratio in found.values()), found


@pytest.mark.long
@pytest.mark.parametrize("shift", [0.0, 0.8])
@pytest.mark.parametrize("metric", range(10))
def test_uncertainties_of_all_metrics_are_right_near_and_far(metric: int, shift: float) -> None:
    """The plain bootstrap is 20 to 70 percent too wide at the floor.

    That of the correlation loss, a square of one normal number, stays 11 percent too wide; fewer
    samples than these would not tell this from 15 percent.
    """
    chosen = ALL[metric]
    options = {}
    if chosen in (marginal_d, marginal_tv, tv, js, chi2):
        options = {"edges": [FIXED, FIXED]}
    found = _repeated(chosen, shift, repeats=600, seed=2, samples=10_000, **options)
    assert all(abs(ratio - 1) < 0.15 for ratio in found.values()), found


def shifted(events: Events) -> Events:
    return events.replace(x=events.x + 0.5)


@pytest.mark.parametrize("metric", ALL)
def test_one_distribution_is_at_the_floor_and_another_above_it(metric) -> None:
    reference, same, other = normal(3000, 1), normal(2000, 3), shifted(normal(2000, 5, rho=-0.2))
    for found in score(metric, reference, same, rng=rng()):
        assert isinstance(found, Score) and found.uncertainty > 0 and found.floor_spread > 0
        assert abs(found.value - found.floor) < 4.5 * found.floor_spread, found
    apart = [
        abs(s.value - s.floor) / s.floor_spread for s in score(metric, reference, other, rng=rng())
    ]
    assert max(apart) > 8


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("metric", SUMS)
def test_a_resample_counts_as_the_events_it_holds(metric, weighted: bool) -> None:
    a, b = normal(400, 1, weighted=weighted), shifted(normal(300, 3, weighted=weighted))
    picked = [rng(7).integers(400, size=500), rng(8).integers(300, size=250)]
    options = (
        {}
        if metric in (correlation, correlation_loss, wasserstein, energy_sum)
        else {"edges": [FIXED, FIXED]}
    )
    if metric is wasserstein:
        metric = partial(wasserstein, unit="column")
    resamples = [Resample(Source(e), d) for e, d in zip((a, b), picked, strict=True)]
    plain = [e.take(d) for e, d in zip((a, b), picked, strict=True)]
    first, second = metric(*resamples, **options), metric(*plain, **options)
    assert first.keys() == second.keys()
    if metric is energy_sum:  # its bins and its unit are those of the source
        sums = [e.x.sum(axis=1) for e in (a, *plain)]
        unit = math.sqrt(np.cov(sums[0], ddof=0, aweights=a.weight))
        means = [np.average(s, weights=e.weight) for s, e in zip(sums[1:], plain, strict=True)]
        assert math.isclose(first["energy-sum bias"], (means[1] - means[0]) / unit, rel_tol=1e-9)
        return
    assert np.allclose(list(first.values()), list(second.values()), rtol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("most_kept", [2**20, 40])
@pytest.mark.parametrize("metric", [marginal_d, marginal_tv, wasserstein, energy_sum])
def test_a_batch_gives_each_resample_its_own_numbers(
    metric, most_kept: int, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resample, "MOST_KEPT", most_kept)
    first = Source(normal(60, 1, weighted=weighted))
    second = Source(shifted(normal(50, 3, weighted=weighted)))
    draws = [(rng(n).integers(60, size=70), rng(n + 9).integers(50, size=40)) for n in range(4)]
    for other, most in ((second, 50), (first, 60)):
        pairs = [(Resample(first, a), Resample(other, b % most)) for a, b in draws]
        alone = [metric(*pair) for pair in pairs]
        drawn_together([pair[0] for pair in pairs])
        drawn_together([pair[1] for pair in pairs])
        together = [metric(*pair) for pair in pairs]
        for one, expected in zip(together, alone, strict=True):
            assert one.keys() == expected.keys()
            np.testing.assert_allclose(list(one.values()), list(expected.values()), rtol=1e-12)
        assert len({next(iter(one.values())) for one in together}) == 4
        mixed = metric(pairs[0][0], pairs[1][1])  # not drawn as a pair
        fresh = metric(Resample(first, draws[0][0]), Resample(other, draws[1][1] % most))
        np.testing.assert_allclose(list(mixed.values()), list(fresh.values()), rtol=1e-12)


def test_events_are_binned_sorted_and_counted_once_for_all_resamples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The work of an evaluation does not grow with the number of resamples, but for the sums."""
    calls: Counter[str] = Counter()

    def count(module, name: str) -> None:
        real = getattr(module, name)

        def counted(*args, **options):
            calls[name] += 1
            return real(*args, **options)

        monkeypatch.setattr(module, name, counted)

    count(binning, "falling_column")
    count(kernels, "add_to_bins")
    count(kernels, "areas")
    count(np, "argsort")
    columns = 3
    reference, generated = (Events(rng(seed).normal(size=(80, columns))) for seed in (1, 2))
    asked = [marginal_d, marginal_tv, wasserstein]
    found = scores(asked, reference, generated, rng=rng(), resamples=30)
    assert len(found) == 3 and all(one.floor_spread > 0 for rows in found for one in rows)
    assert calls["falling_column"] == 2 * columns
    assert calls["add_to_bins"] == 2 * 2 + 4  # values of two metrics, two batches of each kind
    assert calls["areas"] == 3 * columns  # the value, the bootstrap, the floor
    assert calls["argsort"] == 2 * columns + 2 * columns  # each sample, and merges of both


def test_a_resample_is_events_to_everyone() -> None:
    source = normal(100, 1, weighted=True).replace(
        condition=np.arange(100.0)[:, None], columns=("pt", "m")
    )
    drawn = rng(2).integers(100, size=130)
    found, expected = Resample(Source(source), drawn), source.take(drawn)
    assert len(found) == 130 and found.columns == ("pt", "m")
    for name in ("x", "condition", "weight", "weights"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    assert np.array_equal(found.take(np.arange(5)).x, expected.x[:5])
    assert Resample(Source(source), drawn, weighted=False).weight is None


def test_any_function_is_a_metric() -> None:
    def median(reference: Events, generated: Events, *, edges=None) -> dict[str, float]:
        assert len(generated.x) == len(generated.weights) == len(generated)
        return {"median": float(np.median(generated.x[:, 0]))}

    found = score(median, normal(4000, 1), normal(4000, 3), rng=rng(), resamples=200)[0]
    expected = math.sqrt(math.pi / 2 / 4000)
    assert (
        abs(found.uncertainty / expected - 1) < 0.25
        and abs(found.floor_spread / expected - 1) < 0.25
    )


def test_the_mmd_null_is_zero_also_for_small_samples() -> None:
    """Sets of 50 images: on resamples with repetitions the ordinary U-statistic is biased."""
    reference = normal(50, 1)
    found = score(mmd, reference, normal(50, 3), rng=rng(), resamples=400)[0]
    assert abs(found.floor) < 4 * found.floor_spread / math.sqrt(400)
    truth = [
        mmd(normal(50, 2 * s), normal(50, 2 * s + 1), bandwidth=1.7)["mmd2"].value
        for s in range(10, 310)
    ]
    assert abs(found.floor_spread / np.std(truth) - 1) < 0.35


def test_a_weighted_reference_has_the_floor_of_what_it_weighs() -> None:
    n, bins = 40_000, 32
    weight = np.where(np.arange(n) % 2, 1.8, 0.2)
    reference = flat(bins, n, 1).replace(weight=weight)
    generated = flat(bins, 10_000, 2)
    found = score(tv, reference, generated, edges=edges(bins), rng=rng(), resamples=100)[0]
    worth = weight.sum() ** 2 / (weight @ weight)
    expected = math.sqrt(bins / (2 * math.pi)) * math.sqrt(1 / worth + 1 / 10_000)
    assert abs(found.floor - expected) < 0.03 * expected + 4 * found.floor_spread / 10
    swapped = score(tv, generated, reference, edges=edges(bins), rng=rng(), resamples=100)[0]
    assert abs(swapped.floor - expected) < 0.03 * expected + 4 * swapped.floor_spread / 10


def test_the_null_is_drawn_by_weight() -> None:
    x = np.repeat([0.5, 1.5], 500)[:, None]
    reference = Events(x, weight=np.where(x[:, 0] < 1, 3.0, 1.0))

    def share(first: Events, second: Events, *, edges=None) -> dict[str, float]:
        return {"low": float(np.average(second.x[:, 0] < 1, weights=second.weight))}

    found = score(share, reference, Events(x), rng=rng(), resamples=200)[0]
    assert abs(found.floor - 0.75) < 0.01


def test_negative_weights_are_handed_on() -> None:
    reference = normal(2000, 1).replace(weight=np.where(np.arange(2000) % 10 == 0, -0.5, 1.0))
    for metric in (tv, js, correlation):
        for found in score(metric, reference, normal(2000, 3), rng=rng(), resamples=20):
            assert np.isfinite(
                [found.value, found.uncertainty, found.floor, found.floor_spread]
            ).all()


def with_subtractions(bins: int, n: int, seed: int, share: float) -> Events:
    """Flat events of which a share has the weight -1, as at next-to-leading order."""
    weight = np.where(rng(seed + 1).random(n) < share, -1.0, 1.0)
    return flat(bins, n, seed).replace(weight=weight)


def test_the_floor_with_negative_weights_is_that_of_repeated_samples() -> None:
    values, floors = [], []
    for seed in range(0, 160, 4):
        reference = with_subtractions(16, 8000, seed, share=0.25)
        generated = flat(16, 20_000, seed + 2)
        (found,) = score(tv, reference, generated, edges=edges(16), rng=rng(seed), resamples=20)
        values.append(found.value)
        floors.append(found.floor)
    error = np.std(values) / math.sqrt(len(values))
    assert abs(np.mean(floors) - np.mean(values)) < 4 * error + 0.03 * np.mean(values)


def test_weights_that_cancel_have_no_floor() -> None:
    weight = np.tile([1.0, -1.0], 500)
    weight[0] = 1.1
    reference = flat(4, 1000, 1).replace(weight=weight)
    with pytest.raises(DataError, match="the weights of the 1000 reference events cancel"):
        score(tv, reference, flat(4, 1000, 2), edges=edges(4), rng=rng(), resamples=2)


def test_the_same_rng_gives_the_same_and_nothing_global_is_touched() -> None:
    np.random.seed(5)
    before = np.random.get_state()[1].tolist()
    first, second, third = (
        score(js, normal(500, 1), normal(500, 3), rng=rng(s), resamples=5) for s in (1, 1, 2)
    )
    assert first == second != third
    assert np.random.get_state()[1].tolist() == before


def test_one_event_and_none() -> None:
    one = Events(np.array([[1.0, 2.0]]))
    for metric in ALL:
        for found in score(metric, one, one, rng=rng(), resamples=3):
            assert np.isfinite(found.value) and np.isfinite(found.floor)
    with pytest.raises(DataError, match="no generated events"):
        score(tv, one, Events(np.empty((0, 2))), rng=rng())
    with pytest.raises(BadOption, match="resamples must be at least 2"):
        score(tv, one, one, rng=rng(), resamples=1)


def test_a_metric_is_given_what_it_asks_for_by_name() -> None:
    reference = Events(np.arange(8.0)[:, None])
    generated = Events(np.arange(6.0)[:, None])
    encoder = qgen.encoder("min-max").fit(reference.x)
    model = qgen.Model(generator=None, encoder=encoder)
    seen = []

    def metric(reference, generated, rng, model, encoded):  # type: ignore[no-untyped-def]
        seen.append((len(reference), len(generated)))
        for events, z in zip((reference, generated), encoded, strict=True):
            np.testing.assert_array_equal(z, model.encoder.encode(events.x))
        assert isinstance(rng, np.random.Generator)
        return {"number": float(encoded[1].mean())}

    (found,) = score(
        metric, reference, generated, rng=np.random.default_rng(1), model=model, resamples=3
    )
    assert found.value == pytest.approx(2.5 / 7)
    assert seen == [(8, 6)] * 4 + [(8, 6)] * 3  # once, bootstrap, floor
    with pytest.raises(BadOption, match="asks for the model; it can be used on a run only"):
        score(metric, reference, generated, rng=np.random.default_rng(1))


def test_a_class_without_edges_works_as_a_function_does() -> None:
    class Difference:
        def __call__(self, reference: Events, generated: Events) -> dict[str, float]:
            return {"difference": float(generated.x.mean() - reference.x.mean())}

    a = Events(np.arange(100.0)[:, None])
    edges = [np.array([0.0, 1.0])]
    (found,) = score(Difference(), a, a, rng=np.random.default_rng(1), edges=edges, resamples=4)
    assert found.value == 0.0
    assert found.uncertainty > 0


def test_a_metric_that_knows_its_uncertainty_is_called_once() -> None:
    calls = []

    def classifier(reference: Events, generated: Events) -> dict[str, Any]:
        calls.append(1)
        return {"auc": qgen.Estimate(0.6, 0.02, floor=0.5, floor_spread=0.01, note="two layers")}

    a = Events(np.arange(10.0)[:, None])
    (found,) = score(classifier, a, a, rng=np.random.default_rng(1))
    assert len(calls) == 1
    assert found == Score("auc", 0.6, 0.02, 0.5, 0.01, "two layers")
    with pytest.raises(BrokenPlugin, match="lacks floor and floor_spread"):
        qgen.Estimate(0.6, uncertainty=0.02)


def test_plain_numbers_and_own_uncertainties_may_be_mixed() -> None:
    def metric(reference: Events, generated: Events) -> dict[str, Any]:
        return {
            "own": qgen.Estimate(0.6, 0.02, 0.5, 0.01),
            "mean": qgen.Estimate(float(generated.x.mean()), note="no unit"),
        }

    a = Events(np.arange(100.0)[:, None])
    own, mean = score(metric, a, a, rng=np.random.default_rng(1), resamples=200)
    assert own.uncertainty == 0.02
    assert mean.note == "no unit"
    assert mean.uncertainty == pytest.approx(np.sqrt(np.var(a.x) / 100), rel=0.2)


def test_mmd_says_which_kernel_it_used() -> None:
    """The median distance of the reference is the bandwidth, of resamples too."""
    reference = normal(80, 1)
    given = partial(mmd, standardise=False)
    (found,) = score(given, reference, normal(60, 2), rng=np.random.default_rng(0), resamples=4)
    x = reference.x.astype(np.float64)
    distances = np.sqrt(((x[:, None] - x) ** 2).sum(axis=2))[np.triu_indices(len(x), k=1)]
    kernel = f"Gaussian kernel of bandwidth {np.median(distances):.4g}"
    assert found.note == f"unbiased estimate, {kernel}"
    assert found.uncertainty > 0


@pytest.mark.parametrize("times", [3, 70_000])
def test_weights_of_unweighted_samples_are_whole_numbers(times: int) -> None:
    source = Source(Events(np.array([[0.0], [1.0]])))
    often = Resample(source, np.append(np.zeros(times, dtype=np.int64), 1))
    batch = drawn_together([often, Resample(source, np.array([1]))])
    assert batch.weights.tolist() == [[times, 0], [1, 1]]
    assert (batch.weights.dtype == np.uint16) == (times < 2**16)
    p = joint(often, often, [np.array([0.0, 0.5, 1.0])], None)[0]
    assert p.tolist() == pytest.approx([0.0, times / (times + 1), 1 / (times + 1), 0.0])
    distance = wasserstein(often, Resample(source, np.array([1])), unit="column")
    assert next(iter(distance.values())) == pytest.approx(times / (times + 1))
