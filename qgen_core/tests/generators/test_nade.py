"""The autoregressive model: normalised, exact gradients, exact samples, and as many parameters
as asked for.
"""

from __future__ import annotations

import itertools
import logging
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

import qgen_core as qgen
from qgen_core.errors import BadOption, DataError, NoGradient, OutputMismatch, ResourceRefused
from qgen_core.events import Batch, Events, Space, bits_to_index, index_to_bits
from qgen_core.generators import nade
from qgen_core.generators.nade import NeuralAutoregressive
from qgen_core.support.parameters import flatten

BITS = Space("bits", 4)
ANGLES = Space("angles", 2)
CONDITIONS = np.array([[-1.0, 0.3], [0.2, 0.7], [1.4, -2.0]])
EVERY = index_to_bits(np.arange(16), 4)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def model_of(condition: Space | None = None, **options: Any) -> NeuralAutoregressive:
    """A model whose biases are random as well."""
    options = {"hidden": 5, "seed": 3, **options}
    model = NeuralAutoregressive(space=BITS, condition=condition, **options)
    for value in model.parameters().values():
        value += rng(8).normal(0.0, 0.7, value.shape)
    return model


def by_hand(model: NeuralAutoregressive, bits: Any, features: Any = ()) -> float:
    """The probability of one event, factor by factor, as the formula of the paper has it."""
    w = model.weights
    p = 1.0
    for d, bit in enumerate(bits):
        inside = w["hidden_bias"].copy()
        for weight, feature in zip(w["condition"], features, strict=True):
            inside += weight * feature
        for k in range(d):
            inside += w["input"][k] * bits[k]
        hidden = 1 / (1 + np.exp(-inside))
        one = 1 / (1 + np.exp(-(w["bias"][d] + hidden @ w["output"][d])))
        p *= one if bit else 1 - one
    return p


def test_probabilities_are_those_of_the_formula_and_sum_to_one() -> None:
    model = model_of()
    table, _ = model.forward("probabilities", Batch(), rng=rng())
    assert table.shape == (1, 16)
    assert table.sum() == pytest.approx(1, abs=1e-14)
    expected = [by_hand(model, bits) for bits in EVERY]
    np.testing.assert_allclose(table[0], expected, rtol=1e-13)
    assert table.max() > 3 * table.min(), "not uniform, or any order of bits would pass"


def test_conditions_enter_as_sines_and_cosines() -> None:
    model = model_of(ANGLES)
    table, _ = model.forward("probabilities", Batch(condition=CONDITIONS), rng=rng())
    np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-14)
    for row, condition in zip(table, CONDITIONS, strict=True):
        features = [*np.sin(condition), *np.cos(condition)]
        np.testing.assert_allclose(row, [by_hand(model, bits, features) for bits in EVERY])
    turned = Batch(condition=CONDITIONS + 2 * np.pi)
    np.testing.assert_allclose(model.forward("probabilities", turned, rng=rng())[0], table)
    assert np.abs(table[0] - table[2]).max() > 0.01


def test_log_prob_is_the_logarithm_of_the_table() -> None:
    model = model_of(ANGLES)
    table, _ = model.forward("probabilities", Batch(condition=CONDITIONS), rng=rng())
    which = rng(4).integers(0, 3, 50)
    x = EVERY[rng(5).integers(0, 16, 50)]
    logs, _ = model.forward("log_prob", Batch(x, CONDITIONS[which]), rng=rng())
    np.testing.assert_allclose(logs, np.log(table[which, bits_to_index(x)]), rtol=1e-13)


@pytest.mark.parametrize("condition", [None, ANGLES], ids=["plain", "conditional"])
@pytest.mark.parametrize("output", ["probabilities", "log_prob"])
def test_gradients_are_those_of_differences(output: str, condition: Space | None) -> None:
    model = model_of(condition)
    rows = None if condition is None else CONDITIONS
    batch = Batch(condition=rows)
    if output == "log_prob":
        batch = Batch(EVERY[[3, 3, 9]], rows)
    value, pullback = model.forward(output, batch, rng=rng())
    cotangent = rng(2).normal(size=value.shape)
    found = pullback(cotangent)
    assert list(found) == list(model.parameters())
    step = 1e-6
    for name, parameter in model.parameters().items():
        for index in np.ndindex(parameter.shape):
            values = []
            for sign in (1, -1):
                parameter[index] += sign * step
                shifted, _ = model.forward(output, batch, rng=rng())
                parameter[index] -= sign * step
                values.append(np.sum(cotangent * shifted))
            slope = (values[0] - values[1]) / (2 * step)
            assert found[name][index] == pytest.approx(slope, abs=2e-8), (name, index)
    assert all(np.abs(gradient).max() > 1e-4 for gradient in found.values())


@pytest.mark.parametrize("at_once", [nade.AT_ONCE, 1000])
def test_samples_follow_the_table(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nade, "AT_ONCE", at_once)
    model = model_of(ANGLES)
    table, _ = model.forward("probabilities", Batch(condition=CONDITIONS), rng=rng())
    n = 20_000
    which = np.repeat([0, 1, 2], n)
    x = model.sample(3 * n, CONDITIONS[which], rng=rng(6))
    assert x.shape == (3 * n, 4)
    assert x.dtype == np.int8
    for row in range(3):
        counts = np.bincount(bits_to_index(x[which == row]), minlength=16)
        assert chisquare(counts, n * table[row]).pvalue > 0.01


@pytest.mark.parametrize("output", ["log_prob", "samples"])
def test_more_bits_than_a_table_can_hold(output: str) -> None:
    wide = NeuralAutoregressive(space=Space("bits", 70), seed=1)
    x = wide.sample(5, rng=rng())
    assert wide.forward(output, Batch(x), rng=rng())[0].shape[0] == 5
    with pytest.raises(ResourceRefused, match="70 bits are too many.*at most 24.*nll"):
        wide.forward("probabilities", Batch(), rng=rng())


def test_a_table_that_memory_does_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qgen_core.support.resources.available_memory", lambda: 2**20)
    model = NeuralAutoregressive(space=Space("bits", 16), hidden=4, seed=1)
    with pytest.raises(ResourceRefused, match="table of probabilities of 16 bits needs 8 MiB"):
        model.forward("probabilities", Batch(), rng=rng())
    with pytest.raises(ResourceRefused, match="nade with 100000 hidden units"):
        NeuralAutoregressive(space=Space("bits", 16), hidden=100_000)


@pytest.mark.parametrize(("bits", "inputs"), list(itertools.product((1, 4, 8), (0, 2))))
@pytest.mark.parametrize("asked", [1, 28, 276, 313, 1000])
def test_the_number_of_parameters_is_the_nearest(
    bits: int, inputs: int, asked: int, caplog: pytest.LogCaptureFixture
) -> None:
    condition = Space("angles", inputs) if inputs else None
    space = Space("bits", bits)

    def model_with(**options: int) -> NeuralAutoregressive:
        return NeuralAutoregressive(space=space, condition=condition, seed=1, **options)

    with caplog.at_level(logging.INFO, logger="qgen"):
        model = model_with(parameters=asked)
    found = flatten(model.parameters()).size
    for hidden in (max(1, model.hidden - 1), model.hidden + 1):
        neighbour = flatten(model_with(hidden=hidden).parameters()).size
        assert abs(found - asked) <= abs(neighbour - asked)
    said = f"{found} parameters" in caplog.text and f"nearest to {asked}" in caplog.text
    assert said == (found != asked)


def test_the_number_of_parameters_is_shown() -> None:
    model = NeuralAutoregressive(space=Space("bits", 8), parameters=276, seed=1)
    assert repr(model) == "NeuralAutoregressive(hidden=17, 280 parameters)"
    assert flatten(model.parameters()).size == 280


def test_it_learns_a_correlated_table() -> None:
    """Two equal registers of two bits: every bit has a half, all lies in the correlation."""
    target = np.zeros(16)
    target[[0, 5, 10, 15]] = [0.4, 0.1, 0.1, 0.4]
    x = EVERY[rng(1).choice(16, size=4000, p=target)]
    model = NeuralAutoregressive(space=BITS, hidden=8, seed=1)
    trainer = qgen.trainer("adam", learning_rate=0.1, steps=150)
    history = trainer.fit(model, Events(x), "js", seed=1)
    assert history.losses[0] > 0.2
    assert history.losses[-1] < 1e-3
    table, _ = model.forward("probabilities", Batch(), rng=rng())
    assert np.abs(table[0] - target).max() < 0.03


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(BadOption, match="makes bits, not 4 spins"):
        NeuralAutoregressive(space=Space("spins", 4))
    with pytest.raises(BadOption, match="angles, not 2 reals"):
        NeuralAutoregressive(space=BITS, condition=Space("reals", 2))
    with pytest.raises(BadOption, match="not both"):
        NeuralAutoregressive(space=BITS, hidden=3, parameters=40)
    for name in ("hidden", "parameters"):
        with pytest.raises(BadOption, match=f"{name} must be at least 1, not 0"):
            NeuralAutoregressive(space=BITS, **{name: 0})
    with pytest.raises(BadOption, match="scale is at least 0, not nan"):
        NeuralAutoregressive(space=BITS, scale=float("nan"))
    model = model_of()
    with pytest.raises(BadOption, match="at least 0, not -1"):
        model.sample(-1, rng=rng())
    with pytest.raises(DataError, match="nade takes no condition"):
        model.sample(3, CONDITIONS, rng=rng())
    with pytest.raises(DataError, match="none was given"):
        model_of(ANGLES).forward("log_prob", Batch(EVERY), rng=rng())
    with pytest.raises(OutputMismatch, match="log_prob, probabilities, samples, not objective"):
        model.forward("objective", Batch(EVERY), rng=rng())
    for output in ("log_prob", "samples"):
        with pytest.raises(OutputMismatch, match="no events"):
            model.forward(output, Batch(), rng=rng())
    with pytest.raises(NoGradient):
        model.forward("samples", Batch(EVERY), rng=rng())[1](np.zeros((16, 4)))


def test_the_seed_decides_the_start() -> None:
    one, same, other = (flatten(model_of(seed=s).parameters()) for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    zero = NeuralAutoregressive(space=BITS, scale=0.0)
    table, _ = zero.forward("probabilities", Batch(), rng=rng())
    np.testing.assert_allclose(table, 1 / 16)
