"""The backend ``ibm``: circuits on IBM devices by IBM Runtime, or in its local testing mode."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import (
    Bits,
    Expectations,
    Measure,
    Probabilities,
    State,
    check_measure,
)
from qgen_core.discovery.optional_import import sdk
from qgen_core.errors import BadOption, Unsupported
from qgen_core.events import index_to_bits
from qgen_core.interfaces import Backend, Capabilities
from qgen_core.mitigation.readout_mitigated import confusion_from
from qgen_core.support.identity_cache import Remembered
from qgen_core.support.resources import require_memory
from qgen_core.typing import Array, Floats, Rng
from qgen_qiskit.runtime.faults import shown
from qgen_qiskit.runtime.jobs import Jobs, batch_key
from qgen_qiskit.runtime.journal import Journal, default_folder
from qgen_qiskit.runtime.prepare import QISKIT, Ready, calibration_circuits, ready, word_operators
from qgen_qiskit.runtime.results import means, outcomes
from qgen_qiskit.runtime.service import RUNTIME, Patience, Service, missing_account
from qgen_qiskit.translate import GATES, free_angles

#: Outcomes are 64-bit integers.
MOST_WIRES = 62
#: Runtime rounds the shots of a precision up; this keeps 1/sqrt(n) from becoming n + 1.
NUDGE = 1 + 1e-12


class RuntimeBackend(Backend):
    """IBM devices by IBM Runtime: SamplerV2 for probabilities and bits, EstimatorV2 for expectations.

    Shots only. A batch, also that of a parameter-shift gradient, is one job; the circuit is transpiled
    once and its angles are bound by the service. The id of a job is on disk before it is waited for: run
    again after a crash, a deadline or a lost connection, a recipe collects its jobs and pays for none
    twice. The same recipe and seed find the same jobs; for fresh shots take another seed. Errors are as
    the device makes them; to undo them wrap ``readout-mitigated`` or ``zero-noise`` around this.

    Tried in the runtime's local testing mode and against a scripted service, not on a real device.

    Args:
        device: a device of the account, e.g. ``ibm_fez``; ``fake_fez`` and the like run with that
            device's noise, and ``aer_simulator`` without noise, in the local testing mode: no account.
        account: the name under which the account was saved in the vendor's store; none: its default
            one, or that of the variables QISKIT_IBM_*. A token is never an option.
        layout: the device's qubit of each wire; none: chosen by the transpiler, circuit by circuit.
        optimization: how hard the transpiler tries.
        deadline: seconds to wait for a batch, queue included; 0 submits and does not wait.
        jobs: folder for job ids; none: ``$XDG_STATE_HOME/qgen/ibm-jobs``, by default under ``~/.local/state``.
        recalibrated: what a calibration of the device between two batches is: a warning or an error.

    Raises RemoteError when the service refuses or fails, RemotePending (exit code 75: run again) at the
    deadline, Busy when another process submits the same batch, Unsupported and BadOption.
    """

    capabilities = Capabilities(
        gates=frozenset(GATES), max_wires=MOST_WIRES, exact=False, remote=True
    )

    def __init__(
        self,
        *,
        device: str,
        account: str | None = None,
        layout: tuple[int, ...] | None = None,
        optimization: Literal[0, 1, 2, 3] = 2,
        deadline: float = 3600.0,
        jobs: str | None = None,
        recalibrated: Literal["warn", "error"] = "warn",
    ) -> None:
        if not deadline >= 0:
            raise BadOption(f"deadline is a number of seconds of at least 0, not {deadline}")
        if layout is not None and (len(set(layout)) != len(layout) or min(layout, default=0) < 0):
            raise BadOption(f"layout names different qubits of the device, not {layout}")
        self.layout, self.optimization, self.deadline = layout, optimization, deadline
        self.service = Service(account, device)
        self.capabilities = replace(type(self).capabilities, remote=not self.service.local)
        self.jobs = Jobs(
            self.service, Journal(Path(jobs) if jobs else default_folder()), deadline, recalibrated
        )
        self._ready: Remembered[Circuit, dict[bool, Ready]] = Remembered()
        self._readout: dict[object, Floats] = {}

    @classmethod
    def missing_account(cls) -> str:
        """What an account lacks, as far as this machine knows; empty if there is one. Asks no service."""
        return missing_account()

    def require(self, circuit: Circuit, measure: Measure, batch: int = 1) -> None:
        """Raise ResourceRefused if a table of all outcomes does not fit into memory."""
        if isinstance(measure, Probabilities):
            need = 8 * batch * 2**circuit.num_wires
            require_memory(
                need, f"{batch} rows of 2^{circuit.num_wires} frequencies", "measure Bits"
            )

    def run(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        *,
        shots: int | None = None,
        rng: Rng | None = None,
    ) -> Array:
        self.check(circuit, shots)
        check_measure(measure, circuit.num_wires)
        if shots is None or rng is None:
            raise BadOption("ibm needs shots and a random generator")
        if isinstance(measure, State) or measure.confusion is not None:
            what = (
                "states"
                if isinstance(measure, State)
                else "readout confusion: a device misreads by itself"
            )
            raise Unsupported(f"ibm takes no {what}")
        self.require(circuit, measure, len(angles))
        rows, draw = free_angles(circuit, angles), int(rng.integers(1, 2**31))
        if isinstance(measure, Expectations):
            return self._means(circuit, rows, measure, shots, draw)
        return _read(self._outcomes(circuit, rows, shots, draw), circuit.num_wires, measure)

    def readout(self, circuit: Circuit, shots: int) -> Floats:
        """The confusion (Q, 2, 2) of the qubits on which a circuit ends, measured once for each calibration."""
        patience = Patience(self.deadline)
        qubits = self._prepared(circuit, True, patience).qubits
        calibration = "" if self.service.local else self.service.calibration(patience)
        place = (qubits, shots, calibration)
        if place not in self._readout:
            target = self.service.target(patience)
            pubs = [
                pub
                for one in calibration_circuits(target, qubits)
                for pub in one.pubs(np.empty((1, 0)))
            ]
            empty = Circuit(circuit.num_wires, ())
            key = batch_key(
                empty, np.empty((2, 0)), "readout", self.service.account, self.service.name, *place
            )
            found = self._job(
                "SamplerV2", pubs, shots, 1, key, lambda r: outcomes(r, 2, shots, circuit.num_wires)
            )
            self._readout[place] = confusion_from(
                *(index_to_bits(row, circuit.num_wires) for row in found)
            )
        return self._readout[place]

    def _outcomes(self, circuit: Circuit, rows: Floats, shots: int, draw: int) -> NDArray[np.int64]:
        ready_circuit = self._prepared(circuit, True, Patience(self.deadline))
        key = self._key(circuit, rows, "bits", shots, draw)
        found: NDArray[np.int64] = self._job(
            "SamplerV2",
            ready_circuit.pubs(rows),
            shots,
            draw,
            key,
            lambda result: outcomes(result, len(rows), shots, circuit.num_wires),
        )
        return found

    def _means(
        self, circuit: Circuit, rows: Floats, measure: Expectations, shots: int, draw: int
    ) -> Floats:
        ready_circuit = self._prepared(circuit, False, Patience(self.deadline))
        operators = word_operators(ready_circuit, measure.paulis)
        key = self._key(circuit, rows, measure.paulis, shots, draw)
        found: Floats = self._job(
            "EstimatorV2",
            ready_circuit.pubs(rows, operators),
            shots,
            draw,
            key,
            lambda result: means(result, len(rows), len(measure.paulis)),
        )
        return found

    def _prepared(self, circuit: Circuit, measured: bool, patience: Patience) -> Ready:
        known = self._ready.get(circuit, dict)
        if measured not in known:
            target = self.service.target(patience)
            known[measured] = ready(circuit, target, self.optimization, self.layout, measured)
        return known[measured]

    def _key(self, circuit: Circuit, rows: Floats, *facts: object) -> str:
        where = (self.service.account, self.service.name, self.layout, self.optimization)
        return batch_key(circuit, rows, *where, *facts)

    def _job(
        self, primitive: str, pubs: list[Any], shots: int, draw: int, key: str, read: Any
    ) -> Any:
        patience = Patience(self.deadline)
        device = self.service.device(patience)
        if (
            self.service.local
        ):  # such a job ends with this process: there is nothing to collect later
            return read(_run_here(primitive, device, pubs, shots, draw))

        def submit(tag: str) -> Any:
            raw = {"resilience_level": 0} if primitive == "EstimatorV2" else {}
            return _submit(
                primitive, device, pubs, shots, {"environment": {"job_tags": ["qgen", tag]}, **raw}
            )

        return self.jobs.run(key, submit, read)


def _submit(
    primitive: str, device: Any, pubs: list[Any], shots: int, options: dict[str, Any]
) -> Any:
    runtime = sdk(*RUNTIME)
    with warnings.catch_warnings():
        # the V2 primitives are to be replaced by ones that work in the client; these two still run everywhere
        warnings.simplefilter("ignore", DeprecationWarning)
        made = getattr(runtime, primitive)(mode=device, options=options)
        if primitive == "SamplerV2":
            return made.run(pubs, shots=shots)
        return made.run(pubs, precision=NUDGE / np.sqrt(shots))


def _run_here(primitive: str, device: Any, pubs: list[Any], shots: int, draw: int) -> Any:
    try:
        return _submit(
            primitive, device, pubs, shots, {"simulator": {"seed_simulator": draw}}
        ).result()
    except sdk("qiskit.exceptions", *QISKIT).QiskitError as error:
        raise Unsupported(f"{device.name} did not run the circuit: {shown(error)}") from error


def _read(found: NDArray[np.int64], wires: int, measure: Measure) -> Array:
    if isinstance(measure, Bits):
        return np.stack([index_to_bits(row, wires) for row in found])
    return np.stack([np.bincount(row, minlength=2**wires) / len(row) for row in found])
