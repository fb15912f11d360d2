"""Broken encoders, made of the built-in ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from qgen_core.encoders.binning import BinningEncoder
from qgen_core.encoders.log import LogEncoder
from qgen_core.encoders.min_max import MinMaxEncoder
from qgen_core.encoders.ratio import RatioEncoder
from qgen_core.encoders.standard import StandardEncoder
from qgen_core.events import Space
from qgen_core.interfaces import Encoder

Array = np.ndarray[Any, Any]


class FitReturnsNothing(StandardEncoder):
    def fit(self, x: Array, condition: Array | None = None) -> Any:
        super().fit(x, condition)


class FitAddsUp(StandardEncoder):
    """Remembers the events of an earlier fit."""

    def fit(self, x: Array, condition: Array | None = None) -> Self:
        self.seen = np.concatenate([getattr(self, "seen", x[:0]), x])
        return super().fit(self.seen, condition)


class FitScalesEvents(MinMaxEncoder):
    def fit(self, x: Array, condition: Array | None = None) -> Self:
        super().fit(x, condition)
        x -= x.min(axis=0)
        return self


class NoSpace(StandardEncoder):
    def fit(self, x: Array, condition: Array | None = None) -> Self:
        super().fit(x, condition)
        del self.space
        return self


class WideBits(BinningEncoder):
    def encode(self, x: Array, condition: Array | None = None, *, rng: Any = None) -> Array:
        return super().encode(x, condition, rng=rng).astype(np.int64)


class BinNumbers(BinningEncoder):
    """Gives a column per feature and says that they are bits."""

    def encode(self, x: Array, condition: Array | None = None, *, rng: Any = None) -> Array:
        bits = super().encode(x, condition)
        numbers = []
        start = 0
        for width in self.space.registers:
            numbers.append(bits[:, start : start + width] @ 2 ** np.arange(width)[::-1])
            start += width
        return np.stack(numbers, axis=1).astype(np.int8)


class Draws(StandardEncoder):
    def encode(self, x: Array, condition: Array | None = None, *, rng: Any = None) -> Array:
        return super().encode(x, condition) + 1e-13 * np.random.standard_normal(x.shape)


class NotInverted(MinMaxEncoder):
    def _unmap(self, y: Array) -> Array:
        return self.learned["low"] + y


class TheMeanAgain(StandardEncoder):
    """Decodes every event as the mean of the training events."""

    def decode(self, z: Array, condition: Array | None = None, *, rng: Any) -> Array:
        return super().decode(np.zeros_like(z), condition, rng=rng)


class NextBin(BinningEncoder):
    """Decodes from the lower edge of a bin to the upper edge of the one above."""

    def decode(self, z: Array, condition: Array | None = None, *, rng: Any) -> Array:
        x = super().decode(z, condition, rng=rng)
        for i, edges in enumerate(self.edges):
            x[:, i] = np.minimum(x[:, i] + (edges[1] - edges[0]) / 2, edges[-1])
        return x


class OutOfWindow(BinningEncoder):
    def decode(self, z: Array, condition: Array | None = None, *, rng: Any) -> Array:
        return super().decode(z, condition, rng=rng) * 3


class BatchScaled(StandardEncoder):
    def _map(self, x: Array) -> Array:
        return (x - x.mean(axis=0)) / self.learned["deviation"]

    def _unmap(self, y: Array) -> Array:
        return self.learned["mean"] + y * self.learned["deviation"]


class RatioIgnored(RatioEncoder):
    def encode(self, x: Array, condition: Array | None = None, *, rng: Any = None) -> Array:
        return np.array(x, dtype=np.float64)


class RatioOfOnes(RatioEncoder):
    """Goes without conditions by taking them for ones."""

    def _unit(self, x: Array, condition: Array | None) -> Array:
        return np.ones(len(x)) if condition is None else super()._unit(x, condition)


class Disturbed(StandardEncoder):
    def encode(self, x: Array, condition: Array | None = None, *, rng: Any = None) -> Array:
        return super().encode(x, condition) + (0 if condition is None else condition[:, :1])


class ForgetsAll(StandardEncoder):
    def state(self) -> dict[str, Array]:
        return {}

    def load(self, state: Mapping[str, Array]) -> None:
        return None


class ForgetsScale(MinMaxEncoder):
    """Saves only where the window starts."""

    def state(self) -> dict[str, Array]:
        return {"low": self.learned["low"].copy()}

    def load(self, state: Mapping[str, Array]) -> None:
        self.learned = {"low": state["low"], "length": np.ones(len(state["low"]))}
        self.space = Space("reals", len(state["low"]))


class LoadsAnything(StandardEncoder):
    def load(self, state: Mapping[str, Array]) -> None:
        super().load(
            {name: state[name] for name in ("width", "mean", "deviation") if name in state}
        )


class StateIsLive(BinningEncoder):
    def state(self) -> dict[str, Array]:
        return {f"edges{i}": edges for i, edges in enumerate(self.edges)}


class StateOfObjects(StandardEncoder):
    def state(self) -> Any:
        return {**super().state(), "name": "standard"}


class OwnRandomness(BinningEncoder):
    def decode(self, z: Array, condition: Array | None = None, *, rng: Any) -> Array:
        return super().decode(z, condition, rng=np.random.default_rng())


class LogDetOfOneColumn(LogEncoder):
    def log_det(self, x: Array, condition: Array | None = None) -> Any:
        return self._log_slope(self._part(x))[:, 0]


class LogDetSign(BinningEncoder):
    def log_det(self, x: Array, condition: Array | None = None) -> Any:
        return -super().log_det(x, condition)


class AcceptsAll(LogEncoder):
    def accepts(self, x: Array, condition: Array | None = None) -> Any:
        return np.ones(len(x), dtype=np.bool_)


class RefusesLater(LogEncoder):
    """Accepts more than it encodes."""

    def accepts(self, x: Array, condition: Array | None = None) -> Any:
        return np.isfinite(x).all(axis=1)

    def encode(self, x: Array, condition: Array | None = None, *, rng: Any = None) -> Array:
        LogEncoder._accepted(self._strict, x)
        return super().encode(x, condition, rng=rng)

    @property
    def _strict(self) -> LogEncoder:
        return LogEncoder().fit(np.ones((1, self.space.width)))


class PassesNan(Encoder):
    """The least there is: it looks at nothing."""

    def fit(self, x: Array, condition: Array | None = None) -> Self:
        self.space = Space("reals", x.shape[1])
        return self

    def encode(self, x: Array, condition: Array | None = None, *, rng: Any = None) -> Array:
        return np.array(x, dtype=np.float64)

    def decode(self, z: Array, condition: Array | None = None, *, rng: Any) -> Array:
        return np.array(z)


class MaskAsList(BinningEncoder):
    def accepts(self, x: Array, condition: Array | None = None) -> Any:
        return super().accepts(x, condition).tolist()


class DrawsNearTheEdge(BinningEncoder):
    """Decodes to the lower part of a bin more often than log_det says."""

    def decode(self, z: Array, condition: Array | None = None, *, rng: Any) -> Array:
        return np.minimum(super().decode(z, rng=rng), super().decode(z, rng=rng))
