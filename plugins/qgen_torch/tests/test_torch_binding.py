"""The affine map of angles in torch is that of the circuit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_circuits import MIXED

import qgen_core as qgen
from qgen_core import Circuit, Gate, const, param
from qgen_torch import binding


@pytest.mark.parametrize("rows", [1, 5])
def test_it_is_the_map_of_the_circuit(rows: int) -> None:
    rng = np.random.default_rng(1)
    reuploading = qgen.ansatz("strongly-entangling", layers=2)(3, inputs=3)
    for circuit in (MIXED, reuploading):
        made = binding.Binding(circuit)
        theta, x = rng.normal(size=circuit.num_params), rng.normal(size=(rows, circuit.num_inputs))
        expected = circuit.bind(theta, x)
        leaves = [torch.from_numpy(values).requires_grad_() for values in (theta, x)]
        angles = made.angles(*leaves)
        np.testing.assert_allclose(angles.detach().numpy(), expected, rtol=0, atol=1e-14)
        slope = rng.normal(size=expected.shape)
        d_params, d_inputs = circuit.pullback(slope)
        found = torch.autograd.grad(angles, leaves, torch.from_numpy(slope))
        np.testing.assert_allclose(found[0], d_params.sum(axis=0), rtol=0, atol=1e-13)
        np.testing.assert_allclose(found[1], d_inputs, rtol=0, atol=1e-13)


def test_parameters_alone() -> None:
    circuit = Circuit(1, (Gate("rx", (0,), const(0.3)), Gate("ry", (0,), param(0, 2.0, 0.5))))
    made = binding.Binding(circuit)
    assert made.angles(torch.tensor([1.0]), None).tolist() == [[pytest.approx(0.3), 2.5]]
