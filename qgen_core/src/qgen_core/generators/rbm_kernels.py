"""Compiled means of many hidden spins, and what these add to free energies."""

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
    pointer,
    to_bits,
    to_number,
)

#: Hidden spins that are computed at once.
LANES = 64

_PER_LOG2 = 1 / math.log(2)
# log 2 in two parts, of which the first has 32 bits, so that its multiples are exact.
_LOG2_HIGH = round(math.log(2) * 2**32) / 2**32
_LOG2_LOW = -4.2009150726810846e-11
#: 1.5 * 2^52: a small number added to it is rounded to an integer, found in its last bits.
_ROUND = 1.5 * 2.0**52
_ONE_BITS = np.uint64(1023 << 52)
_MANTISSA = np.uint64(52)
#: exp(x) is 0 up to rounding below it.
_LEAST = -700.0
#: A product above it might not be a double after one more factor.
_LARGE = 2.0**500


@jit_body
def _exp(x: Any) -> Any:
    """exp(x) of a double x <= 0: 2^n times the series of exp(r), |r| <= log(2) / 2."""
    x = max(x, _LEAST)
    shifted = x * _PER_LOG2 + _ROUND
    n = shifted - _ROUND
    r = (x - n * _LOG2_HIGH) - n * _LOG2_LOW
    series = 1 / 6227020800 * r + 1 / 479001600
    series = series * r + 1 / 39916800
    series = series * r + 1 / 3628800
    series = series * r + 1 / 362880
    series = series * r + 1 / 40320
    series = series * r + 1 / 5040
    series = series * r + 1 / 720
    series = series * r + 1 / 120
    series = series * r + 1 / 24
    series = series * r + 1 / 6
    series = series * r + 0.5
    return (series * (r * r) + r + 1) * to_number((to_bits(shifted) << _MANTISSA) + _ONE_BITS)


@partial(jit_fused, **FLAT)
def hidden_means(fields: Numbers, h: Numbers, log_sums: Numbers, lanes: Numbers) -> None:
    """Turn fields (N, H) without the own ones h (H,) into means, -tanh(f).

    H is at most 2^14, so that the product of the factors of a lane is at most 2^256.
    ``log_sums`` (N,) are the sums of log(2 cosh(field)) over the spins; ``lanes`` (2, LANES) of
    doubles is working memory. log(2 cosh f) is |f| + log(1 + exp(-2 |f|)), and the logarithm is
    taken of products of the factors, which are at most 2.
    """
    rows, width = fields.shape
    number = fields.dtype.type
    sizes = pointer(lanes, 0)
    products = pointer(lanes, 1)
    for row in range(rows):
        for lane in range(LANES):
            sizes[lane] = 0.0
            products[lane] = 1.0
        for start in range(0, width, LANES):
            values = pointer(pointer(fields, row), start)
            own = pointer(h, start)
            for lane in range(min(LANES, width - start)):
                field = np.float64(values[lane]) + own[lane]
                size = abs(field)
                decay = _exp(-2 * size)
                values[lane] = number(math.copysign((1 - decay) / (1 + decay), -field))
                sizes[lane] += size
                products[lane] *= 1 + decay
        total = 0.0
        product = 1.0
        for lane in range(LANES):
            total += sizes[lane]
            product *= products[lane]
            if product > _LARGE:
                total += math.log(product)
                product = 1.0
        log_sums[row] = total + math.log(product)
