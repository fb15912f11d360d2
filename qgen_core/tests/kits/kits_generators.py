"""Two correct models of a few lines, one of bits and one of reals, and broken ones."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from qgen_core.errors import DataError, NoGradient, OutputMismatch
from qgen_core.events import Batch, Space, index_to_bits
from qgen_core.interfaces import Generator

Array = np.ndarray[Any, Any]


class Bits(Generator):
    """Independent bits, the logit of each theta + c . slopes; c is the condition."""

    outputs = frozenset({"samples", "probabilities", "log_prob"})

    def __init__(self, conditions: int = 2) -> None:
        self.space = Space("bits", 3)
        self.condition = Space("reals", conditions) if conditions else None
        self.theta = np.array([0.3, -0.5, 0.9])
        self.slopes = np.array([[0.4, -0.2, 0.1], [0.3, 0.2, -0.6]])[:conditions]

    def parameters(self) -> dict[str, Array]:
        return (
            {"theta": self.theta, "slopes": self.slopes}
            if self.condition
            else {"theta": self.theta}
        )

    def logits(self, condition: Array | None, n: int) -> Array:
        if self.condition is None:
            return np.tile(self.theta, (n, 1))
        if condition is None or condition.shape != (n, self.condition.width):
            raise DataError(
                f"conditions ({n}, {self.condition.width}) are needed, not {np.shape(condition)}"
            )
        return self.theta + condition @ self.slopes

    def sample(self, n: int, condition: Array | None = None, *, rng: np.random.Generator) -> Array:
        p = 1 / (1 + np.exp(-self.logits(condition, n)))
        return (rng.random(p.shape) < p).astype(np.int8)

    def logs(self, x: Array, condition: Array | None) -> tuple[Array, Array]:
        """log P(x | c) (N,), and its derivative by the logits (N, 3)."""
        logits = self.logits(condition, len(x))
        return -np.logaddexp(0.0, (1 - 2 * x) * logits).sum(axis=1), x - 1 / (1 + np.exp(-logits))

    def back(self, d_logits: Array, condition: Array | None) -> dict[str, Array]:
        gradient = {"theta": d_logits.sum(axis=0)}
        return gradient if condition is None else {**gradient, "slopes": condition.T @ d_logits}

    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        if output == "samples":
            return super().forward(output, batch, rng=rng)
        if output == "log_prob":
            assert batch.x is not None
            value, slope = self.logs(batch.x, batch.condition)
            return value, lambda c: self.back(c[:, None] * slope, batch.condition)
        if output != "probabilities":
            raise OutputMismatch(f"bits offer {sorted(self.outputs)}, not {output}")
        rows = 1 if batch.condition is None else len(batch.condition)
        every = np.tile(index_to_bits(np.arange(8), 3), (rows, 1))
        condition = None if batch.condition is None else np.repeat(batch.condition, 8, axis=0)
        logs, slope = self.logs(every, condition)
        table = np.exp(logs)
        return table.reshape(rows, 8), lambda c: self.back(
            (c.ravel() * table)[:, None] * slope, condition
        )


class Reals(Generator):
    """Normal events around a trained place: samples with a gradient, a density, an objective."""

    outputs = frozenset({"samples", "log_prob", "objective"})

    def __init__(self) -> None:
        self.space = Space("reals", 2)
        self.place = np.array([0.5, -0.3])
        self.width = np.array([0.2])

    def parameters(self) -> dict[str, Array]:
        return {"place": self.place, "width": self.width}

    def sample(self, n: int, condition: Array | None = None, *, rng: np.random.Generator) -> Array:
        return self.place + np.exp(self.width) * rng.normal(size=(n, 2))

    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        assert batch.x is not None
        if output == "samples":
            x = self.sample(len(batch.x), rng=rng)
            noise = x - self.place
            return x, lambda c: {"place": c.sum(axis=0), "width": np.array([np.sum(c * noise)])}
        if output not in self.outputs:
            raise OutputMismatch(f"reals offer {sorted(self.outputs)}, not {output}")
        away = (batch.x - self.place) * np.exp(-self.width)
        logs = -0.5 * np.sum(away**2, axis=1) - 2 * self.width[0] - np.log(2 * np.pi)
        sign = 1.0 if output == "log_prob" else -1.0

        def pullback(c: Array) -> dict[str, Array]:
            place = sign * c @ away * np.exp(-self.width)
            return {
                "place": place,
                "width": np.array([sign * np.sum(c * (np.sum(away**2, axis=1) - 2))]),
            }

        return sign * logs, pullback


class SamplesOnly(Generator):
    """The least there is: gradient-free trainers can train it."""

    def __init__(self) -> None:
        self.space = Space("bits", 2)
        self.theta = np.zeros(2)

    def sample(self, n: int, condition: Array | None = None, *, rng: np.random.Generator) -> Array:
        return (rng.random((n, 2)) < 1 / (1 + np.exp(-self.theta))).astype(np.int8)

    def parameters(self) -> dict[str, Array]:
        return {"theta": self.theta}


# ---- broken ones


class FloatBits(Bits):
    def sample(self, n: int, condition: Array | None = None, *, rng: np.random.Generator) -> Array:
        return super().sample(n, condition, rng=rng).astype(np.float64)


class OneForAll(Bits):
    def sample(self, n: int, condition: Array | None = None, *, rng: np.random.Generator) -> Array:
        return super().sample(n, condition, rng=rng)[0]


class DrawsGlobally(Reals):
    def sample(self, n: int, condition: Array | None = None, *, rng: np.random.Generator) -> Array:
        return self.place + np.exp(self.width) * np.random.normal(size=(n, 2))


class SeedIgnored(Bits):
    def sample(self, n: int, condition: Array | None = None, *, rng: np.random.Generator) -> Array:
        return super().sample(n, condition, rng=np.random.default_rng(0))


class Unseeded(Bits):
    def sample(self, n: int, condition: Array | None = None, *, rng: np.random.Generator) -> Array:
        return super().sample(n, condition, rng=np.random.default_rng())


class GoesWithout(Bits):
    """Takes a missing condition for zero."""

    def logits(self, condition: Array | None, n: int) -> Array:
        return super().logits(np.zeros((n, 2)) if condition is None else condition, n)


class SortsConditions(Bits):
    """As if conditions came sorted, as numpy.unique leaves them."""

    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        if output == "probabilities" and batch.condition is not None:
            batch = Batch(condition=np.unique(batch.condition, axis=0), target=batch.target)
        return super().forward(output, batch, rng=rng)


class NotNormalised(Bits):
    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        value, pullback = super().forward(output, batch, rng=rng)
        return value * (1.001 if output == "probabilities" else 1.0), pullback


class BackwardSamples(Bits):
    def sample(self, n: int, condition: Array | None = None, *, rng: np.random.Generator) -> Array:
        return np.ascontiguousarray(super().sample(n, condition, rng=rng)[:, ::-1])


class ConditionOfNeighbour(Bits):
    def sample(self, n: int, condition: Array | None = None, *, rng: np.random.Generator) -> Array:
        turned = None if condition is None else np.roll(condition, 1, axis=0)
        return super().sample(n, turned, rng=rng)


class NoDensity(Bits):
    def logs(self, x: Array, condition: Array | None) -> tuple[Array, Array]:
        value, slope = super().logs(x, condition)
        return value + 0.1, slope


class OtherDensity(Bits):
    """log_prob of a model without its slopes."""

    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        if output == "log_prob" and batch.condition is not None:
            batch = Batch(batch.x, 0 * batch.condition)
        return super().forward(output, batch, rng=rng)


class OutputsAsList(Bits):
    outputs = ["samples", "log_prob"]  # type: ignore[assignment]


class SumOfLogs(Bits):
    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        value, pullback = super().forward(output, batch, rng=rng)
        return (np.sum(value) if output == "log_prob" else value), pullback


class AnyOutput(Bits):
    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        return super().forward(output if output in self.outputs else "log_prob", batch, rng=rng)


class ScalesEvents(Reals):
    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        found = super().forward(output, batch, rng=rng)
        if batch.x is not None:
            batch.x[...] = batch.x - batch.x.mean(axis=0)
        return found


class WrongSign(Bits):
    def back(self, d_logits: Array, condition: Array | None) -> dict[str, Array]:
        found = super().back(d_logits, condition)
        return {**found, "theta": -found["theta"]}


class MissingKey(Bits):
    def back(self, d_logits: Array, condition: Array | None) -> dict[str, Array]:
        return {"theta": d_logits.sum(axis=0)}


class GradientPerEvent(Bits):
    def back(self, d_logits: Array, condition: Array | None) -> dict[str, Array]:
        return {**super().back(d_logits, condition), "theta": d_logits}


class NoGradientOfDensity(Bits):
    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        value, pullback = super().forward(output, batch, rng=rng)

        def nothing(cotangent: Array) -> dict[str, Array]:
            raise NoGradient("there is none")

        return value, nothing if output == "log_prob" else pullback


class WrongSampleGradient(Reals):
    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        value, pullback = super().forward(output, batch, rng=rng)
        if output != "samples":
            return value, pullback
        return value, lambda c: {**pullback(c), "width": np.zeros(1)}


class LeavesParameters(Bits):
    def outputs_at(
        self, output: str, thetas: Array, batch: Batch, *, rng: Any, backend: Any = None
    ) -> Array:
        found = super().outputs_at(output, thetas, batch, rng=rng)
        self.theta[...] = thetas[-1, :3]
        return found


class AtThePresentPlace(Bits):
    """Ignores the parameter vectors."""

    def outputs_at(
        self, output: str, thetas: Array, batch: Batch, *, rng: Any, backend: Any = None
    ) -> Array:
        value = self.forward(output, batch, rng=rng)[0]
        return np.stack([value] * len(thetas))


class FirstForAll(Bits):
    def outputs_at(
        self, output: str, thetas: Array, batch: Batch, *, rng: Any, backend: Any = None
    ) -> Array:
        found = super().outputs_at(output, thetas, batch, rng=rng)
        return np.stack([found[0]] * len(thetas))


class MovesItsChains(Reals):
    """Chains that go on whenever an output is asked for, instead of once a step."""

    def __init__(self) -> None:
        super().__init__()
        self.chains = np.zeros(2)

    def state(self) -> dict[str, Array]:
        return super().state() | {"chains": self.chains.copy()}

    def load(self, state: Mapping[str, Array]) -> None:
        self.chains = np.array(state["chains"])
        super().load({name: value for name, value in state.items() if name != "chains"})

    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        self.chains = self.chains + 1
        return super().forward(output, batch, rng=rng)


class CountsCalls(Reals):
    """A value that depends on how often it was asked for, which no state holds."""

    calls = 0

    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        self.calls += 1
        values, pullback = super().forward(output, batch, rng=rng)
        return values + 0.01 * self.calls, pullback


class Kinks(Generator):
    """An objective with kinks at and near the parameters, as ReLU and splines have them."""

    outputs = frozenset({"objective"})

    def __init__(self) -> None:
        self.space = Space("reals", 2)
        self.theta = np.array([0.0013, -0.4])

    def parameters(self) -> dict[str, Array]:
        return {"theta": self.theta}

    def sample(self, n: int, condition: Array | None = None, *, rng: np.random.Generator) -> Array:
        return rng.normal(size=(n, 2))

    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        if output != "objective" or batch.x is None:
            return super().forward(output, batch, rng=rng)
        values = np.maximum(self.theta, 0).sum() * np.ones(len(batch.x))
        return values, lambda c: {"theta": c.sum() * (self.theta > 0)}


class ParametersCopied(Bits):
    def parameters(self) -> dict[str, Array]:
        return {name: value.copy() for name, value in super().parameters().items()}


class Deaf(Bits):
    """Hands out arrays that it does not look at."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = {name: value.copy() for name, value in super().parameters().items()}

    def parameters(self) -> dict[str, Array]:
        return self.shown


class ForgetsSlopes(Bits):
    def state(self) -> dict[str, Array]:
        return {"theta": self.theta.copy()}

    def load(self, state: Mapping[str, Array]) -> None:
        self.theta[...] = state["theta"]


class ForgetsBuffer(Reals):
    """A scale that grows in use, is no parameter, and is not saved."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = 1.0

    def sample(self, n: int, condition: Array | None = None, *, rng: np.random.Generator) -> Array:
        return self.scale * super().sample(n, rng=rng)

    def state(self) -> dict[str, Array]:
        self.scale = 2.0
        return super().state()


class StateIsLive(Bits):
    def state(self) -> dict[str, Array]:
        return self.parameters()


class LoadsAnything(Bits):
    def load(self, state: Mapping[str, Array]) -> None:
        for name, value in self.parameters().items():
            value[...] = np.resize(state.get(name, np.zeros(1)), value.shape)


class Widths(Generator):
    """Normal events of two columns with trained places and widths, and correct gradients."""

    outputs = frozenset({"samples", "log_prob"})
    #: Factors on the width of the samples, and what is added to log_prob.
    wider = 1.0
    added = 0.0

    def __init__(self) -> None:
        self.space = Space("reals", 2)
        self.condition = None
        self.place = np.array([0.5, -2.0])
        self.log_width = np.array([0.3, -1.0])

    def parameters(self) -> dict[str, Array]:
        return {"place": self.place, "log_width": self.log_width}

    def sample(self, n: int, condition: Array | None = None, *, rng: np.random.Generator) -> Array:
        return self.place + self.wider * np.exp(self.log_width) * rng.normal(size=(n, 2))

    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        if output == "samples":
            return super().forward(output, batch, rng=rng)
        if output != "log_prob":
            raise OutputMismatch(f"widths offer {sorted(self.outputs)}, not {output}")
        scaled = (batch.x - self.place) * np.exp(-self.log_width)
        value = -0.5 * (scaled**2).sum(axis=1) - self.log_width.sum() - np.log(2 * np.pi)

        def pull(cotangent: Array) -> dict[str, Array]:
            by_place = scaled * np.exp(-self.log_width)
            return {"place": cotangent @ by_place, "log_width": cotangent @ (scaled**2 - 1)}

        return value + self.added, pull


class WiderSamples(Widths):
    wider = 1.1


class DensityTooHigh(Widths):
    added = 0.2


class OnlyPlace(WiderSamples):
    """The width of the samples is another one, and no parameter tells of it."""

    def parameters(self) -> dict[str, Array]:
        return {"place": self.place}

    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        value, pull = super().forward(output, batch, rng=rng)
        return value, lambda cotangent: {"place": pull(cotangent)["place"]}


class OneColumn(Generator):
    """Events of one column with a density, and no parameters."""

    outputs = frozenset({"samples", "log_prob"})
    wider = 1.0

    def __init__(self) -> None:
        self.space = Space("reals", 1)

    def parameters(self) -> dict[str, Array]:
        return {}

    @abstractmethod
    def log_density(self, x: Array) -> Array:
        """Of events (N,)."""

    def forward(self, output: str, batch: Batch, *, rng: np.random.Generator) -> Any:
        assert batch.x is not None
        if output == "samples":
            return self.sample(len(batch.x), rng=rng), lambda cotangent: {}
        if output not in self.outputs:
            raise OutputMismatch(f"one column offers {sorted(self.outputs)}, not {output}")
        return self.log_density(batch.x[:, 0]), lambda cotangent: {}


class LogNormal(OneColumn):
    def sample(self, n: int, condition: Array | None = None, *, rng: np.random.Generator) -> Array:
        return np.exp(self.wider * rng.normal(size=(n, 1)))

    def log_density(self, x: Array) -> Array:
        positive = np.where(x > 0, x, 1.0)
        logs = -(np.log(positive) ** 2) / 2 - np.log(positive) - np.log(2 * np.pi) / 2
        return np.where(x > 0, logs, -1e4)  # no density, and finite as the kit asks


class DistantPeaks(OneColumn):
    """Two peaks, a thousand times farther apart than they are wide."""

    place = 100.0
    width = 0.1

    def sample(self, n: int, condition: Array | None = None, *, rng: np.random.Generator) -> Array:
        side = rng.choice([-1.0, 1.0], size=(n, 1))
        return side * self.place + self.wider * self.width * rng.normal(size=(n, 1))

    def log_density(self, x: Array) -> Array:
        away = (np.abs(x) - self.place) / self.width
        return -(away**2) / 2 - np.log(2 * self.width) - np.log(2 * np.pi) / 2


class WiderLogNormal(LogNormal):
    wider = 1.1


class WiderPeaks(DistantPeaks):
    wider = 1.1


class BiasedBits(Bits):
    """Samples of other logits than those of log_prob."""

    def sample(self, n: int, condition: Array | None = None, *, rng: np.random.Generator) -> Array:
        p = 1 / (1 + np.exp(-1.2 * self.logits(condition, n)))
        return (rng.random(p.shape) < p).astype(np.int8)


class DrawsInSecret(Bits):
    """Says that samples need no random numbers."""

    def needs_random_numbers(self, output: str) -> bool:
        return False
