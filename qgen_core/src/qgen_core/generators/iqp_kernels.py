"""Compiled expectations of words of Z in diagonal circuits of one- and two-body angles.

For a word a the formula of :mod:`qgen_core.generators.iqp_words` is a mean over signs of the wires
in a, of a product over all other wires k. A sum of angles with signs is the argument of a product
of complex numbers ``cos + i sign sin``, one for each wire in a; these products for all signs are
made by a tree, LANES wires k at a time. A change of all signs changes nothing, so that of the first
wire is +1. Pattern p has the sign -1 for the wire at place j of the word where bit j - 1 of p is 1.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from qgen_core.simulators.simd.intrinsics import (
    FLAT,
    Numbers,
    jit_body,
    jit_fused,
    lane_bits,
    load,
    multiply_add,
    over,
    plus,
    pointer,
    splat,
    store,
    times,
    to_bits,
)

#: Columns that are computed at once: wires outside a word, or events.
LANES = 16
#: Words of more wires have no exact expectations here.
MOST_WIRES = 12

_PER_QUARTER = 2 / math.pi
# pi / 2 in two parts, of which the first has 33 bits, so that its multiples are exact.
_QUARTER_HIGH = round(math.pi / 2 * 2**32) / 2**32
_QUARTER_LOW = 6.077100506506192e-11
#: 1.5 * 2^52: a small number added to it is rounded to an integer, found in its last bits.
_ROUND = 1.5 * 2.0**52
#: Added to cosines that are divided by; it changes none but those that are 0 up to rounding.
_TINY = 1e-30


@jit_body
def _turn(angles: Numbers, cosines: Numbers, sines: Numbers, count: int) -> None:
    """Cosines and sines of so many angles in radians; ``cosines`` may be the angles themselves."""
    for k in range(count):
        x = angles[k]
        shifted = x * _PER_QUARTER + _ROUND
        quarters = shifted - _ROUND
        r = (x - quarters * _QUARTER_HIGH) - quarters * _QUARTER_LOW
        r2 = r * r
        sine = -1 / 1307674368000 * r2 + 1 / 6227020800
        sine = sine * r2 - 1 / 39916800
        sine = sine * r2 + 1 / 362880
        sine = sine * r2 - 1 / 5040
        sine = sine * r2 + 1 / 120
        sine = sine * r2 - 1 / 6
        sine = sine * r2 * r + r
        cosine = 1 / 20922789888000 * r2 - 1 / 87178291200
        cosine = cosine * r2 + 1 / 479001600
        cosine = cosine * r2 - 1 / 3628800
        cosine = cosine * r2 + 1 / 40320
        cosine = cosine * r2 - 1 / 720
        cosine = cosine * r2 + 1 / 24
        cosine = cosine * r2 - 0.5
        cosine = cosine * r2 + 1
        quadrant = to_bits(shifted)
        is_odd = (quadrant & np.uint64(1)) != np.uint64(0)
        turned_cosine = sine if is_odd else cosine
        turned_sine = cosine if is_odd else sine
        negative_cosine = ((quadrant + np.uint64(1)) & np.uint64(2)) != np.uint64(0)
        negative_sine = (quadrant & np.uint64(2)) != np.uint64(0)
        cosines[k] = -turned_cosine if negative_cosine else turned_cosine
        sines[k] = -turned_sine if negative_sine else turned_sine


@jit_body
def _grow(cosines: Numbers, sines: Numbers, start: int, size: int, real: Any, imag: Any) -> None:
    """The complex products of a word of ``size`` wires for all signs, at LANES columns."""
    lanes = 1 << lane_bits(real)
    minus = splat(-1.0)
    for lane in range(0, LANES, lanes):
        column = start + lane
        store(pointer(real, 0), lane, load(pointer(cosines, 0), column))
        store(pointer(imag, 0), lane, load(pointer(sines, 0), column))
    half = 1
    for place in range(1, size):
        for lane in range(0, LANES, lanes):
            column = start + lane
            c = load(pointer(cosines, place), column)
            s = load(pointer(sines, place), column)
            minus_s = times(s, minus)
            for pattern in range(half):
                re = load(pointer(real, pattern), lane)
                im = load(pointer(imag, pattern), lane)
                re_c = times(re, c)
                im_c = times(im, c)
                store(pointer(real, pattern), lane, multiply_add(re_c, im, minus_s))
                store(pointer(imag, pattern), lane, multiply_add(im_c, re, s))
                store(pointer(real, pattern + half), lane, multiply_add(re_c, im, s))
                store(pointer(imag, pattern + half), lane, multiply_add(im_c, re, minus_s))
        half *= 2


@jit_body
def _fold(imag: Any, size: int, start: int, slopes: Numbers) -> None:
    """Sums over all patterns of ``imag`` times the sign of each wire, into rows of ``slopes``."""
    lanes = 1 << lane_bits(imag)
    minus = splat(-1.0)
    half = 1 << (size - 1)
    for place in range(size - 1, 0, -1):
        half //= 2
        for lane in range(0, LANES, lanes):
            total = splat(0.0)
            for pattern in range(half):
                first = load(pointer(imag, pattern), lane)
                second = load(pointer(imag, pattern + half), lane)
                total = plus(total, plus(first, times(second, minus)))
                store(pointer(imag, pattern), lane, plus(first, second))
            store(pointer(slopes, place), start + lane, total)
    for lane in range(0, LANES, lanes):
        store(pointer(slopes, 0), start + lane, load(pointer(imag, 0), lane))


@jit_body
def _turn_couplings(
    wires: Numbers, size: int, couplings: Numbers, numbers: Numbers, cosines: Any, sines: Any
) -> Any:
    """Cosines and sines of 2 T_ik for the wires i of a word and all k, 1 and 0 within the word.

    Returns the number of columns, which is filled up to whole blocks.
    """
    width = numbers.shape[1]
    columns = (width + LANES - 1) // LANES * LANES
    for place in range(size):
        row = pointer(numbers, wires[place])
        angles = pointer(cosines, place)
        for k in range(width):
            angle = 0.0
            if row[k] >= 0:
                angle = 2 * couplings[row[k]]
            angles[k] = angle
        for k in range(width, columns):
            angles[k] = 0.0
        for other in range(size):
            angles[wires[other]] = 0.0
        _turn(angles, angles, pointer(sines, place), columns)
    return columns


@jit_body
def _turn_fields(wires: Numbers, size: int, fields: Numbers, cosines: Any, sines: Any) -> Any:
    """Cosines and sines of 2 b_i of each event, for the wires i of a word; returns the columns."""
    events = fields.shape[1]
    columns = (events + LANES - 1) // LANES * LANES
    for place in range(size):
        row = pointer(fields, wires[place])
        angles = pointer(cosines, place)
        for event in range(events):
            angles[event] = 2 * row[event]
        for event in range(events, columns):
            angles[event] = 0.0
        _turn(angles, angles, pointer(sines, place), columns)
    return columns


@partial(jit_fused, **FLAT)
def expectations(
    words: tuple[Numbers, Numbers, Numbers],
    angles: tuple[Numbers, Numbers, Numbers],
    work: tuple[Numbers, Numbers, Numbers, Numbers, Numbers],
    products: Numbers,
    values: Numbers,
) -> None:
    """The expectation of each word for each event, into ``values`` (W, N filled up to blocks).

    ``words`` are starts (W + 1,), wires (L,), and where the patterns of each word lie in
    ``products``, which gets the product over all other wires for each pattern. ``angles`` are the
    two-body angles (E,), the number of that of each pair (n, n), -1 where there is none, and the
    one-body angles (n, N). ``work`` is memory: cosines and sines (MOST_WIRES, columns), and real
    parts, imaginary parts and sums (2^(MOST_WIRES - 1), LANES).
    """
    starts, all_wires, places = words
    couplings, numbers, fields = angles
    cosines, sines, real, imag, sums = work
    lanes = 1 << lane_bits(real)
    for word in range(len(starts) - 1):
        size = starts[word + 1] - starts[word]
        of_word = pointer(values, word)
        if size == 0:
            for event in range(values.shape[1]):
                of_word[event] = 1.0
            continue
        wires = pointer(all_wires, starts[word])
        patterns = 1 << (size - 1)
        product = pointer(products, places[word])
        columns = _turn_couplings(wires, size, couplings, numbers, cosines, sines)
        for pattern in range(patterns):
            for lane in range(0, LANES, lanes):
                store(pointer(sums, pattern), lane, splat(1.0))
        for start in range(0, columns, LANES):
            _grow(cosines, sines, start, size, real, imag)
            for pattern in range(patterns):
                for lane in range(0, LANES, lanes):
                    cosine = plus(load(pointer(real, pattern), lane), splat(_TINY))
                    before = load(pointer(sums, pattern), lane)
                    store(pointer(sums, pattern), lane, times(before, cosine))
        for pattern in range(patterns):
            factors = pointer(sums, pattern)
            total = 1.0
            for lane in range(LANES):
                total *= factors[lane]
            product[pattern] = total
        columns = _turn_fields(wires, size, fields, cosines, sines)
        share = 1.0 / patterns
        for start in range(0, columns, LANES):
            _grow(cosines, sines, start, size, real, imag)
            for lane in range(0, LANES, lanes):
                mean = splat(0.0)
                for pattern in range(patterns):
                    weight = splat(product[pattern] * share)
                    mean = multiply_add(mean, weight, load(pointer(real, pattern), lane))
                store(of_word, start + lane, mean)


@partial(jit_fused, **FLAT)
def slopes(
    words: tuple[Numbers, Numbers, Numbers],
    angles: tuple[Numbers, Numbers, Numbers],
    work: tuple[Numbers, Numbers, Numbers, Numbers, Numbers],
    products: Numbers,
    cotangent: Numbers,
    gradients: tuple[Numbers, Numbers],
) -> None:
    """Add the derivatives of ``sum(cotangent * values)`` to ``gradients``.

    ``cotangent`` has the shape of the values and is 0 where these are filled up; ``gradients`` are
    by the two-body angles (E,) and by the one-body angles (n, N). The other arguments are those of
    :func:`expectations`, which has filled ``products``.
    """
    starts, all_wires, places = words
    couplings, numbers, fields = angles
    cosines, sines, real, imag, sums = work
    by_coupling, by_field = gradients
    lanes = 1 << lane_bits(real)
    width, events = fields.shape
    for word in range(len(starts) - 1):
        size = starts[word + 1] - starts[word]
        if size == 0:
            continue
        wires = pointer(all_wires, starts[word])
        patterns = 1 << (size - 1)
        share = 1.0 / patterns
        product = pointer(products, places[word])
        of_word = pointer(cotangent, word)
        columns = _turn_fields(wires, size, fields, cosines, sines)
        for pattern in range(patterns):
            for lane in range(0, LANES, lanes):
                store(pointer(sums, pattern), lane, splat(0.0))
        for start in range(0, columns, LANES):
            _grow(cosines, sines, start, size, real, imag)
            for pattern in range(patterns):
                weight = splat(product[pattern] * share)
                for lane in range(0, LANES, lanes):
                    given = times(weight, load(of_word, start + lane))
                    before = load(pointer(sums, pattern), lane)
                    cosine = load(pointer(real, pattern), lane)
                    store(pointer(sums, pattern), lane, multiply_add(before, given, cosine))
                    sine = load(pointer(imag, pattern), lane)
                    store(pointer(imag, pattern), lane, times(given, sine))
            _fold(imag, size, start, cosines)
        for place in range(size):
            found = pointer(cosines, place)
            target = pointer(by_field, wires[place])
            for event in range(events):
                target[event] -= 2 * found[event]
        for pattern in range(patterns):
            parts = pointer(sums, pattern)
            total = 0.0
            for lane in range(LANES):
                total += parts[lane]
            parts[0] = total
        columns = _turn_couplings(wires, size, couplings, numbers, cosines, sines)
        for start in range(0, columns, LANES):
            _grow(cosines, sines, start, size, real, imag)
            for pattern in range(patterns):
                weight = splat(pointer(sums, pattern)[0])
                for lane in range(0, LANES, lanes):
                    cosine = plus(load(pointer(real, pattern), lane), splat(_TINY))
                    tangent = over(load(pointer(imag, pattern), lane), cosine)
                    store(pointer(imag, pattern), lane, times(weight, tangent))
            _fold(imag, size, start, cosines)
        for place in range(size):
            found = pointer(cosines, place)
            row = pointer(numbers, wires[place])
            for k in range(width):
                if row[k] >= 0:
                    by_coupling[row[k]] -= 2 * found[k]
