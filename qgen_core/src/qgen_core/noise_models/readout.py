"""The noise model ``readout``: measured bits are flipped with given probabilities."""

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

    Args:
        circuit: returned as it is.
        measure: the measure without these errors. A confusion that it has acts first.
        p01: probability to read 0 as 1.
        p10: probability to read 1 as 0.
        scale: strength of the errors, exact at 0 and 1.
        mode: ``semigroup`` takes the matrix power of the confusion, ``linear`` scales the
            probabilities, up to 1/2.

    Raises BadOption for values that are no probabilities, Unsupported for State().

    >>> import qgen_core as qgen
    >>> _, read = qgen.noise("readout", p01=0.1)(Circuit(1, ()), qgen.Probabilities())
    >>> read.confusion
    array([[[0.9 , 0.02],
            [0.1 , 0.98]]])
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
