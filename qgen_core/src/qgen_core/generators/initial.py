"""Initial parameters of models, from their options ``init``, ``scale`` and ``seed``."""

from __future__ import annotations

from typing import Literal

import numpy as np

from qgen_core.support.random_streams import generator, stream
from qgen_core.typing import Floats

#: Uniform in [-scale, scale], normal with standard deviation ``scale``, or zeros.
Init = Literal["uniform", "normal", "zeros"]


def initial_parameters(count: int, init: Init, scale: float, seed: int | None) -> Floats:
    """Initial parameters (count,); ``seed`` None draws a new one.

    >>> initial_parameters(2, "zeros", 1.0, seed=1)
    array([0., 0.])
    """
    rng = generator(None) if seed is None else stream(seed, "init")
    if init == "uniform":
        return rng.uniform(-scale, scale, count)
    if init == "normal":
        return rng.normal(0.0, scale, count)
    return np.zeros(count)
