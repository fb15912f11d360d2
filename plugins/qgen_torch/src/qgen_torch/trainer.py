"""The trainer ``torch``: the optimisers and schedulers of torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from qgen_core import Trainer
from qgen_core.errors import BadOption, CheckpointError
from qgen_core.interfaces import Problem, Selection, name_of
from qgen_core.typing import Array
from qgen_torch.optim.data_parallel import ProcessGroup, split_batch
from qgen_torch.optim.factories import OptimizerFactory, Options, SchedulerFactory
from qgen_torch.optim.moving_average import MovingAverage
from qgen_torch.optim.optimizer_state import ArrayOptimizer


class TorchTrainer(Trainer):
    """Trains any generator with an optimiser of torch.optim; parameters are updated in place.

    Under torchrun each process computes the gradients of its shares of each batch, and they are
    summed; the result does not depend on the number of processes. Critics are updated identically
    in every process. Only the first process writes the run folder.

    Args:
        optimizer: class of torch.optim, e.g. Adam, AdamW, RMSprop, SGD, Adadelta. LBFGS,
            SparseAdam and Muon are excluded: they need more than a gradient.
        learning_rate: the optimiser's ``lr``.
        optimizer_options: its other options, e.g. ``betas``, ``momentum``, ``weight_decay``.
        scheduler: class of torch.optim.lr_scheduler whose options are plain values, e.g.
            CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau (which reads the loss); it advances
            after every training step.
        scheduler_options: its options; ``T_max`` and ``total_steps`` default to ``steps``.
        clip_norm: the largest norm of the gradient over all parameters; a larger gradient is
            scaled down to it.
        clip_value: every entry of the gradient is clipped to [-clip_value, clip_value], before
            ``clip_norm``.
        ema: the decay d of a moving average ``a = d a + (1 - d) theta`` that starts from the
            parameters after the first step. Training continues from the parameters themselves;
            when it ends, they are replaced by the average.
        shares: the number of blocks into which each batch is split. Each block has its own random
            numbers, and gradients are summed. The result is that of the whole batch for losses
            that are means over events. Must be a multiple of the number of processes. Batches of a
            model with batch normalisation are not split: every process computes them whole.
        steps: of the training.
        batch_size: events a step; None takes all of them.
        keep_best: end with the parameters of the lowest loss.
        patience: stop after this many steps without improvement.
        select: what the best parameters are chosen by: ``loss`` on validation events, or a
            metric; implies ``keep_best``.
        validate_every: steps between two validations.

    Raises BadOption for names, options and values that torch rejects.

    >>> TorchTrainer(optimizer="AdamW", optimizer_options={"weight_decay": 0.01}, steps=10).steps
    10
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
        select: Selection = None,
        validate_every: int | None = None,
    ) -> None:
        super().__init__(
            steps=steps,
            batch_size=batch_size,
            keep_best=keep_best,
            patience=patience,
            select=select,
            validate_every=validate_every,
        )
        for name, value in (("clip_norm", clip_norm), ("clip_value", clip_value)):
            if value is not None and not value > 0:
                raise BadOption(f"{name} of trainer 'torch' must be above 0, not {value:g}")
        if ema is not None and not 0 < ema < 1:
            raise BadOption(f"ema is the decay of an average, between 0 and 1, not {ema:g}")
        if ema is not None and self.keep_best:
            raise BadOption(
                "a training ends on the average (ema) or on the best parameters (keep_best, "
                "select), not on both"
            )
        if shares < 1:
            raise BadOption(f"shares must be at least 1, not {shares}")
        self.optimizers = OptimizerFactory(
            "trainer 'torch'", optimizer, learning_rate, optimizer_options
        )
        self.schedulers = SchedulerFactory(
            "trainer 'torch'", scheduler, scheduler_options, self.optimizers
        )
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.ema = ema
        self.shares = shares
        self._processes: ProcessGroup | None = None
        self._optimizer: ArrayOptimizer | None = None
        self._average: MovingAverage | None = None
        #: A state that was loaded and is not applied yet: that needs the parameters.
        self._loaded: dict[str, Array] | None = None

    def step(self, problem: Problem) -> float:
        """One optimiser step; returns the loss before it."""
        if problem.step == 0 or self._loaded is not None or self._optimizer is None:
            self._begin(problem)
        assert self._optimizer is not None
        value, gradient = self._value_and_gradient(problem)
        tensors = self._optimizer.set_gradients(gradient)
        if self.clip_value is not None:
            torch.nn.utils.clip_grad_value_(tensors, self.clip_value)
        if self.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(tensors, self.clip_norm)
        self._optimizer.step(value)
        if self._average is not None:
            self._average.update()
        return value

    def finish(self, problem: Problem) -> None:
        if self._loaded is not None and self._optimizer is None:
            # Resumed after the last step: restore the average, do not train.
            self._restore(problem)
        if self._average is not None:
            self._average.swap_in()

    def state(self) -> dict[str, Array]:
        """Copies of the optimiser's tensors, the scheduler's numbers and the average."""
        if self._loaded is not None:
            return {name: array.copy() for name, array in self._loaded.items()}
        found: dict[str, Array] = {}
        for part, holder in (("optimizer", self._optimizer), ("average", self._average)):
            if holder is None:
                continue
            for name, array in holder.state().items():
                found[f"{part}/{name}"] = array
        return found

    def load(self, state: Mapping[str, Array]) -> None:
        """Keep a saved state; the next step checks that it fits the parameters and applies it."""
        for name, array in state.items():
            known_part = name.partition("/")[0] in ("optimizer", "average")
            if not known_part or array.dtype.kind not in "fiub":
                raise CheckpointError(
                    f"trainer 'torch' has no state {name!r} of type {array.dtype}"
                )
        self._loaded = {name: np.array(array) for name, array in state.items()}
        self._optimizer = None

    def _begin(self, problem: Problem) -> None:
        """Prepare for steps from here on, alone or with the other processes."""
        self._restore(problem)
        if self._average is not None:
            self._average.swap_out()
        self._processes = ProcessGroup(self.shares)
        self._processes.check_consistent(problem.step, problem.generator.parameters())
        if self.shares > 1 and problem.generator.needs_whole_batch:
            problem.warn(
                f"batches are not split into {self.shares} shares, because outputs of generator "
                f"{name_of(problem.generator)!r} depend on the whole batch, e.g. by batch "
                "normalisation: every process computes all of it"
            )

    def _restore(self, problem: Problem) -> None:
        """Build the optimiser for this problem: new at step 0, later with the loaded state."""
        live = problem.generator.parameters()
        self._average = None if self.ema is None else MovingAverage(self.ema, live)
        self._optimizer = ArrayOptimizer(live, self.optimizers, self.schedulers, problem.total)
        if problem.step > 0 and self._loaded is not None:
            parts: dict[str, dict[str, Array]] = {"optimizer": {}, "average": {}}
            for name, array in self._loaded.items():
                part, _, rest = name.partition("/")
                parts[part][rest] = array
            self._optimizer.load("trainer 'torch'", parts["optimizer"])
            if self._average is not None:
                self._average.load("the average of trainer 'torch'", parts["average"])
        self._loaded = None

    def _value_and_gradient(self, problem: Problem) -> tuple[float, dict[str, Array]]:
        """The loss and its gradient, summed over the shares of all processes."""
        assert self._processes is not None
        if self.shares == 1 or problem.generator.needs_whole_batch:
            return problem.value_and_gradient()
        blocks = split_batch(problem.batch, self.shares)
        total = 0.0
        gradient: dict[str, Array] = {}
        for share in self._processes.own_shares:
            batch, weight = blocks[share]
            value, part = problem.value_and_gradient(batch, worker=share)
            total += weight * value
            gradient = {
                name: weight * array + gradient.get(name, 0.0) for name, array in part.items()
            }
        total, gradient = self._processes.sum(total, gradient)
        largest = [float(np.max(np.abs(array), initial=0.0)) for array in gradient.values()]
        problem.log(gradient=max(largest, default=0.0))
        return total, gradient
