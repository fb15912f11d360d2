"""The affine map of angles is that of the circuit, in numpy and in torch, as a matrix or not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_circuits import MIXED

import qgen_core as qgen
from qgen_core import Circuit, Gate, const, param
from qgen_torch import binding


@pytest.mark.parametrize("dense", [2**16, 0])
@pytest.mark.parametrize("rows", [1, 5])
def test_it_is_the_map_of_the_circuit(rows: int, dense: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "DENSE", dense)
    rng = np.random.default_rng(1)
    reuploading = qgen.ansatz("strongly-entangling", layers=2)(3, inputs=3)
    for circuit in (MIXED, reuploading):
        made = binding.Binding(circuit)
        theta, x = rng.normal(size=circuit.num_params), rng.normal(size=(rows, circuit.num_inputs))
        expected = circuit.bind(theta, x)
        np.testing.assert_allclose(made.rows(theta, x), expected, rtol=0, atol=1e-14)
        np.testing.assert_allclose(made.rows(theta.astype(np.float32), x), expected, rtol=0, atol=1e-6)
        leaves = [torch.from_numpy(values).requires_grad_() for values in (theta, x)]
        angles = made.angles(*leaves)
        np.testing.assert_allclose(angles.detach().numpy(), expected, rtol=0, atol=1e-14)
        slope = rng.normal(size=expected.shape)
        d_params, d_inputs = circuit.pullback(slope)
        found = torch.autograd.grad(angles, leaves, torch.from_numpy(slope))
        for ours in (made.gradients(slope), found):
            np.testing.assert_allclose(ours[0], d_params.sum(axis=0), rtol=0, atol=1e-13)
            np.testing.assert_allclose(ours[1], d_inputs, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dense", [2**16, 0])
def test_parameters_alone(dense: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "DENSE", dense)
    circuit = Circuit(1, (Gate("rx", (0,), const(0.3)), Gate("ry", (0,), param(0, 2.0, 0.5))))
    made = binding.Binding(circuit)
    np.testing.assert_allclose(made.rows(np.array([1.0]), None), [[0.3, 2.5]])
    assert made.angles(torch.tensor([1.0]), None).tolist() == [[pytest.approx(0.3), 2.5]]
    assert made.gradients(np.array([[5.0, 7.0]]))[0].tolist() == [14.0]
