"""``rbm-vae``: bounds and gradients against sums over all latents, conditions, and its runs."""

from __future__ import annotations

import signal
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import qgen_core as qgen
from qgen_core import hookimpl
from qgen_core.errors import BadOption, Interrupted, OutputMismatch, Unsupported
from qgen_core.interfaces import Model
from qgen_core.metrics.nelbo import nelbo
from qgen_core.runs import run as runs
from qgen_core.runs.recipes import Recipe
from qgen_core.samplers.enumeration import Enumeration
from qgen_core.samplers.free_spins import free_spins
from qgen_core.support.checkpoint import Checkpoints
from qgen_core.testing import GeneratorKit
from qgen_torch.vae.prior import BoltzmannPrior, PriorShape
from qgen_torch.vae.rbm_vae import RbmVae


class Proportional(qgen.Sampler):
    """Each state as often as its probability says, to within one: means without fluctuations."""

    def sample(self, ising, n, *, rng, initial=None):  # type: ignore[no-untyped-def]
        states = np.array(list(product((-1, 1), repeat=ising.num_spins)), dtype=np.int8)
        p = np.exp(-ising.energy(states) - Enumeration(ising).log_z)
        counts = np.diff(np.round(np.cumsum(p) * n), prepend=0).astype(int)
        return np.repeat(states, counts, axis=0), {"source": "proportions"}


def autoencoder(**options: Any) -> RbmVae:
    settings: dict[str, Any] = {
        "space": qgen.Space("reals", 3),
        "sampler": qgen.sampler("exact"),
        "latents": 6,
        "encoder": (8,),
        "decoder": (8,),
        "activation": "tanh",
        "chains": 20,
        "ramp": 0.0,
        "precision": "double",
        "seed": 3,
    }
    return RbmVae(**{**settings, **options})


def changed(model: Any, scale: float = 0.3) -> Any:
    """The model with couplings and networks that are far from their first values."""
    rng = np.random.default_rng(8)
    for value in model.parameters().values():
        value += scale * rng.normal(size=value.shape)
    return model


class TestKit(GeneratorKit):
    def make(self) -> qgen.Generator:
        return autoencoder(condition=qgen.Space("reals", 2))


class TestKitOfPartitionAndHits(GeneratorKit):
    precision = "single"

    def make(self) -> qgen.Generator:
        return autoencoder(
            condition=qgen.Space("bits", 2),
            conditioning="partition",
            head="hits",
            precision="single",
        )


class Smooth(RbmVae):
    """The objective at fixed chains is a function whose gradients can be checked."""

    surrogates = frozenset()


@pytest.mark.parametrize(
    ("head", "relaxation"),
    [("hits", "mixture"), ("hits-gaussian", "gumbolt")],
)
def test_gradients_at_fixed_chains(head: Any, relaxation: Any) -> None:
    class Kit(GeneratorKit):
        def make(self) -> qgen.Generator:
            return Smooth(
                space=qgen.Space("reals", 2),
                condition=qgen.Space("spins", 1),
                sampler=qgen.sampler("exact"),
                latents=4,
                encoder=(2,),
                decoder=(2,),
                activation="tanh",
                conditioning="partition",
                relaxation=relaxation,
                head=head,
                chains=20,
                ramp=0.0,
                scale=0.5,
                precision="double",
                seed=1,
            )

    Kit().test_gradients()


# The prior and its gradient


def test_with_exact_chains_the_gradient_of_the_prior_is_that_of_its_likelihood() -> None:
    """Against differences of -<log p(z)> = <E(z)> + log Z over the relaxed bits, on 8 units."""
    model = changed(autoencoder(latents=8, sampler=Proportional(), chains=50_000))
    x = np.random.default_rng(4).normal(size=(10, 3))
    batch = qgen.Batch(x)
    model.prepare(batch, rng=np.random.default_rng(1))
    _, pullback = model.forward("objective", batch, rng=np.random.default_rng(2))
    gradient = pullback(np.full(10, 0.1))
    bits, _ = model.posterior(torch.tensor(x), None, np.random.default_rng(2))
    spins = 2 * bits.detach().numpy() - 1

    def minus_log_likelihood() -> float:
        energy = model.energy()
        return float(energy.energy(spins).mean() + Enumeration(energy).log_z)

    for name in ("prior.h", "prior.J"):
        values = model.parameters()[name]
        slopes = np.empty(len(values))
        for place, start in enumerate(values.copy()):
            values[place] = start + 1e-5
            above = minus_log_likelihood()
            values[place] = start - 1e-5
            slopes[place] = (above - minus_log_likelihood()) / 2e-5
            values[place] = start
        assert np.abs(slopes).max() > 0.2
        np.testing.assert_allclose(gradient[name], slopes, atol=2e-3)


def test_energies_are_those_that_samplers_are_given() -> None:
    rng = np.random.default_rng(1)
    pairs = np.array([[0, 1], [2, 0], [2, 2]])
    for mask in (None, pairs):
        shape = PriorShape(clamped=2, left=3, right=4, pairs=mask)
        prior = BoltzmannPrior(shape, scale=1.0, frozen=False, transverse=0.0, chains=1).double()
        spins = 2.0 * rng.integers(2, size=(50, 9)) - 1
        found = prior.energy(torch.from_numpy(spins)).detach().numpy()
        np.testing.assert_allclose(found, prior.ising().energy(spins), atol=1e-6)
    assert prior.J.shape == (3,)  # outside the mask there is nothing that could be trained
    with pytest.raises(BadOption, match="one of 3 left and one of 4 right units"):
        PriorShape(0, 3, 4, np.array([[3, 0]]))


def test_a_saved_coupling_does_not_depend_on_the_order_of_the_pairs() -> None:
    pairs = np.array([[2, 2], [0, 1], [2, 0]])
    found = [PriorShape(0, 3, 4, pairs[order]).pairs for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2])]
    for one in found:
        assert one is not None and one.tolist() == [[0, 1], [2, 0], [2, 2]]


def test_couplings_choose_what_is_trained() -> None:
    pairs = np.array([[0, 0], [1, 2], [2, 1]])
    model = autoencoder(couplings=lambda left, right: pairs, scale=0.5)
    assert model.parameters()["prior.J"].shape == (3,)
    qgen.trainer("adam", steps=3).fit(
        model, qgen.Events(np.random.default_rng(1).normal(size=(50, 3))), "mean", seed=1
    )
    assert np.array_equal(model.energy().edges, pairs + [0, 3])
    everything = autoencoder(couplings=qgen.build("couplings", "all"))
    assert everything.parameters()["prior.J"].shape == (9,)


def test_twins_of_the_prior() -> None:
    def names(model: RbmVae) -> set[str]:
        return {name for name in model.parameters() if name.startswith("prior.")}

    assert names(autoencoder()) == {"prior.h", "prior.J"}
    assert names(autoencoder(prior="factorised")) == {"prior.h"}
    frozen = autoencoder(frozen_prior=True, scale=0.5)
    assert names(frozen) == set()
    before = frozen.energy()
    events = qgen.Events(np.random.default_rng(1).normal(size=(50, 3)))
    for model in (frozen, autoencoder(prior="factorised"), autoencoder(prior="qbm")):
        qgen.trainer("adam", steps=3).fit(model, events, "mean", seed=1)
    assert np.any(before.J) and np.array_equal(before.J, frozen.energy().J)
    assert model.energy().transverse == 1.0
    assert autoencoder().energy().transverse == 0.0


# The bound


def exact_terms(model: RbmVae, x: torch.Tensor, given: torch.Tensor | None) -> tuple[Any, Any]:
    """log q(z | x) and log p(x, z) of each event and all latents (N, 2^L), by enumeration."""
    latents = model.prior.shape.latents
    states = torch.tensor(list(product((0.0, 1.0), repeat=latents)), dtype=x.dtype)
    count = len(states)
    n = len(x)
    clamped = model.prior.shape.clamped
    log_posterior = torch.empty(n, count, dtype=x.dtype)
    log_joint = torch.empty(n, count, dtype=x.dtype)
    for number in range(n):
        event = x[number].expand(count, -1)
        condition = None
        spins = 2 * states - 1
        inputs = event
        features = states
        if given is not None:
            condition = given[number].expand(count, -1)
            inputs = torch.cat([event, condition], dim=1)
            features = torch.cat([states, condition], dim=1)
        if clamped:
            assert condition is not None
            spins = torch.cat([2 * condition - 1, spins], dim=1)
        levels = iter(states.chunk(2, dim=1))
        logits, _ = model.part("encoder")(inputs, lambda _, levels=levels: next(levels))
        terms = torch.nn.functional.logsigmoid((2 * states - 1) * logits)
        log_posterior[number] = terms.sum(dim=1)
        log_prior = torch.log_softmax(-model.prior.energy(spins), dim=0)
        log_joint[number] = model.head.log_prob(model.part("decoder")(features), event) + log_prior
    return log_posterior.detach().numpy(), log_joint.detach().numpy()


class Identity(qgen.Encoder):
    """Events are their own code."""

    def encode(self, x, condition=None, *, rng=None):  # type: ignore[no-untyped-def]
        return x

    def decode(self, z, condition=None, *, rng):  # type: ignore[no-untyped-def]
        return z


@pytest.mark.parametrize(
    ("head", "conditioning"),
    [
        ("gaussian", None),
        ("hits", "append"),
        ("hits-gaussian", "partition"),
        ("hits-truncated", None),
    ],
)
def test_nelbo_is_the_sum_over_all_latents(head: Any, conditioning: Any) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(12, 3))
    condition = None
    options: dict[str, Any] = {"head": head}
    if head == "hits-truncated":
        x = np.abs(x)
    if head != "gaussian":
        x *= rng.random(x.shape) < 0.5
    if conditioning is not None:
        condition = rng.integers(2, size=(12, 2)).astype(np.float64)
        options |= {"conditioning": conditioning, "condition": qgen.Space("bits", 2)}
    model = changed(autoencoder(**options))
    given = None if condition is None else torch.tensor(condition)
    log_posterior, log_joint = exact_terms(model, torch.tensor(x), given)
    posterior = np.exp(log_posterior)
    np.testing.assert_allclose(posterior.sum(axis=1), 1)
    surprise = log_posterior - log_joint
    bound = (posterior * surprise).sum(axis=1)
    spread = (posterior * (surprise - bound[:, None]) ** 2).sum(axis=1)
    evidence = -np.logaddexp.reduce(log_joint, axis=1)
    assert np.all(bound > evidence)
    draws = 400
    events = qgen.Events(x, condition)
    coder = None if condition is None else Identity()
    found = nelbo(
        events,
        events,
        model=Model(model, Identity(), coder),
        rng=np.random.default_rng(2),
        draws=draws,
        chains=200,
        steps=100,
    )
    error = float(np.sqrt(spread.sum() / draws) / 12)
    assert found["nelbo, exact"].value == pytest.approx(bound.mean(), abs=5 * error)
    weighted = found[f"importance-weighted bound ({draws} draws), exact"].value
    # The relative variance of a weight p(x, z) / q(z | x), from which bias and error follow.
    shares = np.exp(log_joint + evidence[:, None])
    variance = (shares**2 / posterior).sum(axis=1) - 1
    of_draws = variance.mean() / (2 * draws) + 5 * np.sqrt(variance.sum() / draws) / 12
    assert weighted == pytest.approx(evidence.mean(), abs=of_draws)
    assert weighted < found["nelbo, exact"].value
    low = found["nelbo, AIS bound"]
    high = found["nelbo, reverse AIS bound"]
    assert low.value - 0.02 < found["nelbo, exact"].value < high.value + 0.02


def test_weights_are_of_latents_drawn_from_the_posterior() -> None:
    """Each state of 6 latents has a weight of its own, so the weights tell which were drawn."""
    model = changed(autoencoder())
    x = np.random.default_rng(1).normal(size=(1, 3))
    draws = 100_000
    found = model.log_weights(np.repeat(x, draws, axis=0), draws=1, rng=np.random.default_rng(2))[0]
    log_posterior, log_joint = exact_terms(model, torch.tensor(x), None)
    expected = (log_joint - log_posterior)[0] + Enumeration(model.energy()).log_z
    order = np.argsort(expected)
    place = np.searchsorted(expected[order], found)
    candidates = order[np.stack([np.maximum(place - 1, 0), np.minimum(place, 63)])]
    distances = np.abs(expected[candidates] - found)
    assert distances.min(axis=0).max() < 1e-9
    states = candidates[distances.argmin(axis=0), np.arange(draws)]
    counts = np.bincount(states, minlength=64)
    means = draws * np.exp(log_posterior[0])
    frequent = means > 20
    chi_square = np.sum((counts - means)[frequent] ** 2 / means[frequent])
    degrees = np.count_nonzero(frequent)
    assert abs(chi_square - degrees) < 5 * np.sqrt(2 * degrees)


def test_the_objective_is_the_bound_but_for_log_z() -> None:
    """With bits that are not relaxed: reconstruction + log q + E, summed over latents."""
    model = changed(autoencoder(relaxation="straight-through"))
    x = np.random.default_rng(1).normal(size=(2, 3))
    repeats = 10_000
    batch = qgen.Batch(np.repeat(x, repeats, axis=0))
    model.prepare(batch, rng=np.random.default_rng(1))
    values, _ = model.forward("objective", batch, rng=np.random.default_rng(2))
    energy = model.energy()
    left_out = energy.energy(model.state()["prior.chains"]).mean() + Enumeration(energy).log_z
    of_events = values.reshape(2, repeats) + left_out
    log_posterior, log_joint = exact_terms(model, torch.tensor(x), None)
    bound = (np.exp(log_posterior) * (log_posterior - log_joint)).sum(axis=1)
    error = of_events.std(axis=1) / np.sqrt(repeats)
    assert np.all(np.abs(of_events.mean(axis=1) - bound) < 5 * error)


def test_nelbo_refuses_what_it_cannot_do() -> None:
    events = qgen.Events(np.zeros((4, 3)))
    rng = np.random.default_rng(1)
    large = autoencoder(latents=14, prior="qbm")
    with pytest.raises(Unsupported, match="transverse field is not known"):
        nelbo(events, events, model=Model(large, Identity()), rng=rng)
    with pytest.raises(BadOption, match="at least two events"):
        nelbo(events, events, model=Model(autoencoder(), Identity()), rng=rng, events=1)
    gaussian = qgen.generator("gaussian", space=qgen.Space("reals", 3), data=events)
    with pytest.raises(Unsupported, match="no log_weights"):
        nelbo(events, events, model=Model(gaussian, Identity()), rng=rng)
    codes = np.random.default_rng(2).integers(2, size=(500, 9)).astype(np.float64)
    many = qgen.Events(np.zeros((500, 3)), codes)
    model = autoencoder(condition=qgen.Space("bits", 9), conditioning="partition")
    with pytest.raises(Unsupported, match="at most 64"):
        nelbo(many, many, model=Model(model, Identity(), Identity()), rng=rng)


# Conditions


def test_a_partition_clamps_the_condition_in_both_phases() -> None:
    model = changed(
        autoencoder(condition=qgen.Space("bits", 2), conditioning="partition", chains=6000), 0.6
    )
    codes = np.array([[0, 0], [0, 1], [1, 1]])
    condition = np.repeat(codes, 2000, axis=0)
    drawn = model.prior_latents(6000, torch.tensor(condition), np.random.default_rng(1)).numpy()
    model.prepare(qgen.Batch(np.zeros((6000, 3)), condition), rng=np.random.default_rng(2))
    chains = model.state()["prior.chains"]
    np.testing.assert_array_equal(chains[:, :2], 2 * condition - 1)
    [free] = free_spins(model.energy(codes))
    means = [Enumeration(energy).moments()[0] for energy in free.energy.by_row()]
    assert np.ptp(means, axis=0).max() > 0.5
    for spins in (2 * drawn - 1, chains[:, 2:]):
        found = spins.reshape(3, 2000, 6).mean(axis=1)
        np.testing.assert_allclose(found, means, atol=5 / np.sqrt(2000))


# What changes in the course of a training, and what is refused


def test_the_kl_term_and_the_temperature_follow_the_steps() -> None:
    model = autoencoder(ramp=0.25, temperature=0.5, final_temperature=0.1, anneal=0.5)
    found = []
    for step in (0, 5, 10, 40):
        model.prepare(
            qgen.Batch(np.zeros((2, 3)), step=step, total=40), rng=np.random.default_rng()
        )
        found.append((model.kl_weight, model.temperature))
    np.testing.assert_allclose(found, [(0, 0.5), (0.5, 1 / 4), (1, 1 / 6), (1, 0.1)], rtol=1e-6)
    other = autoencoder(ramp=0.25, temperature=0.5, final_temperature=0.1, anneal=0.5)
    other.load(model.state())
    assert (other.kl_weight, other.temperature) == found[-1]


def test_values_of_the_objective_are_not_compared() -> None:
    with pytest.raises(OutputMismatch, match="is a surrogate"):
        qgen.trainer("torch", steps=2, keep_best=True).fit(
            autoencoder(), qgen.Events(np.zeros((4, 3))), "mean", seed=1
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latents": 7}, "an even number and a multiple of levels"),
        ({"latents": 8, "levels": 3}, "an even number and a multiple of levels"),
        ({"chains": 0}, "chains are at least 1"),
        ({"temperature": 0.0}, "temperatures are above 0"),
        ({"anneal": 1.5}, "at most 1"),
        ({"prior": "qbm", "transverse": 0.0}, "transverse field of a qbm"),
        ({"ramp": 2.0}, "ramp is a share"),
        ({"conditioning": "partition"}, "not no conditions"),
        ({"conditioning": "partition", "condition": qgen.Space("reals", 1)}, "not 1 reals"),
        ({"space": qgen.Space("bits", 3)}, "makes real numbers"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadOption, match=message):
        autoencoder(**options)


# Runs


def clouds() -> qgen.Events:
    """Two clouds whose place depends on the condition."""
    rng = np.random.default_rng(1)
    energy = rng.uniform(1, 2, (400, 1))
    side = rng.choice([-1.0, 1.0], (400, 1))
    x = np.concatenate([side * energy, side], axis=1) + 0.2 * rng.normal(size=(400, 2))
    return qgen.Events(x, energy, columns=("a", "b"), condition_columns=("energy",))


class Killer:
    """Interrupts the training at its fourth step."""

    @hookimpl
    def on_step(self, record: Any) -> None:
        if record["step"] == 3:
            signal.raise_signal(signal.SIGINT)


def test_an_interrupted_training_continues_bit_for_bit(tmp_path: Path) -> None:
    """Chains, the weight of the KL term and the temperature are those of the uninterrupted one."""

    def train(folder: Path, *hooks: object) -> None:
        model = autoencoder(
            space=qgen.Space("reals", 2),
            condition=qgen.Space("reals", 1),
            sampler=qgen.sampler("gibbs", sweeps=2),
            ramp=0.8,
            final_temperature=0.05,
        )
        trainer = qgen.trainer("torch", steps=8, batch_size=100, shares=2)
        trainer.fit(model, clouds(), "mean", seed=1, run=folder, hooks=hooks)

    train(tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(tmp_path / "parts", Killer())
    train(tmp_path / "parts")
    saved = []
    for folder in ("whole", "parts"):
        checkpoint = Checkpoints(tmp_path / folder).latest()
        assert checkpoint is not None
        saved.append(checkpoint.arrays)
    whole, parts = saved
    assert "generator/prior.chains" in whole and whole.keys() == parts.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(parts[name], value, err_msg=name)


def test_another_sampler_generates(tmp_path: Path) -> None:
    qgen.register("dataset", "vae-clouds", clouds)
    recipe = Recipe.from_dict(
        {
            "seed": 5,
            "dataset": "vae-clouds",
            "encoder": "standard",
            "condition_encoder": "standard",
            "sampler": {"name": "torch-gibbs", "sweeps": 2},
            "generator": {"name": "rbm-vae", "latents": 4, "encoder": [8], "decoder": [8]},
            "loss": "mean",
            "trainer": {"name": "torch", "steps": 3, "batch_size": 100},
        }
    )
    history = runs.train(recipe, tmp_path)
    assert history.draws.sources == ["Gibbs sampling with torch, 2 sweeps"]
    run = runs.Run(tmp_path, ["sampler.name=gibbs"])
    events = next(run.generate(40))
    assert events.provenance["sampler source"] == "Gibbs sampling, 2 sweeps"
    assert len(events) == 40
