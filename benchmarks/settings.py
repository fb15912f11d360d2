"""Thread settings of a measuring process, fixed before any library is imported."""

from __future__ import annotations

import os

#: Environment variables of the libraries' thread pools; {n} is the number of threads.
_VARIABLES = {
    "OMP_NUM_THREADS": "{n}",
    "MKL_NUM_THREADS": "{n}",
    "OPENBLAS_NUM_THREADS": "{n}",
    "NUMBA_NUM_THREADS": "{n}",
    "QULACS_NUM_THREADS": "{n}",
}
_XLA_ONE = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

#: What is stated in the results.
STATED = {
    "all processes of one-thread cases": "bound to one core, so that no library can use two; "
    + ", ".join(f"{name}=1" for name in _VARIABLES)
    + f", XLA_FLAGS={_XLA_ONE}",
    "qgen": "threads=1",
    "torch (PennyLane, pyqtorch, torchquantum)": "torch.set_num_threads(1)",
    "Qiskit Aer": "max_parallel_threads=1",
    "qsim": "cpu_threads=1",
    "jax (TensorCircuit-NG, PennyLane)": "XLA_FLAGS as above",
    "qulacs, lightning.qubit, Catalyst": "OMP_NUM_THREADS=1",
}


def environment(threads: int) -> dict[str, str]:
    """Environment variables for a process that measures with this many threads."""
    out = {**os.environ, **{name: value.format(n=threads) for name, value in _VARIABLES.items()}}
    out["JAX_PLATFORMS"] = "cpu"
    out["PYTHONWARNINGS"] = "ignore"
    if threads == 1:
        out["XLA_FLAGS"] = _XLA_ONE
    return out


def bind_to_one_core() -> None:
    """Keep this process, and threads and workers that it starts, on the last core it may use."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
