"""The reversible circuit and the phase-trained circuit are the same on every backend."""

from __future__ import annotations

from typing import Any

import agreement_backends
import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import Unsupported
from qgen_core.typing import Array

PHI = np.random.default_rng(3).uniform(-np.pi, np.pi, (4, 2))
X = np.array([[0, 0, 1], [1, 1, 0], [1, 0, 1]], dtype=np.int8)


def reversible(backend: qgen.Backend) -> Any:
    return qgen.generator(
        "reversible-circuit",
        ansatz={"name": "brick", "layers": 1},
        backend=backend,
        space=qgen.Space("bits", 3),
        latent="ancilla",
        latent_wires=2,
        seed=2,
    )


def phases(backend: qgen.Backend, space: qgen.Space, **options: Any) -> Any:
    ansatz = {"name": "hardware-efficient", "layers": 1}
    return qgen.generator(
        "phase-qft", ansatz=ansatz, backend=backend, space=space, scale=1.0, seed=2, **options
    )


def outputs(backend: qgen.Backend) -> dict[str, Array]:
    """Values and gradients of both models."""
    rng = np.random.default_rng(1)
    found: dict[str, Array] = {}
    angles = phases(backend, qgen.Space("angles", 2), wires=2)
    grid = phases(backend, qgen.Space("bits", 4, (2, 2)))
    for name, model, output, batch in (
        ("of bits", reversible(backend), "log_prob", qgen.Batch(X)),
        ("of angles", angles, "log_prob", qgen.Batch(PHI)),
        ("of the grid", grid, "probabilities", qgen.Batch()),
    ):
        values, pullback = model.forward(output, batch, rng=rng)
        cotangent = np.arange(values.size, dtype=float).reshape(values.shape) - 1.5
        found[name] = values
        found[f"gradient {name}"] = pullback(cotangent)["theta"]
    found["posterior"] = reversible(backend).posterior(X)
    return found


def test_both_models_agree(name: str, backend: qgen.Backend) -> None:
    expected = outputs(agreement_backends.build("statevector"))
    single = backend.capabilities.precision == "single"
    for what, found in outputs(backend).items():
        limit = 2e-3 if single else 1e-7
        np.testing.assert_allclose(found, expected[what], rtol=0, atol=limit, err_msg=what)


def test_states_come_back(name: str, backend: qgen.Backend) -> None:
    model = reversible(backend)
    z = model.latents(4, rng=np.random.default_rng(1))
    try:
        back = model.inverse(model.states(z))
    except Unsupported as reason:
        pytest.skip(f"no state vectors: {reason}")
    expected = np.zeros((4, 8))
    expected[np.arange(4), z @ [4, 2]] = 1
    limit = 1e-4 if backend.capabilities.precision == "single" else 1e-12
    phase = back[np.arange(4), z @ [4, 2]]
    np.testing.assert_allclose(np.abs(back), expected, atol=limit)
    assert np.abs(np.abs(phase) - 1).max() < limit
