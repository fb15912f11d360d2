"""The physics of channels: positive, trace preserving, and what the textbooks say."""

import numpy as np
import pytest

from qgen_core.circuits.circuit import Channel
from qgen_core.circuits.gates import PAULI
from qgen_core.errors import BadCircuit, BadOption
from qgen_core.noise_models import channels
from qgen_core.testing.reference import kron


def applied(kraus, rho):
    return np.sum([k @ rho @ k.conj().T for k in kraus], axis=0)


def random_state(rng, dim):
    raw = rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim))
    rho = raw @ raw.conj().T
    return rho / np.trace(rho)


def random_kraus(rng, dim, rank):
    stacked = rng.normal(size=(rank * dim, dim)) + 1j * rng.normal(size=(rank * dim, dim))
    return np.linalg.qr(stacked)[0].reshape(rank, dim, dim)


def assert_channel(kraus):
    """Trace preserving to rounding; Kraus operators make it positive."""
    np.testing.assert_allclose(
        np.einsum("kji,kjl->il", kraus.conj(), kraus), np.eye(kraus.shape[1]), atol=1e-14
    )


@pytest.mark.parametrize("wires", [1, 2, 3])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.7, 1.0])
def test_depolarizing(wires, share):
    rng = np.random.default_rng(1)
    rate = share * 4**wires / (4**wires - 1)
    kraus = channels.depolarizing(rate, wires)
    assert_channel(kraus)
    rho = random_state(rng, 2**wires)
    expected = (1 - rate) * rho + rate * np.eye(2**wires) / 2**wires
    np.testing.assert_allclose(applied(kraus, rho), expected, atol=1e-14)
    assert len(kraus) == {0.0: 1, 1.0: 4**wires - 1}.get(share, 4**wires)


@pytest.mark.parametrize("rate", [-0.01, 4 / 3 + 1e-3, np.nan])
def test_rates_that_no_channel_has(rate):
    with pytest.raises(
        BadOption, match=r"a depolarizing rate of 1 wires lies between 0 and 1\.33333, not"
    ):
        channels.depolarizing(rate)


@pytest.mark.parametrize(
    ("t1", "t2"), [(50.0, 30.0), (50.0, 50.0), (50.0, 80.0), (50.0, 100.0), (np.inf, 40.0)]
)
@pytest.mark.parametrize("excited", [0.0, 0.2, 1.0])
def test_thermal_relaxation(t1, t2, excited):
    """Populations decay with T1, coherences with T2, whichever is longer."""
    rng = np.random.default_rng(2)
    rho, time = random_state(rng, 2), 17.0
    kraus = channels.thermal_relaxation(t1, t2, time, excited=excited)
    assert_channel(kraus)
    out = applied(kraus, rho)
    assert out[1, 1].real == pytest.approx(
        excited + (rho[1, 1].real - excited) * np.exp(-time / t1), abs=1e-14
    )
    assert out[0, 1] == pytest.approx(rho[0, 1] * np.exp(-time / t2), abs=1e-14)


def test_relaxation_is_a_semigroup():
    one, two = (channels.thermal_relaxation(50, 70, t, excited=0.1) for t in (3.0, 8.0))
    both = channels.thermal_relaxation(50, 70, 11.0, excited=0.1)
    np.testing.assert_allclose(
        channels.choi_of(channels.compose(one, two)), channels.choi_of(both), atol=1e-14
    )


def test_no_time_is_no_channel():
    np.testing.assert_array_equal(channels.thermal_relaxation(50, 70, 0.0), np.eye(2)[None])


@pytest.mark.parametrize(
    "times", [(50, 101, 1), (0, 1, 1), (50, -1, 1), (50, 50, -1), (50, 50, np.inf), (np.nan, 1, 1)]
)
def test_times_that_no_channel_has(times):
    with pytest.raises(BadOption, match="relaxation needs"):
        channels.thermal_relaxation(*times)
    with pytest.raises(BadOption, match="0 <= excited <= 1"):
        channels.thermal_relaxation(50, 50, 1, excited=1.5)


def test_composition_is_one_after_the_other():
    rng = np.random.default_rng(3)
    several = [random_kraus(rng, 4, rank) for rank in (2, 3, 5)]
    rho = random_state(rng, 4)
    expected = rho
    for kraus in several:
        expected = applied(kraus, expected)
    composed = channels.compose(*several)
    assert_channel(composed)
    assert len(composed) <= 16
    np.testing.assert_allclose(applied(composed, rho), expected, atol=1e-14)
    backwards = applied(channels.compose(*several[::-1]), rho)
    assert np.max(np.abs(backwards - expected)) > 1e-2


def test_channels_of_different_width_do_not_compose():
    with pytest.raises(BadOption, match="composed channels must act on the same wires"):
        channels.compose(channels.depolarizing(0.1, 1), channels.depolarizing(0.1, 2))


def test_side_by_side():
    rng = np.random.default_rng(4)
    one, two = random_kraus(rng, 2, 2), random_kraus(rng, 2, 3)
    rho, sigma = random_state(rng, 2), random_state(rng, 2)
    both = applied(channels.tensor(one, two), np.kron(rho, sigma))
    np.testing.assert_allclose(both, np.kron(applied(one, rho), applied(two, sigma)), atol=1e-14)


def test_kraus_of_choi_finds_the_fewest_operators():
    rng = np.random.default_rng(5)
    kraus = random_kraus(rng, 4, 3)
    mixing = np.linalg.qr(rng.normal(size=(7, 3)))[0]  # the same channel with seven operators
    seven = np.einsum("ab,bij->aij", mixing, kraus)
    found = channels.kraus_of_choi(channels.choi_of(seven))
    assert len(found) == 3
    rho = random_state(rng, 4)
    np.testing.assert_allclose(applied(found, rho), applied(kraus, rho), atol=1e-14)


def test_what_is_no_channel_is_refused():
    transposition = np.eye(4)[[0, 2, 1, 3]]  # positive, but not completely
    with pytest.raises(BadOption, match=r"its least eigenvalue is -1"):
        channels.kraus_of_choi(transposition)
    with pytest.raises(BadOption, match=r"its trace over the output is 0\.1 from one"):
        channels.kraus_of_choi(1.1 * channels.choi_of(np.eye(2)[None]))
    with pytest.raises(BadOption, match="from Hermitian"):
        channels.kraus_of_choi(channels.choi_of(np.eye(2)[None]) + np.diag([1e-3, 0, 0], 1))
    with pytest.raises(BadOption, match="not one of shape"):
        channels.kraus_of_choi(np.eye(3))
    with pytest.raises(BadCircuit, match="is not trace preserving"):
        Channel(1.01 * np.eye(2)[None], (0,), "growing")


def test_average_fidelity_is_that_of_random_states():
    rng = np.random.default_rng(6)
    kraus = random_kraus(rng, 2, 3)
    six = [
        np.array(v) / np.linalg.norm(v)
        for v in ((1, 0), (0, 1), (1, 1), (1, -1), (1, 1j), (1, -1j))
    ]  # a 2-design
    fidelities = [np.vdot(v, applied(kraus, np.outer(v, v.conj())) @ v).real for v in six]
    assert channels.average_gate_fidelity(kraus) == pytest.approx(np.mean(fidelities), abs=1e-14)


@pytest.mark.parametrize("wires", [1, 2])
def test_error_of_a_gate_is_reached_together_with_relaxation(wires):
    relaxation = channels.tensor(
        *[channels.thermal_relaxation(120, 90 + 30 * w, 0.5) for w in range(wires)]
    )
    residual = 1 - channels.average_gate_fidelity(relaxation)
    error = residual + 0.02
    rate = channels.gate_error_to_depolarizing(error, relaxation)
    both = channels.compose(channels.depolarizing(rate, wires), relaxation)
    assert 1 - channels.average_gate_fidelity(both) == pytest.approx(error, abs=1e-14)
    assert channels.gate_error_to_depolarizing(residual / 2, relaxation) == 0
    perfect = np.eye(2**wires)[None]
    most = 4**wires / (4**wires - 1)
    assert channels.gate_error_to_depolarizing(1.0, perfect) == pytest.approx(most, abs=1e-14)
    with pytest.raises(BadOption, match="a gate error lies between 0 and 1, not 1.2"):
        channels.gate_error_to_depolarizing(1.2, perfect)


def test_scaled_depolarizing_is_a_semigroup():
    rate = 0.03
    assert channels.scale_depolarizing(rate, 2, 0) == 0
    assert channels.scale_depolarizing(rate, 2, 1) == rate
    a, b, both = (
        channels.depolarizing(channels.scale_depolarizing(rate, 2, s), 2) for s in (0.4, 1.9, 2.3)
    )
    np.testing.assert_allclose(
        channels.choi_of(channels.compose(a, b)),
        channels.choi_of(channels.compose(both)),
        atol=1e-14,
    )
    assert channels.scale_depolarizing(1.0, 1, 0.5) == 1.0
    assert channels.scale_depolarizing(rate, 1, 2, "linear") == 2 * rate
    assert channels.scale_depolarizing(0.9, 1, 2, "linear") == 4 / 3
    with pytest.raises(BadOption, match="> 1 is in no semigroup"):
        channels.scale_depolarizing(1.2, 1, 0.5)
    for scale in (-1, np.inf, np.nan):
        with pytest.raises(BadOption, match="scale is a number >= 0"):
            channels.scale_depolarizing(rate, 1, scale)


def test_scaled_readout_is_the_power_of_the_matrix():
    confusion = np.stack(
        [channels.readout_confusion(0.02, 0.07), channels.readout_confusion(0.0, 0.0)]
    )
    np.testing.assert_array_equal(channels.scale_readout(confusion, 1), confusion)
    np.testing.assert_array_equal(channels.scale_readout(confusion, 0), [np.eye(2), np.eye(2)])
    for power in (2, 3):
        expected = np.linalg.matrix_power(confusion, power)
        np.testing.assert_allclose(channels.scale_readout(confusion, power), expected, atol=1e-15)
    half = channels.scale_readout(confusion, 0.5)
    np.testing.assert_allclose(half @ half, confusion, atol=1e-15)
    np.testing.assert_allclose(
        channels.scale_readout(confusion[0], 10, "linear"), [[0.8, 0.5], [0.2, 0.5]], atol=1e-15
    )
    wild = channels.readout_confusion(0.7, 0.6)
    np.testing.assert_array_equal(channels.scale_readout(wild, 1), wild)
    with pytest.raises(BadOption, match=r"p01 \+ p10 = 1.3 > 1 have no matrix power"):
        channels.scale_readout(wild, 0.5)
    with pytest.raises(BadOption, match="readout errors are probabilities"):
        channels.readout_confusion(-0.1, 0.1)


def test_a_coin_toss_stays_one():
    np.testing.assert_allclose(
        channels.scale_readout(np.full((2, 2), 0.5), 0.3), np.full((2, 2), 0.5), atol=1e-15
    )


def test_pauli_words_of_depolarizing_are_all_different():
    words = channels.depolarizing(0.5, 2)
    overlaps = np.abs(np.einsum("aij,bij->ab", words.conj(), words))
    np.testing.assert_allclose(overlaps, np.diag(np.diag(overlaps)), atol=1e-15)
    first = words[1] / np.abs(words[1]).max()
    np.testing.assert_allclose(first, kron([PAULI["I"], PAULI["X"]]), atol=1e-15)
