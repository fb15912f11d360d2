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

#: At most so many steps for trainings that are killed: each is brought to disk.
RESUMED = 15


class TrainerKit(Kit):
    """Holds a trainer to its contract: inherit it, say how to make one of so many steps.

        class TestMine(TrainerKit):
            def make(self, steps):
                return MyTrainer(rate=0.1, steps=steps)

    Override ``problem`` for a trainer that needs another kind of model than a quadratic one.
    """

    #: Steps of a training.
    steps: int = 60
    #: What these steps must leave of the first distance to the bottom of the bowl.
    reduction: float = 0.1

    @abstractmethod
    def make(self, steps: int) -> Trainer:
        """The trainer to try, a fresh one with the same options at each call."""

    def problem(self) -> tuple[Generator, Events, Loss]:
        """What to train: a fresh model, the same each time, encoded events, and a loss."""
        return Quadratic(), events(), Mean()

    def excess(self, model: Generator) -> float:
        """How far the model is from the best one."""
        assert isinstance(model, Quadratic)
        return model.excess()

    def test_reduces_a_quadratic_problem(self) -> None:
        """After ``steps`` steps at most ``reduction`` of the first excess is left."""
        model, data, loss = self.problem()
        before = self.excess(model)
        live = model.parameters()
        with globals_untouched("fit()"):
            self.make(self.steps).fit(model, data, loss, seed=1)
        left = self.excess(model) / before
        check(
            left <= self.reduction,
            f"{self.steps} steps leave {left:.3g} of the first excess (allowed "
            f"{self.reduction:g}): the trainer moves "
            "the wrong way or hardly; take more steps or a larger step in make(), or mend step()",
        )
        check(
            all(np.shares_memory(live[name], value) for name, value in model.parameters().items()),
            "fit() replaced the model's arrays; write into parameters() in place",
        )

    def test_steps_are_respected(self) -> None:
        """At most ``steps`` steps, numbered from 0; an earlier end is explained."""
        for steps in (1, 7, self.steps):
            model, data, loss = self.problem()
            history = self.make(steps).fit(model, data, loss, seed=1)
            numbers = [record["step"] for record in history.records]
            check(
                numbers == list(range(len(numbers))) and 1 <= len(numbers) <= steps,
                f"a training of {steps} steps has {len(numbers)} in its history, the last "
                f"{numbers[-1:]}; hand steps "
                "to super().__init__",
            )
            check(
                len(numbers) == steps or bool(history.stopped),
                f"the training ended after {len(numbers)} of {steps} steps and does not say why: "
                "problem.stop(reason)",
            )

    def test_same_seed_same_path(self) -> None:
        """The same seed gives the same losses and parameters, also with a trainer used before."""
        trainer = self.make(self.steps)
        first, again = (self._fitted(trainer) for _ in range(2))
        other = self._fitted(self.make(self.steps))
        check(
            _same(first, other),
            "two trainings with the same seed take different paths; draw from problem.rng(purpose)",
        )
        check(
            _same(first, again),
            "a trainer that is used again takes another path; at problem.step == 0 forget what "
            "was before",
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
                f"killed after {k} of {done} steps and resumed, the training ends elsewhere: "
                f"{_difference(whole, resumed)}; state() must hold all that step() remembers, and "
                "load() take it back",
            )

    def test_state(self) -> None:
        """The state holds arrays of numbers, as checkpoints need, before and after training."""
        trainer = self.make(3)
        check_storable("the trainer", trainer.state())
        model, data, loss = self.problem()
        trainer.fit(model, data, loss, seed=1)
        state = trainer.state()
        check_storable("the trainer", state)
        fresh = self.make(3)
        fresh.load(state)
        again = fresh.state()
        lost = [
            name
            for name in state
            if name not in again or not np.array_equal(again[name], state[name])
        ]
        check(
            not lost and set(again) == set(state),
            f"after load() the state differs in {', '.join(lost) or 'its names'}",
        )

    def _fitted(self, trainer: Trainer, folder: Path | None = None) -> tuple[Floats, Floats]:
        """Parameters and losses of a training of a fresh model."""
        model, data, loss = self.problem()
        run = None if folder is None else _checkpoints(folder)
        history: History = trainer.fit(model, data, loss, seed=3, run=run)
        return flatten(model.parameters()), history.losses


class _Killed(Exception):
    """Ends a training as a power cut would."""


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
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def _difference(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> str:
    if first[1].shape != second[1].shape:
        return f"{len(second[1])} losses instead of {len(first[1])}"
    if not np.array_equal(first[1], second[1]):
        return f"the losses part at step {int(np.argmax(first[1] != second[1]))}"
    return f"the parameters differ by {np.max(np.abs(first[0] - second[0])):.3g}"
