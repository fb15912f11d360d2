"""The noise maps of the core: what they put where, how they scale, and what becomes of a state."""

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.ansatze.brick import brick
from qgen_core.circuits.circuit import Channel, Circuit, Gate, Label, const, param
from qgen_core.circuits.measures import Bits, Expectations, Probabilities, State, pauli_z
from qgen_core.errors import BadOption, Unsupported
from qgen_core.simulators.density.backend import DensityBackend
from qgen_core.testing import reference

TIMES = {"t1": 50.0, "t2": 70.0, "one_wire_time": 0.4, "two_wire_time": 3.0}
OPTIONS = {"depolarizing": {}, "readout": {}, "thermal-relaxation": TIMES}


def maps(**more):
    return {name: qgen.noise(name, **options, **more) for name, options in OPTIONS.items()}


def test_channels_follow_gates_and_labels_stay():
    gates = (
        Gate("ry", (1,), param(0)),
        Gate("cx", (1, 0)),
        Gate("rz", (0,), param(1)),
        Gate("t", (1,)),
    )
    circuit = Circuit(2, gates, (Label(0, 1, 0), Label(0, 0, 0)))
    noisy, measure = qgen.noise("depolarizing", one_wire=0.1, two_wire=0.2)(
        circuit, Probabilities()
    )
    assert [(i.name, i.wires) for i in noisy.instructions] == [
        ("ry", (1,)),
        ("depolarizing", (1,)),
        ("cx", (1, 0)),
        ("depolarizing", (1, 0)),
        ("rz", (0,)),
        ("t", (1,)),
    ]
    assert noisy.labels == circuit.labels
    assert noisy.angles == circuit.angles
    assert measure.confusion is None
    every, _ = qgen.noise("depolarizing", one_wire=0.1, two_wire=0.2, virtual=False)(
        circuit, measure
    )
    assert len(every.channels) == 4
    relaxing, _ = qgen.noise("thermal-relaxation", **TIMES)(circuit, measure)
    assert [c.wires for c in relaxing.channels] == [(1,), (1,), (0,)]
    only_two, _ = qgen.noise("depolarizing", one_wire=0.0, two_wire=0.2)(circuit, measure)
    assert [c.wires for c in only_two.channels] == [(1, 0)]


def test_scale_0_changes_nothing_at_all():
    circuit, words = brick(4, layers=2), Expectations(("ZZII",))
    for noise in maps(scale=0.0).values():
        for measure in (Probabilities(), words, Bits(), State()):
            assert noise(circuit, measure) == (circuit, measure)
            assert noise(circuit, measure)[0] is circuit


def test_scale_1_changes_nothing_of_the_noise():
    circuit = brick(3, layers=1)
    for name in OPTIONS:
        (a, read_a), (b, read_b) = (
            maps(**more)[name](circuit, Probabilities()) for more in ({}, {"scale": 1.0})
        )
        for one, two in zip(a.channels, b.channels, strict=True):
            np.testing.assert_array_equal(one.kraus, two.kraus)
        np.testing.assert_array_equal(read_a.confusion, read_b.confusion)


@pytest.mark.parametrize("name", ["depolarizing", "thermal-relaxation"])
def test_scales_add_up(name):
    """Noise of scale a behind a gate and then of scale b is noise of scale a + b: on the wire of
    one gate.
    """
    start = Circuit(2, (Gate("ry", (0,), const(0.7)), Gate("cx", (0, 1))))
    measure = Expectations(("ZI", "XX", "YY", "IZ", "ZZ"))

    def channels_of(scale):
        return maps(scale=scale)[name](start, measure)[0].channels[
            -2 if name != "depolarizing" else -1 :
        ]

    twice = Circuit(2, (*start.instructions, *channels_of(0.6), *channels_of(1.7)))
    once = Circuit(2, (*start.instructions, *channels_of(2.3)))
    a, b, ideal = (DensityBackend().exact(c, c.bind([]), measure) for c in (twice, once, start))
    np.testing.assert_allclose(a, b, atol=1e-14)
    assert np.max(np.abs(a - ideal)) > 1e-2


@pytest.mark.parametrize("name", list(OPTIONS))
def test_noise_changes_results_and_more_noise_more(name):
    circuit = brick(3, layers=2)
    theta = np.random.default_rng(1).uniform(-3, 3, circuit.num_params)
    angles = circuit.bind(theta)
    ideal = reference.values(circuit, angles, Probabilities())
    distances = []
    for scale in (0.5, 1, 3):
        noisy, read = maps(scale=scale)[name](circuit, Probabilities())
        found = DensityBackend().run(noisy, angles, read)
        np.testing.assert_allclose(found, reference.values(noisy, angles, read), atol=1e-12)
        assert found.sum() == pytest.approx(1, abs=1e-12)
        distances.append(np.abs(found - ideal).sum())
    assert 1e-4 < distances[0] < distances[1] < distances[2]


def test_depolarizing_shrinks_expectations():
    """Each x shrinks the Bloch vector by 1 - rate, whatever its direction."""
    rate, turns = 0.03, 7
    for first, letter in (("ry", "X"), ("rx", "Y")):
        gates = (Gate(first, (0,), const(np.pi / 2)), *[Gate("x", (0,))] * turns)
        noisy, read = qgen.noise("depolarizing", one_wire=rate)(
            Circuit(1, gates), Expectations((letter,))
        )
        found = DensityBackend().run(noisy, noisy.bind([]), read)
        assert abs(found[0, 0]) == pytest.approx((1 - rate) ** (turns + 1), abs=1e-14)


def test_depolarizing_of_two_wires_forgets_both():
    gates = (Gate("h", (0,)), *[Gate("cx", (0, 1))] * 5)
    noisy, read = qgen.noise("depolarizing", one_wire=0.0, two_wire=0.1)(
        Circuit(2, gates), Expectations(("ZZ", "XX", "ZI"))
    )
    found = DensityBackend().run(noisy, noisy.bind([]), read)
    np.testing.assert_allclose(found, [[0.9**5, 0.9**5, 0]], atol=1e-14)


def test_thermal_relaxation_decays_as_it_should():
    """<Z> after m identities of time t is 1 - 2 exp(-m t / T1) from |1>; <X> is exp(-m t / T2)."""
    t1, t2, time, steps = 30.0, 45.0, 0.7, 9
    noise = qgen.noise("thermal-relaxation", t1=t1, t2=t2, one_wire_time=time, two_wire_time=0.0)
    rest = [Gate("rx", (0,), const(0.0))] * steps
    for first, letter, expected in (
        (Gate("x", (0,)), "Z", 1 - 2 * np.exp(-(steps + 1) * time / t1)),
        (Gate("h", (0,)), "X", np.exp(-(steps + 1) * time / t2)),
    ):
        noisy, read = noise(Circuit(1, (first, *rest)), Expectations((letter,)))
        assert DensityBackend().run(noisy, noisy.bind(np.zeros(0)), read)[0, 0] == pytest.approx(
            expected, abs=1e-13
        )


def test_hot_wires_relax_to_their_equilibrium():
    noise = qgen.noise(
        "thermal-relaxation", t1=1.0, t2=1.0, one_wire_time=40.0, two_wire_time=1.0, excited=0.2
    )
    noisy, read = noise(Circuit(1, (Gate("h", (0,)),)), Probabilities())
    np.testing.assert_allclose(
        DensityBackend().run(noisy, noisy.bind([]), read), [[0.8, 0.2]], atol=1e-14
    )


def test_readout_acts_on_bits_and_words():
    circuit, p01, p10 = Circuit(2, (Gate("x", (1,)),)), 0.1, 0.3
    noise = qgen.noise("readout", p01=p01, p10=p10)
    same, read = noise(circuit, Probabilities())
    assert same is circuit
    np.testing.assert_allclose(
        DensityBackend().run(same, same.bind([]), read),
        [np.kron([0.9, 0.1], [0.3, 0.7])],
        atol=1e-15,
    )
    _, words = noise(circuit, pauli_z(2))
    np.testing.assert_allclose(
        DensityBackend().run(same, same.bind([]), words), [[0.8, -0.4]], atol=1e-15
    )


def test_readout_comes_after_the_confusion_that_is_there():
    before = np.array([[[0.9, 0.0], [0.1, 1.0]]])
    _, read = qgen.noise("readout", p01=0.2, p10=0.4)(Circuit(1, ()), Probabilities(before))
    np.testing.assert_allclose(
        read.confusion[0], np.array([[0.8, 0.4], [0.2, 0.6]]) @ before[0], atol=1e-15
    )


def test_what_is_refused():
    circuit = Circuit(1, ())
    cases = [
        ("depolarizing", {"one_wire": 1.5}, "lies between 0 and"),
        ("depolarizing", {"scale": -1.0}, "scale is a number >= 0"),
        ("thermal-relaxation", TIMES | {"t2": 101.0}, "T2 <= 2 T1"),
        ("thermal-relaxation", TIMES | {"two_wire_time": -1.0}, "a time >= 0"),
        ("thermal-relaxation", TIMES | {"scale": -0.5}, "scale is a number >= 0"),
        ("readout", {"p01": 1.2}, "are probabilities"),
    ]
    for name, options, message in cases:
        with pytest.raises(BadOption, match=message):
            qgen.noise(name, **options)(circuit, Probabilities())
    with pytest.raises(Unsupported, match="a state vector is not read out"):
        qgen.noise("readout")(circuit, State())
    with pytest.raises(BadOption, match="needs 't1'"):
        qgen.noise("thermal-relaxation")


def test_channels_of_the_maps_are_channels():
    """Channel itself checks the trace to 1e-9; here to rounding, for strong noise too."""
    circuit = Circuit(2, (Gate("h", (0,)), Gate("cz", (0, 1))))
    for scale in (0.01, 1, 30):
        for noise in maps(scale=scale).values():
            for channel in noise(circuit, Probabilities())[0].channels:
                assert isinstance(channel, Channel)
                total = np.einsum("kji,kjl->il", channel.kraus.conj(), channel.kraus)
                np.testing.assert_allclose(total, np.eye(len(total)), atol=1e-14)
