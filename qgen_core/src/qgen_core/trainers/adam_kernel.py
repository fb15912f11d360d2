"""The compiled update of a large parameter by Adam."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from qgen_core.simulators.simd.intrinsics import FLAT, Numbers, jit, pointer


@partial(jit, **FLAT)
def move(arrays: tuple[Numbers, ...], numbers: tuple[float, ...], first: int, end: int) -> None:
    """Update the entries first..end of a parameter and of both of its running means.

    ``arrays`` are the parameter, its gradient and both means, each flat; ``numbers`` are beta1,
    beta2, epsilon, the rate, and the factor of the root. Sums and products are done as the trainer
    does them with numpy, so results are the same.
    """
    live = pointer(arrays[0], first)
    gradient = pointer(arrays[1], first)
    means = pointer(arrays[2], first)
    squares = pointer(arrays[3], first)
    beta1, beta2, epsilon, rate, scale = numbers
    for k in range(end - first):
        g = np.float64(gradient[k])  # float() would leave a float32 as it is
        mean = means[k] * beta1 + g * (1 - beta1)
        square = squares[k] * beta2 + g * g * (1 - beta2)
        means[k] = mean
        squares[k] = square
        live[k] -= mean * rate / (math.sqrt(square) * scale + epsilon)
