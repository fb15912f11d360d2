"""The backend ``ibm`` in the local testing mode: without noise, and on fake devices."""

from __future__ import annotations

import numpy as np
import pytest

import qgen_core as qgen
from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.circuits.measures import Bits, Expectations, Probabilities, Shots, State
from qgen_core.errors import BadOption, RemoteError, Unsupported
from qgen_core.interfaces import Backend
from qgen_core.mitigation.readout_mitigated import ReadoutMitigated
from qgen_core.mitigation.zero_noise import ZeroNoise
from qgen_core.testing import BackendKit, overrides, reference
from qgen_qiskit.runtime.backend import RuntimeBackend
from qgen_qiskit.runtime.prepared_circuit import folded

BELL = Circuit(2, (Gate("ry", (0,), param(0)), Gate("cx", (0, 1)), Gate("ry", (1,), param(1))))
ANGLES = np.array([[np.pi / 2, 0.3], [0.4, -1.0]])


class TestWithoutNoise(BackendKit):
    shots = 4000

    def make(self) -> Backend:
        return RuntimeBackend(device="aer_simulator")

    @pytest.mark.long
    @overrides("a job each for hundreds of small circuits; the other tests run every gate too")
    def test_every_gate(self) -> None:
        super().test_every_gate()

    @pytest.mark.long
    @overrides("hundreds of circuits a job; test_all_is_well has a quick gradient")
    def test_gradients(self) -> None:
        super().test_gradients()

    @pytest.mark.long
    @overrides("a job of thousands of circuits; test_batches is quick")
    def test_gradients_of_batches(self) -> None:
        super().test_gradients_of_batches()


@pytest.mark.parametrize("measure", [Probabilities(), Expectations(("ZI", "IZ", "XX"))])
def test_a_fake_device_is_near_but_not_ideal(measure) -> None:
    backend = RuntimeBackend(device="fake_guadalupe")
    rng = np.random.default_rng(1)
    found = backend.run(BELL, ANGLES, measure, Shots(20_000, rng))
    true = reference.values(BELL, ANGLES, measure)
    assert 0.01 < np.max(np.abs(found - true)) < 0.15
    again = RuntimeBackend(device="fake_guadalupe")
    repeated = again.run(BELL, ANGLES, measure, Shots(20_000, np.random.default_rng(1)))
    np.testing.assert_array_equal(found, repeated)


def test_the_layout_is_kept() -> None:
    """Wires sit on the named qubits, wire by wire, and are read in that order."""
    circuit = Circuit(3, (Gate("x", (0,)), Gate("ry", (2,), param(0))))
    backend = RuntimeBackend(device="fake_guadalupe", layout=(4, 7, 10))
    found = backend.run(
        circuit, np.array([[0.0]]), Probabilities(), Shots(2000, np.random.default_rng(2))
    )
    assert found[0, 0b100] > 0.85
    (ready,) = backend._prepared_circuits.get(circuit, dict).values()
    assert ready.qubits == (4, 7, 10)


def test_readout_is_calibrated_on_the_qubits_of_the_circuit() -> None:
    plain = RuntimeBackend(device="fake_guadalupe", layout=(0, 1))
    shots = 40_000
    ground = Circuit(2, ())
    confusion = plain.readout(ground, shots)
    spread = 6 / np.sqrt(shots)
    frequencies = plain.run(
        ground, np.empty((1, 0)), Probabilities(), Shots(shots, np.random.default_rng(3))
    )
    assert np.max(np.abs(frequencies[0] - np.kron(confusion[0, :, 0], confusion[1, :, 0]))) < spread
    assert np.min(confusion[:, 1, 0]) > 0.003 and plain.readout(ground, shots) is confusion
    mitigated = ReadoutMitigated(backend=plain, calibration_shots=shots)
    flipped = Circuit(2, (Gate("x", (1,)),))
    raw = plain.run(
        flipped, np.empty((1, 0)), Expectations(("ZZ",)), Shots(shots, np.random.default_rng(4))
    )
    near = mitigated.run(
        flipped, np.empty((1, 0)), Expectations(("ZZ",)), Shots(shots, np.random.default_rng(4))
    )
    assert abs(near[0, 0] + 1) < 0.015 < abs(raw[0, 0] + 1)


def test_folded_gates_are_not_optimised_away() -> None:
    """The transpiler would cancel a gate and its inverse; then no noise would be amplified."""
    cx = Circuit(2, (Gate("ry", (0,), param(0)), Gate("cx", (0, 1))))
    counted = {}
    for amplify in ("gates", "circuit"):
        inner = RuntimeBackend(device="fake_guadalupe")
        backend = ZeroNoise(backend=inner, scales=(1, 5), amplify=amplify)
        backend.run(
            cx, np.array([[0.7]]), Expectations(("ZI",)), Shots(10, np.random.default_rng(5))
        )
        ran = [
            inner._prepared_circuits.get(at.circuit, dict)[False].circuit
            for at in backend._circuits(cx)
        ]
        counted[amplify] = [circuit.count_ops()["cx"] for circuit in ran]
    assert counted == {"gates": [1, 5], "circuit": [1, 5]}


def test_what_counts_as_folded() -> None:
    assert folded(
        Circuit(1, (Gate("s", (0,)), Gate("p", (0,), qgen.Angle("const", offset=-np.pi / 2))))
    )
    assert folded(Circuit(2, (Gate("cz", (0, 1)), Gate("cz", (0, 1)))))
    assert not folded(Circuit(2, (Gate("cx", (0, 1)), Gate("cx", (1, 0)))))
    assert not folded(Circuit(2, (Gate("cx", (0, 1)), Gate("x", (1,)), Gate("cx", (0, 1)))))
    assert not folded(BELL)


def test_a_born_machine_trains_on_a_fake_device() -> None:
    space, rng = qgen.Space("bits", 2), np.random.default_rng(6)
    backend = qgen.backend("ibm", device="fake_guadalupe", layout=(1, 4))
    ansatz = qgen.ansatz("brick", layers=1)
    model = qgen.generator("qcbm", backend=backend, space=space, ansatz=ansatz, shots=300, seed=1)
    events = qgen.Events(rng.choice([0.0, 1.0], p=[0.85, 0.15], size=(500, 2)), columns=("a", "b"))
    history = qgen.trainer("adam", steps=4, learning_rate=0.5).fit(
        model, events, qgen.loss("js"), seed=3
    )
    assert history.losses[-1] < 0.7 * history.losses[0]


def test_without_an_account_the_sdk_says_so_and_we_say_how_to_mend_it() -> None:
    """The real SDK, which finds no account of this name and asks no server."""
    backend = RuntimeBackend(device="ibm_fez", account="an account that nobody has")
    with pytest.raises(
        RemoteError,
        match="connecting: no such IBM account is saved here; save one .*QISKIT_IBM_TOKEN",
    ):
        backend.run(BELL, ANGLES, Bits(), Shots(5, np.random.default_rng(0)))


def test_the_doctor_is_told_of_accounts_without_asking_a_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from qiskit_ibm_runtime import QiskitRuntimeService

    monkeypatch.delenv("QISKIT_IBM_TOKEN", raising=False)
    saved: dict[str, dict[str, str]] = {}
    monkeypatch.setattr(QiskitRuntimeService, "saved_accounts", lambda: saved)
    assert "save_account" in RuntimeBackend.missing_account()
    saved["mine"] = {"token": "x" * 44}
    assert RuntimeBackend.missing_account() == ""
    saved.clear()
    monkeypatch.setenv("QISKIT_IBM_TOKEN", "x" * 44)
    assert RuntimeBackend.missing_account() == ""


def test_options_are_checked() -> None:
    for options in ({"deadline": -1.0}, {"layout": (1, 1)}, {"layout": (-1, 0)}):
        with pytest.raises(BadOption, match=next(iter(options))):
            RuntimeBackend(device="fake_guadalupe", **options)
    rng = np.random.default_rng(0)
    with pytest.raises(BadOption, match="3 qubits for 2 wires"):
        RuntimeBackend(device="fake_guadalupe", layout=(0, 1, 2)).run(
            BELL, ANGLES, Bits(), Shots(5, rng)
        )
    with pytest.raises(Unsupported, match="the device does not take the circuit"):
        RuntimeBackend(device="fake_guadalupe", layout=(0, 99)).run(
            BELL, ANGLES, Bits(), Shots(5, rng)
        )
    with pytest.raises(Unsupported, match="16 qubits, the circuit has 20 wires"):
        RuntimeBackend(device="fake_guadalupe").run(
            Circuit(20, ()), np.empty((1, 0)), Bits(), Shots(5, rng)
        )
    with pytest.raises(Unsupported, match="misreads by itself"):
        backend = RuntimeBackend(device="fake_guadalupe")
        backend.run(BELL, ANGLES, Bits(np.array([np.eye(2)] * 2)), Shots(5, rng))
    with pytest.raises(Unsupported, match="states"):
        RuntimeBackend(device="fake_guadalupe").run(BELL, ANGLES, State(), Shots(5, rng))


def test_a_simulation_that_fails_is_told_with_what_to_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Failed:
        def result(self) -> None:
            raise ValueError("could not broadcast input array from shape (0,2) into shape (9,2)")

    monkeypatch.setattr("qgen_qiskit.runtime.backend._submit", lambda *_: Failed())
    shots = Shots(100_000, np.random.default_rng(1))
    with pytest.raises(Unsupported, match="fake_guadalupe did not run.*100000 shots.*fewer shots"):
        RuntimeBackend(device="fake_guadalupe").run(BELL, ANGLES, Bits(), shots)
