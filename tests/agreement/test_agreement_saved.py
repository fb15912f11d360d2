"""Backends that were used, pickled: what is read gives the same values, or says that it cannot."""

from __future__ import annotations

import pickle
from contextlib import suppress

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import Unsupported

#: Devices of PennyLane hold modules and objects of their vendors.
NOT_PICKLED = ("pennylane",)
#: A readout error of each of two wires.
READOUT = np.array([[[0.9, 0.2], [0.1, 0.8]]] * 2)


def test_a_used_backend_is_pickled(name: str, backend: qgen.Backend) -> None:
    if name in NOT_PICKLED:
        pytest.skip(f"{name} holds objects that cannot be pickled")
    circuit = qgen.ansatz("brick", layers=1)(2)
    angles = circuit.bind(np.linspace(0.1, 1.0, circuit.num_params))
    before = backend.run(circuit, angles, qgen.Probabilities())
    for measure in (qgen.State(), qgen.Expectations(("XZ",), confusion=READOUT)):
        with suppress(Unsupported):  # what it keeps for these must not be in the way
            backend.run(circuit, angles, measure)
    again = pickle.loads(pickle.dumps(backend))
    assert again.capabilities == backend.capabilities
    np.testing.assert_array_equal(again.run(circuit, angles, qgen.Probabilities()), before)
