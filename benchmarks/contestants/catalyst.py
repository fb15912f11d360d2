"""PennyLane Catalyst: qjit of the circuit and of its adjoint gradient on lightning.qubit.

The frozen diagonal G = diag(dL/dp) has to be an observable that Catalyst knows: as a sum of
all 2^Q words of Z (a Walsh-Hadamard transform gives the coefficients) it takes a tenth of the
time that it takes as a dense Hermitian matrix at 12 wires. complex128 only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.task import Floats, Op, Step, Task, js


def _words(diagonal: Floats) -> Floats:
    """Coefficients (2^Q,) of the words of Z; bit Q - 1 - w of a word's number means Z on wire w."""
    out = diagonal.copy()
    half = 1
    while half < len(out):
        pairs = out.reshape(-1, 2, half)
        out = np.stack([pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1).ravel()
        half *= 2
    return out / len(out)


def build(task: Task, precision: str) -> Step:
    """A compiled loop over the layers keeps the program small."""
    import catalyst
    import jax
    import jax.numpy as jnp
    import pennylane as qml

    assert precision == "double"
    jax.config.update("jax_enable_x64", True)
    device = qml.device("lightning.qubit", wires=task.wires)
    gates = {"rz": qml.RZ, "ry": qml.RY}

    def play(op: Op, angles: Any, base: Any) -> None:
        if op.name == "cx":
            qml.CNOT(op.wires)
        else:
            gates[op.name](angles[base + op.params[0]], wires=op.wires)

    def circuit(angles: Any) -> None:
        @catalyst.for_loop(0, task.layers, 1)
        def layers(number: Any) -> None:
            for op in task.layer:
                play(op, angles, number * task.per_layer)

        layers()
        for op in task.last:
            play(op, angles, 0)

    def word(number: int) -> Any:
        on = [qml.PauliZ(w) for w in range(task.wires) if number >> (task.wires - 1 - w) & 1]
        return qml.prod(*on) if len(on) > 1 else on[0] if on else qml.Identity(0)

    words = [word(k) for k in range(2**task.wires)]

    @qml.qnode(device)
    def probabilities(angles: Any) -> Any:
        circuit(angles)
        return qml.probs(wires=range(task.wires))

    @qml.qnode(device, diff_method="adjoint")
    def observed(angles: Any, weights: Any) -> Any:
        circuit(angles)
        return qml.expval(qml.Hamiltonian(weights, words))

    run = qml.qjit(probabilities)
    gradient = qml.qjit(lambda angles, weights: catalyst.grad(observed, argnums=0)(angles, weights))

    def step(params: Floats) -> tuple[float, Floats]:
        angles = jnp.asarray(params)
        value, slope = js(np.asarray(run(angles)), task.target)
        return value, np.asarray(gradient(angles, _words(slope)), dtype=np.float64)

    return step
