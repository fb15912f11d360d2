"""The covariances of bits, of a model and of data."""

from __future__ import annotations

from collections.abc import Mapping

from qgen_core.events import Events
from qgen_core.interfaces import Estimate, Model
from qgen_core.metrics.bit_differences import (
    BitComparison,
    centred_products,
    chosen_sets,
    number_of,
    root_mean_square,
)
from qgen_core.typing import Array, Rng


def covariance(
    reference: Events,
    generated: Events | None,
    *,
    model: Model,
    encoded: tuple[Array, Array | None],
    rng: Rng,
    pairs: int = 20_000,
    events: int = 10_000,
) -> Mapping[str, Estimate]:
    """``covariance rms``: the difference of the covariances of pairs of bits, root mean square.

    Of Z, +1 for the bit 0 and -1 for 1, so that covariances are four times those of the bits:
    ``<(Z_i - m_i) (Z_j - m_j)>`` of the model minus that of the reference, m the means of the
    reference. All pairs, or ``pairs`` random ones if there are more; at most ``events`` events of
    either side, at equal steps of their order. A model with correlators is compared without
    samples, for the conditions of the reference, other models by their samples. The floor is what
    an exact model would have, from random splits of the events.

    Raises Unsupported for events that are no bits, BadOption for fewer than two bits or events.
    """
    sides = BitComparison((reference, generated), model, encoded, rng, events)
    sets = chosen_sets(sides.width, 2, pairs)
    words, combine = centred_products(sets, sides.means)
    note = f"{len(sets)} pairs of bits"
    return {"covariance rms": number_of(root_mean_square, combine, sides.of(words), note=note)}
