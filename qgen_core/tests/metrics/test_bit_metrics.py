"""Metrics of expectations: against tables, at the floor for exact models, above it for others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.errors import BadOption, Unsupported
from qgen_core.events import Batch, Events, Space, bits_to_index, index_to_bits
from qgen_core.generators.iqp import InstantaneousQuantumPolynomial
from qgen_core.interfaces import Model
from qgen_core.metrics.bit_differences import (
    BitComparison,
    centred_products,
    chosen_sets,
    outcome_probabilities,
)
from qgen_core.metrics.score import Score, score
from qgen_core.simulators.statevector.backend import StatevectorBackend

WIDTH = 6
NAMES = ("covariance", "correlators", "bit-mmd", "bit-marginals")


class Identity(qgen.Encoder):
    """Bits are their own code."""

    space = Space("bits", WIDTH)

    def encode(self, x, condition=None, *, rng=None):  # type: ignore[no-untyped-def]
        return x.astype(np.int8)

    def decode(self, z, condition=None, *, rng):  # type: ignore[no-untyped-def]
        return z.astype(np.float64)


class Reals(Identity):
    """Conditions are their own code."""

    space = Space("reals", 1)

    def encode(self, x, condition=None, *, rng=None):  # type: ignore[no-untyped-def]
        return x


class Samples(InstantaneousQuantumPolynomial):
    """The same model, which only offers samples."""

    def _offered(self) -> frozenset[str]:
        return frozenset({"samples"})


def model_of(
    kind: type[InstantaneousQuantumPolynomial] = InstantaneousQuantumPolynomial, **options: Any
) -> InstantaneousQuantumPolynomial:
    given: dict[str, Any] = {"scale": 0.3, "seed": 4} | options
    model = kind(backend=StatevectorBackend(), space=Space("bits", WIDTH), start="random", **given)
    model.fields[:] += 0.5
    model.slopes[:] = 0.3
    return model


def found_by(name: str, reference: Events, generated: Events | None, model: Any) -> list[Score]:
    encoders = (Identity(), Reals() if model.condition is not None else None)
    return score(
        qgen.metric(name),
        reference,
        generated,
        rng=np.random.default_rng(1),
        model=Model(model, *encoders),
    )


def events_of(model: InstantaneousQuantumPolynomial, n: int, seed: int) -> Events:
    rng = np.random.default_rng(seed)
    condition = None
    if model.condition is not None:
        condition = rng.normal(size=(n, 1))
    return Events(model.sample(n, condition, rng=rng).astype(np.float64), condition)


@pytest.mark.parametrize("condition", [None, Space("reals", 1)])
@pytest.mark.parametrize("exact_wires", [12, 1])
@pytest.mark.parametrize("name", NAMES)
def test_an_exact_model_is_at_the_floor_and_another_above(
    name: str, condition: Space | None, exact_wires: int
) -> None:
    model = model_of(condition=condition, exact_wires=exact_wires)
    other = model_of(condition=condition, exact_wires=exact_wires, seed=5)
    for one in found_by(name, events_of(model, 1500, 2), None, model):
        assert abs(one.value - one.floor) < 5 * one.floor_spread
        assert one.uncertainty < 3 * one.floor_spread
    for one in found_by(name, events_of(other, 1500, 3), None, model):
        assert one.value > one.floor + 5 * one.floor_spread


@pytest.mark.parametrize("name", NAMES)
def test_floor_and_spread_are_those_of_new_samples(name: str) -> None:
    """An exact model on many new references: mean and spread of its values are as foretold."""
    model = model_of()
    found = [found_by(name, events_of(model, 400, seed), None, model) for seed in range(40)]
    for quantity in zip(*found, strict=True):
        values = np.array([one.value for one in quantity])
        floor = np.mean([one.floor for one in quantity])
        spread = np.mean([one.floor_spread for one in quantity])
        assert abs(values.mean() - floor) < 5 * values.std() / np.sqrt(40) + 0.05 * abs(floor)
        assert 0.6 < values.std() / spread < 1.6
        if name == "bit-mmd":  # less its noise it is 0 on average
            assert abs(values.mean()) < 5 * values.std() / np.sqrt(40)


def test_covariances_are_those_of_all_pairs() -> None:
    model = model_of()
    reference = events_of(model_of(seed=5), 500, 2)
    (found,) = found_by("covariance", reference, None, model)
    bits = index_to_bits(np.arange(2**WIDTH), WIDTH)
    table, _ = model.forward("probabilities", Batch(), rng=np.random.default_rng(1))
    means = (1.0 - 2.0 * reference.x).mean(axis=0)
    of_model = 1.0 - 2.0 * bits - means
    of_data = 1.0 - 2.0 * reference.x - means
    difference = of_data.T @ of_data / 500 - of_model.T @ (table[0][:, None] * of_model)
    pairs = difference[np.triu_indices(WIDTH, k=1)]
    assert found.value == pytest.approx(np.sqrt(np.mean(pairs**2)), rel=1e-9)
    assert found.note == "15 pairs of bits"


@pytest.mark.parametrize("size", [0.5, 1.0, 2.0])
def test_the_mmd_of_bits_is_that_of_its_kernel(size: float) -> None:
    """Words of ``size`` bits on average belong to the kernel exp(-d / D), D in the note."""
    model = model_of()
    reference = events_of(model_of(seed=5), 20_000, 2)
    encoded = (reference.x.astype(np.int8), None)
    options = {"wires": (size,), "words": 50_000, "events": 20_000}
    offered = {"model": Model(model, Identity()), "rng": np.random.default_rng(1)}
    found = qgen.metric("bit-mmd", **options)(reference, None, encoded=encoded, **offered)
    (one,) = found.values()
    scale = -1.0 / np.log(1.0 - 2.0 * size / WIDTH)
    assert one.note == f"kernel exp(-d / {scale:.4g})"
    bits = index_to_bits(np.arange(2**WIDTH), WIDTH)
    kernel = np.exp(-np.sum(bits[:, None] != bits, axis=2) / scale)
    table, _ = model.forward("probabilities", Batch(), rng=np.random.default_rng(1))
    counts = np.bincount(bits_to_index(encoded[0]), minlength=2**WIDTH)
    difference = counts / 20_000 - table[0]
    squared = difference @ kernel @ difference
    noise = (1.0 - counts @ kernel @ counts / 20_000**2) / 20_000
    assert squared > 50 * noise
    assert one.value == pytest.approx(squared - noise, rel=0.02)


def test_the_usual_words_have_less_than_half_of_the_bits() -> None:
    assert found_names(Space("bits", WIDTH)) == ["1", "2"]
    assert found_names(Space("bits", 2)) == ["0.5"]
    assert found_names(Space("bits", 9)) == ["1", "2", "4"]


def found_names(space: Space) -> list[str]:
    """The numbers of bits of the words that ``bit-mmd`` takes by itself."""
    model = qgen.generator("iqp", backend="statevector", space=space, start="random", seed=1)
    x = np.random.default_rng(1).integers(0, 2, (50, space.width))
    encoder = Identity()
    encoder.space = space
    scored = qgen.metric("bit-mmd", words=10)(
        Events(x.astype(np.float64)),
        None,
        encoded=(x.astype(np.int8), None),
        model=Model(model, encoder),
        rng=np.random.default_rng(1),
    )
    return [name.removeprefix("mmd2, words of ").removesuffix(" bits") for name in scored]


@pytest.mark.parametrize("name", NAMES)
def test_models_of_samples_are_compared_by_these(name: str) -> None:
    model = model_of(Samples)
    reference = events_of(model, 1500, 2)
    generated = events_of(model, 1000, 3)
    for one in found_by(name, reference, generated, model):
        assert abs(one.value - one.floor) < 5 * one.floor_spread
    other = events_of(model_of(seed=5), 1000, 3)
    for one in found_by(name, reference, other, model):
        assert one.value > one.floor + 5 * one.floor_spread
    with pytest.raises(Unsupported, match="neither"):
        found_by(name, reference, None, model)


def test_columns_are_those_of_the_table() -> None:
    """Centred products and outcomes of words are what all probabilities give."""
    model = model_of()
    table, _ = model.forward("probabilities", Batch(), rng=np.random.default_rng(1))
    bits = index_to_bits(np.arange(2**WIDTH), WIDTH)
    means = np.linspace(-0.5, 0.5, WIDTH)
    for order in (2, 3):
        sets = chosen_sets(WIDTH, order, 1000)
        words, combine = centred_products(sets, means)
        found = combine(model.forward("correlators", Batch(words=words), rng=None)[0])[0]
        centred = 1.0 - 2.0 * bits - means
        expected = [table[0] @ centred[:, one].prod(axis=1) for one in sets]
        assert np.allclose(found, expected, atol=1e-12)
    window = np.array([4, 0, 3])
    words, combine = outcome_probabilities(window)
    found = combine(model.forward("correlators", Batch(words=words), rng=None)[0])[0]
    grid = table.reshape((2,) * WIDTH).transpose(4, 0, 3, 1, 2, 5)
    assert np.allclose(found, grid.reshape(8, 8).sum(axis=1), atol=1e-12)


def test_weights_of_the_reference_count() -> None:
    """An event of weight two is as good as two events, and one of weight zero is none."""
    model = model_of()
    events = events_of(model, 300, 2)
    copies = np.random.default_rng(1).integers(0, 3, 300)
    repeated = events.take(np.repeat(np.arange(300), copies))
    weighted = events.replace(weight=copies.astype(float))
    for name in ("covariance", "correlators", "bit-marginals"):
        first = found_by(name, repeated, None, model)
        second = found_by(name, weighted, None, model)
        for one, other in zip(first, second, strict=True):
            assert one.value == pytest.approx(other.value, rel=1e-9)


def test_random_sets_are_sets_and_the_same_each_time() -> None:
    sets = chosen_sets(50, 4, 300)
    assert sets.shape == (300, 4)
    assert np.all(np.diff(sets, axis=1) > 0)
    assert np.array_equal(sets, chosen_sets(50, 4, 300))
    assert len(chosen_sets(5, 2, 10)) == 10


def test_refusals() -> None:
    model = model_of()
    events = events_of(model, 20, 1)
    offered = {"model": Model(model, Identity()), "rng": np.random.default_rng(1)}
    encoded = (events.x.astype(np.int8), None)
    for name, options in (
        ("correlators", {"orders": (7,)}),
        ("bit-mmd", {"wires": (3.0,)}),
        ("bit-mmd", {"words": 0}),
        ("bit-marginals", {"windows": ((0, 0),)}),
        ("bit-marginals", {"windows": ((6,),)}),
        ("bit-marginals", {"windows": ((),)}),
        ("covariance", {"events": 1}),
    ):
        with pytest.raises(BadOption):
            qgen.metric(name, **options)(events, None, encoded=encoded, **offered)
    gaussian = qgen.generator("noise-mlp", space=Space("reals", 2), seed=1)
    with pytest.raises(Unsupported, match="bits"):
        BitComparison(
            (events, None), Model(gaussian, Identity()), encoded, np.random.default_rng(1), 10
        )
    for name in ("tv", "nelbo"):
        with pytest.raises(Unsupported):
            found_by(name, events, None, model)
