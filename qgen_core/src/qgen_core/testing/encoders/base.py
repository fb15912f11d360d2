"""What the parts of the encoder kit share: the encoder, and the events it is tested with."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import DTypeLike

from qgen_core.interfaces import Encoder
from qgen_core.testing.kit import Kit, check
from qgen_core.typing import Array


class EncoderBase(Kit):
    """What a user of the encoder kit defines or may change."""

    #: Whether encoding depends on the condition; encoding without one must then raise DataError.
    conditional: bool = False
    #: Whether decoding gives other events than were encoded, since the codes do not hold all of
    #: them, as those of an autoencoder.
    lossy: bool = False

    @abstractmethod
    def make(self) -> Encoder:
        """The encoder to test: not fitted, and at each call a new one with the same options."""

    def events(self) -> tuple[Array, Array | None]:
        """Events (N, F) float64 that it accepts, and their conditions (N, K) or None."""
        rng = np.random.default_rng(51)
        shared = rng.exponential(1.0, 400)
        x = np.column_stack(
            [shared + rng.gamma(2.0, 1.0, 400), 0.5 * shared + rng.gamma(3.0, 0.3, 400)]
        )
        if not self.conditional:
            return x, None
        condition = 1.0 + rng.integers(1, 4, (400, 1)) + x.sum(axis=1, keepdims=True)
        return x, condition

    def fitted(self) -> Encoder:
        """The encoder, fitted on the events."""
        x, condition = self.events()
        return self.make().fit(x, condition)

    def accepted(
        self, encoder: Encoder, kind: DTypeLike = np.float64
    ) -> tuple[Array, Array | None]:
        """The events that the encoder accepts, as floats of type ``kind``, and their conditions."""
        x, condition = self.events()
        x = x.astype(kind)
        inside = encoder.accepts(x, condition)
        check(
            np.mean(inside) > 0.5,
            f"only {np.sum(inside)} of {len(x)} training events are accepted after fit()",
        )
        if condition is not None:
            condition = condition[inside]
        return x[inside], condition

    def continuous(self, encoder: Encoder) -> bool:
        """Whether the encoder maps numbers to numbers one to one, with a density."""
        if encoder.space.kind not in ("reals", "angles"):
            return False
        x, condition = self.accepted(encoder)
        return encoder.log_det(x, condition) is not None
