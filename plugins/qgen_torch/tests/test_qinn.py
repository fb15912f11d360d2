"""``qinn``: exact whatever its conditioners are, and controls that differ in one thing each."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import qgen_core as qgen
from qgen_core.discovery import registry
from qgen_core.errors import BadOption, CheckpointError, Interrupted
from qgen_core.runs import run as runs
from qgen_core.runs.recipes import Recipe
from qgen_core.testing import GeneratorKit
from qgen_core.typing import Array, Floats
from qgen_torch.flows.captures import MOST, Captures
from qgen_torch.flows.qinn import QuantumConditionedNetwork
from qgen_torch.flows.quantum_conditioner import CircuitCore, conditioner_circuit
from qgen_torch.layer import QuantumLayer

NLL = {"name": "nll", "reads": "log_prob"}
#: Options of models whose conditioners differ.
KINDS: dict[str, dict[str, Any]] = {
    "all": {},
    "separately": {"computes": "separately", "reupload": True},
    "s": {"computes": "s", "entanglement": "ring"},
    "t": {"computes": "t", "rotations": "rz-ry-rx"},
    "spline": {"univariate": "spline", "bins": 3, "bound": 3.0},
    "rotation": {"mixing": "rotation", "frozen": True},
    "network": {"core": "network"},
    "cos": {"core": "cos"},
    "tanh": {"core": "tanh", "univariate": "spline"},
}


def network(**options: Any) -> QuantumConditionedNetwork:
    """A small model in double precision whose parameters are not the first ones."""
    settings: dict[str, Any] = {
        "space": qgen.Space("reals", 3),
        "blocks": 2,
        "wires": 2,
        "widths": (4,),
        "precision": "double",
        "seed": 3,
    }
    model = QuantumConditionedNetwork(**{**settings, **options})
    rng = np.random.default_rng(8)
    for value in model.parameters().values():
        value += (0.3 * rng.normal(size=value.shape)).astype(value.dtype)
    return model


class TestCircuits(GeneratorKit):
    """Among others: gradients against differences, and that samples follow the density."""

    draws = 2000

    def make(self) -> qgen.Generator:
        return network(
            space=qgen.Space("reals", 2),
            condition=qgen.Space("reals", 1),
            blocks=1,
            computes="separately",
            reupload=True,
            widths=(2,),
            capture_every=1,
        )


class TestOneColumn(GeneratorKit):
    precision = "single"
    draws = 2000

    def make(self) -> qgen.Generator:
        one = qgen.Space("reals", 1)
        return network(space=one, condition=one, blocks=1, widths=(2,), precision="single")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("precision", "error"), [("single", 1e-5), ("double", 1e-10)])
def test_data_of_latents_of_data_are_the_data(kind: str, precision: Any, error: float) -> None:
    model = network(condition=qgen.Space("reals", 1), precision=precision, **KINDS[kind])
    rng = np.random.default_rng(2)
    x = model.tensor(rng.normal(size=(300, 3)))
    condition = model.tensor(rng.normal(size=(300, 1)))
    with torch.no_grad():
        z, _ = model.flow.to_latent(x, condition)
        assert (z - x).abs().max() > 0.3
        assert (model.flow.to_data(z, condition) - x).abs().max() < error


@pytest.mark.parametrize("kind", KINDS)
def test_the_determinant_is_that_of_the_jacobian(kind: str) -> None:
    model = network(condition=qgen.Space("reals", 1), **KINDS[kind])
    rng = np.random.default_rng(2)
    x = model.tensor(rng.normal(size=(2, 3)))
    condition = model.tensor(rng.normal(size=(2, 1)))
    _, log_det = model.flow.to_latent(x, condition)
    for row in range(2):
        given = condition[row : row + 1]

        def latents(event: torch.Tensor, given: torch.Tensor = given) -> torch.Tensor:
            return model.flow.to_latent(event[None], given)[0][0]

        jacobian = torch.autograd.functional.jacobian(latents, x[row])
        found = torch.linalg.slogdet(jacobian)[1].item()
        assert found == pytest.approx(log_det[row].item(), abs=1e-9)


@pytest.mark.parametrize("kind", ["all", "separately", "s", "t", "spline", "network", "cos"])
def test_a_model_starts_as_the_identity(kind: str) -> None:
    model = QuantumConditionedNetwork(
        space=qgen.Space("reals", 3), wires=2, precision="double", seed=1, **KINDS[kind]
    )
    x = torch.linspace(-3, 3, 60, dtype=torch.float64).reshape(20, 3)
    z, log_det = model.flow.to_latent(x, None)
    torch.testing.assert_close(z, x, rtol=0, atol=1e-12)
    torch.testing.assert_close(log_det, torch.zeros(20).double(), rtol=0, atol=1e-12)


def expected_features(angles: Floats, theta: Floats, rotations: str, ring: bool) -> Floats:
    """<Z> of three wires by matrices on the whole register, with two layers and re-uploading."""
    y = np.array([[0, -1j], [1j, 0]])
    paulis = {"rx": np.array([[0, 1], [1, 0]]), "ry": y, "rz": np.diag([1, -1])}
    up = np.diag([1, 0])
    down = np.diag([0, 1])

    def on(*matrices: Array) -> Array:
        whole = np.eye(1)
        for matrix in matrices:
            whole = np.kron(whole, matrix)
        return whole

    def rotation(name: str, wire: int, angle: float) -> Array:
        small = np.cos(angle / 2) * np.eye(2) - 1j * np.sin(angle / 2) * paulis[name]
        parts = [np.eye(2)] * 3
        parts[wire] = small
        return on(*parts)

    def cnot(control: int, target: int) -> Array:
        idle = [np.eye(2)] * 3
        flipping = [np.eye(2)] * 3
        idle[control] = up
        flipping[control] = down
        flipping[target] = paulis["rx"]
        return on(*idle) + on(*flipping)

    state = np.eye(8)[0].astype(complex)
    numbers = iter(theta)
    for _ in range(2):
        for wire in range(3):
            state = rotation("ry", wire, angles[wire]) @ state
        for wire in range(3):
            for name in rotations.split("-"):
                state = rotation(name, wire, next(numbers)) @ state
        pairs = [(0, 1), (1, 2)]
        if ring:
            pairs.append((2, 0))
        for pair in pairs:
            state = cnot(*pair) @ state
    chances = (np.abs(state) ** 2).reshape(2, 2, 2)
    sums = [chances.sum(axis=tuple({0, 1, 2} - {wire})) for wire in range(3)]
    return np.array([both[0] - both[1] for both in sums])


@pytest.mark.parametrize(
    ("rotations", "entanglement"), [("ry-rz", "linear"), ("ry-rz", "ring"), ("rz-ry-rx", "ring")]
)
def test_a_circuit_against_matrices(rotations: Any, entanglement: Any) -> None:
    circuit = conditioner_circuit(
        3, 2, entanglement=entanglement, rotations=rotations, reupload=True
    )
    layer = QuantumLayer(circuit, qgen.pauli_z(3), seed=2, dtype=torch.float64)
    core = CircuitCore(layer, scale=2.0)
    h = torch.tensor(np.random.default_rng(1).normal(size=(4, 3)))
    features = core(h).detach()
    assert layer.theta is not None
    theta = layer.theta.detach().numpy()
    for row, angles in zip(features, 2.0 * np.tanh(h.numpy()), strict=True):
        expected = expected_features(angles, theta, rotations, entanglement == "ring")
        np.testing.assert_allclose(row, expected, atol=1e-12)


def features(h: Floats, **options: Any) -> Floats:
    """What the core of the first block gives for h (N, wires)."""
    model = network(**options)
    core = model.flow.couplings[0].hyper.core
    with torch.no_grad():
        found: Floats = core(torch.tensor(h)).numpy()
    return found


@pytest.mark.parametrize(
    ("entanglement", "reached"),
    [("none", [{0}, {1}, {2}]), ("linear", [{0}, {0, 1}, {0, 1, 2}])],
)
def test_entanglement_decides_which_angles_a_feature_depends_on(
    entanglement: str, reached: list[set[int]]
) -> None:
    h = np.full((4, 3), 0.2)
    for wire in range(3):
        h[wire + 1, wire] = 0.9
    found = features(h, wires=3, layers=1, entanglement=entanglement)
    for wire in range(3):
        moved = {
            moving for moving in range(3) if abs(found[moving + 1, wire] - found[0, wire]) > 1e-6
        }
        assert moved == reached[wire]


@pytest.mark.parametrize(("reupload", "second"), [(False, False), (True, True)])
def test_uploading_again_gives_the_second_harmonic_of_an_angle(
    reupload: bool, second: bool
) -> None:
    angles = 2 * np.pi * np.arange(16) / 16 - np.pi + 1e-6
    h = np.zeros((16, 2))
    h[:, 0] = np.arctanh(angles / (2 * np.pi))
    found = features(h, scale=2 * np.pi, reupload=reupload)
    harmonics = np.abs(np.fft.fft(found[:, 0])) / 16
    assert max(harmonics[1:3]) > 0.01
    assert (harmonics[2] > 1e-6) == second
    assert np.all(harmonics[3:14] < 1e-6)


def test_the_cosine_is_the_circuit_without_entanglement_and_trained_rotations() -> None:
    h = np.random.default_rng(1).normal(size=(5, 2))
    circuit = conditioner_circuit(2, 2, entanglement="none")
    layer = QuantumLayer(circuit, qgen.pauli_z(2), scale=0.0, dtype=torch.float64)
    of_circuit = CircuitCore(layer, scale=1.3)(torch.tensor(h)).detach().numpy()
    np.testing.assert_allclose(features(h, core="cos", scale=1.3), of_circuit, atol=1e-12)
    np.testing.assert_allclose(features(h, core="tanh"), np.tanh(h), atol=1e-12)


@pytest.mark.parametrize("computes", ["separately", "s", "t"])
def test_s_is_the_slope_of_a_map_and_t_its_shift(computes: str) -> None:
    model = network(computes=computes, blocks=1, act_norm=False)
    conditioner = model.flow.couplings[0].hyper
    assert hasattr(conditioner.scale, "core") == (computes != "t")
    assert hasattr(conditioner.shift, "core") == (computes != "s")
    for value in getattr(conditioner.scale, "head", conditioner.scale).parameters():
        value.data.zero_()
    x = torch.ones(1, 3, dtype=torch.float64)
    z, log_det = model.flow.to_latent(x, None)
    assert log_det.abs().item() < 1e-12
    assert (z - x).abs().max() > 0.01


def trained_numbers(model: QuantumConditionedNetwork) -> int:
    return sum(value.size for value in model.parameters().values())


@pytest.mark.parametrize("kind", ["all", "separately", "s", "t", "spline"])
@pytest.mark.parametrize(("wires", "layers"), [(1, 1), (2, 5), (6, 2)])
def test_controls_have_the_numbers_of_parameters_that_they_claim(
    kind: str, wires: int, layers: int
) -> None:
    options = {**KINDS[kind], "wires": wires, "layers": layers}
    cores = 4 if kind == "separately" else 2
    rotations = 3 if kind == "t" else 2
    ours = trained_numbers(network(**options))
    assert trained_numbers(network(**options, core="network")) == ours
    without = ours - cores * layers * wires * rotations
    assert trained_numbers(network(**options, core="cos")) == without
    assert trained_numbers(network(**options, core="tanh")) == without
    assert trained_numbers(network(**options, frozen=True)) == without
    assert trained_numbers(network(**options, core="network", frozen=True)) == without


def test_two_blocks_have_the_72_quantum_parameters_of_the_document() -> None:
    model = QuantumConditionedNetwork(
        space=qgen.Space("reals", 10), blocks=2, rotations="rz-ry-rx", entanglement="ring"
    )
    thetas = [value for name, value in model.parameters().items() if name.endswith("theta")]
    assert sum(theta.size for theta in thetas) == 72


def curved(n: int) -> qgen.Events:
    """Two columns that are far from normal."""
    rng = np.random.default_rng(6)
    first = rng.normal(size=n)
    return qgen.Events(np.column_stack([first, np.cos(2 * first) + 0.3 * rng.normal(size=n)]))


def trained(steps: int, run: Path | None = None, hooks: Any = (), **options: Any) -> Any:
    model = QuantumConditionedNetwork(
        space=qgen.Space("reals", 2), wires=3, widths=(16,), seed=1, **options
    )
    trainer = qgen.trainer(
        "torch",
        optimizer="AdamW",
        optimizer_options={"weight_decay": 0.1},
        learning_rate=0.01,
        steps=steps,
        batch_size=200,
    )
    trainer.fit(model, curved(1000), NLL, seed=1, run=run, hooks=hooks)
    return model


def thetas_of(model: QuantumConditionedNetwork) -> dict[str, Array]:
    return {name: value for name, value in model.state().items() if name.endswith("theta")}


@pytest.mark.parametrize("core", ["quantum", "network"])
def test_a_frozen_core_is_as_it_was_drawn_and_another_one_learns(core: str) -> None:
    options: dict[str, Any] = {"core": core, "blocks": 2}
    before = thetas_of(trained(1, frozen=True, **options))
    after = thetas_of(trained(15, frozen=True, **options))
    assert len(after) == 2
    for name, value in after.items():
        assert np.array_equal(value, before[name])
    before = thetas_of(trained(1, **options))
    for name, value in thetas_of(trained(15, **options)).items():
        assert np.abs(value - before[name]).max() > 1e-3


def test_the_gradient_reaches_every_parameter_of_a_circuit_that_matters() -> None:
    """The last RZ of a wire commutes with what is measured; all others matter."""
    model = network(wires=3, space=qgen.Space("reals", 2))
    rng = np.random.default_rng(1)
    batch = qgen.Batch(rng.normal(size=(20, 2)))
    _, pullback = model.forward("log_prob", batch, rng=rng)
    gradient = pullback(np.ones(20))
    frozen = network(wires=3, space=qgen.Space("reals", 2), frozen=True)
    for block in range(2):
        name = f"couplings.{block}.hyper.core.layer.theta"
        slopes = np.abs(gradient[name]).reshape(2, 3, 2)
        assert np.all(slopes[0] > 1e-6) and np.all(slopes[1, :, 0] > 1e-6)
        assert np.all(slopes[1, :, 1] < 1e-12)
        assert name not in frozen.parameters()
        assert frozen.module.get_buffer(name).requires_grad is False


def test_a_circuit_learns_what_its_normalisation_cannot() -> None:
    model = trained(100, blocks=2)
    fresh = curved(3000).x[1000:]
    log_prob, _ = model.forward("log_prob", qgen.Batch(fresh), rng=np.random.default_rng(1))
    covariance = np.cov(fresh.T)
    normal = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * covariance)[1]
    truth = np.log(2 * np.pi * np.e) + np.log(0.3)
    assert truth - 0.05 < -log_prob.mean() < normal - 0.1


@pytest.mark.parametrize("backend", ["pennylane", "torch", "lightning"])
def test_backends_agree(backend: str) -> None:
    if backend in ("pennylane", "lightning"):
        pytest.importorskip("qgen_pennylane")
    if backend == "lightning":
        pytest.importorskip("pennylane_lightning")
    rng = np.random.default_rng(1)
    batch = qgen.Batch(rng.normal(size=(6, 2)))
    found = []
    for name in ("statevector", backend):
        model = network(
            space=qgen.Space("reals", 2),
            wires=4,
            rotations="rz-ry-rx",
            entanglement="ring",
            backend=qgen.backend(name),
        )
        values, pullback = model.forward("log_prob", batch, rng=rng)
        found.append((values, pullback(np.ones(6))))
    np.testing.assert_allclose(found[1][0], found[0][0], atol=1e-10)
    for name, slope in found[0][1].items():
        np.testing.assert_allclose(found[1][1][name], slope, atol=1e-9, err_msg=name)


def test_for_the_shots_of_one_call_the_map_is_exact() -> None:
    model = network(shots=20, condition=qgen.Space("reals", 1))
    before = model.state()
    rng = np.random.default_rng(2)
    x = model.tensor(rng.normal(size=(50, 3)))
    condition = model.tensor(rng.normal(size=(50, 1)))
    with torch.no_grad():
        with model.measured(5):
            z, log_det = model.flow.to_latent(x, condition)
        with model.measured(5):
            again = model.flow.to_data(z, condition)
        with model.measured(6):
            other = model.flow.to_data(z, condition)
    assert (again - x).abs().max() < 1e-10
    assert (other - x).abs().max() > 0.05
    batch = qgen.Batch(x.numpy(), condition.numpy())
    drawn = [
        model.forward("log_prob", batch, rng=np.random.default_rng(seed))[0] for seed in (1, 1, 2)
    ]
    assert np.array_equal(drawn[0], drawn[1])
    assert np.abs(drawn[0] - drawn[2]).max() > 0.05
    for name, value in model.state().items():
        assert np.array_equal(value, before[name]), name


def test_with_shots_log_prob_estimates_the_density_of_samples() -> None:
    """One block and 2 shots of one wire: the density is a sum over 3 outcomes, done by hand."""
    model = network(
        space=qgen.Space("reals", 2), blocks=1, wires=1, layers=1, shots=2, act_norm=False,
        mixing="none",
    )  # fmt: skip
    exact = network(
        space=qgen.Space("reals", 2), blocks=1, wires=1, layers=1, act_norm=False, mixing="none"
    )
    conditioner = exact.flow.couplings[0].hyper
    outcomes = torch.tensor([[-1.0], [0.0], [1.0]], dtype=torch.float64)
    with torch.no_grad():
        shift, number = conditioner.head(outcomes).numpy().T
    log_scale = number / (1 + np.abs(number) / np.log(1e3))  # the limit of affine maps

    def mixture(x: Floats) -> tuple[Floats, Floats]:
        """The chance of each outcome (N, 3), and the density of the second column for it."""
        with torch.no_grad():
            z = conditioner.core(conditioner.before(torch.tensor(x[:, :1]))).numpy()
        up = (1 + z) / 2
        chances = np.hstack([(1 - up) ** 2, 2 * up * (1 - up), up**2])
        latents = x[:, 1:] * np.exp(log_scale) + shift
        return chances, np.exp(log_scale - latents**2 / 2) / np.sqrt(2 * np.pi)

    points = np.random.default_rng(1).normal(size=(5, 2))
    chances, densities = mixture(points)
    first = np.exp(-(points[:, 0] ** 2) / 2) / np.sqrt(2 * np.pi)
    truth = first * (chances * densities).sum(axis=1)
    repeats = 4000
    log_prob, _ = model.forward(
        "log_prob", qgen.Batch(np.repeat(points, repeats, axis=0)), rng=np.random.default_rng(3)
    )
    drawn = log_prob.reshape(5, repeats)
    error = np.exp(drawn).std(axis=1) / np.sqrt(repeats)
    assert np.all(np.abs(np.exp(drawn).mean(axis=1) - truth) < 5 * error)
    assert np.all(drawn.mean(axis=1) < np.log(truth) - 3 * drawn.std(axis=1) / np.sqrt(repeats))
    # The second column of samples has the mean of the same mixture.
    samples = model.sample(20_000, rng=np.random.default_rng(4))
    chances, _ = mixture(samples)
    expected = (chances * (-shift * np.exp(-log_scale))).sum(axis=1)
    pull = samples[:, 1] - expected
    assert abs(pull.mean()) < 5 * pull.std() / np.sqrt(len(samples))
    assert np.ptp(expected) > 0.05


def test_gradients_from_many_shots_are_those_of_exact_values() -> None:
    """Within their statistical errors, next to which their bias is small."""
    options: dict[str, Any] = {"space": qgen.Space("reals", 2), "blocks": 1}
    batch = qgen.Batch(np.random.default_rng(1).normal(size=(3, 2)))
    _, exact = network(**options).forward("log_prob", batch, rng=np.random.default_rng(2))
    drawn: dict[str, list[Array]] = {name: [] for name in exact(np.ones(3))}
    model = network(shots=20_000, **options)
    for seed in range(16):
        _, pullback = model.forward("log_prob", batch, rng=np.random.default_rng(seed))
        for name, slope in pullback(np.ones(3)).items():
            drawn[name].append(slope)
    for name, slope in exact(np.ones(3)).items():
        error = np.std(drawn[name], axis=0) / 4 + 1e-9
        assert np.all(np.abs(np.mean(drawn[name], axis=0) - slope) < 6 * error), name
        assert np.all(error < 0.03 * (1 + np.abs(slope).max())), name
    assert np.abs(exact(np.ones(3))["couplings.0.hyper.core.layer.theta"]).max() > 0.1


class Stop:
    """A hook that interrupts a training once."""

    def __init__(self) -> None:
        self.stopped = False

    @qgen.hookimpl
    def on_step(self, problem: Any) -> None:
        if problem.step == 5 and not self.stopped:
            self.stopped = True
            raise Interrupted("a test stops here")


@pytest.mark.parametrize("shots", [None, 10])
def test_a_resumed_training_is_bit_identical_with_its_captures(
    tmp_path: Path, shots: int | None
) -> None:
    options: dict[str, Any] = {"capture_every": 2, "blocks": 2, "shots": shots}
    whole = trained(9, **options)
    stop = Stop()
    with pytest.raises(Interrupted):
        trained(9, tmp_path, [stop], **options)
    resumed = trained(9, tmp_path, [stop], **options)
    assert stop.stopped
    expected = whole.state()
    assert expected.keys() == resumed.state().keys()
    for name, value in resumed.state().items():
        assert np.array_equal(value, expected[name]), name
    assert resumed.captures["steps"].tolist() == [0, 2, 4, 6, 8]


def test_captures_are_read_from_the_folder_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_local", dict(registry._local))
    qgen.register("dataset", "test-curved", lambda: curved(100))
    recipe = Recipe.parse(
        """
        dataset = "test-curved"
        encoder = "standard"
        generator = { name = "qinn", wires = 2, capture_every = 2 }
        loss = { name = "nll", reads = "log_prob" }
        trainer = { name = "torch", steps = 3 }
        """
    )
    runs.train(recipe, tmp_path)
    captures = runs.Run(tmp_path).assembly.generator.captures
    assert captures["steps"].tolist() == [0, 2]
    assert captures["states"].shape == (2, 8, 4, 4)


def test_captures_are_what_the_model_makes_of_the_first_events() -> None:
    model = network(condition=qgen.Space("reals", 1), computes="separately", capture_every=3)
    assert model.captures["steps"].tolist() == []
    rng = np.random.default_rng(1)
    followed = qgen.Batch(rng.normal(size=(20, 3)), rng.normal(size=(20, 1)))
    for step in range(4):
        batch = followed
        if step:
            batch = qgen.Batch(rng.normal(size=(20, 3)), rng.normal(size=(20, 1)))
        if step == 3:
            for value in model.parameters().values():
                value += 0.1
        model.prepare(batch, rng=rng)
    found = model.captures
    assert found["steps"].tolist() == [0, 3]
    assert followed.x is not None and followed.condition is not None
    assert np.array_equal(found["x"], followed.x[:8])
    assert np.array_equal(found["condition"], followed.condition[:8])
    with torch.no_grad():
        z, _ = model.flow.to_latent(model.tensor(found["x"]), model.tensor(found["condition"]))
    assert np.array_equal(found["latents"][1], z.numpy())
    assert np.abs(found["latents"][0] - found["latents"][1]).max() > 0.01
    assert found["states"].shape == (2, 8, 4, 4)
    chances = np.abs(found["states"]) ** 2
    np.testing.assert_allclose(chances.sum(axis=-1), 1, atol=1e-12)
    first = chances[..., :2].sum(axis=-1) - chances[..., 2:].sum(axis=-1)
    second = chances[..., ::2].sum(axis=-1) - chances[..., 1::2].sum(axis=-1)
    np.testing.assert_allclose(found["features"], np.stack([first, second], axis=-1), atol=1e-12)


def test_a_classical_core_has_features_and_no_states() -> None:
    model = network(core="network", capture_every=1)
    model.prepare(qgen.Batch(np.ones((3, 3))), rng=np.random.default_rng(1))
    assert model.captures["features"].shape == (1, 3, 2, 2)
    assert "states" not in model.captures
    assert network(core="network").captures == {}


def test_captures_are_bounded_and_cover_the_training() -> None:
    captures = Captures(every=3)
    for step in range(3 * 5 * MOST):
        captures.step(qgen.Batch(np.zeros((2, 1))), lambda _, step=step: {"step": np.array(step)})
        assert len(captures.found()["steps"]) <= MOST
    steps = captures.found()["steps"]
    assert np.array_equal(steps, captures.found()["step"])
    assert len(steps) > MOST // 2
    assert {later - earlier for earlier, later in pairwise(steps.tolist())} == {24}
    assert steps[0] == 0 and steps[-1] > 3 * 5 * MOST - 25


def test_captures_that_do_not_fit_are_refused() -> None:
    with pytest.raises(CheckpointError, match="not captures"):
        network(capture_every=1).load(network().state())
    with pytest.raises(CheckpointError, match="captured/numbers"):
        network().load(network(capture_every=1).state())
    with pytest.raises(BadOption, match="MiB of each checkpoint"):
        network(wires=14, capture_every=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blocks": 0}, "qinn needs blocks"),
        ({"wires": 0}, "wires and layers"),
        ({"layers": 0}, "wires and layers"),
        ({"space": qgen.Space("reals", 1)}, "give one"),
        ({"univariate": "spline", "computes": "s"}, "splines have no s and t"),
        ({"core": "cos", "frozen": True}, "leave out frozen"),
        ({"core": "tanh", "frozen": True}, "leave out frozen"),
        ({"capture_every": 0}, "capture_every"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        network(**options)
