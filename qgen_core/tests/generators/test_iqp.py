"""iqp: expectations against all sign vectors and state vectors, start values, outputs, refusals."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from qgen_core.circuits.capabilities import Capabilities
from qgen_core.circuits.qasm import to_qasm
from qgen_core.errors import BadOption, DataError, OutputMismatch, Unsupported
from qgen_core.events import Batch, Events, Space, Words, bits_to_index, index_to_bits
from qgen_core.generators.iqp import InstantaneousQuantumPolynomial
from qgen_core.generators.iqp_bodies import Bodies, DiagonalAngles, chosen_bodies
from qgen_core.generators.iqp_start import Moments, started_couplings
from qgen_core.generators.iqp_words import exact_expectations, sampled_expectations
from qgen_core.losses.words import values_of_words
from qgen_core.simulators.statevector.backend import StatevectorBackend
from qgen_core.support.parameters import assign, flatten


def model_of(width: int, **options: Any) -> InstantaneousQuantumPolynomial:
    given: dict[str, Any] = {"start": "random", "scale": 0.4, "seed": 3} | options
    return InstantaneousQuantumPolynomial(
        backend=StatevectorBackend(), space=Space("bits", width), **given
    )


def all_words(width: int) -> Words:
    sets = []
    for number in range(2**width):
        sets.append([wire for wire in range(width) if number >> wire & 1])
    return Words.of(sets)


def all_signs(width: int) -> np.ndarray:
    return np.array(list(product([-1, 1], repeat=width)), dtype=np.int8)


def by_all_signs(words: Words, bodies: Bodies, angles: DiagonalAngles) -> np.ndarray:
    """The mean over all sign vectors, term by term: one row for each column of the fields."""
    rows = []
    for column in angles.fields.T:
        terms = [([wire], angle) for wire, angle in enumerate(column)]
        terms += zip(bodies.edges.tolist(), angles.couplings, strict=True)
        terms += zip(wires_of(bodies.higher), angles.higher, strict=True)
        signs = all_signs(bodies.wires)
        row = []
        for word in wires_of(words):
            phase = np.zeros(len(signs))
            for body, angle in terms:
                if len(set(body) & set(word)) % 2:
                    phase += angle * np.prod(signs[:, body], axis=1)
            row.append(np.mean(np.cos(2 * phase)))
        rows.append(row)
    return np.array(rows)


def wires_of(words: Words) -> list[list[int]]:
    if len(words) == 0:
        return []
    return [part.tolist() for part in np.split(words.wires, words.starts[1:-1])]


def some_angles(bodies: Bodies, columns: int, scale: float, seed: int) -> DiagonalAngles:
    rng = np.random.default_rng(seed)
    return DiagonalAngles(
        rng.normal(0, scale, (bodies.wires, columns)),
        rng.normal(0, scale, len(bodies.edges)),
        rng.normal(0, scale, len(bodies.higher)),
    )


@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("lattice", [None, ((2, 3),), ((2,), (2, 2))])
def test_exact_words_are_means_over_all_signs(scale: float, lattice: Any) -> None:
    bodies = chosen_bodies(6, "all", lattice, ())
    angles = some_angles(bodies, 3, scale, seed=4)
    words = all_words(6)
    found, _ = exact_expectations(words, bodies, angles)
    assert np.max(np.abs(found - by_all_signs(words, bodies, angles))) < 1e-13 * max(1, scale)


@pytest.mark.parametrize("higher", [(), ((0, 1, 2), (1, 2, 3, 4), (0, 2, 4))])
def test_words_from_all_sign_vectors_are_exact(higher: Any) -> None:
    bodies = chosen_bodies(5, "all", None, higher)
    angles = some_angles(bodies, 1, 1.0, seed=6)
    words = all_words(5)
    found, _ = sampled_expectations(words, bodies, angles, all_signs(5))
    assert np.allclose(found.mean(axis=0), by_all_signs(words, bodies, angles)[0], atol=1e-13)


def test_slopes_of_both_forms_agree_and_are_those_of_differences() -> None:
    bodies = chosen_bodies(5, "all", None, ())
    angles = some_angles(bodies, 1, 0.8, seed=7)
    words = all_words(5)
    signs = all_signs(5)
    cotangent = np.random.default_rng(8).normal(size=(1, len(words)))
    _, pull_exact = exact_expectations(words, bodies, angles)
    _, pull_drawn = sampled_expectations(words, bodies, angles, signs)
    exact = pull_exact(cotangent)
    drawn = pull_drawn(np.repeat(cotangent, len(signs), axis=0) / len(signs))
    assert np.allclose(exact.fields, drawn.fields, atol=1e-12)
    assert np.allclose(exact.couplings, drawn.couplings, atol=1e-12)
    direction = np.random.default_rng(9).normal(size=len(bodies.edges))
    step = 1e-5
    values = []
    for sign in (1, -1):
        moved = angles._replace(couplings=angles.couplings + sign * step * direction)
        values.append(np.sum(cotangent * exact_expectations(words, bodies, moved)[0]))
    slope = (values[0] - values[1]) / (2 * step)
    assert exact.couplings @ direction == pytest.approx(slope, rel=1e-7)


def test_slopes_where_cosines_are_zero() -> None:
    """A factor of 0 in the product over wires leaves the derivative by its own angle."""
    bodies = chosen_bodies(4, "all", None, ())
    couplings = np.full(6, 0.3)
    couplings[0] = np.pi / 4  # cos 2T of the wires 0 and 1 is 0
    angles = DiagonalAngles(np.full((4, 1), 0.2), couplings, np.zeros(0))
    words = Words.of([[0]])
    _, pullback = exact_expectations(words, bodies, angles)
    found = pullback(np.ones((1, 1))).couplings
    expected = -2 * np.cos(0.4) * np.cos(0.6) ** 2
    assert found[0] == pytest.approx(expected, rel=1e-12)
    assert np.allclose(found[1:], 0.0, atol=1e-15)


@pytest.mark.parametrize("width", [1, 2, 9, 12])
def test_correlators_are_those_of_the_circuit(width: int) -> None:
    model = model_of(width, edges="all")
    words = all_words(width)
    if width > 9:
        words = words.take(np.random.default_rng(1).random(len(words)) < 0.05)
    batch = Batch(words=words)
    found, _ = model.forward("correlators", batch, rng=np.random.default_rng(1))
    table, _ = model.forward("probabilities", Batch(), rng=np.random.default_rng(1))
    outcomes = index_to_bits(np.arange(2**width), width)
    assert np.max(np.abs(found - table @ values_of_words(words, outcomes))) < 1e-10


def test_correlators_of_conditions_and_further_bodies_are_those_of_the_circuit() -> None:
    conditions = np.array([[0.3, -1.0], [2.0, 0.5]])
    outcomes = index_to_bits(np.arange(16), 4)
    words = all_words(4)
    batch = Batch(condition=np.repeat(conditions, 20_000, axis=0), words=words)
    for bodies in ((), ((0, 1, 3),)):
        model = model_of(4, condition=Space("reals", 2), bodies=bodies)
        model.slopes[:] = np.random.default_rng(2).normal(size=(4, 2))
        table, _ = model.forward(
            "probabilities", Batch(condition=conditions), rng=np.random.default_rng(1)
        )
        found, _ = model.forward("correlators", batch, rng=np.random.default_rng(1))
        for number, expected in enumerate(table @ values_of_words(words, outcomes)):
            rows = found[20_000 * number : 20_000 * (number + 1)]
            error = rows.std(axis=0) / np.sqrt(len(rows))
            assert np.all(np.abs(rows.mean(axis=0) - expected) <= 4.5 * error + 1e-10)


def test_words_that_are_too_long_are_estimated_without_bias() -> None:
    model = model_of(14, scale=0.1, samples=20_000)
    words = Words.of([[0, 1], list(range(13)), list(range(14))])
    found, _ = model.forward("correlators", Batch(words=words), rng=np.random.default_rng(5))
    table, _ = model.forward("probabilities", Batch(), rng=np.random.default_rng(1))
    expected = (table @ values_of_words(words, index_to_bits(np.arange(2**14), 14)))[0]
    assert np.allclose(found[:, 0], expected[0], atol=1e-12)  # exact, the same in all rows
    error = found[:, 1:].std(axis=0) / np.sqrt(len(found))
    assert np.all(np.abs(found[:, 1:].mean(axis=0) - expected[1:]) < 4.5 * error)


def test_samples_follow_the_correlators() -> None:
    model = model_of(6)
    words = all_words(6)
    found, _ = model.forward("correlators", Batch(words=words), rng=np.random.default_rng(1))
    events = model.sample(20_000, rng=np.random.default_rng(2))
    means = values_of_words(words, events).mean(axis=0)
    assert np.all(np.abs(means - found[0]) < 4.5 / np.sqrt(20_000))


@pytest.mark.parametrize("draws", [None, 40])
def test_a_window_is_the_marginal_of_the_whole(draws: int | None) -> None:
    model = model_of(6, scale=0.5)
    events = 16_000
    window = model.window([4, 1, 3], draws=draws)
    table, _ = model.forward("probabilities", Batch(), rng=np.random.default_rng(1))
    grid = table.reshape((2,) * 6).transpose(4, 1, 3, 0, 2, 5)
    marginal = grid.sum(axis=(3, 4, 5)).reshape(-1)
    repeats = 1 if draws is None else 100
    found = np.zeros(8)
    for repeat in range(repeats):
        bits = window.sample(events // repeats, rng=np.random.default_rng([3, repeat]))
        found += np.bincount(bits_to_index(bits), minlength=8) / events
    # 40 sign vectors take turns for 160 events, so events of a call are not independent
    error = np.sqrt(marginal / events) * (1 if draws is None else 2)
    assert np.all(np.abs(found - marginal) < 4.5 * error)
    dropped = model_of(3, scale=0.0)
    dropped.fields[:] = model.fields[[4, 1, 3]]
    inner = model.bodies.matrix(model.couplings)[np.ix_([4, 1, 3], [4, 1, 3])]
    dropped.couplings[:] = inner[np.triu_indices(3, k=1)]
    without, _ = dropped.forward("probabilities", Batch(), rng=np.random.default_rng(1))
    assert 0.5 * np.abs(without[0] - marginal).sum() > 0.05  # leaving wires out is another model


def test_a_window_follows_conditions_and_refuses() -> None:
    model = model_of(5, condition=Space("reals", 1), scale=0.3)
    model.slopes[:, 0] = np.linspace(-1.0, 1.0, 5)
    window = model.window([0, 4])
    condition = np.repeat([[0.0], [0.7]], 6000, axis=0)
    bits = window.sample(12_000, condition, rng=np.random.default_rng(1))
    table, _ = model.forward(
        "probabilities", Batch(condition=condition[[0, -1]]), rng=np.random.default_rng(1)
    )
    for number, part in enumerate((bits[:6000], bits[6000:])):
        ones = index_to_bits(np.arange(32), 5)[:, [0, 4]]
        assert np.all(np.abs(part.mean(axis=0) - table[number] @ ones) < 4.5 * 0.5 / np.sqrt(6000))
    with pytest.raises(DataError):
        window.sample(3, rng=np.random.default_rng(1))
    for wires in ([0, 0], [5], []):
        with pytest.raises(BadOption):
            model.window(wires)
    with pytest.raises(BadOption):
        model.window([0], draws=0)
    with pytest.raises(Unsupported):
        model_of(4, bodies=((0, 1, 2),)).window([0])


def test_the_circuit_is_the_model() -> None:
    model = model_of(4, condition=Space("reals", 2), bodies=((0, 2, 3),))
    model.slopes[:] = np.random.default_rng(2).normal(size=(4, 2))
    condition = np.array([[0.5, -1.0]])
    shifts = condition @ model.slopes.T
    table, _ = model.forward(
        "probabilities", Batch(condition=condition), rng=np.random.default_rng(1)
    )
    found = StatevectorBackend().probabilities(model.circuit, model.theta, shifts)
    assert np.allclose(found, table, atol=1e-12)
    program = to_qasm(model.circuit, model.theta, shifts[0])
    assert program.startswith("OPENQASM 3")
    assert program.count("rzz(") == model.circuit.counts["rzz"] + 1  # and its definition


def correlated_bits(events: int, width: int) -> np.ndarray:
    """Bits that are equal to their left neighbours more often than not."""
    rng = np.random.default_rng(11)
    bits = (rng.random((events, width)) < 0.3).astype(np.int8)
    for column in range(1, width):
        is_copied = rng.random(events) < 0.4
        bits[is_copied, column] = bits[is_copied, column - 1]
    return bits


@pytest.mark.parametrize("width", [2, 30])
def test_start_values_meet_the_means_of_the_data(width: int) -> None:
    bits = correlated_bits(4000, width)
    model = model_of(width, start="data", data=Events(bits), scale=0.01)
    batch = Batch(words=Words.of([[wire] for wire in range(width)]))
    found, _ = model.forward("correlators", batch, rng=np.random.default_rng(1))
    assert np.allclose(found[0], 1 - 2 * bits.mean(axis=0), atol=1e-12)
    assert np.max(np.abs(model.couplings)) > 0.05


def test_start_values_meet_the_covariance_of_two_wires() -> None:
    weight = np.random.default_rng(1).uniform(0.1, 2.0, 4000)
    data = Events(correlated_bits(4000, 2), weight=weight)
    model = model_of(2, start="data", data=data)
    batch = Batch(words=Words.of([[0], [1], [0, 1]]))
    found, _ = model.forward("correlators", batch, rng=np.random.default_rng(1))
    spins = 1 - 2 * data.x.astype(float)
    expected = np.average(spins, axis=0, weights=weight)
    assert found[0, :2] == pytest.approx(expected)
    assert not np.allclose(expected, spins.mean(axis=0), atol=1e-3)
    assert found[0, 2] == pytest.approx(np.average(spins[:, 0] * spins[:, 1], weights=weight))


def test_covariances_that_may_be_noise_are_not_start_values() -> None:
    means = np.full(2, 0.5)
    covariances = np.array([[0.75, 0.15], [0.15, 0.75]])
    edges = np.array([[0, 1]])
    rng = np.random.default_rng(1)
    # the error of this covariance is 0.75 / sqrt(size): 2.9 and 3.1 errors
    for size, is_signal in ((210.0, False), (240.0, True)):
        (angle,) = started_couplings(Moments(means, covariances, size), edges, 1e-4, rng)
        assert (abs(angle) > 0.1) == is_signal


def test_frozen_couplings_keep_their_start_values() -> None:
    model = model_of(4, frozen_couplings=True)
    assert set(model.parameters()) == {"fields"}
    assert np.array_equal(model.state()["couplings"], model_of(4).couplings)
    before = model.couplings.copy()
    assign(model.parameters(), flatten(model.parameters()) + 1.0)
    assert np.array_equal(model.couplings, before)


def test_refusals() -> None:
    space = Space("bits", 4)
    with pytest.raises(BadOption, match="needs training events"):
        InstantaneousQuantumPolynomial(backend=StatevectorBackend(), space=space)
    for options in (
        {"edges": ((0, 4),)},
        {"edges": ((0, 1), (1, 0))},
        {"edges": ((1, 1),)},
        {"bodies": ((0, 1),)},
        {"bodies": ((0, 1, 2), (2, 1, 0))},
        {"lattice": ((3,),)},
        {"lattice": ((4,),), "edges": ((0, 1),)},
        {"lattice": ((4,), (0,))},
        {"exact_wires": 13},
        {"samples": 1},
        {"scale": -0.1},
    ):
        with pytest.raises(BadOption):
            model_of(4, **options)
    with pytest.raises(BadOption, match="bits"):
        InstantaneousQuantumPolynomial(
            backend=StatevectorBackend(), space=Space("reals", 4), start="random"
        )
    with pytest.raises(DataError, match="bits"):
        model_of(2, start="data", data=Events(np.array([[0.5, 0.0]])))
    rng = np.random.default_rng(1)
    model = model_of(4)
    with pytest.raises(OutputMismatch, match="words"):
        model.forward("correlators", Batch(), rng=rng)
    with pytest.raises(OutputMismatch, match="wire 4"):
        model.forward("correlators", Batch(words=Words.of([[0, 4]])), rng=rng)
    with pytest.raises(OutputMismatch, match="log_prob"):
        model.forward("log_prob", Batch(), rng=rng)


def test_many_wires_offer_correlators_only() -> None:
    model = model_of(300, scale=0.01)
    assert model.outputs == {"correlators"}
    with pytest.raises(Unsupported, match="300 wires"):
        model.sample(3, rng=np.random.default_rng(1))
    with pytest.raises(OutputMismatch, match="correlators"):
        model.forward("probabilities", Batch(), rng=np.random.default_rng(1))


class Device(StatevectorBackend):
    """A backend that has shots only, of at most six wires."""

    capabilities = Capabilities(exact=False, max_wires=6)


def test_a_device_needs_no_shots_in_training_to_draw_events() -> None:
    model = InstantaneousQuantumPolynomial(
        backend=Device(), space=Space("bits", 3), start="random", seed=1
    )
    assert model.outputs == {"correlators", "samples"}
    assert model.sample(10, rng=np.random.default_rng(1)).shape == (10, 3)
