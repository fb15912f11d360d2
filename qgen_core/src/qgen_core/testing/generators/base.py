"""Shared by the parts of the generator kit: the model, and events and conditions to test with."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np

from qgen_core.events import Batch
from qgen_core.interfaces import Generator
from qgen_core.testing.kit import Kit
from qgen_core.testing.spaces import some_events, some_words
from qgen_core.typing import Array, Rng

#: Up to this number of bits a table of all outcomes is computed.
MAX_WIDTH = 12
#: Number of distinct conditions that a model is tested with.
CONDITIONS = 3
#: Number of events of a batch.
EVENTS = 12


class GeneratorBase(Kit):
    """What a user of the generator kit defines or may change, and the tolerances."""

    #: ``single`` for a model that computes in float32.
    precision: Literal["double", "single"] = "double"
    #: Number of events drawn for each test of a distribution.
    draws: int = 20_000

    #: Step and tolerance of finite differences.
    STEP: ClassVar = {"double": 1e-3, "single": 3e-2}
    TOLERANCE: ClassVar = {"double": 1e-6, "single": 2e-2}

    @abstractmethod
    def make(self) -> Generator:
        """The model to test, a new one with the same options at each call, without shots."""

    def conditions(self, n: int, rng: Rng) -> Array | None:
        """n different encoded conditions (n, K); None for a model without conditions."""
        space = self.make().condition
        if space is None:
            return None
        return some_events(space, n, rng)

    def events(self, n: int, rng: Rng) -> Array:
        """n encoded events (n, width) of the model's space."""
        return some_events(self.make().space, n, rng)

    def batch(self, output: str) -> Batch:
        """A batch as for training on this output."""
        rng = np.random.default_rng(61)
        model = self.make()
        conditions = self.conditions(CONDITIONS, rng)
        if output == "probabilities":
            rows = CONDITIONS
            if conditions is None:
                rows = 1
            size = 2**model.space.width
            return Batch(condition=conditions, target=np.full((rows, size), 1 / size))
        condition_of_events = in_turn(conditions, EVENTS)
        words = None
        if output == "correlators":
            words = some_words(model.space.width)
        return Batch(self.events(EVENTS, rng), condition_of_events, words=words)

    def twin(self, model: Generator) -> Generator:
        """Another model in the same state."""
        twin = self.make()
        twin.load(model.state())
        return twin


def in_turn(conditions: Array | None, n: int) -> Array | None:
    """The conditions (n, K) of n events that have the rows of ``conditions`` in turn.

    >>> in_turn(np.array([[1.0], [2.0]]), 3).tolist()
    [[1.0], [2.0], [1.0]]
    """
    if conditions is None:
        return None
    return conditions[np.arange(n) % len(conditions)]
