"""The backend ``ibm``: circuits on IBM devices through IBM Runtime or its local testing mode."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qgen_core.circuits.circuit import Circuit
from qgen_core.circuits.measures import (
    Expectations,
    Measure,
    Shots,
)
from qgen_core.discovery.optional_import import import_optional
from qgen_core.errors import BadOption, Unsupported
from qgen_core.events import index_to_bits
from qgen_core.interfaces import Capabilities, DeviceCircuit
from qgen_core.mitigation.readout_mitigated import confusion_from
from qgen_core.remote import (
    Deadline,
    DeviceBackend,
    JobRecords,
    Jobs,
    as_measured,
    batch_key,
    default_folder,
    one_line,
)
from qgen_core.support.identity_cache import Remembered
from qgen_core.typing import Array, Floats
from qgen_qiskit.runtime.prepared_circuit import (
    QISKIT,
    PreparedCircuit,
    calibration_circuits,
    prepare,
    word_operators,
)
from qgen_qiskit.runtime.results import means, outcomes
from qgen_qiskit.runtime.service import RUNTIME, Service, missing_account
from qgen_qiskit.runtime.usage import usage
from qgen_qiskit.translate import GATES, free_angles

#: Outcomes are 64-bit integers.
MOST_WIRES = 62
#: Runtime rounds 1 / precision^2 up to whole shots; this keeps 1/sqrt(n) from becoming n + 1.
PRECISION_FACTOR = 1 + 1e-12


class RuntimeBackend(DeviceBackend):
    """IBM devices: SamplerV2 for probabilities and bits, EstimatorV2 for expectations.

    Shots only. A batch, including the shifted circuits of a gradient, is one job. The circuit is
    transpiled once and the service binds its angles. The id of a job is on disk before the job is
    waited for: after a crash, a deadline or a lost connection, run the recipe again; it collects
    its jobs, and none is paid for twice. The same recipe and seed find the same jobs; for new shots
    change the seed. Results have the errors of the device; to mitigate them, wrap this backend in
    ``readout-mitigated`` or ``zero-noise``.

    Tested in the runtime's local testing mode and against a scripted service, not on a real
    device.

    Args:
        device: a device of the account, e.g. ``ibm_fez``. ``fake_fez`` and the like run with that
            device's noise, and ``aer_simulator`` without noise, in the local testing mode, which
            needs no account.
        account: the name under which the account was saved in the vendor's store. None: the
            default account, or that of the variables QISKIT_IBM_*. A token is never an option.
        layout: the device's qubit of each wire. None: chosen by the transpiler for each circuit.
        optimization: optimization level of the transpiler.
        deadline: seconds to wait for a batch, queue included; 0 submits and does not wait.
        jobs: folder for job ids. None: ``$XDG_STATE_HOME/qgen/ibm-jobs``, by default under
            ``~/.local/state``.
        recalibrated: whether a new calibration of the device between two batches is a warning or
            an error.

    Raises RemoteError when the service refuses or fails, RemotePending (exit code 75: run again)
    at the deadline, Busy while another process submits the same batch, Unsupported for states and
    readout confusion, BadOption for options out of range.

    >>> backend = RuntimeBackend(device="fake_guadalupe", layout=(1, 4))
    >>> backend.capabilities.remote, backend.capabilities.exact
    (False, False)
    """

    name = "ibm"
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
            raise BadOption(f"deadline must be at least 0 seconds, not {deadline}")
        if layout is not None and (len(set(layout)) != len(layout) or min(layout, default=0) < 0):
            raise BadOption(f"layout must name different qubits of the device, not {layout}")
        self.layout = layout
        self.optimization = optimization
        self.deadline = deadline
        self.service = Service(account, device)
        self.capabilities = replace(type(self).capabilities, remote=not self.service.local)
        folder = Path(jobs) if jobs else default_folder("ibm-jobs")
        self.jobs = Jobs(self.service, JobRecords(folder), recalibrated)
        #: Transpiled circuits, with and without a measurement.
        self._prepared_circuits: Remembered[Circuit, dict[bool, PreparedCircuit]] = Remembered()
        self._readout: dict[object, Floats] = {}

    @classmethod
    def missing_account(cls) -> str:
        """Why no account can be used, as far as this machine knows; empty if there is one."""
        return missing_account()

    def device_seconds(self, circuit: Circuit, rows: int, shots: int) -> float | None:
        """The seconds of usage that a job of so many circuits in one basis is charged.

        By the vendor's formula, see :func:`qgen_qiskit.runtime.usage.usage`; nothing is submitted.
        For a fake device it is what the real one would take. None for ``aer_simulator``. Raises
        RemoteError without an account and if the service does not answer.

        >>> from qgen_core import Circuit, Gate
        >>> flip = Circuit(1, (Gate("x", (0,)),))
        >>> seconds = RuntimeBackend(device="fake_guadalupe").device_seconds(flip, 10, 1000)
        >>> round(seconds, 1)  # 2 s, and 250 us and the length of the circuit 10,000 times
        4.6
        """
        deadline = Deadline(self.deadline)
        target = self.service.target(deadline)
        prepared = self._prepared(circuit, True, deadline)
        rep_delay = getattr(self.service.device(deadline), "default_rep_delay", None)
        return usage(prepared.circuit, target, rep_delay, rows * shots)

    def device_circuit(self, circuit: Circuit) -> DeviceCircuit:
        """Depth and two-qubit gates of a circuit after it is transpiled for the device.

        Raises RemoteError without an account and if the service does not answer, Unsupported for
        more wires than the device has qubits.

        >>> from qgen_core import Circuit, Gate
        >>> backend = RuntimeBackend(device="fake_guadalupe", layout=(0, 4, 7))
        >>> far = Circuit(3, (Gate("cx", (0, 2)),))
        >>> backend.device_circuit(far).two_qubit_gates > 1  # these qubits are not connected
        True
        """
        transpiled = self._prepared(circuit, True, Deadline(self.deadline)).circuit
        return DeviceCircuit(transpiled.depth(), transpiled.num_nonlocal_gates())

    def run(
        self,
        circuit: Circuit,
        angles: Floats,
        measure: Measure,
        shots: Shots | None = None,
    ) -> Array:
        shots = self.measurable(circuit, len(angles), measure, shots)
        rows = free_angles(circuit, angles)
        draw = int(shots.rng.integers(1, 2**31))
        if isinstance(measure, Expectations):
            return self._means(circuit, rows, measure, shots.number, draw)
        found = self._outcomes(circuit, rows, shots.number, draw)
        return as_measured(found, circuit.num_wires, measure)

    def readout(self, circuit: Circuit, shots: int) -> Floats:
        """The readout confusion (Q, 2, 2) of the qubits on which a circuit ends.

        Measured once for each calibration of the device.
        """
        deadline = Deadline(self.deadline)
        qubits = self._prepared(circuit, True, deadline).qubits
        calibration = "" if self.service.local else self.service.calibration(deadline)
        place = (qubits, shots, calibration)
        if place not in self._readout:
            target = self.service.target(deadline)
            pubs = []
            for prepared in calibration_circuits(target, qubits):
                pubs += prepared.pubs(np.empty((1, 0)))
            empty = Circuit(circuit.num_wires, ())
            key = batch_key(
                empty, np.empty((2, 0)), "readout", self.service.account, self.service.name, *place
            )
            zeros, ones = self._job(
                "SamplerV2",
                pubs,
                shots,
                1,
                key,
                lambda result: outcomes(result, 2, shots, circuit.num_wires),
            )
            self._readout[place] = confusion_from(
                index_to_bits(zeros, circuit.num_wires), index_to_bits(ones, circuit.num_wires)
            )
        return self._readout[place]

    def _outcomes(self, circuit: Circuit, rows: Floats, shots: int, draw: int) -> NDArray[np.int64]:
        prepared = self._prepared(circuit, True, Deadline(self.deadline))
        key = self._key(circuit, rows, "bits", shots, draw)
        found: NDArray[np.int64] = self._job(
            "SamplerV2",
            prepared.pubs(rows),
            shots,
            draw,
            key,
            lambda result: outcomes(result, len(rows), shots, circuit.num_wires),
        )
        return found

    def _means(
        self, circuit: Circuit, rows: Floats, measure: Expectations, shots: int, draw: int
    ) -> Floats:
        prepared = self._prepared(circuit, False, Deadline(self.deadline))
        operators = word_operators(prepared, measure.paulis)
        key = self._key(circuit, rows, measure.paulis, shots, draw)
        found: Floats = self._job(
            "EstimatorV2",
            prepared.pubs(rows, operators),
            shots,
            draw,
            key,
            lambda result: means(result, len(rows), len(measure.paulis)),
        )
        return found

    def _prepared(self, circuit: Circuit, measured: bool, deadline: Deadline) -> PreparedCircuit:
        known = self._prepared_circuits.get(circuit, dict)
        if measured not in known:
            target = self.service.target(deadline)
            known[measured] = prepare(circuit, target, self.optimization, self.layout, measured)
        return known[measured]

    def _key(self, circuit: Circuit, rows: Floats, *facts: object) -> str:
        where = (self.service.account, self.service.name, self.layout, self.optimization)
        return batch_key(circuit, rows, *where, *facts)

    def _job(
        self, primitive: str, pubs: list[Any], shots: int, draw: int, key: str, read: Any
    ) -> Any:
        device = self.service.device(Deadline(self.deadline))
        if self.service.local:
            # Such a job ends with this process, so there is nothing to collect later.
            return read(_run_locally(primitive, device, pubs, shots, draw))

        def submit(tag: str) -> str:
            options: dict[str, Any] = {"environment": {"job_tags": ["qgen", tag]}}
            if primitive == "EstimatorV2":
                options["resilience_level"] = 0
            return str(_submit(primitive, device, pubs, shots, options).job_id())

        deadline = Deadline(self.deadline)
        record = self.jobs.submitted(key, lambda: submit, deadline)
        return self.jobs.collected(record, read, deadline)


def _submit(
    primitive: str, device: Any, pubs: list[Any], shots: int, options: dict[str, Any]
) -> Any:
    runtime = import_optional(*RUNTIME)
    with warnings.catch_warnings():
        # The vendor plans to replace the V2 primitives; these two still run everywhere.
        warnings.simplefilter("ignore", DeprecationWarning)
        runner = getattr(runtime, primitive)(mode=device, options=options)
        if primitive == "SamplerV2":
            return runner.run(pubs, shots=shots)
        return runner.run(pubs, precision=PRECISION_FACTOR / np.sqrt(shots))


def _run_locally(primitive: str, device: Any, pubs: list[Any], shots: int, draw: int) -> Any:
    options = {"simulator": {"seed_simulator": draw}}
    try:
        return _submit(primitive, device, pubs, shots, options).result()
    except import_optional("qiskit.exceptions", *QISKIT).QiskitError as error:
        raise Unsupported(f"{device.name} did not run the circuit: {one_line(error)}") from error
    except ValueError as error:  # Qiskit reads the results of a simulation that has failed
        raise Unsupported(
            f"{device.name} did not run the circuit: its simulation failed, most often for memory. "
            f"With more shots than outcomes, here {shots} shots, Aer keeps a density matrix of "
            "16 * 4^wires bytes; ask for fewer shots at once, or for fewer wires"
        ) from error
