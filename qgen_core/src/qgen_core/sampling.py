"""Drawing outcomes from given probabilities.

Counts when the order of samples does not matter; indices are the counts spread out and
shuffled, which is many times faster than searching a cumulative sum per sample.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qgen_core.errors import BadOption

Floats = NDArray[np.float64]
Rng = np.random.Generator


def _normalised(probabilities: Floats) -> Floats:
    p = np.clip(np.asarray(probabilities, dtype=np.float64), 0.0, None)
    total = float(p.sum())
    if not (np.isfinite(total) and abs(total - 1) < 1e-3):
        raise BadOption(f"probabilities sum to {total:g}, not to 1")
    return p / total


def sample_counts(probabilities: Floats, shots: int, rng: Rng) -> NDArray[np.int64]:
    """How often each outcome occurs (K,) in ``shots`` draws."""
    counts: NDArray[np.int64] = rng.multinomial(shots, _normalised(probabilities))
    return counts


def sample_indices(probabilities: Floats, shots: int, rng: Rng) -> NDArray[np.int64]:
    """Outcome numbers (shots,), in random order."""
    index = np.repeat(np.arange(len(probabilities)), sample_counts(probabilities, shots, rng))
    rng.shuffle(index)
    return index
