"""The one training loop: batches, critics, history, checkpoints, signals, guards.

``Trainer.fit`` calls :func:`fit`; a trainer only says how parameters move, once
(``step``) or to the end (``minimise``), and asks the :class:`Problem` for values and
gradients. Floors: this stands below the interfaces and knows their methods by name only.
"""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from qgen_core.discovery import hooks as hook_calls
from qgen_core.errors import (
    BadOption,
    CheckpointError,
    DataError,
    Diverged,
    Interrupted,
    OutputMismatch,
)
from qgen_core.events import Batch, Events
from qgen_core.support.checkpoint import Checkpoints, HistoryFile, Saved
from qgen_core.support.random_streams import stream
from qgen_core.typing import Array, Floats

if TYPE_CHECKING:
    from qgen_core.interfaces import Backend, Generator, Loss, Trainer

log = logging.getLogger("qgen")

#: A gradient whose largest entry stays below this is called vanishing.
VANISHING = 1e-12
VANISHED = "the gradient vanished"


def name_of(component: object) -> str:
    """The registry name a component was built under, else its class name."""
    return str(getattr(component, "__qgen_name__", type(component).__name__))


def flatten(parameters: Mapping[str, Array]) -> Floats:
    """All parameters as one vector (P,), in the order of their keys' appearance."""
    parts = [np.ravel(value) for value in parameters.values()]
    return np.concatenate(parts, dtype=np.float64) if parts else np.empty(0)


def assign(parameters: Mapping[str, Array], flat: Floats) -> None:
    """Write a flat vector back into the live arrays."""
    at = 0
    for value in parameters.values():
        value[...] = flat[at : at + value.size].reshape(value.shape)
        at += value.size


def load_into(owner: str, live: Mapping[str, Array], state: Mapping[str, Array]) -> None:
    """Copy saved arrays into live ones of the same names and shapes, all or nothing."""
    if set(live) != set(state):
        raise CheckpointError(f"{owner} holds {sorted(live)}, the checkpoint {sorted(state)}")
    for name, value in state.items():
        if value.shape != live[name].shape or not np.can_cast(
            value.dtype, live[name].dtype, "same_kind"
        ):
            raise CheckpointError(
                f"{name!r} of {owner} is {live[name].dtype} {live[name].shape}, "
                f"in the checkpoint {value.dtype} {value.shape}"
            )
    for name, value in state.items():
        live[name][...] = value


@dataclass
class History:
    """One record a step, with ``step`` and ``loss``; why it stopped; warnings on the way."""

    records: list[dict[str, Any]] = field(default_factory=list)
    stopped: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def losses(self) -> Floats:
        """The loss of each step."""
        return np.array([r["loss"] for r in self.records], dtype=np.float64)


class Problem:
    """What a trainer sees: values and gradients of the loss at this step, and random streams."""

    def __init__(
        self,
        generator: Generator,
        data: Events,
        loss: Loss,
        seed: int,
        total: int,
        batch_size: int | None,
    ) -> None:
        self.generator, self.data, self.loss = generator, data, loss
        self.seed, self.total, self.batch_size = seed, total, batch_size
        self.step = 0
        self.stop_reason = ""
        self._notes: dict[str, float] = {}
        self._target: Batch | None = None
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, dtype=np.int64))
        self._current: tuple[int, Batch] | None = None

    def rng(self, purpose: str, worker: int = 0) -> np.random.Generator:
        """The random stream of a purpose at this step."""
        return stream(self.seed, purpose, self.step, worker)

    @property
    def epoch_steps(self) -> int:
        """Steps of one pass over the events: batches of ``batch_size`` or, to come out even, fewer."""
        return -(-len(self.data) // (self.batch_size or len(self.data)))

    @property
    def batch(self) -> Batch:
        """What this step looks at, the same at every call within the step."""
        if self._current is None or self._current[0] != self.step:
            self._current = (self.step, self._draw())
        return self._current[1]

    def value_and_gradient(
        self, batch: Batch | None = None, worker: int = 0
    ) -> tuple[float, dict[str, Array]]:
        """The loss and its gradients keyed as the parameters. Raises Diverged if not finite.

        ``batch``: another than this step's, e.g. a part of it, with random numbers of its own ``worker``.
        """
        batch = self.batch if batch is None else batch
        output, pullback = self.generator.forward(
            self.loss.reads, batch, rng=self.rng("forward", worker)
        )
        value, cotangent = self.loss(output, batch)
        self._check_finite("loss", value)
        self._check_finite("gradient", cotangent)
        gradient = pullback(cotangent)
        largest = [float(np.abs(part).max(initial=0.0)) for part in gradient.values()]
        for size in largest:
            self._check_finite("gradient", size)
        self.log(gradient=max(largest, default=0.0))
        return value, gradient

    def values(self, thetas: Floats, backend: Backend | None = None) -> Floats:
        """The loss at many flat parameter vectors (T, P), all on this step's batch: (T,)."""
        outputs = self.generator.outputs_at(
            self.loss.reads,
            np.atleast_2d(thetas),
            self.batch,
            rng=self.rng("forward"),
            backend=backend,
        )
        values = np.array([self.loss(output, self.batch)[0] for output in outputs])
        self._check_finite("loss", values)
        return values

    def evaluate(self, theta: Floats) -> float:
        """For ``minimise``: the loss at one vector. Each call is a step; a resumed run replays them."""
        raise BadOption("only a trainer that owns its loop evaluates step by step")

    def log(self, **numbers: float) -> None:
        """Add numbers to this step's line of the history."""
        self._notes.update({name: float(value) for name, value in numbers.items()})

    def stop(self, reason: str) -> None:
        """End the training after this step; the reason goes to ``History.stopped``."""
        self.stop_reason = reason

    def warn(self, text: str) -> None:
        """Log a warning; it also goes to ``History.warnings``, once."""
        log.warning(text)

    def take_notes(self) -> dict[str, float]:
        """The logged numbers of this step, which are then forgotten."""
        notes, self._notes = self._notes, {}
        return notes

    def update_critic(self) -> None:
        """The critic's updates before this step, each with fresh events and fresh samples."""
        for worker in range(self.loss.updates):
            rng = self.rng("critic", worker)
            size = min(self.batch_size or len(self.data), len(self.data))
            batch = self._minibatch(rng.choice(len(self.data), size=size, replace=False))
            output, _ = self.generator.forward(self.loss.reads, batch, rng=rng)
            value = self.loss.update(output, batch, rng=rng)
            if value is not None:
                self._check_finite("loss of the critic", value)
                self.log(critic=value)

    def _draw(self) -> Batch:
        if self.loss.reads == "probabilities":
            if self._target is None:
                conditions, target = self.data.target(self.generator.space)
                self._target = Batch(condition=conditions, target=target, total=self.total)
            return Batch(
                None, self._target.condition, None, self._target.target, self.step, self.total
            )
        if self.batch_size is None or self.batch_size >= len(self.data):
            return self._minibatch(None)
        epoch, place = divmod(self.step, self.epoch_steps)
        if self._order[0] != epoch:
            self._order = (epoch, stream(self.seed, "data", epoch).permutation(len(self.data)))
        first, last = (len(self.data) * i // self.epoch_steps for i in (place, place + 1))
        return self._minibatch(self._order[1][first:last])

    def _minibatch(self, index: NDArray[np.int64] | None) -> Batch:
        """The events at these places, or all; ``take`` is several times faster than an index in brackets."""
        data = self.data
        x, condition, weight = (
            part if part is None or index is None else part.take(index, axis=0)
            for part in (data.x, data.condition, data.weight)
        )
        return Batch(x, condition, weight, None, self.step, self.total)

    def _check_finite(self, what: str, values: Array | float) -> None:
        if isinstance(values, float) and math.isfinite(values):
            return
        finite = np.isfinite(values)
        if not np.all(finite):
            raise Diverged(
                f"the {what} became {np.asarray(values)[~finite][0]} at step {self.step}; the last good parameters "
                "are kept: lower the learning rate, or look for weights and bins of zero"
            )


def check_match(generator: Generator, data: Events, loss: Loss) -> None:
    """Raise OutputMismatch, before anything runs, if loss, generator and events do not fit."""
    if loss.reads not in generator.outputs:
        raise OutputMismatch(
            f"loss {name_of(loss)!r} reads {loss.reads}; "
            f"generator {name_of(generator)!r} offers {', '.join(sorted(generator.outputs))}"
        )
    if len(data) == 0:
        raise DataError("there are no events to train on")
    if data.x.shape[1] != generator.space.width:
        raise OutputMismatch(
            f"the events are encoded in {data.x.shape[1]} columns; "
            f"generator {name_of(generator)!r} makes {generator.space}"
        )
    needs, has = generator.condition, data.condition
    if (needs is None) != (has is None) or (
        needs is not None and has is not None and has.shape[1] != needs.width
    ):
        wanted = "no condition" if needs is None else f"a condition of {needs}"
        given = "none" if has is None else f"one of {has.shape[1]} columns"
        raise OutputMismatch(
            f"generator {name_of(generator)!r} takes {wanted}; the events have {given}"
        )


class _Loop(Problem):
    """A problem that also keeps the books: history, best state, checkpoints, stops."""

    def __init__(
        self,
        trainer: Trainer,
        generator: Generator,
        data: Events,
        loss: Loss,
        seed: int,
        checkpoints: Checkpoints | None,
    ) -> None:
        super().__init__(generator, data, loss, seed, trainer.steps, trainer.batch_size)
        self.trainer = trainer
        self.checkpoints = checkpoints
        self.history = History()
        self.best_value, self.best_step = np.inf, -1
        self.before = flatten(generator.parameters())
        self.best = self.before.copy()
        self.origin = self.before.copy() if trainer.owns_loop else np.empty(0)
        self.journal: list[tuple[float, float]] = []
        self.stop_signal = ""
        self.started = self.saved_at = time.monotonic()
        self.file: HistoryFile | None = None

    def resume(self) -> None:
        """Take up the checkpoint of the run folder, or write the first one."""
        if self.checkpoints is None:
            return
        self.checkpoints.make_folder()
        saved = self.checkpoints.latest()
        if saved is not None:
            self._take_up(saved)
        if not self.checkpoints.writes:
            return
        self.file = HistoryFile(self.checkpoints.history_path, self.step)
        self.history.records = list(self.file.kept)
        if saved is None:
            self.save()

    def _take_up(self, saved: Saved) -> None:
        owners = {"generator": self.generator, "loss": self.loss, "trainer": self.trainer}
        parts: dict[str, dict[str, Array]] = {name: {} for name in (*owners, "fit")}
        for name, value in saved.arrays.items():
            owner, _, rest = name.partition("/")
            if owner not in parts:
                raise CheckpointError(
                    f"the checkpoint holds {name!r}, which belongs to nothing in this run"
                )
            parts[owner][rest] = value
        try:
            self.step = saved.step
            self._load_books(parts["fit"], saved.meta)
            for name, part in owners.items():
                part.load(parts[name])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise CheckpointError(
                f"the checkpoint does not fit this run: {type(error).__name__}: {error}"
            ) from error

    def _load_books(self, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
        rows = self.step if self.trainer.owns_loop else 0
        if "journal" not in arrays or arrays["journal"].shape != (rows, 2):
            raise CheckpointError(f"the checkpoint has no journal of {rows} evaluations")
        journal = np.empty((rows, 2))
        load_into(
            "the training loop",
            {"best": self.best, "origin": self.origin, "journal": journal},
            arrays,
        )
        self.journal = [(float(value), float(mark)) for value, mark in journal]
        value, step, warnings, reason = (
            meta[k] for k in ("best_value", "best_step", "warnings", "stop_reason")
        )
        self.best_value = np.inf if value is None else float(value)
        self.best_step, self.history.warnings = int(step), [str(text) for text in warnings]
        self.stop_reason = str(reason)
        if np.isnan(self.best_value) or not -1 <= self.best_step < max(self.step, 1):
            raise CheckpointError("the checkpoint holds no books of a training loop")

    def save(self) -> None:
        """Bring history and state to disk."""
        if self.checkpoints is None or self.file is None:
            return
        for name, value in self.generator.parameters().items():
            self._check_finite(f"parameter {name!r}", value)
        self.file.flush()
        owners = {"generator": self.generator, "loss": self.loss, "trainer": self.trainer}
        arrays = {
            f"{who}/{name}": value
            for who, owner in owners.items()
            for name, value in owner.state().items()
        }
        journal = np.array(self.journal, dtype=np.float64).reshape(-1, 2)
        arrays |= {"fit/best": self.best, "fit/origin": self.origin, "fit/journal": journal}
        meta = {
            "best_value": self.best_value if np.isfinite(self.best_value) else None,
            "best_step": self.best_step,
            "warnings": self.history.warnings,
            "stop_reason": self.stop_reason,
        }
        self.checkpoints.save(self.step, arrays, meta)
        self.saved_at = time.monotonic()

    def one_step(self) -> None:
        self.update_critic()
        self.before = flatten(self.generator.parameters())
        self.finish(self.trainer.step(self))

    def evaluate(self, theta: Floats) -> float:
        if not self.trainer.owns_loop:
            return super().evaluate(theta)
        point = np.array(theta, dtype=np.float64)
        mark = float(point @ np.sin(np.arange(1, len(point) + 1)))
        if self.step < len(self.journal):
            value, expected = self.journal[self.step]
            if not abs(mark - expected) <= 1e-9 * (1 + abs(expected)):
                raise CheckpointError(
                    f"the optimiser took another path than the saved run at evaluation {self.step}; "
                    "resume with the versions of numpy and scipy it began with, or start anew"
                )
            self.before = point
            self.step += 1
            return value
        if self.exhausted():
            raise _Stopped
        self.before = point
        value = float(self.values(point[None])[0])
        self.journal.append((value, mark))
        self.finish(value)
        return value

    def warn(self, text: str) -> None:
        if text not in self.history.warnings:
            self.history.warnings.append(text)
            super().warn(text)

    def finish(self, value: float) -> None:
        """Book a step: history, best state, hooks, checkpoint, and the reasons to stop."""
        self._check_finite("loss", value)
        if value < self.best_value:
            self.best_value, self.best_step, self.best = float(value), self.step, self.before
            if self.trainer.owns_loop:
                assign(self.generator.parameters(), self.best)
        record: dict[str, Any] = {"step": self.step, "loss": float(value), **self.take_notes()}
        self._warn_if_vanishing(record)
        self.history.records.append(record)
        if self.file is not None:
            self.file.append(record)
        self.step += 1
        self.calls.on_step(problem=self, record=record)
        if self.loss.reads != "probabilities" and self.step % self.epoch_steps == 0:
            self.calls.on_epoch(problem=self, epoch=self.step // self.epoch_steps)
        if self.checkpoints is None:
            return
        now = time.monotonic()
        limit = self.checkpoints.time_limit
        if limit is not None and now - self.started > limit:
            self.stop_signal = self.stop_signal or f"the time limit of {limit:g} s"
        if self.stop_signal and self.step < self.total:
            self.save()
            raise Interrupted(
                f"stopped by {self.stop_signal} after step {self.step} of {self.total}; saved in "
                f"{self.checkpoints.path}: go on with --resume"
            )
        if now - self.saved_at > self.checkpoints.every:
            self.save()

    def _warn_if_vanishing(self, record: Mapping[str, Any]) -> None:
        known = any(text.startswith(VANISHED) for text in self.history.warnings)
        if record.get("gradient", 1.0) < VANISHING and not known:
            self.warn(
                f"{VANISHED} at step {self.step} (largest entry {record['gradient']:.2g}): "
                "the parameters no longer move; try another start or ansatz"
            )

    def exhausted(self) -> bool:
        """Whether to stop, with the reason in the history."""
        if self.step >= self.total:
            self.history.stopped = f"all {self.total} steps done"
        elif (
            self.trainer.patience is not None
            and self.step - 1 - self.best_step >= self.trainer.patience
        ):
            self.history.stopped = f"no new least loss in {self.trainer.patience} steps"
        elif self.stop_reason:
            self.history.stopped = self.stop_reason
        return bool(self.history.stopped)

    @contextmanager
    def signals(self) -> Iterator[None]:
        """While training into a folder, SIGINT and SIGTERM end the step, save and stop."""
        if self.checkpoints is None or threading.current_thread() is not threading.main_thread():
            yield
            return

        def note(number: int, frame: object) -> None:
            self.stop_signal = signal.Signals(number).name

        previous = {
            number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def run(self, hooks: Sequence[object]) -> History:
        self.calls = hook_calls.manager(hooks)
        self.calls.on_fit_start(problem=self)
        try:
            if self.trainer.owns_loop:
                self._minimise()
            else:
                while not self.exhausted():
                    self.one_step()
            if self.trainer.keep_best and self.best_step >= 0:
                assign(self.generator.parameters(), self.best)
            self.trainer.finish(self)
            self.save()
        except Diverged:
            assign(self.generator.parameters(), self.best)
            raise
        self.calls.on_fit_end(problem=self, history=self.history)
        return self.history

    def _minimise(self) -> None:
        """Let the optimiser run; what the journal holds is not evaluated again."""
        if self.exhausted():
            return
        self.step = 0
        assign(self.generator.parameters(), self.origin)
        try:
            self.trainer.minimise(self)
            if self.step < len(self.journal):
                raise CheckpointError(
                    f"the optimiser ended after {self.step} of the {len(self.journal)} evaluations of the saved run; "
                    "resume with its options, or start anew"
                )
            if not self.exhausted():
                self.history.stopped = "the optimiser ended"
        except _Stopped:
            assign(
                self.generator.parameters(), self.best if self.trainer.keep_best else self.before
            )


class _Stopped(Exception):
    """Leaves an optimiser that owns its loop when the steps are used up."""


def fit(
    trainer: Trainer,
    generator: Generator,
    data: Events,
    loss: Loss,
    *,
    seed: int,
    hooks: Sequence[object] = (),
    run: Checkpoints | str | PathLike[str] | None = None,
) -> History:
    """See :meth:`qgen_core.interfaces.Trainer.fit`."""
    check_match(generator, data, loss)
    checkpoints = Checkpoints(Path(run)) if isinstance(run, str | PathLike) else run
    loop = _Loop(trainer, generator, data, loss, seed, checkpoints)
    loop.resume()
    with loop.signals():
        return loop.run(hooks)
