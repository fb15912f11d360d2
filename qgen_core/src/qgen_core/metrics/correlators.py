"""Correlators of three and more bits, of a model and of data."""

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


def correlators(
    reference: Events,
    generated: Events | None,
    *,
    model: Model,
    encoded: tuple[Array, Array | None],
    rng: Rng,
    orders: tuple[int, ...] = (3, 4),
    sets: int = 2000,
    events: int = 10_000,
) -> Mapping[str, Estimate]:
    """``correlators of order m, rms``: the difference of correlators, root mean square over sets.

    Of m bits the correlator is ``<prod_i (Z_i - m_i)>``, Z = +1 for the bit 0 and -1 for 1, with
    the means m_i of the reference. All sets of m bits, or as many random ones as ``sets`` says.
    Events, models and floors are those of the metric ``covariance``.

    Raises Unsupported for events that are no bits, BadOption for orders of more bits than there are
    and for fewer than two events.
    """
    sides = BitComparison((reference, generated), model, encoded, rng, events)
    found = {}
    for order in orders:
        chosen = chosen_sets(sides.width, order, sets)
        words, combine = centred_products(chosen, sides.means)
        number = number_of(
            root_mean_square, combine, sides.of(words), note=f"{len(chosen)} sets of bits"
        )
        found[f"correlators of order {order}, rms"] = number
    return found
