"""The metric ``nelbo`` on a model whose sums over the latents are known."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import Unsupported
from qgen_core.interfaces import Model
from qgen_core.metrics.log_z import log_z
from qgen_core.metrics.nelbo import nelbo
from qgen_core.samplers.enumeration import Enumeration

GRAPH = qgen.Graph.complete_bipartite(1, 2)
STATES = np.array(list(product((-1, 1), repeat=3)))


class Uncertain(qgen.Generator):
    """x given spins s is normal around their sum; the encoder guesses all spins at random.

    The field of the first spin is the condition, so each condition has a log Z of its own.
    """

    space = qgen.Space("reals", 1)
    condition = qgen.Space("reals", 1)

    def sample(self, n, condition=None, *, rng):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    def energy(self, condition: Any) -> qgen.Ising:
        h = np.zeros((len(condition), 3))
        h[:, 0] = condition[:, 0]
        return qgen.Ising(h, [0.8, -0.4], GRAPH)

    def log_joint(self, x: Any, condition: Any, spins: Any) -> Any:
        """``log p(x | s) - E(s)`` (N,) for spins (N, 3)."""
        log_prob = -0.5 * (x[:, 0] - spins.sum(axis=1)) ** 2 - 0.5 * np.log(2 * np.pi)
        return log_prob - self.energy(condition).energy(spins[:, None])[:, 0]

    def log_weights(self, x: Any, condition: Any, *, draws: int, rng: Any) -> Any:
        guessed = STATES[rng.integers(8, size=(draws, len(x)))]
        return np.stack([self.log_joint(x, condition, one) for one in guessed]) + np.log(8)


class Identity(qgen.Encoder):
    """Events are their own code."""

    def encode(self, x, condition=None, *, rng=None):  # type: ignore[no-untyped-def]
        return x

    def decode(self, z, condition=None, *, rng):  # type: ignore[no-untyped-def]
        return z


def events(conditions: int) -> qgen.Events:
    rng = np.random.default_rng(1)
    condition = np.resize(np.linspace(0, 2, conditions), 200)[:, None]
    weight = rng.uniform(0.5, 2, 200) * (1 + 2 * condition[:, 0])
    return qgen.Events(rng.normal(size=(200, 1)), condition, weight=weight)


def test_bounds_with_weights_and_a_log_z_for_each_condition() -> None:
    model = Uncertain()
    data = events(3)
    draws = 500
    found = nelbo(
        data,
        data,
        model=Model(model, Identity(), Identity()),
        rng=np.random.default_rng(2),
        draws=draws,
        chains=300,
        steps=30,
    )
    terms = np.stack(
        [model.log_joint(data.x, data.condition, np.tile(s, (200, 1))) for s in STATES]
    )
    log_z = np.array([Enumeration(one).log_z for one in model.energy(data.condition).by_row()])
    share = data.weights / data.weights.sum()
    bound = share @ (log_z - terms.mean(axis=0) - np.log(8))
    evidence = share @ (log_z - np.logaddexp.reduce(terms, axis=0))
    error = np.sqrt(np.sum(share**2 * terms.var(axis=0)) / draws)
    assert found["nelbo, exact"].value == pytest.approx(bound, abs=5 * error)
    weighted = found[f"importance-weighted bound ({draws} draws), exact"].value
    assert weighted == pytest.approx(evidence, abs=0.03)
    assert bound > evidence + 0.5
    for way in ("AIS", "reverse AIS"):
        value = found[f"nelbo, {way}"].value
        assert value == pytest.approx(found["nelbo, exact"].value, abs=0.05)
    low = found["nelbo, AIS bound"].value
    high = found["nelbo, reverse AIS bound"].value
    assert low < found["nelbo, AIS"].value and high > found["nelbo, reverse AIS"].value


@pytest.mark.parametrize("conditions", [1, 5])
def test_the_error_is_that_of_the_weighted_mean_and_of_log_z(conditions: int) -> None:
    """The term log Z differs from event to event as its condition does."""
    model = Uncertain()
    data = events(conditions)
    asked = Model(model, Identity(), Identity())
    rng = np.random.default_rng(3)
    found = nelbo(data, data, model=asked, rng=rng, draws=500, chains=20, steps=5)
    terms = np.stack(
        [model.log_joint(data.x, data.condition, np.tile(s, (200, 1))) for s in STATES]
    )
    share = data.weights / data.weights.sum()
    log_z_of_each = [Enumeration(one).log_z for one in model.energy(data.condition).by_row()]
    values = np.array(log_z_of_each) - terms.mean(axis=0)
    expected = np.sqrt(np.sum((share * (values - share @ values)) ** 2))
    statistical = found["nelbo, exact"].uncertainty
    assert statistical == pytest.approx(expected, rel=0.05)
    if conditions == 1:
        options = {"chains": 20, "steps": 5}
        of_log_z = log_z(data, data, model=asked, rng=np.random.default_rng(3), **options)
        squared = (found["nelbo, AIS"].uncertainty or 0.0) ** 2 - statistical**2
        assert np.sqrt(squared) == pytest.approx(of_log_z["log Z AIS"].uncertainty, rel=0.6)


def test_events_are_taken_at_equal_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    data = events(2)
    model = Uncertain()
    seen = []
    weights_of = model.log_weights

    def log_weights(x: Any, condition: Any, **options: Any) -> Any:
        seen.append((x, condition))
        return weights_of(x, condition, **options)

    monkeypatch.setattr(model, "log_weights", log_weights)
    asked = Model(model, Identity(), Identity())
    rng = np.random.default_rng(2)
    nelbo(data, data, model=asked, rng=rng, events=40, chains=4, steps=2, sweeps=2)
    ((x, condition),) = seen
    np.testing.assert_array_equal(x, data.x[::5])
    assert data.condition is not None
    np.testing.assert_array_equal(condition, data.condition[::5])


def test_many_conditions_are_refused() -> None:
    data = events(150)
    with pytest.raises(Unsupported, match="have 150; nelbo finds it for at most 64"):
        nelbo(
            data,
            data,
            model=Model(Uncertain(), Identity(), Identity()),
            rng=np.random.default_rng(2),
        )
