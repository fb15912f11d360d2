"""PennyLane default.qubit under jax.jit: the whole circuit compiled as one XLA program.

Fast where it compiles, but compiling takes minutes; the first call is reported.
"""

from __future__ import annotations

from typing import Any

from benchmarks.contestants.jax_js import compiled, jax_js
from benchmarks.task import Step, Task, fuse


def build(task: Task, precision: str) -> Step:
    """complex128: jax runs with 64 bit, as PennyLane recommends."""
    import jax
    import jax.numpy as jnp
    import pennylane as qml

    assert precision == "double"
    jax.config.update("jax_enable_x64", True)
    ops = fuse(task.ops)
    target = jnp.asarray(task.target)

    @qml.qnode(
        qml.device("default.qubit", wires=task.wires), interface="jax", diff_method="backprop"
    )
    def circuit(angles: Any) -> Any:
        for op in ops:
            if op.name == "cx":
                qml.CNOT(op.wires)
            else:
                qml.Rot(*(angles[k] for k in op.params), wires=op.wires)
        return qml.probs(wires=range(task.wires))

    return compiled(lambda theta: jax_js(circuit(theta), target), task.params, jnp.float64)
