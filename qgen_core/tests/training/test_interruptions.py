"""F7 to F9: signals, time limits, divergence and vanishing gradients."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
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


def test_a_signal_that_is_ignored_at_the_start_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        history = Adam(steps=5).fit(
            ProductBorn(),
            bits_events(),
            SquaredError(),
            seed=1,
            hooks=[SignalAt(2, signal.SIGHUP)],
            run=tmp_path,
        )
        assert history.stopped == "all 5 steps done"
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


class Twice(SquaredError):
    """Receives two signals within the step of a call."""

    def __init__(self, call: int, second: int) -> None:
        self.left, self.second = call, second

    def __call__(self, output, batch):
        self.left -= 1
        if self.left == -1:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(self.second)
        return super().__call__(output, batch)


def test_a_second_ctrl_c_stops_within_the_step(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Interrupted, match="stopped by SIGINT within step 4 of 9; 3 steps are") as e:
        Adam(steps=9).fit(
            ProductBorn(),
            bits_events(),
            Twice(3, signal.SIGINT),
            seed=1,
            run=Checkpoints(tmp_path, every=0),
        )
    assert e.value.exit_code == 75 and "--resume" in str(e.value)
    assert caplog.messages == ["SIGINT: finishing the step, again to stop now"]
    whole, resumed = ProductBorn(), ProductBorn()
    Adam(steps=9).fit(whole, bits_events(), SquaredError(), seed=1)
    Adam(steps=9).fit(resumed, bits_events(), SquaredError(), seed=1, run=tmp_path)
    assert np.array_equal(whole.theta, resumed.theta)


def test_a_second_request_of_another_kind_lets_the_step_end(tmp_path: Path) -> None:
    """A terminal that closes, or a batch system, may well send its signal twice."""
    with pytest.raises(Interrupted, match="stopped by SIGINT after step 4 of 9"):
        Adam(steps=9).fit(
            ProductBorn(), bits_events(), Twice(3, signal.SIGTERM), seed=1, run=tmp_path
        )


STUCK = """
import hashlib, sys, threading
from qgen_core.errors import Interrupted
from qgen_core.losses.mean import Mean
from qgen_core.testing.quadratic import Quadratic, events
from qgen_core.trainers.adam import Adam
from qgen_core.training import stop_request

class Long(Mean):
    def __call__(self, output, batch):
        said = "in the step\\n"  # a moment later, so that the compiled code has begun
        threading.Timer(0.2, sys.stderr.write, (said,)).start()
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # hours

stop_request.GRACE = 0.01
try:
    Adam(steps=3).fit(Quadratic(), events(), Long(), seed=1, run=sys.argv[1])
except Interrupted as error:  # a slow machine had not begun it yet
    sys.stderr.write(f"stopped within a step; continue from {error}")
    sys.exit(75)
"""


def test_ctrl_c_is_answered_within_a_step_of_compiled_code(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STUCK, str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in ("in the step", "SIGINT: finishing the step, again to stop now"):
                assert process.stderr.readline().strip() == line
                process.send_signal(signal.SIGINT)
            assert process.stderr.readline().startswith("stopped within a step; continue from")
            assert process.wait(timeout=120) == 75
        finally:
            process.kill()
    saved = Checkpoints(tmp_path).latest()
    assert saved is not None and saved.step == 0


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
