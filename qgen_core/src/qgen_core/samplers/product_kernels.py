"""The compiled part of products with spins: signed sums of rows, looked up in tables.

Four spins choose one of 16 signed sums of the four rows that they multiply. These sums are computed
once for all rows of spins, so a row of spins needs one sum for every four products.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from qgen_core.simulators.simd.intrinsics import (
    FLAT,
    WIDTH,
    Numbers,
    jit,
    jit_body,
    lane_bits,
    load,
    plus,
    pointer,
    splat,
    store,
    times,
)

#: Spins of a word of codes, and groups of four spins in it.
SPINS = 32
GROUPS = SPINS // 4
#: Signed sums of a group.
SUMS = 16
#: Registers of a column block; with two rows at once, and their tables in the nearest cache.
REGISTERS = 4
#: Rows of spins whose sums of a column block are kept in the cache.
ROWS = 1024
#: Bytes of a column block.
BLOCK_BYTES = REGISTERS * WIDTH


@partial(jit, **FLAT)
def add_signed_rows(
    codes: Numbers,
    numbers: Numbers,
    tables: Numbers,
    sums: Numbers,
    out: Numbers,
    first: int,
    end: int,
) -> None:
    """Products of rows of spins with ``numbers`` into ``out`` (N, M), the pieces first..end of it.

    A piece is a column block of ROWS rows; the pieces of the first rows come first. ``codes``
    (W, N) uint32 have a bit for each of SPINS spins, 1 for +1; ``numbers`` (W SPINS, M or more) are
    filled up with zeros to whole column blocks. ``tables`` (GROUPS SUMS, block) and ``sums``
    (ROWS or N, block) are working memory.
    """
    words, count = codes.shape
    width = out.shape[1]
    lanes = 1 << lane_bits(numbers)
    block = REGISTERS * lanes
    blocks = -(-width // block)
    for piece in range(first, end):
        start = block * (piece % blocks)
        first_row = ROWS * (piece // blocks)
        rows = min(ROWS, count - first_row)
        for row in range(rows):
            of_row = pointer(sums, row)
            for column in range(block):
                of_row[column] = 0
        for word in range(words):
            for group in range(GROUPS):
                four_rows = numbers[SPINS * word + 4 * group :]
                _signed_sums(four_rows, start, lanes, pointer(tables, SUMS * group))
            _add_word(pointer(codes[word], first_row), rows, lanes, tables, sums)
        for row in range(rows):
            of_row = pointer(sums, row)
            target = pointer(out, first_row + row)
            for column in range(min(block, width - start)):
                target[start + column] = of_row[column]


@jit_body
def _signed_sums(numbers: Numbers, start: int, lanes: int, table: Numbers) -> None:
    """All 16 signed sums of four rows, from column ``start`` on; the first row has the low bit."""
    block = REGISTERS * lanes
    minus = splat(numbers.dtype.type(-1))
    for column in range(0, block, lanes):
        a = load(pointer(numbers, 0), start + column)
        b = load(pointer(numbers, 1), start + column)
        c = load(pointer(numbers, 2), start + column)
        d = load(pointer(numbers, 3), start + column)
        both = plus(a, b)
        first = plus(a, times(b, minus))
        pairs = (times(both, minus), first, times(first, minus), both)
        both = plus(c, d)
        first = plus(c, times(d, minus))
        _store_sums(table, column, block, pairs, times(both, minus))
        _store_sums(table, column + 4 * block, block, pairs, first)
        _store_sums(table, column + 8 * block, block, pairs, times(first, minus))
        _store_sums(table, column + 12 * block, block, pairs, both)


@jit_body
def _store_sums(table: Numbers, place: int, block: int, pairs: Any, more: Any) -> None:
    store(table, place, plus(pairs[0], more))
    store(table, place + block, plus(pairs[1], more))
    store(table, place + 2 * block, plus(pairs[2], more))
    store(table, place + 3 * block, plus(pairs[3], more))


@jit_body
def _add_word(codes: Numbers, rows: int, lanes: int, tables: Numbers, sums: Numbers) -> None:
    """Add what a word of spins contributes to the sums of each row, two rows at a time."""
    block = REGISTERS * lanes
    table = pointer(tables, 0)
    for row in range(0, rows, 2):
        other = min(row + 1, rows - 1)  # the last row again where their number is odd
        code = np.int64(codes[row])
        other_code = np.int64(codes[other])
        mine = pointer(sums, row)
        others = pointer(sums, other)
        a0 = load(mine, 0)
        a1 = load(mine, lanes)
        a2 = load(mine, 2 * lanes)
        a3 = load(mine, 3 * lanes)
        b0 = load(others, 0)
        b1 = load(others, lanes)
        b2 = load(others, 2 * lanes)
        b3 = load(others, 3 * lanes)
        for group in range(GROUPS):
            place = (SUMS * group + ((code >> (4 * group)) & (SUMS - 1))) * block
            a0 = plus(a0, load(table, place))
            a1 = plus(a1, load(table, place + lanes))
            a2 = plus(a2, load(table, place + 2 * lanes))
            a3 = plus(a3, load(table, place + 3 * lanes))
            place = (SUMS * group + ((other_code >> (4 * group)) & (SUMS - 1))) * block
            b0 = plus(b0, load(table, place))
            b1 = plus(b1, load(table, place + lanes))
            b2 = plus(b2, load(table, place + 2 * lanes))
            b3 = plus(b3, load(table, place + 3 * lanes))
        store(mine, 0, a0)
        store(mine, lanes, a1)
        store(mine, 2 * lanes, a2)
        store(mine, 3 * lanes, a3)
        store(others, 0, b0)
        store(others, lanes, b1)
        store(others, 2 * lanes, b2)
        store(others, 3 * lanes, b3)
