"""``quantum-bridge``: what is trained of it, its circuits against formulas and PennyLane."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import qgen_core as qgen
from qgen_core import Batch, Space
from qgen_core.errors import BadOption
from qgen_core.testing import GeneratorKit
from qgen_core.typing import Array
from qgen_torch.generators.quantum_bridge import QuantumBridge


def bridge(**options: Any) -> QuantumBridge:
    settings: dict[str, Any] = {
        "space": Space("reals", 3),
        "latent": 4,
        "wires": 3,
        "features": 5,
        "widths": (6,),
        "precision": "double",
        "seed": 3,
    }
    return QuantumBridge(**{**settings, **options})


def core_of(model: QuantumBridge) -> Any:
    """The circuits, from h to the last ``<Z>``."""
    conditioner: Any = model.module.get_submodule("0")
    return conditioner.core


class TestBridge(GeneratorKit):
    """Among others: gradients against differences, and that a loaded state gives the same."""

    def make(self) -> qgen.Generator:
        return bridge(condition=Space("reals", 1), norm="layer", initial=1.0)


def gradient_of(model: QuantumBridge) -> dict[str, Array]:
    """The gradient of some number of the samples."""
    batch = Batch(np.zeros((7, 3)))
    samples, pullback = model.forward("samples", batch, rng=np.random.default_rng(1))
    return dict(pullback(np.cos(np.arange(samples.size)).reshape(samples.shape)))


def parts_with_gradient(model: QuantumBridge) -> set[str]:
    found = set()
    for name, slope in gradient_of(model).items():
        if np.any(np.abs(slope) > 1e-9):
            found.add(name.rpartition(".")[0])
    return found


@pytest.mark.parametrize("core", ["quantum", "network"])
def test_the_gradient_reaches_all_that_is_trained_and_nothing_else(core: Any) -> None:
    # The bias before a batch normalisation has no effect, so layers are normalised instead.
    trained = parts_with_gradient(bridge(core=core, norm="layer", initial=1.0))
    of_core = {"0.core.0.layer", "0.core.1.layer"}
    if core == "network":
        of_core = {"0.core.0", "0.core.1"}
    of_module = {"0.before", "0.head", *of_core}
    assert of_module < trained
    without_core = bridge(core=core, norm="layer", initial=1.0, frozen="core")
    assert parts_with_gradient(without_core) == trained - of_core
    without_module = bridge(core=core, norm="layer", initial=1.0, frozen="module")
    assert parts_with_gradient(without_module) == trained - of_module


@pytest.mark.parametrize("frozen", ["core", "module"])
def test_what_is_frozen_is_no_parameter_and_part_of_the_state(frozen: Any) -> None:
    whole = bridge()
    model = bridge(frozen=frozen)
    missing = whole.parameters().keys() - model.parameters().keys()
    assert {name for name in missing if "theta" in name} == {
        "0.core.0.layer.theta",
        "0.core.1.layer.theta",
    }
    assert ("0.before.weight" in missing) == (frozen == "module")
    for name in missing:
        np.testing.assert_array_equal(model.state()[name], whole.state()[name])


@pytest.mark.parametrize("core", ["quantum", "network", "cos"])
def test_a_training_moves_the_circuits_or_leaves_them(core: Any) -> None:
    events = qgen.Events(np.random.default_rng(2).normal(size=(60, 3)))
    for frozen in ("nothing", "module"):
        model = bridge(core=core, frozen=frozen)
        before = model.state()
        loss = qgen.loss("adversarial", space=model.space, variant="wgan-gp", seed=1)
        trainer = qgen.trainer("torch", learning_rate=0.01, steps=3, batch_size=10)
        trainer.fit(model, events, loss, seed=1)
        after = model.state()
        moved = {name for name in before if not np.array_equal(before[name], after[name])}
        assert any(name.startswith("1.") for name in moved)
        assert any(name.startswith("0.") for name in moved) == (frozen == "nothing")
        if core != "cos":
            thetas = {name for name in moved if "theta" in name}
            assert len(thetas) == 2 * (frozen == "nothing")


def test_the_document_has_72_quantum_parameters_as_run_and_24_as_printed() -> None:
    def quantum(model: QuantumBridge) -> int:
        thetas = [value for name, value in model.parameters().items() if "theta" in name]
        return sum(value.size for value in thetas)

    def all_of(model: QuantumBridge) -> int:
        return sum(value.size for value in model.parameters().values())

    events = Space("reals", 5)
    ring = QuantumBridge(space=events)
    twin = QuantumBridge(space=events, core="network")
    assert quantum(ring) == quantum(twin) == 72
    assert all_of(ring) == all_of(twin)
    printed = QuantumBridge(space=events, circuits=1, entanglement="linear", rotations="ry-rz")
    assert quantum(printed) == 24
    # Linear(10, 6) and Linear(6, 100): the parts before and after the circuits.
    assert ring.parameters()["0.before.weight"].shape == (6, 10)
    assert ring.parameters()["0.head.weight"].shape == (100, 6)
    assert np.abs(ring.parameters()["0.core.0.layer.theta"]).max() <= 0.01 * np.sqrt(3)


def test_without_entanglement_and_rotations_it_is_a_cosine_twice() -> None:
    model = bridge(entanglement="none", initial=0.0, scale=0.7)
    h = torch.linspace(-1.0, 1.0, 6, dtype=torch.float64).reshape(2, 3)
    once = np.cos(0.7 * np.tanh(h.numpy()))
    expected = np.cos(0.7 * np.tanh(once))
    found = core_of(model)(h).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("entanglement", ["linear", "ring"])
def test_its_circuits_are_those_of_pennylane(entanglement: Any) -> None:
    qml: Any = pytest.importorskip("pennylane")
    model = bridge(circuits=1, wires=4, initial=2.0, scale=1.3, entanglement=entanglement)
    theta = model.parameters()["0.core.0.layer.theta"]
    device = qml.device("default.qubit", wires=4)

    def measured(angles: Array) -> Any:
        for wire in range(4):
            qml.RY(angles[wire], wires=wire)
        for of_layer in theta.reshape(2, 4, 3):
            for wire in range(4):
                qml.RZ(of_layer[wire, 0], wires=wire)
                qml.RY(of_layer[wire, 1], wires=wire)
                qml.RX(of_layer[wire, 2], wires=wire)
            pairs = [(0, 1), (1, 2), (2, 3)]
            if entanglement == "ring":
                pairs.append((3, 0))
            for pair in pairs:
                qml.CNOT(wires=pair)
        return [qml.expval(qml.PauliZ(wire)) for wire in range(4)]

    circuit = qml.QNode(measured, device)
    h = np.random.default_rng(5).normal(size=(3, 4))
    expected = [circuit(1.3 * np.tanh(row)) for row in h]
    found = core_of(model)(torch.from_numpy(h)).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"circuits": 0}, "at least 1"),
        ({"latent": 0}, "at least 1"),
        ({"core": "cos", "frozen": "core"}, "no parameters that could be frozen"),
        ({"wires": 0}, "wires and layers"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        bridge(**options)
