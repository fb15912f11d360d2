"""``giqnn``: the density of the forward map, the learned inverse, and what is said about it."""

from __future__ import annotations

from math import pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import qgen_core as qgen
from qgen_core import Circuit, Probabilities
from qgen_core.errors import BadOption, DataError, QgenError, Unsupported
from qgen_core.interfaces import Model
from qgen_core.testing import GeneratorKit, reference
from qgen_core.typing import Floats
from qgen_torch.flows.giqnn import InvertibleQuantumNetwork, squared_mmd
from qgen_torch.flows.invertibility import invertibility
from qgen_torch.flows.quantum_map import (
    MapOptions,
    QuantumMap,
    encoding_gates,
    swap_test,
    trained_gates,
)

#: Options of models that differ in their parts.
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "chain": {"quantum_layers": 2, "base": "uniform"},
    "narrow": {"scale": 1.1, "entanglement": "ring", "layers": 1, "correction": 0},
    "hybrid": {"before": 1, "after": 2, "univariate": "spline", "widths": (4,)},
}


def network(**options: Any) -> InvertibleQuantumNetwork:
    """A small model whose parameters are not the first ones."""
    settings: dict[str, Any] = {"space": qgen.Space("reals", 2), "initial": 0.4, "seed": 3}
    model = InvertibleQuantumNetwork(**{**settings, **options})
    rng = np.random.default_rng(8)
    for value in model.parameters().values():
        value += 0.1 * rng.normal(size=value.shape)
    return model


def events(rows: int, width: int = 2) -> Floats:
    return np.random.default_rng(2).normal(size=(rows, width))


class TestExactInverse(GeneratorKit):
    """Circuits that are the identity: samples follow the density, gradients are differences."""

    draws = 2000

    def make(self) -> qgen.Generator:
        model = network(
            condition=qgen.Space("reals", 1),
            initial=0.0,
            layers=1,
            inverse_layers=1,
            correction=0,
            after=1,
            widths=(2,),
        )
        for name, value in model.parameters().items():
            if name.endswith(("theta", "eta")):
                value[...] = 0.0
        return model


@pytest.mark.parametrize("kind", KINDS)
def test_the_determinant_is_that_of_the_jacobian(kind: str) -> None:
    """By autograd, which does not shift circuits, and by differences."""
    model = network(**KINDS[kind])
    x = model.tensor(events(3))
    _, log_det = model.flow.to_latent(x, None)
    for row in range(3):

        def latents(event: torch.Tensor) -> torch.Tensor:
            return model.flow.to_latent(event[None], None)[0][0]

        jacobian = torch.autograd.functional.jacobian(latents, x[row])
        found = torch.linalg.slogdet(jacobian)[1].item()
        assert found == pytest.approx(log_det[row].item(), abs=1e-9)
        step = 1e-5 * torch.eye(2, dtype=torch.float64)
        columns = [(latents(x[row] + one) - latents(x[row] - one)) / 2e-5 for one in step]
        found = torch.linalg.slogdet(torch.stack(columns))[1].item()
        assert found == pytest.approx(log_det[row].item(), abs=1e-6)


@pytest.mark.parametrize("base", ["normal", "uniform"])
def test_a_layer_starts_as_tanh_with_an_exact_inverse(base: Any) -> None:
    layer = QuantumMap(3, MapOptions(initial=0.0, base=base)).double()
    h = torch.linspace(-6, 6, 60, dtype=torch.float64).reshape(20, 3)
    forward = layer.to_latent(h)
    torch.testing.assert_close(forward.y, torch.tanh(h), rtol=0, atol=1e-12)
    torch.testing.assert_close(layer.fidelity(forward), torch.ones(20).double())
    torch.testing.assert_close(layer.to_input(forward.z), h, rtol=0, atol=1e-9)
    if base == "normal":
        torch.testing.assert_close(forward.z, h, rtol=0, atol=1e-9)
        torch.testing.assert_close(forward.log_det, torch.zeros(20).double(), rtol=0, atol=1e-9)
    else:
        logistic = 0.5 * (1 - torch.tanh(h) ** 2)
        density = forward.log_det - 0.5 * (forward.z**2 + np.log(2 * np.pi)).sum(dim=1)
        torch.testing.assert_close(density, logistic.log().sum(dim=1), rtol=0, atol=1e-9)


class Solved(nn.Module):
    """The correction that makes the state of :func:`entangled_layer` exact, in closed form.

    With rotations by s and t, c = cos(a_0 + s) and the angle u of the controlled rotation, y_0 = c
    and y_1 = (1 + c)/2 cos(a_1 + t) + (1 - c)/2 cos(a_1 + t + u) = r cos(a_1 + t + d).
    """

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        s, t, u = ANGLES
        c = y[:, 0]
        along = (1 + c) / 2 + (1 - c) / 2 * np.cos(u)
        across = (1 - c) / 2 * np.sin(u)
        r = torch.hypot(along, across)
        first = torch.acos(c) - s
        second = torch.acos(y[:, 1] / r) - torch.atan2(across, along) - t
        return torch.stack([first, second], dim=1) - torch.acos(y)


#: The parameters of :func:`entangled_layer`: two rotations and a controlled one.
ANGLES = (0.2, -0.3, 0.4)


def entangled_layer() -> QuantumMap:
    """A layer of rotations of two wires and a controlled one, with its exact inverse."""
    options = MapOptions(layers=1, inverse_layers=1, initial=0.0, scale=1.0)
    layer = QuantumMap(2, options).double()
    with torch.no_grad():
        layer.theta.copy_(torch.tensor(ANGLES, dtype=torch.float64))
        layer.eta.copy_(torch.tensor(ANGLES, dtype=torch.float64))
    layer.correction = Solved()  # type: ignore[assignment]
    return layer


def test_an_exact_state_preparation_inverts_an_entangling_circuit() -> None:
    layer = entangled_layer()
    h = torch.from_numpy(events(200))
    with torch.no_grad():
        forward = layer.to_latent(h)
        assert (layer.to_input(forward.z) - h).abs().max() < 1e-9
        assert (1 - layer.fidelity(forward)).abs().max() < 1e-12
        assert (forward.sign > 0).all()
        layer.eta[2] = 0.2
        assert (layer.to_input(forward.z) - h).abs().max() > 1e-2
        assert layer.fidelity(forward).min() < 0.999


def states(layer: QuantumMap, h: torch.Tensor) -> tuple[Floats, Floats]:
    """psi and phi (N, 2^n) by matrices in numpy."""
    forward = layer.to_latent(h)
    prepared = torch.acos(forward.y)
    if layer.correction is not None:
        prepared = prepared + layer.correction(forward.y)
    width = h.shape[1]
    found = []
    for params, angles in ((layer.theta, forward.angles), (layer.eta, prepared)):
        gates = [*encoding_gates(width), *trained_gates(width, 2, "linear")]
        circuit = Circuit(width, tuple(gates))
        bound = circuit.bind(params.numpy(force=True), angles.numpy(force=True))
        found.append(np.array([reference.state(circuit, row) for row in bound]))
    return found[0], found[1]


def moved_layer(**options: Any) -> QuantumMap:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(5)
        layer = QuantumMap(2, MapOptions(initial=1.0, **options)).double()
        with torch.no_grad():
            for values in layer.parameters():
                values += 0.3 * torch.randn(values.shape, dtype=torch.float64)
    return layer


def test_fidelities_are_overlaps_of_states() -> None:
    layer = moved_layer()
    h = torch.from_numpy(events(20))
    psi, phi = states(layer, h)
    expected = np.abs(np.sum(psi.conj() * phi, axis=1)) ** 2
    assert expected.min() < 0.9
    found = layer.fidelity(layer.to_latent(h)).numpy(force=True)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_ancilla_of_the_swap_test_is_0_with_half_of_one_plus_the_fidelity() -> None:
    layer = moved_layer()
    h = torch.from_numpy(events(6))
    forward = layer.to_latent(h)
    first = [*encoding_gates(2), *trained_gates(2, 2, "linear")]
    second = [*encoding_gates(2, first=2), *trained_gates(2, 2, "linear", first=len(first) - 2)]
    circuit = swap_test(first, second, 2)
    assert layer.correction is not None
    prepared = torch.acos(forward.y) + layer.correction(forward.y)
    angles = circuit.bind(
        torch.cat([layer.theta, layer.eta]).numpy(force=True),
        torch.cat([forward.angles, prepared], dim=1).numpy(force=True),
    )
    table = qgen.backend("statevector").run(circuit, angles, Probabilities())
    p_of_0 = table[:, : table.shape[1] // 2].sum(axis=1)
    expected = 0.5 + 0.5 * layer.fidelity(forward).numpy(force=True)
    np.testing.assert_allclose(p_of_0, expected, atol=1e-12)


def test_shots_of_the_swap_test_estimate_the_fidelity() -> None:
    exact = moved_layer()
    shots = 400
    estimated = moved_layer(swap_shots=shots)
    h = torch.from_numpy(np.repeat(events(1), 500, axis=0))
    expected = exact.fidelity(exact.to_latent(h)).numpy(force=True)[0]
    forward = estimated.to_latent(h)
    found = estimated.fidelity(forward, np.random.default_rng(3)).numpy(force=True)
    again = estimated.fidelity(forward, np.random.default_rng(3)).numpy(force=True)
    np.testing.assert_array_equal(found, again)
    deviation = np.sqrt((1 - expected**2) / shots)
    assert found.std() == pytest.approx(deviation, rel=0.2)
    assert found.mean() == pytest.approx(expected, abs=5 * deviation / np.sqrt(500))


def test_the_objective_is_likelihood_fidelity_and_mmd() -> None:
    x = events(30)
    model = network(fidelity_weight=2.0, mmd_weight=3.0)
    found, _ = model.forward("objective", qgen.Batch(x), rng=np.random.default_rng(4))
    log_prob, _ = model.forward("log_prob", qgen.Batch(x), rng=np.random.default_rng(4))
    with torch.no_grad():
        flow: Any = model.flow
        _, _, steps = flow.forward_steps(model.tensor(x), None)
        infidelity = 1 - flow.fidelity(steps).sum(dim=1).numpy()
        generated = model.samples(30, None, np.random.default_rng(4)).numpy()
    mmd = qgen.loss("mmd", reads="samples", estimator="unbiased")
    distance = mmd(generated, qgen.Batch(x))[0]
    assert distance > 0
    np.testing.assert_allclose(found, -log_prob + 2 * infidelity + 3 * distance, atol=1e-9)


def test_mmd_is_that_of_the_loss() -> None:
    x = events(12)
    y = events(12) * 2 + 0.5
    expected = qgen.loss("mmd", reads="samples", estimator="unbiased")(x, qgen.Batch(y))[0]
    found = squared_mmd(torch.from_numpy(x), torch.from_numpy(y)).item()
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("swap_shots", [None, 50])
def test_gradients_reach_both_circuits_and_a_frozen_one_has_none(swap_shots: int | None) -> None:
    batch = qgen.Batch(events(8))
    for frozen in (False, True):
        model = network(frozen=frozen, swap_shots=swap_shots)
        _, pullback = model.forward("objective", batch, rng=np.random.default_rng(1))
        gradient = pullback(np.ones(8))
        assert np.abs(gradient["layers.0.eta"]).min() > 0
        assert ("layers.0.theta" in gradient) is not frozen
        assert "layers.0.theta" in model.state()
        if not frozen:
            assert np.abs(gradient["layers.0.theta"]).max() > 1e-3


def test_a_map_that_folds_is_not_called_invertible() -> None:
    model = InvertibleQuantumNetwork(space=qgen.Space("reals", 1), initial=0.0, seed=1)
    x = np.linspace(-3, 3, 101)[:, None]
    found = model.invertibility(x)
    assert found.is_invertible
    assert str(found).startswith("invertible: worst round trip")
    assert found.smallest_determinant == pytest.approx(1.0, abs=1e-9)
    model.parameters()["layers.0.theta"][0] = 1.0  # folds where the angle is pi - 1
    found = model.invertibility(x)
    fold = np.arctanh(np.sin(-pi / 2 + 1.0))
    assert found.folded == pytest.approx(np.mean(x < fold))
    assert not found.is_invertible
    assert str(found).startswith("not invertible: worst round trip")
    assert "both signs of det J" in str(found)


def test_the_metric_says_whether_the_model_is_invertible(tmp_path: Path) -> None:
    first = np.random.default_rng(2).normal(size=1000)
    x = np.column_stack([first, first**2 + np.random.default_rng(3).normal(size=1000)])
    run = qgen.fit(x, "giqnn", steps=3, run=tmp_path / "run", progress=False)
    held_out = run.assembly.parts[2]
    model = Model(run.assembly.generator, run.assembly.encoder)
    found = invertibility(held_out, held_out, model=model, rng=np.random.default_rng(1), events=50)
    assert list(found) == ["mean fidelity", "worst round trip", "min |det J|"]
    assert "invertible: worst round trip" in found["worst round trip"].note
    assert 0.9 < found["mean fidelity"].value < 1
    other = qgen.generator("inn", space=qgen.Space("reals", 2), blocks=1)
    with pytest.raises(Unsupported, match="learned inverse"):
        invertibility(
            held_out,
            held_out,
            model=Model(other, run.assembly.encoder),
            rng=np.random.default_rng(1),
        )


def mass(model: InvertibleQuantumNetwork) -> float:
    """The integral of the density over the plane."""
    side = np.linspace(-8, 8, 161)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    log_prob, _ = model.forward("log_prob", qgen.Batch(grid), rng=np.random.default_rng(1))
    return float(np.exp(log_prob).sum() * (side[1] - side[0]) ** 2)


def test_it_learns_a_correlation_as_a_density() -> None:
    """The likelihood of the density divided by its integral, so that folds do not count."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1200, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
    held_out = qgen.Batch(x[1000:])
    model = InvertibleQuantumNetwork(space=qgen.Space("reals", 2), layers=1, seed=1)

    def nll() -> float:
        log_prob, _ = model.forward("log_prob", held_out, rng=rng)
        return float(-log_prob.mean() + np.log(mass(model)))

    model.prepare(qgen.Batch(x[:1000]), rng=rng)
    before = nll()
    trainer = qgen.trainer("torch", learning_rate=0.03, clip_norm=10.0, steps=80, batch_size=128)
    trainer.fit(model, qgen.Events(x[:1000]), qgen.loss("mean"), seed=1)
    found = model.invertibility(x[1000:])
    assert nll() < before - 0.25
    assert mass(model) == pytest.approx(1.0, abs=0.02)
    assert found.mean_fidelity > 0.99
    assert np.corrcoef(model.sample(4000, rng=rng).T)[0, 1] > 0.5


def test_options_that_cannot_be_are_refused() -> None:
    plane = qgen.Space("reals", 2)
    for options, reason in (
        ({"wires": 3}, "square"),
        ({"condition": qgen.Space("reals", 1)}, "couplings"),
        ({"quantum_layers": 0}, "at least 1"),
        ({"layers": 0}, "at least 1"),
        ({"scale": 2.0}, "pi/2"),
        ({"fidelity_weight": -1.0}, "at least 0"),
        ({"after": 1, "widths": (0,)}, "at least 1"),
    ):
        with pytest.raises(BadOption, match=reason):
            InvertibleQuantumNetwork(**{"space": plane, **options})
    with pytest.raises(BadOption, match="real numbers"):
        InvertibleQuantumNetwork(space=qgen.Space("bits", 2))
    with pytest.raises(QgenError):
        InvertibleQuantumNetwork(space=qgen.Space("reals", 60))
    with pytest.raises(DataError):
        network().invertibility(events(4), np.ones((4, 1)))
