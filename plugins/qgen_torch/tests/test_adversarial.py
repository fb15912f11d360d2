"""The loss ``adversarial`` against formulas by hand, on a linear critic D(x) = w x + b."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from qgen_core import Batch, Space
from qgen_core.errors import BadOption, CheckpointError, OutputMismatch
from qgen_core.testing.randomness import global_states
from qgen_core.testing.slopes import gradient
from qgen_torch.adversarial import Adversarial
from qgen_torch.adversarial_terms import energy_error, gradient_penalty
from qgen_torch.networks.mlp import mlp

RNG = np.random.default_rng(11)
X, G = RNG.normal(0.5, 1.0, (7, 2)), RNG.normal(-0.2, 1.3, (7, 2))
W, B = np.array([0.75, -1.0]), 0.25


def sigmoid(t: Any) -> Any:
    return 1 / (1 + np.exp(-t))


def linear(inputs: int, outputs: int) -> nn.Module:
    """D(x) = 0.75 x_0 - x_1 + 0.25 (+ 0.5 c), and guesses e^ = x_0 + 0.125 k."""
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        layer.weight[:] = 0.0
        layer.weight[:, 0] = 1.0
        layer.weight[0, :] = torch.tensor([*W, 0.5, 0.5, 0.5])[:inputs]
        layer.bias[:] = 0.125 * torch.arange(outputs)
        layer.bias[0] = B
    return layer


def loss_of(**options: Any) -> Adversarial:
    given = {
        "space": Space("reals", 2),
        "critic": linear,
        "precision": "double",
        "optimizer": "SGD",
    }
    return Adversarial(**(given | {"learning_rate": 0.1} | options))


def weights(loss: Adversarial) -> tuple[Any, float]:
    layer = loss.critic
    assert isinstance(layer, nn.Linear)
    return layer.weight.detach().numpy()[0].copy(), float(layer.bias.detach()[0])


def updated(loss: Adversarial, x: Any = X, samples: Any = G, **batch: Any) -> float:
    return loss.update(samples, Batch(x, **batch), rng=np.random.default_rng(5))


D_X, D_G = X @ W + B, G @ W + B
#: variant: the critic's value, and its slopes by the scores of events and of samples.
CRITICS = {
    "bce": (
        np.mean(np.log1p(np.exp(-D_X))) + np.mean(np.log1p(np.exp(D_G))),
        -sigmoid(-D_X) / 7,
        sigmoid(D_G) / 7,
    ),
    "hinge": (
        np.mean(np.maximum(0, 1 - D_X)) + np.mean(np.maximum(0, 1 + D_G)),
        -1.0 * (D_X < 1) / 7,
        (D_G > -1) / 7,
    ),
    "wgan": (np.mean(D_G) - np.mean(D_X), np.full(7, -1 / 7), np.full(7, 1 / 7)),
}


@pytest.mark.parametrize("variant", CRITICS)
def test_the_critic_learns_by_the_formula(variant: str) -> None:
    """Value, and one step of plain descent from known weights."""
    value, by_real, by_fake = CRITICS[variant]
    loss = loss_of(variant=variant, clip=100.0)
    assert updated(loss) == pytest.approx(value, rel=1e-12)
    w, b = weights(loss)
    assert np.allclose(w, W - 0.1 * (by_real @ X + by_fake @ G), rtol=1e-12)
    assert b == pytest.approx(B - 0.1 * (by_real.sum() + by_fake.sum()), rel=1e-12)


@pytest.mark.parametrize("variant", ["bce", "hinge", "wgan", "wgan-gp"])
def test_the_generator_is_told_by_the_formula(variant: str) -> None:
    value, cotangent = loss_of(variant=variant)(G, Batch(X))
    if variant == "bce":  # the loss that does not saturate
        assert value == pytest.approx(np.mean(np.log1p(np.exp(-D_G))), rel=1e-12)
        assert np.allclose(cotangent, -sigmoid(-D_G)[:, None] * W / 7, rtol=1e-12)
    else:
        assert value == pytest.approx(-np.mean(D_G), rel=1e-12)
        assert np.allclose(cotangent, -np.tile(W, (7, 1)) / 7, rtol=1e-12)


def test_bce_stays_finite_where_a_critic_is_sure() -> None:
    far = np.array([[1e4, 0.0], [-1e4, 0.0]])
    value, cotangent = loss_of()(far, Batch(X))
    assert value == pytest.approx((1e4 * W[0] - B) / 2, rel=1e-6)
    assert np.allclose(cotangent, [[0, 0], -W / 2])


def test_wgan_brings_weights_into_the_clip() -> None:
    loss = loss_of(variant="wgan", clip=0.25)
    updated(loss)
    w, b = weights(loss)
    assert np.array_equal(np.abs(w), [0.25, 0.25]) and b == 0.25


def test_gradient_penalty_of_a_linear_critic() -> None:
    """|grad D| is |w| everywhere, so the penalty is (|w| - 1)^2 and pulls |w| to 1."""
    loss = loss_of(variant="wgan-gp", penalty=7.0, learning_rate=0.01)
    loss.critic.weight.data *= 2.0  # type: ignore[operator]
    w, length = 2 * W, 2.5
    expected = np.mean((G - X) @ w) + 7.0 * (length - 1) ** 2
    assert updated(loss) == pytest.approx(expected, rel=1e-12)
    slope = (G - X).mean(axis=0) + 7.0 * 2 * (length - 1) * w / length
    assert np.allclose(weights(loss)[0], w - 0.01 * slope, rtol=1e-12)


def test_gradient_penalty_is_taken_between_events_and_samples() -> None:
    """D(x) = x^2 / 2 has the slope x, so the penalty shows the places a x + (1 - a) G."""
    real, fake = torch.tensor([[4.0], [2.0]]), torch.tensor([[0.0], [-2.0]])
    mix = torch.tensor([[0.25], [0.75]])  # places 1 and 1
    found = gradient_penalty(lambda x: (x**2 / 2).sum(dim=1), real, fake, mix, None)
    assert found.item() == pytest.approx(0.0, abs=1e-12)
    share = torch.tensor([0.9, 0.1])
    found = gradient_penalty(lambda x: (x**2 / 2).sum(dim=1), real, fake, 1 - mix, share)
    assert found.item() == pytest.approx(0.9 * (3 - 1) ** 2 + 0.1 * (1 - 1) ** 2)


def test_penalty_places_depend_on_the_rng_alone() -> None:
    def one(seed: int) -> float:
        loss = Adversarial(space=Space("reals", 2), variant="wgan-gp", seed=1)
        return loss.update(G, Batch(X), rng=np.random.default_rng(seed))

    assert one(1) == one(1) != one(2)


def test_label_smoothing_by_hand() -> None:
    expected = np.mean(0.9 * np.log1p(np.exp(-D_X)) + 0.1 * np.log1p(np.exp(D_X))) + np.mean(
        np.log1p(np.exp(D_G))
    )
    assert updated(loss_of(label_smoothing=0.1)) == pytest.approx(expected, rel=1e-12)


def test_weights_of_events_are_repetitions() -> None:
    """For the critic, weight three counts as three events; samples without conditions do not."""
    weight = np.array([3.0, 1, 1, 2, 1, 1, 1])
    repeated = np.repeat(X, weight.astype(int), axis=0)
    weighted, plain = loss_of(), loss_of()
    assert updated(weighted, weight=weight) == pytest.approx(updated(plain, repeated), rel=1e-12)
    assert np.allclose(weights(weighted)[0], weights(plain)[0], rtol=1e-12)


C = np.array([[1.0], [1], [2], [2], [2], [4], [4]])
CONDITIONED = {"condition": Space("reals", 1), "energy_weight": 0.7}


def test_a_critic_sees_the_condition_behind_the_event() -> None:
    loss = loss_of(condition=Space("reals", 1))
    value, cotangent = loss(G, Batch(X, C))
    scores = D_G + 0.5 * C[:, 0]
    assert value == pytest.approx(np.mean(np.log1p(np.exp(-scores))), rel=1e-12)
    assert cotangent.shape == G.shape
    with pytest.raises(OutputMismatch, match="needs conditions"):
        loss(G, Batch(X))


@pytest.mark.parametrize("aux_on", ["real", "both"])
@pytest.mark.parametrize("sigma_mode", ["batch", "bin"])
def test_energy_terms_by_hand(sigma_mode: Any, aux_on: Any) -> None:
    """e^ = x_0 + 0.125: lambda [MSE(e, e^) + MSE(sigma_e, sigma_e^)], also on samples."""

    def error(events: Any) -> float:
        e, guess = C[:, 0], events[:, 0] + 0.125
        if sigma_mode == "batch":
            return float(np.mean((e - guess) ** 2) + (e.std() - guess.std()) ** 2)
        return float(
            np.mean((e - guess) ** 2) + np.mean([guess[e == one].var() for one in (1.0, 2.0, 4.0)])
        )

    scores = [events @ W + B + 0.5 * C[:, 0] for events in (X, G)]
    expected = (
        np.mean(np.log1p(np.exp(-scores[0])))
        + np.mean(np.log1p(np.exp(scores[1])))
        + 0.7 * error(X)
    )
    expected += 0.7 * error(G) if aux_on == "both" else 0.0
    loss = loss_of(**CONDITIONED, sigma_mode=sigma_mode, aux_on=aux_on)
    assert updated(loss, condition=C) == pytest.approx(expected, rel=1e-12)
    pure = loss_of(condition=Space("reals", 1))
    before = loss_of(**CONDITIONED, sigma_mode=sigma_mode, aux_on=aux_on)
    assert before(G, Batch(X, C))[0] == pytest.approx(
        pure(G, Batch(X, C))[0]
    )  # the generator's stays pure


@pytest.mark.parametrize("sigma_mode", ["batch", "bin"])
def test_slopes_of_the_energy_terms(sigma_mode: Any) -> None:
    """By finite differences, two conditions, weights; also where all labels are equal."""
    labels = np.concatenate([C, C[::-1] ** 2], axis=1)
    share = np.random.default_rng(2).dirichlet(np.ones(7))
    for label in (labels, np.ones((7, 2))):
        e, s = torch.from_numpy(label), torch.from_numpy(share)
        guess = torch.from_numpy(X.copy()).requires_grad_()
        energy_error(guess, e, s, sigma_mode).backward()

        def value(at: Any, e: Any = e, s: Any = s) -> float:
            return float(energy_error(torch.from_numpy(at), e, s, sigma_mode))

        assert guess.grad is not None
        assert np.allclose(guess.grad.numpy(), gradient(value, X), rtol=1e-7, atol=1e-9)


def test_equal_guesses_leave_finite_slopes() -> None:
    """A spread of zero has no root with a slope; nothing becomes infinite."""
    guess = torch.zeros(5, 1, dtype=torch.float64, requires_grad=True)
    energy_error(guess, torch.arange(5.0, dtype=torch.float64)[:, None], None, "batch").backward()
    assert guess.grad is not None and bool(torch.all(torch.isfinite(guess.grad)))


def test_weighted_bins_have_weighted_variance() -> None:
    guess = torch.tensor([[0.0], [3.0], [5.0]], dtype=torch.float64)
    label = torch.tensor([[1.0], [1.0], [2.0]], dtype=torch.float64)
    share = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    variance = (2 / 3 * (0 - 1) ** 2 + 1 / 3 * (3 - 1) ** 2 + 0) / 2
    error = 0.5 * 1 + 0.25 * 4 + 0.25 * 9
    assert float(energy_error(guess, label, share, "bin")) == pytest.approx(error + variance)


def test_each_layer_of_a_spectral_critic_has_the_norm_one() -> None:
    def network(inputs: int, outputs: int) -> nn.Module:
        return mlp(inputs, outputs, widths=(16, 16), spectral_norm=True)

    # Seeded: where the two largest singular values cross, one iteration per update lags behind.
    loss = loss_of(critic=network, variant="hinge", optimizer="Adam", learning_rate=1e-4, seed=1)
    for _ in range(300):
        updated(loss)
    norms = [
        torch.linalg.matrix_norm(layer.weight, 2)
        for layer in loss.critic
        if isinstance(layer, nn.Linear)
    ]
    assert [float(norm.detach()) for norm in norms] == pytest.approx([1.0] * 3, abs=0.02)


def test_what_a_network_draws_comes_from_the_rng() -> None:
    """Dropout acts in updates, by the rng given, and not in calls; torch's global state stays."""

    def network(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(
            nn.Linear(inputs, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, outputs)
        )

    before = global_states()
    losses = [Adversarial(space=Space("reals", 2), critic=network, seed=4) for _ in range(3)]
    assert len({loss(G, Batch(X))[0] for loss in losses}) == 1
    values = [
        loss.update(G, Batch(X), rng=np.random.default_rng(seed))
        for loss, seed in zip(losses, (1, 1, 2), strict=True)
    ]
    assert values[0] == values[1] != values[2]
    assert global_states() == before


def test_the_state_holds_critic_buffers_and_optimiser() -> None:
    loss = Adversarial(
        space=Space("reals", 2),
        critic=lambda i, o: mlp(i, o, widths=(4,), spectral_norm=True),
        seed=1,
    )
    updated(loss)
    names = set(loss.state())
    assert "critic/0.parametrizations.weight.0._u" in names
    assert "optimizer/tensor/exp_avg_sq/2.bias" in names
    with pytest.raises(CheckpointError):
        Adversarial(
            space=Space("reals", 2), critic=lambda i, o: mlp(i, o, widths=(5,)), seed=1
        ).load(loss.state())
    other = Adversarial(space=Space("reals", 2), optimizer="RMSprop", seed=1)
    adam = Adversarial(space=Space("reals", 2), seed=1)
    updated(adam)
    with pytest.raises(CheckpointError, match="does not fit its optimiser"):
        other.load(adam.state())


def test_critic_and_generator_start_differently() -> None:
    one, same, other = (
        Adversarial(space=Space("reals", 2), seed=seed)(G, Batch(X))[0] for seed in (1, 1, 2)
    )
    assert one == same != other


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"updates": 0}, "at least 1 of updates"),
        ({"energy_weight": 0.1}, "has none"),
        ({"energy_weight": -0.1}, "at least 0"),
        ({"clip": 0.0}, "clip above 0"),
        ({"label_smoothing": 1.0}, "below 1"),
        ({"critic": lambda i, o: mlp(i, o, norm="batch")}, "norm = 'layer'"),
        ({"optimizer": "LBFGS"}, "has no optimizer"),
        ({"optimizer_options": {"betas": (2.0, 0.9)}, "optimizer": "Adam"}, "refuses its options"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadOption, match=words):
        loss_of(**options)


def test_samples_that_do_not_fit_are_refused() -> None:
    loss = loss_of(variant="wgan-gp")
    with pytest.raises(OutputMismatch, match="reads samples"):
        loss(G[:, :1], Batch(X))
    with pytest.raises(OutputMismatch, match="events of 2 reals"):
        updated(loss, x=X[:, :1])
    with pytest.raises(OutputMismatch, match="pairs events and samples"):
        updated(loss, samples=G[:5])
