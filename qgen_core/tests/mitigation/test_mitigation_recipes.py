"""From a recipe: [noise] applies to the innermost backend, inside any mitigation."""

from __future__ import annotations

import numpy as np
import pytest
from mitigation_noise import depolarized, misread, some_circuit

import qgen_core as qgen
from qgen_core.circuits.measures import Probabilities
from qgen_core.discovery import registry
from qgen_core.mitigation.zero_noise import ZeroNoise
from qgen_core.noise_models.noisy import NoisyBackend
from qgen_core.runs.assembly import Assembly
from qgen_core.runs.recipes import Recipe
from qgen_core.testing.reference import ReferenceBackend

RECIPE = """
dataset = "unused"
encoder = "unused"
generator = "unused"
loss = "unused"
trainer = "unused"
noise = "wrong"
[backend]
{backend}
"""


@pytest.fixture(autouse=True)
def _offered(monkeypatch) -> None:
    monkeypatch.setattr(registry, "_local", dict(registry._local))  # forgotten after the test

    def wrong(circuit, measure):
        return depolarized(0.01)(*misread(circuit, measure))

    qgen.register("noise", "wrong", wrong)
    qgen.register("backend", "dense", ReferenceBackend)


def built(backend: str) -> qgen.Backend:
    return Assembly(Recipe.parse(RECIPE.format(backend=backend))).backend


def test_readout_in_a_recipe() -> None:
    circuit, angles = some_circuit(41, angles=4)
    backend = built('name = "readout-mitigated"\nbackend = { name = "dense" }')
    expected = NoisyBackend(ReferenceBackend(), depolarized(0.01)).run(
        circuit, angles, Probabilities()
    )
    raw = built('name = "dense"').run(circuit, angles, Probabilities())
    assert np.max(np.abs(raw - expected)) > 0.02
    np.testing.assert_allclose(
        backend.run(circuit, angles, Probabilities()), expected, rtol=0, atol=1e-10
    )


def test_both_in_a_recipe() -> None:
    circuit, angles = some_circuit(42, angles=4)
    backend = built(
        'name = "zero-noise"\nfit = "richardson"\nscales = [1, 3]\n'
        'backend = { name = "readout-mitigated", backend = "dense" }'
    )
    alone = ZeroNoise(
        backend=NoisyBackend(ReferenceBackend(), depolarized(0.01)), fit="richardson", scales=(1, 3)
    )
    expected = alone.run(circuit, angles, Probabilities())
    np.testing.assert_allclose(
        backend.run(circuit, angles, Probabilities()), expected, rtol=0, atol=1e-10
    )
    true = ReferenceBackend().run(circuit, angles, Probabilities())
    raw = built('name = "dense"').run(circuit, angles, Probabilities())
    assert np.max(np.abs(expected - true)) < 0.2 * np.max(np.abs(raw - true))


def test_a_born_machine_trains_through_mitigation() -> None:
    """The gradient of a model on the mitigated noisy backend is that of the same model without
    readout errors.
    """

    def model(backend: qgen.Backend) -> qgen.Generator:
        space = qgen.Space("bits", 2)
        return qgen.generator(
            "qcbm", backend=backend, space=space, ansatz=qgen.ansatz("brick", layers=1), seed=3
        )

    loss, target = qgen.loss("js"), np.array([[0.4, 0.3, 0.2, 0.1]])
    found = []
    for backend in (
        built('name = "readout-mitigated"\nbackend = "dense"'),
        NoisyBackend(ReferenceBackend(), depolarized(0.01)),
    ):
        batch = qgen.Batch(target=target)
        output, back = model(backend).forward("probabilities", batch, rng=np.random.default_rng(0))
        value, cotangent = loss(output, batch)
        found.append((value, back(cotangent)["theta"]))
    assert abs(found[0][0] - found[1][0]) < 1e-10
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=0, atol=1e-9)
    assert np.max(np.abs(found[0][1])) > 1e-2
