"""F7 to F9: signals, time limits, divergence and vanishing gradients."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from training_kills import CASES
from training_toys import Point, ProductBorn, SquaredError, WeightedMean, bits_events, real_events

from qgen_core.discovery.hooks import hookimpl
from qgen_core.errors import Diverged, Interrupted
from qgen_core.interfaces import Generator, Loss, Trainer
from qgen_core.support.checkpoint import Checkpoints
from qgen_core.support.parameters import assign, flatten
from qgen_core.trainers.adam import Adam


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda number: None)


class SignalAt:
    """Sends this process a signal after a step."""

    def __init__(self, step: int, number: int) -> None:
        self.at, self.number = step, number

    @hookimpl
    def on_step(self, record) -> None:
        if record["step"] == self.at:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("case", ["adam", "adam-critic", "cobyla", "lcd"])
def test_a_signal_ends_the_step_saves_and_is_resumed_identically(
    case: str, number: int, tmp_path: Path
) -> None:
    ends = []
    before = signal.getsignal(number)
    for name, interrupt in (("whole", False), ("cut", True)):
        if interrupt:
            trainer, generator, data, loss = CASES[case](8)
            hook = SignalAt(3, number)
            with pytest.raises(
                Interrupted, match=f"{signal.Signals(number).name} after step 4 of"
            ) as caught:
                trainer.fit(generator, data, loss, seed=4, hooks=[hook], run=tmp_path / name)
            assert caught.value.exit_code == 75 and "--resume" in str(caught.value)
            saved = Checkpoints(tmp_path / name).latest()
            assert saved is not None and saved.step == 4
        trainer, generator, data, loss = CASES[case](8)
        history = trainer.fit(generator, data, loss, seed=4, run=tmp_path / name)
        ends.append((flatten(generator.parameters()).tolist(), history.records, history.stopped))
        assert signal.getsignal(number) is before
    assert ends[0] == ends[1]


def test_the_time_limit_interrupts_after_every_step(tmp_path: Path) -> None:
    def life(limit: float | None) -> list[float] | None:
        generator = ProductBorn(shots=50)
        run = Checkpoints(tmp_path / str(limit), time_limit=limit)
        try:
            Adam(steps=5).fit(generator, bits_events(), SquaredError(), seed=4, run=run)
        except Interrupted as error:
            assert "the time limit of 0 s" in str(error)
            return None
        return generator.theta.tolist()

    lives = [life(0.0) for _ in range(5)]
    assert lives[:4] == [None] * 4
    assert lives[4] == life(None)


def test_without_a_folder_ctrl_c_is_left_alone() -> None:
    with pytest.raises(KeyboardInterrupt):
        Adam(steps=5).fit(
            ProductBorn(), bits_events(), SquaredError(), seed=1, hooks=[SignalAt(1, signal.SIGINT)]
        )


class SpoiltLoss(SquaredError):
    """Its value or its cotangent is not finite from one call on."""

    def __init__(self, call: int, value: float = np.nan, gradient: bool = False) -> None:
        self.left, self.value, self.gradient = call, value, gradient

    def __call__(self, output, batch):
        value, cotangent = super().__call__(output, batch)
        self.left -= 1
        if self.left >= 0:
            return value, cotangent
        return (value, cotangent * self.value) if self.gradient else (self.value, cotangent)


@pytest.mark.parametrize("gradient", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_divergence_keeps_the_best_state_and_the_disk(
    tmp_path: Path, value: float, gradient: bool
) -> None:
    generator = ProductBorn()
    with pytest.raises(
        Diverged, match=f"the {'gradient' if gradient else 'loss'} became .* at step 4"
    ) as caught:
        Adam(learning_rate=0.1, steps=9).fit(
            generator,
            bits_events(),
            SpoiltLoss(4, value, gradient),
            seed=2,
            run=Checkpoints(tmp_path, every=0),
        )
    assert "last good parameters are kept" in str(caught.value) and "\n" not in str(caught.value)
    reference = ProductBorn()
    history = Adam(learning_rate=0.1, steps=4, keep_best=True).fit(
        reference, bits_events(), SquaredError(), seed=2
    )
    assert np.all(np.diff(history.losses) < 0)
    assert np.array_equal(generator.theta, reference.theta)
    saved = Checkpoints(tmp_path).latest()
    assert saved is not None and saved.step == 4
    assert all(np.all(np.isfinite(array)) for array in saved.arrays.values())
    again = ProductBorn()
    Adam(learning_rate=0.1, steps=9).fit(again, bits_events(), SquaredError(), seed=2, run=tmp_path)
    whole = ProductBorn()
    Adam(learning_rate=0.1, steps=9).fit(whole, bits_events(), SquaredError(), seed=2)
    assert np.array_equal(again.theta, whole.theta)


def test_a_divergence_at_the_first_step_leaves_the_start() -> None:
    generator = ProductBorn()
    before = generator.theta.copy()
    with pytest.raises(Diverged, match="at step 0"):
        Adam().fit(generator, bits_events(), SpoiltLoss(0), seed=2)
    assert np.array_equal(generator.theta, before)


class Leap(Trainer):
    """A trainer whose last step leads nowhere."""

    def step(self, problem):
        value, _ = problem.value_and_gradient()
        parameters = problem.generator.parameters()
        moved = flatten(parameters) * 0.9
        assign(parameters, moved * (np.nan if problem.step == self.steps - 1 else 1))
        return value


def test_parameters_that_are_not_finite_never_reach_the_disk(tmp_path: Path) -> None:
    generator = ProductBorn()
    with pytest.raises(Diverged, match="the parameter .theta. became nan"):
        Leap(steps=4).fit(generator, bits_events(), SquaredError(), seed=2, run=tmp_path)
    assert np.all(np.isfinite(generator.theta))
    saved = Checkpoints(tmp_path).latest()
    assert saved is not None and np.all(np.isfinite(saved.arrays["generator/theta"]))


class Plateau(Generator):
    """An objective that does not depend on its parameter."""

    outputs = frozenset({"objective"})

    def __init__(self) -> None:
        self.space, self.theta = Point().space, np.ones(2)

    def parameters(self):
        return {"theta": self.theta}

    def forward(self, output, batch, *, rng):
        return np.ones(len(batch.x)), lambda cotangent: {"theta": np.zeros(2)}

    def sample(self, n, condition=None, *, rng):
        raise AssertionError


def test_a_vanishing_gradient_is_said_once_and_survives_a_resume(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = Adam(steps=4).fit(Plateau(), real_events(), WeightedMean(), seed=1, run=tmp_path)
    assert len(first.warnings) == 1
    assert "gradient vanished at step 0" in first.warnings[0]
    assert "try other initial parameters" in first.warnings[0]
    assert [r.message for r in caplog.records].count(first.warnings[0]) == 1
    assert [record["gradient"] for record in first.records] == [0.0] * 4
    again = Adam(steps=8).fit(Plateau(), real_events(), WeightedMean(), seed=1, run=tmp_path)
    assert again.warnings == first.warnings


def test_a_healthy_gradient_warns_of_nothing() -> None:
    assert Adam(steps=4).fit(Point(), real_events(), WeightedMean(), seed=1).warnings == []


def test_a_loss_that_is_a_plain_float_is_enough() -> None:
    class Plain(Loss):
        reads = "objective"

        def __call__(self, output, batch):
            return np.float32(output.mean()), np.full(len(output), 1 / len(output))

    history = Adam(steps=2).fit(Point(), real_events(), Plain(), seed=1)
    assert all(type(record["loss"]) is float for record in history.records)
