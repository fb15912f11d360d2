"""The encoder ``chain``: several encoders applied one after another."""

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
    """Applies each encoder to the output of the one before: ``z = e_n(... e_2(e_1(x)))``.

    All encoders get the same condition. An event is accepted if every encoder accepts it, and an
    encoder is fitted on the training events that those before it accept. ``log_det`` is the sum
    over the encoders, or None if one of them has none.

    Args:
        encoders: the encoders, in the order of encoding.

    Raises BadOption for an empty list.

    >>> import numpy as np
    >>> from qgen_core.encoders.log import LogEncoder
    >>> from qgen_core.encoders.min_max import MinMaxEncoder
    >>> x = np.array([[1.0], [10.0], [100.0]])
    >>> chain = ChainEncoder(encoders=[LogEncoder(), MinMaxEncoder()]).fit(x)
    >>> z = chain.encode(x)
    >>> z.round(12).ravel().tolist()
    [0.0, 0.5, 1.0]
    >>> chain.decode(z, rng=np.random.default_rng(0)).round(9).ravel().tolist()
    [1.0, 10.0, 100.0]
    """

    name = "chain"

    def __init__(self, *, encoders: list[Encoder]) -> None:
        if not encoders:
            raise BadOption("a chain needs at least one encoder")
        self.encoders = list(encoders)

    def fit(self, x: Array, condition: Array | None = None) -> Self:
        """Fit the encoders in order on training events (N, F)."""
        for encoder in self.encoders:
            encoder.fit(x, condition)
            accepted = encoder.accepts(x, condition)
            if condition is not None:
                condition = condition[accepted]
            x = encoder.encode(x[accepted], condition)
        self.space = self.encoders[-1].space
        return self

    def accepts(self, x: Array, condition: Array | None = None) -> NDArray[np.bool_]:
        """Which events (N,) every encoder accepts."""
        accepted_by_all = np.ones(len(x), dtype=np.bool_)
        remaining = np.arange(len(x))
        for encoder in self.encoders:
            accepted = encoder.accepts(x, condition)
            accepted_by_all[remaining[~accepted]] = False
            remaining = remaining[accepted]
            if condition is not None:
                condition = condition[accepted]
            if encoder is not self.encoders[-1]:
                x = encoder.encode(x[accepted], condition)
        return accepted_by_all

    def encode(self, x: Array, condition: Array | None = None, *, rng: Rng | None = None) -> Array:
        """(N, F) to (N, space.width). Raises DataError for events that are not accepted."""
        self._require(x, condition)
        for encoder in self.encoders:
            x = encoder.encode(x, condition, rng=rng)
        return x

    def decode(self, z: Array, condition: Array | None = None, *, rng: Rng) -> Array:
        """(N, space.width) to (N, F), through the encoders in reverse order."""
        for encoder in reversed(self.encoders):
            z = encoder.decode(z, condition, rng=rng)
        return z

    def log_det(self, x: Array, condition: Array | None = None) -> Floats | None:
        """The sum over the encoders (N,); None if one has none."""
        self._require(x, condition)
        total = np.zeros(len(x))
        for encoder in self.encoders:
            term = encoder.log_det(x, condition)
            if term is None:
                return None
            total += term
            x = encoder.encode(x, condition)
        return total

    def state(self) -> dict[str, Array]:
        state = {}
        for number, encoder in enumerate(self.encoders):
            for name, value in encoder.state().items():
                state[f"{number}.{name}"] = value
        return state

    def load(self, state: Mapping[str, Array]) -> None:
        parts: list[dict[str, Array]] = [{} for _ in self.encoders]
        for name, value in state.items():
            number, dot, rest = name.partition(".")
            if not dot or not number.isdecimal() or int(number) >= len(parts):
                raise CheckpointError(
                    f"{self.name} is a chain of {len(parts)} encoders and has no state {name!r}"
                )
            parts[int(number)][rest] = value
        for encoder, part in zip(self.encoders, parts, strict=True):
            encoder.load(part)
        self.space = self.encoders[-1].space

    def _allowed(self) -> str:
        """What :meth:`accepts` lets pass, in words."""
        return "what all its encoders accept"

    def _require(self, x: Array, condition: Array | None) -> None:
        """Check here, so that the message counts events of the chain and not of one encoder."""
        if not hasattr(self, "space"):
            raise not_fitted(self.name)
        require_accepted(self.name, np.asarray(x), self.accepts(x, condition), self._allowed())
