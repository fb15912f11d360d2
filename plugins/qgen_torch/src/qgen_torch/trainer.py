"""The trainer ``torch``: the optimisers and schedulers of torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from qgen_core import Trainer
from qgen_core.errors import BadOption, CheckpointError
from qgen_core.interfaces import Problem
from qgen_core.typing import Array
from qgen_torch.optim.average import Average
from qgen_torch.optim.choice import Optimizers, Options, Schedulers
from qgen_torch.optim.moving import Moving
from qgen_torch.optim.shares import Processes, cut


class TorchTrainer(Trainer):
    """Moves the parameters of any generator with an optimiser of torch.optim, in place.

    Every process that torchrun starts takes its shares of each batch, and their gradients are summed;
    what comes out does not depend on the number of processes. Critics are updated in every process
    alike. The first process alone writes the run folder.

    Args:
        optimizer: class of torch.optim, e.g. Adam, AdamW, RMSprop, SGD, Adadelta. Not LBFGS,
            SparseAdam and Muon, which ask for more than a gradient of any parameters.
        learning_rate: the optimiser's ``lr``.
        optimizer_options: its other options, e.g. ``betas``, ``momentum``, ``weight_decay``.
        scheduler: class of torch.optim.lr_scheduler that is made of numbers, e.g. CosineAnnealingLR,
            OneCycleLR, ReduceLROnPlateau (which looks at the loss); it makes a step after each step.
        scheduler_options: its options; ``T_max`` and ``total_steps`` are ``steps`` where not given.
        clip_norm: a gradient longer than this, all parameters together, is shortened to it.
        clip_value: every entry of the gradient is brought to [-clip_value, clip_value], before
            ``clip_norm``.
        ema: the decay d of a running average ``a = d a + (1 - d) theta``, which begins with the
            parameters after the first step. Steps go on from the parameters themselves; a training
            that comes to its end leaves the average in their place.
        shares: a batch is cut into so many parts, each with random numbers of its own, and what
            they give is added up. The result is that of the whole batch for losses that are means
            over events. A multiple of the number of processes.

    Raises BadOption for names, options and values that torch does not take.
    """

    def __init__(
        self,
        *,
        optimizer: str = "Adam",
        learning_rate: float = 1e-3,
        optimizer_options: Options | None = None,
        scheduler: str | None = None,
        scheduler_options: Options | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        ema: float | None = None,
        shares: int = 1,
        steps: int = 300,
        batch_size: int | None = None,
        keep_best: bool = False,
        patience: int | None = None,
    ) -> None:
        super().__init__(steps=steps, batch_size=batch_size, keep_best=keep_best, patience=patience)
        for name, value in (("clip_norm", clip_norm), ("clip_value", clip_value)):
            if value is not None and not value > 0:
                raise BadOption(f"{name} of trainer 'torch' is above 0, not {value:g}")
        if ema is not None and not 0 < ema < 1:
            raise BadOption(f"ema is the decay of an average, between 0 and 1, not {ema:g}")
        if ema is not None and keep_best:
            raise BadOption(
                "a training ends on the average (ema) or on the best parameters (keep_best), not on both"
            )
        if shares < 1:
            raise BadOption(f"shares is at least 1, not {shares}")
        self.optimizers = Optimizers("trainer 'torch'", optimizer, learning_rate, optimizer_options)
        self.schedulers = Schedulers(
            "trainer 'torch'", scheduler, scheduler_options, self.optimizers
        )
        self.clip_norm, self.clip_value, self.ema, self.shares = clip_norm, clip_value, ema, shares
        self._processes: Processes | None = None
        self._moving: Moving | None = None
        self._average: Average | None = None
        self._loaded: dict[str, Array] | None = None

    def step(self, problem: Problem) -> float:
        """Move once along the gradient; the loss before the move."""
        if problem.step == 0 or self._loaded is not None or self._moving is None:
            self._begin(problem)
        assert self._moving is not None
        value, gradient = self._value_and_gradient(problem)
        tensors = self._moving.take(gradient)
        if self.clip_value is not None:
            torch.nn.utils.clip_grad_value_(tensors, self.clip_value)
        if self.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(tensors, self.clip_norm)
        self._moving.step(value)
        if self._average is not None:
            self._average.update()
        return value

    def finish(self, problem: Problem) -> None:
        if self._loaded is not None and self._moving is None:  # all steps were done before
            self._begin(problem, go_on=False)
        if self._average is not None:
            self._average.settle()

    def state(self) -> dict[str, Array]:
        """The optimiser's tensors, the scheduler's numbers and the average."""
        if self._loaded is not None:
            return {name: array.copy() for name, array in self._loaded.items()}
        parts = {"optimizer": self._moving, "average": self._average}
        return {
            f"{part}/{name}": array
            for part, holder in parts.items()
            if holder is not None
            for name, array in holder.state().items()
        }

    def load(self, state: Mapping[str, Array]) -> None:
        """Take it back; whether it fits the parameters is seen at the next step."""
        for name, array in state.items():
            if (
                name.partition("/")[0] not in ("optimizer", "average")
                or array.dtype.kind not in "fiub"
            ):
                raise CheckpointError(
                    f"trainer 'torch' has no state {name!r} of type {array.dtype}"
                )
        self._loaded = {name: np.array(array) for name, array in state.items()}
        self._moving = None

    def _begin(self, problem: Problem, *, go_on: bool = True) -> None:
        """Build the optimiser for this problem, at step 0 anew, else in the state that was loaded."""
        live = problem.generator.parameters()
        self._average = None if self.ema is None else Average(self.ema, live)
        self._moving = Moving(live, self.optimizers, self.schedulers, problem.total)
        if problem.step > 0 and self._loaded is not None:
            parts: dict[str, dict[str, Array]] = {"optimizer": {}, "average": {}}
            for name, array in self._loaded.items():
                part, _, rest = name.partition("/")
                parts[part][rest] = array
            self._moving.load("trainer 'torch'", parts["optimizer"])
            if self._average is not None:
                self._average.load("the average of trainer 'torch'", parts["average"])
        self._loaded = None
        if not go_on:
            return
        if self._average is not None:
            self._average.unsettle()
        self._processes = Processes(self.shares)
        self._processes.check_alike(problem.step, live)

    def _value_and_gradient(self, problem: Problem) -> tuple[float, dict[str, Array]]:
        """The loss and its gradient, added up over the shares of all processes."""
        assert self._processes is not None
        if self.shares == 1:
            return problem.value_and_gradient()
        parts = cut(problem.batch, self.shares)
        total = 0.0
        gradient: dict[str, Array] = {}
        for number in self._processes.own:
            batch, weight = parts[number]
            value, part = problem.value_and_gradient(batch, worker=number)
            total += weight * value
            gradient = {n: weight * g + gradient.get(n, 0.0) for n, g in part.items()}
        total, gradient = self._processes.sum(total, gradient)
        problem.log(
            gradient=max(
                (float(np.max(np.abs(part), initial=0.0)) for part in gradient.values()),
                default=0.0,
            )
        )
        return total, gradient
