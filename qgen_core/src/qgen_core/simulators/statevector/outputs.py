"""Compiled outputs of a run, and the adjoint states that their cotangents start from.

A cotangent c of a probability contributes ``2 c psi`` to the adjoint, one of the expectation of a
Pauli word P contributes ``2 c P psi``. The functions work on one row of a batch and on a ``part``
of it: the chunks first..end of a number of chunks, as a tuple (first, end, chunks). Arrays are
pointers.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache, partial
from itertools import chain

import numpy as np

from qgen_core.circuits.measures import Expectations, Measure, State
from qgen_core.simulators.simd.intrinsics import (
    INNER,
    Numbers,
    jit,
    jit_body,
    jit_sums,
    lane_bits,
    lane_sum,
    load,
    multiply_add,
    plus,
    pointer,
    rounded,
    splat,
    store,
)
from qgen_core.simulators.statevector.tables import OUTCOMES, STATE_NUMBERS, WALSH_ROW
from qgen_core.typing import Ints

Part = tuple[int, int, int]

# Numbers before the groups and words: how many there are of each.
_HEAD = 2
GROUP_COUNT = 0
WORD_COUNT = 1

# Columns of a group of words with the same flips.
GROUP_FLIPS = 0
GROUP_FIRST_WORD = 1
GROUP_END_WORD = 2
GROUP_COLUMNS = 3

# Columns of a word: P = (real + i imag) X^flips Z^signs, and its place in the output.
WORD_SIGNS = 0
WORD_REAL = 1
WORD_IMAG = 2
WORD_PLACE = 3
WORD_COLUMNS = 4


@lru_cache(maxsize=128)
def group_words(paulis: tuple[str, ...]) -> Ints:
    """Pauli words as compiled code reads them, words with the same flips together.

    A word is ``factor X^flips Z^signs``, with Y = i X Z. The numbers are: how many groups and how
    many words there are; for each group the flipped bits, its first word and the end of its words;
    for each word the bits whose parity is the sign, the real and the imaginary part of the factor,
    and its place in the output.
    """
    by_flips: dict[int, list[tuple[int, int, int, int]]] = defaultdict(list)
    for place, word in enumerate(paulis):
        flips = 0
        signs = 0
        for wire, letter in enumerate(word):
            bit = 1 << (len(word) - 1 - wire)
            if letter in "XY":
                flips += bit
            if letter in "YZ":
                signs += bit
        factor = 1j ** word.count("Y") * (-1) ** (flips & signs).bit_count()
        by_flips[flips].append((signs, round(factor.real), round(factor.imag), place))
    groups: list[int] = []
    words: list[tuple[int, int, int, int]] = []
    for flips, members in by_flips.items():
        groups += flips, len(words), len(words) + len(members)
        words += members
    return np.array([len(by_flips), len(words), *groups, *chain(*words)], dtype=np.int64)


def words_of(measure: Measure) -> Ints:
    """The words of expectations; other measures have none."""
    if isinstance(measure, Expectations):
        return group_words(measure.paulis)
    return group_words(())


def empty(measure: Measure, batch: int, chunks: int, wires: int) -> Numbers:
    """An array for the output: (B, 2^Q), or for expectations (B, chunks, words)."""
    if isinstance(measure, Expectations):
        return np.empty((batch, chunks, len(measure.paulis)))
    if isinstance(measure, State):
        return np.empty((batch, 1 << wires), dtype=np.complex128)
    return np.empty((batch, 1 << wires))


@partial(jit, **INNER)
def _odd(number: int) -> int:
    """Whether an odd number of bits is set (1 or 0)."""
    number ^= number >> 32
    number ^= number >> 16
    number ^= number >> 8
    number ^= number >> 4
    number ^= number >> 2
    number ^= number >> 1
    return number & 1


@jit_body
def probabilities(plan: Numbers, psi: Numbers, part: Part, out: Numbers) -> None:
    """Squared amplitudes (2^Q,)."""
    low, high, chunks = part
    wide = 1 << lane_bits(psi)
    size = plan[OUTCOMES]
    lanes = wide if wide < size else size
    groups = size // lanes
    for g in range(low * groups // chunks, high * groups // chunks):
        re = pointer(psi, 2 * g * lanes)
        im = pointer(re, wide)
        square = pointer(out, g * lanes)
        for j in range(lanes):
            square[j] = re[j] * re[j] + im[j] * im[j]


@jit_body
def seed_probabilities(
    plan: Numbers, psi: Numbers, part: Part, cotangent: Numbers, lam: Numbers
) -> None:
    """The adjoint of probabilities, with cotangent (2^Q,)."""
    low, high, chunks = part
    wide = 1 << lane_bits(psi)
    size = plan[OUTCOMES]
    lanes = wide if wide < size else size
    groups = size // lanes
    if 2 * size < plan[STATE_NUMBERS]:  # fewer wires than a tile has bits
        for k in range(plan[STATE_NUMBERS]):
            lam[k] = 0.0
    for g in range(low * groups // chunks, high * groups // chunks):
        at = 2 * g * lanes
        re = pointer(psi, at)
        im = pointer(psi, at + wide)
        c = pointer(cotangent, g * lanes)
        to_re = pointer(lam, at)
        to_im = pointer(lam, at + wide)
        for j in range(lanes):
            twice = rounded(2.0 * c[j], psi)
            to_re[j] = twice * re[j]
            to_im[j] = twice * im[j]


@jit
def amplitudes(psi: Numbers, out: Numbers) -> None:
    """Complex amplitudes (B, 2^Q) of all rows."""
    wide = 1 << lane_bits(psi)
    size = out.shape[1]
    lanes = wide if wide < size else size
    for row in range(len(psi)):
        for x in range(size):
            at = 2 * (x - x % lanes) + x % lanes
            out[row, x] = complex(psi[row, at], psi[row, at + wide])


@partial(jit_sums, **INNER)
def _products(psi: Numbers, base: int, flips: int, run: int, pair: Numbers) -> None:
    """Write conj(psi[y]) psi[y ^ flips] for a run of y from ``base``.

    The real parts, then the imaginary parts go to ``pair``.
    """
    wide = 1 << lane_bits(psi)
    inside = flips & (wide - 1)
    for g in range(0, run, wide):
        y = pointer(psi, 2 * (base + g))
        x = pointer(psi, 2 * ((base + g) ^ (flips - inside)))
        re = pointer(pair, g)
        im = pointer(pair, run + g)
        if inside == 0:  # compilers vectorise this form only
            for j in range(wide):
                re[j] = y[j] * x[j] + y[wide + j] * x[wide + j]
                im[j] = y[j] * x[wide + j] - y[wide + j] * x[j]
        else:
            for j in range(wide):
                k = j ^ inside
                re[j] = y[j] * x[k] + y[wide + j] * x[wide + k]
                im[j] = y[j] * x[wide + k] - y[wide + j] * x[k]


@partial(jit, **INNER)
def _signed_sum(run: int, numbers: Numbers, signs: Numbers) -> float:
    """The sum of numbers times a row of signs."""
    two = 2 << lane_bits(numbers)
    even = splat(0.0)
    odd = splat(0.0)
    for j in range(0, run, two):
        even = multiply_add(even, load(numbers, j), load(signs, j))
        odd = multiply_add(odd, load(numbers, j + two // 2), load(signs, j + two // 2))
    return float(lane_sum(plus(even, odd)))


@jit_body
def expectations(
    plan: Numbers,
    signs: Numbers,
    psi: Numbers,
    part: Part,
    words: Numbers,
    pair: Numbers,
    out: Numbers,
) -> None:
    """The part of <P> of each word from each chunk of the amplitudes (chunks, K).

    Takes a run of four registers of amplitudes at a time: first their products, then for each word
    a sum with one row of the Walsh matrix ``signs``. ``pair`` is working memory for two such rows.
    """
    low, high, chunks = part
    run = plan[WALSH_ROW]
    count = words[WORD_COUNT]
    runs = (plan[STATE_NUMBERS] >> 1) // run
    for chunk in range(low, high):
        found = pointer(out, chunk * count)
        for k in range(count):
            found[k] = 0.0
        for block in range(chunk * runs // chunks, (chunk + 1) * runs // chunks):
            _add_run(psi, block * run, run, signs, words, pair, found)


@jit_body
def _add_run(
    psi: Numbers, base: int, run: int, signs: Numbers, words: Numbers, pair: Numbers, found: Numbers
) -> None:
    """Add what one run of amplitudes contributes to the words."""
    members = pointer(words, _HEAD + words[GROUP_COUNT] * GROUP_COLUMNS)
    for k in range(words[GROUP_COUNT]):
        group = pointer(words, _HEAD + k * GROUP_COLUMNS)
        _products(psi, base, group[GROUP_FLIPS], run, pair)
        for m in range(group[GROUP_FIRST_WORD], group[GROUP_END_WORD]):
            word = pointer(members, m * WORD_COLUMNS)
            mask = word[WORD_SIGNS]
            factor = word[WORD_REAL] - word[WORD_IMAG]
            if _odd(mask & base):
                factor = -factor
            products = pair
            if word[WORD_REAL] == 0:
                products = pointer(pair, run)
            sign = pointer(signs, (mask & (run - 1)) * run)
            found[word[WORD_PLACE]] += factor * _signed_sum(run, products, sign)


@jit_body
def seed_expectations(
    plan: Numbers,
    signs: Numbers,
    psi: Numbers,
    part: Part,
    words: Numbers,
    pair: Numbers,
    cotangent: Numbers,
    lam: Numbers,
) -> None:
    """The adjoint of Pauli words, with cotangent (K,)."""
    low, high, chunks = part
    run = plan[WALSH_ROW]
    runs = (plan[STATE_NUMBERS] >> 1) // run
    members = pointer(words, _HEAD + words[GROUP_COUNT] * GROUP_COLUMNS)
    for block in range(low * runs // chunks, high * runs // chunks):
        base = block * run
        for k in range(2 * base, 2 * (base + run)):
            lam[k] = 0.0
        for k in range(words[GROUP_COUNT]):
            group = pointer(words, _HEAD + k * GROUP_COLUMNS)
            first = group[GROUP_FIRST_WORD]
            end = group[GROUP_END_WORD]
            _weights(members, first, end, signs, cotangent, base, run, pair)
            _add_flipped(psi, base, group[GROUP_FLIPS], run, pair, lam)


@partial(jit, **INNER)
def _weights(
    words: Numbers,
    first: int,
    end: int,
    signs: Numbers,
    cotangent: Numbers,
    base: int,
    run: int,
    pair: Numbers,
) -> None:
    """Write the factors of a run of amplitudes from ``base``, for words with the same flips.

    The real parts, then the imaginary parts go to ``pair``.
    """
    lanes = 1 << lane_bits(pair)
    for j in range(0, 2 * run, lanes):
        store(pair, j, splat(0.0))
    for k in range(first, end):
        word = pointer(words, k * WORD_COLUMNS)
        mask = word[WORD_SIGNS]
        sign = (mask & (run - 1)) * run
        c = 2 * cotangent[word[WORD_PLACE]]
        if _odd(mask & base):
            c = -c
        for which in range(2):
            if word[WORD_REAL + which] != 0:
                factor = splat(c * word[WORD_REAL + which])
                at = which * run
                for j in range(0, run, lanes):
                    total = multiply_add(load(pair, at + j), factor, load(signs, sign + j))
                    store(pair, at + j, total)


@partial(jit_sums, **INNER)
def _add_flipped(
    psi: Numbers, base: int, flips: int, run: int, pair: Numbers, lam: Numbers
) -> None:
    """Add factor[y] psi[y ^ flips] to ``lam[y]`` for a run of y from ``base``."""
    wide = 1 << lane_bits(psi)
    inside = flips & (wide - 1)
    for g in range(0, run, wide):
        y = pointer(lam, 2 * (base + g))
        x = pointer(psi, 2 * ((base + g) ^ (flips - inside)))
        re = pointer(pair, g)
        im = pointer(pair, run + g)
        if inside == 0:  # compilers vectorise this form only
            for j in range(wide):
                y[j] += re[j] * x[j] - im[j] * x[wide + j]
                y[wide + j] += re[j] * x[wide + j] + im[j] * x[j]
        else:
            for j in range(wide):
                k = j ^ inside
                y[j] += re[j] * x[k] - im[j] * x[wide + k]
                y[wide + j] += re[j] * x[wide + k] + im[j] * x[k]
