"""``style-qgan``: the contract, published counts of parameters, and its circuit by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core import Batch, Generator, Space
from qgen_core.errors import BadOption, DataError
from qgen_core.support.checkpoint import Checkpoints
from qgen_core.testing import GeneratorKit
from qgen_torch.adversarial import Adversarial
from qgen_torch.generators.style_qgan import StyleQgan, style_circuit
from qgen_torch.networks.mlp import mlp
from qgen_torch.trainer import TorchTrainer

CASES: dict[str, dict[str, Any]] = {
    "lhc": {"space": Space("reals", 3), "layers": 2},
    "four-layers": {"space": Space("reals", 3), "layers": 4, "latent": 3},
    "gamma": {"space": Space("reals", 1), "layers": 2, "latent": 1},
    "conditions": {
        "space": Space("reals", 2),
        "layers": 3,
        "condition": Space("angles", 2),
        "scale": 1.0,
    },
    "x-too": {"space": Space("reals", 5), "layers": 2, "observables": "zx", "scale": 1.0},
}


def made(**options: Any) -> StyleQgan:
    return StyleQgan(backend=qgen.backend("statevector"), seed=5, **options)


def angles(model: StyleQgan, styles: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The angles ``w z + b`` (angles, n) of styles (n, angles)."""
    values = model.parameters()
    turned: np.ndarray[Any, Any] = values["weight"] * styles + values["bias"]
    return turned.T


@pytest.mark.parametrize("case", CASES)
class TestContract(GeneratorKit):
    @pytest.fixture(autouse=True)
    def _case(self, case: str) -> None:
        self.case = case

    def make(self) -> Generator:
        return made(**CASES[self.case])


@pytest.mark.parametrize(
    ("width", "layers", "count", "gates"),
    [(3, 2, 34, 17), (3, 1, 20, 9), (1, 2, 10, 5), (2, 4, 44, 22)],
)
def test_counts_of_parameters_are_the_published_ones(
    width: int, layers: int, count: int, gates: int
) -> None:
    model = made(space=Space("reals", width), layers=layers)
    assert sum(array.size for array in model.parameters().values()) == count
    assert len(model.circuit.gates) == gates


def test_entanglers_stand_after_every_second_layer() -> None:
    names = [(gate.name, gate.wires) for gate in style_circuit(3, 4).gates]
    layer = [(name, (wire,)) for wire in range(3) for name in ("ry", "rz")]
    ends = [("ry", (wire,)) for wire in range(3)]
    first, second = [("cry", (0, 1)), ("cry", (0, 2))], [("cry", (1, 2)), ("cry", (2, 0))]
    assert names == [*layer, *layer, *first, *layer, *layer, *second, *ends]
    two = [gate.wires for gate in style_circuit(2, 4).gates if gate.name == "cry"]
    assert two == [(0, 1), (1, 0), (0, 1), (1, 0)]
    five = [gate.wires for gate in style_circuit(5, 4).gates if gate.name == "cry"]
    assert five == [(0, 1), (1, 2), (2, 3), (3, 4)]


def test_one_wire_by_hand() -> None:
    """<Z> after RY(a) RZ(b) RY(c) is cos a cos c - sin a cos b sin c, with angles w z + b."""
    model = made(space=Space("reals", 1), layers=1, latent=2, scale=1.0)
    assert len(model.parameters()["weight"]) == 3
    rng = np.random.default_rng(7)
    found = model.sample(400, rng=rng)
    z = np.random.default_rng(7).standard_normal((400, 2))
    a, b, c = angles(model, z[:, [0, 1, 0]])
    assert np.allclose(
        found[:, 0], np.cos(a) * np.cos(c) - np.sin(a) * np.cos(b) * np.sin(c), atol=1e-12
    )


def test_conditions_take_their_turn_behind_the_noise() -> None:
    """One wire, one layer, one noise dimension, one condition: only RZ depends on the condition."""
    model = made(
        space=Space("reals", 1), condition=Space("reals", 1), layers=1, latent=1, scale=1.0
    )
    condition = np.linspace(-2.0, 2.0, 400)[:, None]
    found = model.sample(400, condition, rng=np.random.default_rng(7))
    z = np.concatenate([np.random.default_rng(7).standard_normal((400, 1)), condition], axis=1)
    a, b, c = angles(model, z[:, [0, 1, 0]])
    assert np.allclose(
        found[:, 0], np.cos(a) * np.cos(c) - np.sin(a) * np.cos(b) * np.sin(c), atol=1e-12
    )


def test_x_stands_behind_z() -> None:
    model = made(space=Space("reals", 2), layers=1, observables="zx", latent=1, scale=1.0)
    assert model.circuit.num_wires == 1
    found = model.sample(100, rng=np.random.default_rng(1))
    z = np.random.default_rng(1).standard_normal((100, 1))
    a, b, c = angles(model, z)
    assert np.allclose(
        found[:, 1], np.cos(a) * np.sin(c) + np.sin(a) * np.cos(b) * np.cos(c), atol=1e-12
    )


def test_the_last_places_of_an_odd_number_of_layers_move_nothing() -> None:
    model = made(space=Space("reals", 3), layers=1)
    samples, pullback = model.forward(
        "samples", Batch(np.zeros((6, 3))), rng=np.random.default_rng(2)
    )
    gradient = pullback(np.ones_like(samples))
    for name in ("weight", "bias"):
        assert gradient[name][-1] == 0
        # RZ before the last RY of its wire moves <Z>; the first place is RY of wire 0
        assert np.all(np.abs(gradient[name][[0, 2, 4, 6, 7, 8]]) > 1e-4)


def test_shots_estimate_the_expectations() -> None:
    """Estimates from 4000 shots scatter binomially around exact values, and so do gradients."""
    exact, measured = (
        made(space=Space("reals", 2), layers=2, shots=shots, scale=1.0) for shots in (None, 4000)
    )
    batch = Batch(np.zeros((200, 2)))
    truth, exact_back = exact.forward("samples", batch, rng=np.random.default_rng(3))
    found, back = measured.forward("samples", batch, rng=np.random.default_rng(3))
    pulls = (found - truth) / np.sqrt(np.maximum(1 - truth**2, 1e-3) / 4000)
    assert 0.8 < pulls.std() < 1.2 and abs(pulls.mean()) < 5 / np.sqrt(pulls.size)
    expected, estimated = (one(np.full((200, 2), 1 / 200)) for one in (exact_back, back))
    for name in expected:
        assert np.allclose(estimated[name], expected[name], atol=0.02)
        assert not np.array_equal(estimated[name], expected[name])


def test_streamed_samples_are_those_of_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(space=Space("reals", 2), condition=Space("reals", 1), layers=2)
    condition = np.linspace(0, 1, 50)[:, None]
    whole = model.sample(50, condition, rng=np.random.default_rng(4))
    monkeypatch.setattr(model, "events_at_once", 7)
    assert np.allclose(model.sample(50, condition, rng=np.random.default_rng(4)), whole, atol=1e-14)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadOption, match="min-max"):
        made(space=Space("bits", 2))
    with pytest.raises(BadOption, match="fewer than 3"):
        made(space=Space("reals", 3), wires=2)
    for options in ({"layers": 0}, {"latent": 0}, {"scale": -1.0}):
        with pytest.raises(BadOption, match="at least"):
            made(space=Space("reals", 1), **options)
    with pytest.raises(DataError, match="takes no condition"):
        made(space=Space("reals", 1)).sample(3, np.zeros((3, 1)), rng=np.random.default_rng(1))


def test_checkpoints_keep_their_names(tmp_path: Path) -> None:
    """A run folder that was written by an earlier version is resumed: the names are those here."""
    state = {"weight": np.linspace(-1, 1, 17), "bias": np.linspace(0, 1, 17)}
    model = made(space=Space("reals", 3), layers=2)
    assert list(model.parameters()) == list(model.state()) == ["weight", "bias"]
    model.load(state)
    for name, value in state.items():
        assert model.state()[name].dtype == np.float64
        assert np.array_equal(model.state()[name], value)
    data = qgen.Events(np.random.default_rng(1).uniform(-1, 1, (30, 3)))
    loss = Adversarial(space=model.space, critic=lambda i, o: mlp(i, o, widths=(4,)), seed=2)
    trainer = TorchTrainer(steps=2, batch_size=10)
    trainer.fit(model, data, loss, seed=3, run=Checkpoints(tmp_path, every=0))
    saved = Checkpoints(tmp_path).latest()
    assert saved is not None
    critic = ("0.bias", "0.weight", "2.bias", "2.weight")
    moments = ("exp_avg", "exp_avg_sq", "step")
    expected = {"generator/weight", "generator/bias", "fit/best", "fit/journal", "fit/origin"}
    expected |= {f"loss/critic/{name}" for name in critic}
    for moment in moments:
        expected |= {f"loss/optimizer/tensor/{moment}/{name}" for name in critic}
        expected |= {f"trainer/optimizer/tensor/{moment}/{name}" for name in state}
    assert saved.arrays.keys() == expected
