"""MMD: against double loops and finite differences; kernels, bandwidths and estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qgen_core.errors import BadOption, DataError, OutputMismatch
from qgen_core.events import Batch, Events, Space, index_to_bits
from qgen_core.losses import kernels, pairs
from qgen_core.losses.kernels import TableKernel
from qgen_core.losses.mmd import MaximumMeanDiscrepancy

BITS = Space("bits", 5, (2, 3))
SIGMAS = (0.5, 3.0)
FORMS = {
    "exp(-d2/sigma)": lambda d2, s: np.exp(-d2 / s),
    "exp(-d2/(2sigma))": lambda d2, s: np.exp(-d2 / (2 * s)),
    "exp(-d2/(2sigma^2))": lambda d2, s: np.exp(-d2 / (2 * s**2)),
}


def tables(rows: int = 2, size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.dirichlet(np.ones(size), rows), rng.dirichlet(np.ones(size), rows)


def distance2(distance: str, registers: tuple[int, ...], i: int, j: int) -> float:
    if distance == "hamming":
        return bin(i ^ j).count("1")
    shape = tuple(2**b for b in registers)
    pairs = zip(np.unravel_index(i, shape), np.unravel_index(j, shape), strict=True)
    return float(sum((int(a) - int(b)) ** 2 for a, b in pairs))


def plain_tables(
    p: Any, target: Any, distance: str, registers: tuple[int, ...], form: str = "exp(-d2/sigma)"
) -> float:
    total = 0.0
    for row, goal in zip(p, target, strict=True):
        for i in range(len(row)):
            for j in range(len(row)):
                k = np.mean([FORMS[form](distance2(distance, registers, i, j), s) for s in SIGMAS])
                total += (row[i] - goal[i]) * (row[j] - goal[j]) * k
    return total / len(p)


def plain_samples(
    x: Any, y: Any, a: Any, b: Any, *, unbiased: bool, form: str = "exp(-d2/sigma)"
) -> float:
    """Weighted means over pairs, by a double loop."""

    def mean(left: Any, right: Any, u: Any, v: Any, skip: bool) -> float:
        total = weight = 0.0
        for i in range(len(left)):
            for j in range(len(right)):
                if skip and i == j:
                    continue
                d2 = float(np.sum((left[i] - right[j]) ** 2))
                total += u[i] * v[j] * np.mean([FORMS[form](d2, s) for s in SIGMAS])
                weight += u[i] * v[j]
        return total / weight

    return mean(x, x, a, a, unbiased) + mean(y, y, b, b, unbiased) - 2 * mean(x, y, a, b, False)


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("distance", ["registers", "hamming"])
def test_tables_against_a_double_loop(distance: Any, form: Any) -> None:
    p, target = tables()
    loss = MaximumMeanDiscrepancy(space=BITS, distance=distance, kernel=form, bandwidth=SIGMAS)
    value, _ = loss(p, Batch(target=target))
    assert value == pytest.approx(plain_tables(p, target, distance, (2, 3), form), rel=1e-11)


def test_bits_without_registers() -> None:
    p, target = tables()
    hamming = MaximumMeanDiscrepancy(space=Space("bits", 5), bandwidth=SIGMAS)
    number = MaximumMeanDiscrepancy(space=Space("bits", 5), bandwidth=SIGMAS, distance="registers")
    assert hamming(p, Batch(target=target))[0] == pytest.approx(
        plain_tables(p, target, "hamming", (5,)), rel=1e-11
    )
    assert number(p, Batch(target=target))[0] == pytest.approx(
        plain_tables(p, target, "registers", (5,)), rel=1e-11
    )


@pytest.mark.parametrize("distance", ["registers", "hamming"])
def test_the_cotangent_of_tables_is_the_derivative(distance: Any) -> None:
    p, target = tables()
    loss, batch = MaximumMeanDiscrepancy(space=BITS, distance=distance), Batch(target=target)
    _, cotangent = loss(p, batch)
    for place in np.ndindex(p.shape):
        up, down = p.copy(), p.copy()
        up[place] += 1e-4
        down[place] -= 1e-4
        # quadratic, so central differences are exact
        assert cotangent[place] == pytest.approx(
            (loss(up, batch)[0] - loss(down, batch)[0]) / 2e-4, abs=1e-11
        )


@pytest.mark.parametrize(
    ("registers", "distance"),
    [((3, 5, 1), "registers"), ((4, 5), "registers"), ((9,), "registers"), ((9,), "hamming")],
)
@pytest.mark.parametrize("way", ["fourier", "factors", "whole"])
@pytest.mark.parametrize("widest", [1.0, 400.0, 1e6])
def test_all_ways_to_apply_a_kernel_agree_with_the_full_matrix(
    registers: tuple[int, ...],
    distance: Any,
    widest: float,
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work = {"fourier": 0.0, "factors": np.inf}.get(way, 1.0)
    monkeypatch.setattr(kernels, "FOURIER_WORK", work)
    monkeypatch.setattr(kernels, "WHOLE_SIZE", 512 if way == "whole" else 1)
    scales = np.array([0.3, 0.7, widest])
    weights = np.array([1.0, -0.4, 0.2])
    t = np.random.default_rng(1).normal(size=(3, 512))
    i = np.arange(512)
    if distance == "hamming":
        d2 = ((index_to_bits(i, 9)[:, None] - index_to_bits(i, 9)) ** 2).sum(axis=-1)
    else:
        numbers = np.stack(np.unravel_index(i, [2**b for b in registers]), axis=-1)
        d2 = ((numbers[:, None] - numbers) ** 2).sum(axis=-1)
    full = sum(w * np.exp(-d2 / s) for w, s in zip(weights, scales, strict=True))
    found = TableKernel(registers, distance, scales, weights).apply(t)
    assert np.allclose(found, t @ full, rtol=0, atol=1e-12 * np.max(np.abs(t @ full)))


@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
@pytest.mark.parametrize("space", [Space("bits", 9, (4, 2, 3)), Space("bits", 9)])
def test_counted_samples_agree_with_pairs(
    estimator: Any, space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(9)
    x, y, w = rng.integers(0, 2, (300, 9)), rng.integers(0, 2, (200, 9)), rng.random(200)
    options: dict[str, Any] = {"space": space, "reads": "samples", "estimator": estimator}
    for batch in (Batch(y), Batch(y, weight=w)):
        found = []
        for at_once, pair_work in ((2**18, np.inf), (1, np.inf), (1, 0.0)):
            monkeypatch.setattr(pairs, "AT_ONCE", at_once)
            monkeypatch.setattr(pairs, "PAIR_WORK", pair_work)
            loss = MaximumMeanDiscrepancy(**options)
            found.append((*loss(x, batch), loss.value(x, batch)))
        # terms of the value are up to 1, those of the gradient up to 0.1
        of_pairs = found.pop()
        for value, gradient, alone in found:
            assert value == pytest.approx(of_pairs[0], abs=1e-12)
            assert alone == pytest.approx(of_pairs[0], abs=1e-12)
            assert np.allclose(gradient, of_pairs[1], rtol=0, atol=1e-13)
            assert np.max(np.abs(gradient)) > 1e-5


def test_samples_with_relaxed_bits_are_not_counted() -> None:
    rng = np.random.default_rng(9)
    x, y = rng.random((200, 3)), rng.integers(0, 2, (200, 3))
    euclidean = MaximumMeanDiscrepancy(reads="samples")(x, Batch(y))[0]
    relaxed = MaximumMeanDiscrepancy(space=Space("bits", 3), reads="samples")(x, Batch(y))[0]
    assert relaxed == pytest.approx(euclidean, rel=1e-12)


def test_tables_agree_with_the_samples_they_count() -> None:
    rng = np.random.default_rng(6)
    i, j = rng.integers(0, 32, 300), rng.integers(0, 20, 200)
    p, target = (np.bincount(k, minlength=32)[None] / len(k) for k in (i, j))
    for distance in ("registers", "hamming"):
        options: dict[str, Any] = {"space": BITS, "distance": distance, "bandwidth": SIGMAS}
        exact, _ = MaximumMeanDiscrepancy(**options)(p, Batch(target=target))
        loss = MaximumMeanDiscrepancy(reads="samples", **options)
        assert loss(index_to_bits(i, 5), Batch(index_to_bits(j, 5)))[0] == pytest.approx(
            exact, rel=1e-10
        )


@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
@pytest.mark.parametrize("form", list(FORMS))
def test_samples_against_a_double_loop(estimator: Any, form: Any) -> None:
    rng = np.random.default_rng(2)
    x, y, w = rng.normal(size=(9, 3)), rng.normal(size=(7, 3)) + 0.5, rng.random(7)
    loss = MaximumMeanDiscrepancy(
        reads="samples", kernel=form, bandwidth=SIGMAS, estimator=estimator
    )
    unbiased = estimator == "unbiased"
    for weight in (None, w):
        value, _ = loss(x, Batch(y, weight=weight))
        b = np.ones(7) if weight is None else w
        assert value == pytest.approx(
            plain_samples(x, y, np.ones(9), b, unbiased=unbiased, form=form), rel=1e-11
        )


@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
def test_samples_with_conditions_compare_the_joint_distribution(estimator: Any) -> None:
    rng = np.random.default_rng(2)
    x, y, c, w = (
        rng.normal(size=(8, 2)),
        rng.normal(size=(8, 2)),
        rng.integers(0, 2, (8, 1)) * 1.5,
        rng.random(8),
    )
    loss = MaximumMeanDiscrepancy(reads="samples", bandwidth=SIGMAS, estimator=estimator)
    value, _ = loss(x, Batch(y, c, w))
    plain = plain_samples(
        np.hstack([x, c]), np.hstack([y, c]), w, w, unbiased=estimator == "unbiased"
    )
    assert value == pytest.approx(plain, rel=1e-11)
    # the same values under exchanged conditions have the same mixture, and not the same joint
    apart = np.array([[0.0], [0.0], [4.0], [4.0]])
    labels = np.array([[0.0], [0.0], [1.0], [1.0]])
    joint = MaximumMeanDiscrepancy(reads="samples", bandwidth=SIGMAS)
    assert joint(apart[::-1], Batch(apart))[0] == pytest.approx(0, abs=1e-15)
    assert joint(apart[::-1], Batch(apart, labels))[0] > 0.1


@pytest.mark.parametrize("estimator", ["biased", "unbiased"])
@pytest.mark.parametrize(
    "space", [None, Space("spins", 4), Space("bits", 4, (3, 1)), Space("bits", 4)]
)
def test_the_cotangent_of_samples_is_the_derivative(estimator: Any, space: Space | None) -> None:
    rng = np.random.default_rng(4)
    x, y, w = rng.normal(size=(6, 4)), rng.normal(size=(6, 4)), rng.random(6)
    loss = MaximumMeanDiscrepancy(
        space=space, reads="samples", bandwidth=SIGMAS, estimator=estimator
    )
    for batch in (Batch(y), Batch(y, rng.normal(size=(6, 2)), w)):
        _, cotangent = loss(x, batch)
        assert cotangent.shape == x.shape
        for place in np.ndindex(x.shape):
            up, down = x.copy(), x.copy()
            up[place] += 1e-6
            down[place] -= 1e-6
            numeric = (loss(up, batch)[0] - loss(down, batch)[0]) / 2e-6
            assert cotangent[place] == pytest.approx(numeric, abs=2e-9)


def test_spins_are_compared_by_how_many_differ() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.integers(0, 2, (20, 6)), rng.integers(0, 2, (30, 6))
    bits = MaximumMeanDiscrepancy(space=Space("bits", 6), reads="samples")(x, Batch(y))[0]
    spins = MaximumMeanDiscrepancy(space=Space("spins", 6), reads="samples")(
        2 * x - 1, Batch(2 * y - 1)
    )[0]
    assert bits == pytest.approx(spins, rel=1e-12) and bits > 0


def test_pieces_of_memory_do_not_change_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    x, batch = rng.normal(size=(50, 3)), Batch(rng.normal(size=(40, 3)))
    whole, slope = MaximumMeanDiscrepancy(reads="samples")(x, batch)
    monkeypatch.setattr(kernels, "AT_ONCE", 90)
    value, same = MaximumMeanDiscrepancy(reads="samples")(x, batch)
    assert value == pytest.approx(whole, rel=1e-12) and np.allclose(slope, same, atol=1e-15)


def test_the_term_of_the_data_follows_the_batch() -> None:
    rng = np.random.default_rng(4)
    x, first, second = (
        rng.normal(size=(5, 2)),
        Batch(rng.normal(size=(5, 2))),
        Batch(rng.normal(size=(5, 2)) + 2),
    )
    loss = MaximumMeanDiscrepancy(reads="samples")
    fresh = [MaximumMeanDiscrepancy(reads="samples")(x, b)[0] for b in (first, second)]
    assert [loss(x, b)[0] for b in (first, second, first)] == [fresh[0], fresh[1], fresh[0]]
    # a batch of the same events at another step is another object
    assert loss(x, Batch(first.x, step=1))[0] == fresh[0]
    weighted = Batch(first.x, weight=np.arange(5.0))
    assert loss(x, weighted)[0] == MaximumMeanDiscrepancy(reads="samples")(x, weighted)[0]


def test_unbiased_is_zero_on_average_and_biased_is_not() -> None:
    rng = np.random.default_rng(7)
    options: dict[str, Any] = {"reads": "samples", "bandwidth": (1.0,)}
    values = []
    for _ in range(400):
        x, y = rng.normal(size=(20, 1)), rng.normal(size=(20, 1))
        values.append(
            [
                MaximumMeanDiscrepancy(estimator=e, **options)(x, Batch(y))[0]
                for e in ("biased", "unbiased")
            ]
        )
    mean, error = np.mean(values, axis=0), np.std(values, axis=0) / np.sqrt(400)
    assert abs(mean[1]) < 4 * error[1] and mean[0] > 20 * error[0]
    # the null mean of the biased one: 2/n (1 - E k), E k = 1/sqrt(1 + 4/sigma) for unit normals
    assert mean[0] == pytest.approx(2 / 20 * (1 - 1 / np.sqrt(5)), abs=4 * error[0])


def test_the_median_bandwidth_is_that_of_the_pairs() -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(size=(41, 3))
    pairs = [np.sum((x[i] - x[j]) ** 2) for i in range(41) for j in range(i)]
    y = rng.normal(size=(10, 3))
    value, _ = MaximumMeanDiscrepancy(reads="samples", data=Events(x), bandwidth="median")(
        y, Batch(x)
    )
    same = MaximumMeanDiscrepancy(
        reads="samples", bandwidth=(float(np.sqrt(np.median(pairs))),), kernel="exp(-d2/(2sigma^2))"
    )
    assert value == pytest.approx(same(y, Batch(x))[0], rel=1e-12)


def test_the_median_of_bits_is_taken_between_registers() -> None:
    data = Events(
        index_to_bits(np.array([0, 0, 0, 0, 0, 5, 21]), 5)
    )  # (0, 0) five times, (0, 5), (2, 5)
    p, target = tables()
    value, _ = MaximumMeanDiscrepancy(space=BITS, data=data, bandwidth="median")(
        p, Batch(target=target)
    )
    d2 = np.median([25.0] * 5 + [29.0] * 5 + [4.0])  # ten pairs are one point
    assert d2 == 25.0
    same = MaximumMeanDiscrepancy(space=BITS, bandwidth=(2 * d2,))
    assert value == pytest.approx(same(p, Batch(target=target))[0], rel=1e-12)
    with pytest.raises(DataError, match="median distance"):
        MaximumMeanDiscrepancy(space=BITS, data=data.take(np.arange(4)), bandwidth="median")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": None}, "needs events in bits"),
        ({"space": Space("reals", 2)}, "needs events in bits"),
        ({"space": BITS, "distance": "euclidean"}, "needs events in bits"),
        (
            {"space": Space("reals", 2), "reads": "samples", "distance": "hamming"},
            "no distance 'hamming'",
        ),
        (
            {"space": Space("spins", 2), "reads": "samples", "distance": "registers"},
            "no distance 'registers'",
        ),
        ({"space": BITS, "estimator": "unbiased"}, "is for samples"),
        ({"space": BITS, "bandwidth": ()}, "numbers above 0"),
        ({"space": BITS, "bandwidth": (1.0, 0.0)}, "numbers above 0"),
        ({"space": BITS, "bandwidth": "median"}, "needs training events"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        MaximumMeanDiscrepancy(**options)


def test_shapes_are_checked() -> None:
    loss = MaximumMeanDiscrepancy(reads="samples", estimator="unbiased")
    with pytest.raises(OutputMismatch, match="of their width"):
        loss(np.zeros((3, 2)), Batch(np.zeros((3, 4))))
    with pytest.raises(OutputMismatch, match="do not go with 4 conditions"):
        loss(np.zeros((3, 2)), Batch(np.zeros((4, 2)), np.zeros((4, 1))))
    with pytest.raises(OutputMismatch, match="at least two events"):
        loss(np.zeros((1, 2)), Batch(np.zeros((4, 2))))
