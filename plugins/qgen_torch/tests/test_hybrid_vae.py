"""``hybrid-vae``: its circuit, the classical twin, gradients, and the bound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import qgen_core as qgen
from qgen_core.errors import BadOption, OutputMismatch
from qgen_core.interfaces import Model
from qgen_core.metrics.nelbo import nelbo
from qgen_core.testing import GeneratorKit
from qgen_torch.layer import QuantumLayer
from qgen_torch.networks.classical_block import ClassicalBlock
from qgen_torch.vae.hybrid_vae import HybridVae


def autoencoder(**options: Any) -> HybridVae:
    settings: dict[str, Any] = {
        "space": qgen.Space("reals", 2),
        "latents": 1,
        "wires": 2,
        "encoder": (4,),
        "decoder": (4,),
        "activation": "tanh",
        "ramp": 0.0,
        "precision": "double",
        "seed": 3,
    }
    return HybridVae(**{**settings, **options})


class TestCircuitInTheEncoder(GeneratorKit):
    """Among others: gradients of the objective against finite differences."""

    def make(self) -> qgen.Generator:
        return autoencoder(condition=qgen.Space("reals", 1))


class TestCircuitInTheDecoder(GeneratorKit):
    def make(self) -> qgen.Generator:
        return autoencoder(place="decoder", head="hits-gaussian")


class TestFrozenCircuit(GeneratorKit):
    """Its state holds the parameters of the circuit, which are not trained."""

    def make(self) -> qgen.Generator:
        return autoencoder(frozen=True)


@pytest.mark.parametrize("block", ["quantum", "classical"])
@pytest.mark.parametrize("place", ["latent", "decoder"])
def test_a_frozen_block_is_as_it_was_drawn(block: str, place: str) -> None:
    options = {"block": block, "place": place}
    drawn = autoencoder(**options)
    frozen = autoencoder(**options, frozen=True)
    (name,) = set(drawn.parameters()) - set(frozen.parameters())
    assert name.endswith("theta")
    np.testing.assert_array_equal(frozen.state()[name], drawn.parameters()[name])
    others = {other: np.array(value) for other, value in frozen.parameters().items()}
    events = qgen.Events(np.random.default_rng(1).normal(size=(50, 2)))
    qgen.trainer("torch", steps=5, learning_rate=0.1).fit(frozen, events, "mean", seed=1)
    np.testing.assert_array_equal(frozen.state()[name], drawn.parameters()[name])
    for other, value in frozen.parameters().items():
        assert not np.array_equal(value, others[other]), other


def test_gradients_of_the_classical_twin() -> None:
    class Kit(GeneratorKit):
        def make(self) -> qgen.Generator:
            return autoencoder(block="classical", place="decoder")

    Kit().test_gradients()


@pytest.mark.parametrize("place", ["latent", "decoder"])
@pytest.mark.parametrize("layers", [1, 5])
def test_the_twin_has_as_many_parameters(place: str, layers: int) -> None:
    ansatz = qgen.ansatz("strongly-entangling", layers=layers)
    sizes = []
    kinds = []
    for block in ("quantum", "classical"):
        model = autoencoder(
            block=block, place=place, ansatz=ansatz, condition=qgen.Space("reals", 1)
        )
        shapes = {name: value.shape for name, value in model.parameters().items()}
        sizes.append(shapes)
        kinds.append({type(part) for part in model.module.modules()})
    assert sizes[0] == sizes[1]
    assert QuantumLayer in kinds[0] and QuantumLayer not in kinds[1]
    assert ClassicalBlock in kinds[1] and ClassicalBlock not in kinds[0]


@pytest.mark.parametrize(("width", "parameters"), [(3, 0), (3, 2), (3, 12), (3, 29), (1, 5)])
def test_every_number_of_the_classical_block_acts(width: int, parameters: int) -> None:
    block = ClassicalBlock(width, parameters).double()
    x = torch.randn(20, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    output = block(x)
    assert output.shape == (20, width) and bool((output.abs() < 1).all())
    assert block.theta.shape == (parameters,)
    if parameters:
        (output**2).sum().backward()
        assert block.theta.grad is not None and bool((block.theta.grad.abs() > 1e-9).all())


def test_a_full_layer_of_the_classical_block() -> None:
    block = ClassicalBlock(3, 12).double()
    theta = block.theta.detach().numpy()
    weights = np.empty((3, 3))
    for diagonal in range(3):
        for row in range(3):
            weights[row, (row + diagonal) % 3] = theta[3 + 3 * diagonal + row]
    x = np.random.default_rng(1).normal(size=(5, 3))
    expected = np.tanh(x + x @ weights.T + theta[:3])
    np.testing.assert_allclose(block(torch.tensor(x)).detach().numpy(), expected)


class Identity(qgen.Encoder):
    """Events are their own code."""

    def encode(self, x, condition=None, *, rng=None):  # type: ignore[no-untyped-def]
        return x

    def decode(self, z, condition=None, *, rng):  # type: ignore[no-untyped-def]
        return z


def test_bounds_against_the_integral_over_the_latent() -> None:
    model = autoencoder()
    rng = np.random.default_rng(8)
    for value in model.parameters().values():
        value += 0.5 * rng.normal(size=value.shape)
    x = rng.normal(size=(10, 2))
    grid = torch.linspace(-8, 8, 2001, dtype=torch.float64)[:, None]
    log_prior = -0.5 * grid[:, 0] ** 2 - 0.5 * np.log(2 * np.pi)
    evidence = np.empty(10)
    with torch.no_grad():
        features = model.features(grid, None)
        for number, event in enumerate(torch.tensor(x)):
            of_event = model.head.log_prob(features, event.expand(2001, -1)) + log_prior
            evidence[number] = torch.logsumexp(of_event, dim=0) + np.log(16 / 2000)
    events = qgen.Events(x)
    found = nelbo(
        events,
        events,
        model=Model(model, Identity()),
        rng=np.random.default_rng(1),
        draws=2000,
    )
    objective, _ = model.forward(
        "objective", qgen.Batch(np.repeat(x, 2000, axis=0)), rng=np.random.default_rng(2)
    )
    weighted = found["importance-weighted bound (2000 draws), exact"].value
    assert weighted == pytest.approx(-evidence.mean(), abs=0.05)
    assert found["nelbo, exact"].value > -evidence.mean() + 0.1
    assert found["nelbo, exact"].value == pytest.approx(objective.mean(), abs=0.1)


def test_values_are_compared_only_without_a_ramp() -> None:
    events = qgen.Events(np.random.default_rng(1).normal(size=(20, 2)))
    trainer = qgen.trainer("torch", steps=2, keep_best=True)
    assert trainer.fit(autoencoder(), events, "mean", seed=1).kept_step is not None
    with pytest.raises(OutputMismatch, match="is a surrogate"):
        trainer.fit(autoencoder(ramp=0.5), events, "mean", seed=1)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadOption, match="latents must be at least 1"):
        autoencoder(latents=0)
    with pytest.raises(BadOption, match="wires must be at least 1"):
        autoencoder(wires=0)
    with pytest.raises(BadOption, match="one a wire"):
        autoencoder(ansatz=lambda wires, inputs: qgen.ansatz("brick")(wires))
