"""The noise of an account's device, on a service that is scripted: no test speaks to IBM."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import qiskit_ibm_runtime
from qiskit_ibm_runtime.fake_provider import FakeCasablancaV2

import qgen_core as qgen
from qgen_core.circuits.circuit import Circuit, Gate, param
from qgen_core.circuits.measures import Probabilities
from qgen_core.errors import BadOption, RemoteError
from qgen_qiskit.devices.calibration import device_of

CIRCUIT = Circuit(
    3, (*(Gate("ry", (w,), param(w)) for w in range(3)), Gate("cx", (0, 1)), Gate("cx", (0, 2)))
)


class ScriptedService:
    """Knows one account and one device."""

    def __init__(self, name: str) -> None:
        if name != "group":
            raise ValueError(f"Account with the name {name} does not exist")

    def backend(self, name: str) -> Any:
        return FakeCasablancaV2()


@pytest.fixture(autouse=True)
def _scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qiskit_ibm_runtime, "QiskitRuntimeService", ScriptedService)


def test_the_calibration_of_the_account_is_used() -> None:
    live = qgen.noise("ibm-device", device="ibm_somewhere", account="group")
    stored = qgen.noise("ibm_casablanca")
    found, measure = live(CIRCUIT, Probabilities())
    expected, other = stored(CIRCUIT, Probabilities())
    assert found.gates == expected.gates
    assert all(
        np.array_equal(a.kraus, b.kraus)
        for a, b in zip(found.channels, expected.channels, strict=True)
    )
    assert np.array_equal(measure.confusion, other.confusion)
    assert live.describe()["device"] == "ibm_somewhere"
    assert (
        "live device of the account 'group', calibrated 2021-03-15"
        in live.describe()["calibration"]
    )


def test_an_unknown_account_is_an_error_for_people() -> None:
    noise = qgen.noise("ibm-device", device="ibm_somewhere", account="nobody")
    with pytest.raises(RemoteError, match="nobody does not exist"):
        noise(CIRCUIT, Probabilities())


def test_a_device_without_calibration_is_refused() -> None:
    class Uncalibrated(FakeCasablancaV2):
        def properties(self, refresh: bool = False) -> None:
            return None

    with pytest.raises(BadOption, match="has no calibration"):
        device_of(Uncalibrated(), "bare", "a test")
