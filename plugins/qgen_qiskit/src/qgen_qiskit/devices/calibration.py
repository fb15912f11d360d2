"""What is known of a device: its gates with their errors and durations, its relaxation, its readout."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from qgen_core.discovery.optional_import import sdk
from qgen_core.errors import BadOption
from qgen_core.typing import Floats, Rng
from qgen_qiskit.runtime.service import Patience, Service

Qubits = tuple[int, ...]

PROVIDER = "qiskit-ibm-runtime"
#: Seconds in which a live device must have told its calibration.
DEADLINE = 300.0
#: Gates of a device that circuits are made of. Fractional ones (rx, rzz) must be asked for and are left out.
BASIS = ("rz", "sx", "x", "cx", "cz", "ecr")


@dataclass(frozen=True)
class Calibration:
    """The average error of a gate, and how long it takes in seconds."""

    error: float
    duration: float


@dataclass(frozen=True, eq=False)
class Device:
    """A calibration. ``t1`` and ``t2`` (Q,) are in seconds, infinite where unknown.

    ``mean_readout`` (Q,) is the readout error as one number, ``readout`` (Q, 2) the probabilities to
    read 1 for 0 and 0 for 1, where the device gives them.
    """

    name: str
    source: str
    gates: Mapping[str, Mapping[Qubits, Calibration]]
    t1: Floats
    t2: Floats
    mean_readout: Floats
    readout: Floats | None

    @property
    def num_qubits(self) -> int:
        """Qubits of the whole device."""
        return len(self.t1)

    def couplings(self) -> dict[tuple[int, int], float]:
        """Pairs of qubits (the lower first) with a gate, and its least error in either direction."""
        found: dict[tuple[int, int], float] = {}
        for gate in self.gates.values():
            for qubits, calibration in gate.items():
                if len(qubits) == 2:
                    pair = (min(qubits), max(qubits))
                    found[pair] = min(calibration.error, found.get(pair, np.inf))
        return found

    def drifted(self, fraction: float, rng: Rng) -> Device:
        """Every rate times a number between 1 - fraction and 1 + fraction; times are inverse rates.

        A gate has one number for both directions. Numbers are drawn for the whole device, so they do
        not depend on the circuit.
        """
        pairs = sorted(
            {(name, tuple(sorted(qubits))) for name, gate in self.gates.items() for qubits in gate}
        )
        factors = dict(zip(pairs, 1 + fraction * rng.uniform(-1, 1, len(pairs)), strict=True))
        gates = {
            name: {
                qubits: replace(c, error=min(c.error * factors[name, tuple(sorted(qubits))], 1.0))
                for qubits, c in gate.items()
            }
            for name, gate in self.gates.items()
        }
        one, two = 1 + fraction * rng.uniform(-1, 1, (2, self.num_qubits))
        both = 1 + fraction * rng.uniform(-1, 1, (self.num_qubits, 2))
        return replace(
            self,
            gates=gates,
            t1=self.t1 / one,
            t2=self.t2 / two,
            mean_readout=np.minimum(self.mean_readout * both[:, 0], 1.0),
            readout=None if self.readout is None else np.minimum(self.readout * both, 1.0),
        )


@cache
def fake_device(name: str) -> Device:
    """The stored calibration of a device of IBM, e.g. ``ibm_fez``, that comes with qiskit-ibm-runtime.

    Raises BadOption, with the names there are, for another one.
    """
    provider = sdk("qiskit_ibm_runtime.fake_provider", f"noise {name!r}", PROVIDER)
    short = name.lower().removeprefix("fake_").removeprefix("ibmq_").removeprefix("ibm_")
    kinds = {
        _short(kind): kind
        for kind in dir(provider)
        if kind.startswith("Fake") and "Provider" not in kind
    }
    if short not in kinds:
        raise BadOption(f"no fake device {name!r}; there are {', '.join(sorted(kinds))}")
    backend = getattr(provider, kinds[short])()
    version = importlib.metadata.version(PROVIDER)
    return device_of(backend, name, f"{kinds[short]} of {PROVIDER} {version}")


def live_device(name: str, account: str) -> Device:
    """The present calibration of a device, asked of IBM with the stored account ``account``.

    Raises RemoteError or, at the deadline, RemotePending.
    """
    service, patience = Service(account, name), Patience(DEADLINE)
    backend = service.device(patience)
    source = f"live device of the account {account!r}"
    return service.call(
        f"calibration of {name!r}", lambda: device_of(backend, name, source), patience
    )


def device_of(backend: Any, name: str, source: str) -> Device:
    """What is known of a Qiskit backend. Raises BadOption when it has no calibration."""
    target, properties = backend.target, backend.properties()
    names = [gate for gate in BASIS if gate in target.operation_names]
    if target.qubit_properties is None or properties is None or not {"rz", "sx"} <= set(names):
        raise BadOption(f"the device {name!r} has no calibration of the gates {', '.join(BASIS)}")
    gates = {
        gate: {
            tuple(qubits): Calibration(
                (record and record.error) or 0.0, (record and record.duration) or 0.0
            )
            for qubits, record in target[gate].items()
        }
        for gate in names
    }
    known = [target.qubit_properties[q] for q in range(target.num_qubits)]
    t1 = np.array([q.t1 or np.inf for q in known])
    t2 = np.minimum([q.t2 or np.inf for q in known], 2 * t1)
    records = [target["measure"].get((q,)) for q in range(target.num_qubits)]
    mean = np.array([(record and record.error) or 0.0 for record in records])
    updated = properties.last_update_date
    date = f", calibrated {updated:%Y-%m-%d}" if updated else ""
    return Device(
        name, f"{source}{date}", gates, t1, t2, mean, _readout(properties, target.num_qubits)
    )


def _readout(properties: Any, num_qubits: int) -> Floats | None:
    rows = []
    for qubit in range(num_qubits):
        known = properties.qubit_property(qubit)
        if "prob_meas1_prep0" not in known or "prob_meas0_prep1" not in known:
            return None
        rows.append([known["prob_meas1_prep0"][0], known["prob_meas0_prep1"][0]])
    return np.array(rows)


def _short(kind: str) -> str:
    return kind.removeprefix("Fake").removesuffix("V2").lower()
