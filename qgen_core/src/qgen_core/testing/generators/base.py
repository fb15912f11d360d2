"""What the parts of the generator kit share: the model, and events and conditions to look at."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np

from qgen_core.events import Batch
from qgen_core.interfaces import Generator
from qgen_core.testing.kit import Kit
from qgen_core.testing.spaces import some_events
from qgen_core.typing import Array, Rng

#: Outcomes of a space of bits that are still written out one by one.
MAX_WIDTH = 12
#: Distinct conditions that a model is tried with.
CONDITIONS = 3
#: Events of a batch.
EVENTS = 12


class GeneratorBase(Kit):
    """The hooks of the generator kit and its tolerances."""

    #: ``single`` for a model with float32 parameters or engines.
    precision: Literal["double", "single"] = "double"
    #: Outputs whose value is a surrogate, so that its derivative is not the gradient
    #: (contrastive divergence, say): their gradients are not compared with finite differences.
    surrogates: frozenset[str] = frozenset()
    #: Events drawn for each test of a distribution.
    draws: int = 20_000

    #: Step and tolerance of finite differences.
    STEP: ClassVar = {"double": 1e-3, "single": 3e-2}
    TOLERANCE: ClassVar = {"double": 1e-6, "single": 2e-2}

    @abstractmethod
    def make(self) -> Generator:
        """The model to try, a fresh one with the same options at each call.

        Exact, not from shots.
        """

    def conditions(self, n: int, rng: Rng) -> Array | None:
        """n different encoded conditions (n, K) of the model's condition space; None without."""
        space = self.make().condition
        return None if space is None else some_events(space, n, rng)

    def events(self, n: int, rng: Rng) -> Array:
        """n encoded events (n, width) of the model's space."""
        return some_events(self.make().space, n, rng)

    def batch(self, output: str) -> Batch:
        """What a loss of this output would make the model look at."""
        rng, model = np.random.default_rng(61), self.make()
        conditions = self.conditions(CONDITIONS, rng)
        if output == "probabilities":
            rows = 1 if conditions is None else CONDITIONS
            size = 2**model.space.width
            return Batch(condition=conditions, target=np.full((rows, size), 1 / size))
        given = None if conditions is None else conditions[np.arange(EVENTS) % CONDITIONS]
        return Batch(self.events(EVENTS, rng), given)

    def twin(self, model: Generator) -> Generator:
        """Another model in the same state."""
        twin = self.make()
        twin.load(model.state())
        return twin
