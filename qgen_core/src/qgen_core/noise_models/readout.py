"""Noise ``readout``: bits are read wrongly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import Measure, State
from qgen_core.errors import Unsupported
from qgen_core.noise_models import channels


def readout(
    circuit: Circuit,
    measure: Measure,
    *,
    p01: float = 0.01,
    p10: float = 0.02,
    scale: float = 1.0,
    mode: channels.Mode = "semigroup",
) -> tuple[Circuit, Measure]:
    """On each wire, 0 is read as 1 with probability ``p01`` and 1 as 0 with ``p10``.

    ``scale`` makes it stronger or weaker, exact at 0 and 1; mode ``semigroup``: the matrix power of
    the confusion; mode ``linear``: ``scale * p``, at most 1/2. A confusion that the measure has
    already acts first. Raises BadOption for what are no probabilities, Unsupported for State().
    """
    matrix = channels.scale_readout(channels.readout_confusion(p01, p10), scale, mode)
    if np.array_equal(matrix, np.eye(2)):
        return circuit, measure
    if isinstance(measure, State):
        raise Unsupported(
            "a state vector is not read out, so it has no readout errors; measure probabilities"
        )
    confusion = np.tile(matrix, (circuit.num_wires, 1, 1))
    if measure.confusion is not None:
        confusion = confusion @ measure.confusion
    return circuit, replace(measure, confusion=confusion)
