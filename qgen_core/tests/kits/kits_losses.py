"""A critic that learns, and broken losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qgen_core.events import Batch
from qgen_core.interfaces import Loss
from qgen_core.losses.js import JensenShannon
from qgen_core.losses.mmd import MaximumMeanDiscrepancy
from qgen_core.losses.nll import NegativeLogLikelihood
from qgen_core.support.parameters import load_into
from qgen_core.typing import Rng

Array = np.ndarray[Any, Any]


class Critic(Loss):
    """The mean of w . x over the model's samples minus that over the data; w separates them."""

    reads = "samples"
    updates = 1

    def __init__(self) -> None:
        self.w = np.array([0.1, -0.2, 0.3])

    def means(self, output: Array, batch: Batch) -> Array:
        assert batch.x is not None
        weight = np.ones(len(batch.x)) if batch.weight is None else batch.weight
        return output.mean(axis=0) - weight @ batch.x / weight.sum()

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        return float(self.w @ self.means(output, batch)), np.tile(
            self.w / len(output), (len(output), 1)
        )

    def update(self, output: Array, batch: Batch, *, rng: Rng) -> None:
        self.w -= 0.1 * self.means(output, batch) + 0.01 * rng.normal(size=3)

    def state(self) -> dict[str, Array]:
        return {"w": self.w.copy()}

    def load(self, state: Mapping[str, Array]) -> None:
        load_into("critic", {"w": self.w}, state)


# ---- broken ones


class WritesOutput(JensenShannon):
    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        output += 1e-3  # so that logarithms stay finite
        return super().__call__(output, batch)


class WritesTarget(JensenShannon):
    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        found = super().__call__(output, batch)
        assert batch.target is not None
        np.add(batch.target, 1e-12, out=batch.target)
        return found


class PerRow(JensenShannon):
    def __call__(self, output: Array, batch: Batch) -> tuple[Any, Array]:
        value, cotangent = super().__call__(output, batch)
        return np.array([value, value]), cotangent


class CotangentOfOneRow(JensenShannon):
    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        value, cotangent = super().__call__(output, batch)
        return value, cotangent[0]


class CotangentIsTarget(Loss):
    """The overlap with the target, whose derivative is the target: handed out itself."""

    reads = "probabilities"

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        assert batch.target is not None
        return float(np.sum(output * batch.target)), batch.target


class RunningMean(JensenShannon):
    def __init__(self) -> None:
        super().__init__()
        self.mean = 0.0

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        value, cotangent = super().__call__(output, batch)
        self.mean = 0.9 * self.mean + 0.1 * value
        return self.mean, cotangent


class LearnsInCalls(Critic):
    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        found = super().__call__(output, batch)
        self.w += 1e-3
        return found


class Subsampled(NegativeLogLikelihood):
    """Looks at half of the events, drawn from the global state."""

    def __init__(self) -> None:
        super().__init__(reads="log_prob")

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        keep = np.random.rand(len(output)) < 0.5
        cotangent = np.where(keep, -1.0 / keep.sum(), 0.0)
        return float(cotangent @ output), cotangent


class WrongSign(JensenShannon):
    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        value, cotangent = super().__call__(output, batch)
        return value, -cotangent


class HalfGradient(MaximumMeanDiscrepancy):
    """Forgets that samples are on both sides of a pair."""

    def __init__(self) -> None:
        super().__init__(reads="samples")

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        value, cotangent = super().__call__(output, batch)
        return value, cotangent / 2


class NotLeastAtTarget(JensenShannon):
    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        value, cotangent = super().__call__(output, batch)
        return value + 0.1, cotangent


class BelowMinimum(JensenShannon):
    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        value, cotangent = super().__call__(output, batch)
        return -value, -cotangent


class WeightsIgnored(NegativeLogLikelihood):
    def __init__(self) -> None:
        super().__init__(reads="log_prob")

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        return super().__call__(output, Batch(batch.x))


class WeightsNotNormalised(Loss):
    reads = "log_prob"

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        weight = np.ones(len(output)) if batch.weight is None else batch.weight
        return float(-weight @ output) / len(output), -weight / len(output)


class CountsWeightless(Loss):
    """Divides by the number of events in the mean of the weights."""

    reads = "log_prob"

    def __call__(self, output: Array, batch: Batch) -> tuple[float, Array]:
        weight = np.ones(len(output)) if batch.weight is None else batch.weight
        share = np.sqrt(weight) / np.sqrt(weight).sum() + (weight == 0) / len(output)
        return float(-share @ output), -share


class ForgetsCritic(Critic):
    def state(self) -> dict[str, Array]:
        return {}

    def load(self, state: Mapping[str, Array]) -> None:
        return None


class ForgetsMomentum(Critic):
    def __init__(self) -> None:
        super().__init__()
        self.momentum = np.zeros(3)

    def update(self, output: Array, batch: Batch, *, rng: Rng) -> None:
        self.momentum = 0.9 * self.momentum + self.means(output, batch)
        self.w -= 0.1 * self.momentum


class LoadsAnything(Critic):
    def load(self, state: Mapping[str, Array]) -> None:
        self.w[...] = state["w"]


class StateIsLive(Critic):
    def state(self) -> dict[str, Array]:
        return {"w": self.w}


class NeverLearns(Critic):
    def update(self, output: Array, batch: Batch, *, rng: Rng) -> None:
        return None


class LearnsUnseeded(Critic):
    def update(self, output: Array, batch: Batch, *, rng: Rng) -> None:
        super().update(output, batch, rng=np.random.default_rng())


class SaysItDoesNotLearn(Critic):
    updates = 0


class WritesSamples(Critic):
    def update(self, output: Array, batch: Batch, *, rng: Rng) -> None:
        output -= output.mean(axis=0)
        super().update(output, batch, rng=rng)
