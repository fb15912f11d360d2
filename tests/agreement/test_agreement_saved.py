"""Backends that were used, pickled: what is read gives the same values, or says that it cannot."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import qgen_core as qgen

#: Devices of PennyLane hold modules and objects of their vendors.
NOT_PICKLED = ("pennylane",)


def test_a_used_backend_is_pickled(name: str, backend: qgen.Backend) -> None:
    if name in NOT_PICKLED:
        pytest.skip(f"{name} holds objects that cannot be pickled")
    circuit = qgen.ansatz("brick", layers=1)(2)
    angles = circuit.bind(np.linspace(0.1, 1.0, circuit.num_params))
    before = backend.run(circuit, angles, qgen.Probabilities())
    again = pickle.loads(pickle.dumps(backend))
    assert again.capabilities == backend.capabilities
    np.testing.assert_array_equal(again.run(circuit, angles, qgen.Probabilities()), before)
