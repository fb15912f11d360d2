"""Joint distributions of a few bits, of a model and of data."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.interfaces import Estimate, Model
from qgen_core.metrics.bit_differences import (
    BitComparison,
    chosen_sets,
    number_of,
    outcome_probabilities,
)
from qgen_core.typing import Array, Floats, Rng

#: The most bits of a window.
MOST_WIRES = 12


def bit_marginals(
    reference: Events,
    generated: Events | None,
    *,
    model: Model,
    encoded: tuple[Array, Array | None],
    rng: Rng,
    windows: tuple[tuple[int, ...], ...] | None = None,
    wires: int = 8,
    number: int = 3,
    events: int = 10_000,
) -> Mapping[str, Estimate]:
    """``tv of bits ...``: the total variation of the joint distribution of the bits of a window.

    The distribution of m bits follows from the expectations of their 2^m words by an inverse Walsh
    transform. ``windows`` lists the bits of each window, at most 12; without it there are
    ``number`` random windows of ``wires`` bits. Events, models and floors are those of the metric
    ``covariance``; the floor grows with 2^m.

    Raises Unsupported for events that are no bits; BadOption for windows of bits that the events do
    not have, of equal bits or too many of them, and for fewer than two events.
    """
    sides = BitComparison((reference, generated), model, encoded, rng, events)
    if windows is None:
        drawn = chosen_sets(sides.width, min(wires, sides.width), number)
        windows = tuple(tuple(window) for window in drawn[:number].tolist())
    found = {}
    for window in windows:
        _check_window(window, sides.width)
        words, combine = outcome_probabilities(np.array(window, dtype=np.int64))
        name = f"tv of bits {' '.join(map(str, window))}"
        found[name] = number_of(total_variation, combine, sides.of(words))
    return found


def total_variation(differences: Floats) -> float:
    """Half of the sum of the sizes of differences of probabilities (K,).

    >>> total_variation(np.array([0.25, -0.25]))
    0.25
    """
    return 0.5 * float(np.abs(differences).sum())


def _check_window(window: tuple[int, ...], width: int) -> None:
    different = set(window)
    if not different or len(different) < len(window) or not different <= set(range(width)):
        raise BadOption(f"a window is a list of different bits of 0 to {width - 1}, not {window}")
    if len(window) > MOST_WIRES:
        raise BadOption(f"a window has at most {MOST_WIRES} bits, not {len(window)}")
