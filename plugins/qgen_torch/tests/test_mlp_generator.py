"""``mlp-generator``: what it makes of its noise and conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from qgen_core import Batch, Space
from qgen_core.errors import BadOption, DataError, NoGradient
from qgen_core.testing.randomness import global_states
from qgen_torch.generators.mlp import MlpGenerator
from qgen_torch.networks.mlp import mlp


def made(**options: Any) -> MlpGenerator:
    return MlpGenerator(
        **({"space": Space("reals", 2), "widths": (8,), "latent": 3, "seed": 5} | options)
    )


def test_noise_and_conditions_enter_side_by_side() -> None:
    model = made(condition=Space("reals", 2), latent_mean=0.5, latent_std=0.25, precision="double")
    condition = np.random.default_rng(1).normal(size=(9, 2))
    found = model.sample(9, condition, rng=np.random.default_rng(7))
    z = 0.5 + 0.25 * np.random.default_rng(7).standard_normal((9, 3))
    with torch.no_grad():
        expected = model.module(torch.from_numpy(np.concatenate([z, condition], axis=1))).numpy()
    assert np.allclose(found, expected, rtol=1e-12)


def test_parameters_are_the_memory_of_the_network() -> None:
    model = made()
    model.parameters()["0.weight"][2, 1] = 42.0
    first = model.module[0]
    assert isinstance(first, nn.Linear) and float(first.weight[2, 1].detach()) == 42.0
    assert model.parameters()["0.weight"].dtype == np.float32


def test_many_events_are_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(condition=Space("reals", 1), precision="double")
    condition = np.linspace(0, 1, 50)[:, None]
    whole = model.sample(50, condition, rng=np.random.default_rng(4))
    monkeypatch.setattr(model, "events_at_once", 7)
    assert np.allclose(model.sample(50, condition, rng=np.random.default_rng(4)), whole, rtol=1e-12)


def test_batch_norm_uses_the_batch_in_training_and_averages_in_sampling() -> None:
    model = made(norm="batch", precision="double")
    rng = np.random.default_rng(3)
    for _ in range(200):
        model.prepare(Batch(np.zeros((64, 2))), rng=rng)
    state = model.state()
    values, _ = model.forward("samples", Batch(np.zeros((64, 2))), rng=np.random.default_rng(5))
    batch = torch.from_numpy(np.random.default_rng(5).standard_normal((64, 3)))
    hidden = model.module[0](batch)
    normalised = (hidden - hidden.mean(dim=0)) / torch.sqrt(
        hidden.var(dim=0, unbiased=False) + model.module[1].eps
    )
    expected = model.module[3](model.module[2](normalised))
    assert np.allclose(values, expected.detach().numpy(), rtol=1e-10)
    assert state["1.num_batches_tracked"] == 200
    first = model.module[0](torch.from_numpy(np.random.default_rng(4).standard_normal((20_000, 3))))
    assert np.allclose(state["1.running_mean"], first.mean(dim=0).detach().numpy(), atol=0.1)
    few = model.sample(3, rng=np.random.default_rng(8))
    many = model.sample(300, rng=np.random.default_rng(8))
    assert np.allclose(few, many[:3], rtol=1e-12)  # events do not depend on their neighbours
    assert model.state()["1.num_batches_tracked"] == 200  # forward and sample change nothing


def test_starts() -> None:
    """Glorot: uniform in +-sqrt(6 / (in + out)); He: in +-sqrt(6 / in); biases of zero."""
    for init, limit in (("glorot", np.sqrt(6 / (100 + 60))), ("he", np.sqrt(6 / 100))):
        layer = mlp(100, 60, widths=(), init=init)[0]
        assert isinstance(layer, nn.Linear)
        weight = layer.weight.detach().numpy()
        assert 0.98 * limit < np.abs(weight).max() <= limit * (1 + 1e-6)
        assert weight.std() == pytest.approx(limit / np.sqrt(3), rel=0.03)
        assert not layer.bias.detach().any()


@pytest.mark.parametrize(
    ("final", "low", "high"),
    [("tanh", -1, 1), ("sigmoid", 0, 1), ("relu", 0, np.inf), ("softplus", 0, np.inf)],
)
def test_the_last_layer_bounds_events(final: str, low: float, high: float) -> None:
    model = made(final=final)
    for value in model.parameters().values():
        value *= 20
    found = model.sample(500, rng=np.random.default_rng(1))
    assert found.min() >= low and found.max() <= high and found.std() > 0.1


def test_seeds() -> None:
    before = global_states()
    one, same, other = made(), made(), made(seed=6)
    assert global_states() == before
    assert np.array_equal(one.parameters()["0.weight"], same.parameters()["0.weight"])
    assert not np.array_equal(one.parameters()["0.weight"], other.parameters()["0.weight"])
    assert not np.array_equal(
        made(seed=None).parameters()["0.weight"], made(seed=None).parameters()["0.weight"]
    )


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadOption, match="real numbers, not 3 bits"):
        made(space=Space("bits", 3))
    for options in ({"latent": 0}, {"latent_std": 0.0}):
        with pytest.raises(BadOption, match="latent"):
            made(**options)
    with pytest.raises(BadOption, match="widths"):
        made(widths=(8, 0))
    with pytest.raises(BadOption, match="number of events"):
        made().sample(-1, rng=np.random.default_rng(1))
    with pytest.raises(DataError, match="none was given"):
        made(condition=Space("reals", 1)).forward(
            "samples", Batch(np.zeros((3, 2))), rng=np.random.default_rng(1)
        )
    with pytest.raises(NoGradient):
        made().forward("log_prob", Batch(np.zeros((3, 2))), rng=np.random.default_rng(1))
    assert made().sample(0, rng=np.random.default_rng(1)).shape == (0, 2)
