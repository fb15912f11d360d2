"""The training loop: batches, critics, history, checkpoints, signals, and reasons to stop.

``Trainer.fit`` calls :func:`fit`. A trainer only updates the parameters, by one step (``step``) or
to the end (``minimise``), from the values and gradients of the problem.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from qgen_core.discovery import hooks as hook_calls
from qgen_core.errors import Diverged, Interrupted
from qgen_core.events import Events
from qgen_core.interfaces import Generator, History, Loss, Stateful, Trainer, name_of
from qgen_core.support.checkpoint import Checkpoints, HistoryFile, Saved
from qgen_core.support.parameters import assign, flatten
from qgen_core.training.checkpoints import (
    LoopState,
    arrays_to_save,
    load_sampler,
    numbers_to_save,
    restore,
)
from qgen_core.training.problem import TrainingProblem, check_comparable, check_match
from qgen_core.training.stop_request import StopRequest
from qgen_core.training.validation import Validation
from qgen_core.typing import Floats

#: A gradient whose largest entry is below this is reported as vanished.
VANISHING = 1e-12
#: How the warning begins; it is given once.
VANISHED = "the gradient vanished"


class _Stopped(Exception):
    """Leaves the optimiser of a trainer that owns its loop when the steps are used up."""


class _Loop(TrainingProblem):
    """A problem that also keeps the history, the best parameters and the checkpoints."""

    def __init__(
        self,
        trainer: Trainer,
        generator: Generator,
        data: Events,
        loss: Loss,
        seed: int,
        checkpoints: Checkpoints | None,
        validation: Events | None,
    ) -> None:
        super().__init__(generator, data, loss, seed, trainer.steps, trainer.batch_size)
        self.trainer = trainer
        self.common_numbers = trainer.random_numbers == "common"
        self.validation = validation
        #: Whether the model does anything before a step; without, no random stream is made.
        self._is_prepared = type(generator).prepare is not Generator.prepare
        self._validator: Validation | None = None
        if trainer.select is not None:
            self._validator = Validation(trainer, validation, loss)
        self.checkpoints = checkpoints
        self.history = History()
        self.before = flatten(generator.parameters())
        start = np.empty(0)
        if trainer.owns_loop:
            start = self.before.copy()
        self.state = LoopState(
            self.before.copy(), start, warnings=self.history.warnings, draws=self.history.draws
        )
        self.stop_request = StopRequest()
        self.started = time.monotonic()
        self.saved_at = self.started
        self.file: HistoryFile | None = None

    @property
    def components(self) -> dict[str, Stateful]:
        """The components whose state a checkpoint saves, but for the sampler, by their names."""
        return {"generator": self.generator, "loss": self.loss, "trainer": self.trainer}

    def resume(self) -> None:
        """Continue from the checkpoint of the run folder, or write the first one."""
        if self.checkpoints is None:
            return
        self.checkpoints.make_folder()
        saved = self.checkpoints.latest()
        if saved is not None:
            self.step = saved.step
            evaluations = 0
            if self.trainer.owns_loop:
                evaluations = saved.step
            restore(saved, self.components, self.state, evaluations=evaluations)
            self._restore_sampler(saved)
        if not self.checkpoints.writes:
            return
        seal = None
        if saved is not None:
            seal = saved.meta["history"]
            if seal["bytes"] and not self.checkpoints.history_path.exists():
                self.warn(f"{self.checkpoints.history_path} is missing: it begins anew")
            if saved.lost:
                self.warn(saved.lost)
        self.file = HistoryFile(self.checkpoints.history_path, seal)
        self.history.records = list(self.file.kept)
        if saved is None:
            self.save()

    def save(self) -> None:
        """Write the history and the state to disk."""
        if self.checkpoints is None or self.file is None:
            return
        for name, value in self.generator.parameters().items():
            self.check_finite(f"parameter {name!r}", value)
        self.file.flush()
        components = self.components
        numbers = numbers_to_save(self.state)
        numbers["history"] = self.file.seal
        if self.generator.sampler is not None:
            components["sampler"] = self.generator.sampler
            numbers["sampler"] = name_of(self.generator.sampler)
        arrays = arrays_to_save(components, self.state)
        self.checkpoints.save(self.step, arrays, numbers)
        self.saved_at = time.monotonic()

    def one_step(self) -> None:
        """Prepare the model, update the critic, if any, then the parameters, once."""
        if self._is_prepared:
            self.generator.prepare(self.batch, rng=self.rng("prepare"))
        self.update_critic()
        self.before = flatten(self.generator.parameters())
        self.end_step(self.trainer.step(self))

    def evaluate(self, theta: Floats) -> float:
        """The loss at ``theta`` (P,), counted as a step; from the journal where it is there."""
        if not self.trainer.owns_loop:
            return super().evaluate(theta)
        point = np.array(theta, dtype=np.float64)
        known = self.state.journal.replay(self.step, point)
        if known is not None:
            self.before = point
            self.step += 1
            return known
        if self.exhausted():
            raise _Stopped
        self.before = point
        value = self._prepared_value(point)
        self.state.journal.record(point, value)
        self.end_step(value)
        return value

    def _prepared_value(self, point: Floats) -> float:
        """The loss at a point, after the model was prepared there; parameters are restored."""
        parameters = self.generator.parameters()
        earlier = flatten(parameters)
        assign(parameters, point)
        try:
            self.generator.prepare(self.batch, rng=self.rng("prepare"))
            return float(self.values(point[None])[0])
        finally:
            assign(parameters, earlier)

    def stop(self, reason: str) -> None:
        """End the training after this step, with this reason in the history."""
        self.state.stop_reason = reason

    def warn(self, text: str) -> None:
        """Log a warning and add it to the history, once."""
        if text not in self.history.warnings:
            self.history.warnings.append(text)
            super().warn(text)

    def end_step(self, value: float) -> None:
        """Record a step, call the hooks, and save or stop if it is time to."""
        self.check_finite("loss", value)
        self._compare_with_best(float(value))
        self._note_draws()
        record: dict[str, Any] = {"step": self.step, "loss": float(value), **self.take_notes()}
        self._warn_if_vanishing(record)
        self.history.records.append(record)
        if self.file is not None:
            self.file.append(record)
        self.step += 1
        self._call_on_step(record)
        if self.loss.reads != "probabilities" and self.step % self.epoch_steps == 0:
            self.calls.on_epoch(problem=self, epoch=self.step // self.epoch_steps)
        if self.checkpoints is not None:
            self._save_or_interrupt(self.checkpoints)

    def _call_on_step(self, record: Mapping[str, Any]) -> None:
        """Call the hooks; a trainer that owns its loop shows them the point just evaluated."""
        if not self.calls.on_step.get_hookimpls():
            return
        if not self.trainer.owns_loop:
            self.calls.on_step(problem=self, record=record)
            return
        parameters = self.generator.parameters()
        current = flatten(parameters)
        assign(parameters, self.before)
        try:
            self.calls.on_step(problem=self, record=record)
        finally:
            assign(parameters, current)

    def _restore_sampler(self, saved: Saved) -> None:
        """Put the sampler's state back, unless the sampler was exchanged for another one."""
        sampler = self.generator.sampler
        if sampler is not None and not load_sampler(sampler, saved):
            self.warn(
                f"the checkpoint is of a training with sampler {saved.meta.get('sampler')!r}; "
                f"{name_of(sampler)!r} begins without a state"
            )

    def _note_draws(self) -> None:
        """Take what the sampler reported in this step into the history."""
        if self.generator.sampler is None:
            return
        record = self.generator.sampler.take_record()
        self.log(**{f"sampler.{name}": value for name, value in record.numbers.items()})
        self.state.draws.merge(record.sources, record.jobs)

    def _compare_with_best(self, loss: float) -> None:
        """Keep the parameters of this step if they are the best so far.

        These are the parameters that the loss was computed at, or, where they are selected by
        validation, those after the step.
        """
        if self._validator is None:
            self._keep_if_best(loss, self.before)
        elif self._validator.is_due(self.step):
            parameters = self.generator.parameters()
            current = flatten(parameters)
            point = self.before if self.trainer.owns_loop else current
            assign(parameters, point)
            value = self._validator.value(self.generator, self.rng("validation"))
            assign(parameters, current)
            self.check_finite("validation", value)
            self.log(validation=value)
            self._keep_if_best(value, point)

    def _keep_if_best(self, value: float, point: Floats) -> None:
        if value >= self.state.best_value:
            return
        self.state.best_value = value
        self.state.best_step = self.step
        self.state.best = point
        if self.trainer.owns_loop:
            assign(self.generator.parameters(), self.state.best)

    def _save_or_interrupt(self, checkpoints: Checkpoints) -> None:
        now = time.monotonic()
        limit = checkpoints.time_limit
        if limit is not None and now - self.started > limit:
            self.stop_request.by = self.stop_request.by or f"the time limit of {limit:g} s"
        if self.stop_request.by and self.step < self.total:
            self.save()
            raise Interrupted(
                f"stopped by {self.stop_request.by} after step {self.step} of {self.total}; "
                f"saved in {checkpoints.path}: continue with --resume"
            )
        if now - self.saved_at > checkpoints.every:
            self.save()

    def _warn_if_vanishing(self, record: Mapping[str, Any]) -> None:
        if self.before.size == 0:
            return
        known = any(text.startswith(VANISHED) for text in self.history.warnings)
        if record.get("gradient", 1.0) < VANISHING and not known:
            self.warn(
                f"{VANISHED} at step {self.step} (largest entry {record['gradient']:.2g}): "
                "the parameters no longer change; try other initial parameters or another ansatz"
            )

    def exhausted(self) -> bool:
        """Whether training ends here; the reason is written into the history."""
        patience = self.trainer.patience
        steps_since_best = self.step - 1 - self.state.best_step
        if self.step >= self.total:
            self.history.stopped = f"all {self.total} steps done"
        elif self.step > 0 and self.before.size == 0:
            self.history.stopped = f"generator {name_of(self.generator)!r} has no parameters"
        elif patience is not None and steps_since_best >= patience:
            compared = "least loss"
            if self._validator is not None:
                compared = f"least {self._validator.name} of validation"
            self.history.stopped = f"no new {compared} in {patience} steps"
        elif self.state.stop_reason:
            self.history.stopped = self.state.stop_reason
        return bool(self.history.stopped)

    @contextmanager
    def signals(self) -> Iterator[None]:
        """While training into a folder, signals save and stop after the current step.

        A second Ctrl-C stops within the step.
        """
        if self.checkpoints is None:
            yield
            return
        if threading.current_thread() is not threading.main_thread():
            with self.stop_request.registered():
                yield
            return
        try:
            with self.stop_request.listening():
                yield
        except KeyboardInterrupt:
            if not self.stop_request.by:
                raise
            note = self.checkpoints.note()
            saved = 0
            if note is not None:
                saved = note.step
            raise Interrupted(
                f"stopped by {self.stop_request.by} within step {self.step + 1} of {self.total}; "
                f"{saved} steps are saved in {self.checkpoints.path}: continue with --resume"
            ) from None

    def run(self, hooks: Sequence[object]) -> History:
        """Train until a reason to stop; on divergence the best parameters are restored."""
        self.calls = hook_calls.manager(hooks)
        self.calls.on_fit_start(problem=self)
        try:
            if self.trainer.owns_loop:
                self._minimise()
            else:
                while not self.exhausted():
                    self.one_step()
            if self.trainer.keep_best and self.state.best_step >= 0:
                assign(self.generator.parameters(), self.state.best)
                self.history.kept_step = self.state.best_step
                self.history.kept_value = self.state.best_value
                self.history.kept_by = "loss"
                if self._validator is not None:
                    self.history.kept_by = f"{self._validator.name} of validation"
            self.trainer.finish(self)
            self.save()
        except Diverged:
            assign(self.generator.parameters(), self.state.best)
            raise
        self.calls.on_fit_end(problem=self, history=self.history)
        return self.history

    def _minimise(self) -> None:
        """Run the optimiser from the initial parameters; the journal's evaluations are replayed."""
        if self.exhausted():
            return
        self.step = 0
        assign(self.generator.parameters(), self.state.start)
        try:
            if self.state.start.size:
                self.trainer.minimise(self)
            else:
                self.evaluate(self.state.start)
            self.state.journal.check_all_replayed(self.step)
            if not self.exhausted():
                self.history.stopped = "the optimiser ended"
        except _Stopped:
            final = self.before
            if self.trainer.keep_best:
                final = self.state.best
            assign(self.generator.parameters(), final)


def fit(
    trainer: Trainer,
    generator: Generator,
    data: Events,
    loss: Loss,
    *,
    seed: int,
    hooks: Sequence[object] = (),
    run: Checkpoints | str | PathLike[str] | None = None,
    validation: Events | None = None,
) -> History:
    """Train a generator; called by :meth:`qgen_core.interfaces.Trainer.fit`, which describes it.

    >>> from qgen_core.losses.mean import Mean
    >>> from qgen_core.testing.quadratic import Quadratic, events
    >>> from qgen_core.trainers.adam import Adam
    >>> history = fit(Adam(steps=3), Quadratic(), events(), Mean(), seed=1)
    >>> len(history.records), history.stopped
    (3, 'all 3 steps done')
    """
    check_match(generator, data, loss)
    check_comparable(trainer, generator, loss)
    if isinstance(run, str | PathLike):
        run = Checkpoints(Path(run))
    loop = _Loop(trainer, generator, data, loss, seed, run, validation)
    loop.resume()
    with loop.signals():
        return loop.run(hooks)
