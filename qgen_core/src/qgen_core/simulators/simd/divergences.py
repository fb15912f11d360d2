"""Divergences of probability tables, compiled.

Logarithms of whole registers, and no arrays in between.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from qgen_core.simulators.simd.intrinsics import (
    FLAT,
    INNER,
    jit_fused,
    jit_sums,
    to_bits,
    to_number,
)

Array = Any

#: The bits of sqrt(1/2), of 1, of the mantissa, and of 2^52, whose last bits count ones.
HALF, ONE, MANTISSA = (
    np.uint64(0x3FE6A09E667F3BCD),
    np.uint64(0x3FF0000000000000),
    np.uint64(0x000FFFFFFFFFFFFF),
)
COUNT, SHIFT = np.uint64(0x4330000000000000), np.uint64(52)
#: What 2^52 and the bias of exponents make of a counted exponent of 0.
ZERO = 2.0**52 + 1023.0


@partial(jit_fused, **INNER)
def _log(x: Any) -> Any:
    """The natural logarithm of a normal number, in a form that vectorises.

    Of what is no number, no number.

    x = m 2^e with m about 1; log m is a series in s = (m - 1) / (m + 1), with the coefficients of
    fdlibm.
    """
    bits = to_bits(x) + (ONE - HALF)
    e = to_number(COUNT | (bits >> SHIFT)) - ZERO
    f = to_number((bits & MANTISSA) + HALF) - 1.0
    s = f / (2.0 + f)
    z = s * s
    r = 1.818357216161805012e-01 + z * (1.531383769920937332e-01 + z * 1.479819860511658591e-01)
    r = 3.999999999940941908e-01 + z * (
        2.857142874366239149e-01 + z * (2.222219843214978396e-01 + z * r)
    )
    r = z * (6.666666666666735130e-01 + z * r)
    half = 0.5 * f * f
    return (
        (x - x)
        + e * 6.93147180369123816490e-01
        - ((half - (s * (half + r) + e * 1.90821492927058770002e-10)) - f)
    )


@partial(jit_sums, **FLAT)
def jensen_shannon(p: Array, target: Array, floor: float, tiny: float, weight: Array) -> float:
    """``sum p log(p/M) + P log(P/M)``, M = (p + P)/2, of flat tables; log(p/M) goes to ``weight``.

    p is taken at ``floor`` at least in log(p/M), P at ``tiny`` in log(P/M).
    """
    total = 0.0
    for k in range(len(p)):
        mean = 0.5 * (p[k] + target[k])
        # Comparisons are this way round so that what is no number stays none.
        least, mine, yours = 0.5 * floor, p[k], target[k]
        slope = _log((floor if mine < floor else mine) / (least if mean < least else mean))
        weight[k] = slope
        total += mine * slope + yours * _log(
            (tiny if yours < tiny else yours) / (tiny if mean < tiny else mean)
        )
    return total
