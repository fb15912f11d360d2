"""The mean image: the mean of each column, e.g. of each pixel of a shower."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qgen_core.errors import BadOption
from qgen_core.events import Events
from qgen_core.metrics.binning import Edges, check_pair
from qgen_core.metrics.resample import source_of, source_weights
from qgen_core.typing import Floats


def mean_image_mse(
    reference: Events, generated: Events, *, edges: Edges = None
) -> Mapping[str, float]:
    """``mean-image MSE``: the mean over columns of the squared difference of their means.

    ``1/F sum_f (mean g_f - mean r_f)^2``, with weighted means over events, in the squared unit of
    the columns. At least 0; two samples of n1 and n2 events of one distribution give
    (1/n1 + 1/n2) times the mean variance of a column. Raises BadOption when the columns have
    different units.

    Source: our reading of the monitor "MSE" of the Quantum Angle Generator (Monaco et al.,
    EPS-HEP 2025), which is not defined there.

    >>> a = Events(np.array([[0.0, 1.0], [2.0, 1.0]]))  # the mean image is (1, 1)
    >>> b = Events(np.array([[3.0, 2.0]]))
    >>> mean_image_mse(a, b)  # (2^2 + 1^2) / 2
    {'mean-image MSE': 2.5}
    """
    check_pair(reference, generated)
    units = sorted(set(reference.units))
    if len(units) > 1:
        raise BadOption(f"mean-image-mse needs columns of one unit, these have {', '.join(units)}")
    difference = _mean_image(generated) - _mean_image(reference)
    return {"mean-image MSE": float(np.mean(difference**2))}


def _mean_image(events: Events) -> Floats:
    """The weighted mean (F,) of each column."""
    source = source_of(events)
    mean: Floats = np.average(source.x, axis=0, weights=source_weights(events))
    return mean
