"""What the base class of simulators adds to exact values: shots, bits, bases, checks."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from circuits_random import IDLE, random_circuit
from numpy.typing import NDArray
from scipy.stats import chi2

from qgen_core.circuits.circuit import Channel, Circuit, Gate, const, param
from qgen_core.circuits.measures import Bits, Expectations, Probabilities, Shots, State, confuse
from qgen_core.circuits.pauli_form import word_matrix
from qgen_core.errors import BadCircuit, BadOption, ResourceRefused, Unsupported
from qgen_core.events import bits_to_index
from qgen_core.interfaces import Capabilities
from qgen_core.simulators.base import group_words, parity, to_basis
from qgen_core.testing.reference import ReferenceBackend, state
from qgen_core.typing import Floats

BELL = Circuit(2, (Gate("h", (0,)), Gate("cx", (0, 1))))
NONE = np.zeros((1, 0))


def agrees(counts: NDArray[Any], expected: Floats) -> float:
    """p-value of a chi-square test; bins that expect fewer than 5 are merged."""
    small = expected < 5
    observed = np.append(counts[~small], counts[small].sum())
    wanted = np.append(expected[~small], expected[small].sum())
    keep = wanted > 0
    assert not observed[~keep].any()
    statistic = ((observed[keep] - wanted[keep]) ** 2 / wanted[keep]).sum()
    return float(chi2.sf(statistic, max(1, keep.sum() - 1)))


def prepared(seed: int, wires: int = 3) -> tuple[Circuit, Floats]:
    rng = np.random.default_rng(seed)
    circuit = random_circuit(rng, wires, 25)
    return circuit, circuit.bind(
        rng.normal(size=(2, circuit.num_params)), rng.normal(size=circuit.num_inputs)
    )


@pytest.mark.parametrize("seed", range(3))
def test_shots_follow_the_exact_probabilities(seed: int) -> None:
    circuit, angles = prepared(seed)
    shots = 20_000
    exact = ReferenceBackend().run(circuit, angles, Probabilities())
    frequencies = ReferenceBackend().run(
        circuit, angles, Probabilities(), Shots(shots, np.random.default_rng(seed))
    )
    bits = ReferenceBackend().run(
        circuit, angles, Bits(), Shots(shots, np.random.default_rng(seed + 100))
    )
    assert bits.shape == (2, shots, 3) and bits.dtype == np.int8
    for row in range(2):
        np.testing.assert_allclose(
            frequencies[row] * shots, np.rint(frequencies[row] * shots), rtol=0, atol=1e-9
        )
        assert frequencies[row].sum() == pytest.approx(1)
        assert agrees(frequencies[row] * shots, exact[row] * shots) > 1e-6
        counts = np.bincount(bits_to_index(bits[row]), minlength=8)
        assert agrees(counts, exact[row] * shots) > 1e-6


def test_readout_errors_reach_shots_and_bits() -> None:
    circuit, angles = prepared(7)
    confusion = np.array(
        [[[0.9, 0.2], [0.1, 0.8]], [[1.0, 0.0], [0.0, 1.0]], [[0.7, 0.05], [0.3, 0.95]]]
    )
    expected = confuse(np.abs(state(circuit, angles[0])[None]) ** 2, confusion)[0]
    shots, rng = 20_000, np.random.default_rng(3)
    frequencies = ReferenceBackend().run(
        circuit, angles[:1], Probabilities(confusion), Shots(shots, rng)
    )[0]
    bits = ReferenceBackend().run(circuit, angles[:1], Bits(confusion), Shots(shots, rng))[0]
    assert agrees(frequencies * shots, expected * shots) > 1e-6
    assert agrees(np.bincount(bits_to_index(bits), minlength=8), expected * shots) > 1e-6
    ideal = np.abs(state(circuit, angles[0])) ** 2
    assert agrees(frequencies * shots, ideal * shots) < 1e-6  # the test can tell


def test_column_w_of_bits_is_wire_w() -> None:
    circuit = Circuit(3, (Gate("x", (1,)),))
    bits = ReferenceBackend().run(circuit, NONE, Bits(), Shots(4, np.random.default_rng(0)))
    assert bits.tolist() == [[[0, 1, 0]] * 4]


def test_bits_come_in_random_order() -> None:
    bits = ReferenceBackend().run(BELL, NONE, Bits(), Shots(2000, np.random.default_rng(1)))[
        0, :, 0
    ]
    changes = int(np.abs(np.diff(bits)).sum())
    assert abs(changes - 1000) < 6 * np.sqrt(500)


def test_one_generator_one_result_and_the_global_state_stays() -> None:
    before = repr(np.random.get_state(legacy=False))
    runs = [
        ReferenceBackend().run(BELL, NONE, Bits(), Shots(50, np.random.default_rng(5)))
        for _ in range(2)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert repr(np.random.get_state(legacy=False)) == before


@pytest.mark.parametrize("word", ["".join(w) for w in product("IXYZ", repeat=2)])
def test_to_basis_and_parity_give_the_expectation(word: str) -> None:
    rng = np.random.default_rng(11)
    circuit = random_circuit(rng, 2, 20)
    angles = circuit.bind(
        rng.normal(size=(3, circuit.num_params)), rng.normal(size=circuit.num_inputs)
    )
    turned, extended = to_basis(circuit, angles, word)
    assert extended.shape == (3, turned.num_angles)
    read = ReferenceBackend().exact(turned, extended, Probabilities()) @ parity(word)
    vectors = [state(circuit, row) for row in angles]
    expected = [np.real(v.conj() @ word_matrix(word) @ v) for v in vectors]
    np.testing.assert_allclose(read, expected, rtol=0, atol=1e-13)


def test_parity_is_the_diagonal_of_the_word() -> None:
    for word in ("ZIZ", "IIZ", "III"):
        np.testing.assert_array_equal(parity(word), np.real(np.diag(word_matrix(word))))
    np.testing.assert_array_equal(parity("XY"), parity("ZZ"))


def test_words_that_agree_share_a_basis() -> None:
    assert group_words(("ZZ", "ZI", "IZ", "II")) == {"ZZ": [0, 1, 2, 3]}
    assert group_words(("ZI", "IX")) == {"ZX": [0, 1]}
    assert group_words(("ZZ", "XX", "XI", "YI")) == {"ZZ": [0], "XX": [1, 2], "YI": [3]}


@pytest.mark.parametrize("seed", range(5))
def test_groups_hold_every_word_once_in_a_basis_that_reads_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = tuple("".join(rng.choice(list("IXYZ"), size=4)) for _ in range(30))
    groups = group_words(words)
    assert sorted(n for members in groups.values() for n in members) == list(range(30))
    assert len(groups) < 30
    for basis, members in groups.items():
        for n in members:
            assert all(a in ("I", b) for a, b in zip(words[n], basis, strict=True))


def test_words_of_one_basis_come_from_the_same_shots() -> None:
    # on a Bell pair Z0 Z1 = 1 in every shot, so ZI and IZ agree shot by shot, though each
    # fluctuates
    measure = Expectations(("ZZ", "ZI", "IZ"))
    rng = np.random.default_rng(2)
    values = np.array(
        [ReferenceBackend().run(BELL, NONE, measure, Shots(101, rng))[0] for _ in range(20)]
    )
    np.testing.assert_array_equal(values[:, 0], 1)
    np.testing.assert_array_equal(values[:, 1], values[:, 2])
    assert values[:, 1].std() > 0.05


def test_joint_distribution_of_words_is_consistent_with_shots() -> None:
    # p(ab) = (1 + a<ZI> + b<IZ> + ab<ZZ>) / 4 must be whole counts, not merely within errors
    circuit, angles = prepared(9, wires=2)
    shots = 37
    zi, iz, zz = ReferenceBackend().run(
        circuit,
        angles[:1],
        Expectations(("ZI", "IZ", "ZZ")),
        Shots(shots, np.random.default_rng(0)),
    )[0]
    for a, b in product((1, -1), repeat=2):
        count = shots * (1 + a * zi + b * iz + a * b * zz) / 4
        assert count == pytest.approx(round(count), abs=1e-9) and count > -1e-9


@pytest.mark.parametrize("readout", [False, True])
def test_sampled_words_are_unbiased_with_the_right_spread(readout: bool) -> None:
    circuit, angles = prepared(4)
    words = ("XYZ", "ZII", "IXI", "ZZI", "YIY")
    confusion = np.tile([[0.93, 0.1], [0.07, 0.9]], (3, 1, 1)) if readout else None
    measure = Expectations(words, confusion)
    exact = ReferenceBackend().run(circuit, angles[:1], measure)[0]
    shots, repeats, rng = 400, 300, np.random.default_rng(6)
    values = np.array(
        [
            ReferenceBackend().run(circuit, angles[:1], measure, Shots(shots, rng))[0]
            for _ in range(repeats)
        ]
    )
    sigma = np.sqrt((1 - exact**2) / shots)
    assert np.all(np.abs(values.mean(axis=0) - exact) < 5 * sigma / np.sqrt(repeats) + 1e-12)
    np.testing.assert_allclose(values.std(axis=0)[sigma > 1e-6], sigma[sigma > 1e-6], rtol=0.2)


def test_gradients_from_shots_are_unbiased() -> None:
    circuit = Circuit(1, (Gate("ry", (0,), param(0)),))
    angles, rng = circuit.bind([0.7]), np.random.default_rng(1)
    draws = [
        ReferenceBackend().forward(circuit, angles, Expectations(("Z",)), Shots(100, rng))[1](
            np.ones((1, 1))
        )[0, 0]
        for _ in range(400)
    ]
    assert np.mean(draws) == pytest.approx(-np.sin(0.7), abs=5 * np.std(draws) / 20)
    assert np.std(draws) > 0.02


def test_forward_gives_the_value_and_the_way_back() -> None:
    circuit, angles = prepared(3)
    rng = np.random.default_rng(0)
    for measure, width in ((Probabilities(), 8), (Expectations(("ZZI", "XII")), 2)):
        cotangent = rng.normal(size=(2, width))
        value, back = ReferenceBackend().forward(circuit, angles, measure)
        np.testing.assert_array_equal(value, ReferenceBackend().run(circuit, angles, measure))
        np.testing.assert_array_equal(
            back(cotangent), ReferenceBackend().forward(circuit, angles, measure)[1](cotangent)
        )
        assert np.abs(back(cotangent)).max() > 0
    sampled, back = ReferenceBackend().forward(
        circuit, angles, Probabilities(), Shots(64, np.random.default_rng(0))
    )
    np.testing.assert_array_equal(sampled * 64, np.rint(sampled * 64))
    assert back(rng.normal(size=(2, 8))).shape == angles.shape


def test_people_get_no_batch_axis_where_they_gave_none() -> None:
    circuit, backend = Circuit(1, (Gate("ry", (0,), param(0)),)), ReferenceBackend()
    np.testing.assert_allclose(backend.probabilities(circuit, [np.pi]), [0, 1], atol=1e-15)
    assert backend.probabilities(circuit, [[0.0], [1.0]]).shape == (2, 2)
    np.testing.assert_allclose(backend.expectations(circuit, [0.4], paulis=["Z"]), [np.cos(0.4)])
    assert backend.sample(circuit, [0.4], shots=5, seed=1).shape == (5, 1)
    np.testing.assert_array_equal(
        backend.sample(circuit, [0.4], shots=50, seed=1),
        backend.sample(circuit, [0.4], shots=50, seed=1),
    )


def test_states_are_exact_and_have_no_gradient() -> None:
    circuit, angles = prepared(2)
    np.testing.assert_array_equal(
        ReferenceBackend().run(circuit, angles, State())[1], state(circuit, angles[1])
    )
    with pytest.raises(BadOption, match="a state is exact; it takes no shots"):
        ReferenceBackend().run(circuit, angles, State(), Shots(10, np.random.default_rng(0)))
    for measure in (State(), Bits()):
        with pytest.raises(Unsupported, match="has no gradient"):
            ReferenceBackend().forward(circuit, angles, measure)


@pytest.mark.parametrize("shots", [0, -3])
def test_shots_below_one_are_refused(shots: int) -> None:
    message = f"shots must be at least 1, not {shots}"
    with pytest.raises(BadOption, match=message):
        Shots(shots, np.random.default_rng(0))
    with pytest.raises(BadOption, match=message):
        ReferenceBackend().check(BELL, shots)
    with pytest.raises(BadOption, match=message):
        ReferenceBackend().probabilities(BELL, [], shots=shots)
    with pytest.raises(BadOption, match=message):
        ReferenceBackend().sample(BELL, [], shots=shots)
    with pytest.raises(BadOption, match=message):
        ReferenceBackend().expectations(BELL, [], paulis=["ZZ"], shots=shots)


def test_sampling_needs_shots_and_a_generator() -> None:
    with pytest.raises(BadOption, match=r"Bits\(\) needs shots: pass Shots\(number, rng\)"):
        ReferenceBackend().run(BELL, NONE, Bits())
    with pytest.raises(BadOption, match="need a numpy random generator, .* not NoneType"):
        Shots(10, None)  # type: ignore[arg-type]
    assert Shots.of(None, None) is None
    with pytest.raises(BadOption, match="need a numpy random generator, .* not NoneType"):
        Shots.of(10, None)


class Small(ReferenceBackend):
    """A backend with limits."""

    capabilities = Capabilities(gates=frozenset({"h", "rx"}), max_wires=2, exact=False)


def test_capabilities_are_checked() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(Unsupported, match="Small has no gate cx; it has h, rx"):
        Small().run(BELL, NONE, Probabilities(), Shots(1, rng))
    with pytest.raises(Unsupported, match="Small holds at most 2 wires, the circuit has 3"):
        Small().run(Circuit(3, ()), NONE, Probabilities(), Shots(1, rng))
    with pytest.raises(BadOption, match="Small has no exact values; give it shots"):
        Small().run(Circuit(1, (Gate("h", (0,)),)), NONE, Probabilities())
    noisy = Circuit(1, (Channel(IDLE, (0,), "depolarizing"),))
    with pytest.raises(
        Unsupported, match="pure states only, the circuit holds the channel 'depolarizing'"
    ):
        Small().run(noisy, NONE, Probabilities(), Shots(1, rng))


def test_measures_that_do_not_fit_are_refused_before_the_run() -> None:
    confusion = np.tile(np.eye(2), (3, 1, 1))
    for go in (ReferenceBackend().run, ReferenceBackend().forward):
        with pytest.raises(BadCircuit, match="does not fit 2 wires"):
            go(BELL, NONE, Expectations(("ZZZ",)))
        with pytest.raises(BadCircuit, match="a confusion of 3 wires"):
            go(BELL, NONE, Probabilities(confusion))


def test_constant_angles_in_front_of_basis_turns_keep_their_columns() -> None:
    circuit = Circuit(2, (Gate("ry", (0,), const(0.3)), Gate("rx", (1,), param(0))))
    turned, extended = to_basis(circuit, circuit.bind([0.5]), "XY")
    np.testing.assert_allclose(extended, [[0.3, 0.5, -np.pi / 2, np.pi / 2]])
    np.testing.assert_allclose(turned.bind([0.5]), extended)


def test_shots_that_fit_no_memory_are_refused_with_the_number() -> None:
    circuit = Circuit(2, (Gate("h", (0,)),))
    with pytest.raises(ResourceRefused, match="1000000000000 shots of 2 bits needs"):
        ReferenceBackend().sample(circuit, [], shots=10**12, seed=1)
    for shots in (0, -3):
        with pytest.raises(BadOption, match=f"shots must be at least 1, not {shots}"):
            ReferenceBackend().sample(circuit, [], shots=shots, seed=1)
