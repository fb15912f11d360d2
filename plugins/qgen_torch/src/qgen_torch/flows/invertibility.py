"""How far a model with a learned inverse can be inverted, also as the metric ``invertibility``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qgen_core import Events
from qgen_core.errors import BadOption, Unsupported
from qgen_core.interfaces import Estimate, Model, name_of
from qgen_core.typing import Rng

#: A model whose worst round trip, in encoded units, is larger is not called invertible.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Invertibility:
    """What tells whether a map with a learned inverse is one, on some events.

    Args:
        mean_fidelity: of the learned states with those of the forward map, over events and layers;
            1 for an exact inverse.
        worst_round_trip: the largest |x - inverse(forward(x))| of a column, in encoded units.
        smallest_determinant: min |det J| of the whole map.
        folded: the share of events where det J has the sign of fewer events. Above 0 the map folds:
            two events share a latent, and no inverse exists.

    >>> print(Invertibility(0.98, 0.21, 0.004, 0.0))
    not invertible: worst round trip 0.21, mean fidelity 0.98, min |det J| 0.004
    """

    mean_fidelity: float
    worst_round_trip: float
    smallest_determinant: float
    folded: float

    @property
    def is_invertible(self) -> bool:
        """Whether the worst round trip is at most 1e-3."""
        return self.worst_round_trip <= TOLERANCE

    def __str__(self) -> str:
        verdict = "not invertible"
        if self.is_invertible:
            verdict = "invertible"
        folds = ""
        if self.folded:
            folds = f", both signs of det J ({self.folded:.2g} of the events)"
        return (
            f"{verdict}: worst round trip {self.worst_round_trip:.2g}, "
            f"mean fidelity {self.mean_fidelity:.5g}, min |det J| {self.smallest_determinant:.2g}"
            f"{folds}"
        )


def invertibility(
    reference: Events, generated: Events, *, model: Model, rng: Rng, events: int = 1000
) -> Mapping[str, Estimate]:
    """Mean fidelity, worst round trip and min |det J| of ``giqnn`` on reference events.

    At most ``events`` of them are used, at equal steps of their order. The note of each number says
    whether the model is called invertible: only when the worst round trip is at most 1e-3, in
    encoded units. The generated events do not matter. The numbers are extremes or exact, so their
    uncertainty is 0.

    Raises Unsupported for a generator without the method ``invertibility``, BadOption for less than
    one event.
    """
    generator: Any = model.generator
    if not hasattr(generator, "invertibility"):
        raise Unsupported(
            f"generator {name_of(generator)!r} has no learned inverse; the metric invertibility is "
            "of 'giqnn'"
        )
    size = min(events, len(reference))
    if size < 1:
        raise BadOption(f"invertibility needs at least one event, not {size}")
    chosen = reference.take(np.arange(size) * len(reference) // size)
    x, condition = model.encode(chosen, rng=rng)
    found: Invertibility = generator.invertibility(x, condition)
    numbers = {
        "mean fidelity": found.mean_fidelity,
        "worst round trip": found.worst_round_trip,
        "min |det J|": found.smallest_determinant,
    }
    note = str(found)
    estimates = {}
    for name, value in numbers.items():
        estimates[name] = Estimate(value, 0.0, floor=value, floor_spread=0.0, note=note)
    return estimates
