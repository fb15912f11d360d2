"""``cfm`` and ``dit``: velocities, their divergence, solvers, and densities that are exact."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import qgen_core as qgen
from qgen_core.errors import BadOption, BrokenPlugin, Interrupted
from qgen_core.testing import GeneratorKit, overrides
from qgen_torch.flows.cfm import Cfm
from qgen_torch.flows.dit import Dit
from qgen_torch.flows.integration import Integrator
from qgen_torch.flows.matching import FlowMatching, _least_distances
from qgen_torch.flows.transformer import VelocityTransformer


def moved(model: FlowMatching) -> FlowMatching:
    rng = np.random.default_rng(8)
    for value in model.parameters().values():
        value += 0.2 * rng.normal(size=value.shape)
    return model


def perceptron(**options: Any) -> FlowMatching:
    """A small model in double precision whose parameters are not the first ones."""
    settings: dict[str, Any] = {
        "space": qgen.Space("reals", 2),
        "widths": (4,),
        "frequencies": 1,
        "steps": 4,
        "precision": "double",
        "seed": 3,
    }
    return moved(Cfm(**{**settings, **options}))


def transformer(**options: Any) -> FlowMatching:
    settings: dict[str, Any] = {
        "space": qgen.Space("reals", 3),
        "tokens": ((1, 2), (1, 1)),
        "features": 4,
        "blocks": 1,
        "heads": 2,
        "ratio": 1,
        "frequencies": 1,
        "steps": 6,
        "precision": "double",
        "seed": 3,
    }
    return moved(Dit(**{**settings, **options}))


class TestPerceptron(GeneratorKit):
    """Among others: gradients of the density and of the objective against differences."""

    draws = 1000

    def make(self) -> qgen.Generator:
        return perceptron(condition=qgen.Space("reals", 1))


SAME_DENSITY = "the density of both models is one function, tested with the perceptron"


class TestTransformer(GeneratorKit):
    def make(self) -> qgen.Generator:
        return transformer(solver="euler", steps=1, condition=qgen.Space("reals", 1))

    @overrides(SAME_DENSITY)
    def test_density_of_samples(self) -> None:
        pass

    @overrides(SAME_DENSITY)
    def test_score_of_samples(self) -> None:
        pass


def numbers(n: int, width: int, seed: int = 1) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=(n, width)))


MODELS = {"cfm": perceptron, "dit": transformer}


@pytest.mark.parametrize("name", MODELS)
def test_the_divergence_against_differences(name: str) -> None:
    model = MODELS[name]()
    x = numbers(5, model.space.width)
    _, divergence = model._with_divergence(x, 0.3, None, [])
    step = 1e-5
    expected = torch.zeros(5, dtype=torch.float64)
    t = torch.full((5,), 0.3, dtype=torch.float64)
    with torch.no_grad():
        for column in range(model.space.width):
            move = torch.zeros_like(x)
            move[:, column] = step
            rise = model.velocity(x + move, t, None) - model.velocity(x - move, t, None)
            expected += rise[:, column] / (2 * step)
    assert expected.abs().max() > 0.05
    torch.testing.assert_close(divergence.detach(), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", MODELS)
def test_estimates_of_the_divergence_have_its_mean(name: str) -> None:
    """The mean over all directions that can be drawn is the divergence itself."""
    model = MODELS[name]()
    width = model.space.width
    x = numbers(4, width)
    signs = itertools.product([-1.0, 1.0], repeat=width)
    probes = [torch.tensor(sign, dtype=torch.float64).expand(4, width) for sign in signs]
    _, exact = model._with_divergence(x, 0.6, None, [])
    _, mean = model._with_divergence(x, 0.6, None, probes)
    _, single = model._with_divergence(x, 0.6, None, probes[1:2])
    torch.testing.assert_close(mean, exact, rtol=1e-10, atol=1e-12)
    assert (single - exact).abs().max() > 1e-3


def test_estimates_of_the_density_have_its_mean() -> None:
    exact = perceptron()
    estimate = perceptron(divergence="hutchinson", probes=4)
    batch = qgen.Batch(numbers(3, 2).numpy())
    rng = np.random.default_rng(4)
    expected, _ = exact.forward("log_prob", batch, rng=rng)
    draws = [estimate.forward("log_prob", batch, rng=rng)[0] for _ in range(30)]
    error = np.std(draws, axis=0, ddof=1) / np.sqrt(30)
    assert np.all(error > 0)
    assert np.all(np.abs(np.mean(draws, axis=0) - expected) < 4 * error)


def test_the_gradient_of_an_estimate_has_its_random_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Events in blocks: the pullback draws the probes of the values again."""
    model = perceptron(divergence="hutchinson")
    monkeypatch.setattr(model, "largest_graphs", {"log_prob": 4})
    batch = qgen.Batch(numbers(10, 2).numpy())

    def total() -> tuple[float, Any]:
        values, pullback = model.forward("log_prob", batch, rng=np.random.default_rng(3))
        return float(values.sum()), pullback

    _, pullback = total()
    gradient = pullback(np.ones(10))
    step = 1e-5
    for name, value in model.parameters().items():
        first = value.ravel()[0]
        value.ravel()[0] = first + step
        above, _ = total()
        value.ravel()[0] = first - step
        below, _ = total()
        value.ravel()[0] = first
        slope = (above - below) / (2 * step)
        assert gradient[name].ravel()[0] == pytest.approx(slope, rel=1e-6, abs=1e-7), name


def test_the_density_integrates_to_one() -> None:
    model = perceptron(condition=qgen.Space("reals", 1), steps=10)
    axis = np.linspace(-9, 9, 91)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    found, _ = model.forward(
        "log_prob", qgen.Batch(grid, np.full((len(grid), 1), 0.5)), rng=np.random.default_rng(1)
    )
    assert np.exp(found).sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1, abs=1e-3)


class NormalVelocity(nn.Module):
    """The velocity whose events are normal with given means and widths, in closed form.

    It is ``E[x_1 - x_0 | x_t = x]`` of the straight paths.
    """

    def __init__(self, mean: list[float], width: list[float]) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.tensor(mean, dtype=torch.float64))
        self.width = nn.Parameter(torch.tensor(width, dtype=torch.float64))

    def forward(self, x: torch.Tensor, t: torch.Tensor, condition: None) -> torch.Tensor:
        t = t[:, None]
        variance = (1 - t) ** 2 + (t * self.width) ** 2
        slope = (t * self.width**2 - (1 - t)) / variance
        return self.mean + slope * (x - t * self.mean)


def normal_model(integrator: Integrator) -> FlowMatching:
    return FlowMatching(
        NormalVelocity([1.0, -2.0], [0.5, 3.0]),
        space=qgen.Space("reals", 2),
        condition=None,
        integrator=integrator,
    )


@pytest.mark.parametrize(
    "integrator", [Integrator("rk4", 60), Integrator("dopri5", tolerance=1e-9)]
)
def test_normal_events_from_their_exact_velocity(integrator: Integrator) -> None:
    """Means and covariances, and the density of each event."""
    model = normal_model(integrator)
    mean, width = np.array([1.0, -2.0]), np.array([0.5, 3.0])
    noise = np.random.default_rng(5).standard_normal((2000, 2))
    drawn = model.sample(2000, rng=np.random.default_rng(5))
    np.testing.assert_allclose(drawn, mean + width * noise, atol=1e-5)
    batch = qgen.Batch(drawn[:40])
    found, _ = model.forward("log_prob", batch, rng=np.random.default_rng(1))
    of_noise = -0.5 * (noise[:40] ** 2).sum(axis=1) - np.log(2 * np.pi)
    np.testing.assert_allclose(found, of_noise - np.log(width).sum(), atol=1e-5)


def test_the_exact_velocity_makes_the_objective_least() -> None:
    """Its gradient vanishes for the right means and widths, and not for others."""
    model = normal_model(Integrator())
    rng = np.random.default_rng(6)
    events = qgen.Batch(rng.normal([1.0, -2.0], [0.5, 3.0], size=(40_000, 2)))

    def gradient() -> dict[str, np.ndarray]:
        _, pullback = model.forward("objective", events, rng=np.random.default_rng(2))
        return pullback(np.full(40_000, 1 / 40_000))

    for slope in gradient().values():
        assert np.abs(slope).max() < 0.03
    model.parameters()["mean"][0] += 0.5
    assert np.abs(gradient()["mean"][0]) > 0.2


@pytest.mark.parametrize("name", MODELS)
def test_solvers_agree_and_count_their_evaluations(name: str) -> None:
    drawn = {}
    options: dict[str, Any]
    for solver, options, evaluations in (
        ("rk4", {"steps": 20}, 80),
        ("midpoint", {"steps": 100}, 200),
        ("euler", {"steps": 7}, 7),
        ("dopri5", {"tolerance": 1e-8}, None),
    ):
        model = MODELS[name](solver=solver, **options)
        drawn[solver] = model.sample(20, rng=np.random.default_rng(1))
        assert model.integrator.evaluations == evaluations
        assert model.evaluations == evaluations or (evaluations is None and model.evaluations > 6)
    np.testing.assert_allclose(drawn["dopri5"], drawn["rk4"], atol=1e-5)
    np.testing.assert_allclose(drawn["midpoint"], drawn["rk4"], atol=1e-3)
    assert 1e-3 < np.abs(drawn["euler"] - drawn["rk4"]).max() < 1


def test_noise_is_paired_at_least_distance() -> None:
    noise, x = numbers(5, 2, seed=1), numbers(5, 2, seed=2)
    distances = torch.cdist(x, noise) ** 2
    rows = _least_distances(noise, x)
    totals = []
    for order in itertools.permutations(range(5)):
        totals.append(sum(distances[event, row] for event, row in enumerate(order)))
    assert sorted(rows.tolist()) == list(range(5))
    assert (x - noise[rows]).square().sum() == pytest.approx(float(min(totals)))
    model = perceptron(pairing="optimal")
    assert model.needs_whole_batch
    with pytest.raises(BadOption, match="biased for a model with conditions"):
        perceptron(pairing="optimal", condition=qgen.Space("reals", 1))


def test_pairs_of_least_distance_are_easier_to_match() -> None:
    """The identity velocity 0 has a smaller error: paths are shorter."""
    batch = qgen.Batch(numbers(100, 2).numpy())
    errors = {}
    for pairing in ("independent", "optimal"):
        model = perceptron(pairing=pairing)
        for value in model.parameters().values():
            value[...] = 0
        found, _ = model.forward("objective", batch, rng=np.random.default_rng(3))
        errors[pairing] = found.mean()
    assert errors["optimal"] < 0.3 * errors["independent"]


def test_a_transformer_starts_at_rest_and_its_tokens_see_each_other() -> None:
    torch.manual_seed(1)
    tokens = ((1, 8), (10, 16), (10, 19), (1, 5), (1, 5))
    with torch.random.fork_rng():
        network = VelocityTransformer(
            tokens, 2, features=8, blocks=2, heads=2, ratio=2, frequencies=3
        )
        x, condition = torch.randn(3, 368), torch.randn(3, 2)
        t = torch.rand(3)
        assert network.positions.shape == (23, 8)
        assert float(network(x, t, condition).detach().abs().max()) == 0
        with torch.no_grad():
            for value in network.parameters():
                value += 0.2 * torch.randn_like(value)
            before = network(x, t, condition)
            other = x.clone()
            other[:, 10] += 1.0
            changed = (network(other, t, condition) - before).abs()
            assert float(changed[:, 200:208].max()) > 1e-5
            assert float((network(x, t + 0.1, condition) - before).abs().min(dim=0)[0].max()) > 0
            assert float((network(x, t, condition + 1) - before).abs().max()) > 1e-4


def test_tokens_take_their_own_columns_in_order() -> None:
    """Without attention and positions, equal tokens of a group have equal velocities."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        network = VelocityTransformer(
            ((2, 3), (1, 2)), 0, features=8, blocks=1, heads=2, ratio=2, frequencies=1
        )
        x, t = torch.randn(1, 8), torch.zeros(1)
    with torch.no_grad():
        for linear in network.outputs:
            nn.init.normal_(linear.weight)
        network.positions.zero_()
        x[:, 3:6] = x[:, 0:3]
        found = network(x, t, None)
        torch.testing.assert_close(found[:, 3:6], found[:, 0:3])
        x[:, 7] += 1
        moved_last = network(x, t, None)
    assert torch.equal(moved_last[:, :6], found[:, :6])
    assert not torch.equal(moved_last[:, 6:], found[:, 6:])


class Stop:
    """A hook that interrupts a training once."""

    def __init__(self) -> None:
        self.stopped = False

    @qgen.hookimpl
    def on_step(self, problem: Any) -> None:
        if problem.step == 3 and not self.stopped:
            self.stopped = True
            raise Interrupted("a test stops here")


@pytest.mark.parametrize("name", ["cfm", "dit"])
def test_a_resumed_training_is_bit_identical(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    events = qgen.Events(rng.normal(size=(200, 3)), rng.normal(size=(200, 1)))
    sizes: dict[str, Any] = {"cfm": {"widths": (8,)}, "dit": {"features": 8, "blocks": 1}}

    def trained(**options: Any) -> dict[str, Any]:
        model = qgen.generator(
            name, space=qgen.Space("reals", 3), condition=qgen.Space("reals", 1), seed=1,
            **sizes[name],
        )  # fmt: skip
        trainer = qgen.trainer("torch", steps=7, batch_size=64, ema=0.9)
        trainer.fit(model, events, "mean", seed=1, **options)
        return model.state()

    whole = trained()
    stop = Stop()
    with pytest.raises(Interrupted):
        trained(run=tmp_path, hooks=[stop])
    for key, value in trained(run=tmp_path, hooks=[stop]).items():
        assert np.array_equal(value, whole[key]), key


@pytest.mark.long
@pytest.mark.parametrize("name", ["cfm", "dit"])
def test_a_normal_distribution_is_learned_to_two_percent(name: str) -> None:
    rng = np.random.default_rng(1)
    covariance = np.array([[1.0, 0.6], [0.6, 0.8]])
    events = qgen.Events(rng.multivariate_normal([1.0, -1.5], covariance, size=50_000))
    sizes: dict[str, Any] = {
        "cfm": {"widths": (64, 64)},
        "dit": {"features": 16, "blocks": 2, "heads": 2},
    }
    model = qgen.generator(name, space=qgen.Space("reals", 2), seed=1, **sizes[name])
    trainer = qgen.trainer(
        "torch", learning_rate=3e-3, steps=4000, batch_size=512, scheduler="CosineAnnealingLR"
    )
    trainer.fit(model, events, "mean", seed=1)
    drawn = model.sample(100_000, rng=np.random.default_rng(2))
    np.testing.assert_allclose(drawn.mean(axis=0), events.x.mean(axis=0), rtol=0.02)
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(events.x.T), rtol=0.02)


def test_without_torchdiffeq_a_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torchdiffeq", None)
    with pytest.raises(BrokenPlugin, match=r"pip install qgen-torch\[flows\]"):
        perceptron()


@pytest.mark.parametrize(
    ("build", "options", "words"),
    [
        (perceptron, {"probes": 0}, "at least 1 probe"),
        (perceptron, {"steps": 0}, "at least 1 of steps"),
        (perceptron, {"tolerance": 0.0}, "tolerance above 0"),
        (perceptron, {"frequencies": 0}, "at least 1 of frequencies"),
        (transformer, {"features": 5}, "a multiple of heads"),
        (transformer, {"tokens": ((2, 2),)}, "have 3 columns in all, not .* with 4"),
        (transformer, {"tokens": ((1, 3), (0, 2))}, "have 3 columns in all"),
    ],
)
def test_what_cannot_be_is_refused(build: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadOption, match=words):
        build(**options)
