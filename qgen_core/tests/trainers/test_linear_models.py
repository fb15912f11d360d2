"""Our own COBYLA against scipy's: the same algorithm, so the same path up to rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

from qgen_core.trainers.linear_models import RESOLVED, search
from qgen_core.typing import Floats


def waves(size: int, seed: int) -> Callable[[Floats], float]:
    matrix = np.random.default_rng(seed).normal(size=(size, size))
    return lambda t: float(np.sum(np.cos(matrix @ t)) + 0.05 * t @ t)


def path_of(run: Callable[[Callable[[Floats], float]], object], function: Any) -> list[Floats]:
    """The points at which a search evaluates a function."""
    path: list[Floats] = []

    def noted(theta: Floats) -> float:
        path.append(theta.copy())
        return float(function(theta))

    run(noted)
    return path


def agreement(first: list[Floats], second: list[Floats]) -> int:
    """The number of points at the start of two paths that are equal up to rounding."""
    pairs = list(zip(first, second, strict=False))
    for number, (one, other) in enumerate(pairs):
        if np.max(np.abs(one - other)) > 1e-8:
            return number
    return len(pairs)


@pytest.mark.parametrize(("size", "radius"), [(3, 0.7), (10, 1.0), (24, 5.593), (24, 0.7)])
def test_the_path_is_scipys_until_rounding_decides(size: int, radius: float):
    # Points at equal distance are chosen by rounding errors, so scipy's own path changes where the
    # function is multiplied by 1 + 1e-15; up to there, both take the same. Each such change decides
    # about as often one way as the other, so ten of them find the point on any processor.
    function = waves(size, size)
    start = np.random.default_rng(1).normal(size=size)
    limit = size + 40

    def scipys(loss: Callable[[Floats], float]) -> object:
        options = {"rhobeg": radius, "maxiter": limit}
        return minimize(loss, start, method="COBYLA", tol=0.004, options=options)

    def ours(loss: Callable[[Floats], float]) -> object:
        return search(loss, start, radius=radius, tol=0.004, limit=limit)

    expected = path_of(scipys, function)
    certain = limit
    for number in range(1, 11):

        def changed(theta: Floats, number: int = number) -> float:
            return function(theta) * (1 + 1e-15 * number)

        certain = min(certain, agreement(expected, path_of(scipys, changed)))
    found = path_of(ours, function)
    assert agreement(expected, found) >= certain > size + 4
    assert max(len(expected), len(found)) <= limit


@pytest.mark.parametrize("size", [1, 2, 7])
def test_it_finds_the_minimum_of_a_quadratic(size: int):
    target = np.linspace(-0.5, 1.0, size)
    found = search(
        lambda x: float(np.sum((x - target) ** 2)), np.zeros(size), radius=1.0, tol=1e-5, limit=9999
    )
    assert np.allclose(found.point, target, atol=1e-3) and found.reason == RESOLVED


def test_the_reason_and_the_best_point_are_kept():
    calls = []

    def flat(x: Floats) -> float:
        calls.append(x)
        return 1.0

    found = search(flat, np.zeros(3), radius=1.0, tol=1e-2, limit=1000)
    assert found.reason == RESOLVED and found.value == 1.0 and len(calls) < 200
    assert np.array_equal(found.point, np.zeros(3))
