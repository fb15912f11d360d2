"""Measured outcomes in the form that a measure asks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.measures import Bits, Measure, Probabilities
from qgen_core.errors import Unsupported
from qgen_core.events import index_to_bits
from qgen_core.typing import Array


def as_measured(outcomes: NDArray[np.int64], wires: int, measure: Measure) -> Array:
    """The outcomes (B, S) of all shots as bits (B, S, Q) or as frequencies (B, 2^Q).

    Wire 0 is the most significant bit of an outcome. Raises Unsupported for other measures.

    >>> as_measured(np.array([[2, 2, 3, 0]]), 2, Probabilities())
    array([[0.25, 0.  , 0.5 , 0.25]])
    """
    if isinstance(measure, Bits):
        return np.stack([index_to_bits(row, wires) for row in outcomes])
    if isinstance(measure, Probabilities):
        return np.stack([np.bincount(row, minlength=2**wires) / len(row) for row in outcomes])
    raise Unsupported(f"outcomes give bits or frequencies, not {type(measure).__name__}")
