"""The conformance kit of trainers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.discovery.hooks import hookimpl
from qgen_core.events import Events
from qgen_core.interfaces import Generator, History, Loss, Trainer
from qgen_core.losses.mean import Mean
from qgen_core.support.checkpoint import Checkpoints
from qgen_core.support.parameters import flatten
from qgen_core.testing.kit import Kit, check, check_storable, globals_untouched
from qgen_core.testing.quadratic import Quadratic, events
from qgen_core.typing import Floats

#: At most this number of steps in trainings that are killed, because each step is saved.
RESUMED = 15


class TrainerKit(Kit):
    """Checks a trainer against its contract; inherit it and define ``make``.

        class TestMine(TrainerKit):
            def make(self, steps):
                return MyTrainer(rate=0.1, steps=steps)

    Override ``problem`` and ``excess`` for a trainer that needs another kind of model than
    :class:`qgen_core.testing.quadratic.Quadratic`.

    >>> import qgen_core as qgen
    >>> class TestAdam(TrainerKit):
    ...     def make(self, steps):
    ...         return qgen.trainer("adam", learning_rate=0.1, steps=steps)
    >>> TestAdam().test_same_seed_same_path()
    """

    #: Number of steps of a training.
    steps: int = 60
    #: At most this fraction of the initial excess may be left after these steps.
    reduction: float = 0.1

    @abstractmethod
    def make(self, steps: int) -> Trainer:
        """The trainer to test, of this number of steps, a new one at each call."""

    def problem(self) -> tuple[Generator, Events, Loss]:
        """A new model, the same each time, encoded events, and a loss."""
        return Quadratic(), events(), Mean()

    def excess(self, model: Generator) -> float:
        """How much the loss of the model exceeds its minimum."""
        assert isinstance(model, Quadratic)
        return model.excess()

    def test_reduces_a_quadratic_problem(self) -> None:
        """After ``steps`` steps at most ``reduction`` of the initial excess is left."""
        model, data, loss = self.problem()
        before = self.excess(model)
        live = model.parameters()
        with globals_untouched("fit()"):
            self.make(self.steps).fit(model, data, loss, seed=1)
        left = self.excess(model) / before
        check(
            left <= self.reduction,
            f"{self.steps} steps leave {left:.3g} of the initial excess (allowed "
            f"{self.reduction:g}): the trainer does not minimise, or too slowly; take more steps "
            "or a larger step size in make(), or mend step()",
        )
        for name, value in model.parameters().items():
            check(
                np.shares_memory(live[name], value),
                f"fit() replaced the model's array {name!r}; write into parameters() in place",
            )

    def test_steps_are_respected(self) -> None:
        """At most ``steps`` steps, numbered from 0; an earlier end has a reason."""
        for steps in (1, 7, self.steps):
            model, data, loss = self.problem()
            history = self.make(steps).fit(model, data, loss, seed=1)
            numbers = [record["step"] for record in history.records]
            check(
                numbers == list(range(len(numbers))) and 1 <= len(numbers) <= steps,
                f"a training of {steps} steps has {len(numbers)} in its history, the last "
                f"{numbers[-1:]}; pass steps to super().__init__",
            )
            check(
                len(numbers) == steps or bool(history.stopped),
                f"the training ended after {len(numbers)} of {steps} steps without a reason; call "
                "problem.stop(reason)",
            )

    def test_same_seed_same_path(self) -> None:
        """The same seed gives the same losses and parameters, also with a trainer used before."""
        trainer = self.make(self.steps)
        first = self._fitted(trainer)
        again = self._fitted(trainer)
        other = self._fitted(self.make(self.steps))
        check(
            _same(first, other),
            "two trainings with the same seed differ; draw from problem.rng(purpose)",
        )
        check(
            _same(first, again),
            "a trainer that is used again gives another result; reset its state at "
            "problem.step == 0",
        )

    def test_resumes_bit_identically(self, tmp_path: Path) -> None:
        """Resumed after a kill at step k, parameters and losses are identical bit for bit."""
        steps = min(self.steps, RESUMED)
        whole = self._fitted(self.make(steps))
        done = len(whole[1])
        for k in sorted({1, done // 2, done - 1} - {0}):
            folder = tmp_path / f"killed-after-{k}"
            model, data, loss = self.problem()
            with suppress(_Killed):
                self.make(steps).fit(
                    model, data, loss, seed=3, hooks=[_Kill(k)], run=_checkpoints(folder)
                )
            resumed = self._fitted(self.make(steps), folder)
            check(
                _same(whole, resumed),
                f"killed after {k} of {done} steps and resumed, the training gives another result: "
                f"{_difference(whole, resumed)}; state() must return all that step() keeps, and "
                "load() restore it",
            )

    def test_state(self) -> None:
        """Before and after training the state is arrays of numbers that load() restores."""
        trainer = self.make(3)
        check_storable("the trainer", trainer.state())
        model, data, loss = self.problem()
        trainer.fit(model, data, loss, seed=1)
        state = trainer.state()
        check_storable("the trainer", state)
        fresh = self.make(3)
        fresh.load(state)
        again = fresh.state()
        differing = set(again) ^ set(state)
        for name in set(again) & set(state):
            if not np.array_equal(again[name], state[name]):
                differing.add(name)
        check(
            not differing,
            f"after load() the state differs in {', '.join(sorted(differing))}",
        )

    def _fitted(self, trainer: Trainer, folder: Path | None = None) -> tuple[Floats, Floats]:
        """Parameters and losses after training a new model."""
        model, data, loss = self.problem()
        run = None
        if folder is not None:
            run = _checkpoints(folder)
        history: History = trainer.fit(model, data, loss, seed=3, run=run)
        return flatten(model.parameters()), history.losses


class _Killed(Exception):
    """Ends a training at once, as the end of the process would."""


class _Kill:
    """Ends a training after k steps."""

    def __init__(self, k: int) -> None:
        self.k = k

    @hookimpl
    def on_step(self, record: Mapping[str, Any]) -> None:
        """Raise in the k-th step, before its checkpoint."""
        if record["step"] == self.k:
            raise _Killed


def _checkpoints(folder: Path) -> Checkpoints:
    """Checkpoints after every step."""
    return Checkpoints(folder, every=-1.0)


def _same(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> bool:
    """Whether parameters and losses of two trainings are identical."""
    return np.array_equal(first[0], second[0]) and np.array_equal(first[1], second[1])


def _difference(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> str:
    """How parameters or losses of two trainings differ."""
    if first[1].shape != second[1].shape:
        return f"{len(second[1])} losses instead of {len(first[1])}"
    if not np.array_equal(first[1], second[1]):
        return f"the losses differ from step {int(np.argmax(first[1] != second[1]))}"
    return f"the parameters differ by {np.max(np.abs(first[0] - second[0])):.3g}"
