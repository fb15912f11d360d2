"""Compiled: alias tables, and what is drawn from them.

Each of K columns has the same weight; a share of column k belongs to outcome k, the rest to one
other outcome. A sample takes a random column, then one of its two parts. ``numbers`` are random, in
[0, 1); K times one of them is the column, and what is left of it chooses the part.

A table is (share, outcomes): the share of outcome k in column k, (K,), and the outcomes of the two
parts of each column, (2 K,).

Source: Walker's alias method, Electron. Lett. 10, 127 (1974).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from qgen_core.simulators.simd.intrinsics import FLAT, INNER, Numbers, jit, pointer

Arrays = Any  # a tuple of them


@partial(jit, **FLAT)
def fill(p: Numbers, table: Arrays, order: Numbers) -> None:
    """Write the table of the probabilities ``p`` (K,).

    Outcomes below the mean fill their columns with the excess of those above it, in their order.
    One that gives more than its excess is itself filled up by the next one. ``order`` (K,) is
    working memory: those above the mean come first, the others from its end. They are sorted out
    without a choice that a processor would have to foresee.
    """
    share, outcomes = table
    size = len(p)
    above = 0
    below = size - 1
    for k in range(size):
        share[k] = p[k] * size
        outcomes[2 * k] = k
        outcomes[2 * k + 1] = k
        order[above] = k
        order[below] = k
        is_above = int(share[k] > 1)
        above += is_above
        below -= 1 - is_above
    if above == 0:
        return  # all are at the mean, by rounding below it
    number = 0
    filler = order[0]
    left = share[filler]
    for place in range(size - 1, below, -1):
        k = order[place]
        outcomes[2 * k + 1] = filler
        left -= 1 - share[k]
        while left < 1 and number + 1 < above:
            number += 1
            following = order[number]
            share[filler] = left
            outcomes[2 * filler + 1] = following
            left += share[following] - 1
            filler = following
    for place in range(number, above):
        share[order[place]] = 1.0


@partial(jit, **INNER)
def _part(number: float, share: Numbers) -> int:
    """The part of the table that a number takes: 2 k or 2 k + 1.

    It is the place of an outcome, not a choice between two: a processor cannot foresee that choice,
    and waits longer for it than the rest takes.
    """
    place = number * len(share)
    column = int(place)
    return 2 * column + int(place - column >= pointer(share, column)[0])


@partial(jit, **FLAT)
def look_up(numbers: Numbers, table: Arrays, out: Numbers) -> None:
    """Write the outcome of each number to ``out``."""
    share, outcomes = table
    for k in range(len(numbers)):
        out[k] = pointer(outcomes, _part(numbers[k], share))[0]


@partial(jit, **FLAT)
def tally(
    first: int,
    shots: int,
    p: Numbers,
    numbers: Numbers,
    working: Arrays,
    counts: Numbers,
) -> None:
    """Count outcomes, ``shots`` for each row of ``p`` (B, K), in ``counts`` (B, K).

    ``numbers`` are those of the samples ``first``, ``first`` + 1, ... of the whole batch.
    ``working`` keeps the table of the last row between the calls, and has room for the outcomes of
    all numbers: (share, outcomes, order, drawn). They are looked up before any of them is counted:
    a processor looks up several at once, but waits for a count that it has just changed.
    """
    share, outcomes, order, drawn = working
    k = 0
    while k < len(numbers):
        row = (first + k) // shots
        place = (first + k) % shots
        if place == 0:
            fill(p[row], (share, outcomes), order)
        end = min(len(numbers), k + shots - place)
        look_up(numbers[k:end], (share, outcomes), drawn[k:end])
        of_row = pointer(counts, row)
        for number in range(k, end):
            of_row[drawn[number]] += 1
        k = end
