"""The example autoencoder: its bound and gradients against sums over all spins, and its runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("qgen_torch")

import torch

import qgen_core as qgen
import qgen_example_rbm
import qgen_example_vae as example
from qgen_core.errors import OutputMismatch
from qgen_core.runs import run as runs
from qgen_core.runs.recipes import Recipe
from qgen_core.support.checkpoint import Checkpoints
from qgen_core.testing import GeneratorKit

pytestmark = pytest.mark.usefixtures("one_thread")

#: Three clouds of events: centres, shares, and the width of each in both directions.
CENTRES = np.array([[-1.5, -1.5], [-1.5, 1.5], [1.5, 1.5]])
SHARES = np.array([0.5, 0.2, 0.3])
WIDTH = 0.4


class Smooth(example.BoltzmannAutoencoder):
    """The objective at fixed chains is a function whose gradients can be checked."""

    surrogates = frozenset()


def autoencoder(
    kind: type[example.BoltzmannAutoencoder] = example.BoltzmannAutoencoder, **options: Any
) -> Any:
    settings: dict[str, Any] = {"side": 2, "hidden": 8, "chains": 50, "seed": 3, **options}
    sampler = settings.pop("sampler", None) or qgen_example_rbm.Enumeration()
    return kind(space=qgen.Space("reals", 2), sampler=sampler, **settings)


class TestAutoencoder(GeneratorKit):
    precision = "single"

    def make(self) -> qgen.Generator:
        return autoencoder()


class TestGradientsAtFixedChains(GeneratorKit):
    precision = "single"

    def make(self) -> qgen.Generator:
        return autoencoder(Smooth)


def changed(model: Any) -> Any:
    """The model with couplings and networks that are far from their first values."""
    rng = np.random.default_rng(8)
    for value in model.parameters().values():
        value += 0.5 * rng.normal(size=value.shape)
    return model


def every_state(model: Any) -> Any:
    count = len(model.parameters()["h"])
    return torch.tensor(list(itertools.product((-1.0, 1.0), repeat=count)))


def log_prior(model: Any, states: Any) -> Any:
    """log p(z) of all states."""
    return torch.log_softmax(-model.energy(states), dim=0)


def log_joint(model: Any, x: np.ndarray) -> Any:
    """log p(x, z) of events and all states (N, 2^S)."""
    states = every_state(model)
    with torch.no_grad():
        events = model.events_given(states)
        of_events = events.log_prob(torch.tensor(x, dtype=torch.float32)[:, None]).sum(dim=-1)
        return of_events + log_prior(model, states)


def test_the_objective_is_the_negative_evidence_lower_bound() -> None:
    model = changed(autoencoder())
    model.temperature = 1e-4  # relaxed spins are then -1 or +1
    x = np.array([[0.4, -1.0], [1.2, 0.3]], dtype=np.float32)
    repeats = 20_000
    batch = qgen.Batch(np.repeat(x, repeats, axis=0))
    model.prepare(batch, rng=np.random.default_rng(1))
    found, _ = model.forward("objective", batch, rng=np.random.default_rng(2))
    states = every_state(model)
    with torch.no_grad():
        logits = model.module["encoder"](torch.tensor(x))
        log_posterior = torch.nn.functional.logsigmoid(logits[:, None] * states).sum(dim=-1)
        surprise = log_posterior - log_joint(model, x)
        expected = (log_posterior.exp() * surprise).sum(dim=1).numpy()
        log_z = float(torch.logsumexp(-model.energy(states), dim=0))
        of_chains = float(model.energy(model.module.chains).mean())
    of_events = found.reshape(2, repeats) + of_chains + log_z
    error = of_events.std(axis=1) / np.sqrt(repeats)
    assert np.all(np.abs(of_events.mean(axis=1) - expected) < 5 * error + 1e-4)
    evidence = torch.logsumexp(log_joint(model, x), dim=1).numpy()
    assert np.all(expected > -evidence)


def test_with_exact_samples_the_gradient_of_the_prior_is_that_of_the_bound() -> None:
    chains = 100_000
    model = changed(autoencoder(chains=chains))
    batch = qgen.Batch(np.random.default_rng(4).normal(size=(10, 2)).astype(np.float32))
    model.prepare(batch, rng=np.random.default_rng(1))
    _, pullback = model.forward("objective", batch, rng=np.random.default_rng(2))
    gradient = pullback(np.full(10, 0.1))
    states = every_state(model)
    spins = torch.tanh(model.module["encoder"](torch.tensor(batch.x)) / 2).detach()
    bound = model.energy(spins).mean() + torch.logsumexp(-model.energy(states), dim=0)
    bound.backward()
    for name in ("h", "J"):
        slope = getattr(model.module, name).grad.numpy()
        assert np.abs(slope).max() > 0.1
        assert gradient[name] == pytest.approx(slope, abs=5 / np.sqrt(chains))


def clouds(n: int) -> np.ndarray:
    rng = np.random.default_rng(1)
    return CENTRES[rng.choice(3, n, p=SHARES)] + WIDTH * rng.normal(size=(n, 2))


def log_density(x: np.ndarray) -> np.ndarray:
    """The exact log density of the clouds."""
    squares = ((x[:, None] - CENTRES) ** 2).sum(axis=-1) / (2 * WIDTH**2)
    return np.log((SHARES * np.exp(-squares)).sum(axis=1) / (2 * np.pi * WIDTH**2))


def test_training_comes_near_the_entropy_of_its_events() -> None:
    x = clouds(4000)
    model = autoencoder(sampler=qgen_example_rbm.Gibbs(sweeps=2), hidden=16, chains=500)
    trainer = qgen.trainer(
        "torch", steps=300, learning_rate=0.02, batch_size=256, scheduler="CosineAnnealingLR"
    )
    trainer.fit(model, qgen.Events(x), qgen.loss("mean"), seed=1)
    evidence = torch.logsumexp(log_joint(model, x), dim=1).numpy()
    best = -log_density(x).mean()  # no density has less, but for fluctuations of the sample
    assert best - 0.01 < -evidence.mean() < best + 0.06
    drawn = model.sample(4000, rng=np.random.default_rng(2))
    nearest = ((drawn[:, None] - CENTRES) ** 2).sum(axis=-1).argmin(axis=1)
    assert np.bincount(nearest, minlength=3) / 4000 == pytest.approx(SHARES, abs=0.05)
    assert -log_density(drawn).mean() == pytest.approx(best, abs=0.15)


def test_a_trainer_that_compares_values_refuses_the_objective() -> None:
    with pytest.raises(OutputMismatch, match="is a surrogate"):
        qgen.trainer("spsa", steps=2).fit(
            autoencoder(), qgen.Events(clouds(20)), qgen.loss("mean"), seed=1
        )


def dataset() -> qgen.Events:
    return qgen.Events(clouds(600), columns=("a", "b"), provenance={"kind": "stand-in"})


@pytest.fixture
def recipe() -> Iterator[Recipe]:
    qgen.register("generator", "vae", example.BoltzmannAutoencoder)
    qgen.register("sampler", "example-gibbs", qgen_example_rbm.Gibbs)
    qgen.register("sampler", "example-enumeration", qgen_example_rbm.Enumeration)
    qgen.register("dataset", "clouds", dataset)
    yield Recipe.from_dict(
        {
            "seed": 5,
            "dataset": "clouds",
            "encoder": "standard",
            "sampler": {"name": "example-gibbs", "sweeps": 2},
            "generator": {"name": "vae", "side": 2, "chains": 20},
            "loss": "mean",
            "trainer": {"name": "torch", "steps": 6, "batch_size": 100, "shares": 2},
        }
    )


def saved_arrays(folder: Path) -> dict[str, np.ndarray]:
    saved = Checkpoints(folder).latest()
    assert saved is not None
    return saved.arrays


def test_a_training_continues_bit_for_bit(recipe: Recipe, tmp_path: Path) -> None:
    runs.train(recipe, tmp_path / "whole")
    runs.train(recipe, tmp_path / "again")
    runs.train(recipe.changed(["trainer.steps=3"]), tmp_path / "parts")
    before = saved_arrays(tmp_path / "parts")["generator/chains"]
    runs.train(recipe, tmp_path / "parts", resume=True)
    whole = saved_arrays(tmp_path / "whole")
    assert not np.array_equal(before, whole["generator/chains"])
    for folder in ("again", "parts"):
        found = saved_arrays(tmp_path / folder)
        assert set(found) == set(whole)
        for name, value in found.items():
            np.testing.assert_array_equal(value, whole[name], err_msg=name)
    first = np.concatenate([events.x for events in runs.Run(tmp_path / "whole").generate(50)])
    again = np.concatenate([events.x for events in runs.Run(tmp_path / "parts").generate(50)])
    np.testing.assert_array_equal(first, again)


def test_the_prior_is_sampled_by_whichever_sampler_is_named(recipe: Recipe, tmp_path: Path) -> None:
    history = runs.train(recipe, tmp_path)
    assert history.draws.sources == ["Gibbs sampling, 2 sweeps"]
    run = runs.Run(tmp_path, ["sampler.name=example-enumeration"])
    events = next(run.generate(10))
    assert events.provenance["sampler source"] == "enumeration of all states"
