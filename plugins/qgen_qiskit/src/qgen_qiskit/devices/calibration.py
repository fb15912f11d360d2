"""The calibration of a device: its gates' errors and durations, T1 and T2, readout errors."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BadOption
from qgen_core.remote import Deadline
from qgen_core.typing import Floats, Rng
from qgen_qiskit.runtime.service import Service

Qubits = tuple[int, ...]

PROVIDER = "qiskit-ibm-runtime"
#: Seconds within which a live device must return its calibration.
CALIBRATION_DEADLINE = 300.0
#: The gates that circuits are made of. Fractional gates (rx, rzz) are off by default at IBM.
BASIS = ("rz", "sx", "x", "cx", "cz", "ecr")


@dataclass(frozen=True)
class GateCalibration:
    """The average error of a gate, and its duration in seconds."""

    error: float
    duration: float


@dataclass(frozen=True, eq=False)
class Device:
    """A device's calibration.

    ``t1`` and ``t2`` (Q,) are in seconds, infinite if unknown. ``mean_readout`` (Q,) is the
    readout error as one number; ``readout`` (Q, 2) holds the probabilities to read 1 for 0 and 0
    for 1, or is None if the device does not give them.

    >>> sorted(fake_device("ibm_casablanca").couplings())
    [(0, 1), (1, 2), (1, 3), (3, 5), (4, 5), (5, 6)]
    """

    name: str
    source: str
    gates: Mapping[str, Mapping[Qubits, GateCalibration]]
    t1: Floats
    t2: Floats
    mean_readout: Floats
    readout: Floats | None

    @property
    def num_qubits(self) -> int:
        """The number of qubits of the device."""
        return len(self.t1)

    def couplings(self) -> dict[tuple[int, int], float]:
        """Coupled pairs of qubits, lower first, and the least error of a gate between them."""
        found: dict[tuple[int, int], float] = {}
        for gate in self.gates.values():
            for qubits, calibration in gate.items():
                if len(qubits) == 2:
                    pair = (min(qubits), max(qubits))
                    found[pair] = min(calibration.error, found.get(pair, np.inf))
        return found

    def drifted(self, fraction: float, rng: Rng) -> Device:
        """A calibration in which every rate is multiplied by 1 - fraction to 1 + fraction.

        Rates are gate errors, 1 / T1, 1 / T2 and readout errors. Both directions of a gate share
        one factor. Factors are drawn for the whole device, so they do not depend on the circuit.
        """
        pairs = set()
        for name, gate in self.gates.items():
            for qubits in gate:
                pairs.add((name, tuple(sorted(qubits))))
        ordered = sorted(pairs)
        draws = 1 + fraction * rng.uniform(-1, 1, len(ordered))
        factors = dict(zip(ordered, draws, strict=True))
        gates: dict[str, dict[Qubits, GateCalibration]] = {}
        for name, gate in self.gates.items():
            gates[name] = {}
            for qubits, calibration in gate.items():
                error = calibration.error * factors[name, tuple(sorted(qubits))]
                gates[name][qubits] = replace(calibration, error=min(error, 1.0))
        t1_factors, t2_factors = 1 + fraction * rng.uniform(-1, 1, (2, self.num_qubits))
        readout_factors = 1 + fraction * rng.uniform(-1, 1, (self.num_qubits, 2))
        readout = self.readout
        if readout is not None:
            readout = np.minimum(readout * readout_factors, 1.0)
        return replace(
            self,
            gates=gates,
            t1=self.t1 / t1_factors,
            t2=self.t2 / t2_factors,
            mean_readout=np.minimum(self.mean_readout * readout_factors[:, 0], 1.0),
            readout=readout,
        )


@cache
def fake_device(name: str) -> Device:
    """The calibration of an IBM device that is stored in qiskit-ibm-runtime, e.g. ``ibm_fez``.

    Raises BadOption, with the known names, for an unknown one.

    >>> fake_device("ibm_guadalupe").num_qubits
    16
    """
    provider = import_optional("qiskit_ibm_runtime.fake_provider", f"noise {name!r}", PROVIDER)
    short = name.lower().removeprefix("fake_").removeprefix("ibmq_").removeprefix("ibm_")
    class_names: dict[str, str] = {}
    for class_name in dir(provider):
        if class_name.startswith("Fake") and "Provider" not in class_name:
            class_names[_short_name(class_name)] = class_name
    if short not in class_names:
        raise BadOption(f"no fake device {name!r}; there are {', '.join(sorted(class_names))}")
    backend = getattr(provider, class_names[short])()
    version = importlib.metadata.version(PROVIDER)
    return device_of(backend, name, f"{class_names[short]} of {PROVIDER} {version}")


def live_device(name: str, account: str) -> Device:
    """The present calibration of a device, fetched from IBM with the stored account ``account``.

    Raises RemoteError or, at the deadline, RemotePending.
    """
    service = Service(account, name)
    deadline = Deadline(CALIBRATION_DEADLINE)
    backend = service.device(deadline)
    source = f"live device of the account {account!r}"
    return service.call(
        f"calibration of {name!r}", lambda: device_of(backend, name, source), deadline
    )


def device_of(backend: Any, name: str, source: str) -> Device:
    """The calibration of a Qiskit backend. Raises BadOption if it has none.

    >>> from qiskit_ibm_runtime.fake_provider import FakeCairoV2
    >>> device_of(FakeCairoV2(), "cairo", "an example").source
    'an example, calibrated 2024-03-25'
    """
    target = backend.target
    properties = backend.properties()
    names = [gate for gate in BASIS if gate in target.operation_names]
    if target.qubit_properties is None or properties is None or not {"rz", "sx"} <= set(names):
        raise BadOption(f"the device {name!r} has no calibration of the gates {', '.join(BASIS)}")
    gates: dict[str, dict[Qubits, GateCalibration]] = {}
    for gate in names:
        gates[gate] = {}
        for qubits, record in target[gate].items():
            duration = (record and record.duration) or 0.0
            gates[gate][tuple(qubits)] = GateCalibration(_error_of(record), duration)
    qubits_in_order = range(target.num_qubits)
    known = [target.qubit_properties[qubit] for qubit in qubits_in_order]
    t1 = np.array([one.t1 or np.inf for one in known])
    t2 = np.minimum([one.t2 or np.inf for one in known], 2 * t1)
    mean_readout = [_error_of(target["measure"].get((qubit,))) for qubit in qubits_in_order]
    updated = properties.last_update_date
    if updated:
        source = f"{source}, calibrated {updated:%Y-%m-%d}"
    readout = _readout(properties, target.num_qubits)
    return Device(name, source, gates, t1, t2, np.array(mean_readout), readout)


def _error_of(record: Any) -> float:
    """The error in a record of Qiskit's target; 0 if there is none."""
    return (record and record.error) or 0.0


def _readout(properties: Any, num_qubits: int) -> Floats | None:
    rows = []
    for qubit in range(num_qubits):
        known = properties.qubit_property(qubit)
        if "prob_meas1_prep0" not in known or "prob_meas0_prep1" not in known:
            return None
        rows.append([known["prob_meas1_prep0"][0], known["prob_meas0_prep1"][0]])
    return np.array(rows)


def _short_name(class_name: str) -> str:
    return class_name.removeprefix("Fake").removesuffix("V2").lower()
