"""Drawing outcomes from given probabilities.

Counts when the order of samples does not matter. Indices of few samples are the counts spread out
and shuffled; many are looked up in a table, which is ten times faster than searching a
cumulative sum per sample.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption
from qgen_core.support.buffers import plain
from qgen_core.typing import Floats, Rng

#: Samples for each outcome from which on a table of the outcomes pays.
WORTH_TABLE = 4
#: Samples that are drawn at once.
PIECE = 2**14


def _normalised(probabilities: Floats) -> Floats:
    p = np.clip(np.asarray(probabilities, dtype=np.float64), 0.0, None)
    total = float(p.sum())
    if not (np.isfinite(total) and abs(total - 1) < 1e-3):
        raise BadOption(f"probabilities sum to {total:g}, not to 1")
    return p / total


def sample_counts(probabilities: Floats, shots: int, rng: Rng) -> NDArray[np.int64]:
    """How often each outcome occurs (K,) in ``shots`` draws."""
    counts: NDArray[np.int64] = rng.multinomial(shots, _normalised(probabilities))
    return counts


def sample_indices(probabilities: Floats, shots: int, rng: Rng) -> NDArray[np.int64]:
    """Outcome numbers (shots,), in random order."""
    if shots >= WORTH_TABLE * len(probabilities):
        return _looked_up(_normalised(probabilities), shots, rng)
    index = np.repeat(np.arange(len(probabilities)), sample_counts(probabilities, shots, rng))
    rng.shuffle(index)
    return index


def alias_table(p: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """K columns of equal weight, (share, other) each (K,).

    Column k is outcome k up to its share, then the other.

    Walker's alias method (Electron. Lett. 10, 127, 1974). Outcomes below the mean fill their
    columns from those above it in order, so cumulative sums of what is missing and of what is left
    over say who fills whom, without a loop.
    """
    share, other = p * len(p), np.arange(len(p))
    above = share > 1
    above[share.argmax()] = True  # also where rounding has put all of them below
    few, many = np.flatnonzero(~above), np.flatnonzero(above)
    missing, left = np.cumsum(1 - share[few]), np.cumsum(np.maximum(share[many] - 1, 0))
    before = np.concatenate([[0.0], missing])[:-1]
    other[few] = many[np.minimum(np.searchsorted(left, before, side="right"), len(many) - 1)]
    share[many] = 1
    # One that gives more than it has left over is filled up by the next.
    giver = np.searchsorted(missing, left[:-1], side="left")
    short = np.flatnonzero(giver < len(few))
    share[many[short]] -= missing[giver[short]] - left[short]
    other[many[short]] = many[short + 1]
    return share, other


def _looked_up(p: Floats, shots: int, rng: Rng) -> NDArray[np.int64]:
    """Independent draws from an alias table, in pieces that stay in the cache."""
    share, other = alias_table(p)
    numbers = np.arange(len(p))
    end, leap = numbers + share, other - numbers
    # Arrays of this size, asked for anew, cost more than what is done with them.
    out: NDArray[np.int64] = plain(1, shots, numbers.dtype)[0]
    (places, ends), leaps = plain(2, PIECE, share.dtype), plain(1, PIECE, numbers.dtype)[0]
    for start in range(0, shots, PIECE):
        index = out[start : start + PIECE]
        size = len(index)
        place, its_end, its_leap = places[:size], ends[:size], leaps[:size]
        rng.random(out=place)
        place *= len(p)
        np.copyto(index, place, casting="unsafe")
        np.take(end, index, out=its_end, mode="clip")
        np.take(leap, index, out=its_leap, mode="clip")
        its_leap *= place >= its_end
        index += its_leap
    return out
