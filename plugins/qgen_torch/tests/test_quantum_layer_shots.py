"""Layers that measure: gradients by the shift rule, and draws that belong to the state."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch_circuits import MIXED, WORDS, expected, slopes

import qgen_core as qgen
from qgen_core import Backend
from qgen_core.testing.kit import globals_untouched
from qgen_core.testing.statistics import SIGMAS
from qgen_torch import QuantumLayer

SHOTS = 20_000
BACKENDS = [None, "torch", "statevector"]


def measured(backend: str | None, shots: int = 50, seed: int = 1) -> QuantumLayer:
    made: Backend | None = None if backend is None else qgen.backend(backend)
    return QuantumLayer(MIXED, WORDS, made, seed=seed, dtype=torch.float64, shots=shots)


def inputs(rows: int = 5) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).normal(size=(rows, 2))).requires_grad_()


def step(layer: QuantumLayer) -> list[torch.Tensor]:
    """An output and the gradients of its sum."""
    x = inputs()
    output = layer(x)
    return [output.detach(), *torch.autograd.grad(output.sum(), (layer.theta, x))]


@pytest.mark.parametrize("backend", BACKENDS)
def test_values_and_gradients_have_the_noise_of_their_shots(backend: str | None) -> None:
    layer, x = measured(backend, SHOTS), inputs()
    theta, values = layer.theta.detach().numpy(), x.detach().numpy()
    output = layer(x)
    truth = expected(theta, values)
    deviation = np.sqrt(np.clip(1 - truth**2, 0, None) / SHOTS) + 1 / SHOTS
    stray = np.abs(output.detach().numpy() - truth)
    assert np.all(stray <= SIGMAS * deviation) and np.any(stray > 0)
    cotangent = np.random.default_rng(5).normal(size=output.shape)
    found = torch.autograd.grad(output, (layer.theta, x), torch.from_numpy(cotangent))
    # A shift rule sums two estimates times 1/2; up to three angles a parameter, scaled by up to 2.
    allowed = SIGMAS * np.sqrt(0.5 / SHOTS) * np.abs(cotangent).sum(axis=1)
    by_theta, by_x = slopes(theta, values, cotangent)
    off = np.abs(found[0].numpy() - by_theta)
    assert np.all(off <= 3 * np.sqrt(np.sum(allowed**2))) and np.all(off > 0)
    assert np.all(np.abs(found[1].numpy() - by_x) <= 2 * allowed[:, None])


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_state_draws_the_same(backend: str | None) -> None:
    """Seed and number of calls are in the state: a layer that loads it continues identically."""
    with globals_untouched("a layer with shots"):
        layer = measured(backend)
        first, second = step(layer), step(layer)
    assert not torch.equal(first[0], second[0]) and not torch.equal(first[1], second[1])
    for here, there in zip(step(measured(backend)), first, strict=True):
        assert torch.equal(here, there)
    fresh = measured(backend, seed=2)
    fresh.load_state_dict(layer.state_dict())
    twin = copy.deepcopy(layer)
    third = step(layer)
    for other in (fresh, twin):
        for here, there in zip(step(other), third, strict=True):
            assert torch.equal(here, there)


def test_the_state_is_tensors_of_numbers() -> None:
    """Checkpoints need no pickle: the buffer ``draws`` holds the seed and the number of calls."""
    layer = measured(None, seed=7)
    step(layer)
    state = layer.state_dict()
    assert sorted(state) == ["draws", "theta"] and state["draws"].tolist() == [7, 1]


def test_other_seeds_and_other_calls_draw_otherwise() -> None:
    one, other = measured(None, seed=1), measured(None, seed=2)
    with torch.no_grad():
        other.theta.copy_(one.theta)
    assert not torch.equal(one(inputs()), other(inputs()))


def test_gradients_drawn_later_do_not_depend_on_what_came_between() -> None:
    """The backward pass goes on in the stream of its own call."""
    layer, twin, x = measured(None), measured(None), inputs()
    output = layer(x)
    layer(x)
    late = torch.autograd.grad(output.sum(), layer.theta)[0]
    assert torch.equal(late, torch.autograd.grad(twin(x).sum(), twin.theta)[0])
