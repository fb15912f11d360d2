"""What every trainer gets from the loop: batches, critics, hooks, best state, seeds."""

from __future__ import annotations

import random

import numpy as np
import pytest
from training_kills import CASES
from training_toys import (
    Critic,
    Point,
    ProductBorn,
    Shifter,
    SquaredError,
    Stuck,
    WeightedMean,
    bits_events,
    real_events,
)

from qgen_core.discovery.hooks import hookimpl
from qgen_core.errors import BadOption, BrokenPlugin, DataError, NoGradient, OutputMismatch
from qgen_core.events import Events, Space
from qgen_core.interfaces import History, Loss, Trainer
from qgen_core.support.parameters import flatten
from qgen_core.trainers.adam import Adam
from qgen_core.trainers.cobyla import Cobyla


class Stay(Trainer):
    """Looks at the loss and leaves the parameters alone."""

    def step(self, problem):
        return problem.value_and_gradient()[0]


class Follow(Trainer):
    """Puts a point at given places, one a step; the loss there comes one step later."""

    def __init__(self, places, **options) -> None:
        super().__init__(**options)
        self.places = places

    def step(self, problem):
        value, _ = problem.value_and_gradient()
        problem.generator.place[...] = self.places[problem.step]
        return value


@pytest.mark.parametrize(
    ("size", "epoch"), [(12, 5), (16, 4), (25, 3), (59, 2), (60, 1), (1000, 1), (None, 1)]
)
def test_every_event_comes_once_an_epoch_with_its_weight(size: int | None, epoch: int) -> None:
    data, generator = real_events(60), Point()
    Stay(steps=3 * epoch, batch_size=size).fit(generator, data, WeightedMean(), seed=6)
    weight_of = dict(zip(data.x[:, 0].tolist(), data.weights.tolist(), strict=True))
    orders = []
    for start in range(0, 3 * epoch, epoch):
        batches = generator.seen[start : start + epoch]
        assert max(len(b.x) for b in batches) <= (size or 60)
        assert max(len(b.x) for b in batches) - min(len(b.x) for b in batches) <= 1
        x = np.concatenate([b.x[:, 0] for b in batches])
        assert sorted(x.tolist()) == sorted(data.x[:, 0].tolist())
        weights = np.concatenate([b.weight for b in batches])
        assert [weight_of[v] for v in x.tolist()] == weights.tolist()
        orders.append(x.tolist())
    if epoch > 1:
        assert orders[0] != orders[1] != orders[2]
    assert [b.step for b in generator.seen] == list(range(3 * epoch))
    assert {b.total for b in generator.seen} == {3 * epoch}


def test_minibatches_take_the_weighted_mean_to_the_right_place() -> None:
    data, generator = real_events(60), Point()
    data = data.replace(weight=np.where(data.x[:, 0] > 1, 4.0, 1.0))
    history = Adam(learning_rate=0.1, steps=2000, batch_size=20, schedule="linear").fit(
        generator, data, WeightedMean(), seed=6
    )
    assert history.stopped == "all 2000 steps done"
    mean = np.average(data.x, axis=0, weights=data.weight)
    assert np.allclose(generator.place, mean, atol=0.05)
    assert abs(mean[0] - data.x[:, 0].mean()) > 0.3


def test_conditions_travel_with_their_events() -> None:
    class Conditioned(Point):
        condition = Space("reals", 1)

    data = real_events(30)
    data = data.replace(condition=data.x[:, :1] * 2)
    generator = Conditioned()
    Stay(steps=6, batch_size=10).fit(generator, data, WeightedMean(), seed=6)
    assert all(np.array_equal(b.condition, b.x[:, :1] * 2) for b in generator.seen)


def test_critics_get_fresh_events_and_fresh_samples() -> None:
    data, critic = real_events(60, width=2), Critic(updates=3)
    Adam(steps=7, batch_size=10).fit(Shifter(), data, critic, seed=6)
    assert len(critic.seen) == 21
    known = {tuple(row) for row in data.x.tolist()}
    for events, samples in critic.seen:
        assert events.shape == samples.shape == (10, 2)
        rows = [tuple(row) for row in events.tolist()]
        assert set(rows) <= known and len(set(rows)) == 10
    for which in (0, 1):
        flat = [pair[which].tobytes() for pair in critic.seen]
        assert len(set(flat)) == 21


def test_critics_are_updated_before_the_step_they_serve() -> None:
    critic, seen = Critic(updates=2), []

    class Watch(Stay):
        def step(self, problem):
            seen.append(len(critic.seen))
            return super().step(problem)

    Watch(steps=3).fit(Shifter(), real_events(width=2), critic, seed=6)
    assert seen == [2, 4, 6]


def test_a_critic_trains_a_generator() -> None:
    generator, data = Shifter(), real_events(400, width=2)
    Adam(learning_rate=0.05, steps=600, batch_size=100).fit(
        generator, data, Critic(updates=2), seed=6
    )
    assert np.allclose(generator.place, data.x.mean(axis=0), atol=0.3)


def test_cobyla_refuses_a_critic() -> None:
    with pytest.raises(BadOption, match="cobyla cannot train against a loss that learns"):
        Cobyla(steps=50).fit(Shifter(), real_events(width=2), Critic(), seed=1)


PLACES = [3.0, 1.1, 0.2, 5.0, 1.0, 4.0, 4.5, 4.2]


def follow(**options) -> tuple[Point, History]:
    generator = Point(1)
    data = Events(np.ones((4, 1)))
    return generator, Follow(PLACES, steps=8, **options).fit(
        generator, data, WeightedMean(), seed=1
    )


def test_keep_best_ends_where_the_loss_was_least() -> None:
    generator, history = follow(keep_best=True)
    assert np.argmin(history.losses) == 5 and history.losses[5] == 0
    assert generator.place == 1.0
    generator, _ = follow()
    assert generator.place == PLACES[-1]


def test_patience_counts_steps_without_a_new_least_loss() -> None:
    generator, history = follow(patience=2)
    assert (
        history.losses.tolist() == [0.5, 2.0, 0.5 * 0.1**2, 0.5 * 0.8**2, 8.0]
        or len(history.losses) == 5
    )
    assert history.stopped == "no new least loss in 2 steps"
    _, history = follow(patience=1)
    assert len(history.losses) == 2
    _, history = follow(patience=7)
    assert history.stopped == "all 8 steps done"


@pytest.mark.parametrize("name", ["steps", "batch_size", "patience"])
def test_counts_below_one_are_refused(name: str) -> None:
    with pytest.raises(BadOption, match=f"{name} must be at least 1, not 0"):
        Adam(**{name: 0})


class Collector:
    """Hooks that take none, some or all of the arguments."""

    def __init__(self) -> None:
        self.heard: list[tuple] = []

    @hookimpl
    def on_fit_start(self, problem) -> None:
        self.heard.append(("start", problem.step))

    @hookimpl
    def on_step(self, record) -> None:
        self.heard.append(("step", record["step"]))

    @hookimpl
    def on_epoch(self, epoch) -> None:
        self.heard.append(("epoch", epoch))

    @hookimpl
    def on_fit_end(self) -> None:
        self.heard.append(("end",))


class Silent:
    """Takes nothing at all."""

    count = 0

    @hookimpl
    def on_step(self) -> None:
        self.count += 1


def test_hooks_are_called_in_order_with_what_they_ask_for() -> None:
    collector, silent = Collector(), Silent()
    Stay(steps=4, batch_size=30).fit(
        Point(), real_events(60), WeightedMean(), seed=1, hooks=[collector, silent]
    )
    step = [("step", n) for n in range(4)]
    assert collector.heard == [
        ("start", 0),
        *step[:2],
        ("epoch", 1),
        *step[2:],
        ("epoch", 2),
        ("end",),
    ]
    assert silent.count == 4


def test_there_are_no_epochs_where_nothing_reads_events() -> None:
    collector = Collector()
    Adam(steps=2).fit(ProductBorn(), bits_events(), SquaredError(), seed=1, hooks=[collector])
    assert [kind for kind, *_ in collector.heard] == ["start", "step", "step", "end"]


def test_numbers_that_a_trainer_logs_join_the_record() -> None:
    class Chatty(Stay):
        def step(self, problem):
            problem.log(rate=np.float32(0.5), count=3)
            return super().step(problem)

    record = Chatty(steps=1).fit(Point(), real_events(), WeightedMean(), seed=1).records[0]
    assert set(record) == {"step", "loss", "rate", "count", "gradient"} and record["rate"] == 0.5


def test_a_trainer_may_stop_and_warn(tmp_path) -> None:
    class Early(Stay):
        def step(self, problem):
            problem.warn("nearly there")
            if problem.step == 2:
                problem.stop("enough")
            return super().step(problem)

    for _ in range(2):
        history = Early(steps=9).fit(Point(), real_events(), WeightedMean(), seed=1, run=tmp_path)
        assert (len(history.records), history.stopped, history.warnings) == (
            3,
            "enough",
            ["nearly there"],
        )


def named(component, name: str):
    component.__qgen_name__ = name
    return component


def test_the_message_of_a_mismatch() -> None:
    loss, generator = named(SquaredError(), "js"), named(Shifter(), "qag")
    with pytest.raises(OutputMismatch) as caught:
        Adam().fit(generator, real_events(width=2), loss, seed=1)
    assert str(caught.value) == (
        "OutputMismatch: loss 'js' reads probabilities; generator 'qag' offers samples; "
        "choose a loss that reads one of these"
    )
    assert caught.value.exit_code == 2
    with pytest.raises(OutputMismatch, match="loss 'SquaredError' reads probabilities"):
        Adam().fit(Shifter(), real_events(width=2), SquaredError(), seed=1)


def test_events_that_do_not_fit_are_refused_before_anything_runs() -> None:
    with pytest.raises(
        OutputMismatch, match="encoded in 3 columns; generator 'Point' makes 2 reals"
    ):
        Adam().fit(Point(2), real_events(width=3), WeightedMean(), seed=1)
    conditioned = real_events().replace(condition=np.zeros((60, 2)))
    with pytest.raises(
        OutputMismatch, match="takes no condition; the events have one of 2 columns"
    ):
        Adam().fit(Point(), conditioned, WeightedMean(), seed=1)
    generator = Point()
    generator.condition = Space("angles", 1)
    with pytest.raises(OutputMismatch, match="takes a condition of 1 angles; the events have none"):
        Adam().fit(generator, real_events(), WeightedMean(), seed=1)
    with pytest.raises(OutputMismatch, match="the events have one of 2 columns"):
        Adam().fit(generator, conditioned, WeightedMean(), seed=1)
    with pytest.raises(DataError, match="no events to train on"):
        Adam().fit(Point(), Events(np.empty((0, 3))), WeightedMean(), seed=1)


def test_one_event_is_enough() -> None:
    generator = Point()
    Adam(learning_rate=0.1, steps=300).fit(
        generator, Events(np.array([[1.0, 2.0, 3.0]])), WeightedMean(), seed=1
    )
    assert np.allclose(generator.place, [1, 2, 3], atol=1e-3)


def test_a_generator_without_gradient_says_which_trainer_helps() -> None:
    class Normal(Shifter):
        def forward(self, output, batch, *, rng):
            return super(Shifter, self).forward(output, batch, rng=rng)

    with pytest.raises(NoGradient, match="use a trainer without, e.g. 'spsa'"):
        Adam().fit(Normal(), real_events(width=2), Critic(updates=0), seed=1)


def test_a_trainer_without_a_step_is_a_broken_plugin() -> None:
    class Nothing(Trainer):
        pass

    class Loopless(Trainer):
        owns_loop = True

    for trainer, what in (
        (Nothing(), "neither step nor minimise"),
        (Loopless(), "has no minimise"),
    ):
        with pytest.raises(BrokenPlugin, match=what):
            trainer.fit(Point(), real_events(), WeightedMean(), seed=1)


def test_step_by_step_trainers_may_not_evaluate() -> None:
    class Confused(Trainer):
        def step(self, problem):
            return problem.evaluate(np.zeros(3))

    with pytest.raises(BadOption, match="only a trainer that owns its loop evaluates step by step"):
        Confused().fit(Point(), real_events(), WeightedMean(), seed=1)


def test_values_leave_the_parameters_alone() -> None:
    class Asks(Trainer):
        def step(self, problem):
            values = problem.values(np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))
            assert np.array_equal(problem.generator.place, [0, 0, 0])
            x, w = problem.batch.x, problem.batch.weight
            expected = [
                sum(w[i] * 0.5 * sum((p - x[i]) ** 2) for i in range(len(x))) / sum(w)
                for p in (0.0, 1.0)
            ]
            assert np.allclose(values, expected, rtol=1e-12)
            return float(values[0])

    Asks(steps=2).fit(Point(), real_events(), WeightedMean(), seed=1)


@pytest.mark.parametrize("case", sorted(CASES))
def test_the_same_seed_gives_the_same_and_nothing_global_is_touched(case: str) -> None:
    if case == "cma":
        pytest.importorskip("cma")
    np.random.seed(123)
    random.seed(123)
    before, other = np.random.get_state()[1].tolist(), random.getstate()
    ends = []
    for seed in (5, 5, 6):
        trainer, generator, data, loss = CASES[case](6)
        history = trainer.fit(generator, data, loss, seed=seed)
        ends.append((flatten(generator.parameters()).tolist(), history.records))
    assert ends[0] == ends[1] != ends[2]
    assert np.random.get_state()[1].tolist() == before and random.getstate() == other


@pytest.mark.parametrize("case", ["adam", "adam-batches", "spsa", "lcd", "cma", "cobyla"])
def test_a_trainer_begins_afresh_each_time(case: str) -> None:
    if case == "cma":
        pytest.importorskip("cma")
    trainer, generator, data, loss = CASES[case](6)
    trainer.fit(generator, data, loss, seed=5)
    _, again, _, _ = CASES[case](6)
    trainer.fit(again, data, loss, seed=5)
    assert np.array_equal(flatten(again.parameters()), flatten(generator.parameters()))


def test_a_history_without_records_has_no_losses() -> None:
    assert History().losses.shape == (0,)


def test_the_default_loss_state_is_empty() -> None:
    class Bare(Loss):
        reads = "samples"

        def __call__(self, output, batch):
            raise AssertionError

    assert (
        Bare().state() == {}
        and Bare().update(np.zeros(1), None, rng=np.random.default_rng(0)) is None
    )
    assert Stuck().parameters() == {}


def test_hooks_see_the_point_that_an_optimiser_with_its_own_loop_evaluated() -> None:
    generator, data, loss = Point(2), real_events(width=2), WeightedMean()
    seen = []

    class Watch:
        @hookimpl
        def on_step(self, problem, record) -> None:
            batch = problem.batch
            output, _ = problem.generator.forward("objective", batch, rng=problem.rng("watch"))
            seen.append((record["loss"], loss(output, batch)[0]))

    Cobyla(steps=20).fit(generator, data, loss, seed=1, hooks=[Watch()])
    losses, again = np.array(seen).T
    assert len(set(losses)) > 5
    np.testing.assert_allclose(again, losses, rtol=1e-12)
