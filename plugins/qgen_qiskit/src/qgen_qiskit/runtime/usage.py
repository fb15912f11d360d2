"""How long a job occupies a device of IBM, by the vendor's formula."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qgen_core.discovery.optional_import import import_optional
from qgen_qiskit.runtime.prepared_circuit import QISKIT

if TYPE_CHECKING:
    from qiskit.circuit import QuantumCircuit

#: Seconds of each job besides its executions.
JOB_OVERHEAD = 2.0
#: Seconds between executions on most devices, for those that do not say theirs.
USUAL_REP_DELAY = 250e-6


def usage(
    circuit: QuantumCircuit, target: Any, rep_delay: float | None, executions: int
) -> float | None:
    """Seconds of usage of a job; None for a device whose gates have no durations.

    They are ``2 s + (rep_delay + circuit length) * executions``. The circuit length, in seconds, is
    that of a transpiled circuit with its measurements, after a reset of the qubits. It is assumed
    that the service runs the job in one piece, without error mitigation.

    Source: IBM Quantum documentation, "Workload usage", section "Estimate usage before submitting a
    job", https://quantum.cloud.ibm.com/docs/guides/estimate-job-run-time (read in November 2026).
    """
    try:
        length = float(circuit.estimate_duration(target))
    except import_optional("qiskit.exceptions", *QISKIT).QiskitError:
        return None
    if rep_delay is None:
        rep_delay = USUAL_REP_DELAY
    one_execution = rep_delay + _reset_duration(target) + length
    return JOB_OVERHEAD + one_execution * executions


def _reset_duration(target: Any) -> float:
    """Seconds for which qubits are reset before a circuit; 0 where the target does not say."""
    if "reset" not in target.operation_names:
        return 0.0
    of_first_qubit = target["reset"].get((0,))
    return float(getattr(of_first_qubit, "duration", None) or 0.0)
