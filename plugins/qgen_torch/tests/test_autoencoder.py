"""The encoder ``autoencoder``: what it keeps, what it loses, and its contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import qgen_core as qgen
from qgen_core import Space
from qgen_core.errors import BadOption, CheckpointError, DataError
from qgen_core.testing import EncoderKit
from qgen_core.typing import Array, Floats
from qgen_torch.encoders.autoencoder import AutoencoderEncoder

CASES: dict[str, dict[str, Any]] = {
    "linear": {"latent": 1, "widths": ()},
    "deep": {"latent": 1, "widths": (8, 4), "activation": "tanh"},
    "conditional": {"latent": 1, "widths": (8,), "conditional": True},
}


@pytest.mark.parametrize("case", CASES)
class TestAutoencoder(EncoderKit):
    lossy = True

    @pytest.fixture(autouse=True)
    def _case(self, case: str) -> None:
        self.options = CASES[case]
        self.conditional = "conditional" in self.options

    def make(self) -> AutoencoderEncoder:
        return AutoencoderEncoder(
            epochs=6, batch_size=32, learning_rate=0.03, seed=3, **self.options
        )


def gaussian(seed: int, events: int = 1000, columns: int = 5) -> Floats:
    """Correlated normal columns of other means and scales."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(events, columns)) @ rng.normal(size=(columns, columns))
    return mixed * rng.uniform(0.1, 10.0, columns) + rng.normal(size=columns)


def unexplained_by_components(x: Array, latent: int) -> float:
    """The mean squared error of the best linear code of standardised columns (PCA)."""
    standardised = (x - x.mean(axis=0)) / x.std(axis=0)
    variances = np.linalg.eigvalsh(np.cov(standardised.T, bias=True))
    return float(variances[: x.shape[1] - latent].sum() / x.shape[1])


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("latent", [1, 3])
def test_linear_networks_find_the_principal_components(latent: int, seed: int) -> None:
    """No linear code is better than that of PCA; trained to its end, a linear one is as good."""
    x = gaussian(seed)
    encoder = AutoencoderEncoder(
        latent=latent, widths=(), epochs=100, learning_rate=0.02, seed=seed
    ).fit(x)
    best = unexplained_by_components(x, latent)
    found = float(encoder.unexplained(x).mean())
    assert best <= found * (1 + 1e-12)
    assert found == pytest.approx(best, rel=0.01)


def test_latents_of_a_linear_code_span_the_principal_components() -> None:
    """Leading components are linear functions of the latents."""
    x = gaussian(4)
    encoder = AutoencoderEncoder(latent=2, widths=(), epochs=150, learning_rate=0.02, seed=1)
    z = encoder.fit(x).encode(x)
    standardised = (x - x.mean(axis=0)) / x.std(axis=0)
    _, axes = np.linalg.eigh(np.cov(standardised.T))
    components = standardised @ axes[:, -2:]
    offset = np.column_stack([z, np.ones(len(z))])
    fitted = offset @ np.linalg.lstsq(offset, components, rcond=None)[0]
    assert np.var(components - fitted, axis=0).max() < 0.01


def test_hidden_layers_follow_a_curve_that_no_line_follows() -> None:
    """Points on a parabola have one number; one latent holds it if the networks are not linear."""
    t = np.random.default_rng(1).uniform(-1.5, 1.5, 500)
    x = np.column_stack([t, t**2])
    encoder = AutoencoderEncoder(
        latent=1, widths=(16, 16), activation="tanh", batch_size=50, learning_rate=0.03, seed=1
    ).fit(x)
    assert encoder.unexplained(x).mean() < 0.05 * unexplained_by_components(x, 1)


def test_unexplained_is_what_decoding_loses() -> None:
    """In units of the variance of each column in the training events, also for other events."""
    x = gaussian(2)
    other = gaussian(2, events=1500)[1000:]
    encoder = AutoencoderEncoder(latent=2, epochs=5, seed=1).fit(x)
    back = encoder.decode(encoder.encode(other), rng=np.random.default_rng(1))
    expected = np.mean((back - other) ** 2, axis=0) / np.var(x, axis=0)
    np.testing.assert_allclose(encoder.unexplained(other), expected, rtol=1e-10)


def test_a_condition_need_not_be_encoded() -> None:
    """Two numbers, one of which is the condition, need one latent."""
    rng = np.random.default_rng(1)
    condition = rng.normal(50.0, 10.0, (1000, 1))
    x = np.column_stack([rng.normal(size=1000), 0.1 * condition[:, 0]])
    options: dict[str, Any] = {"latent": 1, "widths": (), "epochs": 60, "learning_rate": 0.02}
    given = AutoencoderEncoder(conditional=True, seed=1, **options).fit(x, condition)
    alone = AutoencoderEncoder(seed=1, **options).fit(x, condition)
    assert given.unexplained(x, condition).mean() < 1e-3
    assert alone.unexplained(x).mean() > 0.4
    with pytest.raises(DataError, match="takes conditions"):
        given.encode(x)


def test_one_seed_gives_the_same_networks() -> None:
    x = gaussian(1)
    states: list[dict[str, Array]] = []
    for seed in (5, 5, 6):
        torch.manual_seed(len(states))  # the global state has no effect
        states.append(AutoencoderEncoder(latent=2, epochs=3, seed=seed).fit(x).state())
    for name, values in states[0].items():
        assert np.array_equal(values, states[1][name])
    name = "to_latents.0.weight"
    assert not np.array_equal(states[0][name], states[2][name])


def test_a_column_of_one_value_is_decoded_as_it_is() -> None:
    x = np.column_stack([np.full(200, 7.0), np.linspace(-1, 1, 200)])
    encoder = AutoencoderEncoder(latent=1, epochs=40, seed=1).fit(x)
    back = encoder.decode(encoder.encode(x), rng=np.random.default_rng(1))
    np.testing.assert_allclose(back[:, 0], 7.0, atol=0.1)


@pytest.mark.parametrize(
    "options", [{"latent": 0}, {"widths": (4, 0)}, {"epochs": 0}, {"learning_rate": 0.0}]
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadOption, match="autoencoder"):
        AutoencoderEncoder(**options)


def test_a_state_of_other_sizes_is_refused() -> None:
    state = AutoencoderEncoder(latent=2, epochs=1, seed=1).fit(gaussian(1)).state()
    with pytest.raises(CheckpointError):
        AutoencoderEncoder(latent=3).load(state)
    with pytest.raises(CheckpointError, match=r"no vector 'columns\.mean'"):
        AutoencoderEncoder(latent=2).load({**state, "columns.mean": np.zeros((2, 2))})
    with pytest.raises(DataError, match="not fitted"):
        AutoencoderEncoder().encode(np.zeros((1, 2)))


def test_a_circuit_of_latents_is_trained_with_a_gradient_penalty() -> None:
    """The penalty is that of the critic, so the circuit's backend needs first derivatives only.

    The generated columns have the correlations of the two numbers behind them.
    """
    rng = np.random.default_rng(1)
    hidden = rng.uniform(-1, 1, (1500, 2))
    x = hidden @ np.array([[1.0, 0.5, 0.0, -1.0], [0.0, 1.0, 1.0, 0.5]])
    linear = AutoencoderEncoder(latent=2, widths=(), epochs=20, learning_rate=0.02, seed=1)
    last = qgen.encoder("min-max", range=(-1.0, 1.0), margin=1.1)
    encoder = qgen.encoder("chain", encoders=[linear, last]).fit(x)
    data = qgen.Events(encoder.encode(x))
    space = Space("reals", 2)
    backend = qgen.backend("statevector", threads=1)
    model = qgen.generator("style-qgan", space=space, backend=backend, layers=4, seed=1)
    loss = qgen.loss(
        "adversarial",
        space=space,
        variant="wgan-gp",
        penalty=1.0,
        updates=2,
        critic={"name": "mlp", "widths": [32]},
        learning_rate=5e-3,
        seed=1,
    )
    trainer = qgen.trainer("torch", learning_rate=5e-3, steps=150, batch_size=64)
    before = encoder.decode(model.sample(2000, rng=rng), rng=rng)
    trainer.fit(model, data, loss, seed=1)
    after = encoder.decode(model.sample(2000, rng=rng), rng=rng)
    distances = [
        qgen.metric("wasserstein")(qgen.Events(x), qgen.Events(y)) for y in (before, after)
    ]
    means = [float(np.mean([float(v) for v in found.values()])) for found in distances]
    assert means[1] < 0.5 * means[0]
