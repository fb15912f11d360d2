"""COBYLA: scipy's path, the reasons it stops, and its journal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from training_toys import Point, ProductBorn, SquaredError, WeightedMean, bits_events, real_events

from qgen_core.errors import BadOption, CheckpointError, Interrupted
from qgen_core.events import Events
from qgen_core.interfaces import Trainer
from qgen_core.support.checkpoint import Checkpoints
from qgen_core.support.parameters import flatten
from qgen_core.trainers.cobyla import Cobyla


def test_the_path_is_scipys() -> None:
    data, generator = real_events(), Point()
    history = Cobyla(tol=1e-3, rhobeg=0.7, steps=500).fit(generator, data, WeightedMean(), seed=1)
    w, seen = data.weights / data.weights.sum(), []

    def loss(theta):
        seen.append(float(w @ (0.5 * np.sum((theta - data.x) ** 2, axis=1))))
        return seen[-1]

    result = minimize(
        loss, np.zeros(3), method="COBYLA", tol=1e-3, options={"rhobeg": 0.7, "maxiter": 500}
    )
    assert result.success and np.allclose(history.losses, seen, rtol=1e-12)
    assert np.allclose(generator.place, result.x, atol=1e-12)
    assert np.allclose(generator.place, np.average(data.x, axis=0, weights=data.weight), atol=0.01)


def test_it_stops_at_tol_and_says_so() -> None:
    history = Cobyla(tol=0.01, steps=500).fit(Point(), real_events(), WeightedMean(), seed=1)
    assert history.stopped == "COBYLA's trust region shrank to tol = 0.01"
    assert 5 < len(history.records) < 500 and history.warnings == []


def test_it_stops_at_steps_and_says_so() -> None:
    generator = ProductBorn()
    history = Cobyla(tol=1e-6, steps=20).fit(generator, bits_events(), SquaredError(), seed=1)
    assert history.stopped == "all 20 steps done"
    assert len(history.records) == 20 and generator.calls == [(1, None)] * 20
    best = generator.table(generator.theta)[0].prod(axis=1)[None]
    assert np.isclose(
        np.sum((best - bits_events().target(generator.space)[1]) ** 2),
        history.losses.min(),
        rtol=1e-12,
    )


def test_fewer_steps_than_the_simplex_needs_are_kept_with_a_warning() -> None:
    generator = ProductBorn()
    history = Cobyla(steps=4).fit(generator, bits_events(), SquaredError(), seed=1)
    assert len(history.records) == 4 and history.stopped == "all 4 steps done"
    assert history.warnings == [
        "COBYLA needs at least 8 steps for 6 parameters, it is given 4: it ends within its first "
        "simplex"
    ]
    assert Cobyla(steps=8).fit(ProductBorn(), bits_events(), SquaredError(), seed=1).warnings == []


def test_the_first_simplex_steps_by_rhobeg() -> None:
    places = []

    class Watched(ProductBorn):
        def outputs_at(self, output, thetas, batch, *, rng, backend=None):
            places.extend(np.array(thetas))
            return super().outputs_at(output, thetas, batch, rng=rng, backend=backend)

    start = Watched().theta.ravel().copy()
    Cobyla(rhobeg=0.3, steps=7).fit(Watched(), bits_events(), SquaredError(), seed=1)
    assert np.allclose(places[0], start)
    distances = [min(np.linalg.norm(p - q) for q in places[:i]) for i, p in enumerate(places) if i]
    assert np.allclose(distances, 0.3)


def test_patience_ends_it() -> None:
    history = Cobyla(tol=1e-9, steps=500, patience=6).fit(
        ProductBorn(), bits_events(), SquaredError(), seed=1
    )
    assert history.stopped == "no new least loss in 6 steps"
    assert len(history.records) - 1 - np.argmin(history.losses) == 6


def test_without_keep_best_it_ends_at_the_last_place() -> None:
    class Watched(ProductBorn):
        last = None

        def outputs_at(self, output, thetas, batch, *, rng, backend=None):
            self.last = np.array(thetas[0])
            return super().outputs_at(output, thetas, batch, rng=rng, backend=backend)

    ends = {}
    for keep in (True, False):
        generator = Watched()
        history = Cobyla(steps=5, keep_best=keep).fit(
            generator, bits_events(), SquaredError(), seed=1
        )
        ends[keep] = generator.theta.copy()
    assert np.argmin(history.losses) != 4
    assert np.array_equal(ends[False].ravel(), generator.last) and not np.array_equal(
        ends[True], ends[False]
    )


def test_a_resumed_search_evaluates_nothing_twice(tmp_path) -> None:
    def life(steps: int, limit: float | None = None) -> tuple[ProductBorn, list]:
        generator = ProductBorn(shots=100)
        run = Checkpoints(tmp_path / "run", time_limit=limit, every=0)
        try:
            history = Cobyla(steps=steps).fit(
                generator, bits_events(), SquaredError(), seed=1, run=run
            )
        except Interrupted:
            return generator, []
        return generator, history.records

    for number in range(1, 4):
        generator, _ = life(12, limit=0.0)
        assert generator.calls == [(1, None)]
        saved = Checkpoints(tmp_path / "run").latest()
        assert (
            saved is not None
            and saved.step == number
            and len(saved.arrays["fit/journal"]) == number
        )
        losses = saved.arrays["fit/journal"][:, 0]
        assert np.array_equal(generator.theta.ravel(), saved.arrays["fit/best"]), losses
    generator, records = life(12)
    assert len(generator.calls) == 9 and len(records) == 12
    finished, _ = life(12)
    assert finished.calls == [] and np.array_equal(finished.theta, generator.theta)
    longer, records = life(15)
    assert len(longer.calls) == 3 and [r["step"] for r in records] == list(range(15))


class Walk(Trainer):
    """Evaluates so many places on a line, with random steps from the loop's streams."""

    owns_loop = True

    def __init__(self, places: int, steps: int) -> None:
        super().__init__(steps=steps)
        self.places = places

    def minimise(self, problem):
        theta = flatten(problem.generator.parameters())
        for _ in range(self.places):
            theta = theta + problem.rng("walk").normal(scale=0.1, size=theta.size)
            value = problem.evaluate(theta)
        return value


def test_a_search_that_would_end_before_its_journal_is_refused(tmp_path) -> None:
    def life(places: int, steps: int):
        return Walk(places, steps).fit(
            ProductBorn(), bits_events(), SquaredError(), seed=1, run=tmp_path
        )

    life(99, 4)
    with pytest.raises(
        CheckpointError, match="ended after 2 of the 4 evaluations of the saved run"
    ):
        life(2, 9)
    whole = Walk(7, 9).fit(ProductBorn(), bits_events(), SquaredError(), seed=1)
    again = life(7, 9)
    assert (
        again.records == whole.records and again.stopped == whole.stopped == "the optimiser ended"
    )


def test_a_minimum_of_one_parameter() -> None:
    generator = Point(1)
    Cobyla(tol=1e-4, steps=200).fit(generator, Events(np.array([[2.5]])), WeightedMean(), seed=1)
    assert abs(generator.place[0] - 2.5) < 1e-3


@pytest.mark.parametrize("bad", [{"tol": 0.0}, {"tol": 2.0, "rhobeg": 1.0}, {"rhobeg": -1.0}])
def test_impossible_options_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(BadOption, match="cobyla needs 0 < tol <= rhobeg"):
        Cobyla(**bad)
