"""qsim by parameter shift, through its compiled module (complex64 only).

Cirq circuits would be translated gate by gate for each of the 2 P + 1 runs, which takes ten to
sixty times as long as qsim itself (10 s a step at 8 wires), so gates are given to qsim directly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.contestants.arrays import by_parameter_shift, rot_matrices
from benchmarks.task import Floats, Step, Task, fuse


def build(task: Task, precision: str) -> Step:
    """Each Rot is one matrix gate; wire w is qsim's qubit Q - 1 - w."""
    import qsimcirq
    from qsimcirq import qsim

    assert precision == "single"
    ops = fuse(task.ops)
    options: dict[str, Any] = qsimcirq.QSimOptions(cpu_threads=1, max_fused_gate_size=2).as_dict()
    options["s"] = 1
    qubits = [[task.wires - 1 - w for w in op.wires] for op in ops]

    def one(params: Floats) -> NDArray[np.float32]:
        matrices = iter(rot_matrices(params, ops).reshape(-1, 4).view(np.float64).tolist())
        circuit = qsim.Circuit()
        circuit.num_qubits = task.wires
        for time, (op, where) in enumerate(zip(ops, qubits, strict=True)):
            if op.name == "cx":
                qsim.add_gate(qsim.kCX, time, where, {}, circuit)
            else:
                qsim.add_matrix_gate(time, where, next(matrices), circuit)
        options["c"] = circuit
        parts = qsim.qsim_simulate_fullstate(options, 0).reshape(-1, 2)
        return np.asarray((parts**2).sum(axis=1))

    return by_parameter_shift(task, lambda rows: np.array([one(row) for row in rows]))
