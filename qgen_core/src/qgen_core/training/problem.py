"""The problem given to trainers: values and gradients of a loss on the current batch."""

from __future__ import annotations

import logging
import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption, DataError, Diverged, OutputMismatch
from qgen_core.events import Batch, Events, Taken
from qgen_core.interfaces import Backend, Generator, Loss, Trainer, name_of
from qgen_core.support.random_streams import stream
from qgen_core.typing import Array, Floats

log = logging.getLogger("qgen")


class TrainingProblem:
    """The loss of a generator on events, batch by batch; implements :class:`Problem`.

    ``total`` is the number of steps of the whole training; ``batch_size`` None takes all events.

    >>> from qgen_core.losses.mean import Mean
    >>> from qgen_core.testing.quadratic import Quadratic, events
    >>> problem = TrainingProblem(Quadratic(), events(), Mean(), 1, 10, None)
    >>> value, gradient = problem.value_and_gradient()
    >>> {name: part.shape for name, part in gradient.items()}
    {'first': (3,), 'second': (1, 1)}
    >>> problem.values(np.zeros((5, 4))).shape
    (5,)
    """

    def __init__(
        self,
        generator: Generator,
        data: Events,
        loss: Loss,
        seed: int,
        total: int,
        batch_size: int | None,
    ) -> None:
        self.generator = generator
        self.data = data
        self.validation: Events | None = None
        self.loss = loss
        self.seed = seed
        self.total = total
        self.batch_size = batch_size
        #: Whether all steps use the events and the random numbers of step 0.
        self.common_numbers = False
        self.step = 0
        self._notes: dict[str, float] = {}
        self._target: Batch | None = None
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, dtype=np.int64))
        self._current: tuple[int, Batch] | None = None
        #: Given to a model that draws no random numbers.
        self._unused = stream(seed, "unused")

    def rng(self, purpose: str, worker: int = 0) -> np.random.Generator:
        """The random stream of a purpose at this step; ``worker`` numbers independent ones."""
        return stream(self.seed, purpose, self.step, worker)

    @property
    def _drawn_step(self) -> int:
        """The step whose events and random numbers the loss uses."""
        if self.common_numbers:
            return 0
        return self.step

    def _forward_rng(self, worker: int = 0) -> np.random.Generator:
        """The random stream of the model's outputs."""
        return stream(self.seed, "forward", self._drawn_step, worker)

    def _words_rng(self) -> np.random.Generator:
        """The random stream of the words of a loss that reads correlators."""
        return stream(self.seed, "words", self._drawn_step)

    @property
    def epoch_steps(self) -> int:
        """Steps of one pass over the events, in batches of at most ``batch_size``."""
        batch_size = self.batch_size or len(self.data)
        return -(-len(self.data) // batch_size)

    @property
    def batch(self) -> Batch:
        """The batch of this step, the same at every call within the step."""
        if self._current is None or self._current[0] != self.step:
            batch = self._draw()
            if self.loss.reads == "correlators":
                batch = replace(batch, words=self.loss.words(rng=self._words_rng()))
            self._current = (self.step, batch)
        return self._current[1]

    def value_and_gradient(
        self, batch: Batch | None = None, worker: int = 0
    ) -> tuple[float, dict[str, Array]]:
        """The loss and its gradients keyed as the parameters. Raises Diverged if not finite.

        ``batch`` replaces this step's batch, e.g. by a part of it; give each part its own
        ``worker``, so that it draws its own random numbers.
        """
        if batch is None:
            batch = self.batch
        rng = self._unused
        if self.generator.needs_random_numbers(self.loss.reads):
            rng = self._forward_rng(worker)
        output, pullback = self.generator.forward(self.loss.reads, batch, rng=rng)
        value, cotangent = self.loss(output, batch)
        self.check_finite("loss", value)
        self.check_finite("gradient", cotangent)
        gradient = pullback(cotangent)
        largest = [_largest(part) for part in gradient.values()]
        for size in largest:
            self.check_finite("gradient", size)
        self.log(gradient=max(largest, default=0.0))
        return value, gradient

    def values(self, thetas: Floats, backend: Backend | None = None) -> Floats:
        """The loss at many flat parameter vectors (T, P), all on this step's batch: (T,).

        With common random numbers, each vector is given the same ones.
        """
        thetas = np.atleast_2d(thetas)
        parts = [thetas]
        if self.common_numbers:
            parts = [theta[None] for theta in thetas]
        losses = []
        for part in parts:
            outputs = self.generator.outputs_at(
                self.loss.reads, part, self.batch, rng=self._forward_rng(), backend=backend
            )
            for output in outputs:
                losses.append(self.loss.value(output, self.batch))
        values = np.array(losses)
        self.check_finite("loss", values)
        return values

    def evaluate(self, theta: Floats) -> float:
        """The loss at one flat vector (P,). Raises BadOption: only the loop counts evaluations."""
        raise BadOption("only a trainer that owns its loop evaluates step by step")

    def log(self, **numbers: float) -> None:
        """Add numbers to the history record of this step."""
        for name, value in numbers.items():
            self._notes[name] = float(value)

    def stop(self, reason: str) -> None:
        """End the training after this step; does nothing here, where there is no loop."""

    def warn(self, text: str) -> None:
        """Log a warning."""
        log.warning(text)

    def take_notes(self) -> dict[str, float]:
        """Return the numbers logged at this step, and clear them."""
        notes = self._notes
        self._notes = {}
        return notes

    def update_critic(self) -> None:
        """Update a learned loss (critic) before this step, each time on new events and samples."""
        for worker in range(self.loss.updates):
            rng = self.rng("critic", worker)
            size = min(self.batch_size or len(self.data), len(self.data))
            batch = self._minibatch(rng.choice(len(self.data), size=size, replace=False))
            output, _ = self.generator.forward(self.loss.reads, batch, rng=rng)
            value = self.loss.update(output, batch, rng=rng)
            if value is not None:
                self.check_finite("loss of the critic", value)
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
        epoch, place = divmod(self._drawn_step, self.epoch_steps)
        if self._order[0] != epoch:
            self._order = (epoch, stream(self.seed, "data", epoch).permutation(len(self.data)))
        first = len(self.data) * place // self.epoch_steps
        last = len(self.data) * (place + 1) // self.epoch_steps
        return self._minibatch(self._order[1][first:last])

    def _minibatch(self, index: NDArray[np.int64] | None) -> Batch:
        """The events at these positions, or all of them."""
        data = self.data
        if index is None:
            taken = Taken(data, None, data.condition)
            return Batch(data.x, data.condition, data.weight, None, self.step, self.total, taken)
        x = data.x.take(index, axis=0)  # several times faster than data.x[index]
        condition = _rows(data.condition, index)
        weight = _rows(data.weight, index)
        taken = Taken(data, index, condition)
        return Batch(x, condition, weight, None, self.step, self.total, taken)

    def check_finite(self, what: str, values: Array | float) -> None:
        """Raise Diverged, naming ``what``, if a value is infinite or not a number."""
        number = values if isinstance(values, float) else float(np.vdot(values, values))
        if math.isfinite(number):  # so is each value, which takes longer to find out
            return
        finite = np.isfinite(values)
        if not finite.all():
            first_bad = np.asarray(values)[~finite][0]
            raise Diverged(
                f"the {what} became {first_bad} at step {self.step}; the last good parameters "
                "are kept: lower the learning rate, or look for weights and bins of zero"
            )


def _rows(array: Array | None, index: NDArray[np.int64]) -> Array | None:
    if array is None:
        return None
    return array.take(index, axis=0)


def check_match(generator: Generator, data: Events, loss: Loss) -> None:
    """Raise OutputMismatch, before anything runs, if loss, generator and events do not fit.

    Raises DataError if there are no events.

    >>> from qgen_core.losses.kl import KullbackLeibler
    >>> from qgen_core.testing.quadratic import Quadratic, events
    >>> check_match(Quadratic(), events(), KullbackLeibler())  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    qgen_core.errors.OutputMismatch: ...loss 'KullbackLeibler' reads probabilities; ...
    """
    if loss.reads not in generator.outputs:
        raise OutputMismatch(
            f"loss {name_of(loss)!r} reads {loss.reads}; "
            f"generator {name_of(generator)!r} offers {', '.join(sorted(generator.outputs))}; "
            "choose a loss that reads one of these"
        )
    if len(data) == 0:
        raise DataError("there are no events to train on; check the dataset and the encoder")
    if data.x.shape[1] != generator.space.width:
        raise OutputMismatch(
            f"the events are encoded in {data.x.shape[1]} columns; "
            f"generator {name_of(generator)!r} makes {generator.space}; build it with the "
            "encoder's space"
        )
    _check_condition(generator, data.condition)


def _check_condition(generator: Generator, condition: Array | None) -> None:
    needs = generator.condition
    if needs is None and condition is None:
        return
    if needs is not None and condition is not None and condition.shape[1] == needs.width:
        return
    wanted = "no condition"
    if needs is not None:
        wanted = f"a condition of {needs}"
    given = "none"
    if condition is not None:
        given = f"one of {condition.shape[1]} columns"
    raise OutputMismatch(
        f"generator {name_of(generator)!r} takes {wanted}; the events have {given}"
    )


def check_comparable(trainer: Trainer, generator: Generator, loss: Loss) -> None:
    """Raise OutputMismatch if a trainer compares values of an output that is a surrogate."""
    if loss.reads not in generator.surrogates:
        return
    reason = ""
    if trainer.gradient_free or trainer.owns_loop:
        reason = f"trainer {name_of(trainer)!r} compares its values; use one that follows gradients"
    elif trainer.select not in (None, "loss"):
        return
    elif trainer.keep_best:
        reason = "keep_best looks for its least value; set keep_best to false"
    elif trainer.patience is not None:
        reason = "patience waits for its least value; leave patience out"
    if reason:
        raise OutputMismatch(
            f"the {loss.reads} of generator {name_of(generator)!r} is a surrogate: its gradient "
            f"trains the model, its value means nothing; {reason}"
        )


def _largest(values: Array) -> float:
    """The largest size of an entry; 0 without entries, NaN if there is one."""
    if values.size == 0:
        return 0.0
    return max(float(np.maximum.reduce(values, None)), -float(np.minimum.reduce(values, None)), 0.0)
