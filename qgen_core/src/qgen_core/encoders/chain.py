"""The encoder ``chain``: encoders one after another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
from numpy.typing import NDArray

from qgen_core.encoders.checks import not_fitted, require_accepted
from qgen_core.errors import BadOption, CheckpointError
from qgen_core.interfaces import Encoder
from qgen_core.typing import Array, Floats, Rng


class ChainEncoder(Encoder):
    """The first encoder sees the events, each other one what the one before it made.

    All see the same condition. An event is accepted if every link accepts it; a link is fitted
    on the training events that the links before it accept. ``log_det`` adds up, and is None if
    one link has none.

    Args:
        encoders: the links, in the order of encoding.

    Raises BadOption for an empty chain.

    >>> import numpy as np
    >>> from qgen_core.encoders.log import LogEncoder
    >>> from qgen_core.encoders.min_max import MinMaxEncoder
    >>> x = np.array([[1.0], [10.0], [100.0]])
    >>> ChainEncoder(encoders=[LogEncoder(), MinMaxEncoder()]).fit(x).encode(x).round(12).ravel().tolist()
    [0.0, 0.5, 1.0]
    """

    def __init__(self, *, encoders: list[Encoder]) -> None:
        if not encoders:
            raise BadOption("a chain needs at least one encoder")
        self.encoders = list(encoders)

    def fit(self, x: Array, condition: Array | None = None) -> Self:
        """Fit link by link on training events (N, F)."""
        for link in self.encoders:
            link.fit(x, condition)
            inside = link.accepts(x, condition)
            condition = None if condition is None else condition[inside]
            x = link.encode(x[inside], condition)
        self.space = self.encoders[-1].space
        return self

    def accepts(self, x: Array, condition: Array | None = None) -> NDArray[np.bool_]:
        """Which events (N,) every link accepts."""
        inside = np.ones(len(x), dtype=np.bool_)
        left = np.arange(len(x))
        for link in self.encoders:
            passed = link.accepts(x, condition)
            inside[left[~passed]] = False
            left = left[passed]
            condition = None if condition is None else condition[passed]
            if link is not self.encoders[-1]:
                x = link.encode(x[passed], condition)
        return inside

    def encode(self, x: Array, condition: Array | None = None, *, rng: Rng | None = None) -> Array:
        """(N, F) to (N, space.width). Raises DataError for events that a link refuses."""
        self._require(x, condition)
        for link in self.encoders:
            x = link.encode(x, condition, rng=rng)
        return x

    def decode(self, z: Array, condition: Array | None = None, *, rng: Rng) -> Array:
        """(N, space.width) to (N, F), through the links backwards."""
        for link in reversed(self.encoders):
            z = link.decode(z, condition, rng=rng)
        return z

    def log_det(self, x: Array, condition: Array | None = None) -> Floats | None:
        """The sum over the links (N,); None if one has none."""
        self._require(x, condition)
        total = np.zeros(len(x))
        for link in self.encoders:
            term = link.log_det(x, condition)
            if term is None:
                return None
            total += term
            x = link.encode(x, condition)
        return total

    def state(self) -> dict[str, Array]:
        return {
            f"{i}.{name}": value
            for i, link in enumerate(self.encoders)
            for name, value in link.state().items()
        }

    def load(self, state: Mapping[str, Array]) -> None:
        parts: list[dict[str, Array]] = [{} for _ in self.encoders]
        for name, value in state.items():
            number, dot, rest = name.partition(".")
            if not dot or not number.isdecimal() or int(number) >= len(parts):
                raise CheckpointError(f"a chain of {len(parts)} encoders has no state {name!r}")
            parts[int(number)][rest] = value
        for link, part in zip(self.encoders, parts, strict=True):
            link.load(part)
        self.space = self.encoders[-1].space

    def _require(self, x: Array, condition: Array | None) -> None:
        """Refuse here, so that the message counts the events of the whole chain."""
        if not hasattr(self, "space"):
            raise not_fitted("chain")
        require_accepted(
            "chain", np.asarray(x), self.accepts(x, condition), "what all its encoders take"
        )
