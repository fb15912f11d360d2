"""Total variation: joint and of marginals, against plain loops, and its subgradient."""

from __future__ import annotations

import numpy as np
import pytest

from qgen_core.errors import BadOption
from qgen_core.events import Batch, Space
from qgen_core.losses.tv import TotalVariation

SPACE = Space("bits", 5, (2, 1, 2))


def tables(rows: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.dirichlet(np.ones(32), rows), rng.dirichlet(np.ones(32), rows)


def plain_marginals(p: np.ndarray, target: np.ndarray) -> float:
    total = 0.0
    for row, goal in zip(p, target, strict=True):
        for feature, size in enumerate((4, 2, 4)):
            for value in range(size):
                chosen = [x for x in range(32) if np.unravel_index(x, (4, 2, 4))[feature] == value]
                total += abs(sum(row[x] - goal[x] for x in chosen))
    return total / (2 * 3 * len(p))


def test_joint_is_half_the_sum_of_differences() -> None:
    p, target = tables()
    value, _ = TotalVariation(space=SPACE)(p, Batch(target=target))
    plain = sum(abs(a - b) for a, b in zip(p.ravel(), target.ravel(), strict=True)) / 4
    assert value == pytest.approx(plain, rel=1e-13)


def test_marginals_are_those_of_the_registers() -> None:
    p, target = tables()
    value, _ = TotalVariation(space=SPACE, over="marginals")(p, Batch(target=target))
    assert value == pytest.approx(plain_marginals(p, target), rel=1e-12)


@pytest.mark.parametrize("over", ["joint", "marginals"])
def test_the_cotangent_is_the_derivative_where_there_is_one(over: str) -> None:
    p, target = tables()
    loss, batch = TotalVariation(space=SPACE, over=over), Batch(target=target)  # type: ignore[arg-type]
    _, cotangent = loss(p, batch)
    for place in np.ndindex(p.shape):
        up, down = p.copy(), p.copy()
        up[place] += 1e-7
        down[place] -= 1e-7
        assert cotangent[place] == pytest.approx(
            (loss(up, batch)[0] - loss(down, batch)[0]) / 2e-7, abs=1e-8
        )


def test_marginals_do_not_see_correlations() -> None:
    space = Space("bits", 2, (1, 1))
    batch = Batch(target=np.array([[0.5, 0.0, 0.0, 0.5]]))
    flat = np.full((1, 4), 0.25)
    assert TotalVariation(space=space, over="marginals")(flat, batch)[0] == 0.0
    assert TotalVariation(space=space)(flat, batch)[0] == 0.5


def test_the_subgradient_is_zero_at_the_target() -> None:
    _, target = tables()
    for over in ("joint", "marginals"):
        value, cotangent = TotalVariation(space=SPACE, over=over)(target, Batch(target=target))  # type: ignore[arg-type]
        assert value == 0.0 and not cotangent.any()


def test_marginals_need_registers() -> None:
    for space in (None, Space("bits", 4)):
        with pytest.raises(BadOption, match="registers"):
            TotalVariation(space=space, over="marginals")
