"""Validation during a training: the number by which the best parameters are selected."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from qgen_core.errors import BadOption, OutputMismatch
from qgen_core.events import Batch, Events, Space
from qgen_core.interfaces import Estimate, Generator, Loss, Metric, Trainer, name_of
from qgen_core.support.random_streams import stream
from qgen_core.typing import Rng

#: Without ``validate_every``, a training is validated this number of times.
TIMES = 50


class Validation:
    """The loss, or a metric, of a model on validation events; smaller is better.

    ``events`` are encoded, and a metric compares them with as many encoded samples of the model.
    The first number that the metric returns counts.

    >>> from qgen_core.losses.mean import Mean
    >>> from qgen_core.testing.quadratic import Quadratic, events
    >>> from qgen_core.trainers.adam import Adam
    >>> trainer = Adam(steps=100, select="loss")
    >>> validation = Validation(trainer, events(), Mean())
    >>> [step for step in range(5) if validation.is_due(step)]
    [1, 3]
    """

    def __init__(self, trainer: Trainer, events: Events | None, loss: Loss) -> None:
        """Raise BadOption without events, and for a loss that changes while it is trained."""
        assert trainer.select is not None
        select = name_of(trainer.select) if callable(trainer.select) else trainer.select
        if events is None or len(events) == 0:
            raise BadOption(
                f"select = {select!r} needs validation events; give the recipe a split with a "
                "second number above 0, or fit(..., validation=events)"
            )
        if trainer.select == "loss" and loss.updates:
            raise BadOption(
                "select = 'loss' compares values of a loss that is trained itself, so they mean "
                "different things at different steps; select a metric, e.g. 'wasserstein'"
            )
        self.name = select
        self.events = events
        self.loss = loss
        self.total = trainer.steps
        self.every = trainer.validate_every or max(trainer.steps // TIMES, 1)
        self.metric: Metric | None = None
        if callable(trainer.select):
            self.metric = trainer.select
            _check_arguments(select, trainer.select)

    def is_due(self, step: int) -> bool:
        """Whether the model is validated after this step, counted from 0."""
        return (step + 1) % self.every == 0 or step + 1 == self.total

    def value(self, generator: Generator, rng: Rng) -> float:
        """The number for the model as it is."""
        if self.metric is None:
            batch = batch_of(self.events, self.loss, generator.space)
            output, _ = generator.forward(self.loss.reads, batch, rng=rng)
            return float(self.loss.value(output, batch))
        x = generator.sample(len(self.events), self.events.condition, rng=rng)
        found: Mapping[str, Any] = self.metric(self.events, self.events.replace(x=x, weight=None))
        first = next(iter(found.values()), None)
        if first is None:
            raise OutputMismatch(f"metric {self.name!r} gives no number to select by")
        if isinstance(first, Estimate):
            return float(first.value)
        return float(first)


def _check_arguments(name: str, metric: Metric) -> None:
    """Raise BadOption for a metric that needs more than two samples, e.g. a trained model."""
    _, _, *others = inspect.signature(metric).parameters.values()
    needed = [other.name for other in others if other.default is inspect.Parameter.empty]
    if needed:
        raise BadOption(
            f"select = {name!r} asks for {', '.join(needed)}, which a training does not have; "
            "select a metric of two samples, e.g. 'wasserstein'"
        )


def batch_of(events: Events, loss: Loss, space: Space) -> Batch:
    """All encoded events as a batch for what the loss reads.

    >>> import numpy as np
    >>> from qgen_core.losses.mean import Mean
    >>> batch_of(Events(np.zeros((3, 2))), Mean(), Space("reals", 2)).x.shape
    (3, 2)
    """
    if loss.reads == "probabilities":
        conditions, target = events.target(space)
        return Batch(condition=conditions, target=target)
    words = None
    if loss.reads == "correlators":
        # the same at each validation, so that its numbers can be compared
        words = loss.words(rng=stream(0, "validation words"))
    return Batch(x=events.x, condition=events.condition, weight=events.weight, words=words)
