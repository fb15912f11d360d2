"""Drawing outcomes from given probabilities.

Where the order of the samples does not matter, counts are drawn. Few samples in random order are
the counts repeated and shuffled. Many samples are drawn from an alias table, which is ten times as
fast as a search in the cumulative sum for each of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption
from qgen_core.support.buffers import contiguous
from qgen_core.typing import Floats, Rng

#: From this number of samples for each outcome on, an alias table is faster.
WORTH_TABLE = 4
#: Samples that are drawn at once, so that the working arrays stay in the cache.
PIECE = 2**14


def sample_counts(probabilities: Floats, shots: int, rng: Rng) -> NDArray[np.int64]:
    """How often each outcome occurs in ``shots`` draws: (K,), or (B, K) for rows of probabilities.

    Raises BadOption unless the probabilities (K,) or (B, K) sum to one, up to 1e-3 of rounding.

    >>> sample_counts(np.array([0.0, 1.0]), 5, np.random.default_rng(1))
    array([0, 5])
    """
    counts: NDArray[np.int64] = rng.multinomial(shots, _normalised(probabilities))
    return counts


def sample_indices(probabilities: Floats, shots: int, rng: Rng) -> NDArray[np.int64]:
    """Indices of outcomes (shots,) in random order.

    Raises BadOption unless the probabilities (K,) sum to one, up to 1e-3 of rounding.

    >>> sample_indices(np.array([0.0, 0.5, 0.5]), 6, np.random.default_rng(1)).min()
    np.int64(1)
    """
    if shots >= WORTH_TABLE * len(probabilities):
        return _drawn_from_table(_normalised(probabilities), shots, rng)
    indices = np.repeat(np.arange(len(probabilities)), sample_counts(probabilities, shots, rng))
    rng.shuffle(indices)
    return indices


def _normalised(probabilities: Floats) -> Floats:
    p = np.clip(np.asarray(probabilities, dtype=np.float64), 0.0, None)
    totals = p.sum(axis=-1, keepdims=True)
    wrong = totals[~(np.abs(totals - 1) < 1e-3)]
    if wrong.size:
        raise BadOption(f"probabilities sum to {wrong[0]:g}, not to 1")
    normalised: Floats = p / totals
    return normalised


def alias_table(p: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """K columns of equal weight: the share of outcome k in column k, and the outcome of the rest.

    Both have the shape (K,). A sample takes a random column, then one of its two outcomes.

    Source: Walker's alias method, Electron. Lett. 10, 127 (1974). Outcomes below the mean fill
    their columns with the excess of those above it, in order, so cumulative sums of the deficits
    and of the excesses say who fills whom, without a loop.

    >>> share, other = alias_table(np.array([0.25, 0.75]))
    >>> share, other
    (array([0.5, 1. ]), array([1, 1]))
    """
    share = p * len(p)
    other = np.arange(len(p))
    above = share > 1
    above[share.argmax()] = True  # rounding may have put all of them below the mean
    few = np.flatnonzero(~above)
    many = np.flatnonzero(above)
    deficits = np.cumsum(1 - share[few])
    excesses = np.cumsum(np.maximum(share[many] - 1, 0))
    filled_before = np.concatenate([[0.0], deficits])[:-1]
    fillers = np.searchsorted(excesses, filled_before, side="right")
    other[few] = many[np.minimum(fillers, len(many) - 1)]
    share[many] = 1
    # A filler that gives more than its excess is itself filled up by the next one.
    last_filled = np.searchsorted(deficits, excesses[:-1], side="left")
    short = np.flatnonzero(last_filled < len(few))
    share[many[short]] -= deficits[last_filled[short]] - excesses[short]
    other[many[short]] = many[short + 1]
    return share, other


def _drawn_from_table(p: Floats, shots: int, rng: Rng) -> NDArray[np.int64]:
    """Independent draws from an alias table.

    One random number in [0, K) chooses both the column, its integer part k, and the outcome: k
    below ``end[k]``, else ``k + step[k]``.
    """
    share, other = alias_table(p)
    numbers = np.arange(len(p))
    end = numbers + share
    step = other - numbers
    # Allocating arrays of this size takes longer than the work on them, so buffers are reused.
    out: NDArray[np.int64] = contiguous(1, shots, numbers.dtype)[0]
    place_buffer, end_buffer = contiguous(2, PIECE, share.dtype)
    step_buffer = contiguous(1, PIECE, numbers.dtype)[0]
    for start in range(0, shots, PIECE):
        index = out[start : start + PIECE]
        size = len(index)
        place = place_buffer[:size]
        end_of_place = end_buffer[:size]
        step_of_place = step_buffer[:size]
        rng.random(out=place)
        place *= len(p)
        np.copyto(index, place, casting="unsafe")
        np.take(end, index, out=end_of_place, mode="clip")
        np.take(step, index, out=step_of_place, mode="clip")
        step_of_place *= place >= end_of_place
        index += step_of_place
    return out
