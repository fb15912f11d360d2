"""Measures and readout errors, against Kronecker products and wire-by-wire loops."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from circuits_random import random_circuit

from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.circuits.measures import (
    Bits,
    Expectations,
    LinearReadout,
    Probabilities,
    State,
    check_measure,
    confuse,
    confusion_of,
    ideal,
    pauli_z,
)
from qgen_core.errors import BadCircuit
from qgen_core.testing import reference
from qgen_core.testing.reference import ReferenceBackend
from qgen_core.typing import Floats


def some_confusion(rng: np.random.Generator, wires: int) -> Floats:
    a, b = rng.uniform(0, 0.3, size=(2, wires))
    return np.array([[[1 - p, q], [p, 1 - q]] for p, q in zip(a, b, strict=True)])


@pytest.mark.parametrize("wires", [1, 3, 4, 5, 9])
def test_confuse_equals_the_kronecker_product(wires: int) -> None:
    rng = np.random.default_rng(0)
    confusion = some_confusion(rng, wires)
    p = rng.dirichlet(np.ones(2**wires), size=3)
    read = confuse(p, confusion)
    np.testing.assert_allclose(read, p @ reference.kron(confusion).T, rtol=0, atol=1e-15)
    np.testing.assert_allclose(read.sum(axis=1), 1, rtol=0, atol=1e-14)
    assert confuse(p, None) is p


def test_confuse_on_one_wire_reads_the_named_bit() -> None:
    confusion = np.tile(np.eye(2), (2, 1, 1))
    confusion[1] = [[0.9, 0.2], [0.1, 0.8]]  # wire 1: a true 0 reads 1 with probability 0.1
    np.testing.assert_allclose(confuse(np.array([[1.0, 0, 0, 0]]), confusion), [[0.9, 0.1, 0, 0]])
    np.testing.assert_allclose(confuse(np.array([[0, 0, 0, 1.0]]), confusion), [[0, 0, 0.2, 0.8]])


def test_the_pullback_of_confuse_is_its_transpose() -> None:
    rng = np.random.default_rng(1)
    confusion = some_confusion(rng, 3)
    p, cotangent = rng.normal(size=(2, 8)), rng.normal(size=(2, 8))
    forward = (confuse(p, confusion) * cotangent).sum()
    backward = (p * confuse(cotangent, confusion.transpose(0, 2, 1))).sum()
    assert forward == pytest.approx(backward, abs=1e-14)


@pytest.mark.parametrize("seed", range(3))
def test_linear_readout_equals_confused_probabilities_in_the_basis_of_the_word(seed: int) -> None:
    rng = np.random.default_rng(seed)
    confusion = some_confusion(rng, 3)
    circuit = random_circuit(rng, 3, 20)
    angles = circuit.bind(
        rng.normal(size=(2, circuit.num_params)), rng.normal(size=circuit.num_inputs)
    )
    words = ("XYZ", "IZI", "ZZI", "YIX", "III", "IYI", "ZZZ")
    read = ReferenceBackend().run(circuit, angles, Expectations(words, confusion))
    for column, word in enumerate(words):
        # turn by hand: H for X; S^dagger = S S S, then H for Y
        turns = {"X": ("h",), "Y": ("s", "s", "s", "h")}
        gates = tuple(Gate(g, (w,)) for w, letter in enumerate(word) for g in turns.get(letter, ()))
        turned = Circuit(3, circuit.instructions + gates)
        p = ReferenceBackend().exact(turned, angles, Probabilities()) @ reference.kron(confusion).T
        signs = [
            (-1) ** sum(b for b, a in zip(bits, word, strict=True) if a != "I")
            for bits in product((0, 1), repeat=3)
        ]
        np.testing.assert_allclose(read[:, column], p @ np.array(signs), rtol=0, atol=1e-13)


def test_linear_readout_needs_only_sub_words() -> None:
    confusion = np.array([[[0.9, 0.2], [0.1, 0.8]], [[0.95, 0.05], [0.05, 0.95]]])
    readout = LinearReadout.of(Expectations(("ZZ",), confusion))
    terms = dict(zip(readout.measure.paulis, readout.matrix[0], strict=True))
    # wire 0: a = 0.1, b = 0.7; wire 1 is symmetric: a = 0, b = 0.9
    assert terms == pytest.approx({"ZZ": 0.63, "IZ": 0.09})
    assert readout.measure.confusion is None


def test_linear_readout_of_perfect_readout_is_the_identity() -> None:
    measure = Expectations(("XZ", "ZI"))
    readout = LinearReadout.of(measure)
    assert readout.measure is measure
    np.testing.assert_array_equal(readout.matrix, np.eye(2))


def test_gradients_go_back_through_readout() -> None:
    rng = np.random.default_rng(4)
    circuit = Circuit(
        2,
        (Gate("ry", (0,), param(0)), Gate("crx", (0, 1), param(1)), Gate("rzz", (0, 1), param(2))),
    )
    theta, confusion = rng.normal(size=3), some_confusion(rng, 2)
    for measure, width in (
        (Probabilities(confusion), 4),
        (Expectations(("ZZ", "XI", "IZ"), confusion), 3),
    ):
        cotangent = rng.normal(size=(1, width))
        angles = circuit.bind(theta)
        gradient = ReferenceBackend().forward(circuit, angles, measure)[1](cotangent)
        exact = reference.gradient(circuit, angles, measure, cotangent)
        np.testing.assert_allclose(gradient, exact, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    "confusion",
    [
        np.eye(2),
        np.ones((1, 2, 2)),
        np.array([[[1.1, 0.0], [-0.1, 1.0]]]),
        np.array([[[0.9, 0.1], [0.2, 0.8]]]),  # rows sum to one, columns do not
        np.full((2, 2, 2), np.nan),
        np.ones((1, 3, 3)) / 3,
        np.zeros((0, 2, 2)),
        np.array(0.5),
    ],
)
def test_a_confusion_that_is_none_is_refused(confusion: Floats) -> None:
    for make in (Probabilities, Bits, lambda c: Expectations(("Z",), c)):
        with pytest.raises(BadCircuit, match=r"columns that sum to one; this one has the shape \("):
            make(confusion)


def test_words_are_checked() -> None:
    for words in ((), ("",), ("ZI", "Z"), ("ZA",), ("zz",)):
        with pytest.raises(BadCircuit, match="Pauli words are strings over I, X, Y, Z"):
            Expectations(words)
    assert Expectations("ZI").paulis == ("ZI",)  # type: ignore[arg-type]


def test_measures_are_checked_against_the_width() -> None:
    confusion = np.tile(np.eye(2), (2, 1, 1))
    check_measure(Probabilities(confusion), 2)
    check_measure(State(), 7)
    with pytest.raises(BadCircuit, match="a confusion of 2 wires does not fit 3 wires"):
        check_measure(Bits(confusion), 3)
    with pytest.raises(BadCircuit, match="'ZI' does not fit 3 wires"):
        check_measure(Expectations(("ZI",)), 3)


def test_helpers() -> None:
    confusion = np.tile(np.eye(2), (2, 1, 1))
    assert pauli_z(3).paulis == ("ZII", "IZI", "IIZ")
    measure = Expectations(("ZZ",), confusion)
    assert confusion_of(measure) is not None and confusion_of(State()) is None
    assert ideal(measure).confusion is None and ideal(measure).paulis == ("ZZ",)
    perfect = Bits()
    assert ideal(perfect) is perfect
    confusion[:] = 0
    assert measure.confusion is not None and measure.confusion[0, 0, 0] == 1
