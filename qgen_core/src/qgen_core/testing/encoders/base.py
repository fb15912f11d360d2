"""What the parts of the encoder kit share: the encoder, and events that it is tried with."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import DTypeLike

from qgen_core.interfaces import Encoder
from qgen_core.testing.kit import Kit, check
from qgen_core.typing import Array


class EncoderBase(Kit):
    """The hooks of the encoder kit."""

    #: Whether encoding depends on the condition: it must then be refused without.
    conditional: bool = False

    @abstractmethod
    def make(self) -> Encoder:
        """The encoder to try, not fitted, a fresh one with the same options at each call."""

    def events(self) -> tuple[Array, Array | None]:
        """Events (N, F) float64 that it accepts, and their conditions (N, K) or None."""
        rng = np.random.default_rng(51)
        shared = rng.exponential(1.0, 400)
        x = np.column_stack(
            [shared + rng.gamma(2.0, 1.0, 400), 0.5 * shared + rng.gamma(3.0, 0.3, 400)]
        )
        return x, (
            1.0 + rng.integers(1, 4, (400, 1)) + x.sum(axis=1, keepdims=True)
            if self.conditional
            else None
        )

    def fitted(self) -> Encoder:
        """The encoder, fitted on the events."""
        x, condition = self.events()
        return self.make().fit(x, condition)

    def accepted(
        self, encoder: Encoder, kind: DTypeLike = np.float64
    ) -> tuple[Array, Array | None]:
        """The events that the encoder accepts, in a precision."""
        x, condition = self.events()
        x = x.astype(kind)
        inside = encoder.accepts(x, condition)
        check(
            np.mean(inside) > 0.5,
            f"only {np.sum(inside)} of {len(x)} training events are accepted after fit()",
        )
        return x[inside], None if condition is None else condition[inside]

    def continuous(self, encoder: Encoder) -> bool:
        """Whether encoding is one to one: numbers to numbers, with a density."""
        return (
            encoder.space.kind in ("reals", "angles")
            and encoder.log_det(*self.accepted(encoder)) is not None
        )
