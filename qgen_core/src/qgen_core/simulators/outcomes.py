"""Drawing outcomes from given probabilities.

Where the order of the samples does not matter, counts are drawn: many samples by one binomial for
each outcome, fewer by an alias table, which is ten times as fast as a search in the cumulative sum
for each of them. Few samples in random order are counts repeated and shuffled, many are drawn from
a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption
from qgen_core.support.buffers import contiguous
from qgen_core.typing import Floats, Rng

#: From this number of samples for each outcome on, drawing them in random order from an alias table
#: is faster than shuffling counts.
WORTH_TABLE = 4
#: From this number of samples for each outcome on, a binomial for each outcome is faster than a
#: random number for each sample.
WORTH_BINOMIALS = 10
#: Samples that are drawn at once, so that the working arrays stay in the cache.
PIECE = 2**14


def sample_counts(probabilities: Floats, shots: int, rng: Rng) -> NDArray[np.int64]:
    """How often each outcome occurs in ``shots`` draws: (K,), or (B, K) for rows of probabilities.

    Raises BadOption unless the probabilities (K,) or (B, K) sum to one, up to 1e-3 of rounding.

    >>> sample_counts(np.array([0.0, 1.0]), 5, np.random.default_rng(1))
    array([0, 5])
    """
    p = _normalised(probabilities)
    if shots >= WORTH_BINOMIALS * p.shape[-1]:
        counts: NDArray[np.int64] = rng.multinomial(shots, p)
        return counts
    return _counted_from_tables(np.atleast_2d(p), shots, rng).reshape(p.shape)


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
    shape = np.shape(probabilities)
    p: Floats = contiguous(prod(shape[:-1]), shape[-1], np.dtype(np.float64)).reshape(shape)
    np.maximum(probabilities, 0.0, out=p)
    totals = p.sum(axis=-1, keepdims=True)
    wrong = totals[~(np.abs(totals - 1) < 1e-3)]
    if wrong.size:
        raise BadOption(f"probabilities sum to {wrong[0]:g}, not to 1")
    p /= totals
    return p


def alias_table(p: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """K columns of equal weight: the share of outcome k in column k, and the outcome of the rest.

    Both have the shape (K,). A sample takes a random column, then one of its two outcomes.

    >>> share, other = alias_table(np.array([0.25, 0.75]))
    >>> share, other
    (array([0.5, 1. ]), array([1, 1]))
    """
    share, outcomes = _table(p)
    return share, outcomes[1::2].astype(np.int64)


def _table(p: Floats) -> tuple[Floats, NDArray[np.int32]]:
    """The shares (K,), and the outcomes of both parts of each column (2 K,)."""
    from qgen_core.simulators import alias

    table = np.empty(len(p)), np.empty(2 * len(p), dtype=np.int32)
    alias.fill(p, table, np.empty(len(p), dtype=np.int32))
    return table


def _drawn_from_table(p: Floats, shots: int, rng: Rng) -> NDArray[np.int64]:
    """Independent draws from an alias table, (shots,)."""
    from qgen_core.simulators import alias

    table = _table(p)
    # allocating arrays of this size takes longer than the work on them, so they are used again
    out: NDArray[np.int64] = contiguous(1, shots, np.dtype(np.int64))[0]
    for start, numbers in _pieces(shots, rng):
        alias.look_up(numbers, table, out[start : start + len(numbers)])
    return out


def _counted_from_tables(p: Floats, shots: int, rng: Rng) -> NDArray[np.int64]:
    """Counts (B, K) of independent draws from an alias table for each row of ``p``."""
    from qgen_core.simulators import alias

    size = p.shape[1]
    counts = np.zeros(p.shape, dtype=np.int64)
    share = np.empty(size)
    outcomes = np.empty(2 * size, dtype=np.int32)
    order = np.empty(size, dtype=np.int32)
    working = share, outcomes, order, np.empty(PIECE, dtype=np.int32)
    for start, numbers in _pieces(len(p) * shots, rng):
        alias.tally(start, shots, p, numbers, working, counts)
    return counts


def _pieces(total: int, rng: Rng) -> Iterator[tuple[int, Floats]]:
    """Random numbers, some of ``total`` at a time, and the place of the first of them."""
    buffer = contiguous(1, PIECE, np.dtype(np.float64))[0]
    for start in range(0, total, PIECE):
        numbers = buffer[: total - start]
        rng.random(out=numbers)
        yield start, numbers
