"""The Jensen-Shannon divergence of probability tables, compiled.

Its logarithms are taken of whole vector registers, and there are no intermediate arrays.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from qgen_core.simulators.simd.intrinsics import (
    FLAT,
    INNER,
    Numbers,
    jit_fused,
    jit_sums,
    to_bits,
    to_number,
)

#: The bits of sqrt(1/2), of 1, and of the mantissa.
HALF = np.uint64(0x3FE6A09E667F3BCD)
ONE = np.uint64(0x3FF0000000000000)
MANTISSA = np.uint64(0x000FFFFFFFFFFFFF)
#: The bits of 2^52, whose last bit counts ones: a counter in its mantissa becomes a double.
COUNT = np.uint64(0x4330000000000000)
#: Bits of the mantissa.
SHIFT = np.uint64(52)
#: 2^52 and the bias of exponents, which are in that double beside the exponent.
ZERO = 2.0**52 + 1023.0


@partial(jit_fused, **INNER)
def _log(x: Any) -> Any:
    """The natural logarithm of a normal number, in a form that vectorises; nan of nan.

    x = m 2^e with m near 1, and log m is a series in s = (m - 1) / (m + 1), with the coefficients
    of fdlibm (e_log.c).
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
def jensen_shannon(
    p: Numbers, target: Numbers, floor: float, tiny: float, weight: Numbers
) -> float:
    """``sum p log(p/M) + P log(P/M)`` of flat tables p and P (target), with M = (p + P)/2.

    log(p/M) is written to ``weight``. In it p is clipped at ``floor`` and M at half of that; in
    log(P/M) both are clipped at ``tiny``.
    """
    # Comparisons are false for nan, so nan is kept.
    for k in range(len(p)):
        mean = 0.5 * (p[k] + target[k])
        least = 0.5 * floor
        mine = p[k]
        weight[k] = _log((floor if mine < floor else mine) / (least if mean < least else mean))
    # The sum has a loop of its own, which writes nothing. LLVM makes two versions of a loop that
    # writes; the one for arrays that lie close together sums in another order.
    total = 0.0
    for k in range(len(p)):
        mean = 0.5 * (p[k] + target[k])
        yours = target[k]
        ratio = (tiny if yours < tiny else yours) / (tiny if mean < tiny else mean)
        total += p[k] * weight[k] + yours * _log(ratio)
    return total
